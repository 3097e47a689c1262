#include "branch.h"

#include "lae/run/task_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- may it be? */

static lae_status no_task_to_come(const struct lae_run_directory *dir, const char *keys)
{
    return lae_bad_input(
        "run.resume: %s: all %d tasks are learned, so that nothing is to come for other keys; "
        "evaluate takes other eval.heads and heads.*, and merge compares other merges:%s",
        dir->from, dir->task_count, keys);
}

static lae_status no_offline(const struct lae_run_directory *dir, const struct lae_config *config)
{
    return lae_bad_input("run.resume: %s: has no offline module for merge.method %s to go on with; "
                         "a run of merge.method none can branch to other keys, but not to a merge",
                         dir->from, config->merge.method->name);
}

/* The keys that differ, a line each: all, or those alone that cannot change between tasks. */
static void list_keys(const struct lae_config_differences *keys, bool fixed_alone, char *list,
                      size_t size)
{
    size_t used = 0;
    list[0] = '\0';
    for (size_t i = 0; i < keys->count && used < size - 1; i++) {
        const struct lae_config_difference *item = &keys->items[i];
        if (fixed_alone && item->later) continue;
        int more = snprintf(list + used, size - used, "\n  %s: %s there, %s now", item->key,
                            item->a, item->b);
        used += more > 0 ? (size_t)more : 0;
    }
}

static lae_status judge(const struct lae_config *config, struct lae_run_directory *dir,
                        const char *all, const char *fixed)
{
    const struct lae_checkpoint *last = &dir->last;
    if (fixed[0] != '\0')
        return lae_bad_input("run.resume: %s was learned with other values of keys that cannot "
                             "change between tasks; set these back, or train anew without "
                             "run.resume:%s",
                             dir->from, fixed);
    if (last->position != NULL)
        return lae_bad_input("run.resume: %s is a state inside task %d, and other keys can only "
                             "begin with a task; give the file of a finished task, or set these "
                             "back:%s",
                             dir->from, last->task, all);
    if (dir->finished >= dir->task_count) return no_task_to_come(dir, all);
    if (config->merge.method->has_offline && last->offline.count == 0 && last->online.count > 0)
        return no_offline(dir, config);
    return NULL;
}

lae_status lae_branch_check(const struct lae_config *config, struct lae_run_directory *dir,
                            struct lae_log *log)
{
    struct lae_config_differences keys = {0};
    char all[2048], fixed[2048];
    LAE_TRY(lae_task_files_differences(config, dir->from, dir->last.config, &keys));
    list_keys(&keys, false, all, sizeof all);
    list_keys(&keys, true, fixed, sizeof fixed);
    dir->branched = keys.count > 0;
    lae_config_differences_free(&keys);
    if (!dir->branched) return NULL;
    LAE_TRY(judge(config, dir, all, fixed));
    lae_log_info(log, "branching from %s, after task %d of %d; from here on%s", dir->from,
                 dir->finished, dir->task_count, all);
    return NULL;
}

/* ---- what it begins from */

static lae_status note_config(struct lae_checkpoint *last, const struct lae_config *config)
{
    struct lae_earlier *items =
        realloc(last->earlier, (last->earlier_count + 1) * sizeof *last->earlier);
    if (items == NULL) return lae_out_of_memory(sizeof *items, "an earlier configuration");
    last->earlier = items;
    items[last->earlier_count++] = (struct lae_earlier){last->task, last->config};
    last->config = NULL;
    return lae_config_print_result(config, &last->config);
}

static lae_status take_history(struct lae_run_directory *dir, int task, struct lae_log *log)
{
    struct lae_checkpoint beside;
    bool found = false;
    LAE_TRY(lae_checkpoint_beside(dir->from, &dir->last, task, log, &beside, &found));
    if (!found)
        return lae_bad_input("run.resume: there is no good task_%02d.h5 of the same run beside %s, "
                             "whose online module merge.vectors and merge.base ask for",
                             task, dir->from);
    lae_set_free(&dir->last.history[task]);
    dir->last.history[task] = beside.online;
    beside.online = (struct lae_set){0};
    lae_checkpoint_free(&beside);
    return NULL;
}

/* Online after earlier tasks, where the run before had no use for it. */
static lae_status complete_history(const struct lae_config *config, struct lae_run_directory *dir,
                                   struct lae_log *log)
{
    struct lae_checkpoint *last = &dir->last;
    size_t tasks = (size_t)last->task + 1;
    if (last->history == NULL) last->history = calloc(tasks, sizeof *last->history);
    if (last->history == NULL) return lae_out_of_memory(tasks * 24, "earlier modules");
    for (int task = 0; task < last->task; task++)
        if (lae_merge_remembers(&config->merge, task) && last->history[task].count == 0)
            LAE_TRY(take_history(dir, task, log));
    return NULL;
}

/* Without an offline module there are no accuracies of one. */
static void leave_offline_out(struct lae_checkpoint *last)
{
    size_t kept = 0;
    lae_set_free(&last->offline);
    for (size_t i = 0; i < last->metric_count; i++) {
        struct lae_metric *metric = &last->metrics[i];
        bool drop =
            strncmp(metric->name, "offline/", 8) == 0 || strncmp(metric->name, "ensemble/", 9) == 0;
        if (drop) {
            free(metric->name);
            free(metric->values);
        } else {
            last->metrics[kept++] = *metric;
        }
    }
    last->metric_count = kept;
}

lae_status lae_branch_prepare(const struct lae_config *config, struct lae_run_directory *dir,
                              struct lae_log *log)
{
    LAE_TRY(complete_history(config, dir, log));
    if (!config->merge.method->has_offline) leave_offline_out(&dir->last);
    return note_config(&dir->last, config);
}
