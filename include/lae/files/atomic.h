/* Files that appear whole or not at all: written beside, flushed, renamed. */
#ifndef LAE_FILES_ATOMIC_H
#define LAE_FILES_ATOMIC_H

#include "lae/base/status.h"

#include <stddef.h>
#include <stdio.h>

struct lae_atomic {
    char *path;      /* where the file shall appear */
    char *temporary; /* where it is written: a name of its own in the same directory */
    int file;        /* open for writing; -1: none */
};

/* Makes the temporary file, and removes those that killed processes left of `path`. Errors: no such
 * directory, `path` is a directory, no permission, no space. */
lae_status lae_atomic_begin(struct lae_atomic *file, const char *path) LAE_MUST_CHECK;

/* A stream that writes into the temporary file, to be closed before it is committed; NULL (errno):
 * none can be had. */
FILE *lae_atomic_stream(const struct lae_atomic *file);

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
