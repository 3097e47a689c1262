/* A linear classifier, scores = W f + b, and softmax cross-entropy:
 *
 *     p = softmax(scores),   loss = -log p_label
 *     dloss/dscores = p - [label],   dloss/dW = dscores f^T,   dloss/df = W^T dscores
 *
 * Weights begin as normal numbers of deviation 0.001, biases at 0 (METHOD section 5).
 */
#include "methods.h"

#include "lae/nn/linear.h"

#include <math.h>
#include <string.h>

#define DEVIATION 0.001

static const float *bias_of(const struct lae_classifier_shape *shape, const float *classifier)
{
    return classifier + shape->classes * shape->width;
}

void lae_cross_entropy_init(const struct lae_classifier_shape *shape,
                            const struct lae_random *stream, float *classifier)
{
    size_t weights = shape->classes * shape->width;
    for (size_t i = 0; i < weights; i++)
        classifier[i] = (float)(DEVIATION * lae_random_normal(stream, i));
    memset(classifier + weights, 0, shape->classes * sizeof *classifier);
}

void lae_cross_entropy_scores(const struct lae_classifier_shape *shape, const float *classifier,
                              const float *feature, float *scores)
{
    lae_linear(scores, shape->classes, feature, classifier, bias_of(shape, classifier), 1,
               shape->width, shape->classes);
}

/* scores [n] become the loss's gradient; returns the loss. In double: n is small. */
static double soften(float *scores, size_t n, size_t label, bool *correct)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (scores[i] > scores[best]) best = i;
    *correct = best == label;
    double sum = 0.0, top = (double)scores[best], own = (double)scores[label];
    for (size_t i = 0; i < n; i++)
        sum += exp((double)scores[i] - top);
    for (size_t i = 0; i < n; i++) {
        double p = exp((double)scores[i] - top) / sum;
        scores[i] = (float)(i == label ? p - 1.0 : p);
    }
    return log(sum) + top - own;
}

double lae_cross_entropy_loss(const struct lae_objective_io *io, bool *correct)
{
    size_t n = io->shape.classes, d = io->shape.width;
    float *d_bias = io->gradient + n * d;
    lae_cross_entropy_scores(&io->shape, io->classifier, io->feature, io->scores);
    double loss = soften(io->scores, n, io->label, correct);
    lae_linear_backward_params(io->gradient, d_bias, io->scores, n, io->feature, 1, d, n);
    lae_linear_backward_input(io->d_feature, io->scores, n, io->classifier, 1, d, n, 0.0F);
    return loss;
}
