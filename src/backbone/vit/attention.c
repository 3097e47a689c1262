/* Scores, softmax and weighted values head by head, so that one head's weights stay in cache.
 *
 * Inserted rows (prefix tuning): after the softmax over all keys, the weights of the L inserted
 * keys are divided by their own sum s (floor 1e-12), p' = p / s; the others stay. Kept for backward
 * are p' and s.
 */
#include "attention.h"

#include <math.h>
#include <string.h>

#define SUM_FLOOR 1e-12F

struct lae_vit_attention_shape lae_vit_attention_shape(const struct lae_vit_dims *dims,
                                                       size_t queries, size_t inserted)
{
    return (struct lae_vit_attention_shape){
        .width = dims->width,
        .heads = dims->heads,
        .head_dim = dims->head_dim,
        .queries = queries,
        .inserted = inserted,
        .tokens = dims->tokens,
    };
}

lae_status lae_vit_attention_declare(const struct lae_vit_attention_shape *shape, bool back,
                                     struct lae_products *products, struct lae_vit_head *numbers)
{
    size_t rows = shape->queries, keys = shape->inserted + shape->tokens, dim = shape->head_dim;
    size_t d = shape->width, step = 3 * d;
    const struct lae_pair_shape scores = {false, true, rows, keys, dim, step, step, keys};
    const struct lae_pair_shape values = {false, false, rows, dim, keys, keys, step, d};
    const struct lae_pair_shape d_value = {true, false, keys, dim, rows, keys, d, step};
    const struct lae_pair_shape d_weights = {false, true, rows, keys, dim, d, step, keys};
    const struct lae_pair_shape d_key = {true, false, keys, dim, rows, keys, step, step};
    const struct lae_pair_shape d_query = {false, false, rows, dim, keys, keys, step, step};
    LAE_TRY(lae_products_add_pair(products, &scores, &numbers->scores));
    LAE_TRY(lae_products_add_pair(products, &values, &numbers->values));
    if (!back) return NULL;
    LAE_TRY(lae_products_add_pair(products, &d_value, &numbers->d_value));
    LAE_TRY(lae_products_add_pair(products, &d_weights, &numbers->d_weights));
    LAE_TRY(lae_products_add_pair(products, &d_key, &numbers->d_key));
    return lae_products_add_pair(products, &d_query, &numbers->d_query);
}

static float score_scale(const struct lae_vit_attention_shape *shape)
{
    return 1.0F / sqrtf((float)shape->head_dim);
}

/* p [queries, keys]: the first L columns become p / s, s into sums [queries]. */
static void normalise_inserted(const struct lae_vit_attention_shape *shape, float *p, size_t keys,
                               float *sums)
{
    for (size_t row = 0; row < shape->queries; row++, p += keys) {
        float sum = 0.0F;
        for (size_t j = 0; j < shape->inserted; j++)
            sum += p[j];
        sums[row] = sum;
        float divisor = sum > SUM_FLOOR ? sum : SUM_FLOOR;
        for (size_t j = 0; j < shape->inserted; j++)
            p[j] /= divisor;
    }
}

/* Undoes normalise_inserted in p and carries the gradient dp [queries, keys] through it. */
static void normalise_inserted_backward(const struct lae_vit_attention_shape *shape, float *p,
                                        float *dp, size_t keys, const float *sums)
{
    for (size_t row = 0; row < shape->queries; row++, p += keys, dp += keys) {
        bool floored = !(sums[row] > SUM_FLOOR);
        float divisor = floored ? SUM_FLOOR : sums[row];
        float inner = 0.0F;
        for (size_t j = 0; j < shape->inserted && !floored; j++)
            inner += dp[j] * p[j];
        for (size_t j = 0; j < shape->inserted; j++) {
            dp[j] = (dp[j] - inner) / divisor;
            p[j] *= divisor;
        }
    }
}

void lae_vit_attention_forward(const struct lae_vit_attention *attention, const float *qkv,
                               float *weights, float *inserted_sum, float *out)
{
    const struct lae_vit_attention_shape *shape = &attention->shape;
    const struct lae_vit_head *products = attention->products;
    size_t d = shape->width, step = 3 * d, keys = shape->inserted + shape->tokens;
    for (size_t head = 0; head < shape->heads; head++) {
        const float *key = qkv + d + head * shape->head_dim, *value = key + d;
        const float *query = key - d + shape->inserted * step;
        float *p = weights + head * shape->queries * keys;
        lae_pair_run(attention->runner, products->scores, query, key, p);
        attention->kernels->softmax(p, shape->queries, keys, keys, score_scale(shape));
        if (shape->inserted > 0)
            normalise_inserted(shape, p, keys, inserted_sum + head * shape->queries);
        lae_pair_run(attention->runner, products->values, p, value, out + head * shape->head_dim);
    }
}

void lae_vit_attention_backward(const struct lae_vit_attention *attention, const float *qkv,
                                float *weights, const float *inserted_sum, const float *d_out,
                                bool want_queries, float *d_qkv, float *scratch)
{
    const struct lae_vit_attention_shape *shape = &attention->shape;
    const struct lae_vit_head *products = attention->products;
    struct lae_runner *runner = attention->runner;
    size_t d = shape->width, step = 3 * d, keys = shape->inserted + shape->tokens;
    size_t dim = shape->head_dim, rows = shape->queries;
    for (size_t head = 0; head < shape->heads; head++) {
        const float *key = qkv + d + head * dim, *value = key + d;
        const float *query = key - d + shape->inserted * step;
        const float *d_head = d_out + head * dim;
        float *d_key = d_qkv + d + head * dim, *d_value = d_key + d;
        float *d_query = d_key - d + shape->inserted * step;
        float *p = weights + head * rows * keys;

        lae_pair_run(runner, products->d_value, p, d_head, d_value);
        lae_pair_run(runner, products->d_weights, d_head, value, scratch);
        if (shape->inserted > 0)
            normalise_inserted_backward(shape, p, scratch, keys, inserted_sum + head * rows);
        attention->kernels->softmax_backward(scratch, p, rows, keys, keys, score_scale(shape));
        lae_pair_run(runner, products->d_key, scratch, query, d_key);
        if (want_queries) lae_pair_run(runner, products->d_query, scratch, key, d_query);
    }
}
