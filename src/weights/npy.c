/* NumPy's array files, format versions 1 to 3 (numpy.lib.format):
 *
 *     "\x93NUMPY"  major  minor  length (u16 in version 1, else u32)  header  data
 *
 * The header is the text of a Python dict with three keys, padded with spaces to a newline:
 *
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (768, 12, 64), }
 */
#include "npy.h"

#include <stdio.h>
#include <string.h>

#define MAGIC "\x93NUMPY"

enum { MAGIC_SIZE = 6, TYPE_TEXT = 64 };

struct cursor {
    const unsigned char *start, *at, *end;
};

enum field { DESCR = 1, FORTRAN_ORDER = 2, SHAPE = 4 };

struct header {
    struct lae_raw *raw;
    bool by_columns;
    unsigned seen; /* fields there have been */
};

static lae_status wrong(const struct cursor *cursor, const char *wanted)
{
    return lae_bad_input("damaged .npy header at byte %zu: %s is wanted",
                         (size_t)(cursor->at - cursor->start), wanted);
}

static void skip_space(struct cursor *cursor)
{
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\n'))
        cursor->at++;
}

/* Steps over `word` after spaces, if it is next. */
static bool accept(struct cursor *cursor, const char *word)
{
    skip_space(cursor);
    size_t length = strlen(word);
    if ((size_t)(cursor->end - cursor->at) < length) return false;
    if (memcmp(cursor->at, word, length) != 0) return false;
    cursor->at += length;
    return true;
}

static lae_status parse_string(struct cursor *cursor, char text[TYPE_TEXT])
{
    skip_space(cursor);
    if (cursor->at == cursor->end || (*cursor->at != '\'' && *cursor->at != '"'))
        return wrong(cursor, "a quoted text");
    unsigned char quote = *cursor->at;
    const unsigned char *first = cursor->at + 1;
    const unsigned char *last = memchr(first, quote, (size_t)(cursor->end - first));
    if (last == NULL || last - first >= TYPE_TEXT || memchr(first, 0, (size_t)(last - first)))
        return wrong(cursor, "a short quoted text");
    memcpy(text, first, (size_t)(last - first));
    text[last - first] = '\0';
    cursor->at = last + 1;
    return NULL;
}

/* NumPy has no bfloat16: to it, those are two bytes of whatever. */
static const struct {
    const char *text;
    enum lae_element element;
} types[] = {
    {"<f4", LAE_F32}, {"<f2", LAE_F16}, {"|V2", LAE_BF16}, {"<V2", LAE_BF16}, {"<f8", LAE_F64}};

static lae_status parse_type(struct cursor *cursor, struct header *header)
{
    struct lae_raw *raw = header->raw;
    char type[TYPE_TEXT];
    if (accept(cursor, "["))
        return lae_bad_input("is an array of records; an array of '<f4', '<f2' or '<f8' is wanted");
    LAE_TRY(parse_string(cursor, type));
    raw->element = LAE_OTHER_ELEMENT;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i].text) == 0) raw->element = types[i].element;
    snprintf(raw->type, sizeof raw->type, "'%.*s'", (int)sizeof raw->type - 3, type);
    return NULL;
}

static lae_status parse_order(struct cursor *cursor, struct header *header)
{
    header->by_columns = accept(cursor, "True");
    if (!header->by_columns && !accept(cursor, "False")) return wrong(cursor, "True or False");
    return NULL;
}

static lae_status parse_extent(struct cursor *cursor, size_t *extent)
{
    skip_space(cursor);
    const unsigned char *first = cursor->at;
    *extent = 0;
    for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
        size_t digit = (size_t)(*cursor->at - '0');
        if (*extent > (SIZE_MAX - digit) / 10) return wrong(cursor, "a smaller extent");
        *extent = 10 * *extent + digit;
    }
    return cursor->at == first ? wrong(cursor, "an extent") : NULL;
}

static lae_status parse_shape(struct cursor *cursor, struct header *header)
{
    struct lae_raw *raw = header->raw;
    raw->rank = 0;
    if (!accept(cursor, "(")) return wrong(cursor, "a shape");
    while (!accept(cursor, ")")) {
        if (raw->rank == LAE_MAX_RANK) return lae_bad_input("has more than %d axes", LAE_MAX_RANK);
        LAE_TRY(parse_extent(cursor, &raw->shape[raw->rank++]));
        if (accept(cursor, ",")) continue;
        if (accept(cursor, ")")) return NULL;
        return wrong(cursor, "',' or ')'");
    }
    return NULL;
}

/* One KEY: VALUE. */
static lae_status parse_field(struct cursor *cursor, struct header *header)
{
    static const struct {
        const char *name;
        enum field field;
        lae_status (*parse)(struct cursor *, struct header *);
    } fields[] = {{"descr", DESCR, parse_type},
                  {"fortran_order", FORTRAN_ORDER, parse_order},
                  {"shape", SHAPE, parse_shape}};
    char key[TYPE_TEXT];
    LAE_TRY(parse_string(cursor, key));
    if (!accept(cursor, ":")) return wrong(cursor, "':'");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(key, fields[i].name) != 0) continue;
        if ((header->seen & (unsigned)fields[i].field) != 0) break;
        header->seen |= (unsigned)fields[i].field;
        return fields[i].parse(cursor, header);
    }
    return lae_bad_input("damaged .npy header: key '%s' is unknown or there twice", key);
}

static lae_status parse_header(struct cursor *cursor, struct header *header)
{
    if (!accept(cursor, "{")) return wrong(cursor, "'{'");
    while (!accept(cursor, "}")) {
        LAE_TRY(parse_field(cursor, header));
        if (accept(cursor, ",")) continue;
        if (!accept(cursor, "}")) return wrong(cursor, "',' or '}'");
        break;
    }
    skip_space(cursor);
    if (cursor->at != cursor->end) return wrong(cursor, "the header's end");
    if (header->seen != (DESCR | FORTRAN_ORDER | SHAPE))
        return lae_bad_input("damaged .npy header: descr, fortran_order and shape are wanted");
    return NULL;
}

/* Sets the cursor around the header's text; its end is where the data begin. */
static lae_status find_header(const unsigned char *data, size_t size, struct cursor *cursor)
{
    *cursor = (struct cursor){data, data, data + size};
    if (size < MAGIC_SIZE + 4 || memcmp(data, MAGIC, MAGIC_SIZE) != 0)
        return lae_bad_input("is not a .npy array");
    unsigned major = data[MAGIC_SIZE];
    if (major < 1 || major > 3)
        return lae_bad_input("is of .npy version %u; versions 1 to 3 are known", major);
    size_t start = major == 1 ? MAGIC_SIZE + 4 : MAGIC_SIZE + 6;
    size_t length = (size_t)data[8] | (size_t)data[9] << 8;
    if (major > 1 && size >= start) length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
    if (size < start || length > size - start)
        return lae_bad_input("is cut short: a .npy header of %zu bytes does not fit into %zu bytes",
                             length, size);
    cursor->at = data + start;
    cursor->end = cursor->at + length;
    return NULL;
}

lae_status lae_weights_npy_parse(const unsigned char *data, size_t size, struct lae_raw *raw)
{
    struct cursor cursor;
    struct header header = {.raw = raw};
    size_t bytes = 0;
    LAE_TRY(find_header(data, size, &cursor));
    LAE_TRY(parse_header(&cursor, &header));
    LAE_TRY(lae_weights_raw_measure(raw, &bytes));
    size_t found = (size_t)(data + size - cursor.end);
    if (header.by_columns) lae_weights_raw_by_columns(raw);
    if (bytes != found && raw->element != LAE_OTHER_ELEMENT) {
        char shape[LAE_SHAPE_TEXT];
        return lae_bad_input("holds %zu bytes of data; shape %s needs %zu", found,
                             lae_shape_text(raw->rank, raw->shape, shape), bytes);
    }
    raw->bytes = cursor.end;
    return NULL;
}
