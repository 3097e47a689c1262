#include "lae/learn/metrics.h"

#include <math.h>
#include <stdlib.h>

const char *lae_module_name(enum lae_module module)
{
    static const char *const names[LAE_MODULES] = {"online", "offline", "ensemble"};
    return names[module];
}

lae_status lae_counts_create(int tasks, struct lae_counts *counts)
{
    size_t n = (size_t)tasks;
    int64_t *memory = calloc(n * (1 + 2 * LAE_MODULES), sizeof *memory);
    if (memory == NULL) return lae_out_of_memory(n * sizeof *memory, "an evaluation's counts");
    *counts = (struct lae_counts){.tasks = tasks, .images = memory};
    for (size_t module = 0; module < LAE_MODULES; module++) {
        counts->right[module] = memory + (1 + module) * n;
        counts->local[module] = memory + (1 + LAE_MODULES + module) * n;
    }
    return NULL;
}

void lae_counts_free(struct lae_counts *counts)
{
    free(counts->images);
    *counts = (struct lae_counts){0};
}

static double percent(int64_t part, int64_t whole)
{
    return whole == 0 ? NAN : 100.0 * (double)part / (double)whole;
}

double lae_counts_seen(const struct lae_counts *counts, enum lae_module module)
{
    int64_t right = 0, images = 0;
    for (int k = 0; k < counts->tasks; k++) {
        right += counts->right[module][k];
        images += counts->images[k];
    }
    return percent(right, images);
}

lae_status lae_metrics_create(int tasks, bool offline, struct lae_metrics *metrics)
{
    *metrics = (struct lae_metrics){.tasks = tasks};
    size_t n = (size_t)tasks, each = 2 * n * n + n;
    for (int module = 0; module < LAE_MODULES; module++) {
        metrics->present[module] = offline || module == LAE_ONLINE;
        if (!metrics->present[module]) continue;
        double *memory = malloc(each * sizeof *memory);
        if (memory == NULL) return lae_out_of_memory(each * sizeof *memory, "the metrics");
        for (size_t i = 0; i < each; i++)
            memory[i] = NAN;
        metrics->accuracy[module] = memory;
        metrics->local[module] = memory + n * n;
        metrics->seen[module] = memory + 2 * n * n;
    }
    return NULL;
}

void lae_metrics_free(struct lae_metrics *metrics)
{
    for (int module = 0; module < LAE_MODULES; module++)
        free(metrics->accuracy[module]);
    *metrics = (struct lae_metrics){0};
}

void lae_metrics_record(struct lae_metrics *metrics, const struct lae_counts *counts)
{
    int task = counts->tasks - 1;
    for (int module = 0; module < LAE_MODULES; module++) {
        if (!metrics->present[module]) continue;
        for (int k = 0; k <= task; k++) {
            int at = task * metrics->tasks + k;
            metrics->accuracy[module][at] = percent(counts->right[module][k], counts->images[k]);
            metrics->local[module][at] = percent(counts->local[module][k], counts->images[k]);
        }
        metrics->seen[module][task] = lae_counts_seen(counts, (enum lae_module)module);
    }
}

double lae_summary_best(const double *accuracy, int tasks, int finished, int k)
{
    double best = -INFINITY;
    for (int t = k; t < finished; t++)
        best = fmax(best, accuracy[t * tasks + k]);
    return best;
}

struct lae_summary lae_summary_of(const double *accuracy, const double *seen, int tasks,
                                  int finished)
{
    int last = finished - 1;
    struct lae_summary summary = {.last = seen[last], .forgetting = NAN, .backward_transfer = NAN};
    double sum = 0.0;
    for (int t = 0; t < finished; t++)
        sum += seen[t];
    summary.average_incremental = sum / finished;
    if (last == 0) return summary;
    double forgotten = 0.0, transferred = 0.0;
    for (int k = 0; k < last; k++) {
        double now = accuracy[last * tasks + k];
        forgotten += lae_summary_best(accuracy, tasks, finished, k) - now;
        transferred += now - accuracy[k * tasks + k];
    }
    summary.forgetting = forgotten / last;
    summary.backward_transfer = transferred / last;
    return summary;
}

struct lae_summary lae_metrics_summary(const struct lae_metrics *metrics, enum lae_module module,
                                       int finished)
{
    return lae_summary_of(metrics->accuracy[module], metrics->seen[module], metrics->tasks,
                          finished);
}
