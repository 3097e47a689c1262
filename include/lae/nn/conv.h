/* k x k convolution over tokens: zero padding k/2, stride 1, forward and backward.
 *
 * Tokens are rows of [tokens, channels]: first `singles`, each an image of one pixel that meets the
 * kernel's centre tap alone (a class token), then a grid of rows x cols, row by row. Weights are
 * [out, in, k, k], as PyTorch stores them.
 */
#ifndef LAE_NN_CONV_H
#define LAE_NN_CONV_H

#include <stddef.h>

struct lae_conv_shape {
    size_t singles;
    size_t rows, cols; /* 0 x 0: no grid */
    size_t in, out;    /* channels */
    size_t kernel;     /* k, odd */
};

/* singles + rows * cols */
size_t lae_conv_tokens(const struct lae_conv_shape *shape);

/* Floats of scratch memory that each of the functions below needs. */
size_t lae_conv_scratch(const struct lae_conv_shape *shape);

/* y[tokens, out] = conv(x[tokens, in], w) + b[out]. */
void lae_conv(const struct lae_conv_shape *shape, float *y, const float *x, const float *w,
              const float *b, float *scratch);

/* dx[tokens, in] from dy[tokens, out]. */
void lae_conv_backward_input(const struct lae_conv_shape *shape, float *dx, const float *dy,
                             const float *w, float *scratch);

/* dw[out, in, k, k] and db[out] from dy[tokens, out] and the forward pass's x. */
void lae_conv_backward_params(const struct lae_conv_shape *shape, float *dw, float *db,
                              const float *dy, const float *x, float *scratch);

#endif
