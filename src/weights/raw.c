#include "raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STACKED "encoderblock"
enum { MAX_STACKED = 999 }; /* blocks */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && sizeof(float) == 4,
               "weight files are little-endian and are copied as they are");

size_t lae_weights_raw_element_size(enum lae_element element)
{
    static const size_t sizes[] = {
        [LAE_F32] = 4, [LAE_F16] = 2, [LAE_BF16] = 2, [LAE_F64] = 8, [LAE_OTHER_ELEMENT] = 0};
    return sizes[element];
}

/* ---- shapes */

static void set_strides(struct lae_raw *raw, bool by_columns)
{
    size_t stride = 1;
    for (int i = 0; i < raw->rank; i++) {
        int axis = by_columns ? i : raw->rank - 1 - i;
        raw->stride[axis] = stride;
        stride *= raw->shape[axis];
    }
}

void lae_weights_raw_by_columns(struct lae_raw *raw)
{
    set_strides(raw, true);
}

lae_status lae_weights_raw_measure(struct lae_raw *raw, size_t *bytes)
{
    size_t size = lae_weights_raw_element_size(raw->element);
    raw->count = lae_shape_count(raw->rank, raw->shape);
    if (raw->count > PTRDIFF_MAX / 8) {
        char shape[LAE_SHAPE_TEXT];
        return lae_bad_input("shape %s has more elements than any memory",
                             lae_shape_text(raw->rank, raw->shape, shape));
    }
    set_strides(raw, false);
    *bytes = raw->count * size;
    return NULL;
}

/* ---- memory */

lae_status lae_weights_raw_own(struct lae_raw *raw, void *data)
{
    raw->memory = malloc(sizeof *raw->memory);
    if (raw->memory == NULL) {
        free(data);
        return lae_out_of_memory(sizeof *raw->memory, "a tensor");
    }
    *raw->memory = (struct lae_raw_memory){data, 1};
    raw->bytes = data;
    return NULL;
}

void lae_weights_raw_release(struct lae_raw *raw)
{
    struct lae_raw_memory *memory = raw->memory;
    raw->memory = NULL;
    if (memory == NULL) return;
    raw->bytes = NULL;
    if (--memory->users > 0) return;
    free(memory->data);
    free(memory);
}

void lae_weights_raw_free(struct lae_raw_file *file)
{
    for (size_t i = 0; i < file->count; i++) {
        free(file->items[i].name);
        lae_weights_raw_release(&file->items[i]);
    }
    free(file->items);
    *file = (struct lae_raw_file){0};
}

/* ---- the list */

static lae_status append(struct lae_raw_file *file, const struct lae_raw *item)
{
    if (file->count == file->capacity) {
        size_t capacity = file->capacity == 0 ? 256 : 2 * file->capacity;
        struct lae_raw *items = realloc(file->items, capacity * sizeof *items);
        if (items == NULL) return lae_out_of_memory(capacity * sizeof *items, "a list of tensors");
        file->items = items;
        file->capacity = capacity;
    }
    char *name = strdup(item->name);
    if (name == NULL) return lae_out_of_memory(strlen(item->name), "a tensor's name");
    file->items[file->count] = *item;
    file->items[file->count].file = file->shard;
    file->items[file->count++].name = name;
    return NULL;
}

lae_status lae_weights_raw_add(struct lae_raw_file *file, const struct lae_raw *item)
{
    struct lae_raw own = *item;
    lae_status status = append(file, item);
    if (status != NULL) lae_weights_raw_release(&own);
    return status;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct lae_raw *)a)->name, ((const struct lae_raw *)b)->name);
}

lae_status lae_weights_raw_sort(struct lae_raw_file *file)
{
    if (file->count > 0) qsort(file->items, file->count, sizeof *file->items, by_name);
    for (size_t i = 1; i < file->count; i++) {
        const struct lae_raw *a = &file->items[i - 1], *b = &file->items[i];
        if (strcmp(a->name, b->name) != 0) continue;
        if (a->file == b->file) return lae_bad_input("tensor %s is there twice", a->name);
        return lae_bad_input("tensor %s is in two shards, %s and %s; they are not of one model",
                             a->name, a->file, b->file);
    }
    return NULL;
}

struct lae_raw *lae_weights_raw_find(const struct lae_raw_file *file, const char *name)
{
    struct lae_raw wanted = {.name = (char *)name};
    if (file->count == 0) return NULL;
    return bsearch(&wanted, file->items, file->count, sizeof *file->items, by_name);
}

/* ---- blocks that are stacked */

/* Where "encoderblock/" ends the word, or NULL. */
static const char *stacked_at(const struct lae_raw *raw)
{
    const char *at = strstr(raw->name, STACKED "/");
    bool begins = at != NULL && (at == raw->name || at[-1] == '/');
    return begins && raw->rank > 0 ? at + strlen(STACKED) : NULL;
}

static lae_status add_slice(struct lae_raw_file *file, const struct lae_raw *whole, size_t block)
{
    const char *rest = stacked_at(whole);
    size_t size = strlen(whole->name) + 8;
    char *name = malloc(size);
    if (name == NULL) return lae_out_of_memory(size, "a tensor's name");
    snprintf(name, size, "%.*s_%zu%s", (int)(rest - whole->name), whole->name, block, rest);
    struct lae_raw slice = *whole;
    slice.name = name;
    slice.rank--;
    memmove(slice.shape, whole->shape + 1, (size_t)slice.rank * sizeof *slice.shape);
    memmove(slice.stride, whole->stride + 1, (size_t)slice.rank * sizeof *slice.stride);
    slice.count = whole->count / whole->shape[0];
    slice.bytes += block * whole->stride[0] * lae_weights_raw_element_size(whole->element);
    if (slice.memory != NULL) slice.memory->users++;
    lae_status status = lae_weights_raw_add(file, &slice);
    free(name);
    return status;
}

/* The tensor of that place makes way for its slices. */
static lae_status unstack(struct lae_raw_file *file, size_t place)
{
    struct lae_raw whole = file->items[place];
    size_t depth = whole.shape[0];
    if (depth == 0 || depth > MAX_STACKED)
        return lae_bad_input("tensor %s holds %zu blocks; 1 to %d can be", whole.name, depth,
                             MAX_STACKED);
    lae_status status = NULL;
    for (size_t block = 0; block < depth && status == NULL; block++)
        status = add_slice(file, &whole, block);
    LAE_TRY(status);
    free(whole.name);
    lae_weights_raw_release(&whole);
    file->items[place] = file->items[--file->count];
    return NULL;
}

lae_status lae_weights_raw_unstack(struct lae_raw_file *file)
{
    bool found = false;
    for (size_t i = file->count; i-- > 0;) {
        if (stacked_at(&file->items[i]) == NULL) continue;
        LAE_TRY(unstack(file, i));
        found = true;
    }
    return found ? lae_weights_raw_sort(file) : NULL;
}

/* ---- numbers */

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE 754 binary16: sign 1, exponent 5 (bias 15), fraction 10 bits. */
static float from_half(uint32_t half)
{
    uint32_t sign = (half & 0x8000u) << 16;
    uint32_t exponent = half >> 10 & 31u;
    uint32_t fraction = half & 0x3ffu;
    if (exponent == 31) return from_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent > 0) return from_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13);
    float value = (float)fraction * 0x1p-24f; /* subnormal there, normal here: exact */
    return sign != 0 ? -value : value;
}

static float decode_one(enum lae_element element, const unsigned char *bytes)
{
    double wide = 0.0;
    float value = 0.0F;
    uint16_t bits = 0;
    switch (element) {
    case LAE_F32:
        memcpy(&value, bytes, sizeof value);
        return value;
    case LAE_F64:
        memcpy(&wide, bytes, sizeof wide);
        return (float)wide;
    default:
        memcpy(&bits, bytes, sizeof bits);
    }
    return element == LAE_F16 ? from_half(bits) : from_bits((uint32_t)bits << 16);
}

/* `count` elements, `stride` apart. */
static void decode_row(enum lae_element element, const unsigned char *bytes, size_t stride,
                       size_t count, float *out)
{
    if (element == LAE_F32 && stride == 1) {
        memcpy(out, bytes, count * sizeof *out);
        return;
    }
    size_t step = stride * lae_weights_raw_element_size(element);
    for (size_t i = 0; i < count; i++, bytes += step)
        out[i] = decode_one(element, bytes);
}

/* Whether the elements follow each other in the order asked for. */
static bool is_straight(const struct lae_raw *raw, const unsigned char order[LAE_RAW_AXES])
{
    size_t stride = 1;
    for (int i = raw->rank - 1; i >= 0; i--) {
        if (order[i] != i || raw->stride[i] != stride) return false;
        stride *= raw->shape[i];
    }
    return true;
}

void lae_weights_raw_decode(const struct lae_raw *raw, const unsigned char order[LAE_RAW_AXES],
                            float *out)
{
    size_t extent[LAE_RAW_AXES] = {1, 1, 1, 1}, step[LAE_RAW_AXES] = {0};
    size_t size = lae_weights_raw_element_size(raw->element);
    if (raw->count == 0) return;
    if (is_straight(raw, order)) {
        decode_row(raw->element, raw->bytes, 1, raw->count, out);
        return;
    }
    for (int i = 0; i < raw->rank; i++) {
        int at = LAE_RAW_AXES - raw->rank + i;
        extent[at] = raw->shape[order[i]];
        step[at] = raw->stride[order[i]];
    }
    for (size_t a = 0; a < extent[0]; a++)
        for (size_t b = 0; b < extent[1]; b++)
            for (size_t c = 0; c < extent[2]; c++, out += extent[3])
                decode_row(raw->element,
                           raw->bytes + size * (a * step[0] + b * step[1] + c * step[2]), step[3],
                           extent[3], out);
}
