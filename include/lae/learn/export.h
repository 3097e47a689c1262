/* The heads made from class statistics that a task file holds, for programs of others: what
 * evaluation makes of the file, without data and backbone. */
#ifndef LAE_LEARN_EXPORT_H
#define LAE_LEARN_EXPORT_H

#include "lae/config/config.h"
#include "lae/store/checkpoint.h"

/* Into a set that is empty, of each head of eval.heads and each of the file's statistics,
 *
 *     heads/NAME/weight [classes seen, width], heads/NAME/bias [classes seen]
 *
 * NAME as in /metrics, width that of the features; of ridge that of the random ones, relu(P phi),
 * whose P is heads/random/weight [M, D]. `config`: the checkpoint's. Errors: as lae_head_fit;
 * memory. */
lae_status lae_export_heads(const struct lae_config *config,
                            const struct lae_checkpoint *checkpoint,
                            struct lae_set *set) LAE_MUST_CHECK;

#endif
