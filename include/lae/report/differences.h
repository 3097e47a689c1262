/* What differs between two files of one kind: dataset by dataset, provenance apart. */
#ifndef LAE_REPORT_DIFFERENCES_H
#define LAE_REPORT_DIFFERENCES_H

#include "lae/store/checkpoint.h"
#include "lae/weights/weights.h"

/* A dataset (or a group's attributes) whose bits are not the same in both. */
struct lae_difference {
    char *name;
    char *text;             /* what there is to say in words; NULL: numbers tell it */
    size_t entries, differ; /* of the numbers */
    double largest;         /* |a - b|; infinite where one is not a number */
    double relative;        /* the norm of a - b over that of a; NaN where a is 0 */
};

struct lae_differences {
    struct lae_difference *items;
    size_t count, capacity;
    size_t compared;   /* datasets that were looked at */
    char **provenance; /* lines about /provenance, which does not count */
    size_t provenance_count;
};

/* Compares what this version of the program reads. Errors: memory; a damaged /config. */
lae_status lae_differences_checkpoints(const struct lae_checkpoint *a,
                                       const struct lae_checkpoint *b,
                                       struct lae_differences *differences) LAE_MUST_CHECK;
lae_status lae_differences_weights(const struct lae_weights *a, const struct lae_weights *b,
                                   struct lae_differences *differences) LAE_MUST_CHECK;
void lae_differences_free(struct lae_differences *differences);

#endif
