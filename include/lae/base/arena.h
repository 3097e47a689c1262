/* Arena memory: one aligned block, cut into pieces that are freed together.
 *
 * The same layout function serves to measure and to place: on an arena without memory every piece
 * is NULL and only the size is counted.
 *
 *     lae_arena arena = {0};
 *     place(&arena, &workspace);              counts
 *     LAE_TRY(lae_arena_allocate(&arena, "the workspace"));
 *     place(&arena, &workspace);              places
 */
#ifndef LAE_BASE_ARENA_H
#define LAE_BASE_ARENA_H

#include "lae/base/status.h"

#include <stddef.h>
#include <stdint.h>

#define LAE_ALIGNMENT 64 /* bytes; a cache line, and the widest vector register */

struct lae_arena {
    unsigned char *base; /* NULL while measuring */
    size_t used;         /* bytes handed out so far */
    size_t size;         /* bytes at base */
};

/* Allocates what has been counted and starts again at its beginning. The memory is not touched, so
 * that its pages land on the node of the thread that writes them first. */
lae_status lae_arena_allocate(struct lae_arena *arena, const char *what) LAE_MUST_CHECK;

void lae_arena_free(struct lae_arena *arena);

/* `bytes` at the next multiple of LAE_ALIGNMENT; NULL while measuring. A caller that places more
 * than it measured is a bug and aborts. */
void *lae_arena_take(struct lae_arena *arena, size_t bytes);

/* `count` floats, as lae_arena_take. */
float *lae_arena_floats(struct lae_arena *arena, size_t count);

/* malloc of `count` elements of `size` bytes at LAE_ALIGNMENT, zeroed; free with free(). NULL
 * when memory is out or the product overflows. */
void *lae_aligned_calloc(size_t count, size_t size);

#endif
