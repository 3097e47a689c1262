/* Google's .npz: the input is the file, its zip's checksums put right. */
#include "fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char *file = lae_fuzz_copy(data, size);
    lae_fuzz_repair_zip(file, size);
    lae_fuzz_weights(lae_fuzz_file("input", file, size));
    free(file);
    return 0;
}
