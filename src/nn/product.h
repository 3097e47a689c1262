/* What the set of products and the oneDNN backend know of each other. */
#ifndef LAE_SRC_NN_PRODUCT_H
#define LAE_SRC_NN_PRODUCT_H

#include "lae/nn/product.h"

/* lae_gemm by oneDNN. */
lae_gemm_function lae_onednn_gemm;

struct onednn_product; /* one shape, of weights or of a pair; shared by threads */
struct onednn_runner;  /* one shape's, for one thread */

lae_status lae_onednn_product_create(enum lae_precision precision,
                                     const struct lae_product_shape *shape,
                                     struct onednn_product **product) LAE_MUST_CHECK;

/* Of a pair in bf16, whose two matrices are both rounded in every run. */
lae_status lae_onednn_pair_create(const struct lae_pair_shape *shape,
                                  struct onednn_product **product) LAE_MUST_CHECK;
void lae_onednn_product_free(struct onednn_product *product);
size_t lae_onednn_product_packed(const struct onednn_product *product);
lae_status lae_onednn_product_pack(const struct onednn_product *product, const float *w,
                                   void *packed) LAE_MUST_CHECK;

/* Bytes that a run needs for itself; one block of memory serves all products of a thread. */
size_t lae_onednn_product_scratch(const struct onednn_product *product);
lae_status lae_onednn_runner_create(const struct onednn_product *product,
                                    struct onednn_runner **runner) LAE_MUST_CHECK;
void lae_onednn_runner_free(struct onednn_runner *runner);

/* `w`: packed, or a pair's second matrix. `b` NULL: none. */
void lae_onednn_run(struct onednn_runner *runner, const void *w, const float *b, const float *x,
                    float *y, void *scratch);

#endif
