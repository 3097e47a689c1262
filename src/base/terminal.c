#include "lae/base/terminal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define USUAL_WIDTH 80

int lae_terminal_find(int fd)
{
    if (isatty(fd)) return fd;
    if (getenv("OMPI_COMM_WORLD_RANK") == NULL) return -1;
    char link[64], target[256];
    snprintf(link, sizeof link, "/proc/%ld/fd/%d", (long)getppid(), fd);
    ssize_t length = readlink(link, target, sizeof target - 1);
    if (length <= 0) return -1;
    target[length] = '\0';
    if (strncmp(target, "/dev/pts/", 9) != 0 && strncmp(target, "/dev/tty", 8) != 0) return -1;
    return open(target, O_WRONLY | O_NOCTTY | O_CLOEXEC);
}

void lae_terminal_close(int terminal)
{
    if (terminal > STDERR_FILENO) close(terminal);
}

static bool is_dumb(void)
{
    const char *kind = getenv("TERM");
    return kind == NULL || kind[0] == '\0' || strcmp(kind, "dumb") == 0;
}

bool lae_terminal_can_redraw(int terminal)
{
    return terminal >= 0 && !is_dumb();
}

int lae_terminal_width(int terminal)
{
    const char *asked = getenv("COLUMNS");
    long columns = asked != NULL ? strtol(asked, NULL, 10) : 0;
    if (columns > 1 && columns < 10000) return (int)columns;
    struct winsize window = {0};
    if (terminal >= 0 && ioctl(terminal, TIOCGWINSZ, &window) == 0 && window.ws_col > 1)
        return window.ws_col;
    return USUAL_WIDTH;
}

const struct lae_paint *lae_paint_none(void)
{
    static const struct lae_paint none = {"", "", "", "", ""};
    return &none;
}

const struct lae_paint *lae_terminal_paint(int terminal)
{
    static const struct lae_paint colours = {"\033[1m", "\033[32m", "\033[33m", "\033[2m",
                                             "\033[0m"};
    const char *refused = getenv("NO_COLOR");
    bool wanted = refused == NULL || refused[0] == '\0';
    return wanted && lae_terminal_can_redraw(terminal) ? &colours : lae_paint_none();
}

void lae_text_wrap(FILE *out, const char *text, size_t indent, size_t width)
{
    size_t column = indent;
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (column > indent && column + 1 + word > width) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', out);
            column++;
        }
        fwrite(text, 1, word, out);
        column += word;
        text += word;
        while (*text == ' ')
            text++;
    }
}
