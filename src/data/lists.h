/* Lists of images in text files. Private to data/. */
#ifndef LAE_DATA_LISTS_H
#define LAE_DATA_LISTS_H

#include "found.h"
#include "lae/files/map.h"

#define LAE_MAX_LISTED 4095 /* bytes, of a line */

/* A text file that is read line by line. */
struct lae_lines {
    struct lae_map map;
    char *path;
    size_t at;     /* where the next one begins */
    size_t number; /* of the last one, from 1 on */
    char text[LAE_MAX_LISTED + 1];
};

/* Close in any case. */
lae_status lae_lines_open(const char *directory, const char *name,
                          struct lae_lines *lines) LAE_MUST_CHECK;
void lae_lines_close(struct lae_lines *lines);

/* The next line that is not blank into lines->text, without blanks at its ends; false: the end. */
lae_status lae_lines_next(struct lae_lines *lines, bool *more) LAE_MUST_CHECK;

/* An error at the line. */
lae_status lae_lines_refuse(const struct lae_lines *lines, const char *what) LAE_MUST_CHECK;

/* Whether a file of that name in a data directory is a list, and of which part. */
bool lae_list_is_one(const char *name, enum lae_split *split);

/* "PATH LABEL" or "PATH LABEL DOMAIN" a line, the domain the same in all of a list. Classes get
 * the names of their folders. Errors name file and line. */
lae_status lae_lists_read(struct lae_found *found) LAE_MUST_CHECK;

/* CUB-200-2011: whether its files are there, and what they say. */
bool lae_cub_is_there(const char *root);
lae_status lae_cub_read(struct lae_found *found) LAE_MUST_CHECK;

#endif
