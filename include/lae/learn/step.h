/* One training step: the exact mean gradient of a batch that all ranks share (METHOD section 9). */
#ifndef LAE_LEARN_STEP_H
#define LAE_LEARN_STEP_H

#include "lae/sweep/workers.h"

struct lae_batch {
    int task, epoch;
    int64_t step;            /* within the task, for messages */
    const uint32_t *images;  /* [count] image numbers of the training part */
    int count;               /* over all ranks */
    bool classifier_only;    /* a freeze epoch: no gradient of the PET parameters */
    const float *theta;      /* [P] online PET parameters */
    const float *classifier; /* [lae_classifier_count] of the task: weight, then bias */
    bool save;               /* this rank wishes the state to be saved after this step */
};

struct lae_gradient {
    float *pet;            /* [P] mean gradient; untouched when classifier_only */
    float *classifier;     /* [longest classifier]; follows pet in memory */
    double loss;           /* mean over the batch */
    int correct;           /* images whose class scored highest within the task */
    bool save, stop;       /* some rank wishes so, after this step */
    int64_t *sum;          /* memory of the exact sum */
    struct lae_step *step; /* what the workers see; outlives an interrupted step */
};

lae_status lae_gradient_create(const struct lae_workers *workers, const struct lae_setup *setup,
                               struct lae_gradient *gradient) LAE_MUST_CHECK;
void lae_gradient_free(struct lae_gradient *gradient);

/* Images are dealt to ranks, position i to rank i mod ranks, and to threads as they come. The
 * result has the same bits on all ranks and for any number of them. [collective] Errors, the same
 * on all ranks: a loss or gradient that is not finite or too large for the exact sum; they name
 * task, epoch, step and images. LAE_STOPPED, on all ranks: an urgent request to stop came and the
 * step is dropped; workers may still be at it, until lae_team_drain. */
lae_status lae_step_gradient(const struct lae_setup *setup, struct lae_workers *workers,
                             const struct lae_batch *batch,
                             struct lae_gradient *gradient) LAE_MUST_CHECK;

#endif
