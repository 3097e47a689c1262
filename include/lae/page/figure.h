/* Figures: what is to be drawn, written as a script for gnuplot.
 *
 *     #!/usr/bin/env gnuplot       NAME.gp, whole by itself: the data are in it
 *     gnuplot NAME.gp              draws NAME.svg
 *     gnuplot -c NAME.gp light|dark svg|pdf FILE
 *
 * Colours are those of Okabe and Ito, which people with any kind of colour vision can tell apart,
 * and lines differ in their marks, too; what has an order, as blocks have, takes colours of
 * viridis.
 */
#ifndef LAE_PAGE_FIGURE_H
#define LAE_PAGE_FIGURE_H

#include "lae/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct lae_line {
    const char *label;    /* NULL: not in the legend */
    int colour;           /* 0, 1, ...; of a chart in order: the line's place in it */
    const double *x, *y;  /* [count]; NaN: a gap */
    const double *spread; /* [count] drawn as a band of y +- spread; NULL, NaN: none */
    size_t count;
    bool thin; /* a detail behind the others: faint, without marks */
};

struct lae_chart {
    const char *name; /* of the files */
    const char *title, *x_label, *y_label;
    const struct lae_line *lines;
    size_t count;
    int order;           /* > 0: colours in order, of so many places */
    bool marks;          /* a mark at each point */
    double low, high;    /* the y axis; NaN: from the data */
    bool whole;          /* x are whole numbers, as tasks are */
    const double *rules; /* [rule_count] x of thin vertical lines */
    size_t rule_count;
};

/* Numbers of 0 to 100 as coloured squares: row t, column k of values [size, size], which are called
 * t * step and k * step. */
struct lae_heat {
    const char *name, *title, *x_label, *y_label;
    const double *values; /* NaN: no square */
    int size;
    int step; /* 0: 1 */
};

/* The script into *script, free(). Errors: memory. */
lae_status lae_figure_chart(const struct lae_chart *chart, char **script) LAE_MUST_CHECK;
lae_status lae_figure_heat(const struct lae_heat *heat, char **script) LAE_MUST_CHECK;

/* A text in gnuplot's double quotes, which means nothing but itself there; "?" for what must not be
 * shown (see base/text.h). */
void lae_figure_quote(FILE *out, const char *text);

#endif
