/* Files in HDF5: checkpoints, or, when the input begins with "lae-w", weights. The input is the
 * whole file, and its seal is put right: so HDF5 sees whatever the bytes behind it are. */
#include "lae/store/checkpoint.h"

#include "../../src/store/seal.h"
#include "fuzz.h"

#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

/* For LeakSanitizer: HDF5 1.10 loses a little memory on the way out of some errors. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5\nleak:H5MM_\n";
}

static void check_set(const struct lae_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct lae_named *item = &set->items[i];
        LAE_FUZZ_CHECK(item->count == lae_shape_count(item->rank, item->shape));
        LAE_FUZZ_CHECK(lae_set_find(set, item->name) == item);
    }
}

static void check(const struct lae_checkpoint *checkpoint)
{
    LAE_FUZZ_CHECK(checkpoint->task >= 0 && checkpoint->task < checkpoint->task_count);
    LAE_FUZZ_CHECK(checkpoint->classes_seen > 0);
    LAE_FUZZ_CHECK((size_t)checkpoint->classes_seen <= checkpoint->classes);
    LAE_FUZZ_CHECK(checkpoint->config != NULL && checkpoint->class_order != NULL);
    check_set(&checkpoint->init);
    check_set(&checkpoint->online);
    check_set(&checkpoint->offline);
    check_set(&checkpoint->head);
    check_set(&checkpoint->inside.adam);
    for (size_t i = 0; i < checkpoint->metric_count; i++)
        LAE_FUZZ_CHECK(checkpoint->metrics[i].values != NULL && checkpoint->metrics[i].rank <= 2);
}

static void read_checkpoint(const char *path)
{
    struct lae_checkpoint checkpoint;
    lae_status status = lae_checkpoint_read(path, NULL, &checkpoint);
    if (status == NULL) {
        check(&checkpoint);
        lae_checkpoint_free(&checkpoint);
    }
    LAE_FUZZ_CHECK(checkpoint.config == NULL);
    LAE_FUZZ_CHECK(!lae_checkpoint_is_damaged(path));
    lae_fuzz_end(status, path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < LAE_SEAL_BYTES) return 0;
    unsigned char *file = lae_fuzz_copy(data, size);
    bool weights = memcmp(data, "lae-w", 5) == 0;
    lae_status status =
        lae_seal_stamp(file, size, weights ? "lae-weights" : LAE_CHECKPOINT_FORMAT, 1);
    LAE_FUZZ_CHECK(status == NULL);
    const char *path = lae_fuzz_file(0, file, size);
    if (weights)
        lae_fuzz_weights(path);
    else
        read_checkpoint(path);
    LAE_FUZZ_CHECK(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL) == 0); /* nothing is left open */
    free(file);
    return 0;
}
