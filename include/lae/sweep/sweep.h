/* One way over images: items are dealt to ranks, a rank's to its threads, part by part; a request to
 * stop is heard on the way, and all ranks leave it together.
 *
 *     position    0 1 2 3 4 5 6 7 8 ...     of all items
 *     rank        0 1 2 0 1 2 0 1 2 ...     that it is dealt to
 *     item        0 0 0 1 1 1 2 2 2 ...     of that rank
 *
 * (lae_dist_share and lae_dist_position know them.) Which worker does which item is not determined:
 * results must not depend on it (METHOD section 9). Training steps, evaluation, statistics,
 * prediction and decoding are users of it.
 */
#ifndef LAE_SWEEP_SWEEP_H
#define LAE_SWEEP_SWEEP_H

#include "lae/base/team.h"
#include "lae/dist/dist.h"

#include <stdbool.h>
#include <stddef.h>

/* Called now and then with the share of the work done, 0..1, on the main thread. */
typedef void lae_sweep_progress(void *context, double share);

/* Lies in memory that outlives the workers' last item: after an interruption they may still be at
 * one, until lae_team_drain. */
struct lae_sweep {
    const struct lae_dist *dist;
    struct lae_team *team;
    enum lae_request heeds; /* requests as strong as this, or stronger, interrupt it */
    lae_team_work *work;    /* one item of this rank; called with `context` */
    void *context;
    size_t part; /* items of this rank at a time; 0: all at once */
    /* Called after each part, on the main thread, with its first item and how many it has. False: a
     * request interrupted it. NULL: nothing to do. */
    bool (*after_part)(void *context, size_t first, size_t count);
    lae_sweep_progress *progress; /* called before each part; may be NULL */
    void *progress_context;
    size_t first; /* item that the part at hand begins with */
};

/* Items 0..count-1 of this rank. True, on all ranks, when all items of all ranks are done and no
 * request that is heeded came; *request is then the strongest that came, whatever the ranks do of
 * it. False, on all ranks, when interrupted. [collective] */
bool lae_sweep_run(struct lae_sweep *sweep, size_t count, enum lae_request *request) LAE_MUST_CHECK;

/* More work by the same threads, for after_part: false when interrupted. */
bool lae_sweep_also(const struct lae_sweep *sweep, size_t count,
                    lae_team_work *work) LAE_MUST_CHECK;

#endif
