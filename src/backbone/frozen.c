#include "frozen.h"

#include <stdlib.h>

static lae_status list(struct lae_backbone *backbone, struct lae_frozen *map)
{
    size_t count = backbone->frozen_count + 1;
    struct lae_frozen **longer = realloc(backbone->frozen, count * sizeof *longer);
    if (longer == NULL) return lae_out_of_memory(count * sizeof *longer, "the list of frozen maps");
    longer[backbone->frozen_count] = map;
    backbone->frozen = longer;
    backbone->frozen_count = count;
    return NULL;
}

static lae_status add_product(struct lae_backbone *backbone, const struct lae_product_shape *shape,
                              int *product)
{
    LAE_TRY(lae_products_add(backbone->products, shape, product));
    backbone->packed += lae_product_packed(backbone->products, *product);
    return NULL;
}

lae_status lae_frozen_declare(struct lae_backbone *backbone, struct lae_frozen *map,
                              const struct lae_frozen_shape *shape, bool back)
{
    const struct lae_product_shape there = {.rows = shape->rows,
                                            .in = shape->in,
                                            .out = shape->out,
                                            .ldx = shape->ldx,
                                            .ldy = shape->ldy,
                                            .bias = true,
                                            .add = shape->adds};
    const struct lae_product_shape and_back = {.rows = shape->rows,
                                               .in = shape->out,
                                               .out = shape->in,
                                               .ldx = shape->ldy,
                                               .ldy = shape->ldx,
                                               .back = true,
                                               .add = shape->adds_back};
    LAE_TRY(list(backbone, map));
    LAE_TRY(add_product(backbone, &there, &map->forward_product));
    map->forward = map->weight;
    map->back = NULL;
    if (!back) return NULL;
    LAE_TRY(add_product(backbone, &and_back, &map->back_product));
    map->back = map->weight;
    return NULL;
}

lae_status lae_backbone_pack(const struct lae_backbone *backbone, size_t part, size_t parts,
                             void *packed)
{
    const struct lae_products *products = backbone->products;
    char *at = packed;
    for (size_t i = 0; i < backbone->frozen_count; i++) {
        const struct lae_frozen *map = backbone->frozen[i];
        bool mine = i % parts == part;
        if (mine) LAE_TRY(lae_product_pack(products, map->forward_product, map->weight, at));
        at += lae_product_packed(products, map->forward_product);
        if (map->back == NULL) continue;
        if (mine) LAE_TRY(lae_product_pack(products, map->back_product, map->weight, at));
        at += lae_product_packed(products, map->back_product);
    }
    return NULL;
}

void lae_backbone_use_packed(struct lae_backbone *backbone, const void *packed)
{
    const char *at = packed;
    for (size_t i = 0; i < backbone->frozen_count; i++) {
        struct lae_frozen *map = backbone->frozen[i];
        map->forward = at;
        at += lae_product_packed(backbone->products, map->forward_product);
        if (map->back == NULL) continue;
        map->back = at;
        at += lae_product_packed(backbone->products, map->back_product);
    }
}

void lae_frozen_forward(const struct lae_pass *pass, const struct lae_frozen *map, const float *x,
                        float *y)
{
    lae_pass_turn(pass, LAE_WORK_PRODUCT);
    lae_product_run(pass->memory->runner, map->forward_product, map->forward, map->bias, x, y);
}

void lae_frozen_back(const struct lae_pass *pass, const struct lae_frozen *map, const float *dy,
                     float *dx)
{
    lae_pass_turn(pass, LAE_WORK_PRODUCT);
    lae_product_run(pass->memory->runner, map->back_product, map->back, NULL, dy, dx);
}
