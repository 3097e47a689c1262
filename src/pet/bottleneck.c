#include "bottleneck.h"

#include "lae/nn/linear.h"

static size_t width_of(const struct lae_pet_module *module)
{
    return module->dims.width;
}

static size_t hidden_of(const struct lae_pet_module *module)
{
    return (size_t)module->options.hidden;
}

struct lae_bottleneck lae_bottleneck_layout(const struct lae_pet_module *module)
{
    size_t width = width_of(module), hidden = hidden_of(module);
    struct lae_bottleneck at = {.down = 0};
    at.down_bias = at.down + hidden * width;
    at.up = at.down_bias + hidden;
    at.up_bias = at.up + width * hidden;
    at.scale = at.up_bias + width;
    at.end = at.scale + 1;
    return at;
}

lae_status lae_bottleneck_declare(const struct lae_pet_module *module, struct lae_table *table)
{
    size_t width = width_of(module), hidden = hidden_of(module);
    LAE_TRY(lae_pet_declare(module, table, "down/weight", 2, (size_t[]){hidden, width}));
    LAE_TRY(lae_pet_declare(module, table, "down/bias", 1, &hidden));
    LAE_TRY(lae_pet_declare(module, table, "up/weight", 2, (size_t[]){width, hidden}));
    LAE_TRY(lae_pet_declare(module, table, "up/bias", 1, &width));
    return lae_pet_declare(module, table, "scale", 0, NULL);
}

void lae_bottleneck_init(const struct lae_pet_module *module, const struct lae_table *table,
                         unsigned long long seed, double bound, float *theta)
{
    lae_pet_fill_uniform(module, table, LAE_DOWN_WEIGHT, seed, -bound, bound, theta);
    lae_pet_fill(module, table, LAE_DOWN_BIAS, 0.0F, theta);
    lae_pet_fill(module, table, LAE_UP_WEIGHT, 0.0F, theta);
    lae_pet_fill(module, table, LAE_UP_BIAS, 0.0F, theta);
    lae_pet_fill(module, table, LAE_SCALE, 1.0F, theta);
}

void lae_bottleneck_down(const struct lae_pet_module *module, const float *theta,
                         const struct lae_pet_io *io, float *z)
{
    struct lae_bottleneck at = lae_bottleneck_layout(module);
    size_t hidden = hidden_of(module);
    lae_linear(z, hidden, io->h, theta + at.down, theta + at.down_bias, io->rows, width_of(module),
               hidden);
}

void lae_bottleneck_up(const struct lae_pet_module *module, const float *theta,
                       const struct lae_pet_io *io, const float *a)
{
    struct lae_bottleneck at = lae_bottleneck_layout(module);
    size_t width = width_of(module), hidden = hidden_of(module);
    float scale = theta[at.scale];
    lae_gemm(false, true, io->rows, width, hidden, scale, a, hidden, theta + at.up, hidden, 1.0F,
             io->out, width);
    for (size_t i = 0; i < io->rows; i++)
        io->kernels->add_scaled(io->out + i * width, scale, theta + at.up_bias, width);
}

/* With G = dout^T a and g = column sums of dout, the gradients of up.weight and up.bias are
 * scale * G and scale * g, and that of scale is <G, up.weight> + <g, up.bias>. */
void lae_bottleneck_up_backward(const struct lae_pet_module *module, const float *theta,
                                const struct lae_pet_io *io, const float *a, float *da,
                                float *gradient)
{
    const struct lae_kernels *kernels = io->kernels;
    struct lae_bottleneck at = lae_bottleneck_layout(module);
    size_t width = width_of(module), hidden = hidden_of(module);
    float scale = theta[at.scale];
    lae_linear_backward_params(gradient + at.up, gradient + at.up_bias, io->out, width, a, io->rows,
                               hidden, width);
    gradient[at.scale] = kernels->dot(gradient + at.up, theta + at.up, width * hidden) +
                         kernels->dot(gradient + at.up_bias, theta + at.up_bias, width);
    kernels->scale(gradient + at.up, scale, width * hidden);
    kernels->scale(gradient + at.up_bias, scale, width);
    lae_gemm(false, false, io->rows, hidden, width, scale, io->out, width, theta + at.up, hidden,
             0.0F, da, hidden);
}

void lae_bottleneck_down_backward(const struct lae_pet_module *module, const float *theta,
                                  const struct lae_pet_io *io, const float *dz, float *dh,
                                  float *gradient)
{
    struct lae_bottleneck at = lae_bottleneck_layout(module);
    size_t width = width_of(module), hidden = hidden_of(module);
    lae_linear_backward_params(gradient + at.down, gradient + at.down_bias, dz, hidden, io->h,
                               io->rows, width, hidden);
    if (dh == NULL) return;
    lae_linear_backward_input(dh, dz, hidden, theta + at.down, io->rows, width, hidden, 1.0F);
}

double lae_bottleneck_flops(const struct lae_pet_module *module, size_t rows)
{
    return 4.0 * (double)rows * (double)width_of(module) * (double)hidden_of(module);
}

double lae_bottleneck_input_flops(const struct lae_pet_module *module, size_t rows)
{
    return 0.5 * lae_bottleneck_flops(module, rows);
}
