/* A task file's modules, classifiers and other heads as .safetensors, for programs in PyTorch.
 *
 *     blocks.I.SITE.TYPE.PARAM     a module's tensors; where both are written, behind "online." and
 *                                  "offline."
 *     head.weight [classes seen, D], head.bias     all classifiers, in output order
 *
 * These are timm's names: the modules' tensors lie beside blocks.I.attn.qkv.weight and so on.
 * __metadata__ holds, as texts, "config" (the YAML of /config), "class_order" (output index to
 * label, as JSON), "task", "weights_digest" (SHA-256 of the backbone's file) and "modules", and
 * what the caller adds: how its images are made, in which precision its features are.
 */
#ifndef LAE_WEIGHTS_ADAPTERS_H
#define LAE_WEIGHTS_ADAPTERS_H

#include "lae/store/checkpoint.h"

/* More of __metadata__, and more tensors. */
struct lae_adapters_more {
    const char *const (*texts)[2]; /* [count] of name and value */
    size_t count;
    const struct lae_set *tensors; /* heads made from class statistics; NULL: none */
};

/* Atomically. `module`: "online" or "offline"; NULL: all that the checkpoint has. Errors: no such
 * module there, classifiers that do not fit together, memory, the path. */
lae_status lae_weights_write_adapters(const char *path, const struct lae_checkpoint *checkpoint,
                                      const char *module,
                                      const struct lae_adapters_more *more) LAE_MUST_CHECK;

#endif
