/* What the heads' files offer to the table in head.c, and what they share; for this room only. */
#ifndef LAE_HEADS_METHODS_H
#define LAE_HEADS_METHODS_H

#include "lae/heads/head.h"

lae_status lae_head_ncm_fit(const struct lae_head_options *options, const struct lae_stats *stats,
                            struct lae_head *head) LAE_MUST_CHECK;
void lae_head_ncm_scores(const struct lae_head *head, const float *phi, float *out);

lae_status lae_head_lda_fit(const struct lae_head_options *options, const struct lae_stats *stats,
                            struct lae_head *head) LAE_MUST_CHECK;

lae_status lae_head_ridge_fit(const struct lae_head_options *options, const struct lae_stats *stats,
                              struct lae_head *head) LAE_MUST_CHECK;
void lae_head_ridge_scores(const struct lae_head *head, const float *phi, float *out);

lae_status lae_head_aligned_fit(const struct lae_head_options *options,
                                const struct lae_stats *stats,
                                struct lae_head *head) LAE_MUST_CHECK;
void lae_head_aligned_scores(const struct lae_head *head, const float *phi, float *out);

/* out[C] = weight phi + bias */
void lae_head_linear_scores(const struct lae_head *head, const float *phi, float *out);

/* Of factor [D, D], zero, the upper triangle = U, where U^T U is the shrunk covariance that lda and
 * aligned take all classes to have; without any scatter it is the identity. Errors: one that cannot
 * be inverted (LAE_BAD_INPUT). */
lae_status lae_head_factor_covariance(const struct lae_head_options *options,
                                      const struct lae_stats *stats, double *factor) LAE_MUST_CHECK;

/* A system matrix [n, n] and right-hand sides rows [count, n], zero, in one block of doubles; free
 * with free(matrix). Errors: memory, for `what`. */
lae_status lae_head_new_system(size_t n, size_t count, const char *what, double **matrix,
                               double **rows) LAE_MUST_CHECK;

#endif
