/* Weight files that are damaged, odd or something else: each is refused with a message that names
 * the file and what in it is wrong. */
#define _GNU_SOURCE /* nftw's flags, memmem */
#include "weight_files.h"

#include <math.h>

/* ---- Tensors that are missing, misshapen, unknown ------------------------------------------- */

/* The same three ways to be written and to be damaged for all namings. */
struct naming {
    struct network *(*make)(const char *prefix);
    const char *prefix, *file;
};

static struct network *make_timm(const char *prefix)
{
    (void)prefix;
    return timm();
}

static const struct naming namings[] = {
    {make_timm, "", "damaged.safetensors"},        {transformers, "", "damaged.safetensors"},
    {transformers, "vit.", "damaged.safetensors"}, {google, "", "damaged.npz"},
    {google, "opt/target/", "damaged.npz"},
};
enum { NAMINGS = sizeof namings / sizeof *namings };

static void save_network(const char *path, const struct network *network)
{
    if (strstr(path, ".npz") != NULL)
        save_npz(path, network, "<f4", 1, false);
    else
        save_safetensors(path, network, "F32", "");
}

/* Whether a file without it is whole: patches then have no bias. */
static bool may_be_missing(const char *name)
{
    static const char *const names[] = {"patch_embed.proj.bias", "patch_embeddings.projection.bias",
                                        "embedding/bias"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strstr(name, names[i]) != NULL) return true;
    return false;
}

/* Each tensor in turn is left out. */
static void test_missing(void **state)
{
    for (int n = 0; n < NAMINGS; n++)
        for (int i = 0;; i++) {
            struct network *network = namings[n].make(namings[n].prefix);
            bool done = i == network->count;
            if (!done && !may_be_missing(network->items[i].name)) {
                char wanted[2 * NAME_SIZE];
                const char *path = at(state, namings[n].file);
                snprintf(wanted, sizeof wanted, ": tensor %s is missing", network->items[i].name);
                drop_tensor(network, network->items[i].name);
                save_network(path, network);
                assert_refused(path, wanted);
            }
            free_network(network);
            if (done) break;
        }
}

/* Each tensor in turn gets one more axis, [..., 1]. */
static void test_ranks(void **state)
{
    for (int n = 0; n < NAMINGS; n++) {
        struct network *network = namings[n].make(namings[n].prefix);
        for (int i = 0; i < network->count; i++) {
            struct item *item = &network->items[i];
            char wanted[2 * NAME_SIZE];
            const char *path = at(state, namings[n].file);
            item->shape[item->rank++] = 1;
            save_network(path, network);
            item->rank--;
            snprintf(wanted, sizeof wanted, ": tensor %s has shape [", item->name);
            assert_refused(path, wanted);
        }
        free_network(network);
    }
}

/* Each tensor in turn has one number that is none. */
static void test_not_finite(void **state)
{
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int n = 0; n < NAMINGS; n++) {
        struct network *network = namings[n].make(namings[n].prefix);
        for (int i = 0; i < network->count; i++) {
            struct item *item = &network->items[i];
            char wanted[2 * NAME_SIZE];
            const char *path = at(state, namings[n].file);
            float before = item->data[item->count - 1];
            item->data[item->count - 1] = bad[i % 3];
            save_network(path, network);
            item->data[item->count - 1] = before;
            snprintf(wanted, sizeof wanted, ": tensor %s: element %zu is %s", item->name,
                     item->count - 1,
                     i % 3 == 0   ? "nan"
                     : i % 3 == 1 ? "inf"
                                  : "-inf");
            assert_refused(path, wanted);
        }
        free_network(network);
    }
}

/* Doubles that no float can be. */
static void test_too_large(void **state)
{
    static const struct {
        double value;
        const char *wanted;
    } cases[] = {{1e39, " inf as float32"}, {-1e300, " -inf as float32"}, {NAN, " nan as float32"}};
    const char *path = at(state, "large.safetensors");
    struct network *network = timm();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes file = safetensors(network, "F64", "");
        size_t length = file.data[0] | (size_t)file.data[1] << 8;
        memcpy(file.data + 8 + length + 2 * sizeof(double), &cases[i].value, sizeof(double));
        save_bytes(path, file.data, file.size);
        assert_refused(path, ": tensor cls_token: element 2 is ");
        assert_refused(path, cases[i].wanted);
        free_bytes(&file);
    }
    free_network(network);
}

/* A classifier's numbers are never used. */
static void test_not_finite_head(void **state)
{
    const char *path = at(state, "head.safetensors");
    struct network *network = timm();
    add_head(network, "head");
    find_tensor(network, "head.bias")->data[0] = NAN;
    save_safetensors(path, network, "F32", "");
    assert_reads_as(path, "timm safetensors", 1e-6, 0);
    free_network(network);
}

static void test_shapes(void **state)
{
    static const struct {
        int naming;
        const char *tensor;
        int rank;
        size_t shape[4];
        const char *wanted;
    } cases[] = {
        {0, "cls_token", 3, {1, 2, 4}, "cls_token has shape [1, 2, 4]; [1, 1, D] is wanted"},
        {0, "cls_token", 3, {1, 1, 0}, "cls_token has shape [1, 1, 0]; [1, 1, D] is wanted"},
        {0, "pos_embed", 3, {1, 1, 8}, "pos_embed has shape [1, 1, 8]; [1, 1 + g*g, 8] is wanted"},
        {0, "pos_embed", 3, {1, 6, 8}, "pos_embed has shape [1, 6, 8]; [1, 1 + g*g, 8] is wanted"},
        {0, "pos_embed", 3, {2, 5, 8}, "pos_embed has shape [2, 5, 8]; [1, 1 + g*g, 8] is wanted"},
        {0, "pos_embed", 3, {1, 5, 9}, "pos_embed has shape [1, 5, 9]; [1, 1 + g*g, 8] is wanted"},
        {0, "patch_embed.proj.weight", 4, {8, 3, 2, 3}, "[8, 3, 2, 3]; [8, 3, p, p] is wanted"},
        {0, "patch_embed.proj.weight", 4, {8, 1, 2, 2}, "[8, 1, 2, 2]; [8, 3, p, p] is wanted"},
        {0, "blocks.1.norm1.bias", 1, {7}, "blocks.1.norm1.bias has shape [7]; [8] is wanted"},
        {0, "blocks.1.norm1.bias", 0, {0}, "blocks.1.norm1.bias has shape scalar; [8] is wanted"},
        {0, "blocks.0.attn.qkv.weight", 2, {16, 8}, "has shape [16, 8]; [24, 8] is wanted"},
        {0, "blocks.0.attn.qkv.bias", 1, {8}, "blocks.0.attn.qkv.bias has shape [8]; [24]"},
        {0, "blocks.0.mlp.fc1.weight", 2, {12, 4}, "has shape [12, 4]; [m, 8] is wanted"},
        {0,
         "blocks.1.mlp.fc1.weight",
         2,
         {13, 8},
         "blocks.1.mlp.fc1.weight has shape [13, 8]; [12"},
        {0, "blocks.1.mlp.fc2.weight", 2, {12, 8}, "has shape [12, 8]; [8, 12] is wanted"},
        {1, "encoder.layer.1.attention.attention.key.weight", 2, {8, 4}, "; [8, 8] is wanted"},
        {3, "embedding/kernel", 4, {2, 3, 3, 8}, "has shape [2, 3, 3, 8]; [p, p, 3, 8] is wanted"},
        {3,
         "Transformer/encoderblock_0/MultiHeadDotProductAttention_1/query/kernel",
         3,
         {8, 2, 3},
         "query/kernel has shape [8, 2, 3]; [8, heads, D/heads] is wanted"},
        {3,
         "Transformer/encoderblock_0/MultiHeadDotProductAttention_1/key/kernel",
         3,
         {8, 4, 2},
         "key/kernel has shape [8, 4, 2]; [8, 2, 4] is wanted"},
        {3, "Transformer/encoderblock_1/MlpBlock_3/Dense_0/kernel", 2, {12, 8}, "; [8, 12] is wan"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct naming *naming = &namings[cases[i].naming];
        const char *path = at(state, naming->file);
        struct network *network = naming->make(naming->prefix);
        reshape_tensor(find_tensor(network, cases[i].tensor), cases[i].rank, cases[i].shape);
        save_network(path, network);
        assert_refused(path, cases[i].tensor);
        assert_refused(path, cases[i].wanted);
        free_network(network);
    }
}

/* A tensor more: what it is a sign of is said, as far as anybody knows. */
static void test_unknown(void **state)
{
    static const struct {
        int naming;
        const char *tensor, *wanted;
    } cases[] = {
        {0, "blocks.0.ls1.gamma", "LayerScale: not supported yet"},
        {0, "blocks.1.gamma_2", "LayerScale: not supported yet"},
        {1, "encoder.layer.0.layer_scale1.lambda1", "LayerScale: not supported yet"},
        {0, "fc_norm.weight", "the patches' mean (fc_norm): not supported yet"},
        {0, "norm_pre.weight", "a norm before the first block (CLIP): not supported yet"},
        {0, "blocks.0.attn.q_norm.bias", "norms of queries and keys: not supported yet"},
        {0, "blocks.0.attn.relative_position_bias_table", "Swin or BEiT"},
        {0, "blocks.0.attn.rel_pos_h", "SAM"},
        {0, "rope.freqs", "RoPE"},
        {0, "blocks.0.attn.qkv.lora_A.weight", "not merged into its backbone"},
        {4, "opt/target/MAPHead_0/probe", "attention pooling"},
        {0, "blocks.0.attn.qkv.weight.more", NULL},
        {0, "blocks.01.norm1.weight", NULL},
        {0, "blocks.x.norm1.weight", NULL},
        {0, "blocks..norm1.weight", NULL},
        {0, "blocks.-1.norm1.weight", NULL},
        {0, "blocks.9999999.norm1.bias", NULL},
        {0, "blocks/0/norm1/weight", NULL},
        {0, "cls_token2", NULL},
        {0, "vit.cls_token", NULL},
        {0, "embeddings.cls_token", NULL},
        {0, "headway.weight", NULL},
        {0, "blocks.0.head.weight", NULL},
        {0, "step", NULL},
        {0, "", NULL},
        {1, "vit.embeddings.cls_token", NULL},
        {2, "embeddings.cls_token", NULL},
        {3, "opt/state/step", NULL},
        {3, "embedding.kernel", NULL},
        {3, "Transformer/encoderblock_0/LayerNorm_1/scale", NULL},
        {4, "cls", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char wanted[2 * NAME_SIZE];
        const struct naming *naming = &namings[cases[i].naming];
        const char *path = at(state, naming->file);
        struct network *network = naming->make(naming->prefix);
        ADD(network, cases[i].tensor, WIDTH);
        save_network(path, network);
        snprintf(wanted, sizeof wanted, ": tensor %s%s", cases[i].tensor,
                 cases[i].wanted != NULL ? ": " : " is not known");
        assert_refused(path, wanted);
        if (cases[i].wanted != NULL) assert_refused(path, cases[i].wanted);
        free_network(network);
    }
}

static void test_other_networks(void **state)
{
    static const struct {
        const char *tensor, *wanted;
    } cases[] = {
        {"layer1.0.conv1.weight", "tensor layer1.0.conv1.weight: a ResNet: not supported yet"},
        {"layers.0.blocks.0.attn.relative_position_bias_table", "Swin"},
        {"stages.0.blocks.0.conv_dw.weight", "ConvNeXt: not supported yet"},
        {"visual.class_embedding", "OpenAI's CLIP: not supported yet"},
        {"conv2.weight", "no tensor has a name known from Vision Transformers (timm"},
    };
    const char *path = at(state, "other.safetensors");
    struct network *network = calloc(1, sizeof *network);
    assert_non_null(network);
    save_safetensors(path, network, "F32", "");
    assert_refused(path, "holds no tensors");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        network->count = 0;
        ADD(network, cases[i].tensor, 4, 3);
        ADD(network, "conv1.weight", 4, 3, 3, 3);
        save_safetensors(path, network, "F32", "");
        assert_refused(path, cases[i].wanted);
        free(network->items[0].data);
        free(network->items[1].data);
        network->count = 0;
    }
    free_network(network);

    network = timm(); /* blocks 0, 1 and 3 */
    add_block(network, 3);
    save_safetensors(path, network, "F32", "");
    assert_refused(path, "tensor blocks.2.norm1.weight is missing");
    free_network(network);
}

/* A teacher and its student. */
static void test_two_backbones(void **state)
{
    const char *path = at(state, "two.safetensors");
    struct network *two = transformers("teacher."), *student = transformers("student.");
    for (int i = 0; i < student->count; i++)
        copy_as(two, &student->items[i], student->items[i].name);
    save_safetensors(path, two, "F32", "");
    assert_refused(path, "holds two backbones, with names that begin student. and teacher.");
    free_network(two);
    free_network(student);
}

/* ---- Damaged .safetensors ------------------------------------------------------------------- */

/* The file with the first `from` of its header replaced, its length in front put right. */
static void save_edited(const char *path, const struct bytes *file, const char *from,
                        const char *to)
{
    struct bytes edited = {0};
    size_t length = file->data[0] | (size_t)file->data[1] << 8;
    const unsigned char *found = memmem(file->data + 8, length, from, strlen(from));
    if (found == NULL) fail_msg("the test's own header has no %s", from);
    append_number(&edited, length - strlen(from) + strlen(to), 8);
    append_bytes(&edited, file->data + 8, (size_t)(found - file->data) - 8);
    append_bytes(&edited, to, strlen(to));
    found += strlen(from);
    append_bytes(&edited, found, file->size - (size_t)(found - file->data));
    save_bytes(path, edited.data, edited.size);
    free_bytes(&edited);
}

/* The header begins {"cls_token":{"dtype":"F32","shape":[1,1,8],"data_offsets":[0,32]},
 * "pos_embed":{"dtype":"F32","shape":[1,5,8],"data_offsets":[32,192]},... */
static void test_headers(void **state)
{
    static const struct {
        const char *from, *to, *wanted;
    } cases[] = {
        {"\"F32\"", "\"I64\"", "tensor cls_token is of type I64; F32, F16, BF16 or F64 is wanted"},
        {"\"F32\"", "\"f32\"", "tensor cls_token is of type f32"},
        {"\"F32\"", "\"I32\"", "tensor cls_token is of type I32"},
        {"\"F32\"", "32", "tensor cls_token: its header has no dtype"},
        {"\"dtype\":\"F32\",", "", "tensor cls_token: its header has no dtype"},
        {"\"shape\":[1,1,8],", "", "tensor cls_token: its header has no shape"},
        {"[1,1,8]", "8", "tensor cls_token: its header has no shape"},
        {"[1,1,8]", "[1,1,-8]", "tensor cls_token: extent 2 of its shape"},
        {"[1,1,8]", "[1,1,8.0]", "tensor cls_token: extent 2 of its shape"},
        {"[1,1,8]", "[null,1,8]", "tensor cls_token: extent 0 of its shape"},
        {"[1,1,8]", "[1,1,9]",
         "tensor cls_token lies at bytes 0 to 32, which are 32; shape [1, 1, "
         "9] needs 36"},
        {"[1,1,8]", "[4294967296,4294967296,2]", "tensor cls_token: shape [4294967296, "},
        {"[1,1,8]", "[4611686018427387904,2,2]", "tensor cls_token: shape [46116860184273"},
        {"[1,1,8]", "[9223372036854775807]", "tensor cls_token: shape [9223372036854775807]"},
        {"[1,1,8]", "[92233720368547758070]", "its header is damaged at byte "},
        {"[1,1,8]", "[1,1,1,1,1,1,1,1,8]", "tensor cls_token has 9 axes; 8 at most"},
        {",\"data_offsets\":[0,32]", "", "tensor cls_token: its header has no data_offsets"},
        {"[0,32]", "[0,32,64]", "tensor cls_token: its header has no data_offsets"},
        {"[0,32]", "[0]", "tensor cls_token: its header has no data_offsets"},
        {"[0,32]", "[0,\"32\"]", "tensor cls_token: its header has no data_offsets"},
        {"[0,32]", "[-32,0]", "tensor cls_token: its header has no data_offsets"},
        {"[0,32]", "[32,0]", "tensor cls_token lies at bytes 32 to 0 of "},
        {"[0,32]", "[0,99999999]", "tensor cls_token lies at bytes 0 to 99999999 of "},
        {"[0,32]", "[9223372036854775775,9223372036854775807]",
         "tensor cls_token lies at bytes 92"},
        {"[0,32]", "[0,28]",
         "tensor cls_token lies at bytes 0 to 28, which are 28; shape [1, 1, 8]"},
        {"[0,32]", "[4,36]", "bytes 0 to 4 of the data, before tensor cls_token, are of no tensor"},
        {"[32,192]", "[31,191]", "tensors cls_token and pos_embed overlap at byte 31"},
        {"[32,192]", "[0,160]", "tensors cls_token and pos_embed overlap at byte 0"},
        {"[32,192]", "[36,196]", "bytes 32 to 36 of the data, before tensor pos_embed, are of no"},
        {"\"pos_embed\"", "\"cls_token\"", "near '\"cls_token\"'"},
        {"\"dtype\"", "\"dtype\":\"F16\",\"dtype\"", "near '\"dtype\"'"},
        {"\"pos_embed\"", "\"pos\xff\"", "its header is damaged at byte "},
        {"\"pos_embed\"", "\"pos\\u0000\"", "its header is damaged at byte "},
        {"\"pos_embed\"", "\"pos_embed", "its header is damaged at byte "},
        {"\"pos_embed\":", "\"pos_embed\"", "its header is damaged at byte "},
        {"{\"dtype\"", "{{\"dtype\"", "its header is damaged at byte "},
        {"{\"dtype\":\"F32\",\"shape\":[1,1,8],\"data_offsets\":[0,32]}", "1",
         "tensor cls_token: its header has no dtype"},
    };
    struct network *network = timm();
    struct bytes file = safetensors(network, "F32", "");
    const char *path = at(state, "header.safetensors");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        save_edited(path, &file, cases[i].from, cases[i].to);
        assert_refused(path, cases[i].wanted);
    }
    free_bytes(&file);
    free_network(network);
}

static void test_metadata(void **state)
{
    static const struct {
        const char *metadata, *wanted;
    } cases[] = {
        {"3", "__metadata__ is not an object"},
        {"{\"layer_norm_eps\":\"tiny\",\"heads\":\"2\"}", "layer_norm_eps is \"tiny\""},
        {"{\"layer_norm_eps\":\"\",\"heads\":\"2\"}", "layer_norm_eps is \"\""},
        {"{\"layer_norm_eps\":\"nan\",\"heads\":\"2\"}", "layer_norm_eps is \"nan\""},
        {"{\"layer_norm_eps\":\"inf\",\"heads\":\"2\"}", "layer_norm_eps is \"inf\""},
        {"{\"layer_norm_eps\":\"0\",\"heads\":\"2\"}", "layer_norm_eps is 0"},
        {"{\"layer_norm_eps\":\"1e-6\",\"heads\":\"2x\"}", "heads \"2x\""},
        {"{\"layer_norm_eps\":\"1e-6\",\"heads\":\"-2\"}", "heads is -2"},
        {"{\"layer_norm_eps\":\"1e-6\",\"heads\":\"99999999999999999999\"}",
         "heads \"99999999999999999999\""},
        {"{\"layer_norm_eps\":\"1e-6\",\"heads\":\"3\"}", "heads is 3, which does not divide"},
    };
    struct network *network = timm();
    const char *path = at(state, "metadata.safetensors");
    char text[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, "\"__metadata__\":%s,", cases[i].metadata);
        save_safetensors(path, network, "F32", text);
        assert_refused(path, cases[i].wanted);
    }
    save_safetensors(path, network, "F32",
                     "\"__metadata__\":{\"layer_norm_eps\":\"1e-12\",\"heads\":\"2\"},");
    assert_reads_as(path, "timm safetensors", 1e-12, HEADS);
    save_safetensors(path, network, "F32", "\"__metadata__\":{\"heads\":\"many\"},");
    assert_reads_as(path, "timm safetensors", 1e-6, 0); /* of somebody else's making */
    free_network(network);
}

static void test_header_lengths(void **state)
{
    struct network *network = timm();
    struct bytes file = safetensors(network, "F32", "");
    const char *path = at(state, "length.safetensors");
    uint64_t length = file.data[0] | (uint64_t)file.data[1] << 8;
    const struct {
        uint64_t length;
        const char *wanted;
    } cases[] = {
        {0, "its header is damaged"},
        {1, "its header is damaged"},
        {length - 1, "its header is damaged"},
        {length + 1, "its header is damaged"},
        {file.size - 8 + 1, "its first 8 bytes tell of a header of "},
        {100000001, "its first 8 bytes tell of a header of 100000001 bytes"},
        {(uint64_t)1 << 63, "its first 8 bytes tell of a header of 9223372036854775808 bytes"},
        {UINT64_MAX, "its first 8 bytes tell of a header of 18446744073709551615 bytes"},
        {UINT64_MAX - 7, "its first 8 bytes tell of a header of 18446744073709551608 bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int k = 0; k < 8; k++)
            file.data[k] = (unsigned char)(cases[i].length >> 8 * k);
        save_bytes(path, file.data, file.size);
        assert_refused(path, cases[i].wanted);
    }
    free_bytes(&file);
    free_network(network);
}

/* Cut after every byte of the header's beginning, and here and there; and one byte too many. */
static void test_cut_safetensors(void **state)
{
    struct network *network = timm();
    struct bytes file = safetensors(network, "F32", "");
    const char *path = at(state, "cut.safetensors");
    for (size_t size = 0; size < file.size;
         size += size < 256 || size > file.size - 256 ? 1 : 211) {
        save_bytes(path, file.data, size);
        assert_refused(path, size == 0 ? "is empty" : size < 9 ? "is no weight file" : "");
    }
    append_bytes(&file, "", 1);
    save_bytes(path, file.data, file.size);
    assert_refused(path, "of the data, at its end, are of no tensor");
    free_bytes(&file);
    free_network(network);
}

/* Reads a file that may be damaged in any way: it may be refused as bad input, nothing worse. */
static bool survives(const char *path)
{
    struct lae_weights weights;
    lae_status status = lae_weights_read(path, NULL, &weights);
    bool fine = status == NULL || lae_status_code(status) == LAE_BAD_INPUT;
    if (!fine) print_message("%s\n", lae_status_message(status));
    if (status == NULL) lae_weights_free(&weights);
    lae_status_free(status);
    return fine;
}

/* Every byte of the header becomes something else. */
static void test_flipped_header(void **state)
{
    struct network *network = timm_of_depth(1);
    struct bytes file = safetensors(network, "F16", "");
    const char *path = at(state, "flip.safetensors");
    size_t length = file.data[0] | (size_t)file.data[1] << 8;
    for (size_t i = 0; i < 8 + length; i++) {
        unsigned char before = file.data[i];
        file.data[i] = (unsigned char)(before ^ (1u << i % 8));
        save_bytes(path, file.data, file.size);
        assert_true(survives(path));
        file.data[i] = before;
    }
    free_bytes(&file);
    free_network(network);
}

/* ---- Damaged .npz --------------------------------------------------------------------------- */

/* Google's network, with `content` for the entry of its tensor `name`. */
static void save_with_entry(const char *path, const char *name, const struct bytes *content)
{
    struct network *network = google("");
    struct archive *zip = create_zip(path, false);
    char entry[NAME_SIZE + 8];
    drop_tensor(network, name);
    for (int i = 0; i < network->count; i++) {
        struct bytes array = npy(&network->items[i], "<f4", 1);
        snprintf(entry, sizeof entry, "%s.npy", network->items[i].name);
        put_entry(zip, entry, &array);
        free_bytes(&array);
    }
    snprintf(entry, sizeof entry, "%s.npy", name);
    put_entry(zip, entry, content);
    close_zip(zip);
    free_network(network);
}

static void test_npy_headers(void **state)
{
    static const struct {
        const char *header, *wanted; /* NULL: is read */
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 8), }\n", NULL},
        {"{\"shape\":(1,1,8),\"fortran_order\":True,\"descr\":\"<f4\"}", NULL},
        {"  { 'shape' : ( 1 , 1 , 8 ,) , 'descr':'<f4','fortran_order' : False , } \n\n", NULL},
        {"{'descr': '>f8', 'fortran_order': False, 'shape': (1, 1, 4), }", "is of type '>f8'"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (1, 1, 8), }", "is of type '>f4'"},
        {"{'descr': '|V4', 'fortran_order': False, 'shape': (1, 1, 8), }", "is of type '|V4'"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (1, 1, 8), }", "is of type '|O'"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (8,), }", "array of records"},
        {"{'descr': 4, 'fortran_order': False, 'shape': (1, 1, 8), }", "at byte 20: a quoted text"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (1, 1, 8), }", "True or False is wanted"},
        {"{'descr': '<f4', 'fortran_order': False}", "descr, fortran_order and shape are wanted"},
        {"{}", "descr, fortran_order and shape are wanted"},
        {"{'descr': '<f4', 'descr': '<f4', }", "key 'descr' is unknown or there twice"},
        {"{'order': False, }", "key 'order' is unknown or there twice"},
        {"{'descr' '<f4'}", "at byte 19: ':' is wanted"},
        {"{'descr': '<f4' 'shape': (8,)}", "',' or '}' is wanted"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 8), } #", "the header's end"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 8), ",
         "a quoted text is wanted"},
        {"{'descr': '<f4", "a short quoted text is wanted"},
        {"{'descr': '<f4', 'shape': 8}", "a shape is wanted"},
        {"{'descr': '<f4', 'shape': (1, 1, -8)}", "an extent is wanted"},
        {"{'descr': '<f4', 'shape': (1, 1, 8L)}", "',' or ')' is wanted"},
        {"{'descr': '<f4', 'shape': (1, 1, 8", "',' or ')' is wanted"},
        {"{'descr': '<f4', 'shape': (99999999999999999999,)}", "a smaller extent is wanted"},
        {"{'descr': '<f4', 'shape': (1, 1, 1, 1, 1, 1, 1, 1, 8)}", "has more than 8 axes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 2)}",
         "has more elements than any memory"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 9)}",
         "holds 32 bytes of data; shape [1, 1, 9] needs 36"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 7)}",
         "holds 32 bytes of data; shape [1, 1, 7] needs 28"},
        {"{'descr': '<f2', 'fortran_order': False, 'shape': (1, 1, 8)}",
         "holds 32 bytes of data; shape [1, 1, 8] needs 16"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()}",
         "holds 32 bytes of data; shape s"},
        {"", "at byte 10: '{' is wanted"},
        {"[1, 2]", "at byte 10: '{' is wanted"},
    };
    struct network *network = timm();
    const char *path = at(state, "header.npz");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes content = {0};
        append_bytes(&content, "\x93NUMPY\1", 8);
        append_number(&content, strlen(cases[i].header), 2);
        append_bytes(&content, cases[i].header, strlen(cases[i].header));
        append_bytes(&content, find_tensor(network, "cls_token")->data, WIDTH * sizeof(float));
        save_with_entry(path, "cls", &content);
        if (cases[i].wanted == NULL) {
            assert_reads_as(path, "Google npz", 1e-6, HEADS);
        } else {
            assert_refused(path, ": tensor cls");
            assert_refused(path, cases[i].wanted);
        }
        free_bytes(&content);
    }
    free_network(network);
}

/* The array of one tensor is cut short, or begins wrongly. */
static void test_cut_npy(void **state)
{
    struct network *network = google("");
    const char *path = at(state, "cut.npz");
    for (int version = 1; version <= 2; version++) {
        struct bytes content = npy(find_tensor(network, "cls"), "<f4", version);
        size_t size = content.size;
        for (content.size = 0; content.size < size; content.size += content.size < 16 ? 1 : 7) {
            save_with_entry(path, "cls", &content);
            assert_refused(path, ": tensor cls: ");
        }
        free_bytes(&content);
    }
    static const struct {
        size_t at;
        unsigned char value;
        const char *wanted;
    } cases[] = {
        {0, 'x', "tensor cls: is not a .npy array"},
        {6, 0, "tensor cls: is of .npy version 0"},
        {6, 4, "tensor cls: is of .npy version 4"},
        {9, 255, "tensor cls: is cut short: a .npy header of "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes content = npy(find_tensor(network, "cls"), "<f4", 1);
        content.data[cases[i].at] = cases[i].value;
        save_with_entry(path, "cls", &content);
        assert_refused(path, cases[i].wanted);
        free_bytes(&content);
    }
    free_network(network);
}

static void test_zips(void **state)
{
    static const struct {
        const char *entry, *wanted;
    } cases[] = {
        {"readme.txt", "zip entry readme.txt is not a .npy array"},
        {"archive/data.pkl", "PyTorch"},
        {".npy", "zip entry .npy is not a .npy array"},
        {"cls.npy", "tensor cls: is not a .npy array"},
    };
    const char *path = at(state, "some.zip");
    struct bytes text = {0};
    append_text(&text, "text");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct archive *zip = create_zip(path, false);
        put_entry(zip, cases[i].entry, &text);
        close_zip(zip);
        assert_refused(path, cases[i].wanted);
    }
    free_bytes(&text);
    close_zip(create_zip(path, false));
    assert_refused(path, "");

    struct network *network = google("");
    copy_as(network, find_tensor(network, "cls"), "cls");
    save_npz(path, network, "<f4", 1, false);
    assert_refused(path, "tensor cls is there twice");
    free_network(network);
}

/* Cut anywhere, a zip is refused. Changed anywhere, it is refused or the tensors are still right:
 * a checksum covers each entry's bytes, but not the zip's own records. */
static void test_damaged_zip(void **state)
{
    const char *whole = at(state, "whole.npz"), *path = at(state, "damaged.npz");
    struct network *network = google("");
    save_npz(whole, network, "<f4", 1, false);
    struct bytes file = load_bytes(whole);
    struct lae_weights right, found;
    read_well(whole, &right);
    for (size_t size = file.size - 1; size > 0; size -= size > 211 ? 211 : 1) {
        save_bytes(path, file.data, size);
        assert_refused(path, "");
    }
    int refused = 0;
    for (size_t i = 0; i < file.size; i += 61) {
        file.data[i] ^= 0x10;
        save_bytes(path, file.data, file.size);
        file.data[i] ^= 0x10;
        lae_status status = lae_weights_read(path, NULL, &found);
        if (status == NULL) {
            assert_same_sets(&right.tensors, &found.tensors);
            lae_weights_free(&found);
            continue;
        }
        assert_int_equal(lae_status_code(status), LAE_BAD_INPUT);
        lae_status_free(status);
        refused++;
    }
    assert_true(refused > 100);
    lae_weights_free(&right);
    free_bytes(&file);
    free_network(network);
}

/* ---- HDF5 ----------------------------------------------------------------------------------- */

/* The seal finds any change and any cut. */
static void test_damaged_own(void **state)
{
    const char *path = at(state, "damaged");
    save_own(state, path, true);
    struct bytes file = load_bytes(path);
    for (size_t i = 0; i < file.size; i += i < SEAL + 256 ? 7 : 307) {
        file.data[i] ^= 0x04;
        save_bytes(path, file.data, file.size);
        file.data[i] ^= 0x04;
        assert_refused(path, "");
        if (i > 0) save_bytes(path, file.data, i);
        if (i > 0) assert_refused(path, "");
    }
    free_bytes(&file);
}

static void put_dataset(hid_t file, const char *name, hid_t type, hsize_t size, const void *values)
{
    if (H5Lexists(file, name, H5P_DEFAULT) > 0)
        assert_true(H5Ldelete(file, name, H5P_DEFAULT) >= 0);
    hid_t space = H5Screate_simple(1, &size, NULL);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(set >= 0);
    assert_true(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

static void other_format(hid_t file)
{
    put_text_attribute(file, "format", "lae-checkpoint");
}

static void newer_version(hid_t file)
{
    put_attribute(file, "format_version", H5T_NATIVE_INT, &(int){2});
}

static void no_eps(hid_t file)
{
    assert_true(H5Adelete(file, "layer_norm_eps") >= 0);
}

static void negative_eps(hid_t file)
{
    put_attribute(file, "layer_norm_eps", H5T_NATIVE_DOUBLE, &(double){-1e-6});
}

static void odd_heads(hid_t file)
{
    put_attribute(file, "heads", H5T_NATIVE_INT, &(int){3});
}

static void negative_heads(hid_t file)
{
    put_attribute(file, "heads", H5T_NATIVE_INT, &(int){-2});
}

static void no_bias(hid_t file)
{
    assert_true(H5Ldelete(file, "blocks/1/norm2/bias", H5P_DEFAULT) >= 0);
}

static void no_block(hid_t file)
{
    assert_true(H5Ldelete(file, "blocks/0", H5P_DEFAULT) >= 0);
}

static void register_token(hid_t file)
{
    put_dataset(file, "reg_token", H5T_NATIVE_FLOAT, 2, (const float[]){0.0f, 1.0f});
}

static void stranger(hid_t file)
{
    hid_t group = H5Gcreate2(file, "hood", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    put_dataset(file, "hood/bias", H5T_NATIVE_FLOAT, 2, (const float[]){0.0f, 1.0f});
    H5Gclose(group);
}

static void integers(hid_t file)
{
    put_dataset(file, "norm/bias", H5T_NATIVE_INT, WIDTH, (const int[WIDTH]){0});
}

static void doubles(hid_t file)
{
    put_dataset(file, "norm/bias", H5T_NATIVE_DOUBLE, WIDTH, (const double[WIDTH]){0.0});
}

static void short_bias(hid_t file)
{
    put_dataset(file, "norm/bias", H5T_NATIVE_FLOAT, WIDTH - 1, (const float[WIDTH]){0.0f});
}

static void not_a_number(hid_t file)
{
    put_dataset(file, "norm/bias", H5T_NATIVE_FLOAT, WIDTH, (const float[WIDTH]){NAN});
}

static void soft_link(hid_t file)
{
    assert_true(H5Ldelete(file, "norm/bias", H5P_DEFAULT) >= 0);
    assert_true(H5Lcreate_soft("/norm/weight", file, "norm/bias", H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

/* Well-formed HDF5 with the wrong content. */
static void test_odd_hdf5(void **state)
{
    static const struct {
        void (*change)(hid_t file);
        const char *wanted;
    } cases[] = {
        {other_format, "lae-checkpoint"},
        {newer_version, "format_version 2"},
        {no_eps, "layer_norm_eps"},
        {negative_eps, "layer_norm_eps is -1e-06"},
        {odd_heads, "heads is 3, which does not divide the width 8"},
        {negative_heads, "heads is -2"},
        {no_bias, "tensor blocks/1/norm2/bias is missing"},
        {no_block, "tensor blocks/0/norm1/weight is missing"},
        {register_token, "tensor reg_token has shape [2]; [1, R, 8] is wanted"},
        {stranger, "tensor hood/bias is not known"},
        {integers, "norm/bias"},
        {doubles, "norm/bias"},
        {short_bias, "tensor norm/bias has shape [7]; [8] is wanted"},
        {not_a_number, "tensor norm/bias: element 0 is nan"},
        {soft_link, "norm/bias"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = at(state, "odd.h5");
        save_own(state, path, false);
        hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
        assert_true(file >= 0);
        cases[i].change(file);
        assert_true(H5Fclose(file) >= 0);
        assert_refused(path, cases[i].wanted);
    }
}

/* ---- Files that are something else ---------------------------------------------------------- */

static void test_strangers(void **state)
{
    static const struct {
        const char *content;
        size_t size;
        const char *wanted;
    } cases[] = {
        {"", 0, "is empty"},
        {"\n", 1, "is no weight file"},
        {"These are not the weights you are looking for.\n", 47, "is no weight file"},
        {"{\"a\": 1}", 8, "is JSON without a weight_map"},
        {"{\"a\": 1", 7, "is damaged at byte"},
        {"<!DOCTYPE html><html></html>", 28, "is a page of HTML"},
        {"GGUF\3\0\0\0", 8, "GGUF"},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", 57, "git lfs pull"},
        {"\x93NUMPY\1\0v\0{'descr': '<f4'", 24, "is a single .npy array"},
        {"\x80\x02}q\0.", 6, "is a Python pickle"},
        {"\x80\x04\x95\x0b", 4, "is a Python pickle"},
        {"\x1f\x8b\x08\0\0\0\0\0", 8, "is compressed with gzip"},
        {"PK\3\4", 4, ""},
        {"PK\3\4 and so on, as a zip would not", 34, ""},
        {"\x89HDF\r\n\x1a\n", 8, ""},
        {"\x89HDF\r\n\x1a\nand so on, as HDF5 would not", 34, ""},
        {"lae-checkpoint 1 sha256 00\n", 27, ""},
        {"lae-weights 1 sha256 00\n", 24, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = at(state, "stranger.safetensors");
        save_bytes(path, cases[i].content, cases[i].size);
        assert_refused(path, cases[i].wanted);
    }
    assert_int_equal(mkdir(at(state, "folder"), 0777), 0);
    assert_refused(at(state, "folder"), "is a folder without a weight file");
    assert_refused(at(state, "nowhere"), "No such file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_missing),
        TEST(test_ranks),
        TEST(test_not_finite),
        TEST(test_too_large),
        TEST(test_not_finite_head),
        TEST(test_shapes),
        TEST(test_unknown),
        TEST(test_other_networks),
        TEST(test_two_backbones),
        TEST(test_headers),
        TEST(test_metadata),
        TEST(test_header_lengths),
        TEST(test_cut_safetensors),
        TEST(test_flipped_header),
        TEST(test_npy_headers),
        TEST(test_cut_npy),
        TEST(test_zips),
        TEST(test_damaged_zip),
        TEST(test_damaged_own),
        TEST(test_odd_hdf5),
        TEST(test_strangers),
    };
    return cmocka_run_group_tests_name("weights_damage", tests, NULL, NULL);
}
