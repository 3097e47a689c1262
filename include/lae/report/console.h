/* The observer of a run: a live line on a terminal, plain lines in the log, metrics.jsonl, event
 * files. */
#ifndef LAE_REPORT_CONSOLE_H
#define LAE_REPORT_CONSOLE_H

#include "lae/base/log.h"
#include "lae/learn/observer.h"
#include "lae/learn/progress.h"
#include "lae/report/jsonl.h"
#include "lae/report/pace.h"
#include "lae/report/tensorboard.h"

struct lae_console {
    struct lae_log *log;
    struct lae_jsonl jsonl;
    const char *events_path; /* the directory of event files */
    struct lae_event_file events;
    struct lae_interval interval;
    const struct lae_setup *setup;
    struct lae_progress progress;
    int stop, task; /* the task at hand; -1 before the first */
    struct lae_pace pace;
    bool forecast;     /* how long it will take has been told */
    double task_began; /* NaN: before this console was there */
};

/* `metrics_path`: where metrics.jsonl is; `events_path`: the directory of event files, which must
 * outlive the console. The observer points to `console`. */
lae_status lae_console_open(struct lae_console *console, struct lae_log *log,
                            const char *metrics_path, const char *events_path,
                            struct lae_observer *observer) LAE_MUST_CHECK;
void lae_console_close(struct lae_console *console);

#endif
