/* Forward and backward of one image on one thread.
 *
 *     image -> embedding -> blocks below the first adapted one        lae_vit_trunk
 *           -> the other blocks with their modules -> feature         lae_vit_branch
 *
 * The trunk does not depend on the modules, so online and offline share it. In the last block only
 * the class token's row is computed: its query, keys and values of all tokens, one row of MLP.
 *
 * The backward pass goes down to the first adapted block's modules and not below: there is nothing
 * to learn there.
 */
#ifndef LAE_VIT_PASS_H
#define LAE_VIT_PASS_H

#include "lae/base/arena.h"
#include "lae/base/clock.h"
#include "lae/base/random.h"
#include "lae/pet/pet.h"
#include "lae/vit/model.h"

#include <stdbool.h>

struct lae_vit_workspace;

/* Memory for one thread. `gradient`: keep what backward needs of every block from the first adapted
 * one up; without, all blocks share one slot. Errors: memory. */
lae_status lae_vit_workspace_create(const struct lae_vit *vit, const struct lae_pet *pet,
                                    bool gradient,
                                    struct lae_vit_workspace **workspace) LAE_MUST_CHECK;
void lae_vit_workspace_free(struct lae_vit_workspace *workspace);

/* Bytes of such a workspace. */
size_t lae_vit_workspace_bytes(const struct lae_vit_workspace *workspace);

/* The same before there is one; 0 where not even that can be told for want of memory. */
size_t lae_vit_workspace_need(const struct lae_vit *vit, const struct lae_pet *pet, bool gradient);

/* Where the time of the thread that uses the workspace goes: the passes tell it what they do. */
struct lae_stopwatch *lae_vit_workspace_watch(struct lae_vit_workspace *workspace);

/* image [3, S, S]: kept in the workspace is the residual stream before the first adapted block. */
void lae_vit_trunk(const struct lae_vit *vit, const struct lae_pet *pet,
                   struct lae_vit_workspace *workspace, const float *image);

/* The kept stream, [N, D], to and from memory of the caller's, so that an image that comes again
 * need not go through the trunk again. */
size_t lae_vit_stream_size(const struct lae_vit *vit); /* floats */
void lae_vit_save_stream(const struct lae_vit *vit, const struct lae_vit_workspace *workspace,
                         float *stream);
void lae_vit_load_stream(const struct lae_vit *vit, struct lae_vit_workspace *workspace,
                         const float *stream);

/* From the kept stream to the class token's feature [D] after the final layer norm. theta
 * [pet->table.total]. `dropout` NULL outside training. `keep`: backward will follow (the workspace
 * must have been made for it). */
void lae_vit_branch(const struct lae_vit *vit, const struct lae_pet *pet, const float *theta,
                    struct lae_vit_workspace *workspace, const struct lae_random *dropout,
                    bool keep, float *feature);

/* From d loss/d feature [D] to the gradient of every module [pet->table.total], written. `dropout`
 * as in the forward pass. */
void lae_vit_backward(const struct lae_vit *vit, const struct lae_pet *pet, const float *theta,
                      struct lae_vit_workspace *workspace, const struct lae_random *dropout,
                      const float *feature_gradient, float *gradient);

#endif
