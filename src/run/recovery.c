/* From what a run directory holds to what learning goes on from. */
#include "recovery.h"

#include "branch.h"
#include "lae/files/atomic.h"
#include "lae/files/map.h"
#include "lae/run/task_files.h"
#include "snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Refuses to go on with another configuration, naming the keys. */
static lae_status compare_config(const struct lae_config *config, const char *path,
                                 const char *then)
{
    struct lae_config_differences differences = {0};
    LAE_TRY(lae_task_files_differences(config, path, then, &differences));
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
                         "choose another run.name (with run.resume=%s it begins after this run's "
                         "tasks), or set these keys back:%s",
                         path, path, list);
}

/* `to` becomes a copy of `from`; a file that is not there is left out if `optional`. */
static lae_status copy_file(const char *from, const char *to, bool optional)
{
    if (optional && !lae_path_exists(from)) return NULL;
    struct lae_map map;
    LAE_TRY(lae_map_read(from, &map));
    lae_status status = lae_atomic_write(to, map.data, map.size);
    lae_map_close(&map);
    return status;
}

lae_status lae_recovery_copy(const struct lae_run_directory *dir)
{
    const struct lae_checkpoint *last = &dir->last;
    char *source = lae_path_directory(dir->from);
    lae_status status = source == NULL ? lae_out_of_memory(64, "a path") : NULL;
    /* The newest first: a copy that is killed is gone on from there, and never from less. */
    for (int task = last->task; task >= 0 && status == NULL; task--) {
        bool own = task == last->task, inside = own && last->position != NULL;
        char *from = own ? strdup(dir->from) : lae_task_files_path(source, task);
        char *to =
            inside ? lae_path_join(dir->path, LAE_RESUME) : lae_task_files_path(dir->path, task);
        status = from == NULL || to == NULL ? lae_out_of_memory(64, "a path")
                                            : copy_file(from, to, !own);
        free(from);
        free(to);
    }
    free(source);
    return status;
}

/* run.resume is the path of a task file, of a state inside one, or of a run. */
static lae_status start_from_file(const struct lae_config *config, struct lae_run_directory *dir,
                                  struct lae_log *log)
{
    struct lae_checkpoint checkpoint;
    free(dir->from);
    LAE_TRY(lae_status_prefix(lae_checkpoint_find(config->run.resume, log, &dir->from, &checkpoint),
                              "run.resume"));
    lae_task_files_take(dir, &checkpoint);
    LAE_TRY(lae_branch_check(config, dir, log));
    if (!dir->branched) lae_log_info(log, "starting from %s", dir->from);
    return NULL;
}

/* Whether all that is there are copies of run.resume's file and those before it: a branch that was
 * stopped before it began. */
static lae_status is_copy(const struct lae_config *config, const struct lae_run_directory *dir,
                          struct lae_log *log, bool *copy)
{
    char *metrics = lae_path_join(dir->path, "metrics.jsonl"), *path;
    struct lae_checkpoint file;
    *copy = metrics != NULL && !lae_path_exists(metrics) && dir->last.position == NULL;
    free(metrics);
    if (!*copy) return NULL;
    LAE_TRY(lae_status_prefix(lae_checkpoint_find(config->run.resume, log, &path, &file),
                              "run.resume"));
    *copy = strcmp(file.config, dir->last.config) == 0 && dir->last.task <= file.task;
    lae_checkpoint_free(&file);
    free(path);
    return NULL;
}

lae_status lae_recovery_find(const struct lae_config *config, struct lae_run_directory *dir,
                             struct lae_log *log)
{
    LAE_TRY(lae_task_files_newest(dir, log));
    bool never = strcmp(config->run.resume, "never") == 0;
    if (never && dir->found)
        return lae_bad_input(
            "%s holds a run already and run.resume is never; choose another run.name", dir->path);
    bool from_file = !never && strcmp(config->run.resume, "auto") != 0;
    bool copy = false;
    if (dir->found && from_file) LAE_TRY(is_copy(config, dir, log, &copy));
    if (copy) return start_from_file(config, dir, log);
    if (dir->found && from_file)
        lae_log_note(log, "%s goes on from its own state; run.resume's file was for its beginning",
                     dir->path);
    if (dir->found) return compare_config(config, dir->path, dir->last.config);
    if (never || strcmp(config->run.resume, "auto") == 0) return NULL;
    return start_from_file(config, dir, log);
}

/* Whether a text of /provenance is there and another than now. */
static bool differs(const struct lae_fact *then, const char *now)
{
    return then != NULL && then->text != NULL && now != NULL && strcmp(then->text, now) != 0;
}

/* The images of tasks to come may be others, mended or added; those learned from may not. */
static lae_status compare_data(const struct lae_run_directory *dir,
                               const struct lae_recovery_inputs *now, struct lae_log *log)
{
    const struct lae_fact *data = lae_snapshot_fact(&dir->last, "data_digest");
    const struct lae_fact *learned = lae_snapshot_fact(&dir->last, "learned_digest");
    int next = dir->last.task + 1;
    if (!differs(data, now->data)) return NULL;
    bool same = learned != NULL && now->learned != NULL && !differs(learned, now->learned);
    if (!same)
        return lae_bad_input("%s was begun with other images than data.path has now (SHA-256 "
                             "%.12s... there, %.12s... now)%s",
                             dir->path, data->text, now->data,
                             now->learned != NULL && learned != NULL
                                 ? "; images of tasks that were learned already are among them, "
                                   "which must be as they were"
                                 : "");
    lae_log_warn(log,
                 "data.path has other images of tasks to come (from task %d on, counted from 0) "
                 "than when %s was begun; those learned until now are as they were. Going on; it "
                 "is recorded in /provenance (SHA-256 %.12s... then, %.12s... now)",
                 next, dir->path, data->text, now->data);
    return NULL;
}

lae_status lae_recovery_compare_inputs(const struct lae_run_directory *dir,
                                       const struct lae_recovery_inputs *now, struct lae_log *log)
{
    const struct lae_fact *weights = lae_snapshot_fact(&dir->last, "weights_digest");
    const struct lae_fact *software = lae_snapshot_fact(&dir->last, "fingerprint");
    LAE_TRY(compare_data(dir, now, log));
    if (differs(weights, now->weights))
        return lae_bad_input("%s was begun with another model.weights (SHA-256 %.12s... there, "
                             "%.12s... now)",
                             dir->path, weights->text, now->weights);
    if (differs(software, now->software))
        lae_log_warn(log,
                     "what was learned before was learned with other software or another kind of "
                     "processor; the same bits are not promised\n  then: %s\n  now:  %s",
                     software->text, now->software);
    return NULL;
}
