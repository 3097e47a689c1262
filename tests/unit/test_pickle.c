/* CIFAR's Python files: what Python and NumPy wrote (fixtures/python) against the binary form of
 * the same images, and pickles that are cut, changed or mean something else. */
#define _GNU_SOURCE /* nftw flags */
#include "../../src/data/cifar_python.h"
#include "../../src/data/numpy_array.h"
#include "lae/data/dataset.h"
#include "lae/files/digest.h"
#include "lae/files/map.h"
#include "lae/files/pickle.h"

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

#include "place.h"

enum { PATH_SIZE = PLACE_SIZE };

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

static void assert_pointed(const char *path, double share, const char *word)
{
    struct lae_dataset dataset;
    struct lae_data_options options = {
        .dataset = LAE_DATASET_CIFAR100, .path = path, .validation_share = share};
    lae_status status = lae_dataset_open(&options, &dataset);
    if (status == NULL || strstr(lae_status_message(status), word) == NULL)
        fail_msg("no \"%s\": %s", word, lae_status_message(status));
    lae_status_free(status);
}

/* What lies beside the place that was named is pointed at; test images that nobody needs may be
 * missing. */
static void test_places(void **state)
{
    struct lae_dataset dataset;
    char path[2 * PATH_SIZE];
    copy(*state, "train.bin", "train.bin");
    snprintf(path, sizeof path, "%s/train.bin", (char *)*state);
    assert_pointed(path, 0, "is one of the dataset's files; give the directory");
    assert_pointed(*state, 0, "no test.bin; data.dataset=cifar100 needs");
    struct lae_data_options options = {
        .dataset = LAE_DATASET_CIFAR100, .path = *state, .validation_share = 0.5};
    assert_null(lae_dataset_open(&options, &dataset));
    assert_int_equal(dataset.count[LAE_TRAIN], 3);
    assert_int_equal(dataset.count[LAE_TEST], 0);
    lae_dataset_close(&dataset);
    copy(*state, "train", "cifar-100-python.tar.gz");
    assert_pointed(*state, 0, "but cifar-100-python.tar.gz is there, which is read as it is");
    assert_int_equal(remove(path), 0);
    assert_pointed(*state, 0.5, "cifar-100-python.tar.gz is there");
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
            lae_status status =
                lae_pickle_read("cut", bytes, cut, &lae_numpy_dialect, &pickle, NULL);
            assert_int_equal(lae_status_code(status), LAE_BAD_INPUT);
            assert_null(pickle);
            lae_status_free(status);
            free(bytes);
        }
        free(whole);
    }
}

static lae_status read_ten(const unsigned char *bytes, size_t size, unsigned char **records,
                           size_t *records_size)
{
    static const char *const keys[] = {"labels", NULL};
    *records = NULL;
    *records_size = 0;
    return lae_cifar_unpickle("made", bytes, size, keys, 3072, records, records_size);
}

/* A changed byte may give other labels or pixels, but never what is none. */
static void flip_all(const char *name)
{
    size_t size, refused = 0;
    unsigned char *bytes = load(name, &size);
    for (size_t bit = 0; bit < 8 * size; bit += bit < 8 * 400 ? 1 : 409) {
        unsigned char *records;
        size_t records_size;
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        lae_status status = read_ten(bytes, size, &records, &records_size);
        if (status == NULL) {
            assert_int_equal(records_size, 3073);
        } else {
            assert_int_equal(lae_status_code(status), LAE_BAD_INPUT);
            refused++;
        }
        lae_status_free(status);
        free(records);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    assert_true(refused > 500);
    free(bytes);
}

static void test_flipped(void **state)
{
    (void)state;
    flip_all("data_batch_1");
    flip_all("again_protocol_2"); /* bytes of its own */
    flip_all("again_protocol_4");
    flip_all("again_protocol_5");
}

struct refused {
    const char *bytes;
    size_t size;
    const char *word;
};

#define PICKLE(text) "\x80\x02" text, sizeof text + 1

static void test_refused(void **state)
{
    (void)state;
    static const struct refused pickles[] = {
        {"", 0, "cut short"},
        {"\x80\x06}.", 4, "a pickle of protocol 6; 2 to 5 are read"},
        {"\x80\x01}.", 4, "a pickle of protocol 1; 2 to 5 are read"},
        {"(dp0\n.", 6, "no pickle of protocol 2 to 5 (older ones: write it again"},
        {PICKLE("}\x97."), "its data lie in another file"},
        {PICKLE("cos\nsystem\nU\4true\x85R."), "byte 2: asks Python for os.system; CIFAR's files"},
        {PICKLE("c__builtin__\neval\n."), "asks Python for __builtin__.eval"},
        {PICKLE("\x8c\2os\x8c\6system\x93."), "byte 14: asks Python for os.system"},
        {PICKLE("cnumpy\nndarrays\n."), "asks Python for numpy.ndarrays"},
        {PICKLE("cnumpy\nndarra\n."), "asks Python for numpy.ndarra"},
        {PICKLE("cos"), "cut short"},
        {PICKLE("K\1K\2\x93."), "a name that is no text"},
        {PICKLE("i__builtin__\neval\n."), "an instruction that is not known"},
        {PICKLE("}(U\1aV\n\1u."), "an instruction that is not known"},
        {PICKLE("K\1Q."), "an instruction that is not known"},
        {PICKLE("}}."), "it is not one value"},
        {PICKLE("."), "it is not one value"},
        {PICKLE("(}."), "it is not one value"},
        {PICKLE("}.."), "bytes after its end"},
        {PICKLE("}a."), "too few values"},
        {PICKLE("0."), "too few values"},
        {PICKLE("2."), "too few values"},
        {PICKLE("1."), "there is no mark"},
        {PICKLE("\x94."), "too few values"},
        {PICKLE("\x93."), "too few values"},
        {PICKLE("}K\1a."), "adds items to what has none"},
        {PICKLE("]U\1aK\1s."), "adds items to what has none"},
        {PICKLE("}(K\1u."), "a key without a value"},
        {PICKLE("}u."), "there is no mark"},
        {PICKLE("(K\1e."), "too few values"},
        {PICKLE("}(K\1\x86."), "too few values"},
        {PICKLE("}h\0."), "a memo number that nothing has"},
        {PICKLE("}r\xff\xff\xff\xff."), "a memo number too large"},
        {PICKLE("\x8a\x09\1."), "cut short"},
        {PICKLE("\x8d\xff\xff\xff\xff\xff\xff\xff\xff."), "cut short"},
        {PICKLE("\x95\x10\0\0\0\0\0\0\0}."), "cut short"},
        {PICKLE("K\1)R."), "calls what is not known"},
        {PICKLE("cnumpy\ndtype\nK\1R."), "calls what is not known"},
        {PICKLE("}Nb."), "a state for what has none"},
        {PICKLE("cnumpy\ndtype\n)RNbNb."), "a second state"},
    };
    for (size_t i = 0; i < sizeof pickles / sizeof pickles[0]; i++) {
        struct lae_pickle *pickle;
        const unsigned char *bytes = (const unsigned char *)pickles[i].bytes;
        lae_status status =
            lae_pickle_read("made", bytes, pickles[i].size, &lae_numpy_dialect, &pickle, NULL);
        if (lae_status_code(status) != LAE_BAD_INPUT ||
            strstr(lae_status_message(status), pickles[i].word) == NULL)
            fail_msg("pickle %zu: no \"%s\": %s", i, pickles[i].word, lae_status_message(status));
        lae_status_free(status);
    }
}

/* Pickles that are whole, and no images. */
static void test_no_images(void **state)
{
    (void)state;
#define TYPE(text) "cnumpy\ndtype\n" text "\x87R(K\3U\1|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
#define DATA(text) "}U\4data" text "s."
#define EMPTY "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\1b\x87R"
#define LATIN(text, encoding) "c_codecs\nencode\n" text encoding "\x86R"
#define U1 TYPE("U\2u1K\0K\1")
    static const struct refused pickles[] = {
        {PICKLE("K\1."), "it is no dictionary"},
        {PICKLE("}."), "has no \"data\""},
        {PICKLE("}(U\4dataNU\4dataNu."), "has more than one \"data\""},
        {PICKLE(DATA("N")), "something else in an array's place"},
        {PICKLE(DATA(EMPTY)), "an array that is not filled"},
        {PICKLE(DATA(EMPTY "(K\1K\1K\1\x86NI\x89U\0tb")), "not known"},
        {PICKLE(DATA(EMPTY "(K\1K\1K\1\x86N\x89U\0tb")), "something else than whole numbers"},
        {PICKLE(DATA(EMPTY "(K\1K\1K\1\x86" TYPE("U\2f4K\0K\1") "\x89U\4abcdtb")),
         "something else than whole numbers"},
        {PICKLE(DATA(EMPTY "(K\1K\1K\2\x86" U1 "\x89U\1atb")), "does not go with its bytes"},
        {PICKLE(DATA(EMPTY "(K\1)" U1 "\x89U\2abtb")), "has not 1 to 4 axes"},
        {PICKLE(DATA(EMPTY "(K\1K\1K\2\x86" U1 "\x89U\2abtb")),
         "its \"data\" are [1, 2] numbers of 1 bytes"},
        {PICKLE(DATA(EMPTY "(K\1J\xff\xff\xff\xffK\1\x86" U1 "\x89U\0tb")), "shape is none"},
        {PICKLE(DATA(EMPTY "(K\1K\1K\1\x86" U1 "\x89Ntb")), "an array without its bytes"},
        {PICKLE(DATA(EMPTY "(K\1K\1K\1\x86"
                           "cnumpy\ndtype\nU\2u1K\0K\1\x87RNb\x89"
                           "U\1atb")),
         "the type of an array that is not known"},
        {PICKLE(DATA(EMPTY "(K\1K\1K\1\x86" U1 "\x89" LATIN("U\1a", "U\5utf-8") "tb")),
         "an array without its bytes"},
        {PICKLE(DATA(EMPTY "(K\1K\1K\1\x86" U1 "\x89" LATIN("U\2\xc4\x80", "U\6latin1") "tb")),
         "bytes that are written wrongly"},
        {PICKLE(DATA(EMPTY "(K\1K\1K\1\x86" U1 "\x89" LATIN("U\1\xc3", "U\6latin1") "tb")),
         "bytes that are written wrongly"},
    };
    for (size_t i = 0; i < sizeof pickles / sizeof pickles[0]; i++) {
        unsigned char *records;
        size_t size;
        lae_status status =
            read_ten((const unsigned char *)pickles[i].bytes, pickles[i].size, &records, &size);
        if (lae_status_code(status) != LAE_BAD_INPUT ||
            strstr(lae_status_message(status), pickles[i].word) == NULL)
            fail_msg("pickle %zu: no \"%s\": %s", i, pickles[i].word, lae_status_message(status));
        assert_null(records);
        lae_status_free(status);
    }
}

/* A list that holds itself, and one value under two keys: no harm. */
static void test_shared_values(void **state)
{
    (void)state;
    static const unsigned char bytes[] = "\x80\x02}(U\1a]q\1h\1aU\1bh\1u.";
    struct lae_pickle *pickle;
    const struct lae_pickle_value *item[4];
    assert_null(
        lae_pickle_read("made", bytes, sizeof bytes - 1, &lae_numpy_dialect, &pickle, NULL));
    uint32_t place = lae_pickle_top(pickle)->first;
    for (int i = 0; i < 4; i++)
        item[i] = lae_pickle_next(pickle, &place);
    assert_null(lae_pickle_next(pickle, &place));
    assert_true(lae_pickle_is_string(item[0], "a"));
    assert_ptr_equal(item[1], item[3]);
    assert_int_equal(item[1]->count, 1);
    place = item[1]->first;
    assert_ptr_equal(lae_pickle_next(pickle, &place), item[1]);
    assert_null(lae_pickle_next(pickle, &place));
    lae_pickle_free(pickle);
}

/* What other pickles than CIFAR's are made of, and one that something follows. */
static void test_values(void **state)
{
    (void)state;
    static const char *const globals[] = {"collections OrderedDict", NULL};
    static const struct lae_pickle_dialect dialect = {"nothing", globals, true, "none"};
    static const unsigned char bytes[] =
        "\x80\x04\x95\x2d\0\0\0\0\0\0\0(G?\xf8\0\0\0\0\0\0\x8a\2\0\x80\x8a\0\x8a\x09\1\2\3\4\5\6\7"
        "\x08\x09\x8c\x0b"
        "collections\x8c\x0bOrderedDict\x93\x94)R(K\1K\2uNbK\7Qh\0N0t.rest";
    struct lae_pickle *pickle;
    const struct lae_pickle_value *item[7];
    size_t used;
    assert_null(lae_pickle_read("made", bytes, sizeof bytes - 1, &dialect, &pickle, &used));
    assert_int_equal(used, sizeof bytes - 1 - strlen("rest"));
    assert_true(lae_pickle_take_apart(pickle, lae_pickle_top(pickle), 7, item));
    assert_true(item[0]->kind == LAE_PICKLE_REAL && item[0]->real == 1.5);
    assert_true(lae_pickle_is_number(item[1], -32768));
    assert_true(lae_pickle_is_number(item[2], 0));
    assert_true(item[3]->kind == LAE_PICKLE_LARGE && item[3]->size == 9);
    assert_true(lae_pickle_calls(pickle, item[4], 0));
    assert_int_equal(item[4]->count, 2);
    assert_int_equal(lae_pickle_at(pickle, item[4]->state)->kind, LAE_PICKLE_NONE);
    assert_int_equal(item[5]->kind, LAE_PICKLE_STORED);
    assert_true(lae_pickle_is_number(lae_pickle_at(pickle, item[5]->given), 7));
    assert_true(lae_pickle_is_global(item[6], 0));
    lae_pickle_free(pickle);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_cifar100),
        TEST(test_cifar10),
        TEST(test_written_again),
        TEST(test_places),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_images),
        cmocka_unit_test(test_shared_values),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
