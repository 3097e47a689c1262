/* metrics.jsonl: one JSON object a line, appended as training goes (by jansson).
 *
 *     {"event": "begin", "task", "step", "run_step", "seconds"}
 *     {"event": "steps", "task", "epoch", "step", "run_step", "steps", "loss", "accuracy", "lr",
 *      "gradient_norm", "images_per_s", "seconds"}
 *     {"event": "epoch", "task", "epoch", "step", "run_step", "loss", "accuracy", "lr",
 *      "images_per_s", "seconds"}
 *     {"event": "evaluation", "task", "epoch",
 *      SCORER: {"seen", "tasks": [], "tasks_local": []}, ...}
 *     {"event": "merge", "task", "tensors": {NAME: {"kept_offline", "kept_online", "conflict",
 *                                                   "norm_offline", "norm_online", "norm_merged"}}}
 *     {"event": "task", "task", "seconds",
 *      SCORER: {"last", "average_incremental", "forgetting", "backward_transfer"}, ...}
 *
 * SCORER is "online", "offline", "ensemble", or HEAD_MODULE such as "ncm_init" (see
 * lae/config/scorers.h); those but the first three only when a task is done.
 * Tasks, epochs and steps count from 0: "step" within the task, "run_step" within the run. Loss and
 * accuracy (percent, among the task's classes) are means over the task's last "steps" steps, or epoch;
 * the rest is of the line's own step. What "begin" names comes next: lines before it of that task
 * and step, and of later ones, were not kept. null: not known.
 */
#ifndef LAE_REPORT_JSONL_H
#define LAE_REPORT_JSONL_H

#include "lae/report/interval.h"

#include <stdio.h>

struct lae_jsonl {
    FILE *file;
    char *path;
};

/* Opens for appending; a line that a kill cut short is ended. Errors name the path. */
lae_status lae_jsonl_open(struct lae_jsonl *jsonl, const char *path) LAE_MUST_CHECK;
void lae_jsonl_close(struct lae_jsonl *jsonl);

/* Training begins or goes on from where the state stands: what is written of later tasks and steps
 * before this line was not kept. */
lae_status lae_jsonl_begin(struct lae_jsonl *jsonl, const struct lae_setup *setup,
                           const struct lae_state *state) LAE_MUST_CHECK;

/* Each writes one line; errors (a full disk) name the path. */
lae_status lae_jsonl_steps(struct lae_jsonl *jsonl,
                           const struct lae_interval_report *report) LAE_MUST_CHECK;
lae_status lae_jsonl_epoch(struct lae_jsonl *jsonl, const struct lae_step_report *report,
                           double images_per_s) LAE_MUST_CHECK;
lae_status lae_jsonl_evaluation(struct lae_jsonl *jsonl, const struct lae_position *position,
                                const struct lae_counts *counts) LAE_MUST_CHECK;
lae_status lae_jsonl_merge(struct lae_jsonl *jsonl, int task, const struct lae_table *table,
                           const struct lae_merge_stats *stats) LAE_MUST_CHECK;
lae_status lae_jsonl_task(struct lae_jsonl *jsonl, const struct lae_state *state) LAE_MUST_CHECK;

#endif
