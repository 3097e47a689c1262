/* The root's attributes, as both who reads and who writes a checkpoint have them. */
#ifndef LAE_SRC_STORE_CHECKPOINT_ROOT_H
#define LAE_SRC_STORE_CHECKPOINT_ROOT_H

#include "lae/params/record.h"

/* Of struct lae_checkpoint. */
extern const struct lae_record lae_checkpoint_root;

#endif
