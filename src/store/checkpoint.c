#include "lae/store/checkpoint.h"

#include "checkpoint_root.h"
#include "hdf5_file.h"
#include "seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct lae_field root_fields[] = {
    {"task", LAE_FIELD_INT, offsetof(struct lae_checkpoint, task), false},
    {"task_count", LAE_FIELD_INT, offsetof(struct lae_checkpoint, task_count), false},
    {"classes_seen", LAE_FIELD_INT, offsetof(struct lae_checkpoint, classes_seen), false},
};

const struct lae_record lae_checkpoint_root = {
    root_fields, sizeof root_fields / sizeof root_fields[0], sizeof(struct lae_checkpoint)};

void lae_checkpoint_history_name(int task, char name[LAE_HISTORY_NAME])
{
    snprintf(name, LAE_HISTORY_NAME, "history/task_%02d", task);
}

size_t lae_metric_count(const struct lae_metric *metric)
{
    if (metric->rank == 2) return metric->rows * (metric->rows + 1) / 2;
    return metric->rank == 1 ? metric->shape[0] : 1;
}

static void free_metrics(struct lae_checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->metric_count; i++) {
        free(checkpoint->metrics[i].name);
        free(checkpoint->metrics[i].values);
    }
    free(checkpoint->metrics);
}

static void free_stats(struct lae_checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->stats_count; i++) {
        free(checkpoint->stats[i].name);
        lae_stats_free(&checkpoint->stats[i].stats);
    }
    free(checkpoint->stats);
}

static void free_provenance(struct lae_checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->fact_count; i++) {
        free(checkpoint->provenance[i].name);
        free(checkpoint->provenance[i].text);
    }
    free(checkpoint->provenance);
}

const char *lae_checkpoint_config_of(const struct lae_checkpoint *checkpoint, int task)
{
    for (size_t i = 0; i < checkpoint->earlier_count; i++)
        if (task <= checkpoint->earlier[i].task) return checkpoint->earlier[i].config;
    return checkpoint->config;
}

void lae_checkpoint_free(struct lae_checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->earlier_count; i++)
        free(checkpoint->earlier[i].config);
    free(checkpoint->earlier);
    free(checkpoint->config);
    free(checkpoint->class_order);
    free(checkpoint->class_names);
    lae_set_free(&checkpoint->init);
    lae_set_free(&checkpoint->online);
    lae_set_free(&checkpoint->offline);
    lae_set_free(&checkpoint->head);
    for (int task = 0; checkpoint->history != NULL && task < checkpoint->task; task++)
        lae_set_free(&checkpoint->history[task]);
    free(checkpoint->history);
    free(checkpoint->position);
    lae_set_free(&checkpoint->adam);
    free_metrics(checkpoint);
    free_stats(checkpoint);
    lae_rows_free(&checkpoint->merge);
    free_provenance(checkpoint);
    *checkpoint = (struct lae_checkpoint){0};
}

/* ---- the index of a run ---- */

/* h5ls -E takes external links with the same object path for one object, whatever their files (all
 * versions of it to date), and would list the first task only. So every link has its own way of
 * writing the root: "/", "/.", "/./.", ... */
static lae_status write_link(struct lae_hdf5 *file, int task)
{
    char name[32], target[32], root[LAE_HDF5_NAME] = "/";
    snprintf(name, sizeof name, "task_%02d", task);
    snprintf(target, sizeof target, "task_%02d.h5", task);
    for (size_t i = 0; i < (size_t)task && 2 * i + 2 < sizeof root; i++)
        memcpy(root + 2 * i, "/.", 3);
    return lae_hdf5_write_link(file, name, target, root);
}

static lae_status write_links(struct lae_hdf5 *file, int tasks)
{
    for (int task = 0; task < tasks; task++)
        LAE_TRY(write_link(file, task));
    return NULL;
}

lae_status lae_checkpoint_write_index(const char *path, int tasks)
{
    struct lae_hdf5 file;
    LAE_TRY(lae_hdf5_create(path, LAE_RUN_FORMAT, 1, &file));
    lae_status status = write_links(&file, tasks);
    if (status == NULL) status = lae_hdf5_commit(&file);
    lae_hdf5_close(&file);
    return status;
}

/* ---- between the flat vector and named tensors ---- */

static lae_status add_tensors(struct lae_set *set, const struct lae_table *table,
                              const float *vector)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct lae_param *param = &table->items[i];
        struct lae_named *item;
        LAE_TRY(lae_set_add(set, param->name, param->rank, param->shape, &item));
        memcpy(item->data, vector + param->offset, param->count * sizeof *vector);
    }
    return NULL;
}

lae_status lae_set_from_vector(struct lae_set *set, const struct lae_table *table,
                               const float *vector)
{
    *set = (struct lae_set){0};
    lae_status status = add_tensors(set, table, vector);
    if (status != NULL) lae_set_free(set);
    return status;
}

static lae_status check_tensor(const struct lae_set *set, const struct lae_param *param)
{
    const struct lae_named *item = lae_set_find(set, param->name);
    if (item == NULL) return lae_bad_input("tensor %s is missing", param->name);
    if (item->rank == param->rank &&
        memcmp(item->shape, param->shape, (size_t)param->rank * sizeof *item->shape) == 0)
        return NULL;
    char found[LAE_SHAPE_TEXT], wanted[LAE_SHAPE_TEXT];
    return lae_bad_input("tensor %s has shape %s; %s is wanted", param->name,
                         lae_shape_text(item->rank, item->shape, found),
                         lae_shape_text(param->rank, param->shape, wanted));
}

lae_status lae_set_into_vector(const struct lae_set *set, const struct lae_table *table,
                               float *vector)
{
    for (size_t i = 0; i < table->count; i++)
        LAE_TRY(check_tensor(set, &table->items[i]));
    for (size_t i = 0; i < set->count; i++) {
        const struct lae_param *param = lae_table_find(table, set->items[i].name);
        if (param == NULL)
            return lae_bad_input("tensor %s does not belong here", set->items[i].name);
        memcpy(vector + param->offset, set->items[i].data, param->count * sizeof *vector);
    }
    return NULL;
}

bool lae_checkpoint_is_damaged(const char *path)
{
    return lae_seal_is_damaged(path);
}
