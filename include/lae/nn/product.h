/* Products at fixed shapes: with frozen weights, y = x W^T + b, and the way back, y = x W; and of
 * pairs of matrices that are both made on the way, as in attention.
 *
 * A shape is declared once and its weights are packed once, into the layout that the backend likes;
 * then it is computed millions of times, by many threads at once. The set of products and the
 * packed weights are only read; each thread has a runner of its own.
 *
 *     openblas  fp32   takes the weights as stored, and packs them anew in every call
 *     onednn    fp32   weights packed once
 *     onednn    bf16   weights packed once, inputs rounded to bf16; sums, bias and y in fp32
 *
 * A pair is multiplied in fp32 by the backend's plain product, and in bf16 after both are rounded.
 */
#ifndef LAE_NN_PRODUCT_H
#define LAE_NN_PRODUCT_H

#include "lae/base/status.h"
#include "lae/nn/linear.h"

#include <stdbool.h>
#include <stddef.h>

/* auto: oneDNN where it is built in. */
enum lae_backend { LAE_BACKEND_AUTO, LAE_BACKEND_OPENBLAS, LAE_BACKEND_ONEDNN };
enum lae_precision { LAE_PRECISION_FP32, LAE_PRECISION_BF16 };

/* What multiplies. bf16 is oneDNN's, whatever the backend. */
struct lae_arithmetic {
    enum lae_backend backend;
    enum lae_precision precision;
};

/* Errors: what is wanted needs oneDNN, which is not built in. */
lae_status lae_arithmetic_check(struct lae_arithmetic arithmetic) LAE_MUST_CHECK;

/* Whether that uses oneDNN. */
bool lae_arithmetic_uses_onednn(struct lae_arithmetic arithmetic);

/* Whether oneDNN is built in; and whether this processor multiplies bf16 by instructions for it. */
bool lae_onednn_is_built_in(void);
bool lae_bf16_is_native(void);

/* "oneDNN 2.6.3 avx512_core_bf16", or NULL where it is not built in. */
const char *lae_onednn_version(char *text, size_t size);

struct lae_product_shape {
    size_t rows, in, out; /* x [rows, in], y [rows, out] */
    size_t ldx, ldy;      /* row strides of x and y */
    bool back;            /* false: w is [out, in] and used transposed; true: w is [in, out] */
    bool bias;            /* + b [out] */
    bool add;             /* y += */
};

/* c = op(a) op(b): op(a) [m, k], op(b) [k, n], c [m, n]; op transposes or does nothing. */
struct lae_pair_shape {
    bool transpose_a, transpose_b;
    size_t m, n, k;
    size_t lda, ldb, ldc; /* row strides of a, b and c as stored */
};

struct lae_products;

/* An empty set. Errors: as lae_arithmetic_check; memory. */
lae_status lae_products_create(struct lae_arithmetic arithmetic,
                               struct lae_products **products) LAE_MUST_CHECK;
void lae_products_free(struct lae_products *products); /* NULL is allowed */

/* Declares a product; *which becomes its number in the set. The same shape gets the same number. */
lae_status lae_products_add(struct lae_products *products, const struct lae_product_shape *shape,
                            int *which) LAE_MUST_CHECK;

/* Declares the product of a pair, in the same numbering. */
lae_status lae_products_add_pair(struct lae_products *products, const struct lae_pair_shape *shape,
                                 int *which) LAE_MUST_CHECK;

/* Bytes of a product's packed weights (not of a pair), a multiple of LAE_ALIGNMENT; 0: it takes
 * them as stored. */
size_t lae_product_packed(const struct lae_products *products, int which);

/* w as stored into packed [lae_product_packed], which must be aligned to LAE_ALIGNMENT. */
lae_status lae_product_pack(const struct lae_products *products, int which, const float *w,
                            void *packed) LAE_MUST_CHECK;

struct lae_runner;

/* What one thread needs to compute the products of a finished set, which must outlive it. */
lae_status lae_runner_create(const struct lae_products *products,
                             struct lae_runner **runner) LAE_MUST_CHECK;
void lae_runner_free(struct lae_runner *runner); /* NULL is allowed */

/* y = x op(w) (+ b) (+ y). `w`: packed, or as stored where lae_product_packed is 0. */
void lae_product_run(struct lae_runner *runner, int which, const void *w, const float *b,
                     const float *x, float *y);

/* c = op(a) op(b). */
void lae_pair_run(struct lae_runner *runner, int which, const float *a, const float *b, float *c);

#endif
