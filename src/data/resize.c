/* Pillow's 8-bit bilinear resize, to the bit.
 *
 * An output pixel i of an axis has its centre at (i + 1/2) * scale of the input, scale = in / out.
 * It is the mean of the input pixels around, weighted by a triangle whose half width, `support`, is
 * one pixel, or `scale` pixels where the image shrinks; the triangle is cut off at the borders and
 * its weights are normalised. They are rounded to 22 fractional bits, so that all the rest is
 * integer arithmetic and the same everywhere. The horizontal pass rounds to 8 bits before the
 * vertical one starts; this is visible in the result and so part of the definition.
 *
 * Pillow skips a pass whose size does not change. Its weights would be exactly 1 and 0, which
 * copies: no case of its own is needed here.
 */
#include "resize.h"

#define FRACTION_BITS 22
#define ONE (1 << FRACTION_BITS)
#define HALF (1 << (FRACTION_BITS - 1)) /* what sums start from: rounds to nearest */

/* The input pixels of one output pixel: first .. first + count - 1. */
struct taps {
    int first, count;
};

static double filter_scale(const struct lae_resize_axis *axis)
{
    double scale = (double)axis->in / axis->out;
    return scale > 1.0 ? scale : 1.0;
}

/* The triangle at input pixel j, for a pixel whose centre is `centre`. */
static double triangle(int j, double centre, double inverse_support)
{
    double x = (j - centre + 0.5) * inverse_support;
    if (x < 0.0) x = -x;
    return x < 1.0 ? 1.0 - x : 0.0;
}

/* Fixed-point weights of output pixel i into weight. */
static struct taps weigh(const struct lae_resize_axis *axis, int i, int32_t *weight)
{
    double support = filter_scale(axis);
    double centre = (i + 0.5) * ((double)axis->in / axis->out);
    int low = (int)(centre - support + 0.5);
    int high = (int)(centre + support + 0.5);
    if (low < 0) low = 0;
    if (high > axis->in) high = axis->in;

    double inverse = 1.0 / support, total = 0.0;
    for (int j = low; j < high; j++)
        total += triangle(j, centre, inverse);
    for (int j = low; j < high; j++)
        weight[j - low] = (int32_t)(0.5 + triangle(j, centre, inverse) / total * ONE);
    return (struct taps){low, high - low};
}

/* Nothing to clip: the weights are not negative, and 2^14 taps (LAE_MAX_SIDE) rounded by 2^-23 each
 * add at most 2^-9 to their sum of 1, which cannot lift 255.5 to 256. */
static uint8_t to_byte(int32_t sum)
{
    return (uint8_t)(sum >> FRACTION_BITS);
}

/* Column after column, so that one pixel's weights serve all rows. */
static void pass_horizontal(const struct lae_resize_scratch *scratch, const uint8_t *rgb,
                            size_t stride, const struct lae_resize_axis *x, int height)
{
    for (int i = 0; i < x->count; i++) {
        struct taps taps = weigh(x, x->first + i, scratch->weight);
        const uint8_t *from = rgb + 3 * (size_t)taps.first;
        uint8_t *to = scratch->rows + 3 * (size_t)i;
        for (int row = 0; row < height; row++) {
            int32_t r = HALF, g = HALF, b = HALF;
            for (int k = 0; k < taps.count; k++) {
                int32_t weight = scratch->weight[k];
                r += weight * from[3 * k];
                g += weight * from[3 * k + 1];
                b += weight * from[3 * k + 2];
            }
            to[0] = to_byte(r);
            to[1] = to_byte(g);
            to[2] = to_byte(b);
            from += stride;
            to += 3 * (size_t)x->count;
        }
    }
}

/* Row after row; the loops over a row are what the compiler vectorises. */
static void pass_vertical(const struct lae_resize_scratch *scratch, size_t row_bytes,
                          const struct lae_resize_axis *y, uint8_t *out)
{
    int32_t *restrict sum = scratch->sum;
    for (int i = 0; i < y->count; i++) {
        struct taps taps = weigh(y, y->first + i, scratch->weight);
        for (size_t j = 0; j < row_bytes; j++)
            sum[j] = HALF;
        for (int k = 0; k < taps.count; k++) {
            const uint8_t *from = scratch->rows + (size_t)(taps.first + k) * row_bytes;
            int32_t weight = scratch->weight[k];
            for (size_t j = 0; j < row_bytes; j++)
                sum[j] += weight * from[j];
        }
        for (size_t j = 0; j < row_bytes; j++)
            out[j] = to_byte(sum[j]);
        out += row_bytes;
    }
}

/* Upper bound of an output pixel's taps. */
static size_t max_taps(const struct lae_resize_axis *axis)
{
    return 2 * (size_t)filter_scale(axis) + 3;
}

void lae_resize_place(struct lae_arena *arena, const struct lae_resize_axis *x,
                      const struct lae_resize_axis *y, struct lae_resize_scratch *scratch)
{
    size_t taps = max_taps(x) > max_taps(y) ? max_taps(x) : max_taps(y);
    size_t row_bytes = 3 * (size_t)x->count;
    scratch->weight = lae_arena_take(arena, taps * sizeof *scratch->weight);
    scratch->sum = lae_arena_take(arena, row_bytes * sizeof *scratch->sum);
    scratch->rows = lae_arena_take(arena, (size_t)y->in * row_bytes);
}

void lae_resize_window(const struct lae_resize_scratch *scratch, const uint8_t *rgb, size_t stride,
                       const struct lae_resize_axis *x, const struct lae_resize_axis *y,
                       uint8_t *out)
{
    pass_horizontal(scratch, rgb, stride, x, y->in);
    pass_vertical(scratch, 3 * (size_t)x->count, y, out);
}
