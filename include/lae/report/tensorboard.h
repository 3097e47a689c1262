/* What TensorBoard shows of a run, in RUN/events. A step of it is a training step of the run, from
 * 0; an evaluation lies at the last step before it.
 *
 *     train/{loss,accuracy,learning_rate,gradient_norm,images_per_second}
 *     accuracy/SCORER                after a task, or an epoch (eval.every)
 *     accuracy_task_KK/SCORER        the same, in runs of up to LAE_FEW_TASKS tasks
 *     merge_{kept_online,kept_offline,conflict,norm_online,norm_offline,norm_merged}/block_I
 *     {average_incremental,forgetting,backward_transfer}/SCORER      after a task
 */
#ifndef LAE_REPORT_TENSORBOARD_H
#define LAE_REPORT_TENSORBOARD_H

#include "lae/report/event_file.h"
#include "lae/report/interval.h"

/* Training begins, or goes on from where the state stands: what earlier files hold of later steps
 * does not count any more. Errors, of all of these: memory; they name the path. */
lae_status lae_tensorboard_open(struct lae_event_file *events, const char *directory,
                                const struct lae_setup *setup,
                                const struct lae_state *state) LAE_MUST_CHECK;

lae_status lae_tensorboard_steps(struct lae_event_file *events,
                                 const struct lae_interval_report *report) LAE_MUST_CHECK;
lae_status lae_tensorboard_evaluation(struct lae_event_file *events,
                                      const struct lae_position *position,
                                      const struct lae_setup *setup,
                                      const struct lae_counts *counts) LAE_MUST_CHECK;
lae_status lae_tensorboard_merge(struct lae_event_file *events, const struct lae_position *position,
                                 const struct lae_setup *setup,
                                 const struct lae_state *state) LAE_MUST_CHECK;
lae_status lae_tensorboard_task(struct lae_event_file *events, const struct lae_setup *setup,
                                const struct lae_state *state) LAE_MUST_CHECK;

#endif
