#include "text.h"

#include "lae/base/text.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SHOWN_BYTES 80 /* of a text in a message */

lae_status lae_text_open(struct lae_text *text)
{
    *text = (struct lae_text){0};
    text->out = open_memstream(&text->data, &text->size);
    return text->out == NULL ? lae_out_of_memory(0, "a text") : NULL;
}

lae_status lae_text_close(struct lae_text *text, char **result)
{
    bool failed = ferror(text->out) != 0;
    failed = fclose(text->out) != 0 || text->data == NULL || failed; /* fclose may not tell */
    *result = text->data;
    if (!failed) return NULL;
    free(text->data);
    *result = NULL;
    return lae_out_of_memory(text->size, "a text");
}

lae_status lae_text_refuse(struct lae_text *text)
{
    char *message;
    LAE_TRY(lae_text_close(text, &message));
    lae_status status = lae_bad_input("%s", message);
    free(message);
    return status;
}

size_t lae_text_utf8_length(const char *text, size_t size)
{
    size_t at = 0;
    uint32_t code;
    while (at < size) {
        size_t length = lae_utf8_decode(text + at, size - at, &code);
        if (length == 0) break;
        at += length;
    }
    return at;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Past the digits at `text`; NULL where there are none. */
static const char *after_digits(const char *text)
{
    if (!is_digit(*text)) return NULL;
    while (is_digit(*text))
        text++;
    return text;
}

bool lae_text_unsigned(const char *text, uint64_t *value)
{
    const char *end = after_digits(text);
    if (end == NULL || *end != '\0' || (text[0] == '0' && text[1] != '\0')) return false;
    uint64_t sum = 0;
    for (; *text != '\0'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');
        if (sum > (UINT64_MAX - digit) / 10) return false;
        sum = 10 * sum + digit;
    }
    *value = sum;
    return true;
}

bool lae_text_integer(const char *text, int64_t *value)
{
    bool negative = *text == '-';
    uint64_t size;
    if (!lae_text_unsigned(text + (negative || *text == '+'), &size)) return false;
    if (size > INT64_MAX) return false;
    *value = negative ? -(int64_t)size : (int64_t)size;
    return true;
}

/* [+-] digits [. digits] [e [+-] digits], with digits before or after the point. */
static bool is_real(const char *text)
{
    if (*text == '-' || *text == '+') text++;
    const char *end = after_digits(text);
    if (end != NULL) text = end;
    if (*text == '.') {
        text++;
        const char *fraction = after_digits(text);
        if (fraction == NULL && end == NULL) return false;
        if (fraction != NULL) text = fraction;
    } else if (end == NULL) {
        return false;
    }
    if (*text == 'e' || *text == 'E') {
        text++;
        if (*text == '-' || *text == '+') text++;
        text = after_digits(text);
        if (text == NULL) return false;
    }
    return *text == '\0';
}

/* strtod and printf take the decimal point from the locale, which a library may have set. */
struct c_locale {
    locale_t own, before;
};

static struct c_locale enter_c_locale(void)
{
    struct c_locale locale = {.own = newlocale(LC_ALL_MASK, "C", (locale_t)0)};
    if (locale.own != (locale_t)0) locale.before = uselocale(locale.own);
    return locale;
}

static void leave_c_locale(struct c_locale locale)
{
    if (locale.own == (locale_t)0) return;
    uselocale(locale.before);
    freelocale(locale.own);
}

bool lae_text_real(const char *text, double *value)
{
    if (!is_real(text)) return false;
    struct c_locale locale = enter_c_locale();
    *value = strtod(text, NULL);
    leave_c_locale(locale);
    return isfinite(*value);
}

void lae_text_write_real(FILE *out, double value)
{
    char text[40];
    struct c_locale locale = enter_c_locale();
    if (fabs(value) < 1e15 && floor(value) == value) {
        snprintf(text, sizeof text, "%.0f", value);
    } else {
        for (int digits = 1; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, value);
            if (strtod(text, NULL) == value) break;
        }
    }
    leave_c_locale(locale);
    /* YAML 1.1 asks for a point in a number with an exponent: 1.0e-05. */
    char *exponent = strchr(text, 'e');
    if (exponent != NULL && strchr(text, '.') == NULL)
        fprintf(out, "%.*s.0%s", (int)(exponent - text), text, exponent);
    else
        fputs(text, out);
}

/* Whether some YAML reader would take the word for something else than text. */
static bool is_reserved(const char *text)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no",
                                        "on",   "off",  "y",     "n"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(text, words[i]) == 0) return true;
    return false;
}

/* Whether the text can stand in YAML as it is: words and paths; numbers cannot. */
static bool is_plain(const char *text)
{
    bool path = strncmp(text, "./", 2) == 0 || strncmp(text, "../", 3) == 0;
    if (!path && !is_letter(*text) && *text != '/' && *text != '_') return false;
    for (const char *c = text; *c != '\0'; c++)
        if (!is_letter(*c) && !is_digit(*c) && strchr("_-+./", *c) == NULL) return false;
    return !is_reserved(text);
}

/* Whether a code point may stand raw between double quotes in YAML. */
static bool is_raw(uint32_t code)
{
    if (code == '"' || code == '\\' || code < 0x20 || code == 0xfeff) return false;
    if (code >= 0x7f && code < 0xa0) return false;
    return code != 0x2028 && code != 0x2029 && code != 0xfffe && code != 0xffff;
}

/* Writes at most `limit` bytes of the text, escaped as between YAML's double quotes, and "..." for
 * the rest. Bytes that are not UTF-8 come out as their numbers. */
static void write_escaped(FILE *out, const char *text, size_t limit)
{
    size_t size = strlen(text), at = 0;
    while (at < size && at < limit) {
        uint32_t code = 0;
        size_t length = lae_utf8_decode(text + at, size - at, &code);
        if (length > 0 && is_raw(code))
            fwrite(text + at, 1, length, out);
        else if (length > 0 && (code == '"' || code == '\\'))
            fprintf(out, "\\%c", (int)code);
        else if (code == '\n' || code == '\t')
            fputs(code == '\n' ? "\\n" : "\\t", out);
        else if (length == 0 || code < 0x100)
            fprintf(out, "\\x%02x", length == 0 ? (unsigned char)text[at] : (unsigned)code);
        else
            fprintf(out, code < 0x10000 ? "\\u%04" PRIx32 : "\\U%08" PRIx32, code);
        at += length == 0 ? 1 : length;
    }
    if (at < size) fputs("...", out);
}

void lae_text_write_scalar(FILE *out, const char *text)
{
    if (is_plain(text)) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    write_escaped(out, text, SIZE_MAX);
    fputc('"', out);
}

void lae_text_write_shown(FILE *out, const char *text)
{
    write_escaped(out, text, SHOWN_BYTES);
}
