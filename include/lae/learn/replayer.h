/* The merge lab's engine: what other merges would have made of a run.
 *
 * Online never depends on the merge (but where train.start_from is offline), so that the offline
 * modules of any merge follow from the online modules that the tasks left. A run is replayed with
 * the learning left out: each task's online module and classifier come from its file, offline is
 * accumulated and evaluated by what training uses, and the results are the same to the bit.
 */
#ifndef LAE_LEARN_REPLAYER_H
#define LAE_LEARN_REPLAYER_H

#include "lae/merge/merge.h"
#include "lae/run/metrics.h"
#include "lae/run/restored.h"

struct lae_replayer;

/* What one merge made of the run. */
struct lae_replayer_result {
    struct lae_merge_options merge;
    struct lae_metrics metrics; /* after the run's finished tasks; owned */
    double seconds;             /* of merging and evaluating; NaN: as the run stored it */
};

/* Opens a replayer of a run that lae_restored_open_bare opened. The configuration in it, which must
 * outlive the replayer, will be that of the merge at hand; its eval.heads are evaluated. `write`:
 * task files will be written, so that statistics are gathered through all of stats.modules; else
 * through offline alone, the others not depending on the merge. [collective] Errors, the same on
 * all ranks: fewer than two tasks are finished; a task's file is missing; memory. */
lae_status lae_replayer_open(struct lae_restored *restored, bool write,
                             struct lae_replayer **replayer) LAE_MUST_CHECK;
void lae_replayer_close(struct lae_replayer *replayer); /* NULL is allowed */

/* What the run itself stored; the metrics are rank 0's. */
const struct lae_replayer_result *lae_replayer_stored(const struct lae_replayer *replayer);

/* What `merges` merges take, from the opening on, in passes of one image through a view. */
double lae_replayer_work(const struct lae_replayer *replayer, size_t merges);

/* Called now and then with the passes done since the opening, on rank 0's main thread. */
typedef void lae_replayer_progress(void *context, double done);

/* Where a merge's task files are to be: of a run of that name in `root`. */
struct lae_replayer_place {
    const char *root, *name;
};

/* Whether they can be there: made if it is not, and empty or of the same configuration.
 * [collective] Errors are the same on all ranks. */
lae_status lae_replayer_check_place(struct lae_replayer *replayer,
                                    const struct lae_merge_options *merge,
                                    const struct lae_replayer_place *place) LAE_MUST_CHECK;

/* Merges and evaluates after each task; writes task files where `place` is not NULL. `progress` is
 * used at rank 0, and may be NULL. [collective] Errors, the same on all ranks: memory, scores that
 * are not finite, files that cannot be written; LAE_STOPPED: a request to stop came. */
lae_status lae_replayer_merge(struct lae_replayer *replayer, const struct lae_merge_options *merge,
                              const struct lae_replayer_place *place,
                              lae_replayer_progress *progress, void *context,
                              struct lae_replayer_result *result) LAE_MUST_CHECK;

#endif
