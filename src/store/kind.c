#include "lae/store/kind.h"

#include "hdf5_file.h"

#include "lae/files/atomic.h"
#include "lae/files/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void kind_of_sealed(const struct lae_map *map, char kind[LAE_KIND_TEXT])
{
    char text[LAE_KIND_TEXT], word[LAE_KIND_TEXT - 4];
    size_t size = map->size < sizeof text - 1 ? map->size : sizeof text - 1;
    memcpy(text, map->data, size);
    text[size] = '\0';
    if (sscanf(text, "lae-%27[a-z]", word) == 1) snprintf(kind, LAE_KIND_TEXT, "lae-%s", word);
}

/* A file that cannot be opened names no format: who reads it will say why. */
static void kind_of_unsealed(const char *path, char kind[LAE_KIND_TEXT])
{
    struct lae_hdf5 file;
    char *format = NULL;
    lae_status status = lae_hdf5_open_unchecked(path, &file);
    if (status == NULL) {
        if (lae_hdf5_has_attribute(&file, "", "format"))
            status = lae_hdf5_get_text(&file, "", "format", &format);
        lae_hdf5_close(&file);
    }
    if (format != NULL) snprintf(kind, LAE_KIND_TEXT, "%s", format);
    lae_status_free(status);
    free(format);
}

lae_status lae_kind_of(const char *path, char kind[LAE_KIND_TEXT])
{
    struct lae_map map;
    kind[0] = '\0';
    LAE_TRY(lae_map_open(path, &map));
    if (map.size >= 4 && memcmp(map.data, "lae-", 4) == 0)
        kind_of_sealed(&map, kind);
    else if (map.size >= 8 && memcmp(map.data, "\x89HDF\r\n\x1a\n", 8) == 0)
        kind_of_unsealed(path, kind);
    lae_map_close(&map);
    return NULL;
}

lae_status lae_output_check(const char *path)
{
    char kind[LAE_KIND_TEXT];
    LAE_TRY(lae_atomic_check(path));
    if (!lae_path_exists(path)) return NULL;
    lae_status status = lae_kind_of(path, kind);
    bool known = status == NULL;
    lae_status_free(status); /* a device, say */
    if (!known || (strcmp(kind, "lae-checkpoint") != 0 && strcmp(kind, "lae-run") != 0))
        return NULL;
    return lae_bad_input(
        "%s: is a file of a run (%s), which shall not be overwritten; give another "
        "name",
        path, kind);
}
