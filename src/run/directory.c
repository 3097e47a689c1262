#include "lae/run/directory.h"

#include "branch.h"
#include "lae/base/signals.h"
#include "lae/files/atomic.h"
#include "lae/files/digest.h"
#include "lae/files/map.h"
#include "lae/files/own.h"
#include "lae/run/task_files.h"
#include "recovery.h"
#include "snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define INDEX "run.h5"

static lae_status write_config(const struct lae_config *config, const struct lae_run_directory *dir)
{
    char *text = NULL, *path = lae_path_join(dir->path, "config.yaml");
    if (path == NULL) return lae_out_of_memory(64, "a path");
    lae_status status = lae_config_print(config, &text);
    if (status == NULL) status = lae_atomic_write(path, text, strlen(text));
    free(text);
    free(path);
    return status;
}

static lae_status open_log(struct lae_run_directory *dir, struct lae_log *log)
{
    char *path = lae_path_join(dir->path, "log.txt");
    if (path == NULL) return lae_out_of_memory(64, "a path");
    FILE *file;
    struct stat about;
    dir->log_size = stat(path, &about) == 0 ? (long)about.st_size : -1;
    lae_status status = lae_own_append(path, &file);
    free(path);
    if (status == NULL) lae_log_add_file(log, file);
    dir->logging = status == NULL;
    return status;
}

static lae_status take_lock(struct lae_run_directory *dir, struct lae_log *log)
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

/* What the run will write must not be found to be impossible after hours, nor be a link to what is
 * not its own. Checkpoints are looked at when they are read. */
static lae_status check_files(const struct lae_run_directory *dir)
{
    static const struct {
        const char *name;
        enum lae_own kind;
    } files[] = {{"lock", LAE_OWN_WRITTEN},
                 {"log.txt", LAE_OWN_WRITTEN},
                 {"metrics.jsonl", LAE_OWN_WRITTEN},
                 {"config.yaml", LAE_OWN_FILE},
                 {INDEX, LAE_OWN_FILE},
                 {LAE_RESUME_COMING, LAE_OWN_FILE},
                 {"events", LAE_OWN_DIRECTORY}};
    lae_status status = NULL;
    for (size_t i = 0; i < sizeof files / sizeof files[0] && status == NULL; i++) {
        char *path = lae_path_join(dir->path, files[i].name);
        status =
            path == NULL ? lae_out_of_memory(64, "a path") : lae_own_check(path, files[i].kind);
        free(path);
    }
    return status;
}

/* Bytes of the path up to the first directory that is not there; 0: all are. */
static size_t find_missing(const char *path)
{
    char *part = strdup(path);
    size_t length = 0, missing = 0;
    while (part != NULL && missing == 0 && path[length] != '\0') {
        length += strspn(path + length, "/");
        length += strcspn(path + length, "/");
        part[length] = '\0';
        if (!lae_path_exists(part)) missing = length;
        part[length] = path[length];
    }
    free(part);
    return missing;
}

static lae_status open_here(const struct lae_config *config, struct lae_run_directory *dir,
                            struct lae_log *log)
{
    dir->path = lae_path_join(config->run.root, config->run.name);
    if (dir->path == NULL) return lae_out_of_memory(64, "a path");
    dir->made = find_missing(dir->path);
    LAE_TRY(lae_status_prefix(lae_path_make_directories(dir->path), "run.root, run.name"));
    LAE_TRY(check_files(dir));
    LAE_TRY(take_lock(dir, log));
    LAE_TRY(open_log(dir, log));
    return lae_recovery_find(config, dir, log);
}

lae_status lae_run_directory_open(const struct lae_config *config, const struct lae_dist *dist,
                                  struct lae_log *log, struct lae_run_directory *dir)
{
    *dir = (struct lae_run_directory){.dist = dist, .lock = {.file = -1}};
    LAE_TRY(lae_dist_agree(dist, dist->rank == 0 ? open_here(config, dir, log) : NULL));
    struct {
        bool found;
        int finished, task_count;
        bool branched;
    } news = {dir->found, dir->finished, dir->task_count, dir->branched};
    lae_dist_broadcast(dist, &news, sizeof news);
    dir->found = news.found;
    dir->finished = news.finished;
    dir->task_count = news.task_count;
    dir->branched = news.branched;
    return NULL;
}

void lae_run_directory_close(struct lae_run_directory *dir)
{
    lae_checkpoint_free(&dir->last);
    lae_lock_release(&dir->lock);
    free(dir->path);
    free(dir->from);
    *dir = (struct lae_run_directory){.lock = {.file = -1}};
}

static void undo_log(const struct lae_run_directory *dir)
{
    char *path = lae_path_join(dir->path, "log.txt");
    if (path != NULL && dir->log_size < 0)
        unlink(path);
    else if (path != NULL && truncate(path, dir->log_size) != 0)
        free(NULL); /* it says more than it need */
    free(path);
}

void lae_run_directory_undo(struct lae_run_directory *dir, struct lae_log *log)
{
    if (dir->path == NULL || dir->begun) return;
    lae_log_drop_file(log);
    if (dir->logging) undo_log(dir);
    lae_lock_undo(&dir->lock);
    size_t length = strlen(dir->path);
    while (dir->made > 0 && length >= dir->made && rmdir(dir->path) == 0) {
        while (length > 0 && dir->path[length - 1] == '/')
            length--;
        while (length > 0 && dir->path[length - 1] != '/')
            length--;
        dir->path[length] = '\0';
    }
}

static lae_status set_origin(struct lae_state *state, const char *from)
{
    free(state->branched_from);
    state->branched_from = strdup(from);
    return state->branched_from == NULL ? lae_out_of_memory(strlen(from), "a path") : NULL;
}

/* Of a folder the images of the tasks that dir->last has, into text and *learned; else NULL. */
static lae_status digest_learned(const struct lae_run_directory *dir,
                                 const struct lae_sequence *sequence,
                                 const struct lae_dataset *dataset, char text[LAE_DIGEST_TEXT],
                                 const char **learned)
{
    int tasks = dir->last.task + 1;
    if (dataset->kind != LAE_DATASET_FOLDER || tasks > sequence->tasks) return NULL;
    *learned = text;
    return lae_sequence_digest(sequence, dataset, tasks, text);
}

/* Rank 0's: what was found, into the state; what is to stay, into the directory. */
static lae_status restore_here(struct lae_run_directory *dir, const struct lae_setup *setup,
                               struct lae_state *state)
{
    char learned[LAE_DIGEST_TEXT];
    struct lae_recovery_inputs now = {setup->data_digest, setup->weights_digest, NULL,
                                      setup->fingerprint};
    const char *place = dir->from != NULL ? dir->from : dir->path;
    if (dir->found)
        LAE_TRY(digest_learned(dir, &setup->sequence, &setup->dataset, learned, &now.learned));
    if (dir->found) LAE_TRY(lae_recovery_compare_inputs(dir, &now, setup->log));
    if (dir->branched) LAE_TRY(lae_branch_prepare(setup->config, dir, setup->log));
    if (dir->found)
        LAE_TRY(lae_status_prefix(lae_snapshot_restore(setup, &dir->last, state), "%s", place));
    if (dir->branched) LAE_TRY(set_origin(state, dir->from));
    LAE_TRY(lae_task_files_set_aside(dir, setup->log));
    if (dir->from != NULL) LAE_TRY(lae_recovery_copy(dir));
    dir->begun = true;
    return write_config(setup->config, dir);
}

/* The first task under the new configuration begins, and is saved as begun: from now on the
 * directory goes on by itself. [collective] */
static lae_status begin_branch(struct lae_run_directory *dir, const struct lae_setup *setup,
                               struct lae_state *state)
{
    LAE_TRY(lae_dist_agree(setup->dist, lae_state_begin_task(setup, state)));
    return lae_run_directory_save_inside(dir, setup, state);
}

lae_status lae_run_directory_restore(struct lae_run_directory *dir, const struct lae_setup *setup,
                                     struct lae_state *state)
{
    bool first = setup->dist->rank == 0;
    LAE_TRY(lae_dist_agree(setup->dist, first ? restore_here(dir, setup, state) : NULL));
    if (dir->found) LAE_TRY(lae_state_send(setup, state));
    return dir->branched ? begin_branch(dir, setup, state) : NULL;
}

/* As the run deals the images to tasks. */
static lae_status digest_learned_of(const struct lae_run_directory *dir,
                                    const struct lae_config *config, struct lae_dataset *dataset,
                                    char text[LAE_DIGEST_TEXT], const char **learned)
{
    struct lae_sequence sequence;
    if (dataset->kind != LAE_DATASET_FOLDER) return NULL;
    if (config->data.validation_share > 0.0)
        LAE_TRY(lae_dataset_hold_out(dataset, config->data.validation_share));
    LAE_TRY(lae_sequence_create(&config->data, dataset, &sequence));
    lae_status status = digest_learned(dir, &sequence, dataset, text, learned);
    lae_sequence_free(&sequence);
    return status;
}

/* A whole run is not opened again; its inputs are, to see that they are still the same. */
static lae_status digest_data(const struct lae_run_directory *dir, const struct lae_config *config,
                              char data[LAE_DIGEST_TEXT], char text[LAE_DIGEST_TEXT],
                              const char **learned)
{
    const struct lae_fact *then = lae_snapshot_fact(&dir->last, "data_digest");
    struct lae_dataset dataset;
    LAE_TRY(lae_dataset_open(&config->data, &dataset));
    lae_status status = lae_dataset_digest(&dataset, data);
    bool other = then != NULL && then->text != NULL && strcmp(then->text, data) != 0;
    if (status == NULL && other) status = digest_learned_of(dir, config, &dataset, text, learned);
    lae_dataset_close(&dataset);
    return status;
}

/* Writes a checkpoint and reads it back: only a file that proved readable may take another's place.
 */
static lae_status write_proven(const char *path, const struct lae_setup *setup,
                               const struct lae_state *state, const char *hosts)
{
    struct lae_checkpoint checkpoint = {0}, again = {0};
    lae_status status = lae_snapshot_take(setup, state, hosts, &checkpoint);
    if (status == NULL) status = lae_checkpoint_write(path, &checkpoint);
    lae_checkpoint_free(&checkpoint);
    if (status != NULL) return status;
    status = lae_checkpoint_read(path, &lae_run_layout, setup->log, &again);
    lae_checkpoint_free(&again);
    return lae_status_prefix(status, "what was just written cannot be read back");
}

/* The files that hold a state inside a task. */
struct inside_paths {
    char *newest, *previous, *coming;
};

static lae_status name_inside(const struct lae_run_directory *dir, struct inside_paths *paths)
{
    *paths = (struct inside_paths){
        .newest = lae_path_join(dir->path, LAE_RESUME),
        .previous = lae_path_join(dir->path, LAE_RESUME_PREVIOUS),
        .coming = lae_path_join(dir->path, LAE_RESUME_COMING),
    };
    bool named = paths->newest != NULL && paths->previous != NULL && paths->coming != NULL;
    return named ? NULL : lae_out_of_memory(64, "a path");
}

static void free_inside(struct inside_paths *paths)
{
    free(paths->newest);
    free(paths->previous);
    free(paths->coming);
}

/* A finished task's file belongs into the index, and makes the states inside the task superfluous. */
static lae_status close_task(const struct lae_run_directory *dir, int finished)
{
    struct inside_paths inside;
    lae_status status = name_inside(dir, &inside);
    char *index = lae_path_join(dir->path, INDEX);
    if (status == NULL && index == NULL) status = lae_out_of_memory(64, "a path");
    if (status == NULL) status = lae_checkpoint_write_index(index, finished);
    if (status == NULL) {
        unlink(inside.newest);
        unlink(inside.previous);
        unlink(inside.coming);
    }
    free(index);
    free_inside(&inside);
    return status;
}

static bool is_older(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* Whether the last task was closed: it is not where the program ended after its file was written. */
static bool is_closed(const char *task, const char *index, const struct inside_paths *inside)
{
    struct stat of_task, of_index;
    return stat(task, &of_task) == 0 && stat(index, &of_index) == 0 &&
           !is_older(&of_index.st_mtim, &of_task.st_mtim) && !lae_path_exists(inside->newest) &&
           !lae_path_exists(inside->previous);
}

static lae_status close_if_open(const struct lae_run_directory *dir)
{
    struct inside_paths inside;
    lae_status status = name_inside(dir, &inside);
    char *task = lae_task_files_path(dir->path, dir->finished - 1);
    char *index = lae_path_join(dir->path, INDEX);
    if (status == NULL && (task == NULL || index == NULL)) status = lae_out_of_memory(64, "a path");
    bool open = status == NULL && !is_closed(task, index, &inside);
    free(task);
    free(index);
    free_inside(&inside);
    return open ? close_task(dir, dir->finished) : status;
}

lae_status lae_run_directory_check_whole(struct lae_run_directory *dir,
                                         const struct lae_config *config, struct lae_log *log)
{
    char data[LAE_DIGEST_TEXT], weights[LAE_DIGEST_TEXT], learned[LAE_DIGEST_TEXT];
    struct lae_recovery_inputs now = {.data = data, .weights = weights};
    LAE_TRY(digest_data(dir, config, data, learned, &now.learned));
    LAE_TRY(lae_digest_file(config->model.weights, 0, weights));
    LAE_TRY(lae_recovery_compare_inputs(dir, &now, log));
    if (dir->from != NULL) LAE_TRY(lae_recovery_copy(dir));
    dir->begun = true;
    return close_if_open(dir);
}

static lae_status write_task(const struct lae_run_directory *dir, const struct lae_setup *setup,
                             const struct lae_state *state, const char *hosts)
{
    char *path = lae_task_files_path(dir->path, state->finished - 1);
    if (path == NULL) return lae_out_of_memory(64, "a path");
    lae_status status = write_proven(path, setup, state, hosts);
    free(path);
    return status == NULL ? close_task(dir, state->finished) : status;
}

/* The newest state becomes the previous one when the coming one is whole: there is a good one at
 * any moment. */
static lae_status write_inside(const struct lae_run_directory *dir, const struct lae_setup *setup,
                               const struct lae_state *state, const char *hosts)
{
    struct inside_paths paths;
    lae_status status = name_inside(dir, &paths);
    if (status == NULL) status = write_proven(paths.coming, setup, state, hosts);
    if (status == NULL && lae_path_is_regular(paths.newest))
        status = lae_atomic_rename(paths.newest, paths.previous);
    if (status == NULL) status = lae_atomic_rename(paths.coming, paths.newest);
    free_inside(&paths);
    return status;
}

typedef lae_status write_function(const struct lae_run_directory *dir,
                                  const struct lae_setup *setup, const struct lae_state *state,
                                  const char *hosts);

/* The input was good when the run began: that its directory is gone, say, is no fault of that. */
static lae_status as_failure(lae_status status)
{
    if (lae_status_code(status) != LAE_BAD_INPUT) return status;
    lae_status failure = lae_failed("%s", lae_status_message(status));
    lae_status_free(status);
    return failure;
}

/* What every checkpoint does: ranks compare a hash of the parameters, rank 0 writes. */
static lae_status save(struct lae_run_directory *dir, const struct lae_setup *setup,
                       const struct lae_state *state, write_function *write)
{
    char digest[65];
    LAE_TRY(lae_dist_agree(setup->dist, lae_state_digest(setup, state, digest)));
    LAE_TRY(lae_dist_same(setup->dist, LAE_FAILED, "the hash of the parameters", digest));
    char *hosts = lae_dist_hosts(setup->dist);
    lae_status status = setup->dist->rank == 0 ? write(dir, setup, state, hosts) : NULL;
    free(hosts);
    return lae_dist_agree(setup->dist, as_failure(status));
}

lae_status lae_run_directory_save(struct lae_run_directory *dir, const struct lae_setup *setup,
                                  const struct lae_state *state)
{
    return save(dir, setup, state, write_task);
}

lae_status lae_run_directory_save_inside(struct lae_run_directory *dir,
                                         const struct lae_setup *setup,
                                         const struct lae_state *state)
{
    return save(dir, setup, state, write_inside);
}

struct saving {
    const struct lae_run_directory *dir;
    const struct lae_setup *setup;
    const struct lae_state *state;
};

static bool write_alone(void *context)
{
    const struct saving *saving = context;
    lae_status status = write_inside(saving->dir, saving->setup, saving->state, NULL);
    bool done = status == NULL;
    lae_status_free(status);
    return done;
}

/* By a process that is out of the launcher's reach. Should it fail, this one tries, and says why.
 */
lae_status lae_run_directory_save_alone(struct lae_run_directory *dir,
                                        const struct lae_setup *setup,
                                        const struct lae_state *state)
{
    struct saving saving = {dir, setup, state};
    if (lae_outlive(write_alone, &saving)) return NULL;
    return as_failure(write_inside(dir, setup, state, NULL));
}
