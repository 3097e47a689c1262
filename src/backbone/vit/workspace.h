/* What one thread keeps of one image. */
#ifndef LAE_BACKBONE_VIT_WORKSPACE_H
#define LAE_BACKBONE_VIT_WORKSPACE_H

#include "vit.h"

/* What backward needs of one block. N tokens, R rows computed (N; 1 in the last block), L inserted
 * key rows, H heads. */
struct lae_vit_slot {
    float *h1, *h2;         /* [N, D], [R, D] the sites' inputs */
    float *normal1, *rstd1; /* [N, D], [N] of LN1 */
    float *normal2, *rstd2; /* [R, D], [R] of LN2 */
    float *qkv;             /* [L + N, 3D] */
    float *weights;         /* [H, R, L + N] attention */
    float *inserted_sum;    /* [H, R] */
    float *hidden;          /* [R, hidden] before the GELU */
    float *pet_saved[LAE_SITES];
};

struct lae_vit_workspace {
    struct lae_backbone_workspace base; /* its stream [N, D] */
    float *patches;                     /* [grid^2, 3 p p] */
    float *x;                           /* [N, D] the stream */
    float *attended;                    /* [N, D] heads' outputs; backward: their gradient */
    float *activated; /* [N, hidden] after the GELU; backward: gradient of the hidden layer */
    float *dh;        /* [N, D] gradient of a site's input */
    float *d_qkv;     /* [Lmax + N, 3D] */
    float *scores;    /* [N, Lmax + N] */
    float *pet_scratch;
    float *normal, *rstd;       /* [D], [1] of the final norm */
    struct lae_vit_slot *slots; /* [slot_count] */
    size_t slot_count;
};

static inline struct lae_vit_workspace *lae_vit_memory(struct lae_backbone_workspace *workspace)
{
    return (struct lae_vit_workspace *)workspace;
}

/* Rows that block `block` computes after its attention. */
static inline size_t lae_vit_rows(const struct lae_vit *vit, size_t block)
{
    return block + 1 == vit->dims.depth ? 1 : vit->dims.tokens;
}

/* The slot of a block: its own where a gradient is kept, the only one otherwise. */
static inline struct lae_vit_slot *lae_vit_slot(const struct lae_vit_workspace *workspace,
                                                const struct lae_pet *pet, size_t block)
{
    size_t first = (size_t)pet->first_block;
    if (!workspace->base.gradient || block < first) return &workspace->slots[0];
    return &workspace->slots[block - first];
}

#endif
