/* Which figures the page has, and what is drawn in them. */
#include "sections.h"

#include "lae/page/figure.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NAME 160
#define CURVE_POINTS 400 /* of a line, and some more for its tasks */

/* ---- the list */

/* Letters, digits and '_' alone, as gnuplot wants it; whatever else there is becomes one '_'. */
static void name_file(char name[NAME], const char *format, ...) LAE_PRINTF(2, 3);
static void name_file(char name[NAME], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, NAME, format, arguments);
    va_end(arguments);
    char *to = name;
    for (const char *c = name; *c != '\0'; c++) {
        bool plain = isalnum((unsigned char)*c) != 0;
        if (plain || to == name || to[-1] != '_') *to++ = plain ? *c : '_';
    }
    *to = '\0';
}

static bool is_taken(const struct lae_page *page, const char *name)
{
    for (size_t i = 0; i < page->figure_count; i++)
        if (strcmp(page->drawings[i].name, name) == 0) return true;
    return false;
}

static lae_status grow(struct lae_page *page)
{
    size_t count = page->figure_count + 1;
    struct lae_page_figure *figures = realloc(page->figures, count * sizeof *figures);
    if (figures != NULL) page->figures = figures;
    struct lae_drawing *drawings = realloc(page->drawings, count * sizeof *drawings);
    if (drawings != NULL) page->drawings = drawings;
    if (figures == NULL || drawings == NULL) return lae_out_of_memory(count * 96, "figures");
    figures[count - 1] = (struct lae_page_figure){0};
    drawings[count - 1] = (struct lae_drawing){0};
    page->figure_count = count;
    return NULL;
}

/* A new figure, whose name is made another where there is one of that name; `name` is changed. */
static lae_status add(struct lae_page *page, enum lae_page_section section, char name[NAME],
                      const char *alt, struct lae_page_figure **figure)
{
    size_t length = strlen(name);
    for (int again = 2; is_taken(page, name); again++)
        snprintf(name + length, NAME - length, "_%d", again);
    LAE_TRY(grow(page));
    *figure = &page->figures[page->figure_count - 1];
    (*figure)->section = section;
    (*figure)->alt = strdup(alt);
    page->drawings[page->figure_count - 1].name = strdup(name);
    bool fine = (*figure)->alt != NULL && page->drawings[page->figure_count - 1].name != NULL;
    return fine ? NULL : lae_out_of_memory(strlen(alt), "a figure");
}

/* The newest figure's. */
static char **script_of(struct lae_page *page)
{
    return &page->drawings[page->figure_count - 1].script;
}

/* ---- charts */

/* Lines with memory of their own: [lines] times [points] of x, y, spread. */
struct lines {
    struct lae_line *items;
    double *memory;
    size_t points;
};

static void free_lines(struct lines *lines)
{
    free(lines->items);
    free(lines->memory);
}

static lae_status make_lines(struct lines *lines, size_t count, size_t points)
{
    lines->items = calloc(count + 1, sizeof *lines->items);
    lines->memory = calloc(3 * count * points + 1, sizeof *lines->memory);
    lines->points = points;
    if (lines->items != NULL && lines->memory != NULL) return NULL;
    free_lines(lines);
    return lae_out_of_memory(24 * count * points, "a figure");
}

/* Point k of line i. */
static void set_point(struct lines *lines, size_t i, size_t k, double x, double y, double spread)
{
    double *memory = lines->memory + 3 * i * lines->points;
    memory[k] = x;
    memory[lines->points + k] = y;
    memory[2 * lines->points + k] = spread;
}

static void end_line(struct lines *lines, size_t i, const char *label, int colour, size_t count)
{
    const double *memory = lines->memory + 3 * i * lines->points;
    lines->items[i] = (struct lae_line){
        .label = label,
        .colour = colour,
        .x = memory,
        .y = memory + lines->points,
        .spread = memory + 2 * lines->points,
        .count = count,
    };
}

static lae_status add_chart(struct lae_page *page, enum lae_page_section section,
                            struct lae_chart *chart, char name[NAME])
{
    struct lae_page_figure *figure;
    char alt[512];
    snprintf(alt, sizeof alt, "Line chart: %s; %s by %s. The numbers are in the tables.",
             chart->title, chart->y_label, chart->x_label);
    LAE_TRY(add(page, section, name, alt, &figure));
    chart->name = name;
    return lae_figure_chart(chart, script_of(page));
}

/* ---- what is measured after each task */

/* A kind of chart by task. */
struct by_task {
    enum lae_page_section section;
    const char *name, *title, *y_label;
    lae_value *value;
    double low, high;
    int first; /* task */
};

static void fill_by_task(struct lines *lines, size_t i, const struct by_task *kind,
                         const struct lae_group *group, const char *scorer)
{
    for (int task = kind->first; task < group->finished; task++) {
        struct lae_moments m = lae_group_moments(group, scorer, kind->value, task, 0);
        set_point(lines, i, (size_t)(task - kind->first), task, m.mean, m.deviation);
    }
}

static size_t points_of(const struct by_task *kind, const struct lae_group *group)
{
    return group->finished > kind->first ? (size_t)(group->finished - kind->first) : 0;
}

/* A group by itself: a line a scorer. */
static lae_status chart_scorers(struct lae_page *page, const struct by_task *kind,
                                const struct lae_group *group)
{
    struct lines lines;
    char name[NAME];
    size_t points = points_of(kind, group);
    if (points == 0) return NULL;
    LAE_TRY(make_lines(&lines, page->scorer_count, points));
    for (size_t i = 0; i < page->scorer_count; i++) {
        fill_by_task(&lines, i, kind, group, page->scorers[i]);
        end_line(&lines, i, page->scorers[i], (int)i, points);
    }
    struct lae_chart chart = {.title = kind->title,
                              .x_label = "after task",
                              .y_label = kind->y_label,
                              .lines = lines.items,
                              .count = page->scorer_count,
                              .marks = true,
                              .whole = true,
                              .low = kind->low,
                              .high = kind->high};
    name_file(name, "%s", kind->name);
    lae_status status = add_chart(page, kind->section, &chart, name);
    free_lines(&lines);
    return status;
}

/* A scorer by itself: a line a group. */
static lae_status chart_groups(struct lae_page *page, const struct by_task *kind,
                               const char *scorer)
{
    struct lines lines;
    char name[NAME], title[NAME];
    size_t most = 0, count = 0;
    for (size_t i = 0; i < page->groups.count; i++)
        if (points_of(kind, &page->groups.items[i]) > most)
            most = points_of(kind, &page->groups.items[i]);
    if (most == 0) return NULL;
    LAE_TRY(make_lines(&lines, page->groups.count, most));
    for (size_t i = 0; i < page->groups.count; i++) {
        const struct lae_group *group = &page->groups.items[i];
        if (lae_group_moments(group, scorer, kind->value, kind->first, 0).count == 0) continue;
        fill_by_task(&lines, count, kind, group, scorer);
        end_line(&lines, count++, group->label, (int)i, points_of(kind, group));
    }
    snprintf(title, sizeof title, "%s: %s", kind->title, scorer);
    struct lae_chart chart = {.title = title,
                              .x_label = "after task",
                              .y_label = kind->y_label,
                              .lines = lines.items,
                              .count = count,
                              .marks = true,
                              .whole = true,
                              .low = kind->low,
                              .high = kind->high};
    name_file(name, "%s_%s", kind->name, scorer);
    lae_status status = count > 0 ? add_chart(page, kind->section, &chart, name) : NULL;
    free_lines(&lines);
    return status;
}

static lae_status chart_by_task(struct lae_page *page, const struct by_task *kind)
{
    if (page->groups.count == 1) return chart_scorers(page, kind, &page->groups.items[0]);
    for (size_t i = 0; i < page->scorer_count; i++)
        LAE_TRY(chart_groups(page, kind, page->scorers[i]));
    return NULL;
}

/* ---- matrices */

static lae_status draw_matrix(struct lae_page *page, const struct lae_group *group,
                              const char *scorer)
{
    char name[NAME], title[NAME], alt[2 * NAME + 160];
    int step = lae_page_matrix_step(group);
    size_t rows = (size_t)((group->finished + step - 1) / step);
    double *values = malloc((rows * rows + 1) * sizeof *values);
    if (values == NULL) return lae_out_of_memory(rows * rows * 8, "a matrix");
    for (size_t i = 0; i < rows * rows; i++)
        values[i] = lae_group_moments(group, scorer, lae_value_accuracy, step * (int)(i / rows),
                                      step * (int)(i % rows))
                        .mean;
    bool several = page->groups.count > 1;
    snprintf(title, sizeof title, "%s%s%.60s", several ? group->label : "", several ? ", " : "",
             scorer);
    snprintf(alt, sizeof alt,
             "Heat map of the accuracy matrix of %s: a row for after each task, a column for each "
             "task's images; the numbers are in the table below it.",
             title);
    struct lae_heat heat = {.title = title,
                            .x_label = "on the images of task",
                            .y_label = "after task",
                            .values = values,
                            .size = (int)rows,
                            .step = step};
    if (several)
        name_file(name, "matrix_%.60s_%.60s", group->label, scorer);
    else
        name_file(name, "matrix_%.60s", scorer);
    struct lae_page_figure *figure;
    lae_status status = add(page, LAE_PAGE_MATRIX, name, alt, &figure);
    if (status == NULL) {
        figure->group = group;
        figure->scorer = scorer;
        heat.name = name;
        status = lae_figure_heat(&heat, script_of(page));
    }
    free(values);
    return status;
}

static lae_status draw_matrices(struct lae_page *page)
{
    for (size_t g = 0; g < page->groups.count; g++)
        for (size_t i = 0; i < page->scorer_count; i++) {
            const struct lae_group *group = &page->groups.items[g];
            if (lae_group_moments(group, page->scorers[i], lae_value_seen, 0, 0).count > 0)
                LAE_TRY(draw_matrix(page, group, page->scorers[i]));
        }
    return NULL;
}

/* ---- curves of training */

/* Where tasks begin, of the run's curve: [at most `most`]; returns how many. */
static size_t find_rules(const struct lae_curve *curve, double *rules, size_t most)
{
    size_t count = 0;
    for (size_t i = 1; i < curve->count && count < most; i++)
        if (curve->points[i].task != curve->points[i - 1].task)
            rules[count++] = (double)curve->points[i - 1].step + 0.5;
    return count;
}

/* The curves of all runs, thinned: each run's steps, then its epochs. */
struct curves {
    struct lae_curve *items; /* [count] */
    size_t count, longest;   /* points, with a gap at each */
    bool detail;             /* there are steps */
};

static void free_curves(struct curves *curves)
{
    for (size_t i = 0; curves->items != NULL && i < curves->count; i++)
        lae_curve_free(&curves->items[i]);
    free(curves->items);
}

static lae_status thin_curves(const struct lae_page *page, struct curves *curves)
{
    *curves = (struct curves){.count = 2 * page->run_count};
    curves->items = calloc(curves->count, sizeof *curves->items);
    if (curves->items == NULL) return lae_out_of_memory(curves->count * 32, "curves");
    for (size_t i = 0; i < curves->count; i++) {
        const struct lae_run *run = &page->runs[i / 2];
        const struct lae_curve *whole = i % 2 == 0 ? &run->steps : &run->epochs;
        LAE_TRY(lae_curve_thin(whole, CURVE_POINTS, &curves->items[i]));
        size_t points = 2 * curves->items[i].count;
        if (points > curves->longest) curves->longest = points;
        if (i % 2 == 0 && points > 0) curves->detail = true;
    }
    return NULL;
}

/* Returns how many points it has: none where no value is known. */
static size_t fill_curve(struct lines *lines, size_t i, const struct lae_curve *curve,
                         bool accuracy)
{
    size_t count = 0, known = 0;
    for (size_t k = 0; k < curve->count; k++) {
        const struct lae_curve_point *point = &curve->points[k];
        double x = (double)point->step, y = accuracy ? point->accuracy : point->loss;
        if (k > 0 && point->task != curve->points[k - 1].task)
            set_point(lines, i, count++, x, NAN, NAN); /* a gap between tasks */
        set_point(lines, i, count++, x, y, NAN);
        if (isfinite(y)) known++;
    }
    return known > 0 ? count : 0;
}

/* Runs of one group have one colour where there are several groups, else each its own. */
static void fill_curves(const struct lae_page *page, const struct curves *curves,
                        struct lines *lines, bool accuracy, size_t *count)
{
    bool several = page->groups.count > 1;
    *count = 0;
    for (size_t g = 0; g < page->groups.count; g++) {
        const struct lae_group *group = &page->groups.items[g];
        for (size_t r = 0; r < 2 * group->count; r++) {
            const struct lae_run *run = group->runs[r / 2];
            size_t which = 2 * (size_t)(run - page->runs) + r % 2;
            const char *label = !several ? run->name : r / 2 == 0 ? group->label : NULL;
            size_t points = fill_curve(lines, *count, &curves->items[which], accuracy);
            bool thin = r % 2 == 0, alone = page->run_count == 1 || thin;
            if (points == 0) continue;
            end_line(lines, *count, alone ? NULL : label, (int)(several ? g : r / 2), points);
            lines->items[(*count)++].thin = thin;
        }
    }
}

static const struct lae_curve *longest_curve(const struct lae_page *page)
{
    const struct lae_curve *longest = &page->runs[0].epochs;
    for (size_t i = 1; i < page->run_count; i++)
        if (page->runs[i].epochs.count > longest->count) longest = &page->runs[i].epochs;
    return longest;
}

static lae_status draw_curves(struct lae_page *page, const struct curves *curves, bool accuracy)
{
    struct lines lines;
    char name[NAME];
    double rules[64];
    size_t count;
    LAE_TRY(make_lines(&lines, curves->count, curves->longest));
    fill_curves(page, curves, &lines, accuracy, &count);
    struct lae_chart chart = {
        .title = accuracy ? "Accuracy in training, among the task's classes" : "Loss in training",
        .x_label = curves->detail ? "training step (epochs marked; thin: some steps together)"
                                  : "training step (epochs marked)",
        .y_label = accuracy ? "accuracy, %" : "loss",
        .lines = lines.items,
        .count = count,
        .marks = true,
        .low = accuracy ? 0.0 : NAN,
        .high = accuracy ? 100.0 : NAN,
        .rules = rules,
        .rule_count = find_rules(longest_curve(page), rules, sizeof rules / sizeof rules[0]),
    };
    name_file(name, accuracy ? "training_accuracy" : "loss");
    lae_status status = count > 0 ? add_chart(page, LAE_PAGE_LOSS, &chart, name) : NULL;
    free_lines(&lines);
    return status;
}

static lae_status chart_curves(struct lae_page *page)
{
    struct curves curves;
    lae_status status = thin_curves(page, &curves);
    if (status == NULL) status = draw_curves(page, &curves, false);
    if (status == NULL) status = draw_curves(page, &curves, true);
    free_curves(&curves);
    return status;
}

/* ---- merges */

static lae_status chart_merge(struct lae_page *page, const struct lae_group *group,
                              const struct lae_page_merge_value *value)
{
    struct lines lines;
    int blocks = lae_page_merge_blocks(group);
    size_t points = (size_t)group->finished, count = 0;
    char name[NAME], title[NAME], labels[64][32];
    if (blocks == 0 || !lae_page_merge_tells(group, value)) return NULL;
    LAE_TRY(make_lines(&lines, (size_t)blocks, points));
    for (int block = 0; block < blocks; block++) {
        size_t known = 0;
        for (int task = 1; task < group->finished; task++) {
            struct lae_moments m = lae_page_merge_moments(group, task, block, value);
            set_point(&lines, count, (size_t)task - 1, task, m.mean, m.deviation);
            known += m.count;
        }
        if (known == 0) continue;
        snprintf(labels[count % 64], sizeof labels[0], "block %d", block);
        end_line(&lines, count, count < 64 ? labels[count] : NULL, block, points - 1);
        count++;
    }
    bool several = page->groups.count > 1;
    snprintf(title, sizeof title, "%s%s%s", several ? group->label : "", several ? ": " : "",
             value->title);
    struct lae_chart chart = {.title = title,
                              .x_label = "after task",
                              .y_label = value->unit,
                              .lines = lines.items,
                              .count = count,
                              .order = blocks,
                              .marks = true,
                              .whole = true,
                              .low = 0.0,
                              .high = NAN};
    if (several)
        name_file(name, "merge_%.80s_%s", group->label, value->name);
    else
        name_file(name, "merge_%s", value->name);
    lae_status status = add_chart(page, LAE_PAGE_MERGES, &chart, name);
    free_lines(&lines);
    return status;
}

static lae_status chart_merges(struct lae_page *page)
{
    for (size_t g = 0; g < page->groups.count; g++)
        for (int i = 0; i < LAE_PAGE_MERGE_VALUES; i++)
            LAE_TRY(chart_merge(page, &page->groups.items[g], &lae_page_merge_values[i]));
    return NULL;
}

lae_status lae_page_make_figures(struct lae_page *page)
{
    static const struct by_task kinds[] = {
        {LAE_PAGE_ACCURACY, "accuracy", "Accuracy over all seen classes", "accuracy, %",
         lae_value_seen, NAN, NAN, 0},
        {LAE_PAGE_FORGETTING, "forgetting", "Forgetting", "points", lae_value_forgetting, NAN, NAN,
         1},
    };
    LAE_TRY(chart_by_task(page, &kinds[0]));
    LAE_TRY(draw_matrices(page));
    LAE_TRY(chart_by_task(page, &kinds[1]));
    LAE_TRY(chart_curves(page));
    return chart_merges(page);
}
