/* Learning the task sequence (METHOD sections 6-8). */
#ifndef LAE_LEARN_TRAINER_H
#define LAE_LEARN_TRAINER_H

#include "lae/learn/observer.h"
#include "lae/run/directory.h"

/* Learns the tasks that state->finished says are still to be learned, up to run.tasks; after each
 * task accumulates, evaluates and saves. `observer` is used at rank 0. [collective] Errors are the
 * same on all ranks; what was saved stays whole. */
lae_status lae_train(const struct lae_setup *setup, struct lae_run_directory *dir,
                     struct lae_state *state, const struct lae_observer *observer) LAE_MUST_CHECK;

#endif
