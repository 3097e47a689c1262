/* The kernels themselves. The build compiles this file once per instruction set, with LAE_ISA set
 * to the set's name, and kernels.c picks one of the tables at start.
 *
 * All builds must give the same bits, in the vector body and in the tail of every loop. So:
 * - every operation is one IEEE operation in the order written: no contraction, no fast-math;
 * - elementwise loops have no order; `omp simd` tells the compiler that y is x or apart from x;
 * - reductions run over a fixed number of lanes (entry i belongs to lane i mod LANES), which are
 *   then added in a fixed tree, so the width of the registers does not show;
 * - exp and the normal distribution are polynomials of our own: the C library's differ between its
 *   vector and its scalar versions;
 * - branches are selects, written so that a NaN always falls through (`x > limit ? limit : x`).
 *
 * The coefficients are minimax fits (Lawson-weighted least squares, in 40 digits). Errors against
 * the same functions in double, measured on every 37th float or more; test_nn.c repeats it:
 *
 *     exp_below          0.97 units in the last place, x in [-87, 0]
 *     normal_at().tail   6.4e-7 of its value for t < 4, and 1.6e-7 (so erf to 3.2e-7)
 *     gelu               1e-7 max(1, |x|), and 9e-7 of its value for x > -5
 *     gelu'              2.2e-7
 *     quick_gelu         8.1e-8 max(1, |x|)
 *     quick_gelu'        1.3e-7
 */
#include "isa.h"

#include <math.h>
#include <stdint.h>

#ifdef __FAST_MATH__
#error "kernels_isa.c: no -ffast-math, results would depend on the compiler"
#endif

#ifdef __clang__ /* with sanitizers or little optimisation the loops stay scalar: the same bits */
#pragma clang diagnostic ignored "-Wpass-failed"
#endif

#ifndef LAE_ISA
#define LAE_ISA baseline
#endif
#define JOIN_NOW(a, b) a##b
#define JOIN(a, b) JOIN_NOW(a, b)
#define TEXT_NOW(a) #a
#define TEXT(a) TEXT_NOW(a)

#define LANES 16       /* of float: one AVX-512 register, four of SSE */
#define DOUBLE_LANES 8 /* of double: the same */

/* ---- elementary functions ---------------------------------------------------------------- */

static inline float at_most(float x, float limit)
{
    return x > limit ? limit : x;
}

static inline uint32_t bits_of(float x)
{
    union {
        float value;
        uint32_t bits;
    } both = {.value = x};
    return both.bits;
}

static inline float float_of(uint32_t bits)
{
    union {
        uint32_t bits;
        float value;
    } both = {.bits = bits};
    return both.value;
}

/* e^x for x in [-87, 0]: x = n ln 2 + r with |r| <= ln 2 / 2, then 2^n (1 + r + r^2 q(r)).
 * Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits of the sum. */
static inline float exp_below(float x)
{
    float shifted = x * 1.44269504F + 0x1.8p23f;
    float n = shifted - 0x1.8p23f;
    float r = (x - n * 0.693359375F) + n * 2.12194440e-4F; /* the first product is exact */
    float q = 1.38144620e-3F;
    q = q * r + 8.36878088e-3F;
    q = q * r + 4.16683943e-2F;
    q = q * r + 1.66665201e-1F;
    q = q * r + 4.99999934e-1F;
    float power = float_of((bits_of(shifted) + 127u) << 23);
    return ((r * r * q + r) + 1.0F) * power;
}

/* The standard normal distribution at t in [0, NORMAL_END]: density, and the tail beyond t, which
 * is the density times Mills' ratio, a rational function here. Further out the tail's use, t times
 * the tail, is below 1e-34. */
#define NORMAL_END 12.5F

struct normal {
    float density, tail;
};

static inline struct normal normal_at(float t)
{
    float density = 0.398942280F * exp_below(-0.5F * (t * t));
    float p = 3.3641248724e-2F;
    p = p * t + 2.59571477e-1F;
    p = p * t + 8.34556856e-1F;
    p = p * t + 1.25331408F;
    float q = 3.36624006e-2F;
    q = q * t + 2.59001677e-1F;
    q = q * t + 8.75048752e-1F;
    q = q * t + 1.46376182F;
    q = q * t + 1.0F;
    return (struct normal){density, density * (p / q)};
}

/* x Phi(x) = max(x, 0) - |x| (1 - Phi(|x|)) keeps the digits of small values at negative x. */
static inline float gelu_at(float x)
{
    float t = at_most(fabsf(x), NORMAL_END);
    return (x < 0.0F ? 0.0F : x) - t * normal_at(t).tail;
}

static inline float gelu_slope(float x)
{
    float t = at_most(fabsf(x), NORMAL_END);
    struct normal normal = normal_at(t);
    float below = x < 0.0F ? normal.tail : 1.0F - normal.tail;
    return below + (x < 0.0F ? -t : t) * normal.density;
}

/* 1 - sigmoid(1.702 t) for t in [0, SIGMOID_END]. */
#define SIGMOID_END 50.0F

static inline float sigmoid_tail(float t)
{
    float e = exp_below(-1.702F * t);
    return e / (1.0F + e);
}

static inline float quick_gelu_at(float x)
{
    float t = at_most(fabsf(x), SIGMOID_END);
    return (x < 0.0F ? 0.0F : x) - t * sigmoid_tail(t);
}

static inline float quick_gelu_slope(float x)
{
    float t = at_most(fabsf(x), SIGMOID_END);
    float tail = sigmoid_tail(t);
    float below = x < 0.0F ? tail : 1.0F - tail;
    return below + 1.702F * (x < 0.0F ? -t : t) * (tail * (1.0F - tail));
}

/* ---- elementwise ------------------------------------------------------------------------- */

static void gelu(float *y, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = gelu_at(x[i]);
}

static void gelu_backward(float *dx, const float *dy, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        dx[i] = dy[i] * gelu_slope(x[i]);
}

static void quick_gelu(float *y, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = quick_gelu_at(x[i]);
}

static void quick_gelu_backward(float *dx, const float *dy, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        dx[i] = dy[i] * quick_gelu_slope(x[i]);
}

static void add(float *y, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

static void add_scaled(float *y, float a, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

static void multiply(float *y, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] *= x[i];
}

static void scale(float *y, float a, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] *= a;
}

/* ---- reductions -------------------------------------------------------------------------- */

static inline float fold(const float *lane)
{
    float four[4];
    for (int l = 0; l < 4; l++)
        four[l] = (lane[l] + lane[l + 8]) + (lane[l + 4] + lane[l + 12]);
    return (four[0] + four[2]) + (four[1] + four[3]);
}

static inline float sum(const float *x, size_t n)
{
    float lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
#pragma omp simd
        for (int l = 0; l < LANES; l++)
            lane[l] += x[i + (size_t)l];
    }
    for (int l = 0; i < n; i++, l++)
        lane[l] += x[i];
    return fold(lane);
}

static inline float sum_of_products(const float *x, const float *y, size_t n)
{
    float lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
#pragma omp simd
        for (int l = 0; l < LANES; l++)
            lane[l] += x[i + (size_t)l] * y[i + (size_t)l];
    }
    for (int l = 0; i < n; i++, l++)
        lane[l] += x[i] * y[i];
    return fold(lane);
}

/* The largest entry that is not a NaN; -infinity where there is none. */
static inline float largest(const float *x, size_t n)
{
    float lane[LANES];
    for (int l = 0; l < LANES; l++)
        lane[l] = -INFINITY;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
#pragma omp simd
        for (int l = 0; l < LANES; l++)
            lane[l] = x[i + (size_t)l] > lane[l] ? x[i + (size_t)l] : lane[l];
    }
    for (int l = 0; i < n; i++, l++)
        lane[l] = x[i] > lane[l] ? x[i] : lane[l];
    float max = lane[0];
    for (int l = 1; l < LANES; l++)
        max = lane[l] > max ? lane[l] : max;
    return max;
}

static float dot(const float *x, const float *y, size_t n)
{
    double lane[DOUBLE_LANES] = {0};
    size_t i = 0;
    for (; i + DOUBLE_LANES <= n; i += DOUBLE_LANES) {
#pragma omp simd
        for (int l = 0; l < DOUBLE_LANES; l++)
            lane[l] += (double)x[i + (size_t)l] * (double)y[i + (size_t)l];
    }
    for (int l = 0; i < n; i++, l++)
        lane[l] += (double)x[i] * (double)y[i];
    return (float)(((lane[0] + lane[4]) + (lane[2] + lane[6])) +
                   ((lane[1] + lane[5]) + (lane[3] + lane[7])));
}

static void column_sum(float *total, const float *x, size_t rows, size_t cols)
{
    for (size_t j = 0; j < cols; j++)
        total[j] = 0.0F;
    for (size_t i = 0; i < rows; i++)
        add(total, x + i * cols, cols);
}

/* ---- softmax ----------------------------------------------------------------------------- */

/* A NaN in the row, or +infinity, or nothing above -infinity, makes the whole row NaN by way of the
 * sum. Terms below e^-87 of the largest become 0 rather than a denormal number. */
static void softmax_row(float *x, size_t n, float factor)
{
    scale(x, factor, n);
    float max = largest(x, n);
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float z = x[i] - max;
        x[i] = z < -87.0F ? 0.0F : exp_below(z);
    }
    scale(x, 1.0F / sum(x, n), n);
}

static void softmax(float *x, size_t rows, size_t cols, size_t stride, float factor)
{
    for (size_t i = 0; i < rows; i++)
        softmax_row(x + i * stride, cols, factor);
}

static void softmax_backward(float *dp, const float *p, size_t rows, size_t cols, size_t stride,
                             float factor)
{
    for (size_t i = 0; i < rows; i++) {
        float *d = dp + i * stride;
        const float *w = p + i * stride;
        float mean = sum_of_products(w, d, cols);
#pragma omp simd
        for (size_t j = 0; j < cols; j++)
            d[j] = (factor * w[j]) * (d[j] - mean);
    }
}

/* ---- layer norm -------------------------------------------------------------------------- */

/* y becomes (x - mean) / sqrt(var + eps); returns the factor. Two passes: the textbook's one-pass
 * variance loses all its digits where the mean is large. */
static inline float normalise_row(float *y, const float *x, size_t n, float eps)
{
    float mean = sum(x, n) / (float)n;
#pragma omp simd
    for (size_t j = 0; j < n; j++)
        y[j] = x[j] - mean;
    float rstd = 1.0F / sqrtf(sum_of_products(y, y, n) / (float)n + eps);
    scale(y, rstd, n);
    return rstd;
}

static void layer_norm(float *y, float *normal, float *rstd, const float *x, const float *gamma,
                       const float *beta, size_t rows, size_t cols, float eps)
{
    for (size_t i = 0; i < rows; i++) {
        float *out = y + i * cols;
        float *normalised = normal != NULL ? normal + i * cols : out;
        float factor = normalise_row(normalised, x + i * cols, cols, eps);
        if (rstd != NULL) rstd[i] = factor;
#pragma omp simd
        for (size_t j = 0; j < cols; j++)
            out[j] = normalised[j] * gamma[j] + beta[j];
    }
}

/* Sums of g = dy gamma and of g normal. */
static inline void norm_sums(const float *dy, const float *gamma, const float *normal, size_t n,
                             float *sum_g, float *sum_g_normal)
{
    float first[LANES] = {0}, second[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
#pragma omp simd
        for (int l = 0; l < LANES; l++) {
            float g = dy[i + (size_t)l] * gamma[i + (size_t)l];
            first[l] += g;
            second[l] += g * normal[i + (size_t)l];
        }
    }
    for (int l = 0; i < n; i++, l++) {
        float g = dy[i] * gamma[i];
        first[l] += g;
        second[l] += g * normal[i];
    }
    *sum_g = fold(first);
    *sum_g_normal = fold(second);
}

/* With g = dy gamma: dx += rstd (g - mean(g) - normal mean(g normal)). */
static void layer_norm_backward(float *dx, const float *dy, const float *normal, const float *rstd,
                                const float *gamma, size_t rows, size_t cols)
{
    for (size_t i = 0; i < rows; i++) {
        const float *d = dy + i * cols, *u = normal + i * cols;
        float *out = dx + i * cols;
        float sum_g, sum_gu;
        norm_sums(d, gamma, u, cols, &sum_g, &sum_gu);
        float mean_g = sum_g / (float)cols, mean_gu = sum_gu / (float)cols, factor = rstd[i];
#pragma omp simd
        for (size_t j = 0; j < cols; j++)
            out[j] += factor * ((d[j] * gamma[j] - mean_g) - u[j] * mean_gu);
    }
}

/* ---- rounding to bf16 -------------------------------------------------------------------- */

/* The 32 bits whose upper half is the rounded number. A NaN becomes a quiet one. */
static inline uint32_t rounded(float x)
{
    uint32_t bits = bits_of(x);
    uint32_t up = bits + 0x7fffu + ((bits >> 16) & 1u);
    return (bits & 0x7fffffffu) > 0x7f800000u ? bits | 0x400000u : up;
}

static void bf16(uint16_t *y, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = (uint16_t)(rounded(x[i]) >> 16);
}

static void bf16_wide(float *y, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = float_of(rounded(x[i]) & 0xffff0000u);
}

/* ---- exact sums -------------------------------------------------------------------------- */

/* x, |x| <= 2^51, to the nearest integer: adding 1.5 * 2^52 leaves it in the low bits. */
static inline uint64_t integer_in(double shifted)
{
    union {
        double value;
        uint64_t bits;
    } both = {.value = shifted};
    return both.bits - 0x4338000000000000u;
}

/* Vectors have no conversion to 64 bits before AVX-512, so it is made of two to 32: of a multiple
 * of 2^32, and of what is left, where nothing is lost. Ties are even by the second alone. */
static size_t add_exact(int64_t *sum, const float *x, size_t n, double limit)
{
    size_t offenders = 0;
#pragma omp simd reduction(+ : offenders)
    for (size_t i = 0; i < n; i++) {
        double scaled = (double)x[i] * 0x1p44;
        size_t fits = fabs(scaled) <= limit; /* 0 for NaN */
        double value = fits ? scaled : 0.0;
        double shifted = value * 0x1p-32 + 0x1.8p52;
        double rest = value - (shifted - 0x1.8p52) * 0x1p32;
        uint64_t whole = (integer_in(shifted) << 32) + integer_in(rest + 0x1.8p52);
        sum[i] += (int64_t)whole;
        offenders += 1 - fits;
    }
    return offenders;
}

const struct lae_kernels JOIN(lae_kernels_, LAE_ISA) = {
    .name = TEXT(LAE_ISA),
    .gelu = gelu,
    .gelu_backward = gelu_backward,
    .quick_gelu = quick_gelu,
    .quick_gelu_backward = quick_gelu_backward,
    .softmax = softmax,
    .softmax_backward = softmax_backward,
    .layer_norm = layer_norm,
    .layer_norm_backward = layer_norm_backward,
    .add = add,
    .add_scaled = add_scaled,
    .multiply = multiply,
    .scale = scale,
    .dot = dot,
    .column_sum = column_sum,
    .bf16 = bf16,
    .bf16_wide = bf16_wide,
    .add_exact = add_exact,
};
