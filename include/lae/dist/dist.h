/* The ranks and what they do together: the only room that calls MPI.
 *
 * Functions marked [collective] must be called by all ranks in the same order. MPI is called from
 * the main thread alone (MPI_THREAD_FUNNELED). MPI's own errors end the job (Open MPI's default).
 */
#ifndef LAE_DIST_DIST_H
#define LAE_DIST_DIST_H

#include "lae/base/signals.h"
#include "lae/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAE_HOST_TEXT 64
#define LAE_LIBRARY_TEXT 128

struct lae_dist {
    int rank, size;
    int node_rank, node_size; /* within the node */
    int nodes;
    char host[LAE_HOST_TEXT];
    int announced;            /* ranks that the launcher says it has started; 0: it says nothing */
    const char *announced_by; /* the variable that says so */
    struct lae_comms *comms;  /* see src/dist/comms.h */
    struct lae_notices *notices;   /* of requests to stop */
    struct lae_segments *segments; /* see src/dist/segments.h */
};

/* MPI's library by name and version, as "Open MPI v4.1.4"; MPI need not have begun. */
void lae_dist_library(char name[LAE_LIBRARY_TEXT]);

/* Before lae_dist_start: whether the process may make the files that MPI needs. */
lae_status lae_dist_check_limits(void) LAE_MUST_CHECK;

/* MPI_Init and the communicators. [collective] Errors: MPI without thread support. */
lae_status lae_dist_start(int *argc, char ***argv, struct lae_dist *dist) LAE_MUST_CHECK;

/* After it: whether another MPI's launcher started several processes, each of which is alone for
 * this library. */
lae_status lae_dist_check_launcher(const struct lae_dist *dist) LAE_MUST_CHECK;

/* MPI_Finalize. [collective] */
void lae_dist_end(struct lae_dist *dist);

/* The strongest request to stop made at any rank (lae/base/signals.h), as far as it is known here.
 * A rank that was asked tells the others; they hear of it when they call this. Not collective, and
 * quick. */
enum lae_request lae_dist_request(const struct lae_dist *dist);

/* Waits until all ranks are here, before a collective call that would wait for the slowest, and
 * gives all of them the strongest request known to any. False where a request is urgent and some
 * rank does not answer within a fraction of a second, being dead: nothing collective may follow,
 * and the job can only be left. [collective] */
bool lae_dist_meet(const struct lae_dist *dist, enum lae_request *request) LAE_MUST_CHECK;

/* Whether lae_dist_meet has returned false. */
bool lae_dist_is_broken(const struct lae_dist *dist);

/* Ends this rank without MPI_Finalize, for a job that is broken: rank 0 at once, the others when it
 * had the time to save. Does not return. */
_Noreturn void lae_dist_leave(const struct lae_dist *dist, int code);

/* What all ranks make of their statuses: NULL if all are; otherwise the error of the lowest rank
 * that has one, the same on all ranks, naming rank and host if not all ranks failed (but for bad
 * input at rank 0, which reads it for all). Frees `mine`. [collective] */
lae_status lae_dist_agree(const struct lae_dist *dist, lae_status mine) LAE_MUST_CHECK;

/* Rank 0's `size` bytes to all. [collective] */
void lae_dist_broadcast(const struct lae_dist *dist, void *data, size_t size);

/* Rank 0's text to all, as a new string; free(). `text` is read at rank 0 alone. [collective]
 * Errors: memory, on any rank. */
lae_status lae_dist_broadcast_text(const struct lae_dist *dist, const char *text,
                                   char **copy) LAE_MUST_CHECK;

/* Each rank's `count` floats to rank 0, in order of rank: all [ranks, count], read at rank 0 alone.
 * `count` is the same on all ranks and at most 2^28. [collective] */
void lae_dist_gather(const struct lae_dist *dist, const float *mine, size_t count, float *all);

/* values [count] become their sums over all ranks: exact, so the order does not matter.
 * [collective] */
void lae_dist_sum(const struct lae_dist *dist, int64_t *values, size_t count);

/* An error of the given code, the same on all ranks, unless `text` is the same on all; it names two
 * that differ. [collective] */
lae_status lae_dist_same(const struct lae_dist *dist, enum lae_code code, const char *what,
                         const char *text) LAE_MUST_CHECK;

/* Items dealt to ranks, position i to rank i mod size: how many of `count` are this rank's, and the
 * position of its item. */
size_t lae_dist_share(const struct lae_dist *dist, size_t count);
size_t lae_dist_position(const struct lae_dist *dist, size_t item);

/* The names of all hosts, each once, in order of rank, comma-separated: at rank 0 a new string,
 * NULL elsewhere. [collective] */
char *lae_dist_hosts(const struct lae_dist *dist);

/* Cores this rank may call its own, at least 1: those it may run on, divided among the ranks of the
 * node that may run on the same. [collective] */
int lae_dist_cores(const struct lae_dist *dist);

/* Cores of this node that some rank of it may run on. [collective] */
int lae_dist_node_cores(const struct lae_dist *dist);

/* Cores of this node that its ranks might run on if no launcher had bound them: all that a batch
 * system's limits leave. [collective] */
int lae_dist_unbound_cores(const struct lae_dist *dist);

/* Bytes of this host's memory that may still be had, by the ranks of the node together: what is
 * free, what control groups allow, and where ranks share a node what /dev/shm has. */
double lae_dist_free_memory(const struct lae_dist *dist);

/* Memory that the ranks of a node share: frozen weights and datasets are there once a node. */
struct lae_shared {
    void *data; /* [size], aligned to LAE_ALIGNMENT */
    size_t size;
    struct lae_window *window; /* MPI's */
};

/* `size` is rank 0's. [collective] */
lae_status lae_shared_create(const struct lae_dist *dist, size_t size,
                             struct lae_shared *shared) LAE_MUST_CHECK;

/* What rank 0 wrote into its shared memory reaches all nodes' and may then be read by all.
 * [collective] */
void lae_shared_publish(const struct lae_dist *dist, struct lae_shared *shared);

/* What each rank of a node wrote into its part may then be read by all of that node. [collective]
 */
void lae_shared_settle(struct lae_shared *shared);

void lae_shared_free(struct lae_shared *shared); /* [collective] */

#endif
