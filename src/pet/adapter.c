/* scale * up(gelu(down(h))), row by row (Houlsby et al., ICML 2019, placed in parallel). */
#include "bottleneck.h"

#include <math.h>

#define DEFAULT_HIDDEN 5

lae_status lae_adapter_prepare(struct lae_pet_site_options *options,
                               const struct lae_pet_dims *dims, const char *site)
{
    (void)dims;
    if (options->hidden == 0) options->hidden = DEFAULT_HIDDEN;
    return lae_pet_check_size(site, "hidden", options->hidden);
}

lae_status lae_adapter_declare(const struct lae_pet_module *module, struct lae_table *table)
{
    return lae_bottleneck_declare(module, table);
}

void lae_adapter_init(const struct lae_pet_module *module, const struct lae_table *table,
                      unsigned long long seed, float *theta)
{
    double bound = 1.0 / sqrt((double)module->dims.width);
    lae_bottleneck_init(module, table, seed, bound, theta);
}

/* Values of the hidden channels at all tokens. */
static size_t values_of(const struct lae_pet_module *module)
{
    return lae_pet_tokens(module) * (size_t)module->options.hidden;
}

/* Saved: z = down(h) and a = gelu(z), each [N, h]. */
size_t lae_adapter_saved(const struct lae_pet_module *module)
{
    return 2 * values_of(module);
}

size_t lae_adapter_scratch(const struct lae_pet_module *module)
{
    return values_of(module);
}

void lae_adapter_forward(const struct lae_pet_module *module, const float *theta,
                         const struct lae_pet_io *io)
{
    float *z = io->saved, *a = io->saved + values_of(module);
    lae_bottleneck_down(module, theta, io, z);
    io->kernels->gelu(a, z, io->rows * (size_t)module->options.hidden);
    lae_bottleneck_up(module, theta, io, a);
}

void lae_adapter_backward(const struct lae_pet_module *module, const float *theta,
                          const struct lae_pet_io *io, float *gradient, float *dh)
{
    const float *z = io->saved, *a = io->saved + values_of(module);
    float *d = io->scratch; /* of a, then of z */
    lae_bottleneck_up_backward(module, theta, io, a, d, gradient);
    io->kernels->gelu_backward(d, d, z, io->rows * (size_t)module->options.hidden);
    lae_bottleneck_down_backward(module, theta, io, d, dh, gradient);
}
