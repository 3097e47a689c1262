/* pet/: every module's forward pass against its formula in METHOD section 4, written out here in
 * double, and every gradient against central differences of that; then placing, names, initial
 * values and errors.
 *
 * A module is looked at through the scalar
 *     loss = sum c_out * out + sum c_key * key + sum c_value * value
 * whose gradients with respect to out, key and value are the constants c.
 */
#include "difference.h"

#include "lae/pet/pet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE 5e-6

enum {
    WIDTH = 16,
    GRID_ROWS = 3,
    GRID_COLS = 4,
    TOKENS = 1 + GRID_ROWS * GRID_COLS,
    DEPTH = 5,
    BLOCK = 3, /* the module looked at; another one lies in front of it */
    MOST_INSERTED = 4,
    STRIDE = 2 * WIDTH + 3,
    KEY_ROWS = MOST_INSERTED + TOKENS,
    MOST_PARAMS = 2048,
};

#define DIMS                                                                                       \
    {                                                                                              \
        .width = WIDTH, .prefix_rows = 1, .grid_rows = GRID_ROWS, .grid_cols = GRID_COLS           \
    }

static const struct lae_places places = {.blocks = DEPTH,
                                         .sites = 1U << LAE_SITE_ATTN | 1U << LAE_SITE_MLP,
                                         .dims = {DIMS, DIMS, DIMS, DIMS, DIMS}};

struct problem {
    struct lae_pet pet;
    const struct lae_pet_module *module;
    size_t rows, inserted;
    bool training;
    struct lae_random stream;
    double theta[MOST_PARAMS]; /* the whole vector */
    double h[TOKENS * WIDTH];
    double c_out[TOKENS * WIDTH], c_key[KEY_ROWS * WIDTH], c_value[KEY_ROWS * WIDTH];
};

/* What a module adds. */
struct result {
    double out[TOKENS * WIDTH], key[KEY_ROWS * WIDTH], value[KEY_ROWS * WIDTH];
};

/* ---- the formulas, in double ------------------------------------------------------------- */

/* The module's tensor of that name, found through the table. */
static const double *tensor(const struct problem *problem, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "blocks/%d/%s/%s/%s", BLOCK,
             problem->module->site == LAE_SITE_ATTN ? "attn" : "mlp", problem->module->type->name,
             name);
    const struct lae_param *param = lae_table_find(&problem->pet.table, path);
    if (param == NULL) fail_msg("no tensor %s", path);
    return problem->theta + param->offset;
}

/* y[out] = W x + b for one row; b may be NULL. */
static void affine(double *y, const double *w, const double *b, const double *x, size_t in,
                   size_t out)
{
    for (size_t o = 0; o < out; o++) {
        y[o] = b != NULL ? b[o] : 0.0;
        for (size_t i = 0; i < in; i++)
            y[o] += w[o * in + i] * x[i];
    }
}

static void scaled_up(const struct problem *problem, const double *a, double *out)
{
    double scale = *tensor(problem, "scale");
    affine(out, tensor(problem, "up/weight"), tensor(problem, "up/bias"), a,
           (size_t)problem->module->options.hidden, WIDTH);
    for (size_t j = 0; j < WIDTH; j++)
        out[j] *= scale;
}

static void adapter(const struct problem *problem, struct result *result)
{
    size_t hidden = (size_t)problem->module->options.hidden;
    double a[WIDTH];
    for (size_t t = 0; t < problem->rows; t++) {
        affine(a, tensor(problem, "down/weight"), tensor(problem, "down/bias"),
               problem->h + t * WIDTH, WIDTH, hidden);
        for (size_t c = 0; c < hidden; c++)
            a[c] = 0.5 * a[c] * (1.0 + erf(a[c] / sqrt(2.0)));
        scaled_up(problem, a, result->out + t * WIDTH);
    }
}

static double act(double v)
{
    return v / (1.0 + exp(-1.702 * v));
}

/* Channel `o` of the convolution of a[tokens, hidden] at token t. */
static double convolved(const struct problem *problem, const double *a, size_t t, size_t o)
{
    const double *weight = tensor(problem, "conv/weight");
    int hidden = problem->module->options.hidden, k = problem->module->options.kernel;
    double sum = tensor(problem, "conv/bias")[o];
    for (int tap = 0; tap < k * k; tap++) {
        int down = tap / k - k / 2, right = tap % k - k / 2;
        size_t source = t;
        if (t == 0) {
            if (down != 0 || right != 0) continue; /* an image of one pixel */
        } else {
            int row = ((int)t - 1) / GRID_COLS + down, col = ((int)t - 1) % GRID_COLS + right;
            if (row < 0 || row >= GRID_ROWS || col < 0 || col >= GRID_COLS) continue;
            source = (size_t)(1 + row * GRID_COLS + col);
        }
        for (int i = 0; i < hidden; i++)
            sum += weight[((int)o * hidden + i) * k * k + tap] *
                   a[source * (size_t)hidden + (size_t)i];
    }
    return sum;
}

static double keep_factor(const struct problem *problem, size_t element)
{
    double p = problem->module->options.dropout;
    if (!problem->training || p == 0.0) return 1.0;
    uint64_t first = (uint64_t)(BLOCK * LAE_SITES + problem->module->site) << 24;
    bool dropped = lae_random_uniform(&problem->stream, first + element) < p;
    return dropped ? 0.0 : 1.0 / (1.0 - p);
}

static void conv_adapter(const struct problem *problem, struct result *result)
{
    size_t hidden = (size_t)problem->module->options.hidden;
    double a[TOKENS * WIDTH], b[WIDTH];
    for (size_t t = 0; t < problem->rows; t++) {
        affine(a + t * hidden, tensor(problem, "down/weight"), tensor(problem, "down/bias"),
               problem->h + t * WIDTH, WIDTH, hidden);
        for (size_t c = 0; c < hidden; c++)
            a[t * hidden + c] = act(a[t * hidden + c]);
    }
    for (size_t t = 0; t < problem->rows; t++) {
        for (size_t c = 0; c < hidden; c++)
            b[c] = act(convolved(problem, a, t, c)) * keep_factor(problem, t * hidden + c);
        scaled_up(problem, b, result->out + t * WIDTH);
    }
}

static void lora_side(const struct problem *problem, const char *a, const char *b,
                      const char *scale, double *target)
{
    size_t rank = (size_t)problem->module->options.rank;
    double low[WIDTH], factor = *tensor(problem, scale);
    for (size_t t = 0; t < TOKENS; t++) {
        affine(low, tensor(problem, a), NULL, problem->h + t * WIDTH, WIDTH, rank);
        affine(target + t * WIDTH, tensor(problem, b), NULL, low, rank, WIDTH);
        for (size_t j = 0; j < WIDTH; j++)
            target[t * WIDTH + j] *= factor;
    }
}

static void lora(const struct problem *problem, struct result *result)
{
    lora_side(problem, "key/A", "key/B", "key/scale", result->key);
    lora_side(problem, "value/A", "value/B", "value/scale", result->value);
}

static void prefix(const struct problem *problem, struct result *result)
{
    double key_scale = *tensor(problem, "key/scale");
    double value_scale = *tensor(problem, "value/scale");
    const double *keys = tensor(problem, "key/tokens"), *values = tensor(problem, "value/tokens");
    for (size_t i = 0; i < problem->inserted * WIDTH; i++) {
        result->key[i] = key_scale * keys[i];
        result->value[i] = value_scale * values[i];
    }
}

/* A new module gets its formula here, and a test of its own below. */
static const struct {
    const char *name;
    void (*compute)(const struct problem *problem, struct result *result);
} formulas[] = {
    {"adapter", adapter}, {"conv_adapter", conv_adapter}, {"lora", lora}, {"prefix", prefix}};

static void compute(const struct problem *problem, struct result *result)
{
    memset(result, 0, sizeof *result);
    for (size_t i = 0; i < sizeof formulas / sizeof formulas[0]; i++) {
        if (strcmp(formulas[i].name, problem->module->type->name) != 0) continue;
        formulas[i].compute(problem, result);
        return;
    }
    fail_msg("no formula for %s", problem->module->type->name);
}

static double loss(const void *context)
{
    const struct problem *problem = context;
    struct result result;
    compute(problem, &result);
    double sum = 0.0;
    for (size_t i = 0; i < problem->rows * WIDTH; i++)
        sum += problem->c_out[i] * result.out[i];
    for (size_t i = 0; i < KEY_ROWS * WIDTH; i++)
        sum += problem->c_key[i] * result.key[i] + problem->c_value[i] * result.value[i];
    return sum;
}

/* ---- the module under test --------------------------------------------------------------- */

/* Its io and everything that it points to; floats, sized to the byte for the address sanitizer.
 */
struct stage {
    struct lae_pet_io io;
    float *theta, *h, *out, *key_value; /* keys at columns 0.., values at columns WIDTH + 1.. */
    size_t key_rows;
};

static float *floats(size_t n)
{
    float *x = malloc(n > 0 ? n * sizeof *x : 1);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = NAN; /* nothing may be read before it is written */
    return x;
}

static float *copy_floats(const double *x, size_t n)
{
    float *y = floats(n);
    to_float(y, x, n);
    return y;
}

static void stage_open(struct stage *stage, const struct problem *problem)
{
    const struct lae_pet_module *module = problem->module;
    bool all_rows = module->type->changes_attention;
    stage->theta = copy_floats(problem->theta + module->offset, module->count);
    stage->h = copy_floats(problem->h, (all_rows ? TOKENS : problem->rows) * WIDTH);
    stage->out = copy_floats(problem->c_out, problem->rows * WIDTH);
    stage->key_rows = problem->inserted + TOKENS;
    stage->key_value = floats(stage->key_rows * STRIDE);
    stage->io = (struct lae_pet_io){
        .kernels = lae_kernels_best(),
        .h = stage->h,
        .rows = problem->rows,
        .tokens = TOKENS,
        .out = stage->out,
        .key = all_rows ? stage->key_value : NULL,
        .value = all_rows ? stage->key_value + WIDTH + 1 : NULL,
        .kv_stride = STRIDE,
        .saved = floats(module->type->saved(module)),
        .scratch = floats(module->type->scratch(module)),
        .dropout = problem->training ? &problem->stream : NULL,
    };
}

static void stage_close(struct stage *stage)
{
    free(stage->theta);
    free(stage->h);
    free(stage->out);
    free(stage->key_value);
    free(stage->io.saved);
    free(stage->io.scratch);
}

/* Sets the key and value rows to those of the constants c. */
static void place_rows(struct stage *stage, const struct problem *problem)
{
    for (size_t i = 0; i < stage->key_rows; i++) {
        to_float(stage->key_value + i * STRIDE, problem->c_key + i * WIDTH, WIDTH);
        to_float(stage->key_value + i * STRIDE + WIDTH + 1, problem->c_value + i * WIDTH, WIDTH);
    }
}

static void assert_close(float got, double expected)
{
    if (!(fabs((double)got - expected) <= TOLERANCE * fmax(1.0, fabs(expected))))
        fail_msg("%.9g instead of %.9g", (double)got, expected);
}

/* out and the tokens' rows of key and value had the constants c in them, to be added to; the
 * inserted rows are written. */
static void check_forward(struct stage *stage, const struct problem *problem)
{
    struct result result;
    compute(problem, &result);
    problem->module->type->forward(problem->module, stage->theta, &stage->io);
    for (size_t i = 0; i < problem->rows * WIDTH; i++)
        assert_close(stage->out[i], problem->c_out[i] + result.out[i]);
    for (size_t i = 0; i < stage->key_rows; i++) {
        const float *key = stage->key_value + i * STRIDE, *value = key + WIDTH + 1;
        double before = i < problem->inserted ? 0.0 : 1.0;
        for (size_t j = 0; j < WIDTH; j++) {
            size_t at = i * WIDTH + j;
            assert_close(key[j], before * problem->c_key[at] + result.key[at]);
            assert_close(value[j], before * problem->c_value[at] + result.value[at]);
        }
        assert_true(isnan(key[WIDTH]) && isnan(value[WIDTH])); /* between the rows */
    }
}

static void assert_gradient(struct problem *problem, const char *name, double *variable, size_t n,
                            const float *got)
{
    static double expected[MOST_PARAMS];
    central_differences(loss, problem, variable, n, expected);
    double error = relative_error(got, expected, n);
    if (!(error <= TOLERANCE))
        fail_msg("%s: gradient is off by %g of its largest entry", name, error);
}

static void check_parameters(struct problem *problem, const float *gradient)
{
    const struct lae_pet_module *module = problem->module;
    size_t end = module->offset + module->count;
    for (size_t i = module->first; i < problem->pet.table.count; i++) {
        const struct lae_param *param = &problem->pet.table.items[i];
        if (param->offset >= end) break;
        assert_gradient(problem, param->name, problem->theta + param->offset, param->count,
                        gradient + param->offset - module->offset);
    }
}

static void check_backward(struct stage *stage, struct problem *problem)
{
    const struct lae_pet_module *module = problem->module;
    size_t dh_count = (module->type->changes_attention ? TOKENS : problem->rows) * WIDTH;
    float *gradient = floats(module->count), *dh = floats(dh_count), *again = floats(module->count);
    for (size_t i = 0; i < dh_count; i++)
        dh[i] = (float)(i % 3); /* to be added to */
    module->type->backward(module, stage->theta, &stage->io, gradient, dh);
    check_parameters(problem, gradient);
    for (size_t i = 0; i < dh_count; i++)
        dh[i] -= (float)(i % 3);
    if (module->type->inserted != NULL) { /* does not depend on h */
        for (size_t i = 0; i < dh_count; i++)
            assert_true(dh[i] == 0.0f);
    } else {
        assert_gradient(problem, "h", problem->h, dh_count, dh);
    }
    module->type->backward(module, stage->theta, &stage->io, again, NULL);
    assert_memory_equal(again, gradient, module->count * sizeof *again);
    free(gradient);
    free(dh);
    free(again);
}

static void draw_problem(struct problem *problem, uint64_t seed)
{
    for (size_t i = 0; i < problem->pet.table.count; i++) {
        const struct lae_param *param = &problem->pet.table.items[i];
        double range = param->rank == 0 ? 0.5 : param->rank == 1 ? 0.4 : 0.6;
        double centre = param->rank == 0 ? 1.5 : 0.0;
        for (size_t j = 0; j < param->count; j++)
            problem->theta[param->offset + j] = draw(&seed, centre - range, centre + range);
    }
    for (size_t i = 0; i < TOKENS * WIDTH; i++) {
        problem->h[i] = draw(&seed, -1.0, 1.0);
        problem->c_out[i] = draw(&seed, -1.0, 1.0);
    }
    for (size_t i = 0; i < KEY_ROWS * WIDTH; i++) {
        problem->c_key[i] = draw(&seed, -1.0, 1.0);
        problem->c_value[i] = draw(&seed, -1.0, 1.0);
    }
}

static void assert_ok(lae_status status)
{
    if (status != NULL) fail_msg("%s", lae_status_message(status));
}

/* Forward and backward of one module, placed at `site` of BLOCK. */
static void check(enum lae_site site, struct lae_pet_site_options at, size_t rows, bool training)
{
    struct lae_pet_options options = {.blocks = {1, BLOCK}, .block_count = 2};
    options.site[site] = at;
    struct problem *problem = calloc(1, sizeof *problem);
    assert_non_null(problem);
    assert_ok(lae_pet_create(&options, &places, &problem->pet));
    assert_true(problem->pet.table.total <= MOST_PARAMS);
    problem->module = lae_pet_at(&problem->pet, BLOCK, site);
    assert_non_null(problem->module);
    problem->rows = rows;
    problem->training = training;
    problem->stream = lae_random_stream(7, LAE_RANDOM_DROPOUT, 2, 1, 40000);
    if (at.type->inserted != NULL) problem->inserted = at.type->inserted(problem->module);
    draw_problem(problem, 11 + rows);

    struct stage stage;
    stage_open(&stage, problem);
    place_rows(&stage, problem);
    check_forward(&stage, problem);
    to_float(stage.out, problem->c_out, rows * WIDTH); /* now the gradients */
    place_rows(&stage, problem);
    check_backward(&stage, problem);
    stage_close(&stage);
    lae_pet_free(&problem->pet);
    free(problem);
}

static void test_adapter(void **unused)
{
    (void)unused;
    struct lae_pet_site_options at = {.type = lae_pet_find("adapter"), .hidden = 3};
    check(LAE_SITE_ATTN, at, TOKENS, false);
    check(LAE_SITE_MLP, at, TOKENS, true);
    check(LAE_SITE_ATTN, at, 1, true);
    check(LAE_SITE_MLP, at, 1, false);
    at.hidden = 0; /* the default */
    check(LAE_SITE_MLP, at, TOKENS, false);
}

static void test_conv_adapter(void **unused)
{
    (void)unused;
    struct lae_pet_site_options at = {.type = lae_pet_find("conv_adapter"), .hidden = 4};
    for (int kernel = 1; kernel <= 5; kernel += 2) {
        at.kernel = kernel;
        check(LAE_SITE_ATTN, at, TOKENS, false);
        check(LAE_SITE_MLP, at, 1, false);
    }
}

static void test_conv_adapter_dropout(void **unused)
{
    (void)unused;
    struct lae_pet_site_options at = {
        .type = lae_pet_find("conv_adapter"), .hidden = 6, .kernel = 3, .dropout = 0.4};
    check(LAE_SITE_ATTN, at, TOKENS, true);
    check(LAE_SITE_MLP, at, TOKENS, true);
    check(LAE_SITE_MLP, at, TOKENS, false); /* not outside training */
    check(LAE_SITE_MLP, at, 1, true);
    at.dropout = 0.0;
    check(LAE_SITE_ATTN, at, TOKENS, true);
}

static void test_lora(void **unused)
{
    (void)unused;
    struct lae_pet_site_options at = {.type = lae_pet_find("lora"), .rank = 3};
    check(LAE_SITE_ATTN, at, TOKENS, true);
    check(LAE_SITE_ATTN, at, 1, false); /* keys and values of all tokens all the same */
}

static void test_prefix(void **unused)
{
    (void)unused;
    struct lae_pet_site_options at = {.type = lae_pet_find("prefix"), .length = MOST_INSERTED};
    check(LAE_SITE_ATTN, at, TOKENS, true);
    check(LAE_SITE_ATTN, at, 1, false);
}

/* ---- placing, names, initial values ------------------------------------------------------ */

static void test_types(void **unused)
{
    (void)unused;
    size_t count = 0;
    for (const struct lae_pet_type *type = lae_pet_types(); type->name != NULL; type++, count++) {
        assert_ptr_equal(lae_pet_find(type->name), type);
        assert_string_equal(type->name, formulas[count].name);
        assert_true(type->help != NULL && strlen(type->help) > 0);
    }
    assert_int_equal(count, sizeof formulas / sizeof formulas[0]);
    assert_null(lae_pet_find("none"));
}

struct expected_tensor {
    const char *name;
    int rank;
    size_t shape[4];
};

static void assert_tensors(const struct lae_table *table, const struct expected_tensor *expected,
                           size_t count)
{
    assert_int_equal(table->count, count);
    size_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        const struct lae_param *param = &table->items[i];
        assert_string_equal(param->name, expected[i].name);
        assert_int_equal(param->rank, expected[i].rank);
        for (int k = 0; k < param->rank; k++)
            assert_int_equal(param->shape[k], expected[i].shape[k]);
        assert_int_equal(param->offset, offset);
        offset += param->count;
    }
    assert_int_equal(table->total, offset);
}

static void test_names_of_bottlenecks(void **unused)
{
    (void)unused;
    static const struct expected_tensor expected[] = {
        {"blocks/2/attn/conv_adapter/down/weight", 2, {8, WIDTH}},
        {"blocks/2/attn/conv_adapter/down/bias", 1, {8}},
        {"blocks/2/attn/conv_adapter/up/weight", 2, {WIDTH, 8}},
        {"blocks/2/attn/conv_adapter/up/bias", 1, {WIDTH}},
        {"blocks/2/attn/conv_adapter/scale", 0, {0}},
        {"blocks/2/attn/conv_adapter/conv/weight", 4, {8, 8, 3, 3}},
        {"blocks/2/attn/conv_adapter/conv/bias", 1, {8}},
        {"blocks/2/mlp/adapter/down/weight", 2, {5, WIDTH}},
        {"blocks/2/mlp/adapter/down/bias", 1, {5}},
        {"blocks/2/mlp/adapter/up/weight", 2, {WIDTH, 5}},
        {"blocks/2/mlp/adapter/up/bias", 1, {WIDTH}},
        {"blocks/2/mlp/adapter/scale", 0, {0}},
    };
    struct lae_pet_options options = {.blocks = {2}, .block_count = 1};
    options.site[LAE_SITE_ATTN] =
        (struct lae_pet_site_options){.type = lae_pet_find("conv_adapter"), .kernel = 3};
    options.site[LAE_SITE_MLP] = (struct lae_pet_site_options){.type = lae_pet_find("adapter")};
    struct lae_pet pet;
    assert_ok(lae_pet_create(&options, &places, &pet));
    assert_tensors(&pet.table, expected, sizeof expected / sizeof expected[0]);
    assert_int_equal(pet.count, 2);
    assert_int_equal(pet.first_block, 2);
    assert_ptr_equal(lae_pet_at(&pet, 2, LAE_SITE_ATTN), &pet.modules[0]);
    assert_ptr_equal(lae_pet_at(&pet, 2, LAE_SITE_MLP), &pet.modules[1]);
    assert_null(lae_pet_at(&pet, 1, LAE_SITE_ATTN));
    assert_int_equal(pet.modules[0].options.hidden, 8);
    assert_int_equal(pet.modules[1].options.hidden, 5);
    assert_int_equal(pet.modules[1].first, 7);
    assert_int_equal(pet.modules[1].offset, pet.modules[0].count);
    for (size_t i = 0; i < pet.count; i++)
        assert_true(pet.modules[i].type->flops(&pet.modules[i], TOKENS) > 0.0);
    lae_pet_free(&pet);
}

static void test_names_in_attention(void **unused)
{
    (void)unused;
    static const struct expected_tensor lora_tensors[] = {
        {"blocks/0/attn/lora/key/A", 2, {2, WIDTH}},
        {"blocks/0/attn/lora/key/B", 2, {WIDTH, 2}},
        {"blocks/0/attn/lora/key/scale", 0, {0}},
        {"blocks/0/attn/lora/value/A", 2, {2, WIDTH}},
        {"blocks/0/attn/lora/value/B", 2, {WIDTH, 2}},
        {"blocks/0/attn/lora/value/scale", 0, {0}},
    };
    static const struct expected_tensor prefix_tensors[] = {
        {"blocks/0/attn/prefix/key/tokens", 2, {7, WIDTH}},
        {"blocks/0/attn/prefix/key/scale", 0, {0}},
        {"blocks/0/attn/prefix/value/tokens", 2, {7, WIDTH}},
        {"blocks/0/attn/prefix/value/scale", 0, {0}},
    };
    struct lae_pet_options options = {.blocks = {0}, .block_count = 1};
    struct lae_pet pet;
    options.site[LAE_SITE_ATTN] =
        (struct lae_pet_site_options){.type = lae_pet_find("lora"), .rank = 2};
    assert_ok(lae_pet_create(&options, &places, &pet));
    assert_tensors(&pet.table, lora_tensors, sizeof lora_tensors / sizeof lora_tensors[0]);
    lae_pet_free(&pet);
    options.site[LAE_SITE_ATTN] =
        (struct lae_pet_site_options){.type = lae_pet_find("prefix"), .length = 7};
    assert_ok(lae_pet_create(&options, &places, &pet));
    assert_tensors(&pet.table, prefix_tensors, sizeof prefix_tensors / sizeof prefix_tensors[0]);
    assert_int_equal(pet.modules[0].type->inserted(&pet.modules[0]), 7);
    lae_pet_free(&pet);
}

static void test_no_modules(void **unused)
{
    (void)unused;
    struct lae_pet pet;
    struct lae_pet_options options = {.blocks = {0, 1}, .block_count = 2};
    assert_ok(lae_pet_create(&options, &places, &pet));
    assert_int_equal(pet.count, 0);
    assert_int_equal(pet.table.total, 0);
    assert_int_equal(pet.first_block, DEPTH);
    lae_pet_free(&pet);
}

/* What a tensor starts as: numbers in [low, high), or `low` where they are equal. */
static void assert_initial(const struct lae_pet *pet, const float *theta, const char *name,
                           double low, double high)
{
    const struct lae_param *param = lae_table_find(&pet->table, name);
    assert_non_null(param);
    size_t index = (size_t)(param - pet->table.items);
    struct lae_random stream = lae_random_stream(99, LAE_RANDOM_INIT, 0, 0, (uint32_t)index);
    for (size_t j = 0; j < param->count; j++) {
        double expected = low == high ? low : low + (high - low) * lae_random_uniform(&stream, j);
        assert_true(theta[param->offset + j] == (float)expected);
    }
}

static void assert_identity(const struct lae_pet *pet, const float *theta, const char *name)
{
    const struct lae_param *param = lae_table_find(&pet->table, name);
    assert_non_null(param);
    size_t taps = param->shape[2] * param->shape[3];
    for (size_t j = 0; j < param->count; j++) {
        size_t out = j / (param->shape[1] * taps), in = j / taps % param->shape[1], tap = j % taps;
        float expected = out == in && tap == taps / 2 ? 1.0f : 0.0f;
        assert_true(theta[param->offset + j] == expected);
    }
}

static void test_initial_bottlenecks(void **unused)
{
    (void)unused;
    struct lae_pet_options options = {.blocks = {0, 4}, .block_count = 2};
    options.site[LAE_SITE_ATTN] = (struct lae_pet_site_options){.type = lae_pet_find("adapter")};
    options.site[LAE_SITE_MLP] = (struct lae_pet_site_options){
        .type = lae_pet_find("conv_adapter"), .hidden = 4, .kernel = 5};
    struct lae_pet pet;
    assert_ok(lae_pet_create(&options, &places, &pet));
    float *theta = floats(pet.table.total);
    lae_pet_init(&pet, 99, theta);
    double bound = 1.0 / sqrt(WIDTH), xavier = sqrt(6.0 / (WIDTH + 4));
    assert_initial(&pet, theta, "blocks/4/attn/adapter/down/weight", -bound, bound);
    assert_initial(&pet, theta, "blocks/4/attn/adapter/down/bias", 0.0, 0.0);
    assert_initial(&pet, theta, "blocks/4/attn/adapter/up/weight", 0.0, 0.0);
    assert_initial(&pet, theta, "blocks/4/attn/adapter/up/bias", 0.0, 0.0);
    assert_initial(&pet, theta, "blocks/4/attn/adapter/scale", 1.0, 1.0);
    assert_initial(&pet, theta, "blocks/0/mlp/conv_adapter/down/weight", -xavier, xavier);
    assert_initial(&pet, theta, "blocks/0/mlp/conv_adapter/down/bias", 0.0, 0.0);
    assert_initial(&pet, theta, "blocks/0/mlp/conv_adapter/up/weight", 0.0, 0.0);
    assert_initial(&pet, theta, "blocks/0/mlp/conv_adapter/scale", 1.0, 1.0);
    assert_initial(&pet, theta, "blocks/0/mlp/conv_adapter/conv/bias", 0.0, 0.0);
    assert_identity(&pet, theta, "blocks/0/mlp/conv_adapter/conv/weight");
    for (size_t i = 0; i < pet.table.total; i++)
        assert_true(isfinite(theta[i])); /* none was left out */
    free(theta);
    lae_pet_free(&pet);
}

static void test_initial_in_attention(void **unused)
{
    (void)unused;
    struct lae_pet_options options = {.blocks = {1, 2}, .block_count = 2};
    struct lae_pet pet;
    options.site[LAE_SITE_ATTN] =
        (struct lae_pet_site_options){.type = lae_pet_find("lora"), .rank = 5};
    assert_ok(lae_pet_create(&options, &places, &pet));
    float *theta = floats(pet.table.total);
    lae_pet_init(&pet, 99, theta);
    double bound = 1.0 / sqrt(WIDTH);
    assert_initial(&pet, theta, "blocks/2/attn/lora/key/A", -bound, bound);
    assert_initial(&pet, theta, "blocks/2/attn/lora/value/A", -bound, bound);
    assert_initial(&pet, theta, "blocks/2/attn/lora/key/B", 0.0, 0.0);
    assert_initial(&pet, theta, "blocks/2/attn/lora/value/B", 0.0, 0.0);
    assert_initial(&pet, theta, "blocks/2/attn/lora/key/scale", 1.0, 1.0);
    assert_initial(&pet, theta, "blocks/2/attn/lora/value/scale", 1.0, 1.0);
    free(theta);
    lae_pet_free(&pet);

    options.site[LAE_SITE_ATTN] =
        (struct lae_pet_site_options){.type = lae_pet_find("prefix"), .length = 10};
    assert_ok(lae_pet_create(&options, &places, &pet));
    theta = floats(pet.table.total);
    lae_pet_init(&pet, 99, theta);
    assert_initial(&pet, theta, "blocks/1/attn/prefix/key/tokens", 0.0, 0.01);
    assert_initial(&pet, theta, "blocks/2/attn/prefix/value/tokens", 0.0, 0.01);
    assert_initial(&pet, theta, "blocks/2/attn/prefix/key/scale", 1.0, 1.0);
    assert_initial(&pet, theta, "blocks/2/attn/prefix/value/scale", 1.0, 1.0);
    free(theta);
    lae_pet_free(&pet);
}

/* ---- errors ------------------------------------------------------------------------------ */

static void assert_refused(const struct lae_pet_options *options, const char *key,
                           const char *detail)
{
    struct lae_pet pet;
    lae_status status = lae_pet_create(options, &places, &pet);
    assert_non_null(status);
    assert_int_equal(lae_status_code(status), LAE_BAD_INPUT);
    const char *message = lae_status_message(status);
    if (strstr(message, key) != message || strstr(message, detail) == NULL)
        fail_msg("the error should begin with \"%s\" and name \"%s\": %s", key, detail, message);
    lae_status_free(status);
}

static void refuse_site(enum lae_site site, struct lae_pet_site_options at, const char *key,
                        const char *detail)
{
    struct lae_pet_options options = {.blocks = {0}, .block_count = 1};
    options.site[site] = at;
    assert_refused(&options, key, detail);
}

static void test_refused_blocks(void **unused)
{
    (void)unused;
    struct lae_pet_options options = {.blocks = {0, DEPTH}, .block_count = 2};
    options.site[LAE_SITE_MLP].type = lae_pet_find("adapter");
    assert_refused(&options, "pet.blocks:", "depth is 5");
    options.blocks[0] = -1;
    assert_refused(&options, "pet.blocks:", "block -1");
    options.blocks[0] = 2;
    options.blocks[1] = 2;
    assert_refused(&options, "pet.blocks:", "once");
    options.blocks[1] = 1;
    assert_refused(&options, "pet.blocks:", "ascending");
}

static void test_refused_sites(void **unused)
{
    (void)unused;
    const struct lae_pet_type *conv = lae_pet_find("conv_adapter"), *low = lae_pet_find("lora");
    const struct lae_pet_type *prefixes = lae_pet_find("prefix");
    const struct lae_pet_type *adapters = lae_pet_find("adapter");
    refuse_site(LAE_SITE_MLP, (struct lae_pet_site_options){.type = low, .rank = 4},
                "pet.mlp.type:", "conv_adapter");
    refuse_site(LAE_SITE_MLP, (struct lae_pet_site_options){.type = prefixes, .length = 4},
                "pet.mlp.type:", "prefix");
    refuse_site(LAE_SITE_ATTN, (struct lae_pet_site_options){.type = low}, "pet.attn.rank:", "0");
    refuse_site(LAE_SITE_ATTN, (struct lae_pet_site_options){.type = prefixes, .length = -3},
                "pet.attn.length:", "-3");
    refuse_site(LAE_SITE_MLP, (struct lae_pet_site_options){.type = adapters, .hidden = -1},
                "pet.mlp.hidden:", "-1");
    refuse_site(LAE_SITE_ATTN, (struct lae_pet_site_options){.type = adapters, .hidden = 1 << 30},
                "pet.attn.hidden:", "65536");
    refuse_site(LAE_SITE_ATTN, (struct lae_pet_site_options){.type = conv, .kernel = 4},
                "pet.attn.kernel:", "odd");
    refuse_site(LAE_SITE_MLP, (struct lae_pet_site_options){.type = conv, .kernel = 0},
                "pet.mlp.kernel:", "odd");
    struct lae_pet_site_options drop = {.type = conv, .kernel = 3, .dropout = 1.0};
    refuse_site(LAE_SITE_ATTN, drop, "pet.attn.dropout:", "less than 1");
    drop.dropout = NAN;
    refuse_site(LAE_SITE_ATTN, drop, "pet.attn.dropout:", "probability");
}

/* The dropout numbers of one module must not run into those of the next. */
static void test_refused_mask(void **unused)
{
    (void)unused;
    struct lae_places large = places;
    for (int block = 0; block < DEPTH; block++)
        large.dims[block].grid_rows = large.dims[block].grid_cols = 64;
    struct lae_pet_options options = {.blocks = {0}, .block_count = 1};
    options.site[LAE_SITE_ATTN] = (struct lae_pet_site_options){
        .type = lae_pet_find("conv_adapter"), .hidden = 4096, .kernel = 1, .dropout = 0.1};
    struct lae_pet pet;
    lae_status status = lae_pet_create(&options, &large, &pet);
    assert_non_null(status);
    assert_non_null(strstr(lae_status_message(status), "pet.attn.hidden"));
    lae_status_free(status);
    options.site[LAE_SITE_ATTN].hidden = 4095;
    assert_ok(lae_pet_create(&options, &large, &pet));
    lae_pet_free(&pet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adapter),
        cmocka_unit_test(test_conv_adapter),
        cmocka_unit_test(test_conv_adapter_dropout),
        cmocka_unit_test(test_lora),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_names_of_bottlenecks),
        cmocka_unit_test(test_names_in_attention),
        cmocka_unit_test(test_no_modules),
        cmocka_unit_test(test_initial_bottlenecks),
        cmocka_unit_test(test_initial_in_attention),
        cmocka_unit_test(test_refused_blocks),
        cmocka_unit_test(test_refused_sites),
        cmocka_unit_test(test_refused_mask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
