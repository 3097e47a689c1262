/* Images are dealt in rounds: of each round every rank takes one block of `block` images that
 * follow each other, so that what rank 0 gathers is in order already.
 *
 *     image    0 ......... block ......... 2 block ......... ranks * block ......... N
 *              | rank 0    | rank 1        | ...            | rank 0 ...           | (rest: zeros)
 *
 * One image's row holds its scorers' scores one after the other.
 */
#include "lae/learn/predictor.h"

#include "lae/base/arena.h"
#include "lae/sweep/sweep.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 256 /* images a rank and round, at most */

struct predictor {
    const struct lae_setup *setup;
    struct lae_scoring scoring;
    struct lae_workers workers;
    struct lae_sweep sweep;
    enum lae_split split;
    size_t images, classes; /* of the part; seen */
    size_t scorers;
    size_t rounds, block;
    size_t first; /* image of this rank's block at hand */
    float *mine;  /* [block, scorers, classes] */
    float *all;   /* rank 0: [ranks * block, scorers, classes] */
};

static void predict_image(void *context, int number, size_t item)
{
    struct predictor *p = context;
    struct lae_worker *worker = &p->workers.items[number];
    size_t all = (size_t)p->setup->sequence.classes;
    uint32_t image = (uint32_t)(p->first + item);
    if (!lae_scoring_features(&p->scoring, worker, p->split, image, 0, NULL)) {
        worker->sum[0]++;
        return;
    }
    lae_scoring_rows(&p->scoring, worker->features, worker->scores);
    for (size_t i = 0; i < p->scorers; i++) {
        const float *scores = worker->scores + i * all;
        worker->sum[0] += lae_score_is_nan(scores, p->classes);
        memcpy(p->mine + (item * p->scorers + i) * p->classes, scores, p->classes * sizeof *scores);
    }
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
    for (size_t i = 0; i < rows && begin + i < p->images; i++)
        for (size_t k = 0; k < p->scorers; k++)
            memcpy(out->items[k].scores + (begin + i) * p->classes,
                   p->all + (i * p->scorers + k) * p->classes, p->classes * sizeof(float));
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
    size_t row = p->scorers * p->classes;
    for (size_t round = 0; round < p->rounds; round++) {
        if (progress != NULL) progress(context, (double)round / (double)p->rounds);
        if (!compute_block(p, round)) return lae_stopped();
        lae_dist_gather(p->setup->dist, p->mine, p->block * row, p->all);
        if (p->setup->dist->rank == 0) store_rows(p, round, out);
    }
    return check_scores(p);
}

/* What rank 0 hands out, but for the probabilities. */
static lae_status prepare_output(const struct predictor *p, struct lae_predictions *out)
{
    const struct lae_setup *setup = p->setup;
    size_t values = p->images * p->classes;
    bool complete = true;
    out->count = p->images;
    out->classes = p->classes;
    out->items = calloc(p->scorers, sizeof *out->items);
    out->item_count = out->items != NULL ? p->scorers : 0;
    for (size_t i = 0; i < out->item_count; i++) {
        out->items[i].name = strdup(p->scoring.scorers.items[i].name);
        out->items[i].scores = malloc(values * sizeof(float));
        complete = complete && out->items[i].name != NULL && out->items[i].scores != NULL;
    }
    out->labels = malloc(p->images * sizeof *out->labels);
    out->index = malloc(p->images * sizeof *out->index);
    if (!complete || out->items == NULL || out->labels == NULL || out->index == NULL)
        return lae_out_of_memory(p->scorers * values * sizeof(float), "the predictions");
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
    size_t ranks = (size_t)p->setup->dist->size, floats = p->block * p->scorers * p->classes;
    LAE_TRY(lae_workers_create(p->setup, &p->workers));
    p->mine = lae_aligned_calloc(floats, sizeof(float));
    if (p->mine == NULL) return lae_out_of_memory(floats * sizeof(float), "predictions");
    if (p->setup->dist->rank != 0) return NULL;
    p->all = lae_aligned_calloc(ranks * floats, sizeof(float));
    if (p->all == NULL) return lae_out_of_memory(ranks * floats * sizeof(float), "predictions");
    return prepare_output(p, out);
}

lae_status lae_predict(const struct lae_setup *setup, const struct lae_state *state,
                       enum lae_split split, lae_sweep_progress *progress, void *context,
                       struct lae_predictions *predictions)
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
