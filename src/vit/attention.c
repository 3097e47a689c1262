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

static float score_scale(const struct attention *shape)
{
    return 1.0F / sqrtf((float)shape->head_dim);
}

/* p [queries, keys]: the first L columns become p / s, s into sums [queries]. */
static void normalise_inserted(const struct attention *shape, float *p, size_t keys, float *sums)
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
static void normalise_inserted_backward(const struct attention *shape, float *p, float *dp,
                                        size_t keys, const float *sums)
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

void attention_forward(const struct attention *shape, const float *qkv, float *weights,
                       float *inserted_sum, float *out)
{
    size_t d = shape->width, step = 3 * d, keys = shape->inserted + shape->tokens;
    for (size_t head = 0; head < shape->heads; head++) {
        const float *key = qkv + d + head * shape->head_dim, *value = key + d;
        const float *query = key - d + shape->inserted * step;
        float *p = weights + head * shape->queries * keys;
        shape->gemm(false, true, shape->queries, keys, shape->head_dim, 1.0F, query, step, key,
                    step, 0.0F, p, keys);
        shape->kernels->softmax(p, shape->queries, keys, keys, score_scale(shape));
        if (shape->inserted > 0)
            normalise_inserted(shape, p, keys, inserted_sum + head * shape->queries);
        shape->gemm(false, false, shape->queries, shape->head_dim, keys, 1.0F, p, keys, value, step,
                    0.0F, out + head * shape->head_dim, d);
    }
}

void attention_backward(const struct attention *shape, const float *qkv, float *weights,
                        const float *inserted_sum, const float *d_out, bool want_queries,
                        float *d_qkv, float *scratch)
{
    size_t d = shape->width, step = 3 * d, keys = shape->inserted + shape->tokens;
    size_t dim = shape->head_dim, rows = shape->queries;
    for (size_t head = 0; head < shape->heads; head++) {
        const float *key = qkv + d + head * dim, *value = key + d;
        const float *query = key - d + shape->inserted * step;
        const float *d_head = d_out + head * dim;
        float *d_key = d_qkv + d + head * dim, *d_value = d_key + d;
        float *d_query = d_key - d + shape->inserted * step;
        float *p = weights + head * rows * keys;

        shape->gemm(true, false, keys, dim, rows, 1.0F, p, keys, d_head, d, 0.0F, d_value, step);
        shape->gemm(false, true, rows, keys, dim, 1.0F, d_head, d, value, step, 0.0F, scratch,
                    keys);
        if (shape->inserted > 0)
            normalise_inserted_backward(shape, p, scratch, keys, inserted_sum + head * rows);
        shape->kernels->softmax_backward(scratch, p, rows, keys, keys, score_scale(shape));
        shape->gemm(true, false, keys, dim, rows, 1.0F, scratch, keys, query, step, 0.0F, d_key,
                    step);
        if (want_queries)
            shape->gemm(false, false, rows, dim, keys, 1.0F, scratch, keys, key, step, 0.0F,
                        d_query, step);
    }
}
