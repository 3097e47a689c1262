#include "lae/report/html.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Length of the character of UTF-8 (RFC 3629) that begins here; 0: none does. */
static size_t utf8_length(const unsigned char *c)
{
    size_t length = c[0] < 0x80 ? 1 : c[0] >= 0xf0 ? 4 : c[0] >= 0xe0 ? 3 : 2;
    if (c[0] >= 0x80 && (c[0] < 0xc2 || c[0] > 0xf4)) return 0;
    for (size_t i = 1; i < length; i++)
        if ((c[i] & 0xc0) != 0x80) return 0;
    bool overlong = (c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xf0 && c[1] < 0x90);
    bool surrogate = c[0] == 0xed && c[1] >= 0xa0;
    bool beyond = c[0] == 0xf4 && c[1] >= 0x90;
    bool no_character = c[0] == 0xef && c[1] == 0xbf && c[2] >= 0xbe;
    return overlong || surrogate || beyond || no_character ? 0 : length;
}

static const char *entity_of(unsigned char c)
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
    default:
        return NULL;
    }
}

void lae_html_text(FILE *out, const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    while (*c != '\0') {
        size_t length = utf8_length(c);
        const char *entity = entity_of(*c);
        bool control = (*c < ' ' && *c != '\n' && *c != '\t') || *c == 0x7f;
        if (length == 0 || control)
            fputc('?', out);
        else if (entity != NULL)
            fputs(entity, out);
        else
            fwrite(c, 1, length, out);
        c += length > 0 ? length : 1;
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
