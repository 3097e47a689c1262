/* The numbers of a struct that are kept, by their names: in files, in lines of text. The owner of
 * the struct declares the table beside it. Who writes, reads, compares or prints walks the table:
 * a number that is added to the struct and to its table is added everywhere. */
#ifndef LAE_PARAMS_RECORD_H
#define LAE_PARAMS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lae_field_kind {
    LAE_FIELD_FLAG,   /* bool; 0 or 1 */
    LAE_FIELD_INT,    /* int */
    LAE_FIELD_COUNT,  /* int64_t from 0 to 2^53, so that a double holds it exactly */
    LAE_FIELD_DOUBLE, /* double */
    LAE_FIELD_SHARE,  /* double: of things that are counted; of several, their mean */
    LAE_FIELD_NORM,   /* double: Euclidean; of several, that of all together */
};

struct lae_field {
    const char *name;
    enum lae_field_kind kind;
    size_t offset; /* in the struct */
    bool later;    /* what earlier versions wrote does not have it: then it is 0 */
};

struct lae_record {
    const struct lae_field *fields; /* [count] */
    size_t count;
    size_t size; /* of the struct */
};

double lae_field_get(const struct lae_field *field, const void *object);

/* Errors (false): the number is none of the field's kind; the object is as before. */
bool lae_field_set(const struct lae_field *field, void *object, double number);

/* Structs of one table, each under a name of its own. */
struct lae_rows {
    const struct lae_record *record;
    char **names; /* [count] */
    void *items;  /* [count] structs */
    size_t count;
};

/* Adds a copy of `item`, or with NULL a struct of zeros. Gives its place, which stays until the next
 * is added; NULL: no memory. */
void *lae_rows_add(struct lae_rows *rows, const char *name, const void *item);

/* Number i; the one of that name, or NULL. */
const void *lae_rows_at(const struct lae_rows *rows, size_t i);
const void *lae_rows_find(const struct lae_rows *rows, const char *name);

void lae_rows_free(struct lae_rows *rows); /* the record stays */

#endif
