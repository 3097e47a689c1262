/* Task arithmetic (Ilharco et al., ICLR 2023): the base plus a multiple of the sum of all changes.
 */
#include "changes.h"
#include "methods.h"

lae_status lae_merge_arithmetic_task(const struct lae_merge_options *options,
                                     const struct lae_merge_vectors *vectors, int task,
                                     struct lae_merge_stats *stats)
{
    struct lae_changes changes;
    lae_merge_measure(options, vectors, stats);
    lae_status status = lae_changes_create(options, vectors, task, &changes);
    if (status == NULL) {
        lae_changes_note_conflicts(&changes, vectors->table, stats);
        for (size_t i = 0; i < changes.count; i++)
            lae_changes_apply(&changes, options, vectors, i, (float)lae_changes_sum(&changes, i));
        lae_merge_measure_result(options, vectors, stats);
    }
    lae_changes_free(&changes);
    return status;
}
