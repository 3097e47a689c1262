/* Hugging Face's tensor files. */
#ifndef LAE_WEIGHTS_SAFETENSORS_H
#define LAE_WEIGHTS_SAFETENSORS_H

#include "lae/params/set.h"
#include "raw.h"

/* Appends all tensors of the file mapped at data [size] to `file`; their bytes stay where they are.
 * Errors name tensors and offsets, but not the path. */
lae_status lae_weights_safetensors_read(const unsigned char *data, size_t size,
                                        struct lae_raw_file *file) LAE_MUST_CHECK;

/* An entry of __metadata__. */
struct lae_text {
    const char *name, *value;
};

/* Writes the set in float32, atomically; a '/' in a name becomes '.'. */
lae_status lae_weights_safetensors_write(const char *path, const struct lae_set *tensors,
                                         const struct lae_text *metadata,
                                         size_t count) LAE_MUST_CHECK;

/* The same of a backbone: eps, heads and pixels go into __metadata__, where lae_weights_safetensors_read
 * finds them. */
lae_status lae_weights_safetensors_write_weights(const char *path,
                                                 const struct lae_weights *weights) LAE_MUST_CHECK;

#endif
