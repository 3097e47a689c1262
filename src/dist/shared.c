/* An MPI-3 shared-memory window per node: its first rank owns the memory, the others map it. Nodes'
 * first ranks get the content from rank 0, which is the first of its own. */
#include "lae/base/arena.h"
#include "lae/dist/dist.h"

#include "comms.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#define BACKING "/dev/shm" /* where Open MPI puts the memory of windows, unless told otherwise */

struct lae_window {
    MPI_Win win;
};

/* Memory there is handed out when it is touched: where it does not suffice, a rank would be killed
 * while it writes. A rank that is alone on its node needs none of it. */
static lae_status check_room(const struct lae_dist *dist, size_t size)
{
    struct statvfs place;
    if (dist->node_rank != 0 || dist->node_size == 1 || statvfs(BACKING, &place) != 0) return NULL;
    double free = (double)place.f_bavail * (double)place.f_frsize;
    double whole = (double)place.f_blocks * (double)place.f_frsize;
    if ((double)size + (1 << 20) <= free) return NULL;
    return lae_failed("host %s: %s has %.0f MB free of %.0f MB; %.0f MB are needed for what its %d "
                      "ranks share; enlarge it (mount -o remount,size=..., or the container's "
                      "--shm-size), or start one rank a host with more threads",
                      dist->host, BACKING, free * 1e-6, whole * 1e-6, (double)size * 1e-6,
                      dist->node_size);
}

static int allocate(const struct lae_dist *dist, MPI_Aint mine, void *base, MPI_Win *win)
{
    MPI_Comm node = dist->comms->node;
    MPI_Comm_set_errhandler(node, MPI_ERRORS_RETURN);
    int error = MPI_Win_allocate_shared(mine, 1, MPI_INFO_NULL, node, base, win);
    MPI_Comm_set_errhandler(node, MPI_ERRORS_ARE_FATAL);
    return error;
}

lae_status lae_shared_create(const struct lae_dist *dist, size_t size, struct lae_shared *shared)
{
    lae_dist_broadcast(dist, &size, sizeof size);
    *shared = (struct lae_shared){.size = size, .window = malloc(sizeof *shared->window)};
    lae_status status = check_room(dist, size);
    if (shared->window == NULL) status = lae_status_first(status, lae_out_of_memory(1, "a window"));
    LAE_TRY(lae_dist_agree(dist, status));
    MPI_Aint mine = dist->node_rank == 0 ? (MPI_Aint)(size + LAE_ALIGNMENT) : 0;
    void *base = NULL;
    if (allocate(dist, mine, &base, &shared->window->win) != MPI_SUCCESS)
        status = lae_failed("host %s: MPI cannot share %.0f MB among its ranks", dist->host,
                            (double)size * 1e-6);
    LAE_TRY(lae_dist_agree(dist, status));
    int unit;
    MPI_Win_shared_query(shared->window->win, 0, &mine, &unit, &base);
    /* A window's base is aligned to 8 bytes only; every rank of a node maps it at its own address,
     * but page by page, so that rounding up gives the same place. */
    size_t past = (uintptr_t)base % LAE_ALIGNMENT;
    shared->data = (char *)base + (past == 0 ? 0 : LAE_ALIGNMENT - past);
    return NULL;
}

void lae_shared_publish(const struct lae_dist *dist, struct lae_shared *shared)
{
    MPI_Win_fence(0, shared->window->win);
    if (dist->comms->leaders != MPI_COMM_NULL)
        lae_dist_broadcast_pieces(dist->comms->leaders, 0, shared->data, shared->size);
    MPI_Win_fence(0, shared->window->win);
}

void lae_shared_settle(struct lae_shared *shared)
{
    MPI_Win_fence(0, shared->window->win);
}

void lae_shared_free(struct lae_shared *shared)
{
    if (shared->data != NULL) MPI_Win_free(&shared->window->win);
    free(shared->window);
    *shared = (struct lae_shared){0};
}
