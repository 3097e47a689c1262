/* Google's .npz: the input is the file, its zip's checksums put right; or, when it begins as a .npy
 * array does, only that. */
#include "../../src/weights/npz.h"
#include "../../src/weights/npy.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static void read_array(const uint8_t *data, size_t size)
{
    struct lae_raw_file file = {.count = 0};
    struct lae_raw raw = {.name = "array"}; /* without memory of its own */
    lae_status status = lae_weights_npy_parse(data, size, &raw);
    if (status == NULL) status = lae_weights_raw_add(&file, &raw);
    lae_fuzz_raw(&file);
    lae_fuzz_end(status, NULL);
}

static void read_raw(const char *path)
{
    struct lae_raw_file file = {.count = 0};
    lae_status status = lae_weights_npz_read(path, &file);
    lae_fuzz_raw(&file);
    lae_fuzz_end(status, path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 6 && memcmp(data, "\x93NUMPY", 6) == 0) {
        read_array(data, size);
        return 0;
    }
    unsigned char *file = lae_fuzz_copy(data, size);
    lae_fuzz_repair_zip(file, size);
    const char *path = lae_fuzz_file("input", file, size);
    free(file);
    read_raw(path);
    lae_fuzz_weights(path);
    return 0;
}
