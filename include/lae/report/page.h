/* A report on runs: one page of HTML that needs no network and no other file, and its figures once
 * more by themselves, as SVG and PDF. */
#ifndef LAE_REPORT_PAGE_H
#define LAE_REPORT_PAGE_H

#include "lae/report/run.h"

/* Writes the page to `path`, atomically, and the figures into the directory `figures` (see
 * gnuplot.h). *drawn is false where there is no gnuplot: the page then has its tables alone. The
 * same runs give the same bytes. Errors: memory, the paths, a configuration that cannot be read. */
lae_status lae_page_write(const char *path, const char *figures, const struct lae_run *runs,
                          size_t count, bool *drawn) LAE_MUST_CHECK;

#endif
