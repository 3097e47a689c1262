/* Bad inputs, given to the program as users would give them. A topic is a file bad_TOPIC.c with a
 * table of cases; bad_run.c runs a case as a process and judges it, always in the same way.
 *
 * A case has a directory of its own, removed afterwards:
 *
 *     {dir}/file     what `make` wrote, by the case's name for it: {file} in arguments
 *     {dir}/runs     run.root, with a copy of a run made beforehand if the case names one: {run}
 *
 * Other words in braces: {source} the source tree, {tiny} its smallest weight file, {masters} the
 * directory of the runs and images that were made beforehand, {no_locks} the library of no_locks.c.
 */
#ifndef LAE_TESTS_BAD_H
#define LAE_TESTS_BAD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define BAD_ARGUMENTS 8
#define BAD_PATH 4096

/* How the program has to end. */
enum bad_end {
    BAD_REFUSED, /* exit 2, one message */
    BAD_FAILED,  /* exit 1, one message: nothing is wrong with the input */
    BAD_WARNED,  /* exit 0, a warning */
    BAD_FINE,    /* exit 0, whatever is said */
};

enum bad_settings {
    BAD_SMALL,  /* a run on drawn images with a tiny backbone, as common.sh's `train` */
    BAD_IMAGES, /* the same on CIFAR-100's files, of which {masters}/images is a small copy */
    BAD_BARE,   /* nothing but the case's own arguments */
};

/* A case that is under way. Paths are absolute. */
struct bad_place {
    char dir[BAD_PATH], file[BAD_PATH], runs[BAD_PATH], run[BAD_PATH];
    char source[BAD_PATH], masters[BAD_PATH];
    const char *program;
    pid_t process; /* for `during` */
};

/* False: the case fails, and why has been printed to standard error, which is kept with the case.
 */
typedef bool bad_function(const struct bad_place *place, const void *with);

struct bad_case {
    const char *name;
    enum bad_end end;
    enum bad_settings settings;
    const char *args[BAD_ARGUMENTS]; /* up to NULL; after the settings, so they win */
    const char *word, *also;         /* in the message or warning; also: NULL, or a second one */
    const char *file;                /* its name; NULL: "file" */
    const char *run;                 /* of the masters; must come out untouched, unless changes */
    bool changes;
    const char *environment[2]; /* NAME=VALUE */
    int ranks;                  /* 0: without mpirun */
    bool alone;                 /* not to be repeated with mpirun */
    bad_function *make;         /* before */
    bad_function *during;       /* while it runs */
    bad_function *after;        /* when it was judged right */
    bad_function *clean;        /* at the end, whatever happened */
    const void *with;           /* to the four */
    const char *topic;          /* set by bad_add */
    const char *reason;         /* the case fails, for this reason, without being run */
    const char *skip;           /* it is not run, for this reason */
};

struct bad_list {
    struct bad_case *cases;
    size_t count, capacity;
    char **texts; /* owned; see bad_text */
    size_t text_count, text_capacity;
    const char *topic; /* of what is added */
    const char *source, *masters;
};

void bad_add(struct bad_list *list, const struct bad_case *one);

/* A text that lives as long as the list. */
const char *bad_text(struct bad_list *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A copy of something that a case takes along as `with`; lives as long as the list. */
const void *bad_keep(struct bad_list *list, const void *data, size_t size);

/* The topics. */
void bad_keys(struct bad_list *list);
void bad_yaml(struct bad_list *list);
void bad_usage(struct bad_list *list);
void bad_images(struct bad_list *list);
void bad_weights(struct bad_list *list);
void bad_checkpoints(struct bad_list *list);
void bad_places(struct bad_list *list);

/* ---- bad_run.c */

enum bad_result { BAD_RIGHT, BAD_WRONG, BAD_SKIPPED };

/* Runs a case in `dir`, which is made and removed; tells of a failure on standard output. */
enum bad_result bad_run(const struct bad_list *list, const struct bad_case *one, const char *dir);

/* Starts the program without mpirun, output to {dir}/NAME.out and NAME.err; its process id. */
pid_t bad_start(const struct bad_place *place, const struct bad_case *one, const char *name);

/* Waits at most so long and returns the exit code; -1: it had to be killed, or a signal ended it.
 */
int bad_wait(pid_t process, double seconds);

/* Waits until the path is there, and newer than the other one unless that is NULL; false: `process`
 * ended, or a minute went by. */
bool bad_wait_for(const char *path, const char *than, pid_t process);

/* Makes the runs and images that cases start from, below list->masters. */
bool bad_make_masters(const struct bad_list *list);

/* Whether two files hold the same but for /provenance. */
bool bad_same(const char *a, const char *b);

/* ---- bad_files.c */

struct bad_bytes {
    unsigned char *data; /* free() */
    size_t size;
};

/* Into one of `path`'s buffers: DIRECTORY/NAME. */
const char *bad_join(char path[BAD_PATH], const char *directory, const char *name);

bool bad_read(const char *path, struct bad_bytes *bytes);
bool bad_write(const char *path, const void *data, size_t size);
bool bad_copy(const char *from, const char *to);      /* a file */
bool bad_copy_tree(const char *from, const char *to); /* a directory of files */
void bad_remove(const char *path);                    /* whatever it is, and all in it */

/* Replaces the first `from` by `to`; false: there is none. */
bool bad_replace(struct bad_bytes *bytes, const char *from, const char *to);

/* Names, sizes and contents of a directory's files but log.txt and lock; free(). */
char *bad_fingerprint(const char *directory);

/* Prints why a step of the test itself went wrong; returns false. */
bool bad_tell(const char *what, const char *path);

#endif
