/* CIFAR's Python files: what Python and NumPy wrote (fixtures/python) against the binary form of
 * the same images, and pickles that are cut, changed or mean something else. */
#define _GNU_SOURCE /* nftw flags */
#include "../../src/data/pickle.h"
#include "lae/data/dataset.h"
#include "lae/files/digest.h"
#include "lae/files/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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

enum { PATH_SIZE = 512 };

static int make_place(void **state)
{
    const char *parent = getenv("TMPDIR");
    char *place = malloc(PATH_SIZE);
    assert_non_null(place);
    snprintf(place, PATH_SIZE, "%s/lae-test-pickle-XXXXXX", parent != NULL ? parent : "/tmp");
    assert_non_null(mkdtemp(place));
    *state = place;
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

static int remove_place(void **state)
{
    nftw(*state, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return 0;
}

static void fixture_path(const char *name, char path[PATH_SIZE])
{
    const char *root = getenv("LAE_TEST_SOURCE");
    snprintf(path, PATH_SIZE, "%s/tests/unit/fixtures/python/%s", root != NULL ? root : ".", name);
}

/* A fixture in memory of just its size, so that reading past it shows; free(). */
static unsigned char *load(const char *name, size_t *size)
{
    char path[PATH_SIZE];
    fixture_path(name, path);
    struct lae_map map;
    lae_status status = lae_map_open(path, &map);
    if (status != NULL) fail_msg("%s", lae_status_message(status));
    unsigned char *bytes = malloc(map.size);
    assert_non_null(bytes);
    memcpy(bytes, map.data, map.size);
    *size = map.size;
    lae_map_close(&map);
    return bytes;
}

/* A fixture under another name in the place. */
static void copy(const char *place, const char *name, const char *to)
{
    char path[2 * PATH_SIZE];
    size_t size;
    unsigned char *bytes = load(name, &size);
    snprintf(path, sizeof path, "%s/%s", place, to);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    free(bytes);
}

static void open_data(enum lae_dataset_kind kind, const char *path, struct lae_dataset *dataset)
{
    struct lae_data_options options = {.dataset = kind, .path = path};
    lae_status status = lae_dataset_open(&options, dataset);
    if (status != NULL) fail_msg("%s", lae_status_message(status));
}

static void assert_same(const struct lae_dataset *a, const struct lae_dataset *b)
{
    char digest_a[LAE_DIGEST_TEXT], digest_b[LAE_DIGEST_TEXT];
    for (int part = 0; part < LAE_SPLITS; part++) {
        assert_int_equal(a->count[part], b->count[part]);
        assert_int_equal(a->bytes[part], b->bytes[part]);
        assert_memory_equal(a->records[part], b->records[part], a->bytes[part]);
    }
    assert_null(lae_dataset_digest(a, digest_a));
    assert_null(lae_dataset_digest(b, digest_b));
    assert_string_equal(digest_a, digest_b);
}

/* Directory, and an archive as the official one is laid out, against the binary form. */
static void test_cifar100(void **state)
{
    struct lae_dataset binary, python;
    char path[PATH_SIZE], archive[2 * PATH_SIZE], inside[2 * PATH_SIZE];
    const char *const names[] = {"train", "test", "meta"};
    copy(*state, "train.bin", "train.bin");
    copy(*state, "test.bin", "test.bin");
    open_data(LAE_DATASET_CIFAR100, *state, &binary);
    assert_null(binary.class_names); /* the names' file may be missing */

    snprintf(inside, sizeof inside, "%s/cifar-100-python", (char *)*state);
    snprintf(archive, sizeof archive, "%s/images.tar.gz", (char *)*state);
    assert_int_equal(mkdir(inside, 0777), 0);
    struct archive *writer = archive_write_new();
    archive_write_set_format_pax_restricted(writer);
    archive_write_add_filter_gzip(writer);
    assert_int_equal(archive_write_open_filename(writer, archive), ARCHIVE_OK);
    for (int i = 0; i < 3; i++) {
        size_t size;
        unsigned char *bytes = load(names[i], &size);
        snprintf(path, sizeof path, "cifar-100-python/%s", names[i]);
        copy(*state, names[i], path);
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, path);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_size(entry, (la_int64_t)size);
        assert_int_equal(archive_write_header(writer, entry), ARCHIVE_OK);
        assert_int_equal(archive_write_data(writer, bytes, size), size);
        archive_entry_free(entry);
        free(bytes);
    }
    assert_int_equal(archive_write_close(writer), ARCHIVE_OK);
    archive_write_free(writer);

    const char *const places[] = {inside, archive};
    for (int i = 0; i < 2; i++) {
        open_data(LAE_DATASET_CIFAR100, places[i], &python);
        assert_same(&binary, &python);
        assert_string_equal(python.class_names[0], "fine 0");
        assert_string_equal(python.class_names[99], "fine 99");
        lae_dataset_close(&python);
    }
    lae_dataset_close(&binary);
}

static void test_cifar10(void **state)
{
    struct lae_dataset binary, python;
    copy(*state, "data_batch_1", "data_batch_1");
    copy(*state, "data_batch_1", "data_batch_3");
    copy(*state, "data_batch_1", "test_batch");
    open_data(LAE_DATASET_CIFAR10, *state, &python);
    assert_int_equal(python.count[LAE_TRAIN], 2);
    copy(*state, "data_batch_1.bin", "data_batch_1.bin");
    copy(*state, "data_batch_1.bin", "data_batch_2.bin");
    copy(*state, "data_batch_1.bin", "test_batch.bin");
    open_data(LAE_DATASET_CIFAR10, *state, &binary);
    assert_same(&binary, &python);
    lae_dataset_close(&binary);
    lae_dataset_close(&python);
}

/* The same image and label, whoever wrote the file again. */
static void test_written_again(void **state)
{
    static const char *const names[] = {"protocol_2", "protocol_3", "protocol_4", "protocol_5",
                                        "numpy_2",    "int64",      "big_endian", "scalar",
                                        "tuple",      "bytes_keys", "planes"};
    struct lae_dataset binary, python;
    char name[80], path[2 * PATH_SIZE];
    copy(*state, "data_batch_1", "data_batch_1");
    copy(*state, "data_batch_1", "test_batch");
    open_data(LAE_DATASET_CIFAR10, *state, &binary);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(name, sizeof name, "again_%s", names[i]);
        copy(*state, name, "data_batch_1");
        print_message("%s\n", name);
        open_data(LAE_DATASET_CIFAR10, *state, &python);
        assert_same(&binary, &python);
        lae_dataset_close(&python);
    }
    lae_dataset_close(&binary);
    copy(*state, "again_pixels", "data_batch_1");
    snprintf(path, sizeof path, "%s", (char *)*state);
    struct lae_data_options options = {.dataset = LAE_DATASET_CIFAR10, .path = path};
    lae_status status = lae_dataset_open(&options, &python);
    assert_non_null(strstr(lae_status_message(status), "its \"data\" are [1, 32, 32, 3]"));
    lae_status_free(status);
}

/* No prefix is a pickle, nor is one with anything after it. */
static void test_cut(void **state)
{
    (void)state;
    struct lae_pickle *pickle;
    const char *const names[] = {
        "train",      "test", "meta", "data_batch_1", "again_protocol_2", "again_protocol_5",
        "again_int64"};
    for (int i = 0; i < 7; i++) {
        size_t size;
        unsigned char *whole = load(names[i], &size);
        for (size_t cut = 0; cut < size; cut += cut < 200 || cut + 600 > size ? 1 : 97) {
            unsigned char *bytes = malloc(cut + 1);
            assert_non_null(bytes);
            memcpy(bytes, whole, cut);
            lae_status status = lae_pickle_read("cut", bytes, cut, &pickle);
            assert_int_equal(lae_status_code(status), LAE_BAD_INPUT);
            assert_null(pickle);
            lae_status_free(status);
            free(bytes);
        }
        free(whole);
    }
}

static size_t shape_product(const struct lae_pickle *pickle, const struct lae_pickle_value *array)
{
    uint32_t shape[LAE_PICKLE_AXES];
    size_t product = 1;
    for (uint32_t axes = lae_pickle_shape(pickle, array, shape); axes-- > 0;)
        product *= shape[axes];
    return product;
}

/* A changed byte may give other labels or pixels, but never what is none. */
static void flip_all(const char *name, bool within)
{
    size_t size, refused = 0;
    unsigned char *bytes = load(name, &size);
    for (size_t bit = 0; bit < 8 * size; bit += bit < 8 * 400 ? 1 : 409) {
        struct lae_pickle *pickle;
        const struct lae_pickle_value *data;
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        lae_status status = lae_pickle_read("flipped", bytes, size, &pickle);
        if (status == NULL) status = lae_pickle_find(pickle, "data", 1u << LAE_PICKLE_ARRAY, &data);
        if (status == NULL) {
            size_t item = (size_t)(data->number < 0 ? -data->number : data->number);
            assert_int_equal(shape_product(pickle, data) * item, data->size);
            assert_true(!within ||
                        (data->bytes >= bytes && data->bytes + data->size <= bytes + size));
        } else {
            assert_int_equal(lae_status_code(status), LAE_BAD_INPUT);
            refused++;
        }
        lae_status_free(status);
        lae_pickle_free(pickle);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    assert_true(refused > 500);
    free(bytes);
}

static void test_flipped(void **state)
{
    (void)state;
    flip_all("data_batch_1", true);
    flip_all("again_protocol_2", false); /* bytes of its own */
    flip_all("again_protocol_4", true);
    flip_all("again_protocol_5", true);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *word;
    } pickles[] = {
#define PICKLE(text) "\x80\x02" text, sizeof text + 1
        {"", 0, "cut short"},
        {"\x80\x06}.", 4, "a pickle of protocol 6; 2 to 5 are read"},
        {"\x80\x01}.", 4, "a pickle of protocol 1; 2 to 5 are read"},
        {"(dp0\n.", 6, "no pickle of protocol 2 to 5 (older ones: write it again"},
        {PICKLE("cos\nsystem\nU\4true\x85R."), "byte 2: asks Python for os.system"},
        {PICKLE("c__builtin__\neval\n."), "asks Python for __builtin__.eval"},
        {PICKLE("U\2osU\6system\x93."), "asks Python for os.system"},
        {PICKLE("U\2osK\1\x93."), "a name that is none"},
        {PICKLE("cos"), "a name without an end"},
        {PICKLE("}X\1\0\0\0aK\1s\x8f."), "an instruction that is not known"},
        {PICKLE("}\x95\xff\0\0\0\0\0\0\0."), "cut short"},
        {PICKLE("}\x8d\xff\xff\xff\xff\xff\xff\xff\xff."), "cut short"},
        {PICKLE("}\x8a\x09"
                "123456789."),
         "a whole number of more than 64 bits"},
        {PICKLE("}\x97."), "its data lie in another file"},
        {PICKLE("c_codecs\nencode\nU\1aU\5utf-8\x86R."), "an encoding that is not known"},
        {PICKLE("c_codecs\nencode\nU\2\xc4\x80U\6latin1\x86R."), "characters that are no bytes"},
        {PICKLE("c_codecs\nencode\nU\1\xc3U\6latin1\x86R."), "characters that are no bytes"},
        {PICKLE("c_codecs\nencode\nq\0U\x14"
                "12345678901234567890q\1U\6latin1q\2\x86R"
                "h\0h\1h\2\x86Rh\0h\1h\2\x86Rh\0h\1h\2\x86Rh\0h\1h\2\x86R"),
         "one text, made bytes twice"},
        {PICKLE("K\1."), "it is no dictionary"},
        {PICKLE("}}."), "it is no dictionary"},
        {PICKLE("."), "it is no dictionary"},
        {PICKLE("(}."), "it is no dictionary"},
        {PICKLE("}.."), "bytes after its end"},
        {PICKLE("}a."), "too few values"},
        {PICKLE("}K\1a."), "adds items to what has none"},
        {PICKLE("]U\1aK\1s."), "adds items to what has none"},
        {PICKLE("}(K\1u."), "a key without a value"},
        {PICKLE("}u."), "there is no mark"},
        {PICKLE("(K\1e."), "too few values"},
        {PICKLE("}(K\1\x86."), "too few values"},
        {PICKLE("}h\0."), "a memo number that nothing has"},
        {PICKLE("}r\xff\xff\xff\xff."), "a memo number too large"},
        {PICKLE("cnumpy\ndtype\nU\2f4K\0K\1\x87R."),
         "an array of something else than whole numbers"},
        {PICKLE("cnumpy\ndtype\nK\0\x85R."), "calls what is not known"},
        {PICKLE("}Nb."), "a state for what has none"},
        {PICKLE("cnumpy\ndtype\nU\2u1K\0K\1\x87RNb."), "the type of an array that is not known"},
    };
    for (size_t i = 0; i < sizeof pickles / sizeof pickles[0]; i++) {
        struct lae_pickle *pickle;
        const unsigned char *bytes = (const unsigned char *)pickles[i].bytes;
        lae_status status = lae_pickle_read("made", bytes, pickles[i].size, &pickle);
        if (lae_status_code(status) != LAE_BAD_INPUT ||
            strstr(lae_status_message(status), pickles[i].word) == NULL)
            fail_msg("pickle %zu: no \"%s\": %s", i, pickles[i].word, lae_status_message(status));
        lae_status_free(status);
    }
}

/* A list that holds itself, and one value under two keys: no harm. */
static void test_shared_values(void **state)
{
    (void)state;
    static const unsigned char bytes[] = "\x80\x02}(U\1a]q\1h\1aU\1bh\1u.";
    struct lae_pickle *pickle;
    const struct lae_pickle_value *a, *b;
    assert_null(lae_pickle_read("made", bytes, sizeof bytes - 1, &pickle));
    assert_null(lae_pickle_find(pickle, "a", 1u << LAE_PICKLE_LIST, &a));
    assert_null(lae_pickle_find(pickle, "b", 1u << LAE_PICKLE_LIST, &b));
    assert_ptr_equal(a, b);
    assert_int_equal(a->count, 1);
    uint32_t place = a->first;
    assert_ptr_equal(lae_pickle_next(pickle, &place), a);
    assert_null(lae_pickle_next(pickle, &place));
    lae_status status = lae_pickle_find(pickle, "a", 1u << LAE_PICKLE_ARRAY, &a);
    assert_non_null(strstr(lae_status_message(status), "its \"a\" is of another kind"));
    lae_status_free(status);
    status = lae_pickle_find(pickle, "c", 1u << LAE_PICKLE_LIST, &a);
    assert_non_null(strstr(lae_status_message(status), "has no \"c\""));
    lae_status_free(status);
    lae_pickle_free(pickle);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_cifar100),
        TEST(test_cifar10),
        TEST(test_written_again),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_shared_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
