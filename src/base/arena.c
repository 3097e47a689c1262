#include "lae/base/arena.h"

#include <stdlib.h>
#include <string.h>

static size_t round_up(size_t bytes)
{
    return (bytes + LAE_ALIGNMENT - 1) / LAE_ALIGNMENT * LAE_ALIGNMENT;
}

lae_status lae_arena_allocate(struct lae_arena *arena, const char *what)
{
    size_t size = round_up(arena->used > 0 ? arena->used : 1);
    arena->base = aligned_alloc(LAE_ALIGNMENT, size);
    if (arena->base == NULL) return lae_out_of_memory(size, what);
    arena->size = size;
    arena->used = 0;
    return NULL;
}

void lae_arena_free(struct lae_arena *arena)
{
    free(arena->base);
    *arena = (struct lae_arena){0};
}

void *lae_arena_take(struct lae_arena *arena, size_t bytes)
{
    size_t start = round_up(arena->used);
    arena->used = start + bytes;
    if (arena->base == NULL) return NULL;
    if (arena->used > arena->size) abort();
    return arena->base + start;
}

float *lae_arena_floats(struct lae_arena *arena, size_t count)
{
    return lae_arena_take(arena, count * sizeof(float));
}

void *lae_aligned_calloc(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / 2 / size) return NULL;
    size_t bytes = round_up(count * size > 0 ? count * size : 1);
    void *memory = aligned_alloc(LAE_ALIGNMENT, bytes);
    if (memory != NULL) memset(memory, 0, bytes);
    return memory;
}
