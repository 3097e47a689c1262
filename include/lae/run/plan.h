/* How long a run is: tasks, epochs, steps (METHOD section 6). */
#ifndef LAE_RUN_PLAN_H
#define LAE_RUN_PLAN_H

#include "lae/config/config.h"
#include "lae/data/sequence.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The task at which a run stops: run.tasks, or all of `tasks`. */
int lae_plan_stop(const struct lae_config *config, int tasks);

/* Steps of one epoch over `images` images; at least one, for a task smaller than a batch. */
int64_t lae_plan_steps(const struct lae_config *config, size_t images);

/* Steps of all tasks before `task`. */
int64_t lae_plan_steps_before(const struct lae_config *config, const struct lae_sequence *sequence,
                              int task);

/* Whether the PET parameters stand still: in the freeze epochs of every task but the first. */
bool lae_plan_frozen(const struct lae_config *config, int task, int epoch);

#endif
