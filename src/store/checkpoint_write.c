#include "checkpoint_root.h"
#include "hdf5_file.h"

#include "lae/store/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

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
    return lae_hdf5_write_set(file, "head", &checkpoint->head);
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

static lae_status write_stats(struct lae_hdf5 *file, const struct lae_kept_stats *kept)
{
    const struct lae_stats *stats = &kept->stats;
    char group[LAE_HDF5_NAME], name[LAE_HDF5_NAME];
    const size_t scatter[2] = {stats->width, stats->width};
    LAE_TRY(lae_hdf5_join(group, "stats", kept->name));
    LAE_TRY(lae_hdf5_join(name, group, "count"));
    LAE_TRY(write_counts(file, name, stats));
    LAE_TRY(lae_hdf5_join(name, group, "mean"));
    LAE_TRY(lae_hdf5_write_rows(file, name, stats->classes, stats->width, lae_stats_rows(stats),
                                stats->mean));
    LAE_TRY(lae_hdf5_join(name, group, "scatter"));
    LAE_TRY(lae_hdf5_write_float(file, name, 2, scatter, stats->scatter));
    return isnan(kept->lambda) ? NULL : lae_hdf5_put_double(file, group, "lambda", kept->lambda);
}

static lae_status write_all_stats(struct lae_hdf5 *file, const struct lae_checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->stats_count; i++)
        LAE_TRY(write_stats(file, &checkpoint->stats[i]));
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
    LAE_TRY(lae_hdf5_create(path, LAE_CHECKPOINT_FORMAT, LAE_FORMAT_VERSION, &file));
    lae_status status = write_content(&file, checkpoint);
    if (status == NULL) status = lae_hdf5_commit(&file);
    lae_hdf5_close(&file);
    return status;
}
