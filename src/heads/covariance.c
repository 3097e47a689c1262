/* One covariance for all classes, shrunk towards a multiple of the identity of the same trace
 * (Friedman 1989, Ledoit and Wolf 2004): N - C images span no more than N - C directions, and
 * without it the rest would have no variance at all. */
#include "lae/nn/cholesky.h"

#include "methods.h"

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

lae_status lae_head_factor_covariance(const struct lae_head_options *options,
                                      const struct lae_stats *stats, double *factor)
{
    if (lacks_images(options, stats)) return singular(options, stats);
    shrink(stats, options->shrink, factor);
    return lae_cholesky_factor(factor, stats->width) ? NULL : singular(options, stats);
}
