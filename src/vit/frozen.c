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
#include "frozen.h"

#include "attention.h"

/* x [rows, in] with rows `ldx` apart to y [rows, out], `ldy` apart. */
struct place {
    size_t rows, in, out, ldx, ldy;
    bool adds, adds_back;
};

static lae_status declare(struct lae_vit *vit, struct lae_frozen *map, const struct place *place,
                          bool back)
{
    struct lae_product_shape shape = {
        .rows = place->rows,
        .in = place->in,
        .out = place->out,
        .ldx = place->ldx,
        .ldy = place->ldy,
        .bias = true,
        .add = place->adds,
    };
    vit->frozen[vit->frozen_count++] = map;
    LAE_TRY(lae_products_add(vit->products, &shape, &map->forward_product));
    vit->packed += lae_product_packed(vit->products, map->forward_product);
    map->forward = map->weight;
    map->back = NULL;
    if (!back) return NULL;
    shape = (struct lae_product_shape){
        .rows = place->rows,
        .in = place->out,
        .out = place->in,
        .ldx = place->ldy,
        .ldy = place->ldx,
        .back = true,
        .add = place->adds_back,
    };
    LAE_TRY(lae_products_add(vit->products, &shape, &map->back_product));
    vit->packed += lae_product_packed(vit->products, map->back_product);
    map->back = map->weight;
    return NULL;
}

static lae_status declare_block(struct lae_vit *vit, size_t number, size_t inserted, bool back)
{
    const struct lae_vit_dims *dims = &vit->dims;
    struct lae_vit_block *block = &vit->blocks[number];
    bool last = number + 1 == dims->depth;
    size_t n = dims->tokens, d = dims->width, hidden = dims->hidden, rows = last ? 1 : n;
    if (last) {
        LAE_TRY(declare(vit, &block->query, &(struct place){1, d, d, d, 3 * d, false, true}, back));
        LAE_TRY(declare(vit, &block->key_value, &(struct place){n, d, 2 * d, d, 3 * d, false, true},
                        back));
    } else {
        LAE_TRY(
            declare(vit, &block->qkv, &(struct place){n, d, 3 * d, d, 3 * d, false, true}, back));
    }
    LAE_TRY(declare(vit, &block->proj, &(struct place){rows, d, d, d, d, true, false}, back));
    LAE_TRY(
        declare(vit, &block->fc1, &(struct place){rows, d, hidden, d, hidden, false, true}, back));
    LAE_TRY(
        declare(vit, &block->fc2, &(struct place){rows, hidden, d, hidden, d, true, false}, back));
    struct attention_shape attention = attention_shape(dims, rows, inserted);
    return attention_declare(&attention, back, vit->products, &block->attention);
}

lae_status frozen_declare(struct lae_vit *vit, const struct lae_pet *pet)
{
    const struct lae_vit_dims *dims = &vit->dims;
    size_t pixels = 3 * dims->patch * dims->patch, d = dims->width;
    LAE_TRY(declare(vit, &vit->patch,
                    &(struct place){dims->grid * dims->grid, pixels, d, pixels, d, false, false},
                    false));
    for (size_t block = 0; block < dims->depth; block++)
        LAE_TRY(declare_block(vit, block, lae_pet_inserted(pet, (int)block),
                              block >= (size_t)pet->first_block));
    return NULL;
}

lae_status lae_vit_pack(const struct lae_vit *vit, size_t part, size_t parts, void *packed)
{
    char *at = packed;
    for (size_t i = 0; i < vit->frozen_count; i++) {
        const struct lae_frozen *map = vit->frozen[i];
        bool mine = i % parts == part;
        if (mine) LAE_TRY(lae_product_pack(vit->products, map->forward_product, map->weight, at));
        at += lae_product_packed(vit->products, map->forward_product);
        if (map->back == NULL) continue;
        if (mine) LAE_TRY(lae_product_pack(vit->products, map->back_product, map->weight, at));
        at += lae_product_packed(vit->products, map->back_product);
    }
    return NULL;
}

void lae_vit_use_packed(struct lae_vit *vit, const void *packed)
{
    const char *at = packed;
    for (size_t i = 0; i < vit->frozen_count; i++) {
        struct lae_frozen *map = vit->frozen[i];
        map->forward = at;
        at += lae_product_packed(vit->products, map->forward_product);
        if (map->back == NULL) continue;
        map->back = at;
        at += lae_product_packed(vit->products, map->back_product);
    }
}
