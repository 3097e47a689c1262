#include "lae/report/task_table.h"

#include "lae/learn/progress.h"

#include <math.h>
#include <string.h>

#define SUMMARY_WIDTH 28 /* of the columns seen, average and forgetting */
#define LEFT_OUT (-1)

/* The columns that fit: the number of a task, or LEFT_OUT for those between. */
struct columns {
    int width; /* of each */
    int count, first, last;
};

static int name_width(const struct lae_metrics *metrics)
{
    size_t width = strlen("accuracy, %");
    for (int i = 0; i < metrics->scorers.count; i++)
        if (strlen(metrics->scorers.items[i].name) > width)
            width = strlen(metrics->scorers.items[i].name);
    return (int)width;
}

static struct columns fit(int tasks, int room)
{
    struct columns c = {.width = tasks > 100 ? 5 : 4, .count = tasks, .first = tasks};
    int most = room > 0 ? room / c.width : 0;
    if (tasks <= most) return c;
    c.count = most < 3 ? 0 : most;
    c.first = c.count / 2;
    c.last = c.count - c.first - 1;
    return c;
}

static int task_of(const struct columns *c, int column, int tasks)
{
    if (column < c->first) return column;
    return column == c->first ? LEFT_OUT : tasks - (c->count - column);
}

static void write_number(FILE *out, int width, int decimals, double value)
{
    if (isnan(value))
        fprintf(out, "%*s", width, "-");
    else
        fprintf(out, "%*.*f", width, decimals, value);
}

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

static void write_header(FILE *out, const struct lae_paint *paint, int name,
                         const struct columns *columns, int tasks)
{
    fprintf(out, "%s%-*s%8s%9s%11s", paint->faint, name, "accuracy, %", "seen", "average",
            "forgetting");
    for (int i = 0; i < columns->count; i++) {
        char text[16] = "..";
        int task = task_of(columns, i, tasks);
        if (task != LEFT_OUT) snprintf(text, sizeof text, "t%d", task);
        fprintf(out, "%*s", columns->width, text);
    }
    fprintf(out, "%s\n", paint->off);
}

static void write_row(FILE *out, const struct lae_task_table *table, int scorer, int name,
                      const struct columns *columns)
{
    const struct lae_metrics *metrics = table->metrics;
    const double *accuracy = metrics->accuracy[scorer] + lae_metrics_row(table->task);
    struct lae_summary summary = lae_metrics_summary(metrics, scorer, table->task + 1);
    fprintf(out, "%-*s", name, metrics->scorers.items[scorer].name);
    write_number(out, 8, 2, summary.last);
    write_number(out, 9, 2, summary.average_incremental);
    write_number(out, 11, 2, summary.forgetting);
    for (int i = 0; i < columns->count; i++) {
        int task = task_of(columns, i, table->task + 1);
        if (task == LEFT_OUT)
            fprintf(out, "%*s", columns->width, "");
        else
            write_number(out, columns->width, 0, accuracy[task]);
    }
    fputc('\n', out);
}

void lae_task_table_write(FILE *out, int width, const struct lae_paint *paint, const void *context)
{
    const struct lae_task_table *table = context;
    int name = name_width(table->metrics), tasks = table->task + 1;
    struct columns columns = fit(tasks, width - name - SUMMARY_WIDTH);
    write_title(out, width, paint, table);
    write_header(out, paint, name, &columns, tasks);
    for (int i = 0; i < table->metrics->scorers.count; i++)
        write_row(out, table, i, name, &columns);
}
