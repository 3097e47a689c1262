/* Linear discriminant analysis: Gaussian classes of one covariance (covariance.c) and equal weight.
 */
#include "lae/nn/cholesky.h"

#include "methods.h"

#include <stdlib.h>

static void write_head(const struct lae_stats *stats, const double *w, struct lae_head *head)
{
    for (size_t c = 0; c < head->classes; c++) {
        double product = 0.0;
        for (size_t k = 0; k < head->width; k++) {
            size_t at = c * head->width + k;
            head->weight[at] = (float)w[at];
            product += w[at] * (double)stats->mean[at];
        }
        head->bias[c] = (float)(-product / 2.0);
    }
}

lae_status lae_head_lda_fit(const struct lae_head_options *options, const struct lae_stats *stats,
                            struct lae_head *head)
{
    double *factor, *w;
    LAE_TRY(lae_head_new_system(stats->width, stats->classes, "the covariance of features", &factor,
                                &w));
    lae_status status = lae_head_factor_covariance(options, stats, factor);
    if (status == NULL) {
        for (size_t i = 0; i < stats->classes * stats->width; i++)
            w[i] = (double)stats->mean[i];
        lae_cholesky_solve(factor, stats->width, w, stats->classes);
        write_head(stats, w, head);
    }
    free(factor);
    return status;
}
