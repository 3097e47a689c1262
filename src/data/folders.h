/* Class folders, and annotations that take their place. Private to data/. */
#ifndef LAE_DATA_FOLDERS_H
#define LAE_DATA_FOLDERS_H

#include "found.h"

/* The name that the folder of training images has in `root`, into *name, NULL where there is none;
 * free(). */
lae_status lae_folders_find(const char *root, char **name) LAE_MUST_CHECK;

/* train/CLASS/..., and the first of test/, val/ and their like whose images have these classes. */
lae_status lae_folders_read(struct lae_found *found) LAE_MUST_CHECK;

/* What `directory` has where it has no layout, for a message; NULL: nothing worth telling. free().
 */
lae_status lae_folders_describe(const char *directory, char **text) LAE_MUST_CHECK;

/* Of images without labels: every image file in and below `directory`. */
lae_status lae_folders_read_unlabelled(struct lae_found *found,
                                       const char *directory) LAE_MUST_CHECK;

#endif
