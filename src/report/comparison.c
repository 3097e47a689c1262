#include "lae/report/comparison.h"

#include "lae/base/sheet.h"
#include "lae/report/tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CELL 24
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

static bool is_own(const struct lae_comparison *c, const struct lae_replayer_result *result)
{
    return lae_merge_same(&result->merge, &c->stored->merge);
}

/* Rows of a table with `merges` of the merges. */
static size_t rows_of(const struct lae_comparison *c, size_t merges)
{
    return merges + (c->own_first ? 1 : 0);
}

static const struct lae_replayer_result *row_of(const struct lae_comparison *c, size_t row)
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

/* So many options that no numbers fit beside them stand in a list above the tables. */
static void print_legend(FILE *out, const struct lae_comparison *c)
{
    fputc('\n', out);
    for (size_t row = 0; row < c->done; row++) {
        char label[LAE_COMPARISON_LABEL];
        fprintf(out, "%3zu%s ", row + 1, is_own(c, &c->results[row]) ? "*" : " ");
        lae_text_wrap(out, lae_comparison_label(c, row, label), 5,
                      (size_t)lae_terminal_output_width());
        fputc('\n', out);
    }
}

/* `scorer` NULL: without a name above them. */
static void add_number_columns(struct lae_sheet *sheet, const char *scorer)
{
    char last[64];
    snprintf(last, sizeof last, "%s\nforgotten", scorer != NULL ? scorer : "");
    lae_sheet_column(sheet, LAE_SHEET_NUMBER, "average");
    lae_sheet_column(sheet, LAE_SHEET_NUMBER | LAE_SHEET_JOINED, "last");
    lae_sheet_column(sheet, LAE_SHEET_NUMBER | LAE_SHEET_JOINED, last);
}

static void add_numbers(struct lae_sheet *sheet, const struct lae_metrics *metrics,
                        const char *scorer, int finished)
{
    int at = lae_scorers_find(&metrics->scorers, scorer);
    struct lae_summary s = {NAN, NAN, NAN, NAN};
    if (at >= 0) s = lae_metrics_summary(metrics, at, finished);
    bool known = !isnan(s.last);
    lae_sheet_number(sheet, 2, known ? s.average_incremental : NAN);
    lae_sheet_number(sheet, 2, s.last);
    lae_sheet_number(sheet, 2, known ? s.forgetting : NAN);
}

static bool has_column(const struct lae_comparison *c, int option, bool options)
{
    return options && (option == LAE_GRID_METHOD || c->varies[option]);
}

/* The scorer before which the seconds stand: behind the first two that are shown. */
static int seconds_before(const struct lae_scorers *scorers)
{
    int i = 0;
    for (int shown = 0; i < scorers->count && shown < 2; i++)
        shown += scorers->items[i].view == LAE_VIEW_OFFLINE;
    return i;
}

static void add_columns(struct lae_sheet *sheet, const struct lae_comparison *c, bool options)
{
    const struct lae_scorers *scorers = &c->results[0].metrics.scorers;
    lae_sheet_column(sheet, LAE_SHEET_KEY | LAE_SHEET_NUMBER, "#");
    for (int option = 0; option < OPTIONS; option++)
        if (has_column(c, option, options))
            lae_sheet_column(sheet,
                             LAE_SHEET_KEY | (option == LAE_GRID_METHOD ? LAE_SHEET_TIGHT : 0),
                             lae_grid_name((enum lae_grid_option)option));
    for (int i = 0; i <= scorers->count; i++) {
        if (i == seconds_before(scorers)) lae_sheet_column(sheet, LAE_SHEET_NUMBER, "seconds");
        if (i < scorers->count && scorers->items[i].view == LAE_VIEW_OFFLINE)
            add_number_columns(sheet, scorers->items[i].name);
    }
}

static void add_row(struct lae_sheet *sheet, const struct lae_comparison *c, size_t row,
                    bool options)
{
    const struct lae_replayer_result *result = row_of(c, row);
    const struct lae_scorers *scorers = &c->results[0].metrics.scorers;
    size_t number = c->own_first ? row : row + 1;
    const char *mark = is_own(c, result) ? "*" : " ";
    lae_sheet_row(sheet);
    if (number == 0)
        lae_sheet_text(sheet, "-%s", mark);
    else
        lae_sheet_text(sheet, "%zu%s", number, mark);
    for (int option = 0; option < OPTIONS; option++) {
        char text[CELL];
        if (has_column(c, option, options))
            lae_sheet_text(sheet, "%s", cell(&result->merge, option, text));
    }
    for (int i = 0; i <= scorers->count; i++) {
        if (i == seconds_before(scorers)) lae_sheet_number(sheet, 1, result->seconds);
        if (i < scorers->count && scorers->items[i].view == LAE_VIEW_OFFLINE)
            add_numbers(sheet, &result->metrics, scorers->items[i].name,
                        c->restored->state.finished);
    }
}

static struct lae_sheet new_sheet(const struct lae_comparison *c, bool options)
{
    struct lae_sheet sheet = {0};
    add_columns(&sheet, c, options);
    lae_sheet_rule(&sheet);
    for (size_t row = 0; row < rows_of(c, c->done); row++)
        add_row(&sheet, c, row, options);
    return sheet;
}

/* The scorers that see offline, some abreast, one block below the other. */
static lae_status print_tables(FILE *out, const struct lae_comparison *c)
{
    struct lae_sheet sheet = new_sheet(c, true);
    if (!lae_sheet_fits(&sheet, lae_terminal_output_width())) {
        lae_sheet_free(&sheet);
        print_legend(out, c);
        sheet = new_sheet(c, false);
    }
    fputc('\n', out);
    LAE_TRY(lae_sheet_print(&sheet, out));
    fputc('\n', out);
    return NULL;
}

/* What the run stored of scorers that do not see offline, of the heads that are evaluated. */
static lae_status print_constant(FILE *out, const struct lae_comparison *c)
{
    const struct lae_metrics *metrics = &c->stored->metrics;
    struct lae_scorers evaluated = lae_scorers_of(c->restored->config.eval.heads, true, ~0U, ~0U);
    struct lae_sheet sheet = {0};
    lae_sheet_column(&sheet, LAE_SHEET_KEY, "the same with every merge");
    add_number_columns(&sheet, NULL);
    for (int i = 0; i < metrics->scorers.count; i++) {
        const struct lae_scorer *scorer = &metrics->scorers.items[i];
        if (scorer->view == LAE_VIEW_OFFLINE || lae_scorers_find(&evaluated, scorer->name) < 0)
            continue;
        lae_sheet_row(&sheet);
        lae_sheet_text(&sheet, "  %s", scorer->name);
        add_numbers(&sheet, metrics, scorer->name, c->restored->state.finished);
    }
    return lae_sheet_print(&sheet, out);
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
    lae_text_wrap(out, text, 0, (size_t)lae_terminal_output_width());
    fputs("\n\n", out);
}

/* What the run stored against what was computed again. */
static void print_own(FILE *out, const struct lae_comparison *c)
{
    if (c->own_first) fputs("\n* the run's own merge, as it stored it\n", out);
    for (size_t i = 0; i < c->done; i++) {
        if (!is_own(c, &c->results[i])) continue;
        int differences = 0;
        for (int task = 0; task < c->restored->state.finished; task++)
            differences += lae_tables_differences(out, &c->results[i].metrics, &c->stored->metrics,
                                                  task, LAE_SCORED_ALL, "the run's file");
        if (differences == 0)
            fputs("\n* the run's own merge; all accuracies are the same as it stored\n", out);
        else
            fprintf(out, "\n* the run's own merge; %d number(s) are not as it stored them\n",
                    differences);
    }
}

lae_status lae_comparison_print(FILE *out, const struct lae_comparison *comparison)
{
    LAE_TRY(print_tables(out, comparison));
    print_common(out, comparison);
    LAE_TRY(print_constant(out, comparison));
    print_own(out, comparison);
    fflush(out);
    return NULL;
}
