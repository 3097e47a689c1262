/* What the files page_*.c share. */
#ifndef LAE_PAGE_SECTIONS_H
#define LAE_PAGE_SECTIONS_H

#include "lae/page/gnuplot.h"
#include "lae/page/page.h"

#include <stdio.h>

enum lae_page_section {
    LAE_PAGE_SUMMARY,
    LAE_PAGE_ACCURACY,
    LAE_PAGE_MATRIX,
    LAE_PAGE_FORGETTING,
    LAE_PAGE_LOSS,
    LAE_PAGE_MERGES,
    LAE_PAGE_CONFIGURATION,
    LAE_PAGE_ENVIRONMENT,
    LAE_PAGE_SECTIONS,
};

struct lae_page_figure {
    enum lae_page_section section;
    char *alt; /* what it shows, for people who do not see it */
    /* Of LAE_PAGE_MATRIX: whose. */
    const struct lae_group *group;
    const char *scorer;
};

struct lae_page {
    const struct lae_page_options *options;
    const struct lae_run *runs; /* [run_count] */
    size_t run_count;
    struct lae_groups groups;
    const char **scorers; /* [scorer_count] names that any run has */
    size_t scorer_count;
    struct lae_page_figure *figures; /* [figure_count], in the order of the page */
    struct lae_drawing *drawings;    /* [figure_count] */
    size_t figure_count;
    bool drawn;
};

/* A number of the merges of one block. */
struct lae_page_merge_value {
    const char *name, *title, *unit;
    double idle;      /* where it is this, nothing has happened; NaN: it always tells something */
    const char *said; /* in words, where it is that everywhere */
    size_t offset;
};
#define LAE_PAGE_MERGE_VALUES 6
extern const struct lae_page_merge_value lae_page_merge_values[LAE_PAGE_MERGE_VALUES];

/* Mean over the group's runs of a value of block `block` (-1: all together) in the merge after task
 * `task`; count 0: no such merge. */
struct lae_moments lae_page_merge_moments(const struct lae_group *group, int task, int block,
                                          const struct lae_page_merge_value *value);

/* Whether there is anything to see: in some merge it is not idle. */
bool lae_page_merge_tells(const struct lae_group *group, const struct lae_page_merge_value *value);

/* The highest block with a merge, plus 1; 0: no merges. */
int lae_page_merge_blocks(const struct lae_group *group);

/* Loss or accuracy in training: the mean of the newest epoch of task `task`. */
struct lae_moments lae_page_epoch_moments(const struct lae_group *group, int task, bool accuracy);

/* Of long runs the matrices have every so many tasks, so that a page stays one that can be shown.
 */
int lae_page_matrix_step(const struct lae_group *group);

/* Fills figures and drawings (scripts alone). Errors: memory. */
lae_status lae_page_make_figures(struct lae_page *page) LAE_MUST_CHECK;

/* The tables of a section. Errors: memory, a damaged configuration. */
lae_status lae_page_write_tables(FILE *out, const struct lae_page *page,
                                 enum lae_page_section section) LAE_MUST_CHECK;

/* The numbers of one matrix. */
void lae_page_write_matrix(FILE *out, const struct lae_group *group, const char *scorer);

#endif
