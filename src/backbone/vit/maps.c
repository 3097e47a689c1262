/* Each linear map of the backbone is one product forward and, from the first adapted block up, one
 * back. All blocks but the last have the same shapes, and so the same products; the last computes
 * the class token's row alone after its keys and values.
 *
 *     map         forward                            back
 *     patch       patches       -> stream
 *     qkv         h1            -> [q k v]           d[q k v]   adds to dh
 *     proj        attended adds to the stream        d stream   -> d attended
 *     fc1         h2            -> hidden            d hidden   adds to dh
 *     fc2         activated adds to the stream       d stream   -> d activated
 */
#include "attention.h"
#include "vit.h"

#define QKV false, true /* written; the way back adds */
#define PROJ true, false
#define FC1 false, true
#define FC2 true, false

static lae_status declare_qkv(struct lae_vit *vit, struct lae_vit_block *block, bool last,
                              bool back)
{
    struct lae_backbone *base = &vit->base;
    size_t n = vit->dims.tokens, d = vit->dims.width;
    const struct lae_frozen_shape qkv = {n, d, 3 * d, d, 3 * d, QKV},
                                  query = {1, d, d, d, 3 * d, QKV},
                                  key_value = {n, d, 2 * d, d, 3 * d, QKV};
    if (!last) return lae_frozen_declare(base, &block->qkv, &qkv, back);
    LAE_TRY(lae_frozen_declare(base, &block->query, &query, back));
    return lae_frozen_declare(base, &block->key_value, &key_value, back);
}

static lae_status declare_block(struct lae_vit *vit, size_t number)
{
    const struct lae_vit_dims *dims = &vit->dims;
    const struct lae_pet *pet = vit->base.pet;
    struct lae_vit_block *block = &vit->blocks[number];
    bool last = number + 1 == dims->depth, back = number >= (size_t)pet->first_block;
    size_t d = dims->width, hidden = dims->hidden, rows = last ? 1 : dims->tokens;
    const struct lae_frozen_shape proj = {rows, d, d, d, d, PROJ},
                                  fc1 = {rows, d, hidden, d, hidden, FC1},
                                  fc2 = {rows, hidden, d, hidden, d, FC2};
    const struct lae_vit_attention_shape attention =
        lae_vit_attention_shape(dims, rows, lae_pet_inserted(pet, (int)number));
    LAE_TRY(declare_qkv(vit, block, last, back));
    LAE_TRY(lae_frozen_declare(&vit->base, &block->proj, &proj, back));
    LAE_TRY(lae_frozen_declare(&vit->base, &block->fc1, &fc1, back));
    LAE_TRY(lae_frozen_declare(&vit->base, &block->fc2, &fc2, back));
    return lae_vit_attention_declare(&attention, back, vit->base.products, &block->head);
}

lae_status lae_vit_declare_products(struct lae_vit *vit)
{
    const struct lae_vit_dims *dims = &vit->dims;
    size_t pixels = 3 * dims->patch * dims->patch, d = dims->width;
    const struct lae_frozen_shape patch = {
        dims->grid * dims->grid, pixels, d, pixels, d, false, false};
    LAE_TRY(lae_frozen_declare(&vit->base, &vit->patch, &patch, false));
    for (size_t block = 0; block < dims->depth; block++)
        LAE_TRY(declare_block(vit, block));
    return NULL;
}
