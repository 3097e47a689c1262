/* CIFAR's Python files: the input is a pickle, taken for images of both datasets and for names. */
#include "fuzz.h"

#include "../../src/data/cifar_python.h"

#include <stdlib.h>
#include <string.h>

enum { PIXEL_BYTES = 12 }; /* of an image: the reader does not mind, and inputs stay small */

/* Whole records, whose labels are bytes. */
static void unpickle(const unsigned char *bytes, size_t size, const char *const *keys,
                     size_t labels)
{
    unsigned char *records = NULL;
    size_t records_size = 0;
    lae_status status =
        lae_cifar_unpickle("input", bytes, size, keys, PIXEL_BYTES, &records, &records_size);
    if (status == NULL) {
        LAE_FUZZ_CHECK(records_size % (labels + PIXEL_BYTES) == 0);
        LAE_FUZZ_CHECK(records_size <= size * (labels + 1));
    }
    free(records);
    lae_fuzz_end(status, "input");
}

static void read_names(const unsigned char *bytes, size_t size)
{
    unsigned char *text = NULL;
    size_t text_size = 0;
    lae_status status =
        lae_cifar_unpickle_names("input", bytes, size, "label_names", &text, &text_size);
    if (status == NULL && text_size > 0) LAE_FUZZ_CHECK(text[text_size - 1] == '\n');
    free(text);
    lae_fuzz_end(status, "input");
}

/* A seed is valid for all three uses. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const ten[] = {"labels", NULL};
    static const char *const hundred[] = {"coarse_labels", "fine_labels", NULL};
    unsigned char *copy = lae_fuzz_copy(data, size);
    unpickle(copy, size, ten, 1);
    unpickle(copy, size, hundred, 2);
    read_names(copy, size);
    free(copy);
    return 0;
}
