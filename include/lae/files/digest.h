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

/* The same as if the file's bytes of a range, which counts from its beginning, were zero. */
struct lae_digest_range {
    uint64_t from, to; /* to: the first that is not in it */
};
lae_status lae_digest_file_zeroed(const char *path, uint64_t offset, struct lae_digest_range zeroed,
                                  char text[LAE_DIGEST_TEXT]) LAE_MUST_CHECK;

#endif
