/* NumPy's array files. */
#ifndef LAE_WEIGHTS_NPY_H
#define LAE_WEIGHTS_NPY_H

#include "raw.h"

/* Reads the .npy file in data [size] into `raw` (all but name and owned; raw->bytes points into
 * data). '<f4' and '<f2' in either order of axes; other types are refused by name. Errors name the
 * byte of the .npy file where they can. */
lae_status lae_weights_npy_parse(const unsigned char *data, size_t size,
                                 struct lae_raw *raw) LAE_MUST_CHECK;

#endif
