/* PyTorch's files that are damaged, hostile or something else; what PyTorch wrote is read in
 * test_weights.c. */
#define _GNU_SOURCE /* nftw's flags */
#include "weight_files.h"

#define WHOLE "no tensor has a name known" /* what is refused is read well up to there */
#define FLOATS 4096                        /* numbers in storage 0 */

static void append_word(struct bytes *pickle, const char *text)
{
    append_text(pickle, "X");
    append_number(pickle, strlen(text), 4);
    append_text(pickle, "%s", text);
}

static void append_extents(struct bytes *pickle, const size_t *extents, int rank)
{
    append_text(pickle, "(");
    for (int i = 0; i < rank; i++) {
        append_text(pickle, "J");
        append_number(pickle, extents[i], 4);
    }
    append_text(pickle, "t");
}

/* What a tensor's call says, and may say wrongly. */
struct call {
    const char *storage, *key;
    uint32_t count, offset;
    size_t shape[4], strides[4];
    int rank;
};

static void append_call(struct bytes *pickle, const struct call *call)
{
    append_text(pickle, "ctorch._utils\n_rebuild_tensor_v2\n((");
    append_word(pickle, "storage");
    append_text(pickle, "ctorch\n%s\n", call->storage);
    append_word(pickle, call->key);
    append_word(pickle, "cpu");
    append_text(pickle, "J");
    append_number(pickle, call->count, 4);
    append_text(pickle, "tQJ");
    append_number(pickle, call->offset, 4);
    append_extents(pickle, call->shape, call->rank);
    append_extents(pickle, call->strides, call->rank);
    append_text(pickle, "\x89"
                        "ccollections\nOrderedDict\n)RtR");
}

static struct bytes dictionary_of(const struct call *call)
{
    struct bytes pickle = {0};
    append_text(&pickle, "\x80\x02}(");
    append_word(&pickle, "cls_token");
    append_call(&pickle, call);
    append_text(&pickle, "u.");
    return pickle;
}

/* A zip around a pickle, with one storage; `more`: one entry more, of `content`. */
static void save_zip(const char *path, const struct bytes *pickle, const char *more,
                     const char *content)
{
    static unsigned char numbers[4 * FLOATS];
    struct bytes storage = {.data = numbers, .size = sizeof numbers}, extra = {0};
    struct archive *zip = create_zip(path, false);
    put_entry(zip, "name/data.pkl", pickle);
    put_entry(zip, "name/data/0", &storage);
    if (more != NULL) {
        append_text(&extra, "%s", content);
        put_entry(zip, more, &extra);
    }
    close_zip(zip);
    free_bytes(&extra);
}

static void test_bad_tensors(void **state)
{
    static const struct {
        struct call call;
        const char *wanted;
    } cases[] = {
        {{"FloatStorage", "0", FLOATS, 0, {1, 1, 8}, {8, 8, 1}, 3}, WHOLE},
        {{"FloatStorage", "1", FLOATS, 0, {8}, {1}, 1}, "tensor cls_token: its storage is missing"},
        {{"FloatStorage", "0", FLOATS + 1, 0, {8}, {1}, 1}, "holds 4096 numbers instead of 4097"},
        {{"DoubleStorage", "0", FLOATS, 0, {8}, {1}, 1}, "holds 2048 numbers instead of 4096"},
        {{"FloatStorage", "0", FLOATS, FLOATS - 7, {8}, {1}, 1}, "it lies beyond its storage"},
        {{"FloatStorage", "0", FLOATS, FLOATS, {1}, {1}, 1}, "it lies beyond its storage"},
        {{"FloatStorage", "0", FLOATS, 0, {2}, {FLOATS}, 1}, "it lies beyond its storage"},
        {{"FloatStorage", "0", FLOATS, 0, {64, 64}, {65, 1}, 2}, "it lies beyond its storage"},
        {{"FloatStorage", "0", FLOATS, 0, {FLOATS, 2}, {1, 0}, 2}, "it lies beyond its storage"},
        {{"FloatStorage", "0", 8, 0, {FLOATS}, {0}, 1}, "it lies beyond its storage"},
        {{"FloatStorage", "0", FLOATS, 0, {1, 1, 0xffffffff}, {8, 8, 1}, 3}, "are none"},
        {{"FloatStorage", "0", FLOATS, 0, {1, 1, 8}, {8, 8, 0xffffffff}, 3}, "are none"},
        {{"FloatStorage", "0", FLOATS, 0xfffffff0, {8}, {1}, 1}, "it lies beyond its storage"},
        {{"FloatStorage", "0", 0xffffffff, 0, {8}, {1}, 1}, "is not told as it should be"},
        {{"LongStorage", "0", 100, 0, {1, 1, 8}, {8, 8, 1}, 3}, WHOLE},
        {{"OddStorage", "0", FLOATS, 0, {8}, {1}, 1}, "asks Python for torch.OddStorage"},
    };
    const char *path = at(state, "bad.pth");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes pickle = dictionary_of(&cases[i].call);
        save_zip(path, &pickle, NULL, NULL);
        assert_refused(path, cases[i].wanted);
        free_bytes(&pickle);
    }
}

/* Many tensors of the same numbers would fill any memory. */
static void test_aliasing(void **state)
{
    const struct call call = {"FloatStorage", "0", FLOATS, 0, {64, 64}, {64, 1}, 2};
    const char *path = at(state, "bomb.pth");
    struct bytes pickle = {0};
    append_text(&pickle, "\x80\x02}(");
    for (int i = 0; i < 9; i++) {
        char name[40];
        snprintf(name, sizeof name, "blocks.%d.mlp.fc1.weight", i);
        append_word(&pickle, name);
        append_call(&pickle, &call);
    }
    append_text(&pickle, "u.");
    save_zip(path, &pickle, NULL, NULL);
    assert_refused(path, "made of the same numbers over and over");
    free_bytes(&pickle);
}

/* Pickles that ask for more than tensors, or have none. */
static void test_hostile(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *wanted;
    } cases[] = {
#define PICKLE(text) "\x80\x02" text, sizeof text + 1
        {PICKLE("cos\nsystem\nX\4\0\0\0true\x85R."), "asks Python for os.system; weights need"},
        {PICKLE("cposix\nsystem\nX\4\0\0\0true\x85R."), "asks Python for posix.system"},
        {PICKLE("c__builtin__\neval\nX\1\0\0\0001\x85R."), "asks Python for __builtin__.eval"},
        {PICKLE("cbuiltins\ngetattr\n."), "asks Python for builtins.getattr"},
        {PICKLE("ctorch\nload\n."), "asks Python for torch.load"},
        {PICKLE("ctorch.storage\n_load_from_bytes\n."), "torch.storage._load_from_bytes"},
        {PICKLE("ctimm.models.vision_transformer\nVisionTransformer\n)\x81."),
         "asks Python for timm.models.vision_transformer.VisionTransformer"},
        {PICKLE("X\2\0\0\0osX\6\0\0\0system\x93."), "asks Python for os.system"},
        {PICKLE("}."), "holds no tensors in a dictionary"},
        {PICKLE("K\1."), "holds no dictionary"},
        {PICKLE("]."), "holds no dictionary"},
        {PICKLE("}X\5\0\0\0model}s."), "holds no tensors in a dictionary"},
        {PICKLE("ccollections\nOrderedDict\n)R."), "holds no tensors in a dictionary"},
        {PICKLE("ctorch._utils\n_rebuild_tensor_v2\n)R."), "holds no dictionary"},
        {PICKLE("}X\5\0\0\0modelh\0s."), "a memo number that nothing has"},
        {PICKLE("}q\0X\5\0\0\0modelh\0s."), "holds no tensors in a dictionary"}, /* itself */
        {PICKLE("}"), "cut short"},
        {"\x80\x01}.", 4, "a pickle of protocol 1"},
        {"", 0, "cut short"},
    };
    const char *path = at(state, "hostile.pth");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes pickle = {.data = (unsigned char *)cases[i].bytes, .size = cases[i].size};
        save_zip(path, &pickle, NULL, NULL);
        assert_refused(path, cases[i].wanted);
    }
}

/* Dictionaries of dictionaries: a known key counts, a lone one is taken, of two nobody knows. */
static void test_dictionaries(void **state)
{
    const struct call call = {"FloatStorage", "0", FLOATS, 0, {1, 1, 8}, {8, 8, 1}, 3};
    static const struct {
        const char *keys[2];
        const char *wanted;
    } cases[] = {
        {{"odd", NULL}, "tensor pos_embed is missing"},
        {{"odd", "even"},
         "holds several sets of tensors, and none under model or state_dict: odd, "},
        {{"model", "even"}, "tensor pos_embed is missing"},
        {{"even", "state_dict"}, "tensor pos_embed is missing"},
    };
    const char *path = at(state, "under.pth");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes pickle = {0};
        append_text(&pickle, "\x80\x02}(");
        for (int k = 0; k < 2 && cases[i].keys[k] != NULL; k++) {
            append_word(&pickle, cases[i].keys[k]);
            append_text(&pickle, "}(");
            append_word(&pickle, "cls_token");
            append_call(&pickle, &call);
            append_word(&pickle, "patch_embed.proj.weight");
            append_call(&pickle, &call);
            append_text(&pickle, "u");
        }
        append_text(&pickle, "u.");
        save_zip(path, &pickle, NULL, NULL);
        assert_refused(path, cases[i].wanted);
        free_bytes(&pickle);
    }
}

static void test_archives(void **state)
{
    static const struct {
        const char *entry, *content, *wanted;
    } cases[] = {
        {"name/byteorder", "big", "a number's highest byte first"},
        {"name/byteorder", "", "a number's highest byte first"},
        {"name/byteorder", "little", WHOLE},
        {"name/version", "3\n", WHOLE},
        {"name/constants.pkl", "", "is a TorchScript program"},
        {"other/data.pkl", "", "has two data.pkl"},
        {"other/data/0", "", "storage 0 is there twice"},
    };
    const struct call call = {"FloatStorage", "0", FLOATS, 0, {1, 1, 8}, {8, 8, 1}, 3};
    const char *path = at(state, "archive.pth");
    struct bytes pickle = dictionary_of(&call);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        save_zip(path, &pickle, cases[i].entry, cases[i].content);
        assert_refused(path, cases[i].wanted);
    }
    free_bytes(&pickle);
}

/* A fixture's bytes. */
static struct bytes fixture(const char *name)
{
    char path[2 * PATH_SIZE];
    const char *root = getenv("LAE_TEST_SOURCE");
    if (root == NULL) fail_msg("LAE_TEST_SOURCE, the source tree, is not set");
    snprintf(path, sizeof path, "%s/tests/reference/weights/torch/%s", root, name);
    return load_bytes(path);
}

/* No part of a file is a file. */
static void test_cut(void **state)
{
    static const char *const names[] = {"timm.pth", "flat-legacy.pth", "legacy.bin"};
    const char *path = at(state, "cut");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct bytes file = fixture(names[i]);
        for (size_t size = 0; size < file.size;
             size += size < 64 || size + 64 > file.size ? 1 : 173) {
            save_bytes(path, file.data, size);
            assert_refused(path, "");
        }
        append_bytes(&file, "x", 1);
        if (i > 0) {
            save_bytes(path, file.data, file.size);
            assert_refused(path, "has 1 bytes behind its last storage");
        }
        free_bytes(&file);
    }
}

/* Any bit may be another: that is refused as bad input, or read. */
static void test_flipped(void **state)
{
    static const char *const names[] = {"timm.pth", "flat-legacy.pth"};
    const char *path = at(state, "flipped");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct bytes file = fixture(names[i]);
        size_t refused = 0;
        for (size_t bit = 0; bit < 8 * file.size; bit += bit < 8 * 1500 ? 7 : 1021) {
            struct lae_weights weights;
            file.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
            save_bytes(path, file.data, file.size);
            lae_status status = lae_weights_read(path, NULL, &weights);
            refused += status != NULL;
            assert_true(status == NULL || lae_status_code(status) == LAE_BAD_INPUT);
            if (status == NULL) lae_weights_free(&weights);
            lae_status_free(status);
            file.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
        assert_true(refused > 500);
        free_bytes(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bad_tensors), TEST(test_aliasing), TEST(test_hostile), TEST(test_dictionaries),
        TEST(test_archives),    TEST(test_cut),      TEST(test_flipped),
    };
    return cmocka_run_group_tests_name("torch", tests, NULL, NULL);
}
