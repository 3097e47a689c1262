/* Arrays as NumPy writes them into pickles. Private to data/. */
#ifndef LAE_DATA_NUMPY_ARRAY_H
#define LAE_DATA_NUMPY_ARRAY_H

#include "lae/files/pickle.h"

/* The dialect of CIFAR's files: dictionaries of arrays, lists, numbers and texts. */
extern const struct lae_pickle_dialect lae_numpy_dialect;

#define LAE_NUMPY_AXES 4 /* of an array, at most */

/* Whole numbers of 1, 2, 4 or 8 bytes. */
struct lae_numpy_array {
    uint32_t axes, shape[LAE_NUMPY_AXES]; /* at least one axis */
    size_t item;                          /* bytes of a number */
    bool is_signed;
    bool highest_first; /* the bytes of a number */
    bool by_columns;    /* in Fortran's order */
    const unsigned char *bytes;
    size_t size;
    unsigned char *owned; /* the memory behind them, or NULL where it is the pickle's */
};

bool lae_numpy_is_array(const struct lae_pickle *pickle, const struct lae_pickle_value *value);

/* Errors: no such array, a shape that does not go with its bytes; `name` is the file's. */
lae_status lae_numpy_read(const char *name, const struct lae_pickle *pickle,
                          const struct lae_pickle_value *value,
                          struct lae_numpy_array *array) LAE_MUST_CHECK;
void lae_numpy_free(struct lae_numpy_array *array);

/* The number at that place of the memory. One above 2^63-1 comes out negative. */
int64_t lae_numpy_item(const struct lae_numpy_array *array, size_t index);

/* Whether the value is a whole number, Python's or one of NumPy's. */
bool lae_numpy_number(const struct lae_pickle *pickle, const struct lae_pickle_value *value,
                      int64_t *number);

/* Whether the value is that string of ASCII, of text or of bytes. */
bool lae_numpy_is_text(const struct lae_pickle *pickle, const struct lae_pickle_value *value,
                       const char *text);

#endif
