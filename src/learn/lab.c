#include "lae/learn/lab.h"

#include "lae/base/arena.h"
#include "lae/base/clock.h"
#include "lae/learn/evaluator.h"
#include "lae/learn/gatherer.h"
#include "lae/run/directory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct lae_lab {
    struct lae_restored *opened;
    struct lae_lab_result stored; /* of the run's own merge */
    int tasks;                    /* finished */
    float *online;                /* [tasks, P] after each task */
    float *offline; /* [tasks, P] of a run whose method works after every step; else NULL */
    struct lae_workers workers;
    struct lae_evaluator *evaluator;
    struct lae_gatherer *gatherer;
    int known;   /* tasks whose online module has been evaluated */
    double done; /* work */
};

/* ---- what the tasks left */

static size_t vector_count(const struct lae_lab *lab)
{
    return lab->opened->job.pet.table.total;
}

static lae_status take_task(struct lae_lab *lab, const struct lae_checkpoint *checkpoint, int task)
{
    const struct lae_table *parameters = &lab->opened->job.pet.table;
    size_t at = (size_t)task * vector_count(lab);
    LAE_TRY(lae_status_prefix(
        lae_set_into_vector(&checkpoint->online, parameters, lab->online + at), "/online"));
    if (lab->offline == NULL) return NULL;
    return lae_status_prefix(
        lae_set_into_vector(&checkpoint->offline, parameters, lab->offline + at), "/offline");
}

/* From the task's own file, or from what the newest file remembers. */
static lae_status read_task(struct lae_lab *lab, const struct lae_checkpoint *newest, int task)
{
    const char *path = lab->opened->path;
    struct lae_log *log = lab->opened->job.log;
    struct lae_checkpoint beside;
    bool found;
    LAE_TRY(lae_checkpoint_beside(path, newest, task, log, &beside, &found));
    lae_status status = found ? take_task(lab, &beside, task) : NULL;
    lae_checkpoint_free(&beside);
    if (found) return lae_status_prefix(status, "the file of task %d beside %s", task, path);
    bool remembered = newest->history != NULL && newest->history[task].count > 0;
    if (remembered && lab->offline == NULL)
        return lae_set_into_vector(&newest->history[task], &lab->opened->job.pet.table,
                                   lab->online + (size_t)task * vector_count(lab));
    return lae_bad_input("%s: there is no good task_%02d.h5 of the same run beside it, whose "
                         "online module is to be merged",
                         path, task);
}

/* Rank 0's. */
static lae_status read_tasks(struct lae_lab *lab)
{
    struct lae_checkpoint newest;
    const char *path = lab->opened->path;
    LAE_TRY(lae_checkpoint_read(path, &lae_run_layout, lab->opened->job.log, &newest));
    lae_status status = lae_status_prefix(take_task(lab, &newest, newest.task), "%s", path);
    for (int task = 0; task < newest.task && status == NULL; task++)
        status = read_task(lab, &newest, task);
    if (status == NULL)
        status = lae_status_prefix(lae_metrics_from_checkpoint(&newest, &lab->stored.metrics), "%s",
                                   path);
    lae_checkpoint_free(&newest);
    return status;
}

static bool has_linear_heads(const struct lae_lab *lab)
{
    return (lab->opened->config.eval.heads & LAE_LINEAR_HEADS) != 0;
}

/* Where blocks are below the modules, half of the memory that is left may hold what they make of
 * the images. */
static lae_status keep_trunks(struct lae_lab *lab)
{
    const struct lae_job *job = &lab->opened->job;
    if (job->pet.first_block == 0) return NULL;
    double room = lae_dist_free_memory(job->dist) / 2.0 / job->dist->node_size;
    return lae_evaluator_keep_trunks(lab->evaluator, lab->tasks, room);
}

static lae_status allocate(struct lae_lab *lab)
{
    size_t count = (size_t)lab->tasks * vector_count(lab);
    const struct lae_job *job = &lab->opened->job;
    bool by_step = lab->stored.merge.method->after_step != NULL;
    lab->online = lae_aligned_calloc(count, sizeof(float));
    lab->offline = by_step ? lae_aligned_calloc(count, sizeof(float)) : NULL;
    if (lab->online == NULL || (by_step && lab->offline == NULL))
        return lae_out_of_memory((double)count * sizeof(float), "the tasks' modules");
    LAE_TRY(lae_workers_create(job, &lab->workers));
    LAE_TRY(lae_evaluator_create(job, &lab->workers, &lab->evaluator));
    LAE_TRY(lae_gatherer_create(job, &lab->workers, &lab->gatherer));
    if (has_linear_heads(lab)) LAE_TRY(lae_evaluator_keep_online(lab->evaluator, lab->tasks));
    return keep_trunks(lab);
}

static lae_status prepare(struct lae_lab *lab)
{
    const struct lae_dist *dist = lab->opened->dist;
    if (lab->tasks < 2)
        return lae_bad_input("%s: one task is finished, and merging begins with the second",
                             dist->rank == 0 ? lab->opened->path : "the run");
    LAE_TRY(lae_dist_agree(dist, allocate(lab)));
    LAE_TRY(lae_dist_agree(dist, dist->rank == 0 ? read_tasks(lab) : NULL));
    size_t bytes = (size_t)lab->tasks * vector_count(lab) * sizeof(float);
    lae_dist_broadcast(dist, lab->online, bytes);
    if (lab->offline != NULL) lae_dist_broadcast(dist, lab->offline, bytes);
    return NULL;
}

/* What is gathered and evaluated. Where files are to be written, they must have all that training
 * writes; else what does not depend on the merge is left out. */
static void choose_statistics(struct lae_config *config, bool write)
{
    bool linear_alone = config->eval.heads == LAE_LINEAR_HEADS;
    if (!write) config->stats.views = linear_alone ? 0 : 1U << LAE_VIEW_OFFLINE;
}

lae_status lae_lab_open(struct lae_restored *opened, bool write, struct lae_lab **out)
{
    struct lae_lab *lab = *out = calloc(1, sizeof *lab);
    LAE_TRY(lae_dist_agree(opened->dist,
                           lab == NULL ? lae_out_of_memory(sizeof *lab, "the lab") : NULL));
    lab->opened = opened;
    lab->stored = (struct lae_lab_result){.merge = opened->config.merge, .seconds = NAN};
    lab->tasks = opened->state.finished;
    choose_statistics(&opened->config, write);
    return prepare(lab);
}

void lae_lab_close(struct lae_lab *lab)
{
    if (lab == NULL) return;
    lae_gatherer_free(lab->gatherer);
    lae_evaluator_free(lab->evaluator);
    lae_workers_free(&lab->workers);
    lae_metrics_free(&lab->stored.metrics);
    free(lab->online);
    free(lab->offline);
    free(lab);
}

const struct lae_lab_result *lae_lab_stored(const struct lae_lab *lab)
{
    return &lab->stored;
}

/* ---- work, in passes of one image through one module */

static double count_images(const struct lae_lab *lab, enum lae_split split, int first, int task)
{
    double images = 0.0;
    for (int k = first; k <= task; k++)
        images += (double)lab->opened->job.sequence.images[split][k].count;
    return images;
}

/* Of the statistics of task `task`; after the first task offline is online. */
static double gathering_work(const struct lae_lab *lab, int task)
{
    int views = 0;
    for (int m = 0; m < LAE_VIEWS; m++)
        views += (int)(lab->opened->config.stats.views >> m & 1);
    return views * count_images(lab, LAE_TRAIN, task, task);
}

/* Of the evaluation after task `task`; `known`: online's features are. */
static double evaluation_work(const struct lae_lab *lab, int task, bool known)
{
    unsigned heads = lab->opened->config.eval.heads, gathers = lab->opened->config.stats.views;
    bool init = heads != LAE_LINEAR_HEADS && (gathers >> LAE_VIEW_INIT & 1) != 0;
    bool online = has_linear_heads(lab) && !known, offline = task > 0 || !has_linear_heads(lab);
    return (init + online + offline) * count_images(lab, LAE_TEST, 0, task);
}

double lae_lab_work(const struct lae_lab *lab, size_t merges)
{
    double first = 0.0, each = 0.0;
    for (int task = 0; task < lab->tasks; task++) {
        double known = evaluation_work(lab, task, true);
        first += evaluation_work(lab, task, false) - known;
        each += gathering_work(lab, task) + known;
    }
    return first + (double)merges * each;
}

/* ---- a run once more, without learning */

struct replay {
    struct lae_lab *lab;
    struct lae_state state;
    struct lae_run_directory dir;
    struct lae_log log; /* the directory's log.txt */
    lae_lab_progress *progress;
    void *context;
    double work; /* of what is under way */
};

static void passing(void *context, double share)
{
    const struct replay *r = context;
    r->progress(r->context, r->lab->done + share * r->work);
}

static lae_sweep_progress *progress_of(const struct replay *r)
{
    return r->progress != NULL && r->lab->opened->dist->rank == 0 ? passing : NULL;
}

/* Class statistics of the task. */
static lae_status gather(struct replay *r)
{
    struct lae_lab *lab = r->lab;
    int task = r->state.finished;
    struct lae_learned learned = lae_state_learned(&r->state, task);
    r->work = gathering_work(lab, task);
    LAE_TRY(lae_gather(lab->gatherer, &learned, &r->state.statistics, progress_of(r), r));
    lab->done += r->work;
    return NULL;
}

static lae_status evaluate(struct replay *r)
{
    struct lae_lab *lab = r->lab;
    struct lae_metrics *metrics = &r->state.metrics;
    int task = r->state.finished;
    struct lae_learned learned = lae_state_learned(&r->state, task);
    struct lae_counts counts;
    LAE_TRY(
        lae_dist_agree(lab->opened->dist, lae_counts_create(task + 1, &metrics->scorers, &counts)));
    r->work = evaluation_work(lab, task, task < lab->known);
    lae_status status = lae_evaluate(lab->evaluator, &learned, &counts, progress_of(r), r);
    if (status == NULL) {
        lae_metrics_record(metrics, &counts);
        lab->done += r->work;
        if (task >= lab->known) lab->known = task + 1;
    }
    lae_counts_free(&counts);
    return status;
}

/* What the task learned, in the place of its steps. */
static void take_learned(struct replay *r)
{
    const struct lae_lab *lab = r->lab;
    const struct lae_job *job = &lab->opened->job;
    struct lae_state *state = &r->state;
    int task = state->finished;
    size_t count = vector_count(lab), at = (size_t)task * count;
    memcpy(state->online, lab->online + at, count * sizeof(float));
    memcpy(state->classifiers[task], lab->opened->state.classifiers[task],
           lae_classifier_count(job, task) * sizeof(float));
    if (job->config->merge.method->after_step != NULL)
        memcpy(state->offline, lab->offline + at, count * sizeof(float));
}

static lae_status replay_task(struct replay *r, bool write)
{
    const struct lae_job *job = &r->lab->opened->job;
    struct lae_state *state = &r->state;
    LAE_TRY(lae_dist_agree(job->dist, lae_state_begin_task(job, state)));
    take_learned(r);
    LAE_TRY(lae_state_accumulate(job, state));
    LAE_TRY(gather(r));
    LAE_TRY(evaluate(r));
    state->finished++;
    state->at = (struct lae_position){0};
    return write ? lae_run_directory_save(&r->dir, job, state) : NULL;
}

static lae_status create_state(struct replay *r)
{
    const struct lae_restored *opened = r->lab->opened;
    LAE_TRY(lae_state_create(&opened->job, &r->state));
    memcpy(r->state.init, opened->state.init, vector_count(r->lab) * sizeof(float));
    return NULL;
}

static lae_status set_text(char **text, const char *value)
{
    char *copy = strdup(value);
    if (copy == NULL) return lae_out_of_memory(strlen(value), "a path");
    free(*text);
    *text = copy;
    return NULL;
}

static lae_status open_place(struct replay *r, const struct lae_lab_place *place)
{
    struct lae_restored *opened = r->lab->opened;
    lae_status status = set_text(&opened->config.run.root, place->root);
    if (status == NULL) status = set_text(&opened->config.run.name, place->name);
    LAE_TRY(lae_dist_agree(opened->dist, status));
    LAE_TRY(lae_run_directory_open(&opened->config, opened->dist, &r->log, &r->dir));
    lae_log_note(&r->log, "offline modules merged anew from %s",
                 opened->path != NULL ? opened->path : "");
    return NULL;
}

static struct replay begin(struct lae_lab *lab, const struct lae_merge_options *merge)
{
    struct replay r = {.lab = lab, .dir = {.lock = {.file = -1}}};
    lab->opened->config.merge = *merge;
    lae_log_open(&r.log, true);
    return r;
}

static void end(struct replay *r)
{
    lae_run_directory_close(&r->dir);
    lae_log_close(&r->log);
    lae_state_free(&r->state);
}

lae_status lae_lab_check_place(struct lae_lab *lab, const struct lae_merge_options *merge,
                               const struct lae_lab_place *place)
{
    struct replay r = begin(lab, merge);
    lae_status status = open_place(&r, place);
    lae_run_directory_undo(&r.dir, &r.log);
    end(&r);
    return status;
}

static lae_status replay(struct replay *r, const struct lae_lab_place *place)
{
    const struct lae_job *job = &r->lab->opened->job;
    LAE_TRY(lae_dist_agree(job->dist, create_state(r)));
    if (place != NULL) LAE_TRY(open_place(r, place));
    if (place != NULL && !r->dir.found) LAE_TRY(lae_run_directory_restore(&r->dir, job, &r->state));
    for (int task = 0; task < r->lab->tasks; task++)
        LAE_TRY(replay_task(r, place != NULL));
    return NULL;
}

lae_status lae_lab_merge(struct lae_lab *lab, const struct lae_merge_options *merge,
                         const struct lae_lab_place *place, lae_lab_progress *progress,
                         void *context, struct lae_lab_result *result)
{
    double began = lae_clock_seconds();
    struct replay r = begin(lab, merge);
    r.progress = progress;
    r.context = context;
    lae_status status = lae_restored_settle(lab->opened, replay(&r, place));
    *result = (struct lae_lab_result){.merge = *merge, .seconds = lae_clock_seconds() - began};
    if (status == NULL) {
        result->metrics = r.state.metrics;
        r.state.metrics = (struct lae_metrics){0};
    }
    end(&r);
    return status;
}
