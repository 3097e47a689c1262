#include "lae/base/log.h"

#include "lae/base/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LABEL_WIDTH 9  /* of a description's line */
#define FILE_WIDTH 140 /* of a block in log.txt */

void lae_log_open(struct lae_log *log, bool quiet)
{
    *log = (struct lae_log){.screen = quiet ? NULL : stderr, .window = -1};
    if (!quiet) log->window = lae_terminal_find(STDERR_FILENO);
    log->terminal = lae_terminal_can_redraw(log->window);
    log->paint = lae_terminal_paint(log->window);
}

void lae_log_add_file(struct lae_log *log, FILE *file)
{
    log->file = file;
    setvbuf(file, NULL, _IOLBF, 0);
}

void lae_log_drop_file(struct lae_log *log)
{
    if (log->file != NULL) fclose(log->file);
    log->file = NULL;
}

void lae_log_close(struct lae_log *log)
{
    if (log == NULL) return;
    if (log->live) fputc('\n', log->screen);
    if (log->file != NULL) fclose(log->file);
    lae_terminal_close(log->window);
    *log = (struct lae_log){0};
}

/* A log that was put together by hand may have none. */
static const struct lae_paint *paint_of(const struct lae_log *log)
{
    return log->paint != NULL ? log->paint : lae_paint_none();
}

static void clear_live(struct lae_log *log)
{
    if (!log->live) return;
    fputs("\r\033[K", log->screen);
    log->live = false;
}

static void write_stamp(struct lae_log *log)
{
    char stamp[32] = "";
    time_t now = time(NULL);
    struct tm parts;
    if (localtime_r(&now, &parts) != NULL)
        strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &parts);
    fprintf(log->file, "%s ", stamp);
}

static void write_file(struct lae_log *log, const char *mark, const char *text)
{
    if (log->file == NULL) return;
    write_stamp(log);
    fprintf(log->file, "%s%s\n", mark, text);
}

static void write_screen(struct lae_log *log, const char *mark, const char *text)
{
    if (log->screen == NULL) return;
    clear_live(log);
    if (mark[0] != '\0')
        fprintf(log->screen, "%s%s%s", paint_of(log)->alarm, mark, paint_of(log)->off);
    fprintf(log->screen, "%s\n", text);
    fflush(log->screen);
}

/* A line of a log, tame: names of files and directories are in it. Longer ones than most are cut
 * short where memory is out. */
struct line {
    char most[1024];
    char *text; /* most, or longer */
};

static void compose(struct line *line, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    line->text = line->most;
    int length = vsnprintf(line->most, sizeof line->most, format, args);
    size_t size = length > 0 ? (size_t)length + 1 : 1;
    char *longer = size > sizeof line->most ? malloc(size) : NULL;
    if (longer != NULL) {
        vsnprintf(longer, size, format, again);
        line->text = longer;
    }
    va_end(again);
    lae_text_tame(line->text);
}

static void dismiss(struct line *line)
{
    if (line->text != line->most) free(line->text);
}

static void write_both(struct lae_log *log, const char *mark, const char *format, va_list args)
{
    struct line line;
    compose(&line, format, args);
    write_screen(log, mark, line.text);
    write_file(log, mark, line.text);
    dismiss(&line);
}

void lae_log_info(struct lae_log *log, const char *format, ...)
{
    if (log == NULL) return;
    va_list args;
    va_start(args, format);
    write_both(log, "", format, args);
    va_end(args);
}

void lae_log_warn(struct lae_log *log, const char *format, ...)
{
    if (log == NULL) return;
    va_list args;
    va_start(args, format);
    write_both(log, "warning: ", format, args);
    va_end(args);
}

/* A pipe's lines are not broken: other programs may look for them. */
static void write_item(struct lae_log *log, const char *label, const char *text)
{
    if (log->screen == NULL) return;
    size_t width = log->terminal ? (size_t)lae_terminal_width(log->window) : SIZE_MAX;
    clear_live(log);
    fprintf(log->screen, "%s%-*s%s ", paint_of(log)->strong, LABEL_WIDTH, label,
            paint_of(log)->off);
    lae_text_wrap(log->screen, text, LABEL_WIDTH + 1, width);
    fputc('\n', log->screen);
    fflush(log->screen);
}

void lae_log_item(struct lae_log *log, const char *label, const char *format, ...)
{
    if (log == NULL) return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    lae_text_tame(text);
    write_item(log, label, text);
    lae_log_note(log, "%-*s %s", LABEL_WIDTH, label, text);
}

/* What `write` writes, as a new string; NULL where memory is out. */
static char *block_text(lae_log_writer *write, const void *context, int width,
                        const struct lae_paint *paint)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) return NULL;
    write(out, width, paint, context);
    if (fclose(out) == 0) return text;
    free(text);
    return NULL;
}

static void write_lines(struct lae_log *log, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        write_stamp(log);
        fprintf(log->file, "%.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

void lae_log_block(struct lae_log *log, lae_log_writer *write, const void *context)
{
    if (log == NULL) return;
    char *shown = NULL, *kept = NULL;
    if (log->screen != NULL)
        shown = block_text(write, context, lae_terminal_width(log->window), paint_of(log));
    if (log->file != NULL) kept = block_text(write, context, FILE_WIDTH, lae_paint_none());
    if (shown != NULL) {
        clear_live(log);
        fputs(shown, log->screen);
        fflush(log->screen);
    }
    if (kept != NULL) write_lines(log, kept);
    free(shown);
    free(kept);
}

void lae_log_note(struct lae_log *log, const char *format, ...)
{
    if (log == NULL || log->file == NULL) return;
    struct line line;
    va_list args;
    va_start(args, format);
    compose(&line, format, args);
    va_end(args);
    write_file(log, "", line.text);
    dismiss(&line);
}

FILE *lae_log_results(struct lae_log *log)
{
    if (log == NULL || log->screen == NULL) return stdout;
    clear_live(log);
    return lae_terminal_joins() ? log->screen : stdout;
}

void lae_log_live(struct lae_log *log, const char *format, ...)
{
    if (log == NULL || !log->terminal) return;
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    size_t width = (size_t)lae_terminal_width(log->window);
    if (strlen(line) >= width) line[width < sizeof line ? width - 1 : sizeof line - 1] = '\0';
    fprintf(log->screen, "\r\033[K%s", line);
    fflush(log->screen);
    log->live = true;
}
