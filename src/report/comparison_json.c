/* A comparison of merges as JSON:
 *
 *     {"run", "finished", "tasks", "classes_seen", "images", "start_from", "heads": {"shrink"},
 *      "stored": MERGE, "merges": [MERGE with "number", "own", "seconds" and "directory", ...]}
 *     MERGE   {"method", OPTION: VALUE of those that the method reads, "scores": {SCORER: SCORES}}
 *     SCORES  {"average", "last", "forgetting", "backward_transfer", "seen": [T],
 *              "accuracy": [T][T]}, in percent; null: not known
 *
 * "stored" is what the run itself left, "directory" is there where task files were written.
 */
#include "json_text.h"
#include "lae/report/comparison.h"

#include "lae/files/atomic.h"
#include "lae/files/map.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* JSON has neither NaN nor infinity. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *numbers(const double *values, int count)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(array, number(values[i]));
    return array;
}

static json_t *row_of(const struct lae_metrics *metrics, int scorer, int task)
{
    json_t *array = json_array();
    for (int k = 0; k < metrics->tasks; k++)
        json_array_append_new(array, number(lae_metrics_accuracy(metrics, scorer, task, k)));
    return array;
}

static json_t *scores(const struct lae_metrics *metrics, int scorer, int finished)
{
    struct lae_summary s = lae_metrics_summary(metrics, scorer, finished);
    json_t *matrix = json_array();
    for (int task = 0; task < metrics->tasks; task++)
        json_array_append_new(matrix, row_of(metrics, scorer, task));
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "average", number(s.average_incremental),
                     "last", number(s.last), "forgetting", number(s.forgetting),
                     "backward_transfer", number(s.backward_transfer), "seen",
                     numbers(metrics->seen[scorer], metrics->tasks), "accuracy", matrix);
}

/* A number where it is one, else a word. */
static json_t *option_value(const struct lae_merge_options *merge, enum lae_grid_option option)
{
    char *written = NULL, *end;
    lae_status_free(lae_grid_value(merge, option, &written));
    if (written == NULL) return NULL;
    double value = strtod(written, &end);
    json_t *json = *end == '\0' ? json_real(value) : json_string(written);
    free(written);
    return json;
}

static json_t *pack_merge(const struct lae_replayer_result *result, int finished)
{
    json_t *merge = json_object();
    for (int o = 0; o < LAE_GRID_OPTIONS; o++) {
        enum lae_grid_option option = (enum lae_grid_option)o;
        if (lae_grid_reads(result->merge.method, option))
            json_object_set_new(merge, lae_grid_name(option), option_value(&result->merge, option));
    }
    json_t *all = json_object();
    for (int i = 0; i < result->metrics.scorers.count; i++)
        json_object_set_new(all, result->metrics.scorers.items[i].name,
                            scores(&result->metrics, i, finished));
    json_object_set_new(merge, "scores", all);
    return merge;
}

static json_t *pack_row(const struct lae_comparison *c, size_t row)
{
    const struct lae_replayer_result *result = &c->results[row];
    json_t *merge = pack_merge(result, c->restored->state.finished);
    bool own = lae_merge_same(&result->merge, &c->stored->merge);
    json_object_set_new(merge, "number", json_integer((json_int_t)row + 1));
    json_object_set_new(merge, "own", json_boolean(own));
    json_object_set_new(merge, "seconds", number(result->seconds));
    if (c->written == NULL) return merge;
    char name[LAE_COMPARISON_LABEL];
    char *path = lae_path_join(c->written, lae_comparison_name(c, row, name));
    json_object_set_new(merge, "directory", lae_json_text(path));
    free(path);
    return merge;
}

static json_t *pack(const struct lae_comparison *c)
{
    const struct lae_setup *setup = &c->restored->setup;
    int finished = c->restored->state.finished;
    json_t *merges = json_array();
    for (size_t row = 0; row < c->done; row++)
        json_array_append_new(merges, pack_row(c, row));
    const char *start = setup->config->train.start_from == LAE_START_OFFLINE ? "offline" : "online";
    return json_pack("{s:o, s:i, s:i, s:i, s:s, s:s, s:{s:f}, s:o, s:o}", "run",
                     lae_json_text(c->restored->path), "finished", finished, "tasks",
                     setup->sequence.tasks, "classes_seen", setup->sequence.first_class[finished],
                     "images", lae_dataset_evaluated(&setup->dataset), "start_from", start, "heads",
                     "shrink", setup->config->heads.shrink, "stored",
                     pack_merge(c->stored, finished), "merges", merges);
}

lae_status lae_comparison_write(const char *path, const struct lae_comparison *comparison)
{
    json_t *object = pack(comparison);
    char *dump = object == NULL ? NULL : json_dumps(object, JSON_INDENT(1));
    json_decref(object);
    if (dump == NULL) return lae_out_of_memory(65536, "the comparison as JSON");
    lae_status status = lae_atomic_write(path, dump, strlen(dump));
    free(dump);
    return status;
}
