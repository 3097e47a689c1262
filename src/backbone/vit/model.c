#include "vit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_TEXT 96

static size_t count_blocks(const struct lae_set *tensors)
{
    char name[NAME_TEXT];
    size_t depth = 0;
    do
        snprintf(name, sizeof name, "blocks/%zu/attn/qkv/weight", depth);
    while (lae_set_find(tensors, name) != NULL && ++depth < LAE_MAX_BLOCKS);
    return depth;
}

static lae_status choose_heads(int heads, struct lae_vit_dims *dims)
{
    size_t wanted = (size_t)heads;
    if (heads <= 0)
        return lae_bad_input("how many heads attention has cannot be seen in tensors of width %zu, "
                             "and nothing beside them says it: set model.heads (timm: num_heads, "
                             "transformers: num_attention_heads in config.json)",
                             dims->width);
    if (dims->width % wanted != 0)
        return lae_bad_input("model.heads: %zu heads do not divide the width %zu", wanted,
                             dims->width);
    dims->heads = wanted;
    dims->head_dim = dims->width / wanted;
    return NULL;
}

/* Rows of a tensor [1, rows, D]; 0 where there is none. */
static size_t count_rows(const struct lae_set *tensors, const char *name)
{
    const struct lae_named *tensor = lae_set_find(tensors, name);
    return tensor != NULL && tensor->rank == 3 ? tensor->shape[1] : 0;
}

static bool claims(const struct lae_set *tensors)
{
    return lae_set_find(tensors, "patch_embed/proj/weight") != NULL &&
           lae_set_find(tensors, "blocks/0/attn/qkv/weight") != NULL;
}

/* What follows from patch and image. */
static lae_status divide_image(struct lae_vit_dims *dims)
{
    if (dims->image < dims->patch || dims->image % dims->patch != 0)
        return lae_bad_input("data.image_size: %zu is no multiple of the model's patch size %zu",
                             dims->image, dims->patch);
    dims->grid = dims->image / dims->patch;
    dims->tokens = lae_vit_prefix_rows(dims) + dims->grid * dims->grid;
    return NULL;
}

static lae_status dims_of(const struct lae_set *tensors, const struct lae_backbone_hints *hints,
                          struct lae_backbone_dims *packed)
{
    const struct lae_named *patch, *fc1;
    LAE_TRY(lae_backbone_need(tensors, "patch_embed/proj/weight", 4, &patch));
    LAE_TRY(lae_backbone_need(tensors, "blocks/0/mlp/fc1/weight", 2, &fc1));
    struct lae_vit_dims dims = {
        .width = patch->shape[0],
        .depth = count_blocks(tensors),
        .hidden = fc1->shape[0],
        .patch = patch->shape[2],
        .image = (size_t)hints->image,
        .distillation = count_rows(tensors, "dist_token"),
        .registers = count_rows(tensors, "reg_token"),
        .eps = (float)hints->eps,
    };
    LAE_TRY(choose_heads(hints->heads, &dims));
    if (dims.depth == LAE_MAX_BLOCKS)
        return lae_bad_input("the model has %d blocks or more; fewer are supported",
                             LAE_MAX_BLOCKS);
    LAE_TRY(divide_image(&dims));
    *packed = lae_backbone_pack_dims(&lae_vit_family, &dims, sizeof dims);
    return NULL;
}

/* Published sizes, with patches of 16. */
static const struct lae_backbone_size sizes[] = {{"tiny", "ViT-tiny/16 (12 blocks, width 192)"},
                                                 {"small", "ViT-small/16 (12 blocks, width 384)"},
                                                 {"base", "ViT-base/16 (12 blocks, width 768)"},
                                                 {"large", "ViT-large/16 (24 blocks, width 1024)"},
                                                 {NULL, NULL}};

static lae_status dims_of_size(size_t size, int image, struct lae_backbone_dims *packed)
{
    static const struct {
        size_t width, depth, heads;
    } known[] = {{192, 12, 3}, {384, 12, 6}, {768, 12, 12}, {1024, 24, 16}};
    struct lae_vit_dims dims = {
        .width = known[size].width,
        .depth = known[size].depth,
        .heads = known[size].heads,
        .head_dim = known[size].width / known[size].heads,
        .hidden = 4 * known[size].width,
        .patch = 16,
        .image = (size_t)image,
        .eps = 1e-6F,
    };
    LAE_TRY(divide_image(&dims));
    *packed = lae_backbone_pack_dims(&lae_vit_family, &dims, sizeof dims);
    return NULL;
}

static lae_status add(struct lae_table *table, const char *prefix, const char *name, int rank,
                      size_t a, size_t b)
{
    char path[NAME_TEXT];
    snprintf(path, sizeof path, "%s%s", prefix, name);
    return lae_table_add(table, path, rank, (size_t[]){a, b});
}

static lae_status add_block(struct lae_table *table, const struct lae_vit_dims *dims, size_t block)
{
    char prefix[32];
    snprintf(prefix, sizeof prefix, "blocks/%zu/", block);
    size_t d = dims->width, hidden = dims->hidden;
    LAE_TRY(add(table, prefix, "norm1/weight", 1, d, 0));
    LAE_TRY(add(table, prefix, "norm1/bias", 1, d, 0));
    LAE_TRY(add(table, prefix, "attn/qkv/weight", 2, 3 * d, d));
    LAE_TRY(add(table, prefix, "attn/qkv/bias", 1, 3 * d, 0));
    LAE_TRY(add(table, prefix, "attn/proj/weight", 2, d, d));
    LAE_TRY(add(table, prefix, "attn/proj/bias", 1, d, 0));
    LAE_TRY(add(table, prefix, "norm2/weight", 1, d, 0));
    LAE_TRY(add(table, prefix, "norm2/bias", 1, d, 0));
    LAE_TRY(add(table, prefix, "mlp/fc1/weight", 2, hidden, d));
    LAE_TRY(add(table, prefix, "mlp/fc1/bias", 1, hidden, 0));
    LAE_TRY(add(table, prefix, "mlp/fc2/weight", 2, d, hidden));
    return add(table, prefix, "mlp/fc2/bias", 1, d, 0);
}

static lae_status declare(struct lae_backbone *backbone)
{
    const struct lae_vit_dims *dims = &lae_vit_of(backbone)->dims;
    struct lae_table *table = &backbone->table;
    size_t d = dims->width;
    LAE_TRY(lae_table_add(table, "cls_token", 3, (size_t[]){1, 1, d}));
    if (dims->distillation > 0)
        LAE_TRY(lae_table_add(table, "dist_token", 3, (size_t[]){1, dims->distillation, d}));
    if (dims->registers > 0)
        LAE_TRY(lae_table_add(table, "reg_token", 3, (size_t[]){1, dims->registers, d}));
    LAE_TRY(lae_table_add(table, "pos_embed", 3, (size_t[]){1, dims->tokens, d}));
    LAE_TRY(lae_table_add(table, "patch_embed/proj/weight", 4,
                          (size_t[]){d, 3, dims->patch, dims->patch}));
    LAE_TRY(add(table, "", "patch_embed/proj/bias", 1, d, 0));
    for (size_t block = 0; block < dims->depth; block++)
        LAE_TRY(add_block(table, dims, block));
    LAE_TRY(add(table, "", "norm/weight", 1, d, 0));
    return add(table, "", "norm/bias", 1, d, 0);
}

static lae_status fill_positions(const struct lae_vit_dims *dims, const struct lae_named *source,
                                 float *out)
{
    char shape[LAE_SHAPE_TEXT];
    size_t rows = source->rank == 3 ? source->shape[1] : 0, prefix = lae_vit_prefix_rows(dims);
    size_t from = rows > prefix ? (size_t)lround(sqrt((double)(rows - prefix))) : 0;
    if (from == 0 || from * from != rows - prefix || source->shape[2] != dims->width)
        return lae_bad_input("tensor pos_embed has shape %s; [1, %zu + g*g, %zu] is wanted",
                             lae_shape_text(source->rank, source->shape, shape), prefix,
                             dims->width);
    lae_vit_resize_positions(out, dims->grid, source->data, from, prefix, dims->width);
    return NULL;
}

static lae_status convert(const struct lae_backbone *backbone, const struct lae_param *item,
                          const struct lae_named *tensor, float *out, bool *converted)
{
    *converted = strcmp(item->name, "pos_embed") == 0;
    return *converted ? fill_positions(&lae_vit_of(backbone)->dims, tensor, out) : NULL;
}

/* Hands out the table's tensors one after the other, in the order in which it was made. */
struct cursor {
    const struct lae_table *table;
    const float *weights;
    size_t next;
};

static const float *take(struct cursor *cursor)
{
    return cursor->weights + cursor->table->items[cursor->next++].offset;
}

static void take_frozen(struct cursor *cursor, struct lae_frozen *map)
{
    map->weight = take(cursor);
    map->bias = take(cursor);
}

static void point_block(struct cursor *cursor, size_t width, struct lae_vit_block *block)
{
    block->norm1_weight = take(cursor);
    block->norm1_bias = take(cursor);
    take_frozen(cursor, &block->qkv);
    block->query = block->qkv;
    block->key_value.weight = block->qkv.weight + width * width;
    block->key_value.bias = block->qkv.bias + width;
    take_frozen(cursor, &block->proj);
    block->norm2_weight = take(cursor);
    block->norm2_bias = take(cursor);
    take_frozen(cursor, &block->fc1);
    take_frozen(cursor, &block->fc2);
}

static void point(struct lae_vit *vit, const float *weights)
{
    struct cursor cursor = {&vit->base.table, weights, 0};
    vit->cls_token = take(&cursor);
    if (vit->dims.distillation > 0) vit->dist_token = take(&cursor);
    if (vit->dims.registers > 0) vit->reg_token = take(&cursor);
    vit->pos_embed = take(&cursor);
    take_frozen(&cursor, &vit->patch);
    for (size_t block = 0; block < vit->dims.depth; block++)
        point_block(&cursor, vit->dims.width, &vit->blocks[block]);
    vit->norm_weight = take(&cursor);
    vit->norm_bias = take(&cursor);
}

static lae_status use(struct lae_backbone *backbone, const float *weights)
{
    struct lae_vit *vit = (struct lae_vit *)backbone;
    point(vit, weights);
    return lae_vit_declare_products(vit);
}

static void set_places(const struct lae_vit_dims *dims, struct lae_places *places)
{
    places->blocks = (int)dims->depth;
    places->sites = 1U << LAE_SITE_ATTN | 1U << LAE_SITE_MLP;
    for (size_t block = 0; block < dims->depth; block++)
        places->dims[block] = (struct lae_pet_dims){.width = dims->width,
                                                    .prefix_rows = lae_vit_prefix_rows(dims),
                                                    .grid_rows = dims->grid,
                                                    .grid_cols = dims->grid};
}

static struct lae_backbone *create(const struct lae_backbone_dims *packed)
{
    struct lae_vit *vit = calloc(1, sizeof *vit);
    if (vit == NULL) return NULL;
    struct lae_vit_dims *dims = &vit->dims;
    memcpy(dims, packed->own, sizeof *dims);
    vit->blocks = calloc(dims->depth, sizeof *vit->blocks);
    if (vit->blocks == NULL) {
        free(vit);
        return NULL;
    }
    vit->base.feature = dims->width;
    vit->base.image = dims->image;
    vit->base.stream = dims->tokens * dims->width;
    set_places(dims, &vit->base.places);
    return &vit->base;
}

static void release(struct lae_backbone *backbone)
{
    free(((struct lae_vit *)backbone)->blocks);
}

static int describe(const struct lae_backbone *backbone, const char *heads_from, char *text,
                    size_t size)
{
    const struct lae_vit_dims *dims = &lae_vit_of(backbone)->dims;
    bool told = heads_from[0] != '\0';
    return snprintf(text, size,
                    "ViT: %zu blocks, width %zu, %zu heads%s%s%s, patch %zu, images of %zu",
                    dims->depth, dims->width, dims->heads, told ? " (" : "", heads_from,
                    told ? ")" : "", dims->patch, dims->image);
}

const struct lae_backbone_family lae_vit_family = {
    .name = "vit",
    .claims = claims,
    .dims_of = dims_of,
    .sizes = sizes,
    .dims_of_size = dims_of_size,
    .create = create,
    .free = release,
    .declare = declare,
    .convert = convert,
    .use = use,
    .describe = describe,
    .count_flops = lae_vit_count_flops,
    .create_workspace = lae_vit_create_workspace,
    .place = lae_vit_place,
    .free_workspace = lae_vit_free_workspace,
    .trunk = lae_vit_trunk,
    .branch = lae_vit_branch,
    .backward = lae_vit_backward,
};
