/* What people see: a terminal's width and colours, lines that fit, and blocks without escapes in
 * the file. The terminal is a pseudo-terminal. */
#define _XOPEN_SOURCE 700

#include "lae/base/log.h"
#include "lae/learn/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void text_of(FILE *file, char *text, size_t size)
{
    fflush(file);
    rewind(file);
    text[fread(text, 1, size - 1, file)] = '\0';
}

/* Both ends of a pseudo-terminal. False: there are none, as in a root without /dev/pts. */
static bool open_ends(int *master, int *slave)
{
    *master = posix_openpt(O_RDWR | O_NOCTTY);
    if (*master < 0 || grantpt(*master) != 0 || unlockpt(*master) != 0) return false;
    *slave = open(ptsname(*master), O_RDWR | O_NOCTTY);
    return *slave >= 0;
}

/* A terminal of so many columns: its own end; *master is the other. */
static int open_terminal(int columns, int *master)
{
    int slave = -1;
    if (!open_ends(master, &slave)) {
        printf("skipped: no pseudo-terminals here: %s\n", strerror(errno));
        skip();
    }
    struct winsize size = {.ws_col = (unsigned short)columns, .ws_row = 24};
    assert_int_equal(ioctl(slave, TIOCSWINSZ, &size), 0);
    return slave;
}

static void the_width_is_asked_for(void **state)
{
    (void)state;
    int master, terminal = open_terminal(103, &master);
    unsetenv("COLUMNS");
    assert_int_equal(lae_terminal_find(terminal), terminal);
    assert_int_equal(lae_terminal_width(terminal), 103);
    assert_int_equal(lae_terminal_width(-1), 80);
    setenv("COLUMNS", "61", 1);
    assert_int_equal(lae_terminal_width(terminal), 61);
    setenv("COLUMNS", "wide", 1);
    assert_int_equal(lae_terminal_width(terminal), 103);
    unsetenv("COLUMNS");
    lae_terminal_close(terminal);
    close(master);
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(lae_terminal_find(pipes[1]), -1);
    close(pipes[0]);
    close(pipes[1]);
}

/* Descriptors 1 and 2 of a child of its own. */
static int joins(int output, int errors)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(output, STDOUT_FILENO);
        dup2(errors, STDERR_FILENO);
        _exit(lae_terminal_joins() ? 1 : 0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WEXITSTATUS(status);
}

static void results_join_what_is_told_before(void **state)
{
    (void)state;
    int a[2], b[2], master, terminal = open_terminal(80, &master);
    assert_int_equal(pipe(a), 0);
    assert_int_equal(pipe(b), 0);
    assert_int_equal(joins(a[1], a[1]), 1);
    assert_int_equal(joins(a[1], b[1]), 0);
    assert_int_equal(joins(terminal, terminal), 1);
    assert_int_equal(joins(a[1], terminal), 0);
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
    close(terminal);
    close(master);
}

static void colours_are_for_terminals_that_know_them(void **state)
{
    (void)state;
    int master, terminal = open_terminal(80, &master);
    setenv("TERM", "xterm-256color", 1);
    unsetenv("NO_COLOR");
    assert_string_equal(lae_terminal_paint(terminal)->strong, "\033[1m");
    assert_string_equal(lae_terminal_paint(-1)->strong, "");
    setenv("NO_COLOR", "1", 1);
    assert_string_equal(lae_terminal_paint(terminal)->strong, "");
    assert_true(lae_terminal_can_redraw(terminal));
    setenv("NO_COLOR", "", 1); /* counts as unset */
    assert_string_equal(lae_terminal_paint(terminal)->off, "\033[0m");
    setenv("TERM", "dumb", 1);
    assert_string_equal(lae_terminal_paint(terminal)->off, "");
    assert_false(lae_terminal_can_redraw(terminal));
    unsetenv("NO_COLOR");
    close(terminal);
    close(master);
}

static void texts_are_broken_at_blanks(void **state)
{
    (void)state;
    char text[256];
    FILE *out = tmpfile();
    assert_non_null(out);
    lae_text_wrap(out, "one two three incomprehensibilities four", 4, 12);
    text_of(out, text, sizeof text);
    assert_string_equal(text, "one two\n    three\n    incomprehensibilities\n    four");
    fclose(out);
}

static void write_two_lines(FILE *out, int width, const struct lae_paint *paint,
                            const void *context)
{
    fprintf(out, "%s%s%s\nwidth %d\n", paint->good, (const char *)context, paint->off, width);
}

/* The screen gets colours and its own width, the file neither. */
static void blocks_are_for_screen_and_file(void **state)
{
    (void)state;
    static const struct lae_paint paint = {"<b>", "<g>", "<a>", "<f>", "</>"};
    char text[1000];
    struct lae_log log = {
        .screen = tmpfile(), .file = tmpfile(), .paint = &paint, .terminal = true, .window = -1};
    FILE *screen = log.screen;
    setenv("COLUMNS", "40", 1);
    lae_log_live(&log, "live");
    lae_log_block(&log, write_two_lines, "hello");
    lae_log_item(&log, "label", "%s", "words that go on and on past column forty");
    lae_log_warn(&log, "beware");
    text_of(screen, text, sizeof text);
    assert_string_equal(text, "\r\033[Klive\r\033[K<g>hello</>\nwidth 40\n"
                              "<b>label    </> words that go on and on past\n"
                              "          column forty\n<a>warning: </>beware\n");
    text_of(log.file, text, sizeof text);
    char *lines[5], *line = text;
    for (int i = 0; i < 4; i++) {
        lines[i] = line;
        line = strchr(line, '\n');
        assert_non_null(line);
        *line++ = '\0';
        assert_true(strlen(lines[i]) > 20);
    }
    assert_string_equal(line, "");
    assert_string_equal(lines[0] + 20, "hello");
    assert_string_equal(lines[1] + 20, "width 140");
    assert_string_equal(lines[2] + 20, "label     words that go on and on past column forty");
    assert_string_equal(lines[3] + 20, "warning: beware");
    unsetenv("COLUMNS");
    fclose(screen);
    lae_log_close(&log);
}

static void durations_are_short(void **state)
{
    (void)state;
    char text[32];
    assert_string_equal(lae_progress_clock(7.4, text), "0:07");
    assert_string_equal(lae_progress_clock(200.0, text), "3:20");
    assert_string_equal(lae_progress_clock(3723.0, text), "1:02:03");
    assert_string_equal(lae_progress_clock(NAN, text), "?");
    assert_string_equal(lae_progress_clock(-1.0, text), "?");
    assert_string_equal(lae_progress_duration(59.6, text), "1 min 00 s");
    assert_string_equal(lae_progress_duration(3723.0, text), "1 h 02 min");
    assert_string_equal(lae_progress_duration(1e300, text), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_width_is_asked_for),
        cmocka_unit_test(results_join_what_is_told_before),
        cmocka_unit_test(colours_are_for_terminals_that_know_them),
        cmocka_unit_test(texts_are_broken_at_blanks),
        cmocka_unit_test(blocks_are_for_screen_and_file),
        cmocka_unit_test(durations_are_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
