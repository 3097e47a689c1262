/* The linear heads, trained once more all together (SLCA: Zhang et al., ICCV 2023). Each was
 * trained on its own task's images alone, so that their scores are of different scales. The images
 * are gone, but the statistics say how features of each class are spread: features drawn from
 *
 *     phi = mu_c + U^T z,   z standard normal,   U^T U the shrunk covariance of all classes
 *
 * stand for them. One step takes a feature of each class, so that no class outweighs another. The
 * loss is the cross-entropy of scores that are of one length, as in SLCA: what counts is the
 * direction of the logits, and no head can win by being loud:
 *
 *     l = W phi + b,   score = l / (TEMPERATURE |l|),   loss = mean over c of -log softmax(score)_c
 *     dloss/dl = (g - l (l.g) / |l|^2) / (TEMPERATURE |l|),   g = dloss/dscore
 *
 * Two things are not SLCA's. The optimiser is Adam with a learning rate that falls to 0 instead of
 * SGD with momentum. And it works in coordinates where the spread is the same in all directions,
 * centred on the classes' mean m, where it gets on with far fewer draws:
 *
 *     x = U^-T (phi - m),   V = W U^T,   V x + b + W m = W phi + b
 *
 * so that a draw of x is U^-T (mu_c - m) + z. The scores do not see the length of (V, b): it is
 * brought to 1 a weight (root mean square), and a learning rate then means the same for any heads.
 */
#include "lae/base/arena.h"
#include "lae/base/random.h"
#include "lae/nn/cholesky.h"
#include "lae/nn/kernels.h"
#include "lae/nn/linear.h"
#include "lae/optim/adam.h"

#include "methods.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEMPERATURE 0.1F
#define LEAST_LENGTH 1e-7F /* of logits, so that all zero does no harm */

/* K of C classes have images; D features. */
struct aligning {
    const struct lae_align_options *options;
    const struct lae_stats *stats;
    const struct lae_kernels *kernels;
    size_t known, width; /* K, D */
    size_t *classes;     /* [K] which of the C they are */
    double *factor;      /* [D, D] U */
    double *rows;        /* [K, D] for a change of coordinates */
    double *centre;      /* [D] m */
    float *means;        /* [K, D] in those coordinates, as all below */
    float *parameters;   /* [K, D] V, then [K] b */
    float *gradient;     /* as parameters */
    float *drawn;        /* [K, D] */
    float *logits;       /* [K, K] */
    float *direction;    /* [K] */
    struct lae_adam adam;
};

static void release(struct aligning *a)
{
    lae_adam_free(&a->adam);
    free(a->classes);
    free(a->factor);
    free(a->means);
}

/* Floats are in one block, which begins with the means; doubles in one that begins with the factor.
 */
static lae_status allocate(struct aligning *a)
{
    size_t rows = a->known * a->width, count = rows + a->known;
    size_t floats = 2 * rows + 2 * count + a->known * (a->known + 1);
    LAE_TRY(lae_adam_create(&a->adam, count));
    LAE_TRY(lae_head_new_system(a->width, a->known + 1, "the covariance of features", &a->factor,
                                &a->rows));
    a->centre = a->rows + rows;
    a->classes = lae_aligned_calloc(a->known, sizeof *a->classes);
    a->means = lae_aligned_calloc(floats, sizeof *a->means);
    if (a->classes == NULL || a->means == NULL)
        return lae_out_of_memory((double)floats * sizeof *a->means, "aligning the linear heads");
    a->parameters = a->means + rows;
    a->gradient = a->parameters + count;
    a->drawn = a->gradient + count;
    a->logits = a->drawn + rows;
    a->direction = a->logits + a->known * a->known;
    return NULL;
}

/* ---- To the coordinates and back ---------------------------------------------------------------
 */

static void find_classes(struct aligning *a)
{
    size_t at = 0, width = a->width;
    for (size_t c = 0; c < a->stats->classes; c++)
        if (a->stats->count[c] != 0) a->classes[at++] = c;
    for (size_t i = 0; i < a->known; i++)
        for (size_t k = 0; k < width; k++)
            a->centre[k] += (double)a->stats->mean[a->classes[i] * width + k] / (double)a->known;
}

static void change_means(struct aligning *a)
{
    size_t width = a->width;
    for (size_t i = 0; i < a->known; i++)
        for (size_t k = 0; k < width; k++)
            a->rows[i * width + k] =
                (double)a->stats->mean[a->classes[i] * width + k] - a->centre[k];
    lae_cholesky_forward(a->factor, width, a->rows, a->known);
    for (size_t i = 0; i < a->known * width; i++)
        a->means[i] = (float)a->rows[i];
}

/* v [D] = U w, and what w gives at the centre. */
static double change_head(const struct aligning *a, const float *w, double *v)
{
    double at_centre = 0.0;
    for (size_t j = 0; j < a->width; j++) {
        const double *row = a->factor + j * a->width;
        v[j] = 0.0;
        for (size_t k = j; k < a->width; k++)
            v[j] += row[k] * (double)w[k];
        at_centre += (double)w[j] * a->centre[j];
    }
    return at_centre;
}

/* The heads to begin with; all 0 stay that. */
static void change_heads(struct aligning *a)
{
    size_t rows = a->known * a->width;
    double squares = 0.0;
    float *bias = a->parameters + rows;
    for (size_t i = 0; i < a->known; i++) {
        size_t class = a->classes[i];
        double at_centre =
            change_head(a, a->options->weight + class * a->width, a->rows + i * a->width);
        bias[i] = (float)((double)a->options->bias[class] + at_centre);
    }
    for (size_t i = 0; i < rows; i++) {
        a->parameters[i] = (float)a->rows[i];
        squares += a->rows[i] * a->rows[i];
    }
    double length = sqrt(squares / (double)rows);
    if (length != 0.0) a->kernels->scale(a->parameters, (float)(1.0 / length), rows + a->known);
}

static void change_back(struct aligning *a, struct lae_head *head)
{
    size_t width = a->width;
    for (size_t i = 0; i < a->known * width; i++)
        a->rows[i] = (double)a->parameters[i];
    lae_cholesky_backward(a->factor, width, a->rows, a->known);
    for (size_t i = 0; i < a->known; i++) {
        double bias = (double)a->parameters[a->known * width + i];
        for (size_t k = 0; k < width; k++) {
            double weight = a->rows[i * width + k];
            head->weight[a->classes[i] * width + k] = (float)weight;
            bias -= weight * a->centre[k];
        }
        head->bias[a->classes[i]] = (float)bias;
    }
}

/* ---- Training
 * ------------------------------------------------------------------------------------ */

/* drawn [K, D] = a feature of each class; those of a step are a stream's numbers step D and on. */
static void draw(struct aligning *a, size_t step)
{
    for (size_t i = 0; i < a->known; i++) {
        struct lae_random stream = lae_random_stream(a->options->seed, LAE_RANDOM_ALIGN,
                                                     a->options->task, 0, (uint32_t)a->classes[i]);
        for (size_t k = 0; k < a->width; k++)
            a->drawn[i * a->width + k] =
                a->means[i * a->width + k] + (float)lae_random_normal(&stream, step * a->width + k);
    }
}

/* logits [K] of a feature of class `label` become the gradient of its share of the loss. */
static void differentiate(const struct aligning *a, size_t label, float *logits)
{
    const struct lae_kernels *kernels = a->kernels;
    float length = fmaxf(sqrtf(kernels->dot(logits, logits, a->known)), LEAST_LENGTH);
    kernels->scale(logits, 1.0F / length, a->known);
    memcpy(a->direction, logits, a->known * sizeof *logits);
    kernels->softmax(logits, 1, a->known, a->known, 1.0F / TEMPERATURE);
    logits[label] -= 1.0F;
    float along = kernels->dot(a->direction, logits, a->known);
    kernels->add_scaled(logits, -along, a->direction, a->known);
    kernels->scale(logits, 1.0F / (TEMPERATURE * length * (float)a->known), a->known);
}

static void train(struct aligning *a)
{
    const struct lae_optim_options adam = {.lr = a->options->lr, .schedule = LAE_SCHEDULE_COSINE};
    size_t rows = a->known * a->width;
    for (int step = 0; step < a->options->draws; step++) {
        draw(a, (size_t)step);
        lae_linear(a->logits, a->known, a->drawn, a->parameters, a->parameters + rows, a->known,
                   a->width, a->known);
        for (size_t i = 0; i < a->known; i++)
            differentiate(a, i, a->logits + i * a->known);
        lae_linear_backward_params(a->gradient, a->gradient + rows, a->logits, a->known, a->drawn,
                                   a->known, a->width, a->known);
        double lr = lae_schedule_lr(&adam, step, a->options->draws);
        lae_adam_step(&a->adam, &adam, lr, a->parameters, a->gradient);
    }
}

lae_status lae_head_aligned_fit(const struct lae_head_options *options,
                                const struct lae_stats *stats, struct lae_head *head)
{
    struct aligning a = {
        .options = &options->align,
        .stats = stats,
        .kernels = lae_kernels_best(),
        .known = lae_stats_known(stats),
        .width = stats->width,
    };
    if (a.options->weight == NULL || a.options->bias == NULL)
        return lae_failed("head aligned: there are no linear heads to begin with");
    lae_status status = allocate(&a);
    if (status == NULL) status = lae_head_factor_covariance(options, stats, a.factor);
    if (status == NULL) {
        find_classes(&a);
        change_means(&a);
        change_heads(&a);
        train(&a);
        change_back(&a, head);
    }
    release(&a);
    return status;
}

/* ---- Scores
 * ---------------------------------------------------------------------------------------- */

void lae_head_aligned_scores(const struct lae_head *head, const float *phi, float *out)
{
    double squares = 0.0;
    lae_head_linear_scores(head, phi, out);
    for (size_t c = 0; c < head->classes; c++)
        if (!isinf(head->bias[c])) squares += (double)out[c] * (double)out[c];
    float length = fmaxf((float)sqrt(squares), LEAST_LENGTH);
    for (size_t c = 0; c < head->classes; c++)
        out[c] /= TEMPERATURE * length;
}
