/* One run a directory, by an open-file-description lock.
 *
 * The kernel drops such a lock with the last descriptor, so a killed run leaves none behind, and
 * unlike POSIX's process locks it does not vanish when the process closes another descriptor of the
 * file. The lock file itself stays: removing it would let a third process lock a new file of the
 * same name while the second still holds the old one. It is removed only by who made it, while it
 * is held, and who locks it then sees that it is gone.
 */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include "lae/files/lock.h"

#include "lae/files/map.h"
#include "lae/files/own.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* HOST PROCESS TIME, one line: what the lock file says of its holder. */
struct holder {
    char host[65], process[21], since[33];
};

static bool readable(const char *word)
{
    for (; *word != '\0'; word++)
        if (!isgraph((unsigned char)*word)) return false;
    return true;
}

/* False when there is nothing to be read there (yet), or something else. */
static bool read_holder(int file, struct holder *holder)
{
    char line[160];
    ssize_t count = pread(file, line, sizeof line - 1, 0);
    if (count <= 0) return false;
    line[count] = '\0';
    return sscanf(line, "%64s %20s %32s", holder->host, holder->process, holder->since) == 3 &&
           readable(holder->host) && readable(holder->process) && readable(holder->since);
}

/* For people only, so a failure (disk full) is no reason to refuse the lock. */
static void write_holder(int file)
{
    char host[65] = "", since[33] = "", line[160];
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0') strcpy(host, "unknown");
    time_t now = time(NULL);
    struct tm parts;
    if (localtime_r(&now, &parts) != NULL)
        strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%S%z", &parts);
    int length = snprintf(line, sizeof line, "%s %ld %s\n", host, (long)getpid(), since);
    if (ftruncate(file, 0) != 0 || pwrite(file, line, (size_t)length, 0) != length) return;
}

static lae_status in_use(const char *directory, int file)
{
    struct holder holder;
    if (!read_holder(file, &holder))
        return lae_bad_input("%s is in use by another process; wait for it, or choose another "
                             "run.name",
                             directory);
    return lae_bad_input("%s is in use by process %s on host %s since %s; wait for it, or choose "
                         "another run.name",
                         directory, holder.process, holder.host, holder.since);
}

/* EINVAL: a kernel from before these locks (Linux 3.15). */
static bool means_unsupported(int error)
{
    return error == ENOLCK || error == EOPNOTSUPP || error == ENOSYS || error == EINVAL;
}

/* Whether the file that was opened is still the one of that name: lae_lock_undo may have removed it
 * before it could be locked. */
static bool is_still_there(const char *path, int file)
{
    struct stat named, opened;
    return stat(path, &named) == 0 && fstat(file, &opened) == 0 && named.st_ino == opened.st_ino &&
           named.st_dev == opened.st_dev;
}

static void remember(struct lae_lock *lock, bool made)
{
    ssize_t count = pread(lock->file, lock->before, sizeof lock->before - 1, 0);
    lock->before[count > 0 ? count : 0] = '\0';
    lock->made = made;
}

lae_status lae_lock_take(struct lae_lock *lock, const char *directory, bool *supported)
{
    *lock = (struct lae_lock){.file = -1};
    *supported = true;
    char *path = lae_path_join(directory, "lock");
    if (path == NULL) return lae_out_of_memory(strlen(directory), "a path");
    int file = -1;
    bool made = !lae_path_exists(path);
    lae_status status = lae_own_open(path, O_RDWR, &file);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (status != NULL) {
        file = -1;
    } else if (fcntl(file, F_OFD_SETLK, &whole) == 0 && is_still_there(path, file)) {
        *lock = (struct lae_lock){.file = file, .path = path};
        remember(lock, made);
        write_holder(file);
        return NULL;
    } else if (errno == EAGAIN || errno == EACCES || !is_still_there(path, file)) {
        status = in_use(directory, file);
    } else if (means_unsupported(errno)) {
        *supported = false;
    } else {
        status = lae_failed("%s: cannot be locked: %s", path, strerror(errno));
    }
    if (file >= 0) close(file);
    free(path);
    return status;
}

void lae_lock_undo(struct lae_lock *lock)
{
    size_t length = strlen(lock->before);
    if (lock->path != NULL && lock->made)
        unlink(lock->path);
    else if (lock->path != NULL && ftruncate(lock->file, 0) == 0 &&
             pwrite(lock->file, lock->before, length, 0) < 0)
        length = 0; /* for people only */
    lae_lock_release(lock);
}

void lae_lock_release(struct lae_lock *lock)
{
    if (lock->path != NULL) close(lock->file);
    free(lock->path);
    *lock = (struct lae_lock){.file = -1};
}
