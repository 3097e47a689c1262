/* What a mistyped word most likely means: the nearest of those that are known.
 *
 *     struct lae_spelling spelling = lae_spelling_of(word);
 *     lae_spelling_try(&spelling, "train", 5);          for each known word
 *     lae_bad_input("unknown ...%s", lae_spelling_ask(&spelling, text));
 */
#ifndef LAE_BASE_SPELLING_H
#define LAE_BASE_SPELLING_H

#include <stddef.h>

#define LAE_SPELLING_WORD 64 /* longer words are near none */
#define LAE_SPELLING_ASK 96

struct lae_spelling {
    const char *word;
    char nearest[LAE_SPELLING_WORD]; /* "": none is near */
    size_t distance;                 /* a nearer one has less */
};

struct lae_spelling lae_spelling_of(const char *word);

/* The first `length` bytes of `known`. Near is what a slip of the finger makes of it (some three
 * letters in ten, at most three), or what `word` begins; the first of equals. */
void lae_spelling_try(struct lae_spelling *spelling, const char *known, size_t length);

/* The same for each of "A, B, C". */
void lae_spelling_try_list(struct lae_spelling *spelling, const char *list);

/* '; did you mean "NEAREST"?', or "" where none is near. */
const char *lae_spelling_ask(const struct lae_spelling *spelling, char text[LAE_SPELLING_ASK]);

#endif
