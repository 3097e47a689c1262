/* How training went, epoch by epoch and step by step: what metrics.jsonl holds of it. */
#ifndef LAE_PAGE_CURVE_H
#define LAE_PAGE_CURVE_H

#include "lae/base/status.h"

#include <stddef.h>
#include <stdint.h>

/* An epoch, or some training steps taken together: means over its images, or over the steps. It
 * ends at `step` of the run. NaN: not known. */
struct lae_curve_point {
    int task;
    int64_t step;
    double loss, accuracy;
};

struct lae_curve {
    struct lae_curve_point *points; /* by step, and so by task */
    size_t count, capacity;
};

/* Reads the lines "epoch" and "steps" of what was kept: a line "begin" takes back later steps
 * before it. A line that a kill cut short, which is the last one or has "begin" behind it, is
 * passed over; no file: no points. Errors name file and line, and leave nothing to be freed: a line
 * that is no JSON object, values of other types or out of their range, steps or tasks that go back,
 * a file that cannot be read; memory. */
lae_status lae_curve_read(const char *path, struct lae_curve *epochs,
                          struct lae_curve *steps) LAE_MUST_CHECK;
void lae_curve_free(struct lae_curve *curve);

/* The task's last point; NULL: it has none. */
const struct lae_curve_point *lae_curve_last(const struct lae_curve *curve, int task);

/* At most `most` points, and one more a task, each the mean of as many neighbours within a task, so
 * that a figure of a long run stays small. Errors: memory. */
lae_status lae_curve_thin(const struct lae_curve *curve, size_t most,
                          struct lae_curve *thin) LAE_MUST_CHECK;

#endif
