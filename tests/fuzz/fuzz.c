/* Files for the readers, which want paths, and the checks that all targets make. */
#define _GNU_SOURCE /* mkdtemp */
#include "fuzz.h"

#include "lae/backbone/backbone.h"
#include "lae/run/state.h"
#include "lae/store/checkpoint.h"

#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void lae_fuzz_check(int fine, const char *condition, const char *file, int line)
{
    if (fine) return;
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

enum { MOST_FILES = 8, MOST_PATH = 512 };

static struct {
    char directory[MOST_PATH];
    struct {
        int descriptor;
        char path[MOST_PATH];
    } files[MOST_FILES];
    int count;
    size_t refusals;
} fuzz;

static void remove_directory(void)
{
    for (int i = 0; i < fuzz.count; i++)
        unlink(fuzz.files[i].path);
    rmdir(fuzz.directory);
}

const char *lae_fuzz_directory(void)
{
    if (fuzz.directory[0] != '\0') return fuzz.directory;
    const char *parent = getenv("TMPDIR");
    snprintf(fuzz.directory, MOST_PATH - 64, "%s/lae-fuzz-XXXXXX",
             parent != NULL ? parent : "/tmp");
    LAE_FUZZ_CHECK(mkdtemp(fuzz.directory) != NULL);
    atexit(remove_directory);
    return fuzz.directory;
}

/* The number of the file with that path, which is made where it is not there yet. */
static int find_file(const char *path)
{
    for (int i = 0; i < fuzz.count; i++)
        if (strcmp(fuzz.files[i].path, path) == 0) return i;
    LAE_FUZZ_CHECK(fuzz.count < MOST_FILES);
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    LAE_FUZZ_CHECK(descriptor >= 0);
    strcpy(fuzz.files[fuzz.count].path, path);
    fuzz.files[fuzz.count].descriptor = descriptor;
    return fuzz.count++;
}

const char *lae_fuzz_file(const char *name, const void *data, size_t size)
{
    char path[MOST_PATH];
    int length = snprintf(path, sizeof path, "%s/%s", lae_fuzz_directory(), name);
    LAE_FUZZ_CHECK(length > 0 && length < MOST_PATH);
    int number = find_file(path), descriptor = fuzz.files[number].descriptor;
    for (size_t done = 0; done < size;) {
        ssize_t count = pwrite(descriptor, (const char *)data + done, size - done, (off_t)done);
        LAE_FUZZ_CHECK(count > 0);
        done += (size_t)count;
    }
    /* Last: some file systems wait for the disk when a file is cut to nothing and written anew. */
    LAE_FUZZ_CHECK(ftruncate(descriptor, (off_t)size) == 0);
    return fuzz.files[number].path;
}

void lae_fuzz_remove(const char *name)
{
    char path[MOST_PATH];
    int length = snprintf(path, sizeof path, "%s/%s", lae_fuzz_directory(), name);
    LAE_FUZZ_CHECK(length > 0 && length < MOST_PATH);
    int number = find_file(path);
    close(fuzz.files[number].descriptor);
    LAE_FUZZ_CHECK(unlink(path) == 0);
    fuzz.files[number] = fuzz.files[--fuzz.count];
}

unsigned char *lae_fuzz_copy(const uint8_t *data, size_t size)
{
    unsigned char *copy = malloc(size + 1); /* one more, so that it is not NULL */
    LAE_FUZZ_CHECK(copy != NULL);
    if (size > 0) memcpy(copy, data, size);
    return copy;
}

static void check_error(const struct lae_error *status, const char *path)
{
    const char *message = lae_status_message(status);
    bool named = path == NULL || strstr(message, path) != NULL;
    if (lae_status_code(status) != LAE_BAD_INPUT || message[0] == '\0' || !named) {
        fprintf(stderr, "code %d for a bad input%s: %s\n", (int)lae_status_code(status),
                named ? "" : ", or its name is missing", message);
        abort();
    }
    if (getenv("LAE_FUZZ_TELL") != NULL) fprintf(stderr, "%s\n", message);
}

void lae_fuzz_end(lae_status status, const char *path)
{
    if (status == NULL) return;
    check_error(status, path);
    lae_status_free(status);
    fuzz.refusals++;
}

size_t lae_fuzz_refusals(void)
{
    return fuzz.refusals;
}

static void check_tensor(const struct lae_named *tensor)
{
    LAE_FUZZ_CHECK(tensor->count > 0);
    LAE_FUZZ_CHECK(tensor->count == lae_shape_count(tensor->rank, tensor->shape));
    for (size_t i = 0; i < tensor->count; i++)
        LAE_FUZZ_CHECK(isfinite(tensor->data[i]));
}

/* What the trainer does with weights next: its own table of them has them all. Some are of no use
 * to it: their heads are not known, say. */
static void check_model(const struct lae_weights *weights)
{
    struct lae_backbone_dims dims;
    struct lae_backbone *backbone = NULL;
    const struct lae_backbone_hints hints = {
        .image = 16, .heads = weights->heads, .eps = weights->layer_norm_eps};
    lae_status status = lae_backbone_dims_of(&weights->tensors, &hints, &dims);
    if (status == NULL) {
        status = lae_backbone_create(&dims, &backbone);
        LAE_FUZZ_CHECK(status != NULL || backbone->table.count == weights->tensors.count);
    }
    lae_backbone_free(backbone);
    if (status != NULL) check_error(status, NULL);
    lae_status_free(status);
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

void lae_fuzz_raw(struct lae_raw_file *file)
{
    for (size_t i = 0; i < file->count; i++) {
        const struct lae_raw *raw = &file->items[i];
        LAE_FUZZ_CHECK(raw->count == lae_shape_count(raw->rank, raw->shape));
        if (raw->rank > LAE_RAW_AXES || raw->element == LAE_OTHER_ELEMENT) continue;
        float *values = calloc(raw->count + 1, sizeof *values);
        LAE_FUZZ_CHECK(values != NULL);
        lae_weights_raw_decode(raw, (const unsigned char[]){0, 1, 2, 3}, values);
        free(values);
    }
    lae_weights_raw_free(file);
}

static void check_set(const struct lae_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct lae_named *item = &set->items[i];
        LAE_FUZZ_CHECK(item->count == lae_shape_count(item->rank, item->shape));
        LAE_FUZZ_CHECK(lae_set_find(set, item->name) == item);
    }
}

static void check_checkpoint(const struct lae_checkpoint *checkpoint)
{
    LAE_FUZZ_CHECK(checkpoint->task >= 0 && checkpoint->task < checkpoint->task_count);
    LAE_FUZZ_CHECK(checkpoint->classes_seen > 0);
    LAE_FUZZ_CHECK((size_t)checkpoint->classes_seen <= checkpoint->classes);
    LAE_FUZZ_CHECK(checkpoint->config != NULL && checkpoint->class_order != NULL);
    check_set(&checkpoint->init);
    check_set(&checkpoint->online);
    check_set(&checkpoint->offline);
    check_set(&checkpoint->head);
    check_set(&checkpoint->adam);
    for (size_t i = 0; i < checkpoint->metric_count; i++)
        LAE_FUZZ_CHECK(checkpoint->metrics[i].values != NULL && checkpoint->metrics[i].rank <= 2);
    for (size_t i = 0; i < checkpoint->stats_count; i++) {
        const struct lae_kept_stats *stats = &checkpoint->stats[i];
        LAE_FUZZ_CHECK(stats->stats.classes == checkpoint->classes && stats->stats.width > 0);
        LAE_FUZZ_CHECK(stats->stats.count != NULL && stats->stats.mean != NULL &&
                       stats->stats.scatter != NULL);
    }
}

void lae_fuzz_checkpoint(const char *path)
{
    struct lae_checkpoint checkpoint;
    lae_status status = lae_checkpoint_read(path, &lae_run_layout, NULL, &checkpoint);
    if (status == NULL) {
        check_checkpoint(&checkpoint);
        lae_checkpoint_free(&checkpoint);
    }
    LAE_FUZZ_CHECK(checkpoint.config == NULL);
    LAE_FUZZ_CHECK(!lae_checkpoint_is_damaged(path));
    LAE_FUZZ_CHECK(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL) == 0); /* nothing is left open */
    lae_fuzz_end(status, path);
}
