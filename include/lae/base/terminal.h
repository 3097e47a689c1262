/* What people see through: a terminal, its width, its colours.
 *
 * mpirun gives its ranks pipes and copies what comes through them; where the standard output or
 * error of a rank's parent is a terminal, so is the rank's in effect. */
#ifndef LAE_BASE_TERMINAL_H
#define LAE_BASE_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Escape sequences for parts of a text; all empty where there are no colours. */
struct lae_paint {
    const char *strong, *good, *alarm, *faint, *off;
};

/* A descriptor of the terminal that what is written to `fd` (1 or 2) ends at, or -1. Close it with
 * lae_terminal_close. */
int lae_terminal_find(int fd);
void lae_terminal_close(int terminal); /* -1 is allowed */

/* Whether what is written to 1 and to 2 ends at one place, a terminal, pipe or file. Through a
 * launcher, which copies what comes through two pipes, it may then come in another order than it
 * was written in. */
bool lae_terminal_joins(void);

#define LAE_LAUNCHER_NAME 32 /* bytes */

/* The MPI launcher on this host that started this process, and whose output is where its ranks' ends;
 * Open MPI 5's mpirun is a prterun. The process's name as the kernel has it. -1: none. */
long lae_launcher_find(char name[LAE_LAUNCHER_NAME]);

/* Whether lines can be drawn over (TERM is not "dumb"). */
bool lae_terminal_can_redraw(int terminal);

/* Columns: COLUMNS in the environment, else what the terminal says, else 80. `terminal` may be -1.
 */
int lae_terminal_width(int terminal);

/* Columns of what the standard output ends at. */
int lae_terminal_output_width(void);

/* Colours where `terminal` is one (>= 0) that knows them and NO_COLOR (no-color.org) is unset or
 * empty. */
const struct lae_paint *lae_terminal_paint(int terminal);

/* Without colours. */
const struct lae_paint *lae_paint_none(void);

/* Writes the text from column `indent` on, broken at blanks before column `width`. */
void lae_text_wrap(FILE *out, const char *text, size_t indent, size_t width);

#endif
