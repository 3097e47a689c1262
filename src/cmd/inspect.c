/* What a file or a run holds beyond what h5ls shows, and what differs between two files. */
#include "lae/cmd/cmd.h"
#include "lae/files/map.h"
#include "lae/report/inspection.h"
#include "lae/run/task_files.h"
#include "lae/store/kind.h"

#include <stdlib.h>
#include <string.h>

enum { OPTION_JSON, OPTION_DIFF };

static const struct lae_option options[] = {
    [OPTION_JSON] = {"json", "FILE", "write the same as a JSON object, too"},
    [OPTION_DIFF] = {"diff", "OTHER", "what differs, bit by bit; exit 0: nothing, 1: something"},
    {NULL, NULL, NULL},
};

/* One of the two kinds of files, read. */
struct subject {
    char *path; /* of the file */
    bool is_run, is_checkpoint;
    struct lae_checkpoint checkpoint;
    struct lae_weights weights;
};

static void free_subject(struct subject *subject)
{
    free(subject->path);
    lae_checkpoint_free(&subject->checkpoint);
    lae_weights_free(&subject->weights);
}

static lae_status read_weights(const char *place, struct lae_log *log, struct subject *subject)
{
    LAE_TRY(lae_weights_read(place, log, &subject->weights));
    subject->path = strdup(place);
    return subject->path == NULL ? lae_out_of_memory(strlen(place), "a path") : NULL;
}

static lae_status read_subject(const char *place, struct lae_log *log, struct subject *subject)
{
    char kind[LAE_KIND_TEXT] = LAE_CHECKPOINT_FORMAT;
    bool folder = lae_path_is_directory(place);
    subject->is_run = folder && !lae_weights_are_in(place);
    if (!subject->is_run) kind[0] = '\0';
    if (!folder) LAE_TRY(lae_kind_of(place, kind));
    subject->is_run = subject->is_run || strcmp(kind, LAE_RUN_FORMAT) == 0;
    subject->is_checkpoint = subject->is_run || strcmp(kind, LAE_CHECKPOINT_FORMAT) == 0;
    if (subject->is_checkpoint)
        return lae_checkpoint_find(place, log, &subject->path, &subject->checkpoint);
    if (kind[0] == '\0' || strcmp(kind, "lae-weights") == 0)
        return read_weights(place, log, subject);
    return lae_bad_input("%s: is a %s file; inspect shows task files, runs and weight files "
                         "(h5ls shows any)",
                         place, kind);
}

/* ---- a run */

/* All tensors of online, less those of `before` (NULL: of init), as one vector. */
static float *new_change(const struct lae_checkpoint *checkpoint,
                         const struct lae_checkpoint *before, size_t count)
{
    const struct lae_set *base = before != NULL ? &before->online : &checkpoint->init;
    float *change = malloc((count + 1) * sizeof *change), *at = change;
    for (size_t i = 0; change != NULL && i < checkpoint->online.count; i++) {
        const struct lae_named *item = &checkpoint->online.items[i];
        const struct lae_named *from = lae_set_find(base, item->name);
        bool fits = from != NULL && from->count == item->count;
        for (size_t k = 0; k < item->count; k++)
            *at++ = fits ? item->data[k] - from->data[k] : 0.0F;
    }
    return change;
}

static size_t count_entries(const struct lae_set *set)
{
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++)
        count += set->items[i].count;
    return count;
}

/* Changes of all tasks are vectors of the newest's tensors. */
static lae_status check_tensors(const struct subject *newest, int task,
                                const struct lae_checkpoint *other)
{
    const struct lae_set *online = &newest->checkpoint.online;
    bool fits = online->count == other->online.count;
    for (size_t i = 0; fits && i < online->count; i++) {
        const struct lae_named *item = lae_set_find(&other->online, online->items[i].name);
        fits = item != NULL && item->count == online->items[i].count;
    }
    if (fits) return NULL;
    return lae_bad_input("%s: the tensors of /online are others than in task_%02d.h5 beside it; "
                         "inspect one of them by itself, from a directory of its own",
                         newest->path, task);
}

/* The changes of all tasks up to the newest; NULL where a file that it takes is missing. */
static lae_status collect_changes(const struct subject *newest, struct lae_log *log,
                                  float **changes, size_t count)
{
    struct lae_checkpoint before = {0};
    bool found_before = true; /* before task 0 there is init */
    lae_status status = NULL;
    for (int task = 0; task <= newest->checkpoint.task && status == NULL; task++) {
        struct lae_checkpoint now;
        bool found = false;
        status = lae_checkpoint_beside(newest->path, &newest->checkpoint, task, log, &now, &found);
        if (status == NULL && found) status = check_tensors(newest, task, &now);
        if (status == NULL && found && found_before) {
            changes[task] = new_change(&now, task > 0 ? &before : NULL, count);
            if (changes[task] == NULL)
                status = lae_out_of_memory(count * sizeof(float), "a task's changes");
        }
        lae_checkpoint_free(&before);
        before = now;
        found_before = found;
    }
    lae_checkpoint_free(&before);
    return status;
}

static lae_status compare_tasks(const struct subject *newest, struct lae_log *log,
                                struct lae_inspection *inspection)
{
    int tasks = newest->checkpoint.task + 1;
    size_t count = count_entries(&newest->checkpoint.online);
    float **changes = calloc((size_t)tasks, sizeof *changes);
    if (changes == NULL) return lae_out_of_memory((size_t)tasks * 8, "the tasks' changes");
    lae_status status = collect_changes(newest, log, changes, count);
    if (status == NULL) status = lae_inspection_compare_tasks(inspection, changes, tasks, count);
    for (int task = 0; task < tasks; task++)
        free(changes[task]);
    free(changes);
    return status;
}

/* ---- both kinds */

static lae_status measure_checkpoint(const struct subject *subject, struct lae_log *log,
                                     struct lae_inspection *inspection)
{
    const struct lae_checkpoint *checkpoint = &subject->checkpoint;
    struct lae_checkpoint before = {0};
    bool found = false;
    if (checkpoint->task > 0)
        LAE_TRY(lae_checkpoint_beside(subject->path, checkpoint, checkpoint->task - 1, log, &before,
                                      &found));
    lae_status status =
        lae_status_prefix(lae_inspection_measure(inspection, checkpoint, found ? &before : NULL),
                          "%s", subject->path);
    lae_checkpoint_free(&before);
    bool several = checkpoint->task > 0 && checkpoint->online.count > 0;
    if (status == NULL && subject->is_run && several)
        status = compare_tasks(subject, log, inspection);
    return status;
}

static lae_status compare(const struct subject *subject, const struct subject *other,
                          struct lae_inspection *inspection)
{
    inspection->other = other->path;
    if (subject->is_checkpoint != other->is_checkpoint)
        return lae_bad_input("--diff: %s is a %s, %s a %s; two of a kind can be compared",
                             subject->path, subject->is_checkpoint ? "checkpoint" : "weight file",
                             other->path, other->is_checkpoint ? "checkpoint" : "weight file");
    if (subject->is_checkpoint)
        return lae_differences_checkpoints(&subject->checkpoint, &other->checkpoint,
                                           &inspection->differences);
    return lae_differences_weights(&subject->weights, &other->weights, &inspection->differences);
}

static lae_status inspect(const struct lae_arguments *arguments, struct lae_log *log,
                          struct subject *subject, struct subject *other)
{
    const char *json = arguments->options[OPTION_JSON], *diff = arguments->options[OPTION_DIFF];
    LAE_TRY(read_subject(arguments->positional[0], log, subject));
    if (diff != NULL) LAE_TRY(lae_status_prefix(read_subject(diff, log, other), "--diff"));
    struct lae_inspection inspection = {.path = subject->path, .weights = &subject->weights};
    lae_status status = NULL;
    if (diff != NULL) status = compare(subject, other, &inspection);
    if (status == NULL && subject->is_checkpoint)
        status = measure_checkpoint(subject, log, &inspection);
    if (status == NULL) status = lae_inspection_print(stdout, &inspection);
    if (status == NULL && json != NULL)
        status = lae_status_prefix(lae_inspection_write(json, &inspection), "--json");
    if (status == NULL && inspection.differences.count > 0)
        status = lae_failed("%s and %s differ", subject->path, other->path);
    lae_inspection_free(&inspection);
    return status;
}

static lae_status run(const struct lae_arguments *arguments, const struct lae_dist *dist,
                      struct lae_log *log)
{
    (void)dist;
    struct subject subject = {0}, other = {0};
    const char *json = arguments->options[OPTION_JSON];
    if (json != NULL) LAE_TRY(lae_status_prefix(lae_output_check(json), "--json"));
    lae_status status = inspect(arguments, log, &subject, &other);
    free_subject(&subject);
    free_subject(&other);
    return status;
}

const struct lae_command lae_command_inspect = {
    .name = "inspect",
    .usage = "FILE|RUN [--json FILE] [--diff OTHER]",
    .help = "show what a task file, a run or a weight file holds, or what differs between two",
    .example = "lae_mpi inspect runs/demo/task_08.h5 --diff runs/demo/task_09.h5",
    .positional = 1,
    .options = options,
    .serial = true,
    .run = run,
};
