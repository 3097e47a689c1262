/* Between the state of training and the content of a task file. */
#ifndef LAE_SRC_RUN_SNAPSHOT_H
#define LAE_SRC_RUN_SNAPSHOT_H

#include "lae/run/state.h"
#include "lae/store/checkpoint.h"
#include "lae/sweep/setup.h"

/* The state after its last finished task, or where it stands inside the next. `hosts` may be NULL.
 */
lae_status lae_snapshot_take(const struct lae_setup *setup, const struct lae_state *state,
                             const char *hosts, struct lae_checkpoint *checkpoint) LAE_MUST_CHECK;

/* Parameters and metrics of a checkpoint into a fresh state; checks names and shapes. */
lae_status lae_snapshot_restore(const struct lae_setup *setup,
                                const struct lae_checkpoint *checkpoint,
                                struct lae_state *state) LAE_MUST_CHECK;

/* The fact of that name, or NULL. */
const struct lae_fact *lae_snapshot_fact(const struct lae_checkpoint *checkpoint, const char *name);

#endif
