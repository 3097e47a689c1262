/* Tables of text, of every command.
 *
 * A column is as wide as what stands in it, and two blanks from the next. What does not fit on the
 * screen goes below: the columns are broken into blocks, each with the key columns before it. Where
 * a block would still be too wide, its longest texts lose their middle ("blocks/0...weight"); a
 * number is never cut.
 *
 *     struct lae_sheet sheet = {0};
 *     lae_sheet_column(&sheet, LAE_SHEET_KEY, "task");
 *     lae_sheet_column(&sheet, LAE_SHEET_NUMBER, "accuracy, %");
 *     lae_sheet_row(&sheet);
 *     lae_sheet_text(&sheet, "task %d", 0);
 *     lae_sheet_number(&sheet, 2, 54.25);
 *     return lae_sheet_print(&sheet, out);
 */
#ifndef LAE_BASE_SHEET_H
#define LAE_BASE_SHEET_H

#include "lae/base/status.h"
#include "lae/base/terminal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum lae_sheet_kind {
    LAE_SHEET_TEXT = 0,   /* to the left */
    LAE_SHEET_NUMBER = 1, /* to the right */
    LAE_SHEET_KEY = 2,    /* of every block */
    LAE_SHEET_JOINED = 4, /* in the block of the column before */
    LAE_SHEET_TIGHT = 8,  /* one blank from the column before */
    LAE_SHEET_OPTIONAL =
        16, /* where not all fit, those in the middle are left out; the last ones */
};

struct lae_sheet {
    struct lae_sheet_column *columns; /* [count] */
    struct lae_sheet_row *rows;       /* [row_count] */
    size_t count, row_count;
    bool failed; /* memory was out */
};

/* `kind`: of enum lae_sheet_kind, together. A title may have two lines. All columns come before the
 * first row. */
void lae_sheet_column(struct lae_sheet *sheet, int kind, const char *title);

/* Begins a row, whose cells come next, from the left; those that do not come are blank. */
void lae_sheet_row(struct lae_sheet *sheet);
void lae_sheet_text(struct lae_sheet *sheet, const char *format, ...) LAE_PRINTF(2, 3);
/* With so many decimals, or so many digits in all; "-" for a NaN. */
void lae_sheet_number(struct lae_sheet *sheet, int decimals, double value);
void lae_sheet_digits(struct lae_sheet *sheet, int digits, double value);

/* A row that is a rule; one that is a text across the columns, as long as it is. */
void lae_sheet_rule(struct lae_sheet *sheet);
void lae_sheet_heading(struct lae_sheet *sheet, const char *format, ...) LAE_PRINTF(2, 3);

/* Columns of the screen that the table takes unbroken. */
int lae_sheet_width(const struct lae_sheet *sheet);

/* Whether the key columns fit beside any of the others, no text being shortened. */
bool lae_sheet_fits(const struct lae_sheet *sheet, int width);

/* Writes the table, the titles faint, and frees it. Errors: memory was out for any of it, and
 * nothing is written. */
lae_status lae_sheet_write(struct lae_sheet *sheet, FILE *out, int width,
                           const struct lae_paint *paint) LAE_MUST_CHECK;

/* The same for standard output, in its width. */
lae_status lae_sheet_print(struct lae_sheet *sheet, FILE *out) LAE_MUST_CHECK;

void lae_sheet_free(struct lae_sheet *sheet);

#endif
