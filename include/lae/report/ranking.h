/* The most likely classes of each of some images, for people and for programs. */
#ifndef LAE_REPORT_RANKING_H
#define LAE_REPORT_RANKING_H

#include "lae/store/predictions.h"

#include <stdio.h>

#define LAE_RANKED 5 /* classes of an image */

struct lae_ranking {
    const struct lae_predictions *predictions;
    size_t by;                /* the item whose scores count */
    const char *const *files; /* [count] the images' */
    const int *labels;        /* [classes] output index to label */
    const char *const *names; /* [classes] by output index; NULL: not known */
};

/* The output indices of an image's highest scores, highest first (equal ones: the lower index
 * first), into best [LAE_RANKED]. Returns how many there are. */
int lae_ranking_best(const struct lae_ranking *ranking, size_t image, size_t best[LAE_RANKED]);

/* A block of lines for each image: its file, then score and name of a class. Probabilities are in
 * percent. Errors: memory. */
lae_status lae_ranking_print(FILE *out, const struct lae_ranking *ranking) LAE_MUST_CHECK;

/* The same with all items' scores as JSON, in a new file: {"by": ..., "images": [{"file": ...,
 * "best": [{"class": name or null, "label": ..., "output_index": ..., "online": ..., ...}, ...]},
 * ...]}. What is not finite is null. Errors: it cannot be written; memory. */
lae_status lae_ranking_write(const char *path, const struct lae_ranking *ranking) LAE_MUST_CHECK;

#endif
