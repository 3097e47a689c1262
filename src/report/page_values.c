/* Numbers that both figures and tables of the page show. */
#include "page.h"

#include <math.h>
#include <stddef.h>

#define FIELD(field) offsetof(struct lae_merge_stats, field)

const struct page_merge_value page_merge_values[PAGE_MERGE_VALUES] = {
    {"kept_online", "Share kept of online's change", "share of entries", true, FIELD(kept_online)},
    {"kept_offline", "Share kept of offline's change", "share of entries", true,
     FIELD(kept_offline)},
    {"conflict", "Sign conflicts", "share of entries", false, FIELD(conflict)},
    {"norm_online", "Norm of online's change", "Euclidean norm", false, FIELD(norm_online)},
    {"norm_offline", "Norm of offline's change, before", "Euclidean norm", false,
     FIELD(norm_offline)},
    {"norm_merged", "Norm of the merged change", "Euclidean norm", false, FIELD(norm_merged)},
};

/* NaN: not known. */
static double merge_value(const struct lae_run *run, int task, int block,
                          const struct page_merge_value *value)
{
    if (task >= run->finished) return NAN;
    const struct lae_block_merges *merges = &run->merges[task];
    struct lae_block_merge found = lae_block_merges_all(merges);
    for (size_t i = 0; block >= 0 && i < merges->count; i++)
        if (merges->items[i].block == block) found = merges->items[i];
    if (found.count == 0 || found.block != block) return NAN;
    return *(const double *)((const char *)&found.stats + value->offset);
}

struct lae_moments page_merge_moments(const struct lae_group *group, int task, int block,
                                      const struct page_merge_value *value)
{
    struct lae_moments moments = {0};
    for (size_t i = 0; i < group->count; i++)
        lae_moments_add(&moments, merge_value(group->runs[i], task, block, value));
    return lae_moments_end(moments);
}

int page_merge_blocks(const struct lae_group *group)
{
    int blocks = 0;
    for (size_t i = 0; i < group->count; i++)
        for (int task = 0; task < group->runs[i]->finished; task++) {
            const struct lae_block_merges *merges = &group->runs[i]->merges[task];
            if (merges->count == 0) continue;
            int last = merges->items[merges->count - 1].block;
            if (last >= blocks) blocks = last + 1;
        }
    return blocks;
}

struct lae_moments page_epoch_moments(const struct lae_group *group, int task, bool accuracy)
{
    struct lae_moments moments = {0};
    for (size_t i = 0; i < group->count; i++) {
        const struct lae_curve_point *last = lae_curve_last(&group->runs[i]->epochs, task);
        if (last != NULL) lae_moments_add(&moments, accuracy ? last->accuracy : last->loss);
    }
    return lae_moments_end(moments);
}

#define MATRIX_ROWS 100

int page_matrix_step(const struct lae_group *group)
{
    return (group->finished + MATRIX_ROWS - 1) / MATRIX_ROWS;
}
