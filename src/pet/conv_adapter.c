/* scale * up(dropout(act(conv(act(down(h)))))), act(v) = v sigmoid(1.702 v)  (Convpass, Jie & Deng,
 * 2022). The convolution runs over the grid of patches; each prefix row goes through it as
 * an image of one pixel. Where only the first row is wanted, it is the only token here.
 */
#include "bottleneck.h"

#include "lae/nn/conv.h"

#include <math.h>
#include <stdbool.h>

#define DEFAULT_HIDDEN 8
#define LARGEST_KERNEL 255
#define MASK_BITS 24 /* of a dropout number's index, for the element within the module */

/* Tensors after the bottleneck's. */
enum { CONV_WEIGHT = LAE_BOTTLENECK_END, CONV_BIAS };

static size_t hidden_of(const struct lae_pet_module *module)
{
    return (size_t)module->options.hidden;
}

static size_t values_of(const struct lae_pet_module *module)
{
    return lae_pet_tokens(module) * hidden_of(module);
}

/* Floats of conv.weight. */
static size_t weights_of(const struct lae_pet_module *module)
{
    size_t hidden = hidden_of(module), kernel = (size_t)module->options.kernel;
    return hidden * hidden * kernel * kernel;
}

/* Over `rows` rows: all, or the first alone. */
static struct lae_conv_shape shape_of(const struct lae_pet_module *module, size_t rows)
{
    bool all = rows == lae_pet_tokens(module);
    return (struct lae_conv_shape){
        .singles = all ? module->dims.prefix_rows : rows,
        .rows = all ? module->dims.grid_rows : 0,
        .cols = all ? module->dims.grid_cols : 0,
        .in = hidden_of(module),
        .out = hidden_of(module),
        .kernel = (size_t)module->options.kernel,
    };
}

lae_status lae_conv_adapter_prepare(struct lae_pet_site_options *options,
                                    const struct lae_pet_dims *dims, const char *site)
{
    if (options->hidden == 0) options->hidden = DEFAULT_HIDDEN;
    LAE_TRY(lae_pet_check_size(site, "hidden", options->hidden));
    if (options->kernel < 1 || options->kernel > LARGEST_KERNEL || options->kernel % 2 == 0)
        return lae_bad_input("pet.%s.kernel: %d is not a kernel size; give an odd number from 1 to "
                             "%d",
                             site, options->kernel, LARGEST_KERNEL);
    if (!(options->dropout >= 0.0 && options->dropout < 1.0))
        return lae_bad_input("pet.%s.dropout: %g is not a probability to drop; give 0 or more and "
                             "less than 1",
                             site, options->dropout);
    size_t tokens = dims->prefix_rows + dims->grid_rows * dims->grid_cols;
    if (options->dropout > 0.0 && (size_t)options->hidden > ((size_t)1 << MASK_BITS) / tokens)
        return lae_bad_input(
            "pet.%s.hidden: %d channels of %zu tokens are too many for the dropout "
            "mask; give at most %zu",
            site, options->hidden, tokens, ((size_t)1 << MASK_BITS) / tokens);
    return NULL;
}

lae_status lae_conv_adapter_declare(const struct lae_pet_module *module, struct lae_table *table)
{
    size_t hidden = hidden_of(module), kernel = (size_t)module->options.kernel;
    LAE_TRY(lae_bottleneck_declare(module, table));
    LAE_TRY(lae_pet_declare(module, table, "conv/weight", 4,
                            (size_t[]){hidden, hidden, kernel, kernel}));
    return lae_pet_declare(module, table, "conv/bias", 1, &hidden);
}

void lae_conv_adapter_init(const struct lae_pet_module *module, const struct lae_table *table,
                           unsigned long long seed, float *theta)
{
    size_t hidden = hidden_of(module), taps = weights_of(module) / (hidden * hidden);
    double bound = sqrt(6.0 / (double)(hidden + module->dims.width)); /* Xavier */
    lae_bottleneck_init(module, table, seed, bound, theta);
    lae_pet_fill(module, table, CONV_WEIGHT, 0.0F, theta);
    lae_pet_fill(module, table, CONV_BIAS, 0.0F, theta);
    float *weight = theta + table->items[module->first + CONV_WEIGHT].offset;
    for (size_t c = 0; c < hidden; c++)
        weight[(c * hidden + c) * taps + taps / 2] = 1.0F;
}

/* The saved values, each [N, h]. */
struct saved {
    float *z;       /* down(h) */
    float *a;       /* act(z) */
    float *z_conv;  /* conv(a) */
    float *dropped; /* act(z_conv), after dropout */
    float *mask;    /* 0 or 1/(1 - p); where dropout is on */
};

static struct saved saved_of(const struct lae_pet_module *module, float *saved)
{
    size_t values = values_of(module);
    return (struct saved){saved, saved + values, saved + 2 * values, saved + 3 * values,
                          saved + 4 * values};
}

size_t lae_conv_adapter_saved(const struct lae_pet_module *module)
{
    return (module->options.dropout > 0.0 ? 5 : 4) * values_of(module);
}

size_t lae_conv_adapter_scratch(const struct lae_pet_module *module)
{
    struct lae_conv_shape shape = shape_of(module, lae_pet_tokens(module));
    return 2 * values_of(module) + lae_conv_scratch(&shape);
}

static bool drops(const struct lae_pet_module *module, const struct lae_pet_io *io)
{
    return io->dropout != NULL && module->options.dropout > 0.0;
}

static void draw_mask(const struct lae_pet_module *module, const struct lae_random *stream,
                      float *mask, size_t count)
{
    double p = module->options.dropout;
    float keep = (float)(1.0 / (1.0 - p));
    uint64_t place = (uint64_t)module->block * LAE_SITES + (uint64_t)module->site;
    for (size_t i = 0; i < count; i++)
        mask[i] = lae_random_uniform(stream, (place << MASK_BITS) + i) < p ? 0.0F : keep;
}

void lae_conv_adapter_forward(const struct lae_pet_module *module, const float *theta,
                              const struct lae_pet_io *io)
{
    const struct lae_kernels *kernels = io->kernels;
    struct lae_conv_shape shape = shape_of(module, io->rows);
    struct saved saved = saved_of(module, io->saved);
    const float *weight = theta + lae_bottleneck_layout(module).end;
    const float *bias = weight + weights_of(module);
    size_t count = io->rows * hidden_of(module);
    lae_bottleneck_down(module, theta, io, saved.z);
    kernels->quick_gelu(saved.a, saved.z, count);
    lae_conv(&shape, saved.z_conv, saved.a, weight, bias, io->scratch);
    kernels->quick_gelu(saved.dropped, saved.z_conv, count);
    if (drops(module, io)) {
        draw_mask(module, io->dropout, saved.mask, count);
        kernels->multiply(saved.dropped, saved.mask, count);
    }
    lae_bottleneck_up(module, theta, io, saved.dropped);
}

void lae_conv_adapter_backward(const struct lae_pet_module *module, const float *theta,
                               const struct lae_pet_io *io, float *gradient, float *dh)
{
    const struct lae_kernels *kernels = io->kernels;
    struct lae_conv_shape shape = shape_of(module, io->rows);
    struct saved saved = saved_of(module, io->saved);
    size_t values = values_of(module), conv = lae_bottleneck_layout(module).end;
    size_t count = io->rows * hidden_of(module);
    float *d_conv = io->scratch;     /* of dropped, then of z_conv */
    float *d = io->scratch + values; /* of a, then of z */
    float *rest = io->scratch + 2 * values;
    lae_bottleneck_up_backward(module, theta, io, saved.dropped, d_conv, gradient);
    if (drops(module, io)) kernels->multiply(d_conv, saved.mask, count);
    kernels->quick_gelu_backward(d_conv, d_conv, saved.z_conv, count);
    lae_conv_backward_params(&shape, gradient + conv, gradient + conv + weights_of(module), d_conv,
                             saved.a, rest);
    lae_conv_backward_input(&shape, d, d_conv, theta + conv, rest);
    kernels->quick_gelu_backward(d, d, saved.z, count);
    lae_bottleneck_down_backward(module, theta, io, d, dh, gradient);
}

double lae_conv_adapter_flops(const struct lae_pet_module *module, size_t rows)
{
    return lae_bottleneck_flops(module, rows) + 2.0 * (double)rows * (double)weights_of(module);
}
