/* Figures drawn by gnuplot, which is a program of its own: where it is missing, there are none. */
#ifndef LAE_PAGE_GNUPLOT_H
#define LAE_PAGE_GNUPLOT_H

#include "lae/base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct lae_drawing {
    char *name;         /* of the files: letters, digits and '_' */
    char *script;       /* see figure.h */
    char *light, *dark; /* the SVG for either kind of screen; NULL: not drawn */
    size_t light_size, dark_size;
    char *refusal; /* why gnuplot did not draw it; NULL: it did, or was not there */
};

/* Draws all of them: DIRECTORY/NAME.gp, NAME.svg (light) and NAME.pdf, each atomically, and both
 * SVG into memory. The directory is made where there is none. *found is false where there is no
 * gnuplot: the scripts alone are written. A figure that gnuplot does not like has its refusal, and
 * the others are drawn. Errors: the directory, a full disk, memory; gnuplot's words where it draws
 * nothing at all. */
lae_status lae_gnuplot_draw(const char *directory, struct lae_drawing *drawings, size_t count,
                            bool *found) LAE_MUST_CHECK;

#endif
