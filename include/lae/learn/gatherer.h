/* Gathers class statistics of a task's training images: one pass, without augmentation, the trunk
 * below the first adapted block shared by the views. The sums are exact: the same bits at any
 * number of ranks and threads. */
#ifndef LAE_LEARN_GATHERER_H
#define LAE_LEARN_GATHERER_H

#include "lae/learn/evaluator.h"

struct lae_gatherer;

/* Makes room for statistics by the plan of setup->config. Uses the workers, which must outlive it.
 * Not collective: the caller agrees. Errors: memory. */
lae_status lae_gatherer_create(const struct lae_setup *setup, struct lae_workers *workers,
                               struct lae_gatherer **gatherer) LAE_MUST_CHECK;
void lae_gatherer_free(struct lae_gatherer *gatherer); /* NULL is allowed */

/* The images of task learned->task join `statistics`, of any plan, which do not know the task's
 * classes; of `learned` the views alone are read. Ridge's strength is chosen, where heads.ridge
 * leaves a choice, by images set aside (heads.held_out), which join then, too. `progress` may be
 * NULL. [collective] Errors, the same on all ranks: features that are not finite or too large; no
 * strength will do; memory; LAE_STOPPED: a request to stop came, `statistics` are as before;
 * workers may still be at it, until lae_team_drain. */
lae_status lae_gather(struct lae_gatherer *gatherer, const struct lae_learned *learned,
                      struct lae_statistics *statistics, lae_sweep_progress *progress,
                      void *context) LAE_MUST_CHECK;

/* Bytes that a rank will take for it, by the plan of setup->config. */
size_t lae_gatherer_need(const struct lae_setup *setup);

#endif
