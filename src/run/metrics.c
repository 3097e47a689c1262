#include "lae/run/metrics.h"

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

size_t lae_metrics_row(int task)
{
    size_t t = (size_t)task;
    return t * (t + 1) / 2;
}

/* Of one scorer, in one block: two triangles, seen and best. */
static size_t block_size(int tasks)
{
    return 2 * lae_metrics_row(tasks) + 2 * (size_t)tasks;
}

size_t lae_metrics_need(int tasks, int scorers)
{
    return (size_t)scorers * block_size(tasks) * sizeof(double);
}

lae_status lae_metrics_create(int tasks, const struct lae_scorers *scorers,
                              struct lae_metrics *metrics)
{
    *metrics = lae_metrics_elsewhere(tasks, scorers);
    size_t triangle = lae_metrics_row(tasks), each = block_size(tasks);
    for (int i = 0; i < scorers->count; i++) {
        double *memory = calloc(each, sizeof *memory); /* touched as rows become known */
        if (memory == NULL) return lae_out_of_memory(each * sizeof *memory, "the metrics");
        metrics->accuracy[i] = memory;
        metrics->local[i] = memory + triangle;
        metrics->seen[i] = memory + 2 * triangle;
        metrics->best[i] = metrics->seen[i] + tasks;
    }
    return NULL;
}

struct lae_metrics lae_metrics_elsewhere(int tasks, const struct lae_scorers *scorers)
{
    return (struct lae_metrics){.tasks = tasks, .scorers = *scorers};
}

void lae_metrics_free(struct lae_metrics *metrics)
{
    for (int i = 0; i < metrics->scorers.count; i++)
        free(metrics->accuracy[i]);
    *metrics = (struct lae_metrics){0};
}

static void forget_row(struct lae_metrics *metrics, int scorer, int task)
{
    size_t row = lae_metrics_row(task);
    for (int k = 0; k <= task; k++)
        metrics->accuracy[scorer][row + (size_t)k] = metrics->local[scorer][row + (size_t)k] = NAN;
    metrics->seen[scorer][task] = NAN;
    metrics->best[scorer][task] = -INFINITY;
}

void lae_metrics_extend(struct lae_metrics *metrics, int rows)
{
    for (int task = metrics->rows; task < rows; task++)
        for (int i = 0; i < metrics->scorers.count; i++)
            if (metrics->accuracy[i] != NULL) forget_row(metrics, i, task);
    if (rows > metrics->rows) metrics->rows = rows;
}

static void note_best(struct lae_metrics *metrics, int scorer, int task)
{
    const double *row = metrics->accuracy[scorer] + lae_metrics_row(task);
    for (int k = 0; k <= task; k++)
        metrics->best[scorer][k] = fmax(metrics->best[scorer][k], row[k]);
}

void lae_metrics_settle(struct lae_metrics *metrics)
{
    for (int i = 0; i < metrics->scorers.count; i++)
        for (int task = 0; task < metrics->rows; task++)
            note_best(metrics, i, task);
}

double lae_metrics_accuracy(const struct lae_metrics *metrics, int scorer, int t, int k)
{
    bool known = t < metrics->rows && k <= t;
    return known ? metrics->accuracy[scorer][lae_metrics_row(t) + (size_t)k] : NAN;
}

/* Row `task` of scorer number `to`, from the counts' scorer number `from`. */
static void record_row(struct lae_metrics *metrics, int to, const struct lae_counts *counts,
                       int from)
{
    int task = counts->tasks - 1;
    double *accuracy = metrics->accuracy[to] + lae_metrics_row(task);
    double *local = metrics->local[to] + lae_metrics_row(task);
    for (int k = 0; k <= task; k++) {
        accuracy[k] = percent(counts->right[from][k], counts->images[k]);
        local[k] = percent(counts->local[from][k], counts->images[k]);
    }
    metrics->seen[to][task] = lae_counts_seen(counts, from);
    note_best(metrics, to, task);
}

void lae_metrics_record(struct lae_metrics *metrics, const struct lae_counts *counts)
{
    lae_metrics_extend(metrics, counts->tasks);
    for (int to = 0; to < metrics->scorers.count; to++) {
        int from = lae_scorers_find(&counts->scorers, metrics->scorers.items[to].name);
        if (from >= 0 && metrics->accuracy[to] != NULL) record_row(metrics, to, counts, from);
    }
}

void lae_metrics_copy(struct lae_metrics *metrics, const struct lae_metrics *from)
{
    size_t triangle = lae_metrics_row(from->rows) * sizeof(double);
    lae_metrics_extend(metrics, from->rows);
    for (int to = 0; to < metrics->scorers.count; to++) {
        int at = lae_scorers_find(&from->scorers, metrics->scorers.items[to].name);
        if (at < 0) continue;
        memcpy(metrics->accuracy[to], from->accuracy[at], triangle);
        memcpy(metrics->local[to], from->local[at], triangle);
        memcpy(metrics->seen[to], from->seen[at], (size_t)from->rows * sizeof(double));
    }
    lae_metrics_settle(metrics);
}

double lae_summary_best(const double *accuracy, int finished, int k)
{
    double best = -INFINITY;
    for (int t = k; t < finished; t++)
        best = fmax(best, accuracy[lae_metrics_row(t) + (size_t)k]);
    return best;
}

/* best NULL: to be looked for. */
static struct lae_summary summarize(const double *accuracy, const double *seen, const double *best,
                                    int finished)
{
    int last = finished - 1;
    struct lae_summary summary = {.last = seen[last], .forgetting = NAN, .backward_transfer = NAN};
    double sum = 0.0, forgotten = 0.0, transferred = 0.0;
    for (int t = 0; t < finished; t++)
        sum += seen[t];
    summary.average_incremental = sum / finished;
    if (last == 0) return summary;
    for (int k = 0; k < last; k++) {
        double now = accuracy[lae_metrics_row(last) + (size_t)k];
        double high = best != NULL ? best[k] : lae_summary_best(accuracy, finished, k);
        forgotten += high - now;
        transferred += now - accuracy[lae_metrics_row(k) + (size_t)k];
    }
    summary.forgetting = forgotten / last;
    summary.backward_transfer = transferred / last;
    return summary;
}

struct lae_summary lae_summary_of(const double *accuracy, const double *seen, int finished)
{
    return summarize(accuracy, seen, NULL, finished);
}

struct lae_summary lae_metrics_summary(const struct lae_metrics *metrics, int scorer, int finished)
{
    const double *best = finished == metrics->rows ? metrics->best[scorer] : NULL;
    return summarize(metrics->accuracy[scorer], metrics->seen[scorer], best, finished);
}
