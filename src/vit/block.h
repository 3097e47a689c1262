/* One pre-norm block with its modules, forward and backward. */
#ifndef LAE_SRC_VIT_BLOCK_H
#define LAE_SRC_VIT_BLOCK_H

#include "workspace.h"

/* One pass over one image. */
struct pass {
    const struct lae_vit *vit;
    const struct lae_pet *pet;
    const float *theta; /* [pet->table.total] */
    struct lae_vit_workspace *memory;
    const struct lae_random *dropout; /* NULL outside training */
    bool keep;                        /* backward follows */
};

/* What the time is spent on from now on. */
static inline void turn(const struct pass *pass, enum lae_work work)
{
    lae_stopwatch_turn(&pass->memory->watch, work);
}

/* A frozen map forward, y = x W^T + b (+ y), and back, dx = dy W (+ dx): see frozen.c. */
void frozen_forward(const struct pass *pass, const struct lae_frozen *map, const float *x,
                    float *y);
void frozen_back(const struct pass *pass, const struct lae_frozen *map, const float *dy, float *dx);

/* The stream memory->x [N, D] becomes the block's output; in the last block only row 0 of it. */
void block_forward(const struct pass *pass, size_t block);

/* memory->x holds the gradient of the block's output and becomes that of its input, unless this is
 * the first adapted block, below which no gradient is wanted. Writes the modules' gradients into
 * gradient [pet->table.total]. */
void block_backward(const struct pass *pass, size_t block, float *gradient);

#endif
