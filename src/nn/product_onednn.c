/* Products by oneDNN's matmul primitive: with weights in its own layout, and in bf16 of pairs.
 *
 * A primitive is made for one shape and may be executed by many threads at once; what it needs for
 * that (a stream, descriptions of the operands, a scratchpad) belongs to the thread. Called from
 * one of our threads with OMP_NUM_THREADS=1, it computes in that thread alone.
 *
 * For bf16 the input is rounded to it first, to nearest, ties to even; products are exact in fp32,
 * and sums, bias and result are fp32. Where the processor has no instructions for bf16, the rounded
 * numbers are multiplied as fp32: oneDNN's own emulation takes several times as long.
 */
#include "onednn.h"
#include "product.h"

#include "lae/base/arena.h"
#include "lae/nn/kernels.h"

#include <oneapi/dnnl/dnnl_debug.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A matrix that is rounded in every run, into dense rows. rows 0: it is taken as it is. */
struct operand {
    size_t rows, cols, stride; /* as it comes */
};

struct onednn_product {
    struct lae_product_shape shape; /* unused for a pair */
    bool rounds;                    /* operands to bf16 */
    struct operand first, second;   /* x; and w, which is packed unless it is of a pair */
    dnnl_data_type_t type;          /* that operands are kept in */
    const struct lae_kernels *kernels;
    dnnl_engine_t engine;
    dnnl_primitive_t primitive;
    struct lae_onednn_matmul layouts;
};

enum { ARGUMENT_X, ARGUMENT_W, ARGUMENT_Y, ARGUMENT_SCRATCHPAD, ARGUMENT_B, ARGUMENTS };

struct onednn_runner {
    const struct onednn_product *product;
    dnnl_stream_t stream;
    dnnl_exec_arg_t arguments[ARGUMENTS];
    int count; /* ARGUMENTS, or one less without a bias */
};

bool lae_onednn_is_built_in(void)
{
    return true;
}

bool lae_bf16_is_native(void)
{
    /* Each bit of these numbers is one extension. */
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) ==
           dnnl_cpu_isa_avx512_core_bf16;
}

const char *lae_onednn_version(char *text, size_t size)
{
    const dnnl_version_t *version = dnnl_version();
    const char *isa = dnnl_cpu_isa2str(dnnl_get_effective_cpu_isa());
    snprintf(text, size, "oneDNN %d.%d.%d %s", version->major, version->minor, version->patch,
             strncmp(isa, "cpu_isa_", 8) == 0 ? isa + 8 : isa);
    return text;
}

void lae_onednn_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, float alpha,
                     const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
                     size_t ldc)
{
    if (m == 0 || n == 0) return;
    dnnl_status_t status = dnnl_sgemm(
        transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', (dnnl_dim_t)m, (dnnl_dim_t)n,
        (dnnl_dim_t)k, alpha, a, (dnnl_dim_t)lda, b, (dnnl_dim_t)ldb, beta, c, (dnnl_dim_t)ldc);
    /* It can want memory for packing; BLAS has its own. */
    if (status != dnnl_success)
        lae_gemm(transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

static lae_status failed(const char *what, dnnl_status_t status)
{
    return lae_failed("oneDNN cannot %s: %s", what, dnnl_status2str(status));
}

#define DNNL_TRY(expression, what)                                                                 \
    do {                                                                                           \
        dnnl_status_t dnnl_try_status_ = (expression);                                             \
        if (dnnl_try_status_ != dnnl_success) return failed(what, dnnl_try_status_);               \
    } while (0)

/* The weights [in, out] as stored: their transpose, or themselves. */
static dnnl_status_t stored(const struct lae_product_shape *shape,
                            struct lae_onednn_layout **layout)
{
    size_t across = shape->back ? shape->out : 1, along = shape->back ? 1 : shape->in;
    return lae_onednn_layout_strided(dnnl_f32, shape->in, shape->out, across, along, layout);
}

static lae_status describe(struct onednn_product *product)
{
    const struct lae_product_shape *shape = &product->shape;
    struct lae_onednn_matmul *layouts = &product->layouts;
    if (product->rounds) product->first = (struct operand){shape->rows, shape->in, shape->ldx};
    DNNL_TRY(lae_onednn_layout_strided(product->type, shape->rows, shape->in,
                                       product->rounds ? shape->in : shape->ldx, 1, &layouts->x),
             "describe an input");
    DNNL_TRY(lae_onednn_layout_any(product->type, shape->in, shape->out, &layouts->w),
             "describe weights");
    if (shape->bias)
        DNNL_TRY(lae_onednn_layout_strided(dnnl_f32, 1, shape->out, shape->out, 1, &layouts->b),
                 "describe a bias");
    DNNL_TRY(
        lae_onednn_layout_strided(dnnl_f32, shape->rows, shape->out, shape->ldy, 1, &layouts->y),
        "describe a result");
    return NULL;
}

/* op of a matrix [rows, cols] in dense rows. */
static dnnl_status_t dense(dnnl_data_type_t type, const struct operand *matrix, bool transpose,
                           struct lae_onednn_layout **layout)
{
    size_t rows = matrix->rows, cols = matrix->cols;
    if (transpose) return lae_onednn_layout_strided(type, cols, rows, 1, cols, layout);
    return lae_onednn_layout_strided(type, rows, cols, cols, 1, layout);
}

static lae_status describe_pair(const struct lae_pair_shape *shape, struct onednn_product *product)
{
    const struct operand plain_a = {shape->m, shape->k, shape->lda};
    const struct operand turned_a = {shape->k, shape->m, shape->lda};
    const struct operand plain_b = {shape->k, shape->n, shape->ldb};
    const struct operand turned_b = {shape->n, shape->k, shape->ldb};
    struct lae_onednn_matmul *layouts = &product->layouts;
    product->first = shape->transpose_a ? turned_a : plain_a;
    product->second = shape->transpose_b ? turned_b : plain_b;
    DNNL_TRY(dense(product->type, &product->first, shape->transpose_a, &layouts->x),
             "describe an input");
    DNNL_TRY(dense(product->type, &product->second, shape->transpose_b, &layouts->w),
             "describe an input");
    DNNL_TRY(lae_onednn_layout_strided(dnnl_f32, shape->m, shape->n, shape->ldc, 1, &layouts->y),
             "describe a result");
    return NULL;
}

static dnnl_status_t set_attributes(const struct lae_product_shape *shape,
                                    dnnl_primitive_attr_t attributes)
{
    dnnl_status_t status =
        dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    if (status != dnnl_success || !shape->add) return status;
    dnnl_post_ops_t after;
    status = dnnl_post_ops_create(&after);
    if (status != dnnl_success) return status;
    status = lae_onednn_append_sum(after);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(attributes, after);
    dnnl_post_ops_destroy(after);
    return status;
}

static lae_status build(struct onednn_product *product, dnnl_primitive_attr_t attributes)
{
    DNNL_TRY(set_attributes(&product->shape, attributes), "set up a product");
    DNNL_TRY(lae_onednn_matmul_create(&product->layouts, product->engine, attributes,
                                      &product->primitive),
             "make a product of this shape");
    return NULL;
}

/* A product yet to be described, and built with the attributes. */
static lae_status begin(bool rounds, struct onednn_product **out, dnnl_primitive_attr_t *attributes)
{
    *attributes = NULL;
    struct onednn_product *product = *out = calloc(1, sizeof *product);
    if (product == NULL) return lae_out_of_memory(sizeof *product, "a product");
    product->rounds = rounds;
    product->type = rounds && lae_bf16_is_native() ? dnnl_bf16 : dnnl_f32;
    product->kernels = lae_kernels_best();
    DNNL_TRY(dnnl_engine_create(&product->engine, dnnl_cpu, 0), "begin");
    DNNL_TRY(dnnl_primitive_attr_create(attributes), "begin");
    return NULL;
}

static lae_status finish(lae_status status, dnnl_primitive_attr_t attributes,
                         struct onednn_product **product)
{
    if (status == NULL) status = build(*product, attributes);
    dnnl_primitive_attr_destroy(attributes);
    if (status == NULL) return NULL;
    lae_onednn_product_free(*product);
    *product = NULL;
    return status;
}

lae_status lae_onednn_product_create(enum lae_precision precision,
                                     const struct lae_product_shape *shape,
                                     struct onednn_product **out)
{
    dnnl_primitive_attr_t attributes;
    lae_status status = begin(precision == LAE_PRECISION_BF16, out, &attributes);
    if (status == NULL) {
        (*out)->shape = *shape;
        status = describe(*out);
    }
    return finish(status, attributes, out);
}

lae_status lae_onednn_pair_create(const struct lae_pair_shape *shape, struct onednn_product **out)
{
    dnnl_primitive_attr_t attributes;
    lae_status status = begin(true, out, &attributes);
    if (status == NULL) status = describe_pair(shape, *out);
    return finish(status, attributes, out);
}

void lae_onednn_product_free(struct onednn_product *product)
{
    if (product == NULL) return;
    const struct lae_onednn_matmul *layouts = &product->layouts;
    struct lae_onednn_layout *all[] = {layouts->x, layouts->w, layouts->b, layouts->y,
                                       layouts->scratchpad};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        lae_onednn_layout_free(all[i]);
    dnnl_primitive_destroy(product->primitive);
    dnnl_engine_destroy(product->engine);
    free(product);
}

size_t lae_onednn_product_packed(const struct onednn_product *product)
{
    return lae_onednn_layout_size(product->layouts.w);
}

/* ---- rounding ---------------------------------------------------------------------------- */

static size_t aligned(size_t bytes)
{
    return (bytes + LAE_ALIGNMENT - 1) / LAE_ALIGNMENT * LAE_ALIGNMENT;
}

static size_t rounded_size(const struct onednn_product *product, const struct operand *matrix)
{
    size_t element = product->type == dnnl_bf16 ? sizeof(uint16_t) : sizeof(float);
    return aligned(matrix->rows * matrix->cols * element);
}

/* The matrix as the primitive takes it; *scratch moves on behind what was written there. */
static const void *rounded(const struct onednn_product *product, const struct operand *matrix,
                           const float *x, char **scratch)
{
    if (matrix->rows == 0) return x;
    void *out = *scratch;
    for (size_t row = 0; row < matrix->rows; row++, x += matrix->stride) {
        if (product->type == dnnl_bf16)
            product->kernels->bf16((uint16_t *)out + row * matrix->cols, x, matrix->cols);
        else
            product->kernels->bf16_wide((float *)out + row * matrix->cols, x, matrix->cols);
    }
    *scratch += rounded_size(product, matrix);
    return out;
}

/* ---- packing ----------------------------------------------------------------------------- */

/* Runs a primitive that copies, on a stream of its own. */
static dnnl_status_t copy(dnnl_primitive_t primitive, dnnl_engine_t engine, dnnl_memory_t from,
                          dnnl_memory_t to)
{
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    dnnl_stream_t stream;
    dnnl_status_t status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    if (status != dnnl_success) return status;
    status = dnnl_primitive_execute(primitive, stream, 2, arguments);
    if (status == dnnl_success) status = dnnl_stream_wait(stream);
    dnnl_stream_destroy(stream);
    return status;
}

/* `source`, which lies as `from` says, into the layout and type of the product's weights. */
static dnnl_status_t reorder(const struct onednn_product *product,
                             const struct lae_onednn_layout *from, const float *source,
                             void *target)
{
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_t in = NULL, out = NULL;
    dnnl_engine_t engine = product->engine;
    dnnl_status_t status = lae_onednn_reorder_create(from, product->layouts.w, engine, &primitive);
    if (status == dnnl_success)
        status = lae_onednn_memory_create(from, engine, (void *)source, &in);
    if (status == dnnl_success)
        status = lae_onednn_memory_create(product->layouts.w, engine, target, &out);
    if (status == dnnl_success) status = copy(primitive, engine, in, out);
    if (in != NULL) dnnl_memory_destroy(in);
    if (out != NULL) dnnl_memory_destroy(out);
    if (primitive != NULL) dnnl_primitive_destroy(primitive);
    return status;
}

static lae_status pack(const struct onednn_product *product, const float *w, void *packed)
{
    struct lae_onednn_layout *from;
    DNNL_TRY(stored(&product->shape, &from), "describe weights");
    dnnl_status_t status = reorder(product, from, w, packed);
    lae_onednn_layout_free(from);
    return status == dnnl_success ? NULL : failed("pack weights", status);
}

lae_status lae_onednn_product_pack(const struct onednn_product *product, const float *w,
                                   void *packed)
{
    bool wide = product->rounds && product->type == dnnl_f32; /* the reorder would not round */
    if (!wide) return pack(product, w, packed);
    size_t count = product->shape.in * product->shape.out;
    float *copy = malloc(count * sizeof *copy);
    if (copy == NULL) return lae_out_of_memory(count * sizeof *copy, "weights to be packed");
    product->kernels->bf16_wide(copy, w, count);
    lae_status status = pack(product, copy, packed);
    free(copy);
    return status;
}

/* ---- one thread's ------------------------------------------------------------------------ */

/* What is rounded comes first, then the primitive's own scratchpad. */
size_t lae_onednn_product_scratch(const struct onednn_product *product)
{
    return rounded_size(product, &product->first) + rounded_size(product, &product->second) +
           lae_onednn_layout_size(product->layouts.scratchpad);
}

static dnnl_status_t add_argument(struct onednn_runner *runner, int kind,
                                  const struct lae_onednn_layout *layout)
{
    dnnl_exec_arg_t *argument = &runner->arguments[runner->count];
    argument->arg = kind;
    dnnl_status_t status = lae_onednn_memory_create(layout, runner->product->engine,
                                                    DNNL_MEMORY_NONE, &argument->memory);
    if (status == dnnl_success) runner->count++;
    return status;
}

lae_status lae_onednn_runner_create(const struct onednn_product *product,
                                    struct onednn_runner **out)
{
    struct onednn_runner *runner = *out = calloc(1, sizeof *runner);
    if (runner == NULL) return lae_out_of_memory(sizeof *runner, "a thread's product");
    const struct lae_onednn_matmul *layouts = &product->layouts;
    runner->product = product;
    DNNL_TRY(dnnl_stream_create(&runner->stream, product->engine, dnnl_stream_default_flags),
             "start a stream");
    DNNL_TRY(add_argument(runner, DNNL_ARG_SRC, layouts->x), "describe an input");
    DNNL_TRY(add_argument(runner, DNNL_ARG_WEIGHTS, layouts->w), "describe weights");
    DNNL_TRY(add_argument(runner, DNNL_ARG_DST, layouts->y), "describe a result");
    DNNL_TRY(add_argument(runner, DNNL_ARG_SCRATCHPAD, layouts->scratchpad), "describe memory");
    if (product->shape.bias)
        DNNL_TRY(add_argument(runner, DNNL_ARG_BIAS, layouts->b), "describe a bias");
    return NULL;
}

void lae_onednn_runner_free(struct onednn_runner *runner)
{
    if (runner == NULL) return;
    for (int i = 0; i < runner->count; i++)
        dnnl_memory_destroy(runner->arguments[i].memory);
    if (runner->stream != NULL) dnnl_stream_destroy(runner->stream);
    free(runner);
}

static void point_to(struct onednn_runner *runner, int argument, const void *data)
{
    dnnl_memory_set_data_handle(runner->arguments[argument].memory, (void *)data);
}

void lae_onednn_run(struct onednn_runner *runner, const void *w, const float *b, const float *x,
                    float *y, void *scratch)
{
    const struct onednn_product *product = runner->product;
    char *free_scratch = scratch;
    point_to(runner, ARGUMENT_X, rounded(product, &product->first, x, &free_scratch));
    point_to(runner, ARGUMENT_W, rounded(product, &product->second, w, &free_scratch));
    point_to(runner, ARGUMENT_Y, y);
    point_to(runner, ARGUMENT_SCRATCHPAD, free_scratch);
    if (product->shape.bias) point_to(runner, ARGUMENT_B, b);
    dnnl_primitive_execute(product->primitive, runner->stream, runner->count, runner->arguments);
}
