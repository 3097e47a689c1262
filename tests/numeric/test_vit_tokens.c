/* Tokens between the class token and the patches (a distillation token, registers): they go through
 * the blocks as the others do, modules see them, and gradients agree with differences. */
#include "../../src/backbone/vit/vit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 16, DEPTH = 3, GRID = 2, PATCH = 2, IMAGE = GRID * PATCH };

struct model {
    struct lae_vit_dims dims;
    float *weights, *theta, *image;
    struct lae_pet pet;
    struct lae_backbone *vit;
    void *packed; /* weights, where the backend packs */
    struct lae_backbone_workspace *workspace;
};

static void ok(lae_status status)
{
    if (status != NULL) fail_msg("%s", lae_status_message(status));
}

/* The same numbers for the same name, about 0, of that size; norms' weights about 1. */
static void draw(const char *name, float *values, size_t count, double size)
{
    uint64_t seed = 1469598103934665603u;
    for (const char *c = name; *c != '\0'; c++)
        seed = (seed ^ (uint64_t)*c) * 1099511628211u;
    double centre = strstr(name, "norm") != NULL && strstr(name, "weight") != NULL ? 1.0 : 0.0;
    for (size_t i = 0; i < count; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        values[i] = (float)(centre + size * ((double)(seed >> 11) * 0x1p-52 - 1.0));
    }
}

static float *tensor(struct model *m, const char *name)
{
    for (size_t i = 0; i < m->vit->table.count; i++)
        if (strcmp(m->vit->table.items[i].name, name) == 0)
            return m->weights + m->vit->table.items[i].offset;
    fail_msg("no tensor %s", name);
    return NULL;
}

static void open_model(struct model *m, size_t distillation, size_t registers, const char *attn,
                       const char *mlp)
{
    *m = (struct model){.dims = {.width = WIDTH,
                                 .depth = DEPTH,
                                 .heads = 2,
                                 .head_dim = 8,
                                 .hidden = 24,
                                 .patch = PATCH,
                                 .image = IMAGE,
                                 .grid = GRID,
                                 .distillation = distillation,
                                 .registers = registers,
                                 .eps = 1e-6F}};
    m->dims.tokens = lae_vit_prefix_rows(&m->dims) + GRID * GRID;
    const struct lae_backbone_dims packed =
        lae_backbone_pack_dims(&lae_vit_family, &m->dims, sizeof m->dims);
    ok(lae_backbone_create(&packed, &m->vit));
    m->weights = lae_aligned_calloc(m->vit->table.total, sizeof(float));
    m->image = lae_aligned_calloc(3 * IMAGE * IMAGE, sizeof(float));
    for (size_t i = 0; i < m->vit->table.count; i++)
        draw(m->vit->table.items[i].name, m->weights + m->vit->table.items[i].offset,
             m->vit->table.items[i].count, 0.3);
    draw("image", m->image, 3 * IMAGE * IMAGE, 1.0);
    struct lae_pet_options options = {.blocks = {0, 1, 2}, .block_count = 3};
    const char *const types[LAE_SITES] = {attn, mlp};
    for (int site = 0; site < LAE_SITES; site++)
        if (types[site] != NULL)
            options.site[site] = (struct lae_pet_site_options){.type = lae_pet_find(types[site]),
                                                               .hidden = 4,
                                                               .kernel = 3,
                                                               .rank = 2,
                                                               .length = 3};
    ok(lae_pet_create(&options, &m->vit->places, &m->pet));
    m->theta = lae_aligned_calloc(m->pet.table.total, sizeof(float));
    for (size_t i = 0; i < m->pet.table.count; i++)
        draw(m->pet.table.items[i].name, m->theta + m->pet.table.items[i].offset,
             m->pet.table.items[i].count, 0.4);
    ok(lae_backbone_use(m->vit, m->weights, lae_kernels_best(), (struct lae_arithmetic){0},
                        &m->pet));
    if (m->vit->packed > 0) {
        m->packed = lae_aligned_calloc(m->vit->packed, 1);
        ok(lae_backbone_pack(m->vit, 0, 1, m->packed));
        lae_backbone_use_packed(m->vit, m->packed);
    }
    ok(lae_backbone_workspace_create(m->vit, true, &m->workspace));
}

static void close_model(struct model *m)
{
    lae_backbone_workspace_free(m->workspace);
    lae_backbone_free(m->vit);
    lae_pet_free(&m->pet);
    free(m->weights);
    free(m->theta);
    free(m->image);
    free(m->packed);
}

static void compute(struct model *m, float feature[WIDTH])
{
    lae_backbone_trunk(m->vit, m->workspace, m->image);
    lae_backbone_branch(m->vit, m->theta, m->workspace, NULL, true, feature);
}

static double apart(const float *a, const float *b)
{
    double sum = 0.0;
    for (int i = 0; i < WIDTH; i++)
        sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sqrt(sum);
}

static const char *const pairs[][2] = {
    {"adapter", NULL}, {"conv_adapter", "conv_adapter"}, {"lora", "adapter"}, {"prefix", NULL}};
enum { PAIRS = sizeof pairs / sizeof *pairs };

/* A distillation token is one more token: a register of the same values gives the same bits. */
static void tokens_are_alike(void **state)
{
    (void)state;
    for (int p = 0; p < PAIRS; p++) {
        struct model a, b;
        float of_a[WIDTH], of_b[WIDTH];
        open_model(&a, 1, 0, pairs[p][0], pairs[p][1]);
        open_model(&b, 0, 1, pairs[p][0], pairs[p][1]);
        memcpy(tensor(&b, "reg_token"), tensor(&a, "dist_token"), WIDTH * sizeof(float));
        compute(&a, of_a);
        compute(&b, of_b);
        assert_memory_equal(of_a, of_b, sizeof of_a);
        close_model(&a);
        close_model(&b);
    }
}

static void swap_rows(float *rows, size_t i, size_t j)
{
    for (size_t k = 0; k < WIDTH; k++) {
        float value = rows[i * WIDTH + k];
        rows[i * WIDTH + k] = rows[j * WIDTH + k];
        rows[j * WIDTH + k] = value;
    }
}

/* Registers have no order, and are no part of the grid: exchanged with their positions they give the
 * same feature. But they count. */
static void registers_have_no_order(void **state)
{
    (void)state;
    for (int p = 0; p < PAIRS; p++) {
        struct model m;
        float first[WIDTH], second[WIDTH], third[WIDTH];
        open_model(&m, 1, 3, pairs[p][0], pairs[p][1]);
        compute(&m, first);
        swap_rows(tensor(&m, "reg_token"), 0, 2);
        swap_rows(tensor(&m, "pos_embed"), 2, 4);
        compute(&m, second);
        assert_true(apart(first, second) < 1e-5);
        tensor(&m, "reg_token")[WIDTH] += 1.0F;
        compute(&m, third);
        assert_true(apart(second, third) > 1e-3);
        close_model(&m);
    }
}

static double loss(struct model *m, const float *d_feature)
{
    float feature[WIDTH];
    double sum = 0.0;
    compute(m, feature);
    for (int i = 0; i < WIDTH; i++)
        sum += (double)feature[i] * d_feature[i];
    return sum;
}

/* Along the gradient of each tensor the loss changes as the gradient says. */
static void gradients_agree_with_differences(void **state)
{
    (void)state;
    for (int p = 0; p < PAIRS; p++) {
        struct model m;
        float d_feature[WIDTH];
        open_model(&m, 1, 2, pairs[p][0], pairs[p][1]);
        draw("d_feature", d_feature, WIDTH, 1.0);
        float *gradient = lae_aligned_calloc(m.pet.table.total, sizeof *gradient);
        loss(&m, d_feature);
        lae_backbone_backward(m.vit, m.theta, m.workspace, NULL, d_feature, gradient);
        for (size_t i = 0; i < m.pet.table.count; i++) {
            const struct lae_param *item = &m.pet.table.items[i];
            float *theta = m.theta + item->offset, *slope = gradient + item->offset;
            double square = 0.0, ends[2];
            for (size_t k = 0; k < item->count; k++)
                square += (double)slope[k] * slope[k];
            if (square < 1e-8) continue; /* a bias of keys, say */
            float step = (float)(4e-3 / sqrt(square));
            float *before = lae_aligned_calloc(item->count, sizeof *before);
            memcpy(before, theta, item->count * sizeof *before);
            for (int end = 0; end < 2; end++) {
                for (size_t k = 0; k < item->count; k++)
                    theta[k] = before[k] + (end == 0 ? -step : step) * slope[k];
                ends[end] = loss(&m, d_feature);
            }
            memcpy(theta, before, item->count * sizeof *before);
            free(before);
            /* Less than the sum's own rounding is no difference. */
            double change = ends[1] - ends[0], wanted = 2.0 * (double)step * square;
            if (fabs(change - wanted) > 0.02 * wanted + 4e-6)
                fail_msg("%s: changes by %g, not %g", item->name, change, wanted);
        }
        free(gradient);
        close_model(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_alike),
        cmocka_unit_test(registers_have_no_order),
        cmocka_unit_test(gradients_agree_with_differences),
    };
    return cmocka_run_group_tests_name("vit_tokens", tests, NULL, NULL);
}
