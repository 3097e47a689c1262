#include "lae/report/blocks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The mean of two shares, of so many entries each. */
static double join_shares(double a, size_t a_count, double b, size_t b_count)
{
    return (a * (double)a_count + b * (double)b_count) / (double)(a_count + b_count);
}

static void take_in(struct lae_block_merge *into, size_t count, const struct lae_merge_stats *add)
{
    if (count == 0) return;
    for (size_t i = 0; i < lae_merge_record.count; i++) {
        const struct lae_field *field = &lae_merge_record.fields[i];
        double a = lae_field_get(field, &into->stats), b = lae_field_get(field, add);
        bool share = field->kind == LAE_FIELD_SHARE;
        (void)lae_field_set(field, &into->stats,
                            share ? join_shares(a, into->count, b, count) : hypot(a, b));
    }
    into->count += count;
}

/* The block's place, made where there is none; NULL: no memory. */
static struct lae_block_merge *place(struct lae_block_merges *merges, int block)
{
    size_t at = 0;
    while (at < merges->count && merges->items[at].block < block)
        at++;
    if (at < merges->count && merges->items[at].block == block) return &merges->items[at];
    struct lae_block_merge *items = realloc(merges->items, (merges->count + 1) * sizeof *items);
    if (items == NULL) return NULL;
    memmove(items + at + 1, items + at, (merges->count - at) * sizeof *items);
    items[at] = (struct lae_block_merge){.block = block};
    merges->items = items;
    merges->count++;
    return &items[at];
}

lae_status lae_block_merges_add(struct lae_block_merges *merges, const char *name, size_t count,
                                const struct lae_merge_stats *stats)
{
    int block;
    if (sscanf(name, "blocks/%6d/", &block) != 1 || block < 0) return NULL;
    struct lae_block_merge *into = place(merges, block);
    if (into == NULL) return lae_out_of_memory(sizeof *into, "merge statistics");
    take_in(into, count, stats);
    return NULL;
}

struct lae_block_merge lae_block_merges_all(const struct lae_block_merges *merges)
{
    struct lae_block_merge all = {.block = -1};
    for (size_t i = 0; i < merges->count; i++)
        take_in(&all, merges->items[i].count, &merges->items[i].stats);
    return all;
}

void lae_block_merges_free(struct lae_block_merges *merges)
{
    free(merges->items);
    *merges = (struct lae_block_merges){0};
}
