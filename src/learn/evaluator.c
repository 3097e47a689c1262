#include "lae/learn/evaluator.h"

#include "lae/base/arena.h"
#include "lae/sweep/sweep.h"

#include <stdlib.h>
#include <string.h>

#define PART 64 /* images a worker, between two looks at the progress */

struct test_image {
    uint32_t index;
    int task;
};

/* Online's features after one task. */
struct kept {
    float *features; /* [count, D] of this rank's images in their order; NULL: not kept */
    bool known;      /* an evaluation has computed them all */
};

struct lae_evaluator {
    const struct lae_setup *setup;
    struct lae_workers *workers;
    struct test_image *images; /* [count] this rank's, with room for those of all tasks */
    int64_t *sum;              /* [2 * scorers * tasks + 1] the ranks' counts */
    struct kept *kept;         /* [tasks] */
    float *init;               /* [count of all tasks, D] init's features; NULL: not kept */
    size_t init_known;         /* of the first so many images */
    struct lae_trunk *trunks;  /* [count of all tasks] of the images; NULL: none is kept */
    float *streams;            /* theirs, one after the other */
    /* Of the evaluation at hand: */
    struct lae_scoring scoring;
    struct lae_sweep sweep;
    size_t count;
};

/* The lowest of the indices of the largest of p[first..end). */
static int argmax(const float *p, int first, int end)
{
    int best = first;
    for (int i = first + 1; i < end; i++)
        if (p[i] > p[best]) best = i;
    return best;
}

/* A worker's counts: for each scorer and task, right and right within the task. */
static int64_t *count_of(int64_t *sum, int tasks, int scorer, int task)
{
    return sum + 2 * (scorer * tasks + task);
}

static void judge(const struct lae_evaluator *e, int64_t *count, const float *p, int label,
                  int task)
{
    const int *first = e->setup->sequence.first_class;
    count[0] += argmax(p, 0, (int)e->scoring.seen) == label;
    count[1] += argmax(p, first[task], first[task + 1]) == label;
}

/* Features of one of this rank's images; those that are kept are computed only once. */
static bool find_features(struct lae_evaluator *e, struct lae_worker *worker, size_t image)
{
    struct kept *kept = &e->kept[e->scoring.learned.task];
    size_t d = e->setup->backbone->feature, bytes = d * sizeof(float);
    float *online = worker->features + LAE_VIEW_ONLINE * d,
          *init = worker->features + LAE_VIEW_INIT * d;
    bool init_known = image < e->init_known;
    if (kept->known) memcpy(online, kept->features + image * d, bytes);
    if (init_known) memcpy(init, e->init + image * d, bytes);
    unsigned there =
        (kept->known ? 1U << LAE_VIEW_ONLINE : 0) | (init_known ? 1U << LAE_VIEW_INIT : 0);
    struct lae_trunk *trunk = e->trunks != NULL ? &e->trunks[image] : NULL;
    if (!lae_scoring_features(&e->scoring, worker, LAE_TEST, e->images[image].index, there, trunk))
        return false;
    if (kept->features != NULL && !kept->known) memcpy(kept->features + image * d, online, bytes);
    if (e->init != NULL && !init_known) memcpy(e->init + image * d, init, bytes);
    return true;
}

static void evaluate_image(void *context, int number, size_t item)
{
    struct lae_evaluator *e = context;
    const struct lae_setup *setup = e->setup;
    struct lae_worker *worker = &e->workers->items[number];
    const struct test_image *image = &e->images[item];
    int tasks = e->scoring.learned.task + 1, scorers = e->scoring.scorers.count;
    int label =
        setup->sequence.output_index[lae_dataset_label(&setup->dataset, LAE_TEST, image->index)];
    int64_t *offenders = count_of(worker->sum, tasks, scorers, 0); /* after the counts */

    if (!find_features(e, worker, item)) {
        *offenders += 1;
        return;
    }
    lae_scoring_rows(&e->scoring, worker->features, worker->scores);
    for (int i = 0; i < scorers; i++) {
        const float *p = worker->scores + (size_t)i * (size_t)setup->sequence.classes;
        judge(e, count_of(worker->sum, tasks, i, image->task), p, label, image->task);
        *offenders += lae_score_is_nan(p, e->scoring.seen);
    }
}

/* This rank's share of the test images of tasks 0..task: every size-th of them. */
static void deal(struct lae_evaluator *e, struct lae_counts *counts)
{
    const struct lae_task_images *parts = e->setup->sequence.images[LAE_TEST];
    size_t at = 0, size = (size_t)e->setup->dist->size, rank = (size_t)e->setup->dist->rank;
    e->count = 0;
    for (int k = 0; k < counts->tasks; k++) {
        counts->images[k] = (int64_t)parts[k].count;
        for (size_t i = 0; i < parts[k].count; i++, at++)
            if (at % size == rank)
                e->images[e->count++] = (struct test_image){parts[k].index[i], k};
    }
}

/* The counts of all scorers and tasks, and the offenders. */
static size_t words_of(const struct lae_counts *counts)
{
    return (size_t)(2 * counts->scorers.count * counts->tasks) + 1;
}

static lae_status collect(const struct lae_evaluator *e, struct lae_counts *counts)
{
    int tasks = counts->tasks, scorers = counts->scorers.count;
    int64_t *sum = e->sum;
    lae_workers_add(e->workers, words_of(counts), sum);
    lae_dist_sum(e->setup->dist, sum, words_of(counts));
    int64_t offenders = *count_of(sum, tasks, scorers, 0);
    if (offenders > 0) LAE_TRY(lae_workers_agree(e->setup, e->workers));
    if (offenders > 0)
        return lae_failed("evaluation after task %d: %lld scores of images are not finite; "
                          "lower train.lr, or check model.weights, data.mean and data.std",
                          tasks, (long long)offenders);
    for (int i = 0; i < scorers; i++)
        for (int k = 0; k < tasks; k++) {
            const int64_t *count = count_of(sum, tasks, i, k);
            counts->right[i][k] = count[0];
            counts->local[i][k] = count[1];
        }
    return NULL;
}

lae_status lae_evaluate(struct lae_evaluator *e, const struct lae_learned *learned,
                        struct lae_counts *counts, lae_sweep_progress *progress, void *context)
{
    lae_scoring_close(&e->scoring);
    LAE_TRY(lae_scoring_open(e->setup, learned, &counts->scorers, &e->scoring));
    deal(e, counts);
    lae_workers_clear(e->setup, e->workers, words_of(counts));
    e->sweep = (struct lae_sweep){.dist = e->setup->dist,
                                  .team = e->setup->team,
                                  .heeds = LAE_REQUEST_STEP,
                                  .work = evaluate_image,
                                  .context = e,
                                  .part = (size_t)(PART * e->workers->count),
                                  .progress = progress,
                                  .progress_context = context};
    enum lae_request request;
    if (!lae_sweep_run(&e->sweep, e->count, &request)) return lae_stopped();
    struct kept *kept = &e->kept[learned->task];
    kept->known = kept->features != NULL && (kept->known || e->scoring.needs[LAE_VIEW_ONLINE]);
    bool computed_init = e->init != NULL && e->scoring.needs[LAE_VIEW_INIT];
    if (computed_init && e->init_known < e->count) e->init_known = e->count;
    return collect(e, counts);
}

/* This rank's test images of tasks 0..tasks-1. */
static size_t share_of(const struct lae_setup *setup, int tasks)
{
    size_t images = 0;
    for (int task = 0; task < tasks; task++)
        images += setup->sequence.images[LAE_TEST][task].count;
    return lae_dist_share(setup->dist, images);
}

lae_status lae_evaluator_create(const struct lae_setup *setup, struct lae_workers *workers,
                                struct lae_evaluator **evaluator)
{
    struct lae_evaluator *e = *evaluator = calloc(1, sizeof *e);
    if (e == NULL) return lae_out_of_memory(sizeof *e, "the evaluator");
    size_t count = share_of(setup, setup->sequence.tasks);
    e->setup = setup;
    e->workers = workers;
    e->images = calloc(count + 1, sizeof *e->images);
    e->kept = calloc((size_t)setup->sequence.tasks, sizeof *e->kept);
    e->sum = calloc((size_t)setup->sequence.tasks * 2 * LAE_MAX_SCORERS + 1, sizeof *e->sum);
    if (e->images == NULL || e->kept == NULL || e->sum == NULL)
        return lae_out_of_memory(count * sizeof *e->images, "the list of test images");
    return NULL;
}

static lae_status keep(const struct lae_setup *setup, int tasks, const char *whose,
                       float **features)
{
    size_t floats = share_of(setup, tasks) * setup->backbone->feature;
    *features = lae_aligned_calloc(floats, sizeof(float));
    return *features != NULL ? NULL : lae_out_of_memory(floats * sizeof(float), whose);
}

lae_status lae_evaluator_keep_online(struct lae_evaluator *e, int tasks)
{
    for (int task = 0; task < tasks; task++)
        LAE_TRY(keep(e->setup, task + 1, "online's features", &e->kept[task].features));
    return NULL;
}

lae_status lae_evaluator_keep_init(struct lae_evaluator *e)
{
    return keep(e->setup, e->setup->sequence.tasks, "features of the frozen backbone", &e->init);
}

size_t lae_evaluator_need(const struct lae_setup *setup)
{
    struct lae_statistics plan = lae_statistics_plan(setup->config);
    struct lae_scorers scorers =
        lae_scorers_of(setup->config->eval.heads, true, plan.views, plan.ridge);
    bool init = lae_scorers_need(&scorers, LAE_VIEW_INIT);
    size_t count = share_of(setup, setup->sequence.tasks);
    return count *
           (sizeof(struct test_image) + (init ? setup->backbone->feature * sizeof(float) : 0));
}

/* An image has the same place in this rank's list whatever the task. */
lae_status lae_evaluator_keep_trunks(struct lae_evaluator *e, int tasks, double room)
{
    const struct lae_setup *setup = e->setup;
    size_t floats = setup->backbone->stream, count = share_of(setup, tasks);
    size_t most = (size_t)(room / sizeof(float)) / floats;
    size_t kept = count < most ? count : most;
    e->trunks = calloc(count + 1, sizeof *e->trunks);
    e->streams = malloc(kept * floats * sizeof *e->streams + 1);
    if (e->trunks == NULL || e->streams == NULL)
        return lae_out_of_memory((double)kept * (double)floats * sizeof *e->streams,
                                 "what test images are below the first adapted block");
    for (size_t i = 0; i < kept; i++)
        e->trunks[i].stream = e->streams + i * floats;
    return NULL;
}

void lae_evaluator_free(struct lae_evaluator *evaluator)
{
    if (evaluator == NULL) return;
    for (int task = 0; evaluator->kept != NULL && task < evaluator->setup->sequence.tasks; task++)
        free(evaluator->kept[task].features);
    free(evaluator->kept);
    free(evaluator->init);
    free(evaluator->trunks);
    free(evaluator->streams);
    lae_scoring_close(&evaluator->scoring);
    free(evaluator->images);
    free(evaluator->sum);
    free(evaluator);
}
