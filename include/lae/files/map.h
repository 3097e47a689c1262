/* Files mapped into memory, read-only, or read into it. */
#ifndef LAE_FILES_MAP_H
#define LAE_FILES_MAP_H

#include "lae/base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct lae_map {
    const unsigned char *data; /* NULL for an empty file */
    size_t size;
    bool copied; /* memory of the program's own */
};

/* Errors name the path: not there, a directory, no permission, not a regular file. */
lae_status lae_map_open(const char *path, struct lae_map *map) LAE_MUST_CHECK;
void lae_map_close(struct lae_map *map);

/* The same as a copy, for files that others may change or cut off meanwhile. Errors: also memory.
 */
lae_status lae_map_read(const char *path, struct lae_map *map) LAE_MUST_CHECK;

/* From now on a mapped file that is cut off while it is read ends the program with its name and
 * LAE_BAD_INPUT, and not with a bus error alone. */
void lae_map_name_faults(void);

/* Where a disk or a server of files does not say what is there, something is: to open it tells what is
 * wrong, while what is not there would be begun anew. */
bool lae_path_exists(const char *path);
bool lae_path_is_directory(const char *path);
bool lae_path_is_no_directory(const char *path); /* nothing, or something else, for certain */
bool lae_path_is_regular(const char *path);      /* a file, or a link to one */

/* Whether a name has one of these endings, as ".h5", in whatever case, and more than it; `endings`
 * ends with NULL. */
bool lae_path_ends_in(const char *path, const char *const endings[]);

/* The directory part of a path as a new string, "." or "/" where it must be; NULL: no memory. */
char *lae_path_directory(const char *path);

/* DIRECTORY/NAME as a new string; free(). NULL when memory is out. */
char *lae_path_join(const char *directory, const char *name);

/* The path from the root on, as a new string; as it is where nobody knows where "." lies. Links
 * stay. free(). NULL: memory. */
char *lae_path_absolute(const char *path);

/* mkdir -p. */
lae_status lae_path_make_directories(const char *path) LAE_MUST_CHECK;

#endif
