/* Which images of a part are set aside: a share of each class, the same for every run. Private to
 * data/. */
#ifndef LAE_DATA_HOLDOUT_H
#define LAE_DATA_HOLDOUT_H

#include "lae/base/random.h"
#include "lae/base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* held [count] becomes true for those that are set aside: of each class's n images the nearest
 * whole number to share * n, but at least one of two or more, and never all. label [count] is in
 * 0..classes-1, share in (0, 1). Depends on the labels, their order and `purpose` alone. Errors:
 * memory. */
lae_status lae_holdout_choose(enum lae_purpose purpose, const int *label, size_t count, int classes,
                              double share, bool *held) LAE_MUST_CHECK;

#endif
