/* A YAML file as a flat list of dotted paths with the values written there. */
#ifndef LAE_CONFIG_DOCUMENT_H
#define LAE_CONFIG_DOCUMENT_H

#include "literal.h"

#include "lae/base/status.h"

#include <stddef.h>

/* A place in the file, both counted from 1; the column in characters. */
struct lae_mark {
    size_t line, column;
};

struct lae_entry {
    char *path; /* merge.density; of a mapping too, ahead of what is in it */
    struct lae_literal value;
    struct lae_mark key_at, value_at;
};

struct lae_document {
    char *name; /* the file's, for messages */
    struct lae_entry *entries;
    size_t count, capacity;
};

/* Errors name file, line and column: whatever libyaml objects to, bytes that are not UTF-8, a path
 * given twice, anchors, aliases, tags, a second document, lists of more than plain values, and
 * sizes no configuration has. After an error the document is empty. */
lae_status lae_document_read(struct lae_document *document, const char *name, const char *text,
                             size_t size) LAE_MUST_CHECK;
lae_status lae_document_read_file(struct lae_document *document, const char *path) LAE_MUST_CHECK;

void lae_entry_free(struct lae_entry *entry);
void lae_document_free(struct lae_document *document);

#endif
