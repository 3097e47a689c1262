#include "workspace.h"

#include <stdlib.h>

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The most a module of any block asks for. */
static void module_limits(const struct lae_pet *pet, size_t *inserted, size_t *scratch,
                          size_t saved[LAE_SITES])
{
    *inserted = *scratch = saved[LAE_SITE_ATTN] = saved[LAE_SITE_MLP] = 0;
    for (size_t i = 0; i < pet->count; i++) {
        const struct lae_pet_module *module = &pet->modules[i];
        *inserted = larger(*inserted, lae_pet_inserted(pet, module->block));
        *scratch = larger(*scratch, module->type->scratch(module));
        saved[module->site] = larger(saved[module->site], module->type->saved(module));
    }
}

static void place_slot(struct lae_arena *arena, const struct lae_vit_dims *dims, size_t rows,
                       size_t inserted, const size_t saved[LAE_SITES], struct lae_vit_slot *slot)
{
    size_t n = dims->tokens, d = dims->width;
    slot->h1 = lae_arena_floats(arena, n * d);
    slot->h2 = lae_arena_floats(arena, rows * d);
    slot->normal1 = lae_arena_floats(arena, n * d);
    slot->rstd1 = lae_arena_floats(arena, n);
    slot->normal2 = lae_arena_floats(arena, rows * d);
    slot->rstd2 = lae_arena_floats(arena, rows);
    slot->qkv = lae_arena_floats(arena, (inserted + n) * 3 * d);
    slot->weights = lae_arena_floats(arena, dims->heads * rows * (inserted + n));
    slot->inserted_sum = lae_arena_floats(arena, dims->heads * rows);
    slot->hidden = lae_arena_floats(arena, rows * dims->hidden);
    for (int site = 0; site < LAE_SITES; site++)
        slot->pet_saved[site] = lae_arena_floats(arena, saved[site]);
}

void lae_vit_place(const struct lae_backbone *backbone, struct lae_backbone_workspace *workspace)
{
    struct lae_vit_workspace *w = lae_vit_memory(workspace);
    struct lae_arena *arena = &workspace->arena;
    const struct lae_vit_dims *dims = &lae_vit_of(backbone)->dims;
    size_t n = dims->tokens, d = dims->width;
    size_t inserted, scratch, saved[LAE_SITES];
    module_limits(backbone->pet, &inserted, &scratch, saved);
    w->patches = lae_arena_floats(arena, dims->grid * dims->grid * 3 * dims->patch * dims->patch);
    workspace->stream = lae_arena_floats(arena, n * d);
    w->x = lae_arena_floats(arena, n * d);
    w->attended = lae_arena_floats(arena, n * d);
    w->activated = lae_arena_floats(arena, n * dims->hidden);
    w->dh = lae_arena_floats(arena, n * d);
    w->normal = lae_arena_floats(arena, d);
    w->rstd = lae_arena_floats(arena, 1);
    w->pet_scratch = lae_arena_floats(arena, scratch);
    if (workspace->gradient) {
        w->d_qkv = lae_arena_floats(arena, (inserted + n) * 3 * d);
        w->scores = lae_arena_floats(arena, n * (inserted + n));
    }
    for (size_t i = 0; i < w->slot_count; i++) {
        bool last = i > 0 && i + 1 == w->slot_count;
        place_slot(arena, dims, last ? 1 : n, inserted, saved, &w->slots[i]);
    }
}

struct lae_backbone_workspace *lae_vit_create_workspace(const struct lae_backbone *backbone,
                                                        bool gradient)
{
    struct lae_vit_workspace *w = calloc(1, sizeof *w);
    if (w == NULL) return NULL;
    /* One slot for each block that backward visits. The trunk's blocks borrow slot 0, which must
     * then be of full size: only a last slot that is not the only one may be short. */
    size_t kept = lae_vit_of(backbone)->dims.depth - (size_t)backbone->pet->first_block;
    w->base.gradient = gradient && kept > 0;
    w->slot_count = w->base.gradient ? kept : 1;
    w->slots = calloc(w->slot_count, sizeof *w->slots);
    if (w->slots != NULL) return &w->base;
    free(w);
    return NULL;
}

void lae_vit_free_workspace(struct lae_backbone_workspace *workspace)
{
    free(lae_vit_memory(workspace)->slots);
}
