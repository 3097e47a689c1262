#include "lae/merge/merge.h"

#include "methods.h"

#include <math.h>
#include <string.h>

static const struct lae_merge_method methods[] = {
    {"ema", "offline follows online after every step: d*offline + (1-d)*online, d = merge.decay",
     true, lae_merge_ema_step, NULL},
    {"ties", "after every task: trim both changes, elect signs, merge (Yadav et al. 2023)", true,
     NULL, lae_merge_ties_task},
    {"mean", "after every task: the mean of the online modules at the ends of all tasks", true,
     NULL, lae_merge_mean_task},
    {"none", "no offline module: online alone is evaluated", false, NULL, NULL},
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

double lae_merge_share(size_t part, size_t count)
{
    return count == 0 ? 0.0 : (double)part / (double)count;
}

bool lae_merge_opposed(float a, float b)
{
    return (a > 0.0f && b < 0.0f) || (a < 0.0f && b > 0.0f);
}

double lae_merge_change(const float *theta, const float *base, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        double change = (double)theta[i] - (double)base[i];
        sum += change * change;
    }
    return sqrt(sum);
}

void lae_merge_measure_result(const struct lae_merge_vectors *vectors,
                              struct lae_merge_stats *stats)
{
    for (size_t t = 0; t < vectors->table->count; t++) {
        const struct lae_param *tensor = &vectors->table->items[t];
        stats[t].norm_merged = lae_merge_change(vectors->offline + tensor->offset,
                                                vectors->base + tensor->offset, tensor->count);
    }
}

static struct lae_merge_stats measure_tensor(const float *offline, const float *online,
                                             const float *base, size_t count)
{
    size_t conflicts = 0;
    for (size_t i = 0; i < count; i++)
        conflicts += lae_merge_opposed(offline[i] - base[i], online[i] - base[i]);
    double norm = lae_merge_change(offline, base, count);
    return (struct lae_merge_stats){
        .kept_offline = 1.0,
        .kept_online = 1.0,
        .conflict = lae_merge_share(conflicts, count),
        .norm_offline = norm,
        .norm_online = lae_merge_change(online, base, count),
        .norm_merged = norm,
    };
}

void lae_merge_measure(const struct lae_merge_vectors *vectors, struct lae_merge_stats *stats)
{
    for (size_t t = 0; t < vectors->table->count; t++) {
        const struct lae_param *tensor = &vectors->table->items[t];
        size_t at = tensor->offset;
        stats[t] = measure_tensor(vectors->offline + at, vectors->online + at, vectors->base + at,
                                  tensor->count);
    }
}

lae_status lae_merge_after_task(const struct lae_merge_options *options,
                                const struct lae_merge_vectors *vectors, int task,
                                struct lae_merge_stats *stats)
{
    const struct lae_merge_method *method = options->method;
    if (method->after_task != NULL) return method->after_task(options, vectors, task, stats);
    if (method->has_offline) {
        lae_merge_measure(vectors, stats);
        return NULL;
    }
    for (size_t t = 0; t < vectors->table->count; t++)
        stats[t] = (struct lae_merge_stats){0};
    return NULL;
}
