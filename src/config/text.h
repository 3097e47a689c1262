/* Numbers and YAML scalars as texts: the same in every locale, and exact. */
#ifndef LAE_CONFIG_TEXT_H
#define LAE_CONFIG_TEXT_H

#include "lae/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A text that is written with stdio and grows by itself. */
struct lae_text {
    FILE *out;
    char *data;
    size_t size;
};

lae_status lae_text_open(struct lae_text *text) LAE_MUST_CHECK;
/* Gives the text in *result; free(). Errors: memory ran out at any time since the opening. */
lae_status lae_text_close(struct lae_text *text, char **result) LAE_MUST_CHECK;

/* Ends the text and makes it the message of an error with LAE_BAD_INPUT. */
lae_status lae_text_refuse(struct lae_text *text) LAE_MUST_CHECK;

/* Bytes before the first that is not UTF-8; `size` when all are. */
size_t lae_text_utf8_length(const char *text, size_t size);

/* Whole numbers in decimal: no blanks, no leading zeros (YAML 1.1 takes those for octal), no signs
 * for unsigned ones. False where the text is no such number or the number does not fit. */
bool lae_text_integer(const char *text, int64_t *value);
bool lae_text_unsigned(const char *text, uint64_t *value);

/* A decimal number, 0.5 or 1e-4. False for anything else and for numbers past the largest double.
 */
bool lae_text_real(const char *text, double *value);

/* The shortest decimal that reads back as the same double. */
void lae_text_write_real(FILE *out, double value);

/* `text` as a YAML scalar that reads back as the same text, and as text: quoted where it must be.
 */
void lae_text_write_scalar(FILE *out, const char *text);

/* `text` for a message: control characters escaped, shortened, no quotes added. */
void lae_text_write_shown(FILE *out, const char *text);

#endif
