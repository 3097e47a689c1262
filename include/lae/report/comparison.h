/* Merges of one run beside each other: a table for people, JSON for programs. */
#ifndef LAE_REPORT_COMPARISON_H
#define LAE_REPORT_COMPARISON_H

#include "lae/learn/grid.h"
#include "lae/learn/replayer.h"

#include <stdio.h>

#define LAE_COMPARISON_LABEL 128

struct lae_comparison {
    const struct lae_restored *restored;
    const struct lae_replayer_result *stored;  /* what the run itself stored */
    const struct lae_replayer_result *results; /* [count]; all have their merge */
    size_t count;
    size_t done;                   /* >= 1 to be shown: the first so many have their metrics, too */
    const char *written;           /* the directory of their task files; NULL: there are none */
    bool own_first;                /* the run's own merge is none of them */
    bool varies[LAE_GRID_OPTIONS]; /* not all that read the option have one value */
};

/* Looks the merges over: to be called first, with all but the last two members set. */
void lae_comparison_begin(struct lae_comparison *comparison);

/* Merge number `row` in a few words, with what makes it another than the others: "ties, base init,
 * density 0.2". Returns text. */
const char *lae_comparison_label(const struct lae_comparison *comparison, size_t row,
                                 char text[LAE_COMPARISON_LABEL]);

/* The name of the directory of its task files: "03_ties". Returns text. */
const char *lae_comparison_name(const struct lae_comparison *comparison, size_t row,
                                char text[LAE_COMPARISON_LABEL]);

/* A row for each merge that is done, and for the run's own as it stored it where that is none of
 * them, by the scorers that see offline; what the run stored of the others; the differences between
 * what the run stored and what was computed again. Errors: memory. */
lae_status lae_comparison_print(FILE *out, const struct lae_comparison *comparison) LAE_MUST_CHECK;

/* The same and all accuracies, as a JSON object; atomically. Errors: memory, writing. */
lae_status lae_comparison_write(const char *path,
                                const struct lae_comparison *comparison) LAE_MUST_CHECK;

#endif
