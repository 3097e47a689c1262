/* Every layout that there are signs of is read, until one is whole. What is no layout at all (a
 * note called train.txt) is passed over with a word; what is one and has a fault is the answer, so
 * that a slip in a list never makes other images of the same folder the data.
 */
#include "listing.h"

#include "folders.h"
#include "found.h"
#include "lae/files/map.h"
#include "lists.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const part_names[] = {[LAE_TRAIN] = "training", [LAE_TEST] = "test"};

/* ---- Whether a layout is whole -----------------------------------------------------------------
 */

/* Of the classes that are wanted; options->classes may name others than there are, which is found
 * out later (sequence.c). */
static void mark_wanted(const struct lae_data_options *options, bool wanted[LAE_MAX_CLASSES])
{
    for (int label = 0; label < LAE_MAX_CLASSES; label++)
        wanted[label] = options->classes == NULL;
    for (int i = 0; i < options->classes_count; i++)
        if (options->classes[i] >= 0 && options->classes[i] < LAE_MAX_CLASSES)
            wanted[options->classes[i]] = true;
}

/* Leaves the images of classes that are not wanted out. */
static void drop_unwanted(const bool *wanted, struct lae_found_part *part)
{
    size_t kept = 0;
    for (size_t i = 0; i < part->count; i++)
        if (wanted[part->items[i].label]) part->items[kept++] = part->items[i];
    part->count = kept;
}

static lae_status check_classes(const struct lae_found *found, const bool *wanted)
{
    const struct lae_found_part *part = &found->parts[LAE_TRAIN];
    bool seen[LAE_MAX_CLASSES] = {false};
    for (size_t i = 0; i < part->count; i++)
        seen[part->items[i].label] = true;
    for (int label = 0; label < found->classes; label++)
        if (wanted[label] && !seen[label])
            return lae_bad_input("%s: class %d (%s) has no training images; there are %d classes, "
                                 "counted from 0",
                                 found->root, label, found->names[label], found->classes);
    return NULL;
}

static lae_status check_whole(struct lae_found *found, const struct lae_data_options *options)
{
    bool wanted[LAE_MAX_CLASSES];
    mark_wanted(options, wanted);
    for (int split = 0; split < LAE_SPLITS; split++) {
        drop_unwanted(wanted, &found->parts[split]);
        if (found->parts[split].count == 0 && (split == LAE_TRAIN || found->tests_needed))
            return lae_bad_input("%s: there are no %s images", found->root, part_names[split]);
    }
    return check_classes(found, wanted);
}

/* ---- The layouts -------------------------------------------------------------------------------
 */

static lae_status look_for_lists(const char *root, bool *there)
{
    struct lae_entries entries;
    enum lae_split split;
    *there = false;
    lae_status status = lae_entries_read(root, NULL, &entries);
    for (size_t i = 0; i < entries.count; i++)
        *there = *there ||
                 (!entries.items[i].directory && lae_list_is_one(entries.items[i].name, &split));
    lae_entries_free(&entries);
    return status;
}

static lae_status look_for_cub(const char *root, bool *there)
{
    *there = lae_cub_is_there(root);
    return NULL;
}

static lae_status look_for_folders(const char *root, bool *there)
{
    char *train;
    LAE_TRY(lae_folders_find(root, &train));
    *there = train != NULL;
    free(train);
    return NULL;
}

static const struct layout {
    lae_status (*look)(const char *root, bool *there);
    lae_status (*read)(struct lae_found *found);
} layouts[] = {
    {look_for_cub, lae_cub_read},
    {look_for_lists, lae_lists_read},
    {look_for_folders, lae_folders_read},
};

#define LAYOUTS (sizeof layouts / sizeof layouts[0])

static size_t count_images(const struct lae_found *found)
{
    return found->parts[LAE_TRAIN].count + found->parts[LAE_TEST].count;
}

/* Images with a fault are no mere note. What only lacks a part may lie beside something whole. */
static bool is_answer(const struct lae_found *found, bool read)
{
    bool both = found->parts[LAE_TRAIN].count > 0 && found->parts[LAE_TEST].count > 0;
    return read ? both : count_images(found) > 0;
}

static lae_status nothing_fits(const char *root)
{
    char *text;
    LAE_TRY(lae_folders_describe(root, &text));
    lae_status status = lae_bad_input(
        "%s: holds neither train/CLASS/ and test/CLASS/ nor lists train.txt and test.txt (or "
        "NAME_train.txt, train_list.txt, ...) of \"PATH LABEL\" lines%s%s",
        root, text != NULL ? "; " : "", text != NULL ? text : "");
    free(text);
    return status;
}

/* What has been tried, and the fault of what came closest. */
struct search {
    lae_status closest;
    size_t images; /* it has */
    char *passed;
    bool done;
};

/* Reads one layout; where it is whole, or is the answer, the search is done. */
static lae_status try_layout(const struct layout *layout, const struct lae_data_options *options,
                             struct search *search, struct lae_found *found)
{
    bool there;
    LAE_TRY(layout->look(options->path, &there));
    if (!there) return NULL;
    *found =
        (struct lae_found){.root = options->path, .tests_needed = options->validation_share <= 0.0};
    lae_status status = layout->read(found);
    bool read = status == NULL;
    size_t images = count_images(found);
    if (read) status = check_whole(found, options);
    search->done =
        status == NULL || is_answer(found, read) || lae_status_code(status) != LAE_BAD_INPUT;
    if (search->done) return status;
    lae_status noted = lae_found_note(&search->passed, "%s", lae_status_message(status));
    if (search->closest == NULL || images > search->images) {
        lae_status_free(search->closest);
        search->closest = status;
        search->images = images;
    } else {
        lae_status_free(status);
    }
    lae_found_free(found);
    return noted;
}

static lae_status find_layout(const struct lae_data_options *options, struct lae_found *found)
{
    struct search search = {0};
    lae_status status = NULL;
    for (size_t i = 0; i < LAYOUTS && status == NULL && !search.done; i++)
        status = try_layout(&layouts[i], options, &search, found);
    if (status == NULL && search.done && search.passed != NULL)
        status = lae_found_note(&found->passed, "%s", search.passed);
    if (status == NULL && !search.done) {
        status = search.closest != NULL ? search.closest : nothing_fits(options->path);
        search.closest = NULL;
    }
    lae_status_free(search.closest);
    free(search.passed);
    return status;
}

/* ---- What becomes of it ------------------------------------------------------------------------
 */

/* The part as one piece of memory: see pictures.h. */
static lae_status join(struct lae_found_part *part, enum lae_split split,
                       struct lae_dataset *dataset)
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

/* "3 hidden: a, b, c", joined to the text. */
static lae_status tell(const struct lae_tally *tally, const char *what, char **text)
{
    if (tally->count == 0) return NULL;
    size_t size = strlen(tally->names) + strlen(what) + 64;
    char *line = malloc(size);
    if (line == NULL) return lae_out_of_memory(size, "a note on the images");
    snprintf(line, size, "%zu %s: %s%s", tally->count, what, tally->names,
             tally->count > LAE_SHOWN_NAMES ? ", ..." : "");
    lae_status status = lae_found_join(text, "; ", line);
    free(line);
    return status;
}

static lae_status take_notes(struct lae_found *found, struct lae_dataset_notes *notes)
{
    const struct lae_tally *left = found->left_out;
    LAE_TRY(tell(&left[LAE_LEFT_UNREAD], "of a kind that is not read (PNG and JPEG are)",
                 &notes->unread));
    LAE_TRY(tell(&left[LAE_LEFT_LOOSE], "in no class folder", &notes->unread));
    LAE_TRY(tell(&left[LAE_LEFT_OTHER], "that are no images", &notes->left_out));
    LAE_TRY(tell(&left[LAE_LEFT_HIDDEN], "hidden", &notes->left_out));
    notes->layout = found->layout;
    notes->passed = found->passed;
    found->layout = found->passed = NULL;
    return NULL;
}

static lae_status join_all(struct lae_found *found, struct lae_dataset *dataset)
{
    dataset->record = sizeof(struct lae_picture);
    for (int split = 0; split < LAE_SPLITS; split++)
        LAE_TRY(join(&found->parts[split], (enum lae_split)split, dataset));
    return take_notes(found, &dataset->notes);
}

lae_status lae_listing_open(const struct lae_data_options *options, struct lae_dataset *dataset)
{
    struct lae_found found = {0};
    if (!lae_path_is_directory(options->path))
        return lae_bad_input("%s: is no directory; data.dataset=folder needs one", options->path);
    lae_status status = find_layout(options, &found);
    if (status == NULL) status = join_all(&found, dataset);
    if (status == NULL) {
        dataset->classes = found.classes;
        dataset->class_names = found.names;
        found.names = NULL;
    }
    lae_found_free(&found);
    return status;
}

lae_status lae_listing_open_unlabelled(const char *path, struct lae_dataset *dataset)
{
    struct lae_found found = {.root = path};
    struct lae_found_part *part = &found.parts[LAE_TEST];
    lae_status status = lae_path_is_directory(path) ? lae_folders_read_unlabelled(&found, path)
                                                    : lae_found_add(part, path, -1);
    if (status == NULL && part->count == 0)
        status = lae_bad_input("%s: no file in or below it ends in .png, .jpg or .jpeg", path);
    if (status == NULL) status = join_all(&found, dataset);
    lae_found_free(&found);
    return status;
}
