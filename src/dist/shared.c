/* An MPI-3 shared-memory window per node: its first rank owns the memory, the others map it. Nodes'
 * first ranks get the content from rank 0, which is the first of its own. */
#include "lae/base/arena.h"
#include "lae/dist/dist.h"

#include "pieces.h"

#include <stdint.h>

lae_status lae_shared_create(const struct lae_dist *dist, size_t size, struct lae_shared *shared)
{
    lae_dist_broadcast(dist, &size, sizeof size);
    *shared = (struct lae_shared){.size = size, .window = MPI_WIN_NULL};
    MPI_Aint mine = dist->node_rank == 0 ? (MPI_Aint)(size + LAE_ALIGNMENT) : 0;
    void *base = NULL;
    MPI_Comm_set_errhandler(dist->node, MPI_ERRORS_RETURN);
    int error = MPI_Win_allocate_shared(mine, 1, MPI_INFO_NULL, dist->node, &base, &shared->window);
    MPI_Comm_set_errhandler(dist->node, MPI_ERRORS_ARE_FATAL);
    lae_status status = NULL;
    if (error != MPI_SUCCESS)
        status = lae_failed("cannot share %.1f MiB among the ranks of host %s; is /dev/shm full?",
                            (double)size / 1048576.0, dist->host);
    LAE_TRY(lae_dist_agree(dist, status));
    int unit;
    MPI_Win_shared_query(shared->window, 0, &mine, &unit, &base);
    /* A window's base is aligned to 8 bytes only; every rank of a node maps it at its own address,
     * but page by page, so that rounding up gives the same place. */
    size_t past = (uintptr_t)base % LAE_ALIGNMENT;
    shared->data = (char *)base + (past == 0 ? 0 : LAE_ALIGNMENT - past);
    return NULL;
}

void lae_shared_publish(const struct lae_dist *dist, struct lae_shared *shared)
{
    MPI_Win_fence(0, shared->window);
    if (dist->leaders != MPI_COMM_NULL)
        broadcast_pieces(dist->leaders, 0, shared->data, shared->size);
    MPI_Win_fence(0, shared->window);
}

void lae_shared_settle(struct lae_shared *shared)
{
    MPI_Win_fence(0, shared->window);
}

void lae_shared_free(struct lae_shared *shared)
{
    if (shared->data != NULL) MPI_Win_free(&shared->window);
    *shared = (struct lae_shared){0};
}
