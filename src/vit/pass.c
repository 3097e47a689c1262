#include "lae/vit/pass.h"

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

static void embed(const struct pass *pass, const float *image)
{
    const struct lae_vit *vit = pass->vit;
    struct lae_vit_workspace *m = pass->memory;
    const struct lae_vit_dims *dims = &vit->dims;
    size_t d = dims->width;
    turn(pass, LAE_WORK_DATA);
    cut_patches(dims, image, m->patches);
    place_prefix(vit, m->x);
    frozen_forward(pass, &vit->patch, m->patches, m->x + lae_vit_prefix_rows(dims) * d);
    vit->kernels->add(m->x, vit->pos_embed, dims->tokens * d);
}

void lae_vit_trunk(const struct lae_vit *vit, const struct lae_pet *pet,
                   struct lae_vit_workspace *memory, const float *image)
{
    struct pass pass = {.vit = vit, .pet = pet, .memory = memory};
    embed(&pass, image);
    for (size_t block = 0; block < (size_t)pet->first_block; block++)
        block_forward(&pass, block);
    memcpy(memory->trunk, memory->x, lae_vit_stream_size(vit) * sizeof *memory->x);
}

size_t lae_vit_stream_size(const struct lae_vit *vit)
{
    return vit->dims.tokens * vit->dims.width;
}

void lae_vit_save_stream(const struct lae_vit *vit, const struct lae_vit_workspace *memory,
                         float *stream)
{
    memcpy(stream, memory->trunk, lae_vit_stream_size(vit) * sizeof *stream);
}

void lae_vit_load_stream(const struct lae_vit *vit, struct lae_vit_workspace *memory,
                         const float *stream)
{
    memcpy(memory->trunk, stream, lae_vit_stream_size(vit) * sizeof *stream);
}

void lae_vit_branch(const struct lae_vit *vit, const struct lae_pet *pet, const float *theta,
                    struct lae_vit_workspace *memory, const struct lae_random *dropout, bool keep,
                    float *feature)
{
    struct pass pass = {.vit = vit,
                        .pet = pet,
                        .theta = theta,
                        .memory = memory,
                        .dropout = dropout,
                        .keep = keep && memory->gradient};
    size_t d = vit->dims.width;
    memcpy(memory->x, memory->trunk, vit->dims.tokens * d * sizeof *memory->x);
    for (size_t block = (size_t)pet->first_block; block < vit->dims.depth; block++)
        block_forward(&pass, block);
    turn(&pass, LAE_WORK_NORM);
    vit->kernels->layer_norm(feature, memory->normal, memory->rstd, memory->x, vit->norm_weight,
                             vit->norm_bias, 1, d, vit->dims.eps);
}

void lae_vit_backward(const struct lae_vit *vit, const struct lae_pet *pet, const float *theta,
                      struct lae_vit_workspace *memory, const struct lae_random *dropout,
                      const float *feature_gradient, float *gradient)
{
    struct pass pass = {
        .vit = vit, .pet = pet, .theta = theta, .memory = memory, .dropout = dropout, .keep = true};
    size_t d = vit->dims.width;
    turn(&pass, LAE_WORK_NORM);
    memset(memory->x, 0, d * sizeof *memory->x);
    vit->kernels->layer_norm_backward(memory->x, feature_gradient, memory->normal, memory->rstd,
                                      vit->norm_weight, 1, d);
    for (size_t block = vit->dims.depth; block > (size_t)pet->first_block; block--)
        block_backward(&pass, block - 1, gradient);
}
