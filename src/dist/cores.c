/* How many cores a rank may call its own. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "lae/dist/dist.h"

#include "comms.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* The cores this process may run on. */
static void own_cores(cpu_set_t *set)
{
    CPU_ZERO(set);
    if (sched_getaffinity(0, sizeof *set, set) != 0) CPU_SET(0, set);
}

static int count_on_node(const struct lae_dist *dist, const cpu_set_t *mine)
{
    cpu_set_t all;
    MPI_Allreduce(mine, &all, (int)sizeof all, MPI_BYTE, MPI_BOR, dist->comms->node);
    return CPU_COUNT(&all);
}

int lae_dist_node_cores(const struct lae_dist *dist)
{
    cpu_set_t mine;
    own_cores(&mine);
    return count_on_node(dist, &mine);
}

/* The kernel cuts down what is asked for to what a batch system's limits (cpusets) allow: so this
 * thread asks for every core, looks at what it got, and goes back. */
int lae_dist_unbound_cores(const struct lae_dist *dist)
{
    cpu_set_t mine, every;
    own_cores(&mine);
    memset(&every, 0xff, sizeof every);
    bool asked = sched_setaffinity(0, sizeof every, &every) == 0;
    own_cores(&every);
    if (asked) sched_setaffinity(0, sizeof mine, &mine);
    return count_on_node(dist, &every);
}

int lae_dist_cores(const struct lae_dist *dist)
{
    cpu_set_t mine, both;
    own_cores(&mine);
    cpu_set_t *all = calloc((size_t)dist->node_size, sizeof *all);
    int possible = all != NULL, everywhere;
    MPI_Allreduce(&possible, &everywhere, 1, MPI_INT, MPI_MIN, dist->comms->node);
    if (all == NULL || !everywhere) {
        free(all);
        return 1;
    }
    MPI_Allgather(&mine, sizeof mine, MPI_BYTE, all, sizeof mine, MPI_BYTE, dist->comms->node);
    int sharing = 0;
    for (int i = 0; i < dist->node_size; i++) {
        CPU_AND(&both, &mine, &all[i]);
        sharing += CPU_COUNT(&both) > 0;
    }
    free(all);
    int cores = CPU_COUNT(&mine);
    return sharing > 0 && cores > sharing ? cores / sharing : 1;
}
