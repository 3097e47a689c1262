#include "facts.h"

#include "lae/files/map.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUBLISHED "the published models of width"

/* ---- heads by name and by width */

/* timm's plain Vision Transformers: how their names begin behind "vit_", "deit_" or "deit3_". */
static const struct {
    const char *name;
    int width, heads;
} architectures[] = {
    {"tiny_", 192, 3},     {"pwee_", 256, 4},    {"wee_", 256, 4},        {"little_", 320, 5},
    {"dlittle_", 320, 5},  {"small_", 384, 6},   {"medium_", 512, 8},     {"mediumd_", 512, 8},
    {"dwee_", 256, 4},     {"dpwee_", 256, 4},   {"betwixt_", 640, 10},   {"base_", 768, 12},
    {"so150m2_", 832, 13}, {"so150m_", 896, 14}, {"large_", 1024, 16},    {"so400m_", 1152, 16},
    {"huge_", 1280, 16},   {"giant_", 1408, 16}, {"gigantic_", 1664, 16}, {"intern300m_", 1024, 16},
};
static const struct {
    const char *name;
    int width, heads;
} test_architectures[] = {
    {"test_vit4", 96, 3}, {"test_vit3", 96, 3}, {"test_vit2", 64, 2}, {"test_vit", 64, 2}};

static const struct {
    size_t width;
    int heads;
} published[] = {{192, 3}, {384, 6}, {768, 12}, {1024, 16}, {1280, 16}, {1408, 16}, {1536, 24}};

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void take_architecture(struct lae_facts *facts, const char *name)
{
    static const char *const families[] = {"vit_", "deit_", "deit3_"};
    for (size_t i = 0; i < sizeof test_architectures / sizeof *test_architectures; i++)
        if (facts->heads == 0 && begins(name, test_architectures[i].name)) {
            facts->heads = test_architectures[i].heads;
            facts->width = test_architectures[i].width;
        }
    for (size_t f = 0; f < sizeof families / sizeof *families; f++)
        for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++) {
            bool family = facts->heads == 0 && begins(name, families[f]);
            if (!family || !begins(name + strlen(families[f]), architectures[i].name)) continue;
            facts->heads = architectures[i].heads;
            facts->width = architectures[i].width;
        }
}

/* ---- JSON */

/* A whole number from 1 on, or 0. */
static int count_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    json_int_t number = json_integer_value(value);
    return json_is_integer(value) && number > 0 && number <= INT_MAX ? (int)number : 0;
}

static bool take_three(const json_t *list, double three[3], double least)
{
    if (json_array_size(list) != 3) return false;
    for (size_t i = 0; i < 3; i++) {
        const json_t *item = json_array_get(list, i);
        three[i] = json_number_value(item);
        if (!json_is_number(item) || !isfinite(three[i]) || three[i] < least) return false;
    }
    return true;
}

void lae_weights_pixels_take(struct lae_pixels *pixels, const json_t *mean, const json_t *std,
                             const char *from)
{
    struct lae_pixels found = {.known = true};
    if (!take_three(mean, found.mean, -1e3) || !take_three(std, found.std, 1e-6)) return;
    snprintf(found.from, sizeof found.from, "%s", from);
    *pixels = found;
}

static void set_pixels(struct lae_pixels *pixels, double mean, double std, const char *from)
{
    *pixels = (struct lae_pixels){true, {mean, mean, mean}, {std, std, std}, ""};
    snprintf(pixels->from, sizeof pixels->from, "%s", from);
}

/* timm's augreg weights take pixels in -1..1. */
static void take_tag(struct lae_facts *facts, const json_t *object, const char *key,
                     const char *from)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (text != NULL && strstr(text, "augreg") != NULL && !facts->pixels.known)
        set_pixels(&facts->pixels, 0.5, 0.5, from);
}

static void take_timm(struct lae_facts *facts, const json_t *object, const char *from)
{
    const char *architecture = json_string_value(json_object_get(object, "architecture"));
    int heads = count_of(json_object_get(object, "model_args"), "num_heads");
    lae_weights_pixels_take(&facts->pixels, json_object_get(object, "mean"),
                            json_object_get(object, "std"), from);
    take_tag(facts, object, "tag", from);
    take_tag(facts, object, "architecture", from);
    if (facts->heads == 0) facts->heads = heads;
    if (architecture != NULL) take_architecture(facts, architecture);
}

static void take_transformers(struct lae_facts *facts, const json_t *object)
{
    const json_t *eps = json_object_get(object, "layer_norm_eps");
    const char *activation = json_string_value(json_object_get(object, "hidden_act"));
    double value = json_number_value(eps);
    facts->heads = count_of(object, "num_attention_heads");
    facts->width = count_of(object, "hidden_size");
    facts->depth = count_of(object, "num_hidden_layers");
    if (json_is_number(eps) && isfinite(value) && value > 0.0) facts->layer_norm_eps = value;
    if (activation != NULL)
        snprintf(facts->activation, sizeof facts->activation, "%.31s", activation);
}

void lae_weights_facts_take(struct lae_facts *facts, const json_t *object, const char *from)
{
    *facts = (struct lae_facts){0};
    snprintf(facts->from, sizeof facts->from, "%s", from);
    take_transformers(facts, object);
    take_timm(facts, object, from);
    take_timm(facts, json_object_get(object, "pretrained_cfg"), from);
    int width = count_of(object, "num_features");
    if (width > 0) facts->width = width;
}

/* *object is NULL where there is no such file, or none that can be read. */
static lae_status read_json(const char *directory, const char *name, struct lae_log *log,
                            json_t **object)
{
    char *path = lae_path_join(directory, name);
    *object = NULL;
    if (path == NULL) return lae_out_of_memory(strlen(directory), "a path");
    struct lae_map map;
    lae_status status = lae_path_exists(path) ? lae_map_open(path, &map) : lae_failed("none");
    if (status == NULL) {
        json_error_t error;
        *object = json_loadb((const char *)map.data, map.size, 0, &error);
        if (!json_is_object(*object))
            lae_log_warn(log, "%s: is no JSON object, and not used (%s)", path, error.text);
        lae_map_close(&map);
    }
    lae_status_free(status); /* it need not be there */
    free(path);
    return NULL;
}

lae_status lae_weights_facts_beside(const char *directory, struct lae_log *log,
                                    struct lae_facts *facts)
{
    json_t *config, *processor;
    LAE_TRY(read_json(directory, "config.json", log, &config));
    lae_weights_facts_take(facts, config, "config.json");
    json_decref(config);
    LAE_TRY(read_json(directory, "preprocessor_config.json", log, &processor));
    lae_weights_pixels_take(&facts->pixels, json_object_get(processor, "image_mean"),
                            json_object_get(processor, "image_std"), "preprocessor_config.json");
    json_decref(processor);
    return NULL;
}

char *lae_weights_pixels_text(const struct lae_pixels *pixels)
{
    const double *m = pixels->mean, *s = pixels->std;
    json_t *object =
        json_pack("{s:[f,f,f], s:[f,f,f]}", "mean", m[0], m[1], m[2], "std", s[0], s[1], s[2]);
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}

/* ---- our own files */

lae_status lae_weights_facts_set(struct lae_facts *facts, double eps, int64_t heads)
{
    if (!(isfinite(eps) && eps > 0.0))
        return lae_bad_input("layer_norm_eps is %g; a number above 0 is wanted", eps);
    if (heads < 0 || heads > INT_MAX)
        return lae_bad_input("heads is %lld; 0 (unknown) or more is wanted", (long long)heads);
    facts->layer_norm_eps = eps;
    facts->heads = (int)heads;
    snprintf(facts->from, sizeof facts->from, "the file");
    return NULL;
}

/* ---- together with the tensors */

struct shape {
    size_t width, depth;
};

static struct shape shape_of(const struct lae_weights *weights)
{
    const struct lae_set *set = &weights->tensors;
    struct shape shape = {lae_set_find(set, "cls_token")->shape[2], 0};
    for (char name[64];; shape.depth++) {
        snprintf(name, sizeof name, "blocks/%zu/norm1/weight", shape.depth);
        if (lae_set_find(set, name) == NULL) return shape;
    }
}

/* Whether facts are of a model of that shape; else a warning. */
static bool fit(const char *path, const struct lae_facts *facts, const struct shape *shape,
                struct lae_log *log)
{
    bool width = facts->width == 0 || (size_t)facts->width == shape->width;
    bool depth = facts->depth == 0 || (size_t)facts->depth == shape->depth;
    bool heads = facts->heads == 0 || shape->width % (size_t)facts->heads == 0;
    if (width && depth && heads) return true;
    int told = !width ? facts->width : !depth ? facts->depth : facts->heads;
    size_t found = !width || depth ? shape->width : shape->depth;
    lae_log_warn(log,
                 "%s: %s is of another model, and not used: it tells of %s %d, the tensors "
                 "have %s %zu",
                 path, facts->from,
                 !width   ? "width"
                 : !depth ? "depth"
                          : "heads",
                 told, !width || depth ? "width" : "depth", found);
    return false;
}

static void set_heads(struct lae_weights *weights, int heads, const char *from)
{
    weights->heads = heads;
    weights->heads_told = true;
    snprintf(weights->heads_from, sizeof weights->heads_from, "%s", from);
}

static void take_published(struct lae_weights *weights, size_t width)
{
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        if (published[i].width != width || weights->heads > 0) continue;
        weights->heads = published[i].heads;
        snprintf(weights->heads_from, sizeof weights->heads_from, PUBLISHED " %zu", width);
    }
}

static lae_status check_activation(const struct lae_facts *facts)
{
    static const char *const known[] = {"", "gelu", "gelu_python"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(facts->activation, known[i]) == 0) return NULL;
    return lae_bad_input("%s says hidden_act %s: not supported yet; gelu is", facts->from,
                         facts->activation);
}

static lae_status apply(const char *path, const struct lae_facts *facts, const struct shape *shape,
                        struct lae_log *log, struct lae_weights *weights)
{
    if (!fit(path, facts, shape, log)) return NULL;
    LAE_TRY(check_activation(facts));
    if (facts->heads > 0 && weights->heads == 0) set_heads(weights, facts->heads, facts->from);
    if (facts->heads > 0 && weights->heads != facts->heads)
        lae_log_warn(log, "%s: %s tells of %d heads; %s has %d, which is used", path, facts->from,
                     facts->heads, weights->heads_from, weights->heads);
    if (facts->layer_norm_eps > 0.0) weights->layer_norm_eps = facts->layer_norm_eps;
    if (facts->pixels.known) weights->pixels = facts->pixels;
    return NULL;
}

/* The file's own word comes first, and cannot be passed over. */
static lae_status check_own(const struct lae_facts *own, const struct shape *shape)
{
    if (own->heads > 0 && shape->width % (size_t)own->heads != 0)
        return lae_bad_input("heads is %d, which does not divide the width %zu", own->heads,
                             shape->width);
    return NULL;
}

lae_status lae_weights_facts_apply(const char *path, const struct lae_facts *own,
                                   const struct lae_facts *beside, struct lae_log *log,
                                   struct lae_weights *weights)
{
    struct shape shape = shape_of(weights);
    bool ours = own->layer_norm_eps > 0.0;
    if (ours) LAE_TRY(check_own(own, &shape));
    LAE_TRY(apply(path, own, &shape, log, weights));
    struct lae_facts rest = *beside;
    if (ours) rest.layer_norm_eps = 0.0;
    if (weights->pixels.known) rest.pixels.known = false;
    LAE_TRY(apply(path, &rest, &shape, log, weights));
    take_published(weights, shape.width);
    return NULL;
}
