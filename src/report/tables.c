#include "lae/report/tables.h"

#include <math.h>
#include <string.h>

static void print_number(FILE *out, double value)
{
    if (isnan(value))
        fprintf(out, "%11s", "-");
    else
        fprintf(out, "%11.2f", value);
}

static void print_rule(FILE *out, int columns)
{
    for (int i = 0; i < 30 + 11 * columns; i++)
        fputc('-', out);
    fputc('\n', out);
}

/* The modules' names above their columns; returns how many. */
static int print_header(FILE *out, const struct lae_metrics *metrics, const char *title)
{
    int columns = 0;
    fprintf(out, "\n%-30s", title);
    for (int module = 0; module < LAE_MODULES; module++) {
        if (!metrics->present[module]) continue;
        fprintf(out, "%11s", lae_module_name((enum lae_module)module));
        columns++;
    }
    fputc('\n', out);
    print_rule(out, columns);
    return columns;
}

static void print_seen(FILE *out, const struct lae_metrics *metrics, int task)
{
    fprintf(out, "  after task %-17d", task);
    for (int module = 0; module < LAE_MODULES; module++)
        if (metrics->present[module]) print_number(out, metrics->seen[module][task]);
    fputc('\n', out);
}

/* One row of the summaries, each [LAE_MODULES]. */
static void print_summary(FILE *out, const struct lae_metrics *metrics, const char *title,
                          const double values[LAE_MODULES])
{
    fprintf(out, "%-30s", title);
    for (int module = 0; module < LAE_MODULES; module++)
        if (metrics->present[module]) print_number(out, values[module]);
    fputc('\n', out);
}

void lae_tables_run(FILE *out, const struct lae_metrics *metrics, int finished)
{
    double last[LAE_MODULES], average[LAE_MODULES], forgetting[LAE_MODULES], transfer[LAE_MODULES];
    int columns = print_header(out, metrics, "accuracy over seen classes, %");
    for (int module = 0; module < LAE_MODULES; module++) {
        if (!metrics->present[module]) continue;
        struct lae_summary s = lae_metrics_summary(metrics, (enum lae_module)module, finished);
        last[module] = s.last;
        average[module] = s.average_incremental;
        forgetting[module] = s.forgetting;
        transfer[module] = s.backward_transfer;
    }
    for (int task = 0; task < finished; task++)
        print_seen(out, metrics, task);
    print_rule(out, columns);
    print_summary(out, metrics, "last accuracy", last);
    print_summary(out, metrics, "average incremental accuracy", average);
    print_summary(out, metrics, "forgetting, points", forgetting);
    print_summary(out, metrics, "backward transfer, points", transfer);
    fflush(out);
}

static void print_task_rows(FILE *out, const struct lae_metrics *metrics,
                            double *const values[LAE_MODULES], int task, const int *first_class)
{
    for (int k = 0; k <= task; k++) {
        char title[64];
        double row[LAE_MODULES] = {0};
        snprintf(title, sizeof title, "  task %d, classes %d to %d", k, first_class[k],
                 first_class[k + 1] - 1);
        for (int module = 0; module < LAE_MODULES; module++)
            if (metrics->present[module])
                row[module] = values[module][task * metrics->tasks + k];
        print_summary(out, metrics, title, row);
    }
}

void lae_tables_tasks(FILE *out, const struct lae_metrics *metrics, int task,
                      const int *first_class)
{
    double seen[LAE_MODULES] = {0};
    int columns = print_header(out, metrics, "accuracy, %");
    print_task_rows(out, metrics, metrics->accuracy, task, first_class);
    print_rule(out, columns);
    for (int module = 0; module < LAE_MODULES; module++)
        if (metrics->present[module]) seen[module] = metrics->seen[module][task];
    print_summary(out, metrics, "all seen classes", seen);
    print_header(out, metrics, "among the task's classes, %");
    print_task_rows(out, metrics, metrics->local, task, first_class);
    fflush(out);
}

/* Returns 1 where they differ. */
static int print_difference(FILE *out, const char *module, const char *what, double now,
                            double then, const char *there)
{
    if (now == then || (isnan(now) && isnan(then))) return 0;
    fprintf(out, "  %s, %s: %.4f; %.4f in %s\n", module, what, now, then, there);
    return 1;
}

int lae_tables_differences(FILE *out, const struct lae_metrics *metrics,
                           const struct lae_metrics *stored, int task, const char *there)
{
    int differences = 0, row = task * metrics->tasks;
    for (int m = 0; m < LAE_MODULES; m++) {
        if (!metrics->present[m]) continue;
        const char *name = lae_module_name((enum lae_module)m);
        for (int k = 0; k <= task; k++) {
            char what[64];
            snprintf(what, sizeof what, "task %d", k);
            differences += print_difference(out, name, what, metrics->accuracy[m][row + k],
                                            stored->accuracy[m][row + k], there);
            snprintf(what, sizeof what, "task %d among its classes", k);
            differences += print_difference(out, name, what, metrics->local[m][row + k],
                                            stored->local[m][row + k], there);
        }
        differences += print_difference(out, name, "all seen classes", metrics->seen[m][task],
                                        stored->seen[m][task], there);
    }
    fflush(out);
    return differences;
}
