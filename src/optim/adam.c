/* Adam, entry by entry in float with the scalars of a step computed in double, as PyTorch does. */
#include "lae/optim/adam.h"

#include "lae/base/arena.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BETA1 0.9
#define BETA2 0.999
#define EPSILON 1e-8

lae_status lae_adam_create(struct lae_adam *adam, size_t count)
{
    *adam = (struct lae_adam){.count = count};
    adam->m = lae_aligned_calloc(count, sizeof *adam->m);
    adam->v = lae_aligned_calloc(count, sizeof *adam->v);
    if (adam->m != NULL && adam->v != NULL) return NULL;
    lae_adam_free(adam);
    return lae_out_of_memory((double)count * 2 * sizeof *adam->m, "the optimiser's state");
}

void lae_adam_free(struct lae_adam *adam)
{
    free(adam->m);
    free(adam->v);
    *adam = (struct lae_adam){0};
}

void lae_adam_reset(struct lae_adam *adam, size_t count)
{
    adam->count = count;
    memset(adam->m, 0, adam->count * sizeof *adam->m);
    memset(adam->v, 0, adam->count * sizeof *adam->v);
    adam->steps = 0;
}

/*     g = gradient + decay * theta
 *     m = b1 * m + (1 - b1) * g               v = b2 * v + (1 - b2) * g * g
 *     theta -= lr / (1 - b1^n) * m / (sqrt(v) / sqrt(1 - b2^n) + eps)         n: this step, from 1
 */
void lae_adam_step(struct lae_adam *adam, const struct lae_optim_options *options, double lr,
                   float *restrict theta, const float *restrict gradient)
{
    adam->steps++;
    double correction1 = 1.0 - pow(BETA1, (double)adam->steps);
    double correction2 = 1.0 - pow(BETA2, (double)adam->steps);
    const float rate = (float)(lr / correction1), root = (float)sqrt(correction2);
    const float keep1 = (float)BETA1, take1 = (float)(1.0 - BETA1);
    const float keep2 = (float)BETA2, take2 = (float)(1.0 - BETA2);
    const float epsilon = (float)EPSILON, decay = (float)options->weight_decay;
    float *restrict m = adam->m, *restrict v = adam->v;
    for (size_t i = 0; i < adam->count; i++) {
        float g = decay != 0.0F ? gradient[i] + decay * theta[i] : gradient[i];
        m[i] = keep1 * m[i] + take1 * g;
        v[i] = keep2 * v[i] + take2 * g * g;
        theta[i] -= rate * m[i] / (sqrtf(v[i]) / root + epsilon);
    }
}

double lae_schedule_lr(const struct lae_optim_options *options, int64_t step, int64_t steps)
{
    double part = steps > 0 ? (double)step / (double)steps : 0.0;
    switch (options->schedule) {
    case LAE_SCHEDULE_LINEAR:
        return options->lr * (1.0 - part);
    case LAE_SCHEDULE_COSINE:
        return options->lr * (1.0 + cos(3.141592653589793 * part)) / 2.0;
    case LAE_SCHEDULE_CONSTANT:
        break;
    }
    return options->lr;
}

double lae_clip_gradient(float *gradient, size_t count, double clip_norm)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += (double)gradient[i] * (double)gradient[i];
    double norm = sqrt(sum), factor = clip_norm / (norm + 1e-6);
    if (clip_norm <= 0.0 || !(factor < 1.0)) return norm;
    for (size_t i = 0; i < count; i++)
        gradient[i] *= (float)factor;
    return norm;
}
