/* Linear discriminant analysis with one covariance for all classes, shrunk towards a multiple of
 * the identity of the same trace (Friedman 1989, Ledoit and Wolf 2004): N - C images span no more
 * than N - C directions, and without it the rest would have no variance at all. */
#include "lae/nn/cholesky.h"

#include "methods.h"

#include <stdlib.h>

/* Images beyond one a class: the directions that their scatter spans at most. */
static int64_t freedom_of(const struct lae_stats *stats)
{
    return lae_stats_images(stats) - (int64_t)lae_stats_known(stats);
}

static double trace_of(const struct lae_stats *stats)
{
    double trace = 0.0;
    for (size_t j = 0; j < stats->width; j++)
        trace += (double)stats->scatter[j * stats->width + j];
    return trace;
}

/* sigma [D, D] = the shrunk covariance's upper triangle; the identity where there is no scatter. */
static void shrink(const struct lae_stats *stats, double share, double *sigma)
{
    size_t width = stats->width;
    double images = freedom_of(stats) > 1 ? (double)freedom_of(stats) : 1.0;
    double trace = trace_of(stats);
    double keep = trace != 0.0 ? (1.0 - share) / images : 0.0;
    double add = trace != 0.0 ? share * trace / images / (double)width : 1.0;
    for (size_t j = 0; j < width; j++) {
        for (size_t k = j; k < width; k++)
            sigma[j * width + k] = keep * (double)stats->scatter[j * width + k];
        sigma[j * width + j] += add;
    }
}

/* Whether the scatter lacks directions that nothing makes up for. Rounding alone would then decide
 * whether the factorization goes through. */
static bool lacks_images(const struct lae_head_options *options, const struct lae_stats *stats)
{
    return options->shrink == 0.0 && trace_of(stats) > 0.0 &&
           freedom_of(stats) < (int64_t)stats->width;
}

static lae_status singular(const struct lae_head_options *options, const struct lae_stats *stats)
{
    return lae_bad_input("heads.shrink %g: the covariance of %zu features over %lld images of %zu "
                         "classes cannot be inverted; raise it",
                         options->shrink, stats->width, (long long)lae_stats_images(stats),
                         lae_stats_known(stats));
}

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
    double *sigma, *w;
    if (lacks_images(options, stats)) return singular(options, stats);
    LAE_TRY(lae_head_new_system(stats->width, stats->classes, "the covariance of features", &sigma,
                                &w));
    shrink(stats, options->shrink, sigma);
    for (size_t i = 0; i < stats->classes * stats->width; i++)
        w[i] = (double)stats->mean[i];
    bool solved = lae_cholesky_solve(sigma, stats->width, w, stats->classes);
    if (solved) write_head(stats, w, head);
    free(sigma);
    return solved ? NULL : singular(options, stats);
}
