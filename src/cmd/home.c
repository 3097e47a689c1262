/* Where the program's own files lie: in the sources while it is not installed, else beside it. */
#include "lae/cmd/cmd.h"
#include "lae/files/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEMO "configs/demo.yaml"
#define SHARE "share/lae_mpi"

/* `directory` if it holds the program's files, else NULL; frees it then. */
static char *if_home(char *directory)
{
    char *demo = directory != NULL ? lae_path_join(directory, DEMO) : NULL;
    bool found = demo != NULL && lae_path_exists(demo);
    free(demo);
    if (found) return directory;
    free(directory);
    return NULL;
}

/* The first line of the file lae_home beside the executable: a build directory says in it where its
 * sources are, wherever it is itself. A new string, or NULL. */
static char *read_place(const char *executable)
{
    char line[4096] = "", *path = lae_path_join(executable, "lae_home");
    FILE *file = path != NULL ? fopen(path, "re") : NULL;
    free(path);
    if (file == NULL) return NULL;
    if (fgets(line, sizeof line, file) == NULL) line[0] = '\0';
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    return line[0] != '\0' ? strdup(line) : NULL;
}

/* Cuts the last part off; false: there is none. */
static bool cut_last(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash != NULL) *slash = '\0';
    return slash != NULL;
}

char *lae_home(void)
{
    const char *asked = getenv("LAE_HOME");
    if (asked != NULL && asked[0] != '\0') return strdup(asked);
    char executable[4096];
    ssize_t length = readlink("/proc/self/exe", executable, sizeof executable - 1);
    if (length <= 0) return NULL;
    executable[length] = '\0';
    if (!cut_last(executable)) return NULL;
    char *home = if_home(read_place(executable));
    if (home == NULL && cut_last(executable)) home = if_home(lae_path_join(executable, SHARE));
    if (home == NULL) home = if_home(strdup(executable));
    return home != NULL ? home : if_home(strdup(LAE_INSTALLED));
}
