/* Random features: h = relu(P phi), P [M, D] of independent standard normal numbers, fixed once for
 * all tasks (McDonnell et al., RanPAC, NeurIPS 2023). A linear head on h [M] tells apart what one
 * on phi [D] cannot, as pairs of features come to act together.
 *
 * P[m, d] depends on (seed, m, d) alone: more features leave the earlier ones as they are. Among
 * thousands h comes to five times the length of phi (which is 56 for the class tokens of a
 * ViT-Ti/16 on CIFAR-100): statistics of h take LAE_RANGE_LIFTED.
 */
#ifndef LAE_HEADS_LIFT_H
#define LAE_HEADS_LIFT_H

#include "lae/base/status.h"

#include <stddef.h>
#include <stdint.h>

#define LAE_LIFT_WIDTH 2000 /* a good M to begin with; see head.h for what it costs */

struct lae_lift {
    size_t in, out; /* D, M */
    float *weight;  /* [M, D], owned */
};

/* Errors: memory. */
lae_status lae_lift_create(uint64_t seed, size_t in, size_t out,
                           struct lae_lift *lift) LAE_MUST_CHECK;
void lae_lift_free(struct lae_lift *lift); /* zeroed: allowed */

/* h[count] = entries first, first + 1, ... of relu(P phi). One image at a time, so that its bits
 * do not depend on which others are at hand; any number of threads. */
void lae_lift_apply(const struct lae_lift *lift, const float *phi, size_t first, size_t count,
                    float *h);

#endif
