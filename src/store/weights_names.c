/* The namings are tables: a recipe a tensor, a table of recipes a naming. Another naming of the
 * same architecture is one more table and one more row of `namings`.
 *
 *     ours      blocks/3/attn/qkv/weight [3D, D]
 *     timm      blocks.3.attn.qkv.weight [3D, D]
 *     Google    Transformer/encoderblock_3/MultiHeadDotProductAttention_1/{query,key,value}/kernel
 *               [D, heads, D/heads], the axes put in order 1, 2, 0
 */
#include "weights_names.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
enum { ONE = LAE_ONE, COLOURS = LAE_COLOURS, WIDTH = LAE_WIDTH, WIDTHS = LAE_WIDTHS,
       TOKENS = LAE_TOKENS, PATCH = LAE_PATCH, HIDDEN = LAE_HIDDEN, HEADS = LAE_HEADS,
       HEAD_WIDTH = LAE_HEAD_WIDTH };

#define SAME {0, 1, 2, 3}
#define TRANSPOSED {1, 0}
#define VECTOR(name) {{name}, 1, {WIDTH}, SAME}
/* clang-format on */

const struct lae_recipe lae_own_tensors[LAE_PARTS] = {
    [LAE_CLS_TOKEN] = {{"cls_token"}, 3, {ONE, ONE, WIDTH}, SAME},
    [LAE_POS_EMBED] = {{"pos_embed"}, 3, {ONE, TOKENS, WIDTH}, SAME},
    [LAE_PATCH_WEIGHT] = {{"patch_embed/proj/weight"}, 4, {WIDTH, COLOURS, PATCH, PATCH}, SAME},
    [LAE_PATCH_BIAS] = VECTOR("patch_embed/proj/bias"),
    [LAE_NORM1_WEIGHT] = VECTOR("blocks/#/norm1/weight"),
    [LAE_NORM1_BIAS] = VECTOR("blocks/#/norm1/bias"),
    [LAE_QKV_WEIGHT] = {{"blocks/#/attn/qkv/weight"}, 2, {WIDTHS, WIDTH}, SAME},
    [LAE_QKV_BIAS] = {{"blocks/#/attn/qkv/bias"}, 1, {WIDTHS}, SAME},
    [LAE_PROJ_WEIGHT] = {{"blocks/#/attn/proj/weight"}, 2, {WIDTH, WIDTH}, SAME},
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

#define LAYER "encoder/layer/#/"
#define SELF LAYER "attention/attention/"

static const struct lae_recipe transformers[LAE_PARTS] = {
    [LAE_CLS_TOKEN] = {{"embeddings/cls_token"}, 3, {ONE, ONE, WIDTH}, SAME},
    [LAE_POS_EMBED] = {{"embeddings/position_embeddings"}, 3, {ONE, TOKENS, WIDTH}, SAME},
    [LAE_PATCH_WEIGHT] = {{"embeddings/patch_embeddings/projection/weight"},
                          4,
                          {WIDTH, COLOURS, PATCH, PATCH},
                          SAME},
    [LAE_PATCH_BIAS] = VECTOR("embeddings/patch_embeddings/projection/bias"),
    [LAE_NORM1_WEIGHT] = VECTOR(LAYER "layernorm_before/weight"),
    [LAE_NORM1_BIAS] = VECTOR(LAYER "layernorm_before/bias"),
    [LAE_QKV_WEIGHT] = {{SELF "query/weight", SELF "key/weight", SELF "value/weight"},
                        2,
                        {WIDTH, WIDTH},
                        SAME},
    [LAE_QKV_BIAS] = {{SELF "query/bias", SELF "key/bias", SELF "value/bias"}, 1, {WIDTH}, SAME},
    [LAE_PROJ_WEIGHT] = {{LAYER "attention/output/dense/weight"}, 2, {WIDTH, WIDTH}, SAME},
    [LAE_PROJ_BIAS] = VECTOR(LAYER "attention/output/dense/bias"),
    [LAE_NORM2_WEIGHT] = VECTOR(LAYER "layernorm_after/weight"),
    [LAE_NORM2_BIAS] = VECTOR(LAYER "layernorm_after/bias"),
    [LAE_FC1_WEIGHT] = {{LAYER "intermediate/dense/weight"}, 2, {HIDDEN, WIDTH}, SAME},
    [LAE_FC1_BIAS] = {{LAYER "intermediate/dense/bias"}, 1, {HIDDEN}, SAME},
    [LAE_FC2_WEIGHT] = {{LAYER "output/dense/weight"}, 2, {WIDTH, HIDDEN}, SAME},
    [LAE_FC2_BIAS] = VECTOR(LAYER "output/dense/bias"),
    [LAE_NORM_WEIGHT] = VECTOR("layernorm/weight"),
    [LAE_NORM_BIAS] = VECTOR("layernorm/bias"),
};

#define BLOCK "Transformer/encoderblock_#/"
#define ATTENTION BLOCK "MultiHeadDotProductAttention_1/"
#define MLP BLOCK "MlpBlock_3/"

static const struct lae_recipe google[LAE_PARTS] = {
    [LAE_CLS_TOKEN] = {{"cls"}, 3, {ONE, ONE, WIDTH}, SAME},
    [LAE_POS_EMBED] = {{"Transformer/posembed_input/pos_embedding"}, 3, {ONE, TOKENS, WIDTH}, SAME},
    [LAE_PATCH_WEIGHT] = {{"embedding/kernel"}, 4, {PATCH, PATCH, COLOURS, WIDTH}, {3, 2, 0, 1}},
    [LAE_PATCH_BIAS] = VECTOR("embedding/bias"),
    [LAE_NORM1_WEIGHT] = VECTOR(BLOCK "LayerNorm_0/scale"),
    [LAE_NORM1_BIAS] = VECTOR(BLOCK "LayerNorm_0/bias"),
    [LAE_QKV_WEIGHT] = {{ATTENTION "query/kernel", ATTENTION "key/kernel",
                         ATTENTION "value/kernel"},
                        3,
                        {WIDTH, HEADS, HEAD_WIDTH},
                        {1, 2, 0}},
    [LAE_QKV_BIAS] = {{ATTENTION "query/bias", ATTENTION "key/bias", ATTENTION "value/bias"},
                      2,
                      {HEADS, HEAD_WIDTH},
                      SAME},
    [LAE_PROJ_WEIGHT] = {{ATTENTION "out/kernel"}, 3, {HEADS, HEAD_WIDTH, WIDTH}, {2, 0, 1}},
    [LAE_PROJ_BIAS] = VECTOR(ATTENTION "out/bias"),
    [LAE_NORM2_WEIGHT] = VECTOR(BLOCK "LayerNorm_2/scale"),
    [LAE_NORM2_BIAS] = VECTOR(BLOCK "LayerNorm_2/bias"),
    [LAE_FC1_WEIGHT] = {{MLP "Dense_0/kernel"}, 2, {WIDTH, HIDDEN}, TRANSPOSED},
    [LAE_FC1_BIAS] = {{MLP "Dense_0/bias"}, 1, {HIDDEN}, SAME},
    [LAE_FC2_WEIGHT] = {{MLP "Dense_1/kernel"}, 2, {HIDDEN, WIDTH}, TRANSPOSED},
    [LAE_FC2_BIAS] = VECTOR(MLP "Dense_1/bias"),
    [LAE_NORM_WEIGHT] = VECTOR("Transformer/encoder_norm/scale"),
    [LAE_NORM_BIAS] = VECTOR("Transformer/encoder_norm/bias"),
};

static const struct lae_naming namings[] = {
    {LAE_CONTAINER_NPZ, LAE_WEIGHTS_NPZ, "", '/', 1e-6, google, {"pre_logits/", "head/"}},
    {LAE_CONTAINER_NPZ,
     LAE_WEIGHTS_NPZ,
     "opt/target/",
     '/',
     1e-6,
     google,
     {"pre_logits/", "head/"}},
    {LAE_CONTAINER_SAFETENSORS,
     LAE_WEIGHTS_TIMM,
     "",
     '.',
     1e-6,
     lae_own_tensors,
     {"pre_logits/", "head/"}},
    {LAE_CONTAINER_SAFETENSORS,
     LAE_WEIGHTS_TRANSFORMERS,
     "",
     '.',
     1e-12,
     transformers,
     {"pooler/", "classifier/"}},
    {LAE_CONTAINER_SAFETENSORS,
     LAE_WEIGHTS_TRANSFORMERS,
     "vit/",
     '.',
     1e-12,
     transformers,
     {"pooler/", "classifier/"}},
    {LAE_CONTAINER_HDF5, LAE_WEIGHTS_HDF5, "", '/', 1e-6, lae_own_tensors, {NULL}},
};

static const struct lae_naming own = {.separator = '/', .prefix = ""};

const char *lae_naming_spell(const struct lae_naming *naming, const char *pattern, size_t block,
                             char text[LAE_TENSOR_NAME])
{
    const char *number = strchr(pattern, '#');
    if (number == NULL)
        snprintf(text, LAE_TENSOR_NAME, "%s%s", naming->prefix, pattern);
    else
        snprintf(text, LAE_TENSOR_NAME, "%s%.*s%zu%s", naming->prefix, (int)(number - pattern),
                 pattern, block, number + 1);
    for (char *at = text; *at != '\0'; at++)
        if (*at == '/') *at = naming->separator;
    return text;
}

const char *lae_own_name(enum lae_part part, size_t block, char text[LAE_TENSOR_NAME])
{
    return lae_naming_spell(&own, lae_own_tensors[part].sources[0], block, text);
}

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

/* The rest of `name` behind `pattern`, or NULL if it does not begin so. */
static const char *follow(const struct lae_naming *naming, const char *pattern, const char *name,
                          size_t *block)
{
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '#') {
            if (!take_number(&name, block)) return NULL;
            continue;
        }
        if (*name != (*pattern == '/' ? naming->separator : *pattern)) return NULL;
        name++;
    }
    return name;
}

/* Whether the naming has this name; raises *depth to hold its block. */
static bool knows(const struct lae_naming *naming, const char *name, size_t *depth)
{
    size_t block = 0;
    name = follow(naming, naming->prefix, name, &block);
    if (name == NULL) return false;
    for (int part = 0; part < LAE_PARTS; part++)
        for (int i = 0; i < LAE_MAX_SOURCES && naming->recipes[part].sources[i] != NULL; i++) {
            const char *rest = follow(naming, naming->recipes[part].sources[i], name, &block);
            if (rest == NULL || *rest != '\0') continue;
            if (block + 1 > *depth) *depth = block + 1;
            return true;
        }
    return false;
}

static bool ignores(const struct lae_naming *naming, const char *name)
{
    size_t block = 0;
    const char *bare = follow(naming, naming->prefix, name, &block);
    for (int i = 0; i < LAE_MAX_SOURCES && naming->ignored[i] != NULL; i++) {
        if (follow(naming, naming->ignored[i], name, &block) != NULL) return true;
        if (bare != NULL && follow(naming, naming->ignored[i], bare, &block) != NULL) return true;
    }
    return false;
}

static size_t count_known(const struct lae_naming *naming, const struct lae_raw_file *file,
                          size_t *depth)
{
    size_t known = 0;
    *depth = 1;
    for (size_t i = 0; i < file->count; i++)
        known += knows(naming, file->items[i].name, depth);
    return known;
}

static lae_status refuse_unknown(const struct lae_naming *naming, const struct lae_raw_file *file)
{
    size_t depth = 0;
    for (size_t i = 0; i < file->count; i++) {
        const char *name = file->items[i].name;
        if (knows(naming, name, &depth) || ignores(naming, name)) continue;
        return lae_bad_input(
            "tensor %s is of another architecture: a plain Vision Transformer with "
            "%s names has none of that name",
            name, lae_weights_format_name(naming->format));
    }
    return NULL;
}

lae_status lae_naming_find(const struct lae_raw_file *file, const struct lae_naming **naming,
                           size_t *depth)
{
    size_t most = 0;
    for (size_t i = 0; i < sizeof namings / sizeof *namings; i++) {
        size_t blocks;
        if (namings[i].container != file->container) continue;
        size_t known = count_known(&namings[i], file, &blocks);
        if (known <= most) continue;
        most = known;
        *naming = &namings[i];
        *depth = blocks;
    }
    if (file->count == 0) return lae_bad_input("holds no tensors");
    if (most == 0)
        return lae_bad_input("is of another architecture: no tensor has a name known from Vision "
                             "Transformers; the first is %s",
                             file->items[0].name);
    return refuse_unknown(*naming, file);
}

const char *lae_weights_format_name(enum lae_weights_format format)
{
    static const char *const names[] = {
        [LAE_WEIGHTS_NPZ] = "Google npz",
        [LAE_WEIGHTS_TIMM] = "timm safetensors",
        [LAE_WEIGHTS_TRANSFORMERS] = "transformers safetensors",
        [LAE_WEIGHTS_HDF5] = "HDF5",
    };
    return names[format];
}
