#include "lae/report/comparison.h"

#include "lae/base/terminal.h"
#include "lae/report/tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CELL 24
#define NUMBERS 26 /* columns of a scorer's three numbers */
#define ABREAST 2  /* scorers in one table, at most */
#define SECONDS 9
#define WIDTH 80 /* of a table */
#define OPTIONS LAE_GRID_OPTIONS

/* ---- options */

/* An option's value, "-" where the method does not read it. */
static const char *cell(const struct lae_merge_options *merge, int option, char text[CELL])
{
    char *value = NULL;
    snprintf(text, CELL, "-");
    if (!lae_grid_reads(merge->method, (enum lae_grid_option)option)) return text;
    lae_status_free(lae_grid_value(merge, (enum lae_grid_option)option, &value));
    if (value != NULL) snprintf(text, CELL, "%s", value);
    free(value);
    return text;
}

static bool is_own(const struct lae_comparison *c, const struct lae_lab_result *result)
{
    return lae_merge_same(&result->merge, &c->stored->merge);
}

/* Rows of a table with `merges` of the merges. */
static size_t rows_of(const struct lae_comparison *c, size_t merges)
{
    return merges + (c->own_first ? 1 : 0);
}

static const struct lae_lab_result *row_of(const struct lae_comparison *c, size_t row)
{
    if (!c->own_first) return &c->results[row];
    return row == 0 ? c->stored : &c->results[row - 1];
}

/* The option's value in the first row that reads it; "-": none does. */
static const char *first_value(const struct lae_comparison *c, int option, char text[CELL])
{
    snprintf(text, CELL, "-");
    for (size_t row = 0; row < rows_of(c, c->count) && strcmp(text, "-") == 0; row++)
        cell(&row_of(c, row)->merge, option, text);
    return text;
}

static bool find_variety(const struct lae_comparison *c, int option)
{
    char first[CELL], other[CELL];
    first_value(c, option, first);
    for (size_t row = 0; row < rows_of(c, c->count); row++) {
        cell(&row_of(c, row)->merge, option, other);
        if (strcmp(other, "-") != 0 && strcmp(first, other) != 0) return true;
    }
    return false;
}

void lae_comparison_begin(struct lae_comparison *comparison)
{
    comparison->own_first = comparison->stored->merge.method->has_offline;
    for (size_t i = 0; i < comparison->count; i++)
        if (is_own(comparison, &comparison->results[i])) comparison->own_first = false;
    for (int option = 0; option < OPTIONS; option++)
        comparison->varies[option] = find_variety(comparison, option);
}

const char *lae_comparison_label(const struct lae_comparison *comparison, size_t row,
                                 char text[LAE_COMPARISON_LABEL])
{
    const struct lae_merge_options *merge = &comparison->results[row].merge;
    size_t used = (size_t)snprintf(text, LAE_COMPARISON_LABEL, "%s", merge->method->name);
    for (int option = LAE_GRID_METHOD + 1; option < OPTIONS; option++) {
        char value[CELL];
        if (!comparison->varies[option] || strcmp(cell(merge, option, value), "-") == 0) continue;
        if (used < LAE_COMPARISON_LABEL)
            used += (size_t)snprintf(text + used, LAE_COMPARISON_LABEL - used, ", %s %s",
                                     lae_grid_name((enum lae_grid_option)option), value);
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
static void measure(const struct lae_comparison *c, int widths[OPTIONS])
{
    for (int option = 0; option < OPTIONS; option++) {
        char text[CELL];
        bool column = option == LAE_GRID_METHOD || c->varies[option];
        size_t widest = strlen(lae_grid_name((enum lae_grid_option)option));
        for (size_t row = 0; row < rows_of(c, c->done); row++) {
            size_t length = strlen(cell(&row_of(c, row)->merge, option, text));
            if (length > widest) widest = length;
        }
        widths[option] = column ? (int)widest + 2 : 0;
    }
}

/* Scorers that stand abreast. */
struct block {
    const struct lae_scorer *scorers[ABREAST];
    int count;
    bool first; /* it has the seconds, too */
};

/* Columns of the number and the options. */
static int width_before(const int widths[OPTIONS])
{
    int before = 5;
    for (int option = 0; option < OPTIONS; option++)
        before += widths[option];
    return before;
}

/* So many options that no numbers fit beside them stand in a list above the tables. */
static void print_legend(FILE *out, const struct lae_comparison *c, int widths[OPTIONS])
{
    fputc('\n', out);
    for (size_t row = 0; row < c->done; row++) {
        char label[LAE_COMPARISON_LABEL];
        fprintf(out, "%3zu%s ", row + 1, is_own(c, &c->results[row]) ? "*" : " ");
        lae_text_wrap(out, lae_comparison_label(c, row, label), 5, WIDTH);
        fputc('\n', out);
    }
    for (int option = 0; option < OPTIONS; option++)
        widths[option] = 0;
}

static void print_header(FILE *out, const struct block *block, const int widths[OPTIONS])
{
    int before = width_before(widths);
    fprintf(out, "\n%*s", before, "");
    for (int i = 0; i < block->count; i++)
        fprintf(out, "%*s", NUMBERS, block->scorers[i]->name);
    fprintf(out, "\n%3s  ", "#");
    for (int option = 0; option < OPTIONS; option++)
        if (widths[option] > 0)
            fprintf(out, "%-*s", widths[option], lae_grid_name((enum lae_grid_option)option));
    for (int i = 0; i < block->count; i++)
        fprintf(out, "%9s%7s%10s", "average", "last", "forgotten");
    fprintf(out, "%s\n", block->first ? "  seconds" : "");
    for (int i = 0; i < before + block->count * NUMBERS + (block->first ? SECONDS : 0); i++)
        fputc('-', out);
    fputc('\n', out);
}

static void print_numbers(FILE *out, const struct lae_metrics *metrics, const char *scorer,
                          int finished)
{
    int at = lae_scorers_find(&metrics->scorers, scorer);
    struct lae_summary s = {.last = NAN};
    if (at >= 0) s = lae_metrics_summary(metrics, at, finished);
    if (isnan(s.last))
        fprintf(out, "%9s%7s%10s", "-", "-", "-");
    else
        fprintf(out, "%9.2f%7.2f%10.2f", s.average_incremental, s.last, s.forgetting);
}

static void print_row(FILE *out, const struct lae_comparison *c, size_t row,
                      const struct block *block, const int widths[OPTIONS])
{
    const struct lae_lab_result *result = row_of(c, row);
    size_t number = c->own_first ? row : row + 1;
    const char *mark = is_own(c, result) ? "*" : " ";
    if (number == 0)
        fprintf(out, "%3s%s ", "-", mark);
    else
        fprintf(out, "%3zu%s ", number, mark);
    for (int option = 0; option < OPTIONS; option++) {
        char text[CELL];
        if (widths[option] > 0)
            fprintf(out, "%-*s", widths[option], cell(&result->merge, option, text));
    }
    for (int i = 0; i < block->count; i++)
        print_numbers(out, &result->metrics, block->scorers[i]->name, c->opened->state.finished);
    if (block->first && isnan(result->seconds))
        fprintf(out, "%9s", "-");
    else if (block->first)
        fprintf(out, "%9.1f", result->seconds);
    fputc('\n', out);
}

/* The scorers that see offline, some abreast, one table below the other. */
static void print_tables(FILE *out, const struct lae_comparison *c)
{
    const struct lae_scorers *scorers = &c->results[0].metrics.scorers;
    struct block block = {.first = true};
    int widths[OPTIONS];
    measure(c, widths);
    if (width_before(widths) + NUMBERS + SECONDS > WIDTH) print_legend(out, c, widths);
    for (int i = 0; i < scorers->count; i++) {
        if (scorers->items[i].module == LAE_OFFLINE)
            block.scorers[block.count++] = &scorers->items[i];
        bool last = i + 1 == scorers->count;
        int room = WIDTH - width_before(widths) - (block.first ? SECONDS : 0);
        bool full = block.count == ABREAST || (block.count + 1) * NUMBERS > room;
        if (block.count == 0 || (!full && !last)) continue;
        print_header(out, &block, widths);
        for (size_t row = 0; row < rows_of(c, c->done); row++)
            print_row(out, c, row, &block, widths);
        block = (struct block){0};
    }
    fputc('\n', out);
}

/* What the run stored of scorers that do not see offline, of the heads that are evaluated. */
static void print_constant(FILE *out, const struct lae_comparison *c)
{
    const struct lae_metrics *metrics = &c->stored->metrics;
    struct lae_scorers evaluated = lae_scorers_of(c->opened->config.eval.heads, true, ~0U, ~0U);
    fprintf(out, "%-30s%9s%7s%10s\n", "the same with every merge", "average", "last", "forgotten");
    for (int i = 0; i < metrics->scorers.count; i++) {
        const struct lae_scorer *scorer = &metrics->scorers.items[i];
        if (scorer->module == LAE_OFFLINE || lae_scorers_find(&evaluated, scorer->name) < 0)
            continue;
        fprintf(out, "  %-28s", scorer->name);
        print_numbers(out, metrics, scorer->name, c->opened->state.finished);
        fputc('\n', out);
    }
}

/* The options that have one value in all rows that read them. */
static void print_common(FILE *out, const struct lae_comparison *c)
{
    char text[512] = "";
    for (int option = LAE_GRID_METHOD + 1; option < OPTIONS; option++) {
        char value[CELL];
        size_t used = strlen(text);
        if (c->varies[option] || strcmp(first_value(c, option, value), "-") == 0) continue;
        snprintf(text + used, sizeof text - used, "%s%s %s",
                 used > 0 ? ", " : "everywhere: ", lae_grid_name((enum lae_grid_option)option),
                 value);
    }
    if (text[0] == '\0') return;
    strncat(text, " (of the methods that read it)", sizeof text - strlen(text) - 1);
    lae_text_wrap(out, text, 0, WIDTH);
    fputs("\n\n", out);
}

/* What the run stored against what was computed again. */
static void print_own(FILE *out, const struct lae_comparison *c)
{
    if (c->own_first) fputs("\n* the run's own merge, as it stored it\n", out);
    for (size_t i = 0; i < c->done; i++) {
        if (!is_own(c, &c->results[i])) continue;
        int differences = 0;
        for (int task = 0; task < c->opened->state.finished; task++)
            differences += lae_tables_differences(out, &c->results[i].metrics, &c->stored->metrics,
                                                  task, LAE_SCORED_ALL, "the run's file");
        if (differences == 0)
            fputs("\n* the run's own merge; all accuracies are the same as it stored\n", out);
        else
            fprintf(out, "\n* the run's own merge; %d number(s) are not as it stored them\n",
                    differences);
    }
}

void lae_comparison_print(FILE *out, const struct lae_comparison *comparison)
{
    print_tables(out, comparison);
    print_common(out, comparison);
    print_constant(out, comparison);
    print_own(out, comparison);
    fflush(out);
}
