/* The whole model, forward and backward, against PyTorch in double precision: the feature, the
 * logits, the loss and the gradient of every parameter of every module, for every type at every
 * site and mixtures of them, in the first block, a middle one, and all (the last among them). The
 * fixtures are made by tests/reference/make_gradients.py.
 *
 * And two promises of the pass itself: what the trunk shares does not change the branch, and the
 * gradient of an image does not depend on what the workspace computed before. */
#include "../../src/backbone/vit/vit.h"

#include "lae/files/map.h"
#include "lae/nn/linear.h"

#include <hdf5.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TOLERANCE 2e-4 /* relative, by norm, of a tensor's gradient in float against double */
/* The same of the whole gradient in bf16, whose numbers are 2^-9 off; a single tensor's (a scale:
 * one sum in which much cancels) can be farther. */
#define TOLERANCE_BF16 0.03
#define PATH_TEXT 256

static const char *const names[] = {
    "adapter-none", "none-adapter",         "conv_adapter-none", "none-conv_adapter", "lora-none",
    "prefix-none",  "conv_adapter-adapter", "lora-conv_adapter", "prefix-adapter"};
static const char *const places[] = {"first", "middle", "all"};

struct fixture {
    struct lae_arithmetic arithmetic; /* that cases are computed with */
    hid_t file;
    double eps;
    int heads;
    float *weights;
    struct lae_vit_dims dims;
};

struct fixture_case {
    hid_t group;
    struct lae_backbone *vit;
    struct lae_pet pet;
    float *theta, *image, *gradient, *feature, *d_feature;
    void *packed; /* weights, where the backend packs */
    struct lae_backbone_workspace *workspace;
    int label;
    size_t classes;
    float *head_weight, *head_bias;
};

static void ok(lae_status status)
{
    if (status != NULL) fail_msg("%s", lae_status_message(status));
}

/* Reads a whole dataset as doubles; its length in *count. */
static double *read_doubles(hid_t at, const char *path, size_t *count)
{
    hid_t dataset = H5Dopen2(at, path, H5P_DEFAULT);
    if (dataset < 0) fail_msg("the fixture lacks %s", path);
    hid_t space = H5Dget_space(dataset);
    *count = (size_t)H5Sget_simple_extent_npoints(space);
    double *values = malloc(*count * sizeof *values);
    assert_true(H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Sclose(space);
    H5Dclose(dataset);
    return values;
}

static float *read_floats(hid_t at, const char *path, size_t wanted)
{
    size_t count;
    double *values = read_doubles(at, path, &count);
    if (wanted != 0 && count != wanted)
        fail_msg("%s has %zu values, %zu wanted", path, count, wanted);
    float *out = malloc(count * sizeof *out);
    for (size_t i = 0; i < count; i++)
        out[i] = (float)values[i];
    free(values);
    return out;
}

static int read_int(hid_t at, const char *name)
{
    int value;
    hid_t attribute = H5Aopen(at, name, H5P_DEFAULT);
    assert_true(attribute >= 0);
    assert_true(H5Aread(attribute, H5T_NATIVE_INT, &value) >= 0);
    H5Aclose(attribute);
    return value;
}

static void read_text(hid_t at, const char *name, char *text, size_t size)
{
    hid_t attribute = H5Aopen(at, name, H5P_DEFAULT), type = H5Aget_type(attribute);
    memset(text, 0, size);
    assert_true(H5Tget_size(type) < size);
    assert_true(H5Aread(attribute, type, text) >= 0);
    H5Tclose(type);
    H5Aclose(attribute);
}

static struct lae_backbone *create_backbone(const struct fixture *fixture)
{
    const struct lae_backbone_dims dims =
        lae_backbone_pack_dims(&lae_vit_family, &fixture->dims, sizeof fixture->dims);
    struct lae_backbone *vit;
    ok(lae_backbone_create(&dims, &vit));
    return vit;
}

static int setup(void **state)
{
    const char *source = getenv("LAE_TEST_SOURCE");
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/reference/gradients.h5", source != NULL ? source : ".");
    static struct fixture fixture;
    fixture = (struct fixture){.file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT)};
    if (fixture.file < 0) return -1;
    fixture.heads = read_int(fixture.file, "heads");
    hid_t attribute = H5Aopen(fixture.file, "layer_norm_eps", H5P_DEFAULT);
    H5Aread(attribute, H5T_NATIVE_DOUBLE, &fixture.eps);
    H5Aclose(attribute);
    /* The shapes of the fixture's backbone, see tests/reference/README.md. */
    fixture.dims = (struct lae_vit_dims){.width = 16,
                                         .depth = 3,
                                         .heads = 2,
                                         .head_dim = 8,
                                         .hidden = 32,
                                         .patch = 4,
                                         .image = 16,
                                         .grid = 4,
                                         .tokens = 17,
                                         .eps = (float)fixture.eps};
    assert_int_equal(fixture.heads, 2);
    struct lae_backbone *vit = create_backbone(&fixture);
    fixture.weights = calloc(vit->table.total, sizeof(float));
    for (size_t i = 0; i < vit->table.count; i++) {
        const struct lae_param *item = &vit->table.items[i];
        char name[PATH_TEXT];
        snprintf(name, sizeof name, "/backbone/%s", item->name);
        float *values = read_floats(fixture.file, name, item->count);
        memcpy(fixture.weights + item->offset, values, item->count * sizeof *values);
        free(values);
    }
    lae_backbone_free(vit);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    free(fixture->weights);
    H5Fclose(fixture->file);
    return 0;
}

static void read_options(hid_t group, struct lae_pet_options *options)
{
    *options = (struct lae_pet_options){0};
    char attn[32], mlp[32];
    read_text(group, "attn_type", attn, sizeof attn);
    read_text(group, "mlp_type", mlp, sizeof mlp);
    for (int site = 0; site < LAE_SITES; site++)
        options->site[site] = (struct lae_pet_site_options){
            .type = lae_pet_find(site == LAE_SITE_ATTN ? attn : mlp),
            .hidden = read_int(group, "hidden"),
            .kernel = read_int(group, "kernel"),
            .rank = read_int(group, "rank"),
            .length = read_int(group, "length"),
        };
    hid_t attribute = H5Aopen(group, "blocks", H5P_DEFAULT), space = H5Aget_space(attribute);
    options->block_count = (int)H5Sget_simple_extent_npoints(space);
    H5Aread(attribute, H5T_NATIVE_INT, options->blocks);
    H5Sclose(space);
    H5Aclose(attribute);
}

/* In three parts, as three ranks of a node would. */
static void pack(struct fixture_case *c)
{
    if (c->vit->packed == 0) return;
    c->packed = lae_aligned_calloc(c->vit->packed, 1);
    for (size_t part = 0; part < 3; part++)
        ok(lae_backbone_pack(c->vit, part, 3, c->packed));
    lae_backbone_use_packed(c->vit, c->packed);
}

static void open_case(const struct fixture *fixture, const char *name, struct fixture_case *c)
{
    char path[PATH_TEXT];
    snprintf(path, sizeof path, "/cases/%s", name);
    *c = (struct fixture_case){.group = H5Gopen2(fixture->file, path, H5P_DEFAULT)};
    if (c->group < 0) fail_msg("no case %s", name);
    struct lae_pet_options options;
    read_options(c->group, &options);
    c->vit = create_backbone(fixture);
    ok(lae_pet_create(&options, &c->vit->places, &c->pet));
    ok(lae_backbone_use(c->vit, fixture->weights, lae_kernels_best(), fixture->arithmetic,
                        &c->pet));
    pack(c);
    c->theta = calloc(c->pet.table.total, sizeof(float));
    c->gradient = malloc(c->pet.table.total * sizeof(float));
    for (size_t i = 0; i < c->pet.table.total; i++)
        c->gradient[i] = NAN; /* so that what is not written shows */
    for (size_t i = 0; i < c->pet.table.count; i++) {
        const struct lae_param *item = &c->pet.table.items[i];
        snprintf(path, sizeof path, "pet/%s", item->name);
        float *values = read_floats(c->group, path, item->count);
        memcpy(c->theta + item->offset, values, item->count * sizeof *values);
        free(values);
    }
    size_t d = fixture->dims.width;
    c->image = read_floats(c->group, "image", 3 * fixture->dims.image * fixture->dims.image);
    c->head_weight = read_floats(c->group, "head/weight", 0);
    c->head_bias = read_floats(c->group, "head/bias", 0);
    c->classes = 5;
    c->label = read_int(c->group, "label");
    c->feature = calloc(d, sizeof(float));
    c->d_feature = calloc(d, sizeof(float));
    ok(lae_backbone_workspace_create(c->vit, true, &c->workspace));
}

static void close_case(struct fixture_case *c)
{
    H5Gclose(c->group);
    lae_backbone_workspace_free(c->workspace);
    lae_backbone_free(c->vit);
    lae_pet_free(&c->pet);
    free(c->packed);
    free(c->theta);
    free(c->gradient);
    free(c->image);
    free(c->feature);
    free(c->d_feature);
    free(c->head_weight);
    free(c->head_bias);
}

/* Relative distance by norm. */
static double distance(const float *found, const double *wanted, size_t count)
{
    double apart = 0.0, size = 0.0;
    for (size_t i = 0; i < count; i++) {
        double difference = (double)found[i] - wanted[i];
        apart += difference * difference;
        size += wanted[i] * wanted[i];
    }
    return sqrt(apart) / fmax(sqrt(size), 1e-6);
}

static void expect(const struct fixture_case *c, const char *name, const char *path,
                   const float *found, size_t wanted)
{
    size_t count;
    double *values = read_doubles(c->group, path, &count);
    assert_int_equal(count, wanted);
    double apart = distance(found, values, count);
    if (!(apart < TOLERANCE)) fail_msg("%s: %s is %.2e apart", name, path, apart);
    free(values);
}

/* Forward, loss, backward. */
static void run_case(struct fixture_case *c, float *logits)
{
    size_t d = c->vit->feature;
    lae_backbone_trunk(c->vit, c->workspace, c->image);
    lae_backbone_branch(c->vit, c->theta, c->workspace, NULL, true, c->feature);
    lae_linear(logits, c->classes, c->feature, c->head_weight, c->head_bias, 1, d, c->classes);
    float d_logits[8];
    double sum = 0.0;
    for (size_t i = 0; i < c->classes; i++)
        sum += exp((double)logits[i]);
    for (size_t i = 0; i < c->classes; i++)
        d_logits[i] = (float)(exp((double)logits[i]) / sum - (i == (size_t)c->label ? 1.0 : 0.0));
    lae_linear_backward_input(c->d_feature, d_logits, c->classes, c->head_weight, 1, d, c->classes,
                              0.0F);
    lae_backbone_backward(c->vit, c->theta, c->workspace, NULL, c->d_feature, c->gradient);
}

static void expect_gradients(const struct fixture_case *c, const char *name)
{
    for (size_t i = 0; i < c->pet.table.count; i++) {
        const struct lae_param *item = &c->pet.table.items[i];
        char path[PATH_TEXT];
        snprintf(path, sizeof path, "gradient/%s", item->name);
        expect(c, name, path, c->gradient + item->offset, item->count);
    }
}

/* All tensors as one vector. */
static void expect_whole_gradient(const struct fixture_case *c, const char *name)
{
    double *wanted = calloc(c->pet.table.total, sizeof *wanted);
    for (size_t i = 0; i < c->pet.table.count; i++) {
        const struct lae_param *item = &c->pet.table.items[i];
        char path[PATH_TEXT];
        size_t count;
        snprintf(path, sizeof path, "gradient/%s", item->name);
        double *values = read_doubles(c->group, path, &count);
        assert_int_equal(count, item->count);
        memcpy(wanted + item->offset, values, count * sizeof *values);
        free(values);
    }
    double apart = distance(c->gradient, wanted, c->pet.table.total);
    if (!(apart < TOLERANCE_BF16)) fail_msg("%s: the gradient is %.2e apart", name, apart);
    free(wanted);
}

static void check_case(const struct fixture *fixture, const char *name)
{
    struct fixture_case c;
    float logits[8];
    open_case(fixture, name, &c);
    run_case(&c, logits);
    if (fixture->arithmetic.precision == LAE_PRECISION_BF16) {
        expect_whole_gradient(&c, name);
    } else {
        expect(&c, name, "feature", c.feature, fixture->dims.width);
        expect(&c, name, "logits", logits, c.classes);
        expect_gradients(&c, name);
    }
    close_case(&c);
}

static void all_agree_with_pytorch(const struct fixture *fixture)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (size_t j = 0; j < sizeof places / sizeof places[0]; j++) {
            char name[64];
            snprintf(name, sizeof name, "%s-%s", names[i], places[j]);
            check_case(fixture, name);
        }
}

static void gradients_agree_with_pytorch(void **state)
{
    struct fixture *fixture = *state;
    fixture->arithmetic.backend = LAE_BACKEND_OPENBLAS;
    all_agree_with_pytorch(fixture);
}

static void gradients_agree_by_onednn(void **state)
{
    struct fixture *fixture = *state;
    if (!lae_onednn_is_built_in()) {
        print_message("skipped: oneDNN is not built in\n");
        skip();
    }
    fixture->arithmetic.backend = LAE_BACKEND_ONEDNN;
    all_agree_with_pytorch(fixture);
    fixture->arithmetic.precision = LAE_PRECISION_BF16;
    all_agree_with_pytorch(fixture);
    fixture->arithmetic = (struct lae_arithmetic){0};
}

static void workspace_has_no_memory(void **state)
{
    struct fixture_case c, other;
    float logits[8];
    open_case(*state, "prefix-adapter-all", &c);
    run_case(&c, logits);
    size_t bytes = c.pet.table.total * sizeof(float);
    float *first = malloc(bytes);
    memcpy(first, c.gradient, bytes);
    open_case(*state, "lora-none-all", &other);
    float *image = c.image;
    for (int i = 0; i < 3; i++) { /* another image in between */
        c.image = i == 1 ? other.image : image;
        if (i == 1) c.image[0] += 0.5F;
        run_case(&c, logits);
    }
    c.image = image;
    assert_memory_equal(first, c.gradient, bytes);
    free(first);
    close_case(&c);
    close_case(&other);
}

static void forward_alone_gives_the_same_bits(void **state)
{
    struct fixture_case c;
    float logits[8], feature[16];
    open_case(*state, "conv_adapter-adapter-middle", &c);
    run_case(&c, logits);
    struct lae_backbone_workspace *lean;
    ok(lae_backbone_workspace_create(c.vit, false, &lean));
    assert_true(lean->arena.size < c.workspace->arena.size);
    lae_backbone_trunk(c.vit, lean, c.image);
    for (int again = 0; again < 2; again++) {
        lae_backbone_branch(c.vit, c.theta, lean, NULL, false, feature);
        assert_memory_equal(feature, c.feature, sizeof feature);
    }
    lae_backbone_workspace_free(lean);
    close_case(&c);
}

static void positions_are_resized_as_pytorch_does(void **state)
{
    (void)state;
    /* From torch.nn.functional.interpolate(arange(4).view(1,1,2,2), size=3, mode="bicubic"). */
    const float in[5] = {9.0F, 0.0F, 1.0F, 2.0F, 3.0F};
    const double wanted[10] = {9.0, -0.2604168, 0.3263890, 0.9131944, 0.9131947,
                               1.5, 2.0868058,  2.0868058, 2.6736109, 3.2604170};
    float out[10];
    lae_vit_resize_positions(out, 3, in, 2, 1, 1);
    for (int i = 0; i < 10; i++)
        assert_true(fabs((double)out[i] - wanted[i]) < 1e-6);
    lae_vit_resize_positions(out, 2, in, 2, 1, 1);
    assert_memory_equal(out, in, sizeof in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_agree_with_pytorch),
        cmocka_unit_test(gradients_agree_by_onednn),
        cmocka_unit_test(workspace_has_no_memory),
        cmocka_unit_test(forward_alone_gives_the_same_bits),
        cmocka_unit_test(positions_are_resized_as_pytorch_does),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
