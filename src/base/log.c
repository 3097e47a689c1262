#include "lae/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

void lae_log_open(struct lae_log *log, bool quiet)
{
    *log = (struct lae_log){.screen = quiet ? NULL : stderr};
    log->terminal = log->screen != NULL && isatty(fileno(log->screen)) != 0;
}

lae_status lae_log_add_file(struct lae_log *log, const char *path)
{
    log->file = fopen(path, "ae");
    if (log->file == NULL)
        return lae_bad_input("%s: cannot append to the log: %s", path, strerror(errno));
    setvbuf(log->file, NULL, _IOLBF, 0);
    return NULL;
}

void lae_log_close(struct lae_log *log)
{
    if (log == NULL) return;
    if (log->live) fputc('\n', log->screen);
    if (log->file != NULL) fclose(log->file);
    *log = (struct lae_log){0};
}

static void clear_live(struct lae_log *log)
{
    if (!log->live) return;
    fputs("\r\033[K", log->screen);
    log->live = false;
}

static void write_file(struct lae_log *log, const char *mark, const char *format, va_list args)
{
    if (log->file == NULL) return;
    char stamp[32] = "";
    time_t now = time(NULL);
    struct tm parts;
    if (localtime_r(&now, &parts) != NULL)
        strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &parts);
    fprintf(log->file, "%s %s", stamp, mark);
    vfprintf(log->file, format, args);
    fputc('\n', log->file);
}

static void write_screen(struct lae_log *log, const char *mark, const char *format, va_list args)
{
    if (log->screen == NULL) return;
    clear_live(log);
    fputs(mark, log->screen);
    vfprintf(log->screen, format, args);
    fputc('\n', log->screen);
    fflush(log->screen);
}

static void write_both(struct lae_log *log, const char *mark, const char *format, va_list args)
{
    if (log == NULL) return;
    va_list again;
    va_copy(again, args);
    write_screen(log, mark, format, args);
    write_file(log, mark, format, again);
    va_end(again);
}

void lae_log_info(struct lae_log *log, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_both(log, "", format, args);
    va_end(args);
}

void lae_log_warn(struct lae_log *log, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_both(log, "warning: ", format, args);
    va_end(args);
}

void lae_log_note(struct lae_log *log, const char *format, ...)
{
    if (log == NULL) return;
    va_list args;
    va_start(args, format);
    write_file(log, "", format, args);
    va_end(args);
}

void lae_log_live(struct lae_log *log, const char *format, ...)
{
    if (log == NULL || !log->terminal) return;
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    struct winsize window = {0};
    size_t width = 80;
    if (ioctl(fileno(log->screen), TIOCGWINSZ, &window) == 0 && window.ws_col > 1)
        width = window.ws_col;
    if (strlen(line) >= width) line[width < sizeof line ? width - 1 : sizeof line - 1] = '\0';
    fprintf(log->screen, "\r\033[K%s", line);
    fflush(log->screen);
    log->live = true;
}
