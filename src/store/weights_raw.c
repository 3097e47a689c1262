#include "weights_raw.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && sizeof(float) == 4,
               "weight files are little-endian and are copied as they are");

static size_t element_size(enum lae_element element)
{
    return element == LAE_F32 ? 4 : 2;
}

lae_status lae_raw_measure(struct lae_raw *raw, size_t *bytes)
{
    raw->count = lae_shape_count(raw->rank, raw->shape);
    if (raw->count > PTRDIFF_MAX / element_size(raw->element)) {
        char shape[LAE_SHAPE_TEXT];
        return lae_bad_input("shape %s has more elements than any memory",
                             lae_shape_text(raw->rank, raw->shape, shape));
    }
    *bytes = raw->count * element_size(raw->element);
    return NULL;
}

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
    file->items[file->count++].name = name;
    return NULL;
}

lae_status lae_raw_add(struct lae_raw_file *file, const struct lae_raw *item)
{
    lae_status status = append(file, item);
    if (status != NULL) free(item->owned);
    return status;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct lae_raw *)a)->name, ((const struct lae_raw *)b)->name);
}

lae_status lae_raw_sort(struct lae_raw_file *file)
{
    if (file->count > 0) qsort(file->items, file->count, sizeof *file->items, by_name);
    for (size_t i = 1; i < file->count; i++)
        if (strcmp(file->items[i - 1].name, file->items[i].name) == 0)
            return lae_bad_input("tensor %s is there twice", file->items[i].name);
    return NULL;
}

struct lae_raw *lae_raw_find(const struct lae_raw_file *file, const char *name)
{
    struct lae_raw wanted = {.name = (char *)name};
    if (file->count == 0) return NULL;
    return bsearch(&wanted, file->items, file->count, sizeof *file->items, by_name);
}

void lae_raw_release(struct lae_raw *raw)
{
    if (raw->owned == NULL) return;
    free(raw->owned);
    raw->owned = NULL;
    raw->bytes = NULL;
}

void lae_raw_free(struct lae_raw_file *file)
{
    for (size_t i = 0; i < file->count; i++) {
        free(file->items[i].name);
        free(file->items[i].owned);
    }
    free(file->items);
    *file = (struct lae_raw_file){0};
}

lae_status lae_raw_set_facts(struct lae_raw_file *file, double eps, int64_t heads)
{
    if (!(isfinite(eps) && eps > 0.0))
        return lae_bad_input("layer_norm_eps is %g; a number above 0 is wanted", eps);
    if (heads < 0 || heads > INT_MAX)
        return lae_bad_input("heads is %lld; 0 (unknown) or more is wanted", (long long)heads);
    file->layer_norm_eps = eps;
    file->heads = (int)heads;
    return NULL;
}

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

void lae_raw_decode(const struct lae_raw *raw, float *out)
{
    if (raw->count == 0) return;
    if (raw->element == LAE_F32) {
        memcpy(out, raw->bytes, raw->count * sizeof *out);
        return;
    }
    for (size_t i = 0; i < raw->count; i++) {
        uint16_t bits;
        memcpy(&bits, raw->bytes + 2 * i, sizeof bits);
        out[i] = raw->element == LAE_F16 ? from_half(bits) : from_bits((uint32_t)bits << 16);
    }
}
