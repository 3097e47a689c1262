/* The images of a folder: files of their own, to be examined and decoded by many.
 *
 * Opening such a dataset lists the files. What is known of each (sizes, digests) comes from
 * examining it, which reads the whole file; then its pixels can be had, from the file each time,
 * or once into memory that all share. Who does what for which image does not matter to the result.
 *
 *     records of a part:   | struct lae_picture [count] | paths, each ended by a zero |
 *     decoded:             | training image 0 | 1 | ... | test image 0 | ... |   RGB, as large as
 *                                                                               they come
 */
#ifndef LAE_DATA_PICTURES_H
#define LAE_DATA_PICTURES_H

#include "lae/data/dataset.h"

#define LAE_PICTURE_DIGEST 32 /* bytes of a SHA-256 */

struct lae_picture {
    uint64_t path;   /* where in the records it begins */
    uint64_t pixels; /* where in `decoded` they begin */
    int32_t label;
    int32_t width, height; /* pixels; 0: not examined yet */
    int32_t faulty;        /* 1: it cannot be read or decoded */
    unsigned char digest[LAE_PICTURE_DIGEST];
};

/* Whether a file's name ends as those of PNG and JPEG files do, in any case. */
bool lae_picture_has_ending(const char *name);

/* Image `number` of a part of the dataset itself. */
const struct lae_picture *lae_picture_of(const struct lae_dataset *dataset, enum lae_split part,
                                         size_t number);
const char *lae_picture_path(const struct lae_dataset *dataset, enum lae_split part, size_t number);

/* Reads image `number`'s file for *picture's size and digest; the rest of it stays. Errors name
 * the file: that it cannot be read, and what the header of a PNG or JPEG can have. */
lae_status lae_picture_examine(const struct lae_dataset *dataset, enum lae_split part,
                               size_t number, struct lae_picture *picture) LAE_MUST_CHECK;

/* Reads and decodes image `number`, which was examined, into rgb. Errors name the file: that it
 * cannot be read, that it is not the one that was examined, damage. */
lae_status lae_picture_decode(const struct lae_dataset *dataset, enum lae_split part, size_t number,
                              uint8_t *rgb) LAE_MUST_CHECK;

/* The picture in the file `path`, which belongs to no dataset: *rgb [height, width, 3], free().
 * Errors name the file: that it cannot be read, neither PNG nor JPEG, damage, memory. */
lae_status lae_picture_load(const char *path, uint8_t **rgb, struct lae_size *size) LAE_MUST_CHECK;

/* When all are examined: gives each its place among the decoded (records [LAE_SPLITS]: the
 * dataset's own, to be written), and returns how many bytes they take together. */
uint64_t lae_pictures_place(const struct lae_dataset *dataset,
                            unsigned char *const records[LAE_SPLITS]);

/* Takes the faulty images out of a part (its records, to be written) and returns how many are left;
 * the counts are the caller's business. */
size_t lae_pictures_drop_faulty(const struct lae_dataset *dataset, enum lae_split part,
                                unsigned char *records);

/* Sets the dataset's largest sizes from the examined images. */
void lae_pictures_measure(struct lae_dataset *dataset);

#endif
