#include "vit.h"

/* One block's rows and what its site of attention holds. */
struct counted {
    double tokens, width, hidden, rows;
    const struct lae_pet_module *attn, *mlp;
    double inserted;
};

static struct counted block_at(const struct lae_vit *vit, const struct lae_pet *pet, size_t block)
{
    const struct lae_vit_dims *dims = &vit->dims;
    return (struct counted){
        .tokens = (double)dims->tokens,
        .width = (double)dims->width,
        .hidden = (double)dims->hidden,
        .rows = block + 1 == dims->depth ? 1.0 : (double)dims->tokens,
        .attn = lae_pet_at(pet, (int)block, LAE_SITE_ATTN),
        .mlp = lae_pet_at(pet, (int)block, LAE_SITE_MLP),
        .inserted = (double)lae_pet_inserted(pet, (int)block),
    };
}

static double module_flops(const struct lae_pet_module *module, double rows)
{
    bool counts = module != NULL && module->type->flops != NULL;
    return counts ? module->type->flops(module, (size_t)rows) : 0.0;
}

/* `below`: the gradient of the site's input is wanted. */
static double module_backward(const struct lae_pet_module *module, double rows, bool below)
{
    double flops = 2.0 * module_flops(module, rows);
    if (flops > 0.0 && !below) flops -= module->type->input_flops(module, (size_t)rows);
    return flops;
}

/* Queries of the rows that are wanted, keys and values of all tokens. */
static double qkv_flops(const struct counted *c)
{
    return 2.0 * c->width * c->width * (c->rows + 2.0 * c->tokens);
}

static double proj_flops(const struct counted *c)
{
    return 2.0 * c->rows * c->width * c->width;
}

static double mlp_flops(const struct counted *c)
{
    return 4.0 * c->rows * c->width * c->hidden;
}

/* Of one product between queries and keys, all heads together. */
static double attention_flops(const struct counted *c)
{
    return 2.0 * c->rows * (c->inserted + c->tokens) * c->width;
}

static double forward(const struct counted *c)
{
    return qkv_flops(c) + 2.0 * attention_flops(c) + proj_flops(c) + mlp_flops(c) +
           module_flops(c->attn, c->rows) + module_flops(c->mlp, c->rows);
}

static double backward(const struct counted *c, bool first)
{
    bool below_mlp = !first || c->attn != NULL;
    double flops = module_backward(c->mlp, c->rows, below_mlp);
    if (!below_mlp) return flops;
    flops += mlp_flops(c) + module_backward(c->attn, c->rows, !first);
    bool through_attention = !first || c->attn->type->changes_attention;
    if (through_attention) flops += proj_flops(c) + (first ? 3.0 : 4.0) * attention_flops(c);
    if (!first) flops += qkv_flops(c);
    return flops;
}

struct lae_backbone_flops lae_vit_count_flops(const struct lae_backbone *backbone)
{
    const struct lae_vit *vit = lae_vit_of(backbone);
    const struct lae_pet *pet = backbone->pet;
    const struct lae_vit_dims *dims = &vit->dims;
    double pixels = 3.0 * (double)(dims->patch * dims->patch);
    struct lae_backbone_flops flops = {.trunk = 2.0 * (double)(dims->grid * dims->grid) * pixels *
                                                (double)dims->width};
    for (size_t block = 0; block < dims->depth; block++) {
        struct counted c = block_at(vit, pet, block);
        bool adapted = block >= (size_t)pet->first_block;
        *(adapted ? &flops.branch : &flops.trunk) += forward(&c);
        if (adapted) flops.backward += backward(&c, block == (size_t)pet->first_block);
    }
    return flops;
}
