#include "lae/params/record.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

double lae_field_get(const struct lae_field *field, const void *object)
{
    const void *at = (const char *)object + field->offset;
    switch (field->kind) {
    case LAE_FIELD_FLAG:
        return *(const bool *)at;
    case LAE_FIELD_INT:
        return *(const int *)at;
    case LAE_FIELD_COUNT:
        return (double)*(const int64_t *)at;
    case LAE_FIELD_DOUBLE:
    case LAE_FIELD_SHARE:
    case LAE_FIELD_NORM:
        break;
    }
    return *(const double *)at;
}

bool lae_field_set(const struct lae_field *field, void *object, double number)
{
    void *at = (char *)object + field->offset;
    switch (field->kind) {
    case LAE_FIELD_FLAG:
        *(bool *)at = number != 0.0;
        return true;
    case LAE_FIELD_INT:
        if (!(number >= INT_MIN && number <= INT_MAX)) return false;
        *(int *)at = (int)number;
        return true;
    case LAE_FIELD_COUNT:
        if (!(number >= 0.0 && number <= 0x1p53)) return false;
        *(int64_t *)at = (int64_t)number;
        return true;
    case LAE_FIELD_DOUBLE:
    case LAE_FIELD_SHARE:
    case LAE_FIELD_NORM:
        break;
    }
    *(double *)at = number;
    return true;
}

static bool make_room(struct lae_rows *rows)
{
    void *items = realloc(rows->items, (rows->count + 1) * rows->record->size);
    if (items != NULL) rows->items = items;
    char **names = realloc(rows->names, (rows->count + 1) * sizeof *names);
    if (names != NULL) rows->names = names;
    return items != NULL && names != NULL;
}

void *lae_rows_add(struct lae_rows *rows, const char *name, const void *item)
{
    size_t size = rows->record->size;
    char *copy = strdup(name);
    if (copy == NULL || !make_room(rows)) {
        free(copy);
        return NULL;
    }
    void *added = (char *)rows->items + rows->count * size;
    rows->names[rows->count++] = copy;
    return item != NULL ? memcpy(added, item, size) : memset(added, 0, size);
}

const void *lae_rows_at(const struct lae_rows *rows, size_t i)
{
    return (const char *)rows->items + i * rows->record->size;
}

const void *lae_rows_find(const struct lae_rows *rows, const char *name)
{
    for (size_t i = 0; i < rows->count; i++)
        if (strcmp(rows->names[i], name) == 0) return lae_rows_at(rows, i);
    return NULL;
}

void lae_rows_free(struct lae_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        free(rows->names[i]);
    free(rows->names);
    free(rows->items);
    *rows = (struct lae_rows){.record = rows->record};
}
