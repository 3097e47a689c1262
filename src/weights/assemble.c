/* Follows the recipes of names.c. The sizes of the network are not looked for beforehand:
 * each is unknown until a tensor has it, and from then on binds all others.
 *
 *     cls_token [1, 1, D]   any D: 192, say
 *     pos_embed [1, 1 + g*g, 192]   any g
 */
#include "assemble.h"

#include "lae/base/arena.h"
#include "names.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct assembly {
    const char *path; /* for the log */
    struct lae_log *log;
    struct lae_raw_file *file;
    struct lae_spelling spelling;
    size_t prefix_rows;          /* tokens before the patches: P */
    size_t extents[LAE_EXTENTS]; /* 0: not known yet */
    size_t doubles;              /* tensors of F64 so far */
    struct lae_weights *weights;
};

/* The side of a square of so many patches; 0: they make none. */
static size_t side_of(size_t patches)
{
    size_t side = (size_t)lround(sqrt((double)patches));
    return side * side == patches ? side : 0;
}

/* A position embedding of `rows` rows has some for all P tokens before the patches, for the class
 * token alone, or none. Returns how many; SIZE_MAX: it can be none of these, or several. */
static size_t covered_rows(size_t rows, size_t prefix_rows)
{
    const size_t choices[] = {prefix_rows, 1, 0};
    size_t found = SIZE_MAX;
    for (int i = 0; i < 3; i++) {
        if (choices[i] >= rows || (choices[i] == 0 && rows == 1)) continue;
        if (side_of(rows - choices[i]) == 0 || choices[i] == found) continue;
        if (found != SIZE_MAX) return SIZE_MAX;
        found = choices[i];
    }
    return found;
}

/* What the extents must be to each other; unknown ones are fine. */
static bool consistent(const struct assembly *assembly, const size_t extents[LAE_EXTENTS])
{
    size_t tokens = extents[LAE_TOKENS];
    if (tokens != 0 && covered_rows(tokens, assembly->prefix_rows) == SIZE_MAX) return false;
    if (extents[LAE_REGISTERS] > INT_MAX) return false;
    if (extents[LAE_HEADS] == 0) return true;
    return extents[LAE_HEADS] <= INT_MAX && extents[LAE_WIDTH] % extents[LAE_HEADS] == 0 &&
           extents[LAE_WIDTH] / extents[LAE_HEADS] == extents[LAE_HEAD_WIDTH];
}

/* Whether the tensor has the recipe's shape; if so, what was unknown is known from here on. */
static bool bind_shape(struct assembly *assembly, const struct lae_recipe *recipe,
                       const struct lae_raw *raw)
{
    size_t known[LAE_EXTENTS];
    memcpy(known, assembly->extents, sizeof known);
    if (raw->rank != recipe->rank) return false;
    for (int axis = 0; axis < recipe->rank; axis++) {
        size_t *extent = &known[recipe->shape[axis]];
        if (*extent == 0) *extent = raw->shape[axis];
        if (*extent == 0 || *extent != raw->shape[axis]) return false;
    }
    known[LAE_WIDTHS] = 3 * known[LAE_WIDTH];
    if (!consistent(assembly, known)) return false;
    memcpy(assembly->extents, known, sizeof known);
    return true;
}

/* "[192, 3, p, p]": letters for what is not known yet. */
static const char *wanted_text(const struct lae_recipe *recipe, const struct assembly *assembly,
                               char text[LAE_SHAPE_TEXT])
{
    char tokens[40];
    snprintf(tokens, sizeof tokens, "%zu + g*g", assembly->prefix_rows);
    const char *const letters[LAE_EXTENTS] = {
        [LAE_WIDTH] = "D", [LAE_WIDTHS] = "3D", [LAE_REGISTERS] = "R", [LAE_TOKENS] = tokens,
        [LAE_PATCH] = "p", [LAE_HIDDEN] = "m",  [LAE_HEADS] = "heads", [LAE_HEAD_WIDTH] = "D/heads",
    };
    size_t used = 0;
    for (int axis = 0; axis < recipe->rank; axis++) {
        size_t extent = assembly->extents[recipe->shape[axis]];
        char number[24];
        snprintf(number, sizeof number, "%zu", extent);
        int length = snprintf(text + used, LAE_SHAPE_TEXT - used, "%s%s", axis == 0 ? "[" : ", ",
                              extent != 0 ? number : letters[recipe->shape[axis]]);
        used += (size_t)length;
    }
    snprintf(text + used, LAE_SHAPE_TEXT - used, "]");
    return text;
}

static lae_status refuse_shape(const struct assembly *assembly, const struct lae_recipe *recipe,
                               const struct lae_raw *raw)
{
    char found[LAE_SHAPE_TEXT], wanted[LAE_SHAPE_TEXT];
    bool positions = recipe->rank == 3 && recipe->shape[1] == LAE_TOKENS;
    return lae_bad_input(
        "tensor %s has shape %s; %s is wanted%s", raw->name,
        lae_shape_text(raw->rank, raw->shape, found), wanted_text(recipe, assembly, wanted),
        positions ? " (or g*g, without rows for the tokens before the patches)" : "");
}

/* The file's tensor for source `index` of a recipe, of the right shape. */
static lae_status fetch(struct assembly *assembly, const struct lae_recipe *recipe, int index,
                        size_t block, struct lae_raw **raw)
{
    char name[LAE_TENSOR_NAME];
    lae_weights_naming_spell(&assembly->spelling, recipe->sources[index], block, name);
    *raw = lae_weights_raw_find(assembly->file, name);
    if (*raw == NULL)
        return lae_bad_input("tensor %s is missing: the file is incomplete, or of a kind of Vision "
                             "Transformer that is not supported",
                             name);
    if (!bind_shape(assembly, recipe, *raw)) return refuse_shape(assembly, recipe, *raw);
    if ((*raw)->element != LAE_OTHER_ELEMENT) return NULL;
    return lae_bad_input("tensor %s is of type %s; F32, F16, BF16 or F64 is wanted", name,
                         (*raw)->type);
}

/* Element `at` of the decoded values is which one of the file's own, counted row by row? */
static size_t place_in_file(const struct lae_recipe *recipe, const struct lae_raw *raw, size_t at)
{
    size_t index[LAE_MAX_AXES] = {0}, place = 0;
    for (int i = recipe->rank - 1; i >= 0; i--) {
        size_t extent = raw->shape[recipe->order[i]];
        index[recipe->order[i]] = at % extent;
        at /= extent;
    }
    for (int i = 0; i < recipe->rank; i++)
        place = place * raw->shape[i] + index[i];
    return place;
}

static lae_status check_finite(const struct lae_recipe *recipe, const struct lae_raw *raw,
                               const float *values)
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
    return lae_bad_input("tensor %s: element %zu is %g%s; only finite numbers are weights",
                         raw->name, place_in_file(recipe, raw, i), (double)values[i],
                         raw->element == LAE_F64 ? " as float32" : "");
}

/* The tensor's values in our layout, to out [raw->count]. */
static lae_status convert(struct assembly *assembly, const struct lae_recipe *recipe,
                          struct lae_raw *raw, float *out)
{
    lae_weights_raw_decode(raw, recipe->order, out);
    lae_weights_raw_release(raw);
    assembly->doubles += raw->element == LAE_F64;
    return check_finite(recipe, raw, out);
}

/* Room for the part in the result. */
static lae_status add_tensor(struct assembly *assembly, enum lae_part part, size_t block,
                             float **out)
{
    const struct lae_recipe *recipe = &lae_weights_own_tensors[part];
    size_t shape[LAE_MAX_AXES];
    char name[LAE_TENSOR_NAME];
    struct lae_named *tensor = NULL;
    for (int axis = 0; axis < recipe->rank; axis++)
        shape[axis] = assembly->extents[recipe->shape[axis]];
    LAE_TRY(lae_set_add(&assembly->weights->tensors, lae_weights_own_name(part, block, name),
                        recipe->rank, shape, &tensor));
    *out = tensor->data;
    return NULL;
}

/* Whether the file has that source of a part for no block at all. */
static bool is_nowhere(const struct assembly *assembly, const char *source)
{
    char name[LAE_TENSOR_NAME];
    for (size_t block = 0; block < assembly->spelling.depth; block++) {
        lae_weights_naming_spell(&assembly->spelling, source, block, name);
        if (lae_weights_raw_find(assembly->file, name) != NULL) return false;
    }
    return true;
}

/* Networks are trained without biases of these two, which then are zero. Where some blocks have
 * one, the file is incomplete. */
static bool is_zero(const struct assembly *assembly, enum lae_part part, const char *source)
{
    return (part == LAE_PATCH_BIAS || part == LAE_QKV_BIAS) && is_nowhere(assembly, source);
}

static void tell_zero(const struct assembly *assembly, const char *source)
{
    char name[LAE_TENSOR_NAME];
    lae_weights_naming_spell(&assembly->spelling, source, 0, name);
    lae_log_info(assembly->log, "%s: there is no %s%s; zeros are used", assembly->path, name,
                 strchr(source, '#') != NULL ? ", nor that of any other block" : "");
}

/* How many values a source of that recipe has. */
static size_t values_of(const struct assembly *assembly, const struct lae_recipe *recipe)
{
    size_t count = 1;
    for (int axis = 0; axis < recipe->rank; axis++)
        count *= assembly->extents[recipe->shape[axis]];
    return count;
}

/* The file's tensors for a part; NULL for what is zero. Returns how many in *count. */
static lae_status fetch_all(struct assembly *assembly, enum lae_part part, size_t block,
                            struct lae_raw *raws[LAE_MAX_SOURCES], int *count)
{
    const struct lae_recipe *recipe = &assembly->spelling.naming->recipes[part];
    for (*count = 0; *count < LAE_MAX_SOURCES && recipe->sources[*count] != NULL; (*count)++) {
        const char *source = recipe->sources[*count];
        raws[*count] = NULL;
        if (!is_zero(assembly, part, source))
            LAE_TRY(fetch(assembly, recipe, *count, block, &raws[*count]));
        else if (block == 0)
            tell_zero(assembly, source);
    }
    return NULL;
}

static lae_status add_part(struct assembly *assembly, enum lae_part part, size_t block)
{
    const struct lae_recipe *recipe = &assembly->spelling.naming->recipes[part];
    struct lae_raw *raws[LAE_MAX_SOURCES];
    int count = 0;
    float *out;
    LAE_TRY(fetch_all(assembly, part, block, raws, &count));
    LAE_TRY(add_tensor(assembly, part, block, &out)); /* zeros */
    for (int i = 0; i < count; i++, out += values_of(assembly, recipe))
        if (raws[i] != NULL) LAE_TRY(convert(assembly, recipe, raws[i], out));
    return NULL;
}

/* A token that need not be there. */
static lae_status add_token(struct assembly *assembly, enum lae_part part)
{
    const char *source = assembly->spelling.naming->recipes[part].sources[0];
    char name[LAE_TENSOR_NAME];
    if (source == NULL) return NULL;
    lae_weights_naming_spell(&assembly->spelling, source, 0, name);
    return lae_weights_raw_find(assembly->file, name) == NULL ? NULL : add_part(assembly, part, 0);
}

static size_t rows_of(const struct assembly *assembly, const char *name)
{
    const struct lae_named *tensor = lae_set_find(&assembly->weights->tensors, name);
    return tensor != NULL ? tensor->shape[1] : 0;
}

/* Ours has a row for each token before the patches: zeros where the file has none. */
static lae_status add_positions(struct assembly *assembly)
{
    const struct lae_recipe *recipe = &assembly->spelling.naming->recipes[LAE_POS_EMBED];
    size_t prefix = assembly->prefix_rows;
    struct lae_raw *raw;
    float *out;
    LAE_TRY(fetch(assembly, recipe, 0, 0, &raw));
    size_t width = assembly->extents[LAE_WIDTH], rows = assembly->extents[LAE_TOKENS];
    size_t covered = covered_rows(rows, prefix), missing = prefix - covered;
    assembly->extents[LAE_TOKENS] = rows + missing;
    if (covered == 0)
        lae_log_info(assembly->log,
                     "%s: %s has a row for each of %zu x %zu patches and none for the "
                     "class token",
                     assembly->path, raw->name, side_of(rows), side_of(rows));
    lae_status status = add_tensor(assembly, LAE_POS_EMBED, 0, &out);
    assembly->extents[LAE_TOKENS] = rows; /* the file's, which all else must go with */
    LAE_TRY(status);
    LAE_TRY(convert(assembly, recipe, raw, out + missing * width));
    memmove(out, out + missing * width, covered * width * sizeof *out);
    if (missing > 0) memset(out + covered * width, 0, missing * width * sizeof *out);
    return NULL;
}

static lae_status add_stem(struct assembly *assembly)
{
    LAE_TRY(add_part(assembly, LAE_CLS_TOKEN, 0));
    LAE_TRY(add_token(assembly, LAE_DIST_TOKEN));
    LAE_TRY(add_token(assembly, LAE_REG_TOKEN));
    assembly->prefix_rows = 1 + rows_of(assembly, "dist_token") + rows_of(assembly, "reg_token");
    LAE_TRY(add_positions(assembly));
    LAE_TRY(add_part(assembly, LAE_PATCH_WEIGHT, 0));
    return add_part(assembly, LAE_PATCH_BIAS, 0);
}

static lae_status add_blocks(struct assembly *assembly)
{
    for (size_t block = 0; block < assembly->spelling.depth; block++)
        for (int part = LAE_FIRST_BLOCK_PART; part <= LAE_LAST_BLOCK_PART; part++)
            LAE_TRY(add_part(assembly, (enum lae_part)part, block));
    return NULL;
}

/* What the tensors themselves say. */
static void add_facts(struct assembly *assembly)
{
    static const char *const containers[] = {
        [LAE_CONTAINER_NPZ] = "npz",
        [LAE_CONTAINER_SAFETENSORS] = "safetensors",
        [LAE_CONTAINER_HDF5] = "HDF5",
        [LAE_CONTAINER_TORCH] = "PyTorch",
    };
    struct lae_weights *weights = assembly->weights;
    const struct lae_naming *naming = assembly->spelling.naming;
    bool own = assembly->file->container == LAE_CONTAINER_HDF5;
    snprintf(weights->format, sizeof weights->format, "%s%s%s", own ? "" : naming->name,
             own ? "" : " ", containers[assembly->file->container]);
    weights->layer_norm_eps = naming->layer_norm_eps;
    weights->heads = (int)assembly->extents[LAE_HEADS];
    weights->heads_told = weights->heads > 0;
    if (weights->heads > 0)
        snprintf(weights->heads_from, sizeof weights->heads_from, "its tensors");
    if (naming->separator != '/' || own) return;
    weights->pixels = (struct lae_pixels){true, {0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}, ""};
    snprintf(weights->pixels.from, sizeof weights->pixels.from, "as %s trains", naming->name);
}

lae_status lae_weights_assemble(const char *path, struct lae_raw_file *file, struct lae_log *log,
                                struct lae_weights *weights)
{
    struct assembly assembly = {
        .path = path, .log = log, .file = file, .weights = weights, .prefix_rows = 1};
    assembly.extents[LAE_ONE] = 1;
    assembly.extents[LAE_COLOURS] = 3;
    LAE_TRY(lae_weights_naming_find(path, file, log, &assembly.spelling));
    LAE_TRY(add_stem(&assembly));
    LAE_TRY(add_blocks(&assembly));
    LAE_TRY(add_part(&assembly, LAE_NORM_WEIGHT, 0));
    LAE_TRY(add_part(&assembly, LAE_NORM_BIAS, 0));
    add_facts(&assembly);
    if (assembly.doubles > 0)
        lae_log_info(log, "%s: F64 is rounded to float32 (%zu tensors)", path, assembly.doubles);
    return NULL;
}
