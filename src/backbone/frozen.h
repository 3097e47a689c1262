/* The frozen linear maps of a backbone: their shapes, their products, their packed weights. */
#ifndef LAE_BACKBONE_FROZEN_H
#define LAE_BACKBONE_FROZEN_H

#include "family.h"

/* A frozen linear map, in the forms that lae_product_run takes. */
struct lae_frozen {
    const float *weight, *bias;        /* [out, in], [out] as stored */
    const void *forward, *back;        /* packed, or as stored; back NULL: no gradient goes here */
    int forward_product, back_product; /* numbers in the backbone's products */
};

/* x [rows, in] with rows `ldx` apart to y [rows, out], `ldy` apart. */
struct lae_frozen_shape {
    size_t rows, in, out, ldx, ldy;
    bool adds, adds_back; /* y +=; dx += */
};

/* Lists the map, whose weight and bias are set, among the backbone's, declares its product and, if
 * `back`, that of the way back, and adds its packed weights to backbone->packed. Errors: memory. */
lae_status lae_frozen_declare(struct lae_backbone *backbone, struct lae_frozen *map,
                              const struct lae_frozen_shape *shape, bool back) LAE_MUST_CHECK;

/* y = x W^T + b (+ y) */
void lae_frozen_forward(const struct lae_pass *pass, const struct lae_frozen *map, const float *x,
                        float *y);

/* dx = dy W (+ dx) */
void lae_frozen_back(const struct lae_pass *pass, const struct lae_frozen *map, const float *dy,
                     float *dx);

#endif
