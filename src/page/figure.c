#include "lae/page/figure.h"

#include "lae/base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- colours: on white, and on the page's dark */

struct colour {
    const char *light, *dark;
};

/* Okabe and Ito (2008), made darker on white and lighter on dark where they would be faint. */
static const struct colour palette[] = {
    {"#0072b2", "#4aa8e8"}, {"#d55e00", "#ff8c4b"}, {"#009e73", "#2fc79c"}, {"#b0568e", "#e89cc8"},
    {"#b8860b", "#f0b840"}, {"#3a9bc8", "#8fd0f5"}, {"#111111", "#f2f2f2"}, {"#8a7d00", "#f0e442"},
};
#define PALETTE (int)(sizeof palette / sizeof palette[0])

/* Marks of gnuplot, told apart by their shape: circle, square, triangle, diamond; full, empty. */
static const int marks[] = {7, 5, 9, 13, 6, 4, 8, 12};

/* viridis at 0, 1/4, ... 1. */
static const unsigned char viridis[][3] = {
    {68, 1, 84}, {59, 82, 139}, {33, 145, 140}, {94, 201, 98}, {253, 231, 37}};

/* Its colour at a share of the way. */
static unsigned viridis_at(double share)
{
    int at = share >= 1.0 ? 3 : (int)(4.0 * share);
    double part = 4.0 * share - at;
    unsigned colour = 0;
    for (int i = 0; i < 3; i++) {
        double value = viridis[at][i] * (1.0 - part) + viridis[at + 1][i] * part;
        colour = colour << 8 | (unsigned)lround(value);
    }
    return colour;
}

/* Line number i's colour as gnuplot's variable cI. The ends of viridis, yellow on white and violet
 * on dark, are left out. */
static void write_colour(FILE *out, const struct lae_chart *chart, size_t i)
{
    int place = chart->lines[i].colour;
    if (chart->order > 0) {
        double share = chart->order > 1 ? (double)place / (chart->order - 1) : 0.0;
        fprintf(out, "c%zu = dark ? \"#%06x\" : \"#%06x\"\n", i, viridis_at(0.3 + 0.7 * share),
                viridis_at(0.8 * share));
    } else {
        const struct colour *colour = &palette[place % PALETTE];
        const char *alpha =
            chart->lines[i].thin ? "80" : ""; /* before the colour: 0 hides nothing */
        fprintf(out, "c%zu = dark ? \"#%s%s\" : \"#%s%s\"\n", i, alpha, colour->dark + 1, alpha,
                colour->light + 1);
    }
}

/* ---- what all scripts begin with */

void lae_figure_quote(FILE *out, const char *text)
{
    size_t plain;
    fputc('"', out);
    for (; *text != '\0'; text += plain) {
        plain = strcspn(text, "\"\\`$@\n");
        if (plain > 0)
            lae_text_print_part(out, text, plain);
        else
            fprintf(out, "\\%03o", (unsigned)text[plain++]);
    }
    fputc('"', out);
}

static void write_set(FILE *out, const char *what, const char *text)
{
    fprintf(out, "set %s ", what);
    lae_figure_quote(out, text);
    fputs(" textcolor rgb ink\n", out);
}

/* What the legend takes: gnuplot would take it from the plot. */
struct legend {
    int rows, columns;
};

/* As many columns as the longest label leaves room for. */
static struct legend legend_of(const struct lae_chart *chart)
{
    struct legend legend = {0, 3};
    int labels = 0;
    for (size_t i = 0; i < chart->count; i++) {
        if (chart->lines[i].label == NULL) continue;
        size_t length = strlen(chart->lines[i].label);
        int room = length <= 9 ? 3 : length <= 18 ? 2 : 1;
        if (room < legend.columns) legend.columns = room;
        labels++;
    }
    legend.rows = (labels + legend.columns - 1) / legend.columns;
    return legend;
}

static void write_beginning(FILE *out, const char *name, const char *title, const char *x_label,
                            const char *y_label, struct legend legend)
{
    fprintf(out,
            "#!/usr/bin/env gnuplot\n"
            "# gnuplot %s.gp                                  draws %s.svg\n"
            "# gnuplot -c %s.gp light|dark svg|pdf FILE       draws FILE\n"
            "reset\n"
            "dark = ARGC >= 1 && ARG1 eq \"dark\"\n"
            "pdf = ARGC >= 2 && ARG2 eq \"pdf\"\n"
            "file = ARGC >= 3 ? ARG3 : \"%s.svg\"\n"
            "paper = dark ? \"#16191f\" : \"#ffffff\"\n"
            "ink = dark ? \"#d7dbe0\" : \"#222222\"\n"
            "faint = dark ? \"#3a404a\" : \"#d8d8d8\"\n",
            name, name, name, name);
    fprintf(out,
            "if (pdf) {\n"
            "    set terminal pdfcairo noenhanced size 10cm,%.1fcm font \"sans,9\" background rgb "
            "paper\n"
            "} else {\n"
            "    set terminal svg noenhanced dynamic size 400,%d font \"sans-serif,13\" "
            "background paper name ",
            7.3 + 0.4 * legend.rows, 290 + 18 * legend.rows);
    lae_figure_quote(out, name);
    fputs("\n}\nset output file\n"
          "set border 3 linecolor rgb ink linewidth 0.7\n"
          "set tics nomirror out scale 0.5 textcolor rgb ink\n"
          "set key outside top center horizontal textcolor rgb ink samplen 1.5",
          out);
    fprintf(out, " maxcols %d\n", legend.columns);
    write_set(out, "title", title);
    write_set(out, "ylabel", y_label);
    write_set(out, "xlabel", x_label);
}

static lae_status end(FILE *out, char **script)
{
    bool failed = ferror(out) != 0;
    failed = fclose(out) != 0 || failed;
    if (!failed) return NULL;
    free(*script);
    *script = NULL;
    return lae_out_of_memory(0, "a figure");
}

static void write_number(FILE *out, double value)
{
    if (isfinite(value))
        fprintf(out, " %.9g", value);
    else
        fputs(" NaN", out);
}

/* ---- charts */

static bool has_spread(const struct lae_line *line)
{
    for (size_t i = 0; line->spread != NULL && i < line->count; i++)
        if (isfinite(line->spread[i])) return true;
    return false;
}

/* Columns: x, y, y - spread, y + spread. */
static void write_data(FILE *out, const struct lae_line *line, size_t i)
{
    fprintf(out, "$line%zu << EOD\n", i);
    for (size_t k = 0; k < line->count; k++) {
        double spread = line->spread != NULL && isfinite(line->spread[k]) ? line->spread[k] : 0.0;
        write_number(out, line->x[k]);
        write_number(out, line->y[k]);
        write_number(out, line->y[k] - spread);
        write_number(out, line->y[k] + spread);
        fputc('\n', out);
    }
    fputs("EOD\n", out);
}

static void write_line(FILE *out, const struct lae_chart *chart, size_t i)
{
    const struct lae_line *line = &chart->lines[i];
    bool marked = chart->marks && !line->thin;
    fprintf(out, "%s $line%zu using 1:2 with %s linecolor rgb c%zu linewidth %s",
            i == 0 ? "" : ", \\\n   ", i, marked ? "linespoints" : "lines", i,
            line->thin ? "0.6" : "1.6");
    if (marked)
        fprintf(out, " pointtype %d pointsize 0.45",
                marks[(size_t)line->colour % (sizeof marks / sizeof marks[0])]);
    if (chart->order == 0 && line->colour >= PALETTE) fputs(" dashtype 2", out);
    if (line->label != NULL) {
        fputs(" title ", out);
        lae_figure_quote(out, line->label);
    } else {
        fputs(" notitle", out);
    }
}

#define MOST_BANDS 4 /* more of them hide each other */

/* Bands lie below all lines. */
static void write_plot(FILE *out, const struct lae_chart *chart)
{
    fputs("set style fill transparent solid 0.18 noborder\nplot", out);
    for (size_t i = 0; i < chart->count && chart->count <= MOST_BANDS; i++)
        if (has_spread(&chart->lines[i]))
            fprintf(out,
                    " $line%zu using 1:3:4 with filledcurves linecolor rgb c%zu notitle, \\\n   ",
                    i, i);
    for (size_t i = 0; i < chart->count; i++)
        write_line(out, chart, i);
    fputs("\nunset output\n", out);
}

static void write_range(FILE *out, double low, double high)
{
    fputs("set yrange [", out);
    if (isfinite(low)) fprintf(out, "%.9g", low);
    fputc(':', out);
    if (isfinite(high)) fprintf(out, "%.9g", high);
    fputs("]\n", out);
}

/* Of all lines' x. */
static void find_ends(const struct lae_chart *chart, double *first, double *last)
{
    *first = INFINITY;
    *last = -INFINITY;
    for (size_t i = 0; i < chart->count; i++)
        for (size_t k = 0; k < chart->lines[i].count; k++) {
            *first = fmin(*first, chart->lines[i].x[k]);
            *last = fmax(*last, chart->lines[i].x[k]);
        }
}

/* The x axis ends where the data do; ten or so whole numbers at it. */
static void write_x_axis(FILE *out, const struct lae_chart *chart)
{
    double first, last;
    find_ends(chart, &first, &last);
    if (!isfinite(first) || !isfinite(last)) return;
    double room = last > first ? 0.03 * (last - first) : 0.5;
    fprintf(out, "set xrange [%.9g:%.9g]\n", first - room, last + room);
    if (chart->whole) fprintf(out, "set xtics %.9g\n", floor((last - first) / 10.0) + 1.0);
}

lae_status lae_figure_chart(const struct lae_chart *chart, char **script)
{
    size_t size;
    FILE *out = open_memstream(script, &size);
    if (out == NULL) return lae_out_of_memory(0, "a figure");
    write_beginning(out, chart->name, chart->title, chart->x_label, chart->y_label,
                    legend_of(chart));
    fputs("set grid ytics linetype 1 linecolor rgb faint linewidth 0.7\n", out);
    write_x_axis(out, chart);
    write_range(out, chart->low, chart->high);
    for (size_t i = 0; i < chart->rule_count; i++)
        fprintf(out,
                "set arrow from first %.9g, graph 0 rto 0, graph 1 nohead back linecolor rgb faint "
                "linewidth 0.7\n",
                chart->rules[i]);
    for (size_t i = 0; i < chart->count; i++) {
        write_colour(out, chart, i);
        write_data(out, &chart->lines[i], i);
    }
    write_plot(out, chart);
    return end(out, script);
}

/* ---- squares */

#define MOST_NUMBERS 12 /* rows up to which the squares hold their numbers */

static void write_squares(FILE *out, const struct lae_heat *heat, int step)
{
    fputs("$squares << EOD\n", out);
    for (int i = 0; i < heat->size * heat->size; i++)
        if (isfinite(heat->values[i]))
            fprintf(out, "%d %d %.4f\n", step * (i % heat->size), step * (i / heat->size),
                    heat->values[i]);
    fputs("EOD\n", out);
}

lae_status lae_figure_heat(const struct lae_heat *heat, char **script)
{
    size_t size;
    FILE *out = open_memstream(script, &size);
    if (out == NULL) return lae_out_of_memory(0, "a figure");
    int step = heat->step > 0 ? heat->step : 1, last = step * (heat->size - 1);
    double half = heat->size <= MOST_NUMBERS ? 0.48 : 0.5; /* a gap between large ones */
    write_beginning(out, heat->name, heat->title, heat->x_label, heat->y_label,
                    (struct legend){1, 1});
    fprintf(out,
            "if (dark) {\n"
            "    set palette defined (0 \"#1c2a3a\", 50 \"#2f6ea8\", 100 \"#cfe8ff\")\n"
            "} else {\n"
            "    set palette defined (0 \"#f2f7fc\", 50 \"#6aaed6\", 100 \"#08306b\")\n"
            "}\n"
            "set rmargin 9\nset cbrange [0:100]\nset cbtics 25\nset colorbox user origin graph "
            "1.03, graph 0 size graph 0.03, graph 1 noborder\n"
            "set xrange [%g:%g]\nset yrange [%g:%g]\nset xtics %d\nset ytics %d\n"
            "set style fill solid noborder\nunset key\n",
            -0.5 * step, last + 0.5 * step, last + 0.5 * step, -0.5 * step, (last + 10) / 10,
            (last + 10) / 10);
    write_squares(out, heat, step);
    fprintf(out,
            "# Numbers stand out from their squares.\n"
            "shade(v) = dark ? (v > 60 ? 0x101010 : 0xf2f2f2) : (v > 65 ? 0xffffff : 0x111111)\n"
            "half = %g\n"
            "plot $squares using 1:2:($1 - half):($1 + half):($2 - half):($2 + half):3 with "
            "boxxyerror linecolor palette",
            half * step);
    if (heat->size <= MOST_NUMBERS)
        fputs(", \\\n    $squares using 1:2:(sprintf(\"%.0f\", $3)):(shade($3)) with labels "
              "textcolor rgb variable",
              out);
    fputs("\nunset output\n", out);
    return end(out, script);
}
