/* Files that a run keeps in its directory. Others may have put something in their place: no such
 * file is opened through a link, symbolic or hard. */
#ifndef LAE_FILES_OWN_H
#define LAE_FILES_OWN_H

#include "lae/base/status.h"

#include <stdbool.h>
#include <stdio.h>

enum lae_own {
    LAE_OWN_FILE,      /* to be read, or replaced as a whole */
    LAE_OWN_WRITTEN,   /* a file to be written in place: it must have no second name, either */
    LAE_OWN_DIRECTORY, /* to have files made in it */
};

/* Whether what is at `path` is nothing, or of that kind. Errors (LAE_BAD_INPUT): a link, something
 * else, a file that a hard link gives a second name. */
lae_status lae_own_check(const char *path, enum lae_own kind) LAE_MUST_CHECK;

/* open(2) of a file to be written in place, with these flags beside O_CREAT; the same errors, and
 * those of open. */
lae_status lae_own_open(const char *path, int flags, int *file) LAE_MUST_CHECK;

/* The file as a stream that appends and can read; fclose(*stream). */
lae_status lae_own_append(const char *path, FILE **stream) LAE_MUST_CHECK;

#endif
