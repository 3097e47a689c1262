/* The task sequence: which classes and images make which task (METHOD section 1). */
#ifndef LAE_DATA_SEQUENCE_H
#define LAE_DATA_SEQUENCE_H

#include "lae/data/dataset.h"

struct lae_task_images {
    uint32_t *index; /* [count] image numbers in the dataset, ascending */
    size_t count;
};

struct lae_sequence {
    int classes, tasks;
    int labels;        /* the dataset's classes, of which `classes` are learned */
    int *class_order;  /* [classes] output index -> dataset label */
    int *output_index; /* [labels] dataset label -> output index; -1: not learned */
    int *first_class;  /* [tasks + 1] the tasks' first output indices, then `classes` */
    int *task_of;      /* [classes] output index -> task */
    struct lae_task_images *images[LAE_SPLITS]; /* [tasks]; none of what is not labelled */
};

/* Errors name the key: a class order that is no permutation of the labels to learn, more classes
 * in a task than there are, a task without training or without test images. */
lae_status lae_sequence_create(const struct lae_data_options *options,
                               const struct lae_dataset *dataset,
                               struct lae_sequence *sequence) LAE_MUST_CHECK;
void lae_sequence_free(struct lae_sequence *sequence);

/* What the images of the tasks 0..tasks-1 are, as 64 hexadecimal digits: for a folder's, whose
 * other images may change without it. Over each task's training and test images (label and digest,
 * in order) and its classes' names. Images that were not examined yet are, by it. Errors: theirs.
 */
lae_status lae_sequence_digest(const struct lae_sequence *sequence,
                               const struct lae_dataset *dataset, int tasks,
                               char text[65]) LAE_MUST_CHECK;

/* Which of a task's training images, in the order of their list, are set aside for a choice between
 * heads: held [images[LAE_TRAIN][task].count]. A class with n images gives the nearest whole number
 * to share * n, share in (0, 1), but at least one of two or more, and never all; the same ones for
 * every seed. Errors: memory. */
lae_status lae_sequence_set_aside(const struct lae_sequence *sequence,
                                  const struct lae_dataset *dataset, int task, double share,
                                  bool *held) LAE_MUST_CHECK;

/* The order in which the `count` images (below 2^32) of a task are visited in an epoch: positions
 * 0..count-1 into order, shuffled by Fisher and Yates with the numbers of (seed,
 * LAE_RANDOM_SHUFFLE, task, epoch, 0), or in order where shuffle is false. */
void lae_sequence_shuffle(uint64_t seed, int task, int epoch, size_t count, bool shuffle,
                          uint32_t *order);

#endif
