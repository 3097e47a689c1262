/* The exact sum: floats as 64-bit integers, which add to the same result in any order (METHOD
 * section 9). A value v becomes q = llrint(v * 2^44); |q| must stay within (2^63-1)/batch. */
#ifndef LAE_DIST_EXACT_H
#define LAE_DIST_EXACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* sum[count] += q of values[count]. Values that are not finite or too large for a sum over `batch`
 * images are left out; their number is returned. */
size_t lae_exact_add(int64_t *sum, const float *values, size_t count, int batch);

/* The same for one value in double. */
bool lae_exact_add_one(int64_t *sum, double value, int batch);

/* mean[count] = (float)(sum * 2^-44 / batch) */
void lae_exact_mean(float *mean, const int64_t *sum, size_t count, int batch);

double lae_exact_mean_one(int64_t sum, int batch);

#endif
