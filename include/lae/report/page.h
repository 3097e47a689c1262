/* A report on runs: one page of HTML that needs no network and no other file, and its figures once
 * more by themselves, as SVG and PDF. */
#ifndef LAE_REPORT_PAGE_H
#define LAE_REPORT_PAGE_H

#include "lae/report/run.h"

/* What became of the figures. */
struct lae_page_drawn {
    bool found; /* gnuplot; else the page has its tables alone */
    size_t figures, refused;
    char words[512]; /* the first refused one's name, and why */
};

/* Writes the page to `path`, atomically, and the figures into the directory `figures` (see
 * gnuplot.h). The same runs give the same bytes. Errors: memory, the paths, a configuration that
 * cannot be read. */
lae_status lae_page_write(const char *path, const char *figures, const struct lae_run *runs,
                          size_t count, struct lae_page_drawn *drawn) LAE_MUST_CHECK;

#endif
