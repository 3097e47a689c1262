/* Both files are laid out as lists of named arrays, in one order; then name meets name.
 *
 * Arrays are compared by their bits, as the promise of this program is about bits: -0 is not 0, and
 * a NaN is itself.
 */
#include "lae/report/differences.h"

#include "lae/config/config.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_TEXT 1100

struct array {
    char *name;
    int rank;
    size_t shape[LAE_MAX_RANK], count;
    const float *floats; /* one of the two */
    const double *doubles;
    double *owned; /* doubles, where they were made here */
};

struct arrays {
    struct array *items;
    size_t count, capacity;
};

static void free_arrays(struct arrays *arrays)
{
    for (size_t i = 0; i < arrays->count; i++) {
        free(arrays->items[i].name);
        free(arrays->items[i].owned);
    }
    free(arrays->items);
}

/* Room for one more item of `size` bytes in *items [count, of *capacity]. */
static lae_status grow(void **items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) return NULL;
    size_t wanted = *capacity == 0 ? 64 : 2 * *capacity;
    void *grown = realloc(*items, wanted * size);
    if (grown == NULL) return lae_out_of_memory(wanted * size, "a comparison");
    *items = grown;
    *capacity = wanted;
    return NULL;
}

/* ---- a file as a list of arrays */

/* Appends `array`, named GROUP/NAME; what it owns is the list's then, or freed. */
static lae_status add(struct arrays *arrays, const char *group, const char *name,
                      struct array array)
{
    char path[NAME_TEXT];
    void *items = arrays->items;
    snprintf(path, sizeof path, "%s%s%s", group, name[0] != '\0' ? "/" : "", name);
    lae_status status = grow(&items, arrays->count, &arrays->capacity, sizeof array);
    arrays->items = items;
    array.name = status == NULL ? strdup(path) : NULL;
    if (status == NULL && array.name == NULL) status = lae_out_of_memory(strlen(path), "a name");
    if (status != NULL)
        free(array.owned);
    else
        arrays->items[arrays->count++] = array;
    return status;
}

static lae_status add_doubles(struct arrays *arrays, const char *group, const char *name,
                              const double *values, size_t count)
{
    double *owned = malloc(count * sizeof *owned);
    if (owned == NULL) return lae_out_of_memory(count * sizeof *owned, "a comparison");
    memcpy(owned, values, count * sizeof *owned);
    return add(arrays, group, name,
               (struct array){
                   .rank = 1, .shape = {count}, .count = count, .doubles = owned, .owned = owned});
}

static lae_status add_set(struct arrays *arrays, const char *group, const struct lae_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct lae_named *item = &set->items[i];
        struct array array = {.rank = item->rank, .count = item->count, .floats = item->data};
        memcpy(array.shape, item->shape, sizeof array.shape);
        LAE_TRY(add(arrays, group, item->name, array));
    }
    return NULL;
}

static lae_status add_history(struct arrays *arrays, const struct lae_checkpoint *checkpoint)
{
    for (int task = 0; checkpoint->history != NULL && task < checkpoint->task; task++) {
        char group[1 + LAE_HISTORY_NAME] = "/";
        lae_checkpoint_history_name(task, group + 1);
        LAE_TRY(add_set(arrays, group, &checkpoint->history[task]));
    }
    return NULL;
}

static lae_status add_metrics(struct arrays *arrays, const struct lae_checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->metric_count; i++) {
        const struct lae_metric *metric = &checkpoint->metrics[i];
        struct array array = {.rank = metric->rank,
                              .shape = {metric->shape[0], metric->shape[1]},
                              .count = lae_metric_count(metric),
                              .doubles = metric->values};
        LAE_TRY(add(arrays, "/metrics", metric->name, array));
    }
    return NULL;
}

static lae_status add_stats(struct arrays *arrays, const struct lae_kept_stats *kept)
{
    const struct lae_stats *stats = &kept->stats;
    char group[NAME_TEXT];
    double *count = malloc(stats->classes * sizeof *count);
    if (count == NULL) return lae_out_of_memory(stats->classes * sizeof *count, "a comparison");
    for (size_t c = 0; c < stats->classes; c++)
        count[c] = (double)stats->count[c];
    snprintf(group, sizeof group, "/stats/%s", kept->name);
    lae_status status = add_doubles(arrays, group, "count", count, stats->classes);
    free(count);
    LAE_TRY(status);
    LAE_TRY(add_doubles(arrays, group, "lambda", &kept->lambda, 1));
    size_t c = stats->classes, d = stats->width;
    LAE_TRY(add(arrays, group, "mean",
                (struct array){.rank = 2, .shape = {c, d}, .count = c * d, .floats = stats->mean}));
    return add(
        arrays, group, "scatter",
        (struct array){.rank = 2, .shape = {d, d}, .count = d * d, .floats = stats->scatter});
}

static lae_status add_record(struct arrays *arrays, const char *group, const char *name,
                             const struct lae_record *record, const void *item)
{
    double *values = malloc(record->count * sizeof *values);
    if (values == NULL) return lae_out_of_memory(record->count * sizeof *values, "a comparison");
    for (size_t i = 0; i < record->count; i++)
        values[i] = lae_field_get(&record->fields[i], item);
    lae_status status = add_doubles(arrays, group, name, values, record->count);
    free(values);
    return status;
}

static lae_status add_merge(struct arrays *arrays, const struct lae_rows *merge)
{
    for (size_t i = 0; i < merge->count; i++)
        LAE_TRY(
            add_record(arrays, "/merge", merge->names[i], merge->record, lae_rows_at(merge, i)));
    return NULL;
}

static lae_status add_class_order(struct arrays *arrays, const struct lae_checkpoint *checkpoint)
{
    double *values = malloc(checkpoint->classes * sizeof *values);
    if (values == NULL) return lae_out_of_memory(checkpoint->classes * 8, "a comparison");
    for (size_t i = 0; i < checkpoint->classes; i++)
        values[i] = checkpoint->class_order[i];
    lae_status status = add_doubles(arrays, "/class_order", "", values, checkpoint->classes);
    free(values);
    return status;
}

static lae_status add_position(struct arrays *arrays, const struct lae_checkpoint *checkpoint)
{
    if (checkpoint->position == NULL) return NULL;
    LAE_TRY(add_record(arrays, "/resume", "", checkpoint->layout->position, checkpoint->position));
    return add_set(arrays, "/resume/adam", &checkpoint->adam);
}

static lae_status list_checkpoint(const struct lae_checkpoint *checkpoint, struct arrays *arrays)
{
    const double root[] = {checkpoint->task, checkpoint->task_count, checkpoint->classes_seen};
    LAE_TRY(add_doubles(arrays, "/ task, task_count, classes_seen", "", root, 3));
    LAE_TRY(add_class_order(arrays, checkpoint));
    LAE_TRY(add_set(arrays, "/init", &checkpoint->init));
    LAE_TRY(add_set(arrays, "/online", &checkpoint->online));
    LAE_TRY(add_set(arrays, "/offline", &checkpoint->offline));
    LAE_TRY(add_set(arrays, "/head", &checkpoint->head));
    LAE_TRY(add_history(arrays, checkpoint));
    LAE_TRY(add_metrics(arrays, checkpoint));
    for (size_t i = 0; i < checkpoint->stats_count; i++)
        LAE_TRY(add_stats(arrays, &checkpoint->stats[i]));
    LAE_TRY(add_merge(arrays, &checkpoint->merge));
    return add_position(arrays, checkpoint);
}

/* ---- two lists */

/* text NULL: numbers tell it. */
static lae_status note(struct lae_differences *d, struct lae_difference item, const char *name,
                       const char *text)
{
    void *items = d->items;
    lae_status status = grow(&items, d->count, &d->capacity, sizeof item);
    d->items = items;
    LAE_TRY(status);
    item.name = strdup(name);
    item.text = text != NULL ? strdup(text) : NULL;
    d->items[d->count++] = item;
    if (item.name == NULL || (text != NULL && item.text == NULL))
        return lae_out_of_memory(64, "a comparison");
    return NULL;
}

/* Of an entry, so that a NaN equals itself and -0 is not 0. */
static uint64_t bits_of(const struct array *a, size_t i)
{
    uint64_t bits = 0;
    if (a->floats != NULL)
        memcpy(&bits, &a->floats[i], sizeof(float));
    else
        memcpy(&bits, &a->doubles[i], sizeof(double));
    return bits;
}

static double value(const struct array *a, size_t i)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): with entries, it has one of the two */
    return a->floats != NULL ? (double)a->floats[i] : a->doubles[i];
}

static lae_status compare_values(const struct array *a, const struct array *b,
                                 struct lae_differences *d)
{
    size_t both = a->count < b->count ? a->count : b->count; /* a later task's matrix has more */
    struct lae_difference item = {.entries = a->count > b->count ? a->count : b->count};
    double apart = 0.0, norm = 0.0;
    item.differ = item.entries - both;
    for (size_t i = 0; i < both; i++) {
        double x = value(a, i), away = fabs(x - value(b, i));
        bool equal = bits_of(a, i) == bits_of(b, i);
        item.differ += !equal;
        if (!equal && !(away <= item.largest)) item.largest = isnan(away) ? INFINITY : away;
        if (isfinite(away)) apart += away * away;
        if (isfinite(x)) norm += x * x;
    }
    if (item.differ == 0) return NULL;
    item.relative = norm > 0.0 ? sqrt(apart) / sqrt(norm) : NAN;
    return note(d, item, a->name, NULL);
}

static lae_status compare_arrays(const struct array *a, const struct array *b,
                                 struct lae_differences *d)
{
    bool same_shape = a->rank == b->rank && (a->floats != NULL) == (b->floats != NULL) &&
                      memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape) == 0;
    if (same_shape) return compare_values(a, b, d);
    char text[2 * LAE_SHAPE_TEXT + 64], shapes[2][LAE_SHAPE_TEXT];
    snprintf(text, sizeof text, "%s here, %s there", lae_shape_text(a->rank, a->shape, shapes[0]),
             lae_shape_text(b->rank, b->shape, shapes[1]));
    return note(d, (struct lae_difference){.entries = a->count}, a->name, text);
}

static const struct array *find(const struct arrays *arrays, const char *name)
{
    for (size_t i = 0; i < arrays->count; i++)
        if (strcmp(arrays->items[i].name, name) == 0) return &arrays->items[i];
    return NULL;
}

/* The item of the same name is nearly always at the same place. */
static const struct array *meet(const struct arrays *arrays, size_t place, const char *name)
{
    bool here = place < arrays->count && strcmp(arrays->items[place].name, name) == 0;
    return here ? &arrays->items[place] : find(arrays, name);
}

static lae_status compare_lists(const struct arrays *a, const struct arrays *b,
                                struct lae_differences *d)
{
    const struct lae_difference empty = {0};
    for (size_t i = 0; i < a->count; i++) {
        const struct array *other = meet(b, i, a->items[i].name);
        LAE_TRY(other != NULL ? compare_arrays(&a->items[i], other, d)
                              : note(d, empty, a->items[i].name, "only here"));
        d->compared++;
    }
    for (size_t i = 0; i < b->count; i++) {
        if (meet(a, i, b->items[i].name) != NULL) continue;
        LAE_TRY(note(d, empty, b->items[i].name, "only there"));
        d->compared++;
    }
    return NULL;
}

/* ---- texts */

static lae_status compare_config(const struct lae_checkpoint *a, const struct lae_checkpoint *b,
                                 struct lae_differences *d)
{
    struct lae_config_differences keys;
    LAE_TRY(lae_config_differences("/config here", a->config, "/config there", b->config, &keys));
    lae_status status = NULL;
    for (size_t i = 0; i < keys.count && status == NULL; i++) {
        char name[NAME_TEXT], text[256];
        snprintf(name, sizeof name, "/config %s", keys.items[i].key);
        snprintf(text, sizeof text, "%s here, %s there", keys.items[i].a, keys.items[i].b);
        status = note(d, (struct lae_difference){0}, name, text);
    }
    d->compared++;
    lae_config_differences_free(&keys);
    return status;
}

static const struct lae_fact *find_fact(const struct lae_checkpoint *checkpoint, const char *name)
{
    for (size_t i = 0; i < checkpoint->fact_count; i++)
        if (strcmp(checkpoint->provenance[i].name, name) == 0) return &checkpoint->provenance[i];
    return NULL;
}

static void show_fact(const struct lae_fact *fact, char *text, size_t size)
{
    if (fact == NULL)
        snprintf(text, size, "nothing");
    else if (fact->text != NULL)
        snprintf(text, size, "%s", fact->text);
    else
        snprintf(text, size, "%.15g", fact->number);
}

static lae_status compare_fact(const char *name, const struct lae_fact *a, const struct lae_fact *b,
                               struct lae_differences *d)
{
    char texts[2][512], line[1200];
    show_fact(a, texts[0], sizeof texts[0]);
    show_fact(b, texts[1], sizeof texts[1]);
    if (strcmp(texts[0], texts[1]) == 0) return NULL;
    snprintf(line, sizeof line, "%s: %s here, %s there", name, texts[0], texts[1]);
    d->provenance[d->provenance_count] = strdup(line);
    if (d->provenance[d->provenance_count] == NULL) return lae_out_of_memory(64, "a comparison");
    d->provenance_count++;
    return NULL;
}

static lae_status compare_provenance(const struct lae_checkpoint *a, const struct lae_checkpoint *b,
                                     struct lae_differences *d)
{
    d->provenance = calloc(a->fact_count + b->fact_count + 1, sizeof *d->provenance);
    if (d->provenance == NULL) return lae_out_of_memory(64, "a comparison");
    for (size_t i = 0; i < a->fact_count; i++) {
        const struct lae_fact *fact = &a->provenance[i];
        LAE_TRY(compare_fact(fact->name, fact, find_fact(b, fact->name), d));
    }
    for (size_t i = 0; i < b->fact_count; i++) {
        const struct lae_fact *fact = &b->provenance[i];
        if (find_fact(a, fact->name) == NULL) LAE_TRY(compare_fact(fact->name, NULL, fact, d));
    }
    return NULL;
}

/* ---- files */

lae_status lae_differences_checkpoints(const struct lae_checkpoint *a,
                                       const struct lae_checkpoint *b,
                                       struct lae_differences *differences)
{
    struct arrays here = {0}, there = {0};
    *differences = (struct lae_differences){0};
    lae_status status = compare_config(a, b, differences);
    if (status == NULL) status = list_checkpoint(a, &here);
    if (status == NULL) status = list_checkpoint(b, &there);
    if (status == NULL) status = compare_lists(&here, &there, differences);
    if (status == NULL) status = compare_provenance(a, b, differences);
    free_arrays(&here);
    free_arrays(&there);
    if (status != NULL) lae_differences_free(differences);
    return status;
}

lae_status lae_differences_weights(const struct lae_weights *a, const struct lae_weights *b,
                                   struct lae_differences *differences)
{
    struct arrays here = {0}, there = {0};
    const double facts[2][2] = {{a->layer_norm_eps, a->heads}, {b->layer_norm_eps, b->heads}};
    *differences = (struct lae_differences){0};
    lae_status status = add_doubles(&here, "layer_norm_eps, heads", "", facts[0], 2);
    if (status == NULL) status = add_doubles(&there, "layer_norm_eps, heads", "", facts[1], 2);
    if (status == NULL) status = add_set(&here, "", &a->tensors);
    if (status == NULL) status = add_set(&there, "", &b->tensors);
    if (status == NULL) status = compare_lists(&here, &there, differences);
    free_arrays(&here);
    free_arrays(&there);
    if (status != NULL) lae_differences_free(differences);
    return status;
}

void lae_differences_free(struct lae_differences *differences)
{
    for (size_t i = 0; i < differences->count; i++) {
        free(differences->items[i].name);
        free(differences->items[i].text);
    }
    for (size_t i = 0; i < differences->provenance_count; i++)
        free(differences->provenance[i]);
    free(differences->items);
    free(differences->provenance);
    *differences = (struct lae_differences){0};
}
