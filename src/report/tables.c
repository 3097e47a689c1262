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
    int columns = 0;
    fprintf(out, "\n%-30s", "accuracy over seen classes, %");
    for (int module = 0; module < LAE_MODULES; module++) {
        if (!metrics->present[module]) continue;
        fprintf(out, "%11s", lae_module_name((enum lae_module)module));
        struct lae_summary s = lae_metrics_summary(metrics, (enum lae_module)module, finished);
        last[module] = s.last;
        average[module] = s.average_incremental;
        forgetting[module] = s.forgetting;
        transfer[module] = s.backward_transfer;
        columns++;
    }
    fputc('\n', out);
    print_rule(out, columns);
    for (int task = 0; task < finished; task++)
        print_seen(out, metrics, task);
    print_rule(out, columns);
    print_summary(out, metrics, "last accuracy", last);
    print_summary(out, metrics, "average incremental accuracy", average);
    print_summary(out, metrics, "forgetting, points", forgetting);
    print_summary(out, metrics, "backward transfer, points", transfer);
    fflush(out);
}
