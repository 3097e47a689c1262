/* Preloaded, another user of /dev/shm: when the program has taken a segment's name away, something
 * else is put there, as LAE_PLANT says: "link" to the file LAE_PLANT_VICTIM, "file" with a text,
 * "directory", "fifo". What was planted goes into the file LAE_PLANTED, one name a line. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int plant(const char *what, const char *path)
{
    if (strcmp(what, "link") == 0) return symlink(getenv("LAE_PLANT_VICTIM"), path);
    if (strcmp(what, "directory") == 0) return mkdir(path, 0700);
    if (strcmp(what, "fifo") == 0) return mkfifo(path, 0600);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    int failed = file < 0 || write(file, "theirs", 6) != 6;
    if (file >= 0) close(file);
    return failed ? -1 : 0;
}

int unlink(const char *path)
{
    int (*real)(const char *);
    *(void **)&real = dlsym(RTLD_NEXT, "unlink");
    const char *what = getenv("LAE_PLANT"), *list = getenv("LAE_PLANTED");
    int result = real(path);
    if (what == NULL || list == NULL || result != 0 || strstr(path, "/dev/shm/") != path ||
        strstr(path, "_segment.") == NULL)
        return result;
    FILE *file = fopen(list, "a");
    if (file == NULL || plant(what, path) != 0 || fprintf(file, "%s\n", path) < 0 ||
        fclose(file) != 0)
        abort();
    unsetenv("LAE_PLANT"); /* once: MPI removes it at its end */
    return result;
}
