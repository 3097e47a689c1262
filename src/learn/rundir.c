#include "lae/learn/rundir.h"

#include "lae/files/atomic.h"
#include "lae/files/map.h"
#include "lae/learn/workers.h"
#include "snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TASK_FILES_MAX 10000
#define RESUME "resume.h5"
#define RESUME_PREVIOUS "resume-previous.h5"

/* DIRECTORY/task_NN.h5; NULL when memory is out. */
static char *task_path(const char *directory, int task)
{
    char name[32];
    snprintf(name, sizeof name, "task_%02d.h5", task);
    return lae_path_join(directory, name);
}

static bool task_exists(const char *directory, int task)
{
    char *path = task_path(directory, task);
    bool exists = path != NULL && lae_path_exists(path);
    free(path);
    return exists;
}

/* Takes a checkpoint that was read as the one to go on from. */
static void take_found(struct lae_rundir *dir, const struct lae_checkpoint *checkpoint)
{
    lae_checkpoint_free(&dir->last);
    dir->last = *checkpoint;
    dir->found = true;
    dir->finished = checkpoint->task + (checkpoint->inside.present ? 0 : 1);
    dir->task_count = checkpoint->task_count;
}

/* Reads the newest task file that is whole; files that are not are warned about and passed over, so
 * that their tasks are computed again. */
static lae_status find_last(struct lae_rundir *dir, struct lae_log *log)
{
    int count = 0;
    while (count < TASK_FILES_MAX && task_exists(dir->path, count))
        count++;
    for (int task = count - 1; task >= 0 && !dir->found; task--) {
        char *path = task_path(dir->path, task);
        if (path == NULL) return lae_out_of_memory(64, "a path");
        struct lae_checkpoint checkpoint;
        lae_status status = lae_checkpoint_read(path, log, &checkpoint);
        free(path);
        if (status == NULL && (checkpoint.task != task || checkpoint.inside.present)) {
            lae_checkpoint_free(&checkpoint);
            status = lae_bad_input("task_%02d.h5 is of another task", task);
        }
        if (status == NULL) take_found(dir, &checkpoint);
        if (status != NULL)
            lae_log_warn(log, "%s; going back to the task before", lae_status_message(status));
        lae_status_free(status);
    }
    return NULL;
}

/* Reads NAME, a state inside a task, if it belongs to the task after the last finished one. */
static lae_status find_inside(struct lae_rundir *dir, const char *name, struct lae_log *log)
{
    char *path = lae_path_join(dir->path, name);
    if (path == NULL) return lae_out_of_memory(64, "a path");
    lae_status status = NULL;
    if (lae_path_exists(path)) {
        struct lae_checkpoint checkpoint;
        status = lae_checkpoint_read(path, log, &checkpoint);
        if (status != NULL)
            lae_log_warn(log, "%s; going back to what was saved before",
                         lae_status_message(status));
        else if (checkpoint.inside.present && checkpoint.task == dir->finished)
            take_found(dir, &checkpoint);
        else
            lae_checkpoint_free(&checkpoint);
        lae_status_free(status);
    }
    free(path);
    return NULL;
}

static lae_status find_newest(struct lae_rundir *dir, struct lae_log *log)
{
    LAE_TRY(find_last(dir, log));
    LAE_TRY(find_inside(dir, RESUME, log));
    if (dir->found && dir->last.inside.present) return NULL;
    return find_inside(dir, RESUME_PREVIOUS, log);
}

/* run.resume is the path of a task file: learning goes on from there in a directory of its own. */
static lae_status start_from_file(const struct lae_config *config, struct lae_rundir *dir,
                                  struct lae_log *log)
{
    const char *path = config->run.resume;
    if (dir->found)
        return lae_bad_input("%s holds a run already; to start from %s choose another run.name",
                             dir->path, path);
    struct lae_checkpoint checkpoint;
    LAE_TRY(lae_status_prefix(lae_checkpoint_read(path, log, &checkpoint), "run.resume"));
    take_found(dir, &checkpoint);
    return NULL;
}

/* Refuses to go on with another configuration, naming the keys. */
static lae_status compare(const struct lae_config *config, const char *path, const char *then)
{
    char *now = NULL;
    LAE_TRY(lae_config_print_result(config, &now));
    struct lae_config_differences differences = {0};
    lae_status status = lae_config_differences(path, then, "this configuration", now, &differences);
    free(now);
    LAE_TRY(status);
    char list[2048] = "";
    size_t used = 0;
    for (size_t i = 0; i < differences.count && used < sizeof list - 1; i++) {
        const struct lae_config_difference *item = &differences.items[i];
        int more = snprintf(list + used, sizeof list - used, "\n  %s: %s there, %s now", item->key,
                            item->a, item->b);
        used += more > 0 ? (size_t)more : 0;
    }
    size_t count = differences.count;
    lae_config_differences_free(&differences);
    if (count == 0) return NULL;
    return lae_bad_input("%s was begun with another configuration, which would change the result; "
                         "choose another run.name, or set these keys back:%s",
                         path, list);
}

static lae_status write_config(const struct lae_config *config, const struct lae_rundir *dir)
{
    char *text = NULL, *path = lae_path_join(dir->path, "config.yaml");
    if (path == NULL) return lae_out_of_memory(64, "a path");
    lae_status status = lae_config_print(config, &text);
    if (status == NULL) status = lae_atomic_write(path, text, strlen(text));
    free(text);
    free(path);
    return status;
}

static lae_status open_log(const struct lae_rundir *dir, struct lae_log *log)
{
    char *path = lae_path_join(dir->path, "log.txt");
    if (path == NULL) return lae_out_of_memory(64, "a path");
    lae_status status = lae_log_add_file(log, path);
    free(path);
    return status;
}

static lae_status take_lock(struct lae_rundir *dir, struct lae_log *log)
{
    bool supported = true;
    LAE_TRY(lae_lock_take(&dir->lock, dir->path, &supported));
    if (!supported)
        lae_log_warn(log,
                     "%s: this file system has no locks; make sure that no other job uses "
                     "this directory",
                     dir->path);
    return NULL;
}

static lae_status open_here(const struct lae_config *config, struct lae_rundir *dir,
                            struct lae_log *log)
{
    dir->path = lae_path_join(config->run.root, config->run.name);
    if (dir->path == NULL) return lae_out_of_memory(64, "a path");
    LAE_TRY(lae_path_make_directories(dir->path));
    LAE_TRY(take_lock(dir, log));
    LAE_TRY(find_newest(dir, log));
    bool automatic = strcmp(config->run.resume, "auto") == 0;
    bool never = strcmp(config->run.resume, "never") == 0;
    if (never && dir->found)
        return lae_bad_input(
            "%s holds a run already and run.resume is never; choose another run.name", dir->path);
    if (!automatic && !never) LAE_TRY(start_from_file(config, dir, log));
    if (dir->found) LAE_TRY(compare(config, dir->path, dir->last.config));
    LAE_TRY(open_log(dir, log));
    return write_config(config, dir);
}

lae_status lae_rundir_open(const struct lae_config *config, const struct lae_dist *dist,
                           struct lae_log *log, struct lae_rundir *dir)
{
    *dir = (struct lae_rundir){.dist = dist, .lock = {.file = -1}};
    LAE_TRY(lae_dist_agree(dist, dist->rank == 0 ? open_here(config, dir, log) : NULL));
    struct {
        bool found;
        int finished, task_count;
    } news = {dir->found, dir->finished, dir->task_count};
    lae_dist_broadcast(dist, &news, sizeof news);
    dir->found = news.found;
    dir->finished = news.finished;
    dir->task_count = news.task_count;
    return NULL;
}

void lae_rundir_close(struct lae_rundir *dir)
{
    lae_checkpoint_free(&dir->last);
    lae_lock_release(&dir->lock);
    free(dir->path);
    *dir = (struct lae_rundir){.lock = {.file = -1}};
}

/* Going on with other images or another backbone would mix two runs. */
static lae_status check_inputs(const struct lae_rundir *dir, const struct lae_job *job)
{
    const struct lae_fact *data = snapshot_fact(&dir->last, "data_digest");
    const struct lae_fact *weights = snapshot_fact(&dir->last, "weights_digest");
    const struct lae_fact *software = snapshot_fact(&dir->last, "fingerprint");
    if (data != NULL && data->text != NULL && strcmp(data->text, job->data_digest) != 0)
        return lae_bad_input(
            "%s was begun with other images than data.path has now (SHA-256 %.12s... "
            "there, %.12s... now)",
            dir->path, data->text, job->data_digest);
    if (weights != NULL && weights->text != NULL && strcmp(weights->text, job->weights_digest) != 0)
        return lae_bad_input("%s was begun with another model.weights (SHA-256 %.12s... there, "
                             "%.12s... now)",
                             dir->path, weights->text, job->weights_digest);
    if (software != NULL && software->text != NULL && strcmp(software->text, job->fingerprint) != 0)
        lae_log_warn(job->log,
                     "the tasks before were learned with other software or another kind "
                     "of processor; the same bits are not promised\n  then: %s\n  now:  %s",
                     software->text, job->fingerprint);
    return NULL;
}

static void send_moments(const struct lae_dist *dist, struct lae_adam *adam)
{
    lae_dist_broadcast(dist, adam->m, adam->count * sizeof *adam->m);
    lae_dist_broadcast(dist, adam->v, adam->count * sizeof *adam->v);
    lae_dist_broadcast(dist, &adam->steps, sizeof adam->steps);
}

/* Sends rank 0's restored state to the others. */
static lae_status send_state(const struct lae_rundir *dir, const struct lae_job *job,
                             struct lae_state *state)
{
    size_t bytes = job->pet.table.total * sizeof(float), n = (size_t)state->tasks;
    lae_status status = NULL;
    lae_dist_broadcast(job->dist, &state->at, sizeof state->at);
    int tasks = dir->finished + (state->at.inside ? 1 : 0);
    for (int task = 0; task < tasks; task++)
        if (state->classifiers[task] == NULL)
            status = lae_status_first(status, lae_state_append_classifier(job, state, task));
    LAE_TRY(lae_dist_agree(job->dist, status));
    lae_dist_broadcast(job->dist, state->init, bytes);
    lae_dist_broadcast(job->dist, state->online, bytes);
    if (state->offline != NULL) lae_dist_broadcast(job->dist, state->offline, bytes);
    for (int task = 0; task < tasks; task++)
        lae_dist_broadcast(job->dist, state->classifiers[task],
                           lae_classifier_count(job, task) * sizeof(float));
    for (int module = 0; module < LAE_MODULES; module++)
        if (state->metrics.present[module])
            lae_dist_broadcast(job->dist, state->metrics.accuracy[module],
                               (2 * n * n + n) * sizeof(double));
    lae_dist_broadcast(job->dist, &state->seconds, sizeof state->seconds);
    if (state->at.inside) {
        state->classifier.count = lae_classifier_count(job, dir->finished);
        send_moments(job->dist, &state->pet);
        send_moments(job->dist, &state->classifier);
    }
    state->finished = dir->finished;
    return NULL;
}

lae_status lae_rundir_restore(struct lae_rundir *dir, const struct lae_job *job,
                              struct lae_state *state)
{
    if (!dir->found) return NULL;
    lae_status status = NULL;
    if (job->dist->rank == 0) {
        status = check_inputs(dir, job);
        if (status == NULL) status = snapshot_restore(job, &dir->last, state);
        status = lae_status_prefix(status, "%s", dir->path);
    }
    LAE_TRY(lae_dist_agree(job->dist, status));
    return send_state(dir, job, state);
}

static lae_status write_state(const char *path, const struct lae_job *job,
                              const struct lae_state *state, const char *hosts)
{
    struct lae_checkpoint checkpoint = {0};
    lae_status status = snapshot_take(job, state, hosts, &checkpoint);
    if (status == NULL) status = lae_checkpoint_write(path, &checkpoint);
    lae_checkpoint_free(&checkpoint);
    return status;
}

/* A finished task's file makes the states inside the task superfluous. */
static lae_status write_task(const struct lae_rundir *dir, const struct lae_job *job,
                             const struct lae_state *state, const char *hosts)
{
    char *path = task_path(dir->path, state->finished - 1);
    char *index = lae_path_join(dir->path, "run.h5");
    char *resume = lae_path_join(dir->path, RESUME);
    char *previous = lae_path_join(dir->path, RESUME_PREVIOUS);
    bool named = path != NULL && index != NULL && resume != NULL && previous != NULL;
    lae_status status = named ? NULL : lae_out_of_memory(64, "a path");
    if (status == NULL) status = write_state(path, job, state, hosts);
    if (status == NULL) status = lae_checkpoint_write_index(index, state->finished);
    if (status == NULL) {
        unlink(resume);
        unlink(previous);
    }
    free(path);
    free(index);
    free(resume);
    free(previous);
    return status;
}

/* The newest state becomes the previous one before a newer is written: there is a whole one at any
 * moment. */
static lae_status write_inside(const struct lae_rundir *dir, const struct lae_job *job,
                               const struct lae_state *state, const char *hosts)
{
    char *resume = lae_path_join(dir->path, RESUME);
    char *previous = lae_path_join(dir->path, RESUME_PREVIOUS);
    lae_status status = NULL;
    if (resume == NULL || previous == NULL)
        status = lae_out_of_memory(64, "a path");
    else if (rename(resume, previous) != 0 && errno != ENOENT)
        status = lae_failed("%s: cannot be renamed: %s", resume, strerror(errno));
    if (status == NULL) status = write_state(resume, job, state, hosts);
    free(resume);
    free(previous);
    return status;
}

typedef lae_status write_function(const struct lae_rundir *dir, const struct lae_job *job,
                                  const struct lae_state *state, const char *hosts);

/* What every checkpoint does: ranks compare a hash of the parameters, rank 0 writes. */
static lae_status save(struct lae_rundir *dir, const struct lae_job *job,
                       const struct lae_state *state, write_function *write)
{
    char digest[65];
    LAE_TRY(lae_dist_agree(job->dist, lae_state_digest(job, state, digest)));
    LAE_TRY(lae_dist_same(job->dist, "the hash of the parameters", digest));
    char *hosts = lae_dist_hosts(job->dist);
    lae_status status = job->dist->rank == 0 ? write(dir, job, state, hosts) : NULL;
    free(hosts);
    return lae_dist_agree(job->dist, status);
}

lae_status lae_rundir_save(struct lae_rundir *dir, const struct lae_job *job,
                           const struct lae_state *state)
{
    return save(dir, job, state, write_task);
}

lae_status lae_rundir_save_inside(struct lae_rundir *dir, const struct lae_job *job,
                                  const struct lae_state *state)
{
    return save(dir, job, state, write_inside);
}

lae_status lae_rundir_save_alone(struct lae_rundir *dir, const struct lae_job *job,
                                 const struct lae_state *state)
{
    return write_inside(dir, job, state, NULL);
}
