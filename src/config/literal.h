/* Values as they were written, before their keys' types are known. */
#ifndef LAE_CONFIG_LITERAL_H
#define LAE_CONFIG_LITERAL_H

#include "lae/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum lae_literal_kind { LAE_LITERAL_SCALAR, LAE_LITERAL_LIST, LAE_LITERAL_MAPPING };

struct lae_scalar {
    char *text;
    bool quoted; /* between quotes, or a block of text: never null, a number or a truth value */
};

struct lae_literal {
    enum lae_literal_kind kind;
    struct lae_scalar *items; /* [count]: one of a scalar, a list's, none of a mapping */
    size_t count, capacity;
};

/* Appends a copy of the first `size` bytes of text. Errors: memory. */
lae_status lae_literal_add(struct lae_literal *value, const char *text, size_t size,
                           bool quoted) LAE_MUST_CHECK;

/* A value of the command line, which is not YAML. With `list`, brackets or a comma make a list:
 * [0, 1], 0,1 or []. Errors: memory. */
lae_status lae_literal_parse(struct lae_literal *value, const char *text, bool list) LAE_MUST_CHECK;

void lae_literal_free(struct lae_literal *value);

bool lae_scalar_is_null(const struct lae_scalar *scalar);

/* What was found, for a message: null, a list of 2, 5, "five", the quoted text "5". */
void lae_literal_describe(FILE *out, const struct lae_literal *value);
void lae_scalar_describe(FILE *out, const struct lae_scalar *scalar);

#endif
