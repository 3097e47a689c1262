/* The bottleneck of adapter and conv_adapter: down to h channels, something, up again, times scale.
 * What lies between is the module's own. */
#ifndef LAE_PET_BOTTLENECK_H
#define LAE_PET_BOTTLENECK_H

#include "module.h"

/* Where the bottleneck's tensors begin in a module's parameters, and in their gradient:
 * down.weight [h, D], down.bias [h], up.weight [D, h], up.bias [D], scale; `end` floats in all. */
struct lae_bottleneck {
    size_t down, down_bias, up, up_bias, scale, end;
};

enum { LAE_DOWN_WEIGHT, LAE_DOWN_BIAS, LAE_UP_WEIGHT, LAE_UP_BIAS, LAE_SCALE, LAE_BOTTLENECK_END };

struct lae_bottleneck lae_bottleneck_layout(const struct lae_pet_module *module);

lae_status lae_bottleneck_declare(const struct lae_pet_module *module,
                                  struct lae_table *table) LAE_MUST_CHECK;

/* down.weight uniform in +-bound, scale 1, the rest 0. */
void lae_bottleneck_init(const struct lae_pet_module *module, const struct lae_table *table,
                         unsigned long long seed, double bound, float *theta);

/* z[rows, h] = down(io->h) */
void lae_bottleneck_down(const struct lae_pet_module *module, const float *theta,
                         const struct lae_pet_io *io, float *z);

/* io->out[rows, D] += scale * up(a[rows, h]) */
void lae_bottleneck_up(const struct lae_pet_module *module, const float *theta,
                       const struct lae_pet_io *io, const float *a);

/* The gradient io->out back through up and scale: da[rows, h], and the gradients of up.weight,
 * up.bias and scale. */
void lae_bottleneck_up_backward(const struct lae_pet_module *module, const float *theta,
                                const struct lae_pet_io *io, const float *a, float *da,
                                float *gradient);

/* dz[rows, h] back through down: adds to dh[rows, D] unless NULL, and writes the gradients of
 * down.weight and down.bias. */
void lae_bottleneck_down_backward(const struct lae_pet_module *module, const float *theta,
                                  const struct lae_pet_io *io, const float *dz, float *dh,
                                  float *gradient);

/* Of down and up over `rows` rows. */
double lae_bottleneck_flops(const struct lae_pet_module *module, size_t rows);
double lae_bottleneck_input_flops(const struct lae_pet_module *module, size_t rows);

#endif
