#include "lae/report/pace.h"

#include "lae/base/clock.h"

#include <string.h>

#define LIVE_SECONDS 0.1   /* between two drawings of the live line */
#define PLAIN_SECONDS 20.0 /* between two plain lines, at first */
#define PLAIN_MOST 600.0   /* later */
#define PLAIN_PER_RUN 60.0 /* the wait as part of the time so far */

struct lae_pace lae_pace_begin(struct lae_log *log)
{
    double now = lae_clock_seconds();
    return (struct lae_pace){.log = log, .began = now, .plain_at = now};
}

bool lae_pace_live(struct lae_pace *pace)
{
    double now = lae_clock_seconds();
    if (!pace->log->terminal || now - pace->live_at < LIVE_SECONDS) return false;
    pace->live_at = now;
    return true;
}

bool lae_pace_plain(struct lae_pace *pace)
{
    double now = lae_clock_seconds(), wait = (now - pace->began) / PLAIN_PER_RUN;
    wait = wait < PLAIN_SECONDS ? PLAIN_SECONDS : wait > PLAIN_MOST ? PLAIN_MOST : wait;
    if (pace->log->terminal || now - pace->plain_at < wait) return false;
    pace->plain_at = now;
    return true;
}

void lae_pace_draw(const struct lae_pace *pace, char forms[][LAE_LIVE_LINE], int count)
{
    size_t width = (size_t)lae_terminal_width(pace->log->window);
    int i = 0;
    while (i + 1 < count && strlen(forms[i]) >= width)
        i++;
    lae_log_live(pace->log, "%s", forms[i]);
}
