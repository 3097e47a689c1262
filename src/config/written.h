/* Values as they were written, before their keys' types are known. */
#ifndef LAE_CONFIG_WRITTEN_H
#define LAE_CONFIG_WRITTEN_H

#include "lae/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum lae_written_kind { LAE_WRITTEN_SCALAR, LAE_WRITTEN_LIST, LAE_WRITTEN_MAPPING };

struct lae_scalar {
    char *text;
    bool quoted; /* between quotes, or a block of text: never null, a number or a truth value */
};

struct lae_written {
    enum lae_written_kind kind;
    struct lae_scalar *items; /* [count]: one of a scalar, a list's, none of a mapping */
    size_t count, capacity;
};

/* Appends a copy of the first `size` bytes of text. Errors: memory. */
lae_status lae_written_add(struct lae_written *value, const char *text, size_t size,
                           bool quoted) LAE_MUST_CHECK;

/* A value of the command line, which is not YAML. With `list`, brackets or a comma make a list:
 * [0, 1], 0,1 or []. Errors: memory. */
lae_status lae_written_parse(struct lae_written *value, const char *text, bool list) LAE_MUST_CHECK;

void lae_written_free(struct lae_written *value);

bool lae_scalar_is_null(const struct lae_scalar *scalar);

/* What was found, for a message: null, a list of 2, 5, "five", the quoted text "5". */
void lae_written_describe(FILE *out, const struct lae_written *value);
void lae_scalar_describe(FILE *out, const struct lae_scalar *scalar);

#endif
