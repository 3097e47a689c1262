#define _DEFAULT_SOURCE /* d_type */
#include "found.h"

#include "lae/base/text.h"
#include "lae/files/map.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

lae_status lae_found_reserve(void **memory, size_t used, size_t more, size_t size, size_t *room)
{
    if (used + more <= *room) return NULL;
    size_t wanted = 2 * *room > used + more ? 2 * *room : used + more + 64;
    void *moved = realloc(*memory, wanted * size);
    if (moved == NULL) return lae_out_of_memory(wanted * size, "the list of images");
    *memory = moved;
    *room = wanted;
    return NULL;
}

lae_status lae_found_add(struct lae_found_part *part, const char *path, int label)
{
    size_t length = strlen(path) + 1;
    void *items = part->items, *text = part->text;
    lae_status status = lae_found_reserve(&items, part->count, 1, sizeof *part->items, &part->room);
    part->items = items;
    LAE_TRY(status);
    status = lae_found_reserve(&text, part->used, length, 1, &part->text_room);
    part->text = text;
    LAE_TRY(status);
    part->items[part->count++] = (struct lae_picture){.path = part->used, .label = label};
    memcpy(part->text + part->used, path, length);
    part->used += length;
    return NULL;
}

/* A folder's name may be any bytes; from here on it is text, the same in every output. */
static lae_status set_name(struct lae_found *found, int label, const char *name)
{
    free(found->names[label]);
    found->names[label] = lae_text_escape(name, true);
    return found->names[label] == NULL ? lae_out_of_memory(strlen(name), "class names") : NULL;
}

lae_status lae_found_add_class(struct lae_found *found, int label, const char *name,
                               const char *from)
{
    if (label >= LAE_MAX_CLASSES)
        return lae_bad_input("%s: class %d; at most %d classes are allowed, counted from 0", from,
                             label, LAE_MAX_CLASSES);
    if (found->names == NULL) {
        found->names = calloc(LAE_MAX_CLASSES, sizeof *found->names);
        if (found->names == NULL)
            return lae_out_of_memory(LAE_MAX_CLASSES * sizeof *found->names, "class names");
    }
    if (label >= found->classes) found->classes = label + 1;
    return name != NULL ? set_name(found, label, name) : NULL;
}

void lae_found_free(struct lae_found *found)
{
    for (int split = 0; split < LAE_SPLITS; split++) {
        free(found->parts[split].items);
        free(found->parts[split].text);
    }
    for (int i = 0; found->names != NULL && i < found->classes; i++)
        free(found->names[i]);
    free(found->names);
    for (int why = 0; why < LAE_LEFT_KINDS; why++)
        free(found->left_out[why].names);
    free(found->layout);
    free(found->passed);
    *found = (struct lae_found){0};
}

/* ---- What is left out --------------------------------------------------------------------------
 */

lae_status lae_found_join(char **text, const char *separator, const char *more)
{
    const char *before = *text != NULL ? *text : "";
    if (*text == NULL) separator = "";
    size_t size = strlen(before) + strlen(separator) + strlen(more) + 1;
    char *joined = malloc(size);
    if (joined == NULL) return lae_out_of_memory(size, "a note on the images");
    snprintf(joined, size, "%s%s%s", before, separator, more);
    free(*text);
    *text = joined;
    return NULL;
}

lae_status lae_found_note(char **note, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return lae_found_join(note, "; ", text);
}

/* Below the root the root's own name says nothing. */
static const char *below(const char *root, const char *path)
{
    size_t length = strlen(root);
    if (strncmp(path, root, length) != 0) return path;
    path += length;
    return path + strspn(path, "/");
}

lae_status lae_found_leave_out(struct lae_found *found, enum lae_left_out why, const char *path)
{
    struct lae_tally *tally = &found->left_out[why];
    if (tally->count++ >= LAE_SHOWN_NAMES) return NULL;
    char *shown = lae_text_escape(below(found->root, path), true);
    if (shown == NULL) return lae_out_of_memory(strlen(path), "a file's name");
    lae_status status = lae_found_join(&tally->names, ", ", shown);
    free(shown);
    return status;
}

static bool begins(const unsigned char *bytes, size_t size, size_t at, const char *sign)
{
    return size >= at + strlen(sign) && memcmp(bytes + at, sign, strlen(sign)) == 0;
}

/* By its first bytes, which names that say nothing do not hide. */
static bool looks_like_image(const char *path)
{
    unsigned char bytes[16];
    FILE *file = lae_path_is_regular(path) ? fopen(path, "rbe") : NULL;
    if (file == NULL) return false;
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return begins(bytes, size, 0, "\x89PNG") || begins(bytes, size, 0, "\xff\xd8\xff") ||
           begins(bytes, size, 0, "GIF8") || begins(bytes, size, 8, "WEBP") ||
           begins(bytes, size, 4, "ftyp") || begins(bytes, size, 0, "II*");
}

lae_status lae_found_leave_out_file(struct lae_found *found, const char *path)
{
    static const char *const unread[] = {
        ".gif", ".bmp",  ".dib",  ".tif",  ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm",
        ".pfm", ".heic", ".heif", ".avif", ".jxl",  ".jp2",  ".j2k", ".jpx", ".svg", ".ico",
        ".tga", ".dng",  ".cr2",  ".nef",  ".arw",  ".psd",  ".exr", ".hdr", ".dcm", NULL};
    static const char *const other[] = {
        ".txt",  ".csv", ".tsv", ".json", ".jsonl", ".xml", ".mat", ".md",  ".ini", ".db",
        ".html", ".yml", ".npy", ".npz",  ".yaml",  ".pkl", ".log", ".pdf", ".zip", ".gz",
        ".tar",  ".h5",  ".py",  ".sh",   ".pth",   ".pt",  ".mp4", ".cfg", ".rst", NULL};
    bool image = lae_path_ends_in(path, unread);
    if (!image && !lae_path_ends_in(path, other)) image = looks_like_image(path);
    return lae_found_leave_out(found, image ? LAE_LEFT_UNREAD : LAE_LEFT_OTHER, path);
}

/* ---- The names in a directory ------------------------------------------------------------------
 */

void lae_entries_free(struct lae_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        free(entries->items[i].name);
    free(entries->items);
    *entries = (struct lae_entries){0};
}

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const struct lae_entry *)a)->name, ((const struct lae_entry *)b)->name);
}

/* File systems tell the kind for nothing; of links, and where they don't, it is asked for. */
static lae_status find_kind(const char *directory, const struct dirent *entry, bool *is_directory)
{
    *is_directory = entry->d_type == DT_DIR;
    if (entry->d_type == DT_DIR || entry->d_type == DT_REG) return NULL;
    char *path = lae_path_join(directory, entry->d_name);
    if (path == NULL) return lae_out_of_memory(strlen(directory), directory);
    *is_directory = lae_path_is_directory(path);
    free(path);
    return NULL;
}

static lae_status add_entry(const char *directory, const struct dirent *entry,
                            struct lae_entries *entries)
{
    void *items = entries->items;
    lae_status status =
        lae_found_reserve(&items, entries->count, 1, sizeof *entries->items, &entries->room);
    entries->items = items;
    LAE_TRY(status);
    struct lae_entry *added = &entries->items[entries->count];
    LAE_TRY(find_kind(directory, entry, &added->directory));
    added->name = strdup(entry->d_name);
    if (added->name == NULL) return lae_out_of_memory(strlen(entry->d_name), directory);
    entries->count++;
    return NULL;
}

static lae_status collect(DIR *stream, const char *directory, struct lae_entries *entries)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (entry == NULL && errno == 0) return NULL;
        if (entry == NULL)
            return lae_bad_input("%s: cannot be read: %s", directory, strerror(errno));
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        LAE_TRY(add_entry(directory, entry, entries));
    }
}

/* What file systems and programs keep for themselves; thumbnails among it are no images. */
static bool is_hidden(const char *name)
{
    static const char *const names[] = {"__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN",
                                        "lost+found"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return name[0] == '.';
}

static lae_status pass_hidden(const char *directory, const char *name, struct lae_found *found)
{
    if (found == NULL) return NULL;
    char *path = lae_path_join(directory, name);
    if (path == NULL) return lae_out_of_memory(strlen(directory), directory);
    lae_status status = lae_found_leave_out(found, LAE_LEFT_HIDDEN, path);
    free(path);
    return status;
}

static lae_status drop_hidden(const char *directory, struct lae_found *found,
                              struct lae_entries *entries)
{
    lae_status status = NULL;
    size_t kept = 0;
    for (size_t i = 0; i < entries->count; i++) {
        if (!is_hidden(entries->items[i].name)) {
            entries->items[kept++] = entries->items[i];
            continue;
        }
        if (status == NULL) status = pass_hidden(directory, entries->items[i].name, found);
        free(entries->items[i].name);
    }
    entries->count = kept;
    return status;
}

lae_status lae_entries_read(const char *directory, struct lae_found *found,
                            struct lae_entries *entries)
{
    *entries = (struct lae_entries){0};
    DIR *stream = opendir(directory);
    if (stream == NULL)
        return lae_bad_input("%s: cannot be opened as a directory: %s", directory, strerror(errno));
    lae_status status = collect(stream, directory, entries);
    closedir(stream);
    if (entries->count > 0)
        qsort(entries->items, entries->count, sizeof *entries->items, compare_entries);
    if (status == NULL) status = drop_hidden(directory, found, entries);
    return status;
}
