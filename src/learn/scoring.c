#include "lae/learn/scoring.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- heads ---- */

/* Rank 0 has fitted its head. [collective] */
static lae_status send_head(const struct lae_dist *dist, const struct lae_lift *lift,
                            struct lae_head *head)
{
    lae_status status = NULL;
    size_t shape[2] = {head->classes, head->width};
    lae_dist_broadcast(dist, shape, sizeof shape);
    if (dist->rank != 0) status = lae_head_create(head->method, lift, shape[0], shape[1], head);
    LAE_TRY(lae_dist_agree(dist, status));
    lae_dist_broadcast(dist, head->weight, shape[0] * shape[1] * sizeof *head->weight);
    lae_dist_broadcast(dist, head->bias, shape[0] * sizeof *head->bias);
    return NULL;
}

/* start [C, D], then [C]: the tasks' own classifiers, one below the other; 0 for tasks to come. */
static lae_status join_classifiers(const struct lae_scoring *scoring, float **start)
{
    const struct lae_setup *setup = scoring->setup;
    size_t classes = (size_t)setup->sequence.classes, d = setup->backbone->feature;
    *start = calloc(classes * (d + 1), sizeof **start);
    if (*start == NULL)
        return lae_out_of_memory(classes * (d + 1) * sizeof **start, "the tasks' classifiers");
    for (int task = 0; task <= scoring->learned.task; task++) {
        size_t first = (size_t)setup->sequence.first_class[task], n = lae_task_classes(setup, task);
        const float *classifier = scoring->learned.classifiers[task];
        memcpy(*start + first * d, classifier, n * d * sizeof **start);
        memcpy(*start + classes * d + first, classifier + n * d, n * sizeof **start);
    }
    return NULL;
}

struct lae_head_options lae_scoring_options(const struct lae_config *config,
                                            const struct lae_scorer *scorer, int task,
                                            double chosen)
{
    struct lae_head_options options = config->heads;
    options.method = scorer->method;
    options.lambda = lae_ridge_chooses(&options.ridge) ? chosen : options.ridge.strengths[0];
    options.align.seed = config->run.seed;
    options.align.task = (uint32_t)task;
    return options;
}

/* Rank 0's. */
static lae_status fit_head(const struct lae_scoring *scoring, const struct lae_scorer *scorer,
                           const struct lae_lift *lift, struct lae_head *head)
{
    const struct lae_setup *setup = scoring->setup;
    const struct lae_statistics *statistics = scoring->learned.statistics;
    struct lae_head_options options = lae_scoring_options(
        setup->config, scorer, scoring->learned.task, statistics->lambda[scorer->view]);
    const struct lae_stats *stats =
        lift != NULL ? &statistics->random[scorer->view] : &statistics->features[scorer->view];
    float *start;
    LAE_TRY(join_classifiers(scoring, &start));
    options.align.weight = start;
    options.align.bias = start + (size_t)setup->sequence.classes * setup->backbone->feature;
    lae_status status = lae_head_fit(&options, stats, lift, head);
    free(start);
    return status;
}

/* The head of one scorer. [collective] */
static lae_status open_head(const struct lae_scoring *scoring, const struct lae_scorer *scorer,
                            struct lae_head *head)
{
    const struct lae_dist *dist = scoring->setup->dist;
    const struct lae_lift *lift =
        scorer->method->lifted ? &scoring->learned.statistics->lift : NULL;
    lae_status status = NULL;
    *head = (struct lae_head){.method = scorer->method};
    if (dist->rank == 0) status = fit_head(scoring, scorer, lift, head);
    LAE_TRY(lae_dist_agree(dist, status));
    return send_head(dist, lift, head);
}

lae_status lae_scoring_open(const struct lae_setup *setup, const struct lae_learned *learned,
                            const struct lae_scorers *scorers, struct lae_scoring *scoring)
{
    *scoring = (struct lae_scoring){
        .setup = setup,
        .learned = *learned,
        .scorers = *scorers,
        .seen = (size_t)setup->sequence.first_class[learned->task + 1],
    };
    for (int i = 0; i < scorers->count; i++) {
        const struct lae_scorer *scorer = &scoring->scorers.items[i];
        scoring->needs[scorer->view] = true;
        if (scorer->method != NULL) LAE_TRY(open_head(scoring, scorer, &scoring->heads[i]));
    }
    return NULL;
}

void lae_scoring_close(struct lae_scoring *scoring)
{
    for (int i = 0; i < scoring->scorers.count; i++)
        lae_head_free(&scoring->heads[i]);
    *scoring = (struct lae_scoring){0};
}

/* ---- features ---- */

/* Another view of those in `there` with the same vector; -1: none. */
static int same_view(const struct lae_learned *learned, int view, unsigned there)
{
    for (int m = 0; m < LAE_VIEWS; m++)
        if ((there >> m & 1) != 0 && learned->view[m] == learned->view[view]) return m;
    return -1;
}

/* Where an image comes from. */
struct source {
    enum lae_split split;
    uint32_t index;
    struct lae_trunk *trunk;
};

/* The image's stream before the first adapted block into the worker's workspace. */
static bool find_stream(const struct lae_setup *setup, struct lae_worker *worker,
                        const struct source *source)
{
    struct lae_trunk *trunk = source->trunk;
    if (trunk != NULL && trunk->known) {
        lae_backbone_load_stream(setup->backbone, worker->pass, trunk->stream);
        return true;
    }
    if (!lae_worker_load(worker, setup, source->split, source->index, NULL)) return false;
    lae_backbone_trunk(setup->backbone, worker->pass, worker->image);
    if (trunk != NULL && trunk->stream != NULL) {
        lae_backbone_save_stream(setup->backbone, worker->pass, trunk->stream);
        trunk->known = true;
    }
    return true;
}

/* `source` NULL: the workspace has the stream. */
static bool see(const struct lae_scoring *scoring, struct lae_worker *worker,
                const struct source *source, unsigned there)
{
    const struct lae_setup *setup = scoring->setup;
    const struct lae_learned *learned = &scoring->learned;
    size_t d = setup->backbone->feature;
    bool streams = source == NULL; /* the worker has the image's stream */
    for (int m = 0; m < LAE_VIEWS; m++) {
        float *feature = worker->features + (size_t)m * d;
        int same = same_view(learned, m, there);
        if (!scoring->needs[m] || (there >> m & 1) != 0) continue;
        if (same < 0 && !streams && !find_stream(setup, worker, source)) return false;
        streams = streams || same < 0;
        if (same < 0)
            lae_backbone_branch(setup->backbone, learned->view[m], worker->pass, NULL, false,
                                feature);
        else
            memcpy(feature, worker->features + (size_t)same * d, d * sizeof *feature);
        there |= 1U << m;
    }
    return true;
}

bool lae_scoring_features(const struct lae_scoring *scoring, struct lae_worker *worker,
                          enum lae_split split, uint32_t index, unsigned there,
                          struct lae_trunk *trunk)
{
    return see(scoring, worker, &(struct source){split, index, trunk}, there);
}

void lae_scoring_features_at_hand(const struct lae_scoring *scoring, struct lae_worker *worker)
{
    lae_backbone_trunk(scoring->setup->backbone, worker->pass, worker->image);
    (void)see(scoring, worker, NULL, 0);
}

/* ---- rows ---- */

void lae_score_linear(const struct lae_setup *setup, float *const *classifiers, int task,
                      const float *feature, float *p)
{
    size_t seen = 0;
    for (int k = 0; k <= task; k++) {
        const struct lae_classifier_shape shape = lae_classifier_of(setup, k);
        setup->objective->scores(&shape, classifiers[k], feature, p + seen);
        seen += shape.classes;
    }
    setup->kernels->softmax(p, 1, seen, seen, 1.0F);
}

/* row [seen] = the larger of the two rows before it. */
static void larger_of_two(float *row, size_t classes, size_t seen)
{
    const float *online = row - 2 * classes, *offline = row - classes;
    for (size_t c = 0; c < seen; c++)
        row[c] = offline[c] > online[c] ? offline[c] : online[c];
}

void lae_scoring_rows(const struct lae_scoring *scoring, const float *features, float *rows)
{
    const struct lae_setup *setup = scoring->setup;
    size_t classes = (size_t)setup->sequence.classes, d = setup->backbone->feature;
    for (int i = 0; i < scoring->scorers.count; i++) {
        const struct lae_scorer *scorer = &scoring->scorers.items[i];
        const float *feature = features + (size_t)scorer->view * d;
        float *row = rows + (size_t)i * classes;
        if (scorer->ensemble)
            larger_of_two(row, classes, scoring->seen);
        else if (scorer->method != NULL)
            lae_head_scores(&scoring->heads[i], feature, row);
        else
            lae_score_linear(setup, scoring->learned.classifiers, scoring->learned.task, feature,
                             row);
    }
}

bool lae_score_is_nan(const float *p, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (isnan(p[i])) return true;
    return false;
}
