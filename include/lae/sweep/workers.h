/* What each thread needs to take an image through the model: one set of buffers a worker, placed
 * and first touched by its thread. */
#ifndef LAE_SWEEP_WORKERS_H
#define LAE_SWEEP_WORKERS_H

#include "lae/config/scorers.h"
#include "lae/data/image.h"
#include "lae/sweep/setup.h"

#include <stdint.h>

struct lae_worker {
    struct lae_backbone_workspace *pass;
    struct lae_image_workspace *transform;
    uint8_t *rgb;   /* [height, width, 3] an image's pixels, of the largest one */
    float *image;   /* [3, S, S] the model's input */
    float *feature; /* [D], and its gradient */
    float *d_feature;
    float *features;   /* [LAE_VIEWS, D] of one image by several views */
    float *scores;     /* [LAE_MAX_SCORERS, classes] of one image; the step's logits */
    float *gradient;   /* [longest] one image's, see step.c */
    int64_t *sum;      /* [words] what its items add up to, exactly */
    lae_status status; /* of its creation, then the first of the images that could not be loaded */
};

struct lae_workers {
    struct lae_worker *items; /* [count] */
    int count;
    size_t longest; /* floats of the longest gradient of a task: PET and a classifier */
    size_t words;   /* int64 in each sum */
};

/* Errors: memory. Not collective: the caller agrees. */
lae_status lae_workers_create(const struct lae_setup *setup,
                              struct lae_workers *workers) LAE_MUST_CHECK;
void lae_workers_free(struct lae_workers *workers);

/* Zeroes the first `words` of each worker's sum, by its own thread. */
void lae_workers_clear(const struct lae_setup *setup, struct lae_workers *workers, size_t words);

/* sum [words] = the first words of all workers' sums, of this rank. */
void lae_workers_add(const struct lae_workers *workers, size_t words, int64_t *sum);

/* Bytes that each worker will take, but for what oneDNN takes for itself. */
size_t lae_workers_need(const struct lae_setup *setup);

/* Loads image `index` of a part into worker->image; augmented where `augment` is not NULL. False
 * where it cannot be had, which is counted as an offence and told by lae_workers_agree. */
bool lae_worker_load(struct lae_worker *worker, const struct lae_setup *setup, enum lae_split split,
                     uint32_t index, const struct lae_random *augment) LAE_MUST_CHECK;

/* The error of an image that some rank could not load; NULL: there is none. [collective] */
lae_status lae_workers_agree(const struct lae_setup *setup,
                             struct lae_workers *workers) LAE_MUST_CHECK;

/* Classes of task `task`; its classifier's shape and floats. */
size_t lae_task_classes(const struct lae_setup *setup, int task);
struct lae_classifier_shape lae_classifier_of(const struct lae_setup *setup, int task);
size_t lae_classifier_count(const struct lae_setup *setup, int task);
size_t lae_longest_classifier(const struct lae_setup *setup); /* the largest of these */

#endif
