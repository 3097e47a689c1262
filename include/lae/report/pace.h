/* How often to tell how far something is: a live line on a terminal, and where there is none plain
 * lines, the fewer the longer it takes, some hundred in all. */
#ifndef LAE_REPORT_PACE_H
#define LAE_REPORT_PACE_H

#include "lae/base/log.h"

#include <stdbool.h>
#include <stddef.h>

#define LAE_LIVE_LINE 256

struct lae_pace {
    struct lae_log *log;
    double began, live_at, plain_at; /* monotonic seconds; of the last lines */
};

struct lae_pace lae_pace_begin(struct lae_log *log);

/* Whether the live line should be drawn now, or a plain one be written; never both. */
bool lae_pace_live(struct lae_pace *pace);
bool lae_pace_plain(struct lae_pace *pace);

/* Draws the first of `count` forms, from the longest down, that fits the terminal. */
void lae_pace_draw(const struct lae_pace *pace, char forms[][LAE_LIVE_LINE], int count);

#endif
