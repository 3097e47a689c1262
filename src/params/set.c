#include "lae/params/set.h"

#include "lae/base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static lae_status grow(struct lae_set *set)
{
    if (set->count < set->capacity) return NULL;
    size_t capacity = set->capacity == 0 ? 64 : 2 * set->capacity;
    struct lae_named *items = realloc(set->items, capacity * sizeof *items);
    if (items == NULL) return lae_out_of_memory(capacity * sizeof *items, "a set of tensors");
    set->items = items;
    set->capacity = capacity;
    return NULL;
}

lae_status lae_set_add(struct lae_set *set, const char *name, int rank, const size_t *shape,
                       struct lae_named **added)
{
    if (lae_set_find(set, name) != NULL) return lae_bad_input("tensor %s is there twice", name);
    if (rank < 0 || rank > LAE_MAX_RANK)
        return lae_bad_input("tensor %s has %d dimensions, more than %d", name, rank, LAE_MAX_RANK);
    LAE_TRY(grow(set));
    struct lae_named item = {.rank = rank, .count = lae_shape_count(rank, shape)};
    for (int i = 0; i < rank; i++)
        item.shape[i] = shape[i];
    item.name = strdup(name);
    item.data = lae_aligned_calloc(item.count, sizeof *item.data);
    if (item.name == NULL || item.data == NULL) {
        free(item.name);
        free(item.data);
        return lae_out_of_memory((double)item.count * sizeof(float), name);
    }
    set->items[set->count] = item;
    *added = &set->items[set->count++];
    return NULL;
}

struct lae_named *lae_set_find(const struct lae_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->items[i].name, name) == 0) return &set->items[i];
    return NULL;
}

void lae_set_free(struct lae_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        free(set->items[i].name);
        free(set->items[i].data);
    }
    free(set->items);
    *set = (struct lae_set){0};
}
