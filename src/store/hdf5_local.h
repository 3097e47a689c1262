/* Reading by the process that has the file open: what hdf5_file.h says of the functions that are
 * called alike. */
#ifndef LAE_STORE_HDF5_LOCAL_H
#define LAE_STORE_HDF5_LOCAL_H

#include "hdf5_file.h"

bool lae_hdf5_local_has(struct lae_hdf5 *file, const char *name);
bool lae_hdf5_local_has_attribute(struct lae_hdf5 *file, const char *object, const char *attribute);
lae_status lae_hdf5_local_shape(struct lae_hdf5 *file, const char *name, enum lae_hdf5_type type,
                                int *rank, size_t shape[LAE_MAX_RANK]) LAE_MUST_CHECK;
lae_status lae_hdf5_local_extents(struct lae_hdf5 *file, const char *name, enum lae_hdf5_type type,
                                  int *rank, size_t shape[LAE_MAX_RANK]) LAE_MUST_CHECK;
lae_status lae_hdf5_local_read(struct lae_hdf5 *file, const char *name, enum lae_hdf5_type type,
                               size_t count, void *values) LAE_MUST_CHECK;
lae_status lae_hdf5_local_read_triangle(struct lae_hdf5 *file, const char *name, size_t size,
                                        size_t rows, double *values) LAE_MUST_CHECK;
lae_status lae_hdf5_local_read_rows(struct lae_hdf5 *file, const char *name, size_t rows,
                                    size_t columns, size_t known, float *values) LAE_MUST_CHECK;
lae_status lae_hdf5_local_read_text(struct lae_hdf5 *file, const char *name,
                                    char **text) LAE_MUST_CHECK;
lae_status lae_hdf5_local_get_text(struct lae_hdf5 *file, const char *object, const char *attribute,
                                   char **value) LAE_MUST_CHECK;
lae_status lae_hdf5_local_get_int(struct lae_hdf5 *file, const char *object, const char *attribute,
                                  int32_t *value) LAE_MUST_CHECK;
lae_status lae_hdf5_local_get_double(struct lae_hdf5 *file, const char *object,
                                     const char *attribute, double *value) LAE_MUST_CHECK;
lae_status lae_hdf5_local_attribute_is_text(struct lae_hdf5 *file, const char *object,
                                            const char *attribute, bool *text) LAE_MUST_CHECK;
lae_status lae_hdf5_local_walk(struct lae_hdf5 *file, const char *group, lae_hdf5_visit *visit,
                               void *context) LAE_MUST_CHECK;
lae_status lae_hdf5_local_walk_attributes(struct lae_hdf5 *file, const char *object,
                                          lae_hdf5_visit *visit, void *context) LAE_MUST_CHECK;

#endif
