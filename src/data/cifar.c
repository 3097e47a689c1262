/* CIFAR-100 and CIFAR-10 in their binary form (Krizhevsky, 2009;
 * https://www.cs.toronto.edu/~kriz/cifar.html).
 *
 * A file is a row of records without a header:
 *
 *     CIFAR-100 | coarse | fine | R 32x32 | G 32x32 | B 32x32 |    3074 bytes; fine is the label
 *     CIFAR-10           | label | R 32x32 | G 32x32 | B 32x32 |   3073 bytes
 *
 * Each file has its place: place 0 is the test file, the training files follow in the order in
 * which their records do. Directory and archive differ only in how the places are filled. As there
 * is no header, size and labels are all that can be checked.
 */
#include "cifar.h"

#include "lae/files/archive.h"
#include "lae/files/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 32
#define PIXEL_BYTES (3 * SIDE * SIDE)
#define TEST_PLACE 0
#define FIRST_TRAIN_PLACE 1
#define MAX_PLACES 101              /* the test file, and data_batch_1.bin to data_batch_100.bin */
#define MAX_ENTRY ((size_t)1 << 30) /* bytes of an archive's entry; the largest has 153,700,000 */
#define NAME_BYTES 32

struct format {
    const char *title, *key; /* for people; the value of data.dataset */
    const char *directory;   /* what the official archive unpacks to */
    const char *test, *train;
    bool batches; /* several training files, `train` is the first of the official ones */
    int places;
    int classes;
    size_t label_at, record; /* bytes */
};

static const struct format cifar100 = {
    .title = "CIFAR-100",
    .key = "cifar100",
    .directory = "cifar-100-binary",
    .test = "test.bin",
    .train = "train.bin",
    .places = 2,
    .classes = 100,
    .label_at = 1,
    .record = 2 + PIXEL_BYTES,
};

static const struct format cifar10 = {
    .title = "CIFAR-10",
    .key = "cifar10",
    .directory = "cifar-10-batches-bin",
    .test = "test_batch.bin",
    .train = "data_batch_1.bin",
    .batches = true,
    .places = MAX_PLACES,
    .classes = 10,
    .label_at = 0,
    .record = 1 + PIXEL_BYTES,
};

/* Names that tell what somebody has who does not have what is needed. */
static const struct sign {
    const char *name;
    const struct format *format; /* NULL: the Python version of either */
} signs[] = {
    {"train.bin", &cifar100},
    {"cifar-100-binary", &cifar100},
    {"data_batch_1.bin", &cifar10},
    {"cifar-10-batches-bin", &cifar10},
    {"meta", NULL},
    {"cifar-100-python", NULL},
    {"batches.meta", NULL},
    {"cifar-10-batches-py", NULL},
};

#define SIGNS (sizeof signs / sizeof signs[0])

struct file {
    char *name; /* for messages; NULL: there is none */
    unsigned char *data;
    size_t size;
};

struct source {
    const struct format *format; /* what is wanted */
    const char *path;
    struct file files[MAX_PLACES];
    const struct sign *sign; /* of something else, or NULL */
};

static void place_name(const struct format *format, int place, char name[NAME_BYTES])
{
    if (place != TEST_PLACE && format->batches)
        snprintf(name, NAME_BYTES, "data_batch_%d.bin", place);
    else
        snprintf(name, NAME_BYTES, "%s", place == TEST_PLACE ? format->test : format->train);
}

/* The place of a file of that name, or -1. An archive may have millions of names. */
static int find_place(const struct format *format, const char *name)
{
    char wanted[NAME_BYTES];
    int batch = FIRST_TRAIN_PLACE;
    sscanf(name, "data_batch_%3d", &batch);
    const int places[] = {TEST_PLACE, batch};
    for (int i = 0; i < 2; i++) {
        if (places[i] < 0 || places[i] >= format->places) continue;
        place_name(format, places[i], wanted);
        if (strcmp(name, wanted) == 0) return places[i];
    }
    return -1;
}

static void notice(struct source *source, const struct sign *sign)
{
    if (sign->format != source->format) source->sign = sign;
}

/* A copy: the file on disk may change later, and several files make one part. */
static lae_status read_file(const char *path, struct file *file)
{
    struct lae_map map;
    LAE_TRY(lae_map_open(path, &map));
    lae_status status = NULL;
    file->name = strdup(path);
    file->data = malloc(map.size + 1);
    file->size = map.size;
    if (file->name == NULL || file->data == NULL)
        status = lae_out_of_memory(map.size, path);
    else if (map.size > 0)
        memcpy(file->data, map.data, map.size);
    lae_map_close(&map);
    return status;
}

static lae_status read_directory_file(const char *directory, const char *name, struct file *file)
{
    char *path = lae_path_join(directory, name);
    if (path == NULL) return lae_out_of_memory(strlen(directory), directory);
    lae_status status = lae_path_exists(path) ? read_file(path, file) : NULL;
    free(path);
    return status;
}

static lae_status look_for_signs(struct source *source, const char *directory)
{
    for (size_t i = 0; i < SIGNS; i++) {
        char *path = lae_path_join(directory, signs[i].name);
        if (path == NULL) return lae_out_of_memory(strlen(directory), directory);
        if (lae_path_exists(path)) notice(source, &signs[i]);
        free(path);
    }
    return NULL;
}

static lae_status read_directory(struct source *source)
{
    char *below = lae_path_join(source->path, source->format->directory);
    if (below == NULL) return lae_out_of_memory(strlen(source->path), source->path);
    const char *directory = lae_path_is_directory(below) ? below : source->path;
    lae_status status = look_for_signs(source, directory);
    for (int place = 0; status == NULL && place < source->format->places; place++) {
        char name[NAME_BYTES];
        place_name(source->format, place, name);
        status = read_directory_file(directory, name, &source->files[place]);
    }
    free(below);
    return status;
}

static char *entry_name(const char *path, const char *entry)
{
    size_t size = strlen(path) + strlen(entry) + 3;
    char *name = malloc(size);
    if (name != NULL) snprintf(name, size, "%s: %s", path, entry);
    return name;
}

static lae_status read_entry(struct source *source, struct lae_archive *archive, const char *entry)
{
    const char *slash = strrchr(entry, '/');
    const char *base = slash != NULL ? slash + 1 : entry;
    for (size_t i = 0; i < SIGNS; i++)
        if (strcmp(base, signs[i].name) == 0) notice(source, &signs[i]);
    int place = find_place(source->format, base);
    if (place < 0) return NULL;
    struct file *file = &source->files[place];
    if (file->name != NULL)
        return lae_bad_input("%s: this entry and entry %s are both a %s; the archive must hold one",
                             file->name, entry, base);
    file->name = entry_name(source->path, entry);
    if (file->name == NULL) return lae_out_of_memory(strlen(entry), source->path);
    return lae_archive_read(archive, MAX_ENTRY, &file->data, &file->size);
}

/* To the archive's end, where its check sum may be. */
static lae_status read_archive(struct source *source)
{
    struct lae_archive *archive;
    LAE_TRY(lae_archive_open(source->path, &archive));
    lae_status status = NULL;
    const char *entry = NULL;
    do {
        status = lae_archive_next(archive, &entry);
        if (status == NULL && entry != NULL) status = read_entry(source, archive, entry);
    } while (status == NULL && entry != NULL);
    lae_archive_close(archive);
    return status;
}

static lae_status missing(const struct source *source, const char *name)
{
    const struct format *format = source->format;
    const struct sign *sign = source->sign;
    char found[160] = "";
    if (sign != NULL && sign->format != NULL)
        snprintf(found, sizeof found, "; %s is there: data.dataset=%s would read %s", sign->name,
                 sign->format->key, sign->format->title);
    else if (sign != NULL)
        snprintf(found, sizeof found,
                 "; %s is there: that is CIFAR's Python version, the binary version is needed",
                 sign->name);
    return lae_bad_input("%s: no %s; data.dataset=%s needs %s%s and %s, in a directory or its %s/, "
                         "or in an archive%s",
                         source->path, name, format->key, format->train,
                         format->batches ? ", data_batch_2.bin, ..." : "", format->test,
                         format->directory, found);
}

static lae_status check_complete(const struct source *source)
{
    if (source->files[TEST_PLACE].name == NULL) return missing(source, source->format->test);
    for (int place = FIRST_TRAIN_PLACE; place < source->format->places; place++)
        if (source->files[place].name != NULL) return NULL;
    return missing(source, source->format->train);
}

static lae_status check_size(const struct file *file, const struct format *format)
{
    if (file->size == 0)
        return lae_bad_input("%s: empty; %s has at least one record of %zu bytes", file->name,
                             format->title, format->record);
    if (file->size % format->record == 0) return NULL;
    return lae_bad_input("%s: %zu bytes are %zu records of %zu and %zu left over: cut short, or "
                         "no %s",
                         file->name, file->size, file->size / format->record, format->record,
                         file->size % format->record, format->title);
}

static lae_status check_labels(const struct file *file, const struct format *format)
{
    size_t records = file->size / format->record;
    for (size_t i = 0; i < records; i++) {
        int label = file->data[i * format->record + format->label_at];
        if (label >= format->classes)
            return lae_bad_input("%s: record %zu (counted from 0) has label %d, but the labels of "
                                 "%s are 0 to %d: damaged, or no %s",
                                 file->name, i, label, format->title, format->classes - 1,
                                 format->title);
    }
    return NULL;
}

static lae_status check_as(const struct file *file, const struct format *format)
{
    LAE_TRY(check_size(file, format));
    return check_labels(file, format);
}

/* A file that is no good but would be as the other dataset's is an error of its own. */
static lae_status check_file(const struct file *file, const struct format *format)
{
    const struct format *other = format == &cifar100 ? &cifar10 : &cifar100;
    lae_status status = check_as(file, format);
    if (status == NULL) return NULL;
    lae_status otherwise = check_as(file, other);
    if (otherwise != NULL) return lae_status_first(status, otherwise);
    lae_status_free(status);
    return lae_bad_input("%s: this is %s, but data.dataset=%s is asked for; set data.dataset=%s",
                         file->name, other->title, format->key, other->key);
}

/* The files of places first..end-1, one after the other, as one part that the dataset owns. It
 * grows out of the first file's memory: with a single file there is nothing to copy. */
static lae_status join(struct source *source, int first, int end, enum lae_split split,
                       struct lae_dataset *dataset)
{
    size_t total = 0, used = 0;
    for (int place = first; place < end; place++)
        total += source->files[place].size;
    unsigned char *part = NULL;
    for (int place = first; place < end; place++) {
        struct file *file = &source->files[place];
        if (file->name == NULL) continue;
        if (part == NULL) {
            part = realloc(file->data, total);
            if (part == NULL) return lae_out_of_memory(total, file->name);
        } else {
            memcpy(part + used, file->data, file->size);
            free(file->data);
        }
        file->data = NULL;
        used += file->size;
    }
    dataset->owned[split] = part;
    dataset->records[split] = part;
    dataset->bytes[split] = total;
    dataset->count[split] = total / source->format->record;
    return NULL;
}

static lae_status read_source(struct source *source, struct lae_dataset *dataset)
{
    const struct format *format = source->format;
    if (lae_path_is_directory(source->path))
        LAE_TRY(read_directory(source));
    else
        LAE_TRY(read_archive(source));
    LAE_TRY(check_complete(source));
    for (int place = 0; place < format->places; place++)
        if (source->files[place].name != NULL) LAE_TRY(check_file(&source->files[place], format));
    LAE_TRY(join(source, TEST_PLACE, FIRST_TRAIN_PLACE, LAE_TEST, dataset));
    return join(source, FIRST_TRAIN_PLACE, format->places, LAE_TRAIN, dataset);
}

lae_status lae_cifar_open(const char *path, struct lae_dataset *dataset)
{
    const struct format *format = dataset->kind == LAE_DATASET_CIFAR100 ? &cifar100 : &cifar10;
    dataset->classes = format->classes;
    dataset->width = SIDE;
    dataset->height = SIDE;
    dataset->pixels = (size_t)SIDE * SIDE;
    dataset->record = format->record;
    dataset->label_at = format->label_at;
    dataset->pixels_at = format->record - PIXEL_BYTES;
    struct source source = {.format = format, .path = path};
    lae_status status = read_source(&source, dataset);
    for (int place = 0; place < MAX_PLACES; place++) {
        free(source.files[place].name);
        free(source.files[place].data);
    }
    return status;
}
