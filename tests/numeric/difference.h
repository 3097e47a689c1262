/* Central differences of a function in double, to compare float gradients with. */
#ifndef LAE_TESTS_DIFFERENCE_H
#define LAE_TESTS_DIFFERENCE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

/* A scalar function of variables that lie within its context. */
typedef double scalar_function(const void *context);

/* d f / d variable[i] into slope[n]. The truncation error is of the order of 1e-10, the rounding
 * error of 1e-11 |f|. */
static inline void central_differences(scalar_function *f, const void *context, double *variable,
                                       size_t n, double *slope)
{
    const double step = 1e-5;
    for (size_t i = 0; i < n; i++) {
        double at = variable[i];
        variable[i] = at + step;
        double above = f(context);
        variable[i] = at - step;
        double below = f(context);
        variable[i] = at;
        slope[i] = (above - below) / (2.0 * step);
    }
}

/* Largest |got - expected|, as a part of the largest |expected|. Infinite where got has a NaN or
 * nothing is expected: a gradient of zeros would test nothing. */
static inline double relative_error(const float *got, const double *expected, size_t n)
{
    double error = 0.0, size = 0.0;
    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)got[i] - expected[i]);
        if (isnan(difference)) return INFINITY;
        error = fmax(error, difference);
        size = fmax(size, fabs(expected[i]));
    }
    return size > 0.0 ? error / size : INFINITY;
}

/* Uniform in [low, high), always the same sequence from the same state, and exact in float. */
static inline double draw(uint64_t *state, double low, double high)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (double)(float)(low + (high - low) * ((double)(z >> 11) * 0x1p-53));
}

/* x[n] as floats into y. */
static inline void to_float(float *y, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (float)x[i];
}

#endif
