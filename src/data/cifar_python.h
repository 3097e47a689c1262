/* CIFAR's Python files to what its binary ones hold. Private to data/. */
#ifndef LAE_DATA_CIFAR_PYTHON_H
#define LAE_DATA_CIFAR_PYTHON_H

#include "lae/base/status.h"

#include <stddef.h>

/* The records of a file: of each image its labels, those under keys[0], keys[1], ... (ended by
 * NULL), then `pixel_bytes` of pixels, as the binary version has them. `bytes` are the file's;
 * `name` is for messages; free(*records). Errors: no such pickle, lists and array that do not go
 * together, a label that is no byte. */
lae_status lae_cifar_unpickle(const char *name, const unsigned char *bytes, size_t size,
                              const char *const *keys, size_t pixel_bytes, unsigned char **records,
                              size_t *records_size) LAE_MUST_CHECK;

/* The strings of the list under `key`, each ended by a newline, as one text; free(*text). */
lae_status lae_cifar_unpickle_names(const char *name, const unsigned char *bytes, size_t size,
                                    const char *key, unsigned char **text,
                                    size_t *text_size) LAE_MUST_CHECK;

#endif
