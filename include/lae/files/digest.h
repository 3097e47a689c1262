/* SHA-256 (FIPS 180-4), by OpenSSL's libcrypto. */
#ifndef LAE_FILES_DIGEST_H
#define LAE_FILES_DIGEST_H

#include "lae/base/status.h"

#include <stddef.h>
#include <stdint.h>

#define LAE_DIGEST_TEXT 65 /* 64 hexadecimal digits and a zero */

/* Of `size` bytes of memory, in lower-case hexadecimal. */
lae_status lae_digest_memory(const void *data, size_t size,
                             char text[LAE_DIGEST_TEXT]) LAE_MUST_CHECK;

/* Of a file from byte `offset` to its end. */
lae_status lae_digest_file(const char *path, uint64_t offset,
                           char text[LAE_DIGEST_TEXT]) LAE_MUST_CHECK;

/* The same as if the bytes from there on began with `first` [count]. The file has as many. */
lae_status lae_digest_file_as(const char *path, uint64_t offset, const void *first, size_t count,
                              char text[LAE_DIGEST_TEXT]) LAE_MUST_CHECK;

#endif
