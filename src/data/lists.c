/* Text files that say which image has which label. */
#include "lists.h"

#include "lae/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Lines of text -----------------------------------------------------------------------------
 */

lae_status lae_lines_open(const char *directory, const char *name, struct lae_lines *lines)
{
    *lines = (struct lae_lines){.path = lae_path_join(directory, name)};
    if (lines->path == NULL) return lae_out_of_memory(strlen(directory), directory);
    return lae_map_read(lines->path, &lines->map);
}

void lae_lines_close(struct lae_lines *lines)
{
    lae_map_close(&lines->map);
    free(lines->path);
}

lae_status lae_lines_refuse(const struct lae_lines *lines, const char *what)
{
    return lae_bad_input("%s:%zu: %s", lines->path, lines->number, what);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

lae_status lae_lines_next(struct lae_lines *lines, bool *more)
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
        if (length > LAE_MAX_LISTED) return lae_lines_refuse(lines, "is longer than a path can be");
        if (memchr(begin, '\0', length) != NULL)
            return lae_lines_refuse(lines, "holds a zero byte: no text");
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

enum { NO_DOMAIN = -1 };

struct list {
    struct lae_lines lines;
    size_t first; /* the number of its first line with text; 0: not yet read */
    int domain;   /* the third column's */
};

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
static lae_status add_listed(struct lae_found_part *part, const char *directory, const char *path,
                             int label)
{
    if (path[0] == '/') return lae_found_add(part, path, label);
    char *joined = lae_path_join(directory, path);
    if (joined == NULL) return lae_out_of_memory(strlen(path), directory);
    lae_status status = lae_found_add(part, joined, label);
    free(joined);
    return status;
}

/* The last word of a text, cut off it together with the blanks before; NULL: there is no other. */
static char *cut_last_word(char *text)
{
    char *end = text + strlen(text);
    while (end > text && !is_blank(end[-1]))
        end--;
    char *word = end;
    while (end > text && is_blank(end[-1]))
        end--;
    if (end == text) return NULL;
    *end = '\0';
    return word;
}

/* A third column is told from a path with blanks in it by the image's ending in front of the
 * second. */
static bool has_domain(const char *path)
{
    char rest[LAE_MAX_LISTED + 1];
    int number;
    if (lae_picture_has_ending(path)) return false;
    snprintf(rest, sizeof rest, "%s", path);
    const char *label = cut_last_word(rest);
    return label != NULL && read_number(label, &number) && lae_picture_has_ending(rest);
}

/* The third column of a list says nothing as long as all its lines agree. */
static lae_status check_domain(struct list *list, int domain)
{
    if (list->lines.number == list->first || list->domain == domain) {
        list->domain = domain;
        return NULL;
    }
    return lae_lines_refuse(
        &list->lines, list->domain == NO_DOMAIN || domain == NO_DOMAIN
                          ? "has not as many columns as the lines before"
                          : "has another third column than the lines before; one domain a list is "
                            "read: PATH LABEL, or PATH LABEL DOMAIN with the same DOMAIN in all of "
                            "it");
}

static lae_status read_list_line(struct lae_found *found, enum lae_split split, struct list *list)
{
    struct lae_lines *lines = &list->lines;
    int label, domain = NO_DOMAIN;
    char *last = cut_last_word(lines->text);
    if (last != NULL && has_domain(lines->text) && read_number(last, &domain))
        last = cut_last_word(lines->text);
    if (last == NULL || !read_number(last, &label))
        return lae_lines_refuse(lines, "is not \"PATH LABEL\", the label a whole number from 0 on");
    if (list->first == 0) list->first = lines->number;
    LAE_TRY(check_domain(list, domain));
    LAE_TRY(lae_found_add_class(found, label, NULL, lines->path));
    return add_listed(&found->parts[split], found->root, lines->text, label);
}

static lae_status read_list(struct lae_found *found, enum lae_split split, const char *name)
{
    struct list *list = calloc(1, sizeof *list);
    if (list == NULL) return lae_out_of_memory(sizeof *list, name);
    bool more = true;
    lae_status status = lae_lines_open(found->root, name, &list->lines);
    while (status == NULL && more) {
        status = lae_lines_next(&list->lines, &more);
        if (status == NULL && more) status = read_list_line(found, split, list);
    }
    if (status == NULL) status = lae_found_join(&found->layout, ", ", name);
    if (status == NULL && list->first > 0 && list->domain != NO_DOMAIN)
        status = lae_found_join(&found->layout, " ", "(its third column, a domain, is left out)");
    lae_lines_close(&list->lines);
    free(list);
    return status;
}

static bool has_ending(const char *name, const char *ending)
{
    size_t length = strlen(name), tail = strlen(ending);
    return length >= tail && strcmp(name + length - tail, ending) == 0;
}

bool lae_list_is_one(const char *name, enum lae_split *split)
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

/* ---- Names for classes that came by number ------------------------------------------------------
 */

static lae_status name_by_number(struct lae_found *found, int label)
{
    char number[16];
    snprintf(number, sizeof number, "%d", label);
    return lae_found_add_class(found, label, number, found->root);
}

/* Names the image's class after its folder; by its number once two folders disagree. */
static lae_status name_by_folder(struct lae_found *found, const char *path, int label)
{
    const char *folder, *known = found->names[label];
    size_t length;
    folder_of(path, &folder, &length);
    char *raw = strndup(folder, length), *name = raw != NULL ? lae_text_escape(raw, true) : NULL;
    lae_status status = NULL;
    if (name == NULL)
        status = lae_out_of_memory(length, "class names");
    else if (known == NULL)
        status = lae_found_add_class(found, label, raw, found->root);
    else if (length == 0 || strcmp(known, name) != 0)
        status = name_by_number(found, label);
    free(raw);
    free(name);
    return status;
}

static lae_status name_classes(struct lae_found *found)
{
    for (int split = 0; split < LAE_SPLITS; split++) {
        const struct lae_found_part *part = &found->parts[split];
        for (size_t i = 0; i < part->count; i++)
            LAE_TRY(name_by_folder(found, part->text + part->items[i].path, part->items[i].label));
    }
    for (int label = 0; label < found->classes; label++)
        if (found->names[label] == NULL) LAE_TRY(name_by_number(found, label));
    return NULL;
}

lae_status lae_lists_read(struct lae_found *found)
{
    struct lae_entries entries;
    enum lae_split split;
    lae_status status = lae_entries_read(found->root, NULL, &entries);
    for (size_t i = 0; i < entries.count && status == NULL; i++)
        if (!entries.items[i].directory && lae_list_is_one(entries.items[i].name, &split))
            status = read_list(found, split, entries.items[i].name);
    lae_entries_free(&entries);
    if (status == NULL) status = name_classes(found);
    char *lists = found->layout;
    found->layout = NULL;
    if (status == NULL && lists != NULL) status = lae_found_note(&found->layout, "lists %s", lists);
    free(lists);
    return status;
}

/* ---- CUB-200-2011 ------------------------------------------------------------------------------
 */

enum cub_file { CUB_PATHS, CUB_CLASSES, CUB_SPLIT, CUB_FILES };

static const char *const cub_names[CUB_FILES] = {"images.txt", "image_class_labels.txt",
                                                 "train_test_split.txt"};

/* The next line "ID WHAT" with that ID; WHAT stays in lines->text from *what on. */
static lae_status next_of_cub(struct lae_lines *lines, int id, const char **what, bool *more)
{
    int number;
    LAE_TRY(lae_lines_next(lines, more));
    if (!*more) return NULL;
    char *blank = strchr(lines->text, ' ');
    if (blank == NULL) return lae_lines_refuse(lines, "is not \"ID WHAT\"");
    *blank = '\0';
    *what = blank + 1;
    if (read_number(lines->text, &number) && number == id) return NULL;
    return lae_lines_refuse(
        lines, "is not of the image whose turn it is: IDs count from 1 on, in all files");
}

/* The same line of all files. */
static lae_status read_cub_image(struct lae_found *found, const char *directory,
                                 struct lae_lines lines[CUB_FILES], int id, bool *more)
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
        return lae_lines_refuse(&lines[CUB_CLASSES], "has no class, a whole number from 1 on");
    if (!read_number(what[CUB_SPLIT], &training) || training > 1)
        return lae_lines_refuse(&lines[CUB_SPLIT], "says neither 1, training, nor 0, test");
    LAE_TRY(lae_found_add_class(found, label - 1, NULL, lines[CUB_CLASSES].path));
    return add_listed(&found->parts[training == 1 ? LAE_TRAIN : LAE_TEST], directory,
                      what[CUB_PATHS], label - 1);
}

bool lae_cub_is_there(const char *root)
{
    for (int i = 0; i <= CUB_CLASSES; i++) {
        char *path = lae_path_join(root, cub_names[i]);
        bool there = path != NULL && lae_path_exists(path);
        free(path);
        if (!there) return false;
    }
    return true;
}

lae_status lae_cub_read(struct lae_found *found)
{
    struct lae_lines *lines = calloc(CUB_FILES, sizeof *lines);
    char *directory = lae_path_join(found->root, "images");
    lae_status status = NULL;
    if (lines == NULL || directory == NULL)
        status = lae_out_of_memory(CUB_FILES * sizeof *lines, found->root);
    for (int i = 0; i < CUB_FILES && status == NULL; i++)
        status = lae_lines_open(found->root, cub_names[i], &lines[i]);
    bool more = true;
    for (int id = 1; status == NULL && more; id++)
        status = read_cub_image(found, directory, lines, id, &more);
    for (int i = 0; lines != NULL && i < CUB_FILES; i++)
        lae_lines_close(&lines[i]);
    free(lines);
    free(directory);
    if (status == NULL)
        status = lae_found_note(&found->layout, "CUB-200-2011 (images.txt, "
                                                "image_class_labels.txt, train_test_split.txt)");
    return status != NULL ? status : name_classes(found);
}
