/* A class folder is walked as torchvision's ImageFolder walks it: all folders in and below it in
 * bytewise order of their paths, the files of each in that of their names. So train/CLASS/images/
 * (tiny-imagenet) holds images of CLASS.
 *
 * Where there are test/ and val/, the first counts whose images have the training images' classes:
 * ImageNet's and tiny-imagenet's test/ have none. Classes of val/ may also stand in
 * val/val_annotations.txt, "FILE CLASS ..." a line, the files in val/images/ (tiny-imagenet).
 */
#include "folders.h"

#include "lae/base/text.h"
#include "lae/files/map.h"
#include "lists.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_DEPTH 16 /* of folders in folders; links can make circles */

/* ---- One class folder --------------------------------------------------------------------------
 */

struct folder {
    char *path;
    struct lae_entries entries;
};

struct folders {
    struct folder *items;
    size_t count, room;
};

static void free_folders(struct folders *folders)
{
    for (size_t i = 0; i < folders->count; i++) {
        free(folders->items[i].path);
        lae_entries_free(&folders->items[i].entries);
    }
    free(folders->items);
}

static int compare_folders(const void *a, const void *b)
{
    return strcmp(((const struct folder *)a)->path, ((const struct folder *)b)->path);
}

static lae_status collect(struct lae_found *found, char *path, int depth, struct folders *folders);

static lae_status collect_below(struct lae_found *found, const char *path,
                                const struct lae_entries *entries, int depth,
                                struct folders *folders)
{
    for (size_t i = 0; i < entries->count; i++) {
        if (!entries->items[i].directory) continue;
        char *below = lae_path_join(path, entries->items[i].name);
        if (below == NULL) return lae_out_of_memory(strlen(path), path);
        LAE_TRY(collect(found, below, depth + 1, folders));
    }
    return NULL;
}

/* `path`, which it takes over, and all folders below it. */
static lae_status collect(struct lae_found *found, char *path, int depth, struct folders *folders)
{
    void *items = folders->items;
    lae_status status =
        lae_found_reserve(&items, folders->count, 1, sizeof *folders->items, &folders->room);
    folders->items = items;
    if (status == NULL && depth > MAX_DEPTH)
        status =
            lae_bad_input("%s: is more than %d folders deep: a circle of links?", path, MAX_DEPTH);
    if (status != NULL) {
        free(path);
        return status;
    }
    struct folder *folder = &folders->items[folders->count++];
    *folder = (struct folder){.path = path};
    LAE_TRY(lae_entries_read(path, found, &folder->entries));
    struct lae_entries entries = folder->entries; /* the folders may move */
    return collect_below(found, path, &entries, depth, folders);
}

static lae_status add_file(struct lae_found *found, enum lae_split split, const char *directory,
                           const char *name, int label)
{
    char *path = lae_path_join(directory, name);
    if (path == NULL) return lae_out_of_memory(strlen(directory), directory);
    lae_status status = lae_picture_has_ending(name)
                            ? lae_found_add(&found->parts[split], path, label)
                            : lae_found_leave_out_file(found, path);
    free(path);
    return status;
}

static lae_status read_class(struct lae_found *found, enum lae_split split, const char *directory,
                             int label)
{
    struct folders folders = {0};
    char *path = strdup(directory);
    if (path == NULL) return lae_out_of_memory(strlen(directory), directory);
    lae_status status = collect(found, path, 0, &folders);
    if (folders.count > 0)
        qsort(folders.items, folders.count, sizeof *folders.items, compare_folders);
    for (size_t i = 0; i < folders.count; i++) {
        const struct folder *folder = &folders.items[i];
        for (size_t k = 0; k < folder->entries.count && status == NULL; k++)
            if (!folder->entries.items[k].directory)
                status = add_file(found, split, folder->path, folder->entries.items[k].name, label);
    }
    free_folders(&folders);
    return status;
}

/* ---- The classes of a part ---------------------------------------------------------------------
 */

/* The class of that name; -1: there is none. */
static lae_status find_class(const struct lae_found *found, const char *name, int *label)
{
    char *text = lae_text_escape(name, true);
    if (text == NULL) return lae_out_of_memory(strlen(name), "class names");
    *label = found->classes - 1;
    while (*label >= 0 && strcmp(found->names[*label], text) != 0)
        --*label;
    free(text);
    return NULL;
}

/* A file beside the class folders; images among such are told of. */
static lae_status pass_loose(struct lae_found *found, const char *path)
{
    return lae_picture_has_ending(path) ? lae_found_leave_out(found, LAE_LEFT_LOOSE, path)
                                        : lae_found_leave_out_file(found, path);
}

static lae_status read_train_entry(struct lae_found *found, const struct lae_entry *entry,
                                   const char *path)
{
    if (!entry->directory) return pass_loose(found, path);
    int label = found->classes;
    LAE_TRY(lae_found_add_class(found, label, entry->name, path));
    return read_class(found, LAE_TRAIN, path, label);
}

/* A folder of test images whose fitness is not known yet. */
struct trial {
    struct lae_found found; /* its names are the training images' */
    char *unknown;          /* a folder with images, of no known class; NULL: none */
};

static lae_status read_test_entry(struct trial *trial, const struct lae_entry *entry,
                                  const char *path)
{
    int label;
    if (!entry->directory) return pass_loose(&trial->found, path);
    LAE_TRY(find_class(&trial->found, entry->name, &label));
    if (label >= 0) return read_class(&trial->found, LAE_TEST, path, label);
    if (trial->unknown != NULL) return NULL;
    struct lae_found other = {.root = trial->found.root};
    lae_status status = read_class(&other, LAE_TEST, path, -1);
    if (status == NULL && other.parts[LAE_TEST].count > 0) {
        trial->unknown = strdup(path);
        if (trial->unknown == NULL) status = lae_out_of_memory(strlen(path), path);
    }
    lae_found_free(&other);
    return status;
}

/* Every entry of `directory`, by one of the two above; trial NULL: training images. */
static lae_status read_part(struct lae_found *found, struct trial *trial, const char *directory)
{
    struct lae_entries entries;
    lae_status status =
        lae_entries_read(directory, trial != NULL ? &trial->found : found, &entries);
    for (size_t i = 0; i < entries.count && status == NULL; i++) {
        char *path = lae_path_join(directory, entries.items[i].name);
        if (path == NULL)
            status = lae_out_of_memory(strlen(directory), directory);
        else if (trial == NULL)
            status = read_train_entry(found, &entries.items[i], path);
        else
            status = read_test_entry(trial, &entries.items[i], path);
        free(path);
    }
    lae_entries_free(&entries);
    return status;
}

/* ---- val_annotations.txt -----------------------------------------------------------------------
 */

static lae_status read_annotation(struct lae_found *found, const char *directory,
                                  struct lae_lines *lines)
{
    int label;
    size_t file = strcspn(lines->text, "\t ");
    char *name = lines->text + file + strspn(lines->text + file, "\t ");
    name[strcspn(name, "\t ")] = '\0';
    lines->text[file] = '\0';
    if (*name == '\0') return lae_lines_refuse(lines, "is not \"FILE CLASS ...\"");
    LAE_TRY(find_class(found, name, &label));
    if (label < 0) return lae_lines_refuse(lines, "names a class that train/ has no folder of");
    return add_file(found, LAE_TEST, directory, lines->text, label);
}

static lae_status read_annotations(struct lae_found *found, const char *directory, const char *file)
{
    char *images = lae_path_join(directory, "images");
    struct lae_lines *lines = calloc(1, sizeof *lines);
    lae_status status = images == NULL || lines == NULL ? lae_out_of_memory(sizeof *lines, file)
                                                        : lae_lines_open(directory, file, lines);
    bool more = true;
    const char *place = images != NULL && lae_path_is_directory(images) ? images : directory;
    while (status == NULL && more) {
        status = lae_lines_next(lines, &more);
        if (status == NULL && more) status = read_annotation(found, place, lines);
    }
    if (lines != NULL) lae_lines_close(lines);
    free(lines);
    free(images);
    return status;
}

/* ---- test/, val/ and their like ----------------------------------------------------------------
 */

static lae_status read_trial(struct trial *trial, const char *directory, const char *name,
                             const char *annotations)
{
    char *file = lae_path_join(directory, annotations);
    if (file == NULL) return lae_out_of_memory(strlen(directory), directory);
    bool annotated = lae_path_exists(file);
    free(file);
    if (!annotated) {
        LAE_TRY(lae_found_note(&trial->found.layout, "%s/", name));
        return read_part(NULL, trial, directory);
    }
    LAE_TRY(lae_found_note(&trial->found.layout, "%s/ (%s)", name, annotations));
    return read_annotations(&trial->found, directory, annotations);
}

static lae_status join_layout(struct lae_found *found, const char *tests)
{
    char *together = NULL;
    lae_status status = lae_found_note(&together, "%s and %s", found->layout, tests);
    if (status != NULL) return status;
    free(found->layout);
    found->layout = together;
    return NULL;
}

/* The trial's images become the test images. */
static lae_status take_trial(struct lae_found *found, struct trial *trial)
{
    found->parts[LAE_TEST] = trial->found.parts[LAE_TEST];
    trial->found.parts[LAE_TEST] = (struct lae_found_part){0};
    for (int why = 0; why < LAE_LEFT_KINDS; why++) {
        struct lae_tally *from = &trial->found.left_out[why], *to = &found->left_out[why];
        if (from->names != NULL) LAE_TRY(lae_found_note(&to->names, "%s", from->names));
        to->count += from->count;
    }
    return join_layout(found, trial->found.layout);
}

/* Why the trial's images can't be the test images; NULL: they can. */
static lae_status judge_trial(const struct trial *trial, const char *name)
{
    const struct lae_found *found = &trial->found;
    if (trial->unknown != NULL)
        return lae_bad_input("%s: the training images have no class of this name", trial->unknown);
    if (found->parts[LAE_TEST].count > 0) return NULL;
    if (found->left_out[LAE_LEFT_LOOSE].count > 0)
        return lae_bad_input("%s: there are no test images: the %zu images in %s/ lie in no class "
                             "folders, so that their classes are not known",
                             found->root, found->left_out[LAE_LEFT_LOOSE].count, name);
    return lae_bad_input("%s: there are no test images: %s/ has none in folders of the training "
                         "images' classes",
                         found->root, name);
}

/* One of them. *done: it was taken, or is an error of its own: images of known and unknown classes.
 * *why: why it was not, the first of several. */
static lae_status try_tests(struct lae_found *found, const char *name, bool *done, lae_status *why)
{
    struct trial trial = {
        .found = {.root = found->root, .names = found->names, .classes = found->classes}};
    char annotations[128], *directory = lae_path_join(found->root, name);
    if (directory == NULL) return lae_out_of_memory(strlen(name), found->root);
    snprintf(annotations, sizeof annotations, "%s_annotations.txt", name);
    lae_status status = read_trial(&trial, directory, name, annotations);
    lae_status unfit = status == NULL ? judge_trial(&trial, name) : NULL;
    *done = status == NULL && (unfit == NULL || trial.found.parts[LAE_TEST].count > 0);
    if (status == NULL && unfit == NULL) status = take_trial(found, &trial);
    if (*done) {
        status = lae_status_first(status, unfit);
    } else if (unfit != NULL) {
        status = lae_found_note(&found->passed, "%s/ (%s)", name, lae_status_message(unfit));
        *why = lae_status_first(*why, unfit);
    }
    trial.found.names = NULL; /* not its own */
    lae_found_free(&trial.found);
    free(trial.unknown);
    free(directory);
    return status;
}

/* A directory's entry of that name, in whatever case where none has just that. */
static const char *find_entry(const struct lae_entries *entries, const char *name)
{
    const char *like = NULL;
    for (size_t i = 0; i < entries->count; i++) {
        if (!entries->items[i].directory) continue;
        if (strcmp(entries->items[i].name, name) == 0) return entries->items[i].name;
        if (strcasecmp(entries->items[i].name, name) == 0) like = entries->items[i].name;
    }
    return like;
}

static lae_status no_tests(const struct lae_found *found, const char *train, lae_status why)
{
    if (!found->tests_needed) {
        lae_status_free(why);
        return NULL;
    }
    if (why != NULL) return why;
    return lae_bad_input("%s: there are no test images: %s/ is there, but neither test/ nor val/ "
                         "with the same class folders; make one, or hold training images out "
                         "(data.validation_share=0.1)",
                         found->root, train);
}

static lae_status read_tests(struct lae_found *found, const struct lae_entries *entries,
                             const char *train)
{
    static const char *const names[] = {"test", "testing", "val", "valid", "validation"};
    bool done = false;
    lae_status why = NULL, status = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && status == NULL && !done; i++) {
        const char *name = find_entry(entries, names[i]);
        if (name != NULL) status = try_tests(found, name, &done, &why);
    }
    if (status == NULL && !done) return no_tests(found, train, why);
    lae_status_free(why);
    return status;
}

static const char *find_train(const struct lae_entries *entries)
{
    const char *name = find_entry(entries, "train");
    return name != NULL ? name : find_entry(entries, "training");
}

lae_status lae_folders_find(const char *root, char **name)
{
    struct lae_entries entries;
    *name = NULL;
    lae_status status = lae_entries_read(root, NULL, &entries);
    const char *train = status == NULL ? find_train(&entries) : NULL;
    if (train != NULL) {
        *name = strdup(train);
        if (*name == NULL) status = lae_out_of_memory(strlen(train), root);
    }
    lae_entries_free(&entries);
    return status;
}

static lae_status read_all(struct lae_found *found, const struct lae_entries *entries,
                           const char *train)
{
    char *directory = lae_path_join(found->root, train);
    if (directory == NULL) return lae_out_of_memory(strlen(train), found->root);
    lae_status status = lae_found_note(&found->layout, "class folders %s/", train);
    if (status == NULL) status = read_part(found, NULL, directory);
    free(directory);
    return status != NULL ? status : read_tests(found, entries, train);
}

lae_status lae_folders_read(struct lae_found *found)
{
    struct lae_entries entries;
    lae_status status = lae_entries_read(found->root, NULL, &entries);
    const char *train = status == NULL ? find_train(&entries) : NULL;
    if (train != NULL) status = read_all(found, &entries, train);
    lae_entries_free(&entries);
    return status;
}

/* ---- Without a layout --------------------------------------------------------------------------
 */

static lae_status describe(const struct lae_found *found, const char *classes, size_t class_count,
                           char **text)
{
    size_t loose = found->left_out[LAE_LEFT_LOOSE].count;
    if (class_count > 0)
        return lae_found_note(text,
                              "%zu folders of images lie in it themselves (%s): move them into "
                              "train/, and others into test/ or hold training images out "
                              "(data.validation_share=0.1)",
                              class_count, classes);
    if (loose > 0) return lae_found_note(text, "%zu images lie in it, of unknown classes", loose);
    return NULL;
}

/* Whether there are images in or below a folder, whose name then joins *names. */
static lae_status look_into(const char *root, const char *name, char **names, size_t *count)
{
    struct lae_found found = {.root = root};
    char *path = lae_path_join(root, name);
    if (path == NULL) return lae_out_of_memory(strlen(name), root);
    lae_status status = read_class(&found, LAE_TRAIN, path, -1);
    if (status == NULL && found.parts[LAE_TRAIN].count > 0 && ++*count <= 5)
        status = lae_found_note(names, "%s/", name);
    lae_found_free(&found);
    free(path);
    return status;
}

lae_status lae_folders_describe(const char *directory, char **text)
{
    struct lae_found found = {.root = directory};
    struct lae_entries entries;
    char *names = NULL;
    size_t count = 0;
    *text = NULL;
    lae_status status = lae_entries_read(directory, NULL, &entries);
    for (size_t i = 0; i < entries.count && status == NULL; i++)
        if (entries.items[i].directory)
            status = look_into(directory, entries.items[i].name, &names, &count);
        else if (lae_picture_has_ending(entries.items[i].name))
            found.left_out[LAE_LEFT_LOOSE].count++;
    if (status == NULL) status = describe(&found, names, count, text);
    lae_entries_free(&entries);
    lae_found_free(&found);
    free(names);
    return status;
}

/* ---- Images without labels ----------------------------------------------------------------------
 */

static lae_status read_tree(struct lae_found *found, const char *directory, int depth);

static lae_status read_branch(struct lae_found *found, const char *directory,
                              const struct lae_entry *entry, int depth)
{
    if (!entry->directory) return add_file(found, LAE_TEST, directory, entry->name, -1);
    char *path = lae_path_join(directory, entry->name);
    if (path == NULL) return lae_out_of_memory(strlen(directory), directory);
    lae_status status = read_tree(found, path, depth + 1);
    free(path);
    return status;
}

static lae_status read_tree(struct lae_found *found, const char *directory, int depth)
{
    if (depth > MAX_DEPTH)
        return lae_bad_input("%s: is more than %d folders deep: a circle of links?", directory,
                             MAX_DEPTH);
    struct lae_entries entries;
    lae_status status = lae_entries_read(directory, found, &entries);
    for (size_t i = 0; i < entries.count && status == NULL; i++)
        status = read_branch(found, directory, &entries.items[i], depth);
    lae_entries_free(&entries);
    return status;
}

lae_status lae_folders_read_unlabelled(struct lae_found *found, const char *directory)
{
    return read_tree(found, directory, 0);
}
