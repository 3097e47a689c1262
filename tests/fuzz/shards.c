/* The index of a sharded model: the input is its JSON; the two shards beside it are whole. */
#include "../../src/weights/safetensors.h"
#include "fuzz.h"
#include "samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void make_shards(void)
{
    struct lae_weights weights;
    lae_sample_weights(&weights);
    for (int shard = 0; shard < 2; shard++) {
        struct lae_set part = weights.tensors;
        size_t half = part.count / 2;
        part.items += shard == 0 ? 0 : half;
        part.count = shard == 0 ? half : part.count - half;
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", lae_fuzz_directory(), lae_sample_shards[shard]);
        lae_fuzz_file(lae_sample_shards[shard], "", 0); /* to be removed in the end */
        lae_status status = lae_weights_safetensors_write(path, &part, NULL, 0);
        LAE_FUZZ_CHECK(status == NULL);
    }
    lae_weights_free(&weights);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool made;
    if (!made) make_shards();
    made = true;
    struct lae_weights weights;
    const char *path = lae_fuzz_file("model.safetensors.index.json", data, size);
    lae_status status = lae_weights_read(path, NULL, &weights);
    if (status == NULL) {
        LAE_FUZZ_CHECK(weights.tensors.count == 18 && strlen(weights.digest) == 64);
        lae_weights_free(&weights);
    }
    lae_fuzz_end(status, lae_fuzz_directory());
    return 0;
}
