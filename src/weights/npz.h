/* NumPy's archives of arrays: zip files whose entries are NAME.npy. */
#ifndef LAE_WEIGHTS_NPZ_H
#define LAE_WEIGHTS_NPZ_H

#include "raw.h"

/* Appends all arrays of the archive to `file`. Errors name the path and the array. */
lae_status lae_weights_npz_read(const char *path, struct lae_raw_file *file) LAE_MUST_CHECK;

#endif
