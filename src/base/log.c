#include "lae/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* The terminal behind standard error, or -1. mpirun gives its ranks a pipe and copies what comes
 * through it: where our parent's standard error is a terminal, so is ours in effect. */
static int find_terminal(void)
{
    if (isatty(STDERR_FILENO)) return STDERR_FILENO;
    if (getenv("OMPI_COMM_WORLD_RANK") == NULL) return -1;
    char link[64], target[256];
    snprintf(link, sizeof link, "/proc/%ld/fd/2", (long)getppid());
    ssize_t length = readlink(link, target, sizeof target - 1);
    if (length <= 0) return -1;
    target[length] = '\0';
    if (strncmp(target, "/dev/pts/", 9) != 0 && strncmp(target, "/dev/tty", 8) != 0) return -1;
    return open(target, O_WRONLY | O_NOCTTY | O_CLOEXEC);
}

void lae_log_open(struct lae_log *log, bool quiet)
{
    *log = (struct lae_log){.screen = quiet ? NULL : stderr, .window = -1};
    if (!quiet) log->window = find_terminal();
    log->terminal = log->window >= 0;
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
    if (log->window > STDERR_FILENO) close(log->window);
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
    if (ioctl(log->window, TIOCGWINSZ, &window) == 0 && window.ws_col > 1) width = window.ws_col;
    if (strlen(line) >= width) line[width < sizeof line ? width - 1 : sizeof line - 1] = '\0';
    fprintf(log->screen, "\r\033[K%s", line);
    fflush(log->screen);
    log->live = true;
}
