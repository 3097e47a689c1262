#include "checkpoint_head.h"
#include "checkpoint_root.h"
#include "hdf5_file.h"

#include "lae/store/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lae_status write_earlier(struct lae_hdf5 *file, const struct lae_checkpoint *checkpoint)
{
    if (checkpoint->earlier_count == 0) return NULL;
    LAE_TRY(lae_hdf5_make_group(file, "config_before"));
    for (size_t i = 0; i < checkpoint->earlier_count; i++) {
        char name[LAE_HDF5_NAME];
        snprintf(name, sizeof name, "config_before/task_%02d", checkpoint->earlier[i].task);
        LAE_TRY(lae_hdf5_write_text(file, name, checkpoint->earlier[i].config));
    }
    return NULL;
}

static lae_status write_root(struct lae_hdf5 *file, const struct lae_checkpoint *checkpoint)
{
    LAE_TRY(lae_hdf5_put_record(file, "", &lae_checkpoint_root, checkpoint));
    LAE_TRY(lae_hdf5_write_text(file, "config", checkpoint->config));
    LAE_TRY(write_earlier(file, checkpoint));
    if (checkpoint->class_names != NULL)
        LAE_TRY(lae_hdf5_write_text(file, "class_names", checkpoint->class_names));
    return lae_hdf5_write_int32(file, "class_order", 1, &checkpoint->classes,
                                checkpoint->class_order);
}

static lae_status write_history(struct lae_hdf5 *file, int task, const struct lae_set *online)
{
    char name[LAE_HISTORY_NAME];
    lae_checkpoint_history_name(task, name);
    return online->count == 0 ? NULL : lae_hdf5_write_set(file, name, online);
}

static lae_status write_tensors(struct lae_hdf5 *file, const struct lae_checkpoint *checkpoint)
{
    LAE_TRY(lae_hdf5_write_set(file, "init", &checkpoint->init));
    LAE_TRY(lae_hdf5_write_set(file, "online", &checkpoint->online));
    if (checkpoint->offline.count > 0)
        LAE_TRY(lae_hdf5_write_set(file, "offline", &checkpoint->offline));
    for (int task = 0; checkpoint->history != NULL && task < checkpoint->task; task++)
        LAE_TRY(write_history(file, task, &checkpoint->history[task]));
    return lae_checkpoint_write_head(file, checkpoint);
}

static lae_status write_metrics(struct lae_hdf5 *file, const struct lae_checkpoint *checkpoint)
{
    LAE_TRY(lae_hdf5_make_group(file, "metrics"));
    for (size_t i = 0; i < checkpoint->metric_count; i++) {
        const struct lae_metric *metric = &checkpoint->metrics[i];
        char name[LAE_HDF5_NAME];
        LAE_TRY(lae_hdf5_join(name, "metrics", metric->name));
        LAE_TRY(metric->rank == 2 ? lae_hdf5_write_triangle(file, name, metric->shape[0],
                                                            metric->rows, metric->values)
                                  : lae_hdf5_write_double(file, name, metric->rank, metric->shape,
                                                          metric->values));
    }
    return NULL;
}

/* A task has fewer than 2^31 images. */
static lae_status write_counts(struct lae_hdf5 *file, const char *name,
                               const struct lae_stats *stats)
{
    int32_t *count = malloc((stats->classes + 1) * sizeof *count);
    if (count == NULL) return lae_out_of_memory(stats->classes * sizeof *count, name);
    for (size_t c = 0; c < stats->classes; c++)
        count[c] = (int32_t)stats->count[c];
    lae_status status = lae_hdf5_write_int32(file, name, 1, &stats->classes, count);
    free(count);
    return status;
}

/* It is symmetric: in version 2 the half above the diagonal is 0 and takes no room. */
static lae_status write_scatter(struct lae_hdf5 *file, const char *name,
                                const struct lae_stats *stats)
{
    size_t width = stats->width;
    if (file->version < 2)
        return lae_hdf5_write_float(file, name, 2, (size_t[]){width, width}, stats->scatter);
    float *half = calloc(width * width + 1, sizeof *half);
    if (half == NULL) return lae_out_of_memory(width * width * sizeof *half, name);
    for (size_t j = 0; j < width; j++)
        memcpy(half + j * width, stats->scatter + j * width, (j + 1) * sizeof *half);
    lae_status status = lae_hdf5_write_rows(file, name, width, width, width, half);
    free(half);
    return status;
}

static lae_status write_values(struct lae_hdf5 *file, const char *group,
                               const struct lae_stats *stats)
{
    char name[LAE_HDF5_NAME];
    LAE_TRY(lae_hdf5_join(name, group, "count"));
    LAE_TRY(write_counts(file, name, stats));
    LAE_TRY(lae_hdf5_join(name, group, "mean"));
    LAE_TRY(lae_hdf5_write_rows(file, name, stats->classes, stats->width, lae_stats_rows(stats),
                                stats->mean));
    LAE_TRY(lae_hdf5_join(name, group, "scatter"));
    return write_scatter(file, name, stats);
}

static lae_status name_values(struct lae_hdf5 *file, const char *group, const char *first)
{
    static const char *const values[] = {"count", "mean", "scatter"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char name[LAE_HDF5_NAME], object[LAE_HDF5_NAME];
        LAE_TRY(lae_hdf5_join(name, group, values[i]));
        LAE_TRY(lae_hdf5_join(object, first, values[i]));
        LAE_TRY(lae_hdf5_write_name(file, name, object));
    }
    return NULL;
}

static bool are_same(const struct lae_stats *a, const struct lae_stats *b)
{
    size_t classes = a->classes, width = a->width;
    return width == b->width && memcmp(a->count, b->count, classes * sizeof *a->count) == 0 &&
           memcmp(a->mean, b->mean, classes * width * sizeof *a->mean) == 0 &&
           memcmp(a->scatter, b->scatter, width * width * sizeof *a->scatter) == 0;
}

/* The statistics before number i that are the same, or NULL. */
static const struct lae_kept_stats *find_same(const struct lae_checkpoint *checkpoint, size_t i)
{
    const struct lae_kept_stats *kept = checkpoint->stats;
    for (size_t k = 0; k < i; k++)
        if (are_same(&kept[k].stats, &kept[i].stats)) return &kept[k];
    return NULL;
}

/* Through modules that have not moved, as where a task has one class and so nothing to learn, all
 * views have the same statistics: in version 2 they are there once, under several names. */
static lae_status write_stats(struct lae_hdf5 *file, const struct lae_checkpoint *checkpoint,
                              size_t i)
{
    const struct lae_kept_stats *kept = &checkpoint->stats[i];
    const struct lae_kept_stats *same = file->version < 2 ? NULL : find_same(checkpoint, i);
    char group[LAE_HDF5_NAME], first[LAE_HDF5_NAME];
    LAE_TRY(lae_hdf5_join(group, "stats", kept->name));
    LAE_TRY(lae_hdf5_join(first, "stats", same != NULL ? same->name : ""));
    LAE_TRY(same != NULL ? name_values(file, group, first)
                         : write_values(file, group, &kept->stats));
    return isnan(kept->lambda) ? NULL : lae_hdf5_put_double(file, group, "lambda", kept->lambda);
}

static lae_status write_all_stats(struct lae_hdf5 *file, const struct lae_checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->stats_count; i++)
        LAE_TRY(write_stats(file, checkpoint, i));
    return NULL;
}

static lae_status write_merge(struct lae_hdf5 *file, const struct lae_rows *merge)
{
    for (size_t i = 0; i < merge->count; i++) {
        char name[LAE_HDF5_NAME];
        LAE_TRY(lae_hdf5_join(name, "merge", merge->names[i]));
        LAE_TRY(lae_hdf5_make_group(file, name));
        LAE_TRY(lae_hdf5_put_record(file, name, merge->record, lae_rows_at(merge, i)));
    }
    return NULL;
}

static lae_status write_provenance(struct lae_hdf5 *file, const struct lae_checkpoint *checkpoint)
{
    LAE_TRY(lae_hdf5_make_group(file, "provenance"));
    for (size_t i = 0; i < checkpoint->fact_count; i++) {
        const struct lae_fact *fact = &checkpoint->provenance[i];
        LAE_TRY(fact->text != NULL
                    ? lae_hdf5_put_text(file, "provenance", fact->name, fact->text)
                    : lae_hdf5_put_double(file, "provenance", fact->name, fact->number));
    }
    return NULL;
}

static lae_status write_position(struct lae_hdf5 *file, const struct lae_checkpoint *checkpoint)
{
    if (checkpoint->position == NULL) return NULL;
    LAE_TRY(lae_hdf5_make_group(file, "resume"));
    LAE_TRY(
        lae_hdf5_put_record(file, "resume", checkpoint->layout->position, checkpoint->position));
    return lae_hdf5_write_set(file, "resume/adam", &checkpoint->adam);
}

static lae_status write_content(struct lae_hdf5 *file, const struct lae_checkpoint *checkpoint)
{
    LAE_TRY(write_root(file, checkpoint));
    LAE_TRY(write_tensors(file, checkpoint));
    LAE_TRY(write_metrics(file, checkpoint));
    LAE_TRY(write_all_stats(file, checkpoint));
    LAE_TRY(write_merge(file, &checkpoint->merge));
    LAE_TRY(write_position(file, checkpoint));
    return write_provenance(file, checkpoint);
}

lae_status lae_checkpoint_write(const char *path, const struct lae_checkpoint *checkpoint)
{
    struct lae_hdf5 file;
    int version = checkpoint->task_count > LAE_FEW_TASKS ? 2 : 1;
    LAE_TRY(lae_hdf5_create(path, LAE_CHECKPOINT_FORMAT, version, &file));
    lae_status status = write_content(&file, checkpoint);
    if (status == NULL) status = lae_hdf5_commit(&file);
    lae_hdf5_close(&file);
    return status;
}
