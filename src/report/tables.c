#include "lae/report/tables.h"

#include <math.h>
#include <stdbool.h>

/* Scorers whose columns stand beside each other in one table: those of the tasks' own classifiers,
 * or some of the heads'. All in 80 columns. */
struct block {
    int first, count; /* of the metrics' scorers */
    int width;        /* of a column */
};

enum { TITLE = 30, LINEAR_WIDTH = 11, HEAD_WIDTH = 16, MOST_HEADS = 3 };

static struct block block_from(const struct lae_scorers *scorers, int first)
{
    bool linear = scorers->items[first].method == NULL;
    struct block block = {.first = first, .width = linear ? LINEAR_WIDTH : HEAD_WIDTH};
    while (first + block.count < scorers->count && (linear || block.count < MOST_HEADS) &&
           (scorers->items[first + block.count].method == NULL) == linear)
        block.count++;
    return block;
}

static void print_number(FILE *out, int width, double value)
{
    if (isnan(value))
        fprintf(out, "%*s", width, "-");
    else
        fprintf(out, "%*.2f", width, value);
}

static void print_rule(FILE *out, const struct block *block)
{
    for (int i = 0; i < TITLE + block->width * block->count; i++)
        fputc('-', out);
    fputc('\n', out);
}

/* The scorers' names above their columns. */
static void print_header(FILE *out, const struct lae_metrics *metrics, const struct block *block,
                         const char *title)
{
    fprintf(out, "\n%-*s", TITLE, title);
    for (int i = 0; i < block->count; i++)
        fprintf(out, "%*s", block->width, metrics->scorers.items[block->first + i].name);
    fputc('\n', out);
    print_rule(out, block);
}

/* values[scorer][at] of each of the block's. */
static void print_row(FILE *out, const struct block *block, const char *title,
                      double *const *values, size_t at)
{
    fprintf(out, "%-*s", TITLE, title);
    for (int i = 0; i < block->count; i++)
        print_number(out, block->width, values[block->first + i][at]);
    fputc('\n', out);
}

/* ---- a run ---- */

enum { LAST, AVERAGE, FORGETTING, TRANSFER, SUMMARIES };

static void summarize(const struct lae_metrics *metrics, int scorer, int finished,
                      double values[SUMMARIES])
{
    struct lae_summary s = lae_metrics_summary(metrics, scorer, finished);
    values[LAST] = s.last;
    values[AVERAGE] = s.average_incremental;
    values[FORGETTING] = s.forgetting;
    values[TRANSFER] = s.backward_transfer;
}

/* Of the tasks' own classifiers, after each task. */
static void print_course(FILE *out, const struct lae_metrics *metrics, const struct block *block,
                         int finished)
{
    static const char *const titles[SUMMARIES] = {"last accuracy", "average incremental accuracy",
                                                  "forgetting, points",
                                                  "backward transfer, points"};
    print_header(out, metrics, block, "accuracy over seen classes, %");
    for (int task = 0; task < finished; task++) {
        char title[64];
        snprintf(title, sizeof title, "  after task %d", task);
        print_row(out, block, title, metrics->seen, (size_t)task);
    }
    print_rule(out, block);
    for (int k = 0; k < SUMMARIES; k++) {
        fprintf(out, "%-*s", TITLE, titles[k]);
        for (int i = 0; i < block->count; i++) {
            double values[SUMMARIES];
            summarize(metrics, block->first + i, finished, values);
            print_number(out, block->width, values[k]);
        }
        fputc('\n', out);
    }
}

/* Of the heads, a line each. */
static void print_heads(FILE *out, const struct lae_metrics *metrics, int first, int finished)
{
    const struct block columns = {.count = SUMMARIES, .width = LINEAR_WIDTH};
    if (first == metrics->scorers.count) return;
    fprintf(out, "\n%-*s%11s%11s%11s%11s\n", TITLE, "heads, %", "last", "average", "forgetting",
            "transfer");
    print_rule(out, &columns);
    for (int i = first; i < metrics->scorers.count; i++) {
        double values[SUMMARIES];
        summarize(metrics, i, finished, values);
        fprintf(out, "  %-*s", TITLE - 2, metrics->scorers.items[i].name);
        for (int k = 0; k < SUMMARIES; k++)
            print_number(out, columns.width, values[k]);
        fputc('\n', out);
    }
}

void lae_tables_run(FILE *out, const struct lae_metrics *metrics, int finished)
{
    struct block linear = block_from(&metrics->scorers, 0);
    bool heads_alone = metrics->scorers.items[0].method != NULL;
    if (!heads_alone) print_course(out, metrics, &linear, finished);
    print_heads(out, metrics, heads_alone ? 0 : linear.count, finished);
    fflush(out);
}

/* ---- one evaluation ---- */

static void print_task_rows(FILE *out, const struct block *block, double *const *values, int task,
                            const int *first_class)
{
    for (int k = 0; k <= task; k++) {
        char title[64];
        snprintf(title, sizeof title, "  task %d, classes %d to %d", k, first_class[k],
                 first_class[k + 1] - 1);
        print_row(out, block, title, values, lae_metrics_row(task) + (size_t)k);
    }
}

void lae_tables_tasks(FILE *out, const struct lae_metrics *metrics, int task,
                      const int *first_class)
{
    for (int first = 0; first < metrics->scorers.count;) {
        struct block block = block_from(&metrics->scorers, first);
        first += block.count;
        print_header(out, metrics, &block, "accuracy, %");
        print_task_rows(out, &block, metrics->accuracy, task, first_class);
        print_rule(out, &block);
        print_row(out, &block, "all seen classes", metrics->seen, (size_t)task);
        print_header(out, metrics, &block, "among the task's classes, %");
        print_task_rows(out, &block, metrics->local, task, first_class);
    }
    fflush(out);
}

/* ---- differences ---- */

/* Returns 1 where they differ. */
static int print_difference(FILE *out, const char *scorer, const char *what, double now,
                            double then, const char *there)
{
    if (now == then || (isnan(now) && isnan(then))) return 0;
    fprintf(out, "  %s, %s: %.4f; %.4f in %s\n", scorer, what, now, then, there);
    return 1;
}

/* Of scorer number `m`, and what `stored` has of it as number `s`. */
static int print_differences(FILE *out, const struct lae_metrics *metrics, int m,
                             const struct lae_metrics *stored, int s, int task, const char *there)
{
    int differences = 0;
    size_t row = lae_metrics_row(task);
    const char *name = metrics->scorers.items[m].name;
    for (int k = 0; k <= task; k++) {
        char what[64];
        snprintf(what, sizeof what, "task %d", k);
        differences += print_difference(out, name, what, metrics->accuracy[m][row + (size_t)k],
                                        stored->accuracy[s][row + (size_t)k], there);
        snprintf(what, sizeof what, "task %d among its classes", k);
        differences += print_difference(out, name, what, metrics->local[m][row + (size_t)k],
                                        stored->local[s][row + (size_t)k], there);
    }
    return differences + print_difference(out, name, "all seen classes", metrics->seen[m][task],
                                          stored->seen[s][task], there);
}

int lae_tables_differences(FILE *out, const struct lae_metrics *metrics,
                           const struct lae_metrics *stored, int task, enum lae_scored which,
                           const char *there)
{
    int differences = 0;
    for (int m = 0; m < metrics->scorers.count; m++) {
        int s = lae_scorers_find(&stored->scorers, metrics->scorers.items[m].name);
        bool known = s >= 0 && !isnan(stored->seen[s][task]);
        bool head = metrics->scorers.items[m].method != NULL;
        bool wanted = ((int)which & (int)(head ? LAE_SCORED_HEADS : LAE_SCORED_LINEAR)) != 0;
        if (known && wanted)
            differences += print_differences(out, metrics, m, stored, s, task, there);
    }
    fflush(out);
    return differences;
}
