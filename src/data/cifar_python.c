#include "cifar_python.h"

#include "numpy_array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAMES = 256, MAX_NAME = 255 }; /* of classes; bytes of one */

/* Records to be written. */
struct target {
    unsigned char *records;
    size_t record, count; /* bytes of one; how many */
};

/* The dictionary's value under `key`, which must be there once. */
static lae_status find(const struct lae_pickle *pickle, const char *name, const char *key,
                       const struct lae_pickle_value **value)
{
    const struct lae_pickle_value *top = lae_pickle_top(pickle), *item;
    uint32_t place = top->first;
    int found = 0;
    if (top->kind != LAE_PICKLE_DICTIONARY)
        return lae_bad_input("%s: it is no dictionary: damaged, or no CIFAR file for Python", name);
    while ((item = lae_pickle_next(pickle, &place)) != NULL) {
        const struct lae_pickle_value *under = lae_pickle_next(pickle, &place);
        if (!lae_numpy_is_text(pickle, item, key)) continue;
        *value = under;
        found++;
    }
    if (found == 1) return NULL;
    return lae_bad_input("%s: has %s \"%s\": damaged, or no CIFAR file for Python", name,
                         found == 0 ? "no" : "more than one", key);
}

static lae_status find_list(const struct lae_pickle *pickle, const char *name, const char *key,
                            const struct lae_pickle_value **list)
{
    LAE_TRY(find(pickle, name, key, list));
    bool good = (*list)->kind == LAE_PICKLE_LIST || (*list)->kind == LAE_PICKLE_TUPLE;
    if (good) return NULL;
    return lae_bad_input("%s: its \"%s\" is of another kind: damaged, or no CIFAR file for Python",
                         name, key);
}

static lae_status check_count(const char *name, const char *key, size_t count,
                              const struct target *target)
{
    if (count == target->count) return NULL;
    return lae_bad_input("%s: has %zu images in \"data\" and %zu labels in \"%s\": damaged", name,
                         target->count, count, key);
}

static lae_status put_label(const char *name, const char *key, size_t i, int64_t label, size_t at,
                            const struct target *target)
{
    if (label < 0 || label > 255)
        return lae_bad_input("%s: item %zu of \"%s\" (counted from 0) is no label from 0 to 255: "
                             "damaged",
                             name, i, key);
    target->records[i * target->record + at] = (unsigned char)label;
    return NULL;
}

static lae_status put_label_array(const char *name, const char *key,
                                  const struct lae_numpy_array *array, size_t at,
                                  const struct target *target)
{
    if (array->axes > 2 || (array->axes == 2 && array->shape[1] != 1))
        return lae_bad_input("%s: \"%s\" is an array of more than one label an image", name, key);
    LAE_TRY(check_count(name, key, array->shape[0], target));
    for (size_t i = 0; i < array->shape[0]; i++)
        LAE_TRY(put_label(name, key, i, lae_numpy_item(array, i), at, target));
    return NULL;
}

/* Labels are an array where somebody has written the file again. */
static lae_status take_label_array(const struct lae_pickle *pickle, const char *name,
                                   const char *key, const struct lae_pickle_value *value, size_t at,
                                   const struct target *target)
{
    struct lae_numpy_array array;
    LAE_TRY(lae_numpy_read(name, pickle, value, &array));
    lae_status status = put_label_array(name, key, &array, at, target);
    lae_numpy_free(&array);
    return status;
}

/* One label of all records, at byte `at` of each. */
static lae_status take_labels(const struct lae_pickle *pickle, const char *name, const char *key,
                              size_t at, const struct target *target)
{
    const struct lae_pickle_value *list, *label;
    LAE_TRY(find(pickle, name, key, &list));
    if (lae_numpy_is_array(pickle, list))
        return take_label_array(pickle, name, key, list, at, target);
    LAE_TRY(find_list(pickle, name, key, &list));
    LAE_TRY(check_count(name, key, list->count, target));
    uint32_t place = list->first;
    for (size_t i = 0; (label = lae_pickle_next(pickle, &place)) != NULL; i++) {
        int64_t number;
        if (!lae_numpy_number(pickle, label, &number)) number = -1;
        LAE_TRY(put_label(name, key, i, number, at, target));
    }
    return NULL;
}

/* Images [count, pixel_bytes], or with planes as axes of their own, which is the same memory. */
static lae_status check_shape(const struct lae_numpy_array *data, const char *name,
                              size_t pixel_bytes)
{
    const uint32_t *shape = data->shape;
    bool planes = data->axes == 4 && shape[1] == 3 && shape[2] == shape[3] && !data->by_columns &&
                  3 * (uint64_t)shape[2] * shape[3] == pixel_bytes;
    bool rows = data->axes == 2 && shape[1] == pixel_bytes;
    if (data->item == 1 && (rows || planes)) return NULL;
    char text[80] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < data->axes; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%u", i > 0 ? ", " : "", shape[i]);
    return lae_bad_input(
        "%s: its \"data\" are [%s] numbers of %zu bytes; CIFAR's are [images, %zu] "
        "of 1 byte without sign, planes R, G, B",
        name, text, data->item, pixel_bytes);
}

static void take_pixels(const struct lae_numpy_array *data, size_t columns, size_t at,
                        const struct target *target)
{
    size_t rows = target->count;
    for (size_t i = 0; i < rows; i++) {
        unsigned char *to = target->records + i * target->record + at;
        if (data->by_columns)
            for (size_t j = 0; j < columns; j++)
                to[j] = data->bytes[j * rows + i];
        else
            memcpy(to, data->bytes + i * columns, columns);
    }
}

static lae_status convert_array(const struct lae_pickle *pickle, const char *name,
                                const char *const *keys, size_t pixel_bytes,
                                const struct lae_numpy_array *data, struct target *target)
{
    size_t labels = 0;
    while (keys[labels] != NULL)
        labels++;
    LAE_TRY(check_shape(data, name, pixel_bytes));
    target->record = labels + pixel_bytes;
    target->count = data->shape[0];
    target->records = malloc(target->count * target->record + 1);
    if (target->records == NULL) return lae_out_of_memory(target->count * target->record, name);
    for (size_t i = 0; i < labels; i++)
        LAE_TRY(take_labels(pickle, name, keys[i], i, target));
    take_pixels(data, pixel_bytes, labels, target);
    return NULL;
}

static lae_status convert(const struct lae_pickle *pickle, const char *name,
                          const char *const *keys, size_t pixel_bytes, struct target *target)
{
    const struct lae_pickle_value *value;
    struct lae_numpy_array data;
    LAE_TRY(find(pickle, name, "data", &value));
    LAE_TRY(lae_numpy_read(name, pickle, value, &data));
    lae_status status = convert_array(pickle, name, keys, pixel_bytes, &data, target);
    lae_numpy_free(&data);
    return status;
}

lae_status lae_cifar_unpickle(const char *name, const unsigned char *bytes, size_t size,
                              const char *const *keys, size_t pixel_bytes, unsigned char **records,
                              size_t *records_size)
{
    struct lae_pickle *pickle;
    struct target target = {0};
    LAE_TRY(lae_pickle_read(name, bytes, size, &lae_numpy_dialect, &pickle, NULL));
    lae_status status = convert(pickle, name, keys, pixel_bytes, &target);
    lae_pickle_free(pickle);
    if (status != NULL) {
        free(target.records);
        return status;
    }
    *records = target.records;
    *records_size = target.count * target.record;
    return NULL;
}

static lae_status join_names(const struct lae_pickle *pickle, const char *name, const char *key,
                             unsigned char *text, size_t *used)
{
    const struct lae_pickle_value *list, *item;
    LAE_TRY(find_list(pickle, name, key, &list));
    uint32_t place = list->first;
    if (list->count > MAX_NAMES)
        return lae_bad_input("%s: \"%s\" has %u names: damaged", name, key, list->count);
    while ((item = lae_pickle_next(pickle, &place)) != NULL) {
        if (item->kind != LAE_PICKLE_STRING || item->size > MAX_NAME)
            return lae_bad_input("%s: an item of \"%s\" is no name: damaged", name, key);
        memcpy(text + *used, item->bytes, item->size);
        *used += item->size;
        text[(*used)++] = '\n';
    }
    return NULL;
}

lae_status lae_cifar_unpickle_names(const char *name, const unsigned char *bytes, size_t size,
                                    const char *key, unsigned char **text, size_t *text_size)
{
    struct lae_pickle *pickle;
    LAE_TRY(lae_pickle_read(name, bytes, size, &lae_numpy_dialect, &pickle, NULL));
    lae_status status = NULL;
    unsigned char *all = malloc(MAX_NAMES * (MAX_NAME + 1));
    size_t used = 0;
    if (all == NULL)
        status = lae_out_of_memory(MAX_NAMES * (MAX_NAME + 1), name);
    else
        status = join_names(pickle, name, key, all, &used);
    lae_pickle_free(pickle);
    if (status != NULL) {
        free(all);
        return status;
    }
    *text = all;
    *text_size = used;
    return NULL;
}
