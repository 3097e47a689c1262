/* CIFAR-100 and CIFAR-10 in their binary and their Python form. Private to data/. */
#ifndef LAE_DATA_CIFAR_H
#define LAE_DATA_CIFAR_H

#include "lae/data/dataset.h"

/* Reads both parts from `path`, a directory or an archive, into memory that `dataset` owns; its
 * kind says which of the two is wanted. Where no test images are needed there may be none. */
lae_status lae_cifar_open(const char *path, bool tests_needed,
                          struct lae_dataset *dataset) LAE_MUST_CHECK;

#endif
