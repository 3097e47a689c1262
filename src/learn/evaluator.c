#include "lae/learn/evaluator.h"

#include "lae/base/arena.h"
#include "lae/nn/linear.h"

#include <math.h>
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
    const struct lae_job *job;
    struct lae_workers *workers;
    struct test_image *images; /* [count] this rank's, with room for those of all tasks */
    struct kept *kept;         /* [tasks] */
    /* Of the evaluation at hand: */
    const struct lae_state *state;
    int task;
    bool offline;        /* offline differs from online */
    size_t count, first; /* first: of the part at hand */
};

void lae_evaluate_scores(const struct lae_job *job, const struct lae_state *state, int task,
                         const float *feature, float *p)
{
    size_t d = job->vit.dims.width, seen = 0;
    for (int k = 0; k <= task; k++) {
        size_t n = lae_task_classes(job, k);
        const float *weight = state->classifiers[k];
        lae_linear(p + seen, n, feature, weight, weight + n * d, 1, d, n);
        seen += n;
    }
    job->vit.kernels->softmax(p, 1, seen, seen, 1.0F);
}

/* The lowest of the indices of the largest of p[first..end). */
static int argmax(const float *p, int first, int end)
{
    int best = first;
    for (int i = first + 1; i < end; i++)
        if (p[i] > p[best]) best = i;
    return best;
}

/* A worker's counts: for each module and task, right and right within the task. */
static int64_t *count_of(int64_t *sum, int tasks, enum lae_module module, int task)
{
    return sum + 2 * ((int)module * tasks + task);
}

/* After the counts: how many scores were not finite. */
static int64_t *offenders_of(int64_t *sum, int tasks)
{
    return count_of(sum, tasks, LAE_MODULES, 0);
}

static void judge(const struct lae_evaluator *e, int64_t *sum, enum lae_module module,
                  const float *p, int label, int task)
{
    const int *first = e->job->sequence.first_class;
    int64_t *count = count_of(sum, e->task + 1, module, task);
    if (!isfinite(p[0])) *offenders_of(sum, e->task + 1) += 1; /* one logit, and all p are NaN */
    count[0] += argmax(p, 0, first[e->task + 1]) == label;
    count[1] += argmax(p, first[task], first[task + 1]) == label;
}

/* Online's feature of one of this rank's images, computed if it is not known. */
static const float *online_feature(struct lae_evaluator *e, struct lae_worker *worker, size_t image)
{
    const struct lae_job *job = e->job;
    struct kept *kept = &e->kept[e->task];
    float *feature = worker->feature;
    if (kept->features != NULL) feature = kept->features + image * job->vit.dims.width;
    if (!kept->known)
        lae_vit_branch(&job->vit, &job->pet, e->state->online, worker->pass, NULL, false, feature);
    return feature;
}

static const float *offline_feature(const struct lae_evaluator *e, struct lae_worker *worker)
{
    lae_vit_branch(&e->job->vit, &e->job->pet, e->state->offline, worker->pass, NULL, false,
                   worker->feature);
    return worker->feature;
}

static void evaluate_image(void *context, int number, size_t item)
{
    struct lae_evaluator *e = context;
    const struct lae_job *job = e->job;
    struct lae_worker *worker = &e->workers->items[number];
    const struct test_image *image = &e->images[e->first + item];
    int label =
        job->sequence.output_index[lae_dataset_label(&job->dataset, LAE_TEST, image->index)];
    float *online = worker->logits[0], *offline = worker->logits[1];

    if (e->offline || !e->kept[e->task].known) {
        if (!lae_worker_load(worker, job, LAE_TEST, image->index, NULL)) {
            *offenders_of(worker->sum, e->task + 1) += 1;
            return;
        }
        lae_vit_trunk(&job->vit, &job->pet, worker->pass, worker->image);
    }
    const float *feature = online_feature(e, worker, e->first + item);
    lae_evaluate_scores(job, e->state, e->task, feature, online);
    judge(e, worker->sum, LAE_ONLINE, online, label, image->task);
    if (!e->offline) return;
    lae_evaluate_scores(job, e->state, e->task, offline_feature(e, worker), offline);
    judge(e, worker->sum, LAE_OFFLINE, offline, label, image->task);
    for (int i = 0; i < job->sequence.first_class[e->task + 1]; i++)
        if (offline[i] > online[i]) online[i] = offline[i];
    judge(e, worker->sum, LAE_ENSEMBLE, online, label, image->task);
}

/* This rank's share of the test images of tasks 0..task: every size-th of them. */
static void deal(struct lae_evaluator *e, struct lae_counts *counts)
{
    const struct lae_task_images *parts = e->job->sequence.images[LAE_TEST];
    size_t at = 0, size = (size_t)e->job->dist->size, rank = (size_t)e->job->dist->rank;
    e->count = e->first = 0;
    for (int k = 0; k <= e->task; k++) {
        counts->images[k] = (int64_t)parts[k].count;
        for (size_t i = 0; i < parts[k].count; i++, at++)
            if (at % size == rank)
                e->images[e->count++] = (struct test_image){parts[k].index[i], k};
    }
}

static lae_status collect(const struct lae_evaluator *e, struct lae_counts *counts)
{
    int tasks = e->task + 1;
    size_t words = (size_t)(2 * LAE_MODULES * tasks) + 1;
    int64_t *sum = e->workers->items[0].sum;
    for (int i = 1; i < e->workers->count; i++)
        for (size_t j = 0; j < words; j++)
            sum[j] += e->workers->items[i].sum[j];
    lae_dist_sum(e->job->dist, sum, words);
    int64_t offenders = *offenders_of(sum, tasks);
    if (offenders > 0) LAE_TRY(lae_workers_agree(e->job, e->workers));
    if (offenders > 0)
        return lae_failed("evaluation after task %d: %lld scores of images are not finite; "
                          "lower train.lr, or check model.weights, data.mean and data.std",
                          tasks, (long long)offenders);
    for (int module = 0; module < LAE_MODULES; module++)
        for (int k = 0; k < tasks; k++) {
            enum lae_module source = e->offline ? (enum lae_module)module : LAE_ONLINE;
            const int64_t *count = count_of(sum, tasks, source, k);
            counts->right[module][k] = count[0];
            counts->local[module][k] = count[1];
        }
    return NULL;
}

static bool is_asked_to_stop(void *evaluator)
{
    return lae_dist_request(((const struct lae_evaluator *)evaluator)->job->dist) !=
           LAE_REQUEST_NONE;
}

/* False, on all ranks, when interrupted. */
static bool compute(struct lae_evaluator *e, lae_evaluate_progress *progress, void *context)
{
    size_t part = (size_t)(PART * e->workers->count);
    bool done = true;
    for (; done && e->first < e->count; e->first += part) {
        size_t left = e->count - e->first;
        if (progress != NULL) progress(context, (double)e->first / (double)e->count);
        done = lae_team_run_unless(e->job->team, left < part ? left : part, evaluate_image, e,
                                   is_asked_to_stop, e);
    }
    enum lae_request request;
    return lae_dist_meet(e->job->dist, &request) && request == LAE_REQUEST_NONE && done;
}

lae_status lae_evaluate(struct lae_evaluator *e, const struct lae_state *state, int task,
                        struct lae_counts *counts, lae_evaluate_progress *progress, void *context)
{
    e->state = state;
    e->task = task;
    e->offline = state->offline != NULL && task > 0;
    deal(e, counts);
    for (int i = 0; i < e->workers->count; i++)
        memset(e->workers->items[i].sum, 0, e->workers->words * sizeof(int64_t));
    if (!compute(e, progress, context)) return lae_stopped();
    e->kept[task].known = e->kept[task].features != NULL;
    return collect(e, counts);
}

lae_status lae_evaluator_create(const struct lae_job *job, struct lae_workers *workers,
                                struct lae_evaluator **evaluator)
{
    struct lae_evaluator *e = *evaluator = calloc(1, sizeof *e);
    if (e == NULL) return lae_out_of_memory(sizeof *e, "the evaluator");
    size_t total = 0;
    for (int k = 0; k < job->sequence.tasks; k++)
        total += job->sequence.images[LAE_TEST][k].count;
    e->job = job;
    e->workers = workers;
    e->images = calloc(total / (size_t)job->dist->size + 1, sizeof *e->images);
    e->kept = calloc((size_t)job->sequence.tasks, sizeof *e->kept);
    if (e->images == NULL || e->kept == NULL)
        return lae_out_of_memory(total * sizeof *e->images, "the list of test images");
    return NULL;
}

lae_status lae_evaluator_keep_online(struct lae_evaluator *e, int tasks)
{
    const struct lae_job *job = e->job;
    size_t images = 0;
    for (int task = 0; task < tasks; task++) {
        images += job->sequence.images[LAE_TEST][task].count;
        size_t floats = lae_dist_share(job->dist, images) * job->vit.dims.width;
        e->kept[task].features = lae_aligned_calloc(floats, sizeof(float));
        if (e->kept[task].features == NULL)
            return lae_out_of_memory(floats * sizeof(float), "online's features");
    }
    return NULL;
}

void lae_evaluator_free(struct lae_evaluator *evaluator)
{
    if (evaluator == NULL) return;
    for (int task = 0; evaluator->kept != NULL && task < evaluator->job->sequence.tasks; task++)
        free(evaluator->kept[task].features);
    free(evaluator->kept);
    free(evaluator->images);
    free(evaluator);
}
