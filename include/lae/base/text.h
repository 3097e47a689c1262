/* Text of others: names of files, classes and tensors, keys of files, words of a command line. */
#ifndef LAE_BASE_TEXT_H
#define LAE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* One code point of UTF-8 (RFC 3629): the shortest form alone, no surrogates, at most U+10FFFF.
 * Returns its bytes, 0 where `text` [left, at least 1] begins with none. */
size_t lae_utf8_decode(const char *text, size_t left, uint32_t *code);

/* Whether a terminal would act on a code point and not show it: control characters (U+009B begins a
 * sequence as ESC [ does), and what breaks lines or turns their direction. Newlines, too. */
bool lae_utf8_is_control(uint32_t code);

/* Columns that the first `size` bytes of a text take on a screen: none for marks above a letter, two
 * for the wide letters of East Asia and for pictures. */
int lae_text_width(const char *text, size_t size);

/* Puts "?" for each control character but the newline, and for each byte that is no UTF-8, so that
 * a text can be shown anywhere. In place. */
void lae_text_tame(char *text);

/* Writes the text, or its first `size` bytes, tame: a "?" for each byte of what must not be shown. */
void lae_text_print(FILE *out, const char *text);
void lae_text_print_part(FILE *out, const char *text, size_t size);

/* A new string where bytes that are no UTF-8 stand as \xNN (as Python's errors="backslashreplace"
 * has them), and where `controls` is set, control characters, too: a name that is the same text in
 * every output. NULL when memory is out. */
char *lae_text_escape(const char *text, bool controls);

#endif
