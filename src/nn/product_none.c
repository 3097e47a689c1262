/* In the place of product_onednn.c where oneDNN is not there: no product is ever made. */
#include "product.h"

bool lae_onednn_is_built_in(void)
{
    return false;
}

bool lae_bf16_is_native(void)
{
    return false;
}

const char *lae_onednn_version(char *text, size_t size)
{
    (void)text;
    (void)size;
    return NULL;
}

void lae_onednn_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, float alpha,
                     const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
                     size_t ldc)
{
    lae_gemm(transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

lae_status lae_onednn_product_create(enum lae_precision precision,
                                     const struct lae_product_shape *shape,
                                     struct onednn_product **product)
{
    (void)precision;
    (void)shape;
    *product = NULL;
    return lae_failed("oneDNN is not built in");
}

lae_status lae_onednn_pair_create(const struct lae_pair_shape *shape,
                                  struct onednn_product **product)
{
    (void)shape;
    *product = NULL;
    return lae_failed("oneDNN is not built in");
}

void lae_onednn_product_free(struct onednn_product *product)
{
    (void)product;
}

size_t lae_onednn_product_packed(const struct onednn_product *product)
{
    (void)product;
    return 0;
}

lae_status lae_onednn_product_pack(const struct onednn_product *product, const float *w,
                                   void *packed)
{
    (void)product;
    (void)w;
    (void)packed;
    return NULL;
}

size_t lae_onednn_product_scratch(const struct onednn_product *product)
{
    (void)product;
    return 0;
}

lae_status lae_onednn_runner_create(const struct onednn_product *product,
                                    struct onednn_runner **runner)
{
    (void)product;
    *runner = NULL;
    return NULL;
}

void lae_onednn_runner_free(struct onednn_runner *runner)
{
    (void)runner;
}

void lae_onednn_run(struct onednn_runner *runner, const void *w, const float *b, const float *x,
                    float *y, void *scratch)
{
    (void)runner;
    (void)w;
    (void)b;
    (void)x;
    (void)y;
    (void)scratch;
}
