/* Runs by their directories, and those in a directory of runs. */
#ifndef LAE_PAGE_RUN_LIST_H
#define LAE_PAGE_RUN_LIST_H

#include "lae/base/log.h"
#include "lae/base/status.h"

#include <stddef.h>

struct lae_run_list {
    char **items; /* [count] paths */
    size_t count;
};

/* Adds the run at `place`; where that is no run and has runs in it, those, in the order of their
 * names with numbers in them by value; `log` is told which, and what else is there. A place that is
 * neither is added as it is: whoever reads it says what is wrong. Errors: memory, a directory that
 * cannot be listed, a run that was added before. */
lae_status lae_run_list_add(struct lae_run_list *list, const char *place,
                            struct lae_log *log) LAE_MUST_CHECK;
void lae_run_list_free(struct lae_run_list *list);

#endif
