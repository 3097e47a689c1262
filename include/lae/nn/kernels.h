/* The elementwise and row kernels, built once per instruction set and chosen at start.
 *
 * Every build gives the same bits: no fused multiply-add, no fast-math, reductions over an explicit
 * number of lanes, exp and erf from polynomials of our own (errors stated in kernels_isa.c). All
 * arrays are dense and row-major; `y` may be `x` where it says "in place allowed". A NaN gives NaN
 * (in softmax and layer norm its whole row); the activations have their limits at the infinities.
 */
#ifndef LAE_NN_KERNELS_H
#define LAE_NN_KERNELS_H

#include <stddef.h>
#include <stdint.h>

struct lae_kernels {
    const char *name; /* "baseline", "avx2", "avx512" */

    /* y[n] = gelu(x) = x/2 (1 + erf(x/sqrt 2)), exact form; in place allowed. */
    void (*gelu)(float *y, const float *x, size_t n);
    /* dx[n] = dy * gelu'(x); dx may be dy. */
    void (*gelu_backward)(float *dx, const float *dy, const float *x, size_t n);

    /* y[n] = x * sigmoid(1.702 x); in place allowed. */
    void (*quick_gelu)(float *y, const float *x, size_t n);
    /* dx[n] = dy * quick_gelu'(x); dx may be dy. */
    void (*quick_gelu_backward)(float *dx, const float *dy, const float *x, size_t n);

    /* Rows of x[rows, cols] with row stride `stride` become their softmax, in place. The scores are
     * multiplied by `scale` first. cols >= 1. */
    void (*softmax)(float *x, size_t rows, size_t cols, size_t stride, float scale);
    /* dp[rows, cols] (row stride `stride`, as p's) becomes the gradient of the unscaled scores:
     * scale * p * (dp - sum(p dp)). In place. */
    void (*softmax_backward)(float *dp, const float *p, size_t rows, size_t cols, size_t stride,
                             float scale);

    /* y[rows, cols] = (x - mean) / sqrt(var + eps) * gamma + beta; also writes normal[rows, cols] =
     * (x - mean)/sqrt(var + eps) and rstd[rows] unless they are NULL (both or neither). In place
     * allowed. */
    void (*layer_norm)(float *y, float *normal, float *rstd, const float *x, const float *gamma,
                       const float *beta, size_t rows, size_t cols, float eps);
    /* dx[rows, cols] += gradient with respect to x, gamma and beta being frozen. */
    void (*layer_norm_backward)(float *dx, const float *dy, const float *normal, const float *rstd,
                                const float *gamma, size_t rows, size_t cols);

    void (*add)(float *y, const float *x, size_t n);                 /* y += x */
    void (*add_scaled)(float *y, float a, const float *x, size_t n); /* y += a x */
    void (*multiply)(float *y, const float *x, size_t n);            /* y *= x */
    void (*scale)(float *y, float a, size_t n);                      /* y *= a */
    float (*dot)(const float *x, const float *y, size_t n); /* sum of x y, in lanes of double */
    /* sum[cols] = column sums of x[rows, cols] */
    void (*column_sum)(float *sum, const float *x, size_t rows, size_t cols);

    /* y[n] = the upper half of x's bits, rounded to nearest, ties to even: bf16. NaN stays NaN. */
    void (*bf16)(uint16_t *y, const float *x, size_t n);
    /* The same numbers, kept in fp32. In place allowed. */
    void (*bf16_wide)(float *y, const float *x, size_t n);

    /* sum[n] += x * 2^44, rounded to nearest, ties to even, where that is at most `limit` in
     * absolute value, which is below 2^63. How many are not, or are NaN: they are left out. */
    size_t (*add_exact)(int64_t *sum, const float *x, size_t n, double limit);
};

/* The widest table this CPU can run. LAE_ISA=baseline|avx2|avx512 in the environment asks for
 * another one (for tests; one that the CPU lacks is ignored). */
const struct lae_kernels *lae_kernels_best(void);

/* All tables this CPU can run, ended by NULL: for tests that compare their bits. */
const struct lae_kernels *const *lae_kernels_all(void);

#endif
