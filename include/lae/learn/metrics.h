/* Accuracies after each task and what is made of them (METHOD section 8). All in percent. */
#ifndef LAE_LEARN_METRICS_H
#define LAE_LEARN_METRICS_H

#include "lae/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lae_module { LAE_ONLINE, LAE_OFFLINE, LAE_ENSEMBLE, LAE_MODULES };

/* "online", "offline", "ensemble" */
const char *lae_module_name(enum lae_module module);

/* Integer counts of one evaluation after task `task`, over the test images of tasks 0..task. */
struct lae_counts {
    int tasks;                   /* task + 1 */
    int64_t *images;             /* [tasks] */
    int64_t *right[LAE_MODULES]; /* [tasks] argmax over all seen classes */
    int64_t *local[LAE_MODULES]; /* [tasks] argmax over the image's task's classes */
};

struct lae_metrics {
    int tasks; /* T */
    bool present[LAE_MODULES];
    double
        *accuracy[LAE_MODULES]; /* [T, T]: row t after task t, column k of task k; NaN elsewhere */
    double *local[LAE_MODULES]; /* [T, T] */
    double *seen[LAE_MODULES];  /* [T] over all seen classes after task t */
};

struct lae_summary {
    double last;                /* over all seen classes, after the last finished task */
    double average_incremental; /* mean of `seen` over the finished tasks */
    double forgetting;          /* NaN while only one task is finished */
    double backward_transfer;   /* likewise */
};

lae_status lae_counts_create(int tasks, struct lae_counts *counts) LAE_MUST_CHECK;
void lae_counts_free(struct lae_counts *counts);

/* Percent of all `counts->tasks` tasks' images that `module` got right. */
double lae_counts_seen(const struct lae_counts *counts, enum lae_module module);

/* Without offline: no OFFLINE and ENSEMBLE. */
lae_status lae_metrics_create(int tasks, bool offline, struct lae_metrics *metrics) LAE_MUST_CHECK;
void lae_metrics_free(struct lae_metrics *metrics);

/* Enters the evaluation after task counts->tasks - 1. */
void lae_metrics_record(struct lae_metrics *metrics, const struct lae_counts *counts);

/* After `finished` >= 1 tasks, of accuracy [tasks, tasks] and seen [tasks]. */
struct lae_summary lae_summary_of(const double *accuracy, const double *seen, int tasks,
                                  int finished);

/* The highest accuracy on task k after any of the first `finished` tasks. */
double lae_summary_best(const double *accuracy, int tasks, int finished, int k);

/* Of `module` after `finished` >= 1 tasks. */
struct lae_summary lae_metrics_summary(const struct lae_metrics *metrics, enum lae_module module,
                                       int finished);

#endif
