/* Weight files: one reader a container, one way from there on.
 *
 *     path -> which files? -> what is each? -> npz.c          -> lae_raw_file -> lae_weights
 *             place.c                          safetensors.c                     assemble.c
 *                                              torch.c                           facts.c
 *                                              hdf5.c
 */
#include "lae/weights/weights.h"

#include "assemble.h"
#include "facts.h"
#include "hdf5.h"
#include "lae/files/digest.h"
#include "lae/files/map.h"
#include "npz.h"
#include "place.h"
#include "safetensors.h"
#include "torch.h"

#include <stdlib.h>
#include <string.h>

#define WANTED "weights come as .safetensors, .npz, PyTorch's .pth and .bin, or this program's .h5"

/* How a file begins that is something else, and what to say of it. */
static const struct {
    const char *start;
    size_t length;
    const char *what;
} strangers[] = {
    {"\x93NUMPY", 6, "is a single .npy array; save all tensors together with numpy.savez"},
    {"\x80\x02", 2, "is a Python pickle, and not one of PyTorch's files"},
    {"\x80\x03", 2, "is a Python pickle, and not one of PyTorch's files"},
    {"\x80\x04", 2, "is a Python pickle, and not one of PyTorch's files"},
    {"\x80\x05", 2, "is a Python pickle, and not one of PyTorch's files"},
    {"GGUF", 4, "is of llama.cpp's kind (GGUF)"},
    {"<!DOCTYPE", 9, "is a page of HTML: what answered the download"},
    {"<!doctype", 9, "is a page of HTML: what answered the download"},
    {"<html", 5, "is a page of HTML: what answered the download"},
    {"version https://git-lfs", 23, "is a Git LFS pointer; fetch the file itself: git lfs pull"},
    {"\x1f\x8b", 2, "is compressed with gzip; unpack it first"},
};

static bool begins_with(const struct lae_map *map, size_t offset, const char *text, size_t length)
{
    return map->size >= offset && map->size - offset >= length &&
           memcmp(map->data + offset, text, length) == 0;
}

/* HDF5 looks for its signature at 0, 512, 1024, 2048, ... */
static bool is_hdf5(const struct lae_map *map)
{
    if (begins_with(map, 0, "lae-", 4)) return true;
    for (size_t at = 0; at < map->size; at = at == 0 ? 512 : 2 * at)
        if (begins_with(map, at, "\x89HDF\r\n\x1a\n", 8)) return true;
    return false;
}

/* A header's length in 8 bytes, then the header's "{". A length beyond 2^32, or beyond the file, is
 * left for the reader to complain of: it is a damaged file of this kind. */
static bool is_safetensors(const struct lae_map *map)
{
    return begins_with(map, 4, "\0\0\0\0{", 5) || begins_with(map, 8, "{\"", 2);
}

static bool recognise(const struct lae_map *map, enum lae_container *container)
{
    if (begins_with(map, 0, "PK\x03\x04", 4) || begins_with(map, 0, "PK\x05\x06", 4))
        *container = LAE_CONTAINER_NPZ;
    else if (lae_weights_torch_is_legacy(map->data, map->size))
        *container = LAE_CONTAINER_TORCH;
    else if (is_safetensors(map))
        *container = LAE_CONTAINER_SAFETENSORS;
    else if (is_hdf5(map))
        *container = LAE_CONTAINER_HDF5;
    else
        return false;
    return true;
}

static lae_status tell_container(const char *path, const struct lae_map *map,
                                 enum lae_container *container)
{
    bool torch = false;
    if (map->size == 0) return lae_bad_input("%s: is empty; " WANTED, path);
    if (recognise(map, container)) {
        if (*container == LAE_CONTAINER_NPZ) LAE_TRY(lae_weights_torch_is_zip(path, &torch));
        if (torch) *container = LAE_CONTAINER_TORCH;
        return NULL;
    }
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        if (begins_with(map, 0, strangers[i].start, strangers[i].length))
            return lae_bad_input("%s: %s; " WANTED, path, strangers[i].what);
    return lae_bad_input("%s: is no weight file; " WANTED, path);
}

/* Appends a file's tensors. */
static lae_status read_raw(const char *path, const struct lae_map *map, struct lae_log *log,
                           struct lae_raw_file *file)
{
    LAE_TRY(tell_container(path, map, &file->container));
    switch (file->container) {
    case LAE_CONTAINER_NPZ:
        return lae_weights_npz_read(path, file);
    case LAE_CONTAINER_HDF5:
        return lae_weights_hdf5_read(path, log, file);
    case LAE_CONTAINER_SAFETENSORS:
        return lae_status_prefix(lae_weights_safetensors_read(map->data, map->size, file), "%s",
                                 path);
    default:
        return lae_weights_torch_is_legacy(map->data, map->size)
                   ? lae_weights_torch_read_legacy(path, map->data, map->size, log, file)
                   : lae_weights_torch_read_zip(path, log, file);
    }
}

/* The files of a place, mapped as long as tensors may lie in them. */
struct opened {
    const char *path; /* as the user gave it */
    struct lae_place place;
    struct lae_map *maps; /* [place.count] */
    char *digests;        /* [place.count][LAE_DIGEST_TEXT] */
    struct lae_raw_file file;
};

static lae_status open_one(struct opened *opened, size_t i, struct lae_log *log)
{
    const struct lae_place *place = &opened->place;
    bool only = place->count == 1 && place->index == NULL;
    bool given = only && !lae_path_is_directory(opened->path);
    char *path = given ? strdup(opened->path) : lae_path_join(place->directory, place->names[i]);
    if (path == NULL) return lae_out_of_memory(64, "a path");
    struct lae_map *map = &opened->maps[i];
    lae_status status = lae_map_open(path, map);
    opened->file.shard = place->count > 1 ? place->names[i] : NULL;
    if (status == NULL) status = read_raw(path, map, log, &opened->file);
    if (status == NULL)
        status = lae_digest_memory(map->data, map->size, opened->digests + i * LAE_DIGEST_TEXT);
    free(path);
    return status;
}

static lae_status read_place(struct opened *opened, struct lae_log *log)
{
    size_t count = opened->place.count;
    opened->maps = calloc(count, sizeof *opened->maps);
    opened->digests = calloc(count, LAE_DIGEST_TEXT);
    if (opened->maps == NULL || opened->digests == NULL)
        return lae_out_of_memory(count * LAE_DIGEST_TEXT, "a list of shards");
    for (size_t i = 0; i < count; i++)
        LAE_TRY(open_one(opened, i, log));
    LAE_TRY(lae_status_prefix(lae_weights_raw_sort(&opened->file), "%s", opened->path));
    LAE_TRY(lae_weights_place_check(&opened->place, &opened->file));
    return lae_status_prefix(lae_weights_raw_unstack(&opened->file), "%s", opened->path);
}

static lae_status assemble(struct opened *opened, struct lae_log *log, struct lae_weights *weights)
{
    const char *path = opened->path, *digests = opened->digests;
    struct lae_facts beside;
    LAE_TRY(lae_weights_facts_beside(opened->place.directory, log, &beside));
    LAE_TRY(lae_status_prefix(lae_weights_assemble(path, &opened->file, log, weights), "%s", path));
    LAE_TRY(lae_status_prefix(
        lae_weights_facts_apply(path, &opened->file.facts, &beside, log, weights), "%s", path));
    if (opened->place.count > 1)
        return lae_digest_memory(digests, opened->place.count * LAE_DIGEST_TEXT, weights->digest);
    memcpy(weights->digest, digests, sizeof weights->digest);
    return NULL;
}

static void close_opened(struct opened *opened)
{
    lae_weights_raw_free(&opened->file);
    for (size_t i = 0; i < opened->place.count && opened->maps != NULL; i++)
        lae_map_close(&opened->maps[i]);
    free(opened->maps);
    free(opened->digests);
    lae_weights_place_free(&opened->place);
}

lae_status lae_weights_read(const char *path, struct lae_log *log, struct lae_weights *weights)
{
    struct opened opened = {.path = path};
    *weights = (struct lae_weights){.layer_norm_eps = 0.0};
    LAE_TRY(lae_weights_place_find(path, log, &opened.place));
    lae_status status = read_place(&opened, log);
    if (status == NULL) status = assemble(&opened, log, weights);
    close_opened(&opened);
    if (status != NULL) lae_weights_free(weights);
    return status;
}

void lae_weights_free(struct lae_weights *weights)
{
    lae_set_free(&weights->tensors);
    *weights = (struct lae_weights){.layer_norm_eps = 0.0};
}

lae_status lae_weights_write(const char *path, const struct lae_weights *weights)
{
    static const char *const hdf5[] = {".h5", ".hdf5", NULL};
    static const char *const safetensors[] = {".safetensors", NULL};
    if (lae_path_ends_in(path, hdf5)) return lae_weights_hdf5_write(path, weights);
    if (lae_path_ends_in(path, safetensors))
        return lae_weights_safetensors_write_weights(path, weights);
    return lae_bad_input("%s: its ending names no format that can be written; "
                         ".h5, .hdf5 or .safetensors is wanted",
                         path);
}
