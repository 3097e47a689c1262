/* Sharded models come with an index (github.com/huggingface/transformers):
 *
 *     model.safetensors.index.json   {"metadata": {"total_size": N},
 *                                     "weight_map": {TENSOR: "model-00001-of-00002.safetensors",
 * ...}}
 */
#include "place.h"

#include "lae/files/map.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_ENDING ".index.json"
enum { MAX_FILES = 4096, MAX_INDEX = 1 << 28 /* bytes */ };

static const char *const endings[] = {".safetensors", ".npz", ".bin",  ".pth",
                                      ".pt",          ".h5",  ".hdf5", NULL};

void lae_weights_place_free(struct lae_place *place)
{
    for (size_t i = 0; i < place->count; i++)
        free(place->names[i]);
    free(place->names);
    free(place->directory);
    free(place->index);
    json_decref(place->map);
    *place = (struct lae_place){0};
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* ---- lists of names */

struct list {
    char **names;
    size_t count;
};

static void free_list(struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct list){0};
}

static lae_status add_name(struct list *list, const char *name)
{
    char **names = realloc(list->names, (list->count + 1) * sizeof *names);
    if (names != NULL) list->names = names;
    char *copy = names != NULL ? strdup(name) : NULL;
    if (copy == NULL) return lae_out_of_memory(strlen(name), "a file's name");
    list->names[list->count++] = copy;
    return NULL;
}

/* "a, b, c and 4 more" */
static void write_list(const struct list *list, char *text, size_t size)
{
    size_t used = 0, shown = 0;
    for (; shown < list->count && shown < 4 && used + 80 < size; shown++)
        used += (size_t)snprintf(text + used, size - used, "%s%.60s", shown > 0 ? ", " : "",
                                 list->names[shown]);
    if (shown < list->count)
        snprintf(text + used, size - used, " and %zu more", list->count - shown);
}

/* ---- shards by their names: model-00001-of-00003.safetensors */

/* The digits before `end`, of which there are five or more; *start is where they begin. */
static bool digits_before(const char *text, const char *end, const char **start, long *number)
{
    const char *at = end;
    while (at > text && at[-1] >= '0' && at[-1] <= '9')
        at--;
    *start = at;
    *number = strtol(at, NULL, 10);
    return end - at >= 5 && end - at <= 9;
}

/* Whether a name is that of one of several shards. */
static bool is_shard(const char *name, long *number, long *of)
{
    const char *dot = strrchr(name, '.'), *start;
    if (dot == NULL || !digits_before(name, dot, &start, of)) return false;
    if (start - name < 4 || memcmp(start - 4, "-of-", 4) != 0) return false;
    const char *end = start - 4;
    return digits_before(name, end, &start, number) && start > name && start[-1] == '-';
}

/* ---- indexes */

/* A file's own name, nothing that leads elsewhere. */
static bool is_plain(const char *name)
{
    bool dots = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
    return name[0] != '\0' && !dots && strchr(name, '/') == NULL && strchr(name, '\\') == NULL;
}

static lae_status add_shards(const struct lae_place *place, struct list *list)
{
    const char *tensor;
    json_t *value;
    json_object_foreach(place->map, tensor, value)
    {
        const char *name = json_string_value(value);
        if (name == NULL)
            return lae_bad_input("%s: tensor %s: no file's name is given", place->index, tensor);
        if (!is_plain(name))
            return lae_bad_input("%s: tensor %s: %s lies outside the index's folder; shards lie "
                                 "beside it",
                                 place->index, tensor, name);
        bool known = list->count > 0 && strcmp(list->names[list->count - 1], name) == 0;
        for (size_t i = 0; i + 1 < list->count && !known; i++)
            known = strcmp(list->names[i], name) == 0;
        if (list->count >= MAX_FILES)
            return lae_bad_input("%s: names too many files", place->index);
        if (!known) LAE_TRY(add_name(list, name));
    }
    return list->count > 0 ? NULL : lae_bad_input("%s: its weight_map is empty", place->index);
}

static lae_status check_shards(const struct lae_place *place, const struct list *list)
{
    struct list missing = {0};
    lae_status status = NULL;
    for (size_t i = 0; i < list->count && status == NULL; i++) {
        char *path = lae_path_join(place->directory, list->names[i]);
        if (path == NULL) status = lae_out_of_memory(64, "a path");
        if (path != NULL && !lae_path_exists(path)) status = add_name(&missing, list->names[i]);
        free(path);
    }
    if (status == NULL && missing.count > 0) {
        char text[400] = "";
        write_list(&missing, text, sizeof text);
        status = lae_bad_input("%s: %zu of its %zu shards %s missing: %s", place->index,
                               missing.count, list->count, missing.count == 1 ? "is" : "are", text);
    }
    free_list(&missing);
    return status;
}

static lae_status parse_index(struct lae_place *place, const struct lae_map *map)
{
    json_error_t error;
    if (map->size > MAX_INDEX) return lae_bad_input("%s: is no index of shards", place->index);
    json_t *index = json_loadb((const char *)map->data, map->size, JSON_REJECT_DUPLICATES, &error);
    if (index == NULL)
        return lae_bad_input("%s: is damaged at byte %d: %s", place->index, error.position,
                             error.text);
    place->map = json_incref(json_object_get(index, "weight_map"));
    json_decref(index);
    if (json_is_object(place->map)) return NULL;
    return lae_bad_input("%s: is JSON without a weight_map, no index of shards; weights come as "
                         ".safetensors, .npz, .pth, .bin or .h5",
                         place->index);
}

static lae_status read_index(struct lae_place *place)
{
    struct lae_map map;
    struct list list = {0};
    LAE_TRY(lae_map_open(place->index, &map));
    lae_status status = parse_index(place, &map);
    lae_map_close(&map);
    if (status == NULL) status = add_shards(place, &list);
    if (status == NULL) status = check_shards(place, &list);
    if (status != NULL) {
        free_list(&list);
        return status;
    }
    place->names = list.names;
    place->count = list.count;
    return NULL;
}

/* ---- folders */

static bool ends_in(const char *name, const char *ending)
{
    const char *const one[] = {ending, NULL};
    return lae_path_ends_in(name, one);
}

static lae_status list_folder(const char *directory, struct list *list)
{
    DIR *folder = opendir(directory);
    if (folder == NULL)
        return lae_bad_input("%s: cannot be opened: %s", directory, strerror(errno));
    lae_status status = NULL;
    for (struct dirent *entry; status == NULL && (entry = readdir(folder)) != NULL;) {
        bool wanted = entry->d_name[0] != '.' && (ends_in(entry->d_name, INDEX_ENDING) ||
                                                  lae_path_ends_in(entry->d_name, endings));
        if (wanted && list->count < MAX_FILES) status = add_name(list, entry->d_name);
    }
    closedir(folder);
    if (list->count > 0) qsort(list->names, list->count, sizeof *list->names, by_text);
    return status;
}

bool lae_weights_are_in(const char *directory)
{
    static const char *const telling[] = {INDEX_ENDING, ".safetensors", ".npz", ".bin",
                                          ".pth",       ".pt",          NULL};
    struct list list = {0};
    lae_status status = list_folder(directory, &list);
    bool found = false;
    for (size_t i = 0; i < list.count; i++)
        found = found || lae_path_ends_in(list.names[i], telling);
    free_list(&list);
    lae_status_free(status);
    return found;
}

/* Moves the names with an ending into `chosen`. */
static lae_status choose(const struct list *list, const char *ending, struct list *chosen)
{
    for (size_t i = 0; i < list->count; i++)
        if (ends_in(list->names[i], ending)) LAE_TRY(add_name(chosen, list->names[i]));
    return NULL;
}

/* Several files are the shards of one model, or nobody knows which is meant. */
static lae_status check_together(const char *directory, const struct list *files)
{
    char text[400] = "";
    long number, of, of_all = 0;
    for (size_t i = 0; i < files->count && files->count > 1; i++) {
        bool shard = is_shard(files->names[i], &number, &of) && number == (long)i + 1;
        if (i == 0) of_all = of;
        if (shard && of == of_all) continue;
        write_list(files, text, sizeof text);
        if (is_shard(files->names[0], &number, &of))
            return lae_bad_input("%s: holds shards that are not one model's, or not all of them: "
                                 "%s; an index (*.index.json) would say",
                                 directory, text);
        return lae_bad_input("%s: holds %zu weight files: %s; give the one that is meant",
                             directory, files->count, text);
    }
    bool lone = files->count == 1 && is_shard(files->names[0], &number, &of) && of > 1;
    if (lone || (files->count > 1 && of_all != (long)files->count))
        return lae_bad_input("%s: holds %zu of %ld shards; the others are missing", directory,
                             files->count, lone ? of : of_all);
    return NULL;
}

/* What is there of one kind becomes the place; an index comes before the files it speaks of. */
static lae_status take_kind(struct lae_place *place, const struct list *list, const char *ending,
                            bool *taken)
{
    struct list files = {0};
    lae_status status = choose(list, ending, &files);
    *taken = files.count > 0;
    if (status == NULL && files.count > 0 && ends_in(files.names[0], INDEX_ENDING)) {
        char text[400] = "";
        write_list(&files, text, sizeof text);
        if (files.count > 1)
            status = lae_bad_input("%s: holds %zu indexes: %s; give the one that is meant",
                                   place->directory, files.count, text);
        else
            place->index = lae_path_join(place->directory, files.names[0]);
        free_list(&files);
        return status == NULL ? read_index(place) : status;
    }
    if (status == NULL) status = check_together(place->directory, &files);
    if (status != NULL || files.count == 0) {
        free_list(&files);
        return status;
    }
    place->names = files.names;
    place->count = files.count;
    return NULL;
}

/* Two indexes, of .safetensors and .bin, often lie beside each other, as do the files themselves.
 */
static lae_status find_in_folder(struct lae_place *place, struct lae_log *log)
{
    static const char *const kinds[] = {".safetensors" INDEX_ENDING,
                                        INDEX_ENDING,
                                        ".safetensors",
                                        ".npz",
                                        ".bin",
                                        ".pth",
                                        ".pt",
                                        ".h5",
                                        ".hdf5",
                                        NULL};
    struct list list = {0};
    bool taken = false;
    lae_status status = list_folder(place->directory, &list);
    for (int i = 0; kinds[i] != NULL && status == NULL && !taken; i++)
        status = take_kind(place, &list, kinds[i], &taken);
    size_t others = list.count - (taken ? place->count + (place->index != NULL) : 0);
    free_list(&list);
    if (status != NULL) return status;
    if (!taken) return lae_bad_input("%s: is a folder without a weight file", place->directory);
    if (place->count == 1)
        lae_log_info(log, "%s: %s is read%s", place->directory, place->names[0],
                     others > 0 ? "; other weight files there are not" : "");
    else
        lae_log_info(log, "%s: %zu shards are read, from %s on", place->directory, place->count,
                     place->names[0]);
    return NULL;
}

/* ---- what was given */

static bool is_json(const char *path)
{
    struct lae_map map;
    lae_status status = lae_map_open(path, &map);
    if (status != NULL) {
        lae_status_free(status);
        return false; /* who reads it will say why */
    }
    size_t at = 0;
    while (at < map.size && at < 64 && strchr(" \t\r\n", map.data[at]) != NULL && map.data[at] != 0)
        at++;
    bool json = at < map.size && map.data[at] == '{';
    lae_map_close(&map);
    return json;
}

static lae_status find_file(const char *path, struct lae_place *place)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    struct list list = {0};
    long number, of;
    place->directory = lae_path_directory(path);
    if (place->directory == NULL) return lae_out_of_memory(strlen(path), "a path");
    if (is_json(path)) {
        place->index = strdup(path);
        return place->index != NULL ? read_index(place) : lae_out_of_memory(64, "a path");
    }
    if (is_shard(name, &number, &of) && of > 1)
        return lae_bad_input(
            "%s: is shard %ld of %ld; give the index (*.index.json), or the folder", path, number,
            of);
    LAE_TRY(add_name(&list, name));
    place->names = list.names;
    place->count = list.count;
    return NULL;
}

lae_status lae_weights_place_find(const char *path, struct lae_log *log, struct lae_place *place)
{
    *place = (struct lae_place){0};
    lae_status status;
    if (lae_path_is_directory(path)) {
        place->directory = strdup(path);
        status = place->directory != NULL ? find_in_folder(place, log)
                                          : lae_out_of_memory(strlen(path), "a path");
    } else {
        status = find_file(path, place);
    }
    if (status != NULL) lae_weights_place_free(place);
    return status;
}

lae_status lae_weights_place_check(const struct lae_place *place, const struct lae_raw_file *file)
{
    const char *tensor;
    json_t *value;
    json_object_foreach(place->map, tensor, value)
    {
        const char *wanted = json_string_value(value);
        const struct lae_raw *raw = lae_weights_raw_find(file, tensor);
        if (raw == NULL)
            return lae_bad_input("%s: tensor %s is missing: it should be in %s", place->index,
                                 tensor, wanted);
        if (raw->file != NULL && strcmp(raw->file, wanted) != 0)
            return lae_bad_input("%s: tensor %s is in %s, not in %s", place->index, tensor,
                                 raw->file, wanted);
    }
    return NULL;
}
