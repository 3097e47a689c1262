/* The operations that lae_backbone_count_flops claims are those that the passes really make: here every
 * product goes through a counter on its way to BLAS. */
#define _GNU_SOURCE
#include "../../src/backbone/vit/vit.h"

#include <cblas.h>
#include <dlfcn.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static double counted;

/* In the place of the library's. */
void cblas_sgemm(const enum CBLAS_ORDER order, const enum CBLAS_TRANSPOSE ta,
                 const enum CBLAS_TRANSPOSE tb, const blasint m, const blasint n, const blasint k,
                 const float alpha, const float *a, const blasint lda, const float *b,
                 const blasint ldb, const float beta, float *c, const blasint ldc)
{
    static void (*blas)(enum CBLAS_ORDER, enum CBLAS_TRANSPOSE, enum CBLAS_TRANSPOSE, blasint,
                        blasint, blasint, float, const float *, blasint, const float *, blasint,
                        float, float *, blasint);
    if (blas == NULL) *(void **)&blas = dlsym(RTLD_NEXT, "cblas_sgemm");
    counted += 2.0 * (double)m * (double)n * (double)k;
    blas(order, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

static void ok(lae_status status)
{
    if (status != NULL) fail_msg("%s", lae_status_message(status));
}

static void expect_count(const char *pass, const char *attn, const char *mlp, double claimed)
{
    if (fabs(counted - claimed) > 1e-6 * claimed)
        fail_msg("%s with attn %s, mlp %s: %.0f operations are made, %.0f claimed", pass, attn, mlp,
                 counted, claimed);
    counted = 0.0;
}

static void check(const struct lae_vit_dims *dims, const char *attn, const char *mlp, int first)
{
    struct lae_pet_options options = {.block_count = (int)dims->depth - first};
    for (int i = 0; i < options.block_count; i++)
        options.blocks[i] = first + i;
    const struct lae_pet_site_options site = {.hidden = 5, .kernel = 3, .rank = 4, .length = 6};
    options.site[LAE_SITE_ATTN] = options.site[LAE_SITE_MLP] = site;
    options.site[LAE_SITE_ATTN].type = lae_pet_find(attn);
    options.site[LAE_SITE_MLP].type = lae_pet_find(mlp);
    const struct lae_backbone_dims packed =
        lae_backbone_pack_dims(&lae_vit_family, dims, sizeof *dims);
    struct lae_pet pet;
    struct lae_backbone *vit;
    struct lae_backbone_workspace *workspace;
    ok(lae_backbone_create(&packed, &vit));
    float *weights = calloc(vit->table.total, sizeof *weights);
    ok(lae_pet_create(&options, &vit->places, &pet));
    ok(lae_backbone_use(vit, weights, lae_kernels_best(),
                        (struct lae_arithmetic){LAE_BACKEND_OPENBLAS, LAE_PRECISION_FP32}, &pet));
    ok(lae_backbone_workspace_create(vit, true, &workspace));
    struct lae_backbone_flops flops = lae_backbone_count_flops(vit);
    float *theta = calloc(pet.table.total, sizeof *theta);
    float *gradient = calloc(pet.table.total, sizeof *gradient);
    float *image = calloc(3 * dims->image * dims->image, sizeof *image);
    float *feature = calloc(dims->width, sizeof *feature);

    counted = 0.0;
    lae_backbone_trunk(vit, workspace, image);
    expect_count("trunk", attn, mlp, flops.trunk);
    lae_backbone_branch(vit, theta, workspace, NULL, true, feature);
    expect_count("branch", attn, mlp, flops.branch);
    lae_backbone_backward(vit, theta, workspace, NULL, feature, gradient);
    expect_count("backward", attn, mlp, flops.backward);

    free(theta);
    free(gradient);
    free(image);
    free(feature);
    free(weights);
    lae_backbone_workspace_free(workspace);
    lae_backbone_free(vit);
    lae_pet_free(&pet);
}

static void claims_are_what_is_computed(void **state)
{
    (void)state;
    const struct lae_vit_dims dims = {.width = 24,
                                      .depth = 3,
                                      .heads = 3,
                                      .head_dim = 8,
                                      .hidden = 40,
                                      .patch = 4,
                                      .image = 20,
                                      .grid = 5,
                                      .tokens = 26,
                                      .eps = 1e-6F};
    static const char *const pairs[][2] = {
        {"adapter", "none"},      {"none", "adapter"},         {"conv_adapter", "conv_adapter"},
        {"lora", "none"},         {"prefix", "none"},          {"prefix", "adapter"},
        {"none", "conv_adapter"}, {"adapter", "conv_adapter"}, {"lora", "adapter"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        for (int first = 0; first < 3; first++)
            check(&dims, pairs[i][0], pairs[i][1], first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(claims_are_what_is_computed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
