#include "lae/params/table.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t lae_shape_count(int rank, const size_t *shape)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        if (shape[i] != 0 && count > SIZE_MAX / shape[i]) return SIZE_MAX;
        count *= shape[i];
    }
    return count;
}

const char *lae_shape_text(int rank, const size_t *shape, char text[LAE_SHAPE_TEXT])
{
    if (rank == 0) return strcpy(text, "scalar");
    size_t used = 0;
    for (int i = 0; i < rank && used < LAE_SHAPE_TEXT - 32; i++)
        used += (size_t)snprintf(text + used, LAE_SHAPE_TEXT - used, "%s%zu", i == 0 ? "[" : ", ",
                                 shape[i]);
    snprintf(text + used, LAE_SHAPE_TEXT - used, "]");
    return text;
}

lae_status lae_table_add(struct lae_table *table, const char *name, int rank, const size_t *shape)
{
    if (rank < 0 || rank > LAE_MAX_RANK)
        return lae_bad_input("tensor %s has %d dimensions, more than %d", name, rank, LAE_MAX_RANK);
    size_t count = lae_shape_count(rank, shape);
    if (count > SIZE_MAX / sizeof(float) - table->total)
        return lae_bad_input("tensor %s is larger than any memory", name);
    if (table->count == table->capacity) {
        size_t capacity = table->capacity == 0 ? 64 : 2 * table->capacity;
        struct lae_param *items = realloc(table->items, capacity * sizeof *items);
        if (items == NULL)
            return lae_out_of_memory(capacity * sizeof *items, "the parameter table");
        table->items = items;
        table->capacity = capacity;
    }
    struct lae_param *item = &table->items[table->count];
    *item = (struct lae_param){.name = strdup(name), .rank = rank, .offset = table->total};
    if (item->name == NULL) return lae_out_of_memory(strlen(name), "a parameter's name");
    for (int i = 0; i < rank; i++)
        item->shape[i] = shape[i];
    item->count = count;
    table->total += count;
    table->count++;
    return NULL;
}

const struct lae_param *lae_table_find(const struct lae_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->items[i].name, name) == 0) return &table->items[i];
    return NULL;
}

void lae_table_free(struct lae_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->items[i].name);
    free(table->items);
    *table = (struct lae_table){0};
}
