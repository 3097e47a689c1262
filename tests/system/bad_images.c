/* CIFAR's files: cut, empty, mislabelled, missing, in archives that are damaged or odd. */
#define _DEFAULT_SOURCE /* htole, mknod */
#include "bad.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD100 3074
#define RECORD10 3073

/* ---- directories */

enum deed {
    CUT,    /* to `at` bytes */
    GROW,   /* by `at` bytes */
    SET,    /* byte `at` to `value` */
    REMOVE, /* the file */
    FOLDER, /* a directory in its place */
    PIPE,   /* a named pipe in its place */
    LINK,   /* a symbolic link to nothing in its place */
};

struct damage {
    const char *name, *file;
    enum deed deed;
    long at;
    int value;
    const char *word;
};

static const struct damage damages[] = {
    {"train.bin cut by a byte", "train.bin", CUT, 100 * RECORD100 - 1, 0, "train.bin"},
    {"train.bin cut inside its first record", "train.bin", CUT, 1000, 0, "train.bin"},
    {"train.bin of one byte", "train.bin", CUT, 1, 0, "train.bin"},
    {"train.bin empty", "train.bin", CUT, 0, 0, "train.bin: empty"},
    {"train.bin longer by a byte", "train.bin", GROW, 1, 0, "train.bin"},
    {"train.bin longer by half a record", "train.bin", GROW, RECORD100 / 2, 0, "train.bin"},
    {"train.bin of CIFAR-10's size", "train.bin", CUT, 10 * RECORD10, 0, "train.bin"},
    {"train.bin missing", "train.bin", REMOVE, 0, 0, "no train.bin"},
    {"train.bin a directory", "train.bin", FOLDER, 0, 0, "train.bin: is a directory"},
    {"train.bin a named pipe", "train.bin", PIPE, 0, 0, "train.bin: is not a regular file"},
    {"train.bin a link to nothing", "train.bin", LINK, 0, 0, "train.bin"},
    {"label 100 in the first record", "train.bin", SET, 1, 100, "record 0 "},
    {"label 255 in the last record", "train.bin", SET, 99 * RECORD100 + 1, 255, "record 99 "},
    {"classes without an image", "train.bin", CUT, 50 * RECORD100, 0,
     "images; use more of the dataset"},
    {"one record", "train.bin", CUT, RECORD100, 0, "images; use more of the dataset"},
    {"test.bin cut by a byte", "test.bin", CUT, 100 * RECORD100 - 1, 0, "test.bin"},
    {"test.bin empty", "test.bin", CUT, 0, 0, "test.bin: empty"},
    {"test.bin longer by a byte", "test.bin", GROW, 1, 0, "test.bin"},
    {"test.bin missing", "test.bin", REMOVE, 0, 0, "no test.bin"},
    {"test.bin a directory", "test.bin", FOLDER, 0, 0, "test.bin: is a directory"},
    {"test.bin a named pipe", "test.bin", PIPE, 0, 0, "test.bin: is not a regular file"},
    {"test.bin a link to nothing", "test.bin", LINK, 0, 0, "test.bin"},
    {"label 200 in a test image", "test.bin", SET, 7 * RECORD100 + 1, 200, "record 7 "},
    {"test images of one class only", "test.bin", CUT, RECORD100, 0,
     "images; use more of the dataset"},
    {"other images than before", "train.bin", SET, 100, 77, "other images"},
    {"other test images than before", "test.bin", SET, 100, 77, "other images"},
};

static bool replace_file(const char *path, enum deed deed)
{
    if (remove(path) != 0) return bad_tell("remove", path);
    int result = deed == FOLDER ? mkdir(path, 0777)
                 : deed == PIPE ? mkfifo(path, 0666)
                 : deed == LINK ? symlink("/nowhere/there", path)
                                : 0;
    return result == 0 || bad_tell("make", path);
}

static bool change_file(const char *path, const struct damage *damage)
{
    struct bad_bytes bytes;
    if (!bad_read(path, &bytes)) return false;
    size_t at = (size_t)damage->at, size = bytes.size;
    if (damage->deed == SET)
        bytes.data[at] = (unsigned char)damage->value;
    else
        size = damage->deed == CUT ? at : size + at;
    unsigned char *grown = calloc(size + 1, 1);
    if (grown == NULL) abort();
    memcpy(grown, bytes.data, size < bytes.size ? size : bytes.size);
    bool written = bad_write(path, grown, size);
    free(grown);
    free(bytes.data);
    return written;
}

static bool damage_directory(const struct bad_place *place, const void *with)
{
    const struct damage *damage = with;
    char master[BAD_PATH], path[BAD_PATH];
    if (!bad_copy_tree(bad_join(master, place->masters, "images"), place->file)) return false;
    bad_join(path, place->file, damage->file);
    bool whole = damage->deed == CUT || damage->deed == GROW || damage->deed == SET;
    return whole ? change_file(path, damage) : replace_file(path, damage->deed);
}

/* CIFAR-10's files, of ten records. */
static bool make_cifar10(const struct bad_place *place, const void *with)
{
    static const char *const names[] = {"data_batch_1.bin", "test_batch.bin"};
    const char *broken = with; /* the file to leave out, or NULL */
    unsigned char records[10 * RECORD10] = {0};
    for (int i = 0; i < 10; i++)
        records[i * RECORD10] = (unsigned char)i;
    if (mkdir(place->file, 0777) != 0) return bad_tell("make", place->file);
    for (size_t i = 0; i < 2; i++) {
        char path[BAD_PATH];
        if (broken != NULL && strcmp(broken, names[i]) == 0) continue;
        if (!bad_write(bad_join(path, place->file, names[i]), records, sizeof records))
            return false;
    }
    return true;
}

/* The same files under CIFAR-100's names. */
static bool make_disguised(const struct bad_place *place, const void *with)
{
    char from[BAD_PATH], to[BAD_PATH];
    if (!make_cifar10(place, with)) return false;
    return rename(bad_join(from, place->file, "data_batch_1.bin"),
                  bad_join(to, place->file, "train.bin")) == 0 &&
           rename(bad_join(from, place->file, "test_batch.bin"),
                  bad_join(to, place->file, "test.bin")) == 0;
}

static bool make_empty_directory(const struct bad_place *place, const void *with)
{
    (void)with;
    return mkdir(place->file, 0777) == 0 || bad_tell("make", place->file);
}

static bool make_python_version(const struct bad_place *place, const void *with)
{
    char path[BAD_PATH];
    return make_empty_directory(place, with) &&
           bad_write(bad_join(path, place->file, "meta"), "\x80\x02}", 3) &&
           bad_write(bad_join(path, place->file, "train"), "\x80\x02}", 3) &&
           bad_write(bad_join(path, place->file, "test"), "\x80\x02}", 3);
}

/* ---- archives */

enum packing { PLAIN, GZIP, ZIP };

struct packed {
    const char *name, *word;
    enum packing packing;
    const char *train, *test; /* the entries' names; NULL: left out */
    const char *third;        /* one more entry with the training images, or NULL */
    long cut;                 /* at the end; of a thousand bytes of the file if negative */
    long flip;                /* a thousandth of the file where a bit is turned over; 0: none */
    bool links;               /* the entries are symbolic links */
    bool spoil_sum;           /* of gzip */
    long told;                /* the size that the first header tells, 0: the right one */
};

#define INSIDE "cifar-100-binary/"

static const struct packed archives[] = {
    {.name = "a .tar.gz cut in the middle",
     .word = "damaged",
     .packing = GZIP,
     .train = "train.bin",
     .test = "test.bin",
     .cut = -500},
    {.name = "a .tar.gz cut after a thousandth",
     .word = "archive",
     .packing = GZIP,
     .train = "train.bin",
     .test = "test.bin",
     .cut = -1},
    {.name = "a .tar.gz cut by its last byte",
     .word = "images.",
     .packing = GZIP,
     .train = "train.bin",
     .test = "test.bin",
     .cut = 1},
    {.name = "a .tar.gz without its sum",
     .word = "images.",
     .packing = GZIP,
     .train = "train.bin",
     .test = "test.bin",
     .cut = 8},
    {.name = "a .tar.gz cut to its header",
     .word = "archive",
     .packing = GZIP,
     .train = "train.bin",
     .test = "test.bin",
     .cut = -2},
    {.name = "a .tar.gz of a wrong sum",
     .word = "incorrect data check",
     .packing = GZIP,
     .train = "train.bin",
     .test = "test.bin",
     .spoil_sum = true},
    {.name = "a .tar.gz with a bit turned over early",
     .word = "images.",
     .packing = GZIP,
     .train = "train.bin",
     .test = "test.bin",
     .flip = 90},
    {.name = "a .tar.gz with a bit turned over",
     .word = "images.",
     .packing = GZIP,
     .train = "train.bin",
     .test = "test.bin",
     .flip = 480},
    {.name = "a .tar.gz with a bit turned over late",
     .word = "images.",
     .packing = GZIP,
     .train = "train.bin",
     .test = "test.bin",
     .flip = 950},
    {.name = "a .tar cut in the first entry",
     .word = "train.bin",
     .packing = PLAIN,
     .train = "train.bin",
     .test = "test.bin",
     .cut = -300},
    {.name = "a .tar cut in the second entry",
     .word = "test.bin",
     .packing = PLAIN,
     .train = "train.bin",
     .test = "test.bin",
     .cut = -800},
    {.name = "a .tar cut to its first header",
     .word = "train.bin",
     .packing = PLAIN,
     .train = "train.bin",
     .test = "test.bin",
     .cut = -1},
    {.name = "a .tar with a damaged header",
     .word = "archive",
     .packing = PLAIN,
     .train = "train.bin",
     .test = "test.bin",
     .told = -1},
    {.name = "a .tar whose header tells too little",
     .word = "images.",
     .packing = PLAIN,
     .train = "train.bin",
     .test = "test.bin",
     .told = 3074},
    {.name = "a .tar whose header tells too much",
     .word = "images.",
     .packing = PLAIN,
     .train = "train.bin",
     .test = "test.bin",
     .told = 40000000},
    {.name = "a .tar whose header tells 8 GB",
     .word = "images.",
     .packing = PLAIN,
     .train = "train.bin",
     .test = "test.bin",
     .told = 0x1ffffffffL},
    {.name = "a .zip without its directory",
     .word = "images.",
     .packing = ZIP,
     .train = "train.bin",
     .test = "test.bin",
     .cut = 30},
    {.name = "a .zip cut in the middle",
     .word = "images.",
     .packing = ZIP,
     .train = "train.bin",
     .test = "test.bin",
     .cut = -500},
    {.name = "a .zip with a bit turned over",
     .word = "images.",
     .packing = ZIP,
     .train = "train.bin",
     .test = "test.bin",
     .flip = 200},
    {.name = "a .zip with a bit turned over late",
     .word = "images.",
     .packing = ZIP,
     .train = "train.bin",
     .test = "test.bin",
     .flip = 700},
    {.name = "an archive of neither",
     .word = "no test.bin",
     .packing = GZIP,
     .train = "a.txt",
     .test = "b.txt"},
    {.name = "an archive without training images",
     .word = "no train.bin",
     .packing = GZIP,
     .test = INSIDE "test.bin"},
    {.name = "an archive without test images",
     .word = "no test.bin",
     .packing = GZIP,
     .train = INSIDE "train.bin"},
    {.name = "an archive with training images twice",
     .word = "must hold one",
     .packing = GZIP,
     .train = "train.bin",
     .test = "test.bin",
     .third = "copy/train.bin"},
    {.name = "an archive with the same entry twice",
     .word = "must hold one",
     .packing = ZIP,
     .train = "train.bin",
     .test = "test.bin",
     .third = "train.bin"},
    {.name = "an archive of CIFAR-10",
     .word = "data.dataset=cifar10",
     .packing = GZIP,
     .train = "cifar-10-batches-bin/data_batch_1.bin",
     .test = "cifar-10-batches-bin/test_batch.bin"},
    {.name = "an archive of the Python version with the binary one's bytes",
     .word = "no pickle of protocol 2",
     .packing = GZIP,
     .train = "cifar-100-python/train",
     .test = "cifar-100-python/test",
     .third = "cifar-100-python/meta"},
    {.name = "an archive of links",
     .word = "no test.bin",
     .packing = PLAIN,
     .train = "train.bin",
     .test = "test.bin",
     .links = true},
    {.name = "an archive in an archive",
     .word = "no test.bin",
     .packing = GZIP,
     .train = "cifar-100-binary.tar.gz"},
    {.name = "an archive of other letters",
     .word = "no test.bin",
     .packing = ZIP,
     .train = "TRAIN.BIN",
     .test = "TEST.BIN"},
};

static void add_entry(struct archive *archive, const char *name, const struct bad_bytes *bytes,
                      bool link)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, link ? AE_IFLNK : AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    if (link)
        archive_entry_set_symlink(entry, "/etc/passwd");
    else
        archive_entry_set_size(entry, (la_int64_t)bytes->size);
    if (archive_write_header(archive, entry) == ARCHIVE_OK && !link)
        archive_write_data(archive, bytes->data, bytes->size);
    archive_entry_free(entry);
}

/* The entries in their order: NAMES with the images of train.bin, test.bin, train.bin. */
static bool pack(const char *path, enum packing packing, const char *const names[3], bool links,
                 const struct bad_bytes *train, const struct bad_bytes *test)
{
    struct archive *archive = archive_write_new();
    if (packing == ZIP)
        archive_write_set_format_zip(archive);
    else
        archive_write_set_format_ustar(archive);
    if (packing == GZIP) archive_write_add_filter_gzip(archive);
    bool open = archive_write_open_filename(archive, path) == ARCHIVE_OK;
    for (int i = 0; i < 3 && open; i++)
        if (names[i] != NULL) add_entry(archive, names[i], i == 1 ? test : train, links);
    bool written = open && archive_write_close(archive) == ARCHIVE_OK;
    archive_write_free(archive);
    return written || bad_tell("pack", path);
}

/* Writes the first header's size, or what is none; its check sum is made right again. */
static void tell_size(unsigned char *header, long size)
{
    unsigned sum = 0;
    char text[32];
    snprintf(text, sizeof text, "%011lo", (unsigned long)(size < 0 ? 0 : size));
    memcpy(header + 124, size < 0 ? "zzzzzzzzzzz" : text, 11);
    memset(header + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += header[i];
    if (size < 0) sum++; /* wrong */
    snprintf(text, sizeof text, "%06o", sum);
    memcpy(header + 148, text, 7);
}

static bool spoil(const char *path, const struct packed *packed)
{
    struct bad_bytes bytes;
    if (!bad_read(path, &bytes)) return false;
    long size = (long)bytes.size;
    if (packed->flip > 0) bytes.data[size * packed->flip / 1000] ^= 0x10;
    if (packed->spoil_sum) bytes.data[size - 8] ^= 1;
    if (packed->told != 0) tell_size(bytes.data, packed->told);
    if (packed->cut > 0) size -= packed->cut;
    if (packed->cut < 0) size = size * -packed->cut / 1000;
    bool written = size >= 0 && bad_write(path, bytes.data, (size_t)size);
    free(bytes.data);
    return written;
}

static bool make_archive(const struct bad_place *place, const void *with)
{
    const struct packed *packed = with;
    const char *const names[3] = {packed->train, packed->test, packed->third};
    char path[BAD_PATH], images[BAD_PATH];
    struct bad_bytes train = {0}, test = {0};
    bad_join(images, place->masters, "images");
    bool made = bad_read(bad_join(path, images, "train.bin"), &train) &&
                bad_read(bad_join(path, images, "test.bin"), &test) &&
                pack(place->file, packed->packing, names, packed->links, &train, &test) &&
                spoil(place->file, packed);
    free(train.data);
    free(test.data);
    return made;
}

/* Entries outside of the place they are unpacked to: nothing is unpacked, so they do no harm. */
static bool make_traversal(const struct bad_place *place, const void *with)
{
    (void)with;
    static const struct packed packed = {
        .packing = PLAIN, .train = "../../../tmp/cifar/train.bin", .test = "/tmp/cifar/test.bin"};
    return make_archive(place, &packed);
}

/* ---- other things under an archive's name */

struct other {
    const char *name, *bytes;
    size_t size;
    const char *word;
};

static const struct other others[] = {
    {"an empty archive", "", 0, "is empty"},
    {"gzip's first two bytes", "\x1f\x8b", 2, "images."},
    {"gzip's header", "\x1f\x8b\x08\0\0\0\0\0\0\3", 10, "images."},
    {"a zip of nothing", "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22, "images."},
    {"an error page", "<!DOCTYPE html><html><head><title>404 Not Found</title></head></html>", 69,
     "images."},
    {"a Git LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", 63,
     "images."},
    {"RAR", "Rar!\x1a\7\1\0", 8, "images."},
    {"7z", "7z\xbc\xaf\x27\x1c\0\4", 8, "images."},
    {"xz of nothing much",
     "\xfd"
     "7zXZ\0\0\4",
     8, "images."},
    {"bzip2 of nothing much", "BZh9", 4, "images."},
};

static bool write_other(const struct bad_place *place, const void *with)
{
    const struct other *other = with;
    return bad_write(place->file, other->bytes, other->size);
}

static void add(struct bad_list *list, const char *name, const char *file, bad_function *make,
                const void *with, const char *word)
{
    bad_add(list,
            &(struct bad_case){.name = name,
                               .settings = BAD_IMAGES,
                               .args = {"data.path={file}"},
                               .run = "photos",
                               .file = file,
                               .make = make,
                               .with = with,
                               .word = word,
                               .also = strncmp(word, "images;", 7) == 0 ? NULL : "data.path"});
}

static void add_fresh(struct bad_list *list, const char *name, bad_function *make, const void *with,
                      const char *dataset, const char *word)
{
    bad_add(list,
            &(struct bad_case){.name = name,
                               .settings = BAD_IMAGES,
                               .args = {"data.path={file}", "data.classes_per_task=5", dataset},
                               .file = "images",
                               .make = make,
                               .with = with,
                               .word = word});
}

void bad_images(struct bad_list *list)
{
    static const char *const endings[] = {
        [PLAIN] = "images.tar", [GZIP] = "images.tar.gz", [ZIP] = "images.zip"};
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++)
        add(list, damages[i].name, "images", damage_directory, &damages[i], damages[i].word);
    for (size_t i = 0; i < sizeof archives / sizeof *archives; i++)
        add(list, archives[i].name, endings[archives[i].packing], make_archive, &archives[i],
            archives[i].word);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        add(list, others[i].name, "images.tar.gz", write_other, &others[i], others[i].word);
    add(list, "nothing there", "images", NULL, NULL, "cannot be opened");
    add(list, "an empty directory", "images", make_empty_directory, NULL, "no test.bin");
    add(list, "the Python version cut short", "images", make_python_version, NULL, "cut short");
    add(list, "CIFAR-10 in its own files", "images", make_cifar10, NULL, "data.dataset=cifar10");
    add(list, "CIFAR-10 in CIFAR-100's files", "images", make_disguised, NULL,
        "set data.dataset=cifar10");
    add_fresh(list, "CIFAR-10 without test images", make_cifar10, "test_batch.bin",
              "data.dataset=cifar10", "no test_batch.bin");
    add_fresh(list, "CIFAR-10 without training images", make_cifar10, "data_batch_1.bin",
              "data.dataset=cifar10", "no data_batch_1.bin");
    add_fresh(list, "CIFAR-100 as CIFAR-10", damage_directory, &damages[24], "data.dataset=cifar10",
              "data.dataset=cifar100");
    bad_add(list, &(struct bad_case){.name = "names that lead out of the archive",
                                     .end = BAD_FINE,
                                     .settings = BAD_IMAGES,
                                     .args = {"data.path={file}", "run.tasks=1"},
                                     .run = "photos",
                                     .file = "images.tar",
                                     .make = make_traversal});
}
