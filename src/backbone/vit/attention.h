/* Multi-head attention of one image between given queries, keys and values. */
#ifndef LAE_BACKBONE_VIT_ATTENTION_H
#define LAE_BACKBONE_VIT_ATTENTION_H

#include "vit.h"

#include <stdbool.h>
#include <stddef.h>

struct lae_vit_attention_shape {
    size_t width, heads, head_dim;
    size_t queries; /* rows that are wanted: N, or 1 in the last block */
    size_t
        inserted;  /* L key rows before the tokens' (prefix); their weights are made to sum to 1 */
    size_t tokens; /* N */
};

struct lae_vit_attention_shape lae_vit_attention_shape(const struct lae_vit_dims *dims,
                                                       size_t queries, size_t inserted);

/* Declares one head's products; those of the way back if `back`. */
lae_status lae_vit_attention_declare(const struct lae_vit_attention_shape *shape, bool back,
                                     struct lae_products *products,
                                     struct lae_vit_head *numbers) LAE_MUST_CHECK;

struct lae_vit_attention {
    struct lae_vit_attention_shape shape;
    const struct lae_kernels *kernels;
    const struct lae_vit_head *products; /* as declared for this shape */
    struct lae_runner *runner;
};

/* The rows of queries, keys and values are those of one matrix qkv [L + N, 3D]: row r holds query,
 * key and value of key row r; token i is key row L + i; queries of inserted rows do not exist.
 *
 * out [queries, D] is written; weights [heads, queries, L + N] and inserted_sum [heads, queries]
 * (unused when L is 0) are kept for backward. */
void lae_vit_attention_forward(const struct lae_vit_attention *attention, const float *qkv,
                               float *weights, float *inserted_sum, float *out);

/* d_out [queries, D] to d_qkv [L + N, 3D]: keys and values are written; the wanted rows of queries
 * too if `want_queries`. weights is destroyed; scratch [queries, L + N]. */
void lae_vit_attention_backward(const struct lae_vit_attention *attention, const float *qkv,
                                float *weights, const float *inserted_sum, const float *d_out,
                                bool want_queries, float *d_qkv, float *scratch);

#endif
