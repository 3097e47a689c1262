#include "npz.h"

#include "lae/files/archive.h"
#include "npy.h"

#include <stdlib.h>
#include <string.h>

/* Deflate makes a thousand bytes of one: a small file may ask for all memory there is. No plain
 * Vision Transformer in float32 comes near this size. */
#define LARGEST_NPZ ((size_t)32 << 30)

static const char suffix[] = ".npy";

/* The array's name, to be freed: the entry's without its ".npy". */
static lae_status array_name(const char *path, const char *entry, char **name)
{
    size_t length = strlen(entry), cut = sizeof suffix - 1;
    if (length <= cut || strcmp(entry + length - cut, suffix) != 0)
        return lae_bad_input("%s: zip entry %s is not a .npy array: this is no .npz file, nor one "
                             "of PyTorch, which has a data.pkl",
                             path, entry);
    *name = strndup(entry, length - cut);
    return *name == NULL ? lae_out_of_memory(length, entry) : NULL;
}

/* Reads the entry at hand; *budget is what all entries may still take. */
static lae_status read_entry(struct lae_archive *archive, const char *path, char *name,
                             size_t *budget, struct lae_raw_file *file)
{
    unsigned char *data = NULL;
    size_t size = 0;
    LAE_TRY(lae_archive_read(archive, *budget, &data, &size));
    *budget -= size;
    struct lae_raw raw = {.name = name};
    LAE_TRY(lae_weights_raw_own(&raw, data));
    lae_status status = lae_weights_npy_parse(data, size, &raw);
    if (status == NULL) return lae_weights_raw_add(file, &raw);
    lae_weights_raw_release(&raw);
    return lae_status_prefix(status, "%s: tensor %s", path, name);
}

static lae_status read_entries(struct lae_archive *archive, const char *path,
                               struct lae_raw_file *file)
{
    size_t budget = LARGEST_NPZ;
    for (;;) {
        const char *entry = NULL;
        LAE_TRY(lae_archive_next(archive, &entry));
        if (entry == NULL) return NULL;
        char *name = NULL;
        LAE_TRY(array_name(path, entry, &name));
        lae_status status = read_entry(archive, path, name, &budget, file);
        free(name);
        LAE_TRY(status);
    }
}

lae_status lae_weights_npz_read(const char *path, struct lae_raw_file *file)
{
    struct lae_archive *archive = NULL;
    LAE_TRY(lae_archive_open(path, &archive));
    lae_status status = read_entries(archive, path, file);
    lae_archive_close(archive);
    return status;
}
