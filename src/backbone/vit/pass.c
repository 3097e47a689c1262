#include "block.h"

#include <string.h>

/* image [3, S, S] to patches [grid^2, 3 p p], each in the order of the embedding's kernel. */
static void cut_patches(const struct lae_vit_dims *dims, const float *image, float *patches)
{
    size_t p = dims->patch, side = dims->image;
    for (size_t row = 0; row < dims->grid; row++)
        for (size_t col = 0; col < dims->grid; col++)
            for (size_t channel = 0; channel < 3; channel++)
                for (size_t y = 0; y < p; y++, patches += p)
                    memcpy(patches, image + (channel * side + row * p + y) * side + col * p,
                           p * sizeof *patches);
}

/* The prefix rows of x, then the patches'. */
static void place_prefix(const struct lae_vit *vit, float *x)
{
    size_t d = vit->dims.width, row = d * sizeof *x;
    memcpy(x, vit->cls_token, row);
    if (vit->dist_token != NULL) memcpy(x + d, vit->dist_token, row);
    size_t before = 1 + vit->dims.distillation;
    if (vit->reg_token != NULL) memcpy(x + before * d, vit->reg_token, vit->dims.registers * row);
}

static void embed(const struct lae_pass *pass, const float *image)
{
    const struct lae_vit *vit = lae_vit_of(pass->backbone);
    struct lae_vit_workspace *m = lae_vit_memory(pass->memory);
    const struct lae_vit_dims *dims = &vit->dims;
    size_t d = dims->width;
    lae_pass_turn(pass, LAE_WORK_DATA);
    cut_patches(dims, image, m->patches);
    place_prefix(vit, m->x);
    lae_frozen_forward(pass, &vit->patch, m->patches, m->x + lae_vit_prefix_rows(dims) * d);
    pass->backbone->kernels->add(m->x, vit->pos_embed, dims->tokens * d);
}

void lae_vit_trunk(const struct lae_pass *pass, const float *image)
{
    const struct lae_vit_workspace *m = lae_vit_memory(pass->memory);
    embed(pass, image);
    for (size_t block = 0; block < (size_t)pass->backbone->pet->first_block; block++)
        lae_vit_block_forward(pass, block);
    memcpy(pass->memory->stream, m->x, pass->backbone->stream * sizeof *m->x);
}

/* The feature is the class token's row after the final layer norm. */
void lae_vit_branch(const struct lae_pass *pass, float *feature)
{
    const struct lae_vit *vit = lae_vit_of(pass->backbone);
    struct lae_vit_workspace *m = lae_vit_memory(pass->memory);
    memcpy(m->x, pass->memory->stream, pass->backbone->stream * sizeof *m->x);
    for (size_t block = (size_t)pass->backbone->pet->first_block; block < vit->dims.depth; block++)
        lae_vit_block_forward(pass, block);
    lae_pass_turn(pass, LAE_WORK_NORM);
    pass->backbone->kernels->layer_norm(feature, m->normal, m->rstd, m->x, vit->norm_weight,
                                        vit->norm_bias, 1, vit->dims.width, vit->dims.eps);
}

void lae_vit_backward(const struct lae_pass *pass, const float *d_feature, float *gradient)
{
    const struct lae_vit *vit = lae_vit_of(pass->backbone);
    struct lae_vit_workspace *m = lae_vit_memory(pass->memory);
    size_t d = vit->dims.width, first = (size_t)pass->backbone->pet->first_block;
    lae_pass_turn(pass, LAE_WORK_NORM);
    memset(m->x, 0, d * sizeof *m->x);
    pass->backbone->kernels->layer_norm_backward(m->x, d_feature, m->normal, m->rstd,
                                                 vit->norm_weight, 1, d);
    for (size_t block = vit->dims.depth; block > first; block--)
        lae_vit_block_backward(pass, block - 1, gradient);
}
