/* The Vision Transformer and its relatives (METHOD sections 3 and 11): its shapes and its weights.
 *
 *     file        holds
 *     model.c     shapes, the table of weights, pointing into them
 *     maps.c      the products of each block
 *     pass.c      embedding, trunk, branch, and back
 *     block.c     one block with its modules, and back
 *     attention.c scores, softmax and values of a block, and back
 *     flops.c     how many operations all of it is
 */
#ifndef LAE_BACKBONE_VIT_VIT_H
#define LAE_BACKBONE_VIT_VIT_H

#include "../family.h"
#include "../frozen.h"

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

/* One head's products of attention, as numbers in the backbone's products. */
struct lae_vit_head {
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
    struct lae_vit_head head;
};

struct lae_vit {
    struct lae_backbone base;
    struct lae_vit_dims dims;
    const float *cls_token;               /* [D] */
    const float *dist_token, *reg_token;  /* [D], [registers, D], or NULL where there are none */
    const float *pos_embed;               /* [N, D] */
    struct lae_frozen patch;              /* 3 p p to D */
    const float *norm_weight, *norm_bias; /* [D] */
    struct lae_vit_block *blocks;         /* [depth] */
};

_Static_assert(sizeof(struct lae_vit_dims) <= LAE_BACKBONE_DIMS, "the seam carries the shapes");

extern const struct lae_backbone_family lae_vit_family;

static inline const struct lae_vit *lae_vit_of(const struct lae_backbone *backbone)
{
    return (const struct lae_vit *)backbone;
}

/* maps.c: declares all products, of frozen maps and of attention. */
lae_status lae_vit_declare_products(struct lae_vit *vit) LAE_MUST_CHECK;

/* flops.c */
struct lae_backbone_flops lae_vit_count_flops(const struct lae_backbone *backbone);

/* workspace.c */
struct lae_backbone_workspace *lae_vit_create_workspace(const struct lae_backbone *backbone,
                                                        bool gradient);
void lae_vit_place(const struct lae_backbone *backbone, struct lae_backbone_workspace *workspace);
void lae_vit_free_workspace(struct lae_backbone_workspace *workspace);

/* pass.c */
void lae_vit_trunk(const struct lae_pass *pass, const float *image);
void lae_vit_branch(const struct lae_pass *pass, float *feature);
void lae_vit_backward(const struct lae_pass *pass, const float *d_feature, float *gradient);

/* positions.c: resizes a position embedding from [prefix + from^2, width] to [prefix + to^2, width]:
 * bicubic (a = -0.75, align_corners false, as torch.nn.functional.interpolate), the prefix rows
 * copied. */
void lae_vit_resize_positions(float *out, size_t to, const float *in, size_t from, size_t prefix,
                              size_t width);

#endif
