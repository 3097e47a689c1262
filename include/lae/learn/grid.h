/* Which merges to compare: lists of values for the options of merge.*, and all combinations of them
 * that go together. */
#ifndef LAE_LEARN_GRID_H
#define LAE_LEARN_GRID_H

#include "lae/base/log.h"
#include "lae/base/status.h"
#include "lae/merge/merge.h"

#include <stddef.h>

/* Option NAME is the key merge.NAME. */
enum lae_grid_option {
    LAE_GRID_METHOD,
    LAE_GRID_VECTORS,
    LAE_GRID_BASE,
    LAE_GRID_DENSITY,
    LAE_GRID_SCALE,
    LAE_GRID_REDUCE,
    LAE_GRID_SCOPE,
    LAE_GRID_WEIGHTING,
    LAE_GRID_DECAY,
    LAE_GRID_OPTIONS
};

struct lae_grid {
    struct lae_merge_options *items; /* [count], no two the same */
    size_t count;
};

/* "method", "vectors", ... */
const char *lae_grid_name(enum lae_grid_option option);

/* Whether a method's result depends on the option. */
bool lae_grid_reads(const struct lae_merge_method *method, enum lae_grid_option option);

/* The option's value as it is written in a configuration, a new string; free(). Errors: memory. */
lae_status lae_grid_value(const struct lae_merge_options *options, enum lae_grid_option option,
                          char **text) LAE_MUST_CHECK;

/* The combinations of lists[option] ("A,B,..." or NULL: not given), of which each method takes what
 * it reads; `run` is the merge of the run at hand, from which comes what is not given. Without
 * methods: all that read every option given. With nothing given: the run's own, and a usual choice
 * of each method's. What does not go together is left out, and said in the log. Errors: a value
 * that is none; an option that no method reads; a method of which nothing is left, or that cannot
 * be computed from what tasks left. */
lae_status lae_grid_create(const struct lae_merge_options *run,
                           const char *const lists[LAE_GRID_OPTIONS], struct lae_log *log,
                           struct lae_grid *grid) LAE_MUST_CHECK;
void lae_grid_free(struct lae_grid *grid);

#endif
