/* The nearest class mean by angle: rows of the weight are the means at length 1. */
#include "methods.h"

#include <math.h>

static double length_of(const float *x, size_t count)
{
    double sum = 0.0;
    for (size_t k = 0; k < count; k++)
        sum += (double)x[k] * (double)x[k];
    return sqrt(sum);
}

lae_status lae_head_ncm_fit(const struct lae_head_options *options, const struct lae_stats *stats,
                            struct lae_head *head)
{
    (void)options;
    for (size_t c = 0; c < head->classes; c++) {
        const float *mean = stats->mean + c * head->width;
        double length = length_of(mean, head->width);
        if (length == 0.0) continue; /* no direction: its cosine is 0 to all */
        for (size_t k = 0; k < head->width; k++)
            head->weight[c * head->width + k] = (float)((double)mean[k] / length);
    }
    return NULL;
}

void lae_head_ncm_scores(const struct lae_head *head, const float *phi, float *out)
{
    double length = length_of(phi, head->width);
    lae_head_linear_scores(head, phi, out);
    for (size_t c = 0; length > 0.0 && c < head->classes; c++)
        out[c] = (float)((double)out[c] / length);
}
