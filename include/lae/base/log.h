/* Plain log lines: to a file, and to standard error. A log is a value that is passed; all ranks but
 * one have a quiet one, and NULL is a log that drops everything. */
#ifndef LAE_BASE_LOG_H
#define LAE_BASE_LOG_H

#include "lae/base/status.h"
#include "lae/base/terminal.h"

#include <stdbool.h>
#include <stdio.h>

struct lae_log {
    FILE *screen;                  /* standard error, or NULL */
    int window;                    /* the terminal behind it; -1: none */
    const struct lae_paint *paint; /* for the screen */
    FILE *file;                    /* log.txt of the run, or NULL */
    bool live;     /* a progress line is on the screen and must be cleared before other output */
    bool terminal; /* screen is a terminal that can redraw a line */
};

/* A log to standard error; `quiet`: to nowhere until a file is added. */
void lae_log_open(struct lae_log *log, bool quiet);

/* Also write to this file, which the log takes over and closes. */
void lae_log_add_file(struct lae_log *log, FILE *file);

/* From now on no more to it. */
void lae_log_drop_file(struct lae_log *log);

void lae_log_close(struct lae_log *log);

/* One line, to screen and file; the file's lines carry the time. */
void lae_log_info(struct lae_log *log, const char *format, ...) LAE_PRINTF(2, 3);

/* The same, marked "warning:". */
void lae_log_warn(struct lae_log *log, const char *format, ...) LAE_PRINTF(2, 3);

/* One line to the file alone. */
void lae_log_note(struct lae_log *log, const char *format, ...) LAE_PRINTF(2, 3);

/* One line of a description, "LABEL     text", to screen and file; the label stands out. */
void lae_log_item(struct lae_log *log, const char *label, const char *format, ...) LAE_PRINTF(3, 4);

/* Several lines that `write` writes: to the screen in its width and colours, and without colours to
 * the file. Where memory is out, nothing is written. */
typedef void lae_log_writer(FILE *out, int width, const struct lae_paint *paint,
                            const void *context);
void lae_log_block(struct lae_log *log, lae_log_writer *write, const void *context);

/* Where a command writes its results: standard output, or the screen where both end at one place,
 * so that results come after what was told before. The live line is cleared. */
FILE *lae_log_results(struct lae_log *log);

/* The one live line of a terminal: replaces the one before. Does nothing off terminals. */
void lae_log_live(struct lae_log *log, const char *format, ...) LAE_PRINTF(2, 3);

#endif
