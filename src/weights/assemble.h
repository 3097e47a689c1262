/* From a file's tensors to ours. */
#ifndef LAE_WEIGHTS_ASSEMBLE_H
#define LAE_WEIGHTS_ASSEMBLE_H

#include "lae/weights/weights.h"
#include "raw.h"

/* Makes weights->tensors, format, eps, heads and pixels, as far as these can be seen in the sorted
 * tensors of `file`, whose own memory it gives back on the way. Errors name the tensor as the file
 * does, but not the file; `path` is for the log. */
lae_status lae_weights_assemble(const char *path, struct lae_raw_file *file, struct lae_log *log,
                                struct lae_weights *weights) LAE_MUST_CHECK;

#endif
