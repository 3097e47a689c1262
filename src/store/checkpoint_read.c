#include "checkpoint_head.h"
#include "checkpoint_root.h"
#include "hdf5_file.h"

#include "lae/base/text.h"
#include "lae/store/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TASKS 65536
#define MAX_CLASSES ((size_t)1 << 20)

/* ---- what a checkpoint says of itself ---- */

static lae_status read_root(struct lae_hdf5 *file, struct lae_checkpoint *checkpoint)
{
    LAE_TRY(lae_hdf5_get_record(file, "", &lae_checkpoint_root, checkpoint));
    int task = checkpoint->task, task_count = checkpoint->task_count;
    if (task < 0 || task >= task_count || task_count > MAX_TASKS)
        return lae_bad_input("%s: attributes task and task_count say task %d of %d", file->path,
                             task, task_count);
    return lae_hdf5_read_text(file, "config", &checkpoint->config);
}

/* Each label once; a subset of the dataset's may leave numbers out. */
static lae_status check_labels(const struct lae_hdf5 *file, const int32_t *order, size_t count)
{
    unsigned char *seen = calloc(MAX_CLASSES, 1);
    if (seen == NULL) return lae_out_of_memory(count, "/class_order");
    lae_status status = NULL;
    for (size_t i = 0; i < count && status == NULL; i++) {
        if (order[i] < 0 || (size_t)order[i] >= MAX_CLASSES || seen[order[i]])
            status = lae_bad_input("%s: /class_order: entry %zu is %d; labels from 0 to %zu are "
                                   "wanted, each once",
                                   file->path, i, order[i], MAX_CLASSES - 1);
        else
            seen[order[i]] = 1;
    }
    free(seen);
    return status;
}

static lae_status read_class_order(struct lae_hdf5 *file, struct lae_checkpoint *checkpoint)
{
    int rank;
    size_t shape[LAE_MAX_RANK];
    LAE_TRY(lae_hdf5_shape(file, "class_order", LAE_HDF5_INT32, &rank, shape));
    if (rank != 1 || shape[0] > MAX_CLASSES)
        return lae_bad_input("%s: /class_order: is no list of at most %zu classes", file->path,
                             MAX_CLASSES);
    if (checkpoint->classes_seen < 1 || (size_t)checkpoint->classes_seen > shape[0])
        return lae_bad_input("%s: attribute classes_seen is %d, of %zu classes", file->path,
                             checkpoint->classes_seen, shape[0]);
    checkpoint->classes = shape[0];
    checkpoint->class_order = calloc(shape[0], sizeof *checkpoint->class_order);
    if (checkpoint->class_order == NULL) return lae_out_of_memory(4 * shape[0], "/class_order");
    LAE_TRY(lae_hdf5_read(file, "class_order", LAE_HDF5_INT32, shape[0], checkpoint->class_order));
    return check_labels(file, checkpoint->class_order, shape[0]);
}

/* ---- tensors ---- */

static lae_status read_earlier(struct lae_hdf5 *file, struct lae_checkpoint *checkpoint)
{
    if (!lae_hdf5_has(file, "config_before")) return NULL;
    size_t tasks = (size_t)checkpoint->task + 1;
    checkpoint->earlier = calloc(tasks, sizeof *checkpoint->earlier);
    if (checkpoint->earlier == NULL) return lae_out_of_memory(tasks * 16, "/config_before");
    for (int task = 0; task <= checkpoint->task; task++) {
        char name[LAE_HDF5_NAME];
        snprintf(name, sizeof name, "config_before/task_%02d", task);
        if (!lae_hdf5_has(file, name)) continue;
        struct lae_earlier *earlier = &checkpoint->earlier[checkpoint->earlier_count++];
        earlier->task = task;
        LAE_TRY(lae_hdf5_read_text(file, name, &earlier->config));
    }
    return NULL;
}

static lae_status read_history(struct lae_hdf5 *file, struct lae_checkpoint *checkpoint)
{
    if (!lae_hdf5_has(file, "history")) return NULL;
    size_t tasks = (size_t)checkpoint->task;
    checkpoint->history = calloc(tasks + 1, sizeof *checkpoint->history);
    if (checkpoint->history == NULL) return lae_out_of_memory(tasks * 24, "/history");
    for (int task = 0; task < checkpoint->task; task++) {
        char name[LAE_HISTORY_NAME];
        lae_checkpoint_history_name(task, name);
        if (lae_hdf5_has(file, name))
            LAE_TRY(lae_hdf5_read_set(file, name, &checkpoint->history[task]));
    }
    return NULL;
}

static lae_status read_tensors(struct lae_hdf5 *file, struct lae_checkpoint *checkpoint)
{
    LAE_TRY(lae_hdf5_read_set(file, "init", &checkpoint->init));
    LAE_TRY(lae_hdf5_read_set(file, "online", &checkpoint->online));
    if (lae_hdf5_has(file, "offline"))
        LAE_TRY(lae_hdf5_read_set(file, "offline", &checkpoint->offline));
    LAE_TRY(read_history(file, checkpoint));
    return lae_checkpoint_read_head(file, checkpoint);
}

/* ---- metrics, merge records, provenance: arrays that grow while the file is walked ---- */

/* Makes room for one more element of `size` bytes, zeroed; NULL when memory is out. */
static void *grow(void *items, size_t count, size_t size)
{
    unsigned char *grown = realloc(items, (count + 1) * size);
    if (grown != NULL) memset(grown + count * size, 0, size);
    return grown;
}

static lae_status add_metric(struct lae_checkpoint *checkpoint, const char *name,
                             struct lae_metric **added)
{
    struct lae_metric *items = grow(checkpoint->metrics, checkpoint->metric_count, sizeof *items);
    if (items == NULL) return lae_out_of_memory(sizeof *items, "metrics");
    checkpoint->metrics = items;
    *added = &items[checkpoint->metric_count++];
    (*added)->name = strdup(name);
    return (*added)->name == NULL ? lae_out_of_memory(strlen(name), "a metric's name") : NULL;
}

/* Rows of a matrix are known of the tasks that are finished. */
static lae_status read_triangle(struct lae_hdf5 *file, const char *name,
                                struct lae_checkpoint *checkpoint)
{
    size_t tasks = (size_t)checkpoint->task_count;
    struct lae_metric *metric = NULL;
    LAE_TRY(add_metric(checkpoint, name + strlen("metrics/"), &metric));
    metric->rank = 2;
    metric->shape[0] = metric->shape[1] = tasks;
    metric->rows = (size_t)checkpoint->task + (checkpoint->position != NULL ? 0 : 1);
    size_t count = lae_metric_count(metric);
    metric->values = calloc(count + 1, sizeof *metric->values);
    if (metric->values == NULL) return lae_out_of_memory(count * sizeof *metric->values, name);
    return lae_hdf5_read_triangle(file, name, tasks, metric->rows, metric->values);
}

static lae_status read_metric(struct lae_hdf5 *file, const char *name, bool is_group, void *context)
{
    if (is_group) return NULL;
    int rank;
    size_t shape[LAE_MAX_RANK] = {0};
    struct lae_metric *metric = NULL;
    LAE_TRY(lae_hdf5_extents(file, name, LAE_HDF5_DOUBLE, &rank, shape));
    if (rank > 2) return lae_bad_input("%s: /%s: has more than 2 dimensions", file->path, name);
    if (rank == 2) return read_triangle(file, name, context);
    LAE_TRY(lae_hdf5_shape(file, name, LAE_HDF5_DOUBLE, &rank, shape));
    LAE_TRY(add_metric(context, name + strlen("metrics/"), &metric));
    metric->rank = rank;
    metric->shape[0] = shape[0];
    size_t count = lae_metric_count(metric);
    metric->values = calloc(count, sizeof *metric->values);
    if (metric->values == NULL) return lae_out_of_memory(count * sizeof *metric->values, name);
    return lae_hdf5_read(file, name, LAE_HDF5_DOUBLE, count, metric->values);
}

/* The first `known` rows of a float dataset [rows, columns] as a new array; the others are zero. */
static lae_status read_matrix(struct lae_hdf5 *file, const char *group, const char *leaf,
                              size_t rows, size_t columns, size_t known, float **values)
{
    char name[LAE_HDF5_NAME];
    LAE_TRY(lae_hdf5_join(name, group, leaf));
    *values = calloc(rows * columns + 1, sizeof **values);
    if (*values == NULL) return lae_out_of_memory(rows * columns * sizeof **values, name);
    return lae_hdf5_read_rows(file, name, rows, columns, known, *values);
}

/* The number of features. All of the scatter is in the file, so that it is no mere claim. */
static lae_status read_width(struct lae_hdf5 *file, const char *group, size_t *width)
{
    int rank;
    size_t shape[LAE_MAX_RANK] = {0};
    char name[LAE_HDF5_NAME];
    LAE_TRY(lae_hdf5_join(name, group, "scatter"));
    LAE_TRY(lae_hdf5_shape(file, name, LAE_HDF5_FLOAT, &rank, shape));
    *width = shape[rank > 1 ? 1 : 0];
    return NULL;
}

/* What is above the diagonal, as below it. */
static void mirror(size_t size, float *matrix)
{
    for (size_t j = 0; j < size; j++)
        for (size_t k = j + 1; k < size; k++)
            matrix[j * size + k] = matrix[k * size + j];
}

static lae_status take_counts(struct lae_hdf5 *file, const char *name, size_t classes,
                              const int32_t *stored, int64_t *count)
{
    for (size_t c = 0; c < classes; c++) {
        if (stored[c] < 0)
            return lae_bad_input("%s: /%s: entry %zu is %d, no count", file->path, name, c,
                                 stored[c]);
        count[c] = stored[c];
    }
    return NULL;
}

static lae_status read_counts(struct lae_hdf5 *file, const char *name, size_t classes,
                              int64_t **count)
{
    int rank;
    size_t shape[LAE_MAX_RANK];
    LAE_TRY(lae_hdf5_shape(file, name, LAE_HDF5_INT32, &rank, shape));
    if (rank != 1 || shape[0] != classes)
        return lae_bad_input("%s: /%s: is no list of %zu counts", file->path, name, classes);
    int32_t *stored = malloc(classes * sizeof *stored);
    *count = malloc(classes * sizeof **count);
    lae_status status = stored == NULL || *count == NULL
                            ? lae_out_of_memory(classes * sizeof **count, name)
                            : lae_hdf5_read(file, name, LAE_HDF5_INT32, classes, stored);
    if (status == NULL) status = take_counts(file, name, classes, stored, *count);
    free(stored);
    return status;
}

/* Statistics are where a dataset `count` is. */
static lae_status read_stats(struct lae_hdf5 *file, const char *name, bool is_group, void *context)
{
    static const char leaf[] = "/count", room[] = "stats/";
    size_t length = strlen(name), end = length > sizeof leaf ? length - strlen(leaf) : 0;
    if (is_group || end <= strlen(room) || strcmp(name + end, leaf) != 0) return NULL;
    struct lae_checkpoint *checkpoint = context;
    struct lae_kept_stats *items = grow(checkpoint->stats, checkpoint->stats_count, sizeof *items);
    if (items == NULL) return lae_out_of_memory(sizeof *items, "class statistics");
    checkpoint->stats = items;
    struct lae_kept_stats *kept = &items[checkpoint->stats_count++];
    struct lae_stats *stats = &kept->stats;
    char group[LAE_HDF5_NAME];
    snprintf(group, sizeof group, "%.*s", (int)end, name);
    kept->name = strdup(group + strlen(room));
    if (kept->name == NULL) return lae_out_of_memory(end, "the name of class statistics");
    stats->classes = checkpoint->classes;
    kept->lambda = NAN;
    if (lae_hdf5_has_attribute(file, group, "lambda"))
        LAE_TRY(lae_hdf5_get_double(file, group, "lambda", &kept->lambda));
    LAE_TRY(read_counts(file, name, stats->classes, &stats->count));
    LAE_TRY(read_width(file, group, &stats->width));
    size_t known = lae_stats_rows(stats), width = stats->width;
    LAE_TRY(read_matrix(file, group, "scatter", width, width, width, &stats->scatter));
    if (file->version >= 2) mirror(width, stats->scatter);
    return read_matrix(file, group, "mean", stats->classes, width, known, &stats->mean);
}

/* The groups on the way to a tensor's have no attributes. */
static lae_status read_merge(struct lae_hdf5 *file, const char *name, bool is_group, void *context)
{
    struct lae_rows *merge = context;
    const struct lae_record *record = merge->record;
    if (!is_group || !lae_hdf5_has_attribute(file, name, record->fields[0].name)) return NULL;
    void *item = lae_rows_add(merge, name + strlen("merge/"), NULL);
    if (item == NULL) return lae_out_of_memory(record->size, "merge statistics");
    return lae_hdf5_get_record(file, name, record, item);
}

static lae_status read_fact(struct lae_hdf5 *file, const char *attribute, bool is_group,
                            void *context)
{
    (void)is_group;
    struct lae_checkpoint *checkpoint = context;
    struct lae_fact *items = grow(checkpoint->provenance, checkpoint->fact_count, sizeof *items);
    if (items == NULL) return lae_out_of_memory(sizeof *items, "provenance");
    checkpoint->provenance = items;
    struct lae_fact *fact = &items[checkpoint->fact_count++];
    fact->name = strdup(attribute);
    if (fact->name == NULL) return lae_out_of_memory(strlen(attribute), "an attribute's name");
    bool text;
    LAE_TRY(lae_hdf5_attribute_is_text(file, "provenance", attribute, &text));
    if (text) return lae_hdf5_get_text(file, "provenance", attribute, &fact->text);
    return lae_hdf5_get_double(file, "provenance", attribute, &fact->number);
}

static lae_status read_records(struct lae_hdf5 *file, struct lae_checkpoint *checkpoint)
{
    LAE_TRY(lae_hdf5_walk(file, "metrics", read_metric, checkpoint));
    if (lae_hdf5_has(file, "stats")) LAE_TRY(lae_hdf5_walk(file, "stats", read_stats, checkpoint));
    if (lae_hdf5_has(file, "merge"))
        LAE_TRY(lae_hdf5_walk(file, "merge", read_merge, &checkpoint->merge));
    if (!lae_hdf5_has(file, "provenance")) return NULL;
    return lae_hdf5_walk_attributes(file, "provenance", read_fact, checkpoint);
}

static lae_status read_position(struct lae_hdf5 *file, struct lae_checkpoint *checkpoint)
{
    const struct lae_record *record = checkpoint->layout->position;
    if (!lae_hdf5_has(file, "resume")) return NULL;
    checkpoint->position = calloc(1, record->size);
    if (checkpoint->position == NULL) return lae_out_of_memory(record->size, "/resume");
    LAE_TRY(lae_hdf5_get_record(file, "resume", record, checkpoint->position));
    return lae_hdf5_read_set(file, "resume/adam", &checkpoint->adam);
}

/* The lines' names as text, whoever wrote them. */
static lae_status escape_names(char **names)
{
    char *lines = *names, *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) return lae_out_of_memory(strlen(lines), "/class_names");
    for (char *end; (end = strchr(lines, '\n')) != NULL; lines = end + 1) {
        *end = '\0';
        char *name = lae_text_escape(lines, true);
        if (name != NULL) fprintf(out, "%s\n", name);
        free(name);
    }
    if (fclose(out) != 0) return lae_out_of_memory(size, "/class_names");
    free(*names);
    *names = text;
    return NULL;
}

/* By label, so that a subset's may be more than its classes. */
static lae_status read_class_names(struct lae_hdf5 *file, struct lae_checkpoint *checkpoint)
{
    size_t lines = 0, labels = 0;
    if (!lae_hdf5_has(file, "class_names")) return NULL;
    LAE_TRY(lae_hdf5_read_text(file, "class_names", &checkpoint->class_names));
    for (const char *at = checkpoint->class_names; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    for (size_t i = 0; i < checkpoint->classes; i++)
        if ((size_t)checkpoint->class_order[i] >= labels)
            labels = (size_t)checkpoint->class_order[i] + 1;
    if (lines >= labels && lines <= MAX_CLASSES) return escape_names(&checkpoint->class_names);
    return lae_bad_input("%s: /class_names: has %zu lines for labels up to %zu", file->path, lines,
                         labels - 1);
}

static lae_status read_content(struct lae_hdf5 *file, struct lae_checkpoint *checkpoint)
{
    LAE_TRY(read_root(file, checkpoint));
    LAE_TRY(read_class_order(file, checkpoint));
    LAE_TRY(read_class_names(file, checkpoint));
    LAE_TRY(read_earlier(file, checkpoint));
    LAE_TRY(read_tensors(file, checkpoint));
    LAE_TRY(read_position(file, checkpoint));
    return read_records(file, checkpoint);
}

lae_status lae_checkpoint_read(const char *path, const struct lae_layout *layout,
                               struct lae_log *log, struct lae_checkpoint *checkpoint)
{
    struct lae_hdf5 file;
    *checkpoint = (struct lae_checkpoint){0};
    LAE_TRY(lae_hdf5_open(path, LAE_CHECKPOINT_FORMAT, LAE_FORMAT_VERSION, log, &file));
    checkpoint->layout = layout;
    checkpoint->merge.record = layout->merge;
    lae_status status = read_content(&file, checkpoint);
    lae_hdf5_close(&file);
    if (status != NULL) lae_checkpoint_free(checkpoint);
    return status;
}
