/* How many cores a rank may call its own. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "lae/dist/dist.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

int lae_dist_node_cores(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 0 ? (int)cores : 1;
}

int lae_dist_cores(const struct lae_dist *dist)
{
    cpu_set_t mine, both;
    CPU_ZERO(&mine);
    if (sched_getaffinity(0, sizeof mine, &mine) != 0) CPU_SET(0, &mine);
    cpu_set_t *all = calloc((size_t)dist->node_size, sizeof *all);
    int possible = all != NULL, everywhere;
    MPI_Allreduce(&possible, &everywhere, 1, MPI_INT, MPI_MIN, dist->node);
    int sharing = 0;
    if (everywhere)
        MPI_Allgather(&mine, sizeof mine, MPI_BYTE, all, sizeof mine, MPI_BYTE, dist->node);
    for (int i = 0; everywhere && i < dist->node_size; i++) {
        CPU_AND(&both, &mine, &all[i]);
        sharing += CPU_COUNT(&both) > 0;
    }
    free(all);
    int cores = CPU_COUNT(&mine);
    return sharing > 0 && cores > sharing ? cores / sharing : 1;
}
