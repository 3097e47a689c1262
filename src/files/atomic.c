/* Files that appear whole or not at all.
 *
 *     write .NAME.NUMBER.tmp -> fsync it -> rename it to NAME -> fsync the directory
 *
 * rename() replaces a file in one step (POSIX), so a reader finds the old file or the new one. The
 * first fsync keeps the name from reaching the disk before the data; the second makes it stay.
 *
 * NUMBER is a random one, so that several may write NAME at a time: the last to finish is what
 * stays. Who writes holds a lock on its file, and the kernel drops that with the process: a
 * temporary file that can be locked was left by one that was killed, and the next one removes it.
 */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include "lae/files/atomic.h"

#include "lae/files/map.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ENDING "-XXXXXXXX.tmp" /* of a temporary file's name: the number in hexadecimal */
#define ATTEMPTS 100           /* to find a name that nobody has */
#define DAY (24 * 60 * 60)     /* seconds */

enum {
    DIGITS = 8,      /* of the number */
    BEGINNING = 200, /* bytes of a name that its temporary files share, as names end at 255 */
};

/* "DIRECTORY/.NAME" with room for the ending, as a new string. */
static char *stem_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    size_t size = strlen(path) + sizeof "." + sizeof ENDING;
    char *stem = malloc(size);
    if (stem != NULL) snprintf(stem, size, "%.*s.%.*s", (int)(name - path), path, BEGINNING, name);
    return stem;
}

static uint32_t random_number(void)
{
    uint32_t number;
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) == (ssize_t)sizeof number) return number;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)now.tv_nsec ^ (uint32_t)getpid() << 12;
}

static void release(struct lae_atomic *file)
{
    if (file->file >= 0) close(file->file);
    free(file->path);
    free(file->temporary);
    *file = (struct lae_atomic){.file = -1};
}

/* ---- what others left */

static bool is_temporary(const char *name, const char *stem)
{
    size_t length = strlen(stem);
    if (strncmp(name, stem, length) != 0 || name[length] != '-') return false;
    name += length + 1;
    return strspn(name, "0123456789abcdef") == DIGITS && strcmp(name + DIGITS, ".tmp") == 0;
}

/* False: another holds the lock. Where there are no locks it is taken for held. */
static bool lock(int file, bool *supported)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(file, F_OFD_SETLK, &whole) == 0) return *supported = true;
    *supported = errno == EAGAIN || errno == EACCES;
    return !*supported;
}

/* Without locks, a day without a change must do. */
static void remove_if_left(int directory, const char *name)
{
    struct stat about;
    if (fstatat(directory, name, &about, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(about.st_mode))
        return;
    int file = openat(directory, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return;
    bool supported;
    if (lock(file, &supported) && (supported || time(NULL) - about.st_mtime > DAY))
        unlinkat(directory, name, 0);
    close(file);
}

/* `stem`: as stem_of makes it. */
static void remove_left(const char *stem)
{
    const char *slash = strrchr(stem, '/');
    char *directory = lae_path_directory(stem);
    DIR *stream = directory != NULL ? opendir(directory) : NULL;
    free(directory);
    if (stream == NULL) return; /* one may write in a directory without reading it */
    for (struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream))
        if (is_temporary(entry->d_name, slash == NULL ? stem : slash + 1))
            remove_if_left(dirfd(stream), entry->d_name);
    closedir(stream);
}

/* ---- a file of our own */

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
    if (lae_path_is_no_directory(directory))
        status = lae_bad_input("%s: cannot be written: there is no directory %s", path, directory);
    free(directory);
    return status;
}

/* Between the making of a file and its lock, another may have taken it for one left behind. */
static bool is_still_ours(const struct lae_atomic *file)
{
    struct stat about;
    bool supported;
    return lock(file->file, &supported) && fstat(file->file, &about) == 0 && about.st_nlink > 0;
}

static lae_status create(struct lae_atomic *file)
{
    char *ending = file->temporary + strlen(file->temporary);
    for (int i = 0; i < ATTEMPTS; i++) {
        snprintf(ending, sizeof ENDING, "-%08" PRIx32 ".tmp", random_number());
        file->file =
            open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (file->file < 0 && errno == EEXIST) continue;
        if (file->file < 0)
            return lae_failed("%s: cannot be created: %s", file->temporary, strerror(errno));
        if (is_still_ours(file)) return NULL;
        close(file->file);
        unlink(file->temporary);
        file->file = -1;
    }
    return lae_failed("%s: no name for a file beside it is free", file->path);
}

lae_status lae_atomic_begin(struct lae_atomic *file, const char *path)
{
    *file = (struct lae_atomic){.file = -1};
    LAE_TRY(check_place(path));
    file->path = strdup(path);
    file->temporary = stem_of(path);
    lae_status status = NULL;
    if (file->path == NULL || file->temporary == NULL) {
        status = lae_out_of_memory(strlen(path), "a path");
    } else {
        remove_left(file->temporary);
        status = create(file);
    }
    if (status != NULL) release(file);
    return status;
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
    lae_status status = NULL;
    if (sync_file(file->file) != 0)
        status = lae_failed("%s: cannot be written to disk: %s", file->path, strerror(errno));
    /* The lock is held until the file has its own name. */
    else if (rename(file->temporary, file->path) != 0)
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

FILE *lae_atomic_stream(const struct lae_atomic *file)
{
    int copy = fcntl(file->file, F_DUPFD_CLOEXEC, 0);
    FILE *stream = copy >= 0 ? fdopen(copy, "wb") : NULL;
    if (stream == NULL && copy >= 0) close(copy);
    return stream;
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

lae_status lae_atomic_write(const char *path, const void *data, size_t size)
{
    struct lae_atomic file;
    LAE_TRY(lae_atomic_begin(&file, path));
    if (write_bytes(file.file, data, size) == 0) return lae_atomic_commit(&file);
    lae_status status = lae_failed("%s: cannot be written: %s", path, strerror(errno));
    lae_atomic_abandon(&file);
    return status;
}
