/* DARE (Yu et al., ICML 2024): of every change each entry is dropped with probability 1 - density,
 * what is left is divided by density, so that its expectation stays, and then joined.
 *
 * Which entries are dropped is drawn by counter (merge.h): the same at any number of ranks, after
 * any resumption, and for a task's change in all merges.
 */
#include "changes.h"
#include "methods.h"

#include "lae/base/random.h"

/* Of the change's entries from `first` on; returns how many stay. */
static size_t drop(const struct lae_change *change, const struct lae_random *stream, double density,
                   size_t first, size_t count)
{
    size_t kept = 0;
    for (size_t i = first; i < first + count; i++) {
        if (lae_random_uniform(stream, i) < density)
            kept++;
        else
            change->v[i] = 0.0F;
    }
    return kept;
}

static void drop_all(const struct lae_merge_options *options,
                     const struct lae_merge_vectors *vectors, const struct lae_changes *changes,
                     struct lae_merge_stats *stats)
{
    const struct lae_table *table = vectors->table;
    for (size_t i = 0; i < changes->n; i++) {
        const struct lae_change *change = &changes->items[i];
        struct lae_random stream = lae_random_stream(
            vectors->seed, LAE_RANDOM_DROP, (uint32_t)change->task, change->accumulated, 0);
        for (size_t t = 0; t < table->count; t++) {
            size_t offset = table->items[t].offset, count = table->items[t].count;
            size_t kept = drop(change, &stream, options->density, offset, count);
            lae_changes_note_kept(changes, i, lae_merge_share(kept, count), &stats[t]);
        }
    }
}

lae_status lae_merge_dare_task(const struct lae_merge_options *options,
                               const struct lae_merge_vectors *vectors, int task,
                               struct lae_merge_stats *stats)
{
    struct lae_changes changes;
    lae_merge_measure(options, vectors, stats);
    lae_status status = lae_changes_create(options, vectors, task, &changes);
    if (status == NULL) {
        double weight = options->reduce == LAE_REDUCE_SUM ? 1.0 : lae_changes_weight(&changes);
        drop_all(options, vectors, &changes, stats);
        lae_changes_note_conflicts(&changes, vectors->table, stats);
        for (size_t i = 0; i < changes.count; i++) {
            double merged = lae_changes_sum(&changes, i) / options->density / weight;
            lae_changes_apply(&changes, options, vectors, i, (float)merged);
        }
        lae_merge_measure_result(options, vectors, stats);
    }
    lae_changes_free(&changes);
    return status;
}
