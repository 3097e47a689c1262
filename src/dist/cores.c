/* How many cores a rank may call its own. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "lae/dist/dist.h"

#include <sched.h>
#include <stdlib.h>

/* The cores this process may run on. */
static void own_cores(cpu_set_t *set)
{
    CPU_ZERO(set);
    if (sched_getaffinity(0, sizeof *set, set) != 0) CPU_SET(0, set);
}

int lae_dist_node_cores(const struct lae_dist *dist)
{
    cpu_set_t mine, all;
    own_cores(&mine);
    MPI_Allreduce(&mine, &all, (int)sizeof mine, MPI_BYTE, MPI_BOR, dist->node);
    return CPU_COUNT(&all);
}

int lae_dist_cores(const struct lae_dist *dist)
{
    cpu_set_t mine, both;
    own_cores(&mine);
    cpu_set_t *all = calloc((size_t)dist->node_size, sizeof *all);
    int possible = all != NULL, everywhere;
    MPI_Allreduce(&possible, &everywhere, 1, MPI_INT, MPI_MIN, dist->node);
    if (all == NULL || !everywhere) {
        free(all);
        return 1;
    }
    MPI_Allgather(&mine, sizeof mine, MPI_BYTE, all, sizeof mine, MPI_BYTE, dist->node);
    int sharing = 0;
    for (int i = 0; i < dist->node_size; i++) {
        CPU_AND(&both, &mine, &all[i]);
        sharing += CPU_COUNT(&both) > 0;
    }
    free(all);
    int cores = CPU_COUNT(&mine);
    return sharing > 0 && cores > sharing ? cores / sharing : 1;
}
