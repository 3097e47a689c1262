#include "lae/page/html.h"

#include "lae/base/text.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static const char *entity_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\t':
        return "\t";
    default:
        return NULL;
    }
}

void lae_html_text(FILE *out, const char *text)
{
    size_t plain;
    for (; *text != '\0'; text += plain) {
        const char *entity = entity_of(*text);
        plain = entity != NULL ? 1 : strcspn(text, "&<>\"'\t");
        if (entity != NULL)
            fputs(entity, out);
        else
            lae_text_print_part(out, text, plain);
    }
}

lae_status lae_html_base64(FILE *out, const char *data, size_t size)
{
    if (size > INT_MAX / 2) return lae_failed("a figure of %zu bytes is too large", size);
    unsigned char *text = malloc(4 * (size + 2) / 3 + 5);
    if (text == NULL) return lae_out_of_memory(2 * size, "a figure");
    int length = EVP_EncodeBlock(text, (const unsigned char *)data, (int)size);
    fwrite(text, 1, (size_t)length, out);
    free(text);
    return NULL;
}
