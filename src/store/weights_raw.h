/* A weight file's tensors as the file holds them, before anybody knows what they mean.
 *
 *     npz, safetensors, HDF5  ->  lae_raw_file  ->  lae_weights
 *     (one reader each)           (this)            (weights_assemble)
 */
#ifndef LAE_STORE_WEIGHTS_RAW_H
#define LAE_STORE_WEIGHTS_RAW_H

#include "lae/base/status.h"
#include "lae/params/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lae_container { LAE_CONTAINER_NPZ, LAE_CONTAINER_SAFETENSORS, LAE_CONTAINER_HDF5 };

enum lae_element { LAE_F32, LAE_F16, LAE_BF16 };

struct lae_raw {
    char *name; /* as the file spells it */
    enum lae_element element;
    bool column_major; /* the first axis is the fastest, as Fortran has it */
    int rank;
    size_t shape[LAE_MAX_RANK];
    size_t count;               /* elements */
    const unsigned char *bytes; /* little-endian, aligned or not */
    void *owned; /* the memory behind `bytes`, or NULL when it is the mapped file's */
};

struct lae_raw_file {
    enum lae_container container;
    struct lae_raw *items; /* by name once lae_raw_sort has been called */
    size_t count, capacity;
    double layer_norm_eps; /* where the file tells, else 0 */
    int heads;             /* the same */
};

/* Fills raw->count and *bytes from element and shape. Errors: the product overflows. */
lae_status lae_raw_measure(struct lae_raw *raw, size_t *bytes) LAE_MUST_CHECK;

/* Appends a tensor, with a copy of its name; its `owned` memory is the file's from here on, or
 * freed when there is an error. */
lae_status lae_raw_add(struct lae_raw_file *file, const struct lae_raw *item) LAE_MUST_CHECK;

/* Sorts by name, for lae_raw_find. Errors: a name that is there twice. */
lae_status lae_raw_sort(struct lae_raw_file *file) LAE_MUST_CHECK;

/* The tensor of that name, or NULL. */
struct lae_raw *lae_raw_find(const struct lae_raw_file *file, const char *name);

/* Gives the tensor's own memory back, so that a file is never in memory twice as a whole. */
void lae_raw_release(struct lae_raw *raw);

void lae_raw_free(struct lae_raw_file *file);

/* What a file says of itself: `eps` must be finite and above 0, `heads` 0 (unknown) or more. */
lae_status lae_raw_set_facts(struct lae_raw_file *file, double eps, int64_t heads) LAE_MUST_CHECK;

/* raw->count floats in the file's own order of elements. F16 and BF16 are exact in float32. */
void lae_raw_decode(const struct lae_raw *raw, float *out);

#endif
