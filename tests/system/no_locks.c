/* Loaded in front of the C library: file locks as file systems have them that know none (NFS, or
 * Lustre mounted without flock). LAE_LOCK_ERROR is the errno that they fail with, as a number. */
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS /* it would rename fcntl */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/file.h>

static int fail(void)
{
    const char *error = getenv("LAE_LOCK_ERROR");
    errno = error != NULL ? (int)strtol(error, NULL, 10) : ENOLCK;
    return -1;
}

static int is_lock(int command)
{
    return command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK ||
           command == F_OFD_SETLKW;
}

int flock(int file, int operation)
{
    (void)file;
    (void)operation;
    return fail();
}

static int pass_on(const char *name, int file, int command, void *argument)
{
    int (*next)(int, int, ...);
    *(void **)&next = dlsym(RTLD_NEXT, name);
    if (is_lock(command) || next == NULL) return fail();
    return next(file, command, argument);
}

int fcntl(int file, int command, ...)
{
    va_list args;
    va_start(args, command);
    void *argument = va_arg(args, void *);
    va_end(args);
    return pass_on("fcntl", file, command, argument);
}

int fcntl64(int file, int command, ...)
{
    va_list args;
    va_start(args, command);
    void *argument = va_arg(args, void *);
    va_end(args);
    return pass_on("fcntl64", file, command, argument);
}
