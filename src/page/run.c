#define _XOPEN_SOURCE 700 /* realpath */
#include "lae/page/run.h"

#include "lae/config/config.h"
#include "lae/config/scorers.h"
#include "lae/files/map.h"
#include "lae/run/metrics.h"
#include "lae/run/task_files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a file may be asked for: the page grows with it. */
#define SCORERS_MOST 64
#define SCORER_NAME 64
#define BLOCKS_MOST 1024 /* of a backbone */

/* ---- names */

static lae_status take_name(struct lae_run *run)
{
    char *whole = realpath(run->place, NULL); /* "." has a name, too */
    const char *slash = whole != NULL ? strrchr(whole, '/') : NULL;
    run->name = strdup(slash != NULL && slash[1] != '\0' ? slash + 1 : run->place);
    free(whole);
    return run->name == NULL ? lae_out_of_memory(strlen(run->place), "a name") : NULL;
}

/* ---- accuracies */

/* In the order in which all tables have them; others behind, by name. */
static int by_rank(const void *a, const void *b)
{
    const struct lae_score *x = a, *y = b;
    const struct lae_scorers all = lae_scorers_all();
    int first = lae_scorers_find(&all, x->name), second = lae_scorers_find(&all, y->name);
    if (first < 0 && second < 0) return strcmp(x->name, y->name);
    if (first < 0 || second < 0) return first < 0 ? 1 : -1;
    return first - second;
}

/* The values of a metric, moved out of the checkpoint; NULL: not there, or of another shape. */
static double *take_values(struct lae_checkpoint *checkpoint, const char *scorer, const char *what,
                           int rank)
{
    char name[SCORER_NAME + 16];
    size_t tasks = (size_t)checkpoint->task_count;
    snprintf(name, sizeof name, "%s/%s", scorer, what);
    for (size_t i = 0; i < checkpoint->metric_count; i++) {
        struct lae_metric *metric = &checkpoint->metrics[i];
        bool fits = metric->rank == rank && metric->shape[0] == tasks &&
                    (rank == 1 ||
                     (metric->shape[1] == tasks && metric->rows == (size_t)checkpoint->task + 1));
        if (strcmp(metric->name, name) != 0 || !fits) continue;
        double *values = metric->values;
        metric->values = NULL;
        return values;
    }
    return NULL;
}

/* Percent, or not known. */
static bool are_percent(const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isnan(values[i]) && !(values[i] >= 0.0 && values[i] <= 100.0)) return false;
    return true;
}

static lae_status check_scorer(const struct lae_run *run, const struct lae_score *scorer)
{
    size_t tasks = (size_t)run->tasks;
    if (scorer->accuracy == NULL || scorer->seen == NULL)
        return lae_bad_input("/metrics/%s: has no accuracy [%d, %d] and seen [%d]", scorer->name,
                             run->tasks, run->tasks, run->tasks);
    if (are_percent(scorer->accuracy, lae_metrics_row(run->finished)) &&
        are_percent(scorer->seen, tasks))
        return NULL;
    return lae_bad_input("/metrics/%s: has values that are no percentages", scorer->name);
}

static lae_status add_scorer(struct lae_run *run, struct lae_checkpoint *checkpoint,
                             const char *name, size_t length)
{
    if (length > SCORER_NAME || run->scorer_count >= SCORERS_MOST)
        return lae_bad_input("/metrics: has more than %d scorers, or one whose name has more than "
                             "%d bytes",
                             SCORERS_MOST, SCORER_NAME);
    struct lae_score *scorer = &run->scorers[run->scorer_count];
    scorer->name = strndup(name, length);
    if (scorer->name == NULL) return lae_out_of_memory(length, "a name");
    run->scorer_count++;
    scorer->accuracy = take_values(checkpoint, scorer->name, "accuracy", 2);
    scorer->seen = take_values(checkpoint, scorer->name, "seen", 1);
    return check_scorer(run, scorer);
}

/* Whoever has an array "accuracy" scores. */
static lae_status take_scorers(struct lae_run *run, struct lae_checkpoint *checkpoint)
{
    run->scorers = calloc(checkpoint->metric_count + 1, sizeof *run->scorers);
    if (run->scorers == NULL) return lae_out_of_memory(checkpoint->metric_count * 24, "accuracies");
    for (size_t i = 0; i < checkpoint->metric_count; i++) {
        const char *name = checkpoint->metrics[i].name, *slash = strrchr(name, '/');
        if (slash != NULL && strcmp(slash, "/accuracy") == 0)
            LAE_TRY(add_scorer(run, checkpoint, name, (size_t)(slash - name)));
    }
    qsort(run->scorers, run->scorer_count, sizeof *run->scorers, by_rank);
    return NULL;
}

/* ---- merges */

static lae_status check_merges(const struct lae_block_merges *merges)
{
    int last = merges->count > 0 ? merges->items[merges->count - 1].block : 0;
    if (last < BLOCKS_MOST) return NULL;
    return lae_bad_input("/merge: has block %d; blocks 0 to %d can be shown", last,
                         BLOCKS_MOST - 1);
}

static lae_status take_merge(const struct lae_checkpoint *checkpoint,
                             struct lae_block_merges *merges)
{
    const struct lae_rows *merge = &checkpoint->merge;
    for (size_t i = 0; i < merge->count; i++) {
        const struct lae_named *tensor = lae_set_find(&checkpoint->init, merge->names[i]);
        if (tensor != NULL)
            LAE_TRY(lae_block_merges_add(merges, merge->names[i], tensor->count,
                                         lae_rows_at(merge, i)));
    }
    return check_merges(merges);
}

/* After task 0 there is nothing to merge yet. */
static lae_status take_merges(struct lae_run *run, const char *path,
                              const struct lae_checkpoint *newest, struct lae_log *log)
{
    run->merges = calloc((size_t)run->finished + 1, sizeof *run->merges);
    if (run->merges == NULL) return lae_out_of_memory((size_t)run->finished * 16, "merges");
    if (newest->offline.count == 0) return NULL;
    for (int task = 1; task < newest->task; task++) {
        struct lae_checkpoint earlier;
        bool found;
        LAE_TRY(lae_checkpoint_beside(path, newest, task, log, &earlier, &found));
        lae_status status = found ? take_merge(&earlier, &run->merges[task]) : NULL;
        lae_checkpoint_free(&earlier);
        LAE_TRY(status);
    }
    return newest->task > 0 ? take_merge(newest, &run->merges[newest->task]) : NULL;
}

/* ---- all of it */

static lae_status take_checkpoint(struct lae_run *run, const char *path,
                                  struct lae_checkpoint *checkpoint, struct lae_log *log)
{
    run->tasks = checkpoint->task_count;
    run->finished = checkpoint->task + 1;
    run->config = strdup(checkpoint->config);
    if (run->config == NULL) return lae_out_of_memory(strlen(checkpoint->config), "/config");
    run->facts = checkpoint->provenance;
    run->fact_count = checkpoint->fact_count;
    checkpoint->provenance = NULL;
    checkpoint->fact_count = 0;
    LAE_TRY(take_scorers(run, checkpoint));
    LAE_TRY(take_merges(run, path, checkpoint, log));
    run->earlier = checkpoint->earlier; /* until here it told which files are of the same run */
    run->earlier_count = checkpoint->earlier_count;
    checkpoint->earlier = NULL;
    checkpoint->earlier_count = 0;
    return NULL;
}

/* A run whose first task is under way has its configuration in config.yaml alone. */
static lae_status take_begun(struct lae_run *run, const struct lae_config *config)
{
    if (run->keys != NULL) return lae_config_print_result(config, &run->config);
    return lae_bad_input("%s: is not a run's directory: it has neither task_00.h5 nor config.yaml "
                         "and metrics.jsonl",
                         run->place);
}

static lae_status copy_text(const char *text, char **copy)
{
    *copy = text != NULL ? strdup(text) : NULL;
    return text != NULL && *copy == NULL ? lae_out_of_memory(strlen(text), "a text") : NULL;
}

/* config.yaml, every key; run->keys stays NULL where there is no such file. */
static lae_status take_keys(struct lae_run *run, const char *path, struct lae_config *config)
{
    struct lae_map map;
    if (!lae_path_exists(path)) return NULL;
    LAE_TRY(lae_map_read(path, &map));
    const char *text = map.data != NULL ? (const char *)map.data : "";
    lae_status status = lae_config_load_text(config, path, text, map.size);
    if (status == NULL) {
        run->keys = strndup(text, map.size);
        if (run->keys == NULL) status = lae_out_of_memory(map.size, path);
    }
    lae_map_close(&map);
    if (status == NULL) status = copy_text(config->model.weights, &run->weights_path);
    return status == NULL ? copy_text(config->data.path, &run->data_path) : status;
}

static lae_status read_task(struct lae_run *run, const struct lae_config *config, const char *first,
                            struct lae_log *log)
{
    struct lae_checkpoint checkpoint = {0};
    char *path = NULL;
    lae_status status = lae_checkpoint_find(run->place, log, &path, &checkpoint);
    if (status == NULL) {
        status = lae_status_prefix(take_checkpoint(run, path, &checkpoint, log), "%s", path);
    } else if (!lae_path_exists(first) && lae_path_exists(run->place)) {
        lae_status_free(status);
        status = take_begun(run, config);
    }
    lae_checkpoint_free(&checkpoint);
    free(path);
    return status;
}

static lae_status read_result_keys(struct lae_run *run)
{
    struct lae_config config;
    LAE_TRY(lae_config_defaults(&config, NULL));
    lae_status status = lae_config_load_text(&config, run->place, run->config, strlen(run->config));
    run->validation = status == NULL && config.data.validation_share > 0.0;
    lae_config_free(&config);
    return status;
}

static lae_status read_files(struct lae_run *run, const char *keys, const char *metrics,
                             const char *first, struct lae_log *log)
{
    struct lae_config config;
    LAE_TRY(lae_config_defaults(&config, NULL));
    lae_status status = take_keys(run, keys, &config);
    if (status == NULL) status = lae_curve_read(metrics, &run->epochs, &run->steps);
    if (status == NULL) status = read_task(run, &config, first, log);
    if (status == NULL) status = read_result_keys(run);
    lae_config_free(&config);
    return status;
}

lae_status lae_run_read(const char *place, struct lae_log *log, struct lae_run *run)
{
    *run = (struct lae_run){.place = strdup(place)};
    if (run->place == NULL) return lae_out_of_memory(strlen(place), "a path");
    if (!lae_path_exists(place)) return lae_bad_input("%s: there is no such directory", place);
    if (!lae_path_is_directory(place))
        return lae_bad_input("%s: is no directory; a run's directory is wanted", place);
    LAE_TRY(take_name(run));
    char *keys = lae_path_join(place, "config.yaml");
    char *metrics = lae_path_join(place, "metrics.jsonl");
    char *first = lae_path_join(place, "task_00.h5");
    lae_status status = keys == NULL || metrics == NULL || first == NULL
                            ? lae_out_of_memory(strlen(place), "a path")
                            : read_files(run, keys, metrics, first, log);
    free(keys);
    free(metrics);
    free(first);
    return status;
}

static void free_facts(struct lae_fact *facts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(facts[i].name);
        free(facts[i].text);
    }
    free(facts);
}

void lae_run_free(struct lae_run *run)
{
    for (size_t i = 0; i < run->earlier_count; i++)
        free(run->earlier[i].config);
    free(run->earlier);
    for (size_t i = 0; i < run->scorer_count; i++) {
        free(run->scorers[i].name);
        free(run->scorers[i].accuracy);
        free(run->scorers[i].seen);
    }
    for (int task = 0; run->merges != NULL && task < run->finished; task++)
        lae_block_merges_free(&run->merges[task]);
    free(run->merges);
    free(run->scorers);
    free_facts(run->facts, run->fact_count);
    lae_curve_free(&run->epochs);
    lae_curve_free(&run->steps);
    free(run->place);
    free(run->name);
    free(run->config);
    free(run->keys);
    free(run->weights_path);
    free(run->data_path);
    *run = (struct lae_run){0};
}

const struct lae_score *lae_run_score(const struct lae_run *run, const char *name)
{
    for (size_t i = 0; i < run->scorer_count; i++)
        if (strcmp(run->scorers[i].name, name) == 0) return &run->scorers[i];
    return NULL;
}
