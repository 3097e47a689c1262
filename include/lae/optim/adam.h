/* Adam (Kingma & Ba 2015) as torch.optim.Adam computes it, and learning-rate schedules. */
#ifndef LAE_OPTIM_ADAM_H
#define LAE_OPTIM_ADAM_H

#include "lae/base/status.h"

#include <stddef.h>
#include <stdint.h>

enum lae_schedule { LAE_SCHEDULE_CONSTANT, LAE_SCHEDULE_LINEAR, LAE_SCHEDULE_COSINE };

struct lae_optim_options {
    double lr, weight_decay; /* weight_decay: lambda * theta is added to the gradient */
    double clip_norm;        /* 0: no clipping */
    enum lae_schedule schedule;
};

/* State of one group of parameters; m and v are [count], owned. */
struct lae_adam {
    float *m, *v;
    size_t count;
    int64_t steps; /* done so far */
};

lae_status lae_adam_create(struct lae_adam *adam, size_t count) LAE_MUST_CHECK;
void lae_adam_free(struct lae_adam *adam);

/* Back to a fresh start, for `count` parameters: no more than it was created for. */
void lae_adam_reset(struct lae_adam *adam, size_t count);

/* One step on theta [count] with the mean gradient [count] and learning rate `lr`. betas 0.9 and
 * 0.999, eps 1e-8. The same bits on every rank. */
void lae_adam_step(struct lae_adam *adam, const struct lae_optim_options *options, double lr,
                   float *theta, const float *gradient);

/* The learning rate at step `step` of `steps` (METHOD section 6.4). */
double lae_schedule_lr(const struct lae_optim_options *options, int64_t step, int64_t steps);

/* Multiplies gradient [count] by min(1, clip_norm / (norm + 1e-6)); returns the norm before.
 * clip_norm 0 only measures. Sums in double, in a fixed order. */
double lae_clip_gradient(float *gradient, size_t count, double clip_norm);

#endif
