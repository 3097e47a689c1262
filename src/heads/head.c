#include "lae/heads/head.h"

#include "lae/base/arena.h"
#include "lae/nn/linear.h"

#include "methods.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct lae_head_method methods[] = {
    {"ncm", "nearest class mean: the cosine to the mean feature of each class", false,
     lae_head_ncm_fit, lae_head_ncm_scores},
    {"lda", "linear discriminant: class means under one shared, shrunk covariance", false,
     lae_head_lda_fit, lae_head_linear_scores},
    {"aligned", "the linear heads, trained again on drawn features (SLCA, Zhang et al. 2023)",
     false, lae_head_aligned_fit, lae_head_aligned_scores},
    {"ridge", "ridge regression on random features (RanPAC, McDonnell et al. 2023)", true,
     lae_head_ridge_fit, lae_head_ridge_scores},
    {0},
};
_Static_assert(sizeof methods / sizeof methods[0] <= LAE_MAX_HEADS + 1,
               "LAE_MAX_HEADS counts them");

const struct lae_head_method *lae_head_methods(void)
{
    return methods;
}

const struct lae_head_method *lae_head_find(const char *name)
{
    for (const struct lae_head_method *method = methods; method->name != NULL; method++)
        if (strcmp(method->name, name) == 0) return method;
    return NULL;
}

lae_status lae_head_new_system(size_t n, size_t count, const char *what, double **matrix,
                               double **rows)
{
    *matrix = lae_aligned_calloc(n * (n + count), sizeof **matrix);
    if (*matrix == NULL)
        return lae_out_of_memory((double)n * (double)(n + count) * sizeof **matrix, what);
    *rows = *matrix + n * n;
    return NULL;
}

void lae_head_linear_scores(const struct lae_head *head, const float *phi, float *out)
{
    lae_linear(out, head->classes, phi, head->weight, head->bias, 1, head->width, head->classes);
}

void lae_head_scores(const struct lae_head *head, const float *phi, float *out)
{
    head->method->scores(head, phi, out);
}

static lae_status check_fit(const struct lae_head_method *method, const struct lae_stats *stats,
                            const struct lae_lift *lift)
{
    if (method->lifted != (lift != NULL))
        return lae_failed("head %s takes %s features", method->name,
                          method->lifted ? "random" : "no random");
    if (lift != NULL && lift->out != stats->width)
        return lae_failed("head %s: statistics of %zu features, but there are %zu random ones",
                          method->name, stats->width, lift->out);
    if (lae_stats_known(stats) == 0)
        return lae_failed("head %s: no class has images", method->name);
    return NULL;
}

lae_status lae_head_create(const struct lae_head_method *method, const struct lae_lift *lift,
                           size_t classes, size_t width, struct lae_head *head)
{
    *head = (struct lae_head){
        .method = method,
        .lift = lift,
        .classes = classes,
        .width = width,
        .weight = lae_aligned_calloc(classes * width, sizeof *head->weight),
        .bias = lae_aligned_calloc(classes, sizeof *head->bias),
    };
    if (head->weight != NULL && head->bias != NULL) return NULL;
    lae_head_free(head);
    return lae_out_of_memory(classes * (width + 1) * sizeof(float), "a head");
}

static bool is_finite(const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

static lae_status check_head(const struct lae_head *head)
{
    if (is_finite(head->weight, head->classes * head->width) &&
        is_finite(head->bias, head->classes))
        return NULL;
    return lae_failed("head %s: its weights are not finite; the class statistics hold values that "
                      "are not, or too large ones",
                      head->method->name);
}

lae_status lae_head_fit(const struct lae_head_options *options, const struct lae_stats *stats,
                        const struct lae_lift *lift, struct lae_head *head)
{
    *head = (struct lae_head){0};
    LAE_TRY(check_fit(options->method, stats, lift));
    LAE_TRY(lae_head_create(options->method, lift, stats->classes, stats->width, head));
    lae_status status = options->method->fit(options, stats, head);
    if (status == NULL) status = check_head(head);
    if (status != NULL) {
        lae_head_free(head);
        return status;
    }
    for (size_t c = 0; c < head->classes; c++)
        if (stats->count[c] == 0) head->bias[c] = -INFINITY;
    return NULL;
}

void lae_head_free(struct lae_head *head)
{
    free(head->weight);
    free(head->bias);
    *head = (struct lae_head){0};
}
