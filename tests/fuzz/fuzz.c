/* Files in memory for the readers, which want paths, and the checks that all targets make. */
#define _GNU_SOURCE /* memfd_create */
#include "fuzz.h"

#include "lae/vit/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void lae_fuzz_check(int fine, const char *condition, const char *file, int line)
{
    if (fine) return;
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

const char *lae_fuzz_file(int number, const void *data, size_t size)
{
    static struct {
        int file;
        char path[32];
    } files[LAE_FUZZ_FILES];
    if (files[number].path[0] == '\0') {
        files[number].file = memfd_create("input", MFD_CLOEXEC);
        LAE_FUZZ_CHECK(files[number].file >= 0);
        snprintf(files[number].path, sizeof files[number].path, "/proc/self/fd/%d",
                 files[number].file);
    }
    LAE_FUZZ_CHECK(ftruncate(files[number].file, (off_t)size) == 0);
    for (size_t done = 0; done < size;) {
        ssize_t count =
            pwrite(files[number].file, (const char *)data + done, size - done, (off_t)done);
        LAE_FUZZ_CHECK(count > 0);
        done += (size_t)count;
    }
    return files[number].path;
}

unsigned char *lae_fuzz_copy(const uint8_t *data, size_t size)
{
    unsigned char *copy = malloc(size + 1); /* one more, so that it is not NULL */
    LAE_FUZZ_CHECK(copy != NULL);
    if (size > 0) memcpy(copy, data, size);
    return copy;
}

void lae_fuzz_end(lae_status status, const char *path)
{
    if (status == NULL) return;
    const char *message = lae_status_message(status);
    bool named = path == NULL || strstr(message, path) != NULL;
    if (lae_status_code(status) != LAE_BAD_INPUT || message[0] == '\0' || !named) {
        fprintf(stderr, "code %d for a bad input%s: %s\n", (int)lae_status_code(status),
                named ? "" : ", or its name is missing", message);
        abort();
    }
    if (getenv("LAE_FUZZ_TELL") != NULL) fprintf(stderr, "%s\n", message);
    lae_status_free(status);
}

static void check_tensor(const struct lae_named *tensor)
{
    LAE_FUZZ_CHECK(tensor->count > 0);
    LAE_FUZZ_CHECK(tensor->count == lae_shape_count(tensor->rank, tensor->shape));
    for (size_t i = 0; i < tensor->count; i++)
        LAE_FUZZ_CHECK(isfinite(tensor->data[i]));
}

/* What the trainer does with weights next: its own table of them must find them all. */
static void check_model(const struct lae_weights *weights)
{
    struct lae_vit_dims dims;
    struct lae_table table = {0};
    lae_status status =
        lae_vit_dims_of(&weights->tensors, 16, weights->heads, weights->layer_norm_eps, &dims);
    if (status == NULL) {
        status = lae_vit_table(&dims, &table);
        LAE_FUZZ_CHECK(status != NULL || table.count == weights->tensors.count);
    }
    lae_table_free(&table);
    lae_fuzz_end(status, NULL);
}

void lae_fuzz_weights(const char *path)
{
    struct lae_weights weights;
    lae_status status = lae_weights_read(path, NULL, &weights);
    if (status == NULL) {
        for (size_t i = 0; i < weights.tensors.count; i++)
            check_tensor(&weights.tensors.items[i]);
        LAE_FUZZ_CHECK(weights.layer_norm_eps > 0.0 && weights.heads >= 0);
        LAE_FUZZ_CHECK(strlen(weights.digest) == 64);
        check_model(&weights);
        lae_weights_free(&weights);
    }
    LAE_FUZZ_CHECK(weights.tensors.items == NULL);
    lae_fuzz_end(status, path);
}
