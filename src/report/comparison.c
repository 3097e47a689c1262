#include "lae/report/comparison.h"

#include "lae/learn/sweep.h"
#include "lae/report/tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CELL 24
#define NUMBERS 26 /* columns of a module's three numbers */
#define OPTIONS LAE_SWEEP_OPTIONS

static const enum lae_module shown[] = {LAE_OFFLINE, LAE_ENSEMBLE};
enum { SHOWN = sizeof shown / sizeof shown[0] };

/* ---- options */

/* An option's value, "-" where the method does not read it. */
static const char *cell(const struct lae_merge_options *merge, int option, char text[CELL])
{
    char *value = NULL;
    snprintf(text, CELL, "-");
    if (!lae_sweep_reads(merge->method, (enum lae_sweep_option)option)) return text;
    lae_status_free(lae_sweep_value(merge, (enum lae_sweep_option)option, &value));
    if (value != NULL) snprintf(text, CELL, "%s", value);
    free(value);
    return text;
}

/* Merge number `row`, of which the run's own may be the first. */
struct rows {
    const struct lae_comparison *comparison;
    bool own_first; /* the run's own is none of the others */
    size_t count;
    bool varies[OPTIONS]; /* some rows have different values of it */
};

static const struct lae_lab_result *row_of(const struct rows *rows, size_t row)
{
    const struct lae_comparison *c = rows->comparison;
    if (!rows->own_first) return &c->results[row];
    return row == 0 ? c->stored : &c->results[row - 1];
}

/* Whether two of the rows that read it have different values. */
static bool find_variety(const struct rows *rows, int option)
{
    char first[CELL] = "-", other[CELL];
    for (size_t row = 0; row < rows->count; row++) {
        cell(&row_of(rows, row)->merge, option, other);
        if (strcmp(other, "-") == 0) continue;
        if (strcmp(first, "-") != 0 && strcmp(first, other) != 0) return true;
        strcpy(first, other);
    }
    return false;
}

static bool is_own(const struct lae_comparison *c, size_t row)
{
    return lae_merge_same(&c->results[row].merge, &c->stored->merge);
}

static struct rows rows_of(const struct lae_comparison *comparison, size_t computed)
{
    struct rows rows = {.comparison = comparison};
    rows.own_first = comparison->stored->metrics.present[LAE_OFFLINE];
    for (size_t row = 0; row < comparison->count; row++)
        rows.own_first = rows.own_first && !is_own(comparison, row);
    rows.count = computed + (rows.own_first ? 1 : 0);
    for (int option = 0; option < OPTIONS; option++)
        rows.varies[option] = find_variety(&rows, option);
    return rows;
}

const char *lae_comparison_label(const struct lae_comparison *comparison, size_t row,
                                 char text[LAE_COMPARISON_LABEL])
{
    struct rows rows = rows_of(comparison, comparison->count);
    const struct lae_merge_options *merge = &comparison->results[row].merge;
    size_t used = (size_t)snprintf(text, LAE_COMPARISON_LABEL, "%s", merge->method->name);
    for (int option = LAE_SWEEP_METHOD + 1; option < OPTIONS; option++) {
        char value[CELL];
        if (!rows.varies[option] || strcmp(cell(merge, option, value), "-") == 0) continue;
        if (used < LAE_COMPARISON_LABEL)
            used += (size_t)snprintf(text + used, LAE_COMPARISON_LABEL - used, ", %s %s",
                                     lae_sweep_name((enum lae_sweep_option)option), value);
    }
    return text;
}

const char *lae_comparison_name(const struct lae_comparison *comparison, size_t row,
                                char text[LAE_COMPARISON_LABEL])
{
    snprintf(text, LAE_COMPARISON_LABEL, "%02zu_%s", row + 1,
             comparison->results[row].merge.method->name);
    return text;
}

/* ---- the table */

/* Columns of the options; 0: not shown. */
static void measure(const struct rows *rows, int widths[OPTIONS])
{
    for (int option = 0; option < OPTIONS; option++) {
        char text[CELL];
        bool column = option == LAE_SWEEP_METHOD || rows->varies[option];
        size_t widest = strlen(lae_sweep_name((enum lae_sweep_option)option));
        for (size_t row = 0; row < rows->count; row++) {
            size_t length = strlen(cell(&row_of(rows, row)->merge, option, text));
            if (length > widest) widest = length;
        }
        widths[option] = column ? (int)widest + 2 : 0;
    }
}

static void print_header(FILE *out, const int widths[OPTIONS])
{
    int before = 5;
    for (int option = 0; option < OPTIONS; option++)
        before += widths[option];
    fprintf(out, "\n%*s", before, "");
    for (int i = 0; i < SHOWN; i++)
        fprintf(out, "%*s", NUMBERS, lae_module_name(shown[i]));
    fprintf(out, "\n%3s  ", "#");
    for (int option = 0; option < OPTIONS; option++)
        if (widths[option] > 0)
            fprintf(out, "%-*s", widths[option], lae_sweep_name((enum lae_sweep_option)option));
    for (int i = 0; i < SHOWN; i++)
        fprintf(out, "%9s%7s%10s", "average", "last", "forgotten");
    fprintf(out, "%9s\n", "seconds");
    for (int i = 0; i < before + SHOWN * NUMBERS + 9; i++)
        fputc('-', out);
    fputc('\n', out);
}

static void print_numbers(FILE *out, const struct lae_metrics *metrics, enum lae_module module,
                          int finished)
{
    struct lae_summary s = lae_metrics_summary(metrics, module, finished);
    fprintf(out, "%9.2f%7.2f%10.2f", s.average_incremental, s.last, s.forgetting);
}

static void print_row(FILE *out, const struct rows *rows, size_t row, const int widths[OPTIONS])
{
    const struct lae_lab_result *result = row_of(rows, row);
    const struct lae_comparison *c = rows->comparison;
    bool own = lae_merge_same(&result->merge, &c->stored->merge);
    size_t number = rows->own_first ? row : row + 1;
    if (number == 0)
        fprintf(out, "%3s%s ", "-", "*");
    else
        fprintf(out, "%3zu%s ", number, own ? "*" : " ");
    for (int option = 0; option < OPTIONS; option++) {
        char text[CELL];
        if (widths[option] > 0)
            fprintf(out, "%-*s", widths[option], cell(&result->merge, option, text));
    }
    for (int i = 0; i < SHOWN; i++)
        print_numbers(out, &result->metrics, shown[i], c->opened->state.finished);
    if (isnan(result->seconds))
        fprintf(out, "%9s\n", "-");
    else
        fprintf(out, "%9.1f\n", result->seconds);
}

/* The options that have one value in all rows that read them. */
static void print_common(FILE *out, const struct rows *rows)
{
    const char *before = "everywhere: ";
    for (int option = LAE_SWEEP_METHOD + 1; option < OPTIONS; option++) {
        char value[CELL] = "-";
        for (size_t row = 0; row < rows->count && strcmp(value, "-") == 0; row++)
            cell(&row_of(rows, row)->merge, option, value);
        if (rows->varies[option] || strcmp(value, "-") == 0) continue;
        fprintf(out, "%s%s %s", before, lae_sweep_name((enum lae_sweep_option)option), value);
        before = ", ";
    }
    if (strcmp(before, ", ") == 0) fputs(" (of the methods that read it)\n", out);
}

/* What the run stored against what was computed again. */
static void print_own(FILE *out, const struct rows *rows)
{
    const struct lae_comparison *c = rows->comparison;
    if (rows->own_first) fputs("* the run's own merge, as it stored it\n", out);
    for (size_t row = 0; row < c->done; row++) {
        if (!is_own(c, row)) continue;
        int differences = 0;
        for (int task = 0; task < c->opened->state.finished; task++)
            differences += lae_tables_differences(out, &c->results[row].metrics,
                                                  &c->stored->metrics, task, "the run's file");
        if (differences == 0)
            fputs("* the run's own merge; all accuracies are the same as it stored\n", out);
        else
            fprintf(out, "* the run's own merge; %d number(s) are not as it stored them\n",
                    differences);
    }
}

void lae_comparison_print(FILE *out, const struct lae_comparison *comparison)
{
    int widths[OPTIONS];
    struct rows rows = rows_of(comparison, comparison->done);
    struct lae_summary online = lae_metrics_summary(&comparison->stored->metrics, LAE_ONLINE,
                                                    comparison->opened->state.finished);
    measure(&rows, widths);
    print_header(out, widths);
    for (size_t row = 0; row < rows.count; row++)
        print_row(out, &rows, row, widths);
    fputc('\n', out);
    print_common(out, &rows);
    fprintf(out, "online alone: average %.2f, last %.2f, forgotten %.2f\n",
            online.average_incremental, online.last, online.forgetting);
    print_own(out, &rows);
    fflush(out);
}
