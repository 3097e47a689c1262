/*     h1 = LN1(x);  x += proj(attention(qkv(h1))) + pet_attn(h1)
 *     h2 = LN2(x);  x += fc2(gelu(fc1(h2)))       + pet_mlp(h2)
 *
 * The last block computes R = 1 row after its keys and values: only the class token is read.
 */
#include "block.h"

#include "attention.h"
#include "lae/nn/linear.h"

#include <string.h>

/* What both directions need of a block. */
struct scene {
    const struct lae_vit_dims *dims;
    const struct lae_kernels *kernels;
    const struct lae_vit_block *weights;
    struct slot *slot;
    const struct lae_pet_module *attn, *mlp; /* NULL: no module at the site */
    size_t rows;                             /* R */
    size_t inserted;                         /* L */
    bool keep;
};

static struct scene scene_of(const struct pass *pass, size_t block)
{
    const struct lae_pet_module *attn = lae_pet_at(pass->pet, (int)block, LAE_SITE_ATTN);
    bool inserts = attn != NULL && attn->type->inserted != NULL;
    return (struct scene){
        .dims = &pass->vit->dims,
        .kernels = pass->vit->kernels,
        .weights = &pass->vit->blocks[block],
        .slot = slot_of(pass->memory, pass->pet, block),
        .attn = attn,
        .mlp = lae_pet_at(pass->pet, (int)block, LAE_SITE_MLP),
        .rows = rows_of(pass->vit, block),
        .inserted = inserts ? attn->type->inserted(attn) : 0,
        .keep = pass->keep,
    };
}

static struct attention attention_of(const struct scene *s)
{
    return (struct attention){
        .kernels = s->kernels,
        .width = s->dims->width,
        .heads = s->dims->heads,
        .head_dim = s->dims->head_dim,
        .queries = s->rows,
        .inserted = s->inserted,
        .tokens = s->dims->tokens,
    };
}

/* The view a module gets. `qkv` [L + N, 3D] holds keys and values, or their gradients. */
static struct lae_pet_view view_of(const struct pass *pass, const struct scene *s,
                                   enum lae_site site, const float *h, float *out, float *qkv)
{
    size_t d = s->dims->width;
    return (struct lae_pet_view){
        .kernels = s->kernels,
        .h = h,
        .rows = s->rows,
        .tokens = s->dims->tokens,
        .out = out,
        .key = qkv == NULL ? NULL : qkv + d,
        .value = qkv == NULL ? NULL : qkv + 2 * d,
        .kv_stride = 3 * d,
        .saved = s->slot->pet_saved[site],
        .scratch = pass->memory->pet_scratch,
        .dropout = pass->dropout,
    };
}

static void run_module(const struct pass *pass, const struct lae_pet_module *module,
                       const struct lae_pet_view *view)
{
    module->type->forward(module, pass->theta + module->offset, view);
}

/* y[rows, out] += x[rows, in] w^T + b */
static void linear_into(const struct scene *s, float *y, const float *x, const float *w,
                        const float *b, size_t in, size_t out)
{
    for (size_t row = 0; row < s->rows; row++)
        s->kernels->add(y + row * out, b, out);
    lae_gemm(false, true, s->rows, out, in, 1.0F, x, in, w, in, 1.0F, y, out);
}

/* Queries of the rows that are wanted, keys and values of all tokens. */
static void project_qkv(const struct scene *s)
{
    size_t n = s->dims->tokens, d = s->dims->width, step = 3 * d;
    const float *w = s->weights->qkv_weight, *b = s->weights->qkv_bias;
    float *rows = s->slot->qkv + s->inserted * step;
    if (s->rows == n) {
        lae_linear(rows, step, s->slot->h1, w, b, n, d, step);
        return;
    }
    lae_linear(rows, step, s->slot->h1, w, b, s->rows, d, d);
    lae_linear(rows + d, step, s->slot->h1, w + d * d, b + d, n, d, 2 * d);
}

static void attention_site(const struct pass *pass, const struct scene *s)
{
    struct lae_vit_workspace *m = pass->memory;
    struct slot *slot = s->slot;
    size_t n = s->dims->tokens, d = s->dims->width;
    s->kernels->layer_norm(slot->h1, s->keep ? slot->normal1 : NULL, s->keep ? slot->rstd1 : NULL,
                           m->x, s->weights->norm1_weight, s->weights->norm1_bias, n, d,
                           s->dims->eps);
    project_qkv(s);
    struct lae_pet_view view = view_of(pass, s, LAE_SITE_ATTN, slot->h1, m->x, slot->qkv);
    if (s->attn != NULL) run_module(pass, s->attn, &view);
    struct attention shape = attention_of(s);
    attention_forward(&shape, slot->qkv, slot->weights, slot->inserted_sum, m->attended);
    linear_into(s, m->x, m->attended, s->weights->proj_weight, s->weights->proj_bias, d, d);
}

static void mlp_site(const struct pass *pass, const struct scene *s)
{
    struct lae_vit_workspace *m = pass->memory;
    struct slot *slot = s->slot;
    size_t d = s->dims->width, hidden = s->dims->hidden;
    s->kernels->layer_norm(slot->h2, s->keep ? slot->normal2 : NULL, s->keep ? slot->rstd2 : NULL,
                           m->x, s->weights->norm2_weight, s->weights->norm2_bias, s->rows, d,
                           s->dims->eps);
    struct lae_pet_view view = view_of(pass, s, LAE_SITE_MLP, slot->h2, m->x, NULL);
    if (s->mlp != NULL) run_module(pass, s->mlp, &view);
    lae_linear(slot->hidden, hidden, slot->h2, s->weights->fc1_weight, s->weights->fc1_bias,
               s->rows, d, hidden);
    s->kernels->gelu(m->activated, slot->hidden, s->rows * hidden);
    linear_into(s, m->x, m->activated, s->weights->fc2_weight, s->weights->fc2_bias, hidden, d);
}

void block_forward(const struct pass *pass, size_t block)
{
    struct scene s = scene_of(pass, block);
    attention_site(pass, &s);
    mlp_site(pass, &s);
}

static void run_module_backward(const struct pass *pass, const struct lae_pet_module *module,
                                const struct lae_pet_view *view, float *gradient, float *dh)
{
    module->type->backward(module, pass->theta + module->offset, view, gradient + module->offset,
                           dh);
}

/* Gradient of the MLP's input, added to dh [R, D]. */
static void mlp_backward(const struct pass *pass, const struct scene *s, float *dh)
{
    struct lae_vit_workspace *m = pass->memory;
    size_t d = s->dims->width, hidden = s->dims->hidden;
    float *d_hidden = m->activated;
    lae_linear_backward_input(d_hidden, m->x, d, s->weights->fc2_weight, s->rows, hidden, d, 0.0F);
    s->kernels->gelu_backward(d_hidden, d_hidden, s->slot->hidden, s->rows * hidden);
    lae_linear_backward_input(dh, d_hidden, hidden, s->weights->fc1_weight, s->rows, d, hidden,
                              1.0F);
}

/* `below`: the gradient of the site's input is wanted too. */
static void mlp_site_backward(const struct pass *pass, const struct scene *s, bool below,
                              float *gradient)
{
    struct lae_vit_workspace *m = pass->memory;
    size_t d = s->dims->width;
    memset(m->dh, 0, s->rows * d * sizeof *m->dh);
    struct lae_pet_view view = view_of(pass, s, LAE_SITE_MLP, s->slot->h2, m->x, NULL);
    if (s->mlp != NULL) run_module_backward(pass, s->mlp, &view, gradient, below ? m->dh : NULL);
    if (!below) return;
    mlp_backward(pass, s, m->dh);
    s->kernels->layer_norm_backward(m->x, m->dh, s->slot->normal2, s->slot->rstd2,
                                    s->weights->norm2_weight, s->rows, d);
}

/* Gradient of all N rows of h1 from that of queries, keys and values, added to dh [N, D]. */
static void qkv_backward(const struct pass *pass, const struct scene *s, float *dh)
{
    size_t n = s->dims->tokens, d = s->dims->width, step = 3 * d;
    const float *d_rows = pass->memory->d_qkv + s->inserted * step;
    const float *w = s->weights->qkv_weight;
    if (s->rows == n) {
        lae_linear_backward_input(dh, d_rows, step, w, n, d, step, 1.0F);
        return;
    }
    lae_linear_backward_input(dh, d_rows, step, w, s->rows, d, d, 1.0F);
    lae_linear_backward_input(dh, d_rows + d, step, w + d * d, n, d, 2 * d, 1.0F);
}

static void attention_site_backward(const struct pass *pass, const struct scene *s, bool below,
                                    float *gradient)
{
    struct lae_vit_workspace *m = pass->memory;
    size_t n = s->dims->tokens, d = s->dims->width;
    bool through_attention = below || (s->attn != NULL && s->attn->type->changes_attention);
    if (through_attention) {
        struct attention shape = attention_of(s);
        lae_linear_backward_input(m->attended, m->x, d, s->weights->proj_weight, s->rows, d, d,
                                  0.0F);
        attention_backward(&shape, s->slot->qkv, s->slot->weights, s->slot->inserted_sum,
                           m->attended, below, m->d_qkv, m->scores);
    }
    memset(m->dh, 0, n * d * sizeof *m->dh);
    struct lae_pet_view view = view_of(pass, s, LAE_SITE_ATTN, s->slot->h1, m->x, m->d_qkv);
    if (s->attn != NULL) run_module_backward(pass, s->attn, &view, gradient, below ? m->dh : NULL);
    if (!below) return;
    qkv_backward(pass, s, m->dh);
    memset(m->x + s->rows * d, 0, (n - s->rows) * d * sizeof *m->x);
    s->kernels->layer_norm_backward(m->x, m->dh, s->slot->normal1, s->slot->rstd1,
                                    s->weights->norm1_weight, n, d);
}

void block_backward(const struct pass *pass, size_t block, float *gradient)
{
    struct scene s = scene_of(pass, block);
    bool first = block == (size_t)pass->pet->first_block;
    mlp_site_backward(pass, &s, !first || s.attn != NULL, gradient);
    if (!first || s.attn != NULL) attention_site_backward(pass, &s, !first, gradient);
}
