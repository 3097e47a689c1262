/* Where a backbone's tensors lie: in one file, in the shards of an index, in a folder. */
#ifndef LAE_WEIGHTS_PLACE_H
#define LAE_WEIGHTS_PLACE_H

#include "lae/base/log.h"
#include "lae/base/status.h"
#include "raw.h"

#include <jansson.h>

struct lae_place {
    char *directory; /* that the files lie in */
    char **names;    /* [count] of the files there, sorted */
    size_t count;
    char *index; /* the index's path, or NULL: there is none */
    json_t *map; /* its weight_map: tensor to file; or NULL */
};

/* Finds the files. Errors: nothing there, several models in a folder, an index that is damaged or
 * names files outside its folder, a shard that is missing. */
lae_status lae_weights_place_find(const char *path, struct lae_log *log,
                                  struct lae_place *place) LAE_MUST_CHECK;
void lae_weights_place_free(struct lae_place *place);

/* Whether each tensor is in the file that the index says. */
lae_status lae_weights_place_check(const struct lae_place *place,
                                   const struct lae_raw_file *file) LAE_MUST_CHECK;

#endif
