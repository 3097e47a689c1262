/* Images are dealt in rounds: of each round every rank takes one block of `block` images that
 * follow each other, so that what rank 0 gathers is in order already.
 *
 *     image    0 ......... block ......... 2 block ......... ranks * block ......... N
 *              | rank 0    | rank 1        | ...            | rank 0 ...           | (rest: zeros)
 *
 * One image's row holds its scorers' scores, then its features, one after the other.
 */
#include "lae/learn/predictor.h"

#include "lae/base/arena.h"
#include "lae/sweep/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 256 /* images a rank and round, at most */

struct predictor {
    const struct lae_setup *setup;
    struct lae_scoring scoring;
    struct lae_workers workers;
    struct lae_sweep sweep;
    enum lae_split split;
    size_t images, classes;        /* of the part; seen */
    size_t scorers, views;         /* views: whose features are asked for */
    enum lae_view view[LAE_VIEWS]; /* [views] which they are */
    size_t row;                    /* floats of an image */
    size_t rounds, block;
    size_t first; /* image of this rank's block at hand */
    float *mine;  /* [block, row] */
    float *all;   /* rank 0: [ranks * block, row] */
};

static void predict_image(void *context, int number, size_t item)
{
    struct predictor *p = context;
    struct lae_worker *worker = &p->workers.items[number];
    size_t all = (size_t)p->setup->sequence.classes, d = p->setup->backbone->feature;
    float *row = p->mine + item * p->row;
    uint32_t image = (uint32_t)(p->first + item);
    if (!lae_scoring_features(&p->scoring, worker, p->split, image, 0, NULL)) {
        worker->sum[0]++;
        return;
    }
    lae_scoring_rows(&p->scoring, worker->features, worker->scores);
    for (size_t i = 0; i < p->scorers; i++) {
        const float *scores = worker->scores + i * all;
        worker->sum[0] += lae_score_is_nan(scores, p->classes);
        memcpy(row + i * p->classes, scores, p->classes * sizeof *scores);
    }
    row += p->scorers * p->classes;
    for (size_t i = 0; i < p->views; i++)
        memcpy(row + i * d, worker->features + p->view[i] * d, d * sizeof *row);
}

/* This rank's block of a round. False, on all ranks, when interrupted. */
static bool compute_block(struct predictor *p, size_t round)
{
    p->first = lae_dist_position(p->setup->dist, round) * p->block;
    size_t left = p->first < p->images ? p->images - p->first : 0;
    enum lae_request request;
    return lae_sweep_run(&p->sweep, left < p->block ? left : p->block, &request);
}

/* Rank 0 takes the rows of a round apart. */
static void store_rows(const struct predictor *p, size_t round, struct lae_predictions *out)
{
    size_t rows = (size_t)p->setup->dist->size * p->block, begin = round * rows;
    for (size_t i = 0; i < rows && begin + i < p->images; i++) {
        const float *values = p->all + i * p->row;
        for (size_t k = 0; k < out->item_count; k++) {
            const struct lae_prediction *item = &out->items[k];
            memcpy(item->values + (begin + i) * item->width, values, item->width * sizeof *values);
            values += item->width;
        }
    }
}

static lae_status check_scores(struct predictor *p)
{
    int64_t offenders;
    lae_workers_add(&p->workers, 1, &offenders);
    lae_dist_sum(p->setup->dist, &offenders, 1);
    if (offenders == 0) return NULL;
    LAE_TRY(lae_workers_agree(p->setup, &p->workers));
    return lae_failed("%lld scores of images are not finite; check model.weights, data.mean and "
                      "data.std",
                      (long long)offenders);
}

static lae_status compute(struct predictor *p, lae_sweep_progress *progress, void *context,
                          struct lae_predictions *out)
{
    for (size_t round = 0; round < p->rounds; round++) {
        if (progress != NULL) progress(context, (double)round / (double)p->rounds);
        if (!compute_block(p, round)) return lae_stopped();
        lae_dist_gather(p->setup->dist, p->mine, p->block * p->row, p->all);
        if (p->setup->dist->rank == 0) store_rows(p, round, out);
    }
    return check_scores(p);
}

static bool prepare_item(const struct predictor *p, size_t k, struct lae_prediction *item)
{
    char name[64];
    bool score = k < p->scorers;
    if (score)
        snprintf(name, sizeof name, "%s", p->scoring.scorers.items[k].name);
    else
        snprintf(name, sizeof name, "features/%s", lae_view_name(p->view[k - p->scorers]));
    *item = (struct lae_prediction){.name = strdup(name),
                                    .width = score ? p->classes : p->setup->backbone->feature};
    item->values = malloc(p->images * item->width * sizeof *item->values);
    return item->name != NULL && item->values != NULL;
}

/* What rank 0 hands out, but for the values. */
static lae_status prepare_output(const struct predictor *p, struct lae_predictions *out)
{
    const struct lae_setup *setup = p->setup;
    bool complete = true;
    out->count = p->images;
    out->classes = p->classes;
    out->items = calloc(p->scorers + p->views, sizeof *out->items);
    out->item_count = out->items != NULL ? p->scorers + p->views : 0;
    for (size_t k = 0; k < out->item_count; k++)
        complete = prepare_item(p, k, &out->items[k]) && complete;
    out->labels = malloc(p->images * sizeof *out->labels);
    out->index = malloc(p->images * sizeof *out->index);
    if (!complete || out->items == NULL || out->labels == NULL || out->index == NULL)
        return lae_out_of_memory(p->images * p->row * sizeof(float), "the predictions");
    for (size_t i = 0; i < p->images; i++) {
        int label = lae_dataset_label(&setup->dataset, p->split, i);
        int output = label >= 0 ? setup->sequence.output_index[label] : -1;
        out->labels[i] = output < (int)p->classes ? output : -1;
        out->index[i] = (int32_t)lae_dataset_number(&setup->dataset, p->split, i);
    }
    return NULL;
}

static lae_status prepare(struct predictor *p, struct lae_predictions *out)
{
    size_t ranks = (size_t)p->setup->dist->size, floats = p->block * p->row;
    LAE_TRY(lae_workers_create(p->setup, &p->workers));
    p->mine = lae_aligned_calloc(floats, sizeof(float));
    if (p->mine == NULL) return lae_out_of_memory(floats * sizeof(float), "predictions");
    if (p->setup->dist->rank != 0) return NULL;
    p->all = lae_aligned_calloc(ranks * floats, sizeof(float));
    if (p->all == NULL) return lae_out_of_memory(ranks * floats * sizeof(float), "predictions");
    return prepare_output(p, out);
}

/* Sees to it that all views that there are are computed. */
static void ask_for_features(struct predictor *p)
{
    for (enum lae_view view = 0; view < LAE_VIEWS; view++) {
        if (p->scoring.learned.view[view] == NULL) continue;
        p->view[p->views++] = view;
        p->scoring.needs[view] = true;
    }
}

lae_status lae_predict(const struct lae_setup *setup, const struct lae_state *state,
                       enum lae_split split, bool features, lae_sweep_progress *progress,
                       void *context, struct lae_predictions *predictions)
{
    size_t ranks = (size_t)setup->dist->size;
    struct predictor p = {.setup = setup,
                          .split = split,
                          .images = setup->dataset.count[split],
                          .scorers = (size_t)state->metrics.scorers.count};
    struct lae_learned learned = lae_state_learned(state, state->finished - 1);
    *predictions = (struct lae_predictions){0};
    p.sweep = (struct lae_sweep){.dist = setup->dist,
                                 .team = setup->team,
                                 .heeds = LAE_REQUEST_STEP,
                                 .work = predict_image,
                                 .context = &p};
    p.classes = (size_t)setup->sequence.first_class[state->finished];
    p.rounds = (p.images + ranks * BLOCK - 1) / (ranks * BLOCK);
    p.block = (p.images + ranks * p.rounds - 1) / (ranks * p.rounds);
    lae_status status = lae_scoring_open(setup, &learned, &state->metrics.scorers, &p.scoring);
    if (status == NULL && features) ask_for_features(&p);
    p.row = p.scorers * p.classes + p.views * setup->backbone->feature;
    if (status == NULL) status = lae_dist_agree(setup->dist, prepare(&p, predictions));
    if (status == NULL) status = compute(&p, progress, context, predictions);
    if (lae_status_code(status) == LAE_STOPPED)
        lae_team_drain(setup->team); /* they use all of it */
    lae_workers_free(&p.workers);
    lae_scoring_close(&p.scoring);
    free(p.mine);
    free(p.all);
    return status;
}
