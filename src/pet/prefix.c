/* L learned rows in front of the keys and values (Li & Liang, ACL 2021). This file writes the rows
 * and takes their gradients; that each query's attention over them is normalised by itself is the
 * attention's business, which asks `inserted` how many they are.
 *
 *     parameters   | key.tokens [L, D] | key.scale | value.tokens [L, D] | value.scale |
 */
#include "module.h"

#include <string.h>

#define SIDES 2 /* key, value */

enum { TOKENS, SCALE, SIDE_END };

static size_t length_of(const struct lae_pet_module *module)
{
    return (size_t)module->options.length;
}

/* Parameters of one side. */
static size_t side_size(const struct lae_pet_module *module)
{
    return length_of(module) * module->dims.width + 1;
}

lae_status lae_prefix_prepare(struct lae_pet_site_options *options, const struct lae_pet_dims *dims,
                              const char *site)
{
    (void)dims;
    return lae_pet_check_size(site, "length", options->length);
}

lae_status lae_prefix_declare(const struct lae_pet_module *module, struct lae_table *table)
{
    static const char *const names[SIDES][SIDE_END] = {{"key/tokens", "key/scale"},
                                                       {"value/tokens", "value/scale"}};
    size_t shape[2] = {length_of(module), module->dims.width};
    for (int side = 0; side < SIDES; side++) {
        LAE_TRY(lae_pet_declare(module, table, names[side][TOKENS], 2, shape));
        LAE_TRY(lae_pet_declare(module, table, names[side][SCALE], 0, NULL));
    }
    return NULL;
}

void lae_prefix_init(const struct lae_pet_module *module, const struct lae_table *table,
                     unsigned long long seed, float *theta)
{
    for (size_t first = 0; first < SIDES * SIDE_END; first += SIDE_END) {
        lae_pet_fill_uniform(module, table, first + TOKENS, seed, 0.0, 0.01, theta);
        lae_pet_fill(module, table, first + SCALE, 1.0F, theta);
    }
}

size_t lae_prefix_inserted(const struct lae_pet_module *module)
{
    return length_of(module);
}

size_t lae_prefix_saved(const struct lae_pet_module *module)
{
    (void)module;
    return 0;
}

size_t lae_prefix_scratch(const struct lae_pet_module *module)
{
    (void)module;
    return 0;
}

static void forward_side(const struct lae_pet_module *module, const float *theta,
                         const struct lae_pet_io *io, float *target)
{
    size_t width = module->dims.width, length = length_of(module);
    float scale = theta[length * width];
    for (size_t i = 0; i < length; i++) {
        float *row = target + i * io->kv_stride;
        memcpy(row, theta + i * width, width * sizeof *row);
        io->kernels->scale(row, scale, width);
    }
}

void lae_prefix_forward(const struct lae_pet_module *module, const float *theta,
                        const struct lae_pet_io *io)
{
    forward_side(module, theta, io, io->key);
    forward_side(module, theta + side_size(module), io, io->value);
}

/* d [L, D] is the gradient of the side's inserted rows; tokens get scale * d, scale gets <d,
 * tokens>. */
static void backward_side(const struct lae_pet_module *module, const float *theta,
                          const struct lae_pet_io *io, const float *d, float *gradient)
{
    size_t width = module->dims.width, length = length_of(module);
    float scale = theta[length * width];
    for (size_t i = 0; i < length; i++)
        memcpy(gradient + i * width, d + i * io->kv_stride, width * sizeof *d);
    gradient[length * width] = io->kernels->dot(gradient, theta, length * width);
    io->kernels->scale(gradient, scale, length * width);
}

void lae_prefix_backward(const struct lae_pet_module *module, const float *theta,
                         const struct lae_pet_io *io, float *gradient, float *dh)
{
    (void)dh; /* the rows do not depend on the site's input */
    size_t side = side_size(module);
    backward_side(module, theta, io, io->key, gradient);
    backward_side(module, theta + side, io, io->value, gradient + side);
}
