/* How the world names the tensors of a Vision Transformer, and how ours are made of them. */
#ifndef LAE_WEIGHTS_NAMES_H
#define LAE_WEIGHTS_NAMES_H

#include "lae/weights/weights.h"
#include "raw.h"

enum {
    LAE_TENSOR_NAME = 384, /* bytes for any name made here */
    LAE_TENSOR_PREFIX = 192,
};

/* The tensors of the result, in its order. Those of a block are there once a block. */
enum lae_part {
    LAE_CLS_TOKEN,
    LAE_DIST_TOKEN, /* these two need not be there */
    LAE_REG_TOKEN,
    LAE_POS_EMBED,
    LAE_PATCH_WEIGHT,
    LAE_PATCH_BIAS,
    LAE_NORM1_WEIGHT,
    LAE_NORM1_BIAS,
    LAE_QKV_WEIGHT,
    LAE_QKV_BIAS,
    LAE_PROJ_WEIGHT,
    LAE_PROJ_BIAS,
    LAE_NORM2_WEIGHT,
    LAE_NORM2_BIAS,
    LAE_FC1_WEIGHT,
    LAE_FC1_BIAS,
    LAE_FC2_WEIGHT,
    LAE_FC2_BIAS,
    LAE_NORM_WEIGHT,
    LAE_NORM_BIAS,
    LAE_PARTS,
    LAE_FIRST_BLOCK_PART = LAE_NORM1_WEIGHT,
    LAE_LAST_BLOCK_PART = LAE_FC2_BIAS,
};

/* What an axis counts. Each but the first two is read from the first tensor that has it. */
enum lae_extent {
    LAE_ONE,
    LAE_COLOURS, /* 3 */
    LAE_WIDTH,   /* D */
    LAE_WIDTHS,  /* 3D: queries, keys, values */
    LAE_REGISTERS,
    LAE_TOKENS, /* a square grid of patches, behind rows for the tokens before them */
    LAE_PATCH,  /* side of a patch, pixels */
    LAE_HIDDEN, /* of the MLP */
    LAE_HEADS,
    LAE_HEAD_WIDTH, /* D / heads */
    LAE_EXTENTS,
};

enum { LAE_MAX_SOURCES = 3, LAE_MAX_AXES = LAE_RAW_AXES };

/* How one tensor of ours is made: from one to three of the file's, all of this shape; the axes of
 * each are put in order, then they follow each other along the first axis. In names '/' stands for
 * the naming's separator and '#' for a block's number. */
struct lae_recipe {
    const char *sources[LAE_MAX_SOURCES]; /* none: the naming has no such tensor */
    int rank;
    unsigned char shape[LAE_MAX_AXES]; /* of lae_extent */
    unsigned char order[LAE_MAX_AXES]; /* axis i of ours is axis order[i] of the file's */
};

struct lae_naming {
    const char *name;
    char separator;
    double layer_norm_eps;
    const struct lae_recipe *recipes; /* [LAE_PARTS] */
};

/* A file's naming, what stands in front of all names, and how many blocks they speak of. */
struct lae_spelling {
    const struct lae_naming *naming;
    char prefix[LAE_TENSOR_PREFIX];
    size_t depth; /* at least 1 */
};

/* Our own names, shapes and layouts, which are timm's. */
extern const struct lae_recipe lae_weights_own_tensors[LAE_PARTS];

/* The naming that most of the file's names follow. What is no part of a backbone and known by name
 * (classifiers, decoders, ...) is passed over, and told in the log with the prefix. Errors: none
 * follows any; two backbones; a name that is neither; `path` is for the log. */
lae_status lae_weights_naming_find(const char *path, const struct lae_raw_file *file,
                                   struct lae_log *log,
                                   struct lae_spelling *spelling) LAE_MUST_CHECK;

/* Writes the name that the pattern of a recipe stands for. Returns text. */
const char *lae_weights_naming_spell(const struct lae_spelling *spelling, const char *pattern,
                                     size_t block, char text[LAE_TENSOR_NAME]);

/* The same for our own tensors: "blocks/3/norm1/weight". */
const char *lae_weights_own_name(enum lae_part part, size_t block, char text[LAE_TENSOR_NAME]);

#endif
