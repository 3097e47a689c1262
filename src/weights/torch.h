/* Files that PyTorch wrote with torch.save: tensors in a pickle, and their numbers beside it.
 * Nothing in them is called; see lae/files/pickle.h. */
#ifndef LAE_WEIGHTS_TORCH_H
#define LAE_WEIGHTS_TORCH_H

#include "lae/base/log.h"
#include "raw.h"

#include <stdbool.h>

/* Whether a zip is one of PyTorch's: it has a data.pkl. Errors: no zip. */
lae_status lae_weights_torch_is_zip(const char *path, bool *is) LAE_MUST_CHECK;

/* Whether the bytes begin as torch.save began before it wrote zips (PyTorch 1.6). */
bool lae_weights_torch_is_legacy(const unsigned char *data, size_t size);

/* Append the tensors to `file`: those of the dictionary itself, or under "model", "state_dict",
 * "teacher" or "module"; which ones, and what is passed over, goes to the log. The legacy file's
 * bytes stay where they are. Errors name the path. */
lae_status lae_weights_torch_read_zip(const char *path, struct lae_log *log,
                                      struct lae_raw_file *file) LAE_MUST_CHECK;
lae_status lae_weights_torch_read_legacy(const char *path, const unsigned char *data, size_t size,
                                         struct lae_log *log,
                                         struct lae_raw_file *file) LAE_MUST_CHECK;

#endif
