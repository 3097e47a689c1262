#include "methods.h"

#include <string.h>

static const struct lae_objective objectives[] = {
    {"cross_entropy", "softmax cross-entropy of a linear classifier, among the task's classes",
     lae_cross_entropy_init, lae_cross_entropy_scores, lae_cross_entropy_loss},
    {0},
};

const struct lae_objective *lae_objectives(void)
{
    return objectives;
}

const struct lae_objective *lae_objective_find(const char *name)
{
    for (const struct lae_objective *objective = objectives; objective->name != NULL; objective++)
        if (strcmp(objective->name, name) == 0) return objective;
    return NULL;
}

size_t lae_classifier_size(const struct lae_classifier_shape *shape)
{
    return shape->classes * (shape->width + 1);
}
