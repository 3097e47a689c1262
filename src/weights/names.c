/* The namings are tables: a recipe a tensor, a table of recipes a naming. Another naming of the
 * same architecture is one more table and one more row of `namings`.
 *
 *     ours      blocks/3/attn/qkv/weight [3D, D]
 *     timm      blocks.3.attn.qkv.weight [3D, D]
 *     Google    Transformer/encoderblock_3/MultiHeadDotProductAttention_1/{query,key,value}/kernel
 *               [D, heads, D/heads], the axes put in order 1, 2, 0
 *
 * In front of all names may stand more: module., backbone., params/img/, ... Which naming and which
 * prefix a file has is found by counting: whatever stands in front of a name that ends as a
 * naming's does is a candidate, and the one with the most names has it.
 */
#include "names.h"

#include "strangers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
enum { ONE = LAE_ONE, COLOURS = LAE_COLOURS, WIDTH = LAE_WIDTH, WIDTHS = LAE_WIDTHS,
       REGISTERS = LAE_REGISTERS, TOKENS = LAE_TOKENS, PATCH = LAE_PATCH, HIDDEN = LAE_HIDDEN,
       HEADS = LAE_HEADS, HEAD_WIDTH = LAE_HEAD_WIDTH };

#define SAME {0, 1, 2, 3}
#define TRANSPOSED {1, 0}
#define VECTOR(name) {{name}, 1, {WIDTH}, SAME}
#define TOKEN(name) {{name}, 3, {ONE, ONE, WIDTH}, SAME}
#define ROWS(name) {{name}, 3, {ONE, REGISTERS, WIDTH}, SAME}
#define POSITIONS(name) {{name}, 3, {ONE, TOKENS, WIDTH}, SAME}
#define PATCHES(name) {{name}, 4, {WIDTH, COLOURS, PATCH, PATCH}, SAME}
#define SQUARE(name) {{name}, 2, {WIDTH, WIDTH}, SAME}

const struct lae_recipe lae_weights_own_tensors[LAE_PARTS] = {
    [LAE_CLS_TOKEN] = TOKEN("cls_token"),
    [LAE_DIST_TOKEN] = TOKEN("dist_token"),
    [LAE_REG_TOKEN] = ROWS("reg_token"),
    [LAE_POS_EMBED] = POSITIONS("pos_embed"),
    [LAE_PATCH_WEIGHT] = PATCHES("patch_embed/proj/weight"),
    [LAE_PATCH_BIAS] = VECTOR("patch_embed/proj/bias"),
    [LAE_NORM1_WEIGHT] = VECTOR("blocks/#/norm1/weight"),
    [LAE_NORM1_BIAS] = VECTOR("blocks/#/norm1/bias"),
    [LAE_QKV_WEIGHT] = {{"blocks/#/attn/qkv/weight"}, 2, {WIDTHS, WIDTH}, SAME},
    [LAE_QKV_BIAS] = {{"blocks/#/attn/qkv/bias"}, 1, {WIDTHS}, SAME},
    [LAE_PROJ_WEIGHT] = SQUARE("blocks/#/attn/proj/weight"),
    [LAE_PROJ_BIAS] = VECTOR("blocks/#/attn/proj/bias"),
    [LAE_NORM2_WEIGHT] = VECTOR("blocks/#/norm2/weight"),
    [LAE_NORM2_BIAS] = VECTOR("blocks/#/norm2/bias"),
    [LAE_FC1_WEIGHT] = {{"blocks/#/mlp/fc1/weight"}, 2, {HIDDEN, WIDTH}, SAME},
    [LAE_FC1_BIAS] = {{"blocks/#/mlp/fc1/bias"}, 1, {HIDDEN}, SAME},
    [LAE_FC2_WEIGHT] = {{"blocks/#/mlp/fc2/weight"}, 2, {WIDTH, HIDDEN}, SAME},
    [LAE_FC2_BIAS] = VECTOR("blocks/#/mlp/fc2/bias"),
    [LAE_NORM_WEIGHT] = VECTOR("norm/weight"),
    [LAE_NORM_BIAS] = VECTOR("norm/bias"),
};

/* transformers: how a layer and what is in it are called changed with version 5. */
#define TRANSFORMERS(LAYER, QUERY, KEY, VALUE, OUT, FC1, FC2) {                                    \
    [LAE_CLS_TOKEN] = TOKEN("embeddings/cls_token"),                                               \
    [LAE_DIST_TOKEN] = TOKEN("embeddings/distillation_token"),                                     \
    [LAE_REG_TOKEN] = ROWS("embeddings/register_tokens"),                                          \
    [LAE_POS_EMBED] = POSITIONS("embeddings/position_embeddings"),                                 \
    [LAE_PATCH_WEIGHT] = PATCHES("embeddings/patch_embeddings/projection/weight"),                 \
    [LAE_PATCH_BIAS] = VECTOR("embeddings/patch_embeddings/projection/bias"),                      \
    [LAE_NORM1_WEIGHT] = VECTOR(LAYER "layernorm_before/weight"),                                  \
    [LAE_NORM1_BIAS] = VECTOR(LAYER "layernorm_before/bias"),                                      \
    [LAE_QKV_WEIGHT] = {{LAYER QUERY "/weight", LAYER KEY "/weight", LAYER VALUE "/weight"},       \
                        2, {WIDTH, WIDTH}, SAME},                                                  \
    [LAE_QKV_BIAS] = {{LAYER QUERY "/bias", LAYER KEY "/bias", LAYER VALUE "/bias"},               \
                      1, {WIDTH}, SAME},                                                           \
    [LAE_PROJ_WEIGHT] = SQUARE(LAYER OUT "/weight"),                                               \
    [LAE_PROJ_BIAS] = VECTOR(LAYER OUT "/bias"),                                                   \
    [LAE_NORM2_WEIGHT] = VECTOR(LAYER "layernorm_after/weight"),                                   \
    [LAE_NORM2_BIAS] = VECTOR(LAYER "layernorm_after/bias"),                                       \
    [LAE_FC1_WEIGHT] = {{LAYER FC1 "/weight"}, 2, {HIDDEN, WIDTH}, SAME},                          \
    [LAE_FC1_BIAS] = {{LAYER FC1 "/bias"}, 1, {HIDDEN}, SAME},                                     \
    [LAE_FC2_WEIGHT] = {{LAYER FC2 "/weight"}, 2, {WIDTH, HIDDEN}, SAME},                          \
    [LAE_FC2_BIAS] = VECTOR(LAYER FC2 "/bias"),                                                    \
    [LAE_NORM_WEIGHT] = VECTOR("layernorm/weight"),                                                \
    [LAE_NORM_BIAS] = VECTOR("layernorm/bias"),                                                    \
}

static const struct lae_recipe transformers_4[LAE_PARTS] =
    TRANSFORMERS("encoder/layer/#/", "attention/attention/query", "attention/attention/key",
                 "attention/attention/value", "attention/output/dense", "intermediate/dense",
                 "output/dense");

static const struct lae_recipe transformers_5[LAE_PARTS] =
    TRANSFORMERS("layers/#/", "attention/q_proj", "attention/k_proj", "attention/v_proj",
                 "attention/o_proj", "mlp/fc1", "mlp/fc2");

/* torchvision: the MLP's linear maps had names before they had numbers. */
#define LAYER "encoder/layers/encoder_layer_#/"
#define TORCHVISION(FC1, FC2) {                                                                    \
    [LAE_CLS_TOKEN] = TOKEN("class_token"),                                                        \
    [LAE_POS_EMBED] = POSITIONS("encoder/pos_embedding"),                                          \
    [LAE_PATCH_WEIGHT] = PATCHES("conv_proj/weight"),                                              \
    [LAE_PATCH_BIAS] = VECTOR("conv_proj/bias"),                                                   \
    [LAE_NORM1_WEIGHT] = VECTOR(LAYER "ln_1/weight"),                                              \
    [LAE_NORM1_BIAS] = VECTOR(LAYER "ln_1/bias"),                                                  \
    [LAE_QKV_WEIGHT] = {{LAYER "self_attention/in_proj_weight"}, 2, {WIDTHS, WIDTH}, SAME},        \
    [LAE_QKV_BIAS] = {{LAYER "self_attention/in_proj_bias"}, 1, {WIDTHS}, SAME},                   \
    [LAE_PROJ_WEIGHT] = SQUARE(LAYER "self_attention/out_proj/weight"),                            \
    [LAE_PROJ_BIAS] = VECTOR(LAYER "self_attention/out_proj/bias"),                                \
    [LAE_NORM2_WEIGHT] = VECTOR(LAYER "ln_2/weight"),                                              \
    [LAE_NORM2_BIAS] = VECTOR(LAYER "ln_2/bias"),                                                  \
    [LAE_FC1_WEIGHT] = {{LAYER FC1 "/weight"}, 2, {HIDDEN, WIDTH}, SAME},                          \
    [LAE_FC1_BIAS] = {{LAYER FC1 "/bias"}, 1, {HIDDEN}, SAME},                                     \
    [LAE_FC2_WEIGHT] = {{LAYER FC2 "/weight"}, 2, {WIDTH, HIDDEN}, SAME},                          \
    [LAE_FC2_BIAS] = VECTOR(LAYER FC2 "/bias"),                                                    \
    [LAE_NORM_WEIGHT] = VECTOR("encoder/ln/weight"),                                               \
    [LAE_NORM_BIAS] = VECTOR("encoder/ln/bias"),                                                   \
}

static const struct lae_recipe torchvision[LAE_PARTS] = TORCHVISION("mlp/0", "mlp/3");
static const struct lae_recipe torchvision_old[LAE_PARTS] =
    TORCHVISION("mlp/linear_1", "mlp/linear_2");

/* Google's vision_transformer, and big_vision, which counts its layers another way. */
#define BLOCK "Transformer/encoderblock_#/"
#define JAX(POSITION, NORM2, ATTENTION, MLP) {                                                     \
    [LAE_CLS_TOKEN] = TOKEN("cls"),                                                                \
    [LAE_POS_EMBED] = POSITIONS(POSITION),                                                         \
    [LAE_PATCH_WEIGHT] = {{"embedding/kernel"}, 4, {PATCH, PATCH, COLOURS, WIDTH}, {3, 2, 0, 1}},  \
    [LAE_PATCH_BIAS] = VECTOR("embedding/bias"),                                                   \
    [LAE_NORM1_WEIGHT] = VECTOR(BLOCK "LayerNorm_0/scale"),                                        \
    [LAE_NORM1_BIAS] = VECTOR(BLOCK "LayerNorm_0/bias"),                                           \
    [LAE_QKV_WEIGHT] = {{BLOCK ATTENTION "/query/kernel", BLOCK ATTENTION "/key/kernel",           \
                         BLOCK ATTENTION "/value/kernel"},                                         \
                        3, {WIDTH, HEADS, HEAD_WIDTH}, {1, 2, 0}},                                 \
    [LAE_QKV_BIAS] = {{BLOCK ATTENTION "/query/bias", BLOCK ATTENTION "/key/bias",                 \
                       BLOCK ATTENTION "/value/bias"},                                             \
                      2, {HEADS, HEAD_WIDTH}, SAME},                                               \
    [LAE_PROJ_WEIGHT] = {{BLOCK ATTENTION "/out/kernel"},                                          \
                         3, {HEADS, HEAD_WIDTH, WIDTH}, {2, 0, 1}},                                \
    [LAE_PROJ_BIAS] = VECTOR(BLOCK ATTENTION "/out/bias"),                                         \
    [LAE_NORM2_WEIGHT] = VECTOR(BLOCK NORM2 "/scale"),                                             \
    [LAE_NORM2_BIAS] = VECTOR(BLOCK NORM2 "/bias"),                                                \
    [LAE_FC1_WEIGHT] = {{BLOCK MLP "/Dense_0/kernel"}, 2, {WIDTH, HIDDEN}, TRANSPOSED},            \
    [LAE_FC1_BIAS] = {{BLOCK MLP "/Dense_0/bias"}, 1, {HIDDEN}, SAME},                             \
    [LAE_FC2_WEIGHT] = {{BLOCK MLP "/Dense_1/kernel"}, 2, {HIDDEN, WIDTH}, TRANSPOSED},            \
    [LAE_FC2_BIAS] = VECTOR(BLOCK MLP "/Dense_1/bias"),                                            \
    [LAE_NORM_WEIGHT] = VECTOR("Transformer/encoder_norm/scale"),                                  \
    [LAE_NORM_BIAS] = VECTOR("Transformer/encoder_norm/bias"),                                     \
}

static const struct lae_recipe google[LAE_PARTS] =
    JAX("Transformer/posembed_input/pos_embedding", "LayerNorm_2", "MultiHeadDotProductAttention_1",
        "MlpBlock_3");
static const struct lae_recipe big_vision[LAE_PARTS] =
    JAX("pos_embedding", "LayerNorm_1", "MultiHeadDotProductAttention_0", "MlpBlock_0");
/* clang-format on */

static const struct lae_naming namings[] = {
    {"timm", '.', 1e-6, lae_weights_own_tensors},   {"transformers", '.', 1e-12, transformers_4},
    {"transformers 5", '.', 1e-12, transformers_5}, {"torchvision", '.', 1e-6, torchvision},
    {"torchvision", '.', 1e-6, torchvision_old},    {"Google", '/', 1e-6, google},
    {"big_vision", '/', 1e-6, big_vision},
};
static const struct lae_naming own = {"own", '/', 1e-6, lae_weights_own_tensors};

/* ---- names from patterns */

const char *lae_weights_naming_spell(const struct lae_spelling *spelling, const char *pattern,
                                     size_t block, char text[LAE_TENSOR_NAME])
{
    const char *number = strchr(pattern, '#');
    size_t start = (size_t)snprintf(text, LAE_TENSOR_NAME, "%s", spelling->prefix);
    size_t room = LAE_TENSOR_NAME - start;
    if (number == NULL)
        snprintf(text + start, room, "%s", pattern);
    else
        snprintf(text + start, room, "%.*s%zu%s", (int)(number - pattern), pattern, block,
                 number + 1);
    for (char *at = text + start; *at != '\0'; at++)
        if (*at == '/') *at = spelling->naming->separator;
    return text;
}

const char *lae_weights_own_name(enum lae_part part, size_t block, char text[LAE_TENSOR_NAME])
{
    static const struct lae_spelling spelling = {&own, "", 0};
    return lae_weights_naming_spell(&spelling, lae_weights_own_tensors[part].sources[0], block,
                                    text);
}

/* ---- patterns from names */

/* Steps over a block's number: at most three digits (nobody is deeper), no leading zeros. */
static bool take_number(const char **name, size_t *number)
{
    const char *at = *name;
    size_t value = 0;
    for (; *at >= '0' && *at <= '9' && at - *name < 3; at++)
        value = 10 * value + (size_t)(*at - '0');
    if (at == *name || (**name == '0' && at - *name > 1)) return false;
    *name = at;
    *number = value;
    return true;
}

/* Whether `name` is what the pattern stands for. */
static bool follows(const struct lae_naming *naming, const char *pattern, const char *name,
                    size_t *block)
{
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '#') {
            if (!take_number(&name, block)) return false;
            continue;
        }
        if (*name != (*pattern == '/' ? naming->separator : *pattern)) return false;
        name++;
    }
    return *name == '\0';
}

/* Whether the naming has this name; raises *depth to hold its block. */
static bool has_name(const struct lae_naming *naming, const char *name, size_t *depth)
{
    size_t block = 0;
    for (int part = 0; part < LAE_PARTS; part++)
        for (int i = 0; i < LAE_MAX_SOURCES && naming->recipes[part].sources[i] != NULL; i++) {
            if (!follows(naming, naming->recipes[part].sources[i], name, &block)) continue;
            if (block + 1 > *depth) *depth = block + 1;
            return true;
        }
    return false;
}

/* Whether it has it behind the prefix. */
static bool knows(const struct lae_spelling *spelling, const char *name, size_t *depth)
{
    size_t length = strlen(spelling->prefix);
    if (strncmp(name, spelling->prefix, length) != 0) return false;
    return has_name(spelling->naming, name + length, depth);
}

/* ---- which naming, which prefix */

enum { MAX_CANDIDATES = 64 };

struct candidate {
    struct lae_spelling spelling;
    size_t known;     /* names that follow it */
    bool has_patches; /* the embedding's weight among them */
};

struct search {
    struct candidate items[MAX_CANDIDATES];
    size_t count;
};

static struct candidate *find_candidate(struct search *search, const struct lae_naming *naming,
                                        const char *name, size_t length)
{
    for (size_t i = 0; i < search->count; i++) {
        struct candidate *item = &search->items[i];
        if (item->spelling.naming == naming && strlen(item->spelling.prefix) == length &&
            memcmp(item->spelling.prefix, name, length) == 0)
            return item;
    }
    if (search->count == MAX_CANDIDATES || length >= LAE_TENSOR_PREFIX) return NULL;
    struct candidate *item = &search->items[search->count++];
    *item = (struct candidate){.spelling = {.naming = naming, .depth = 1}};
    memcpy(item->spelling.prefix, name, length);
    return item;
}

/* What stands in front of a name that ends as one of the naming's. Two tensors are enough to find
 * all candidates: the embedding of patches, and a norm of the blocks. */
static void propose(struct search *search, const struct lae_naming *naming, const char *name)
{
    static const enum lae_part telling[] = {LAE_PATCH_WEIGHT, LAE_NORM1_WEIGHT, LAE_NORM1_BIAS};
    size_t length = strlen(name), block;
    if (length >= LAE_TENSOR_NAME) return;
    for (size_t at = 0; at < length; at++) {
        if (at > 0 && name[at - 1] != naming->separator) continue;
        for (size_t i = 0; i < sizeof telling / sizeof *telling; i++) {
            const char *pattern = naming->recipes[telling[i]].sources[0];
            if (!follows(naming, pattern, name + at, &block)) continue;
            struct candidate *found = find_candidate(search, naming, name, at);
            if (found != NULL) found->has_patches |= telling[i] == LAE_PATCH_WEIGHT;
        }
    }
}

static void propose_all(struct search *search, const struct lae_raw_file *file)
{
    if (file->container == LAE_CONTAINER_HDF5) {
        find_candidate(search, &own, "", 0);
        return;
    }
    for (size_t n = 0; n < sizeof namings / sizeof *namings; n++)
        for (size_t i = 0; i < file->count; i++)
            propose(search, &namings[n], file->items[i].name);
}

static void count_known(struct candidate *candidate, const struct lae_raw_file *file)
{
    for (size_t i = 0; i < file->count; i++)
        candidate->known +=
            knows(&candidate->spelling, file->items[i].name, &candidate->spelling.depth);
}

static const char *shown_prefix(const struct candidate *candidate)
{
    return candidate->spelling.prefix[0] != '\0' ? candidate->spelling.prefix : "(none)";
}

/* Two whole backbones, a teacher and its student say, are two answers. */
static lae_status check_alone(const struct search *search, const struct candidate *best)
{
    for (size_t i = 0; i < search->count; i++) {
        const struct candidate *other = &search->items[i];
        if (other == best || !other->has_patches || !best->has_patches) continue;
        if (strcmp(other->spelling.prefix, best->spelling.prefix) == 0) continue;
        return lae_bad_input("holds two backbones, with names that begin %s and %s; which one is "
                             "meant cannot be known: save the tensors of one alone",
                             shown_prefix(best), shown_prefix(other));
    }
    return NULL;
}

static lae_status search_best(struct search *search, const struct lae_raw_file *file,
                              struct lae_spelling *spelling)
{
    const struct candidate *best = NULL;
    propose_all(search, file);
    for (size_t i = 0; i < search->count; i++) {
        count_known(&search->items[i], file);
        if (best == NULL || search->items[i].known > best->known) best = &search->items[i];
    }
    if (best == NULL || best->known == 0) return lae_weights_strangers_refuse(file);
    LAE_TRY(check_alone(search, best));
    *spelling = best->spelling;
    return NULL;
}

lae_status lae_weights_naming_find(const char *path, const struct lae_raw_file *file,
                                   struct lae_log *log, struct lae_spelling *spelling)
{
    if (file->count == 0) return lae_bad_input("holds no tensors");
    struct search *search = calloc(1, sizeof *search);
    if (search == NULL) return lae_out_of_memory(sizeof *search, "names of tensors");
    lae_status status = search_best(search, file, spelling);
    free(search);
    LAE_TRY(status);
    struct lae_strangers strangers = {0};
    size_t unused = 0;
    for (size_t i = 0; i < file->count; i++)
        if (!knows(spelling, file->items[i].name, &unused))
            LAE_TRY(lae_weights_strangers_add(&strangers, &file->items[i], spelling));
    LAE_TRY(lae_weights_strangers_check(&strangers, spelling));
    if (spelling->prefix[0] != '\0')
        lae_log_info(log, "%s: the names begin with %s, which is taken off", path,
                     spelling->prefix);
    lae_weights_strangers_tell(&strangers, path, log);
    return NULL;
}
