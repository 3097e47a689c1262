/* Preloaded, makes one call about a file below LAE_FAIL_BELOW fail: the LAE_FAIL_AT-th (from 1), with
 * the errno LAE_FAIL_ERROR. With LAE_FAIL_LASTS all that follow fail as well, as on a disk that is
 * full. Counted are the calls that may need space; with LAE_FAIL_ALL those that look, open, read and
 * remove, too, as a server of files that was started anew answers them. What was counted goes into the
 * file LAE_FAIL_COUNT, with the name of the call that failed. */
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS /* it would rename these functions */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { ADDS, LOOKS };

static struct {
    const char *below;
    size_t length;
    long at, seen;
    int error;
    bool all, lasts;
    const char *failed;
} plan;

static long number(const char *name)
{
    const char *text = getenv(name);
    return text == NULL ? 0 : strtol(text, NULL, 10);
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static void write_count(void)
{
    const char *path = getenv("LAE_FAIL_COUNT");
    FILE *file = path == NULL || plan.seen == 0 ? NULL : fopen(path, "we");
    if (file == NULL) return;
    fprintf(file, "%ld %s\n", plan.seen, plan.failed == NULL ? "none" : plan.failed);
    fclose(file);
}

__attribute__((constructor)) static void begin(void)
{
    plan.below = getenv("LAE_FAIL_BELOW");
    if (plan.below == NULL) return;
    plan.length = strlen(plan.below);
    plan.at = number("LAE_FAIL_AT");
    plan.error = (int)number("LAE_FAIL_ERROR");
    plan.all = getenv("LAE_FAIL_ALL") != NULL;
    plan.lasts = getenv("LAE_FAIL_LASTS") != NULL;
    atexit(write_count);
}

static bool fails(enum kind kind, const char *call, const char *path)
{
    if (plan.below == NULL || strncmp(path, plan.below, plan.length) != 0) return false;
    if (kind == LOOKS && !plan.all) return false;
    plan.seen++;
    if (plan.at == 0 || plan.seen < plan.at || (plan.seen > plan.at && !plan.lasts)) return false;
    if (plan.seen == plan.at) plan.failed = call;
    errno = plan.error;
    return true;
}

static bool file_fails(enum kind kind, const char *call, int file)
{
    char link[64], path[PATH_MAX] = "";
    if (plan.below == NULL) return false;
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    return length > 0 && fails(kind, call, path);
}

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;                           \
        va_end(args);                                                                              \
        int (*open_it)(const char *, int, ...);                                                    \
        *(void **)&open_it = next(#name);                                                          \
        if (fails((flags & O_CREAT) != 0 ? ADDS : LOOKS, "open", path)) return -1;                 \
        return open_it(path, flags, mode);                                                         \
    }
OPEN(open)
OPEN(open64)

#define ON_PATH(kind, name, arguments, path, ...)                                                  \
    int name arguments                                                                             \
    {                                                                                              \
        int(*real) arguments;                                                                      \
        *(void **)&real = next(#name);                                                             \
        return fails(kind, #name, path) ? -1 : real(__VA_ARGS__);                                  \
    }
ON_PATH(ADDS, mkdir, (const char *path, mode_t mode), path, path, mode)
ON_PATH(ADDS, rename, (const char *from, const char *to), to, from, to)
ON_PATH(LOOKS, unlink, (const char *path), path, path)
ON_PATH(LOOKS, stat64, (const char *path, struct stat64 *about), path, path, about)
ON_PATH(LOOKS, lstat64, (const char *path, struct stat64 *about), path, path, about)

#define ON_FILE(kind, type, name, arguments, file, ...)                                            \
    type name arguments                                                                            \
    {                                                                                              \
        type(*real) arguments;                                                                     \
        *(void **)&real = next(#name);                                                             \
        return file_fails(kind, #name, file) ? -1 : real(__VA_ARGS__);                             \
    }
ON_FILE(ADDS, int, fsync, (int file), file, file)
ON_FILE(ADDS, ssize_t, write, (int file, const void *data, size_t size), file, file, data, size)
ON_FILE(LOOKS, ssize_t, read, (int file, void *data, size_t size), file, file, data, size)
ON_FILE(LOOKS, ssize_t, pread64, (int file, void *data, size_t size, off64_t at), file, file, data,
        size, at)
ON_FILE(LOOKS, int, ftruncate64, (int file, off64_t size), file, file, size)
ON_FILE(LOOKS, int, fstat64, (int file, struct stat64 *about), file, file, about)
ON_FILE(ADDS, int, fflush, (FILE * stream), stream == NULL ? -1 : fileno(stream), stream)

FILE *fopen64(const char *path, const char *mode)
{
    FILE *(*real)(const char *, const char *);
    *(void **)&real = next("fopen64");
    return fails(LOOKS, "fopen", path) ? NULL : real(path, mode);
}

DIR *opendir(const char *path)
{
    DIR *(*real)(const char *);
    *(void **)&real = next("opendir");
    return fails(LOOKS, "opendir", path) ? NULL : real(path);
}

int fclose(FILE *stream)
{
    int (*real)(FILE *);
    *(void **)&real = next("fclose");
    bool failing = file_fails(ADDS, "fclose", fileno(stream));
    int error = errno, result = real(stream);
    if (!failing) return result;
    errno = error;
    return EOF;
}
