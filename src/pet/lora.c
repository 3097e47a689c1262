/* key += scale * B(A h), value likewise, over all tokens' rows (Hu et al., ICLR 2022).
 *
 *     parameters   | key.A [r, D] | key.B [D, r] | key.scale | value.A | value.B | value.scale |
 */
#include "module.h"

#include "lae/nn/linear.h"

#include <math.h>

#define SIDES 2 /* key, value */

enum { A, B, SCALE, SIDE_END };

static size_t rank_of(const struct lae_pet_module *module)
{
    return (size_t)module->options.rank;
}

/* Parameters of one side. */
static size_t side_size(const struct lae_pet_module *module)
{
    return 2 * rank_of(module) * module->dims.width + 1;
}

lae_status lae_lora_prepare(struct lae_pet_site_options *options, const struct lae_pet_dims *dims,
                            const char *site)
{
    (void)dims;
    return lae_pet_check_size(site, "rank", options->rank);
}

lae_status lae_lora_declare(const struct lae_pet_module *module, struct lae_table *table)
{
    static const char *const names[SIDES][SIDE_END] = {{"key/A", "key/B", "key/scale"},
                                                       {"value/A", "value/B", "value/scale"}};
    size_t width = module->dims.width, rank = rank_of(module);
    for (int side = 0; side < SIDES; side++) {
        const char *const *name = names[side];
        LAE_TRY(lae_pet_declare(module, table, name[A], 2, (size_t[]){rank, width}));
        LAE_TRY(lae_pet_declare(module, table, name[B], 2, (size_t[]){width, rank}));
        LAE_TRY(lae_pet_declare(module, table, name[SCALE], 0, NULL));
    }
    return NULL;
}

void lae_lora_init(const struct lae_pet_module *module, const struct lae_table *table,
                   unsigned long long seed, float *theta)
{
    double bound = 1.0 / sqrt((double)module->dims.width);
    for (size_t first = 0; first < SIDES * SIDE_END; first += SIDE_END) {
        lae_pet_fill_uniform(module, table, first + A, seed, -bound, bound, theta);
        lae_pet_fill(module, table, first + B, 0.0F, theta);
        lae_pet_fill(module, table, first + SCALE, 1.0F, theta);
    }
}

/* Saved: A h of key and of value, each [N, r]. */
size_t lae_lora_saved(const struct lae_pet_module *module)
{
    return SIDES * lae_pet_tokens(module) * rank_of(module);
}

size_t lae_lora_scratch(const struct lae_pet_module *module)
{
    return lae_pet_tokens(module) * rank_of(module);
}

static void forward_side(const struct lae_pet_module *module, const float *theta,
                         const struct lae_pet_io *io, float *low, float *target)
{
    size_t width = module->dims.width, rank = rank_of(module);
    const float *a = theta, *b = a + rank * width, *scale = b + width * rank;
    lae_linear(low, rank, io->h, a, NULL, io->tokens, width, rank);
    lae_gemm(false, true, io->tokens, width, rank, *scale, low, rank, b, rank, 1.0F, target,
             io->kv_stride);
}

void lae_lora_forward(const struct lae_pet_module *module, const float *theta,
                      const struct lae_pet_io *io)
{
    float *low = io->saved;
    forward_side(module, theta, io, low, io->key);
    forward_side(module, theta + side_size(module), io, low + io->tokens * rank_of(module),
                 io->value);
}

/* d [N, D] is the gradient of the side's rows. With G = d^T (A h), the gradient of B is scale * G
 * and that of scale is <G, B>. */
static void backward_side(const struct lae_pet_module *module, const float *theta,
                          const struct lae_pet_io *io, const float *low, const float *d,
                          float *gradient, float *dh)
{
    size_t width = module->dims.width, rank = rank_of(module);
    const float *a = theta, *b = a + rank * width, *scale = b + width * rank;
    float *da = gradient, *db = da + rank * width, *dscale = db + width * rank;
    float *dlow = io->scratch;
    lae_linear_backward_params(db, NULL, d, io->kv_stride, low, io->tokens, rank, width);
    *dscale = io->kernels->dot(db, b, width * rank);
    io->kernels->scale(db, *scale, width * rank);
    lae_gemm(false, false, io->tokens, rank, width, *scale, d, io->kv_stride, b, rank, 0.0F, dlow,
             rank);
    lae_linear_backward_params(da, NULL, dlow, rank, io->h, io->tokens, width, rank);
    if (dh == NULL) return;
    lae_linear_backward_input(dh, dlow, rank, a, io->tokens, width, rank, 1.0F);
}

void lae_lora_backward(const struct lae_pet_module *module, const float *theta,
                       const struct lae_pet_io *io, float *gradient, float *dh)
{
    size_t side = side_size(module);
    const float *low = io->saved;
    backward_side(module, theta, io, low, io->key, gradient, dh);
    backward_side(module, theta + side, io, low + io->tokens * rank_of(module), io->value,
                  gradient + side, dh);
}

double lae_lora_flops(const struct lae_pet_module *module, size_t rows)
{
    (void)rows; /* keys and values of all tokens are changed, whatever rows are wanted */
    return SIDES * 4.0 * (double)lae_pet_tokens(module) * (double)module->dims.width *
           (double)rank_of(module);
}

double lae_lora_input_flops(const struct lae_pet_module *module, size_t rows)
{
    return 0.5 * lae_lora_flops(module, rows);
}
