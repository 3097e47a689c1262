/* Files that appear whole or not at all.
 *
 *     write .NAME.tmp -> fsync it -> rename it to NAME -> fsync the directory
 *
 * rename() replaces a file in one step (POSIX), so a reader finds the old file or the new one. The
 * first fsync keeps the name from reaching the disk before the data; the second makes it stay.
 */
#include "lae/files/atomic.h"

#include "lae/files/map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* DIRECTORY/.NAME.tmp as a new string. */
static char *temporary_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    size_t size = strlen(path) + sizeof "..tmp";
    char *temporary = malloc(size);
    if (temporary != NULL) snprintf(temporary, size, "%.*s.%s.tmp", (int)(name - path), path, name);
    return temporary;
}

static void release(struct lae_atomic *file)
{
    free(file->path);
    free(file->temporary);
    *file = (struct lae_atomic){0};
}

static lae_status check_place(const char *path)
{
    size_t length = strlen(path);
    if (length == 0 || path[length - 1] == '/')
        return lae_bad_input("\"%s\" is no name for a file", path);
    if (length > 65536) return lae_bad_input("a path of %zu bytes is too long", length);
    if (lae_path_is_directory(path)) return lae_bad_input("%s: is a directory, not a file", path);
    char *directory = lae_path_directory(path);
    if (directory == NULL) return lae_out_of_memory(length, "a path");
    lae_status status = NULL;
    if (!lae_path_is_directory(directory))
        status = lae_bad_input("%s: cannot be written: there is no directory %s", path, directory);
    free(directory);
    return status;
}

lae_status lae_atomic_begin(struct lae_atomic *file, const char *path)
{
    *file = (struct lae_atomic){0};
    LAE_TRY(check_place(path));
    file->path = strdup(path);
    file->temporary = temporary_of(path);
    if (file->path == NULL || file->temporary == NULL) {
        release(file);
        return lae_out_of_memory(strlen(path), "a path");
    }
    if (unlink(file->temporary) != 0 && errno != ENOENT) {
        lae_status status = lae_failed("%s: is in the way and cannot be removed: %s",
                                       file->temporary, strerror(errno));
        release(file);
        return status;
    }
    return NULL;
}

lae_status lae_atomic_check(const char *path)
{
    struct lae_atomic probe;
    LAE_TRY(lae_atomic_begin(&probe, path));
    lae_atomic_abandon(&probe);
    return NULL;
}

/* fsync, again when a signal broke into it (NFS waits interruptibly). */
static int sync_file(int file)
{
    int result = 0;
    do
        result = fsync(file);
    while (result != 0 && errno == EINTR);
    return result;
}

static lae_status flush_temporary(const struct lae_atomic *file)
{
    int descriptor = open(file->temporary, O_WRONLY | O_CLOEXEC);
    int result = descriptor < 0 ? -1 : sync_file(descriptor);
    int error = errno;
    /* close may be the first to tell of a failed write, on NFS for one. */
    if (descriptor >= 0 && close(descriptor) != 0 && result == 0) {
        result = -1;
        error = errno;
    }
    if (result == 0) return NULL;
    return lae_failed("%s: cannot be written to disk: %s", file->path, strerror(error));
}

/* The file stands by now; only its survival of a power cut is at stake. Some file systems cannot
 * flush directories (EINVAL), and one may write in a directory without reading it (EACCES). */
static lae_status flush_directory(const char *path)
{
    char *directory = lae_path_directory(path);
    if (directory == NULL) return lae_out_of_memory(strlen(path), "a path");
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(directory);
    if (descriptor < 0) return NULL;
    int error = sync_file(descriptor) == 0 ? 0 : errno;
    close(descriptor);
    if (error == 0 || error == EINVAL || error == EOPNOTSUPP) return NULL;
    return lae_failed("%s: its directory cannot be written to disk: %s", path, strerror(error));
}

lae_status lae_atomic_rename(const char *from, const char *to)
{
    if (rename(from, to) != 0)
        return lae_failed("%s: cannot be renamed to %s: %s", from, to, strerror(errno));
    return flush_directory(to);
}

lae_status lae_atomic_commit(struct lae_atomic *file)
{
    lae_status status = flush_temporary(file);
    if (status == NULL && rename(file->temporary, file->path) != 0)
        status = lae_failed("%s: cannot be put in place: %s", file->path, strerror(errno));
    if (status != NULL) {
        lae_atomic_abandon(file);
        return status;
    }
    status = flush_directory(file->path);
    release(file);
    return status;
}

void lae_atomic_abandon(struct lae_atomic *file)
{
    if (file->temporary != NULL) unlink(file->temporary);
    release(file);
}

static int write_bytes(int descriptor, const unsigned char *data, size_t size)
{
    while (size > 0) {
        ssize_t count = write(descriptor, data, size);
        if (count < 0 && errno == EINTR) continue;
        if (count == 0) errno = ENOSPC; /* not for regular files, but never loop on it */
        if (count <= 0) return -1;
        data += count;
        size -= (size_t)count;
    }
    return 0;
}

static lae_status write_temporary(const struct lae_atomic *file, const void *data, size_t size)
{
    int descriptor = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0)
        return lae_failed("%s: cannot be created: %s", file->temporary, strerror(errno));
    int result = write_bytes(descriptor, data, size);
    int error = errno;
    if (close(descriptor) != 0 && result == 0) {
        result = -1;
        error = errno;
    }
    if (result == 0) return NULL;
    return lae_failed("%s: cannot be written: %s", file->path, strerror(error));
}

lae_status lae_atomic_write(const char *path, const void *data, size_t size)
{
    struct lae_atomic file;
    LAE_TRY(lae_atomic_begin(&file, path));
    lae_status status = write_temporary(&file, data, size);
    if (status != NULL) {
        lae_atomic_abandon(&file);
        return status;
    }
    return lae_atomic_commit(&file);
}
