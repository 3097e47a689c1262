#include "lae/heads/lift.h"

#include "lae/base/arena.h"
#include "lae/base/random.h"
#include "lae/nn/linear.h"

#include <stdlib.h>

lae_status lae_lift_create(uint64_t seed, size_t in, size_t out, struct lae_lift *lift)
{
    *lift = (struct lae_lift){0};
    if (in == 0 || out == 0 || in > UINT32_MAX || out > UINT32_MAX)
        return lae_failed("random features: %zu from %zu cannot be", out, in);
    float *weight = lae_aligned_calloc(out * in, sizeof *weight);
    if (weight == NULL)
        return lae_out_of_memory((double)out * (double)in * sizeof *weight, "random features");
    for (size_t m = 0; m < out; m++) {
        struct lae_random stream = lae_random_stream(seed, LAE_RANDOM_FEATURES, 0, 0, (uint32_t)m);
        for (size_t d = 0; d < in; d++)
            weight[m * in + d] = (float)lae_random_normal(&stream, d);
    }
    *lift = (struct lae_lift){.in = in, .out = out, .weight = weight};
    return NULL;
}

void lae_lift_free(struct lae_lift *lift)
{
    free(lift->weight);
    *lift = (struct lae_lift){0};
}

void lae_lift_apply(const struct lae_lift *lift, const float *phi, size_t first, size_t count,
                    float *h)
{
    lae_linear(h, count, phi, lift->weight + first * lift->in, NULL, 1, lift->in, count);
    for (size_t m = 0; m < count; m++)
        h[m] = h[m] < 0.0F ? 0.0F : h[m]; /* a NaN stays one */
}
