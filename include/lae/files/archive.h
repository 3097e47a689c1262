/* Entries of zip and tar archives, by libarchive.
 *
 * Read: zip; tar, plain or packed with gzip, bzip2, xz or zstd. Checksums are checked: a zip's for
 * each entry as it is read, gzip's when lae_archive_next comes to the end, the others' block by
 * block. A plain tar has none for its entries' bytes, and zstd's is optional.
 *
 * No more is unpacked than some thousand times the file's size.
 */
#ifndef LAE_FILES_ARCHIVE_H
#define LAE_FILES_ARCHIVE_H

#include "lae/base/status.h"

#include <stddef.h>

struct lae_archive;

/* Errors: not a regular file, empty, not an archive, memory. */
lae_status lae_archive_open(const char *path, struct lae_archive **archive) LAE_MUST_CHECK;
void lae_archive_close(struct lae_archive *archive);

/* The next regular file's name (valid until the next call); NULL at the end. A name that the
 * locale cannot show is replaced by words in brackets. Damaged archives are errors that name path
 * and entry. */
lae_status lae_archive_next(struct lae_archive *archive, const char **name) LAE_MUST_CHECK;

/* All bytes of the entry at hand, once, at most `limit` (more is an error that says so);
 * free(*data). One byte past the end is zero, so that text can be read as a string. */
lae_status lae_archive_read(struct lae_archive *archive, size_t limit, unsigned char **data,
                            size_t *size) LAE_MUST_CHECK;

#endif
