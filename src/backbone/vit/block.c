/*     h1 = LN1(x);  x += proj(attention(qkv(h1))) + pet_attn(h1)
 *     h2 = LN2(x);  x += fc2(gelu(fc1(h2)))       + pet_mlp(h2)
 *
 * The last block computes R = 1 row after its keys and values: only the class token is read.
 */
#include "block.h"

#include "attention.h"

#include <string.h>

/* What both directions need of a block. */
struct scene {
    const struct lae_vit_dims *dims;
    struct lae_vit_workspace *memory;
    const struct lae_kernels *kernels;
    const struct lae_vit_block *weights;
    struct lae_vit_slot *slot;
    const struct lae_pet_module *attn, *mlp; /* NULL: no module at the site */
    size_t rows;                             /* R */
    size_t inserted;                         /* L */
    bool keep;
};

static struct scene scene_of(const struct lae_pass *pass, size_t block)
{
    const struct lae_vit *vit = lae_vit_of(pass->backbone);
    const struct lae_pet *pet = pass->backbone->pet;
    struct lae_vit_workspace *memory = lae_vit_memory(pass->memory);
    return (struct scene){
        .dims = &vit->dims,
        .memory = memory,
        .kernels = pass->backbone->kernels,
        .weights = &vit->blocks[block],
        .slot = lae_vit_slot(memory, pet, block),
        .attn = lae_pet_at(pet, (int)block, LAE_SITE_ATTN),
        .mlp = lae_pet_at(pet, (int)block, LAE_SITE_MLP),
        .rows = lae_vit_rows(vit, block),
        .inserted = lae_pet_inserted(pet, (int)block),
        .keep = pass->keep,
    };
}

static struct lae_vit_attention attention_of(const struct lae_pass *pass, const struct scene *s)
{
    return (struct lae_vit_attention){
        .kernels = s->kernels,
        .shape = lae_vit_attention_shape(s->dims, s->rows, s->inserted),
        .products = &s->weights->head,
        .runner = pass->memory->runner,
    };
}

/* The io a module gets. `qkv` [L + N, 3D] holds keys and values, or their gradients. */
static struct lae_pet_io view_of(const struct lae_pass *pass, const struct scene *s,
                                 enum lae_site site, const float *h, float *out, float *qkv)
{
    size_t d = s->dims->width;
    return (struct lae_pet_io){
        .kernels = s->kernels,
        .h = h,
        .rows = s->rows,
        .tokens = s->dims->tokens,
        .out = out,
        .key = qkv == NULL ? NULL : qkv + d,
        .value = qkv == NULL ? NULL : qkv + 2 * d,
        .kv_stride = 3 * d,
        .saved = s->slot->pet_saved[site],
        .scratch = s->memory->pet_scratch,
        .dropout = pass->dropout,
    };
}

static void run_module(const struct lae_pass *pass, const struct lae_pet_module *module,
                       const struct lae_pet_io *io)
{
    lae_pass_turn(pass, LAE_WORK_MODULES);
    module->type->forward(module, pass->theta + module->offset, io);
}

/* Queries of the rows that are wanted, keys and values of all tokens. */
static void project_qkv(const struct lae_pass *pass, const struct scene *s)
{
    float *rows = s->slot->qkv + s->inserted * 3 * s->dims->width;
    if (s->rows == s->dims->tokens) {
        lae_frozen_forward(pass, &s->weights->qkv, s->slot->h1, rows);
        return;
    }
    lae_frozen_forward(pass, &s->weights->query, s->slot->h1, rows);
    lae_frozen_forward(pass, &s->weights->key_value, s->slot->h1, rows + s->dims->width);
}

static void attention_site(const struct lae_pass *pass, const struct scene *s)
{
    struct lae_vit_workspace *m = s->memory;
    struct lae_vit_slot *slot = s->slot;
    size_t n = s->dims->tokens, d = s->dims->width;
    lae_pass_turn(pass, LAE_WORK_NORM);
    s->kernels->layer_norm(slot->h1, s->keep ? slot->normal1 : NULL, s->keep ? slot->rstd1 : NULL,
                           m->x, s->weights->norm1_weight, s->weights->norm1_bias, n, d,
                           s->dims->eps);
    project_qkv(pass, s);
    struct lae_pet_io io = view_of(pass, s, LAE_SITE_ATTN, slot->h1, m->x, slot->qkv);
    if (s->attn != NULL) run_module(pass, s->attn, &io);
    struct lae_vit_attention attention = attention_of(pass, s);
    lae_pass_turn(pass, LAE_WORK_ATTENTION);
    lae_vit_attention_forward(&attention, slot->qkv, slot->weights, slot->inserted_sum,
                              m->attended);
    lae_frozen_forward(pass, &s->weights->proj, m->attended, m->x);
}

static void mlp_site(const struct lae_pass *pass, const struct scene *s)
{
    struct lae_vit_workspace *m = s->memory;
    struct lae_vit_slot *slot = s->slot;
    size_t d = s->dims->width;
    lae_pass_turn(pass, LAE_WORK_NORM);
    s->kernels->layer_norm(slot->h2, s->keep ? slot->normal2 : NULL, s->keep ? slot->rstd2 : NULL,
                           m->x, s->weights->norm2_weight, s->weights->norm2_bias, s->rows, d,
                           s->dims->eps);
    struct lae_pet_io io = view_of(pass, s, LAE_SITE_MLP, slot->h2, m->x, NULL);
    if (s->mlp != NULL) run_module(pass, s->mlp, &io);
    lae_frozen_forward(pass, &s->weights->fc1, slot->h2, slot->hidden);
    lae_pass_turn(pass, LAE_WORK_ACTIVATION);
    s->kernels->gelu(m->activated, slot->hidden, s->rows * s->dims->hidden);
    lae_frozen_forward(pass, &s->weights->fc2, m->activated, m->x);
}

void lae_vit_block_forward(const struct lae_pass *pass, size_t block)
{
    struct scene s = scene_of(pass, block);
    attention_site(pass, &s);
    mlp_site(pass, &s);
}

static void run_module_backward(const struct lae_pass *pass, const struct lae_pet_module *module,
                                const struct lae_pet_io *io, float *gradient, float *dh)
{
    lae_pass_turn(pass, LAE_WORK_MODULES);
    module->type->backward(module, pass->theta + module->offset, io, gradient + module->offset, dh);
}

/* Gradient of the MLP's input, added to dh [R, D]. */
static void mlp_backward(const struct lae_pass *pass, const struct scene *s, float *dh)
{
    struct lae_vit_workspace *m = s->memory;
    float *d_hidden = m->activated;
    lae_frozen_back(pass, &s->weights->fc2, m->x, d_hidden);
    lae_pass_turn(pass, LAE_WORK_ACTIVATION);
    s->kernels->gelu_backward(d_hidden, d_hidden, s->slot->hidden, s->rows * s->dims->hidden);
    lae_frozen_back(pass, &s->weights->fc1, d_hidden, dh);
}

/* `below`: the gradient of the site's input is wanted too. */
static void mlp_site_backward(const struct lae_pass *pass, const struct scene *s, bool below,
                              float *gradient)
{
    struct lae_vit_workspace *m = s->memory;
    size_t d = s->dims->width;
    memset(m->dh, 0, s->rows * d * sizeof *m->dh);
    struct lae_pet_io io = view_of(pass, s, LAE_SITE_MLP, s->slot->h2, m->x, NULL);
    if (s->mlp != NULL) run_module_backward(pass, s->mlp, &io, gradient, below ? m->dh : NULL);
    if (!below) return;
    mlp_backward(pass, s, m->dh);
    lae_pass_turn(pass, LAE_WORK_NORM);
    s->kernels->layer_norm_backward(m->x, m->dh, s->slot->normal2, s->slot->rstd2,
                                    s->weights->norm2_weight, s->rows, d);
}

/* Gradient of all N rows of h1 from that of queries, keys and values, added to dh [N, D]. */
static void qkv_backward(const struct lae_pass *pass, const struct scene *s, float *dh)
{
    size_t d = s->dims->width;
    const float *d_rows = s->memory->d_qkv + s->inserted * 3 * d;
    if (s->rows == s->dims->tokens) {
        lae_frozen_back(pass, &s->weights->qkv, d_rows, dh);
        return;
    }
    lae_frozen_back(pass, &s->weights->query, d_rows, dh);
    lae_frozen_back(pass, &s->weights->key_value, d_rows + d, dh);
}

static void attention_site_backward(const struct lae_pass *pass, const struct scene *s, bool below,
                                    float *gradient)
{
    struct lae_vit_workspace *m = s->memory;
    size_t n = s->dims->tokens, d = s->dims->width;
    bool through_attention = below || (s->attn != NULL && s->attn->type->changes_attention);
    if (through_attention) {
        struct lae_vit_attention attention = attention_of(pass, s);
        lae_frozen_back(pass, &s->weights->proj, m->x, m->attended);
        lae_pass_turn(pass, LAE_WORK_ATTENTION);
        lae_vit_attention_backward(&attention, s->slot->qkv, s->slot->weights,
                                   s->slot->inserted_sum, m->attended, below, m->d_qkv, m->scores);
    }
    memset(m->dh, 0, n * d * sizeof *m->dh);
    struct lae_pet_io io = view_of(pass, s, LAE_SITE_ATTN, s->slot->h1, m->x, m->d_qkv);
    if (s->attn != NULL) run_module_backward(pass, s->attn, &io, gradient, below ? m->dh : NULL);
    if (!below) return;
    qkv_backward(pass, s, m->dh);
    memset(m->x + s->rows * d, 0, (n - s->rows) * d * sizeof *m->x);
    lae_pass_turn(pass, LAE_WORK_NORM);
    s->kernels->layer_norm_backward(m->x, m->dh, s->slot->normal1, s->slot->rstd1,
                                    s->weights->norm1_weight, n, d);
}

void lae_vit_block_backward(const struct lae_pass *pass, size_t block, float *gradient)
{
    struct scene s = scene_of(pass, block);
    bool first = block == (size_t)pass->backbone->pet->first_block;
    mlp_site_backward(pass, &s, !first || s.attn != NULL, gradient);
    if (!first || s.attn != NULL) attention_site_backward(pass, &s, !first, gradient);
}
