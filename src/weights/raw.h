/* A weight file's tensors as the file holds them, before anybody knows what they mean.
 *
 *     npz, safetensors, HDF5, PyTorch  ->  lae_raw_file  ->  lae_weights
 *     (one reader each)                    (this)            (assemble)
 */
#ifndef LAE_WEIGHTS_RAW_H
#define LAE_WEIGHTS_RAW_H

#include "facts.h"
#include "lae/base/status.h"
#include "lae/params/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lae_container {
    LAE_CONTAINER_NPZ,
    LAE_CONTAINER_SAFETENSORS,
    LAE_CONTAINER_HDF5,
    LAE_CONTAINER_TORCH,
    LAE_CONTAINERS,
};

/* Others may be in a file, as long as nobody wants their numbers. */
enum lae_element { LAE_F32, LAE_F16, LAE_BF16, LAE_F64, LAE_OTHER_ELEMENT };

enum { LAE_TYPE_TEXT = 24 };

/* Memory that one or several tensors lie in. */
struct lae_raw_memory {
    void *data;
    size_t users;
};

struct lae_raw {
    char *name;       /* as the file spells it */
    const char *file; /* of a sharded set: the shard's name; else NULL */
    enum lae_element element;
    char type[LAE_TYPE_TEXT]; /* the element as the file calls it */
    int rank;
    size_t shape[LAE_MAX_RANK], stride[LAE_MAX_RANK]; /* in elements */
    size_t count;                                     /* elements */
    const unsigned char *bytes;    /* of the first element; little-endian, aligned or not */
    struct lae_raw_memory *memory; /* behind `bytes`, or NULL when it is the mapped file's */
};

struct lae_raw_file {
    enum lae_container container;
    struct lae_raw *items; /* by name once lae_weights_raw_sort has been called */
    size_t count, capacity;
    const char *shard;      /* of what is added now; NULL: the only file */
    struct lae_facts facts; /* what the file says of itself */
};

/* Bytes of an element; 0 for those that nobody knows. */
size_t lae_weights_raw_element_size(enum lae_element element);

/* Fills raw->count, the strides of rows one after the other, and *bytes from element and shape.
 * Errors: the product overflows. */
lae_status lae_weights_raw_measure(struct lae_raw *raw, size_t *bytes) LAE_MUST_CHECK;

/* Strides of columns one after the other: the first axis is the fastest, as Fortran has it. */
void lae_weights_raw_by_columns(struct lae_raw *raw);

/* Makes `data` raw->bytes, and raw's own from here on; frees it when there is an error. */
lae_status lae_weights_raw_own(struct lae_raw *raw, void *data) LAE_MUST_CHECK;

/* Appends a tensor, with a copy of its name; its part in the memory is the file's from here on, or
 * given back when there is an error. */
lae_status lae_weights_raw_add(struct lae_raw_file *file,
                               const struct lae_raw *item) LAE_MUST_CHECK;

/* Sorts by name, for lae_weights_raw_find. Errors: a name that is there twice. */
lae_status lae_weights_raw_sort(struct lae_raw_file *file) LAE_MUST_CHECK;

/* The tensor of that name, or NULL. */
struct lae_raw *lae_weights_raw_find(const struct lae_raw_file *file, const char *name);

/* Tensors [depth, ...] of "encoderblock", which hold one thing of all blocks, become depth tensors
 * of "encoderblock_0", ...; sorts. Errors: memory, more blocks than there can be. */
lae_status lae_weights_raw_unstack(struct lae_raw_file *file) LAE_MUST_CHECK;

/* Gives the tensor's part in its memory back, so that a file is never in memory twice as a whole.
 */
void lae_weights_raw_release(struct lae_raw *raw);

void lae_weights_raw_free(struct lae_raw_file *file);

/* raw->count floats, row-major, with axis i being the file's axis order[i]. F16 and BF16 are exact
 * in float32, F64 is rounded to it. At most LAE_RAW_AXES axes; the element is not LAE_OTHER_ELEMENT. */
enum { LAE_RAW_AXES = 4 };
void lae_weights_raw_decode(const struct lae_raw *raw, const unsigned char order[LAE_RAW_AXES],
                            float *out);

#endif
