#include "lae/data/dataset.h"

#include "cifar.h"
#include "holdout.h"
#include "lae/data/pictures.h"
#include "lae/data/synthetic.h"
#include "lae/files/digest.h"
#include "listing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Images are numbered by 32 bits, here as in the random streams. */
static lae_status check_counts(const struct lae_dataset *dataset)
{
    for (int split = 0; split < LAE_SPLITS; split++)
        if (dataset->count[split] > UINT32_MAX)
            return lae_bad_input("the %s part has %zu images; at most %" PRIu32 " are allowed",
                                 split == LAE_TRAIN ? "training" : "test", dataset->count[split],
                                 UINT32_MAX);
    return NULL;
}

static lae_status check_synthetic(const char *key, int value, int most)
{
    if (value >= 1 && value <= most) return NULL;
    return lae_bad_input("data.synthetic.%s is %d; 1 to %d are allowed", key, value, most);
}

static lae_status open_synthetic(const struct lae_data_options *options,
                                 struct lae_dataset *dataset)
{
    int classes = options->synthetic.classes;
    int train = options->synthetic.train, test = options->synthetic.test;
    int most = (int)LAE_SYNTHETIC_TEST_INDEX; /* training and test images must not meet */
    LAE_TRY(check_synthetic("classes", classes, LAE_MAX_CLASSES));
    LAE_TRY(check_synthetic("train", train, most));
    LAE_TRY(check_synthetic("test", test, most));
    dataset->classes = classes;
    dataset->width = LAE_SYNTHETIC_SIDE;
    dataset->height = LAE_SYNTHETIC_SIDE;
    dataset->pixels = LAE_SYNTHETIC_SIDE * LAE_SYNTHETIC_SIDE;
    dataset->synthetic_per_class[LAE_TRAIN] = train;
    dataset->synthetic_per_class[LAE_TEST] = test;
    dataset->synthetic_seed = options->synthetic.seed;
    dataset->count[LAE_TRAIN] = (size_t)classes * (size_t)train;
    dataset->count[LAE_TEST] = (size_t)classes * (size_t)test;
    return NULL;
}

static lae_status open_files(const struct lae_data_options *options, struct lae_dataset *dataset)
{
    if (options->path == NULL || options->path[0] == '\0')
        return lae_bad_input("data.path is not set; it names the directory or the archive that "
                             "holds the dataset");
    return lae_status_prefix(
        options->dataset == LAE_DATASET_FOLDER
            ? lae_listing_open(options, dataset)
            : lae_cifar_open(options->path, options->validation_share <= 0.0, dataset),
        "data.path");
}

lae_status lae_dataset_open(const struct lae_data_options *options, struct lae_dataset *dataset)
{
    *dataset = (struct lae_dataset){.kind = options->dataset};
    lae_status status = options->dataset == LAE_DATASET_SYNTHETIC ? open_synthetic(options, dataset)
                                                                  : open_files(options, dataset);
    if (status == NULL) status = check_counts(dataset);
    memcpy(dataset->stored, dataset->count, sizeof dataset->stored);
    if (status != NULL) lae_dataset_close(dataset);
    return status;
}

lae_status lae_dataset_open_pictures(const char *path, int classes, struct lae_dataset *dataset)
{
    *dataset =
        (struct lae_dataset){.kind = LAE_DATASET_FOLDER, .classes = classes, .unlabelled = true};
    lae_status status = lae_listing_open_unlabelled(path, dataset);
    if (status == NULL) status = check_counts(dataset);
    memcpy(dataset->stored, dataset->count, sizeof dataset->stored);
    if (status != NULL) lae_dataset_close(dataset);
    return status;
}

struct lae_dataset lae_dataset_empty(int classes)
{
    return (struct lae_dataset){.kind = LAE_DATASET_SYNTHETIC,
                                .classes = classes,
                                .width = 1,
                                .height = 1,
                                .pixels = 1,
                                .unlabelled = true};
}

void lae_dataset_close(struct lae_dataset *dataset)
{
    for (int i = 0; dataset->class_names != NULL && i < dataset->classes; i++)
        free(dataset->class_names[i]);
    free(dataset->class_names);
    free(dataset->notes.layout);
    free(dataset->notes.passed);
    free(dataset->notes.unread);
    free(dataset->notes.left_out);
    for (int split = 0; split < LAE_SPLITS; split++) {
        free(dataset->owned[split]);
        free(dataset->chosen[split]);
    }
    *dataset = (struct lae_dataset){0};
}

/* Deals the training records to chosen[LAE_TRAIN] and, where held, to chosen[LAE_TEST]. */
static lae_status deal(struct lae_dataset *dataset, const bool *held)
{
    size_t count[LAE_SPLITS] = {0}, records = dataset->stored[LAE_TRAIN];
    for (int split = 0; split < LAE_SPLITS; split++) {
        dataset->chosen[split] = malloc((records + 1) * sizeof *dataset->chosen[split]);
        if (dataset->chosen[split] == NULL)
            return lae_out_of_memory(records * sizeof *dataset->chosen[split],
                                     "the numbers of the images held out");
    }
    for (size_t i = 0; i < records; i++) {
        enum lae_split split = held[i] ? LAE_TEST : LAE_TRAIN;
        dataset->chosen[split][count[split]++] = (uint32_t)i;
    }
    memcpy(dataset->count, count, sizeof count);
    dataset->held_out = true;
    return NULL;
}

lae_status lae_dataset_hold_out(struct lae_dataset *dataset, double share)
{
    size_t records = dataset->stored[LAE_TRAIN];
    int *label = malloc((records + 1) * sizeof *label);
    bool *held = malloc((records + 1) * sizeof *held);
    lae_status status = NULL;
    if (label == NULL || held == NULL)
        status = lae_out_of_memory(records * sizeof *label, "choosing the images to hold out");
    for (size_t i = 0; i < records && status == NULL; i++)
        label[i] = lae_dataset_label(dataset, LAE_TRAIN, i);
    if (status == NULL)
        status =
            lae_holdout_choose(LAE_RANDOM_HOLD_OUT, label, records, dataset->classes, share, held);
    if (status == NULL) status = deal(dataset, held);
    free(label);
    free(held);
    return status;
}

const char *lae_dataset_evaluated(const struct lae_dataset *dataset)
{
    return dataset->held_out ? "validation" : "test";
}

/* The part of the dataset itself that an image comes from. */
static enum lae_split part_of(const struct lae_dataset *dataset, enum lae_split split)
{
    return dataset->held_out ? LAE_TRAIN : split;
}

size_t lae_dataset_number(const struct lae_dataset *dataset, enum lae_split split, size_t index)
{
    return dataset->held_out ? dataset->chosen[split][index] : index;
}

static const unsigned char *record_of(const struct lae_dataset *dataset, enum lae_split split,
                                      size_t index)
{
    return dataset->records[part_of(dataset, split)] +
           lae_dataset_number(dataset, split, index) * dataset->record;
}

int lae_dataset_label(const struct lae_dataset *dataset, enum lae_split split, size_t index)
{
    enum lae_split part = part_of(dataset, split);
    size_t number = lae_dataset_number(dataset, split, index);
    switch (dataset->kind) {
    case LAE_DATASET_SYNTHETIC:
        return (int)(number / (size_t)dataset->synthetic_per_class[part]);
    case LAE_DATASET_FOLDER:
        return lae_picture_of(dataset, part, number)->label;
    case LAE_DATASET_CIFAR100:
    case LAE_DATASET_CIFAR10:
        break;
    }
    return record_of(dataset, split, index)[dataset->label_at];
}

static void draw(const struct lae_dataset *dataset, enum lae_split split, size_t index,
                 uint8_t *rgb)
{
    enum lae_split part = part_of(dataset, split);
    size_t image = lae_dataset_number(dataset, split, index);
    size_t per_class = (size_t)dataset->synthetic_per_class[part];
    uint32_t number = (uint32_t)(image % per_class);
    if (part == LAE_TEST) number += LAE_SYNTHETIC_TEST_INDEX;
    lae_synthetic_draw(dataset->synthetic_seed, (uint32_t)(image / per_class), number, rgb);
}

static void copy_planes(const struct lae_dataset *dataset, enum lae_split split, size_t index,
                        uint8_t *rgb)
{
    size_t plane = dataset->pixels;
    const unsigned char *pixels = record_of(dataset, split, index) + dataset->pixels_at;
    for (size_t i = 0; i < plane; i++)
        for (size_t channel = 0; channel < 3; channel++)
            rgb[3 * i + channel] = pixels[channel * plane + i];
}

static lae_status take_picture(const struct lae_dataset *dataset, enum lae_split part,
                               size_t number, uint8_t *rgb, struct lae_size *size)
{
    const struct lae_picture *picture = lae_picture_of(dataset, part, number);
    *size = (struct lae_size){picture->width, picture->height};
    if (dataset->decoded == NULL) return lae_picture_decode(dataset, part, number, rgb);
    memcpy(rgb, dataset->decoded + picture->pixels,
           3 * (size_t)picture->width * (size_t)picture->height);
    return NULL;
}

lae_status lae_dataset_image(const struct lae_dataset *dataset, enum lae_split split, size_t index,
                             uint8_t *rgb, struct lae_size *size)
{
    if (dataset->kind == LAE_DATASET_FOLDER)
        return take_picture(dataset, part_of(dataset, split),
                            lae_dataset_number(dataset, split, index), rgb, size);
    *size = (struct lae_size){dataset->width, dataset->height};
    if (dataset->kind == LAE_DATASET_SYNTHETIC)
        draw(dataset, split, index, rgb);
    else
        copy_planes(dataset, split, index, rgb);
    return NULL;
}

static lae_status digest_synthetic(const struct lae_dataset *dataset, char text[LAE_DIGEST_TEXT])
{
    char line[128];
    int length = snprintf(line, sizeof line, "synthetic classes %d train %d test %d seed %" PRIu64,
                          dataset->classes, dataset->synthetic_per_class[LAE_TRAIN],
                          dataset->synthetic_per_class[LAE_TEST], dataset->synthetic_seed);
    return lae_digest_memory(line, (size_t)length, text);
}

/* A folder's part: label and digest of each image, then the classes' names, each with its zero. */
static lae_status fill_picture_digest(const struct lae_dataset *dataset, enum lae_split part,
                                      unsigned char *bytes)
{
    for (size_t i = 0; i < dataset->stored[part]; i++) {
        struct lae_picture picture = *lae_picture_of(dataset, part, i);
        if (picture.width == 0) LAE_TRY(lae_picture_examine(dataset, part, i, &picture));
        for (int byte = 0; byte < 4; byte++)
            *bytes++ = (unsigned char)((uint32_t)picture.label >> 8 * byte);
        memcpy(bytes, picture.digest, sizeof picture.digest);
        bytes += sizeof picture.digest;
    }
    for (int i = 0; dataset->class_names != NULL && i < dataset->classes; i++) {
        size_t name_size = strlen(dataset->class_names[i]) + 1;
        memcpy(bytes, dataset->class_names[i], name_size);
        bytes += name_size;
    }
    return NULL;
}

static lae_status digest_pictures(const struct lae_dataset *dataset, enum lae_split part,
                                  char text[LAE_DIGEST_TEXT])
{
    size_t size = dataset->stored[part] * (4 + LAE_PICTURE_DIGEST);
    for (int i = 0; dataset->class_names != NULL && i < dataset->classes; i++)
        size += strlen(dataset->class_names[i]) + 1;
    unsigned char *bytes = malloc(size + 1);
    if (bytes == NULL) return lae_out_of_memory(size, "the images' digest");
    lae_status status = fill_picture_digest(dataset, part, bytes);
    if (status == NULL) status = lae_digest_memory(bytes, size, text);
    free(bytes);
    return status;
}

lae_status lae_dataset_digest(const struct lae_dataset *dataset, char text[LAE_DIGEST_TEXT])
{
    if (dataset->kind == LAE_DATASET_SYNTHETIC) return digest_synthetic(dataset, text);
    char parts[LAE_SPLITS * (LAE_DIGEST_TEXT - 1) + 1];
    for (int split = 0; split < LAE_SPLITS; split++) {
        char *part = parts + split * (LAE_DIGEST_TEXT - 1);
        LAE_TRY(dataset->kind == LAE_DATASET_FOLDER
                    ? digest_pictures(dataset, (enum lae_split)split, part)
                    : lae_digest_memory(dataset->records[split], dataset->bytes[split], part));
    }
    return lae_digest_memory(parts, sizeof parts - 1, text);
}
