/* Follows the recipes of weights_names.c. The sizes of the network are not looked for beforehand:
 * each is unknown until a tensor has it, and from then on binds all others.
 *
 *     cls_token [1, 1, D]   any D: 192, say
 *     pos_embed [1, 1 + g*g, 192]   any g
 */
#include "weights_assemble.h"

#include "lae/base/arena.h"
#include "weights_names.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct assembly {
    struct lae_raw_file *file;
    const struct lae_naming *naming;
    size_t depth;
    size_t extents[LAE_EXTENTS]; /* 0: not known yet */
    struct lae_weights *weights;
};

/* What the extents must be to each other; unknown ones are fine. */
static bool consistent(const size_t extents[LAE_EXTENTS])
{
    if (extents[LAE_TOKENS] != 0) {
        size_t patches = extents[LAE_TOKENS] - 1;
        size_t side = (size_t)lround(sqrt((double)patches));
        if (patches == 0 || side * side != patches) return false;
    }
    if (extents[LAE_HEADS] == 0) return true;
    return extents[LAE_HEADS] <= INT_MAX && extents[LAE_WIDTH] % extents[LAE_HEADS] == 0 &&
           extents[LAE_WIDTH] / extents[LAE_HEADS] == extents[LAE_HEAD_WIDTH];
}

/* Whether the tensor has the recipe's shape; if so, what was unknown is known from here on. */
static bool bind_shape(const struct lae_recipe *recipe, const struct lae_raw *raw,
                       size_t extents[LAE_EXTENTS])
{
    size_t known[LAE_EXTENTS];
    memcpy(known, extents, sizeof known);
    if (raw->rank != recipe->rank) return false;
    for (int axis = 0; axis < recipe->rank; axis++) {
        size_t *extent = &known[recipe->shape[axis]];
        if (*extent == 0) *extent = raw->shape[axis];
        if (*extent == 0 || *extent != raw->shape[axis]) return false;
    }
    known[LAE_WIDTHS] = 3 * known[LAE_WIDTH];
    if (!consistent(known)) return false;
    memcpy(extents, known, sizeof known);
    return true;
}

/* "[192, 3, p, p]": letters for what is not known yet. */
static const char *wanted_text(const struct lae_recipe *recipe, const size_t extents[LAE_EXTENTS],
                               char text[LAE_SHAPE_TEXT])
{
    static const char *const letters[LAE_EXTENTS] = {
        [LAE_WIDTH] = "D",  [LAE_WIDTHS] = "3D",   [LAE_TOKENS] = "1 + g*g",     [LAE_PATCH] = "p",
        [LAE_HIDDEN] = "m", [LAE_HEADS] = "heads", [LAE_HEAD_WIDTH] = "D/heads",
    };
    size_t used = 0;
    for (int axis = 0; axis < recipe->rank; axis++) {
        size_t extent = extents[recipe->shape[axis]];
        char number[24];
        snprintf(number, sizeof number, "%zu", extent);
        int length = snprintf(text + used, LAE_SHAPE_TEXT - used, "%s%s", axis == 0 ? "[" : ", ",
                              extent != 0 ? number : letters[recipe->shape[axis]]);
        used += (size_t)length;
    }
    snprintf(text + used, LAE_SHAPE_TEXT - used, "]");
    return text;
}

/* The file's tensor for source `index` of a recipe, of the right shape. */
static lae_status fetch(struct assembly *assembly, const struct lae_recipe *recipe, int index,
                        size_t block, struct lae_raw **raw)
{
    char name[LAE_TENSOR_NAME];
    lae_naming_spell(assembly->naming, recipe->sources[index], block, name);
    *raw = lae_raw_find(assembly->file, name);
    if (*raw == NULL)
        return lae_bad_input(
            "tensor %s is missing: the file is incomplete or of another architecture", name);
    if (bind_shape(recipe, *raw, assembly->extents)) return NULL;
    char found[LAE_SHAPE_TEXT], wanted[LAE_SHAPE_TEXT];
    return lae_bad_input("tensor %s has shape %s; %s is wanted", name,
                         lae_shape_text((*raw)->rank, (*raw)->shape, found),
                         wanted_text(recipe, assembly->extents, wanted));
}

static lae_status check_finite(const struct lae_raw *raw, const float *values)
{
    uint32_t worst = 0;
    for (size_t i = 0; i < raw->count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        bits &= 0x7fffffffu;
        worst = bits > worst ? bits : worst;
    }
    if (worst < 0x7f800000u) return NULL;
    size_t i = 0;
    while (isfinite(values[i]))
        i++;
    return lae_bad_input("tensor %s: element %zu is %g; only finite numbers are weights", raw->name,
                         i, (double)values[i]);
}

/* in -> out, with axis i of out being axis order[i] of in. */
static void permute(const struct lae_recipe *recipe, const struct lae_raw *raw, const float *in,
                    float *out)
{
    size_t strides[LAE_MAX_AXES], extent[LAE_MAX_AXES] = {1, 1, 1, 1}, step[LAE_MAX_AXES] = {0};
    size_t stride = 1;
    for (int i = 0; i < raw->rank; i++) {
        int axis = raw->column_major ? i : raw->rank - 1 - i;
        strides[axis] = stride;
        stride *= raw->shape[axis];
    }
    for (int i = 0; i < raw->rank; i++) {
        int at = LAE_MAX_AXES - raw->rank + i;
        extent[at] = raw->shape[recipe->order[i]];
        step[at] = strides[recipe->order[i]];
    }
    for (size_t a = 0; a < extent[0]; a++)
        for (size_t b = 0; b < extent[1]; b++)
            for (size_t c = 0; c < extent[2]; c++) {
                const float *from = in + a * step[0] + b * step[1] + c * step[2];
                for (size_t d = 0; d < extent[3]; d++)
                    *out++ = from[d * step[3]];
            }
}

static bool in_place(const struct lae_recipe *recipe, const struct lae_raw *raw)
{
    for (int i = 0; i < recipe->rank; i++)
        if (recipe->order[i] != i) return false;
    return !raw->column_major || raw->rank < 2;
}

/* The tensor's values in our layout, to out [raw->count]. */
static lae_status convert(const struct lae_recipe *recipe, struct lae_raw *raw, float *out)
{
    bool direct = in_place(recipe, raw);
    float *values = direct ? out : lae_aligned_calloc(raw->count, sizeof *values);
    if (values == NULL) return lae_out_of_memory(raw->count * sizeof *values, raw->name);
    lae_raw_decode(raw, values);
    lae_raw_release(raw);
    lae_status status = check_finite(raw, values);
    if (direct) return status;
    if (status == NULL) permute(recipe, raw, values, out);
    free(values);
    return status;
}

static lae_status add_part(struct assembly *assembly, enum lae_part part, size_t block)
{
    const struct lae_recipe *recipe = &assembly->naming->recipes[part];
    const struct lae_recipe *own = &lae_own_tensors[part];
    struct lae_raw *raws[LAE_MAX_SOURCES];
    int count = 0;
    for (; count < LAE_MAX_SOURCES && recipe->sources[count] != NULL; count++)
        LAE_TRY(fetch(assembly, recipe, count, block, &raws[count]));

    size_t shape[LAE_MAX_AXES];
    char name[LAE_TENSOR_NAME];
    struct lae_named *tensor = NULL;
    for (int axis = 0; axis < own->rank; axis++)
        shape[axis] = assembly->extents[own->shape[axis]];
    LAE_TRY(lae_set_add(&assembly->weights->tensors, lae_own_name(part, block, name), own->rank,
                        shape, &tensor));
    float *out = tensor->data;
    for (int i = 0; i < count; i++) {
        LAE_TRY(convert(recipe, raws[i], out));
        out += raws[i]->count;
    }
    return NULL;
}

static lae_status add_blocks(struct assembly *assembly)
{
    for (size_t block = 0; block < assembly->depth; block++)
        for (int part = LAE_FIRST_BLOCK_PART; part <= LAE_LAST_BLOCK_PART; part++)
            LAE_TRY(add_part(assembly, (enum lae_part)part, block));
    return NULL;
}

/* What is true of the file as a whole. */
static lae_status add_facts(struct assembly *assembly)
{
    const struct lae_raw_file *file = assembly->file;
    struct lae_weights *weights = assembly->weights;
    size_t width = assembly->extents[LAE_WIDTH];
    weights->format = assembly->naming->format;
    weights->layer_norm_eps =
        file->layer_norm_eps > 0.0 ? file->layer_norm_eps : assembly->naming->layer_norm_eps;
    weights->heads = file->heads > 0 ? file->heads : (int)assembly->extents[LAE_HEADS];
    if (weights->heads > 0 && width % (size_t)weights->heads != 0)
        return lae_bad_input("heads is %d, which does not divide the width %zu", weights->heads,
                             width);
    return NULL;
}

lae_status lae_weights_assemble(struct lae_raw_file *file, struct lae_weights *weights)
{
    struct assembly assembly = {.file = file, .weights = weights};
    assembly.extents[LAE_ONE] = 1;
    assembly.extents[LAE_COLOURS] = 3;
    LAE_TRY(lae_naming_find(file, &assembly.naming, &assembly.depth));
    for (int part = 0; part < LAE_FIRST_BLOCK_PART; part++)
        LAE_TRY(add_part(&assembly, (enum lae_part)part, 0));
    LAE_TRY(add_blocks(&assembly));
    for (int part = LAE_LAST_BLOCK_PART + 1; part < LAE_PARTS; part++)
        LAE_TRY(add_part(&assembly, (enum lae_part)part, 0));
    return add_facts(&assembly);
}
