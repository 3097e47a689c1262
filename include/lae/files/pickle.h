/* Pickles: how Python writes values down, and so CIFAR's Python files and PyTorch's weights.
 *
 * A pickle is a program for a machine with a stack, and Python's own reader calls what it names.
 * This reader calls nothing. A call stays what it is, a value made of what is called and what with,
 * and only names of a list that its user gives may be called. Read are protocols 2 to 5, as far as
 * they make None, truth values, numbers, strings, tuples, lists, sets, dictionaries and calls.
 * Memory is bounded by a number of values, and strings stay where they are read.
 */
#ifndef LAE_FILES_PICKLE_H
#define LAE_FILES_PICKLE_H

#include "lae/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lae_pickle_kind {
    LAE_PICKLE_NONE,
    LAE_PICKLE_TRUTH,
    LAE_PICKLE_NUMBER,
    LAE_PICKLE_LARGE, /* a whole number of more than 64 bits: its bytes, the lowest first */
    LAE_PICKLE_REAL,
    LAE_PICKLE_STRING, /* of bytes or of text, which is UTF-8 */
    LAE_PICKLE_TUPLE,
    LAE_PICKLE_LIST,       /* or a set */
    LAE_PICKLE_DICTIONARY, /* its items are a key, its value, the next key, ... */
    LAE_PICKLE_GLOBAL,     /* a name of the user's list: its place there is `number` */
    LAE_PICKLE_CALL,       /* of a global; items that were added to what came of it are its items */
    LAE_PICKLE_STORED,     /* what lies outside the pickle; `given` says where */
};

#define LAE_PICKLE_NOTHING UINT32_MAX

struct lae_pickle_value {
    enum lae_pickle_kind kind;
    uint32_t first, last;          /* items: their cells, see pickle.c */
    uint32_t count;                /* items */
    uint32_t called, given, state; /* a call: for lae_pickle_at; state may be LAE_PICKLE_NOTHING */
    int64_t number;                /* a number, a truth value, which global */
    double real;                   /* a real number */
    const unsigned char *bytes;    /* a string: in the file's own memory */
    size_t size;
};

/* Whose pickles are read. */
struct lae_pickle_dialect {
    const char *what;           /* "no CIFAR file for Python": what a wrong one is */
    const char *const *globals; /* "MODULE NAME", ended by NULL: what may be named */
    bool stores;                /* values may lie outside */
    const char *refusal;        /* of another name: what to do about it */
};

struct lae_pickle; /* owns the values */

/* Reads `size` bytes, which must stay as they are. `name` is the file's for messages. `used`: how
 * many bytes the pickle has; NULL: all of them. Errors: the place and what is wrong there. */
lae_status lae_pickle_read(const char *name, const unsigned char *bytes, size_t size,
                           const struct lae_pickle_dialect *dialect, struct lae_pickle **pickle,
                           size_t *used) LAE_MUST_CHECK;
void lae_pickle_free(struct lae_pickle *pickle);

/* The outermost value. */
const struct lae_pickle_value *lae_pickle_top(const struct lae_pickle *pickle);

/* The value of that number; NULL for LAE_PICKLE_NOTHING. */
const struct lae_pickle_value *lae_pickle_at(const struct lae_pickle *pickle, uint32_t number);

/* How many values there are. */
uint32_t lae_pickle_count(const struct lae_pickle *pickle);

/* A value's items, one after the other: at first *place is value->first. NULL when there are no
 * more. */
const struct lae_pickle_value *lae_pickle_next(const struct lae_pickle *pickle, uint32_t *place);

/* A tuple's items into item [count]; false unless it is one and has just so many. */
bool lae_pickle_take_apart(const struct lae_pickle *pickle, const struct lae_pickle_value *tuple,
                           uint32_t count, const struct lae_pickle_value **item);

/* Whether the value is a call of global number `global`. */
bool lae_pickle_calls(const struct lae_pickle *pickle, const struct lae_pickle_value *value,
                      int global);

bool lae_pickle_is_global(const struct lae_pickle_value *value, int global);
bool lae_pickle_is_number(const struct lae_pickle_value *value, int64_t number);
bool lae_pickle_is_string(const struct lae_pickle_value *value, const char *text);

#endif
