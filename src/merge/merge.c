#include "lae/merge/merge.h"

#include "methods.h"

#include <math.h>
#include <string.h>

#define FIELD(name, kind)                                                                          \
    {                                                                                              \
#name, LAE_FIELD_##kind, offsetof(struct lae_merge_stats, name), false                     \
    }

static const struct lae_field fields[] = {
    FIELD(kept_offline, SHARE), FIELD(kept_online, SHARE), FIELD(conflict, SHARE),
    FIELD(norm_offline, NORM),  FIELD(norm_online, NORM),  FIELD(norm_merged, NORM),
};

const struct lae_record lae_merge_record = {fields, sizeof fields / sizeof fields[0],
                                            sizeof(struct lae_merge_stats)};

enum {
    READS_CHANGES = LAE_MERGE_READS_VECTORS | LAE_MERGE_READS_SCALE | LAE_MERGE_READS_WEIGHTING,
    READS_KEPT = LAE_MERGE_READS_DENSITY | LAE_MERGE_READS_REDUCE,
};

static const struct lae_merge_method methods[] = {
    {"ema", "offline follows online after every step: d*offline + (1-d)*online, d = merge.decay",
     true, LAE_MERGE_READS_DECAY, lae_merge_ema_step, NULL},
    {"ema_task", "the same once a task (a smaller merge.decay than 0.9999 is wanted)", true,
     LAE_MERGE_READS_DECAY, NULL, lae_merge_ema_task},
    {"mean", "after every task: the mean of the online modules at the ends of all tasks", true, 0,
     NULL, lae_merge_mean_task},
    {"task_arithmetic", "after every task: the base and all changes, added (Ilharco et al. 2023)",
     true, READS_CHANGES, NULL, lae_merge_arithmetic_task},
    {"ties", "after every task: trim the changes, elect signs, merge (Yadav et al. 2023)", true,
     READS_CHANGES | READS_KEPT | LAE_MERGE_READS_SCOPE, NULL, lae_merge_ties_task},
    {"dare", "after every task: drop entries at random, join the rest (Yu et al. 2024)", true,
     READS_CHANGES | READS_KEPT, NULL, lae_merge_dare_task},
    {"none", "no offline module: online alone is evaluated", false, 0, NULL, NULL},
    {0},
};

const struct lae_merge_method *lae_merge_methods(void)
{
    return methods;
}

const struct lae_merge_method *lae_merge_find(const char *name)
{
    for (const struct lae_merge_method *method = methods; method->name != NULL; method++)
        if (strcmp(method->name, name) == 0) return method;
    return NULL;
}

lae_status lae_merge_check(const struct lae_merge_options *options)
{
    const struct lae_merge_method *method = options->method;
    bool joins_changes = (method->reads & LAE_MERGE_READS_VECTORS) != 0;
    bool tasks = options->vectors == LAE_VECTORS_TASKS;
    if (!joins_changes && tasks)
        return lae_bad_input("merge.vectors is tasks, but merge.method (%s) joins no changes; "
                             "task_arithmetic, ties and dare do",
                             method->name);
    if (!joins_changes && options->base != LAE_BASE_INIT)
        return lae_bad_input("merge.base is not init, but merge.method (%s) joins no changes; "
                             "task_arithmetic, ties and dare do",
                             method->name);
    if (!tasks && options->base == LAE_BASE_PREVIOUS)
        return lae_bad_input("merge.base is previous, which needs merge.vectors=tasks: a pair has "
                             "no task before");
    if (joins_changes && tasks && options->weighting == LAE_WEIGHTING_TASKS)
        return lae_bad_input("merge.weighting is tasks, which weights a pair's offline module; "
                             "with merge.vectors=tasks each task counts once (equal)");
    if (strcmp(method->name, "dare") == 0 && options->reduce == LAE_REDUCE_MAX)
        return lae_bad_input("merge.reduce is max, but merge.method (dare) keeps expectations, "
                             "which only mean and sum do");
    return NULL;
}

bool lae_merge_same(const struct lae_merge_options *a, const struct lae_merge_options *b)
{
    unsigned reads = a->method->reads;
    return a->method == b->method &&
           ((reads & LAE_MERGE_READS_DENSITY) == 0 || a->density == b->density) &&
           ((reads & LAE_MERGE_READS_SCALE) == 0 || a->scale == b->scale) &&
           ((reads & LAE_MERGE_READS_REDUCE) == 0 || a->reduce == b->reduce) &&
           ((reads & LAE_MERGE_READS_SCOPE) == 0 || a->scope == b->scope) &&
           ((reads & LAE_MERGE_READS_WEIGHTING) == 0 || a->weighting == b->weighting) &&
           ((reads & LAE_MERGE_READS_DECAY) == 0 || a->decay == b->decay) &&
           ((reads & LAE_MERGE_READS_VECTORS) == 0 ||
            (a->vectors == b->vectors && a->base == b->base));
}

bool lae_merge_remembers(const struct lae_merge_options *options, int task)
{
    if ((options->method->reads & LAE_MERGE_READS_VECTORS) == 0) return false;
    return options->vectors == LAE_VECTORS_TASKS || (options->base == LAE_BASE_FIRST && task == 0);
}

const float *lae_merge_base(const struct lae_merge_options *options,
                            const struct lae_merge_vectors *vectors)
{
    return options->base == LAE_BASE_FIRST ? vectors->history[0] : vectors->init;
}

double lae_merge_share(size_t part, size_t count)
{
    return count == 0 ? 0.0 : (double)part / (double)count;
}

/* Both non-zero and of opposite sign. */
static bool opposed(float a, float b)
{
    return (a > 0.0F && b < 0.0F) || (a < 0.0F && b > 0.0F);
}

/* The Euclidean norm of theta - base, both [count]. */
static double distance(const float *theta, const float *base, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        double change = (double)theta[i] - (double)base[i];
        sum += change * change;
    }
    return sqrt(sum);
}

void lae_merge_measure_result(const struct lae_merge_options *options,
                              const struct lae_merge_vectors *vectors,
                              struct lae_merge_stats *stats)
{
    const float *base = lae_merge_base(options, vectors);
    for (size_t t = 0; t < vectors->table->count; t++) {
        const struct lae_param *tensor = &vectors->table->items[t];
        stats[t].norm_merged =
            distance(vectors->offline + tensor->offset, base + tensor->offset, tensor->count);
    }
}

static struct lae_merge_stats measure_tensor(const float *offline, const float *online,
                                             const float *base, size_t count)
{
    size_t conflicts = 0;
    for (size_t i = 0; i < count; i++)
        conflicts += opposed(offline[i] - base[i], online[i] - base[i]);
    double norm = distance(offline, base, count);
    return (struct lae_merge_stats){
        .kept_offline = 1.0,
        .kept_online = 1.0,
        .conflict = lae_merge_share(conflicts, count),
        .norm_offline = norm,
        .norm_online = distance(online, base, count),
        .norm_merged = norm,
    };
}

void lae_merge_measure(const struct lae_merge_options *options,
                       const struct lae_merge_vectors *vectors, struct lae_merge_stats *stats)
{
    const float *base = lae_merge_base(options, vectors);
    for (size_t t = 0; t < vectors->table->count; t++) {
        const struct lae_param *tensor = &vectors->table->items[t];
        size_t at = tensor->offset;
        stats[t] =
            measure_tensor(vectors->offline + at, vectors->online + at, base + at, tensor->count);
    }
}

lae_status lae_merge_after_task(const struct lae_merge_options *options,
                                const struct lae_merge_vectors *vectors, int task,
                                struct lae_merge_stats *stats)
{
    const struct lae_merge_method *method = options->method;
    if (method->after_task != NULL) return method->after_task(options, vectors, task, stats);
    if (method->has_offline) {
        lae_merge_measure(options, vectors, stats);
        return NULL;
    }
    for (size_t t = 0; t < vectors->table->count; t++)
        stats[t] = (struct lae_merge_stats){0};
    return NULL;
}
