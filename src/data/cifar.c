/* CIFAR-100 and CIFAR-10 (Krizhevsky, 2009; https://www.cs.toronto.edu/~kriz/cifar.html), as their
 * binary and their Python version have them.
 *
 * A binary file is a row of records without a header:
 *
 *     CIFAR-100 | coarse | fine | R 32x32 | G 32x32 | B 32x32 |    3074 bytes; fine is the label
 *     CIFAR-10           | label | R 32x32 | G 32x32 | B 32x32 |   3073 bytes
 *
 * A Python file becomes such records as soon as it is read, so that the same images are the same
 * dataset (cifar_python.h).
 *
 * Each file has its place: place 0 is the test file, the training files follow in the order in
 * which their records do. Directory and archive differ only in how the places are filled. As there
 * is no header, size and labels are all that can be checked.
 */
#include "cifar.h"

#include "cifar_python.h"
#include "found.h"
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
#define MAX_ENTRY ((size_t)1 << 30) /* bytes of an archive's entry; the largest has 155,249,918 */
#define NAME_BYTES 32

enum { BINARY, PYTHON, VERSIONS };

/* What the files of a version are called. */
struct version {
    const char *directory; /* what the official archive unpacks to */
    const char *test, *train;
    const char *batch; /* several training files, of which `train` is the first: their ending */
    const char *names; /* of the classes; may be missing */
};

struct format {
    const char *title, *key; /* for people; the value of data.dataset */
    struct version versions[VERSIONS];
    const char *label_keys[3]; /* in a Python file, in the order of the record; then NULL */
    const char *names_key;
    int places;
    int classes;
    size_t label_at, record; /* bytes */
};

static const struct format cifar100 = {
    .title = "CIFAR-100",
    .key = "cifar100",
    .versions = {[BINARY] = {"cifar-100-binary", "test.bin", "train.bin", NULL,
                             "fine_label_names.txt"},
                 [PYTHON] = {"cifar-100-python", "test", "train", NULL, "meta"}},
    .label_keys = {"coarse_labels", "fine_labels"},
    .names_key = "fine_label_names",
    .places = 2,
    .classes = 100,
    .label_at = 1,
    .record = 2 + PIXEL_BYTES,
};

static const struct format cifar10 = {
    .title = "CIFAR-10",
    .key = "cifar10",
    .versions = {[BINARY] = {"cifar-10-batches-bin", "test_batch.bin", "data_batch_1.bin", ".bin",
                             "batches.meta.txt"},
                 [PYTHON] = {"cifar-10-batches-py", "test_batch", "data_batch_1", "",
                             "batches.meta"}},
    .label_keys = {"labels"},
    .names_key = "label_names",
    .places = MAX_PLACES,
    .classes = 10,
    .label_at = 0,
    .record = 1 + PIXEL_BYTES,
};

/* Names that tell what somebody has who does not have what is needed. */
static const struct sign {
    const char *name;
    const struct format *format;
} signs[] = {
    {"train.bin", &cifar100},          {"cifar-100-binary", &cifar100},
    {"data_batch_1.bin", &cifar10},    {"cifar-10-batches-bin", &cifar10},
    {"cifar-100-python", &cifar100},   {"data_batch_1", &cifar10},
    {"cifar-10-batches-py", &cifar10},
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
    struct file files[VERSIONS][MAX_PLACES];
    struct file names[VERSIONS]; /* of the classes */
    const struct sign *sign;     /* of something else, or NULL */
    bool tests_needed;
};

static void place_name(const struct version *version, int place, char name[NAME_BYTES])
{
    if (place == TEST_PLACE)
        snprintf(name, NAME_BYTES, "%s", version->test);
    else if (version->batch == NULL)
        snprintf(name, NAME_BYTES, "%s", version->train);
    else
        snprintf(name, NAME_BYTES, "data_batch_%d%s", place, version->batch);
}

/* The place of a file of that name, or NULL. An archive may have millions of names. */
static struct file *find_place(struct source *source, const char *name)
{
    const struct format *format = source->format;
    char wanted[NAME_BYTES];
    int batch = FIRST_TRAIN_PLACE;
    sscanf(name, "data_batch_%3d", &batch);
    const int places[] = {TEST_PLACE, batch};
    for (int v = 0; v < VERSIONS; v++) {
        if (strcmp(name, format->versions[v].names) == 0) return &source->names[v];
        for (int i = 0; i < 2; i++) {
            if (places[i] < 0 || places[i] >= format->places) continue;
            place_name(&format->versions[v], places[i], wanted);
            if (strcmp(name, wanted) == 0) return &source->files[v][places[i]];
        }
    }
    return NULL;
}

static void notice(struct source *source, const struct sign *sign)
{
    if (sign->format != source->format) source->sign = sign;
}

/* A copy: the file on disk may change later, and several files make one part. */
static lae_status read_file(const char *path, struct file *file)
{
    struct lae_map copy;
    LAE_TRY(lae_map_read(path, &copy));
    file->data = (unsigned char *)copy.data; /* to be freed as such */
    file->size = copy.size;
    file->name = strdup(path);
    return file->name == NULL ? lae_out_of_memory(strlen(path), path) : NULL;
}

/* The Python version's names are such that a directory may have one: it is none of it. */
static lae_status read_directory_file(const char *directory, const char *name, int v,
                                      struct file *file)
{
    char *path = lae_path_join(directory, name);
    if (path == NULL) return lae_out_of_memory(strlen(directory), directory);
    bool other = v == PYTHON && lae_path_is_directory(path);
    lae_status status = lae_path_exists(path) && !other ? read_file(path, file) : NULL;
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

static lae_status read_version(struct source *source, int v, const char *directory)
{
    const struct version *version = &source->format->versions[v];
    LAE_TRY(look_for_signs(source, directory));
    for (int place = 0; place < source->format->places; place++) {
        char name[NAME_BYTES];
        place_name(version, place, name);
        LAE_TRY(read_directory_file(directory, name, v, &source->files[v][place]));
    }
    return read_directory_file(directory, version->names, v, &source->names[v]);
}

/* The binary version where both are there. */
static lae_status read_directory(struct source *source)
{
    for (int v = 0; v < VERSIONS; v++) {
        char *below = lae_path_join(source->path, source->format->versions[v].directory);
        if (below == NULL) return lae_out_of_memory(strlen(source->path), source->path);
        const char *directory = lae_path_is_directory(below) ? below : source->path;
        lae_status status = read_version(source, v, directory);
        free(below);
        LAE_TRY(status);
        if (source->files[v][TEST_PLACE].name != NULL) return NULL;
    }
    return NULL;
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
    struct file *file = find_place(source, base);
    if (file == NULL) return NULL;
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

/* An archive in the directory, which is not looked into unasked: its name as a new string, or NULL.
 */
static char *find_archive(const char *directory)
{
    static const char *const endings[] = {".tar.gz",  ".tgz", ".tar", ".tar.xz",
                                          ".tar.bz2", ".zip", NULL};
    struct lae_entries entries;
    char *name = NULL;
    lae_status_free(lae_entries_read(directory, NULL, &entries)); /* it only helps a message */
    for (size_t i = 0; i < entries.count && name == NULL; i++)
        if (!entries.items[i].directory && lae_path_ends_in(entries.items[i].name, endings))
            name = strdup(entries.items[i].name);
    lae_entries_free(&entries);
    return name;
}

/* One of the dataset's own files is neither the directory nor an archive of them. */
static lae_status refuse_own_file(struct source *source)
{
    const char *slash = strrchr(source->path, '/');
    char *directory = lae_path_directory(source->path);
    lae_status status = NULL;
    if (directory == NULL)
        status = lae_out_of_memory(strlen(source->path), source->path);
    else if (find_place(source, slash != NULL ? slash + 1 : source->path) != NULL)
        status = lae_bad_input("%s: is one of the dataset's files; give the directory that they "
                               "are in: data.path=%s",
                               source->path, directory);
    free(directory);
    return status;
}

static lae_status missing_in(const struct source *source, const char *name)
{
    char *archive = lae_path_is_directory(source->path) ? find_archive(source->path) : NULL;
    lae_status status = NULL;
    if (archive != NULL)
        status = lae_bad_input("%s: no %s, but %s is there, which is read as it is: "
                               "data.path=%s/%s",
                               source->path, name, archive, source->path, archive);
    free(archive);
    return status;
}

static lae_status missing(const struct source *source, const char *name)
{
    LAE_TRY(missing_in(source, name));
    const struct format *format = source->format;
    const struct version *binary = &format->versions[BINARY], *python = &format->versions[PYTHON];
    const struct sign *sign = source->sign;
    char found[160] = "";
    if (sign != NULL)
        snprintf(found, sizeof found, "; %s is there: data.dataset=%s would read %s", sign->name,
                 sign->format->key, sign->format->title);
    return lae_bad_input("%s: no %s; data.dataset=%s needs %s%s and %s, in a directory or its %s/, "
                         "or in an archive; or the Python version's %s/%s",
                         source->path, name, format->key, binary->train,
                         binary->batch != NULL ? ", data_batch_2.bin, ..." : "", binary->test,
                         binary->directory, python->directory, found);
}

static bool has_training_files(const struct source *source, int v)
{
    for (int place = FIRST_TRAIN_PLACE; place < source->format->places; place++)
        if (source->files[v][place].name != NULL) return true;
    return false;
}

/* The version that has a test file, the binary one first, and whether it has the others; without
 * need of test images, one that has training files. */
static lae_status choose_version(const struct source *source, int *v)
{
    const struct version *version = source->format->versions;
    for (*v = 0; *v < VERSIONS; ++*v)
        if (source->files[*v][TEST_PLACE].name != NULL)
            return has_training_files(source, *v) ? NULL : missing(source, version[*v].train);
    for (*v = 0; *v < VERSIONS && !source->tests_needed; ++*v)
        if (has_training_files(source, *v)) return NULL;
    return missing(source, version[BINARY].test);
}

/* What a Python file says takes the place of its bytes. */
static lae_status unpickle(struct file *file, const struct format *format)
{
    struct file records = {0};
    LAE_TRY(lae_cifar_unpickle(file->name, file->data, file->size, format->label_keys, PIXEL_BYTES,
                               &records.data, &records.size));
    free(file->data);
    file->data = records.data;
    file->size = records.size;
    return NULL;
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
static lae_status join(struct file *files, int first, int end, enum lae_split split,
                       struct lae_dataset *dataset)
{
    size_t total = 0, used = 0;
    for (int place = first; place < end; place++)
        total += files[place].size;
    unsigned char *part = NULL;
    for (int place = first; place < end; place++) {
        struct file *file = &files[place];
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
    dataset->count[split] = total / dataset->record;
    return NULL;
}

/* The text's lines that are not empty: as many as there are, of which the first [most] as strings
 * into names. */
static lae_status split_lines(const struct file *text, char **names, size_t most, size_t *count)
{
    for (size_t at = 0; at < text->size;) {
        const char *line = (const char *)text->data + at;
        const char *end = memchr(line, '\n', text->size - at);
        size_t length = end != NULL ? (size_t)(end - line) : text->size - at;
        at += length + 1;
        if (length > 0 && line[length - 1] == '\r') length--;
        if (length == 0 || ++*count > most) continue;
        names[*count - 1] = strndup(line, length);
        if (names[*count - 1] == NULL) return lae_out_of_memory(length, "class names");
    }
    return NULL;
}

/* One line a class; where there are more or fewer, the names are not known. */
static lae_status take_names(const struct file *text, struct lae_dataset *dataset)
{
    size_t classes = (size_t)dataset->classes, count = 0;
    char **names = calloc(classes, sizeof *names);
    if (names == NULL) return lae_out_of_memory(classes * sizeof *names, "class names");
    lae_status status = split_lines(text, names, classes, &count);
    if (status == NULL && count == classes) {
        dataset->class_names = names;
        return NULL;
    }
    for (size_t i = 0; i < classes; i++)
        free(names[i]);
    free(names);
    return status;
}

static lae_status read_names(struct file *file, const struct format *format, int v,
                             struct lae_dataset *dataset)
{
    struct file text = {0};
    if (file->name == NULL) return NULL;
    if (v == BINARY) return take_names(file, dataset);
    LAE_TRY(lae_cifar_unpickle_names(file->name, file->data, file->size, format->names_key,
                                     &text.data, &text.size));
    lae_status status = take_names(&text, dataset);
    free(text.data);
    return status;
}

static lae_status read_source(struct source *source, struct lae_dataset *dataset)
{
    const struct format *format = source->format;
    int v;
    bool directory = lae_path_is_directory(source->path);
    if (!directory) LAE_TRY(refuse_own_file(source));
    LAE_TRY(directory ? read_directory(source) : read_archive(source));
    LAE_TRY(choose_version(source, &v));
    for (int place = 0; place < format->places; place++) {
        struct file *file = &source->files[v][place];
        if (file->name == NULL) continue;
        if (v == PYTHON) LAE_TRY(unpickle(file, format));
        LAE_TRY(check_file(file, format));
    }
    LAE_TRY(join(source->files[v], TEST_PLACE, FIRST_TRAIN_PLACE, LAE_TEST, dataset));
    LAE_TRY(join(source->files[v], FIRST_TRAIN_PLACE, format->places, LAE_TRAIN, dataset));
    return read_names(&source->names[v], format, v, dataset);
}

static void free_file(struct file *file)
{
    free(file->name);
    free(file->data);
}

lae_status lae_cifar_open(const char *path, bool tests_needed, struct lae_dataset *dataset)
{
    const struct format *format = dataset->kind == LAE_DATASET_CIFAR100 ? &cifar100 : &cifar10;
    dataset->classes = format->classes;
    dataset->width = SIDE;
    dataset->height = SIDE;
    dataset->pixels = (size_t)SIDE * SIDE;
    dataset->record = format->record;
    dataset->label_at = format->label_at;
    dataset->pixels_at = format->record - PIXEL_BYTES;
    struct source source = {.format = format, .path = path, .tests_needed = tests_needed};
    lae_status status = read_source(&source, dataset);
    for (int v = 0; v < VERSIONS; v++) {
        free_file(&source.names[v]);
        for (int place = 0; place < MAX_PLACES; place++)
            free_file(&source.files[v][place]);
    }
    return status;
}
