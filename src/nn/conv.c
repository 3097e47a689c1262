/* A convolution as one matrix product: each token's k x k neighbourhood is copied into a row of
 * patches[tokens, k*k, channels], zero outside the image. With the channels innermost a kernel row
 * is one copy of k * channels floats; the weights, [out, in, k, k], are few and are reordered to
 * fit.
 *
 *     forward          y  = patches(x)  W^T      W  [out, k*k, in]
 *     back to input    dx = patches(dy) W'^T     W' [in, k*k, out], the taps reversed
 *     back to weights  dW = dy^T patches(x)
 */
#include "lae/nn/conv.h"

#include "lae/nn/linear.h"

#include <string.h>

size_t lae_conv_tokens(const struct lae_conv_shape *shape)
{
    return shape->singles + shape->rows * shape->cols;
}

static size_t taps_of(const struct lae_conv_shape *shape)
{
    return shape->kernel * shape->kernel;
}

static size_t patches_size(const struct lae_conv_shape *shape)
{
    size_t channels = shape->in > shape->out ? shape->in : shape->out;
    return lae_conv_tokens(shape) * taps_of(shape) * channels;
}

size_t lae_conv_scratch(const struct lae_conv_shape *shape)
{
    return patches_size(shape) + taps_of(shape) * shape->in * shape->out;
}

/* The kernel row over pixels (row, col - k/2) .. (row, col + k/2) of x [rows, cols, channels] into
 * patch [k, channels]; zero left and right of the image. */
static void gather_kernel_row(const struct lae_conv_shape *shape, size_t channels, const float *x,
                              size_t row, size_t col, float *patch)
{
    size_t half = shape->kernel / 2;
    size_t before = col < half ? half - col : 0;
    size_t first = col + before - half;
    size_t end = col + half + 1 < shape->cols ? col + half + 1 : shape->cols;
    size_t inside = end - first, after = shape->kernel - before - inside;
    memset(patch, 0, before * channels * sizeof *patch);
    memcpy(patch + before * channels, x + (row * shape->cols + first) * channels,
           inside * channels * sizeof *patch);
    memset(patch + (before + inside) * channels, 0, after * channels * sizeof *patch);
}

/* Patch [k, k, channels] around pixel (row, col) of x [rows, cols, channels]. */
static void gather_pixel(const struct lae_conv_shape *shape, size_t channels, const float *x,
                         size_t row, size_t col, float *patch)
{
    size_t half = shape->kernel / 2, length = shape->kernel * channels;
    for (size_t ky = 0; ky < shape->kernel; ky++, patch += length) {
        size_t shifted = row + ky; /* of the source row, by half */
        if (shifted < half || shifted - half >= shape->rows)
            memset(patch, 0, length * sizeof *patch);
        else
            gather_kernel_row(shape, channels, x, shifted - half, col, patch);
    }
}

/* patches [tokens, k*k, channels] of x [tokens, channels] */
static void gather(const struct lae_conv_shape *shape, size_t channels, const float *x,
                   float *patches)
{
    size_t taps = taps_of(shape), length = taps * channels;
    for (size_t i = 0; i < shape->singles; i++, x += channels, patches += length) {
        memset(patches, 0, length * sizeof *patches);
        memcpy(patches + taps / 2 * channels, x, channels * sizeof *x);
    }
    for (size_t row = 0; row < shape->rows; row++) {
        for (size_t col = 0; col < shape->cols; col++, patches += length)
            gather_pixel(shape, channels, x, row, col, patches);
    }
}

void lae_conv(const struct lae_conv_shape *shape, float *y, const float *x, const float *w,
              const float *b, float *scratch)
{
    size_t taps = taps_of(shape), in = shape->in, out = shape->out;
    float *patches = scratch, *ordered = scratch + patches_size(shape);
    for (size_t o = 0; o < out; o++) {
        for (size_t i = 0; i < in; i++) {
            for (size_t tap = 0; tap < taps; tap++)
                ordered[(o * taps + tap) * in + i] = w[(o * in + i) * taps + tap];
        }
    }
    gather(shape, in, x, patches);
    lae_linear(y, out, patches, ordered, b, lae_conv_tokens(shape), taps * in, out);
}

void lae_conv_backward_input(const struct lae_conv_shape *shape, float *dx, const float *dy,
                             const float *w, float *scratch)
{
    size_t taps = taps_of(shape), in = shape->in, out = shape->out;
    float *patches = scratch, *ordered = scratch + patches_size(shape);
    for (size_t o = 0; o < out; o++) {
        for (size_t i = 0; i < in; i++) {
            for (size_t tap = 0; tap < taps; tap++)
                ordered[(i * taps + taps - 1 - tap) * out + o] = w[(o * in + i) * taps + tap];
        }
    }
    gather(shape, out, dy, patches);
    lae_linear(dx, in, patches, ordered, NULL, lae_conv_tokens(shape), taps * out, in);
}

void lae_conv_backward_params(const struct lae_conv_shape *shape, float *dw, float *db,
                              const float *dy, const float *x, float *scratch)
{
    size_t taps = taps_of(shape), in = shape->in, out = shape->out;
    float *patches = scratch, *ordered = scratch + patches_size(shape);
    gather(shape, in, x, patches);
    lae_linear_backward_params(ordered, db, dy, out, patches, lae_conv_tokens(shape), taps * in,
                               out);
    for (size_t o = 0; o < out; o++) {
        for (size_t i = 0; i < in; i++) {
            for (size_t tap = 0; tap < taps; tap++)
                dw[(o * in + i) * taps + tap] = ordered[(o * taps + tap) * in + i];
        }
    }
}
