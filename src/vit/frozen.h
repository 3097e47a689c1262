/* The shapes of a model's frozen linear maps, and their packed weights. */
#ifndef LAE_SRC_VIT_FROZEN_H
#define LAE_SRC_VIT_FROZEN_H

#include "lae/vit/model.h"

#define FROZEN_OF_BLOCK 5 /* at most */

/* Lists all maps of the model in vit->frozen, declares their products and attention's, and
 * sums up vit->packed. */
lae_status frozen_declare(struct lae_vit *vit, const struct lae_pet *pet) LAE_MUST_CHECK;

#endif
