/* The one flat vector, described by a table of named tensors.
 *
 * Everything that learns (or is frozen) is a `float *` of table.total entries; a tensor is a range
 * of it. Optimiser, EMA, TIES, gradient sum and checkpoints work on vector and table and know
 * nothing of layers.
 *
 *     theta:  | blocks/0/attn/adapter/down/weight | .../down/bias | ... |
 *             ^ items[0].offset                   ^ items[1].offset     ^ total
 */
#ifndef LAE_PARAMS_TABLE_H
#define LAE_PARAMS_TABLE_H

#include "lae/base/status.h"

#include <stddef.h>

#define LAE_MAX_RANK 8

struct lae_param {
    char *name; /* a path: blocks/0/attn/adapter/down/weight */
    int rank;   /* 0: a scalar */
    size_t shape[LAE_MAX_RANK];
    size_t offset, count; /* in floats */
};

struct lae_table {
    struct lae_param *items;
    size_t count, capacity;
    size_t total; /* floats in the vector */
};

/* Appends a tensor; its data follow those of the tensor before. Errors: memory, too many dimensions
 * or entries. */
lae_status lae_table_add(struct lae_table *table, const char *name, int rank,
                         const size_t *shape) LAE_MUST_CHECK;

/* The tensor of that name, or NULL. */
const struct lae_param *lae_table_find(const struct lae_table *table, const char *name);

void lae_table_free(struct lae_table *table);

#define LAE_SHAPE_TEXT 192

/* "[8, 768]" into text; "scalar" for rank 0. Returns text. */
const char *lae_shape_text(int rank, const size_t *shape, char text[LAE_SHAPE_TEXT]);

/* Product of the extents; 1 for rank 0. SIZE_MAX when it overflows. */
size_t lae_shape_count(int rank, const size_t *shape);

#endif
