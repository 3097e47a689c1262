/* Every backward function of nn/ against central differences of its forward formula, written out
 * here once more in double. */
#include "difference.h"

#include "lae/nn/conv.h"
#include "lae/nn/kernels.h"
#include "lae/nn/linear.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE 2e-6

enum { MOST = 512 };

/* One function with its inputs and the weights of its outputs in the scalar that is differentiated:
 * loss = sum of dy * f(x, w, b). */
struct problem {
    double x[MOST], w[MOST], b[MOST], dy[MOST];
    size_t x_count, w_count, b_count, y_count;
    size_t rows, cols, out;
    double number; /* scale of softmax, eps of layer norm */
    struct lae_conv_shape conv;
    void (*forward)(const struct problem *problem, double *y);
};

static double loss(const void *context)
{
    const struct problem *problem = context;
    double y[MOST], sum = 0.0;
    problem->forward(problem, y);
    for (size_t i = 0; i < problem->y_count; i++)
        sum += problem->dy[i] * y[i];
    return sum;
}

static void draw_all(struct problem *problem, uint64_t seed, double range)
{
    for (size_t i = 0; i < MOST; i++) {
        problem->x[i] = draw(&seed, -range, range);
        problem->w[i] = draw(&seed, -1.0, 1.0);
        problem->b[i] = draw(&seed, -1.0, 1.0);
        problem->dy[i] = draw(&seed, -1.0, 1.0);
    }
}

static void assert_gradient(struct problem *problem, double *variable, size_t n, const float *got)
{
    double expected[MOST];
    central_differences(loss, problem, variable, n, expected);
    double error = relative_error(got, expected, n);
    if (!(error <= TOLERANCE)) fail_msg("gradient is off by %g of its largest entry", error);
}

/* ---- activations ------------------------------------------------------------------------- */

static void gelu(const struct problem *problem, double *y)
{
    for (size_t i = 0; i < problem->y_count; i++)
        y[i] = 0.5 * problem->x[i] * (1.0 + erf(problem->x[i] / sqrt(2.0)));
}

static void quick_gelu(const struct problem *problem, double *y)
{
    for (size_t i = 0; i < problem->y_count; i++)
        y[i] = problem->x[i] / (1.0 + exp(-1.702 * problem->x[i]));
}

static void check_activation(void (*forward)(const struct problem *, double *),
                             void (*backward)(float *, const float *, const float *, size_t))
{
    struct problem problem = {.forward = forward, .x_count = 400, .y_count = 400};
    float x[MOST], d[MOST];
    draw_all(&problem, 1, 7.0);
    to_float(x, problem.x, MOST);
    to_float(d, problem.dy, MOST);
    backward(d, d, x, problem.x_count);
    assert_gradient(&problem, problem.x, problem.x_count, d);
}

static void test_gelu(void **unused)
{
    (void)unused;
    check_activation(gelu, lae_kernels_best()->gelu_backward);
}

static void test_quick_gelu(void **unused)
{
    (void)unused;
    check_activation(quick_gelu, lae_kernels_best()->quick_gelu_backward);
}

/* ---- softmax ----------------------------------------------------------------------------- */

static void softmax(const struct problem *problem, double *y)
{
    for (size_t i = 0; i < problem->rows; i++) {
        const double *x = problem->x + i * problem->cols;
        double sum = 0.0;
        for (size_t j = 0; j < problem->cols; j++)
            sum += exp(problem->number * x[j]);
        for (size_t j = 0; j < problem->cols; j++)
            y[i * problem->cols + j] = exp(problem->number * x[j]) / sum;
    }
}

static void check_softmax(size_t rows, size_t cols, double range)
{
    struct problem problem = {.forward = softmax, .rows = rows, .cols = cols, .number = 0.125};
    problem.x_count = problem.y_count = rows * cols;
    float p[MOST], d[MOST];
    draw_all(&problem, 2, range);
    to_float(p, problem.x, MOST);
    to_float(d, problem.dy, MOST);
    lae_kernels_best()->softmax(p, rows, cols, cols, 0.125f);
    lae_kernels_best()->softmax_backward(d, p, rows, cols, cols, 0.125f);
    assert_gradient(&problem, problem.x, problem.x_count, d);
}

static void test_softmax(void **unused)
{
    (void)unused;
    check_softmax(3, 5, 8.0);
    check_softmax(4, 37, 40.0);
    check_softmax(1, 197, 16.0);
}

/* ---- layer norm -------------------------------------------------------------------------- */

static void layer_norm(const struct problem *problem, double *y)
{
    size_t n = problem->cols;
    for (size_t i = 0; i < problem->rows; i++) {
        const double *x = problem->x + i * n;
        double mean = 0.0, variance = 0.0;
        for (size_t j = 0; j < n; j++)
            mean += x[j] / (double)n;
        for (size_t j = 0; j < n; j++)
            variance += (x[j] - mean) * (x[j] - mean) / (double)n;
        for (size_t j = 0; j < n; j++)
            y[i * n + j] =
                (x[j] - mean) / sqrt(variance + problem->number) * problem->w[j] + problem->b[j];
    }
}

static void check_layer_norm(size_t rows, size_t cols, double range, double eps)
{
    struct problem problem = {.forward = layer_norm, .rows = rows, .cols = cols, .number = eps};
    problem.x_count = problem.y_count = rows * cols;
    draw_all(&problem, 3, range);
    float x[MOST], y[MOST], gamma[MOST], beta[MOST], dy[MOST], normal[MOST], rstd[MOST], dx[MOST];
    to_float(x, problem.x, MOST);
    to_float(gamma, problem.w, MOST);
    to_float(beta, problem.b, MOST);
    to_float(dy, problem.dy, MOST);
    const struct lae_kernels *kernels = lae_kernels_best();
    kernels->layer_norm(y, normal, rstd, x, gamma, beta, rows, cols, (float)eps);
    memset(dx, 0, sizeof dx);
    kernels->layer_norm_backward(dx, dy, normal, rstd, gamma, rows, cols);
    assert_gradient(&problem, problem.x, problem.x_count, dx);

    float twice[MOST]; /* it adds */
    memcpy(twice, dx, sizeof dx);
    kernels->layer_norm_backward(twice, dy, normal, rstd, gamma, rows, cols);
    for (size_t i = 0; i < problem.x_count; i++)
        assert_true(twice[i] == 2.0f * dx[i]);
}

static void test_layer_norm(void **unused)
{
    (void)unused;
    check_layer_norm(3, 7, 2.0, 1e-6);
    check_layer_norm(5, 48, 1.0, 1e-12);
    check_layer_norm(4, 33, 0.01, 1e-3); /* where eps weighs in */
}

/* ---- linear ------------------------------------------------------------------------------ */

static void linear(const struct problem *problem, double *y)
{
    size_t in = problem->cols, out = problem->out;
    for (size_t i = 0; i < problem->rows; i++) {
        for (size_t o = 0; o < out; o++) {
            double sum = problem->b[o];
            for (size_t j = 0; j < in; j++)
                sum += problem->x[i * in + j] * problem->w[o * in + j];
            y[i * out + o] = sum;
        }
    }
}

static void check_linear(size_t rows, size_t in, size_t out)
{
    struct problem problem = {.forward = linear, .rows = rows, .cols = in, .out = out};
    problem.y_count = rows * out;
    draw_all(&problem, 4, 1.0);
    float x[MOST], w[MOST], dy[MOST], dx[MOST], dw[MOST], db[MOST];
    to_float(x, problem.x, MOST);
    to_float(w, problem.w, MOST);
    to_float(dy, problem.dy, MOST);
    lae_linear_backward_input(dx, dy, out, w, rows, in, out, 0.0f);
    lae_linear_backward_params(dw, db, dy, out, x, rows, in, out);
    assert_gradient(&problem, problem.x, rows * in, dx);
    assert_gradient(&problem, problem.w, out * in, dw);
    assert_gradient(&problem, problem.b, out, db);
}

static void test_linear(void **unused)
{
    (void)unused;
    check_linear(6, 9, 5);
    check_linear(1, 20, 8);
    check_linear(17, 16, 3);
}

/* ---- convolution ------------------------------------------------------------------------- */

/* The token at pixel (row, col) of the image that token t belongs to; NULL outside of it. */
static const double *neighbour(const struct problem *problem, size_t t, long down, long right)
{
    const struct lae_conv_shape *shape = &problem->conv;
    if (t < shape->singles) return down == 0 && right == 0 ? problem->x + t * shape->in : NULL;
    long row = (long)((t - shape->singles) / shape->cols) + down;
    long col = (long)((t - shape->singles) % shape->cols) + right;
    if (row < 0 || col < 0 || row >= (long)shape->rows || col >= (long)shape->cols) return NULL;
    return problem->x + (shape->singles + (size_t)row * shape->cols + (size_t)col) * shape->in;
}

static void conv(const struct problem *problem, double *y)
{
    const struct lae_conv_shape *shape = &problem->conv;
    long k = (long)shape->kernel;
    for (size_t t = 0; t < lae_conv_tokens(shape); t++) {
        for (size_t o = 0; o < shape->out; o++) {
            double sum = problem->b[o];
            for (long tap = 0; tap < k * k; tap++) {
                const double *x = neighbour(problem, t, tap / k - k / 2, tap % k - k / 2);
                for (size_t i = 0; x != NULL && i < shape->in; i++)
                    sum += x[i] * problem->w[(o * shape->in + i) * (size_t)(k * k) + (size_t)tap];
            }
            y[t * shape->out + o] = sum;
        }
    }
}

static void check_conv(struct lae_conv_shape shape)
{
    struct problem problem = {.forward = conv, .conv = shape};
    size_t tokens = lae_conv_tokens(&shape);
    size_t weights = shape.out * shape.in * shape.kernel * shape.kernel;
    problem.y_count = tokens * shape.out;
    draw_all(&problem, 5, 1.0);
    float x[MOST], w[MOST], dy[MOST], dx[MOST], dw[MOST], db[MOST];
    to_float(x, problem.x, MOST);
    to_float(w, problem.w, MOST);
    to_float(dy, problem.dy, MOST);
    float *scratch = malloc(lae_conv_scratch(&shape) * sizeof *scratch);
    assert_non_null(scratch);
    lae_conv_backward_input(&shape, dx, dy, w, scratch);
    lae_conv_backward_params(&shape, dw, db, dy, x, scratch);
    free(scratch);
    assert_gradient(&problem, problem.x, tokens * shape.in, dx);
    assert_gradient(&problem, problem.w, weights, dw);
    assert_gradient(&problem, problem.b, shape.out, db);
}

static void test_conv(void **unused)
{
    (void)unused;
    check_conv((struct lae_conv_shape){1, 4, 5, 2, 3, 3});
    check_conv((struct lae_conv_shape){0, 3, 4, 3, 2, 5});
    check_conv((struct lae_conv_shape){2, 2, 1, 2, 2, 7});
    check_conv((struct lae_conv_shape){1, 0, 0, 4, 4, 3});
    check_conv((struct lae_conv_shape){1, 3, 3, 3, 2, 1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gelu),    cmocka_unit_test(test_quick_gelu),
        cmocka_unit_test(test_softmax), cmocka_unit_test(test_layer_norm),
        cmocka_unit_test(test_linear),  cmocka_unit_test(test_conv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
