/* The little of HDF5 that this program needs: sealed files of named arrays, texts and attributes.
 *
 * Writing: the file is built in memory and goes to disk by lae_hdf5_commit, sealed and atomically.
 *
 *     struct lae_hdf5 file;
 *     LAE_TRY(lae_hdf5_create(path, "lae-weights", 1, &file));
 *     lae_status status = write_content(&file, ...);
 *     if (status == NULL) status = lae_hdf5_commit(&file);
 *     lae_hdf5_close(&file);
 *
 * Objects are named by their path from the root, without a slash in front ("" is the root);
 * groups on the way are made. All functions are for one thread. No HDF5 handle but the file's
 * outlives a call; what HDF5 reports becomes a status that names file and object.
 *
 * Errors in what is read are LAE_BAD_INPUT; nothing is allocated for a size the file does not back,
 * all values of a file together come from no more than LAE_HDF5_NAMES times the bytes that it has
 * (a thing may have several names), and nothing is read from another file that it may name (external
 * links, external and virtual datasets).
 */
#ifndef LAE_STORE_HDF5_H
#define LAE_STORE_HDF5_H

#include "lae/base/log.h"
#include "lae/base/status.h"
#include "lae/params/record.h"
#include "lae/params/set.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes of a file in the making. */
struct lae_hdf5_image {
    unsigned char *bytes;
    size_t size; /* as much as HDF5 asked for, the file and more */
    bool closed; /* HDF5 has done with it */
};

#define LAE_HDF5_NAMES 3

struct lae_hdf5 {
    int channel; /* of a file that is read: to the process that has it open; negative: this one */
    hid_t id;    /* negative: closed */
    struct lae_hdf5_image *image; /* of a new file; else NULL */
    char *path;                   /* where the file is or shall be */
    const char *format;           /* root attribute "format" and name in the seal; a constant */
    int version;                  /* root attribute "format_version" */
    hsize_t unread;               /* of a file that is read: bytes that may still come of it */
};

/* A struct for a file at `path`, not open yet. Errors: memory. */
lae_status lae_hdf5_start(struct lae_hdf5 *file, const char *path, const char *format,
                          int version) LAE_MUST_CHECK;

/* A new file in memory, with the root attributes format and format_version. */
lae_status lae_hdf5_create(const char *path, const char *format, int version,
                           struct lae_hdf5 *file) LAE_MUST_CHECK;

/* Seals what has been built and writes it to its path, whole or not at all. The file is closed. */
lae_status lae_hdf5_commit(struct lae_hdf5 *file) LAE_MUST_CHECK;

/* Checks the seal (warnings go to `log`) and opens for reading; format and
 * format_version must be there, the version 1..newest. */
lae_status lae_hdf5_open(const char *path, const char *format, int newest, struct lae_log *log,
                         struct lae_hdf5 *file) LAE_MUST_CHECK;

/* Opens a file without a seal, of any format: to see what it is. */
lae_status lae_hdf5_open_unchecked(const char *path, struct lae_hdf5 *file) LAE_MUST_CHECK;

/* Also drops a new file that was not committed. May be called twice. */
void lae_hdf5_close(struct lae_hdf5 *file);

#define LAE_HDF5_NAME 1024

/* GROUP/NAME, or NAME where the group is "". Errors: too long. */
lae_status lae_hdf5_join(char path[LAE_HDF5_NAME], const char *group,
                         const char *name) LAE_MUST_CHECK;

/* ---- writing ---- */

lae_status lae_hdf5_make_group(struct lae_hdf5 *file, const char *name) LAE_MUST_CHECK;

/* Datasets, little-endian, contiguous, row-major; rank 0 is a scalar. */
lae_status lae_hdf5_write_float(struct lae_hdf5 *file, const char *name, int rank,
                                const size_t *shape, const float *values) LAE_MUST_CHECK;
lae_status lae_hdf5_write_double(struct lae_hdf5 *file, const char *name, int rank,
                                 const size_t *shape, const double *values) LAE_MUST_CHECK;
lae_status lae_hdf5_write_int32(struct lae_hdf5 *file, const char *name, int rank,
                                const size_t *shape, const int32_t *values) LAE_MUST_CHECK;
/* [size, size] of which `rows` rows are known, up to the diagonal: t + 1 values of row t, one row
 * after the other; the rest is NaN. What is large is stored in chunks, compressed, and where
 * nothing is known not at all. */
lae_status lae_hdf5_write_triangle(struct lae_hdf5 *file, const char *name, size_t size,
                                   size_t rows, const double *values) LAE_MUST_CHECK;

/* [rows, columns] of which the first `known` rows are not zero; stored likewise. */
lae_status lae_hdf5_write_rows(struct lae_hdf5 *file, const char *name, size_t rows, size_t columns,
                               size_t known, const float *values) LAE_MUST_CHECK;

/* One UTF-8 string, a scalar. */
lae_status lae_hdf5_write_text(struct lae_hdf5 *file, const char *name,
                               const char *text) LAE_MUST_CHECK;

/* Every tensor of the set, as GROUP/NAME ("" for the root). An empty set makes an empty group. */
lae_status lae_hdf5_write_set(struct lae_hdf5 *file, const char *group,
                              const struct lae_set *set) LAE_MUST_CHECK;

/* One more name for an object of the file. */
lae_status lae_hdf5_write_name(struct lae_hdf5 *file, const char *name,
                               const char *object) LAE_MUST_CHECK;

/* A link to `object` of the file `target`, whose path is relative to this file's directory. */
lae_status lae_hdf5_write_link(struct lae_hdf5 *file, const char *name, const char *target,
                               const char *object) LAE_MUST_CHECK;

/* Attributes of an object that is there. */
lae_status lae_hdf5_put_int(struct lae_hdf5 *file, const char *object, const char *attribute,
                            int32_t value) LAE_MUST_CHECK;
/* A list; HDF5 stores attributes of at most 64 KiB. */
lae_status lae_hdf5_put_ints(struct lae_hdf5 *file, const char *object, const char *attribute,
                             size_t count, const int32_t *values) LAE_MUST_CHECK;
lae_status lae_hdf5_put_double(struct lae_hdf5 *file, const char *object, const char *attribute,
                               double value) LAE_MUST_CHECK;
lae_status lae_hdf5_put_text(struct lae_hdf5 *file, const char *object, const char *attribute,
                             const char *value) LAE_MUST_CHECK;

/* A struct as attributes of an object that is there. */
lae_status lae_hdf5_put_record(struct lae_hdf5 *file, const char *object,
                               const struct lae_record *record, const void *item) LAE_MUST_CHECK;

/* ---- reading ---- */

enum lae_hdf5_type { LAE_HDF5_FLOAT, LAE_HDF5_DOUBLE, LAE_HDF5_INT32 };

/* Whether the root has something of that name; of a path, all groups before the last component must
 * be there. */
bool lae_hdf5_has(struct lae_hdf5 *file, const char *name);
bool lae_hdf5_has_attribute(struct lae_hdf5 *file, const char *object, const char *attribute);

/* Checks a dataset: of that type (a float also passes for a double), of rank at most LAE_MAX_RANK,
 * no extent 0, and backed by the bytes in the file. */
lae_status lae_hdf5_shape(struct lae_hdf5 *file, const char *name, enum lae_hdf5_type type,
                          int *rank, size_t shape[LAE_MAX_RANK]) LAE_MUST_CHECK;

/* The same of a matrix of which a part may be stored: what it claims is not backed by the file. */
lae_status lae_hdf5_extents(struct lae_hdf5 *file, const char *name, enum lae_hdf5_type type,
                            int *rank, size_t shape[LAE_MAX_RANK]) LAE_MUST_CHECK;

/* Reads a dataset of exactly `count` entries of that type into `values`. */
lae_status lae_hdf5_read(struct lae_hdf5 *file, const char *name, enum lae_hdf5_type type,
                         size_t count, void *values) LAE_MUST_CHECK;

/* The first `rows` rows, up to the diagonal, of a dataset of doubles [size, size]. */
lae_status lae_hdf5_read_triangle(struct lae_hdf5 *file, const char *name, size_t size, size_t rows,
                                  double *values) LAE_MUST_CHECK;

/* The first `known` rows of a dataset of floats [rows, columns]. */
lae_status lae_hdf5_read_rows(struct lae_hdf5 *file, const char *name, size_t rows, size_t columns,
                              size_t known, float *values) LAE_MUST_CHECK;

/* A string dataset, as a new string; free(). */
lae_status lae_hdf5_read_text(struct lae_hdf5 *file, const char *name, char **text) LAE_MUST_CHECK;

/* Adds every float dataset below `group` to the set, named by its path from there; in the order of
 * the names. Other datasets and a missing group are errors. */
lae_status lae_hdf5_read_set(struct lae_hdf5 *file, const char *group,
                             struct lae_set *set) LAE_MUST_CHECK;

lae_status lae_hdf5_get_int(struct lae_hdf5 *file, const char *object, const char *attribute,
                            int32_t *value) LAE_MUST_CHECK;
lae_status lae_hdf5_get_double(struct lae_hdf5 *file, const char *object, const char *attribute,
                               double *value) LAE_MUST_CHECK;
/* As a new string; free(). */
lae_status lae_hdf5_get_text(struct lae_hdf5 *file, const char *object, const char *attribute,
                             char **value) LAE_MUST_CHECK;

/* A struct as lae_hdf5_put_record wrote it, into one of zeros. Errors: an attribute that is missing
 * or is none of its field's kind. */
lae_status lae_hdf5_get_record(struct lae_hdf5 *file, const char *object,
                               const struct lae_record *record, void *item) LAE_MUST_CHECK;

/* Whether an attribute is text or a number. */
lae_status lae_hdf5_attribute_is_text(struct lae_hdf5 *file, const char *object,
                                      const char *attribute, bool *text) LAE_MUST_CHECK;

/* Called with the path of an object from the root. */
typedef lae_status lae_hdf5_visit(struct lae_hdf5 *file, const char *name, bool is_group,
                                  void *context);

/* Visits every group and dataset below `group` ("" for the root), in the order of the names, a
 * group before what is in it. Links to elsewhere (soft, external), loops and absurd numbers of
 * objects are errors. */
lae_status lae_hdf5_walk(struct lae_hdf5 *file, const char *group, lae_hdf5_visit *visit,
                         void *context) LAE_MUST_CHECK;

/* Calls visit(file, attribute, false, context) for each attribute of `object`, names sorted. */
lae_status lae_hdf5_walk_attributes(struct lae_hdf5 *file, const char *object,
                                    lae_hdf5_visit *visit, void *context) LAE_MUST_CHECK;

#endif
