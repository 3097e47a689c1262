/* Merge statistics of tensors taken together by block: shares as means over the entries, norms as
 * the norm of all entries. */
#ifndef LAE_REPORT_BLOCKS_H
#define LAE_REPORT_BLOCKS_H

#include "lae/merge/merge.h"

struct lae_block_merge {
    int block;    /* of the tensors' names, blocks/I/...; -1: all of them together */
    size_t count; /* entries */
    struct lae_merge_stats stats;
};

/* By number of block; an empty one is zeroed. */
struct lae_block_merges {
    struct lae_block_merge *items;
    size_t count;
};

/* Takes in a tensor of `count` entries. Errors: memory. */
lae_status lae_block_merges_add(struct lae_block_merges *merges, const char *name, size_t count,
                                const struct lae_merge_stats *stats) LAE_MUST_CHECK;

/* All blocks together. */
struct lae_block_merge lae_block_merges_all(const struct lae_block_merges *merges);

void lae_block_merges_free(struct lae_block_merges *merges);

#endif
