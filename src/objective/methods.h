/* What the objectives' files offer to the table in objective.c; for this room only. */
#ifndef LAE_SRC_OBJECTIVE_METHODS_H
#define LAE_SRC_OBJECTIVE_METHODS_H

#include "lae/objective/objective.h"

void lae_cross_entropy_init(const struct lae_classifier_shape *shape,
                            const struct lae_random *stream, float *classifier);
void lae_cross_entropy_scores(const struct lae_classifier_shape *shape, const float *classifier,
                              const float *feature, float *scores);
double lae_cross_entropy_loss(const struct lae_objective_io *io, bool *correct);

#endif
