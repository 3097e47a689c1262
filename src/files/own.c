/* lstat says what is wrong in words, and early; O_NOFOLLOW and the look at the open file make sure,
 * whatever happens in between. */
#include "lae/files/own.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static lae_status refuse_link(const char *path)
{
    return lae_bad_input("%s: is a link; a run opens none of its files through a link, which would "
                         "change or take what it leads to; put the file itself there, or move the "
                         "link away",
                         path);
}

static lae_status judge(const char *path, enum lae_own kind, const struct stat *about)
{
    bool directory = kind == LAE_OWN_DIRECTORY;
    if (S_ISLNK(about->st_mode)) return refuse_link(path);
    if (directory ? !S_ISDIR(about->st_mode) : !S_ISREG(about->st_mode))
        return lae_bad_input("%s: not a %s, but the run has one of that name; move it away", path,
                             directory ? "directory" : "regular file");
    if (kind == LAE_OWN_WRITTEN && about->st_nlink > 1)
        return lae_bad_input("%s: has %ld names (hard links), and the run would write into all of "
                             "them; put a copy of its own there, or move it away",
                             path, (long)about->st_nlink);
    return NULL;
}

lae_status lae_own_check(const char *path, enum lae_own kind)
{
    struct stat about;
    if (lstat(path, &about) == 0) return judge(path, kind, &about);
    if (errno == ENOENT) return NULL;
    return lae_bad_input("%s: %s", path, strerror(errno));
}

lae_status lae_own_open(const char *path, int flags, int *file)
{
    LAE_TRY(lae_own_check(path, LAE_OWN_WRITTEN));
    /* O_NONBLOCK: opening a named pipe must not wait for its other end. */
    *file = open(path, flags | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (*file < 0 && errno == ELOOP) return refuse_link(path);
    if (*file < 0) return lae_bad_input("%s: cannot be opened: %s", path, strerror(errno));
    struct stat about;
    lae_status status = NULL;
    if (fstat(*file, &about) != 0)
        status = lae_bad_input("%s: %s", path, strerror(errno));
    else
        status = judge(path, LAE_OWN_WRITTEN, &about);
    if (status != NULL) close(*file);
    return status;
}

lae_status lae_own_append(const char *path, FILE **stream)
{
    int file;
    LAE_TRY(lae_own_open(path, O_RDWR | O_APPEND, &file));
    *stream = fdopen(file, "a+");
    if (*stream != NULL) return NULL;
    close(file);
    return lae_out_of_memory(sizeof **stream, path);
}
