/* Image files read by all ranks. Private to sweep/. */
#ifndef LAE_SWEEP_DECODING_H
#define LAE_SWEEP_DECODING_H

#include "lae/sweep/setup.h"

/* For a setup whose dataset is a listed folder, with its records shared: examines all images, which
 * gives their sizes and the data's digest, and decodes them where compute.decode wants it.
 * [collective] Errors, the same on all ranks: how many files are no good and the first of them,
 * however many ranks there are; memory; LAE_STOPPED. Of images without labels those that are no
 * good are taken out, and setup->refused says which, as long as others are left. */
lae_status lae_decoding_read(struct lae_setup *setup) LAE_MUST_CHECK;

#endif
