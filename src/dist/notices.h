/* Urgent requests to stop, told from rank to rank. */
#ifndef LAE_SRC_DIST_NOTICES_H
#define LAE_SRC_DIST_NOTICES_H

#include "lae/dist/dist.h"

lae_status lae_notices_create(struct lae_dist *dist) LAE_MUST_CHECK; /* [collective] */
void lae_notices_free(struct lae_dist *dist);                        /* [collective] */

#endif
