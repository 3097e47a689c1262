/* Tables of text for people. */
#ifndef LAE_REPORT_TABLES_H
#define LAE_REPORT_TABLES_H

#include "lae/run/metrics.h"

#include <stdio.h>

/* The closing tables of a run after `finished` >= 1 tasks. For the tasks' own classifiers,
 * a column a scorer: accuracy over all seen classes after each task, then last and average
 * accuracy, forgetting and backward transfer. For the heads, a line a scorer: the latter. Errors:
 * memory. */
lae_status lae_tables_run(FILE *out, const struct lae_metrics *metrics,
                          int finished) LAE_MUST_CHECK;

/* The evaluation after task `task`: accuracy on each task's images, among all seen classes and
 * among the task's own, and the average over all images. first_class [task + 2]. Errors: memory. */
lae_status lae_tables_tasks(FILE *out, const struct lae_metrics *metrics, int task,
                            const int *first_class) LAE_MUST_CHECK;

/* Of whose numbers. */
enum lae_scored { LAE_SCORED_LINEAR = 1, LAE_SCORED_HEADS = 2, LAE_SCORED_ALL = 3 };

/* A line for each number of the evaluation after task `task` that is not the same in both, as far
 * as `stored` has its scorer and it is one of `which`; returns how many. `there`: what `stored` is
 * called. */
int lae_tables_differences(FILE *out, const struct lae_metrics *metrics,
                           const struct lae_metrics *stored, int task, enum lae_scored which,
                           const char *there);

#endif
