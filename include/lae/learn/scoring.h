/* From an image to the scores that scorers give it: features by views, rows by heads. */
#ifndef LAE_LEARN_SCORING_H
#define LAE_LEARN_SCORING_H

#include "lae/heads/head.h"
#include "lae/run/state.h"
#include "lae/sweep/workers.h"

/* Scorers ready for use by any number of threads. */
struct lae_scoring {
    const struct lae_setup *setup;
    struct lae_learned learned;
    struct lae_scorers scorers;
    size_t seen;                            /* classes of tasks 0..task */
    bool needs[LAE_VIEWS];                  /* whose features are asked for */
    struct lae_head heads[LAE_MAX_SCORERS]; /* of scorers that have a method; owned */
};

/* What a scorer's head is fitted with after `task`: the configuration's options, and the strength
 * that was chosen for a ridge head where one had to be. align's weight and bias are to be filled
 * in. */
struct lae_head_options lae_scoring_options(const struct lae_config *config,
                                            const struct lae_scorer *scorer, int task,
                                            double chosen);

/* Makes the heads: rank 0 from the statistics, for all. [collective] Errors, the same on all ranks:
 * as lae_head_fit's; memory. The struct can be closed then. */
lae_status lae_scoring_open(const struct lae_setup *setup, const struct lae_learned *learned,
                            const struct lae_scorers *scorers,
                            struct lae_scoring *scoring) LAE_MUST_CHECK;
void lae_scoring_close(struct lae_scoring *scoring); /* zeroed: allowed */

/* What the blocks below the first adapted one made of an image, for when it comes again. */
struct lae_trunk {
    float *stream; /* [backbone->stream]; NULL: it is not kept */
    bool known;
};

/* Features of image `index` of a part, not augmented, by the views that are needed, into
 * worker->features. Those of views in `there` (1 << enum lae_view each) are there already.
 * `trunk` is the image's, or NULL.
 * False where the image cannot be had, see lae_worker_load. */
bool lae_scoring_features(const struct lae_scoring *scoring, struct lae_worker *worker,
                          enum lae_split split, uint32_t index, unsigned there,
                          struct lae_trunk *trunk) LAE_MUST_CHECK;

/* Features of the image that is in worker->image already, by the views that are needed. */
void lae_scoring_features_at_hand(const struct lae_scoring *scoring, struct lae_worker *worker);

/* rows [scorers.count, classes]: of each row the first `seen` are written, the scorer's scores for
 * features [LAE_VIEWS, D]. Softmax for the tasks' own classifiers, and a NaN where a score is not
 * finite; else what lae_head_scores gives. */
void lae_scoring_rows(const struct lae_scoring *scoring, const float *features, float *rows);

/* p [classes of tasks 0..task] = softmax of the tasks' own classifiers' outputs on a feature. */
void lae_score_linear(const struct lae_setup *setup, float *const *classifiers, int task,
                      const float *feature, float *p);

/* Whether any of p [count] is a NaN. */
bool lae_score_is_nan(const float *p, size_t count);

#endif
