#include "lae/dist/exact.h"

#include "lae/nn/kernels.h"

#include <math.h>

#define ONE 0x1p44 /* the integer that stands for 1 */

/* The largest |q| of which `batch` can be added. The double is rounded down, so that no value that
 * passes exceeds the integer bound. */
static double limit_of(int batch)
{
    return nextafter((double)(INT64_MAX / batch), 0.0);
}

bool lae_exact_add_one(int64_t *sum, double value, int batch)
{
    double scaled = value * ONE;
    if (!(fabs(scaled) <= limit_of(batch))) return false;
    *sum += llrint(scaled);
    return true;
}

size_t lae_exact_add(int64_t *sum, const float *values, size_t count, int batch)
{
    return lae_kernels_best()->add_exact(sum, values, count, limit_of(batch));
}

double lae_exact_mean_one(int64_t sum, int batch)
{
    return (double)sum * 0x1p-44 / batch;
}

void lae_exact_mean(float *mean, const int64_t *sum, size_t count, int batch)
{
    for (size_t i = 0; i < count; i++)
        mean[i] = (float)lae_exact_mean_one(sum[i], batch);
}
