/* Files in HDF5, byte by byte: checkpoints, or, when the input begins with "lae-w", weights. The
 * input is the whole file, and its seal is put right: so HDF5 sees whatever the bytes behind it
 * are.
 *
 * That is more than HDF5 1.10 can take: it crashes on forged files within seconds (reads of freed
 * memory, copies beyond the end, from H5HG_read, H5O__..., H5B__...), or goes round for ever. The
 * process that reads them then dies (lae/store/reader.h), and this one has a message. What the
 * program does with files that are HDF5 is tried by checkpoint.c. */
#include "lae/store/checkpoint.h"

#include "../../src/store/seal.h"
#include "fuzz.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* For LeakSanitizer: HDF5 1.10 loses a little memory on the way out of some errors. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < LAE_SEAL_BYTES) return 0;
    unsigned char *file = lae_fuzz_copy(data, size);
    bool weights = memcmp(data, "lae-w", 5) == 0;
    lae_status status =
        lae_seal_stamp(file, size, weights ? "lae-weights" : LAE_CHECKPOINT_FORMAT, 1);
    LAE_FUZZ_CHECK(status == NULL);
    const char *path = lae_fuzz_file("input", file, size);
    if (weights)
        lae_fuzz_weights(path);
    else
        lae_fuzz_checkpoint(path);
    free(file);
    return 0;
}
