/* The scores that every image of a part of the data gets, gathered at rank 0 in the order of the
 * images. */
#ifndef LAE_LEARN_PREDICTOR_H
#define LAE_LEARN_PREDICTOR_H

#include "lae/learn/evaluator.h"
#include "lae/run/state.h"
#include "lae/store/predictions.h"

/* Fills predictions' items, one for each scorer of the state's metrics and, with `features`, one for
 * each view that there is, their count and classes, labels and index; at rank 0, on the others
 * nothing. Images are prepared as test images are, also
 * those of the training part. `progress` may be NULL. [collective] Errors, the same on all ranks:
 * memory; scores that are not finite; LAE_STOPPED: a request to stop came. What is in *predictions
 * can be freed then, too. */
lae_status lae_predict(const struct lae_setup *setup, const struct lae_state *state,
                       enum lae_split split, bool features, lae_sweep_progress *progress,
                       void *context, struct lae_predictions *predictions) LAE_MUST_CHECK;

#endif
