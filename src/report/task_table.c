#include "lae/report/task_table.h"

#include "lae/base/sheet.h"
#include "lae/learn/progress.h"

#include <math.h>
#include <string.h>

static void write_title(FILE *out, int width, const struct lae_paint *paint,
                        const struct lae_task_table *table)
{
    char text[128], learned[64] = "", seconds[32];
    if (!isnan(table->seconds))
        snprintf(learned, sizeof learned, "learned in %s; ",
                 lae_progress_duration(table->seconds, seconds));
    snprintf(text, sizeof text, "%s%d classes seen; in task_%02d.h5", learned, table->classes,
             table->task);
    int label =
        fprintf(out, "%stask %d/%d%s  ", paint->strong, table->task + 1, table->tasks, paint->off);
    size_t indent = (size_t)label - strlen(paint->strong) - strlen(paint->off);
    lae_text_wrap(out, text, indent, (size_t)width);
    fputc('\n', out);
}

/* Columns of one width from task to task, as long as the tasks are less than a hundred. */
static void add_columns(struct lae_sheet *sheet, int tasks)
{
    lae_sheet_column(sheet, LAE_SHEET_KEY, "accuracy, %");
    lae_sheet_column(sheet, LAE_SHEET_KEY | LAE_SHEET_NUMBER, "  seen");
    lae_sheet_column(sheet, LAE_SHEET_KEY | LAE_SHEET_NUMBER, "average");
    lae_sheet_column(sheet, LAE_SHEET_KEY | LAE_SHEET_NUMBER, "forgetting");
    for (int task = 0; task < tasks; task++) {
        char title[16];
        snprintf(title, sizeof title, task < 10 ? " t%d" : "t%d", task);
        lae_sheet_column(sheet, LAE_SHEET_NUMBER | LAE_SHEET_TIGHT | LAE_SHEET_OPTIONAL, title);
    }
}

static void add_row(struct lae_sheet *sheet, const struct lae_task_table *table, int scorer)
{
    const struct lae_metrics *metrics = table->metrics;
    const double *accuracy = metrics->accuracy[scorer] + lae_metrics_row(table->task);
    struct lae_summary summary = lae_metrics_summary(metrics, scorer, table->task + 1);
    lae_sheet_row(sheet);
    lae_sheet_text(sheet, "%s", metrics->scorers.items[scorer].name);
    lae_sheet_number(sheet, 2, summary.last);
    lae_sheet_number(sheet, 2, summary.average_incremental);
    lae_sheet_number(sheet, 2, summary.forgetting);
    for (int task = 0; task <= table->task; task++)
        lae_sheet_number(sheet, 0, accuracy[task]);
}

/* Where memory is out, there is a title and no table; training goes on. */
void lae_task_table_write(FILE *out, int width, const struct lae_paint *paint, const void *context)
{
    const struct lae_task_table *table = context;
    struct lae_sheet sheet = {0};
    write_title(out, width, paint, table);
    add_columns(&sheet, table->task + 1);
    for (int i = 0; i < table->metrics->scorers.count; i++)
        add_row(&sheet, table, i);
    lae_status_free(lae_sheet_write(&sheet, out, width, paint));
}
