#include "changes.h"

#include "lae/base/arena.h"
#include "methods.h"

#include <stdlib.h>

/* theta_k, of the task at hand too. */
static const float *theta(const struct lae_merge_vectors *vectors, int task, int k)
{
    return k == task ? vectors->online : vectors->history[k];
}

static void subtract(struct lae_change *change, const float *to, const float *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        change->v[i] = to[i] - from[i];
}

static void take_pair(const struct lae_merge_options *options,
                      const struct lae_merge_vectors *vectors, int task,
                      struct lae_changes *changes)
{
    struct lae_change *offline = &changes->items[0], *online = &changes->items[1];
    subtract(offline, vectors->offline, changes->base, changes->count);
    subtract(online, vectors->online, changes->base, changes->count);
    offline->accumulated = true;
    offline->task = online->task = task;
    offline->weight = options->weighting == LAE_WEIGHTING_TASKS ? (double)task : 1.0;
    online->weight = 1.0;
}

static void take_tasks(const struct lae_merge_options *options,
                       const struct lae_merge_vectors *vectors, int task,
                       struct lae_changes *changes)
{
    bool stepwise = options->base == LAE_BASE_PREVIOUS;
    int first = task + 1 - (int)changes->n;
    for (int k = first; k <= task; k++) {
        struct lae_change *change = &changes->items[k - first];
        const float *from = stepwise && k > 0 ? theta(vectors, task, k - 1) : changes->base;
        subtract(change, theta(vectors, task, k), from, changes->count);
        change->task = k;
        change->weight = 1.0;
    }
}

static size_t number_of(const struct lae_merge_options *options, int task)
{
    if (options->vectors == LAE_VECTORS_PAIR) return 2;
    return options->base == LAE_BASE_FIRST ? (size_t)task : (size_t)task + 1;
}

lae_status lae_changes_create(const struct lae_merge_options *options,
                              const struct lae_merge_vectors *vectors, int task,
                              struct lae_changes *changes)
{
    size_t n = number_of(options, task), count = vectors->table->total;
    *changes = (struct lae_changes){.n = n,
                                    .count = count,
                                    .base = lae_merge_base(options, vectors),
                                    .items = calloc(n, sizeof *changes->items),
                                    .memory = lae_aligned_calloc(n * count, sizeof(float))};
    if (changes->items == NULL || changes->memory == NULL)
        return lae_out_of_memory((double)n * (double)count * sizeof(float), "a merge");
    for (size_t i = 0; i < n; i++)
        changes->items[i].v = changes->memory + i * count;
    if (options->vectors == LAE_VECTORS_PAIR)
        take_pair(options, vectors, task, changes);
    else
        take_tasks(options, vectors, task, changes);
    return NULL;
}

void lae_changes_free(struct lae_changes *changes)
{
    free(changes->items);
    free(changes->memory);
    *changes = (struct lae_changes){0};
}

double lae_changes_sum(const struct lae_changes *changes, size_t entry)
{
    double sum = changes->items[0].weight * (double)changes->items[0].v[entry];
    for (size_t i = 1; i < changes->n; i++)
        sum += changes->items[i].weight * (double)changes->items[i].v[entry];
    return sum;
}

double lae_changes_weight(const struct lae_changes *changes)
{
    double sum = 0.0;
    for (size_t i = 0; i < changes->n; i++)
        sum += changes->items[i].weight;
    return sum;
}

void lae_changes_note_kept(const struct lae_changes *changes, size_t which, double share,
                           struct lae_merge_stats *stats)
{
    size_t newest = changes->n - 1;
    if (which == 0) stats->kept_offline = newest == 0 ? 1.0 : 0.0;
    if (which == newest)
        stats->kept_online = share;
    else
        stats->kept_offline += share / (double)newest;
}

static bool is_contested(const struct lae_changes *changes, size_t entry)
{
    bool above = false, below = false;
    for (size_t i = 0; i < changes->n; i++) {
        above = above || changes->items[i].v[entry] > 0.0F;
        below = below || changes->items[i].v[entry] < 0.0F;
    }
    return above && below;
}

void lae_changes_note_conflicts(const struct lae_changes *changes, const struct lae_table *table,
                                struct lae_merge_stats *stats)
{
    for (size_t t = 0; t < table->count; t++) {
        const struct lae_param *tensor = &table->items[t];
        size_t contested = 0;
        for (size_t i = 0; i < tensor->count; i++)
            contested += is_contested(changes, tensor->offset + i);
        stats[t].conflict = lae_merge_share(contested, tensor->count);
    }
}

void lae_changes_apply(const struct lae_changes *changes, const struct lae_merge_options *options,
                       const struct lae_merge_vectors *vectors, size_t entry, float merged)
{
    vectors->offline[entry] =
        (float)((double)changes->base[entry] + options->scale * (double)merged);
}
