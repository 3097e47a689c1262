/* Files that appear whole or not at all: written beside, flushed, renamed. */
#ifndef LAE_FILES_ATOMIC_H
#define LAE_FILES_ATOMIC_H

#include "lae/base/status.h"

#include <stddef.h>

struct lae_atomic {
    char *path;      /* where the file shall appear */
    char *temporary; /* where to write it: same directory, ".NAME.tmp" */
};

/* Chooses the temporary name and removes what an earlier attempt left there. Errors: no such
 * directory, `path` is a directory. */
lae_status lae_atomic_begin(struct lae_atomic *file, const char *path) LAE_MUST_CHECK;

/* Whether a file can be begun at `path`, long before it is written: the same errors. */
lae_status lae_atomic_check(const char *path) LAE_MUST_CHECK;

/* fsync of the temporary file, rename, fsync of the directory; frees. On an error (disk full, ...)
 * the temporary file is removed and what was at `path` before is untouched; only the directory's
 * own fsync can fail after the new file is in place. */
lae_status lae_atomic_commit(struct lae_atomic *file) LAE_MUST_CHECK;

/* Gives a whole file another name in its directory, in the place of what had it; on disk when it
 * returns. */
lae_status lae_atomic_rename(const char *from, const char *to) LAE_MUST_CHECK;

/* Removes the temporary file; frees. */
void lae_atomic_abandon(struct lae_atomic *file);

/* A whole file from memory, atomically. */
lae_status lae_atomic_write(const char *path, const void *data, size_t size) LAE_MUST_CHECK;

#endif
