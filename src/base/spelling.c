#include "lae/base/spelling.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static size_t smallest(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits that make one text of the other: a character put in, left out, replaced, or swapped with
 * its neighbour (optimal string alignment). Texts shorter than LAE_SPELLING_WORD. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][LAE_SPELLING_WORD];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= b_length; j++)
        last[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t replaced = last[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = smallest(replaced, smallest(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = smallest(now[j], before[j - 2] + 1);
        }
        size_t *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[b_length];
}

struct lae_spelling lae_spelling_of(const char *word)
{
    return (struct lae_spelling){.word = word, .distance = smallest(strlen(word) / 3, 3) + 1};
}

void lae_spelling_try(struct lae_spelling *spelling, const char *known, size_t length)
{
    const char *word = spelling->word;
    size_t own = strlen(word);
    if (own >= LAE_SPELLING_WORD || length >= LAE_SPELLING_WORD) return;
    bool begins = own >= 3 && own < length && strncmp(word, known, own) == 0;
    size_t distance = edit_distance(word, own, known, length);
    if (begins) distance = smallest(distance, spelling->distance - 1);
    if (distance >= spelling->distance) return;
    spelling->distance = distance;
    memcpy(spelling->nearest, known, length);
    spelling->nearest[length] = '\0';
}

void lae_spelling_try_list(struct lae_spelling *spelling, const char *list)
{
    while (*list != '\0') {
        size_t length = strcspn(list, ",");
        lae_spelling_try(spelling, list, length);
        list += length;
        list += strspn(list, ", ");
    }
}

const char *lae_spelling_ask(const struct lae_spelling *spelling, char text[LAE_SPELLING_ASK])
{
    text[0] = '\0';
    if (spelling->nearest[0] != '\0')
        snprintf(text, LAE_SPELLING_ASK, "; did you mean \"%s\"?", spelling->nearest);
    return text;
}
