/* Files mapped into memory, and the few questions about paths that the other rooms ask. */
#include "lae/files/map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static lae_status map_descriptor(const char *path, int file, struct lae_map *map)
{
    struct stat state;
    if (fstat(file, &state) != 0) return lae_bad_input("%s: %s", path, strerror(errno));
    if (S_ISDIR(state.st_mode)) return lae_bad_input("%s: is a directory, not a file", path);
    if (!S_ISREG(state.st_mode)) return lae_bad_input("%s: is not a regular file", path);
    if (state.st_size == 0) return NULL;
    if ((uintmax_t)state.st_size > SIZE_MAX) return lae_bad_input("%s: is too large", path);

    void *data = mmap(NULL, (size_t)state.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (data == MAP_FAILED) return lae_failed("%s: cannot be mapped: %s", path, strerror(errno));
    *map = (struct lae_map){data, (size_t)state.st_size};
    return NULL;
}

lae_status lae_map_open(const char *path, struct lae_map *map)
{
    *map = (struct lae_map){0};
    /* O_NONBLOCK: opening a named pipe must not wait for its writer. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return lae_bad_input("%s: cannot be opened: %s", path, strerror(errno));
    lae_status status = map_descriptor(path, file, map);
    close(file);
    return status;
}

void lae_map_close(struct lae_map *map)
{
    if (map->data != NULL) munmap((void *)map->data, map->size);
    *map = (struct lae_map){0};
}

bool lae_path_exists(const char *path)
{
    struct stat state;
    return stat(path, &state) == 0;
}

bool lae_path_is_directory(const char *path)
{
    struct stat state;
    return stat(path, &state) == 0 && S_ISDIR(state.st_mode);
}

bool lae_path_ends_in(const char *path, const char *const endings[])
{
    size_t length = strlen(path);
    for (size_t i = 0; endings[i] != NULL; i++) {
        size_t tail = strlen(endings[i]);
        if (length > tail && strcasecmp(path + length - tail, endings[i]) == 0) return true;
    }
    return false;
}

char *lae_path_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) return strdup(".");
    if (slash == path) return strdup("/");
    return strndup(path, (size_t)(slash - path));
}

char *lae_path_join(const char *directory, const char *name)
{
    size_t length = strlen(directory);
    bool slash = length > 0 && directory[length - 1] != '/';
    size_t size = length + strlen(name) + 2;
    char *path = malloc(size);
    if (path != NULL) snprintf(path, size, "%s%s%s", directory, slash ? "/" : "", name);
    return path;
}

static lae_status make_directory(const char *path)
{
    if (mkdir(path, 0777) == 0) return NULL;
    int error = errno;
    /* Asked after the attempt, as another process may make the same directory at this moment; and
     * whatever the error was (EROFS, EACCES), a directory that is there is what we want. */
    if (lae_path_is_directory(path)) return NULL;
    if (error == EEXIST) return lae_bad_input("%s: is in the way: it is not a directory", path);
    return lae_bad_input("%s: the directory cannot be made: %s", path, strerror(error));
}

lae_status lae_path_make_directories(const char *path)
{
    if (path[0] == '\0') return lae_bad_input("a directory's name is empty");
    char *part = strdup(path);
    if (part == NULL) return lae_out_of_memory(strlen(path), "a path");
    lae_status status = NULL;
    for (char *end = part + 1; status == NULL && *end != '\0'; end++) {
        if (*end != '/') continue;
        *end = '\0';
        status = make_directory(part);
        *end = '/';
    }
    if (status == NULL) status = make_directory(part);
    free(part);
    return status;
}
