#include "vit.h"

#include <math.h>
#include <string.h>

#define CUBIC_A (-0.75)

/* Cubic convolution (Keys 1981) at distance t from a sample. */
static double cubic(double t)
{
    t = fabs(t);
    if (t <= 1.0) return ((CUBIC_A + 2.0) * t - (CUBIC_A + 3.0)) * t * t + 1.0;
    if (t < 2.0) return ((CUBIC_A * t - 5.0 * CUBIC_A) * t + 8.0 * CUBIC_A) * t - 4.0 * CUBIC_A;
    return 0.0;
}

/* The four samples and weights that make sample `at` of `to`, out of `from`; borders repeat. */
static void taps(size_t at, size_t to, size_t from, size_t index[4], double weight[4])
{
    double centre = ((double)at + 0.5) * (double)from / (double)to - 0.5;
    double first = floor(centre) - 1.0;
    for (int i = 0; i < 4; i++) {
        double sample = first + i;
        weight[i] = cubic(centre - sample);
        double last = (double)from - 1.0;
        index[i] = (size_t)(sample < 0.0 ? 0.0 : sample > last ? last : sample);
    }
}

void lae_vit_resize_positions(float *out, size_t to, const float *in, size_t from, size_t prefix,
                              size_t width)
{
    size_t copied = to == from ? prefix + to * to : prefix;
    memcpy(out, in, copied * width * sizeof *out);
    if (to == from) return;
    const float *grid = in + prefix * width;
    for (size_t row = 0; row < to; row++) {
        size_t rows[4], cols[4];
        double row_weight[4], col_weight[4];
        taps(row, to, from, rows, row_weight);
        for (size_t col = 0; col < to; col++) {
            taps(col, to, from, cols, col_weight);
            float *cell = out + (prefix + row * to + col) * width;
            for (size_t c = 0; c < width; c++) {
                double sum = 0.0;
                for (int i = 0; i < 4; i++)
                    for (int j = 0; j < 4; j++)
                        sum += row_weight[i] * col_weight[j] *
                               (double)grid[(rows[i] * from + cols[j]) * width + c];
                cell[c] = (float)sum;
            }
        }
    }
}
