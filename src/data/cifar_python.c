#include "cifar_python.h"

#include "pickle.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_NAMES = 256, MAX_NAME = 255 }; /* of classes; bytes of one */

/* Records to be written. */
struct target {
    unsigned char *records;
    size_t record, count; /* bytes of one; how many */
};

/* One label of all records, at byte `at` of each. */
static lae_status take_labels(const struct lae_pickle *pickle, const char *name, const char *key,
                              size_t at, const struct target *target)
{
    const struct lae_pickle_value *list, *label;
    LAE_TRY(lae_pickle_find(pickle, key, LAE_PICKLE_LIST, &list));
    if (list->count != target->count)
        return lae_bad_input("%s: has %zu images in \"data\" and %u labels in \"%s\": damaged",
                             name, target->count, list->count, key);
    uint32_t place = list->first;
    for (size_t i = 0; (label = lae_pickle_next(pickle, &place)) != NULL; i++) {
        if (label->kind != LAE_PICKLE_NUMBER || label->number < 0 || label->number > 255)
            return lae_bad_input("%s: item %zu of \"%s\" (counted from 0) is no label from 0 to "
                                 "255: damaged",
                                 name, i, key);
        target->records[i * target->record + at] = (unsigned char)label->number;
    }
    return NULL;
}

static void take_pixels(const struct lae_pickle_value *data, size_t at, const struct target *target)
{
    size_t columns = data->columns, rows = data->count;
    for (size_t i = 0; i < rows; i++) {
        unsigned char *to = target->records + i * target->record + at;
        if (data->by_columns)
            for (size_t j = 0; j < columns; j++)
                to[j] = data->bytes[j * rows + i];
        else
            memcpy(to, data->bytes + i * columns, columns);
    }
}

static lae_status convert(const struct lae_pickle *pickle, const char *name,
                          const char *const *keys, size_t pixel_bytes, struct target *target)
{
    const struct lae_pickle_value *data;
    size_t labels = 0;
    while (keys[labels] != NULL)
        labels++;
    LAE_TRY(lae_pickle_find(pickle, "data", LAE_PICKLE_ARRAY, &data));
    if (data->columns != pixel_bytes)
        return lae_bad_input("%s: its images have %u bytes instead of %zu: damaged, or no CIFAR",
                             name, data->columns, pixel_bytes);
    target->record = labels + pixel_bytes;
    target->count = data->count;
    target->records = malloc(target->count * target->record + 1);
    if (target->records == NULL) return lae_out_of_memory(target->count * target->record, name);
    for (size_t i = 0; i < labels; i++)
        LAE_TRY(take_labels(pickle, name, keys[i], i, target));
    take_pixels(data, labels, target);
    return NULL;
}

lae_status lae_cifar_unpickle(const char *name, const unsigned char *bytes, size_t size,
                              const char *const *keys, size_t pixel_bytes, unsigned char **records,
                              size_t *records_size)
{
    struct lae_pickle *pickle;
    struct target target = {0};
    LAE_TRY(lae_pickle_read(name, bytes, size, &pickle));
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
    LAE_TRY(lae_pickle_find(pickle, key, LAE_PICKLE_LIST, &list));
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
    LAE_TRY(lae_pickle_read(name, bytes, size, &pickle));
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
