#include "lae/learn/trainer.h"

#include "lae/base/clock.h"
#include "lae/learn/evaluator.h"
#include "lae/learn/gatherer.h"
#include "lae/learn/step.h"
#include "lae/optim/adam.h"
#include "lae/run/plan.h"

#include <stdlib.h>
#include <string.h>

struct trainer {
    const struct lae_setup *setup;
    const struct lae_observer *observer; /* without functions but at rank 0 */
    struct lae_run_directory *dir;
    struct lae_state *state;
    struct lae_workers workers;
    struct lae_gradient gradient;
    struct lae_evaluator *evaluator;
    struct lae_gatherer *gatherer;
    enum lae_pass pass; /* under way */
    uint32_t *order;    /* an epoch's positions in the task's images */
    uint32_t *batch;    /* [batch_size] image numbers */
    struct lae_position at;
    lae_status unheard;  /* of the observer at rank 0; the others hear of it when an epoch ends */
    double began;        /* monotonic seconds when this call began */
    double seconds_then; /* state->seconds at that time */
    double saved;        /* when the state was saved last */
};

/* What an observer could not do (a full disk, say) must end all ranks alike. */
static lae_status agree(const struct trainer *t, lae_status status)
{
    return lae_dist_agree(t->setup->dist, status);
}

static bool is_frozen(const struct trainer *t)
{
    return lae_plan_frozen(t->setup->config, t->at.task, t->at.epoch);
}

static const struct lae_task_images *task_images(const struct trainer *t)
{
    return &t->setup->sequence.images[LAE_TRAIN][t->at.task];
}

/* The images of step `step` of the epoch into t->batch; returns how many. */
static int gather_batch(struct trainer *t, int64_t step)
{
    const struct lae_task_images *images = task_images(t);
    size_t size = (size_t)t->setup->config->train.batch_size, first = (size_t)step * size;
    size_t count = images->count - first < size ? images->count - first : size;
    for (size_t i = 0; i < count; i++)
        t->batch[i] = images->index[t->order[first + i]];
    return (int)count;
}

/* Moves the parameters that learn; returns the gradient's norm. */
static double update(struct trainer *t, double lr)
{
    const struct lae_optim_options *options = &t->setup->config->optim;
    struct lae_state *state = t->state;
    size_t classifier = state->classifier.count, pet = state->pet.count;
    bool still = is_frozen(t);
    double norm = still ? lae_clip_gradient(t->gradient.classifier, classifier, options->clip_norm)
                        : lae_clip_gradient(t->gradient.pet, pet + classifier, options->clip_norm);
    lae_adam_step(&state->classifier, options, lr, state->classifiers[t->at.task],
                  t->gradient.classifier);
    if (!still) lae_adam_step(&state->pet, options, lr, state->online, t->gradient.pet);
    return norm;
}

static void accumulate_step(struct trainer *t)
{
    const struct lae_merge_options *options = &t->setup->config->merge;
    struct lae_merge_vectors vectors = lae_state_vectors(t->setup, t->state);
    if (t->at.task > 0 && options->method->after_step != NULL)
        options->method->after_step(options, &vectors);
}

/* Whether rank 0 wants the state saved after the step at hand. */
static bool save_is_due(const struct trainer *t)
{
    const struct lae_config *config = t->setup->config;
    double seconds = config->checkpoint.every_seconds;
    int steps = config->checkpoint.every_steps;
    if (t->setup->dist->rank != 0) return false;
    return (steps > 0 && (t->at.step + 1) % steps == 0) ||
           (seconds > 0.0 && lae_clock_seconds() - t->saved >= seconds);
}

static void report_step(struct trainer *t, double lr, double norm, int images)
{
    const struct lae_position *at = &t->state->at;
    int64_t steps = (t->at.step + 1) - t->at.epoch * (t->at.steps / t->at.epochs);
    struct lae_step_report report = {
        .position = t->at,
        .loss = t->gradient.loss,
        .accuracy = 100.0 * t->gradient.correct / images,
        .epoch_loss = at->loss / (double)steps,
        .epoch_accuracy = 100.0 * (double)at->correct / (double)at->images,
        .lr = lr,
        .gradient_norm = norm,
        .images = images,
        .seconds = t->seconds_then + lae_clock_seconds() - t->began,
    };
    if (t->observer->step != NULL)
        t->unheard = lae_status_first(t->unheard, t->observer->step(t->observer->context, &report));
}

/* One step, whole or not at all: until the gradient is there, nothing is changed. */
static lae_status learn_step(struct trainer *t, int64_t step_of_epoch)
{
    const struct lae_setup *setup = t->setup;
    struct lae_batch batch = {
        .task = t->at.task,
        .epoch = t->at.epoch,
        .step = t->at.step,
        .images = t->batch,
        .count = gather_batch(t, step_of_epoch),
        .classifier_only = is_frozen(t),
        .theta = t->state->online,
        .classifier = t->state->classifiers[t->at.task],
        .save = save_is_due(t),
    };
    LAE_TRY(lae_step_gradient(setup, &t->workers, &batch, &t->gradient));
    double lr = lae_schedule_lr(&setup->config->optim, t->at.step, t->at.steps);
    double norm = update(t, lr);
    accumulate_step(t);
    struct lae_position *at = &t->state->at;
    at->loss += t->gradient.loss;
    at->correct += t->gradient.correct;
    at->images += batch.count;
    report_step(t, lr, norm, batch.count);
    at->step++;
    return NULL;
}

static void note_seconds(struct trainer *t)
{
    t->state->seconds = t->seconds_then + lae_clock_seconds() - t->began;
}

/* Saves where training stands. [collective] */
static lae_status save_inside(struct trainer *t)
{
    note_seconds(t);
    LAE_TRY(lae_run_directory_save_inside(t->dir, t->setup, t->state));
    t->saved = lae_clock_seconds();
    return NULL;
}

static void passing(void *context, double share)
{
    struct trainer *t = context;
    if (t->observer->passing != NULL)
        t->observer->passing(t->observer->context, &t->at, t->pass, share);
}

/* Evaluates on the tasks so far; the numbers go to the observer, and to the record where the task
 * is done. Before that its classes have no statistics, and its own classifiers alone can tell. */
static lae_status evaluate(struct trainer *t, bool done)
{
    const struct lae_state *state = t->state;
    struct lae_counts counts;
    struct lae_scorers scorers =
        done ? state->metrics.scorers
             : lae_scorers_of(LAE_LINEAR_HEADS, state->offline != NULL, 0, 0);
    struct lae_learned learned = lae_state_learned(state, t->at.task);
    t->pass = LAE_PASS_EVALUATION;
    LAE_TRY(agree(t, lae_counts_create(t->at.task + 1, &scorers, &counts)));
    lae_status status = lae_evaluate(t->evaluator, &learned, &counts, passing, t);
    if (status == NULL && done) lae_metrics_record(&t->state->metrics, &counts);
    if (status == NULL && t->observer->evaluated != NULL)
        status = t->observer->evaluated(t->observer->context, &t->at, &counts);
    lae_counts_free(&counts);
    if (lae_status_code(status) == LAE_STOPPED) return status; /* on all ranks */
    return agree(t, status);
}

/* The evaluation after the epoch that t->at tells of. */
static lae_status evaluate_epoch(struct trainer *t)
{
    LAE_TRY(evaluate(t, false));
    t->state->at.owed = false;
    return NULL;
}

/* The rest of the epoch that the cursor stands in. */
static lae_status learn_epoch(struct trainer *t)
{
    const struct lae_config *config = t->setup->config;
    struct lae_position *at = &t->state->at;
    size_t images = task_images(t)->count;
    int64_t steps = lae_plan_steps(config, images), first = at->step - at->epoch * steps;
    lae_sequence_shuffle(config->run.seed, t->at.task, t->at.epoch, images, config->data.shuffle,
                         t->order);
    for (int64_t step = first; step < steps; step++) {
        t->at.step = at->step;
        LAE_TRY(learn_step(t, step));
        if (step + 1 == steps) {
            at->epoch++;
            at->owed = config->eval.every == LAE_EVAL_EPOCH && at->epoch < t->at.epochs;
            at->loss = 0.0;
            at->correct = at->images = 0;
        }
        if (t->gradient.stop) return lae_stopped();
        if (t->gradient.save) LAE_TRY(save_inside(t));
    }
    lae_status unheard = t->unheard;
    t->unheard = NULL;
    LAE_TRY(agree(t, unheard));
    return at->owed ? evaluate_epoch(t) : NULL;
}

/* Begins the task, or goes on inside it. */
static lae_status learn_task(struct trainer *t)
{
    const struct lae_config *config = t->setup->config;
    struct lae_position *at = &t->state->at;
    t->at.task = t->state->finished;
    t->at.epochs = config->train.epochs;
    t->at.steps = t->at.epochs * lae_plan_steps(config, task_images(t)->count);
    t->at.before = lae_plan_steps_before(config, &t->setup->sequence, t->at.task);
    if (!at->inside) LAE_TRY(agree(t, lae_state_begin_task(t->setup, t->state)));
    if (at->owed) {
        t->at.epoch = at->epoch - 1;
        t->at.step = at->step - 1;
        LAE_TRY(evaluate_epoch(t));
    }
    while (at->epoch < t->at.epochs) {
        t->at.epoch = at->epoch;
        LAE_TRY(learn_epoch(t));
    }
    t->at.epoch = t->at.epochs - 1;
    t->at.step = t->at.steps;
    return NULL;
}

/* What the task leaves in the offline module, told to the observer. */
static lae_status accumulate(struct trainer *t)
{
    if (t->state->at.merged) return NULL; /* before it was interrupted */
    LAE_TRY(lae_state_accumulate(t->setup, t->state));
    lae_status status = NULL;
    if (t->observer->merged != NULL && t->state->offline != NULL && t->at.task > 0)
        status = t->observer->merged(t->observer->context, &t->at, t->setup, t->state);
    return agree(t, status);
}

/* Class statistics of the task, unless they were in before it was interrupted. */
static lae_status gather(struct trainer *t)
{
    struct lae_state *state = t->state;
    bool gathered = lae_statistics_know(&state->statistics, t->setup, t->at.task);
    struct lae_learned learned = lae_state_learned(state, t->at.task);
    lae_dist_broadcast(t->setup->dist, &gathered, sizeof gathered);
    t->pass = LAE_PASS_STATISTICS;
    return gathered ? NULL : lae_gather(t->gatherer, &learned, &state->statistics, passing, t);
}

static lae_status run_task(struct trainer *t)
{
    LAE_TRY(learn_task(t));
    LAE_TRY(accumulate(t));
    LAE_TRY(gather(t));
    LAE_TRY(evaluate(t, true));
    t->state->finished++;
    t->state->at = (struct lae_position){0};
    note_seconds(t);
    LAE_TRY(lae_run_directory_save(t->dir, t->setup, t->state));
    lae_status status = NULL;
    if (t->observer->task_done != NULL)
        status = t->observer->task_done(t->observer->context, t->setup, t->state);
    return agree(t, status);
}

static lae_status told_where(const struct trainer *t, const char *how)
{
    const struct lae_position *at = &t->state->at;
    return lae_status_new(LAE_STOPPED,
                          "%s in task %d after step %lld of %lld; the state is saved in %s: the "
                          "same command goes on from there",
                          how, t->at.task + 1, (long long)at->step, (long long)t->at.steps,
                          t->setup->dist->rank == 0 ? t->dir->path : "the run's directory");
}

/* Some rank has died and the launcher is ending the others: rank 0 saves the state, which no
 * unfinished step has touched. Nothing collective may be done. */
static _Noreturn void leave(struct trainer *t)
{
    int code = LAE_STOPPED;
    if (t->setup->dist->rank == 0) {
        note_seconds(t);
        lae_status status = lae_run_directory_save_alone(t->dir, t->setup, t->state);
        if (status == NULL) status = told_where(t, "ended, for a rank does not answer,");
        code = (int)lae_status_code(status);
        lae_log_info(t->setup->log, "lae_mpi: %s", lae_status_message(status));
        lae_status_free(status);
    }
    lae_dist_leave(t->setup->dist, code);
}

/* Rank 0 saves before anything that is collective: the others may have given it up for lost, and
 * answer no more, where it was late. [collective] */
static lae_status save_at_once(struct trainer *t)
{
    bool first = t->setup->dist->rank == 0;
    note_seconds(t);
    return agree(t, first ? lae_run_directory_save_alone(t->dir, t->setup, t->state) : NULL);
}

/* A request to stop reached all ranks in the same place: the state is saved as it stands there. */
static lae_status stop(struct trainer *t)
{
    if (lae_dist_is_broken(t->setup->dist)) leave(t);
    lae_status status = save_at_once(t);
    lae_team_drain(t->setup->team); /* after saving, which cannot wait */
    return status == NULL ? told_where(t, "stopped on request") : status;
}

static lae_status run_tasks(struct trainer *t)
{
    lae_status status = NULL;
    while (status == NULL && t->state->finished < t->at.tasks)
        status = run_task(t);
    if (lae_status_code(status) != LAE_STOPPED) return status;
    lae_status_free(status);
    return stop(t);
}

static lae_status prepare(struct trainer *t)
{
    size_t images = 0;
    for (int task = 0; task < t->setup->sequence.tasks; task++)
        if (t->setup->sequence.images[LAE_TRAIN][task].count > images)
            images = t->setup->sequence.images[LAE_TRAIN][task].count;
    LAE_TRY(lae_workers_create(t->setup, &t->workers));
    LAE_TRY(lae_gradient_create(&t->workers, t->setup, &t->gradient));
    LAE_TRY(lae_evaluator_create(t->setup, &t->workers, &t->evaluator));
    if (lae_scorers_need(&t->state->metrics.scorers, LAE_VIEW_INIT))
        LAE_TRY(lae_evaluator_keep_init(t->evaluator));
    LAE_TRY(lae_gatherer_create(t->setup, &t->workers, &t->gatherer));
    size_t batch = (size_t)t->setup->config->train.batch_size;
    t->order = calloc(images, sizeof *t->order);
    t->batch = calloc(batch, sizeof *t->batch);
    if (t->order == NULL || t->batch == NULL)
        return lae_out_of_memory((images + batch) * sizeof *t->order, "an epoch's order");
    if (t->observer->begin != NULL)
        return t->observer->begin(t->observer->context, t->setup, t->state, t->at.tasks);
    return NULL;
}

static void release(struct trainer *t)
{
    lae_status_free(t->unheard);
    lae_evaluator_free(t->evaluator);
    lae_gatherer_free(t->gatherer);
    lae_gradient_free(&t->gradient);
    lae_workers_free(&t->workers);
    free(t->order);
    free(t->batch);
}

lae_status lae_train(const struct lae_setup *setup, struct lae_run_directory *dir,
                     struct lae_state *state, const struct lae_observer *observer)
{
    static const struct lae_observer nobody = {0};
    struct trainer t = {
        .setup = setup,
        .dir = dir,
        .observer = setup->dist->rank == 0 && observer != NULL ? observer : &nobody,
        .state = state,
        .at = {.tasks = lae_plan_stop(setup->config, state->tasks)},
        .began = lae_clock_seconds(),
        .seconds_then = state->seconds,
        .saved = lae_clock_seconds(),
    };
    lae_status status = agree(&t, prepare(&t));
    if (status == NULL) status = run_tasks(&t);
    release(&t);
    return status;
}
