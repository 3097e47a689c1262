/* A set of named tensors that each own their memory: what a weight file is read into. */
#ifndef LAE_PARAMS_SET_H
#define LAE_PARAMS_SET_H

#include "lae/base/status.h"
#include "lae/params/table.h"

struct lae_named {
    char *name;
    int rank;
    size_t shape[LAE_MAX_RANK];
    size_t count;
    float *data; /* [count], row-major */
};

struct lae_set {
    struct lae_named *items;
    size_t count, capacity;
};

/* Appends a tensor with memory for its values, zeroed, and gives it in `*added` (valid until the
 * next addition; its data stay). Errors: memory, a name that is there already, too many
 * dimensions. */
lae_status lae_set_add(struct lae_set *set, const char *name, int rank, const size_t *shape,
                       struct lae_named **added) LAE_MUST_CHECK;

/* The tensor of that name, or NULL. */
struct lae_named *lae_set_find(const struct lae_set *set, const char *name);

void lae_set_free(struct lae_set *set);

#endif
