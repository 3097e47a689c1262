#include "snapshot.h"

#include "lae/files/digest.h"
#include "lae/files/map.h"

#include "lae/run/directory.h"
#include "lae/run/plan.h"
#include "lae/sweep/workers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAME_TEXT 64

/* The arrays of one scorer's metrics. */
struct array {
    const char *name;
    bool matrix; /* [T, T], of which the known rows' triangle is kept; else [T] */
};
static const struct array arrays[] = {
    {"accuracy", true}, {"accuracy_local", true}, {"seen", false}};
enum { ARRAYS = sizeof arrays / sizeof arrays[0] };

static double *array_of(const struct lae_metrics *metrics, int scorer, int array)
{
    double *const all[ARRAYS] = {metrics->accuracy[scorer], metrics->local[scorer],
                                 metrics->seen[scorer]};
    return all[array];
}

static lae_status take_metric(const struct lae_metrics *metrics, int scorer, int array,
                              struct lae_metric *out)
{
    char name[NAME_TEXT];
    size_t n = (size_t)metrics->tasks, rows = (size_t)metrics->rows;
    snprintf(name, sizeof name, "%s/%s", metrics->scorers.items[scorer].name, arrays[array].name);
    *out = (struct lae_metric){
        .name = strdup(name), .rank = arrays[array].matrix ? 2 : 1, .shape = {n, n}, .rows = rows};
    size_t count = lae_metric_count(out), known = arrays[array].matrix ? count : rows;
    out->values = malloc((count + 1) * sizeof(double));
    if (out->name == NULL || out->values == NULL)
        return lae_out_of_memory(count * sizeof(double), name);
    memcpy(out->values, array_of(metrics, scorer, array), known * sizeof(double));
    for (size_t i = known; i < count; i++)
        out->values[i] = NAN;
    return NULL;
}

static lae_status take_metrics(const struct lae_metrics *metrics, struct lae_checkpoint *checkpoint)
{
    checkpoint->metrics = calloc(LAE_MAX_SCORERS * ARRAYS, sizeof *checkpoint->metrics);
    if (checkpoint->metrics == NULL) return lae_out_of_memory(1024, "the metrics");
    for (int scorer = 0; scorer < metrics->scorers.count; scorer++)
        for (int array = 0; array < ARRAYS; array++) {
            struct lae_metric *next = &checkpoint->metrics[checkpoint->metric_count++];
            LAE_TRY(take_metric(metrics, scorer, array, next));
        }
    return NULL;
}

/* "init", and of random features "init/ridge" */
static void name_stats(enum lae_view view, bool random, char name[NAME_TEXT])
{
    snprintf(name, NAME_TEXT, "%s%s", lae_view_name(view), random ? "/ridge" : "");
}

/* lambda NaN: the features are not random ones. */
static lae_status take_stats(const struct lae_stats *stats, enum lae_view view, double lambda,
                             struct lae_kept_stats *out)
{
    char name[NAME_TEXT];
    name_stats(view, !isnan(lambda), name);
    *out = (struct lae_kept_stats){.name = strdup(name), .lambda = lambda};
    if (out->name == NULL) return lae_out_of_memory(NAME_TEXT, "class statistics");
    return lae_stats_copy(stats, &out->stats);
}

static lae_status take_statistics(const struct lae_statistics *statistics,
                                  struct lae_checkpoint *checkpoint)
{
    checkpoint->stats = calloc(2 * LAE_VIEWS, sizeof *checkpoint->stats);
    if (checkpoint->stats == NULL) return lae_out_of_memory(64, "class statistics");
    for (enum lae_view m = 0; m < LAE_VIEWS; m++) {
        if ((statistics->views >> m & 1) != 0)
            LAE_TRY(take_stats(&statistics->features[m], m, NAN,
                               &checkpoint->stats[checkpoint->stats_count++]));
        if ((statistics->ridge >> m & 1) != 0)
            LAE_TRY(take_stats(&statistics->random[m], m, statistics->lambda[m],
                               &checkpoint->stats[checkpoint->stats_count++]));
    }
    return NULL;
}

static lae_status take_merge(const struct lae_table *table, const struct lae_merge_stats *stats,
                             struct lae_rows *merge)
{
    for (size_t i = 0; i < table->count; i++)
        if (lae_rows_add(merge, table->items[i].name, &stats[i]) == NULL)
            return lae_out_of_memory(table->count * sizeof *stats, "merge statistics");
    return NULL;
}

static lae_status take_classifier(const struct lae_setup *setup, const float *classifier, int task,
                                  struct lae_set *head)
{
    char name[NAME_TEXT];
    size_t n = lae_task_classes(setup, task), d = setup->backbone->feature;
    struct lae_named *item;
    snprintf(name, sizeof name, "task_%02d/weight", task);
    LAE_TRY(lae_set_add(head, name, 2, (size_t[]){n, d}, &item));
    memcpy(item->data, classifier, n * d * sizeof *classifier);
    snprintf(name, sizeof name, "task_%02d/bias", task);
    LAE_TRY(lae_set_add(head, name, 1, (size_t[]){n}, &item));
    memcpy(item->data, classifier + n * d, n * sizeof *classifier);
    return NULL;
}

static lae_status take_history(const struct lae_setup *setup, const struct lae_state *state,
                               struct lae_checkpoint *checkpoint)
{
    size_t tasks = (size_t)checkpoint->task;
    checkpoint->history = calloc(tasks + 1, sizeof *checkpoint->history);
    if (checkpoint->history == NULL) return lae_out_of_memory(tasks * 24, "earlier modules");
    for (int k = 0; k < checkpoint->task; k++)
        if (state->history[k] != NULL)
            LAE_TRY(
                lae_set_from_vector(&checkpoint->history[k], &setup->pet.table, state->history[k]));
    return NULL;
}

static lae_status copy_earlier(const struct lae_earlier *from, size_t count,
                               struct lae_earlier **to, size_t *copied)
{
    *to = calloc(count + 1, sizeof **to);
    if (*to == NULL) return lae_out_of_memory(count * sizeof **to, "earlier configurations");
    for (size_t i = 0; i < count; i++) {
        (*to)[i] = (struct lae_earlier){from[i].task, strdup(from[i].config)};
        *copied = i + 1;
        if ((*to)[i].config == NULL) return lae_out_of_memory(64, "earlier configurations");
    }
    return NULL;
}

static lae_status take_parameters(const struct lae_setup *setup, const struct lae_state *state,
                                  struct lae_checkpoint *checkpoint)
{
    const struct lae_table *table = &setup->pet.table;
    LAE_TRY(lae_set_from_vector(&checkpoint->init, table, state->init));
    LAE_TRY(lae_set_from_vector(&checkpoint->online, table, state->online));
    if (state->offline != NULL)
        LAE_TRY(lae_set_from_vector(&checkpoint->offline, table, state->offline));
    LAE_TRY(take_history(setup, state, checkpoint));
    int tasks = state->finished + (state->at.inside ? 1 : 0);
    for (int task = 0; task < tasks; task++)
        LAE_TRY(take_classifier(setup, state->classifiers[task], task, &checkpoint->head));
    return NULL;
}

/* text NULL: a number. */
static lae_status add_fact(struct lae_checkpoint *checkpoint, const char *name, const char *text,
                           double number)
{
    struct lae_fact *fact = &checkpoint->provenance[checkpoint->fact_count++];
    *fact = (struct lae_fact){
        .name = strdup(name), .text = text != NULL ? strdup(text) : NULL, .number = number};
    if (fact->name == NULL || (text != NULL && fact->text == NULL))
        return lae_out_of_memory(64, "provenance");
    return NULL;
}

/* So that it is found from elsewhere. */
static lae_status add_path(struct lae_checkpoint *checkpoint, const char *name, const char *path)
{
    char *absolute = lae_path_absolute(path);
    if (absolute == NULL) return lae_out_of_memory(strlen(path), "a path");
    lae_status status = add_fact(checkpoint, name, absolute, 0);
    free(absolute);
    return status;
}

/* What the images of the tasks learned so far are, the one under way among them: others may change
 * before their turn. */
static lae_status add_learned_data(const struct lae_setup *setup, const struct lae_state *state,
                                   struct lae_checkpoint *checkpoint)
{
    char digest[LAE_DIGEST_TEXT];
    int tasks = state->finished + (state->at.inside ? 1 : 0);
    LAE_TRY(lae_sequence_digest(&setup->sequence, &setup->dataset, tasks, digest));
    return add_fact(checkpoint, "learned_digest", digest, 0);
}

static lae_status take_provenance(const struct lae_setup *setup, const struct lae_state *state,
                                  const char *hosts, struct lae_checkpoint *checkpoint)
{
    enum { FACTS = 16 };
    const struct lae_config *config = setup->config;
    char created[32] = "unknown";
    time_t seconds = time(NULL);
    struct tm parts;
    if (gmtime_r(&seconds, &parts) != NULL)
        strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &parts);
    checkpoint->provenance = calloc(FACTS, sizeof *checkpoint->provenance);
    if (checkpoint->provenance == NULL) return lae_out_of_memory(FACTS * 64, "provenance");
    LAE_TRY(add_fact(checkpoint, "created", created, 0));
    LAE_TRY(add_fact(checkpoint, "program_version", LAE_VERSION, 0));
    LAE_TRY(add_fact(checkpoint, "fingerprint", setup->fingerprint, 0));
    if (state->earlier_software != NULL)
        LAE_TRY(add_fact(checkpoint, "fingerprints_before", state->earlier_software, 0));
    if (state->branched_from != NULL)
        LAE_TRY(add_fact(checkpoint, "branched_from", state->branched_from, 0));
    LAE_TRY(add_fact(checkpoint, "np", NULL, setup->dist->size));
    LAE_TRY(add_fact(checkpoint, "threads", NULL, lae_team_threads(setup->team)));
    LAE_TRY(add_fact(checkpoint, "hosts", hosts != NULL ? hosts : "unknown", 0));
    LAE_TRY(config->data.path != NULL ? add_path(checkpoint, "data_path", config->data.path)
                                      : add_fact(checkpoint, "data_path", "synthetic", 0));
    LAE_TRY(add_fact(checkpoint, "data_digest", setup->data_digest, 0));
    if (setup->dataset.kind == LAE_DATASET_FOLDER)
        LAE_TRY(add_learned_data(setup, state, checkpoint));
    if (state->earlier_data != NULL)
        LAE_TRY(add_fact(checkpoint, "data_digests_before", state->earlier_data, 0));
    LAE_TRY(add_path(checkpoint, "weights_path", config->model.weights));
    LAE_TRY(add_fact(checkpoint, "weights_digest", setup->weights_digest, 0));
    return add_fact(checkpoint, "seconds", NULL, state->seconds);
}

static lae_status take_moments(struct lae_set *set, const char *name, const float *values,
                               size_t count)
{
    struct lae_named *item;
    if (count == 0) return NULL; /* there are no modules */
    LAE_TRY(lae_set_add(set, name, 1, &count, &item));
    memcpy(item->data, values, count * sizeof *values);
    return NULL;
}

static lae_status take_position(const struct lae_state *state, struct lae_checkpoint *checkpoint)
{
    const struct lae_adam *pet = &state->pet, *classifier = &state->classifier;
    struct lae_saved_position *saved = calloc(1, sizeof *saved);
    checkpoint->position = saved;
    if (saved == NULL) return lae_out_of_memory(sizeof *saved, "where training stands");
    *saved = (struct lae_saved_position){state->at, pet->steps, classifier->steps};
    LAE_TRY(take_moments(&checkpoint->adam, "pet/m", pet->m, pet->count));
    LAE_TRY(take_moments(&checkpoint->adam, "pet/v", pet->v, pet->count));
    LAE_TRY(take_moments(&checkpoint->adam, "classifier/m", classifier->m, classifier->count));
    return take_moments(&checkpoint->adam, "classifier/v", classifier->v, classifier->count);
}

static lae_status take_class_names(const struct lae_dataset *dataset, char **text)
{
    size_t size = 1;
    if (dataset->class_names == NULL) return NULL;
    for (int i = 0; i < dataset->classes; i++)
        size += strlen(dataset->class_names[i]) + 1;
    char *end = *text = malloc(size);
    if (end == NULL) return lae_out_of_memory(size, "class names");
    for (int i = 0; i < dataset->classes; i++)
        end += sprintf(end, "%s\n", dataset->class_names[i]);
    return NULL;
}

lae_status lae_snapshot_take(const struct lae_setup *setup, const struct lae_state *state,
                             const char *hosts, struct lae_checkpoint *checkpoint)
{
    const struct lae_sequence *sequence = &setup->sequence;
    size_t classes = (size_t)sequence->classes;
    int task = state->at.inside ? state->finished : state->finished - 1;
    bool merged = !state->at.inside || state->at.merged;
    *checkpoint = (struct lae_checkpoint){
        .layout = &lae_run_layout,
        .merge.record = &lae_merge_record,
        .task = task,
        .task_count = sequence->tasks,
        .classes_seen = sequence->first_class[task + 1],
        .class_order = malloc(classes * sizeof(int32_t)),
        .classes = classes,
    };
    if (checkpoint->class_order == NULL) return lae_out_of_memory(classes * 4, "the class order");
    for (size_t i = 0; i < classes; i++)
        checkpoint->class_order[i] = (int32_t)sequence->class_order[i];
    LAE_TRY(take_class_names(&setup->dataset, &checkpoint->class_names));
    LAE_TRY(lae_config_print_result(setup->config, &checkpoint->config));
    LAE_TRY(copy_earlier(state->earlier, state->earlier_count, &checkpoint->earlier,
                         &checkpoint->earlier_count));
    LAE_TRY(take_parameters(setup, state, checkpoint));
    LAE_TRY(take_metrics(&state->metrics, checkpoint));
    LAE_TRY(take_statistics(&state->statistics, checkpoint));
    if (state->at.inside) LAE_TRY(take_position(state, checkpoint));
    if (state->offline != NULL && task > 0 && merged)
        LAE_TRY(take_merge(&setup->pet.table, state->merge, &checkpoint->merge));
    return take_provenance(setup, state, hosts, checkpoint);
}

static const struct lae_metric *find_metric(const struct lae_checkpoint *checkpoint,
                                            const char *scorer, int array)
{
    char name[NAME_TEXT];
    snprintf(name, sizeof name, "%s/%s", scorer, arrays[array].name);
    for (size_t i = 0; i < checkpoint->metric_count; i++)
        if (strcmp(checkpoint->metrics[i].name, name) == 0) return &checkpoint->metrics[i];
    return NULL;
}

/* Those of all scorers that the checkpoint has metrics of. */
static struct lae_scorers find_scorers(const struct lae_checkpoint *checkpoint)
{
    struct lae_scorers all = lae_scorers_all(), found = {0};
    for (int i = 0; i < all.count; i++)
        if (find_metric(checkpoint, all.items[i].name, 0) != NULL)
            found.items[found.count++] = all.items[i];
    return found;
}

static lae_status restore_metric(const struct lae_checkpoint *checkpoint, int array, int scorer,
                                 struct lae_metrics *metrics)
{
    const char *name = metrics->scorers.items[scorer].name;
    const struct lae_metric *stored = find_metric(checkpoint, name, array);
    size_t n = (size_t)metrics->tasks;
    bool matrix = arrays[array].matrix;
    bool fits = stored != NULL && stored->rank == (matrix ? 2 : 1) && stored->shape[0] == n &&
                (!matrix || stored->shape[1] == n);
    if (!fits)
        return lae_bad_input("/metrics/%s/%s is missing or has another shape than %zu tasks ask "
                             "for",
                             name, arrays[array].name, n);
    size_t known = matrix ? lae_metric_count(stored) : (size_t)metrics->rows;
    if (matrix && stored->rows != (size_t)metrics->rows)
        return lae_bad_input("/metrics/%s/%s has %zu rows, not %d", name, arrays[array].name,
                             stored->rows, metrics->rows);
    memcpy(array_of(metrics, scorer, array), stored->values, known * sizeof(double));
    return NULL;
}

lae_status lae_metrics_from_checkpoint(const struct lae_checkpoint *checkpoint,
                                       struct lae_metrics *metrics)
{
    struct lae_scorers scorers = find_scorers(checkpoint);
    *metrics = (struct lae_metrics){0};
    if (scorers.count == 0) return lae_bad_input("/metrics has none of a scorer that is known");
    LAE_TRY(lae_metrics_create(checkpoint->task_count, &scorers, metrics));
    lae_status status = NULL;
    lae_metrics_extend(metrics, checkpoint->task + (checkpoint->position != NULL ? 0 : 1));
    for (int scorer = 0; scorer < scorers.count; scorer++)
        for (int array = 0; array < ARRAYS && status == NULL; array++)
            status = restore_metric(checkpoint, array, scorer, metrics);
    lae_metrics_settle(metrics);
    if (status != NULL) lae_metrics_free(metrics);
    return status;
}

static lae_status restore_classifier(const struct lae_setup *setup, const struct lae_set *head,
                                     int task, float *classifier)
{
    char name[NAME_TEXT];
    size_t n = lae_task_classes(setup, task), d = setup->backbone->feature;
    snprintf(name, sizeof name, "task_%02d/weight", task);
    const struct lae_named *weight = lae_set_find(head, name);
    snprintf(name, sizeof name, "task_%02d/bias", task);
    const struct lae_named *bias = lae_set_find(head, name);
    if (weight == NULL || weight->count != n * d || bias == NULL || bias->count != n)
        return lae_bad_input("/head/task_%02d is missing or not of %zu classes and width %zu", task,
                             n, d);
    memcpy(classifier, weight->data, n * d * sizeof *classifier);
    memcpy(classifier + n * d, bias->data, n * sizeof *classifier);
    return NULL;
}

static lae_status restore_moments(const struct lae_set *set, const char *name, float *values,
                                  size_t count)
{
    if (count == 0) return NULL;
    const struct lae_named *item = lae_set_find(set, name);
    if (item == NULL || item->count != count)
        return lae_bad_input("/resume/adam/%s is missing or not of %zu values", name, count);
    memcpy(values, item->data, count * sizeof *values);
    return NULL;
}

/* Where the file says that training stood must be a step of this run's task: what comes next
 * depends on it. Sealed files of this program are right; others may have been made by hand. */
static lae_status check_position(const struct lae_setup *setup, int task,
                                 const struct lae_position *at)
{
    int epochs = setup->config->train.epochs, batch = setup->config->train.batch_size;
    int64_t steps = lae_plan_steps(setup->config, setup->sequence.images[LAE_TRAIN][task].count);
    bool known = at->epoch >= 0 && at->epoch <= epochs && at->step <= epochs * steps;
    int64_t done = known ? at->step - at->epoch * steps : -1; /* of the epoch's steps */
    if (done >= 0 && done < steps && at->images <= done * batch && at->correct <= at->images &&
        isfinite(at->loss))
        return NULL;
    if (done == 0 && at->epoch == epochs) return NULL;
    return lae_bad_input("/resume tells of step %lld in epoch %d after %lld images, which the task "
                         "does not have; remove the file to go on from what was saved before",
                         (long long)at->step, at->epoch, (long long)at->images);
}

static lae_status restore_position(const struct lae_setup *setup,
                                   const struct lae_checkpoint *checkpoint, struct lae_state *state)
{
    const struct lae_saved_position *saved = checkpoint->position;
    const struct lae_set *adam = &checkpoint->adam;
    struct lae_adam *pet = &state->pet, *classifier = &state->classifier;
    lae_adam_reset(classifier, lae_classifier_count(setup, checkpoint->task));
    LAE_TRY(check_position(setup, checkpoint->task, &saved->at));
    LAE_TRY(restore_moments(adam, "pet/m", pet->m, pet->count));
    LAE_TRY(restore_moments(adam, "pet/v", pet->v, pet->count));
    LAE_TRY(restore_moments(adam, "classifier/m", classifier->m, classifier->count));
    LAE_TRY(restore_moments(adam, "classifier/v", classifier->v, classifier->count));
    pet->steps = saved->pet_steps;
    classifier->steps = saved->classifier_steps;
    state->at = saved->at;
    state->at.inside = true;
    state->at.owed &= state->at.epoch > 0 && state->at.epoch < setup->config->train.epochs;
    return NULL;
}

static bool all_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

/* The merge's statistics are written with the evaluation that is still owed. */
static void restore_merge(const struct lae_table *table, const struct lae_rows *merge,
                          struct lae_merge_stats *stats)
{
    for (size_t i = 0; i < merge->count; i++) {
        const struct lae_param *item = lae_table_find(table, merge->names[i]);
        if (item != NULL) memcpy(&stats[item - table->items], lae_rows_at(merge, i), sizeof *stats);
    }
}

/* Counts of the classes that the file's tasks have, and no others; numbers that heads can be made
 * from. */
static lae_status check_stats(const struct lae_setup *setup,
                              const struct lae_checkpoint *checkpoint,
                              const struct lae_kept_stats *kept, size_t width)
{
    const struct lae_stats *stats = &kept->stats;
    const int *first = setup->sequence.first_class;
    bool inside = checkpoint->position != NULL;
    size_t known = (size_t)first[checkpoint->task + (inside ? 0 : 1)], images = 0, d = stats->width;
    if (d != width)
        return lae_bad_input("/stats/%s is of %zu features; %zu are wanted", kept->name, d, width);
    for (size_t c = 0; c < known; c++)
        images += (size_t)stats->count[c];
    if (known > 0 && images == 0)
        return lae_bad_input("/stats/%s/count has no image of the classes learned", kept->name);
    for (size_t c = (size_t)first[checkpoint->task + 1]; c < stats->classes; c++)
        if (stats->count[c] != 0)
            return lae_bad_input("/stats/%s/count has images of class %zu, which is to come",
                                 kept->name, c);
    if (!all_finite(stats->mean, stats->classes * d) || !all_finite(stats->scatter, d * d))
        return lae_bad_input("/stats/%s: a mean or a scatter is not finite", kept->name);
    return NULL;
}

static const struct lae_kept_stats *find_stats(const struct lae_checkpoint *checkpoint,
                                               const char *name)
{
    for (size_t i = 0; i < checkpoint->stats_count; i++)
        if (strcmp(checkpoint->stats[i].name, name) == 0) return &checkpoint->stats[i];
    return NULL;
}

/* lambda NULL: the features are not random ones. */
static lae_status restore_stats(const struct lae_setup *setup,
                                const struct lae_checkpoint *checkpoint, enum lae_view view,
                                struct lae_stats *stats, double *lambda)
{
    char name[NAME_TEXT];
    name_stats(view, lambda != NULL, name);
    const struct lae_kept_stats *stored = find_stats(checkpoint, name);
    if (stored == NULL)
        return lae_bad_input("/stats/%s is missing, which %s asks for", name,
                             lambda != NULL ? "ridge in eval.heads" : "stats.modules");
    LAE_TRY(check_stats(setup, checkpoint, stored, stats->width));
    if (lambda != NULL && !(stored->lambda >= 0.0 && isfinite(stored->lambda)))
        return lae_bad_input("/stats/%s: attribute lambda is missing, or no strength", name);
    if (lambda != NULL) *lambda = stored->lambda;
    lae_stats_free(stats);
    return lae_stats_copy(&stored->stats, stats);
}

/* What was begun before there were class statistics goes on without them. */
static lae_status restore_statistics(const struct lae_setup *setup,
                                     const struct lae_checkpoint *checkpoint,
                                     struct lae_state *state)
{
    struct lae_statistics *statistics = &state->statistics;
    bool linear = (setup->config->eval.heads & LAE_LINEAR_HEADS) != 0;
    if (statistics->views != 0 && checkpoint->stats_count == 0 && linear) {
        lae_log_warn(setup->log,
                     "the file has no /stats, an older version having written it: there "
                     "will be no heads but linear");
        return lae_state_drop_statistics(setup, state);
    }
    for (enum lae_view m = 0; m < LAE_VIEWS; m++) {
        if ((statistics->views >> m & 1) != 0)
            LAE_TRY(restore_stats(setup, checkpoint, m, &statistics->features[m], NULL));
        if ((statistics->ridge >> m & 1) != 0)
            LAE_TRY(restore_stats(setup, checkpoint, m, &statistics->random[m],
                                  &statistics->lambda[m]));
    }
    return NULL;
}

/* What is known of the scorers asked for. */
static lae_status restore_metrics(const struct lae_checkpoint *checkpoint, struct lae_state *state)
{
    struct lae_metrics stored;
    LAE_TRY(lae_metrics_from_checkpoint(checkpoint, &stored));
    bool online = lae_scorers_find(&stored.scorers, "online") >= 0;
    bool offline = lae_scorers_find(&stored.scorers, "offline") >= 0;
    lae_metrics_copy(&state->metrics, &stored);
    lae_metrics_free(&stored);
    if (!online || offline == (state->offline != NULL)) return NULL;
    return lae_bad_input("/metrics: the offline module's are there or missing against "
                         "merge.method");
}

static lae_status restore_vector(const char *group, const struct lae_set *set,
                                 const struct lae_table *table, float *vector)
{
    return lae_status_prefix(lae_set_into_vector(set, table, vector), "%s", group);
}

/* What merges to come read must be there; it is a file's own, whatever lies beside it. */
static lae_status restore_history(const struct lae_setup *setup,
                                  const struct lae_checkpoint *checkpoint, struct lae_state *state)
{
    for (int k = 0; k < checkpoint->task; k++) {
        char name[LAE_HISTORY_NAME];
        lae_checkpoint_history_name(k, name);
        if (!lae_merge_remembers(&setup->config->merge, k)) continue;
        if (checkpoint->history == NULL || checkpoint->history[k].count == 0)
            return lae_bad_input("/%s is missing, which merge.vectors and merge.base ask for",
                                 name);
        LAE_TRY(lae_state_make_history(setup, state, k));
        LAE_TRY(lae_status_prefix(
            lae_set_into_vector(&checkpoint->history[k], &setup->pet.table, state->history[k]),
            "/%s", name));
    }
    return NULL;
}

static lae_status restore_parameters(const struct lae_setup *setup,
                                     const struct lae_checkpoint *checkpoint,
                                     struct lae_state *state)
{
    const struct lae_table *table = &setup->pet.table;
    LAE_TRY(restore_vector("/init", &checkpoint->init, table, state->init));
    LAE_TRY(restore_vector("/online", &checkpoint->online, table, state->online));
    if (state->offline != NULL)
        LAE_TRY(restore_vector("/offline", &checkpoint->offline, table, state->offline));
    LAE_TRY(restore_history(setup, checkpoint, state));
    for (int task = 0; task <= checkpoint->task; task++) {
        LAE_TRY(lae_state_append_classifier(setup, state, task));
        LAE_TRY(restore_classifier(setup, &checkpoint->head, task, state->classifiers[task]));
    }
    return NULL;
}

/* The file's tasks and classes must be this run's; a sealed file's are, its configuration being
 * equal. */
static lae_status check_sequence(const struct lae_setup *setup,
                                 const struct lae_checkpoint *checkpoint)
{
    const struct lae_sequence *sequence = &setup->sequence;
    bool same = checkpoint->task_count == sequence->tasks &&
                checkpoint->classes == (size_t)sequence->classes;
    for (size_t i = 0; same && i < checkpoint->classes; i++)
        same = checkpoint->class_order[i] == sequence->class_order[i];
    if (same) return NULL;
    return lae_bad_input(
        "it has %d tasks of %zu classes in its /class_order, the data have %d of %d "
        "in data.class_order",
        checkpoint->task_count, checkpoint->classes, sequence->tasks, sequence->classes);
}

/* What is not a number would spread to every parameter. */
static lae_status check_finite(const char *group, const struct lae_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        for (size_t k = 0; k < set->items[i].count; k++)
            if (!isfinite(set->items[i].data[k]))
                return lae_bad_input("/%s/%s: element %zu is %g, from which nothing can be learned",
                                     group, set->items[i].name, k, (double)set->items[i].data[k]);
    return NULL;
}

static lae_status check_numbers(const struct lae_checkpoint *checkpoint)
{
    LAE_TRY(check_finite("init", &checkpoint->init));
    LAE_TRY(check_finite("online", &checkpoint->online));
    LAE_TRY(check_finite("offline", &checkpoint->offline));
    LAE_TRY(check_finite("head", &checkpoint->head));
    for (int k = 0; checkpoint->history != NULL && k < checkpoint->task; k++)
        LAE_TRY(check_finite("history", &checkpoint->history[k]));
    return check_finite("resume/adam", &checkpoint->adam);
}

/* What took part before and is another now, for the record: what the file's fact `before` says, and
 * the file's own `name`, followed by `remark`. */
static lae_status restore_earlier(const struct lae_checkpoint *checkpoint, const char *name,
                                  const char *before, const char *now, const char *remark,
                                  char **earlier)
{
    const struct lae_fact *own = lae_snapshot_fact(checkpoint, name);
    const struct lae_fact *list = lae_snapshot_fact(checkpoint, before);
    const char *first = list != NULL && list->text != NULL ? list->text : "";
    const char *second = "";
    if (own != NULL && own->text != NULL && strcmp(own->text, now) != 0) second = own->text;
    if (first[0] == '\0' && second[0] == '\0') return NULL;
    size_t size = strlen(first) + strlen(second) + strlen(remark) + 4;
    *earlier = malloc(size);
    if (*earlier == NULL) return lae_out_of_memory(size, "provenance");
    bool both = first[0] != '\0' && second[0] != '\0';
    snprintf(*earlier, size, "%s%s%s%s", first, both ? " | " : "", second,
             second[0] != '\0' ? remark : "");
    return NULL;
}

static lae_status restore_origin(const struct lae_checkpoint *checkpoint, struct lae_state *state)
{
    const struct lae_fact *from = lae_snapshot_fact(checkpoint, "branched_from");
    if (from == NULL || from->text == NULL) return NULL;
    state->branched_from = strdup(from->text);
    return state->branched_from == NULL ? lae_out_of_memory(strlen(from->text), "a path") : NULL;
}

static lae_status restore_provenance(const struct lae_setup *setup,
                                     const struct lae_checkpoint *checkpoint,
                                     struct lae_state *state)
{
    char until[64];
    snprintf(until, sizeof until, " (until task %d)", checkpoint->task);
    LAE_TRY(restore_earlier(checkpoint, "fingerprint", "fingerprints_before", setup->fingerprint,
                            "", &state->earlier_software));
    return restore_earlier(checkpoint, "data_digest", "data_digests_before", setup->data_digest,
                           until, &state->earlier_data);
}

lae_status lae_snapshot_restore(const struct lae_setup *setup,
                                const struct lae_checkpoint *checkpoint, struct lae_state *state)
{
    LAE_TRY(check_sequence(setup, checkpoint));
    LAE_TRY(check_numbers(checkpoint));
    LAE_TRY(restore_parameters(setup, checkpoint, state));
    if (checkpoint->position != NULL) LAE_TRY(restore_position(setup, checkpoint, state));
    restore_merge(&setup->pet.table, &checkpoint->merge, state->merge);
    LAE_TRY(restore_provenance(setup, checkpoint, state));
    LAE_TRY(copy_earlier(checkpoint->earlier, checkpoint->earlier_count, &state->earlier,
                         &state->earlier_count));
    LAE_TRY(restore_origin(checkpoint, state));
    LAE_TRY(restore_statistics(setup, checkpoint, state));
    LAE_TRY(restore_metrics(checkpoint, state));
    state->finished = checkpoint->task + (checkpoint->position != NULL ? 0 : 1);
    const struct lae_fact *seconds = lae_snapshot_fact(checkpoint, "seconds");
    state->seconds = seconds != NULL && seconds->text == NULL ? seconds->number : 0.0;
    return NULL;
}

const struct lae_fact *lae_snapshot_fact(const struct lae_checkpoint *checkpoint, const char *name)
{
    for (size_t i = 0; i < checkpoint->fact_count; i++)
        if (strcmp(checkpoint->provenance[i].name, name) == 0) return &checkpoint->provenance[i];
    return NULL;
}
