/* metrics.jsonl: one JSON object a line, appended as training goes (by jansson).
 *
 *     {"event": "begin", "task", "step", "seconds"}
 *     {"event": "epoch", "task", "epoch", "step", "loss", "accuracy", "lr", "images_per_s",
 * "seconds"}
 *     {"event": "evaluation", "task", "epoch", "online": {"seen", "tasks": []}, "offline",
 * "ensemble"}
 *     {"event": "merge", "task", "tensors": {NAME: {"kept_offline", ...}}}
 *     {"event": "task", "task", "seconds", "online": {"last", "average_incremental", ...}, ...}
 */
#ifndef LAE_REPORT_JSONL_H
#define LAE_REPORT_JSONL_H

#include "lae/learn/observer.h"

#include <stdio.h>

struct lae_jsonl {
    FILE *file;
    char *path;
};

/* Opens for appending. Errors name the path. */
lae_status lae_jsonl_open(struct lae_jsonl *jsonl, const char *path) LAE_MUST_CHECK;
void lae_jsonl_close(struct lae_jsonl *jsonl);

/* Training begins or goes on from where the state stands: what is written of later tasks and steps
 * before this line was not kept. */
lae_status lae_jsonl_begin(struct lae_jsonl *jsonl, const struct lae_state *state) LAE_MUST_CHECK;

/* Each writes one line; errors (a full disk) name the path. */
lae_status lae_jsonl_epoch(struct lae_jsonl *jsonl, const struct lae_step_report *report, double images_per_s) LAE_MUST_CHECK;
lae_status lae_jsonl_evaluation(struct lae_jsonl *jsonl, const struct lae_position *position,
                                const struct lae_counts *counts, bool offline) LAE_MUST_CHECK;
lae_status lae_jsonl_merge(struct lae_jsonl *jsonl, int task, const struct lae_table *table,
                           const struct lae_merge_stats *stats) LAE_MUST_CHECK;
lae_status lae_jsonl_task(struct lae_jsonl *jsonl, const struct lae_state *state) LAE_MUST_CHECK;

#endif
