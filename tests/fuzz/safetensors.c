/* .safetensors: the input is the file, or, when it begins with "{", the header up to a newline and
 * the data behind that; then the header's length is put in front. */
#include "../../src/weights/safetensors.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

/* The file that a header and its data make; free(). */
static unsigned char *join(const uint8_t *data, size_t size, size_t header, size_t *total)
{
    size_t rest = header < size ? size - header - 1 : 0; /* without the newline */
    unsigned char *file = malloc(8 + header + rest);
    LAE_FUZZ_CHECK(file != NULL);
    for (int i = 0; i < 8; i++)
        file[i] = (unsigned char)((uint64_t)header >> 8 * i);
    memcpy(file + 8, data, header);
    if (rest > 0) memcpy(file + 8 + header, data + header + 1, rest);
    *total = 8 + header + rest;
    return file;
}

static void read_file(const uint8_t *data, size_t size)
{
    struct lae_raw_file file = {.count = 0};
    lae_status status = lae_weights_safetensors_read(data, size, &file);
    lae_fuzz_raw(&file);
    lae_fuzz_end(status, NULL);
    lae_fuzz_weights(lae_fuzz_file("input", data, size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || data[0] != '{') {
        read_file(data, size);
        return 0;
    }
    const uint8_t *newline = memchr(data, '\n', size);
    size_t total = 0;
    unsigned char *file =
        join(data, size, newline == NULL ? size : (size_t)(newline - data), &total);
    read_file(file, total);
    free(file);
    return 0;
}
