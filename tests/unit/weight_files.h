/* Files with the weights of a tiny Vision Transformer, in every format, naming and type, for the
 * tests of their readers, with which these writers share no code. To be included once in a test. */
#ifndef LAE_TEST_WEIGHT_FILES_H
#define LAE_TEST_WEIGHT_FILES_H

#include "lae/files/digest.h"
#include "lae/weights/weights.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>
#include <ftw.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "place.h"

enum { WIDTH = 8, HEADS = 2, DEPTH = 2, HIDDEN = 12, PATCH = 2, GRID = 2 };
enum { HEAD_WIDTH = WIDTH / HEADS, TOKENS = 1 + GRID * GRID, CLASSES = 3 };
enum { PATH_SIZE = PLACE_SIZE, NAME_SIZE = 128, MOST_ITEMS = 256 };

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
    size_t size, capacity;
};

static inline void append_bytes(struct bytes *bytes, const void *data, size_t size)
{
    if (size == 0) return;
    if (size > PTRDIFF_MAX / 4) abort(); /* gcc 14 takes it for possible */
    if (bytes->size + size > bytes->capacity) {
        bytes->capacity = 2 * (bytes->size + size);
        bytes->data = realloc(bytes->data, bytes->capacity);
        assert_non_null(bytes->data);
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

static inline void append_text(struct bytes *bytes, const char *format, ...) LAE_PRINTF(2, 3);
static inline void append_text(struct bytes *bytes, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert_in_range(length, 0, sizeof text - 1);
    append_bytes(bytes, text, strlen(text));
}

static inline void append_number(struct bytes *bytes, uint64_t value, int size)
{
    for (int i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)(value >> 8 * i);
        append_bytes(bytes, &byte, 1);
    }
}

static inline void free_bytes(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

static inline void save_bytes(const char *path, const void *data, size_t size)
{
    unlink(path); /* some file systems wait for the disk when a file is written anew in place */
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline struct bytes load_bytes(const char *path)
{
    struct bytes bytes = {0};
    unsigned char block[4096];
    size_t count;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    while ((count = fread(block, 1, sizeof block, file)) > 0)
        append_bytes(&bytes, block, count);
    fclose(file);
    return bytes;
}

/* ---- A tiny network ------------------------------------------------------------------------- */

struct item {
    char name[NAME_SIZE];
    int rank;
    size_t shape[8], count;
    float *data;
    bool column_major;
};

struct network {
    struct item items[MOST_ITEMS];
    int count;
};

static inline struct item *add_tensor(struct network *network, int rank, const size_t *shape,
                                      const char *format, ...) LAE_PRINTF(4, 5);
static inline struct item *add_tensor(struct network *network, int rank, const size_t *shape,
                                      const char *format, ...)
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
static inline void fill(struct network *network)
{
    for (int i = 0; i < network->count; i++)
        for (size_t k = 0; k < network->items[i].count; k++)
            network->items[i].data[k] =
                (float)((int)((k * 37 + (size_t)i * 11) % 255) - 127) / 128.0f;
}

#define ADD(network, name, ...)                                                                    \
    add_tensor(network, (int)(sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t)),                   \
               (const size_t[]){__VA_ARGS__}, "%s", name)

static inline void add_block(struct network *network, int block)
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
        add_tensor(network, parts[i].rank, parts[i].shape, "blocks.%d.%s", block, parts[i].name);
}

static inline struct network *timm_of_depth(int depth)
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

static inline struct network *timm(void)
{
    return timm_of_depth(DEPTH);
}

static inline void free_network(struct network *network)
{
    for (int i = 0; i < network->count; i++)
        free(network->items[i].data);
    free(network);
}

static inline struct item *find_tensor(struct network *network, const char *name)
{
    for (int i = 0; i < network->count; i++)
        if (strcmp(network->items[i].name, name) == 0) return &network->items[i];
    fail_msg("the test's own network has no %s", name);
    return NULL;
}

static inline void drop_tensor(struct network *network, const char *name)
{
    struct item *item = find_tensor(network, name);
    free(item->data);
    *item = network->items[--network->count];
}

/* The same data under another shape. */
static inline void reshape_tensor(struct item *item, int rank, const size_t *shape)
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
    reshape_tensor(item, (int)(sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t)),                  \
                   (const size_t[]){__VA_ARGS__})

static inline void copy_as(struct network *out, const struct item *from, const char *name)
{
    struct item *item = add_tensor(out, from->rank, from->shape, "%s", name);
    memcpy(item->data, from->data, from->count * sizeof *from->data);
}

/* A classifier or the like, which readers leave out. */
static inline void add_head(struct network *network, const char *name)
{
    add_tensor(network, 2, (const size_t[]){CLASSES, WIDTH}, "%s.weight", name);
    add_tensor(network, 1, (const size_t[]){CLASSES}, "%s.bias", name);
}

/* Query, key and value as tensors of their own. */
static inline void split_qkv(struct network *to, const struct item *qkv, const char *prefix,
                             int block, const char *kind)
{
    static const char *const thirds[] = {"query", "key", "value"};
    for (size_t i = 0; i < 3; i++) {
        struct item *item = add_tensor(to, qkv->rank, (const size_t[]){WIDTH, WIDTH},
                                       "%sencoder.layer.%d.attention.attention.%s.%s", prefix,
                                       block, thirds[i], kind);
        memcpy(item->data, qkv->data + i * item->count, item->count * sizeof(float));
    }
}

static inline void transformers_block(struct network *to, struct network *from, const char *prefix,
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
        copy_as(to, find_tensor(from, ours), theirs);
    }
    snprintf(ours, sizeof ours, "blocks.%d.attn.qkv.%s", block, kind);
    split_qkv(to, find_tensor(from, ours), prefix, block, kind);
}

static inline void copy_stem(struct network *to, struct network *from, const char *prefix,
                             const char *const pairs[][2], size_t count)
{
    char theirs[NAME_SIZE];
    for (size_t i = 0; i < count; i++) {
        snprintf(theirs, sizeof theirs, "%s%s", prefix, pairs[i][1]);
        copy_as(to, find_tensor(from, pairs[i][0]), theirs);
    }
}

static inline struct network *transformers(const char *prefix)
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

/* [rows, cols] -> [cols, rows] */
static inline void transpose(float *out, const float *in, size_t rows, size_t cols)
{
    for (size_t row = 0; row < rows; row++)
        for (size_t col = 0; col < cols; col++)
            out[col * rows + row] = in[row * cols + col];
}

/* The tensor blocks.BLOCK.NAME. */
static inline struct item *find_in_block(struct network *network, int block, const char *name)
{
    char full[2 * NAME_SIZE];
    snprintf(full, sizeof full, "blocks.%d.%s", block, name);
    return find_tensor(network, full);
}

/* Google's names and layouts: kernels [in, out], attention's split into heads. */
static inline void google_attention(struct network *to, struct network *from, const char *prefix,
                                    int block)
{
    static const char *const thirds[] = {"query", "key", "value"};
    const size_t in[] = {WIDTH, HEADS, HEAD_WIDTH}, out[] = {HEADS, HEAD_WIDTH, WIDTH};
    const float *weight = find_in_block(from, block, "attn.qkv.weight")->data;
    const float *bias = find_in_block(from, block, "attn.qkv.bias")->data;
    struct item *item;
    for (size_t i = 0; i < 3; i++) {
        item = add_tensor(to, 3, in, GOOGLE_ATTENTION "%s/kernel", prefix, block, thirds[i]);
        transpose(item->data, weight + i * WIDTH * WIDTH, WIDTH, WIDTH);
        item = add_tensor(to, 2, out, GOOGLE_ATTENTION "%s/bias", prefix, block, thirds[i]);
        memcpy(item->data, bias + i * WIDTH, WIDTH * sizeof *bias);
    }
    item = add_tensor(to, 3, out, GOOGLE_ATTENTION "out/kernel", prefix, block);
    transpose(item->data, find_in_block(from, block, "attn.proj.weight")->data, WIDTH, WIDTH);
    item = add_tensor(to, 1, in, GOOGLE_ATTENTION "out/bias", prefix, block);
    memcpy(item->data, find_in_block(from, block, "attn.proj.bias")->data, WIDTH * sizeof *bias);
}

static inline void google_norm(struct network *to, struct network *from, const char *prefix,
                               int block, int number)
{
    char ours[NAME_SIZE], theirs[NAME_SIZE];
    snprintf(ours, sizeof ours, "norm%d.weight", number + 1);
    snprintf(theirs, sizeof theirs, GOOGLE_BLOCK "LayerNorm_%d/scale", prefix, block, 2 * number);
    copy_as(to, find_in_block(from, block, ours), theirs);
    snprintf(ours, sizeof ours, "norm%d.bias", number + 1);
    snprintf(theirs, sizeof theirs, GOOGLE_BLOCK "LayerNorm_%d/bias", prefix, block, 2 * number);
    copy_as(to, find_in_block(from, block, ours), theirs);
}

static inline void google_dense(struct network *to, struct network *from, const char *prefix,
                                int block, int number)
{
    char ours[NAME_SIZE], theirs[NAME_SIZE];
    snprintf(ours, sizeof ours, "mlp.fc%d.weight", number + 1);
    const struct item *weight = find_in_block(from, block, ours);
    size_t out = weight->shape[0], in = weight->shape[1];
    struct item *kernel =
        add_tensor(to, 2, (const size_t[]){in, out}, GOOGLE_BLOCK "MlpBlock_3/Dense_%d/kernel",
                   prefix, block, number);
    transpose(kernel->data, weight->data, out, in);
    snprintf(ours, sizeof ours, "mlp.fc%d.bias", number + 1);
    snprintf(theirs, sizeof theirs, GOOGLE_BLOCK "MlpBlock_3/Dense_%d/bias", prefix, block, number);
    copy_as(to, find_in_block(from, block, ours), theirs);
}

static inline struct network *google(const char *prefix)
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
        add_tensor(to, 4, (const size_t[]){PATCH, PATCH, 3, WIDTH}, "%sembedding/kernel", prefix);
    const float *weight =
        find_tensor(from, "patch_embed.proj.weight")->data; /* [WIDTH, 3, PATCH, PATCH] */
    for (size_t y = 0; y < PATCH; y++)
        for (size_t x = 0; x < PATCH; x++)
            for (size_t c = 0; c < 3; c++)
                for (size_t d = 0; d < WIDTH; d++)
                    kernel->data[((y * PATCH + x) * 3 + c) * WIDTH + d] =
                        weight[((d * 3 + c) * PATCH + y) * PATCH + x];
    for (int block = 0; block < DEPTH; block++) {
        google_attention(to, from, prefix, block);
        for (int i = 0; i < 2; i++) {
            google_norm(to, from, prefix, block, i);
            google_dense(to, from, prefix, block, i);
        }
    }
    free_network(from);
    return to;
}

/* ---- Writers -------------------------------------------------------------------------------- */

static inline uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Of a number that a normal half holds. */
static inline uint16_t half_of(float value)
{
    uint32_t bits = bits_of(value);
    if (value == 0.0f) return (uint16_t)(bits >> 16);
    uint32_t exponent = (bits >> 23 & 255u) - 127 + 15;
    return (uint16_t)((bits >> 16 & 0x8000u) | exponent << 10 | (bits >> 13 & 0x3ffu));
}

/* A double whose nearest float is the value, but which is a little nearer to 0. */
static inline void append_double(struct bytes *bytes, float value)
{
    double near = value * (1.0 - 0x1p-40);
    append_bytes(bytes, &near, sizeof near);
}

static inline void append_value(struct bytes *bytes, const char *type, float value)
{
    if (strcmp(type, "F16") == 0 || strcmp(type, "<f2") == 0)
        append_number(bytes, half_of(value), 2);
    else if (strcmp(type, "BF16") == 0 || strcmp(type, "|V2") == 0)
        append_number(bytes, bits_of(value) >> 16, 2);
    else if (strcmp(type, "F64") == 0 || strcmp(type, "<f8") == 0)
        append_double(bytes, value);
    else
        append_number(bytes, bits_of(value), 4);
}

static inline void append_shape(struct bytes *bytes, const struct item *item, const char *separator)
{
    for (int i = 0; i < item->rank; i++)
        append_text(bytes, "%s%zu", i == 0 ? "" : separator, item->shape[i]);
}

/* `metadata`: the text of a first entry with its comma, or "". */
static inline struct bytes safetensors(const struct network *network, const char *type,
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
                    item->name, type);
        append_shape(&header, item, ",");
        append_text(&header, "],\"data_offsets\":[%zu,%zu]}", begin, data.size);
    }
    append_text(&header, "}");
    append_number(&file, header.size, 8);
    append_bytes(&file, header.data, header.size);
    append_bytes(&file, data.data, data.size);
    free_bytes(&header);
    free_bytes(&data);
    return file;
}

static inline void save_safetensors(const char *path, const struct network *network,
                                    const char *type, const char *metadata)
{
    struct bytes file = safetensors(network, type, metadata);
    save_bytes(path, file.data, file.size);
    free_bytes(&file);
}

static inline struct bytes npy(const struct item *item, const char *type, int version)
{
    struct bytes header = {0}, file = {0};
    append_text(&header, "{'descr': '%s', 'fortran_order': %s, 'shape': (", type,
                item->column_major ? "True" : "False");
    append_shape(&header, item, ", ");
    append_text(&header, "%s), }", item->rank == 1 ? "," : "");
    while ((10 + header.size + 1) % 64 != 0)
        append_text(&header, " ");
    append_text(&header, "\n");
    append_bytes(&file, "\x93NUMPY", 6);
    append_number(&file, (uint64_t)version, 2);
    append_number(&file, header.size, version == 1 ? 2 : 4);
    append_bytes(&file, header.data, header.size);
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

static inline void put_entry(struct archive *zip, const char *name, const struct bytes *content)
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

static inline struct archive *create_zip(const char *path, bool deflate)
{
    struct archive *zip = archive_write_new();
    assert_int_equal(archive_write_set_format_zip(zip), ARCHIVE_OK);
    assert_int_equal(deflate ? archive_write_zip_set_compression_deflate(zip)
                             : archive_write_zip_set_compression_store(zip),
                     ARCHIVE_OK);
    assert_int_equal(archive_write_open_filename(zip, path), ARCHIVE_OK);
    return zip;
}

static inline void close_zip(struct archive *zip)
{
    assert_int_equal(archive_write_close(zip), ARCHIVE_OK);
    archive_write_free(zip);
}

static inline void save_npz(const char *path, const struct network *network, const char *type,
                            int version, bool deflate)
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

static inline void read_well(const char *path, struct lae_weights *weights)
{
    lae_status status = lae_weights_read(path, NULL, weights);
    if (status != NULL) fail_msg("%s", lae_status_message(status));
}

static inline void assert_same_sets(const struct lae_set *a, const struct lae_set *b)
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
static inline void assert_is(const struct lae_weights *weights, const struct network *network)
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

static inline void assert_reads_as(const char *path, const char *format, double eps, int heads)
{
    struct lae_weights weights;
    struct network *wanted = timm();
    read_well(path, &weights);
    assert_string_equal(weights.format, format);
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
static inline void assert_refused(const char *path, const char *part)
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

static inline void write_well(const char *path, const struct lae_weights *weights)
{
    lae_status status = lae_weights_write(path, weights);
    if (status != NULL) fail_msg("%s", lae_status_message(status));
}

/* ---- HDF5 ----------------------------------------------------------------------------------- */

enum { SEAL = 512 };

static inline void write_own(void **state, const char *path)
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
static inline void save_own(void **state, const char *path, bool sealed)
{
    const char *whole = at(state, "own.h5");
    if (access(whole, R_OK) != 0) write_own(state, whole);
    struct bytes file = load_bytes(whole);
    size_t from = sealed ? 0 : SEAL;
    save_bytes(path, file.data + from, file.size - from);
    free_bytes(&file);
}

static inline void put_attribute(hid_t file, const char *name, hid_t type, const void *value)
{
    if (H5Aexists(file, name) > 0) assert_true(H5Adelete(file, name) >= 0);
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(attribute >= 0);
    assert_true(H5Awrite(attribute, type, value) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
}

static inline void put_text_attribute(hid_t file, const char *name, const char *value)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, strlen(value));
    put_attribute(file, name, type, value);
    H5Tclose(type);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_place, remove_place)

#endif
