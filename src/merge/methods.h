/* What the methods' files offer to the table in merge.c, and what they share; for this room only.
 */
#ifndef LAE_MERGE_METHODS_H
#define LAE_MERGE_METHODS_H

#include "lae/merge/merge.h"

void lae_merge_ema_step(const struct lae_merge_options *options,
                        const struct lae_merge_vectors *vectors);

lae_status lae_merge_ema_task(const struct lae_merge_options *options,
                              const struct lae_merge_vectors *vectors, int task,
                              struct lae_merge_stats *stats) LAE_MUST_CHECK;

lae_status lae_merge_mean_task(const struct lae_merge_options *options,
                               const struct lae_merge_vectors *vectors, int task,
                               struct lae_merge_stats *stats) LAE_MUST_CHECK;

lae_status lae_merge_arithmetic_task(const struct lae_merge_options *options,
                                     const struct lae_merge_vectors *vectors, int task,
                                     struct lae_merge_stats *stats) LAE_MUST_CHECK;

lae_status lae_merge_ties_task(const struct lae_merge_options *options,
                               const struct lae_merge_vectors *vectors, int task,
                               struct lae_merge_stats *stats) LAE_MUST_CHECK;

lae_status lae_merge_dare_task(const struct lae_merge_options *options,
                               const struct lae_merge_vectors *vectors, int task,
                               struct lae_merge_stats *stats) LAE_MUST_CHECK;

/* What the options' changes are added to; one of the vectors. */
const float *lae_merge_base(const struct lae_merge_options *options,
                            const struct lae_merge_vectors *vectors);

/* Statistics of online and offline as they stand: all kept, how many signs conflict, norms. */
void lae_merge_measure(const struct lae_merge_options *options,
                       const struct lae_merge_vectors *vectors, struct lae_merge_stats *stats);

/* Writes norm_merged of all tensors from the offline vector as it is now. */
void lae_merge_measure_result(const struct lae_merge_options *options,
                              const struct lae_merge_vectors *vectors,
                              struct lae_merge_stats *stats);

/* part / count; 0 of an empty tensor. */
double lae_merge_share(size_t part, size_t count);

#endif
