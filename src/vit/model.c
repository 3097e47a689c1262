#include "lae/vit/model.h"

#include "frozen.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_TEXT 96

/* The tensor of that name, or an error. */
static lae_status need(const struct lae_set *tensors, const char *name, int rank,
                       const struct lae_named **found)
{
    *found = lae_set_find(tensors, name);
    if (*found == NULL) return lae_bad_input("tensor %s is missing", name);
    if ((*found)->rank != rank) {
        char shape[LAE_SHAPE_TEXT];
        return lae_bad_input("tensor %s has shape %s; %d dimensions are wanted", name,
                             lae_shape_text((*found)->rank, (*found)->shape, shape), rank);
    }
    return NULL;
}

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

lae_status lae_vit_dims_of(const struct lae_set *tensors, int image, int heads, double eps,
                           struct lae_vit_dims *dims)
{
    const struct lae_named *patch, *fc1;
    LAE_TRY(need(tensors, "patch_embed/proj/weight", 4, &patch));
    LAE_TRY(need(tensors, "blocks/0/mlp/fc1/weight", 2, &fc1));
    *dims = (struct lae_vit_dims){
        .width = patch->shape[0],
        .depth = count_blocks(tensors),
        .hidden = fc1->shape[0],
        .patch = patch->shape[2],
        .image = (size_t)image,
        .distillation = count_rows(tensors, "dist_token"),
        .registers = count_rows(tensors, "reg_token"),
        .eps = (float)eps,
    };
    LAE_TRY(choose_heads(heads, dims));
    if (dims->depth == LAE_MAX_BLOCKS)
        return lae_bad_input("the model has %d blocks or more; fewer are supported",
                             LAE_MAX_BLOCKS);
    if (dims->image < dims->patch || dims->image % dims->patch != 0)
        return lae_bad_input("data.image_size: %zu is no multiple of the model's patch size %zu",
                             dims->image, dims->patch);
    dims->grid = dims->image / dims->patch;
    dims->tokens = lae_vit_prefix_rows(dims) + dims->grid * dims->grid;
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

lae_status lae_vit_table(const struct lae_vit_dims *dims, struct lae_table *table)
{
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

lae_status lae_vit_fill(const struct lae_vit_dims *dims, const struct lae_table *table,
                        const struct lae_set *tensors, float *weights)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct lae_param *item = &table->items[i];
        const struct lae_named *source;
        LAE_TRY(need(tensors, item->name, item->rank, &source));
        if (strcmp(item->name, "pos_embed") == 0) {
            LAE_TRY(fill_positions(dims, source, weights + item->offset));
            continue;
        }
        if (memcmp(source->shape, item->shape, (size_t)item->rank * sizeof item->shape[0]) != 0) {
            char found[LAE_SHAPE_TEXT], wanted[LAE_SHAPE_TEXT];
            return lae_bad_input("tensor %s has shape %s; %s is wanted", item->name,
                                 lae_shape_text(source->rank, source->shape, found),
                                 lae_shape_text(item->rank, item->shape, wanted));
        }
        memcpy(weights + item->offset, source->data, item->count * sizeof *weights);
    }
    return NULL;
}

/* Hands out the table's tensors one after the other, in the order lae_vit_table made them. */
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

static void point(const struct lae_table *table, const float *weights, struct lae_vit *vit)
{
    struct cursor cursor = {table, weights, 0};
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

lae_status lae_vit_create(const struct lae_vit_dims *dims, const struct lae_table *table,
                          const float *weights, const struct lae_kernels *kernels,
                          struct lae_arithmetic arithmetic, const struct lae_pet *pet,
                          struct lae_vit *vit)
{
    *vit = (struct lae_vit){.dims = *dims, .kernels = kernels};
    size_t most = 1 + FROZEN_OF_BLOCK * dims->depth;
    vit->blocks = calloc(dims->depth, sizeof *vit->blocks);
    vit->frozen = calloc(most, sizeof(struct lae_frozen *));
    if (vit->blocks == NULL || vit->frozen == NULL)
        return lae_out_of_memory(dims->depth * sizeof *vit->blocks, "the model");
    point(table, weights, vit);
    LAE_TRY(lae_products_create(arithmetic, &vit->products));
    return frozen_declare(vit, pet);
}

void lae_vit_free(struct lae_vit *vit)
{
    lae_products_free(vit->products);
    free(vit->blocks);
    free(vit->frozen);
    *vit = (struct lae_vit){0};
}

struct lae_pet_dims lae_vit_pet_dims(const struct lae_vit_dims *dims)
{
    return (struct lae_pet_dims){.width = dims->width,
                                 .extra_rows = lae_vit_prefix_rows(dims) - 1,
                                 .grid_rows = dims->grid,
                                 .grid_cols = dims->grid};
}
