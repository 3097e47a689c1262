/* A dataset: labelled 8-bit RGB images, with a training and a test part.
 *
 * CIFAR's images are records of a binary file, kept as they are stored; the synthetic data have no
 * records and are drawn when asked for; of a folder of image files the records say where each
 * image is (lae/data/pictures.h). The records may lie in memory that ranks of a node share, which
 * is why the struct is plain: whoever opens it may replace `records` by a copy elsewhere.
 */
#ifndef LAE_DATA_DATASET_H
#define LAE_DATA_DATASET_H

#include "lae/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lae_split { LAE_TRAIN, LAE_TEST, LAE_SPLITS };
enum lae_dataset_kind {
    LAE_DATASET_SYNTHETIC,
    LAE_DATASET_CIFAR100,
    LAE_DATASET_CIFAR10,
    LAE_DATASET_FOLDER
};
enum lae_augment { LAE_AUGMENT_NONE, LAE_AUGMENT_CROP_FLIP };
enum lae_filter { LAE_FILTER_BILINEAR, LAE_FILTER_BICUBIC };

struct lae_size {
    int width, height; /* pixels */
};

#define LAE_MAX_CLASSES 4096

struct lae_data_options {
    enum lae_dataset_kind dataset;
    const char *path; /* directory or archive; unused for synthetic */
    int *classes;     /* [classes_count] labels of a subset to learn; NULL: all */
    int classes_count;
    int *class_order; /* [class_order_count] dataset labels; NULL: label order */
    int class_order_count;
    int first_classes; /* 0: as the others */
    int classes_per_task;
    int image_size;
    double mean[3], std[3];
    enum lae_augment augment;
    enum lae_filter resize;
    bool shuffle, drop_last;
    double validation_share; /* of each class's training images, held out; 0: none */
    struct {
        int classes, train, test; /* images a class */
        uint64_t seed;
    } synthetic;
};

/* How a folder of images was read, for people; each NULL where there is nothing to tell. */
struct lae_dataset_notes {
    char *layout;   /* which layout was taken */
    char *passed;   /* what lies there too and was not */
    char *unread;   /* images that were left out, in a way that changes the data */
    char *left_out; /* other files that were */
};

struct lae_dataset {
    enum lae_dataset_kind kind;
    int classes;
    int width, height;            /* pixels; of a folder the largest of all images */
    size_t pixels;                /* of the image that has most */
    size_t count[LAE_SPLITS];     /* images */
    bool held_out;                /* see lae_dataset_hold_out */
    uint32_t *chosen[LAE_SPLITS]; /* [count] training records; NULL unless held_out */
    size_t stored[LAE_SPLITS];    /* images that the dataset itself has; count unless held_out */
    /* Records of `record` bytes: a label at byte `label_at`, planes R, G, B from `pixels_at`. */
    size_t record, label_at, pixels_at;
    const unsigned char *records[LAE_SPLITS]; /* NULL for synthetic */
    size_t bytes[LAE_SPLITS];                 /* of all that belongs to them */
    unsigned char *owned[LAE_SPLITS];         /* freed with the dataset; NULL where not owned */
    char **class_names;                       /* [classes] by label, owned; NULL: not known */
    struct lae_dataset_notes notes;           /* owned */
    bool unlabelled;                          /* the images' classes are not known */
    const uint8_t *decoded; /* a folder's images, decoded; NULL: each is when it is asked for */
    int synthetic_per_class[LAE_SPLITS];
    uint64_t synthetic_seed;
};

/* Reads or prepares what the options name. CIFAR comes in its binary or its Python form (the same
 * images are then the same dataset) from a directory, also one that holds the official archive's
 * (cifar-100-binary/, cifar-10-batches-py/, ...), or from a tar or zip archive, in which only the
 * files' base names count. Image i of the synthetic data has class i / images a class. Of
 * a folder its layout alone is read (src/data/listing.h), and no image yet: lae/data/pictures.h.
 * Errors name the file, the record and what is wrong with it, or the file that is missing. */
lae_status lae_dataset_open(const struct lae_data_options *options,
                            struct lae_dataset *dataset) LAE_MUST_CHECK;
void lae_dataset_close(struct lae_dataset *dataset);

/* Of what nobody has labelled: the PNG and JPEG files in and below a folder, in bytewise order of
 * their paths, or one such file, as the test images of a dataset of `classes`; there are no
 * training images. Errors name the folder or file. */
lae_status lae_dataset_open_pictures(const char *path, int classes,
                                     struct lae_dataset *dataset) LAE_MUST_CHECK;

/* A dataset of `classes` without any image, for images that come from elsewhere. */
struct lae_dataset lae_dataset_empty(int classes);

/* From here on the images of LAE_TEST are training images: those of each class that `share` (in
 * (0, 1)) sets aside, the same ones for every run; LAE_TRAIN has the others, in their order. The
 * test images can no longer be reached. The digest stays that of all images. Errors: memory. */
lae_status lae_dataset_hold_out(struct lae_dataset *dataset, double share) LAE_MUST_CHECK;

/* What LAE_TEST's images are, for people: "test" or "validation". */
const char *lae_dataset_evaluated(const struct lae_dataset *dataset);

/* The number that image `index` has in the dataset itself; `index` unless images are held out. */
size_t lae_dataset_number(const struct lae_dataset *dataset, enum lae_split split, size_t index);

/* Label of image `index`, 0..classes-1; -1 where they are not known. */
int lae_dataset_label(const struct lae_dataset *dataset, enum lae_split split, size_t index);

/* Pixels of image `index` into rgb [size->height, size->width, 3], which has room for
 * dataset->pixels. Errors: those of an image file that is decoded now. */
lae_status lae_dataset_image(const struct lae_dataset *dataset, enum lae_split split, size_t index,
                             uint8_t *rgb, struct lae_size *size) LAE_MUST_CHECK;

/* What the data are, as 64 hexadecimal digits: SHA-256 over the digests (their digits) of the
 * training and of the test records; for synthetic data over a line of their parameters. A folder's
 * records are here each image's label and its file's digest, then the classes' names; images that
 * were not examined yet are, by it. */
lae_status lae_dataset_digest(const struct lae_dataset *dataset, char text[65]) LAE_MUST_CHECK;

#endif
