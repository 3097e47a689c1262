/* What a task's classifier is, and what it learns by (METHOD sections 5 and 6): its first values,
 * its scores, its loss with the gradients. Behind one small table; to add an objective, write its
 * functions in a file of its own and add its row in objective.c.
 *
 * A classifier is one vector: weight [n, D], then bias [n], of n classes and features [D]. All
 * functions are of one image on one thread, and of nothing else.
 */
#ifndef LAE_OBJECTIVE_OBJECTIVE_H
#define LAE_OBJECTIVE_OBJECTIVE_H

#include "lae/base/random.h"

#include <stdbool.h>
#include <stddef.h>

struct lae_classifier_shape {
    size_t classes, width; /* n, D */
};

/* One image's part in a step. */
struct lae_objective_io {
    struct lae_classifier_shape shape;
    const float *classifier;
    const float *feature; /* [D] */
    size_t label;         /* 0..n-1 */
    float *scores;        /* [n] work space */
    float *gradient;      /* of the classifier, as it is laid out; written */
    float *d_feature;     /* [D] the loss's gradient by the feature; written */
};

struct lae_objective {
    const char *name, *help;
    /* Writes the first values; entry i draws number i of the stream. */
    void (*init)(const struct lae_classifier_shape *shape, const struct lae_random *stream,
                 float *classifier);
    /* scores[n] of a feature [D]: what softmax over all classes takes. */
    void (*scores)(const struct lae_classifier_shape *shape, const float *classifier,
                   const float *feature, float *scores);
    /* The loss of one image, and its gradients (of this image, not divided by a batch). *correct:
     * whether its label has the highest score, of equals the first. */
    double (*loss)(const struct lae_objective_io *io, bool *correct);
};

/* The table, ended by a row whose name is NULL. */
const struct lae_objective *lae_objectives(void);

/* The row of that name, or NULL. */
const struct lae_objective *lae_objective_find(const char *name);

/* Floats of a classifier. */
size_t lae_classifier_size(const struct lae_classifier_shape *shape);

#endif
