/* Weights in this program's own HDF5: timm's names as paths, float32 datasets; the root's
 * attributes layer_norm_eps (double), heads (int, 0: unknown) and, where known, pixels (JSON);
 * sealed. */
#ifndef LAE_WEIGHTS_HDF5_H
#define LAE_WEIGHTS_HDF5_H

#include "lae/base/log.h"
#include "lae/params/set.h"
#include "raw.h"

/* Appends all datasets to `file`. Errors name path and object. */
lae_status lae_weights_hdf5_read(const char *path, struct lae_log *log,
                                 struct lae_raw_file *file) LAE_MUST_CHECK;

lae_status lae_weights_hdf5_write(const char *path,
                                  const struct lae_weights *weights) LAE_MUST_CHECK;

#endif
