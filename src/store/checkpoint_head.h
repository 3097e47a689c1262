/* The tasks' classifiers in a checkpoint.
 *
 * In version 1 each task has datasets of its own, /head/task_KK/weight [n, D] and bias [n], which
 * cost HDF5 340 bytes beside what is in them. In version 2, of runs of many tasks, they lie below
 * each other, one row a class:
 *
 *     /head/classes [tasks]     how many rows are each task's
 *     /head/weight [C, D]       compressed
 *     /head/bias [C]
 *
 * In memory either is checkpoint->head, with version 1's names. */
#ifndef LAE_SRC_STORE_CHECKPOINT_HEAD_H
#define LAE_SRC_STORE_CHECKPOINT_HEAD_H

#include "lae/store/checkpoint.h"
#include "lae/store/hdf5.h"

lae_status lae_checkpoint_write_head(struct lae_hdf5 *file,
                                     const struct lae_checkpoint *checkpoint) LAE_MUST_CHECK;

/* Errors: a task's classifier is missing, or they do not fit together or to the classes seen. */
lae_status lae_checkpoint_read_head(struct lae_hdf5 *file,
                                    struct lae_checkpoint *checkpoint) LAE_MUST_CHECK;

#endif
