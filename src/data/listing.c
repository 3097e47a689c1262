#include "listing.h"

#include "lae/data/pictures.h"
#include "lae/files/map.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PATH 4095 /* bytes, of a path in a list */

/* ---- What has been found so far ----------------------------------------------------------------
 */

/* Images of one part; their paths one after the other in text. */
struct part {
    struct lae_picture *items;
    size_t count, room;
    char *text;
    size_t used, text_room;
};

struct listing {
    const char *root;
    struct part parts[LAE_SPLITS];
    char **names; /* [LAE_MAX_CLASSES], each NULL where not known */
    int classes;  /* the labels so far are below it */
};

static const char *const part_names[] = {[LAE_TRAIN] = "training", [LAE_TEST] = "test"};

/* Room for `more` elements of `size` bytes after `used`; grows by doubling. */
static lae_status reserve(void **memory, size_t used, size_t more, size_t size, size_t *room)
{
    if (used + more <= *room) return NULL;
    size_t wanted = 2 * *room > used + more ? 2 * *room : used + more + 64;
    void *moved = realloc(*memory, wanted * size);
    if (moved == NULL) return lae_out_of_memory(wanted * size, "the list of images");
    *memory = moved;
    *room = wanted;
    return NULL;
}

/* `path` is copied. */
static lae_status add_image(struct part *part, const char *path, int label)
{
    size_t length = strlen(path) + 1;
    void *items = part->items, *text = part->text;
    lae_status status = reserve(&items, part->count, 1, sizeof *part->items, &part->room);
    part->items = items;
    LAE_TRY(status);
    status = reserve(&text, part->used, length, 1, &part->text_room);
    part->text = text;
    LAE_TRY(status);
    part->items[part->count++] = (struct lae_picture){.path = part->used, .label = label};
    memcpy(part->text + part->used, path, length);
    part->used += length;
    return NULL;
}

/* Makes the class known, under `name` if that is not NULL. `from` names its place in messages. */
static lae_status add_class(struct listing *listing, int label, const char *name, const char *from)
{
    if (label >= LAE_MAX_CLASSES)
        return lae_bad_input("%s: class %d; at most %d classes are allowed, counted from 0", from,
                             label, LAE_MAX_CLASSES);
    if (listing->names == NULL) {
        listing->names = calloc(LAE_MAX_CLASSES, sizeof *listing->names);
        if (listing->names == NULL)
            return lae_out_of_memory(LAE_MAX_CLASSES * sizeof *listing->names, "class names");
    }
    if (label >= listing->classes) listing->classes = label + 1;
    if (name == NULL) return NULL;
    if (strchr(name, '\n') != NULL)
        return lae_bad_input("%s: the name of a class has a line break in it", from);
    listing->names[label] = strdup(name);
    return listing->names[label] == NULL ? lae_out_of_memory(strlen(name), "class names") : NULL;
}

/* ---- Names in a directory ----------------------------------------------------------------------
 */

struct names {
    char **items;
    size_t count, room;
};

static void free_names(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (struct names){0};
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static lae_status collect_names(DIR *stream, const char *directory, struct names *names)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (entry == NULL && errno == 0) return NULL;
        if (entry == NULL)
            return lae_bad_input("%s: cannot be read: %s", directory, strerror(errno));
        if (entry->d_name[0] == '.') continue;
        void *items = names->items;
        lae_status status = reserve(&items, names->count, 1, sizeof *names->items, &names->room);
        names->items = items;
        LAE_TRY(status);
        char *copy = strdup(entry->d_name);
        if (copy == NULL) return lae_out_of_memory(strlen(entry->d_name), directory);
        names->items[names->count++] = copy;
    }
}

/* All that are not hidden, in bytewise order. */
static lae_status read_names(const char *directory, struct names *names)
{
    DIR *stream = opendir(directory);
    if (stream == NULL)
        return lae_bad_input("%s: cannot be opened as a directory: %s", directory, strerror(errno));
    lae_status status = collect_names(stream, directory, names);
    closedir(stream);
    if (names->count > 0) qsort(names->items, names->count, sizeof *names->items, compare_names);
    return status;
}

/* ---- Class folders -----------------------------------------------------------------------------
 */

/* What else there is may be a note; images that would be left out in silence are an error. */
static lae_status add_file(struct part *part, const char *directory, const char *name, int label)
{
    static const char *const read[] = {".png", ".jpg", ".jpeg", NULL};
    static const char *const other[] = {".gif",  ".bmp", ".tif",  ".tiff",
                                        ".webp", ".ppm", ".heic", NULL};
    if (!lae_path_ends_in(name, read) && !lae_path_ends_in(name, other)) return NULL;
    char *path = lae_path_join(directory, name);
    if (path == NULL) return lae_out_of_memory(strlen(directory), directory);
    lae_status status = NULL;
    if (lae_path_ends_in(name, other))
        status = lae_bad_input("%s: only PNG and JPEG are read; convert it, or take it out", path);
    else
        status = add_image(part, path, label);
    free(path);
    return status;
}

static lae_status read_class(struct part *part, const char *directory, int label)
{
    struct names files = {0};
    lae_status status = read_names(directory, &files);
    for (size_t i = 0; i < files.count && status == NULL; i++)
        status = add_file(part, directory, files.items[i], label);
    free_names(&files);
    return status;
}

/* The label of a class folder: in the training part the next one, else that of its name there. */
static lae_status label_of(struct listing *listing, enum lae_split split, const char *directory,
                           const char *name, int *label)
{
    *label = listing->classes;
    if (split == LAE_TRAIN) return add_class(listing, *label, name, directory);
    for (*label = 0; *label < listing->classes; ++*label)
        if (strcmp(listing->names[*label], name) == 0) return NULL;
    return lae_bad_input("%s: the training images have no class of this name", directory);
}

static lae_status read_class_folder(struct listing *listing, enum lae_split split,
                                    const char *directory, const char *name)
{
    int label;
    char *path = lae_path_join(directory, name);
    if (path == NULL) return lae_out_of_memory(strlen(directory), directory);
    lae_status status = NULL;
    if (lae_path_is_directory(path)) {
        status = label_of(listing, split, path, name, &label);
        if (status == NULL) status = read_class(&listing->parts[split], path, label);
    }
    free(path);
    return status;
}

static lae_status read_class_folders(struct listing *listing, enum lae_split split,
                                     const char *directory)
{
    struct names folders = {0};
    lae_status status = read_names(directory, &folders);
    for (size_t i = 0; i < folders.count && status == NULL; i++)
        status = read_class_folder(listing, split, directory, folders.items[i]);
    free_names(&folders);
    return status;
}

/* ---- Lines of text -----------------------------------------------------------------------------
 */

struct lines {
    struct lae_map map;
    char *path;
    size_t at;     /* where the next one begins */
    size_t number; /* of the last one, from 1 on */
    char text[MAX_PATH + 1];
};

static lae_status open_lines(const char *directory, const char *name, struct lines *lines)
{
    *lines = (struct lines){.path = lae_path_join(directory, name)};
    if (lines->path == NULL) return lae_out_of_memory(strlen(directory), directory);
    return lae_map_open(lines->path, &lines->map);
}

static void close_lines(struct lines *lines)
{
    lae_map_close(&lines->map);
    free(lines->path);
}

static lae_status bad_line(const struct lines *lines, const char *what)
{
    return lae_bad_input("%s:%zu: %s", lines->path, lines->number, what);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next line that is not blank into lines->text, without blanks at its ends; false: the end. */
static lae_status next_line(struct lines *lines, bool *more)
{
    for (*more = false; lines->at < lines->map.size && !*more;) {
        const char *begin = (const char *)lines->map.data + lines->at;
        const char *end = memchr(begin, '\n', lines->map.size - lines->at);
        size_t length = end != NULL ? (size_t)(end - begin) : lines->map.size - lines->at;
        lines->at += length + 1;
        lines->number++;
        while (length > 0 && is_blank(begin[length - 1]))
            length--;
        for (; length > 0 && is_blank(begin[0]); length--)
            begin++;
        if (length > MAX_PATH) return bad_line(lines, "is longer than a path can be");
        if (memchr(begin, '\0', length) != NULL)
            return bad_line(lines, "holds a zero byte: no text");
        memcpy(lines->text, begin, length);
        lines->text[length] = '\0';
        *more = length > 0;
    }
    return NULL;
}

/* 0..2^31-1, all of the text. */
static bool read_number(const char *text, int *number)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9 || text[digits] != '\0') return false;
    *number = atoi(text);
    return true;
}

/* ---- Lists -------------------------------------------------------------------------------------
 */

/* The name of the folder that an image is in, as part of its path; "" where there is none. */
static void folder_of(const char *path, const char **name, size_t *length)
{
    const char *slash = strrchr(path, '/'), *begin = slash;
    while (slash != NULL && begin > path && begin[-1] != '/')
        begin--;
    *name = slash != NULL ? begin : path;
    *length = slash != NULL ? (size_t)(slash - begin) : 0;
}

/* A path as a list has it, from the folder `directory` on unless it is absolute. */
static lae_status add_listed(struct part *part, const char *directory, const char *path, int label)
{
    if (path[0] == '/') return add_image(part, path, label);
    char *joined = lae_path_join(directory, path);
    if (joined == NULL) return lae_out_of_memory(strlen(path), directory);
    lae_status status = add_image(part, joined, label);
    free(joined);
    return status;
}

static lae_status read_list_line(struct listing *listing, enum lae_split split, struct lines *lines)
{
    int label;
    char *blank = strrchr(lines->text, ' '), *tab = strrchr(lines->text, '\t');
    if (blank == NULL || (tab != NULL && tab > blank)) blank = tab;
    if (blank == NULL || !read_number(blank + 1, &label))
        return bad_line(lines, "is not \"PATH LABEL\", the label a whole number from 0 on");
    while (blank > lines->text && is_blank(blank[-1]))
        blank--;
    *blank = '\0';
    LAE_TRY(add_class(listing, label, NULL, lines->path));
    return add_listed(&listing->parts[split], listing->root, lines->text, label);
}

static lae_status read_list(struct listing *listing, enum lae_split split, const char *name)
{
    struct lines lines;
    bool more = true;
    lae_status status = open_lines(listing->root, name, &lines);
    while (status == NULL && more) {
        status = next_line(&lines, &more);
        if (status == NULL && more) status = read_list_line(listing, split, &lines);
    }
    close_lines(&lines);
    return status;
}

static bool has_ending(const char *name, const char *ending)
{
    size_t length = strlen(name), tail = strlen(ending);
    return length >= tail && strcmp(name + length - tail, ending) == 0;
}

/* Whether a file of that name is a list, and of which part. */
static bool is_list(const char *name, enum lae_split *split)
{
    static const struct {
        const char *word;
        enum lae_split split;
    } words[] = {{"train", LAE_TRAIN}, {"test", LAE_TEST}, {"val", LAE_TEST}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char whole[16], list[16], tail[16];
        snprintf(whole, sizeof whole, "%s.txt", words[i].word);
        snprintf(list, sizeof list, "%s_list.txt", words[i].word);
        snprintf(tail, sizeof tail, "_%s.txt", words[i].word);
        *split = words[i].split;
        if (strcmp(name, whole) == 0 || strcmp(name, list) == 0 || has_ending(name, tail))
            return true;
    }
    return false;
}

/* *found: how many lists there are. */
static lae_status read_lists(struct listing *listing, int *found)
{
    struct names names = {0};
    enum lae_split split;
    *found = 0;
    lae_status status = read_names(listing->root, &names);
    for (size_t i = 0; i < names.count && status == NULL; i++) {
        if (!is_list(names.items[i], &split)) continue;
        ++*found;
        status = read_list(listing, split, names.items[i]);
    }
    free_names(&names);
    return status;
}

/* ---- CUB-200-2011 ------------------------------------------------------------------------------
 */

enum cub_file { CUB_PATHS, CUB_CLASSES, CUB_SPLIT, CUB_FILES };

static const char *const cub_names[CUB_FILES] = {"images.txt", "image_class_labels.txt",
                                                 "train_test_split.txt"};

/* The next line "ID WHAT" with that ID; WHAT stays in lines->text from *what on. */
static lae_status next_of_cub(struct lines *lines, int id, const char **what, bool *more)
{
    int number;
    LAE_TRY(next_line(lines, more));
    if (!*more) return NULL;
    char *blank = strchr(lines->text, ' ');
    if (blank == NULL) return bad_line(lines, "is not \"ID WHAT\"");
    *blank = '\0';
    *what = blank + 1;
    if (read_number(lines->text, &number) && number == id) return NULL;
    return bad_line(lines,
                    "is not of the image whose turn it is: IDs count from 1 on, in all files");
}

/* The same line of all files. */
static lae_status read_cub_image(struct listing *listing, const char *directory,
                                 struct lines lines[CUB_FILES], int id, bool *more)
{
    const char *what[CUB_FILES];
    int label, training;
    for (int i = 0; i < CUB_FILES; i++) {
        bool here;
        LAE_TRY(next_of_cub(&lines[i], id, &what[i], &here));
        if (i > 0 && here != *more)
            return lae_bad_input("%s: has %s lines than %s", lines[i].path, here ? "more" : "fewer",
                                 lines[0].path);
        *more = here;
    }
    if (!*more) return NULL;
    if (!read_number(what[CUB_CLASSES], &label) || label < 1)
        return bad_line(&lines[CUB_CLASSES], "has no class, a whole number from 1 on");
    if (!read_number(what[CUB_SPLIT], &training) || training > 1)
        return bad_line(&lines[CUB_SPLIT], "says neither 1, training, nor 0, test");
    LAE_TRY(add_class(listing, label - 1, NULL, lines[CUB_CLASSES].path));
    return add_listed(&listing->parts[training == 1 ? LAE_TRAIN : LAE_TEST], directory,
                      what[CUB_PATHS], label - 1);
}

static lae_status read_cub(struct listing *listing)
{
    struct lines *lines = calloc(CUB_FILES, sizeof *lines);
    char *directory = lae_path_join(listing->root, "images");
    lae_status status = NULL;
    if (lines == NULL || directory == NULL)
        status = lae_out_of_memory(CUB_FILES * sizeof *lines, listing->root);
    for (int i = 0; i < CUB_FILES && status == NULL; i++)
        status = open_lines(listing->root, cub_names[i], &lines[i]);
    bool more = true;
    for (int id = 1; status == NULL && more; id++)
        status = read_cub_image(listing, directory, lines, id, &more);
    for (int i = 0; lines != NULL && i < CUB_FILES; i++)
        close_lines(&lines[i]);
    free(lines);
    free(directory);
    return status;
}

/* ---- Names for classes that came by number ------------------------------------------------------
 */

static lae_status name_by_number(struct listing *listing, int label)
{
    char number[16];
    snprintf(number, sizeof number, "%d", label);
    free(listing->names[label]);
    return add_class(listing, label, number, listing->root);
}

/* Names the image's class after its folder; by its number once two folders disagree. */
static lae_status name_by_folder(struct listing *listing, const char *path, int label)
{
    const char *folder, *name = listing->names[label];
    size_t length;
    folder_of(path, &folder, &length);
    if (name == NULL) {
        listing->names[label] = strndup(folder, length);
        return listing->names[label] == NULL ? lae_out_of_memory(length, "class names") : NULL;
    }
    if (length > 0 && strlen(name) == length && memcmp(name, folder, length) == 0) return NULL;
    return name_by_number(listing, label);
}

static lae_status name_classes(struct listing *listing)
{
    for (int split = 0; split < LAE_SPLITS; split++) {
        const struct part *part = &listing->parts[split];
        for (size_t i = 0; i < part->count; i++)
            LAE_TRY(
                name_by_folder(listing, part->text + part->items[i].path, part->items[i].label));
    }
    for (int label = 0; label < listing->classes; label++)
        if (listing->names[label] == NULL) LAE_TRY(name_by_number(listing, label));
    return NULL;
}

/* ---- All of it ---------------------------------------------------------------------------------
 */

static bool has(const struct listing *listing, const char *name)
{
    char *path = lae_path_join(listing->root, name);
    bool there = path != NULL && lae_path_exists(path);
    free(path);
    return there;
}

static lae_status read_folders(struct listing *listing)
{
    const char *const names[] = {"train", has(listing, "test") ? "test" : "val"};
    for (int split = 0; split < LAE_SPLITS; split++) {
        char *path = lae_path_join(listing->root, names[split]);
        if (path == NULL) return lae_out_of_memory(strlen(listing->root), listing->root);
        lae_status status = read_class_folders(listing, (enum lae_split)split, path);
        free(path);
        LAE_TRY(status);
    }
    return NULL;
}

static lae_status read_layout(struct listing *listing)
{
    int lists;
    if (!lae_path_is_directory(listing->root))
        return lae_bad_input("%s: is no directory; data.dataset=folder needs one", listing->root);
    if (has(listing, cub_names[CUB_PATHS]) && has(listing, cub_names[CUB_CLASSES])) {
        LAE_TRY(read_cub(listing));
        return name_classes(listing);
    }
    LAE_TRY(read_lists(listing, &lists));
    if (lists > 0) return name_classes(listing);
    if (has(listing, "train")) return read_folders(listing);
    return lae_bad_input(
        "%s: holds neither train/CLASS/ and test/CLASS/ nor lists train.txt and "
        "test.txt (or NAME_train.txt, train_list.txt, ...) of \"PATH LABEL\" lines",
        listing->root);
}

static lae_status check_part(const struct listing *listing, enum lae_split split)
{
    const struct part *part = &listing->parts[split];
    if (part->count == 0)
        return lae_bad_input("%s: there are no %s images", listing->root, part_names[split]);
    if (split == LAE_TEST) return NULL;
    bool *seen = calloc((size_t)listing->classes, sizeof *seen);
    if (seen == NULL) return lae_out_of_memory(listing->classes, "the classes");
    for (size_t i = 0; i < part->count; i++)
        seen[part->items[i].label] = true;
    int missing = 0;
    while (missing < listing->classes && seen[missing])
        missing++;
    free(seen);
    if (missing == listing->classes) return NULL;
    return lae_bad_input("%s: class %d (%s) has no training images; there are %d classes, counted "
                         "from 0",
                         listing->root, missing, listing->names[missing], listing->classes);
}

/* The part as one piece of memory: see pictures.h. */
static lae_status join(struct part *part, enum lae_split split, struct lae_dataset *dataset)
{
    size_t front = part->count * sizeof *part->items;
    unsigned char *block = malloc(front + part->used + 1);
    if (block == NULL) return lae_out_of_memory(front + part->used, "the list of images");
    for (size_t i = 0; i < part->count; i++)
        part->items[i].path += front;
    if (part->count > 0) {
        memcpy(block, part->items, front);
        memcpy(block + front, part->text, part->used);
    }
    dataset->owned[split] = block;
    dataset->records[split] = block;
    dataset->bytes[split] = front + part->used;
    dataset->count[split] = part->count;
    return NULL;
}

static lae_status join_all(struct listing *listing, struct lae_dataset *dataset)
{
    dataset->record = sizeof(struct lae_picture);
    for (int split = 0; split < LAE_SPLITS; split++)
        LAE_TRY(join(&listing->parts[split], (enum lae_split)split, dataset));
    return NULL;
}

static lae_status build(struct listing *listing, struct lae_dataset *dataset)
{
    LAE_TRY(read_layout(listing));
    LAE_TRY(check_part(listing, LAE_TRAIN));
    LAE_TRY(check_part(listing, LAE_TEST));
    LAE_TRY(join_all(listing, dataset));
    dataset->classes = listing->classes;
    dataset->class_names = listing->names;
    listing->names = NULL;
    return NULL;
}

static void free_listing(struct listing *listing)
{
    for (int split = 0; split < LAE_SPLITS; split++) {
        free(listing->parts[split].items);
        free(listing->parts[split].text);
    }
    for (int i = 0; listing->names != NULL && i < listing->classes; i++)
        free(listing->names[i]);
    free(listing->names);
}

lae_status lae_listing_open(const char *path, struct lae_dataset *dataset)
{
    struct listing listing = {.root = path};
    lae_status status = build(&listing, dataset);
    free_listing(&listing);
    return status;
}

/* ---- Images without labels ----------------------------------------------------------------------
 */

#define MAX_DEPTH 16 /* of folders in folders; links can make circles */

static lae_status read_tree(struct part *part, const char *directory, int depth);

static lae_status read_branch(struct part *part, const char *directory, const char *name, int depth)
{
    char *path = lae_path_join(directory, name);
    if (path == NULL) return lae_out_of_memory(strlen(directory), directory);
    lae_status status = lae_path_is_directory(path) ? read_tree(part, path, depth + 1)
                                                    : add_file(part, directory, name, -1);
    free(path);
    return status;
}

static lae_status read_tree(struct part *part, const char *directory, int depth)
{
    if (depth > MAX_DEPTH)
        return lae_bad_input("%s: is more than %d folders deep: a circle of links?", directory,
                             MAX_DEPTH);
    struct names names = {0};
    lae_status status = read_names(directory, &names);
    for (size_t i = 0; i < names.count && status == NULL; i++)
        status = read_branch(part, directory, names.items[i], depth);
    free_names(&names);
    return status;
}

lae_status lae_listing_open_unlabelled(const char *path, struct lae_dataset *dataset)
{
    struct listing listing = {.root = path};
    struct part *part = &listing.parts[LAE_TEST];
    lae_status status =
        lae_path_is_directory(path) ? read_tree(part, path, 0) : add_image(part, path, -1);
    if (status == NULL && part->count == 0)
        status = lae_bad_input("%s: no file in or below it ends in .png, .jpg or .jpeg", path);
    if (status == NULL) status = join_all(&listing, dataset);
    free_listing(&listing);
    return status;
}
