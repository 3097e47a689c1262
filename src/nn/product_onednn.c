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
#include "product.h"

#include "lae/base/arena.h"
#include "lae/nn/kernels.h"

#include <oneapi/dnnl/dnnl.h>
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
    dnnl_memory_desc_t x, w, b, y, scratchpad;
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
    return dnnl_get_effective_cpu_isa() >= dnnl_cpu_isa_avx512_core_bf16;
}

const char *lae_onednn_version(char *text, size_t size)
{
    const dnnl_version_t *version = dnnl_version();
    const char *isa = dnnl_cpu_isa2str(dnnl_get_effective_cpu_isa());
    snprintf(text, size, "oneDNN %d.%d.%d %s", version->major, version->minor, version->patch,
             strncmp(isa, "cpu_isa_", 8) == 0 ? isa + 8 : isa);
    return text;
}

void onednn_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, float alpha,
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

static dnnl_status_t matrix(dnnl_memory_desc_t *desc, dnnl_data_type_t type, size_t rows,
                            size_t cols, size_t stride)
{
    const dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)cols};
    const dnnl_dims_t strides = {(dnnl_dim_t)stride, 1};
    return dnnl_memory_desc_init_by_strides(desc, 2, dims, type, strides);
}

/* The weights [in, out] as stored: their transpose, or themselves. */
static dnnl_status_t stored(const struct lae_product_shape *shape, dnnl_memory_desc_t *desc)
{
    const dnnl_dims_t dims = {(dnnl_dim_t)shape->in, (dnnl_dim_t)shape->out};
    const dnnl_dims_t across = {1, (dnnl_dim_t)shape->in}, along = {(dnnl_dim_t)shape->out, 1};
    return dnnl_memory_desc_init_by_strides(desc, 2, dims, dnnl_f32, shape->back ? along : across);
}

static lae_status describe(struct onednn_product *product)
{
    const struct lae_product_shape *shape = &product->shape;
    const dnnl_dims_t weights = {(dnnl_dim_t)shape->in, (dnnl_dim_t)shape->out};
    if (product->rounds) product->first = (struct operand){shape->rows, shape->in, shape->ldx};
    DNNL_TRY(matrix(&product->x, product->type, shape->rows, shape->in,
                    product->rounds ? shape->in : shape->ldx),
             "describe an input");
    DNNL_TRY(
        dnnl_memory_desc_init_by_tag(&product->w, 2, weights, product->type, dnnl_format_tag_any),
        "describe weights");
    DNNL_TRY(matrix(&product->b, dnnl_f32, 1, shape->out, shape->out), "describe a bias");
    DNNL_TRY(matrix(&product->y, dnnl_f32, shape->rows, shape->out, shape->ldy),
             "describe a result");
    return NULL;
}

/* op of a matrix [rows, cols] in dense rows. */
static dnnl_status_t dense(dnnl_memory_desc_t *desc, dnnl_data_type_t type, size_t rows,
                           size_t cols, bool transpose)
{
    if (!transpose) return matrix(desc, type, rows, cols, cols);
    const dnnl_dims_t dims = {(dnnl_dim_t)cols, (dnnl_dim_t)rows};
    const dnnl_dims_t strides = {1, (dnnl_dim_t)cols};
    return dnnl_memory_desc_init_by_strides(desc, 2, dims, type, strides);
}

static lae_status describe_pair(const struct lae_pair_shape *shape, struct onednn_product *product)
{
    const struct operand plain_a = {shape->m, shape->k, shape->lda};
    const struct operand turned_a = {shape->k, shape->m, shape->lda};
    const struct operand plain_b = {shape->k, shape->n, shape->ldb};
    const struct operand turned_b = {shape->n, shape->k, shape->ldb};
    struct operand a = shape->transpose_a ? turned_a : plain_a;
    struct operand b = shape->transpose_b ? turned_b : plain_b;
    product->first = a;
    product->second = b;
    DNNL_TRY(dense(&product->x, product->type, a.rows, a.cols, shape->transpose_a),
             "describe an input");
    DNNL_TRY(dense(&product->w, product->type, b.rows, b.cols, shape->transpose_b),
             "describe an input");
    DNNL_TRY(matrix(&product->y, dnnl_f32, shape->m, shape->n, shape->ldc), "describe a result");
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
    status = dnnl_post_ops_append_sum(after, 1.0F);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(attributes, after);
    dnnl_post_ops_destroy(after);
    return status;
}

/* Makes the primitive and takes from it which layouts it chose. */
static lae_status build(struct onednn_product *product, dnnl_primitive_attr_t attributes)
{
    dnnl_matmul_desc_t matmul;
    dnnl_primitive_desc_t choice;
    DNNL_TRY(set_attributes(&product->shape, attributes), "set up a product");
    DNNL_TRY(dnnl_matmul_desc_init(&matmul, &product->x, &product->w,
                                   product->shape.bias ? &product->b : NULL, &product->y),
             "describe a product");
    DNNL_TRY(dnnl_primitive_desc_create(&choice, &matmul, attributes, product->engine, NULL),
             "compute a product of this shape");
    product->w = *dnnl_primitive_desc_query_md(choice, dnnl_query_weights_md, 0);
    product->scratchpad = *dnnl_primitive_desc_query_md(choice, dnnl_query_scratchpad_md, 0);
    dnnl_status_t status = dnnl_primitive_create(&product->primitive, choice);
    dnnl_primitive_desc_destroy(choice);
    return status == dnnl_success ? NULL : failed("make a product", status);
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
    onednn_product_free(*product);
    *product = NULL;
    return status;
}

lae_status onednn_product_create(enum lae_precision precision,
                                 const struct lae_product_shape *shape, struct onednn_product **out)
{
    dnnl_primitive_attr_t attributes;
    lae_status status = begin(precision == LAE_PRECISION_BF16, out, &attributes);
    if (status == NULL) {
        (*out)->shape = *shape;
        status = describe(*out);
    }
    return finish(status, attributes, out);
}

lae_status onednn_pair_create(const struct lae_pair_shape *shape, struct onednn_product **out)
{
    dnnl_primitive_attr_t attributes;
    lae_status status = begin(true, out, &attributes);
    if (status == NULL) status = describe_pair(shape, *out);
    return finish(status, attributes, out);
}

void onednn_product_free(struct onednn_product *product)
{
    if (product == NULL) return;
    dnnl_primitive_destroy(product->primitive);
    dnnl_engine_destroy(product->engine);
    free(product);
}

size_t onednn_product_packed(const struct onednn_product *product)
{
    return dnnl_memory_desc_get_size(&product->w);
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

/* A copy from one layout and type to another, on a stream of its own. */
static dnnl_status_t reorder(const struct onednn_product *product, const dnnl_memory_desc_t *from,
                             const float *source, void *target)
{
    dnnl_primitive_desc_t choice = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_memory_t in = NULL, out = NULL;
    dnnl_engine_t engine = product->engine;
    dnnl_status_t status =
        dnnl_reorder_primitive_desc_create(&choice, from, engine, &product->w, engine, NULL);
    if (status == dnnl_success) status = dnnl_primitive_create(&primitive, choice);
    if (status == dnnl_success) status = dnnl_stream_create(&stream, engine, dnnl_stream_in_order);
    if (status == dnnl_success) status = dnnl_memory_create(&in, from, engine, (void *)source);
    if (status == dnnl_success) status = dnnl_memory_create(&out, &product->w, engine, target);
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, in}, {DNNL_ARG_TO, out}};
    if (status == dnnl_success) status = dnnl_primitive_execute(primitive, stream, 2, arguments);
    if (status == dnnl_success) status = dnnl_stream_wait(stream);
    if (in != NULL) dnnl_memory_destroy(in);
    if (out != NULL) dnnl_memory_destroy(out);
    if (stream != NULL) dnnl_stream_destroy(stream);
    if (primitive != NULL) dnnl_primitive_destroy(primitive);
    if (choice != NULL) dnnl_primitive_desc_destroy(choice);
    return status;
}

static lae_status pack(const struct onednn_product *product, const float *w, void *packed)
{
    dnnl_memory_desc_t from;
    DNNL_TRY(stored(&product->shape, &from), "describe weights");
    DNNL_TRY(reorder(product, &from, w, packed), "pack weights");
    return NULL;
}

lae_status onednn_product_pack(const struct onednn_product *product, const float *w, void *packed)
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
size_t onednn_product_scratch(const struct onednn_product *product)
{
    return rounded_size(product, &product->first) + rounded_size(product, &product->second) +
           dnnl_memory_desc_get_size(&product->scratchpad);
}

static dnnl_status_t add_argument(struct onednn_runner *runner, int kind,
                                  const dnnl_memory_desc_t *desc)
{
    dnnl_exec_arg_t *argument = &runner->arguments[runner->count];
    argument->arg = kind;
    dnnl_status_t status =
        dnnl_memory_create(&argument->memory, desc, runner->product->engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success) runner->count++;
    return status;
}

lae_status onednn_runner_create(const struct onednn_product *product, struct onednn_runner **out)
{
    struct onednn_runner *runner = *out = calloc(1, sizeof *runner);
    if (runner == NULL) return lae_out_of_memory(sizeof *runner, "a thread's product");
    runner->product = product;
    DNNL_TRY(dnnl_stream_create(&runner->stream, product->engine, dnnl_stream_in_order),
             "start a stream");
    DNNL_TRY(add_argument(runner, DNNL_ARG_SRC, &product->x), "describe an input");
    DNNL_TRY(add_argument(runner, DNNL_ARG_WEIGHTS, &product->w), "describe weights");
    DNNL_TRY(add_argument(runner, DNNL_ARG_DST, &product->y), "describe a result");
    DNNL_TRY(add_argument(runner, DNNL_ARG_SCRATCHPAD, &product->scratchpad), "describe memory");
    if (product->shape.bias)
        DNNL_TRY(add_argument(runner, DNNL_ARG_BIAS, &product->b), "describe a bias");
    return NULL;
}

void onednn_runner_free(struct onednn_runner *runner)
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

void onednn_run(struct onednn_runner *runner, const void *w, const float *b, const float *x,
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
