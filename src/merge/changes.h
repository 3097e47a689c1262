/* The changes that a merge joins, as merge.h lists them; for this room only. */
#ifndef LAE_MERGE_CHANGES_H
#define LAE_MERGE_CHANGES_H

#include "lae/merge/merge.h"

struct lae_change {
    float *v; /* [count] */
    double weight;
    int task;         /* that it ends with */
    bool accumulated; /* it is the pair's offline */
};

struct lae_changes {
    struct lae_change *items; /* [n], n >= 1 */
    size_t n, count;          /* count: entries of each */
    const float *base;        /* [count] what they are added to */
    float *memory;
};

/* The changes of the merge after task `task` >= 1, all entries there. Errors: memory; lae_changes_free
 * is owed all the same. */
lae_status lae_changes_create(const struct lae_merge_options *options,
                              const struct lae_merge_vectors *vectors, int task,
                              struct lae_changes *changes) LAE_MUST_CHECK;
void lae_changes_free(struct lae_changes *changes);

/* w_0 v_0 + w_1 v_1 + ... of one entry, and w_0 + w_1 + ... */
double lae_changes_sum(const struct lae_changes *changes, size_t entry);
double lae_changes_weight(const struct lae_changes *changes);

/* Notes in a tensor's statistics that `share` of its entries in change `which` are kept. To be
 * called for all changes, in their order. */
void lae_changes_note_kept(const struct lae_changes *changes, size_t which, double share,
                           struct lae_merge_stats *stats);

/* Writes `conflict` of all tensors. */
void lae_changes_note_conflicts(const struct lae_changes *changes, const struct lae_table *table,
                                struct lae_merge_stats *stats);

/* offline = base + scale * merged, of one entry. */
void lae_changes_apply(const struct lae_changes *changes, const struct lae_merge_options *options,
                       const struct lae_merge_vectors *vectors, size_t entry, float merged);

#endif
