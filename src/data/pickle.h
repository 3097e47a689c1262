/* What CIFAR's Python files are made of: pickles of protocol 2 to 5 of a dictionary, as Python 2
 * and 3 and NumPy 1 and 2 wrote them. Private to data/.
 *
 * A pickle is a program for a machine with a stack, and Python's own reader calls what it names.
 * This reader knows None, truth values, numbers, strings, tuples, lists, dictionaries, and arrays
 * of whole numbers; it takes the instructions that make these, and nothing else. Nothing is called.
 * Memory is bounded by a number of values, and strings stay where they are read.
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
    LAE_PICKLE_FLOAT,  /* whose value nobody needs */
    LAE_PICKLE_STRING, /* text or bytes */
    LAE_PICKLE_TUPLE,
    LAE_PICKLE_LIST,
    LAE_PICKLE_DICTIONARY, /* its items are a key, its value, the next key, ... */
    LAE_PICKLE_ARRAY,
    LAE_PICKLE_GLOBAL, /* one of the names that stand in the way of an array */
    LAE_PICKLE_DTYPE,
};

#define LAE_PICKLE_AXES 4 /* of an array, at most */

struct lae_pickle_value {
    enum lae_pickle_kind kind;
    bool built;                 /* an array or its type: has got its content */
    bool by_columns;            /* an array: in Fortran's order */
    bool highest_first;         /* an array or its type: the bytes of a number */
    uint32_t first, last;       /* a sequence, an array's shape: its cells, see pickle.c */
    uint32_t count;             /* a sequence: items; an array: axes */
    int64_t number;             /* a number, a truth value, which global; an array or its type:
                                   the bytes of one number, negative where it has a sign */
    const unsigned char *bytes; /* a string, an array: in the file's own memory, or the pickle's */
    size_t size;
};

struct lae_pickle; /* owns the values */

/* Reads `size` bytes, which must stay as they are. `name` is the file's for messages. The outermost
 * value is a dictionary. Errors: the place and what is wrong there. */
lae_status lae_pickle_read(const char *name, const unsigned char *bytes, size_t size,
                           struct lae_pickle **pickle) LAE_MUST_CHECK;
void lae_pickle_free(struct lae_pickle *pickle);

/* The dictionary's value under `key`, which must be there once and of one of these kinds: a bit
 * 1 << LAE_PICKLE_... for each. Errors say so. */
lae_status lae_pickle_find(const struct lae_pickle *pickle, const char *key, unsigned kinds,
                           const struct lae_pickle_value **value) LAE_MUST_CHECK;

/* How many axes an array has, at least 1, and their lengths. */
uint32_t lae_pickle_shape(const struct lae_pickle *pickle, const struct lae_pickle_value *array,
                          uint32_t shape[LAE_PICKLE_AXES]);

/* The array's number at that place of its memory. One above 2^63-1 comes out negative. */
int64_t lae_pickle_item(const struct lae_pickle_value *array, size_t index);

/* A list's or tuple's items, one after the other: at first *place is list->first. NULL when there
 * are no more.
 */
const struct lae_pickle_value *lae_pickle_next(const struct lae_pickle *pickle, uint32_t *place);

#endif
