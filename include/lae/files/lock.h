/* A run directory belongs to one run at a time. */
#ifndef LAE_FILES_LOCK_H
#define LAE_FILES_LOCK_H

#include "lae/base/status.h"

#include <stdbool.h>

struct lae_lock {
    int file;         /* -1: not held */
    char *path;       /* NULL: not held */
    bool made;        /* the file was not there before */
    char before[160]; /* what it said */
};

/* Takes the lock DIRECTORY/lock (an open-file-description lock, so it goes with the process however
 * it ends) and writes host, process and time into it for people. Held by another: an error that
 * says by whom. The file stays when the lock is released. `*supported` is false, and the lock not
 * held, where the file system has no locks (ENOLCK, EOPNOTSUPP, ENOSYS): the caller warns. */
lae_status lae_lock_take(struct lae_lock *lock, const char *directory,
                         bool *supported) LAE_MUST_CHECK;
void lae_lock_release(struct lae_lock *lock);

/* The same, and the file is as it was before it was taken. */
void lae_lock_undo(struct lae_lock *lock);

#endif
