/* Pillow's 8-bit bilinear and bicubic resize, to the bit.
 *
 * An output pixel i of an axis has its centre at (i + 1/2) * scale of the input, scale = in / out.
 * It is the mean of the input pixels around, weighted by the filter's curve, which is stretched by
 * `scale` where the image shrinks; the curve is cut off at the borders and its weights are
 * normalised. They are rounded to 22 fractional bits, so that all the rest is integer arithmetic
 * and the same everywhere. The horizontal pass rounds to 8 bits before the vertical one starts;
 * this is visible in the result and so part of the definition.
 *
 * Bilinear is a triangle of half width 1. Bicubic is Keys' cubic convolution (1981) with a = -1/2,
 * of half width 2, which goes below 0 and so past both ends of a byte's range.
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

static double half_width(enum lae_filter filter)
{
    return filter == LAE_FILTER_BICUBIC ? 2.0 : 1.0;
}

/* By how much the curve is stretched. */
static double stretch(const struct lae_resize_axis *axis)
{
    double scale = (double)axis->in / axis->out;
    return scale > 1.0 ? scale : 1.0;
}

static double cubic(double x)
{
    const double a = -0.5;
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
    return 0.0;
}

/* The curve at input pixel j, for a pixel whose centre is `centre`. */
static double curve(enum lae_filter filter, int j, double centre, double inverse)
{
    double x = (j - centre + 0.5) * inverse;
    if (x < 0.0) x = -x;
    if (filter == LAE_FILTER_BICUBIC) return cubic(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

/* To nearest, halves away from 0. */
static int32_t to_fixed(double weight)
{
    return (int32_t)(weight * ONE + (weight < 0.0 ? -0.5 : 0.5));
}

/* Fixed-point weights of output pixel i into weight. */
static struct taps weigh(enum lae_filter filter, const struct lae_resize_axis *axis, int i,
                         int32_t *weight)
{
    double support = half_width(filter) * stretch(axis);
    double centre = (i + 0.5) * ((double)axis->in / axis->out);
    int low = (int)(centre - support + 0.5);
    int high = (int)(centre + support + 0.5);
    if (low < 0) low = 0;
    if (high > axis->in) high = axis->in;

    double inverse = 1.0 / stretch(axis), total = 0.0;
    for (int j = low; j < high; j++)
        total += curve(filter, j, centre, inverse);
    for (int j = low; j < high; j++)
        weight[j - low] = to_fixed(curve(filter, j, centre, inverse) / total);
    return (struct taps){low, high - low};
}

/* No sum leaves 32 bits: the sizes of a pixel's weights add up to less than 3/2 in any filter. */
static uint8_t to_byte(int32_t sum)
{
    int32_t value = sum >> FRACTION_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* Column after column, so that one pixel's weights serve all rows. */
static void pass_horizontal(const struct lae_resize_scratch *scratch, const uint8_t *rgb,
                            size_t stride, const struct lae_resize_axis *x, int height)
{
    for (int i = 0; i < x->count; i++) {
        struct taps taps = weigh(scratch->filter, x, x->first + i, scratch->weight);
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
        struct taps taps = weigh(scratch->filter, y, y->first + i, scratch->weight);
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
static size_t max_taps(enum lae_filter filter, const struct lae_resize_axis *axis)
{
    return 2 * (size_t)(half_width(filter) * stretch(axis)) + 3;
}

void lae_resize_place(struct lae_arena *arena, enum lae_filter filter,
                      const struct lae_resize_axis *x, const struct lae_resize_axis *y,
                      struct lae_resize_scratch *scratch)
{
    size_t across = max_taps(filter, x), down = max_taps(filter, y);
    size_t taps = across > down ? across : down;
    scratch->filter = filter;
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
