/* metrics.jsonl: the input is one, read as a page reads it. */
#include "fuzz.h"

#include "lae/page/curve.h"

#include <float.h>
#include <math.h>

static void check_value(double value, double low, double high)
{
    LAE_FUZZ_CHECK(isnan(value) || (value >= low && value <= high));
}

/* In order, and of the sizes that others count on. */
static void check(const struct lae_curve *curve)
{
    for (size_t i = 0; i < curve->count; i++) {
        const struct lae_curve_point *point = &curve->points[i];
        LAE_FUZZ_CHECK(point->task >= 0 && point->task < 65536 && point->step >= 0);
        check_value(point->loss, -(double)FLT_MAX, (double)FLT_MAX);
        check_value(point->accuracy, 0.0, 100.0);
        if (i > 0) LAE_FUZZ_CHECK(point->step > point[-1].step && point->task >= point[-1].task);
    }
    if (curve->count == 0) return;
    const struct lae_curve_point *last = &curve->points[curve->count - 1];
    LAE_FUZZ_CHECK(lae_curve_last(curve, last->task) == last);
    LAE_FUZZ_CHECK(lae_curve_last(curve, last->task + 1) == NULL);
}

static void check_thin(const struct lae_curve *curve, size_t most)
{
    struct lae_curve thin;
    lae_status status = lae_curve_thin(curve, most, &thin);
    LAE_FUZZ_CHECK(status == NULL && thin.count <= curve->count);
    size_t tasks = 0;
    for (size_t i = 0; i < curve->count; i++)
        tasks += i == 0 || curve->points[i].task != curve->points[i - 1].task;
    LAE_FUZZ_CHECK(thin.count <= most + tasks);
    lae_curve_free(&thin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lae_curve epochs, steps;
    const char *path = lae_fuzz_file("metrics.jsonl", data, size);
    lae_status status = lae_curve_read(path, &epochs, &steps);
    check(&epochs);
    check(&steps);
    check_thin(&steps, 3);
    LAE_FUZZ_CHECK(status == NULL || (epochs.points == NULL && steps.points == NULL));
    lae_curve_free(&epochs);
    lae_curve_free(&steps);
    lae_fuzz_end(status, path);
    return 0;
}
