#include "lae/data/pictures.h"

#include "decode.h"
#include "lae/files/digest.h"
#include "lae/files/map.h"

#include <stdlib.h>
#include <string.h>

bool lae_picture_has_ending(const char *name)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg",  ".jpe", ".jfif",
                                          ".jif", ".jfi", ".pjpeg", ".pjp", NULL};
    return lae_path_ends_in(name, endings);
}

const struct lae_picture *lae_picture_of(const struct lae_dataset *dataset, enum lae_split part,
                                         size_t number)
{
    return (const struct lae_picture *)(const void *)dataset->records[part] + number;
}

const char *lae_picture_path(const struct lae_dataset *dataset, enum lae_split part, size_t number)
{
    return (const char *)dataset->records[part] + lae_picture_of(dataset, part, number)->path;
}

static int hex_value(char digit)
{
    return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

static lae_status digest_bytes(const struct lae_map *map, unsigned char digest[LAE_PICTURE_DIGEST])
{
    char text[LAE_DIGEST_TEXT];
    LAE_TRY(lae_digest_memory(map->data, map->size, text));
    for (int i = 0; i < LAE_PICTURE_DIGEST; i++)
        digest[i] = (unsigned char)(hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
    return NULL;
}

/* Files are read, not mapped: whoever writes into one while it is decoded must not end the program.
 */
lae_status lae_picture_examine(const struct lae_dataset *dataset, enum lae_split part,
                               size_t number, struct lae_picture *picture)
{
    const char *path = lae_picture_path(dataset, part, number);
    struct lae_map map;
    struct lae_size size = {0};
    LAE_TRY(lae_map_read(path, &map));
    lae_status status = lae_decode_size(path, map.data, map.size, &size);
    if (status == NULL) status = digest_bytes(&map, picture->digest);
    lae_map_close(&map);
    picture->width = size.width;
    picture->height = size.height;
    return status;
}

static lae_status check_digest(const char *path, const struct lae_map *map,
                               const struct lae_picture *picture)
{
    unsigned char now[LAE_PICTURE_DIGEST];
    LAE_TRY(digest_bytes(map, now));
    if (memcmp(now, picture->digest, sizeof now) == 0) return NULL;
    return lae_bad_input("%s: the file was changed after it was looked at first: its SHA-256 is "
                         "another",
                         path);
}

lae_status lae_picture_decode(const struct lae_dataset *dataset, enum lae_split part, size_t number,
                              uint8_t *rgb)
{
    const struct lae_picture *picture = lae_picture_of(dataset, part, number);
    const char *path = lae_picture_path(dataset, part, number);
    struct lae_map map;
    LAE_TRY(lae_map_read(path, &map));
    struct lae_size size = {picture->width, picture->height};
    lae_status status = check_digest(path, &map, picture);
    if (status == NULL) status = lae_decode_pixels(path, map.data, map.size, size, rgb);
    lae_map_close(&map);
    return status;
}

static lae_status decode_file(const char *path, const struct lae_map *map, uint8_t **rgb,
                              struct lae_size *size)
{
    LAE_TRY(lae_decode_size(path, map->data, map->size, size));
    size_t bytes = 3 * (size_t)size->width * (size_t)size->height;
    *rgb = malloc(bytes);
    if (*rgb == NULL) return lae_out_of_memory(bytes, path);
    return lae_decode_pixels(path, map->data, map->size, *size, *rgb);
}

lae_status lae_picture_load(const char *path, uint8_t **rgb, struct lae_size *size)
{
    struct lae_map map;
    *rgb = NULL;
    LAE_TRY(lae_map_read(path, &map));
    lae_status status = decode_file(path, &map, rgb, size);
    lae_map_close(&map);
    if (status == NULL) return NULL;
    free(*rgb);
    *rgb = NULL;
    return status;
}

static uint64_t pixels_of(const struct lae_picture *picture)
{
    return (uint64_t)picture->width * (uint64_t)picture->height;
}

uint64_t lae_pictures_place(const struct lae_dataset *dataset,
                            unsigned char *const records[LAE_SPLITS])
{
    uint64_t used = 0;
    for (int part = 0; part < LAE_SPLITS; part++) {
        struct lae_picture *pictures = (struct lae_picture *)(void *)records[part];
        for (size_t i = 0; i < dataset->stored[part]; i++) {
            pictures[i].pixels = used;
            used += 3 * pixels_of(&pictures[i]);
        }
    }
    return used;
}

size_t lae_pictures_drop_faulty(const struct lae_dataset *dataset, enum lae_split part,
                                unsigned char *records)
{
    struct lae_picture *pictures = (struct lae_picture *)(void *)records;
    size_t kept = 0;
    for (size_t i = 0; i < dataset->stored[part]; i++)
        if (pictures[i].faulty == 0) pictures[kept++] = pictures[i];
    return kept;
}

void lae_pictures_measure(struct lae_dataset *dataset)
{
    for (int part = 0; part < LAE_SPLITS; part++)
        for (size_t i = 0; i < dataset->stored[part]; i++) {
            const struct lae_picture *picture = lae_picture_of(dataset, (enum lae_split)part, i);
            size_t pixels = (size_t)pixels_of(picture);
            if (picture->width > dataset->width) dataset->width = picture->width;
            if (picture->height > dataset->height) dataset->height = picture->height;
            if (pixels > dataset->pixels) dataset->pixels = pixels;
        }
}
