#include "lae/learn/replayer.h"
#include "lae/run/task_files.h"

#include "lae/base/arena.h"
#include "lae/base/clock.h"
#include "lae/learn/evaluator.h"
#include "lae/learn/gatherer.h"
#include "lae/run/directory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct lae_replayer {
    struct lae_restored *restored;
    struct lae_replayer_result stored; /* of the run's own merge */
    int tasks;                         /* finished */
    float *online;                     /* [tasks, P] after each task */
    float *offline; /* [tasks, P] of a run whose method works after every step; else NULL */
    struct lae_workers workers;
    struct lae_evaluator *evaluator;
    struct lae_gatherer *gatherer;
    int known;   /* tasks whose online module has been evaluated */
    double done; /* work */
};

/* ---- what the tasks left */

static size_t vector_count(const struct lae_replayer *replayer)
{
    return replayer->restored->setup.pet.table.total;
}

static lae_status take_task(struct lae_replayer *replayer, const struct lae_checkpoint *checkpoint,
                            int task)
{
    const struct lae_table *parameters = &replayer->restored->setup.pet.table;
    size_t at = (size_t)task * vector_count(replayer);
    LAE_TRY(lae_status_prefix(
        lae_set_into_vector(&checkpoint->online, parameters, replayer->online + at), "/online"));
    if (replayer->offline == NULL) return NULL;
    return lae_status_prefix(
        lae_set_into_vector(&checkpoint->offline, parameters, replayer->offline + at), "/offline");
}

/* From the task's own file, or from what the newest file remembers. */
static lae_status read_task(struct lae_replayer *replayer, const struct lae_checkpoint *newest,
                            int task)
{
    const char *path = replayer->restored->path;
    struct lae_log *log = replayer->restored->setup.log;
    struct lae_checkpoint beside;
    bool found;
    LAE_TRY(lae_checkpoint_beside(path, newest, task, log, &beside, &found));
    lae_status status = found ? take_task(replayer, &beside, task) : NULL;
    lae_checkpoint_free(&beside);
    if (found) return lae_status_prefix(status, "the file of task %d beside %s", task, path);
    bool remembered = newest->history != NULL && newest->history[task].count > 0;
    if (remembered && replayer->offline == NULL)
        return lae_set_into_vector(&newest->history[task], &replayer->restored->setup.pet.table,
                                   replayer->online + (size_t)task * vector_count(replayer));
    return lae_bad_input("%s: there is no good task_%02d.h5 of the same run beside it, whose "
                         "online module is to be merged",
                         path, task);
}

/* Rank 0's. */
static lae_status read_tasks(struct lae_replayer *replayer)
{
    struct lae_checkpoint newest;
    const char *path = replayer->restored->path;
    LAE_TRY(lae_checkpoint_read(path, &lae_run_layout, replayer->restored->setup.log, &newest));
    lae_status status = lae_status_prefix(take_task(replayer, &newest, newest.task), "%s", path);
    for (int task = 0; task < newest.task && status == NULL; task++)
        status = read_task(replayer, &newest, task);
    if (status == NULL)
        status = lae_status_prefix(lae_metrics_from_checkpoint(&newest, &replayer->stored.metrics),
                                   "%s", path);
    lae_checkpoint_free(&newest);
    return status;
}

static bool has_linear_heads(const struct lae_replayer *replayer)
{
    return (replayer->restored->config.eval.heads & LAE_LINEAR_HEADS) != 0;
}

/* Where blocks are below the modules, half of the memory that is left may hold what they make of
 * the images. */
static lae_status keep_trunks(struct lae_replayer *replayer)
{
    const struct lae_setup *setup = &replayer->restored->setup;
    if (setup->pet.first_block == 0) return NULL;
    double room = lae_dist_free_memory(setup->dist) / 2.0 / setup->dist->node_size;
    return lae_evaluator_keep_trunks(replayer->evaluator, replayer->tasks, room);
}

static lae_status allocate(struct lae_replayer *replayer)
{
    size_t count = (size_t)replayer->tasks * vector_count(replayer);
    const struct lae_setup *setup = &replayer->restored->setup;
    bool by_step = replayer->stored.merge.method->after_step != NULL;
    replayer->online = lae_aligned_calloc(count, sizeof(float));
    replayer->offline = by_step ? lae_aligned_calloc(count, sizeof(float)) : NULL;
    if (replayer->online == NULL || (by_step && replayer->offline == NULL))
        return lae_out_of_memory((double)count * sizeof(float), "the tasks' modules");
    LAE_TRY(lae_workers_create(setup, &replayer->workers));
    LAE_TRY(lae_evaluator_create(setup, &replayer->workers, &replayer->evaluator));
    LAE_TRY(lae_gatherer_create(setup, &replayer->workers, &replayer->gatherer));
    if (has_linear_heads(replayer))
        LAE_TRY(lae_evaluator_keep_online(replayer->evaluator, replayer->tasks));
    return keep_trunks(replayer);
}

static lae_status prepare(struct lae_replayer *replayer)
{
    const struct lae_dist *dist = replayer->restored->dist;
    if (replayer->tasks < 2)
        return lae_bad_input("%s: one task is finished, and merging begins with the second",
                             dist->rank == 0 ? replayer->restored->path : "the run");
    LAE_TRY(lae_dist_agree(dist, allocate(replayer)));
    LAE_TRY(lae_dist_agree(dist, dist->rank == 0 ? read_tasks(replayer) : NULL));
    size_t bytes = (size_t)replayer->tasks * vector_count(replayer) * sizeof(float);
    lae_dist_broadcast(dist, replayer->online, bytes);
    if (replayer->offline != NULL) lae_dist_broadcast(dist, replayer->offline, bytes);
    return NULL;
}

/* What is gathered and evaluated. Where files are to be written, they must have all that training
 * writes; else what does not depend on the merge is left out. */
static void choose_statistics(struct lae_config *config, bool write)
{
    bool linear_alone = config->eval.heads == LAE_LINEAR_HEADS;
    if (!write) config->stats.views = linear_alone ? 0 : 1U << LAE_VIEW_OFFLINE;
}

lae_status lae_replayer_open(struct lae_restored *restored, bool write, struct lae_replayer **out)
{
    struct lae_replayer *replayer = *out = calloc(1, sizeof *replayer);
    LAE_TRY(lae_dist_agree(
        restored->dist, replayer == NULL ? lae_out_of_memory(sizeof *replayer, "the lab") : NULL));
    replayer->restored = restored;
    replayer->stored =
        (struct lae_replayer_result){.merge = restored->config.merge, .seconds = NAN};
    replayer->tasks = restored->state.finished;
    choose_statistics(&restored->config, write);
    return prepare(replayer);
}

void lae_replayer_close(struct lae_replayer *replayer)
{
    if (replayer == NULL) return;
    lae_gatherer_free(replayer->gatherer);
    lae_evaluator_free(replayer->evaluator);
    lae_workers_free(&replayer->workers);
    lae_metrics_free(&replayer->stored.metrics);
    free(replayer->online);
    free(replayer->offline);
    free(replayer);
}

const struct lae_replayer_result *lae_replayer_stored(const struct lae_replayer *replayer)
{
    return &replayer->stored;
}

/* ---- work, in passes of one image through one module */

static double count_images(const struct lae_replayer *replayer, enum lae_split split, int first,
                           int task)
{
    double images = 0.0;
    for (int k = first; k <= task; k++)
        images += (double)replayer->restored->setup.sequence.images[split][k].count;
    return images;
}

/* Of the statistics of task `task`; after the first task offline is online. */
static double gathering_work(const struct lae_replayer *replayer, int task)
{
    int views = 0;
    for (int m = 0; m < LAE_VIEWS; m++)
        views += (int)(replayer->restored->config.stats.views >> m & 1);
    return views * count_images(replayer, LAE_TRAIN, task, task);
}

/* Of the evaluation after task `task`; `known`: online's features are. */
static double evaluation_work(const struct lae_replayer *replayer, int task, bool known)
{
    unsigned heads = replayer->restored->config.eval.heads,
             gathers = replayer->restored->config.stats.views;
    bool init = heads != LAE_LINEAR_HEADS && (gathers >> LAE_VIEW_INIT & 1) != 0;
    bool online = has_linear_heads(replayer) && !known,
         offline = task > 0 || !has_linear_heads(replayer);
    return (init + online + offline) * count_images(replayer, LAE_TEST, 0, task);
}

double lae_replayer_work(const struct lae_replayer *replayer, size_t merges)
{
    double first = 0.0, each = 0.0;
    for (int task = 0; task < replayer->tasks; task++) {
        double known = evaluation_work(replayer, task, true);
        first += evaluation_work(replayer, task, false) - known;
        each += gathering_work(replayer, task) + known;
    }
    return first + (double)merges * each;
}

/* ---- a run once more, without learning */

struct replay {
    struct lae_replayer *replayer;
    struct lae_state state;
    struct lae_run_directory dir;
    struct lae_log log; /* the directory's log.txt */
    lae_replayer_progress *progress;
    void *context;
    double work; /* of what is under way */
};

static void passing(void *context, double share)
{
    const struct replay *r = context;
    r->progress(r->context, r->replayer->done + share * r->work);
}

static lae_sweep_progress *progress_of(const struct replay *r)
{
    return r->progress != NULL && r->replayer->restored->dist->rank == 0 ? passing : NULL;
}

/* Class statistics of the task. */
static lae_status gather(struct replay *r)
{
    struct lae_replayer *replayer = r->replayer;
    int task = r->state.finished;
    struct lae_learned learned = lae_state_learned(&r->state, task);
    r->work = gathering_work(replayer, task);
    LAE_TRY(lae_gather(replayer->gatherer, &learned, &r->state.statistics, progress_of(r), r));
    replayer->done += r->work;
    return NULL;
}

static lae_status evaluate(struct replay *r)
{
    struct lae_replayer *replayer = r->replayer;
    struct lae_metrics *metrics = &r->state.metrics;
    int task = r->state.finished;
    struct lae_learned learned = lae_state_learned(&r->state, task);
    struct lae_counts counts;
    LAE_TRY(lae_dist_agree(replayer->restored->dist,
                           lae_counts_create(task + 1, &metrics->scorers, &counts)));
    r->work = evaluation_work(replayer, task, task < replayer->known);
    lae_status status = lae_evaluate(replayer->evaluator, &learned, &counts, progress_of(r), r);
    if (status == NULL) {
        lae_metrics_record(metrics, &counts);
        replayer->done += r->work;
        if (task >= replayer->known) replayer->known = task + 1;
    }
    lae_counts_free(&counts);
    return status;
}

/* What the task learned, in the place of its steps. */
static void take_learned(struct replay *r)
{
    const struct lae_replayer *replayer = r->replayer;
    const struct lae_setup *setup = &replayer->restored->setup;
    struct lae_state *state = &r->state;
    int task = state->finished;
    size_t count = vector_count(replayer), at = (size_t)task * count;
    memcpy(state->online, replayer->online + at, count * sizeof(float));
    memcpy(state->classifiers[task], replayer->restored->state.classifiers[task],
           lae_classifier_count(setup, task) * sizeof(float));
    if (setup->config->merge.method->after_step != NULL)
        memcpy(state->offline, replayer->offline + at, count * sizeof(float));
}

static lae_status replay_task(struct replay *r, bool write)
{
    const struct lae_setup *setup = &r->replayer->restored->setup;
    struct lae_state *state = &r->state;
    LAE_TRY(lae_dist_agree(setup->dist, lae_state_begin_task(setup, state)));
    take_learned(r);
    LAE_TRY(lae_state_accumulate(setup, state));
    LAE_TRY(gather(r));
    LAE_TRY(evaluate(r));
    state->finished++;
    state->at = (struct lae_position){0};
    return write ? lae_run_directory_save(&r->dir, setup, state) : NULL;
}

static lae_status create_state(struct replay *r)
{
    const struct lae_restored *restored = r->replayer->restored;
    LAE_TRY(lae_state_create(&restored->setup, &r->state));
    memcpy(r->state.init, restored->state.init, vector_count(r->replayer) * sizeof(float));
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

static lae_status open_place(struct replay *r, const struct lae_replayer_place *place)
{
    struct lae_restored *restored = r->replayer->restored;
    lae_status status = set_text(&restored->config.run.root, place->root);
    if (status == NULL) status = set_text(&restored->config.run.name, place->name);
    LAE_TRY(lae_dist_agree(restored->dist, status));
    LAE_TRY(lae_run_directory_open(&restored->config, restored->dist, &r->log, &r->dir));
    lae_log_note(&r->log, "offline modules merged anew from %s",
                 restored->path != NULL ? restored->path : "");
    return NULL;
}

static struct replay begin(struct lae_replayer *replayer, const struct lae_merge_options *merge)
{
    struct replay r = {.replayer = replayer, .dir = {.lock = {.file = -1}}};
    replayer->restored->config.merge = *merge;
    lae_log_open(&r.log, true);
    return r;
}

static void end(struct replay *r)
{
    lae_run_directory_close(&r->dir);
    lae_log_close(&r->log);
    lae_state_free(&r->state);
}

lae_status lae_replayer_check_place(struct lae_replayer *replayer,
                                    const struct lae_merge_options *merge,
                                    const struct lae_replayer_place *place)
{
    struct replay r = begin(replayer, merge);
    lae_status status = open_place(&r, place);
    lae_run_directory_undo(&r.dir, &r.log);
    end(&r);
    return status;
}

static lae_status replay(struct replay *r, const struct lae_replayer_place *place)
{
    const struct lae_setup *setup = &r->replayer->restored->setup;
    LAE_TRY(lae_dist_agree(setup->dist, create_state(r)));
    if (place != NULL) LAE_TRY(open_place(r, place));
    if (place != NULL && !r->dir.found)
        LAE_TRY(lae_run_directory_restore(&r->dir, setup, &r->state));
    for (int task = 0; task < r->replayer->tasks; task++)
        LAE_TRY(replay_task(r, place != NULL));
    return NULL;
}

lae_status lae_replayer_merge(struct lae_replayer *replayer, const struct lae_merge_options *merge,
                              const struct lae_replayer_place *place,
                              lae_replayer_progress *progress, void *context,
                              struct lae_replayer_result *result)
{
    double began = lae_clock_seconds();
    struct replay r = begin(replayer, merge);
    r.progress = progress;
    r.context = context;
    lae_status status = lae_restored_settle(replayer->restored, replay(&r, place));
    *result = (struct lae_replayer_result){.merge = *merge, .seconds = lae_clock_seconds() - began};
    if (status == NULL) {
        result->metrics = r.state.metrics;
        r.state.metrics = (struct lae_metrics){0};
    }
    end(&r);
    return status;
}
