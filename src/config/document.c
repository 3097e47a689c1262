/* libyaml parses; this file walks over its events and refuses what a configuration has no use for.
 *
 *     merge:            {"merge", a mapping}
 *       method: ties    {"merge.method", "ties"}
 *     pet:              {"pet", a mapping}
 *       blocks: [0, 1]  {"pet.blocks", a list of "0" and "1"}
 *
 * The limits keep a hostile file from costing more than a moment: libyaml's own work grows with the
 * square of the nesting, ours with the square of the number of keys.
 */
#include "document.h"

#include "lae/files/map.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define MAX_BYTES (1u << 20)
#define MAX_DEPTH 16
#define MAX_ENTRIES 1000
#define MAX_KEY 64 /* bytes */

struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the one at hand */
    struct lae_document *document;
};

static struct lae_mark mark_of(yaml_mark_t mark)
{
    return (struct lae_mark){mark.line + 1, mark.column + 1};
}

static lae_status refuse_at(const struct reader *reader, struct lae_mark mark, const char *why)
{
    return lae_bad_input("%s:%zu:%zu: %s", reader->document->name, mark.line, mark.column, why);
}

static lae_status refuse_event(const struct reader *reader, const char *why)
{
    return refuse_at(reader, mark_of(reader->event.start_mark), why);
}

/* Where byte `offset` of the text is. */
static struct lae_mark mark_at(const char *text, size_t offset)
{
    struct lae_mark mark = {1, 1};
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n')
            mark = (struct lae_mark){mark.line + 1, 1};
        else if (((unsigned char)text[i] & 0xc0) != 0x80)
            mark.column++;
    }
    return mark;
}

/* libyaml's complaint. */
static lae_status parser_error(const struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    if (parser->error == YAML_MEMORY_ERROR) return lae_out_of_memory(0, "reading YAML");
    struct lae_mark mark = mark_of(parser->problem_mark);
    if (parser->error == YAML_READER_ERROR) /* a character YAML does not allow; no mark is set */
        mark = mark_at((const char *)parser->input.string.start, parser->problem_offset);
    const char *context = parser->context != NULL ? parser->context : "";
    return lae_bad_input("%s:%zu:%zu: broken YAML: %s%s%s", reader->document->name, mark.line,
                         mark.column, parser->problem != NULL ? parser->problem : "unreadable",
                         *context != '\0' ? " " : "", context);
}

static lae_status next_event(struct reader *reader)
{
    yaml_event_delete(&reader->event);
    if (yaml_parser_parse(&reader->parser, &reader->event) == 0) {
        reader->event = (yaml_event_t){0};
        return parser_error(reader);
    }
    const yaml_event_t *event = &reader->event;
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (event->type == YAML_ALIAS_EVENT) {
        anchor = event->data.alias.anchor;
    } else if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    if (anchor != NULL || tag != NULL)
        return refuse_event(reader, "anchors (&), aliases (*) and tags (!) have no meaning here: "
                                    "write the value out, or put a text between quotes");
    return NULL;
}

static lae_status add_scalar(struct reader *reader, struct lae_literal *value)
{
    const char *text = (const char *)reader->event.data.scalar.value;
    size_t size = reader->event.data.scalar.length;
    if (memchr(text, '\0', size) != NULL)
        return refuse_event(reader, "a text cannot have a zero byte in it");
    bool quoted = reader->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return lae_literal_add(value, text, size, quoted);
}

/* The event at hand is the list's start; its end when this returns. */
static lae_status read_list(struct reader *reader, struct lae_literal *value)
{
    value->kind = LAE_LITERAL_LIST;
    for (;;) {
        LAE_TRY(next_event(reader));
        if (reader->event.type == YAML_SEQUENCE_END_EVENT) return NULL;
        if (reader->event.type != YAML_SCALAR_EVENT)
            return refuse_event(reader, "a list can hold plain values only, no lists or sections");
        LAE_TRY(add_scalar(reader, value));
    }
}

/* "PREFIX.KEY" of the key at hand. */
static lae_status make_path(const struct reader *reader, const char *prefix, char **path)
{
    const char *key = (const char *)reader->event.data.scalar.value;
    size_t length = reader->event.data.scalar.length;
    if (length == 0) return refuse_event(reader, "a key is missing in front of the colon");
    if (length > MAX_KEY) return refuse_event(reader, "a key longer than any there is");
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)key[i] < ' ')
            return refuse_event(reader, "a key with a control character in it");
    size_t size = strlen(prefix) + length + 2;
    *path = malloc(size);
    if (*path == NULL) return lae_out_of_memory(size, "a key");
    snprintf(*path, size, "%s%s%s", prefix, *prefix == '\0' ? "" : ".", key);
    return NULL;
}

static lae_status check_new(const struct reader *reader, const char *path)
{
    const struct lae_document *document = reader->document;
    if (document->count >= MAX_ENTRIES)
        return refuse_event(reader, "too many keys for a configuration");
    for (size_t i = 0; i < document->count; i++) {
        if (strcmp(document->entries[i].path, path) != 0) continue;
        struct lae_mark mark = mark_of(reader->event.start_mark);
        return lae_bad_input("%s:%zu:%zu: \"%s\" is given twice, here and in line %zu",
                             document->name, mark.line, mark.column, path,
                             document->entries[i].key_at.line);
    }
    return NULL;
}

static lae_status make_room(struct lae_document *document)
{
    if (document->count < document->capacity) return NULL;
    size_t capacity = document->capacity == 0 ? 64 : 2 * document->capacity;
    struct lae_entry *entries = realloc(document->entries, capacity * sizeof *entries);
    if (entries == NULL) return lae_out_of_memory(capacity * sizeof *entries, "the keys of a file");
    document->entries = entries;
    document->capacity = capacity;
    return NULL;
}

/* Appends the key at hand, with no value yet, and gives its path, which stays where it is. */
static lae_status add_entry(struct reader *reader, const char *prefix, const char **path)
{
    struct lae_document *document = reader->document;
    if (reader->event.type != YAML_SCALAR_EVENT)
        return refuse_event(reader, "a key must be a plain text");
    char *own = NULL;
    LAE_TRY(make_path(reader, prefix, &own));
    lae_status status = check_new(reader, own);
    if (status == NULL) status = make_room(document);
    if (status != NULL) {
        free(own);
        return status;
    }
    struct lae_mark mark = mark_of(reader->event.start_mark);
    document->entries[document->count++] = (struct lae_entry){.path = own, .key_at = mark};
    *path = own;
    return NULL;
}

/* The event at hand is the mapping's start; its end when this returns. */
static lae_status read_mapping(struct reader *reader, const char *prefix, int depth)
{
    if (depth > MAX_DEPTH) return refuse_event(reader, "sections are nested too deeply");
    for (;;) {
        LAE_TRY(next_event(reader));
        if (reader->event.type == YAML_MAPPING_END_EVENT) return NULL;
        const char *path = NULL;
        LAE_TRY(add_entry(reader, prefix, &path));
        struct lae_entry *entry = &reader->document->entries[reader->document->count - 1];
        LAE_TRY(next_event(reader));
        entry->value_at = mark_of(reader->event.start_mark);
        if (reader->event.type == YAML_SCALAR_EVENT) {
            LAE_TRY(add_scalar(reader, &entry->value));
        } else if (reader->event.type == YAML_SEQUENCE_START_EVENT) {
            LAE_TRY(read_list(reader, &entry->value));
        } else {
            entry->value.kind = LAE_LITERAL_MAPPING;
            LAE_TRY(read_mapping(reader, path, depth + 1));
        }
    }
}

/* The event at hand starts the document's content. A document of nothing, or null, has no keys. */
static lae_status read_root(struct reader *reader)
{
    const yaml_event_t *event = &reader->event;
    if (event->type == YAML_MAPPING_START_EVENT) return read_mapping(reader, "", 1);
    bool nothing = event->type == YAML_SCALAR_EVENT && event->data.scalar.length == 0 &&
                   event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return nothing ? NULL : refuse_event(reader, "keys with values are wanted, such as \"run:\"");
}

static lae_status read_stream(struct reader *reader)
{
    LAE_TRY(next_event(reader)); /* the stream's start */
    LAE_TRY(next_event(reader));
    if (reader->event.type == YAML_STREAM_END_EVENT) return NULL;
    LAE_TRY(next_event(reader)); /* past the document's start */
    LAE_TRY(read_root(reader));
    LAE_TRY(next_event(reader)); /* the document's end */
    LAE_TRY(next_event(reader));
    if (reader->event.type == YAML_STREAM_END_EVENT) return NULL;
    return refuse_event(reader, "a second document (---) in one file");
}

static lae_status check_bytes(const char *name, const char *text, size_t size)
{
    if (size > MAX_BYTES)
        return lae_bad_input("%s: %zu bytes are too many for a configuration (at most %u)", name,
                             size, MAX_BYTES);
    size_t good = lae_text_utf8_length(text, size);
    if (good == size) return NULL;
    struct lae_mark mark = mark_at(text, good);
    return lae_bad_input("%s:%zu:%zu: byte 0x%02x is not UTF-8; save the file as UTF-8", name,
                         mark.line, mark.column, (unsigned char)text[good]);
}

lae_status lae_document_read(struct lae_document *document, const char *name, const char *text,
                             size_t size)
{
    *document = (struct lae_document){0};
    LAE_TRY(check_bytes(name, text, size));
    struct reader reader = {.document = document};
    document->name = strdup(name);
    if (document->name == NULL) return lae_out_of_memory(strlen(name), "a file's name");
    lae_status status = NULL;
    if (yaml_parser_initialize(&reader.parser) == 0) {
        status = lae_out_of_memory(0, "reading YAML");
    } else {
        yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, size);
        status = read_stream(&reader);
        yaml_event_delete(&reader.event);
        yaml_parser_delete(&reader.parser);
    }
    if (status != NULL) lae_document_free(document);
    return status;
}

lae_status lae_document_read_file(struct lae_document *document, const char *path)
{
    *document = (struct lae_document){0};
    struct lae_map map;
    LAE_TRY(lae_map_read(path, &map));
    const char *text = map.data != NULL ? (const char *)map.data : "";
    lae_status status = lae_document_read(document, path, text, map.size);
    lae_map_close(&map);
    return status;
}

void lae_entry_free(struct lae_entry *entry)
{
    free(entry->path);
    lae_literal_free(&entry->value);
    *entry = (struct lae_entry){0};
}

void lae_document_free(struct lae_document *document)
{
    for (size_t i = 0; i < document->count; i++)
        lae_entry_free(&document->entries[i]);
    free(document->entries);
    free(document->name);
    *document = (struct lae_document){0};
}
