/* What the files hdf5_*.c share. */
#ifndef LAE_STORE_HDF5_FILE_H
#define LAE_STORE_HDF5_FILE_H

#include "lae/store/hdf5.h"

/* A dataset may be compressed, and deflate gets at most 1032:1. */
#define LAE_HDF5_MAX_COMPRESSION 1100

/* How hard deflate tries. */
#define LAE_HDF5_DEFLATE 6

/* What the process that reads the file says first: whether HDF5 opened it. */
lae_status lae_hdf5_hear(struct lae_hdf5 *file) LAE_MUST_CHECK;

/* An error "PATH: FORMAT...: what HDF5 says"; to be made before any other call of HDF5, which would
 * clear its error stack. LAE_FAILED where a system call failed. */
lae_status lae_hdf5_fault(enum lae_code code, const struct lae_hdf5 *file, const char *format, ...)
    LAE_PRINTF(3, 4);

/* How much may be read of a file that has been opened. False: HDF5 does not know its size. */
bool lae_hdf5_measure(struct lae_hdf5 *file);

/* Errors: the way to `name` leads over a link to elsewhere (soft, external, user-defined). */
lae_status lae_hdf5_check_links(const struct lae_hdf5 *file, const char *name) LAE_MUST_CHECK;

/* Makes the groups on the way to an object, as far as they are not there. */
lae_status lae_hdf5_make_way(struct lae_hdf5 *file, const char *name) LAE_MUST_CHECK;

/* Properties of a dataset to be made; without the time, which would make equal contents differ. */
hid_t lae_hdf5_dataset_properties(void);

/* The name as HDF5 wants it: the root is "/" there. */
const char *lae_hdf5_object(const char *name);

#endif
