/* The table of all keys, and what a row is made of. */
#ifndef LAE_CONFIG_KEYS_H
#define LAE_CONFIG_KEYS_H

#include "literal.h"

#include "lae/base/spelling.h"
#include "lae/base/status.h"
#include "lae/config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct lae_key;

/* What the keys of one type have in common. */
struct lae_key_type {
    bool list; /* takes lists, so that 1,2 on the command line is one */
    /* Takes the value over. Errors: memory; a value that does not fit is named with the key and
     * what is wanted. */
    lae_status (*read)(const struct lae_key *key, const struct lae_literal *value,
                       struct lae_config *config);
    void (*write)(const struct lae_key *key, const struct lae_config *config, FILE *out); /* YAML */
    void (*wanted)(const struct lae_key *key, FILE *out); /* "a whole number from 1 to 9" */
    void (*words)(const struct lae_key *key, FILE *out);  /* "A, B": all it can be; NULL: more */
};

struct lae_key {
    const char *name; /* dotted; keys of one section follow each other */
    const struct lae_key_type *type;
    const char *initial; /* the default, as on the command line */
    bool result;         /* can change the result */
    size_t offset;       /* in struct lae_config, of what the type reads and writes */
    const char *help;
    bool later; /* of those that change the result: may change between tasks, in a branch */

    /* What only some types look at. */
    double min, max;
    bool above_min, below_max;     /* min or max itself is out of range */
    bool odd;                      /* whole numbers: even ones are refused */
    const char *zero;              /* whole numbers: a word for 0 */
    bool optional;                 /* texts: may be null; sets: may be empty, `none` */
    bool (*accepts)(const char *); /* texts: NULL takes any but the empty one */
    const char *wanted;            /* texts: what the message asks for */
    const char *const *choices;    /* names in the order of the enum, ended by NULL */
    enum lae_site site;            /* of a pet module's type */
    const char *(*member)(size_t); /* sets: the name of that bit; NULL: there are no more */
};

extern const struct lae_key_type lae_key_text, lae_key_whole, lae_key_seed, lae_key_real,
    lae_key_truth, lae_key_choice, lae_key_channels, lae_key_class_order, lae_key_classes, lae_key_blocks,
    lae_key_module, lae_key_method, lae_key_names, lae_key_strengths;

/* All rows, ended by one whose name is NULL. */
const struct lae_key *lae_keys(void);

/* The row of that name, or NULL. */
const struct lae_key *lae_key_find(const char *name);

/* Whether its value is a path. */
bool lae_key_is_path(const struct lae_key *key);

/* Whether keys begin with "NAME.". */
bool lae_key_is_section(const char *name);

#define LAE_KEY_TEXT LAE_SPELLING_WORD /* no key is longer */

/* The key or section that a mistyped name most likely means, into nearest; false: none is near. */
bool lae_key_nearest(const char *name, char nearest[LAE_KEY_TEXT]);

/* "KEY is FOUND; it must be WANTED". `item`: the offending one of a list, from 1, or 0. */
lae_status lae_key_refuse(const struct lae_key *key, const struct lae_literal *value,
                          size_t item) LAE_MUST_CHECK;

#endif
