/* The frozen Vision Transformer: its shapes and its weights (METHOD section 3).
 *
 * The weights are one flat vector with a table of tensors named as timm names them ('/' for '.').
 * A model only points into that vector, and into a copy of its matrices as the backend wants them
 * packed; both may lie in memory that several ranks share.
 */
#ifndef LAE_VIT_MODEL_H
#define LAE_VIT_MODEL_H

#include "lae/base/status.h"
#include "lae/nn/kernels.h"
#include "lae/nn/product.h"
#include "lae/params/set.h"
#include "lae/params/table.h"
#include "lae/pet/pet.h"

#include <stddef.h>

/* Plain, so that rank 0 can send it to the others. */
struct lae_vit_dims {
    size_t width; /* D */
    size_t depth; /* blocks */
    size_t heads, head_dim;
    size_t hidden;                  /* of the MLP */
    size_t patch;                   /* side of a patch, pixels */
    size_t image;                   /* side of an image, pixels */
    size_t grid;                    /* patches a side: image / patch */
    size_t distillation, registers; /* prefix rows beside the class token's */
    size_t tokens;                  /* N = P + grid^2 */
    float eps;                      /* of the layer norms */
};

/* P: the rows before the patches, the class token's first, the distillation token's next. */
static inline size_t lae_vit_prefix_rows(const struct lae_vit_dims *dims)
{
    return 1 + dims->distillation + dims->registers;
}

/* A frozen linear map, in the forms that lae_product_run takes. */
struct lae_frozen {
    const float *weight, *bias;        /* [out, in], [out] as stored */
    const void *forward, *back;        /* packed, or as stored; back NULL: no gradient goes here */
    int forward_product, back_product; /* numbers in the model's products */
};

/* One head's products of attention, as numbers in the model's products. */
struct lae_attention {
    int scores, values;                     /* q k^T; p v */
    int d_value, d_weights, d_key, d_query; /* p^T do; do v^T; ds^T q; ds k */
};

struct lae_vit_block {
    const float *norm1_weight, *norm1_bias; /* [D] */
    struct lae_frozen qkv;                  /* D to 3D: queries, keys, values */
    struct lae_frozen query, key_value;     /* the last block has these two instead of qkv */
    struct lae_frozen proj;                 /* D to D, added to the stream, as that of fc2 */
    const float *norm2_weight, *norm2_bias; /* [D] */
    struct lae_frozen fc1, fc2;             /* D to hidden, hidden to D */
    struct lae_attention attention;
};

struct lae_vit {
    struct lae_vit_dims dims;
    const struct lae_kernels *kernels;
    const float *cls_token;               /* [D] */
    const float *dist_token, *reg_token;  /* [D], [registers, D], or NULL where there are none */
    const float *pos_embed;               /* [N, D] */
    struct lae_frozen patch;              /* 3 p p to D */
    const float *norm_weight, *norm_bias; /* [D] */
    struct lae_vit_block *blocks;         /* [depth] */
    struct lae_products *products;        /* of all maps, and of attention */
    struct lae_frozen **frozen;           /* [frozen_count] all of them */
    size_t frozen_count;
    size_t packed; /* bytes of all packed maps; 0: they are used as stored */
};

/* The shapes of the backbone in `tensors` (timm's names, as lae_weights_read gives them), for
 * images of `image` pixels a side. `heads` 0: not known, an error. Errors name the key or tensor.
 */
lae_status lae_vit_dims_of(const struct lae_set *tensors, int image, int heads, double eps,
                           struct lae_vit_dims *dims) LAE_MUST_CHECK;

/* The table of the weights of a backbone of these shapes. */
lae_status lae_vit_table(const struct lae_vit_dims *dims, struct lae_table *table) LAE_MUST_CHECK;

/* Copies the tensors into weights [table->total]; the position embedding is resized to the grid.
 * Errors name a missing or misshapen tensor with both shapes. */
lae_status lae_vit_fill(const struct lae_vit_dims *dims, const struct lae_table *table,
                        const struct lae_set *tensors, float *weights) LAE_MUST_CHECK;

/* A model over weights [table->total], which must outlive it, for these modules: they say below
 * which block no gradient will be asked for, and how many keys attention has. Where vit->packed is
 * not 0, the weights must be packed before the model can be used. Errors: memory; the arithmetic is
 * not built in. */
lae_status lae_vit_create(const struct lae_vit_dims *dims, const struct lae_table *table,
                          const float *weights, const struct lae_kernels *kernels,
                          struct lae_arithmetic arithmetic, const struct lae_pet *pet,
                          struct lae_vit *vit) LAE_MUST_CHECK;

/* Packs every parts-th map, from number `part` on, into its place in packed [vit->packed]: ranks
 * that share the memory share the work. */
lae_status lae_vit_pack(const struct lae_vit *vit, size_t part, size_t parts,
                        void *packed) LAE_MUST_CHECK;

/* From now on the model uses the packed weights, which must outlive it. */
void lae_vit_use_packed(struct lae_vit *vit, const void *packed);

void lae_vit_free(struct lae_vit *vit);

/* What modules need to know of a backbone. */
struct lae_pet_dims lae_vit_pet_dims(const struct lae_vit_dims *dims);

/* Resizes a position embedding from [prefix + from^2, width] to [prefix + to^2, width]: bicubic (a
 * = -0.75, align_corners false, as torch.nn.functional.interpolate), the prefix rows copied. */
void lae_vit_resize_positions(float *out, size_t to, const float *in, size_t from, size_t prefix,
                              size_t width);

#endif
