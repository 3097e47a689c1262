/* Multi-head attention of one image between given queries, keys and values. */
#ifndef LAE_SRC_VIT_ATTENTION_H
#define LAE_SRC_VIT_ATTENTION_H

#include "lae/nn/kernels.h"
#include "lae/nn/linear.h"

#include <stdbool.h>
#include <stddef.h>

struct attention {
    const struct lae_kernels *kernels;
    lae_gemm_function *gemm;
    size_t width, heads, head_dim;
    size_t queries; /* rows that are wanted: N, or 1 in the last block */
    size_t
        inserted;  /* L key rows before the tokens' (prefix); their weights are made to sum to 1 */
    size_t tokens; /* N */
};

/* The rows of queries, keys and values are those of one matrix qkv [L + N, 3D]: row r holds query,
 * key and value of key row r; token i is key row L + i; queries of inserted rows do not exist.
 *
 * out [queries, D] is written; weights [heads, queries, L + N] and inserted_sum [heads, queries]
 * (unused when L is 0) are kept for backward. */
void attention_forward(const struct attention *shape, const float *qkv, float *weights,
                       float *inserted_sum, float *out);

/* d_out [queries, D] to d_qkv [L + N, 3D]: keys and values are written; the wanted rows of queries
 * too if `want_queries`. weights is destroyed; scratch [queries, L + N]. */
void attention_backward(const struct attention *shape, const float *qkv, float *weights,
                        const float *inserted_sum, const float *d_out, bool want_queries,
                        float *d_qkv, float *scratch);

#endif
