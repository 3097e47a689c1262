/* nn/: the kernel tables agree to the bit, are as accurate as kernels_isa.c says, and treat NaN and
 * the infinities as kernels.h says; linear maps and convolution agree with plain loops in double.
 */
#include "lae/nn/conv.h"
#include "lae/nn/kernels.h"
#include "lae/nn/linear.h"
#include "lae/nn/product.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQRT_HALF 0.70710678118654752440
#define INVERSE_SQRT_2PI 0.39894228040143267794

/* ---- numbers ----------------------------------------------------------------------------- */

static uint64_t next_bits(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Uniform in [-range, range). */
static float uniform(uint64_t *state, float range)
{
    return (float)((double)(next_bits(state) >> 11) * 0x1p-52 - 1.0) * range;
}

static void fill(float *x, size_t n, uint64_t *state, float range)
{
    for (size_t i = 0; i < n; i++)
        x[i] = uniform(state, range);
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static bool same_bits(float a, float b)
{
    return (isnan(a) && isnan(b)) || bits_of(a) == bits_of(b);
}

static const float special[] = {0.0f,     -0.0f,     NAN,        INFINITY, -INFINITY, FLT_MAX,
                                -FLT_MAX, FLT_MIN,   -FLT_MIN,   1e-40f,   -1e-40f,   FLT_TRUE_MIN,
                                12.5f,    -12.5f,    12.50001f,  50.0f,    -50.0f,    50.00001f,
                                -87.0f,   -87.0001f, -87.33654f, 88.7f,    -104.0f,   1e30f,
                                -1e30f,   0.5f,      -1.0f,      1e-20f,   -3e5f,     1.0f};
enum { SPECIALS = sizeof special / sizeof special[0] };

/* ---- all tables give the same bits ------------------------------------------------------- */

enum { LONGEST = 70, OUTPUTS = 20 * (LONGEST + 8) };

static float *copy_of(float **next, const float *x, size_t n)
{
    float *copy = *next;
    memcpy(copy, x, n * sizeof *x);
    *next += n;
    return copy;
}

/* Runs every kernel on x[n] and y[n]; the results into out, one after another, so that most of them
 * start at odd places. Returns how many floats. n may be 0. */
static size_t run_elementwise(const struct lae_kernels *kernels, const float *x, const float *y,
                              size_t n, float *out)
{
    float *next = out;
    kernels->gelu(copy_of(&next, x, n), x, n);
    kernels->gelu_backward(copy_of(&next, x, n), y, x, n);
    kernels->quick_gelu(copy_of(&next, x, n), x, n);
    kernels->quick_gelu_backward(copy_of(&next, x, n), y, x, n);
    kernels->add(copy_of(&next, x, n), y, n);
    kernels->add_scaled(copy_of(&next, x, n), 0.3f, y, n);
    kernels->multiply(copy_of(&next, x, n), y, n);
    kernels->scale(copy_of(&next, x, n), 0.7f, n);
    return (size_t)(next - out);
}

static size_t run_rows(const struct lae_kernels *kernels, const float *x, const float *y, size_t n,
                       float *out)
{
    float *next = out;
    *next++ = kernels->dot(x, y, n);
    kernels->column_sum(copy_of(&next, x, n), y, 1, n);
    if (n == 0) return (size_t)(next - out);
    float *p = copy_of(&next, x, n);
    kernels->softmax(p, 1, n, n, 0.125f);
    kernels->softmax_backward(copy_of(&next, y, n), p, 1, n, n, 0.125f);
    float *normal = copy_of(&next, x, n), *rstd = copy_of(&next, x, 1);
    kernels->layer_norm(copy_of(&next, x, n), normal, rstd, x, y, x, 1, n, 1e-6f);
    kernels->layer_norm(copy_of(&next, x, n), NULL, NULL, x, y, x, 1, n, 1e-6f);
    kernels->layer_norm_backward(copy_of(&next, y, n), x, normal, rstd, y, 1, n);
    return (size_t)(next - out);
}

/* Both of the rounding's forms, the halves widened again, so that they too are compared as floats.
 */
static size_t run_rounding(const struct lae_kernels *kernels, const float *x, size_t n, float *out)
{
    uint16_t halves[LONGEST];
    kernels->bf16(halves, x, n);
    kernels->bf16_wide(out, x, n);
    for (size_t i = 0; i < n; i++)
        out[n + i] = float_of((uint32_t)halves[i] << 16);
    return 2 * n;
}

static void assert_same(const struct lae_kernels *kernels, const float *expected, const float *got,
                        size_t count, size_t n)
{
    for (size_t i = 0; i < count; i++) {
        if (!same_bits(expected[i], got[i]))
            fail_msg("%s: length %zu, output %zu: %a, baseline has %a", kernels->name, n, i,
                     (double)got[i], (double)expected[i]);
    }
}

static void compare_tables(const float *x, const float *y, size_t n)
{
    const struct lae_kernels *const *all = lae_kernels_all();
    float expected[OUTPUTS], got[OUTPUTS];
    size_t count = run_elementwise(all[0], x, y, n, expected);
    count += run_rounding(all[0], x, n, expected + count);
    size_t all_count = count + run_rows(all[0], x, y, n, expected + count);
    for (size_t k = 1; all[k] != NULL; k++) {
        size_t done = run_elementwise(all[k], x, y, n, got);
        done += run_rounding(all[k], x, n, got + done);
        run_rows(all[k], x, y, n, got + done);
        assert_same(all[k], expected, got, all_count, n);
    }
}

static void test_tables_agree(void **unused)
{
    (void)unused;
    if (lae_kernels_all()[1] == NULL)
        print_message("this CPU or build has one kernel table: nothing to compare it with\n");
    uint64_t state = 1;
    float x[LONGEST + 16], y[LONGEST + 16];
    for (size_t n = 0; n <= LONGEST; n++) {
        for (size_t round = 0; round < 12; round++) {
            float range = round % 3 == 0 ? 1.0f : round % 3 == 1 ? 6.0f : 100.0f;
            fill(x, LONGEST + 16, &state, range);
            fill(y, LONGEST + 16, &state, range);
            for (size_t i = 0; round >= 6 && i < LONGEST + 16; i++) {
                if (next_bits(&state) % 8 == 0) x[i] = special[next_bits(&state) % SPECIALS];
                if (next_bits(&state) % 8 == 0) y[i] = special[next_bits(&state) % SPECIALS];
            }
            compare_tables(x + round, y + round % 5, n);
        }
    }
}

/* An entry's result does not depend on where in the array it lies. */
static void test_body_and_tail_agree(void **unused)
{
    (void)unused;
    uint64_t state = 2;
    float x[LONGEST], y[LONGEST], whole[OUTPUTS], single[OUTPUTS];
    for (size_t i = 0; i < LONGEST; i++) {
        x[i] = i < SPECIALS ? special[i] : uniform(&state, 20.0f);
        y[i] = uniform(&state, 3.0f);
    }
    for (const struct lae_kernels *const *k = lae_kernels_all(); *k != NULL; k++) {
        size_t kinds = run_elementwise(*k, x, y, LONGEST, whole) / LONGEST;
        for (size_t i = 0; i < LONGEST; i++) {
            run_elementwise(*k, x + i, y + i, 1, single);
            for (size_t kind = 0; kind < kinds; kind++)
                assert_true(same_bits(whole[kind * LONGEST + i], single[kind]));
        }
    }
}

static void test_in_place(void **unused)
{
    (void)unused;
    enum { N = 37 };
    uint64_t state = 3;
    float x[N], y[N], apart[N], gamma[N], beta[N];
    fill(x, N, &state, 4.0f);
    fill(gamma, N, &state, 1.0f);
    fill(beta, N, &state, 1.0f);
    const struct lae_kernels *k = lae_kernels_best();
    k->gelu(apart, x, N);
    memcpy(y, x, sizeof y);
    k->gelu(y, y, N);
    assert_memory_equal(y, apart, sizeof y);
    k->quick_gelu(apart, x, N);
    memcpy(y, x, sizeof y);
    k->quick_gelu(y, y, N);
    assert_memory_equal(y, apart, sizeof y);
    k->layer_norm(apart, NULL, NULL, x, gamma, beta, 1, N, 1e-6f);
    memcpy(y, x, sizeof y);
    k->layer_norm(y, NULL, NULL, y, gamma, beta, 1, N, 1e-6f);
    assert_memory_equal(y, apart, sizeof y);
    k->gelu_backward(apart, beta, x, N);
    memcpy(y, beta, sizeof y);
    k->gelu_backward(y, y, x, N);
    assert_memory_equal(y, apart, sizeof y);
}

/* Rows with a stride: columns past `cols` stay as they are, and each row is as if it were alone. */
static void test_strides(void **unused)
{
    (void)unused;
    enum { ROWS = 3, COLS = 21, STRIDE = 26 };
    uint64_t state = 4;
    float p[ROWS * STRIDE], dp[ROWS * STRIDE], before_p[ROWS * STRIDE], before_dp[ROWS * STRIDE];
    fill(p, ROWS * STRIDE, &state, 5.0f);
    fill(dp, ROWS * STRIDE, &state, 5.0f);
    memcpy(before_p, p, sizeof p);
    memcpy(before_dp, dp, sizeof dp);
    const struct lae_kernels *k = lae_kernels_best();
    k->softmax(p, ROWS, COLS, STRIDE, 0.5f);
    k->softmax_backward(dp, p, ROWS, COLS, STRIDE, 0.5f);
    for (size_t i = 0; i < ROWS; i++) {
        float *row = before_p + i * STRIDE, *drow = before_dp + i * STRIDE;
        k->softmax(row, 1, COLS, COLS, 0.5f);
        k->softmax_backward(drow, row, 1, COLS, COLS, 0.5f);
    }
    assert_memory_equal(p, before_p, sizeof p);
    assert_memory_equal(dp, before_dp, sizeof dp);
}

static void test_best_table(void **unused)
{
    (void)unused;
    const struct lae_kernels *const *all = lae_kernels_all();
    size_t count = 0;
    while (all[count] != NULL)
        count++;
    assert_true(count >= 1);
    assert_string_equal(all[0]->name, "baseline");
    char *before = getenv("LAE_ISA") != NULL ? strdup(getenv("LAE_ISA")) : NULL;
    unsetenv("LAE_ISA");
    assert_ptr_equal(lae_kernels_best(), all[count - 1]);
    for (size_t i = 0; i < count; i++) {
        setenv("LAE_ISA", all[i]->name, 1);
        assert_ptr_equal(lae_kernels_best(), all[i]);
    }
    setenv("LAE_ISA", "no such set", 1);
    assert_ptr_equal(lae_kernels_best(), all[count - 1]);
    unsetenv("LAE_ISA");
    if (before != NULL) setenv("LAE_ISA", before, 1);
    free(before);
}

/* ---- accuracy, against the C library in double ------------------------------------------- */

struct worst {
    double absolute, relative;
};

static void note(struct worst *worst, double got, double expected, double unit)
{
    double error = fabs(got - expected);
    worst->absolute = fmax(worst->absolute, error / unit);
    if (expected != 0.0) worst->relative = fmax(worst->relative, error / fabs(expected));
}

#define STEP 1999u /* takes every 1999th float */

static void test_gelu_accuracy(void **unused)
{
    (void)unused;
    const struct lae_kernels *k = lae_kernels_best();
    struct worst gelu = {0}, slope = {0}, quick = {0}, quick_slope = {0};
    struct worst near_zero = {0}; /* x in [-5, 40] */
    for (uint32_t bits = bits_of(FLT_MIN); bits < bits_of(40.0f); bits += STEP) {
        for (int sign = -1; sign <= 1; sign += 2) {
            float x = (float)sign * float_of(bits), one = 1.0f, y;
            double phi = exp(-0.5 * (double)x * (double)x) * INVERSE_SQRT_2PI;
            double below = 0.5 * erfc(-(double)x * SQRT_HALF);
            double sigmoid = 1.0 / (1.0 + exp(-1.702 * (double)x));
            double unit = fmax(1.0, fabs((double)x));
            k->gelu(&y, &x, 1);
            note(&gelu, y, x * below, unit);
            if (x > -5.0f) note(&near_zero, y, x * below, unit);
            k->gelu_backward(&y, &one, &x, 1);
            note(&slope, y, below + x * phi, 1.0);
            k->quick_gelu(&y, &x, 1);
            note(&quick, y, x * sigmoid, unit);
            k->quick_gelu_backward(&y, &one, &x, 1);
            note(&quick_slope, y, sigmoid * (1.0 + 1.702 * x * (1.0 - sigmoid)), 1.0);
        }
    }
    assert_true(gelu.absolute <= 1e-7);
    assert_true(near_zero.relative <= 9e-7);
    assert_true(slope.absolute <= 2.2e-7);
    assert_true(quick.absolute <= 8.1e-8);
    assert_true(quick_slope.absolute <= 1.3e-7);
}

/* Softmax of (0, x) shows exp(x) on its own. */
static void test_exp_accuracy(void **unused)
{
    (void)unused;
    const struct lae_kernels *k = lae_kernels_best();
    struct worst worst = {0};
    for (uint32_t bits = bits_of(1e-10f); bits <= bits_of(87.0f); bits += STEP) {
        float pair[2] = {0.0f, -float_of(bits)};
        double e = exp((double)pair[1]);
        k->softmax(pair, 1, 2, 2, 1.0f);
        note(&worst, pair[1], e / (1.0 + e), 1.0);
        note(&worst, pair[0], 1.0 / (1.0 + e), 1.0);
    }
    assert_true(worst.relative <= 2.5e-7);
}

static void test_softmax_accuracy(void **unused)
{
    (void)unused;
    enum { ROWS = 40, COLS = 197 };
    const struct lae_kernels *k = lae_kernels_best();
    uint64_t state = 5;
    float x[COLS], y[COLS];
    struct worst worst = {0};
    for (int row = 0; row < ROWS; row++) {
        fill(x, COLS, &state, 80.0f);
        memcpy(y, x, sizeof y);
        k->softmax(y, 1, COLS, COLS, 0.125f);
        double sum = 0.0, total = 0.0;
        for (int j = 0; j < COLS; j++)
            sum += exp(0.125 * (double)x[j]);
        for (int j = 0; j < COLS; j++) {
            note(&worst, y[j], exp(0.125 * (double)x[j]) / sum, 1.0);
            total += (double)y[j];
        }
        assert_true(fabs(total - 1.0) < 5e-7);
    }
    assert_true(worst.relative <= 2e-6); /* the scores' own rounding: 20 * 2^-24 */
}

static void naive_layer_norm(double *y, const float *x, size_t n, double eps, double *rstd)
{
    double mean = 0.0, variance = 0.0;
    for (size_t j = 0; j < n; j++)
        mean += (double)x[j] / (double)n;
    for (size_t j = 0; j < n; j++)
        variance += ((double)x[j] - mean) * ((double)x[j] - mean) / (double)n;
    *rstd = 1.0 / sqrt(variance + eps);
    for (size_t j = 0; j < n; j++)
        y[j] = ((double)x[j] - mean) * *rstd;
}

static void test_layer_norm_accuracy(void **unused)
{
    (void)unused;
    enum { ROWS = 5, COLS = 768 };
    const struct lae_kernels *k = lae_kernels_best();
    uint64_t state = 6;
    static float x[ROWS * COLS], y[ROWS * COLS], normal[ROWS * COLS];
    float gamma[COLS], beta[COLS], rstd[ROWS];
    double expected[COLS], factor;
    fill(x, ROWS * COLS, &state, 3.0f);
    fill(gamma, COLS, &state, 2.0f);
    fill(beta, COLS, &state, 1.0f);
    for (size_t j = 0; j < COLS; j++)
        x[j] = 0.25f; /* a row without variance */
    k->layer_norm(y, normal, rstd, x, gamma, beta, ROWS, COLS, 1e-6f);
    for (size_t i = 0; i < ROWS; i++) {
        naive_layer_norm(expected, x + i * COLS, COLS, (double)1e-6f, &factor);
        assert_true(fabs((double)rstd[i] - factor) <= 1e-6 * factor);
        for (size_t j = 0; j < COLS; j++) {
            double n = expected[j], out = n * (double)gamma[j] + (double)beta[j];
            assert_true(fabs((double)normal[i * COLS + j] - n) <= 1e-6);
            assert_true(fabs((double)y[i * COLS + j] - out) <= 2e-6);
        }
    }
}

static void test_sums_accuracy(void **unused)
{
    (void)unused;
    enum { ROWS = 197, COLS = 19 };
    const struct lae_kernels *k = lae_kernels_best();
    uint64_t state = 7;
    static float x[ROWS * COLS], y[ROWS * COLS];
    float sum[COLS];
    fill(x, ROWS * COLS, &state, 1.0f);
    fill(y, ROWS * COLS, &state, 1.0f);
    k->column_sum(sum, x, ROWS, COLS);
    for (size_t j = 0; j < COLS; j++) {
        double expected = 0.0;
        for (size_t i = 0; i < ROWS; i++)
            expected += (double)x[i * COLS + j];
        assert_true(fabs((double)sum[j] - expected) <= 1e-5);
    }
    double expected = 0.0;
    for (size_t i = 0; i < ROWS * COLS; i++)
        expected += (double)x[i] * (double)y[i];
    assert_true(fabs((double)k->dot(x, y, ROWS * COLS) - expected) <=
                6e-8 * fabs(expected) + 1e-12);
}

/* No bf16 number is nearer, and of two that are as near it is the even one. */
static void test_bf16_is_nearest(void **unused)
{
    (void)unused;
    uint64_t state = 11;
    for (int i = 0; i < 200000; i++) {
        uint32_t bits = (uint32_t)next_bits(&state);
        if (i % 4 == 0) bits = (bits & 0xffff0000u) | 0x8000u; /* half-way */
        uint32_t cut = bits & 0xffff0000u, next = cut + 0x10000u;
        float x = float_of(bits), below = float_of(cut), above = float_of(next), wide;
        if (!isfinite(x) || !isfinite(above)) continue;
        uint16_t half;
        lae_kernels_best()->bf16(&half, &x, 1);
        lae_kernels_best()->bf16_wide(&wide, &x, 1);
        double down = fabs((double)x - (double)below), up = fabs((double)above - (double)x);
        bool even_below = (cut & 0x10000u) == 0;
        uint32_t expected = down < up || (down == up && even_below) ? cut : next;
        assert_int_equal(half, expected >> 16);
        assert_int_equal(bits_of(wide), expected);
    }
    const float odd[3] = {NAN, INFINITY, FLT_MAX};
    float wide[3];
    lae_kernels_best()->bf16_wide(wide, odd, 3);
    assert_true(isnan(wide[0]) && isinf(wide[1]) && isinf(wide[2]));
}

/* ---- NaN and infinity -------------------------------------------------------------------- */

static void test_activations_at_the_ends(void **unused)
{
    (void)unused;
    for (const struct lae_kernels *const *all = lae_kernels_all(); *all != NULL; all++) {
        const struct lae_kernels *k = *all;
        float x[4] = {NAN, INFINITY, -INFINITY, -0.0f}, one[4] = {1, 1, 1, 1}, y[4];
        void (*forward[2])(float *, const float *, size_t) = {k->gelu, k->quick_gelu};
        void (*backward[2])(float *, const float *, const float *,
                            size_t) = {k->gelu_backward, k->quick_gelu_backward};
        for (int i = 0; i < 2; i++) {
            forward[i](y, x, 4);
            assert_true(isnan(y[0]));
            assert_true(isinf(y[1]) && y[1] > 0.0f);
            assert_true(fabsf(y[2]) < 1e-33f);
            assert_true(y[3] == 0.0f);
            backward[i](y, one, x, 4);
            assert_true(isnan(y[0]));
            assert_true(fabsf(y[1] - 1.0f) < 1e-6f);
            assert_true(fabsf(y[2]) < 1e-30f);
            assert_true(fabsf(y[3] - 0.5f) < 1e-6f);
        }
        float nan_gradient[1] = {NAN}, at[1] = {1.0f};
        k->gelu_backward(nan_gradient, nan_gradient, at, 1);
        assert_true(isnan(nan_gradient[0]));
    }
}

static void test_softmax_at_the_ends(void **unused)
{
    (void)unused;
    enum { N = 33 };
    for (const struct lae_kernels *const *k = lae_kernels_all(); *k != NULL; k++) {
        for (size_t place = 0; place < N; place++) {
            float x[N] = {0};
            x[place] = NAN;
            (*k)->softmax(x, 1, N, N, 1.0f);
            for (size_t j = 0; j < N; j++)
                assert_true(isnan(x[j]));
            float masked[N] = {0};
            masked[place] = -INFINITY;
            (*k)->softmax(masked, 1, N, N, 1.0f);
            for (size_t j = 0; j < N; j++)
                assert_true(j == place ? masked[j] == 0.0f : fabsf(masked[j] - 1.0f / 32) < 1e-8f);
        }
        float large[3] = {3e38f, 3e38f, -3e38f};
        (*k)->softmax(large, 1, 3, 3, 1.0f);
        assert_true(large[0] == 0.5f && large[1] == 0.5f && large[2] == 0.0f);
        float tiny[3] = {100.0f, 100.0f - 87.5f, 100.0f - 86.0f}; /* no denormal numbers */
        (*k)->softmax(tiny, 1, 3, 3, 1.0f);
        assert_true(tiny[0] == 1.0f && tiny[1] == 0.0f && tiny[2] > FLT_MIN);
        float alone[1] = {-7.0f};
        (*k)->softmax(alone, 1, 1, 1, 0.125f);
        assert_true(alone[0] == 1.0f);
    }
}

static void test_layer_norm_nan(void **unused)
{
    (void)unused;
    enum { N = 20 };
    const struct lae_kernels *k = lae_kernels_best();
    float x[2 * N], y[2 * N], gamma[N], beta[N];
    uint64_t state = 8;
    fill(x, 2 * N, &state, 1.0f);
    fill(gamma, N, &state, 1.0f);
    fill(beta, N, &state, 1.0f);
    x[N + 17] = NAN;
    k->layer_norm(y, NULL, NULL, x, gamma, beta, 2, N, 1e-6f);
    for (size_t j = 0; j < N; j++)
        assert_true(isfinite(y[j]) && isnan(y[N + j]));
}

/* ---- linear maps ------------------------------------------------------------------------- */

static double entry(const float *a, size_t lda, bool transposed, size_t i, size_t j)
{
    return (double)(transposed ? a[j * lda + i] : a[i * lda + j]);
}

static void check_gemm(uint64_t *state, bool ta, bool tb, size_t m, size_t n, size_t k, float beta)
{
    enum { MOST = 16 * 16 };
    float a[MOST], b[MOST], c[MOST], before[MOST];
    size_t lda = (ta ? m : k) + 1, ldb = (tb ? k : n) + 2, ldc = n + 3;
    fill(a, MOST, state, 1.0f);
    fill(b, MOST, state, 1.0f);
    fill(c, MOST, state, 1.0f);
    memcpy(before, c, sizeof c);
    for (size_t i = 0; beta == 0.0f && i < m; i++)
        for (size_t j = 0; j < n; j++)
            c[i * ldc + j] = NAN; /* beta 0 must not read C */
    lae_gemm(ta, tb, m, n, k, 0.5f, a, lda, b, ldb, beta, c, ldc);
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            double sum = (double)beta * (double)before[i * ldc + j];
            for (size_t l = 0; l < k; l++)
                sum += 0.5 * entry(a, lda, ta, i, l) * entry(b, ldb, tb, l, j);
            assert_true(fabs((double)c[i * ldc + j] - sum) <= 2e-6);
            c[i * ldc + j] = before[i * ldc + j];
        }
    }
    assert_memory_equal(c, before, sizeof c); /* nothing outside [m, n] */
}

static void test_gemm(void **unused)
{
    (void)unused;
    static const size_t sizes[][3] = {{1, 1, 1}, {5, 7, 3}, {1, 9, 12}, {10, 1, 4},
                                      {3, 2, 0}, {0, 4, 2}, {4, 0, 2},  {0, 0, 0}};
    uint64_t state = 9;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int how = 0; how < 12; how++) {
            float beta = how / 4 == 0 ? 0.0f : how / 4 == 1 ? 1.0f : -0.75f;
            check_gemm(&state, (how & 1) != 0, (how & 2) != 0, sizes[i][0], sizes[i][1],
                       sizes[i][2], beta);
        }
    }
}

/* An inner extent of 0, with the strides that tight arrays have then, leaves beta * C. */
static void test_gemm_of_nothing(void **unused)
{
    (void)unused;
    float c[6] = {1, 2, 3, 4, 5, 6}, none[1] = {NAN};
    lae_gemm(false, true, 2, 3, 0, 1.0f, none, 0, none, 0, 0.5f, c, 3);
    for (size_t i = 0; i < 6; i++)
        assert_true(c[i] == 0.5f * (float)(i + 1));
    float y[4];
    const float b[2] = {7, 8};
    lae_linear(y, 2, none, none, b, 2, 0, 2);
    assert_true(y[0] == 7.0f && y[1] == 8.0f && y[2] == 7.0f && y[3] == 8.0f);
}

enum { ROWS = 6, IN = 11, OUT = 7, LDY = 9 };

static void test_linear(void **unused)
{
    (void)unused;
    uint64_t state = 10;
    float x[ROWS * IN], w[OUT * IN], b[OUT], y[ROWS * LDY];
    fill(x, ROWS * IN, &state, 1.0f);
    fill(w, OUT * IN, &state, 1.0f);
    fill(b, OUT, &state, 1.0f);
    for (int with_bias = 0; with_bias < 2; with_bias++) {
        for (size_t i = 0; i < ROWS * LDY; i++)
            y[i] = NAN;
        lae_linear(y, LDY, x, w, with_bias ? b : NULL, ROWS, IN, OUT);
        for (size_t i = 0; i < ROWS; i++) {
            for (size_t o = 0; o < OUT; o++) {
                double sum = with_bias ? (double)b[o] : 0.0;
                for (size_t j = 0; j < IN; j++)
                    sum += (double)x[i * IN + j] * (double)w[o * IN + j];
                assert_true(fabs((double)y[i * LDY + o] - sum) <= 2e-6);
            }
            assert_true(isnan(y[i * LDY + OUT]));
        }
    }
}

static void test_linear_backward(void **unused)
{
    (void)unused;
    uint64_t state = 11;
    float x[ROWS * IN], w[OUT * IN], dy[ROWS * LDY], dx[ROWS * IN], before[ROWS * IN];
    float dw[OUT * IN], db[OUT];
    fill(x, ROWS * IN, &state, 1.0f);
    fill(w, OUT * IN, &state, 1.0f);
    fill(dy, ROWS * LDY, &state, 1.0f);
    fill(before, ROWS * IN, &state, 1.0f);
    for (int keep = 0; keep < 2; keep++) {
        memcpy(dx, before, sizeof dx);
        lae_linear_backward_input(dx, dy, LDY, w, ROWS, IN, OUT, (float)keep);
        for (size_t i = 0; i < ROWS * IN; i++) {
            double sum = keep ? (double)before[i] : 0.0;
            for (size_t o = 0; o < OUT; o++)
                sum += (double)dy[i / IN * LDY + o] * (double)w[o * IN + i % IN];
            assert_true(fabs((double)dx[i] - sum) <= 2e-6);
        }
    }
    lae_linear_backward_params(dw, db, dy, LDY, x, ROWS, IN, OUT);
    for (size_t o = 0; o < OUT; o++) {
        double bias = 0.0;
        for (size_t i = 0; i < ROWS; i++)
            bias += (double)dy[i * LDY + o];
        assert_true(fabs((double)db[o] - bias) <= 2e-6);
        for (size_t j = 0; j < IN; j++) {
            double sum = 0.0;
            for (size_t i = 0; i < ROWS; i++)
                sum += (double)dy[i * LDY + o] * (double)x[i * IN + j];
            assert_true(fabs((double)dw[o * IN + j] - sum) <= 2e-6);
        }
    }
    float again[OUT * IN];
    lae_linear_backward_params(again, NULL, dy, LDY, x, ROWS, IN, OUT);
    assert_memory_equal(again, dw, sizeof dw);
}

/* ---- products of pairs ------------------------------------------------------------------- */

/* Element (row, col) of op(x), rounded where the arithmetic rounds. */
static double operand(const float *x, size_t stride, bool transpose, size_t row, size_t col,
                      bool rounds)
{
    float value = transpose ? x[col * stride + row] : x[row * stride + col];
    if (rounds) lae_kernels_best()->bf16_wide(&value, &value, 1);
    return (double)value;
}

static void compare_pair(const struct lae_pair_shape *shape, bool rounds, const float *a,
                         const float *b, const float *c)
{
    for (size_t i = 0; i < shape->m; i++) {
        for (size_t j = 0; j < shape->n; j++) {
            double sum = 0.0, size = 0.0;
            for (size_t l = 0; l < shape->k; l++) {
                double term = operand(a, shape->lda, shape->transpose_a, i, l, rounds) *
                              operand(b, shape->ldb, shape->transpose_b, l, j, rounds);
                sum += term;
                size += fabs(term);
            }
            assert_true(fabs((double)c[i * shape->ldc + j] - sum) <= 4e-7 * size);
        }
        for (size_t j = shape->n; j < shape->ldc; j++) /* what lies beside it stays */
            assert_true(c[i * shape->ldc + j] == 7.0f);
    }
}

static void check_pairs(struct lae_arithmetic arithmetic)
{
    enum { SIDE = 70 };
    bool rounds = arithmetic.precision == LAE_PRECISION_BF16;
    const size_t sizes[][3] = {{1, 1, 1}, {1, 37, 16}, {37, 16, 37}, {16, 37, 1}, {33, 64, 65}};
    static float a[SIDE * SIDE], b[SIDE * SIDE], c[SIDE * SIDE];
    uint64_t state = 12;
    fill(a, SIDE * SIDE, &state, 2.0f);
    fill(b, SIDE * SIDE, &state, 2.0f);
    struct lae_products *products;
    struct lae_runner *runner;
    assert_null(lae_products_create(arithmetic, &products));
    struct lae_pair_shape shapes[4 * sizeof sizes / sizeof sizes[0]];
    const int count = (int)(sizeof shapes / sizeof shapes[0]);
    for (int i = 0; i < count; i++) {
        const size_t *size = sizes[i / 4];
        shapes[i] = (struct lae_pair_shape){
            .transpose_a = i % 2 == 1,
            .transpose_b = i / 2 % 2 == 1,
            .m = size[0],
            .n = size[1],
            .k = size[2],
            .lda = SIDE,
            .ldb = SIDE - 1,
            .ldc = SIDE - 2,
        };
        int number;
        for (int twice = 0; twice < 2; twice++) {
            assert_null(lae_products_add_pair(products, &shapes[i], &number));
            assert_int_equal(number, i);
        }
    }
    assert_null(lae_runner_create(products, &runner));
    for (int i = 0; i < count; i++) {
        for (size_t j = 0; j < SIDE * SIDE; j++)
            c[j] = 7.0f;
        lae_pair_run(runner, i, a, b, c);
        compare_pair(&shapes[i], rounds, a, b, c);
    }
    lae_runner_free(runner);
    lae_products_free(products);
}

static void test_pairs(void **unused)
{
    (void)unused;
    check_pairs((struct lae_arithmetic){LAE_BACKEND_OPENBLAS, LAE_PRECISION_FP32});
    if (!lae_onednn_is_built_in()) {
        print_message("oneDNN is not built in: its products are not tested\n");
        return;
    }
    check_pairs((struct lae_arithmetic){LAE_BACKEND_ONEDNN, LAE_PRECISION_FP32});
    check_pairs((struct lae_arithmetic){LAE_BACKEND_ONEDNN, LAE_PRECISION_BF16});
}

static void test_backend(void **unused)
{
    (void)unused;
    char text[256], cut[9];
    assert_ptr_equal(lae_linear_backend(text, sizeof text), text);
    assert_non_null(strstr(text, "OpenBLAS"));
    lae_linear_backend(cut, sizeof cut);
    assert_int_equal(strncmp(cut, text, sizeof cut - 1), 0);
}

/* ---- convolution ------------------------------------------------------------------------- */

/* Output channel o at pixel (row, col) of an image [rows, cols] whose tokens begin at x. */
static double naive_pixel(const struct lae_conv_shape *shape, size_t rows, size_t cols,
                          const float *x, const float *w, size_t row, size_t col, size_t o)
{
    long k = (long)shape->kernel, half = k / 2;
    double sum = 0.0;
    for (long ky = 0; ky < k; ky++) {
        for (long kx = 0; kx < k; kx++) {
            long y_at = (long)row + ky - half, x_at = (long)col + kx - half;
            if (y_at < 0 || y_at >= (long)rows || x_at < 0 || x_at >= (long)cols) continue;
            const float *pixel = x + (size_t)(y_at * (long)cols + x_at) * shape->in;
            for (size_t i = 0; i < shape->in; i++)
                sum +=
                    (double)pixel[i] *
                    (double)w[((o * shape->in + i) * shape->kernel + (size_t)ky) * shape->kernel +
                              (size_t)kx];
        }
    }
    return sum;
}

static void check_conv(uint64_t *state, const struct lae_conv_shape *shape)
{
    size_t tokens = lae_conv_tokens(shape), weights = shape->out * shape->in * shape->kernel;
    weights *= shape->kernel;
    float *x = malloc(tokens * shape->in * sizeof *x), *w = malloc(weights * sizeof *w);
    float *b = malloc(shape->out * sizeof *b), *y = malloc(tokens * shape->out * sizeof *y);
    float *scratch = malloc(lae_conv_scratch(shape) * sizeof *scratch);
    assert_true(x != NULL && w != NULL && b != NULL && y != NULL && scratch != NULL);
    fill(x, tokens * shape->in, state, 1.0f);
    fill(w, weights, state, 1.0f);
    fill(b, shape->out, state, 1.0f);
    lae_conv(shape, y, x, w, b, scratch);
    const float *grid = x + shape->singles * shape->in;
    for (size_t t = 0; t < tokens; t++) {
        for (size_t o = 0; o < shape->out; o++) {
            double expected = (double)b[o];
            if (t < shape->singles) {
                expected += naive_pixel(shape, 1, 1, x + t * shape->in, w, 0, 0, o);
            } else {
                size_t at = t - shape->singles;
                expected += naive_pixel(shape, shape->rows, shape->cols, grid, w, at / shape->cols,
                                        at % shape->cols, o);
            }
            assert_true(fabs((double)y[t * shape->out + o] - expected) <= 1e-5);
        }
    }
    free(x);
    free(w);
    free(b);
    free(y);
    free(scratch);
}

static void test_conv(void **unused)
{
    (void)unused;
    static const struct lae_conv_shape shapes[] = {
        {.singles = 1, .rows = 4, .cols = 6, .in = 3, .out = 5, .kernel = 3},
        {.singles = 0, .rows = 5, .cols = 3, .in = 2, .out = 2, .kernel = 5},
        {.singles = 2, .rows = 1, .cols = 2, .in = 3, .out = 2, .kernel = 7}, /* wider than it */
        {.singles = 1, .rows = 0, .cols = 0, .in = 4, .out = 4, .kernel = 3},
        {.singles = 1, .rows = 3, .cols = 3, .in = 4, .out = 3, .kernel = 1},
        {.singles = 1, .rows = 14, .cols = 14, .in = 8, .out = 8, .kernel = 3},
    };
    uint64_t state = 12;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        check_conv(&state, &shapes[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_agree),
        cmocka_unit_test(test_body_and_tail_agree),
        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_strides),
        cmocka_unit_test(test_best_table),
        cmocka_unit_test(test_gelu_accuracy),
        cmocka_unit_test(test_exp_accuracy),
        cmocka_unit_test(test_softmax_accuracy),
        cmocka_unit_test(test_layer_norm_accuracy),
        cmocka_unit_test(test_sums_accuracy),
        cmocka_unit_test(test_bf16_is_nearest),
        cmocka_unit_test(test_activations_at_the_ends),
        cmocka_unit_test(test_softmax_at_the_ends),
        cmocka_unit_test(test_layer_norm_nan),
        cmocka_unit_test(test_gemm),
        cmocka_unit_test(test_gemm_of_nothing),
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_linear_backward),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_backend),
        cmocka_unit_test(test_conv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
