/* Files of predictions, readable with HDF5's tools alone:
 *
 *     /            attributes format="lae-predictions", format_version, split ("test", "validation"
 *                  or "train"), task, class_order [classes], checkpoint_sha256, data_sha256
 *     /online /offline /ensemble   float32 [N, classes seen], probabilities; offline and ensemble
 *                  where there is an offline module. The ensemble's rows are maxima of two and add
 *                  up to 1 or more
 *     /HEAD_VIEW   the same of heads made from class statistics, but scores as they are: cosines of
 *                  ncm; of lda and aligned logarithms of probabilities but for a number that is the
 *                  same in a row; of ridge what was fitted to 1 and 0. Minus infinity for a class
 *                  without training images
 *     /features/VIEW               float32 [N, D], where they were asked for: what the backbone
 *                  makes of each image, seen through init, online or offline
 *     /labels      int32 [N] the right output index; -1: of a class not seen yet
 *     /index       int32 [N] the image's number in its part of the data
 *
 * The same contents give the same bytes: nothing tells when, where or by how many it was made.
 */
#ifndef LAE_STORE_PREDICTIONS_H
#define LAE_STORE_PREDICTIONS_H

#include "lae/base/status.h"

#include <stdint.h>

#define LAE_PREDICTIONS_FORMAT "lae-predictions"
#define LAE_PREDICTIONS_VERSION 1

struct lae_prediction {
    char *name;
    size_t width;  /* classes; D of features */
    float *values; /* [count, width] */
};

struct lae_predictions {
    size_t count, classes;        /* N, classes seen */
    struct lae_prediction *items; /* [item_count] scores, then features */
    size_t item_count;
    int32_t *labels, *index; /* [count] */
    /* What the attributes say; not owned: */
    const char *split;
    int task;
    const int32_t *class_order; /* [order_count] output index to label, of all classes */
    size_t order_count;
    const char *checkpoint_digest, *data_digest;
};

/* Writes atomically, sealed as checkpoints are. Errors name file and object. */
lae_status lae_predictions_write(const char *path,
                                 const struct lae_predictions *predictions) LAE_MUST_CHECK;

/* Frees what is owned. */
void lae_predictions_free(struct lae_predictions *predictions);

#endif
