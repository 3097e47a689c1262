/* Which image files a folder has, and what they show. Private to data/.
 *
 * The first of these layouts that is whole counts:
 *
 *     CUB-200-2011   images.txt, image_class_labels.txt, train_test_split.txt: "ID WHAT" a line;
 *                    the files are in images/
 *     lists          train.txt, train_list.txt, NAME_train.txt (any number of these, in bytewise
 *                    order) and the same with test or val: "PATH LABEL" a line, PATH from the
 *                    folder on, labels from 0
 *     folders        train/CLASS/... and test/CLASS/... (or val/, valid/, validation/), walked as
 *                    torchvision's ImageFolder does; labels are the bytewise order of the classes'
 *                    names (folders.c)
 *
 * With lists and CUB-200-2011 a class has the name of the folder that all its images are in, or
 * else its label. In class folders files count that lae_picture_has_ending knows; what is left out
 * is counted and named in the dataset's notes. Hidden files are passed over everywhere.
 */
#ifndef LAE_DATA_LISTING_H
#define LAE_DATA_LISTING_H

#include "lae/data/dataset.h"

/* Fills the dataset's classes, counts, names, notes and records, which it then owns, from
 * options->path: images of options->classes alone, and none to test with where there are none and
 * options->validation_share needs none. Errors name file and line, or the folder and what it lacks.
 */
lae_status lae_listing_open(const struct lae_data_options *options,
                            struct lae_dataset *dataset) LAE_MUST_CHECK;

/* The same for lae_dataset_open_pictures, whose test images all have label -1. */
lae_status lae_listing_open_unlabelled(const char *path,
                                       struct lae_dataset *dataset) LAE_MUST_CHECK;

#endif
