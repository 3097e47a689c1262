#include "product.h"

#include "lae/base/arena.h"
#include "lae/nn/linear.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PRODUCTS 128 /* a transformer has some forty shapes */

struct product {
    bool of_pair;
    struct lae_product_shape shape;
    struct lae_pair_shape pair;
    struct onednn_product *onednn; /* NULL: OpenBLAS, or a pair in fp32 */
};

struct lae_products {
    struct lae_arithmetic arithmetic;
    struct product items[MAX_PRODUCTS];
    int count;
};

struct lae_runner {
    const struct lae_products *products;
    struct onednn_runner *items[MAX_PRODUCTS];
    void *scratch;
};

bool lae_arithmetic_uses_onednn(struct lae_arithmetic arithmetic)
{
    bool chosen = arithmetic.backend == LAE_BACKEND_AUTO && lae_onednn_is_built_in();
    return chosen || arithmetic.backend == LAE_BACKEND_ONEDNN ||
           arithmetic.precision == LAE_PRECISION_BF16;
}

lae_status lae_arithmetic_check(struct lae_arithmetic arithmetic)
{
    if (!lae_arithmetic_uses_onednn(arithmetic) || lae_onednn_is_built_in()) return NULL;
    bool bf16 = arithmetic.precision == LAE_PRECISION_BF16;
    return lae_bad_input("%s: %s needs oneDNN, which is not built into this program (install "
                         "libdnnl-dev and build again)",
                         bf16 ? "model.precision" : "compute.backend", bf16 ? "bf16" : "onednn");
}

lae_status lae_products_create(struct lae_arithmetic arithmetic, struct lae_products **products)
{
    *products = NULL;
    LAE_TRY(lae_arithmetic_check(arithmetic));
    *products = calloc(1, sizeof **products);
    if (*products == NULL) return lae_out_of_memory(sizeof **products, "the list of products");
    (*products)->arithmetic = arithmetic;
    return NULL;
}

void lae_products_free(struct lae_products *products)
{
    for (int i = 0; products != NULL && i < products->count; i++)
        lae_onednn_product_free(products->items[i].onednn);
    free(products);
}

static bool is_same(const struct lae_product_shape *a, const struct lae_product_shape *b)
{
    return a->rows == b->rows && a->in == b->in && a->out == b->out && a->ldx == b->ldx &&
           a->ldy == b->ldy && a->back == b->back && a->bias == b->bias && a->add == b->add;
}

static lae_status check_room(const struct lae_products *products)
{
    if (products->count < MAX_PRODUCTS) return NULL;
    return lae_failed("more than %d shapes of products", MAX_PRODUCTS);
}

lae_status lae_products_add(struct lae_products *products, const struct lae_product_shape *shape,
                            int *which)
{
    for (*which = 0; *which < products->count; (*which)++)
        if (!products->items[*which].of_pair && is_same(&products->items[*which].shape, shape))
            return NULL;
    LAE_TRY(check_room(products));
    struct product *product = &products->items[products->count];
    *product = (struct product){.shape = *shape};
    if (lae_arithmetic_uses_onednn(products->arithmetic))
        LAE_TRY(lae_onednn_product_create(products->arithmetic.precision, shape, &product->onednn));
    products->count++;
    return NULL;
}

static bool is_same_pair(const struct lae_pair_shape *a, const struct lae_pair_shape *b)
{
    return a->transpose_a == b->transpose_a && a->transpose_b == b->transpose_b && a->m == b->m &&
           a->n == b->n && a->k == b->k && a->lda == b->lda && a->ldb == b->ldb && a->ldc == b->ldc;
}

lae_status lae_products_add_pair(struct lae_products *products, const struct lae_pair_shape *shape,
                                 int *which)
{
    for (*which = 0; *which < products->count; (*which)++)
        if (products->items[*which].of_pair && is_same_pair(&products->items[*which].pair, shape))
            return NULL;
    LAE_TRY(check_room(products));
    struct product *product = &products->items[products->count];
    *product = (struct product){.of_pair = true, .pair = *shape};
    if (products->arithmetic.precision == LAE_PRECISION_BF16)
        LAE_TRY(lae_onednn_pair_create(shape, &product->onednn));
    products->count++;
    return NULL;
}

size_t lae_product_packed(const struct lae_products *products, int which)
{
    const struct onednn_product *onednn = products->items[which].onednn;
    size_t size = onednn == NULL ? 0 : lae_onednn_product_packed(onednn);
    return (size + LAE_ALIGNMENT - 1) / LAE_ALIGNMENT * LAE_ALIGNMENT;
}

lae_status lae_product_pack(const struct lae_products *products, int which, const float *w,
                            void *packed)
{
    return lae_onednn_product_pack(products->items[which].onednn, w, packed);
}

lae_status lae_runner_create(const struct lae_products *products, struct lae_runner **out)
{
    struct lae_runner *runner = *out = calloc(1, sizeof *runner);
    if (runner == NULL) return lae_out_of_memory(sizeof *runner, "a thread's products");
    runner->products = products;
    size_t scratch = LAE_ALIGNMENT;
    for (int i = 0; i < products->count; i++) {
        const struct onednn_product *onednn = products->items[i].onednn;
        if (onednn == NULL) continue;
        LAE_TRY(lae_onednn_runner_create(onednn, &runner->items[i]));
        if (lae_onednn_product_scratch(onednn) > scratch)
            scratch = lae_onednn_product_scratch(onednn);
    }
    runner->scratch = lae_aligned_calloc(scratch, 1);
    if (runner->scratch == NULL) return lae_out_of_memory(scratch, "a thread's products");
    return NULL;
}

void lae_runner_free(struct lae_runner *runner)
{
    if (runner == NULL) return;
    for (int i = 0; i < runner->products->count; i++)
        lae_onednn_runner_free(runner->items[i]);
    free(runner->scratch);
    free(runner);
}

static void run_blas(const struct lae_product_shape *shape, const float *w, const float *b,
                     const float *x, float *y)
{
    float keep = shape->add || shape->bias ? 1.0F : 0.0F;
    for (size_t row = 0; shape->bias && row < shape->rows; row++) {
        float *at = y + row * shape->ldy;
        if (!shape->add) memcpy(at, b, shape->out * sizeof *at);
        for (size_t i = 0; shape->add && i < shape->out; i++)
            at[i] += b[i];
    }
    lae_gemm(false, !shape->back, shape->rows, shape->out, shape->in, 1.0F, x, shape->ldx, w,
             shape->back ? shape->out : shape->in, keep, y, shape->ldy);
}

void lae_product_run(struct lae_runner *runner, int which, const void *w, const float *b,
                     const float *x, float *y)
{
    if (runner->items[which] != NULL)
        lae_onednn_run(runner->items[which], w, b, x, y, runner->scratch);
    else
        run_blas(&runner->products->items[which].shape, w, b, x, y);
}

void lae_pair_run(struct lae_runner *runner, int which, const float *a, const float *b, float *c)
{
    if (runner->items[which] != NULL) {
        lae_onednn_run(runner->items[which], b, NULL, a, c, runner->scratch);
        return;
    }
    const struct lae_pair_shape *shape = &runner->products->items[which].pair;
    /* oneDNN's is the quicker one where a side is as short as a head. */
    lae_gemm_function *gemm =
        lae_arithmetic_uses_onednn(runner->products->arithmetic) ? lae_onednn_gemm : lae_gemm;
    gemm(shape->transpose_a, shape->transpose_b, shape->m, shape->n, shape->k, 1.0F, a, shape->lda,
         b, shape->ldb, 0.0F, c, shape->ldc);
}
