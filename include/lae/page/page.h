/* A report on runs: one page of HTML that needs no network and no other file, and its figures once
 * more by themselves, as SVG and PDF. */
#ifndef LAE_PAGE_PAGE_H
#define LAE_PAGE_PAGE_H

#include "lae/page/group.h"
#include "lae/page/run.h"

struct lae_page_options {
    const char *path;                    /* of the page */
    const char *figures;                 /* the directory of the figures, see gnuplot.h */
    const struct lae_grouping *grouping; /* NULL: over seeds */
    struct lae_log *log;                 /* is told of copies */
};

/* What became of the figures. */
struct lae_page_drawn {
    bool found; /* gnuplot; else the page has its tables alone */
    size_t figures, refused;
    char words[512]; /* the first refused one's name, and why */
};

/* Writes the page, atomically, and the figures. The same runs give the same bytes. Errors: memory,
 * the paths, a configuration that cannot be read. */
lae_status lae_page_write(const struct lae_page_options *options, const struct lae_run *runs,
                          size_t count, struct lae_page_drawn *drawn) LAE_MUST_CHECK;

/* The page without its figures, and nothing written, into *text; free(). */
lae_status lae_page_text(const struct lae_page_options *options, const struct lae_run *runs,
                         size_t count, char **text) LAE_MUST_CHECK;

#endif
