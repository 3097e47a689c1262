/* How training went, step by step: what metrics.jsonl holds of it. */
#ifndef LAE_REPORT_CURVE_H
#define LAE_REPORT_CURVE_H

#include "lae/base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Some training steps taken together, ending at `step` of the run. NaN: not known. */
struct lae_curve_point {
    int task;
    int64_t step;
    double loss, accuracy, images_per_s;
};

struct lae_curve {
    struct lae_curve_point *points; /* by step */
    size_t count, capacity;
};

/* Reads the lines "steps", or "epoch" where there are none, of what was kept: a line "begin" takes
 * back later steps before it. A line that a kill cut short is passed over; no file: no points.
 * Errors: memory, a file that cannot be read. */
lae_status lae_curve_read(const char *path, struct lae_curve *curve) LAE_MUST_CHECK;
void lae_curve_free(struct lae_curve *curve);

/* At most `most` points, each the mean of as many neighbours within a task, so that a figure of a
 * long run stays small. Errors: memory. */
lae_status lae_curve_thin(const struct lae_curve *curve, size_t most,
                          struct lae_curve *thin) LAE_MUST_CHECK;

#endif
