#include "lae/sweep/workers.h"

#include "lae/base/arena.h"

#include <stdlib.h>
#include <string.h>

size_t lae_task_classes(const struct lae_setup *setup, int task)
{
    const int *first = setup->sequence.first_class;
    return (size_t)(first[task + 1] - first[task]);
}

struct lae_classifier_shape lae_classifier_of(const struct lae_setup *setup, int task)
{
    return (struct lae_classifier_shape){lae_task_classes(setup, task), setup->backbone->feature};
}

size_t lae_classifier_count(const struct lae_setup *setup, int task)
{
    const struct lae_classifier_shape shape = lae_classifier_of(setup, task);
    return lae_classifier_size(&shape);
}

size_t lae_longest_classifier(const struct lae_setup *setup)
{
    size_t longest = 0;
    for (int task = 0; task < setup->sequence.tasks; task++)
        if (lae_classifier_count(setup, task) > longest)
            longest = lae_classifier_count(setup, task);
    return longest;
}

struct creation {
    const struct lae_setup *setup;
    struct lae_workers *workers;
};

static void allocate(const struct lae_setup *setup, const struct lae_workers *workers,
                     struct lae_worker *worker)
{
    size_t side = setup->backbone->image, width = setup->backbone->feature;
    size_t classes = (size_t)setup->sequence.classes;
    worker->rgb = lae_aligned_calloc(setup->dataset.pixels * 3, 1);
    worker->image = lae_aligned_calloc(3 * side * side, sizeof(float));
    worker->feature = lae_aligned_calloc(width, sizeof(float));
    worker->d_feature = lae_aligned_calloc(width, sizeof(float));
    worker->features = lae_aligned_calloc(LAE_VIEWS * width, sizeof(float));
    worker->scores = lae_aligned_calloc(LAE_MAX_SCORERS * classes, sizeof(float));
    worker->gradient = lae_aligned_calloc(workers->longest, sizeof(float));
    worker->sum = lae_aligned_calloc(workers->words, sizeof(int64_t));
    bool complete = worker->rgb != NULL && worker->image != NULL && worker->feature != NULL &&
                    worker->d_feature != NULL && worker->features != NULL &&
                    worker->scores != NULL && worker->gradient != NULL && worker->sum != NULL;
    if (!complete)
        worker->status = lae_out_of_memory(workers->longest * 12, "the buffers of a thread");
}

/* Runs on the worker's own thread, so that its memory lies near its core. */
static void create_worker(void *context, int number, size_t item)
{
    (void)number;
    const struct creation *creation = context;
    const struct lae_setup *setup = creation->setup;
    struct lae_worker *worker = &creation->workers->items[item];
    worker->status = lae_backbone_workspace_create(setup->backbone, true, &worker->pass);
    if (worker->status == NULL)
        worker->status = lae_image_workspace_create(
            (struct lae_size){setup->dataset.width, setup->dataset.height},
            (int)setup->backbone->image, setup->config->data.resize, &worker->transform);
    if (worker->status == NULL) allocate(setup, creation->workers, worker);
}

static void set_lengths(const struct lae_setup *setup, struct lae_workers *workers)
{
    workers->longest = setup->pet.table.total + lae_longest_classifier(setup);
    size_t counts = (size_t)setup->sequence.tasks * 2 * LAE_MAX_SCORERS;
    workers->words = (workers->longest > counts ? workers->longest : counts) + 8;
}

size_t lae_workers_need(const struct lae_setup *setup)
{
    struct lae_workers lengths;
    set_lengths(setup, &lengths);
    size_t side = setup->backbone->image;
    return lae_backbone_workspace_need(setup->backbone, true) + 3 * side * side * sizeof(float) +
           3 * setup->dataset.pixels + lengths.longest * sizeof(float) +
           lengths.words * sizeof(int64_t);
}

lae_status lae_workers_create(const struct lae_setup *setup, struct lae_workers *workers)
{
    *workers = (struct lae_workers){.count = lae_team_threads(setup->team)};
    set_lengths(setup, workers);
    workers->items = calloc((size_t)workers->count, sizeof *workers->items);
    if (workers->items == NULL)
        return lae_out_of_memory((size_t)workers->count * sizeof *workers->items, "the workers");
    struct creation creation = {setup, workers};
    lae_team_each(setup->team, create_worker, &creation);
    lae_status status = NULL;
    for (int i = 0; i < workers->count; i++) {
        status = lae_status_first(status, workers->items[i].status);
        workers->items[i].status = NULL;
    }
    return status;
}

struct clearing {
    const struct lae_workers *workers;
    size_t words;
};

static void clear_worker(void *context, int number, size_t item)
{
    (void)item;
    const struct clearing *clearing = context;
    memset(clearing->workers->items[number].sum, 0, clearing->words * sizeof(int64_t));
}

void lae_workers_clear(const struct lae_setup *setup, struct lae_workers *workers, size_t words)
{
    struct clearing clearing = {workers, words};
    lae_team_each(setup->team, clear_worker, &clearing);
}

void lae_workers_add(const struct lae_workers *workers, size_t words, int64_t *sum)
{
    memset(sum, 0, words * sizeof *sum);
    for (int i = 0; i < workers->count; i++)
        for (size_t j = 0; j < words; j++)
            sum[j] += workers->items[i].sum[j];
}

void lae_workers_free(struct lae_workers *workers)
{
    for (int i = 0; workers->items != NULL && i < workers->count; i++) {
        struct lae_worker *worker = &workers->items[i];
        lae_status_free(worker->status);
        lae_backbone_workspace_free(worker->pass);
        lae_image_workspace_free(worker->transform);
        free(worker->rgb);
        free(worker->image);
        free(worker->feature);
        free(worker->d_feature);
        free(worker->features);
        free(worker->scores);
        free(worker->gradient);
        free(worker->sum);
    }
    free(workers->items);
    *workers = (struct lae_workers){0};
}

bool lae_worker_load(struct lae_worker *worker, const struct lae_setup *setup, enum lae_split split,
                     uint32_t index, const struct lae_random *augment)
{
    const struct lae_data_options *data = &setup->config->data;
    struct lae_size size;
    lae_status status = lae_dataset_image(&setup->dataset, split, index, worker->rgb, &size);
    if (status != NULL) {
        worker->status = lae_status_first(worker->status, status);
        return false;
    }
    lae_image_prepare(worker->transform, worker->rgb, size, augment, data->mean, data->std,
                      worker->image);
    return true;
}

lae_status lae_workers_agree(const struct lae_setup *setup, struct lae_workers *workers)
{
    lae_status status = NULL;
    for (int i = 0; i < workers->count; i++) {
        status = lae_status_first(status, workers->items[i].status);
        workers->items[i].status = NULL;
    }
    return lae_dist_agree(setup->dist, status);
}
