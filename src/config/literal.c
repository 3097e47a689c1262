#include "literal.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

lae_status lae_literal_add(struct lae_literal *value, const char *text, size_t size, bool quoted)
{
    if (value->count == value->capacity) {
        size_t capacity = value->capacity == 0 ? 1 : 4 * value->capacity;
        struct lae_scalar *items = realloc(value->items, capacity * sizeof *items);
        if (items == NULL) return lae_out_of_memory(capacity * sizeof *items, "a value");
        value->items = items;
        value->capacity = capacity;
    }
    char *copy = strndup(text, size);
    if (copy == NULL) return lae_out_of_memory(size, "a value");
    value->items[value->count++] = (struct lae_scalar){copy, quoted};
    return NULL;
}

static lae_status add_trimmed(struct lae_literal *value, const char *text, size_t size)
{
    while (size > 0 && *text == ' ') {
        text++;
        size--;
    }
    while (size > 0 && text[size - 1] == ' ')
        size--;
    return lae_literal_add(value, text, size, false);
}

lae_status lae_literal_parse(struct lae_literal *value, const char *text, bool list)
{
    size_t size = strlen(text);
    bool brackets = size >= 2 && text[0] == '[' && text[size - 1] == ']';
    *value = (struct lae_literal){0};
    if (!list || (!brackets && strchr(text, ',') == NULL))
        return lae_literal_add(value, text, size, false);

    value->kind = LAE_LITERAL_LIST;
    const char *end = text + size;
    if (brackets) {
        text++;
        end--;
    }
    if (strspn(text, " ") == (size_t)(end - text)) return NULL;
    for (;;) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        const char *stop = comma == NULL ? end : comma;
        LAE_TRY(add_trimmed(value, text, (size_t)(stop - text)));
        if (comma == NULL) return NULL;
        text = comma + 1;
    }
}

void lae_literal_free(struct lae_literal *value)
{
    for (size_t i = 0; i < value->count; i++)
        free(value->items[i].text);
    free(value->items);
    *value = (struct lae_literal){0};
}

bool lae_scalar_is_null(const struct lae_scalar *scalar)
{
    return !scalar->quoted && (scalar->text[0] == '\0' || strcmp(scalar->text, "~") == 0 ||
                               strcmp(scalar->text, "null") == 0);
}

void lae_scalar_describe(FILE *out, const struct lae_scalar *scalar)
{
    double number;
    bool numeric = lae_text_real(scalar->text, &number);
    if (lae_scalar_is_null(scalar)) {
        fputs("null", out);
    } else if (numeric && !scalar->quoted) {
        lae_text_write_shown(out, scalar->text);
    } else {
        fputs(numeric ? "the quoted text \"" : "\"", out);
        lae_text_write_shown(out, scalar->text);
        fputc('"', out);
    }
}

void lae_literal_describe(FILE *out, const struct lae_literal *value)
{
    if (value->kind == LAE_LITERAL_SCALAR)
        lae_scalar_describe(out, &value->items[0]);
    else if (value->kind == LAE_LITERAL_MAPPING)
        fputs("a section of keys", out);
    else if (value->count == 0)
        fputs("an empty list", out);
    else
        fprintf(out, "a list of %zu", value->count);
}
