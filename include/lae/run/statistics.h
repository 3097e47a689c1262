/* Class statistics of a run's tasks so far (see lae/heads/stats.h), and what else is needed to make
 * heads from them. */
#ifndef LAE_RUN_STATISTICS_H
#define LAE_RUN_STATISTICS_H

#include "lae/heads/lift.h"
#include "lae/heads/stats.h"
#include "lae/sweep/setup.h"

/* Modules are 1 << enum lae_view each. */
struct lae_statistics {
    unsigned views;       /* through which features are looked at */
    unsigned ridge;       /* of these, whose random features are, too; all or none */
    struct lae_lift lift; /* which make those; empty where there are none */
    /* Rank 0's, of all classes: */
    struct lae_stats features[LAE_VIEWS]; /* [D] */
    struct lae_stats random[LAE_VIEWS];   /* [M] */
    double lambda[LAE_VIEWS];             /* ridge's strength, chosen with the newest task */
};

/* Which will be gathered, by stats.modules, eval.heads and whether there will be an offline one;
 * nothing is in them. */
struct lae_statistics lae_statistics_plan(const struct lae_config *config);

/* Empty ones of that plan. Not collective. Errors: memory. */
lae_status lae_statistics_create(const struct lae_setup *setup,
                                 struct lae_statistics *statistics) LAE_MUST_CHECK;
void lae_statistics_free(struct lae_statistics *statistics); /* zeroed: allowed */

/* Whether classes of that task are known. Rank 0's. */
bool lae_statistics_know(const struct lae_statistics *statistics, const struct lae_setup *setup,
                         int task);

#endif
