/* Weight files: one reader a container, one way from there on.
 *
 *     path -> what is it? -> npz.c           -> lae_raw_file -> weights_assemble.c -> lae_weights
 *                            safetensors.c
 *                            weights_hdf5.c
 */
#include "lae/store/weights.h"

#include "lae/files/digest.h"
#include "lae/files/map.h"
#include "npz.h"
#include "safetensors.h"
#include "weights_assemble.h"
#include "weights_hdf5.h"

#include <string.h>

#define WANTED "weights come as .safetensors (timm's or transformers' names), Google's .npz or HDF5"

/* How a file begins that is something else, and what to say of it. */
static const struct {
    const char *start;
    size_t length;
    const char *what;
} strangers[] = {
    {"\x93NUMPY", 6, "is a single .npy array; save all tensors together with numpy.savez"},
    {"\x80\x02", 2, "is a Python pickle, as PyTorch writes; save its tensors as .safetensors"},
    {"\x80\x04", 2, "is a Python pickle; save its tensors as .safetensors"},
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
    if (map->size == 0) return lae_bad_input("%s: is empty; " WANTED, path);
    if (recognise(map, container)) return NULL;
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        if (begins_with(map, 0, strangers[i].start, strangers[i].length))
            return lae_bad_input("%s: %s; " WANTED, path, strangers[i].what);
    return lae_bad_input("%s: is no weight file; " WANTED, path);
}

static lae_status read_raw(const char *path, const struct lae_map *map, struct lae_log *log,
                           struct lae_raw_file *file)
{
    LAE_TRY(tell_container(path, map, &file->container));
    if (file->container == LAE_CONTAINER_NPZ) LAE_TRY(lae_npz_read(path, file));
    if (file->container == LAE_CONTAINER_HDF5) LAE_TRY(lae_weights_hdf5_read(path, log, file));
    lae_status status = NULL;
    if (file->container == LAE_CONTAINER_SAFETENSORS)
        status = lae_safetensors_read(map->data, map->size, file);
    if (status == NULL) status = lae_raw_sort(file);
    return lae_status_prefix(status, "%s", path);
}

static lae_status read_mapped(const char *path, const struct lae_map *map, struct lae_log *log,
                              struct lae_weights *weights)
{
    struct lae_raw_file file = {.count = 0};
    lae_status status = read_raw(path, map, log, &file);
    if (status == NULL)
        status = lae_status_prefix(lae_weights_assemble(&file, weights), "%s", path);
    if (status == NULL) status = lae_digest_memory(map->data, map->size, weights->digest);
    lae_raw_free(&file);
    return status;
}

lae_status lae_weights_read(const char *path, struct lae_log *log, struct lae_weights *weights)
{
    struct lae_map map;
    *weights = (struct lae_weights){.layer_norm_eps = 0.0};
    LAE_TRY(lae_map_open(path, &map));
    lae_status status = read_mapped(path, &map, log, weights);
    lae_map_close(&map);
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
    if (lae_path_ends_in(path, hdf5))
        return lae_weights_hdf5_write(path, &weights->tensors, weights->layer_norm_eps,
                                      weights->heads);
    if (lae_path_ends_in(path, safetensors))
        return lae_safetensors_write_weights(path, &weights->tensors, weights->layer_norm_eps,
                                             weights->heads);
    return lae_bad_input("%s: its ending names no format that can be written; "
                         ".h5, .hdf5 or .safetensors is wanted",
                         path);
}
