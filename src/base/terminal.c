#include "lae/base/terminal.h"

#include "lae/base/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define USUAL_WIDTH 80

/* What descriptor `fd` of process `pid` is, as "/dev/pts/0" or "pipe:[1234]". */
static bool name_output(long pid, int fd, char name[256])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/%ld/fd/%d", pid, fd);
    ssize_t length = readlink(link, name, 255);
    if (length <= 0) return false;
    name[length] = '\0';
    return true;
}

/* Whether process `pid` is an MPI launcher on this host; its name as the kernel has it. */
static bool is_launcher(long pid, char name[LAE_LAUNCHER_NAME])
{
    static const char *const names[] = {"mpirun", "mpiexec", "orterun", "prterun"};
    char path[64];
    name[0] = '\0';
    snprintf(path, sizeof path, "/proc/%ld/comm", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    if (fscanf(file, "%31s", name) != 1) name[0] = '\0';
    fclose(file);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

/* The parent of process `pid`; -1: not known. */
static long parent_of(long pid)
{
    char path[64];
    long parent = -1;
    snprintf(path, sizeof path, "/proc/%ld/status", pid);
    FILE *file = fopen(path, "re");
    char line[256];
    while (file != NULL && parent < 0 && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "PPid: %ld", &parent) != 1) parent = -1;
    if (file != NULL) fclose(file);
    return parent;
}

/* launch/start.sh has a shell between the two, which tells how a rank ended. */
long lae_launcher_find(char name[LAE_LAUNCHER_NAME])
{
    long parent = (long)getppid();
    if (is_launcher(parent, name)) return parent;
    long above = parent_of(parent);
    return above > 0 && is_launcher(above, name) ? above : -1;
}

int lae_terminal_find(int fd)
{
    if (isatty(fd)) return fd;
    if (getenv("OMPI_COMM_WORLD_RANK") == NULL) return -1;
    char target[256], name[LAE_LAUNCHER_NAME];
    long launcher = lae_launcher_find(name);
    if (!name_output(launcher > 0 ? launcher : (long)getppid(), fd, target)) return -1;
    if (strncmp(target, "/dev/pts/", 9) != 0 && strncmp(target, "/dev/tty", 8) != 0) return -1;
    return open(target, O_WRONLY | O_NOCTTY | O_CLOEXEC);
}

bool lae_terminal_joins(void)
{
    char output[256], errors[256], name[LAE_LAUNCHER_NAME];
    long launcher = lae_launcher_find(name), pid = launcher > 0 ? launcher : (long)getpid();
    return name_output(pid, STDOUT_FILENO, output) && name_output(pid, STDERR_FILENO, errors) &&
           strcmp(output, errors) == 0;
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

int lae_terminal_output_width(void)
{
    int terminal = lae_terminal_find(STDOUT_FILENO), width = lae_terminal_width(terminal);
    lae_terminal_close(terminal);
    return width;
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
        size_t blanks = strspn(text, " "), word = strcspn(text + blanks, " ");
        size_t shown = (size_t)lae_text_width(text + blanks, word);
        if (column > indent && column + blanks + shown > width) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
            text += blanks;
            blanks = 0;
        }
        fwrite(text, 1, blanks + word, out);
        column += blanks + shown;
        text += blanks + word;
    }
}
