/* What CIFAR's Python files are made of: pickles of protocol 2 of a dictionary, as Python 2 and
 * NumPy wrote them. Private to data/.
 *
 * A pickle is a program for a machine with a stack, and Python's own reader calls what it names.
 * This reader knows None, truth values, whole numbers, byte strings, tuples, lists, dictionaries,
 * and arrays of bytes with two axes; it takes the instructions that make these, and nothing else.
 * Nothing is called. Memory is bounded by a number of values, and strings stay where they are read.
 */
#ifndef LAE_DATA_PICKLE_H
#define LAE_DATA_PICKLE_H

#include "lae/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lae_pickle_kind {
    LAE_PICKLE_NONE,
    LAE_PICKLE_TRUTH,
    LAE_PICKLE_NUMBER,
    LAE_PICKLE_STRING,
    LAE_PICKLE_TUPLE,
    LAE_PICKLE_LIST,
    LAE_PICKLE_DICTIONARY, /* its items are a key, its value, the next key, ... */
    LAE_PICKLE_ARRAY,
    LAE_PICKLE_GLOBAL, /* one of the three names that stand in the way of an array */
    LAE_PICKLE_DTYPE,
};

struct lae_pickle_value {
    enum lae_pickle_kind kind;
    bool built;                 /* an array or its type: has got its content */
    bool by_columns;            /* an array: in Fortran's order */
    uint32_t first, last;       /* a sequence: its cells, see pickle.c */
    uint32_t count;             /* a sequence: items; an array: rows */
    uint32_t columns;           /* an array */
    int64_t number;             /* a number, a truth value, which global */
    const unsigned char *bytes; /* a string, an array: in the file's own memory */
    size_t size;
};

struct lae_pickle; /* owns the values */

/* Reads `size` bytes, which must stay as they are. `name` is the file's for messages. The outermost
 * value is a dictionary. Errors: the place and what is wrong there. */
lae_status lae_pickle_read(const char *name, const unsigned char *bytes, size_t size,
                           struct lae_pickle **pickle) LAE_MUST_CHECK;
void lae_pickle_free(struct lae_pickle *pickle);

/* The dictionary's value under `key`, which must be there once and of that kind. Errors say so. */
lae_status lae_pickle_find(const struct lae_pickle *pickle, const char *key,
                           enum lae_pickle_kind kind,
                           const struct lae_pickle_value **value) LAE_MUST_CHECK;

/* A list's items, one after the other: at first *place is list->first. NULL when there are no more.
 */
const struct lae_pickle_value *lae_pickle_next(const struct lae_pickle *pickle, uint32_t *place);

#endif
