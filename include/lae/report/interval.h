/* Steps taken together, so that what is shown of them is not the noise of single batches. */
#ifndef LAE_REPORT_INTERVAL_H
#define LAE_REPORT_INTERVAL_H

#include "lae/learn/observer.h"

/* Of the steps since the last was closed; a zeroed one is empty. */
struct lae_interval {
    int64_t steps;
    double loss, right, images; /* sums: over steps, of images got right, of images */
};

/* The means of an interval, and what was so at its last step. */
struct lae_interval_report {
    struct lae_position position; /* of the last step */
    int64_t steps;                /* how many were taken together */
    double loss, accuracy;        /* mean over the steps; percent of their images */
    double lr, gradient_norm, seconds;
    double images_per_s;
};

/* Takes in one step. */
void lae_interval_add(struct lae_interval *interval, const struct lae_step_report *step);

/* Its means, `step` being its last; it is empty after that. */
struct lae_interval_report lae_interval_close(struct lae_interval *interval,
                                              const struct lae_step_report *step,
                                              double images_per_s);

#endif
