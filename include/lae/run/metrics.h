/* Accuracies after each task and what is made of them (METHOD section 8). All in percent. */
#ifndef LAE_RUN_METRICS_H
#define LAE_RUN_METRICS_H

#include "lae/base/status.h"
#include "lae/config/scorers.h"

#include <stddef.h>
#include <stdint.h>

/* Integer counts of one evaluation after task `task`, over the test images of tasks 0..task. */
struct lae_counts {
    int tasks; /* task + 1 */
    struct lae_scorers scorers;
    int64_t *images;                 /* [tasks] */
    int64_t *right[LAE_MAX_SCORERS]; /* of a scorer [tasks]: argmax over all seen classes */
    int64_t *local[LAE_MAX_SCORERS]; /* [tasks] argmax over the image's task's classes */
};

/* Of a thousand tasks a square of numbers would be 8 MB, half of it never known. So these are
 * triangles: row t, after task t, has a number for each of the tasks 0..t. */
struct lae_metrics {
    int tasks; /* T */
    int rows;  /* up to the last that is known; those of a scorer that was not asked then are NaN */
    struct lae_scorers scorers;
    /* Of a scorer; NULL: kept elsewhere. Row t of a triangle begins at lae_metrics_row(t). */
    double *accuracy[LAE_MAX_SCORERS]; /* [T (T + 1) / 2] */
    double *local[LAE_MAX_SCORERS];    /* [T (T + 1) / 2] */
    double *seen[LAE_MAX_SCORERS];     /* [T] over all seen classes after task t */
    double *best[LAE_MAX_SCORERS];     /* [T] the highest accuracy on task k so far */
};

struct lae_summary {
    double last;                /* over all seen classes, after the last finished task */
    double average_incremental; /* mean of `seen` over the finished tasks */
    double forgetting;          /* NaN while only one task is finished */
    double backward_transfer;   /* likewise */
};

lae_status lae_counts_create(int tasks, const struct lae_scorers *scorers,
                             struct lae_counts *counts) LAE_MUST_CHECK;
void lae_counts_free(struct lae_counts *counts);

/* Percent of all `counts->tasks` tasks' images that scorer number `scorer` got right. */
double lae_counts_seen(const struct lae_counts *counts, int scorer);

/* Where row `task` of a triangle begins; with the number of tasks: how long it is. */
size_t lae_metrics_row(int task);

lae_status lae_metrics_create(int tasks, const struct lae_scorers *scorers,
                              struct lae_metrics *metrics) LAE_MUST_CHECK;

/* Bytes of the metrics of so many tasks and scorers. */
size_t lae_metrics_need(int tasks, int scorers);

/* What is evaluated, its numbers being kept by another rank: recording enters nothing. */
struct lae_metrics lae_metrics_elsewhere(int tasks, const struct lae_scorers *scorers);

void lae_metrics_free(struct lae_metrics *metrics);

/* Enters the evaluation after task counts->tasks - 1: what it has of the metrics' scorers. */
void lae_metrics_record(struct lae_metrics *metrics, const struct lae_counts *counts);

/* Takes over all that `from`, of as many tasks, has of the metrics' scorers. */
void lae_metrics_copy(struct lae_metrics *metrics, const struct lae_metrics *from);

/* Makes `rows` rows known, to be filled in: until then they are NaN. */
void lae_metrics_extend(struct lae_metrics *metrics, int rows);

/* After rows have been filled in: finds the best accuracies. */
void lae_metrics_settle(struct lae_metrics *metrics);

/* Of scorer number `scorer` on task k after task t; NaN: not known. */
double lae_metrics_accuracy(const struct lae_metrics *metrics, int scorer, int t, int k);

/* After `finished` >= 1 tasks, of the triangle `accuracy` and seen [finished]. */
struct lae_summary lae_summary_of(const double *accuracy, const double *seen, int finished);

/* The highest accuracy on task k after any of the first `finished` tasks. */
double lae_summary_best(const double *accuracy, int finished, int k);

/* Of scorer number `scorer` after `finished` >= 1 tasks. */
struct lae_summary lae_metrics_summary(const struct lae_metrics *metrics, int scorer, int finished);

#endif
