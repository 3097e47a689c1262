/* A sum, of one thread, one rank or all, is laid out so that freeze epochs send only its first
 * part:
 *
 *     | classifier: weight [n, D], bias [n] | loss | correct | offenders | save | PET [P] |
 *
 * An offender is an image that cannot be loaded, or whose loss or gradient does not fit; it travels
 * in the same message, so an error on one rank is an error on all. So does the wish to save.
 */
#include "lae/learn/step.h"

#include "lae/base/arena.h"
#include "lae/dist/exact.h"
#include "lae/sweep/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMED_OFFENDERS 8

enum { WORD_LOSS, WORD_CORRECT, WORD_OFFENDERS, WORD_SAVE, WORDS };

struct lae_step {
    const struct lae_setup *setup;
    struct lae_workers *workers;
    struct lae_sweep sweep;
    struct lae_batch batch;
    size_t classifier; /* floats of the task's */
    size_t sum_length;
    int64_t *offends; /* [batch size] 1: the image at this position of the batch does */
};

lae_status lae_gradient_create(const struct lae_workers *workers, const struct lae_setup *setup,
                               struct lae_gradient *gradient)
{
    *gradient = (struct lae_gradient){
        .pet = lae_aligned_calloc(workers->longest, sizeof(float)),
        .sum = lae_aligned_calloc(workers->words, sizeof(int64_t)),
        .step = calloc(1, sizeof *gradient->step),
    };
    if (gradient->pet == NULL || gradient->sum == NULL || gradient->step == NULL)
        return lae_out_of_memory(workers->words * 12, "the gradient");
    size_t batch = (size_t)setup->config->train.batch_size;
    gradient->step->offends = calloc(batch, sizeof(int64_t));
    if (gradient->step->offends == NULL)
        return lae_out_of_memory(batch * sizeof(int64_t), "a batch");
    gradient->classifier = gradient->pet + setup->pet.table.total;
    return NULL;
}

void lae_gradient_free(struct lae_gradient *gradient)
{
    free(gradient->pet);
    free(gradient->sum);
    if (gradient->step != NULL) free(gradient->step->offends);
    free(gradient->step);
    *gradient = (struct lae_gradient){0};
}

/* From the feature to loss, the classifier's gradient (worker->gradient + P) and the feature's. */
static double lose(const struct lae_step *step, struct lae_worker *worker, size_t label,
                   bool *correct)
{
    const struct lae_objective_io io = {
        .shape = lae_classifier_of(step->setup, step->batch.task),
        .classifier = step->batch.classifier,
        .feature = worker->feature,
        .label = label,
        .scores = worker->scores,
        .gradient = worker->gradient + step->setup->pet.table.total,
        .d_feature = worker->d_feature,
    };
    return step->setup->objective->loss(&io, correct);
}

static void offend(const struct lae_step *step, struct lae_worker *worker, size_t position)
{
    worker->sum[step->classifier + WORD_OFFENDERS]++;
    step->offends[position] = 1;
}

static void add_to_sum(const struct lae_step *step, struct lae_worker *worker, double loss,
                       bool correct, size_t position)
{
    const struct lae_batch *batch = &step->batch;
    size_t pet = step->setup->pet.table.total, classifier = step->classifier;
    int64_t *sum = worker->sum, *words = sum + classifier;
    size_t offences = lae_exact_add(sum, worker->gradient + pet, classifier, batch->count);
    if (!batch->classifier_only)
        offences += lae_exact_add(words + WORDS, worker->gradient, pet, batch->count);
    if (!lae_exact_add_one(&words[WORD_LOSS], loss, batch->count)) offences++;
    words[WORD_CORRECT] += correct;
    if (offences > 0) offend(step, worker, position);
}

/* One image, forward and backward, on one thread. */
static void learn_image(void *context, int number, size_t item)
{
    struct lae_step *step = context;
    const struct lae_setup *setup = step->setup;
    const struct lae_batch *batch = &step->batch;
    struct lae_worker *worker = &step->workers->items[number];
    size_t position = lae_dist_position(setup->dist, item);
    uint32_t image = batch->images[position];
    uint64_t seed = setup->config->run.seed;
    uint32_t task = (uint32_t)batch->task, epoch = (uint32_t)batch->epoch;
    struct lae_random augment = lae_random_stream(seed, LAE_RANDOM_AUGMENT, task, epoch, image);
    struct lae_random dropout = lae_random_stream(seed, LAE_RANDOM_DROPOUT, task, epoch, image);
    bool augments = setup->config->data.augment != LAE_AUGMENT_NONE;
    bool backward = !batch->classifier_only;

    struct lae_stopwatch *watch = lae_backbone_watch(worker->pass);
    lae_stopwatch_turn(watch, LAE_WORK_DATA);
    if (!lae_worker_load(worker, setup, LAE_TRAIN, image, augments ? &augment : NULL)) {
        offend(step, worker, position);
        return;
    }
    lae_backbone_trunk(setup->backbone, worker->pass, worker->image);
    lae_backbone_branch(setup->backbone, batch->theta, worker->pass, &dropout, backward,
                        worker->feature);
    int output = setup->sequence.output_index[lae_dataset_label(&setup->dataset, LAE_TRAIN, image)];
    size_t label = (size_t)(output - setup->sequence.first_class[batch->task]);
    bool correct;
    lae_stopwatch_turn(watch, LAE_WORK_SUM);
    double loss = lose(step, worker, label, &correct);
    if (backward)
        lae_backbone_backward(setup->backbone, batch->theta, worker->pass, &dropout,
                              worker->d_feature, worker->gradient);
    lae_stopwatch_turn(watch, LAE_WORK_SUM);
    add_to_sum(step, worker, loss, correct, position);
    lae_stopwatch_turn(watch, LAE_WORK_IDLE);
}

/* The error that names the offending images of all ranks. [collective] */
static lae_status offence(const struct lae_step *step, int64_t offenders)
{
    LAE_TRY(lae_workers_agree(step->setup, step->workers));
    const struct lae_batch *batch = &step->batch;
    char list[NAMED_OFFENDERS * 12 + 8] = "";
    size_t length = 0;
    int named = 0;
    lae_dist_sum(step->setup->dist, step->offends, (size_t)batch->count);
    for (int i = 0; i < batch->count && named < NAMED_OFFENDERS; i++)
        if (step->offends[i] != 0)
            length += (size_t)snprintf(
                list + length, sizeof list - length, "%s%zu", named++ > 0 ? ", " : "",
                lae_dataset_number(&step->setup->dataset, LAE_TRAIN, batch->images[i]));
    if (named < offenders) snprintf(list + length, sizeof list - length, ", ...");
    return lae_failed(
        "task %d, epoch %d, step %lld: the loss or a gradient is not finite, or beyond the exact "
        "sum's range, for %lld of the batch's %d images (training image %s); what was saved before "
        "is whole; lower train.lr, or check model.weights, data.mean and data.std",
        batch->task + 1, batch->epoch + 1, (long long)batch->step + 1, (long long)offenders,
        batch->count, list);
}

/* This rank's images through the model, and the sums of all ranks; false, on all ranks, when
 * interrupted. */
static bool compute(struct lae_step *step, int64_t *sum, enum lae_request *request)
{
    const struct lae_dist *dist = step->setup->dist;
    lae_workers_clear(step->setup, step->workers, step->sum_length);
    size_t mine = lae_dist_share(dist, (size_t)step->batch.count);
    if (!lae_sweep_run(&step->sweep, mine, request)) return false;
    lae_workers_add(step->workers, step->sum_length, sum);
    sum[step->classifier + WORD_SAVE] = step->batch.save;
    lae_dist_sum(dist, sum, step->sum_length);
    return true;
}

lae_status lae_step_gradient(const struct lae_setup *setup, struct lae_workers *workers,
                             const struct lae_batch *batch, struct lae_gradient *gradient)
{
    struct lae_step *step = gradient->step;
    size_t pet = setup->pet.table.total;
    step->setup = setup;
    step->workers = workers;
    step->batch = *batch;
    step->sweep = (struct lae_sweep){.dist = setup->dist,
                                     .team = setup->team,
                                     .heeds = LAE_REQUEST_NOW,
                                     .work = learn_image,
                                     .context = step};
    step->classifier = lae_classifier_count(setup, batch->task);
    step->sum_length = step->classifier + WORDS + (batch->classifier_only ? 0 : pet);
    memset(step->offends, 0, (size_t)batch->count * sizeof *step->offends);
    enum lae_request request;
    if (!compute(step, gradient->sum, &request)) return lae_stopped();

    const int64_t *words = gradient->sum + step->classifier;
    if (words[WORD_OFFENDERS] != 0) return offence(step, words[WORD_OFFENDERS]);
    lae_exact_mean(gradient->classifier, gradient->sum, step->classifier, batch->count);
    if (!batch->classifier_only) lae_exact_mean(gradient->pet, words + WORDS, pet, batch->count);
    gradient->loss = lae_exact_mean_one(words[WORD_LOSS], batch->count);
    gradient->correct = (int)words[WORD_CORRECT];
    gradient->save = words[WORD_SAVE] != 0;
    gradient->stop = request != LAE_REQUEST_NONE;
    return NULL;
}
