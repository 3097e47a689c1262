/* Files mapped into memory, and the few questions about paths that the other rooms ask. */
#include "lae/files/map.h"

#include "lae/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- What is mapped, for the signal that tells of an address alone ------------------------------
 *
 * A mapped file that is cut off, or whose disk fails, ends in SIGBUS where it is read. The handler
 * can be given nothing, so that this table has to be the program's one.
 */

enum { WATCHED = 64, SHOWN_PATH = 512 };

static struct {
    const unsigned char *_Atomic begin; /* NULL: a free place */
    size_t size;
    char path[SHOWN_PATH]; /* to be shown */
} watched[WATCHED];

static pthread_mutex_t watching = PTHREAD_MUTEX_INITIALIZER;

/* More files than there are places go without a name. */
static void watch(const char *path, const struct lae_map *map)
{
    pthread_mutex_lock(&watching);
    for (int i = 0; map->size > 0 && i < WATCHED; i++) {
        if (watched[i].begin != NULL) continue;
        snprintf(watched[i].path, SHOWN_PATH, "%s", path);
        lae_text_tame(watched[i].path);
        watched[i].size = map->size;
        watched[i].begin = map->data;
        break;
    }
    pthread_mutex_unlock(&watching);
}

static void unwatch(const unsigned char *begin)
{
    for (int i = 0; i < WATCHED; i++)
        if (watched[i].begin == begin) watched[i].begin = NULL;
}

static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written; /* there is nobody to tell */
}

static void end_with_name(int number, siginfo_t *info, void *context)
{
    (void)context;
    const unsigned char *at = info->si_addr;
    for (int i = 0; i < WATCHED; i++) {
        const unsigned char *begin = watched[i].begin;
        if (begin == NULL || at < begin || at >= begin + watched[i].size) continue;
        say("lae_mpi: ");
        say(watched[i].path);
        say(": was cut off while it was read, or cannot be read any more (bus error)\n");
        _exit(LAE_BAD_INPUT);
    }
    signal(number, SIG_DFL); /* the same again, with its usual effect */
}

void lae_map_name_faults(void)
{
    struct sigaction action = {.sa_sigaction = end_with_name, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}

/* ---- Maps and copies ---------------------------------------------------------------------------
 */

/* A regular file's size, and its descriptor in *file; close it unless there is an error. */
static lae_status open_regular(const char *path, int *file, size_t *size)
{
    struct stat state;
    /* O_NONBLOCK: opening a named pipe must not wait for its writer. */
    *file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*file < 0) return lae_bad_input("%s: cannot be opened: %s", path, strerror(errno));
    lae_status status = NULL;
    if (fstat(*file, &state) != 0)
        status = lae_bad_input("%s: %s", path, strerror(errno));
    else if (S_ISDIR(state.st_mode))
        status = lae_bad_input("%s: is a directory, not a file", path);
    else if (!S_ISREG(state.st_mode))
        status = lae_bad_input("%s: is not a regular file", path);
    else if ((uintmax_t)state.st_size >= SIZE_MAX)
        status = lae_bad_input("%s: is too large", path);
    if (status != NULL) close(*file);
    *size = status == NULL ? (size_t)state.st_size : 0;
    return status;
}

lae_status lae_map_open(const char *path, struct lae_map *map)
{
    int file;
    size_t size;
    *map = (struct lae_map){0};
    LAE_TRY(open_regular(path, &file, &size));
    lae_status status = NULL;
    void *data = size > 0 ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0) : NULL;
    if (data == MAP_FAILED)
        status = lae_failed("%s: cannot be mapped: %s", path, strerror(errno));
    else
        *map = (struct lae_map){.data = data, .size = size};
    watch(path, map);
    close(file);
    return status;
}

/* As much as there is of `size` bytes; a file that has become shorter since is not the one that was
 * opened. */
static lae_status read_all(const char *path, int file, unsigned char *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t count = read(file, bytes + at, size - at);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return lae_bad_input("%s: cannot be read: %s", path, strerror(errno));
        if (count == 0)
            return lae_bad_input("%s: was cut off while it was read: %zu bytes of %zu", path, at,
                                 size);
        at += (size_t)count;
    }
    return NULL;
}

lae_status lae_map_read(const char *path, struct lae_map *map)
{
    int file;
    size_t size;
    *map = (struct lae_map){0};
    LAE_TRY(open_regular(path, &file, &size));
    unsigned char *bytes = size > 0 ? malloc(size) : NULL;
    lae_status status = size > 0 && bytes == NULL ? lae_out_of_memory(size, path)
                                                  : read_all(path, file, bytes, size);
    close(file);
    if (status != NULL)
        free(bytes);
    else
        *map = (struct lae_map){.data = bytes, .size = size, .copied = true};
    return status;
}

void lae_map_close(struct lae_map *map)
{
    if (map->copied) {
        free((void *)map->data);
    } else if (map->data != NULL) {
        unwatch(map->data);
        munmap((void *)map->data, map->size);
    }
    *map = (struct lae_map){0};
}

enum found { ABSENT, THERE, NO_ANSWER };

/* A disk that fails, or a server of files that has forgotten, does not say that nothing is there. */
static enum found look(const char *path, struct stat *state)
{
    if (stat(path, state) == 0) return THERE;
    bool absent = errno == ENOENT || errno == ENOTDIR || errno == EACCES || errno == ELOOP ||
                  errno == ENAMETOOLONG;
    return absent ? ABSENT : NO_ANSWER;
}

bool lae_path_exists(const char *path)
{
    struct stat state;
    return look(path, &state) != ABSENT;
}

bool lae_path_is_directory(const char *path)
{
    struct stat state;
    return stat(path, &state) == 0 && S_ISDIR(state.st_mode);
}

bool lae_path_is_no_directory(const char *path)
{
    struct stat state;
    enum found found = look(path, &state);
    return found == ABSENT || (found == THERE && !S_ISDIR(state.st_mode));
}

bool lae_path_is_regular(const char *path)
{
    struct stat state;
    return stat(path, &state) == 0 && S_ISREG(state.st_mode);
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

char *lae_path_absolute(const char *path)
{
    char here[4096];
    if (path[0] == '/' || getcwd(here, sizeof here) == NULL) return strdup(path);
    return lae_path_join(here, path);
}

static lae_status make_directory(const char *path)
{
    struct stat state;
    if (mkdir(path, 0777) == 0) return NULL;
    int error = errno;
    enum found found = look(path, &state);
    /* Asked after the attempt, as another process may make the same directory at this moment; and
     * whatever the error was (EROFS, EACCES), a directory that is there is what we want. */
    if (found == THERE && S_ISDIR(state.st_mode)) return NULL;
    if (found == NO_ANSWER)
        error = errno;
    else if (error == EEXIST)
        return lae_bad_input("%s: is in the way: it is not a directory", path);
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
