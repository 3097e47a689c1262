/* Image files read by all ranks. Private to learn/. */
#ifndef LAE_LEARN_PICTURES_H
#define LAE_LEARN_PICTURES_H

#include "lae/learn/job.h"

/* For a job whose dataset is a listed folder, with its records shared: examines all images, which
 * gives their sizes and the data's digest, and decodes them where compute.decode wants it.
 * [collective] Errors, the same on all ranks: of the first file that is no good, however many ranks
 * there are; memory; LAE_STOPPED. */
lae_status pictures_read(struct lae_job *job) LAE_MUST_CHECK;

#endif
