/* Weight files, read and written: whatever the format, the naming and the type, the tensors are the
 * same. What must be refused is in test_weights_damage.c. */
#define _GNU_SOURCE /* nftw's flags */
#include "weight_files.h"

#include <math.h>

/* ---- Whole files ---------------------------------------------------------------------------- */

static void test_timm(void **state)
{
    static const char *const types[] = {"F32", "F16", "BF16"};
    const char *path = at(state, "anything.bin"); /* the ending must not matter */
    for (int head = 0; head < 2; head++)
        for (size_t i = 0; i < 3; i++) {
            struct network *network = timm();
            if (head) add_head(network, "head");
            save_safetensors(path, network, types[i],
                             i == 1 ? "\"__metadata__\":{\"a\":\"b\"}," : "");
            assert_reads_as(path, "timm safetensors", 1e-6, 0);
            free_network(network);
        }
}

static void test_transformers(void **state)
{
    const char *path = at(state, "model.h5");
    const char *const prefixes[] = {"", "vit."};
    for (int i = 0; i < 2; i++) {
        struct network *network = transformers(prefixes[i]);
        save_safetensors(path, network, "F32", "");
        assert_reads_as(path, "transformers safetensors", 1e-12, 0);
        add_head(network, i == 0 ? "pooler.dense" : "vit.pooler.dense");
        add_head(network, "classifier");
        save_safetensors(path, network, "BF16", "");
        assert_reads_as(path, "transformers safetensors", 1e-12, 0);
        free_network(network);
    }
}

static void test_google(void **state)
{
    const char *path = at(state, "model.safetensors");
    const char *const prefixes[] = {"", "opt/target/"};
    for (int i = 0; i < 2; i++) {
        struct network *network = google(prefixes[i]);
        save_npz(path, network, "<f4", 1, false);
        assert_reads_as(path, "Google npz", 1e-6, HEADS);
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "%shead/kernel", prefixes[i]);
        ADD(network, name, WIDTH, CLASSES);
        snprintf(name, sizeof name, "%spre_logits/kernel", prefixes[i]);
        ADD(network, name, WIDTH, WIDTH);
        for (int version = 1; version <= 3; version++) {
            save_npz(path, network, "<f2", version, true);
            assert_reads_as(path, "Google npz", 1e-6, HEADS);
        }
        free_network(network);
    }
}

/* numpy stores the transpose of an array column by column. */
static void test_column_major(void **state)
{
    const char *path = at(state, "columns.npz");
    struct network *network = google("");
    for (int i = 0; i < network->count; i++)
        network->items[i].column_major = network->items[i].rank == 2;
    save_npz(path, network, "<f4", 1, false);
    assert_reads_as(path, "Google npz", 1e-6, HEADS);
    free_network(network);
}

/* With more than ten blocks the names' order is not the blocks'. */
static void test_twelve_blocks(void **state)
{
    const char *path = at(state, "deep.safetensors");
    struct network *network = timm_of_depth(12);
    struct lae_weights weights;
    save_safetensors(path, network, "F32", "");
    read_well(path, &weights);
    assert_is(&weights, network);
    free_network(network);
    lae_weights_free(&weights);
}

static double value_of_half(unsigned half)
{
    int exponent = (int)(half >> 10 & 31u), fraction = (int)(half & 1023u);
    double size = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
    return (half & 0x8000u) != 0 ? -size : size;
}

/* All 65536 numbers of 16 bits, in one matrix; what is not finite is replaced by 0. */
static void test_sixteen_bits(void **state)
{
    const char *path = at(state, "half.safetensors");
    for (int brain = 0; brain < 2; brain++) {
        struct network *network = timm_of_depth(1);
        RESHAPE(find_tensor(network, "blocks.0.mlp.fc1.weight"), 65536 / WIDTH, WIDTH);
        RESHAPE(find_tensor(network, "blocks.0.mlp.fc1.bias"), 65536 / WIDTH);
        RESHAPE(find_tensor(network, "blocks.0.mlp.fc2.weight"), WIDTH, 65536 / WIDTH);
        struct bytes file = safetensors(network, brain ? "BF16" : "F16", "");
        size_t start = file.size;
        for (int i = network->count - 1; i >= 0; i--) {
            start -= 2 * network->items[i].count;
            if (strcmp(network->items[i].name, "blocks.0.mlp.fc1.weight") == 0) break;
        }
        unsigned mask = brain ? 0x7f80u : 0x7c00u;
        for (unsigned bits = 0; bits < 65536; bits++) {
            uint16_t stored = (bits & mask) == mask ? 0 : (uint16_t)bits;
            memcpy(file.data + start + 2 * bits, &stored, 2);
        }
        save_bytes(path, file.data, file.size);
        struct lae_weights weights;
        read_well(path, &weights);
        const float *found = lae_set_find(&weights.tensors, "blocks/0/mlp/fc1/weight")->data;
        for (unsigned bits = 0; bits < 65536; bits++) {
            uint32_t wanted = brain ? bits << 16 : bits_of((float)value_of_half(bits));
            if ((bits & mask) == mask) wanted = 0;
            if (bits_of(found[bits]) != wanted)
                fail_msg("%04x became %g", bits, (double)found[bits]);
        }
        lae_weights_free(&weights);
        free_bytes(&file);
        free_network(network);
    }
}

/* ---- Round trips ---------------------------------------------------------------------------- */

static void assert_round_trip(const struct lae_weights *first, const char *path, const char *format)
{
    struct lae_weights second;
    write_well(path, first);
    read_well(path, &second);
    assert_string_equal(second.format, format);
    assert_true(second.layer_norm_eps == first->layer_norm_eps);
    assert_int_equal(second.heads, first->heads);
    assert_same_sets(&first->tensors, &second.tensors);
    lae_weights_free(&second);
}

static void assert_round_trips(void **state, const char *path)
{
    struct lae_weights first;
    read_well(path, &first);
    assert_round_trip(&first, at(state, "again.safetensors"), "timm safetensors");
    assert_round_trip(&first, at(state, "again.h5"), "HDF5");
    lae_weights_free(&first);
}

static void test_round_trips(void **state)
{
    const char *path = at(state, "first");
    struct network *network = timm();
    save_safetensors(path, network, "F32", "");
    assert_round_trips(state, path);
    free_network(network);

    path = at(state, "first");
    network = transformers("vit."); /* eps 1e-12 */
    save_safetensors(path, network, "BF16", "");
    assert_round_trips(state, path);
    free_network(network);

    path = at(state, "first");
    network = google(""); /* heads */
    save_npz(path, network, "<f4", 1, false);
    assert_round_trips(state, path);
    free_network(network);
}

/* Equal weights give equal files. */
static void test_written_twice(void **state)
{
    static const char *const names[] = {"a.HDF5", "a.safetensors"};
    const char *first = at(state, "first");
    struct network *network = timm();
    struct lae_weights weights;
    save_safetensors(first, network, "F32", "");
    read_well(first, &weights);
    for (int i = 0; i < 2; i++) {
        const char *path = at(state, names[i]);
        write_well(path, &weights);
        struct bytes once = load_bytes(path);
        write_well(path, &weights);
        struct bytes twice = load_bytes(path);
        assert_int_equal(once.size, twice.size);
        assert_memory_equal(once.data, twice.data, once.size);
        free_bytes(&once);
        free_bytes(&twice);
    }
    lae_weights_free(&weights);
    free_network(network);
}

/* The header that other programs will read: aligned, and with what the format asks for. */
static void test_written_safetensors(void **state)
{
    const char *first = at(state, "first"), *path = at(state, "written.safetensors");
    struct network *network = transformers("");
    struct lae_weights weights;
    save_safetensors(first, network, "F32", "");
    read_well(first, &weights);
    write_well(path, &weights);
    struct bytes file = load_bytes(path);
    size_t length = file.data[0] | (size_t)file.data[1] << 8;
    assert_int_equal(length % 8, 0);
    file.data[8 + length - 1] = '\0';
    const char *header = (const char *)file.data + 8;
    assert_non_null(strstr(header, "\"format\":\"pt\""));
    assert_non_null(strstr(header, "\"heads\":\"0\""));
    assert_non_null(strstr(header, "\"layer_norm_eps\":\""));
    assert_non_null(strstr(header, "\"cls_token\":{\"dtype\":\"F32\",\"shape\":[1,1,8],"
                                   "\"data_offsets\":[0,32]}"));
    assert_non_null(strstr(header, "\"blocks.1.attn.qkv.weight\""));
    free_bytes(&file);
    lae_weights_free(&weights);
    free_network(network);
}

static void test_write_errors(void **state)
{
    struct lae_weights weights;
    const char *first = at(state, "first");
    struct network *network = timm();
    save_safetensors(first, network, "F32", "");
    read_well(first, &weights);
    static const char *const names[] = {"weights.npz", "weights", ".h5x", "nowhere/weights.h5",
                                        "nowhere/weights.safetensors"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        lae_status status = lae_weights_write(at(state, names[i]), &weights);
        assert_int_equal(lae_status_code(status), LAE_BAD_INPUT);
        assert_non_null(strstr(lae_status_message(status), names[i]));
        lae_status_free(status);
    }
    lae_weights_free(&weights);
    free_network(network);
}

static void test_own(void **state)
{
    const char *path = at(state, "sealed");
    save_own(state, path, true);
    assert_reads_as(path, "HDF5", 1e-5, HEADS);
    struct bytes file = load_bytes(path);
    assert_memory_equal(file.data, "lae-weights 1 sha256 ", 21);
    free_bytes(&file);

    const char *plain = at(state, "plain");
    save_own(state, plain, false);
    FILE *screen = tmpfile();
    assert_non_null(screen);
    struct lae_log log = {.screen = screen};
    struct lae_weights weights;
    assert_null(lae_weights_read(plain, &log, &weights));
    assert_true(ftell(screen) > 0); /* a warning */
    fclose(screen);
    assert_string_equal(weights.format, "HDF5");
    lae_weights_free(&weights);
}

/* ---- Files that others wrote ---------------------------------------------------------------- */

/* ROOT/NAME below the source tree. */
static const char *of_source(const char *name)
{
    static char path[2 * PATH_SIZE];
    const char *root = getenv("LAE_TEST_SOURCE");
    if (root == NULL) fail_msg("LAE_TEST_SOURCE, the source tree, is not set");
    snprintf(path, sizeof path, "%s/%s", root, name);
    if (access(path, R_OK) != 0) fail_msg("%s is not there", path);
    return path;
}

/* The tensors numpy and torch wrote, against those that h5py wrote of them. */
static void assert_expected(const struct lae_weights *weights, const char *path)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    for (size_t i = 0; i < weights->tensors.count; i++) {
        const struct lae_named *tensor = &weights->tensors.items[i];
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "tensors/%s", tensor->name);
        hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
        hid_t space = H5Dget_space(set);
        hsize_t shape[LAE_MAX_RANK];
        assert_int_equal(H5Sget_simple_extent_ndims(space), tensor->rank);
        H5Sget_simple_extent_dims(space, shape, NULL);
        for (int axis = 0; axis < tensor->rank; axis++)
            assert_int_equal(shape[axis], tensor->shape[axis]);
        float *values = calloc(tensor->count, sizeof *values);
        assert_non_null(values);
        assert_true(H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
        assert_memory_equal(values, tensor->data, tensor->count * sizeof *values);
        free(values);
        H5Sclose(space);
        H5Dclose(set);
    }
    H5Fclose(file);
}

/* A copy of h5py's file, with the attributes by which our own files say what they are. */
static void copy_own(const char *from, const char *to)
{
    struct bytes content = load_bytes(from);
    save_bytes(to, content.data, content.size);
    free_bytes(&content);
    hid_t file = H5Fopen(to, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0);
    if (H5Aexists(file, "format") == 0) {
        put_text_attribute(file, "format", "lae-weights");
        put_attribute(file, "format_version", H5T_NATIVE_INT, &(int){1});
        put_attribute(file, "layer_norm_eps", H5T_NATIVE_DOUBLE, &(double){1e-6});
        put_attribute(file, "heads", H5T_NATIVE_INT, &(int){0});
    }
    assert_true(H5Fclose(file) >= 0);
}

static void test_fixtures(void **state)
{
    static const struct {
        const char *name;
        const char *format;
        double eps;
        int heads;
    } cases[] = {
        {"google.npz", "Google npz", 1e-6, 2},
        {"google-prefix.npz", "Google npz", 1e-6, 2},
        {"timm-f32.safetensors", "timm safetensors", 1e-6, 0},
        {"timm-f16.safetensors", "timm safetensors", 1e-6, 0},
        {"timm-bf16.safetensors", "timm safetensors", 1e-6, 0},
        {"transformers.safetensors", "transformers safetensors", 1e-12, 0},
        {"transformers-vit.safetensors", "transformers safetensors", 1e-12, 0},
        {"own.h5", "HDF5", 1e-6, 0},
        {"torch/timm.pth", "timm PyTorch", 1e-6, 0},
        {"torch/model.pth", "timm PyTorch", 1e-6, 0},
        {"torch/half.pth", "timm PyTorch", 1e-6, 0},
        {"torch/bfloat16.pt", "timm PyTorch", 1e-6, 0},
        {"torch/double.pth", "timm PyTorch", 1e-6, 0},
        {"torch/double-legacy.bin", "transformers PyTorch", 1e-12, 0},
        {"torch/flat.pth", "timm PyTorch", 1e-6, 0},
        {"torch/flat-legacy.pth", "timm PyTorch", 1e-6, 0},
        {"torch/legacy.bin", "transformers PyTorch", 1e-12, 0},
        {"torch/teacher.pth", "timm PyTorch", 1e-6, 0},
    };
    char folder[2 * PATH_SIZE], path[3 * PATH_SIZE], expected[3 * PATH_SIZE];
    snprintf(folder, sizeof folder, "%s", of_source("tests/reference/weights"));
    snprintf(expected, sizeof expected, "%s/expected.h5", folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lae_weights weights;
        snprintf(path, sizeof path, "%s/%s", folder, cases[i].name);
        if (strcmp(cases[i].format, "HDF5") == 0) {
            copy_own(path, at(state, "own.h5"));
            snprintf(path, sizeof path, "%s", at(state, "own.h5"));
        }
        read_well(path, &weights);
        assert_string_equal(weights.format, cases[i].format);
        assert_true(weights.layer_norm_eps == cases[i].eps);
        assert_int_equal(weights.heads, cases[i].heads);
        assert_int_equal(weights.tensors.count, 6 + 2 * 12);
        assert_expected(&weights, expected);
        lae_weights_free(&weights);
    }
    snprintf(path, sizeof path, "%s/refused-layer-scale.safetensors", folder);
    assert_refused(path, "tensor blocks.0.ls1.gamma: LayerScale: not supported yet");
}

static void test_vit_tiny(void **state)
{
    struct lae_weights weights;
    char path[3 * PATH_SIZE];
    (void)state;
    snprintf(path, sizeof path, "%s%s", of_source(".."),
             "/shared/data/vit_tiny_patch16_224.safetensors");
    if (access(path, R_OK) != 0) {
        print_message("skipped: %s is not there\n", path);
        skip();
    }
    read_well(path, &weights);
    assert_string_equal(weights.format, "timm safetensors");
    assert_int_equal(weights.tensors.count, 6 + 12 * 12);
    const struct lae_named *token = lae_set_find(&weights.tensors, "cls_token");
    const struct lae_named *patch = lae_set_find(&weights.tensors, "patch_embed/proj/weight");
    const struct lae_named *last = lae_set_find(&weights.tensors, "blocks/11/mlp/fc2/weight");
    assert_non_null(token);
    assert_non_null(patch);
    assert_non_null(last);
    assert_int_equal(token->shape[2], 192);
    assert_int_equal(patch->shape[3], 16);
    assert_int_equal(last->shape[1], 768);
    assert_null(lae_set_find(&weights.tensors, "head/weight"));
    lae_weights_free(&weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_timm),         TEST(test_transformers),  TEST(test_google),
        TEST(test_column_major), TEST(test_twelve_blocks), TEST(test_sixteen_bits),
        TEST(test_round_trips),  TEST(test_written_twice), TEST(test_written_safetensors),
        TEST(test_write_errors), TEST(test_own),           TEST(test_fixtures),
        TEST(test_vit_tiny),
    };
    return cmocka_run_group_tests_name("weights", tests, NULL, NULL);
}
