/* Class statistics of a task's training images through modules (see lae/heads/stats.h): one pass,
 * without augmentation, images shared by the ranks, the trunk below the first adapted block by the
 * modules. The sums are exact: the same bits at any number of ranks and threads. */
#ifndef LAE_LEARN_STATISTICS_H
#define LAE_LEARN_STATISTICS_H

#include "lae/learn/evaluator.h"

struct lae_gatherer;

/* For modules (a bit 1 << enum lae_module each). Uses the workers, which must outlive it. Not
 * collective: the caller agrees. Errors: memory. */
lae_status lae_gatherer_create(const struct lae_job *job, struct lae_workers *workers,
                               unsigned modules, struct lae_gatherer **gatherer) LAE_MUST_CHECK;
void lae_gatherer_free(struct lae_gatherer *gatherer); /* NULL is allowed */

/* The images of task learned->task join `stats` (rank 0: [LAE_MODULES], of the modules' only, where
 * the task's classes are unknown yet; of learned the modules alone are read). `progress` may be
 * NULL. [collective] Errors, the same on all ranks: features that are not finite or too large;
 * memory; LAE_STOPPED: a request to stop came, `stats` is as before; workers may still be at it,
 * until lae_team_drain. */
lae_status lae_gather(struct lae_gatherer *gatherer, const struct lae_learned *learned,
                      struct lae_stats *stats, lae_evaluate_progress *progress,
                      void *context) LAE_MUST_CHECK;

/* Bytes that a rank will take for it. */
size_t lae_gatherer_need(const struct lae_job *job, unsigned modules);

#endif
