/* Weight files: a tiny Vision Transformer written here in every format, naming and type must read
 * as the same tensors; and whatever is wrong with a file must be refused by name. The writers in
 * this file share no code with the readers. */
#define _GNU_SOURCE /* nftw's flags */
#include "lae/store/weights.h"

#include "lae/files/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>
#include <ftw.h>
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WIDTH = 8, HEADS = 2, DEPTH = 2, HIDDEN = 12, PATCH = 2, GRID = 2 };
enum { HEAD_WIDTH = WIDTH / HEADS, TOKENS = 1 + GRID * GRID, CLASSES = 3 };
enum { PATH_SIZE = 512, NAME_SIZE = 128, MOST_ITEMS = 256 };

/* ---- A directory for each test -------------------------------------------------------------- */

static int make_place(void **state)
{
    const char *parent = getenv("TMPDIR");
    char *place = malloc(PATH_SIZE);
    assert_non_null(place);
    snprintf(place, PATH_SIZE, "%s/lae-test-weights-XXXXXX", parent != NULL ? parent : "/tmp");
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

/* PLACE/NAME, in one of a few buffers used in turn. */
static const char *at(void **state, const char *name)
{
    static char buffers[4][2 * PATH_SIZE];
    static int next;
    char *path = buffers[next++ % 4];
    snprintf(path, sizeof buffers[0], "%s/%s", (const char *)*state, name);
    return path;
}

/* ---- Bytes ---------------------------------------------------------------------------------- */

struct bytes {
    unsigned char *data;
    size_t size;
};

static void append(struct bytes *bytes, const void *data, size_t size)
{
    if (size == 0) return;
    bytes->data = realloc(bytes->data, bytes->size + size);
    assert_non_null(bytes->data);
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

static void append_text(struct bytes *bytes, const char *format, ...) LAE_PRINTF(2, 3);
static void append_text(struct bytes *bytes, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert_in_range(length, 0, sizeof text - 1);
    append(bytes, text, (size_t)length);
}

static void append_number(struct bytes *bytes, uint64_t value, int size)
{
    for (int i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)(value >> 8 * i);
        append(bytes, &byte, 1);
    }
}

static void free_bytes(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

static void save(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static struct bytes load(const char *path)
{
    struct bytes bytes = {0};
    unsigned char block[4096];
    size_t count;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    while ((count = fread(block, 1, sizeof block, file)) > 0)
        append(&bytes, block, count);
    fclose(file);
    return bytes;
}

/* ---- A tiny network ------------------------------------------------------------------------- */

struct item {
    char name[NAME_SIZE];
    int rank;
    size_t shape[8], count;
    float *data;
    const char *type; /* what the header shall say; NULL: what the writer was told */
    bool column_major;
};

struct network {
    struct item items[MOST_ITEMS];
    int count;
};

static struct item *add(struct network *network, int rank, const size_t *shape, const char *format,
                        ...) LAE_PRINTF(4, 5);
static struct item *add(struct network *network, int rank, const size_t *shape, const char *format,
                        ...)
{
    assert_in_range(network->count, 0, MOST_ITEMS - 1);
    struct item *item = &network->items[network->count++];
    *item = (struct item){.rank = rank, .count = 1};
    va_list args;
    va_start(args, format);
    vsnprintf(item->name, sizeof item->name, format, args);
    va_end(args);
    for (int i = 0; i < rank; i++)
        item->count *= item->shape[i] = shape[i];
    item->data = calloc(item->count + 1, sizeof *item->data);
    assert_non_null(item->data);
    return item;
}

/* Multiples of 1/128 below 1, which F32, F16 and BF16 all hold; different in each tensor. */
static void fill(struct network *network)
{
    for (int i = 0; i < network->count; i++)
        for (size_t k = 0; k < network->items[i].count; k++)
            network->items[i].data[k] =
                (float)((int)((k * 37 + (size_t)i * 11) % 255) - 127) / 128.0f;
}

#define ADD(network, name, ...)                                                                    \
    add(network, (int)(sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t)),                          \
        (const size_t[]){__VA_ARGS__}, "%s", name)

static void add_block(struct network *network, int block)
{
    static const struct {
        const char *name;
        int rank;
        size_t shape[2];
    } parts[] = {
        {"norm1.weight", 1, {WIDTH}},
        {"norm1.bias", 1, {WIDTH}},
        {"attn.qkv.weight", 2, {3 * WIDTH, WIDTH}},
        {"attn.qkv.bias", 1, {3 * WIDTH}},
        {"attn.proj.weight", 2, {WIDTH, WIDTH}},
        {"attn.proj.bias", 1, {WIDTH}},
        {"norm2.weight", 1, {WIDTH}},
        {"norm2.bias", 1, {WIDTH}},
        {"mlp.fc1.weight", 2, {HIDDEN, WIDTH}},
        {"mlp.fc1.bias", 1, {HIDDEN}},
        {"mlp.fc2.weight", 2, {WIDTH, HIDDEN}},
        {"mlp.fc2.bias", 1, {WIDTH}},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        add(network, parts[i].rank, parts[i].shape, "blocks.%d.%s", block, parts[i].name);
}

static struct network *timm_of_depth(int depth)
{
    struct network *network = calloc(1, sizeof *network);
    assert_non_null(network);
    ADD(network, "cls_token", 1, 1, WIDTH);
    ADD(network, "pos_embed", 1, TOKENS, WIDTH);
    ADD(network, "patch_embed.proj.weight", WIDTH, 3, PATCH, PATCH);
    ADD(network, "patch_embed.proj.bias", WIDTH);
    for (int block = 0; block < depth; block++)
        add_block(network, block);
    ADD(network, "norm.weight", WIDTH);
    ADD(network, "norm.bias", WIDTH);
    fill(network);
    return network;
}

static struct network *timm(void)
{
    return timm_of_depth(DEPTH);
}

static void free_network(struct network *network)
{
    for (int i = 0; i < network->count; i++)
        free(network->items[i].data);
    free(network);
}

static struct item *find(struct network *network, const char *name)
{
    for (int i = 0; i < network->count; i++)
        if (strcmp(network->items[i].name, name) == 0) return &network->items[i];
    fail_msg("the test's own network has no %s", name);
    return NULL;
}

static void drop(struct network *network, const char *name)
{
    struct item *item = find(network, name);
    free(item->data);
    *item = network->items[--network->count];
}

/* The same data under another shape. */
static void reshape(struct item *item, int rank, const size_t *shape)
{
    float *data = item->data;
    item->rank = rank;
    item->count = 1;
    for (int i = 0; i < rank; i++)
        item->count *= item->shape[i] = shape[i];
    item->data = calloc(item->count + 1, sizeof *item->data);
    assert_non_null(item->data);
    free(data);
}

#define RESHAPE(item, ...)                                                                         \
    reshape(item, (int)(sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t)),                         \
            (const size_t[]){__VA_ARGS__})

static void copy_as(struct network *out, const struct item *from, const char *name)
{
    struct item *item = add(out, from->rank, from->shape, "%s", name);
    memcpy(item->data, from->data, from->count * sizeof *from->data);
}

/* A classifier or the like, which readers leave out. */
static void add_head(struct network *network, const char *name)
{
    add(network, 2, (const size_t[]){CLASSES, WIDTH}, "%s.weight", name);
    add(network, 1, (const size_t[]){CLASSES}, "%s.bias", name);
}

/* Query, key and value as tensors of their own. */
static void split_qkv(struct network *to, const struct item *qkv, const char *prefix, int block,
                      const char *kind)
{
    static const char *const thirds[] = {"query", "key", "value"};
    for (size_t i = 0; i < 3; i++) {
        struct item *item =
            add(to, qkv->rank, (const size_t[]){WIDTH, WIDTH},
                "%sencoder.layer.%d.attention.attention.%s.%s", prefix, block, thirds[i], kind);
        memcpy(item->data, qkv->data + i * item->count, item->count * sizeof(float));
    }
}

static void transformers_block(struct network *to, struct network *from, const char *prefix,
                               int block, const char *kind)
{
    static const char *const pairs[][2] = {
        {"norm1", "layernorm_before"}, {"attn.proj", "attention.output.dense"},
        {"norm2", "layernorm_after"},  {"mlp.fc1", "intermediate.dense"},
        {"mlp.fc2", "output.dense"},
    };
    char ours[NAME_SIZE], theirs[NAME_SIZE];
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        snprintf(ours, sizeof ours, "blocks.%d.%s.%s", block, pairs[i][0], kind);
        snprintf(theirs, sizeof theirs, "%sencoder.layer.%d.%s.%s", prefix, block, pairs[i][1],
                 kind);
        copy_as(to, find(from, ours), theirs);
    }
    snprintf(ours, sizeof ours, "blocks.%d.attn.qkv.%s", block, kind);
    split_qkv(to, find(from, ours), prefix, block, kind);
}

static void copy_stem(struct network *to, struct network *from, const char *prefix,
                      const char *const pairs[][2], size_t count)
{
    char theirs[NAME_SIZE];
    for (size_t i = 0; i < count; i++) {
        snprintf(theirs, sizeof theirs, "%s%s", prefix, pairs[i][1]);
        copy_as(to, find(from, pairs[i][0]), theirs);
    }
}

static struct network *transformers(const char *prefix)
{
    static const char *const stem[][2] = {
        {"cls_token", "embeddings.cls_token"},
        {"pos_embed", "embeddings.position_embeddings"},
        {"patch_embed.proj.weight", "embeddings.patch_embeddings.projection.weight"},
        {"patch_embed.proj.bias", "embeddings.patch_embeddings.projection.bias"},
        {"norm.weight", "layernorm.weight"},
        {"norm.bias", "layernorm.bias"},
    };
    struct network *from = timm(), *to = calloc(1, sizeof *to);
    assert_non_null(to);
    copy_stem(to, from, prefix, stem, sizeof stem / sizeof *stem);
    for (int block = 0; block < DEPTH; block++) {
        transformers_block(to, from, prefix, block, "weight");
        transformers_block(to, from, prefix, block, "bias");
    }
    free_network(from);
    return to;
}

#define GOOGLE_BLOCK "%sTransformer/encoderblock_%d/"
#define GOOGLE_ATTENTION GOOGLE_BLOCK "MultiHeadDotProductAttention_1/"

/* Google's names and layouts: kernels [in, out], attention's split into heads. */
static void google_attention(struct network *to, struct network *from, const char *prefix,
                             int block)
{
    static const char *const letters[] = {"query", "key", "value"};
    char name[NAME_SIZE];
    for (size_t i = 0; i < 3; i++) {
        struct item *kernel = add(to, 3, (const size_t[]){WIDTH, HEADS, HEAD_WIDTH},
                                  GOOGLE_ATTENTION "%s/kernel", prefix, block, letters[i]);
        snprintf(name, sizeof name, "blocks.%d.attn.qkv.weight", block);
        const float *weight = find(from, name)->data; /* [3 * WIDTH, WIDTH] */
        for (size_t in = 0; in < WIDTH; in++)
            for (size_t out = 0; out < WIDTH; out++)
                kernel->data[in * WIDTH + out] = weight[(i * WIDTH + out) * WIDTH + in];
        struct item *bias = add(to, 2, (const size_t[]){HEADS, HEAD_WIDTH},
                                GOOGLE_ATTENTION "%s/bias", prefix, block, letters[i]);
        snprintf(name, sizeof name, "blocks.%d.attn.qkv.bias", block);
        memcpy(bias->data, find(from, name)->data + i * WIDTH, WIDTH * sizeof(float));
    }
    struct item *kernel = add(to, 3, (const size_t[]){HEADS, HEAD_WIDTH, WIDTH},
                              GOOGLE_ATTENTION "out/kernel", prefix, block);
    snprintf(name, sizeof name, "blocks.%d.attn.proj.weight", block);
    const float *weight = find(from, name)->data; /* [WIDTH out, WIDTH in] */
    for (size_t in = 0; in < WIDTH; in++)
        for (size_t out = 0; out < WIDTH; out++)
            kernel->data[in * WIDTH + out] = weight[out * WIDTH + in];
    struct item *bias =
        add(to, 1, (const size_t[]){WIDTH}, GOOGLE_ATTENTION "out/bias", prefix, block);
    snprintf(name, sizeof name, "blocks.%d.attn.proj.bias", block);
    memcpy(bias->data, find(from, name)->data, WIDTH * sizeof(float));
}

static void google_rest(struct network *to, struct network *from, const char *prefix, int block)
{
    char ours[NAME_SIZE], theirs[NAME_SIZE];
    for (int i = 0; i < 2; i++) {
        snprintf(ours, sizeof ours, "blocks.%d.norm%d.weight", block, i + 1);
        snprintf(theirs, sizeof theirs, GOOGLE_BLOCK "LayerNorm_%d/scale", prefix, block, 2 * i);
        copy_as(to, find(from, ours), theirs);
        snprintf(ours, sizeof ours, "blocks.%d.norm%d.bias", block, i + 1);
        snprintf(theirs, sizeof theirs, GOOGLE_BLOCK "LayerNorm_%d/bias", prefix, block, 2 * i);
        copy_as(to, find(from, ours), theirs);

        snprintf(ours, sizeof ours, "blocks.%d.mlp.fc%d.weight", block, i + 1);
        const struct item *weight = find(from, ours);
        size_t out = weight->shape[0], in = weight->shape[1];
        struct item *kernel = add(to, 2, (const size_t[]){in, out},
                                  GOOGLE_BLOCK "MlpBlock_3/Dense_%d/kernel", prefix, block, i);
        for (size_t a = 0; a < in; a++)
            for (size_t b = 0; b < out; b++)
                kernel->data[a * out + b] = weight->data[b * in + a];
        snprintf(ours, sizeof ours, "blocks.%d.mlp.fc%d.bias", block, i + 1);
        snprintf(theirs, sizeof theirs, GOOGLE_BLOCK "MlpBlock_3/Dense_%d/bias", prefix, block, i);
        copy_as(to, find(from, ours), theirs);
    }
}

static struct network *google(const char *prefix)
{
    static const char *const stem[][2] = {
        {"cls_token", "cls"},
        {"pos_embed", "Transformer/posembed_input/pos_embedding"},
        {"patch_embed.proj.bias", "embedding/bias"},
        {"norm.weight", "Transformer/encoder_norm/scale"},
        {"norm.bias", "Transformer/encoder_norm/bias"},
    };
    struct network *from = timm(), *to = calloc(1, sizeof *to);
    assert_non_null(to);
    copy_stem(to, from, prefix, stem, sizeof stem / sizeof *stem);
    struct item *kernel =
        add(to, 4, (const size_t[]){PATCH, PATCH, 3, WIDTH}, "%sembedding/kernel", prefix);
    const float *weight =
        find(from, "patch_embed.proj.weight")->data; /* [WIDTH, 3, PATCH, PATCH] */
    for (size_t y = 0; y < PATCH; y++)
        for (size_t x = 0; x < PATCH; x++)
            for (size_t c = 0; c < 3; c++)
                for (size_t d = 0; d < WIDTH; d++)
                    kernel->data[((y * PATCH + x) * 3 + c) * WIDTH + d] =
                        weight[((d * 3 + c) * PATCH + y) * PATCH + x];
    for (int block = 0; block < DEPTH; block++) {
        google_attention(to, from, prefix, block);
        google_rest(to, from, prefix, block);
    }
    free_network(from);
    return to;
}

/* ---- Writers -------------------------------------------------------------------------------- */

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Of a number that a normal half holds. */
static uint16_t half_of(float value)
{
    uint32_t bits = bits_of(value);
    if (value == 0.0f) return (uint16_t)(bits >> 16);
    uint32_t exponent = (bits >> 23 & 255u) - 127 + 15;
    return (uint16_t)((bits >> 16 & 0x8000u) | exponent << 10 | (bits >> 13 & 0x3ffu));
}

static void append_value(struct bytes *bytes, const char *type, float value)
{
    if (strcmp(type, "F16") == 0 || strcmp(type, "<f2") == 0)
        append_number(bytes, half_of(value), 2);
    else if (strcmp(type, "BF16") == 0)
        append_number(bytes, bits_of(value) >> 16, 2);
    else
        append_number(bytes, bits_of(value), 4);
}

static void append_shape(struct bytes *bytes, const struct item *item, const char *separator)
{
    for (int i = 0; i < item->rank; i++)
        append_text(bytes, "%s%zu", i == 0 ? "" : separator, item->shape[i]);
}

/* `metadata`: the text of a first entry with its comma, or "". */
static struct bytes safetensors(const struct network *network, const char *type,
                                const char *metadata)
{
    struct bytes header = {0}, data = {0}, file = {0};
    append_text(&header, "{%s", metadata);
    for (int i = 0; i < network->count; i++) {
        const struct item *item = &network->items[i];
        size_t begin = data.size;
        for (size_t k = 0; k < item->count; k++)
            append_value(&data, type, item->data[k]);
        append_text(&header, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", i == 0 ? "" : ",",
                    item->name, item->type != NULL ? item->type : type);
        append_shape(&header, item, ",");
        append_text(&header, "],\"data_offsets\":[%zu,%zu]}", begin, data.size);
    }
    append_text(&header, "}");
    append_number(&file, header.size, 8);
    append(&file, header.data, header.size);
    append(&file, data.data, data.size);
    free_bytes(&header);
    free_bytes(&data);
    return file;
}

static void save_safetensors(const char *path, const struct network *network, const char *type,
                             const char *metadata)
{
    struct bytes file = safetensors(network, type, metadata);
    save(path, file.data, file.size);
    free_bytes(&file);
}

static struct bytes npy(const struct item *item, const char *type, int version)
{
    struct bytes header = {0}, file = {0};
    append_text(&header, "{'descr': '%s', 'fortran_order': %s, 'shape': (",
                item->type != NULL ? item->type : type, item->column_major ? "True" : "False");
    append_shape(&header, item, ", ");
    append_text(&header, "%s), }", item->rank == 1 ? "," : "");
    while ((10 + header.size + 1) % 64 != 0)
        append_text(&header, " ");
    append_text(&header, "\n");
    append(&file, "\x93NUMPY", 6);
    append_number(&file, (uint64_t)version, 2);
    append_number(&file, header.size, version == 1 ? 2 : 4);
    append(&file, header.data, header.size);
    for (size_t k = 0; k < item->count; k++) {
        size_t from = k;
        if (item->column_major) { /* k counts down the columns of a matrix */
            assert_int_equal(item->rank, 2);
            from = k % item->shape[0] * item->shape[1] + k / item->shape[0];
        }
        append_value(&file, type, item->data[from]);
    }
    free_bytes(&header);
    return file;
}

static void put_entry(struct archive *zip, const char *name, const struct bytes *content)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)content->size);
    assert_int_equal(archive_write_header(zip, entry), ARCHIVE_OK);
    assert_int_equal(archive_write_data(zip, content->data, content->size), content->size);
    archive_entry_free(entry);
}

static struct archive *create_zip(const char *path, bool deflate)
{
    struct archive *zip = archive_write_new();
    assert_int_equal(archive_write_set_format_zip(zip), ARCHIVE_OK);
    assert_int_equal(deflate ? archive_write_zip_set_compression_deflate(zip)
                             : archive_write_zip_set_compression_store(zip),
                     ARCHIVE_OK);
    assert_int_equal(archive_write_open_filename(zip, path), ARCHIVE_OK);
    return zip;
}

static void close_zip(struct archive *zip)
{
    assert_int_equal(archive_write_close(zip), ARCHIVE_OK);
    archive_write_free(zip);
}

static void save_npz(const char *path, const struct network *network, const char *type, int version,
                     bool deflate)
{
    struct archive *zip = create_zip(path, deflate);
    for (int i = 0; i < network->count; i++) {
        char name[NAME_SIZE + 8];
        struct bytes content = npy(&network->items[i], type, version);
        snprintf(name, sizeof name, "%s.npy", network->items[i].name);
        put_entry(zip, name, &content);
        free_bytes(&content);
    }
    close_zip(zip);
}

/* ---- What was read -------------------------------------------------------------------------- */

static void read_well(const char *path, struct lae_weights *weights)
{
    lae_status status = lae_weights_read(path, NULL, weights);
    if (status != NULL) fail_msg("%s", lae_status_message(status));
}

static void assert_same_sets(const struct lae_set *a, const struct lae_set *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_string_equal(a->items[i].name, b->items[i].name);
        assert_int_equal(a->items[i].rank, b->items[i].rank);
        assert_memory_equal(a->items[i].shape, b->items[i].shape,
                            (size_t)a->items[i].rank * sizeof(size_t));
        assert_memory_equal(a->items[i].data, b->items[i].data, a->items[i].count * sizeof(float));
    }
}

/* The tensors are those of timm(), in its order and with '/' in the names, to the bit. */
static void assert_is(const struct lae_weights *weights, const struct network *network)
{
    assert_int_equal(weights->tensors.count, network->count);
    for (int i = 0; i < network->count; i++) {
        const struct item *item = &network->items[i];
        const struct lae_named *tensor = &weights->tensors.items[i];
        char name[NAME_SIZE];
        strcpy(name, item->name);
        for (char *dot = name; (dot = strchr(dot, '.')) != NULL;)
            *dot = '/';
        assert_string_equal(tensor->name, name);
        assert_int_equal(tensor->rank, item->rank);
        assert_memory_equal(tensor->shape, item->shape, (size_t)item->rank * sizeof(size_t));
        assert_int_equal(tensor->count, item->count);
        for (size_t k = 0; k < item->count; k++)
            if (tensor->data[k] != item->data[k])
                fail_msg("%s[%zu] is %g, not %g", name, k, (double)tensor->data[k],
                         (double)item->data[k]);
    }
}

static void assert_reads_as(const char *path, enum lae_weights_format format, double eps, int heads)
{
    struct lae_weights weights;
    struct network *wanted = timm();
    read_well(path, &weights);
    assert_int_equal(weights.format, format);
    assert_true(weights.layer_norm_eps == eps);
    assert_int_equal(weights.heads, heads);
    char digest[LAE_DIGEST_TEXT];
    assert_null(lae_digest_file(path, 0, digest));
    assert_string_equal(weights.digest, digest);
    assert_is(&weights, wanted);
    free_network(wanted);
    lae_weights_free(&weights);
}

/* The file is refused as bad input; the message begins with the path and has `part` in it. */
static void assert_refused(const char *path, const char *part)
{
    struct lae_weights weights;
    lae_status status = lae_weights_read(path, NULL, &weights);
    const char *message = lae_status_message(status);
    if (status == NULL) fail_msg("%s was read; an error about \"%s\" is wanted", path, part);
    if (lae_status_code(status) != LAE_BAD_INPUT || strstr(message, part) == NULL ||
        strncmp(message, path, strlen(path)) != 0 || strstr(message + 1, path) != NULL)
        fail_msg("an error about \"%s\" is wanted, not: %s", part, message);
    assert_null(weights.tensors.items);
    lae_status_free(status);
}

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
            assert_reads_as(path, LAE_WEIGHTS_TIMM, 1e-6, 0);
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
        assert_reads_as(path, LAE_WEIGHTS_TRANSFORMERS, 1e-12, 0);
        add_head(network, i == 0 ? "pooler.dense" : "vit.pooler.dense");
        add_head(network, "classifier");
        save_safetensors(path, network, "BF16", "");
        assert_reads_as(path, LAE_WEIGHTS_TRANSFORMERS, 1e-12, 0);
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
        assert_reads_as(path, LAE_WEIGHTS_NPZ, 1e-6, HEADS);
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "%shead/kernel", prefixes[i]);
        ADD(network, name, WIDTH, CLASSES);
        snprintf(name, sizeof name, "%spre_logits/kernel", prefixes[i]);
        ADD(network, name, WIDTH, WIDTH);
        for (int version = 1; version <= 3; version++) {
            save_npz(path, network, "<f2", version, true);
            assert_reads_as(path, LAE_WEIGHTS_NPZ, 1e-6, HEADS);
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
    assert_reads_as(path, LAE_WEIGHTS_NPZ, 1e-6, HEADS);
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
        RESHAPE(find(network, "blocks.0.mlp.fc1.weight"), 65536 / WIDTH, WIDTH);
        RESHAPE(find(network, "blocks.0.mlp.fc1.bias"), 65536 / WIDTH);
        RESHAPE(find(network, "blocks.0.mlp.fc2.weight"), WIDTH, 65536 / WIDTH);
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
        save(path, file.data, file.size);
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

static void write_well(const char *path, const struct lae_weights *weights)
{
    lae_status status = lae_weights_write(path, weights);
    if (status != NULL) fail_msg("%s", lae_status_message(status));
}

static void assert_round_trip(const struct lae_weights *first, const char *path,
                              enum lae_weights_format format)
{
    struct lae_weights second;
    write_well(path, first);
    read_well(path, &second);
    assert_int_equal(second.format, format);
    assert_true(second.layer_norm_eps == first->layer_norm_eps);
    assert_int_equal(second.heads, first->heads);
    assert_same_sets(&first->tensors, &second.tensors);
    lae_weights_free(&second);
}

static void assert_round_trips(void **state, const char *path)
{
    struct lae_weights first;
    read_well(path, &first);
    assert_round_trip(&first, at(state, "again.safetensors"), LAE_WEIGHTS_TIMM);
    assert_round_trip(&first, at(state, "again.h5"), LAE_WEIGHTS_HDF5);
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
        struct bytes once = load(path);
        write_well(path, &weights);
        struct bytes twice = load(path);
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
    struct bytes file = load(path);
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

/* Each tensor in turn is left out. */
static void test_missing(void **state)
{
    for (int n = 0; n < NAMINGS; n++)
        for (int i = 0;; i++) {
            struct network *network = namings[n].make(namings[n].prefix);
            bool done = i == network->count;
            if (!done) {
                char wanted[2 * NAME_SIZE];
                const char *path = at(state, namings[n].file);
                snprintf(wanted, sizeof wanted, ": tensor %s is missing", network->items[i].name);
                drop(network, network->items[i].name);
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

/* A classifier's numbers are never used. */
static void test_not_finite_head(void **state)
{
    const char *path = at(state, "head.safetensors");
    struct network *network = timm();
    add_head(network, "head");
    find(network, "head.bias")->data[0] = NAN;
    save_safetensors(path, network, "F32", "");
    assert_reads_as(path, LAE_WEIGHTS_TIMM, 1e-6, 0);
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
        {0, "pos_embed", 3, {1, 4, 8}, "pos_embed has shape [1, 4, 8]; [1, 1 + g*g, 8] is wanted"},
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
        reshape(find(network, cases[i].tensor), cases[i].rank, cases[i].shape);
        save_network(path, network);
        assert_refused(path, cases[i].tensor);
        assert_refused(path, cases[i].wanted);
        free_network(network);
    }
}

static void test_unknown(void **state)
{
    static const struct {
        int naming;
        const char *tensor;
    } cases[] = {
        {0, "blocks.0.ls1.gamma"},
        {0, "reg_token"},
        {0, "dist_token"},
        {0, "head_dist.weight"},
        {0, "fc_norm.weight"},
        {0, "norm_pre.weight"},
        {0, "blocks.0.attn.q_norm.bias"},
        {0, "blocks.0.attn.qkv.weight.more"},
        {0, "blocks.01.norm1.weight"},
        {0, "blocks.x.norm1.weight"},
        {0, "blocks..norm1.weight"},
        {0, "blocks.-1.norm1.weight"},
        {0, "blocks.9999999.norm1.bias"},
        {0, "blocks/0/norm1/weight"},
        {0, "cls_token2"},
        {0, "vit.cls_token"},
        {0, "classifier.weight"},
        {0, "embeddings.cls_token"},
        {0, "heads.weight"},
        {0, ""},
        {1, "embeddings.mask_token"},
        {1, "vit.embeddings.cls_token"},
        {1, "head.weight"},
        {2, "embeddings.cls_token"},
        {2, "decoder.0.weight"},
        {3, "opt/state/step"},
        {3, "embedding.kernel"},
        {3, "Transformer/encoderblock_0/LayerNorm_1/scale"},
        {4, "cls"},
        {4, "opt/target/MAPHead_0/probe"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char wanted[2 * NAME_SIZE];
        const struct naming *naming = &namings[cases[i].naming];
        const char *path = at(state, naming->file);
        struct network *network = naming->make(naming->prefix);
        ADD(network, cases[i].tensor, WIDTH);
        save_network(path, network);
        snprintf(wanted, sizeof wanted, ": tensor %s is of another architecture", cases[i].tensor);
        assert_refused(path, wanted);
        free_network(network);
    }
}

static void test_other_networks(void **state)
{
    const char *path = at(state, "other.safetensors");
    struct network *network = calloc(1, sizeof *network);
    assert_non_null(network);
    save_safetensors(path, network, "F32", "");
    assert_refused(path, "holds no tensors");
    ADD(network, "layer1.0.conv1.weight", 4, 3, 3, 3);
    ADD(network, "conv1.weight", 4, 3, 3, 3);
    save_safetensors(path, network, "F32", "");
    assert_refused(path, "no tensor has a name known from Vision Transformers; the first is conv1");
    free_network(network);

    network = timm(); /* blocks 0, 1 and 3 */
    add_block(network, 3);
    save_safetensors(path, network, "F32", "");
    assert_refused(path, "tensor blocks.2.norm1.weight is missing");
    free_network(network);
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
    append(&edited, file->data + 8, (size_t)(found - file->data) - 8);
    append(&edited, to, strlen(to));
    found += strlen(from);
    append(&edited, found, file->size - (size_t)(found - file->data));
    save(path, edited.data, edited.size);
    free_bytes(&edited);
}

/* The header begins {"cls_token":{"dtype":"F32","shape":[1,1,8],"data_offsets":[0,32]},
 * "pos_embed":{"dtype":"F32","shape":[1,5,8],"data_offsets":[32,192]},... */
static void test_headers(void **state)
{
    static const struct {
        const char *from, *to, *wanted;
    } cases[] = {
        {"\"F32\"", "\"I64\"", "tensor cls_token is of type I64; F32, F16 or BF16 is wanted"},
        {"\"F32\"", "\"f32\"", "tensor cls_token is of type f32"},
        {"\"F32\"", "\"F64\"", "tensor cls_token is of type F64"},
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
        {"{\"layer_norm_eps\":\"tiny\",\"heads\":\"2\"}", "layer_norm_eps \"tiny\""},
        {"{\"layer_norm_eps\":\"\",\"heads\":\"2\"}", "layer_norm_eps \"\""},
        {"{\"layer_norm_eps\":\"nan\",\"heads\":\"2\"}", "layer_norm_eps is nan"},
        {"{\"layer_norm_eps\":\"inf\",\"heads\":\"2\"}", "layer_norm_eps is inf"},
        {"{\"layer_norm_eps\":\"0\",\"heads\":\"2\"}", "layer_norm_eps is 0"},
        {"{\"layer_norm_eps\":\"1e-6\",\"heads\":\"2x\"}", "heads \"2x\""},
        {"{\"layer_norm_eps\":\"1e-6\",\"heads\":\"-2\"}", "heads is -2"},
        {"{\"layer_norm_eps\":\"1e-6\",\"heads\":\"99999999999999999999\"}", "heads is 9223372"},
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
    assert_reads_as(path, LAE_WEIGHTS_TIMM, 1e-12, HEADS);
    save_safetensors(path, network, "F32", "\"__metadata__\":{\"heads\":\"many\"},");
    assert_reads_as(path, LAE_WEIGHTS_TIMM, 1e-6, 0); /* of somebody else's making */
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
        save(path, file.data, file.size);
        assert_refused(path, cases[i].wanted);
    }
    free_bytes(&file);
    free_network(network);
}

/* Cut after every byte of header and structure; and one byte too many. */
static void test_cut_safetensors(void **state)
{
    struct network *network = timm();
    struct bytes file = safetensors(network, "F32", "");
    const char *path = at(state, "cut.safetensors");
    for (size_t size = 0; size < file.size; size += size < 256 || size > file.size - 256 ? 1 : 61) {
        save(path, file.data, size);
        assert_refused(path, size == 0 ? "is empty" : size < 9 ? "is no weight file" : "");
    }
    append(&file, "", 1);
    save(path, file.data, file.size);
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
        save(path, file.data, file.size);
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
    drop(network, name);
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
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 4), }", "is of type '<f8'"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (1, 1, 8), }", "is of type '>f4'"},
        {"{'descr': '|V2', 'fortran_order': False, 'shape': (1, 1, 16), }", "is of type '|V2'"},
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
        append(&content, "\x93NUMPY\1", 8);
        append_number(&content, strlen(cases[i].header), 2);
        append(&content, cases[i].header, strlen(cases[i].header));
        append(&content, find(network, "cls_token")->data, WIDTH * sizeof(float));
        save_with_entry(path, "cls", &content);
        if (cases[i].wanted == NULL) {
            assert_reads_as(path, LAE_WEIGHTS_NPZ, 1e-6, HEADS);
        } else {
            assert_refused(path, ": tensor cls: ");
            assert_refused(path, cases[i].wanted);
        }
        free_bytes(&content);
    }
    free_network(network);
}

/* The array of one tensor is cut after every byte, or begins wrongly. */
static void test_cut_npy(void **state)
{
    struct network *network = google("");
    const char *path = at(state, "cut.npz");
    for (int version = 1; version <= 2; version++) {
        struct bytes content = npy(find(network, "cls"), "<f4", version);
        size_t size = content.size;
        for (content.size = 0; content.size < size; content.size++) {
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
        struct bytes content = npy(find(network, "cls"), "<f4", 1);
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
    copy_as(network, find(network, "cls"), "cls");
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
    struct bytes file = load(whole);
    struct lae_weights right, found;
    read_well(whole, &right);
    for (size_t size = file.size - 1; size > 0; size -= size > 97 ? 97 : 1) {
        save(path, file.data, size);
        assert_refused(path, "");
    }
    int refused = 0;
    for (size_t i = 0; i < file.size; i += 31) {
        file.data[i] ^= 0x10;
        save(path, file.data, file.size);
        file.data[i] ^= 0x10;
        assert_true(survives(path));
        lae_status status = lae_weights_read(path, NULL, &found);
        if (status == NULL) {
            assert_same_sets(&right.tensors, &found.tensors);
            lae_weights_free(&found);
        }
        refused += status != NULL;
        lae_status_free(status);
    }
    assert_true(refused > 100);
    lae_weights_free(&right);
    free_bytes(&file);
    free_network(network);
}

/* ---- HDF5 ----------------------------------------------------------------------------------- */

enum { SEAL = 512 };

static void write_own(void **state, const char *path)
{
    const char *first = at(state, "first.safetensors");
    struct network *network = timm();
    struct lae_weights weights;
    save_safetensors(first, network, "F32",
                     "\"__metadata__\":{\"layer_norm_eps\":\"1e-5\",\"heads\":\"2\"},");
    read_well(first, &weights);
    write_well(path, &weights);
    lae_weights_free(&weights);
    free_network(network);
}

/* Our own file of timm()'s tensors; `sealed`: with its user block. Written once a test, and copied
 * from there: waiting for the disk takes longer than all the rest. */
static void save_own(void **state, const char *path, bool sealed)
{
    const char *whole = at(state, "own.h5");
    if (access(whole, R_OK) != 0) write_own(state, whole);
    struct bytes file = load(whole);
    size_t from = sealed ? 0 : SEAL;
    save(path, file.data + from, file.size - from);
    free_bytes(&file);
}

static void test_own(void **state)
{
    const char *path = at(state, "sealed");
    save_own(state, path, true);
    assert_reads_as(path, LAE_WEIGHTS_HDF5, 1e-5, HEADS);
    struct bytes file = load(path);
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
    assert_int_equal(weights.format, LAE_WEIGHTS_HDF5);
    lae_weights_free(&weights);
}

/* The seal finds any change and any cut. */
static void test_damaged_own(void **state)
{
    const char *path = at(state, "damaged");
    save_own(state, path, true);
    struct bytes file = load(path);
    for (size_t i = 0; i < file.size; i += i < SEAL + 256 ? 3 : 101) {
        file.data[i] ^= 0x04;
        save(path, file.data, file.size);
        file.data[i] ^= 0x04;
        assert_refused(path, "");
        if (i > 0) save(path, file.data, i);
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

static void put_attribute(hid_t file, const char *name, hid_t type, const void *value)
{
    if (H5Aexists(file, name) > 0) assert_true(H5Adelete(file, name) >= 0);
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(attribute >= 0);
    assert_true(H5Awrite(attribute, type, value) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
}

static void put_text_attribute(hid_t file, const char *name, const char *value)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, strlen(value));
    put_attribute(file, name, type, value);
    H5Tclose(type);
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

static void classifier(hid_t file)
{
    hid_t group = H5Gcreate2(file, "head", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    put_dataset(file, "head/bias", H5T_NATIVE_FLOAT, 2, (const float[]){0.0f, 1.0f});
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
        {register_token, "tensor reg_token is of another architecture"},
        {classifier, "tensor head/bias is of another architecture"},
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
        {"{\"a\": 1}", 8, "is no weight file"},
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
        save(path, cases[i].content, cases[i].size);
        assert_refused(path, cases[i].wanted);
    }
    assert_refused(*state, "is a directory");
    assert_refused(at(state, "nowhere"), "No such file");
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(lae_weights_format_name(LAE_WEIGHTS_NPZ), "Google npz");
    assert_string_equal(lae_weights_format_name(LAE_WEIGHTS_TIMM), "timm safetensors");
    assert_string_equal(lae_weights_format_name(LAE_WEIGHTS_TRANSFORMERS),
                        "transformers safetensors");
    assert_string_equal(lae_weights_format_name(LAE_WEIGHTS_HDF5), "HDF5");
}

/* ---- Files that others wrote ---------------------------------------------------------------- */

/* ROOT/NAME below the source tree, or skips the test. */
static const char *of_source(const char *name)
{
    static char path[2 * PATH_SIZE];
    const char *root = getenv("LAE_TEST_SOURCE");
    if (root == NULL) {
        print_message("LAE_TEST_SOURCE, the source tree, is not set: skipped\n");
        skip();
    }
    snprintf(path, sizeof path, "%s/%s", root, name);
    if (access(path, R_OK) != 0) {
        print_message("%s is not there: skipped\n", path);
        skip();
    }
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
    struct bytes content = load(from);
    save(to, content.data, content.size);
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
        enum lae_weights_format format;
        double eps;
        int heads;
    } cases[] = {
        {"google.npz", LAE_WEIGHTS_NPZ, 1e-6, 2},
        {"google-prefix.npz", LAE_WEIGHTS_NPZ, 1e-6, 2},
        {"timm-f32.safetensors", LAE_WEIGHTS_TIMM, 1e-6, 0},
        {"timm-f16.safetensors", LAE_WEIGHTS_TIMM, 1e-6, 0},
        {"timm-bf16.safetensors", LAE_WEIGHTS_TIMM, 1e-6, 0},
        {"transformers.safetensors", LAE_WEIGHTS_TRANSFORMERS, 1e-12, 0},
        {"transformers-vit.safetensors", LAE_WEIGHTS_TRANSFORMERS, 1e-12, 0},
        {"own.h5", LAE_WEIGHTS_HDF5, 1e-6, 0},
    };
    char folder[2 * PATH_SIZE], path[3 * PATH_SIZE], expected[3 * PATH_SIZE];
    snprintf(folder, sizeof folder, "%s", of_source("tests/reference/weights"));
    snprintf(expected, sizeof expected, "%s/expected.h5", folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lae_weights weights;
        snprintf(path, sizeof path, "%s/%s", folder, cases[i].name);
        if (cases[i].format == LAE_WEIGHTS_HDF5) {
            copy_own(path, at(state, "own.h5"));
            snprintf(path, sizeof path, "%s", at(state, "own.h5"));
        }
        read_well(path, &weights);
        assert_int_equal(weights.format, cases[i].format);
        assert_true(weights.layer_norm_eps == cases[i].eps);
        assert_int_equal(weights.heads, cases[i].heads);
        assert_int_equal(weights.tensors.count, 6 + 2 * 12);
        assert_expected(&weights, expected);
        lae_weights_free(&weights);
    }
    snprintf(path, sizeof path, "%s/refused-layer-scale.safetensors", folder);
    assert_refused(path, "tensor blocks.0.ls1.gamma is of another architecture");
}

static void test_vit_tiny(void **state)
{
    struct lae_weights weights;
    (void)state;
    read_well(of_source("../shared/data/vit_tiny_patch16_224.safetensors"), &weights);
    assert_int_equal(weights.format, LAE_WEIGHTS_TIMM);
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

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_timm),           TEST(test_transformers),    TEST(test_google),
        TEST(test_column_major),   TEST(test_twelve_blocks),   TEST(test_sixteen_bits),
        TEST(test_round_trips),    TEST(test_written_twice),   TEST(test_written_safetensors),
        TEST(test_write_errors),   TEST(test_missing),         TEST(test_ranks),
        TEST(test_not_finite),     TEST(test_not_finite_head), TEST(test_shapes),
        TEST(test_unknown),        TEST(test_other_networks),  TEST(test_headers),
        TEST(test_metadata),       TEST(test_header_lengths),  TEST(test_cut_safetensors),
        TEST(test_flipped_header), TEST(test_npy_headers),     TEST(test_cut_npy),
        TEST(test_zips),           TEST(test_damaged_zip),     TEST(test_own),
        TEST(test_damaged_own),    TEST(test_odd_hdf5),        TEST(test_strangers),
        TEST(test_names),          TEST(test_fixtures),        TEST(test_vit_tiny),
    };
    return cmocka_run_group_tests_name("weights", tests, NULL, NULL);
}
