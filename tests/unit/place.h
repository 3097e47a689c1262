/* A directory of a test's own, below $TMPDIR, which goes with all that is in it. To be included after
 * cmocka.h and <ftw.h>, with _GNU_SOURCE for nftw's flags. */
#ifndef LAE_TEST_PLACE_H
#define LAE_TEST_PLACE_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { PLACE_SIZE = 512 };

static inline void open_place(char path[PLACE_SIZE])
{
    const char *parent = getenv("TMPDIR");
    snprintf(path, PLACE_SIZE, "%s/lae-test-XXXXXX", parent != NULL ? parent : "/tmp");
    assert_non_null(mkdtemp(path));
}

static inline int remove_entry(const char *path, const struct stat *about, int kind,
                               struct FTW *walk)
{
    (void)about, (void)kind, (void)walk;
    return remove(path);
}

static inline void close_place(const char *path)
{
    assert_int_equal(nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* For cmocka, where a test's state is nothing but the path. */
static inline int make_place(void **state)
{
    *state = malloc(PLACE_SIZE);
    assert_non_null(*state);
    open_place(*state);
    return 0;
}

static inline int remove_place(void **state)
{
    close_place(*state);
    free(*state);
    return 0;
}

#endif
