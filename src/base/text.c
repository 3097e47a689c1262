#include "lae/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t lae_utf8_decode(const char *text, size_t left, uint32_t *code)
{
    const unsigned char *bytes = (const unsigned char *)text;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = bytes[0] < 0x80   ? 1
                    : bytes[0] < 0xc0 ? 0
                    : bytes[0] < 0xe0 ? 2
                    : bytes[0] < 0xf0 ? 3
                    : bytes[0] < 0xf8 ? 4
                                      : 0;
    if (length == 0 || length > left) return 0;
    *code = length == 1 ? bytes[0] : bytes[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) return 0;
        *code = *code << 6 | (bytes[i] & 0x3fu);
    }
    bool surrogate = *code >= 0xd800 && *code < 0xe000;
    return *code < least[length] || surrogate || *code > 0x10ffff ? 0 : length;
}

static bool is_in(uint32_t code, const uint32_t ranges[][2], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (code >= ranges[i][0] && code <= ranges[i][1]) return true;
    return false;
}

bool lae_utf8_is_control(uint32_t code)
{
    static const uint32_t ranges[][2] = {
        {0x00, 0x1f},     {0x7f, 0x9f},                         /* C0, DEL, C1 */
        {0x061c, 0x061c}, {0x200e, 0x200f},                     /* marks of direction */
        {0x2028, 0x202e}, {0x2066, 0x2069},                     /* line ends, turns of direction */
        {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f}, /* not to be seen at all */
        {0xfffe, 0xffff},                                       /* no characters */
    };
    return is_in(code, ranges, sizeof ranges / sizeof ranges[0]);
}

/* After Unicode's East Asian Width (UAX 11), by whole blocks. */
static int width_of(uint32_t code)
{
    static const uint32_t none[][2] = {
        {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x064b, 0x065f}, {0x1ab0, 0x1aff},
        {0x1dc0, 0x1dff}, {0x200b, 0x200d}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}};
    static const uint32_t wide[][2] = {{0x1100, 0x115f},   {0x2e80, 0x303e},  {0x3041, 0xa4cf},
                                       {0xac00, 0xd7a3},   {0xf900, 0xfaff},  {0xfe30, 0xfe6f},
                                       {0xff00, 0xff60},   {0xffe0, 0xffe6},  {0x1f300, 0x1f64f},
                                       {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
    if (is_in(code, none, sizeof none / sizeof none[0])) return 0;
    return is_in(code, wide, sizeof wide / sizeof wide[0]) ? 2 : 1;
}

int lae_text_width(const char *text, size_t size)
{
    int width = 0;
    for (size_t length; size > 0; size -= length, text += length) {
        uint32_t code = 'x';
        length = lae_utf8_decode(text, size, &code);
        width += length > 0 ? width_of(code) : 1;
        if (length == 0) length = 1;
    }
    return width;
}

void lae_text_tame(char *text)
{
    size_t left = strlen(text);
    char *to = text;
    while (left > 0) {
        uint32_t code = 0;
        size_t length = lae_utf8_decode(text, left, &code);
        bool shown = length > 0 && (code == '\n' || !lae_utf8_is_control(code));
        if (length == 0) length = 1;
        if (shown)
            memmove(to, text, length);
        else
            *to = '?';
        to += shown ? length : 1;
        text += length;
        left -= length;
    }
    *to = '\0';
}

void lae_text_print(FILE *out, const char *text)
{
    lae_text_print_part(out, text, strlen(text));
}

void lae_text_print_part(FILE *out, const char *text, size_t size)
{
    for (size_t length; size > 0; size -= length, text += length) {
        uint32_t code = 0;
        length = lae_utf8_decode(text, size, &code);
        if (length > 0 && (code == '\n' || !lae_utf8_is_control(code))) {
            fwrite(text, 1, length, out);
        } else {
            fputc('?', out);
            length = 1;
        }
    }
}

char *lae_text_escape(const char *text, bool controls)
{
    enum { LONGEST = 6 }; /* \u2028 */
    size_t size = strlen(text), used = 0;
    char *escaped = malloc(LONGEST * size + 1);
    if (escaped == NULL) return NULL;
    for (size_t at = 0; at < size;) {
        uint32_t code = 0;
        size_t length = lae_utf8_decode(text + at, size - at, &code);
        if (length > 0 && !(controls && lae_utf8_is_control(code))) {
            memcpy(escaped + used, text + at, length);
            used += length;
        } else {
            unsigned shown = length > 0 ? code : (unsigned char)text[at];
            used += (size_t)sprintf(escaped + used, shown < 0x100 ? "\\x%02x" : "\\u%04x", shown);
        }
        at += length > 0 ? length : 1;
    }
    escaped[used] = '\0';
    return escaped;
}
