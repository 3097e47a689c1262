#include "lae/learn/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

lae_status lae_counts_create(int tasks, const struct lae_scorers *scorers,
                             struct lae_counts *counts)
{
    size_t n = (size_t)tasks, count = (size_t)scorers->count;
    int64_t *memory = calloc(n * (1 + 2 * count), sizeof *memory);
    if (memory == NULL) return lae_out_of_memory(n * sizeof *memory, "an evaluation's counts");
    *counts = (struct lae_counts){.tasks = tasks, .scorers = *scorers, .images = memory};
    for (size_t i = 0; i < count; i++) {
        counts->right[i] = memory + (1 + i) * n;
        counts->local[i] = memory + (1 + count + i) * n;
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

double lae_counts_seen(const struct lae_counts *counts, int scorer)
{
    int64_t right = 0, images = 0;
    for (int k = 0; k < counts->tasks; k++) {
        right += counts->right[scorer][k];
        images += counts->images[k];
    }
    return percent(right, images);
}

size_t lae_metrics_size(const struct lae_metrics *metrics)
{
    size_t n = (size_t)metrics->tasks;
    return 2 * n * n + n;
}

lae_status lae_metrics_create(int tasks, const struct lae_scorers *scorers,
                              struct lae_metrics *metrics)
{
    *metrics = (struct lae_metrics){.tasks = tasks, .scorers = *scorers};
    size_t n = (size_t)tasks, each = lae_metrics_size(metrics);
    for (int i = 0; i < scorers->count; i++) {
        double *memory = malloc(each * sizeof *memory);
        if (memory == NULL) return lae_out_of_memory(each * sizeof *memory, "the metrics");
        for (size_t k = 0; k < each; k++)
            memory[k] = NAN;
        metrics->accuracy[i] = memory;
        metrics->local[i] = memory + n * n;
        metrics->seen[i] = memory + 2 * n * n;
    }
    return NULL;
}

void lae_metrics_free(struct lae_metrics *metrics)
{
    for (int i = 0; i < metrics->scorers.count; i++)
        free(metrics->accuracy[i]);
    *metrics = (struct lae_metrics){0};
}

/* Row `task` of scorer number `to`, from the counts' scorer number `from`. */
static void record_row(struct lae_metrics *metrics, int to, const struct lae_counts *counts,
                       int from)
{
    int task = counts->tasks - 1;
    for (int k = 0; k <= task; k++) {
        int at = task * metrics->tasks + k;
        metrics->accuracy[to][at] = percent(counts->right[from][k], counts->images[k]);
        metrics->local[to][at] = percent(counts->local[from][k], counts->images[k]);
    }
    metrics->seen[to][task] = lae_counts_seen(counts, from);
}

void lae_metrics_record(struct lae_metrics *metrics, const struct lae_counts *counts)
{
    for (int to = 0; to < metrics->scorers.count; to++) {
        int from = lae_scorers_find(&counts->scorers, metrics->scorers.items[to].name);
        if (from >= 0) record_row(metrics, to, counts, from);
    }
}

void lae_metrics_copy(struct lae_metrics *metrics, const struct lae_metrics *from)
{
    for (int to = 0; to < metrics->scorers.count; to++) {
        int at = lae_scorers_find(&from->scorers, metrics->scorers.items[to].name);
        if (at >= 0)
            memcpy(metrics->accuracy[to], from->accuracy[at],
                   lae_metrics_size(metrics) * sizeof(double));
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

struct lae_summary lae_metrics_summary(const struct lae_metrics *metrics, int scorer, int finished)
{
    return lae_summary_of(metrics->accuracy[scorer], metrics->seen[scorer], metrics->tasks,
                          finished);
}
