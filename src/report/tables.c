#include "lae/report/tables.h"

#include "lae/base/sheet.h"

#include <math.h>
#include <stdbool.h>

static bool is_linear(const struct lae_metrics *metrics, int scorer)
{
    return metrics->scorers.items[scorer].method == NULL;
}

/* ---- a run */

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

/* Columns of those scorers that are the tasks' own classifiers, or that are not; a method's heads
 * side by side. Returns how many. */
static int add_scorers(struct lae_sheet *sheet, const struct lae_metrics *metrics, bool linear)
{
    int count = 0;
    for (int i = 0; i < metrics->scorers.count; i++) {
        const struct lae_scorer *scorer = &metrics->scorers.items[i];
        if (is_linear(metrics, i) != linear) continue;
        bool joined = count > 0 && scorer->method == scorer[-1].method;
        lae_sheet_column(sheet, LAE_SHEET_NUMBER | (joined ? LAE_SHEET_JOINED : 0), scorer->name);
        count++;
    }
    return count;
}

/* values[scorer][at] of each of these scorers. */
static void add_values(struct lae_sheet *sheet, const struct lae_metrics *metrics, bool linear,
                       double *const *values, size_t at)
{
    for (int i = 0; i < metrics->scorers.count; i++)
        if (is_linear(metrics, i) == linear) lae_sheet_number(sheet, 2, values[i][at]);
}

/* Of the tasks' own classifiers, after each task. */
static lae_status print_course(FILE *out, const struct lae_metrics *metrics, int finished)
{
    static const char *const titles[SUMMARIES] = {"last accuracy", "average incremental accuracy",
                                                  "forgetting, points",
                                                  "backward transfer, points"};
    struct lae_sheet sheet = {0};
    lae_sheet_column(&sheet, LAE_SHEET_KEY, "accuracy over seen classes, %");
    add_scorers(&sheet, metrics, true);
    lae_sheet_rule(&sheet);
    for (int task = 0; task < finished; task++) {
        lae_sheet_row(&sheet);
        lae_sheet_text(&sheet, "  after task %d", task);
        add_values(&sheet, metrics, true, metrics->seen, (size_t)task);
    }
    lae_sheet_rule(&sheet);
    for (int k = 0; k < SUMMARIES; k++) {
        lae_sheet_row(&sheet);
        lae_sheet_text(&sheet, "%s", titles[k]);
        for (int i = 0; i < metrics->scorers.count && is_linear(metrics, i); i++) {
            double values[SUMMARIES];
            summarize(metrics, i, finished, values);
            lae_sheet_number(&sheet, 2, values[k]);
        }
    }
    fputc('\n', out);
    return lae_sheet_print(&sheet, out);
}

/* Of the heads, a line each. */
static lae_status print_heads(FILE *out, const struct lae_metrics *metrics, int finished)
{
    static const char *const titles[SUMMARIES] = {"last", "average", "forgetting", "transfer"};
    struct lae_sheet sheet = {0};
    lae_sheet_column(&sheet, LAE_SHEET_KEY, "heads, %");
    for (int k = 0; k < SUMMARIES; k++)
        lae_sheet_column(&sheet, LAE_SHEET_NUMBER, titles[k]);
    lae_sheet_rule(&sheet);
    for (int i = 0; i < metrics->scorers.count; i++) {
        double values[SUMMARIES];
        if (is_linear(metrics, i)) continue;
        summarize(metrics, i, finished, values);
        lae_sheet_row(&sheet);
        lae_sheet_text(&sheet, "  %s", metrics->scorers.items[i].name);
        for (int k = 0; k < SUMMARIES; k++)
            lae_sheet_number(&sheet, 2, values[k]);
    }
    fputc('\n', out);
    return lae_sheet_print(&sheet, out);
}

lae_status lae_tables_run(FILE *out, const struct lae_metrics *metrics, int finished)
{
    lae_status status = NULL;
    bool linear = is_linear(metrics, 0), heads = !is_linear(metrics, metrics->scorers.count - 1);
    if (linear) status = print_course(out, metrics, finished);
    if (status == NULL && heads) status = print_heads(out, metrics, finished);
    fflush(out);
    return status;
}

/* ---- one evaluation */

static void add_tasks(struct lae_sheet *sheet, const struct lae_metrics *metrics, bool linear,
                      double *const *values, int task, const int *first_class)
{
    lae_sheet_rule(sheet);
    for (int k = 0; k <= task; k++) {
        lae_sheet_row(sheet);
        lae_sheet_text(sheet, "  task %d, classes %d to %d", k, first_class[k],
                       first_class[k + 1] - 1);
        add_values(sheet, metrics, linear, values, lae_metrics_row(task) + (size_t)k);
    }
}

static lae_status print_evaluation(FILE *out, const struct lae_metrics *metrics, bool linear,
                                   int task, const int *first_class)
{
    struct lae_sheet all = {0}, own = {0};
    lae_sheet_column(&all, LAE_SHEET_KEY, "accuracy, %");
    add_scorers(&all, metrics, linear);
    add_tasks(&all, metrics, linear, metrics->accuracy, task, first_class);
    lae_sheet_rule(&all);
    lae_sheet_row(&all);
    lae_sheet_text(&all, "all seen classes");
    add_values(&all, metrics, linear, metrics->seen, (size_t)task);
    lae_sheet_column(&own, LAE_SHEET_KEY, "among the task's classes, %");
    add_scorers(&own, metrics, linear);
    add_tasks(&own, metrics, linear, metrics->local, task, first_class);
    fputc('\n', out);
    lae_status status = lae_sheet_print(&all, out);
    fputc('\n', out);
    return lae_status_first(status, lae_sheet_print(&own, out));
}

lae_status lae_tables_tasks(FILE *out, const struct lae_metrics *metrics, int task,
                            const int *first_class)
{
    lae_status status = NULL;
    for (int linear = 1; linear >= 0 && status == NULL; linear--) {
        int at = linear ? 0 : metrics->scorers.count - 1;
        if (is_linear(metrics, at) == (bool)linear)
            status = print_evaluation(out, metrics, linear, task, first_class);
    }
    fflush(out);
    return status;
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
