/* Tensors of a weight file that are no part of a plain Vision Transformer: passed over where that
 * changes nothing, else refused by what they are. */
#ifndef LAE_WEIGHTS_STRANGERS_H
#define LAE_WEIGHTS_STRANGERS_H

#include "names.h"

enum { LAE_STRANGER_GROUPS = 16 };

/* What was passed over, by the beginnings of names. */
struct lae_strangers {
    struct {
        char name[64];
        size_t count;
    } groups[LAE_STRANGER_GROUPS];
    size_t group_count, rest; /* rest: tensors of further groups */
    const char *unknown;      /* the first that is none to be passed over */
};

/* A tensor that the naming does not know. Errors: it is a sign of another network. */
lae_status lae_weights_strangers_add(struct lae_strangers *strangers, const struct lae_raw *raw,
                                     const struct lae_spelling *spelling) LAE_MUST_CHECK;

/* After all of them. Errors: one is unknown. */
lae_status lae_weights_strangers_check(const struct lae_strangers *strangers,
                                       const struct lae_spelling *spelling) LAE_MUST_CHECK;

/* One line about them. */
void lae_weights_strangers_tell(const struct lae_strangers *strangers, const char *path,
                                struct lae_log *log);

/* Of a file in which no name is known: what it is, as far as its names say so. */
lae_status lae_weights_strangers_refuse(const struct lae_raw_file *file) LAE_MUST_CHECK;

#endif
