/* Image files, and the lists that name them. The first byte says which:
 *
 *     1        lists: train.txt, a zero, test.txt
 *     2        CUB-200-2011: images.txt, a zero, image_class_labels.txt, a zero,
 * train_test_split.txt others   an image, as it is and with the checksums of a PNG's chunks put
 * right
 */
#include "fuzz.h"

#include "../../src/data/decode.h"
#include "lae/data/dataset.h"
#include "lae/data/pictures.h"

#include <stdlib.h>
#include <string.h>

/* Larger ones show nothing that smaller ones do not, and take long: a few bytes can hold them. */
#define PIXEL_LIMIT ((size_t)1 << 18)

/* Every pixel is written, and with the same value each time. */
static lae_status decode(const unsigned char *bytes, size_t size)
{
    struct lae_size image;
    LAE_TRY(lae_decode_size("input", bytes, size, &image));
    LAE_FUZZ_CHECK(image.width >= 1 && image.width <= LAE_MAX_SIDE);
    LAE_FUZZ_CHECK(image.height >= 1 && image.height <= LAE_MAX_SIDE);
    size_t pixels = (size_t)image.width * (size_t)image.height;
    if (pixels > PIXEL_LIMIT) return NULL;
    uint8_t *first = malloc(3 * pixels), *second = malloc(3 * pixels);
    LAE_FUZZ_CHECK(first != NULL && second != NULL);
    memset(first, 0x00, 3 * pixels);
    memset(second, 0xff, 3 * pixels);
    lae_status status = lae_decode_pixels("input", bytes, size, image, first);
    if (status == NULL) status = lae_decode_pixels("input", bytes, size, image, second);
    if (status == NULL) LAE_FUZZ_CHECK(memcmp(first, second, 3 * pixels) == 0);
    free(first);
    free(second);
    return status;
}

static void read_image(const uint8_t *data, size_t size)
{
    unsigned char *copy = lae_fuzz_copy(data, size);
    lae_fuzz_end(decode(copy, size), "input");
    lae_fuzz_repair_png(copy, size);
    lae_fuzz_end(decode(copy, size), "input");
    free(copy);
}

/* Every path ends within the records, every label is a class that has a name. */
static void look_at(const struct lae_dataset *dataset)
{
    LAE_FUZZ_CHECK(dataset->classes >= 1 && dataset->classes <= LAE_MAX_CLASSES);
    for (int i = 0; i < dataset->classes; i++)
        LAE_FUZZ_CHECK(dataset->class_names[i] != NULL);
    for (int part = 0; part < LAE_SPLITS; part++) {
        LAE_FUZZ_CHECK(dataset->count[part] > 0);
        for (size_t i = 0; i < dataset->count[part]; i++) {
            int label = lae_dataset_label(dataset, (enum lae_split)part, i);
            uint64_t at = lae_picture_of(dataset, (enum lae_split)part, i)->path;
            LAE_FUZZ_CHECK(label >= 0 && label < dataset->classes);
            LAE_FUZZ_CHECK(at < dataset->bytes[part]);
            LAE_FUZZ_CHECK(memchr(dataset->records[part] + at, 0, dataset->bytes[part] - at) !=
                           NULL);
        }
    }
}

/* The parts between zeros, the last one to the end, as these files. */
static void read_lists(const char *const *names, int count, const uint8_t *data, size_t size)
{
    for (int i = 0; i < count; i++) {
        const uint8_t *end = i + 1 < count && size > 0 ? memchr(data, 0, size) : NULL;
        size_t length = end != NULL ? (size_t)(end - data) : size;
        lae_fuzz_file(names[i], data, length);
        if (end != NULL) length++;
        data += length;
        size -= length;
    }
    struct lae_data_options options = {.dataset = LAE_DATASET_FOLDER, .path = lae_fuzz_directory()};
    struct lae_dataset dataset;
    lae_status status = lae_dataset_open(&options, &dataset);
    if (status == NULL) {
        look_at(&dataset);
        lae_dataset_close(&dataset);
    }
    lae_fuzz_end(status, lae_fuzz_directory());
    for (int i = 0; i < count; i++)
        lae_fuzz_remove(names[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const lists[] = {"train.txt", "test.txt"};
    static const char *const cub[] = {"images.txt", "image_class_labels.txt",
                                      "train_test_split.txt"};
    if (size > 0 && data[0] == 1)
        read_lists(lists, 2, data + 1, size - 1);
    else if (size > 0 && data[0] == 2)
        read_lists(cub, 3, data + 1, size - 1);
    else
        read_image(data, size);
    return 0;
}
