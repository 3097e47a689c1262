/* data/dataset.h and data/sequence.h: made-up CIFAR files whole and damaged, the synthetic data,
 * and real CIFAR-100 images where they are at hand. */
#define _GNU_SOURCE /* nftw flags */
#include "lae/data/dataset.h"
#include "lae/data/sequence.h"
#include "lae/data/synthetic.h"
#include "lae/files/digest.h"
#include "lae/files/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "place.h"

enum { PATH_SIZE = PLACE_SIZE, PIXELS = 32 * 32, C100 = 2 + 3 * PIXELS, C10 = 1 + 3 * PIXELS };

/* ---- A directory for each test --------------------------------------------------------------- */

struct place {
    char path[PATH_SIZE];
    char last[2 * PATH_SIZE]; /* what at() gave */
};

static int make_data_place(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    open_place(place->path);
    *state = place;
    return 0;
}

static int remove_data_place(void **state)
{
    struct place *place = *state;
    close_place(place->path);
    free(place);
    return 0;
}

/* PLACE/NAME, valid until the next call. */
static const char *at(struct place *place, const char *name)
{
    snprintf(place->last, sizeof place->last, "%s/%s", place->path, name);
    return place->last;
}

static void put(struct place *place, const char *name, const void *data, size_t size)
{
    FILE *file = fopen(at(place, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* ---- Made-up CIFAR files --------------------------------------------------------------------- */

/* Image i of a file has label (first + i) % classes; its bytes differ with everything. */
static uint8_t value_of(int first, int image, int channel, int pixel)
{
    return (uint8_t)(31 * (first + image) + 85 * channel + 7 * pixel);
}

/* `count` records of `size` bytes (C100 or C10) into `records`. */
static void fill(unsigned char *records, size_t size, int count, int first)
{
    int classes = size == C100 ? 100 : 10;
    for (int i = 0; i < count; i++) {
        unsigned char *record = records + (size_t)i * size;
        if (size == C100) *record++ = 255; /* the coarse label is not looked at */
        *record++ = (unsigned char)((first + i) % classes);
        for (int channel = 0; channel < 3; channel++)
            for (int pixel = 0; pixel < PIXELS; pixel++)
                *record++ = value_of(first, i, channel, pixel);
    }
}

/* A file as the directories and archives below hold it. */
struct part {
    const char *name;
    size_t record; /* C100 or C10 */
    int count, first;
};

static const struct part cifar100[] = {
    {"train.bin", C100, 130, 0}, {"test.bin", C100, 101, 50}, {NULL, 0, 0, 0}};
/* Batch 10 comes after batch 2, not after batch 1. */
static const struct part cifar10[] = {{"data_batch_10.bin", C10, 7, 30},
                                      {"data_batch_1.bin", C10, 20, 0},
                                      {"data_batch_2.bin", C10, 10, 20},
                                      {"test_batch.bin", C10, 12, 3},
                                      {NULL, 0, 0, 0}};

static unsigned char *records_of(const struct part *part, size_t *size)
{
    *size = part->record * (size_t)part->count;
    unsigned char *records = malloc(*size);
    assert_non_null(records);
    fill(records, part->record, part->count, part->first);
    return records;
}

/* All parts into a directory; `below`: its name in the place with a final '/', or "". */
static void put_parts(struct place *place, const char *below, const struct part *parts)
{
    if (below[0] != '\0') assert_int_equal(mkdir(at(place, below), 0777), 0);
    for (; parts->name != NULL; parts++) {
        char name[100];
        size_t size;
        unsigned char *records = records_of(parts, &size);
        snprintf(name, sizeof name, "%s%s", below, parts->name);
        put(place, name, records, size);
        free(records);
    }
}

static void add_entry(struct archive *writer, const char *name, const void *data, size_t size)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)size);
    assert_int_equal(archive_write_header(writer, entry), ARCHIVE_OK);
    assert_int_equal(archive_write_data(writer, data, size), size);
    archive_entry_free(entry);
}

static struct archive *begin_archive(const char *path)
{
    struct archive *writer = archive_write_new();
    if (strstr(path, ".zip") != NULL)
        archive_write_set_format_zip(writer);
    else
        archive_write_set_format_pax_restricted(writer);
    if (strstr(path, ".gz") != NULL) archive_write_add_filter_gzip(writer);
    assert_int_equal(archive_write_open_filename(writer, path), ARCHIVE_OK);
    return writer;
}

/* All parts into an archive, below `folder`, beside files that must be passed over. */
static void put_archive(struct place *place, const char *archive, const char *folder,
                        const struct part *parts)
{
    struct archive *writer = begin_archive(at(place, archive));
    char name[100];
    snprintf(name, sizeof name, "%s/fine_label_names.txt", folder);
    add_entry(writer, name, "apple\n", 6);
    snprintf(name, sizeof name, "%s/._train.bin", folder);
    add_entry(writer, name, "x", 1);
    for (; parts->name != NULL; parts++) {
        size_t size;
        unsigned char *records = records_of(parts, &size);
        snprintf(name, sizeof name, "%s/%s", folder, parts->name);
        add_entry(writer, name, records, size);
        free(records);
    }
    assert_int_equal(archive_write_close(writer), ARCHIVE_OK);
    archive_write_free(writer);
}

/* ---- Opening --------------------------------------------------------------------------------- */

static struct lae_data_options options_of(enum lae_dataset_kind kind, const char *path)
{
    return (struct lae_data_options){.dataset = kind, .path = path, .classes_per_task = 1};
}

static void open_data(enum lae_dataset_kind kind, const char *path, struct lae_dataset *dataset)
{
    struct lae_data_options options = options_of(kind, path);
    lae_status status = lae_dataset_open(&options, dataset);
    if (status != NULL) fail_msg("%s", lae_status_message(status));
}

static void assert_refused(lae_status status, const char *part)
{
    assert_int_equal(lae_status_code(status), LAE_BAD_INPUT);
    if (strstr(lae_status_message(status), part) == NULL)
        fail_msg("no \"%s\" in: %s", part, lae_status_message(status));
    lae_status_free(status);
}

/* Opening must fail, with both texts in the message. */
static void assert_bad_data(enum lae_dataset_kind kind, const char *path, const char *first,
                            const char *second)
{
    struct lae_data_options options = options_of(kind, path);
    struct lae_dataset dataset;
    lae_status status = lae_dataset_open(&options, &dataset);
    if (status == NULL) fail_msg("opened, in spite of: %s", second);
    if (strstr(lae_status_message(status), first) == NULL)
        fail_msg("no \"%s\" in: %s", first, lae_status_message(status));
    assert_refused(status, second);
    lae_dataset_close(&dataset); /* empty after an error */
}

/* Image `index` must be image `number` of a file whose first label was `first`. */
static void assert_image(const struct lae_dataset *dataset, enum lae_split split, size_t index,
                         int first, int number)
{
    uint8_t rgb[3 * PIXELS];
    assert_int_equal(lae_dataset_label(dataset, split, index), (first + number) % dataset->classes);
    struct lae_size size;
    assert_null(lae_dataset_image(dataset, split, index, rgb, &size));
    for (int i = 0; i < 3 * PIXELS; i++)
        assert_int_equal(rgb[i], value_of(first, number, i % 3, i / 3));
}

static void assert_is_cifar100(const struct lae_dataset *dataset)
{
    assert_int_equal(dataset->classes, 100);
    assert_int_equal(dataset->width, 32);
    assert_int_equal(dataset->height, 32);
    assert_int_equal(dataset->count[LAE_TRAIN], 130);
    assert_int_equal(dataset->count[LAE_TEST], 101);
    for (int i = 0; i < 130; i++)
        assert_image(dataset, LAE_TRAIN, (size_t)i, 0, i);
    for (int i = 0; i < 101; i++)
        assert_image(dataset, LAE_TEST, (size_t)i, 50, i);
}

static void assert_is_cifar10(const struct lae_dataset *dataset)
{
    assert_int_equal(dataset->classes, 10);
    assert_int_equal(dataset->count[LAE_TRAIN], 37);
    assert_int_equal(dataset->count[LAE_TEST], 12);
    for (int i = 0; i < 37; i++) /* batches 1, 2 and 10 go on where the one before stops */
        assert_image(dataset, LAE_TRAIN, (size_t)i, 0, i);
    for (int i = 0; i < 12; i++)
        assert_image(dataset, LAE_TEST, (size_t)i, 3, i);
}

static void cifar100_is_read_from_a_directory(void **state)
{
    struct lae_dataset dataset;
    put_parts(*state, "", cifar100);
    open_data(LAE_DATASET_CIFAR100, at(*state, ""), &dataset);
    assert_is_cifar100(&dataset);
    lae_dataset_close(&dataset);
    lae_dataset_close(&dataset); /* closed is empty */
}

static void cifar10_batches_come_in_order_of_their_numbers(void **state)
{
    struct lae_dataset dataset;
    put_parts(*state, "", cifar10);
    open_data(LAE_DATASET_CIFAR10, at(*state, ""), &dataset);
    assert_is_cifar10(&dataset);
    lae_dataset_close(&dataset);
}

static void the_official_directories_are_found_below(void **state)
{
    struct lae_dataset dataset;
    put_parts(*state, "cifar-100-binary/", cifar100);
    put_parts(*state, "cifar-10-batches-bin/", cifar10);
    open_data(LAE_DATASET_CIFAR100, at(*state, ""), &dataset);
    assert_is_cifar100(&dataset);
    lae_dataset_close(&dataset);
    open_data(LAE_DATASET_CIFAR10, at(*state, ""), &dataset);
    assert_is_cifar10(&dataset);
    lae_dataset_close(&dataset);
}

static void archives_hold_the_same(void **state)
{
    static const char *const names[] = {"c.tar.gz", "c.tar", "c.zip"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct lae_dataset dataset;
        put_archive(*state, names[i], "cifar-100-binary", cifar100);
        open_data(LAE_DATASET_CIFAR100, at(*state, names[i]), &dataset);
        assert_is_cifar100(&dataset);
        lae_dataset_close(&dataset);
        put_archive(*state, names[i], "any/depth/of/folders", cifar10);
        open_data(LAE_DATASET_CIFAR10, at(*state, names[i]), &dataset);
        assert_is_cifar10(&dataset);
        lae_dataset_close(&dataset);
    }
}

/* ---- Damaged and missing --------------------------------------------------------------------- */

enum lae_change { GONE, EMPTY, CUT, LONGER, LABEL, DIRECTORY, OTHER_KIND };

/* What becomes of one file of a directory that is whole otherwise, and what must be said of it. */
static const struct damage {
    enum lae_dataset_kind kind;
    const char *file;
    enum lae_change change;
    const char *said;
} damages[] = {
    {LAE_DATASET_CIFAR100, "train.bin", GONE, "no train.bin"},
    {LAE_DATASET_CIFAR100, "test.bin", GONE, "no test.bin"},
    {LAE_DATASET_CIFAR100, "train.bin", EMPTY, "train.bin: empty"},
    {LAE_DATASET_CIFAR100, "test.bin", EMPTY, "test.bin: empty"},
    {LAE_DATASET_CIFAR100, "train.bin", CUT,
     "train.bin: 399619 bytes are 129 records of 3074 and 3073 left over"},
    {LAE_DATASET_CIFAR100, "test.bin", LONGER,
     "310475 bytes are 101 records of 3074 and 1 left over"},
    {LAE_DATASET_CIFAR100, "train.bin", LABEL,
     "train.bin: record 4 (counted from 0) has label 100, but the labels of CIFAR-100 are 0 to 99"},
    {LAE_DATASET_CIFAR100, "test.bin", LABEL, "test.bin: record 4 (counted from 0) has label 100"},
    {LAE_DATASET_CIFAR100, "train.bin", DIRECTORY, "train.bin: is a directory"},
    {LAE_DATASET_CIFAR100, "train.bin", OTHER_KIND,
     "train.bin: this is CIFAR-10, but data.dataset=cifar100 is asked for; set "
     "data.dataset=cifar10"},
    {LAE_DATASET_CIFAR10, "test_batch.bin", GONE, "no test_batch.bin"},
    {LAE_DATASET_CIFAR10, "data_batch_2.bin", EMPTY, "data_batch_2.bin: empty"},
    {LAE_DATASET_CIFAR10, "data_batch_2.bin", CUT, "data_batch_2.bin: 30729 bytes are 9 records"},
    {LAE_DATASET_CIFAR10, "data_batch_10.bin", LONGER, "data_batch_10.bin: 21512 bytes"},
    {LAE_DATASET_CIFAR10, "data_batch_1.bin", LABEL,
     "data_batch_1.bin: record 4 (counted from 0) has label 10,"},
    {LAE_DATASET_CIFAR10, "test_batch.bin", LABEL, "test_batch.bin: record 4"},
    {LAE_DATASET_CIFAR10, "data_batch_2.bin", OTHER_KIND,
     "data_batch_2.bin: this is CIFAR-100, but data.dataset=cifar10 is asked for"},
};

static void change_file(struct place *place, const struct damage *damage, const struct part *parts)
{
    while (strcmp(parts->name, damage->file) != 0)
        parts++;
    struct part part = *parts;
    if (damage->change == OTHER_KIND) part.record = part.record == C100 ? C10 : C100;
    size_t size;
    unsigned char *records = records_of(&part, &size);
    if (damage->change == EMPTY) size = 0;
    if (damage->change == CUT) size--;
    if (damage->change == LONGER) records = realloc(records, ++size);
    assert_non_null(records);
    if (damage->change == LONGER) records[size - 1] = 0;
    if (damage->change == LABEL)
        records[4 * part.record + (part.record == C100)] = part.record == C100 ? 100 : 10;
    assert_int_equal(unlink(at(place, damage->file)), 0);
    if (damage->change == DIRECTORY)
        assert_int_equal(mkdir(at(place, damage->file), 0777), 0);
    else if (damage->change != GONE)
        put(place, damage->file, records, size);
    free(records);
}

static void damaged_files_are_refused_by_name(void **state)
{
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        const struct part *parts = damages[i].kind == LAE_DATASET_CIFAR100 ? cifar100 : cifar10;
        struct place *own = NULL;
        assert_int_equal(make_data_place((void **)&own), 0);
        put_parts(own, "", parts);
        change_file(own, &damages[i], parts);
        assert_bad_data(damages[i].kind, at(own, ""), own->path, damages[i].said);
        remove_data_place((void **)&own);
    }
    (void)state;
}

static void what_is_not_there_is_named(void **state)
{
    assert_bad_data(LAE_DATASET_CIFAR100, NULL, "data.path", "is not set");
    assert_bad_data(LAE_DATASET_CIFAR10, "", "data.path", "is not set");
    const char *nowhere = at(*state, "nowhere");
    assert_bad_data(LAE_DATASET_CIFAR100, nowhere, nowhere, "No such file");
    const char *empty = at(*state, "");
    assert_bad_data(LAE_DATASET_CIFAR100, empty, empty,
                    "data.dataset=cifar100 needs train.bin and test.bin, in a directory or its "
                    "cifar-100-binary/, or in an archive");
    assert_bad_data(LAE_DATASET_CIFAR10, empty, empty,
                    "needs data_batch_1.bin, data_batch_2.bin, ... and test_batch.bin");
    const struct part no_batches[] = {{"test_batch.bin", C10, 2, 0}, {NULL, 0, 0, 0}};
    put_parts(*state, "", no_batches);
    assert_bad_data(LAE_DATASET_CIFAR10, at(*state, ""), empty, "no data_batch_1.bin");
}

/* Half of what is wanted is no sign of something else. */
static void half_a_dataset_is_not_taken_for_another(void **state)
{
    const struct part half[] = {{"train.bin", C100, 3, 0}, {NULL, 0, 0, 0}};
    put_parts(*state, "", half);
    struct lae_data_options options = options_of(LAE_DATASET_CIFAR100, at(*state, ""));
    struct lae_dataset dataset;
    lae_status status = lae_dataset_open(&options, &dataset);
    assert_null(strstr(lae_status_message(status), "is there"));
    assert_refused(status, "no test.bin");
}

static void another_dataset_is_recognised(void **state)
{
    put_parts(*state, "cifar-100-binary/", cifar100);
    assert_bad_data(LAE_DATASET_CIFAR10, at(*state, ""), "cifar-100-binary is there",
                    "data.dataset=cifar100 would read CIFAR-100");
    assert_bad_data(LAE_DATASET_CIFAR10, at(*state, "cifar-100-binary"), "train.bin is there",
                    "data.dataset=cifar100");
    put_archive(*state, "ten.tar.gz", "cifar-10-batches-bin", cifar10);
    assert_bad_data(LAE_DATASET_CIFAR100, at(*state, "ten.tar.gz"), "ten.tar.gz: no test.bin",
                    "data_batch_1.bin is there: data.dataset=cifar10 would read CIFAR-10");
    assert_int_equal(mkdir(at(*state, "python"), 0777), 0);
    assert_int_equal(mkdir(at(*state, "python/cifar-100-python"), 0777), 0);
    assert_bad_data(LAE_DATASET_CIFAR10, at(*state, "python"), "cifar-100-python is there",
                    "data.dataset=cifar100 would read CIFAR-100");
    assert_bad_data(LAE_DATASET_CIFAR100, at(*state, "python"), "no test.bin",
                    "or the Python version's cifar-100-python/");
}

static void damaged_archives_are_refused(void **state)
{
    put(*state, "text.tar.gz", "this is no archive\n", 19);
    assert_bad_data(LAE_DATASET_CIFAR100, at(*state, "text.tar.gz"), "text.tar.gz", "not a");

    const struct part half[] = {{"train.bin", C100, 3, 0}, {NULL, 0, 0, 0}};
    put_archive(*state, "half.zip", "c", half);
    assert_bad_data(LAE_DATASET_CIFAR100, at(*state, "half.zip"), "half.zip: no test.bin", "needs");

    const struct part twice[] = {
        {"train.bin", C100, 3, 0}, {"old/train.bin", C100, 3, 1}, {NULL, 0, 0, 0}};
    put_archive(*state, "twice.tar", "c", twice);
    assert_bad_data(LAE_DATASET_CIFAR100, at(*state, "twice.tar"), "twice.tar: c/train.bin",
                    "entry c/old/train.bin are both a train.bin");

    const struct part wrong[] = {
        {"train.bin", C10, 3, 0}, {"test.bin", C100, 3, 0}, {NULL, 0, 0, 0}};
    put_archive(*state, "wrong.tar.gz", "c", wrong);
    assert_bad_data(LAE_DATASET_CIFAR100, at(*state, "wrong.tar.gz"),
                    "wrong.tar.gz: c/train.bin: this is CIFAR-10", "set data.dataset=cifar10");
}

/* A .tar.gz cut anywhere, and one with a byte changed in its middle. */
static void a_spoilt_download_is_refused(void **state)
{
    put_archive(*state, "c.tar.gz", "cifar-100-binary", cifar100);
    struct lae_map map;
    assert_null(lae_map_open(at(*state, "c.tar.gz"), &map));
    unsigned char *bytes = malloc(map.size);
    assert_non_null(bytes);
    memcpy(bytes, map.data, map.size);
    for (size_t tenth = 0; tenth < 10; tenth++) {
        put(*state, "cut.tar.gz", bytes, map.size * tenth / 10);
        assert_bad_data(LAE_DATASET_CIFAR100, at(*state, "cut.tar.gz"), "cut.tar.gz", "");
    }
    bytes[map.size / 2] ^= 0x10;
    put(*state, "flip.tar.gz", bytes, map.size);
    assert_bad_data(LAE_DATASET_CIFAR100, at(*state, "flip.tar.gz"), "flip.tar.gz", "");
    free(bytes);
    lae_map_close(&map);
}

/* ---- Digest ---------------------------------------------------------------------------------- */

static void the_digest_is_that_of_the_records(void **state)
{
    char expected[LAE_DIGEST_TEXT], parts[2 * LAE_DIGEST_TEXT], text[LAE_DIGEST_TEXT];
    struct lae_dataset dataset;
    put_parts(*state, "", cifar100);
    for (size_t i = 0; i < 2; i++) { /* training, then test */
        size_t size;
        unsigned char *records = records_of(&cifar100[i], &size);
        assert_null(lae_digest_memory(records, size, parts + 64 * i));
        free(records);
    }
    assert_null(lae_digest_memory(parts, 128, expected));
    open_data(LAE_DATASET_CIFAR100, at(*state, ""), &dataset);
    assert_null(lae_dataset_digest(&dataset, text));
    assert_string_equal(text, expected);
    dataset.owned[LAE_TEST][0] ^= 1;
    assert_null(lae_dataset_digest(&dataset, text));
    assert_string_not_equal(text, expected);
    lae_dataset_close(&dataset);
}

static struct lae_data_options synthetic(int classes, int train, int test, uint64_t seed)
{
    struct lae_data_options options = options_of(LAE_DATASET_SYNTHETIC, NULL);
    options.synthetic.classes = classes;
    options.synthetic.train = train;
    options.synthetic.test = test;
    options.synthetic.seed = seed;
    return options;
}

static void the_synthetic_digest_tells_parameters_apart(void **state)
{
    (void)state;
    const struct lae_data_options all[] = {synthetic(9, 4, 3, 7), synthetic(8, 4, 3, 7),
                                           synthetic(9, 5, 3, 7), synthetic(9, 4, 2, 7),
                                           synthetic(9, 4, 3, 8), synthetic(9, 3, 4, 7)};
    enum { COUNT = sizeof all / sizeof all[0] };
    char texts[COUNT][LAE_DIGEST_TEXT];
    for (int i = 0; i < COUNT; i++) {
        struct lae_dataset dataset;
        assert_null(lae_dataset_open(&all[i], &dataset));
        assert_null(lae_dataset_digest(&dataset, texts[i]));
        assert_int_equal(strlen(texts[i]), 64);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(texts[i], texts[j]);
        lae_dataset_close(&dataset);
    }
}

/* ---- Synthetic ------------------------------------------------------------------------------- */

static void synthetic_images_are_numbered_class_by_class(void **state)
{
    (void)state;
    struct lae_data_options options = synthetic(5, 4, 3, 0x123456789ull);
    struct lae_dataset dataset;
    assert_null(lae_dataset_open(&options, &dataset));
    assert_int_equal(dataset.classes, 5);
    assert_int_equal(dataset.count[LAE_TRAIN], 20);
    assert_int_equal(dataset.count[LAE_TEST], 15);
    for (int split = 0; split < LAE_SPLITS; split++) {
        uint32_t per_class = split == LAE_TRAIN ? 4 : 3;
        uint32_t first = split == LAE_TRAIN ? 0 : LAE_SYNTHETIC_TEST_INDEX;
        for (uint32_t i = 0; i < dataset.count[split]; i++) {
            uint8_t rgb[3 * PIXELS], drawn[3 * PIXELS];
            uint32_t label = i / per_class;
            assert_int_equal(lae_dataset_label(&dataset, (enum lae_split)split, i), label);
            struct lae_size size;
            assert_null(lae_dataset_image(&dataset, (enum lae_split)split, i, rgb, &size));
            lae_synthetic_draw(0x123456789ull, label, first + i % per_class, drawn);
            assert_memory_equal(rgb, drawn, sizeof rgb);
        }
    }
    lae_dataset_close(&dataset);
}

static void impossible_synthetic_data_are_refused(void **state)
{
    (void)state;
    const struct {
        struct lae_data_options options;
        const char *said;
    } cases[] = {
        {synthetic(0, 1, 1, 0), "data.synthetic.classes is 0"},
        {synthetic(LAE_MAX_CLASSES + 1, 1, 1, 0), "data.synthetic.classes is 4097; 1 to 4096"},
        {synthetic(2, 0, 1, 0), "data.synthetic.train is 0"},
        {synthetic(2, 1, 0, 0), "data.synthetic.test is 0"},
        {synthetic(2, 1, -1, 0), "data.synthetic.test is -1"},
        {synthetic(2, INT32_MAX, 1, 0), "data.synthetic.train is 2147483647"},
        {synthetic(LAE_MAX_CLASSES, 1 << 30, 1, 0), "the training part has 4398046511104 images"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lae_dataset dataset;
        assert_refused(lae_dataset_open(&cases[i].options, &dataset), cases[i].said);
    }
}

/* ---- Real images ----------------------------------------------------------------------------- */

static void real_cifar100_is_read(void **state)
{
    (void)state;
    const char *root = getenv("LAE_TEST_SOURCE");
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/../shared/data/cifar-100-mini", root != NULL ? root : ".");
    if (!lae_path_is_directory(path)) {
        print_message("skipped: %s is not there\n", path);
        skip();
    }
    struct lae_dataset dataset;
    open_data(LAE_DATASET_CIFAR100, path, &dataset);
    assert_int_equal(dataset.count[LAE_TRAIN], 1117);
    assert_int_equal(dataset.count[LAE_TEST], 916);
    int per_class[100] = {0};
    for (size_t i = 0; i < dataset.count[LAE_TRAIN]; i++)
        per_class[lae_dataset_label(&dataset, LAE_TRAIN, i)]++;
    for (int label = 0; label < 100; label++)
        assert_in_range(per_class[label], 5, 22);
    /* CIFAR-100's first training image is of cattle (19), its first test image of a mountain (49).
     */
    assert_int_equal(lae_dataset_label(&dataset, LAE_TRAIN, 0), 19);
    assert_int_equal(lae_dataset_label(&dataset, LAE_TEST, 0), 49);
    lae_dataset_close(&dataset);
}

/* ---- Images held out ------------------------------------------------------------------------- */

/* Each training image is in one of the two parts, in order, with the label and the pixels it had.
 */
static void assert_is_dealt(const struct lae_dataset *whole, const struct lae_dataset *dealt)
{
    static uint8_t before[32 * 32 * 3], after[32 * 32 * 3];
    bool seen[500] = {false};
    assert_int_equal(dealt->count[LAE_TRAIN] + dealt->count[LAE_TEST], whole->count[LAE_TRAIN]);
    for (int split = 0; split < LAE_SPLITS; split++) {
        size_t last = 0;
        for (size_t i = 0; i < dealt->count[split]; i++) {
            size_t number = lae_dataset_number(dealt, (enum lae_split)split, i);
            assert_true(number < whole->count[LAE_TRAIN] && !seen[number]);
            assert_true(i == 0 || number > last);
            seen[number] = true;
            last = number;
            assert_int_equal(lae_dataset_label(dealt, (enum lae_split)split, i),
                             lae_dataset_label(whole, LAE_TRAIN, number));
            struct lae_size size;
            assert_null(lae_dataset_image(dealt, (enum lae_split)split, i, after, &size));
            assert_null(lae_dataset_image(whole, LAE_TRAIN, number, before, &size));
            assert_memory_equal(before, after, sizeof before);
        }
    }
}

static void assert_held_of_each_class(const struct lae_dataset *dataset, size_t wanted)
{
    size_t held[LAE_MAX_CLASSES] = {0};
    for (size_t i = 0; i < dataset->count[LAE_TEST]; i++)
        held[lae_dataset_label(dataset, LAE_TEST, i)]++;
    for (int label = 0; label < dataset->classes; label++)
        assert_int_equal(held[label], wanted);
}

static void a_share_of_each_class_is_held_out(void **state)
{
    (void)state;
    static const struct {
        int train;
        double share;
        size_t held; /* of each class */
    } cases[] = {{10, 0.1, 1}, {10, 0.01, 1}, {10, 0.99, 9},
                 {9, 0.5, 5},  {12, 0.2, 2},  {1, 0.5, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lae_data_options options = synthetic(7, cases[i].train, 2, 3);
        struct lae_dataset whole, dealt;
        char before[LAE_DIGEST_TEXT], after[LAE_DIGEST_TEXT];
        assert_null(lae_dataset_open(&options, &whole));
        assert_null(lae_dataset_open(&options, &dealt));
        assert_string_equal(lae_dataset_evaluated(&dealt), "test");
        assert_null(lae_dataset_hold_out(&dealt, cases[i].share));
        assert_string_equal(lae_dataset_evaluated(&dealt), "validation");
        assert_held_of_each_class(&dealt, cases[i].held);
        assert_is_dealt(&whole, &dealt);
        assert_null(lae_dataset_digest(&whole, before));
        assert_null(lae_dataset_digest(&dealt, after));
        assert_string_equal(before, after);
        lae_dataset_close(&dealt);
        lae_dataset_close(&whole);
    }
}

/* The choice is not simply the first or the last images, and those of one class say nothing of
 * another's. */
static void the_images_held_out_are_spread(void **state)
{
    (void)state;
    struct lae_data_options options = synthetic(2, 200, 1, 1);
    struct lae_dataset dataset;
    size_t first_half[2] = {0}, common = 0;
    bool held[400] = {false};
    assert_null(lae_dataset_open(&options, &dataset));
    assert_null(lae_dataset_hold_out(&dataset, 0.5));
    for (size_t i = 0; i < dataset.count[LAE_TEST]; i++) {
        size_t number = lae_dataset_number(&dataset, LAE_TEST, i);
        held[number] = true;
        if (number % 200 < 100) first_half[number / 200]++;
    }
    for (size_t i = 0; i < 200; i++)
        common += held[i] && held[200 + i];
    for (int label = 0; label < 2; label++)
        assert_in_range(first_half[label], 35, 65);
    assert_in_range(common, 30, 70);
    lae_dataset_close(&dataset);
}

/* ---- The task sequence ----------------------------------------------------------------------- */

/* A sequence over synthetic data of `classes` classes with 3 training and 2 test images each. */
static lae_status sequence_of(int classes, int first, int per_task, int *order, int order_count,
                              struct lae_sequence *sequence)
{
    struct lae_data_options options = synthetic(classes, 3, 2, 1);
    options.first_classes = first;
    options.classes_per_task = per_task;
    options.class_order = order;
    options.class_order_count = order_count;
    struct lae_dataset dataset;
    assert_null(lae_dataset_open(&options, &dataset));
    lae_status status = lae_sequence_create(&options, &dataset, sequence);
    lae_dataset_close(&dataset);
    return status;
}

/* Every image is in the task of its class, and there once; lists ascend. Synthetic image i has
 * label i / per class. */
static void assert_images_are_dealt(const struct lae_sequence *sequence)
{
    const uint32_t per_class[LAE_SPLITS] = {3, 2};
    for (int split = 0; split < LAE_SPLITS; split++) {
        size_t total = 0;
        for (int task = 0; task < sequence->tasks; task++) {
            const struct lae_task_images *images = &sequence->images[split][task];
            int classes = sequence->first_class[task + 1] - sequence->first_class[task];
            assert_int_equal(images->count, (size_t)classes * per_class[split]);
            for (size_t i = 0; i < images->count; i++) {
                uint32_t label = images->index[i] / per_class[split];
                assert_int_equal(sequence->task_of[sequence->output_index[label]], task);
                if (i > 0) assert_true(images->index[i] > images->index[i - 1]);
            }
            total += images->count;
        }
        assert_int_equal(total, (size_t)sequence->classes * per_class[split]);
    }
}

static void tasks_are_cut_from_the_order(void **state)
{
    (void)state;
    static const struct {
        int classes, first, per_task, tasks;
        int first_class[11]; /* [tasks + 1] */
    } cases[] = {
        {100, 0, 10, 10, {0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100}},
        {10, 0, 4, 3, {0, 4, 8, 10}},
        {10, 0, 9, 2, {0, 9, 10}},
        {10, 0, 10, 1, {0, 10}},
        {10, 0, 1, 10, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
        {100, 50, 10, 6, {0, 50, 60, 70, 80, 90, 100}},
        {10, 7, 2, 3, {0, 7, 9, 10}},
        {10, 1, 9, 2, {0, 1, 10}},
        {10, 1, 10, 2, {0, 1, 10}},
        {10, 10, 3, 1, {0, 10}},
        {1, 0, 1, 1, {0, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lae_sequence sequence;
        assert_null(
            sequence_of(cases[i].classes, cases[i].first, cases[i].per_task, NULL, 0, &sequence));
        assert_int_equal(sequence.classes, cases[i].classes);
        assert_int_equal(sequence.tasks, cases[i].tasks);
        for (int task = 0; task <= sequence.tasks; task++)
            assert_int_equal(sequence.first_class[task], cases[i].first_class[task]);
        for (int p = 0; p < sequence.classes; p++) {
            int task = sequence.task_of[p];
            assert_true(sequence.first_class[task] <= p && p < sequence.first_class[task + 1]);
            assert_int_equal(sequence.class_order[p], p);
            assert_int_equal(sequence.output_index[p], p);
        }
        assert_images_are_dealt(&sequence);
        lae_sequence_free(&sequence);
    }
}

static void the_order_says_which_class_comes_when(void **state)
{
    (void)state;
    int order[7] = {3, 6, 0, 5, 1, 2, 4};
    struct lae_sequence sequence;
    assert_null(sequence_of(7, 0, 3, order, 7, &sequence));
    for (int p = 0; p < 7; p++) {
        assert_int_equal(sequence.class_order[p], order[p]);
        assert_int_equal(sequence.output_index[order[p]], p);
        assert_int_equal(sequence.task_of[p], p / 3);
    }
    const uint32_t first_task[] = {0, 1, 2, 9, 10, 11, 18, 19, 20}; /* labels 0, 3, 6 */
    assert_int_equal(sequence.images[LAE_TRAIN][0].count, 9);
    assert_memory_equal(sequence.images[LAE_TRAIN][0].index, first_task, sizeof first_task);
    assert_images_are_dealt(&sequence);
    lae_sequence_free(&sequence);
    lae_sequence_free(&sequence); /* freed is empty */
}

/* A subset keeps its labels; it is ordered by them, or by the order given. */
static void a_subset_is_learned(void **state)
{
    (void)state;
    int classes[3] = {5, 1, 3}, order[3] = {3, 5, 1}, other[3] = {3, 5, 2}, high[2] = {1, 7};
    const int by_label[3] = {1, 3, 5};
    struct lae_data_options options = synthetic(7, 3, 2, 1);
    options.classes_per_task = 2;
    options.classes = classes;
    options.classes_count = 3;
    struct lae_dataset dataset;
    struct lae_sequence sequence;
    assert_null(lae_dataset_open(&options, &dataset));
    for (int ordered = 0; ordered < 2; ordered++) {
        const int *wanted = ordered ? order : by_label;
        options.class_order = ordered ? order : NULL;
        options.class_order_count = ordered ? 3 : 0;
        assert_null(lae_sequence_create(&options, &dataset, &sequence));
        assert_int_equal(sequence.classes, 3);
        assert_int_equal(sequence.labels, 7);
        assert_int_equal(sequence.tasks, 2);
        assert_memory_equal(sequence.class_order, wanted, sizeof by_label);
        assert_int_equal(sequence.output_index[wanted[2]], 2);
        assert_int_equal(sequence.output_index[0], -1);
        assert_int_equal(sequence.output_index[6], -1);
        assert_images_are_dealt(&sequence);
        lae_sequence_free(&sequence);
    }
    options.class_order = other;
    assert_refused(lae_sequence_create(&options, &dataset, &sequence),
                   "data.class_order: entry 2 (counted from 0) is 2, which is not in data.classes");
    options.class_order = NULL;
    options.classes_per_task = 4;
    assert_refused(lae_sequence_create(&options, &dataset, &sequence),
                   "data.classes_per_task is 4; data.classes' 3 classes allow 1 to 3");
    options.classes_per_task = 1;
    options.classes = high;
    options.classes_count = 2;
    assert_refused(lae_sequence_create(&options, &dataset, &sequence),
                   "data.classes: entry 1 (counted from 0) is 7; the dataset's labels are 0 to 6");
    lae_dataset_close(&dataset);
}

static void impossible_sequences_are_refused(void **state)
{
    (void)state;
    int twice[5] = {0, 1, 4, 1, 3}, large[5] = {0, 1, 2, 3, 5}, negative[5] = {0, -1, 2, 3, 4};
    int good[6] = {0, 1, 2, 3, 4, 5};
    const struct {
        int first, per_task, *order, count;
        const char *said;
    } cases[] = {
        {0, 1, good, 4, "data.class_order has 4 entries, but the dataset has 5 classes"},
        {0, 1, good, 6, "data.class_order has 6 entries"},
        {0, 1, good, 0, "data.class_order has 0 entries"},
        {0, 1, twice, 5, "entries 1 and 3 (counted from 0) are both 1"},
        {0, 1, large, 5, "entry 4 (counted from 0) is 5; the dataset's labels are 0 to 4"},
        {0, 1, negative, 5, "entry 1 (counted from 0) is -1"},
        {0, 0, NULL, 0, "data.classes_per_task is 0"},
        {0, -2, NULL, 0, "data.classes_per_task is -2"},
        {0, 6, NULL, 0, "data.classes_per_task is 6; the dataset's 5 classes allow 1 to 5"},
        {6, 1, NULL, 0, "data.first_classes is 6"},
        {-1, 1, NULL, 0, "data.first_classes is -1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lae_sequence sequence;
        assert_refused(sequence_of(5, cases[i].first, cases[i].per_task, cases[i].order,
                                   cases[i].count, &sequence),
                       cases[i].said);
        assert_null(sequence.class_order); /* empty after an error */
        assert_int_equal(sequence.tasks, 0);
        lae_sequence_free(&sequence);
    }
}

/* A quarter of the eight images of each of the task's classes; not those that validation holds out,
 * which are numbers of another purpose. */
static void a_share_of_a_task_is_set_aside(void **state)
{
    (void)state;
    struct lae_data_options options = synthetic(12, 8, 1, 1);
    options.classes_per_task = 4;
    struct lae_dataset dataset, dealt;
    struct lae_sequence sequence;
    bool held[32], again[32], of_other[32], validation[96] = {false};
    size_t common = 0;
    assert_null(lae_dataset_open(&options, &dataset));
    assert_null(lae_sequence_create(&options, &dataset, &sequence));
    assert_int_equal(sequence.images[LAE_TRAIN][2].count, 32);
    assert_null(lae_sequence_set_aside(&sequence, &dataset, 2, 0.25, held));
    assert_null(lae_sequence_set_aside(&sequence, &dataset, 2, 0.25, again));
    assert_null(lae_sequence_set_aside(&sequence, &dataset, 0, 0.75, of_other));
    assert_memory_equal(held, again, sizeof held);
    for (size_t class = 0; class < 4; class ++) {
        size_t count = 0, count_of_other = 0;
        for (size_t i = 8 * class; i < 8 * class + 8; i++) {
            count += held[i];
            count_of_other += of_other[i];
        }
        assert_int_equal(count, 2);
        assert_int_equal(count_of_other, 6);
    }
    assert_null(lae_dataset_open(&options, &dealt));
    assert_null(lae_dataset_hold_out(&dealt, 0.25));
    for (size_t i = 0; i < dealt.count[LAE_TEST]; i++)
        validation[lae_dataset_number(&dealt, LAE_TEST, i)] = true;
    for (size_t i = 0; i < 32; i++)
        common += held[i] && validation[64 + i];
    assert_in_range(common, 0, 7);
    lae_sequence_free(&sequence);
    lae_dataset_close(&dealt);
    lae_dataset_close(&dataset);
}

/* Parts of CIFAR may lack classes, but not all classes of a task. */
static void a_task_without_images_is_refused(void **state)
{
    const struct part some[] = {
        {"train.bin", C100, 95, 0}, {"test.bin", C100, 60, 40}, {NULL, 0, 0, 0}};
    put_parts(*state, "", some);
    struct lae_dataset dataset;
    struct lae_sequence sequence;
    open_data(LAE_DATASET_CIFAR100, at(*state, ""), &dataset);
    struct lae_data_options options = options_of(LAE_DATASET_CIFAR100, NULL);

    options.classes_per_task = 5;
    assert_refused(lae_sequence_create(&options, &dataset, &sequence),
                   "task 19 (dataset labels 95, 96, 97, 98, 99) has no training images");
    options.classes_per_task = 10; /* labels 90..94 are there */
    assert_refused(lae_sequence_create(&options, &dataset, &sequence),
                   "task 0 (dataset labels 0, 1, 2, 3, 4, 5, 6, 7, 8, 9) has no test images");
    options.classes_per_task = 40;
    options.first_classes = 40;
    assert_refused(lae_sequence_create(&options, &dataset, &sequence), ", ...) has no test images");
    options.first_classes = 50;
    options.classes_per_task = 50;
    assert_null(lae_sequence_create(&options, &dataset, &sequence));
    assert_int_equal(sequence.images[LAE_TRAIN][1].count, 45);
    assert_int_equal(sequence.images[LAE_TEST][0].count, 10);
    lae_sequence_free(&sequence);
    lae_dataset_close(&dataset);
}

/* ---- Shuffling ------------------------------------------------------------------------------- */

enum { SHUFFLED = 500 };

static void assert_permutation(const uint32_t *order, size_t count)
{
    bool seen[SHUFFLED] = {false};
    for (size_t i = 0; i < count; i++) {
        assert_in_range(order[i], 0, count - 1);
        assert_false(seen[order[i]]);
        seen[order[i]] = true;
    }
}

static void shuffles_are_permutations_that_differ(void **state)
{
    (void)state;
    const struct {
        uint64_t seed;
        int task, epoch;
    } streams[] = {{1, 0, 0}, {1, 0, 1}, {1, 1, 0}, {2, 0, 0}, {1ull << 32 | 1, 0, 0}};
    enum { COUNT = sizeof streams / sizeof streams[0] };
    uint32_t orders[COUNT][SHUFFLED], again[SHUFFLED];
    for (int i = 0; i < COUNT; i++) {
        lae_sequence_shuffle(streams[i].seed, streams[i].task, streams[i].epoch, SHUFFLED, true,
                             orders[i]);
        lae_sequence_shuffle(streams[i].seed, streams[i].task, streams[i].epoch, SHUFFLED, true,
                             again);
        assert_permutation(orders[i], SHUFFLED);
        assert_memory_equal(orders[i], again, sizeof again);
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(orders[i], orders[j], sizeof again);
    }
}

/* Resumed runs depend on it. The numbers are from an independent Philox, written out in Python. */
static void the_shuffle_never_changes(void **state)
{
    (void)state;
    const uint32_t wanted[12] = {8, 6, 2, 0, 3, 11, 7, 9, 5, 4, 1, 10};
    uint32_t order[12];
    lae_sequence_shuffle(1993, 4, 2, 12, true, order);
    assert_memory_equal(order, wanted, sizeof order);
}

static void without_shuffling_the_order_stays(void **state)
{
    (void)state;
    uint32_t order[SHUFFLED] = {0};
    lae_sequence_shuffle(1, 2, 3, SHUFFLED, false, order);
    for (uint32_t i = 0; i < SHUFFLED; i++)
        assert_int_equal(order[i], i);
    lae_sequence_shuffle(1, 2, 3, 0, true, NULL);
    order[0] = 9;
    lae_sequence_shuffle(1, 2, 3, 1, true, order);
    assert_int_equal(order[0], 0);
}

/* Each of 6 images at each of 6 places about equally often: chi-square of 25 degrees of freedom,
 * 60 has a probability below 1e-4. */
static void every_place_is_equally_likely(void **state)
{
    (void)state;
    enum { N = 6, EPOCHS = 6000 };
    int counts[N][N] = {{0}};
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        uint32_t order[N];
        lae_sequence_shuffle(77, 1, epoch, N, true, order);
        for (int place = 0; place < N; place++)
            counts[place][order[place]]++;
    }
    double expected = (double)EPOCHS / (double)N, chi_square = 0;
    for (int i = 0; i < N * N; i++) {
        double difference = counts[i / N][i % N] - expected;
        chi_square += difference * difference / expected;
    }
    assert_true(chi_square < 60);
    assert_true(chi_square > 4); /* nor evener than chance */
}

#define PLACED(name) cmocka_unit_test_setup_teardown(name, make_data_place, remove_data_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACED(cifar100_is_read_from_a_directory),
        PLACED(cifar10_batches_come_in_order_of_their_numbers),
        PLACED(the_official_directories_are_found_below),
        PLACED(archives_hold_the_same),
        cmocka_unit_test(damaged_files_are_refused_by_name),
        PLACED(what_is_not_there_is_named),
        PLACED(half_a_dataset_is_not_taken_for_another),
        PLACED(another_dataset_is_recognised),
        PLACED(damaged_archives_are_refused),
        PLACED(a_spoilt_download_is_refused),
        PLACED(the_digest_is_that_of_the_records),
        cmocka_unit_test(the_synthetic_digest_tells_parameters_apart),
        cmocka_unit_test(synthetic_images_are_numbered_class_by_class),
        cmocka_unit_test(a_share_of_each_class_is_held_out),
        cmocka_unit_test(a_share_of_a_task_is_set_aside),
        cmocka_unit_test(the_images_held_out_are_spread),
        cmocka_unit_test(impossible_synthetic_data_are_refused),
        cmocka_unit_test(real_cifar100_is_read),
        cmocka_unit_test(tasks_are_cut_from_the_order),
        cmocka_unit_test(the_order_says_which_class_comes_when),
        cmocka_unit_test(a_subset_is_learned),
        cmocka_unit_test(impossible_sequences_are_refused),
        PLACED(a_task_without_images_is_refused),
        cmocka_unit_test(shuffles_are_permutations_that_differ),
        cmocka_unit_test(the_shuffle_never_changes),
        cmocka_unit_test(without_shuffling_the_order_stays),
        cmocka_unit_test(every_place_is_equally_likely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
