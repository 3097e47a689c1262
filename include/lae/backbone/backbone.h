/* The frozen backbone: the seam behind which families of networks live, each in a directory of
 * src/backbone, each a row of the table in families.c (METHOD sections 3 and 11).
 *
 *     named tensors -> dims -> backbone with its table of weights -> model -> workspaces, one a thread
 *
 *     image -> the blocks below the first one with a module -> stream           lae_backbone_trunk
 *           -> the other blocks with their modules -> feature                   lae_backbone_branch
 *     d loss/d feature -> gradient of every module                              lae_backbone_backward
 *
 * Nobody outside knows a patch, a grid or a class token: others ask for the widths below, and place
 * modules at the sites that the backbone has. The trunk does not depend on the modules, so that
 * several vectors share it; the way back goes down to the first module and not below: there is
 * nothing to learn there.
 *
 * A backbone only points into its weights, and into a copy of its matrices as products want them
 * packed; both may lie in memory that several ranks share.
 */
#ifndef LAE_BACKBONE_BACKBONE_H
#define LAE_BACKBONE_BACKBONE_H

#include "lae/base/clock.h"
#include "lae/base/random.h"
#include "lae/base/status.h"
#include "lae/nn/kernels.h"
#include "lae/nn/product.h"
#include "lae/params/set.h"
#include "lae/params/table.h"
#include "lae/pet/pet.h"

#include <stdbool.h>
#include <stddef.h>

/* ---- Shapes ------------------------------------------------------------------------------------
 */

enum { LAE_BACKBONE_DIMS = 256 };

/* What a backbone's shapes are, in the words of its family: plain bytes, so that rank 0, which reads
 * the weights, can send them to the others. */
struct lae_backbone_dims {
    int family;                           /* row of the table */
    unsigned char own[LAE_BACKBONE_DIMS]; /* the family's struct */
};

/* What tensors do not show. */
struct lae_backbone_hints {
    int image;  /* side of the images, pixels */
    int heads;  /* of attention; 0: not known, an error where it matters */
    double eps; /* of layer norms */
};

/* The shapes of the backbone in `tensors` (names as lae_weights_read gives them). Errors name the
 * key or the tensor. */
lae_status lae_backbone_dims_of(const struct lae_set *tensors,
                                const struct lae_backbone_hints *hints,
                                struct lae_backbone_dims *dims) LAE_MUST_CHECK;

/* A published size, to measure with. */
struct lae_backbone_size {
    const char *name;    /* "base"; NULL ends the list */
    const char *network; /* "ViT-base/16 (12 blocks, width 768)" */
};

/* Those of all families, and the shapes of one for images of `image` pixels a side. Errors: that
 * side does not go with it. */
const struct lae_backbone_size *lae_backbone_find_size(const char *name); /* NULL: unknown */
lae_status lae_backbone_dims_of_size(const struct lae_backbone_size *size, int image,
                                     struct lae_backbone_dims *dims) LAE_MUST_CHECK;

/* ---- A backbone --------------------------------------------------------------------------------
 */

struct lae_backbone_family;

struct lae_backbone {
    size_t feature;           /* D: floats of the feature */
    size_t image;             /* S: side of an image, pixels */
    size_t stream;            /* floats of what the trunk hands to the branch, once in use */
    struct lae_places places; /* where modules may be */
    struct lae_table table;   /* of the frozen weights, named as timm names them ('/' for '.') */
    size_t packed;            /* bytes of the packed weights; 0: they are used as stored */

    /* Private to backbone/. */
    const struct lae_backbone_family *family;
    const struct lae_kernels *kernels;
    const struct lae_pet *pet;
    struct lae_products *products; /* of all frozen maps, and of attention */
    struct lae_frozen **frozen;    /* [frozen_count] all of these maps */
    size_t frozen_count;
};

/* A backbone of these shapes, whose table, widths and places are known, and which cannot compute
 * yet. Errors: memory. */
lae_status lae_backbone_create(const struct lae_backbone_dims *dims,
                               struct lae_backbone **backbone) LAE_MUST_CHECK;
void lae_backbone_free(struct lae_backbone *backbone); /* NULL is allowed */

/* Copies the tensors into weights [table.total], a position embedding resized to the images. Errors
 * name a missing or misshapen tensor with both shapes. */
lae_status lae_backbone_fill(const struct lae_backbone *backbone, const struct lae_set *tensors,
                             float *weights) LAE_MUST_CHECK;

/* From now on the backbone computes with weights [table.total] and these modules, which must outlive
 * it: they say below which block no gradient will be asked for, and how many keys attention has.
 * Where backbone->packed is not 0 then, the weights must be packed first. Errors: memory; the
 * arithmetic is not built in. */
lae_status lae_backbone_use(struct lae_backbone *backbone, const float *weights,
                            const struct lae_kernels *kernels, struct lae_arithmetic arithmetic,
                            const struct lae_pet *pet) LAE_MUST_CHECK;

/* Packs every parts-th map, from number `part` on, into its place in packed [backbone->packed]:
 * ranks that share the memory share the work. Errors: memory. */
lae_status lae_backbone_pack(const struct lae_backbone *backbone, size_t part, size_t parts,
                             void *packed) LAE_MUST_CHECK;

/* From now on the packed weights are used, which must outlive the backbone. */
void lae_backbone_use_packed(struct lae_backbone *backbone, const void *packed);

/* "ViT: 12 blocks, width 768, 12 heads (config.json), patch 16, images of 224"; heads_from: who said
 * how many heads there are, or "". Returns text. */
const char *lae_backbone_describe(const struct lae_backbone *backbone, const char *heads_from,
                                  char *text, size_t size);

/* Operations of one image: two for each multiplication and addition in the products of matrices that
 * are really made (frozen weights, attention, modules), whatever is saved counted as such. */
struct lae_backbone_flops {
    double trunk, branch, backward;
};
struct lae_backbone_flops lae_backbone_count_flops(const struct lae_backbone *backbone);

/* ---- One image on one thread -------------------------------------------------------------------
 */

struct lae_backbone_workspace;

/* Memory for one thread. `gradient`: keep what the way back needs; without, all blocks share one
 * place. Errors: memory. */
lae_status lae_backbone_workspace_create(const struct lae_backbone *backbone, bool gradient,
                                         struct lae_backbone_workspace **workspace) LAE_MUST_CHECK;
void lae_backbone_workspace_free(struct lae_backbone_workspace *workspace); /* NULL is allowed */

/* Bytes of such a workspace, before there is one; 0 where not even that can be told for want of
 * memory. */
size_t lae_backbone_workspace_need(const struct lae_backbone *backbone, bool gradient);

/* Where the time of the thread that uses the workspace goes: the passes tell it what they do. */
struct lae_stopwatch *lae_backbone_watch(struct lae_backbone_workspace *workspace);

/* image [3, S, S] to the stream before the first block with a module, which stays in the
 * workspace. */
void lae_backbone_trunk(const struct lae_backbone *backbone,
                        struct lae_backbone_workspace *workspace, const float *image);

/* That stream [backbone->stream] to and from memory of the caller's, so that an image that comes
 * again need not go through the trunk again. */
void lae_backbone_save_stream(const struct lae_backbone *backbone,
                              const struct lae_backbone_workspace *workspace, float *stream);
void lae_backbone_load_stream(const struct lae_backbone *backbone,
                              struct lae_backbone_workspace *workspace, const float *stream);

/* From the stream to feature [D]. theta [pet->table.total]. `dropout` NULL outside training. `keep`:
 * the way back will follow (the workspace must have been made for it). */
void lae_backbone_branch(const struct lae_backbone *backbone, const float *theta,
                         struct lae_backbone_workspace *workspace, const struct lae_random *dropout,
                         bool keep, float *feature);

/* From d_feature [D], d loss/d feature, to gradient [pet->table.total] of the modules, written. theta
 * and `dropout` as on the way there. */
void lae_backbone_backward(const struct lae_backbone *backbone, const float *theta,
                           struct lae_backbone_workspace *workspace,
                           const struct lae_random *dropout, const float *d_feature,
                           float *gradient);

#endif
