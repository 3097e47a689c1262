/* What a pass computes: two operations for each multiplication and addition in the products of
 * matrices that are really made (frozen weights, attention, modules), the savings of the last and
 * the first blocks counted as such. */
#ifndef LAE_VIT_FLOPS_H
#define LAE_VIT_FLOPS_H

#include "lae/pet/pet.h"
#include "lae/vit/model.h"

struct lae_vit_flops {
    double trunk, branch, backward; /* of one image */
};

struct lae_vit_flops lae_vit_count_flops(const struct lae_vit *vit, const struct lae_pet *pet);

#endif
