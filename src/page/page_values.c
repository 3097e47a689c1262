/* Numbers that both figures and tables of the page show. */
#include "sections.h"

#include <math.h>
#include <stddef.h>

#define FIELD(field) offsetof(struct lae_merge_stats, field)

#define TRIMMED(module) "Of " module "'s change no entry was left out."

const struct lae_page_merge_value lae_page_merge_values[LAE_PAGE_MERGE_VALUES] = {
    {"kept_online", "Share kept of online's change", "share of entries", 1.0, TRIMMED("online"),
     FIELD(kept_online)},
    {"kept_offline", "Share kept of offline's change", "share of entries", 1.0, TRIMMED("offline"),
     FIELD(kept_offline)},
    {"conflict", "Sign conflicts", "share of entries", 0.0,
     "In no merge have the changes of online and offline opposite signs in an entry that was kept: "
     "they share their history, and nothing is to be elected.",
     FIELD(conflict)},
    {"norm_online", "Norm of online's change", "Euclidean norm", NAN, NULL, FIELD(norm_online)},
    {"norm_offline", "Norm of offline's change, before", "Euclidean norm", NAN, NULL,
     FIELD(norm_offline)},
    {"norm_merged", "Norm of the merged change", "Euclidean norm", NAN, NULL, FIELD(norm_merged)},
};

/* NaN: not known. */
static double merge_value(const struct lae_run *run, int task, int block,
                          const struct lae_page_merge_value *value)
{
    if (task >= run->finished) return NAN;
    const struct lae_block_merges *merges = &run->merges[task];
    struct lae_block_merge found = lae_block_merges_all(merges);
    for (size_t i = 0; block >= 0 && i < merges->count; i++)
        if (merges->items[i].block == block) found = merges->items[i];
    if (found.count == 0 || found.block != block) return NAN;
    return *(const double *)((const char *)&found.stats + value->offset);
}

struct lae_moments lae_page_merge_moments(const struct lae_group *group, int task, int block,
                                          const struct lae_page_merge_value *value)
{
    struct lae_moments moments = {0};
    for (size_t i = 0; i < group->count; i++)
        lae_moments_add(&moments, merge_value(group->runs[i], task, block, value));
    return lae_moments_end(moments);
}

int lae_page_merge_blocks(const struct lae_group *group)
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

bool lae_page_merge_tells(const struct lae_group *group, const struct lae_page_merge_value *value)
{
    if (isnan(value->idle)) return true;
    for (int task = 1; task < group->finished; task++)
        for (int block = 0; block < lae_page_merge_blocks(group); block++) {
            struct lae_moments m = lae_page_merge_moments(group, task, block, value);
            if (m.count > 0 && (m.mean < value->idle || m.mean > value->idle)) return true;
        }
    return false;
}

struct lae_moments lae_page_epoch_moments(const struct lae_group *group, int task, bool accuracy)
{
    struct lae_moments moments = {0};
    for (size_t i = 0; i < group->count; i++) {
        const struct lae_curve_point *last = lae_curve_last(&group->runs[i]->epochs, task);
        if (last != NULL) lae_moments_add(&moments, accuracy ? last->accuracy : last->loss);
    }
    return lae_moments_end(moments);
}

#define MATRIX_ROWS 100

int lae_page_matrix_step(const struct lae_group *group)
{
    return group->finished > MATRIX_ROWS ? (group->finished + MATRIX_ROWS - 1) / MATRIX_ROWS : 1;
}
