/* The newest task file that is whole, or the state inside the task after it, if there is one.
 *
 * A damaged file is passed over with a warning, and what it held is computed again; it is kept
 * under another name, as somebody may know how to mend it. Anything else that cannot be read (a
 * newer version's file, a directory in its place, no permission) ends the program: going back would
 * overwrite it.
 */
#include "lae/run/task_files.h"

#include "lae/files/atomic.h"
#include "lae/files/map.h"
#include "lae/files/own.h"
#include "lae/store/kind.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- in a run's directory ---- */

char *lae_task_files_path(const char *directory, int task)
{
    char name[32];
    snprintf(name, sizeof name, "task_%02d.h5", task);
    return lae_path_join(directory, name);
}

/* The highest NN of the directory's task_NN.h5; -1: none. */
static lae_status highest_task(const char *directory, int *highest)
{
    *highest = -1;
    DIR *stream = opendir(directory);
    if (stream == NULL)
        return lae_bad_input("%s: cannot be listed: %s", directory, strerror(errno));
    struct dirent *entry;
    while (errno = 0, (entry = readdir(stream)) != NULL) {
        int task, length = 0;
        bool fits = sscanf(entry->d_name, "task_%5d.h5%n", &task, &length) == 1 && length > 0 &&
                    entry->d_name[length] == '\0';
        if (fits && task > *highest) *highest = task;
    }
    int error = errno;
    closedir(stream);
    if (error != 0) return lae_bad_input("%s: cannot be listed: %s", directory, strerror(error));
    return NULL;
}

/* Reads a checkpoint if it is there and whole: *read says so. */
static lae_status read_if_whole(const char *path, struct lae_log *log,
                                struct lae_checkpoint *checkpoint, bool *read)
{
    *read = false;
    LAE_TRY(lae_own_check(path, LAE_OWN_FILE));
    if (!lae_path_exists(path)) return NULL;
    lae_status status = lae_checkpoint_read(path, &lae_run_layout, log, checkpoint);
    if (status != NULL && lae_checkpoint_is_damaged(path)) {
        lae_log_warn(log, "%s; going back to what was saved before", lae_status_message(status));
        lae_status_free(status);
        return NULL;
    }
    *read = status == NULL;
    return status;
}

void lae_task_files_take(struct lae_run_directory *dir, const struct lae_checkpoint *checkpoint)
{
    lae_checkpoint_free(&dir->last);
    dir->last = *checkpoint;
    dir->found = true;
    dir->finished = checkpoint->task + (checkpoint->position != NULL ? 0 : 1);
    dir->task_count = checkpoint->task_count;
}

static lae_status find_task(struct lae_run_directory *dir, int task, struct lae_log *log)
{
    struct lae_checkpoint checkpoint;
    bool read = false;
    char *path = lae_task_files_path(dir->path, task);
    if (path == NULL) return lae_out_of_memory(64, "a path");
    lae_status status = read_if_whole(path, log, &checkpoint, &read);
    if (read && (checkpoint.task != task || checkpoint.position != NULL)) {
        status = lae_bad_input("%s: holds task %d; move it away", path, checkpoint.task);
        lae_checkpoint_free(&checkpoint);
        read = false;
    }
    if (read) lae_task_files_take(dir, &checkpoint);
    free(path);
    return status;
}

static lae_status find_inside(struct lae_run_directory *dir, const char *name, struct lae_log *log)
{
    struct lae_checkpoint checkpoint;
    bool read = false;
    char *path = lae_path_join(dir->path, name);
    if (path == NULL) return lae_out_of_memory(64, "a path");
    lae_status status = read_if_whole(path, log, &checkpoint, &read);
    free(path);
    if (!read) return status;
    /* Without any task's file, as after run.resume=FILE, it counts whatever its task. */
    if (checkpoint.position != NULL && (!dir->found || checkpoint.task == dir->finished))
        lae_task_files_take(dir, &checkpoint);
    else /* of a task that has been finished since */
        lae_checkpoint_free(&checkpoint);
    return NULL;
}

lae_status lae_task_files_find(struct lae_run_directory *dir, struct lae_log *log)
{
    int highest;
    LAE_TRY(highest_task(dir->path, &highest));
    for (int task = highest; task >= 0 && !dir->found; task--)
        LAE_TRY(find_task(dir, task, log));
    return NULL;
}

lae_status lae_task_files_newest(struct lae_run_directory *dir, struct lae_log *log)
{
    LAE_TRY(lae_task_files_find(dir, log));
    LAE_TRY(find_inside(dir, LAE_RESUME, log));
    if (dir->found && dir->last.position != NULL) return NULL;
    return find_inside(dir, LAE_RESUME_PREVIOUS, log);
}

/* ---- damaged ones ---- */

/* Gives a file of the run another name, under which nothing looks for it: NAME.damaged, or with a
 * number where that is taken. */
static lae_status set_aside(const char *path, struct lae_log *log)
{
    size_t size = strlen(path) + 32;
    char *other = malloc(size);
    if (other == NULL) return lae_out_of_memory(size, "a path");
    struct stat about;
    int number = 1;
    do
        snprintf(other, size, number == 1 ? "%s.damaged" : "%s.damaged-%d", path, number);
    while (lstat(other, &about) == 0 && number++ < 10000);
    lae_status status = lae_atomic_rename(path, other);
    if (status == NULL) lae_log_warn(log, "%s: is kept as %s", path, other);
    free(other);
    return status;
}

static lae_status set_aside_if(bool damaged, char *path, struct lae_log *log)
{
    lae_status status = path == NULL ? lae_out_of_memory(64, "a path") : NULL;
    if (status == NULL && lae_path_exists(path) && (damaged || lae_checkpoint_is_damaged(path)))
        status = set_aside(path, log);
    free(path);
    return status;
}

lae_status lae_task_files_set_aside(const struct lae_run_directory *dir, struct lae_log *log)
{
    int highest;
    LAE_TRY(highest_task(dir->path, &highest));
    /* A task's file that is whole would have been found. */
    for (int task = dir->found ? dir->finished : 0; task <= highest; task++)
        LAE_TRY(set_aside_if(true, lae_task_files_path(dir->path, task), log));
    LAE_TRY(set_aside_if(false, lae_path_join(dir->path, LAE_RESUME), log));
    return set_aside_if(false, lae_path_join(dir->path, LAE_RESUME_PREVIOUS), log);
}

/* ---- by any of its names ---- */

static lae_status find_in_directory(const char *directory, struct lae_log *log, char **path,
                                    struct lae_checkpoint *checkpoint)
{
    struct lae_run_directory dir = {.path = strdup(directory)};
    if (dir.path == NULL) return lae_out_of_memory(strlen(directory), "a path");
    lae_status status = lae_task_files_find(&dir, log);
    if (status == NULL && !dir.found)
        status = lae_bad_input("%s: has no good task_NN.h5: no task of it is finished", directory);
    if (status == NULL) {
        *path = lae_task_files_path(directory, dir.last.task);
        if (*path == NULL) status = lae_out_of_memory(strlen(directory), "a path");
    }
    if (status == NULL) {
        *checkpoint = dir.last;
        dir.last = (struct lae_checkpoint){0};
    }
    lae_checkpoint_free(&dir.last);
    free(dir.path);
    return status;
}

/* The directory of a run that its list of links stands for; NULL: `place` is no such list. */
static lae_status find_listed(const char *place, char **directory)
{
    char kind[LAE_KIND_TEXT];
    *directory = NULL;
    LAE_TRY(lae_kind_of(place, kind));
    if (strcmp(kind, LAE_RUN_FORMAT) != 0) return NULL;
    *directory = lae_path_directory(place);
    return *directory == NULL ? lae_out_of_memory(strlen(place), "a path") : NULL;
}

lae_status lae_checkpoint_find(const char *place, struct lae_log *log, char **path,
                               struct lae_checkpoint *checkpoint)
{
    *path = NULL;
    *checkpoint = (struct lae_checkpoint){0};
    if (lae_path_is_directory(place)) return find_in_directory(place, log, path, checkpoint);
    char *listed;
    LAE_TRY(find_listed(place, &listed));
    if (listed != NULL) {
        lae_status status = find_in_directory(listed, log, path, checkpoint);
        free(listed);
        return status;
    }
    LAE_TRY(lae_checkpoint_read(place, &lae_run_layout, log, checkpoint));
    *path = strdup(place);
    if (*path != NULL) return NULL;
    lae_checkpoint_free(checkpoint);
    return lae_out_of_memory(strlen(place), "a path");
}

static bool is_of_same_run(const struct lae_checkpoint *a, const struct lae_checkpoint *b)
{
    const char *config = lae_checkpoint_config_of(a, b->task); /* before a branch another */
    bool same = a->init.count == b->init.count && strcmp(config, b->config) == 0;
    for (size_t i = 0; same && i < a->init.count; i++) {
        const struct lae_named *x = &a->init.items[i], *y = &b->init.items[i];
        same = strcmp(x->name, y->name) == 0 && x->count == y->count &&
               memcmp(x->data, y->data, x->count * sizeof *x->data) == 0;
    }
    return same;
}

static lae_status read_beside(const char *path, const struct lae_checkpoint *checkpoint, int task,
                              struct lae_log *log, struct lae_checkpoint *beside, bool *found)
{
    if (!lae_path_exists(path)) return NULL;
    lae_status status = lae_checkpoint_read(path, &lae_run_layout, log, beside);
    if (status != NULL && lae_checkpoint_is_damaged(path)) {
        lae_log_warn(log, "%s; left out", lae_status_message(status));
        lae_status_free(status);
        return NULL;
    }
    LAE_TRY(status);
    *found = beside->task == task && beside->position == NULL && is_of_same_run(checkpoint, beside);
    if (*found) return NULL;
    lae_log_warn(log, "%s: is not of the same run; left out", path);
    lae_checkpoint_free(beside);
    return NULL;
}

lae_status lae_checkpoint_beside(const char *path, const struct lae_checkpoint *checkpoint,
                                 int task, struct lae_log *log, struct lae_checkpoint *beside,
                                 bool *found)
{
    *found = false;
    *beside = (struct lae_checkpoint){0};
    char *directory = lae_path_directory(path);
    char *name = directory != NULL ? lae_task_files_path(directory, task) : NULL;
    lae_status status = name == NULL ? lae_out_of_memory(strlen(path), "a path")
                                     : read_beside(name, checkpoint, task, log, beside, found);
    free(directory);
    free(name);
    return status;
}

/* ---- how it was learned ---- */

lae_status lae_task_files_differences(const struct lae_config *config, const char *path,
                                      const char *then, struct lae_config_differences *differences)
{
    char *now = NULL, *stored = lae_path_join(path, "/config"); /* as a message names it */
    lae_status status = stored == NULL ? lae_out_of_memory(strlen(path), "a path")
                                       : lae_config_print_result(config, &now);
    if (status == NULL)
        status = lae_config_differences(stored, then, "this configuration", now, differences);
    free(stored);
    free(now);
    return status;
}
