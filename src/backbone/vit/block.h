/* One pre-norm block with its modules, forward and backward. */
#ifndef LAE_BACKBONE_VIT_BLOCK_H
#define LAE_BACKBONE_VIT_BLOCK_H

#include "workspace.h"

/* The stream memory->x [N, D] becomes the block's output; in the last block only row 0 of it. */
void lae_vit_block_forward(const struct lae_pass *pass, size_t block);

/* memory->x holds the gradient of the block's output and becomes that of its input, unless this is
 * the first adapted block, below which no gradient is wanted. Writes the modules' gradients into
 * gradient [pet->table.total]. */
void lae_vit_block_backward(const struct lae_pass *pass, size_t block, float *gradient);

#endif
