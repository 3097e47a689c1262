/* Scorers: each gives every image a score for every class seen, and so says which class it is of.
 *
 *     online  offline  ensemble      the tasks' own classifiers on a view's features: softmax;
 *                                    ensemble: the larger of the two (METHOD section 8)
 *     HEAD_VIEW, as ncm_init         a head made from class statistics (see lae/heads/head.h), on
 *                                    the view's features
 *
 * A scorer's name is that of its group in /metrics, of its column in tables, and of its member in
 * metrics.jsonl.
 */
#ifndef LAE_CONFIG_SCORERS_H
#define LAE_CONFIG_SCORERS_H

#include "lae/config/config.h"

#include <stdbool.h>

#define LAE_SCORER_NAME 32
enum { LAE_MAX_SCORERS = 3 + LAE_MAX_HEADS * LAE_VIEWS };

struct lae_scorer {
    char name[LAE_SCORER_NAME];
    const struct lae_head_method *method; /* NULL: the tasks' own classifiers */
    enum lae_view view;
    bool ensemble; /* of the scorers online and offline, which stand right before it */
};

struct lae_scorers {
    int count;
    struct lae_scorer items[LAE_MAX_SCORERS];
};

/* Those of heads (as config.eval.heads), where there is an offline view or not, and statistics
 * through `views` (as config.stats.views), of random features through those of `ridge`. */
struct lae_scorers lae_scorers_of(unsigned heads, bool offline, unsigned views, unsigned ridge);

/* All that there can be, in the order in which they are shown. */
struct lae_scorers lae_scorers_all(void);

/* Whether one of them scores features of that view. */
bool lae_scorers_need(const struct lae_scorers *scorers, enum lae_view view);

/* The place of that name; -1: there is none. */
int lae_scorers_find(const struct lae_scorers *scorers, const char *name);

#endif
