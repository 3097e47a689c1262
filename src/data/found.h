/* What a folder of images has been found to hold so far, and what in it was left out. Private to
 * data/. */
#ifndef LAE_DATA_FOUND_H
#define LAE_DATA_FOUND_H

#include "lae/data/dataset.h"
#include "lae/data/pictures.h"

/* Images of one part; their paths one after the other in text. */
struct lae_found_part {
    struct lae_picture *items;
    size_t count, room;
    char *text;
    size_t used, text_room;
};

/* Why a file is none of the images. */
enum lae_left_out {
    LAE_LEFT_UNREAD, /* an image of a kind that is not read */
    LAE_LEFT_LOOSE,  /* an image in no class folder */
    LAE_LEFT_OTHER,  /* no image */
    LAE_LEFT_HIDDEN,
    LAE_LEFT_KINDS
};

/* Files that were left out: how many, and the names of the first. */
struct lae_tally {
    size_t count;
    char *names;
};

struct lae_found {
    const char *root;
    bool tests_needed; /* training images alone will not do */
    struct lae_found_part parts[LAE_SPLITS];
    char **names; /* [LAE_MAX_CLASSES], each NULL where not known */
    int classes;  /* the labels so far are below it */
    struct lae_tally left_out[LAE_LEFT_KINDS];
    char *layout; /* what was read, for people */
    char *passed; /* what lies there too and was not */
};

void lae_found_free(struct lae_found *found);

/* `path` is copied. */
lae_status lae_found_add(struct lae_found_part *part, const char *path, int label) LAE_MUST_CHECK;

/* Makes the class known, under `name` if that is not NULL. `from` names its place in messages. */
lae_status lae_found_add_class(struct lae_found *found, int label, const char *name,
                               const char *from) LAE_MUST_CHECK;

/* Counts a file as left out. */
lae_status lae_found_leave_out(struct lae_found *found, enum lae_left_out why,
                               const char *path) LAE_MUST_CHECK;

/* The same of a file that does not end like an image that is read: its name or its first bytes tell
 * why. */
lae_status lae_found_leave_out_file(struct lae_found *found, const char *path) LAE_MUST_CHECK;

#define LAE_SHOWN_NAMES 10 /* of files that were left out */

/* *text, which may be NULL, becomes *text SEPARATOR more; without a separator where it was NULL. */
lae_status lae_found_join(char **text, const char *separator, const char *more) LAE_MUST_CHECK;

/* The same with "; " between. */
lae_status lae_found_note(char **note, const char *format, ...) LAE_MUST_CHECK LAE_PRINTF(2, 3);

/* ---- the names in a directory */

struct lae_entry {
    char *name;
    bool directory; /* or a link to one */
};

struct lae_entries {
    struct lae_entry *items;
    size_t count, room;
};

/* All that are not hidden, in bytewise order; the hidden ones are counted as left out unless found
 * is NULL. Hidden are names that begin with a dot, and what some systems keep beside. Free the
 * entries in any case. Errors name the directory. */
lae_status lae_entries_read(const char *directory, struct lae_found *found,
                            struct lae_entries *entries) LAE_MUST_CHECK;
void lae_entries_free(struct lae_entries *entries);

/* Room for `more` elements of `size` bytes after `used`; grows by doubling. */
lae_status lae_found_reserve(void **memory, size_t used, size_t more, size_t size,
                             size_t *room) LAE_MUST_CHECK;

#endif
