/* gnuplot draws in a directory of its own beside the figures, which it is started in:
 *
 *     DIRECTORY/.drawing-XXXXXX/NAME.gp    the figures' scripts
 *                               all.gp     calls each for each kind of file
 *                               messages   what gnuplot says
 *                               NAME.light.svg  NAME.dark.svg  NAME.pdf
 *
 * So gnuplot is given plain names alone: of others it would run those that begin with '<' or '|'.
 * It ends at the first figure that it does not like; the rest is then drawn by another one. What
 * proved whole is put in place; the rest goes.
 */
#define _GNU_SOURCE /* posix_spawn_file_actions_addchdir_np */
#include "lae/page/gnuplot.h"

#include "lae/files/atomic.h"
#include "lae/files/map.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Kinds of files, and what they end with when they are whole. */
static const struct kind {
    const char *theme, *terminal, *ending, *mark;
} kinds[] = {
    {"light", "svg", ".light.svg", "</svg>"},
    {"dark", "svg", ".dark.svg", "</svg>"},
    {"light", "pdf", ".pdf", "%%EOF"},
};
enum { LIGHT, DARK, PDF, KINDS };

/* DIRECTORY/NAMEENDING as a new string; NULL: no memory. */
static char *path_of(const char *directory, const char *name, const char *ending)
{
    size_t size = strlen(directory) + strlen(name) + strlen(ending) + 2;
    char *path = malloc(size);
    if (path != NULL) snprintf(path, size, "%s/%s%s", directory, name, ending);
    return path;
}

/* ---- what gnuplot is to do */

static bool is_plain(const char *name)
{
    for (const char *c = name; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && *c != '_') return false;
    return name[0] != '\0';
}

static lae_status write_script(const char *directory, const struct lae_drawing *drawing)
{
    if (!is_plain(drawing->name))
        return lae_failed("a figure's name is to be of letters, digits and '_', not \"%s\"",
                          drawing->name);
    char *path = path_of(directory, drawing->name, ".gp");
    if (path == NULL) return lae_out_of_memory(strlen(directory), "a path");
    lae_status status = lae_atomic_write(path, drawing->script, strlen(drawing->script));
    free(path);
    return status;
}

static lae_status write_scripts(const char *directory, const struct lae_drawing *drawings,
                                size_t count)
{
    for (size_t i = 0; i < count; i++)
        LAE_TRY(write_script(directory, &drawings[i]));
    return NULL;
}

/* all.gp, of these figures. */
static lae_status write_driver(const char *path, const struct lae_drawing *drawings, size_t count)
{
    FILE *out = fopen(path, "we");
    if (out == NULL) return lae_failed("%s: cannot be created: %s", path, strerror(errno));
    for (size_t i = 0; i < count; i++)
        for (int kind = 0; kind < KINDS; kind++)
            fprintf(out, "call \"%s.gp\" \"%s\" \"%s\" \"%s%s\"\n", drawings[i].name,
                    kinds[kind].theme, kinds[kind].terminal, drawings[i].name, kinds[kind].ending);
    errno = 0;
    bool failed = ferror(out) != 0;
    if (fclose(out) == 0 && !failed) return NULL;
    return lae_failed("%s: cannot be written: %s", path, strerror(errno));
}

/* ---- the program */

static int choose_files(posix_spawn_file_actions_t *actions, const char *scratch)
{
    int flags = O_WRONLY | O_CREAT | O_TRUNC;
    int error = posix_spawn_file_actions_addchdir_np(actions, scratch);
    if (error == 0) error = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    if (error == 0) error = posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0);
    if (error == 0) error = posix_spawn_file_actions_addopen(actions, 2, "messages", flags, 0666);
    return error;
}

/* -d: without the user's own settings, which could change any figure. */
static int spawn(pid_t *process, const char *scratch)
{
    char *arguments[] = {"gnuplot", "-d", "all.gp", NULL};
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) return error;
    error = choose_files(&actions, scratch);
    if (error == 0) error = posix_spawnp(process, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* The first line of gnuplot's own that names a place in a script; else the first that has words:
 * before it tells what is wrong it repeats what it was told to do. */
static void find_words(const char *messages, char words[256])
{
    char line[256];
    FILE *file = fopen(messages, "re");
    words[0] = '\0';
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        bool place = line[0] == '"' && strstr(line, "line ") != NULL;
        if (place || words[0] == '\0') strcpy(words, line + strspn(line, " \t^"));
        if (place) break;
    }
    if (file != NULL) fclose(file);
}

/* How it ended, and why; free(). NULL: no memory. */
static char *complaint(const char *messages, int state)
{
    char words[256], text[320];
    bool killed = WIFSIGNALED(state);
    find_words(messages, words);
    snprintf(text, sizeof text, "gnuplot ended with %s %d: %s", killed ? "signal" : "status",
             killed ? WTERMSIG(state) : WEXITSTATUS(state),
             words[0] != '\0' ? words : "it says nothing");
    return strdup(text);
}

/* *refusal: why it did not draw all; free(). NULL: it says that it did. */
static lae_status run(const char *scratch, const char *messages, bool *found, char **refusal)
{
    pid_t process;
    int error = spawn(&process, scratch), state = 0;
    *refusal = NULL;
    *found = error != ENOENT && error != EACCES;
    if (!*found) return NULL;
    if (error != 0) return lae_failed("gnuplot cannot be started: %s", strerror(error));
    while (waitpid(process, &state, 0) < 0)
        if (errno != EINTR) return lae_failed("gnuplot was lost: %s", strerror(errno));
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0) return NULL;
    *refusal = complaint(messages, state);
    return *refusal == NULL ? lae_out_of_memory(320, "gnuplot's words") : NULL;
}

/* ---- what it drew */

/* Whether the file ends with `mark` and perhaps white space: gnuplot does not tell of full disks.
 */
static bool is_whole(const char *data, size_t size, const char *mark)
{
    size_t length = strlen(mark);
    while (size > 0 && strchr(" \n\r", data[size - 1]) != NULL)
        size--;
    return size >= length && memcmp(data + size - length, mark, length) == 0;
}

/* A whole file into memory. */
static lae_status fetch(const char *path, const char *mark, char **data, size_t *size)
{
    struct lae_map map;
    LAE_TRY(lae_map_open(path, &map));
    *size = map.size;
    *data = malloc(map.size + 1);
    if (*data != NULL && map.size > 0) memcpy(*data, map.data, map.size);
    lae_map_close(&map);
    if (*data == NULL) return lae_out_of_memory(*size, "a figure");
    if (is_whole(*data, *size, mark)) return NULL;
    return lae_failed("%s: gnuplot did not write all of it; is the disk full?", path);
}

static lae_status fetch_kind(const char *scratch, const struct lae_drawing *drawing, int kind,
                             char **data, size_t *size)
{
    char *path = path_of(scratch, drawing->name, kinds[kind].ending);
    if (path == NULL) return lae_out_of_memory(strlen(scratch), "a path");
    lae_status status = fetch(path, kinds[kind].mark, data, size);
    free(path);
    return status;
}

/* Whether all kinds of the figure are there and whole. */
static bool is_drawn(const char *scratch, const struct lae_drawing *drawing)
{
    bool whole = true;
    for (int kind = 0; kind < KINDS && whole; kind++) {
        char *data = NULL;
        size_t size;
        lae_status status = fetch_kind(scratch, drawing, kind, &data, &size);
        whole = status == NULL;
        lae_status_free(status);
        free(data);
    }
    return whole;
}

static lae_status keep(const char *directory, const char *name, const char *ending,
                       const char *data, size_t size)
{
    char *path = path_of(directory, name, ending);
    if (path == NULL) return lae_out_of_memory(strlen(directory), "a path");
    lae_status status = lae_atomic_write(path, data, size);
    free(path);
    return status;
}

static lae_status take(const char *directory, const char *scratch, struct lae_drawing *drawing)
{
    char *pdf = NULL;
    size_t pdf_size = 0;
    LAE_TRY(fetch_kind(scratch, drawing, LIGHT, &drawing->light, &drawing->light_size));
    LAE_TRY(fetch_kind(scratch, drawing, DARK, &drawing->dark, &drawing->dark_size));
    lae_status status = fetch_kind(scratch, drawing, PDF, &pdf, &pdf_size);
    if (status == NULL)
        status = keep(directory, drawing->name, ".svg", drawing->light, drawing->light_size);
    if (status == NULL) status = keep(directory, drawing->name, ".pdf", pdf, pdf_size);
    free(pdf);
    return status;
}

static void remove_file(const char *directory, const char *name, const char *ending)
{
    char *path = path_of(directory, name, ending);
    if (path != NULL) unlink(path);
    free(path);
}

static void clear(const char *scratch, const struct lae_drawing *drawings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (int kind = 0; kind < KINDS; kind++)
            remove_file(scratch, drawings[i].name, kinds[kind].ending);
        remove_file(scratch, drawings[i].name, ".gp");
    }
    remove_file(scratch, "all", ".gp");
    remove_file(scratch, "messages", "");
    rmdir(scratch);
}

/* ---- all of it */

/* One gnuplot for these figures; *next: how many of them need no other one. The last of those was
 * refused where gnuplot ended early. */
static lae_status draw_some(const char *scratch, struct lae_drawing *drawings, size_t count,
                            size_t *next, bool *found)
{
    char *driver = lae_path_join(scratch, "all.gp"), *messages = lae_path_join(scratch, "messages");
    char *refusal = NULL;
    lae_status status = NULL;
    *next = count;
    if (driver == NULL || messages == NULL) status = lae_out_of_memory(strlen(scratch), "a path");
    if (status == NULL) status = write_driver(driver, drawings, count);
    if (status == NULL) status = run(scratch, messages, found, &refusal);
    if (refusal != NULL) {
        *next = 0;
        while (*next + 1 < count && is_drawn(scratch, &drawings[*next]))
            ++*next;
        drawings[(*next)++].refusal = refusal;
    }
    free(driver);
    free(messages);
    return status;
}

/* Where nothing at all is drawn it is gnuplot that is broken, and no figure. */
static lae_status check_refusals(const struct lae_drawing *drawings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (drawings[i].refusal == NULL) return NULL;
    return count > 0 ? lae_failed("%s", drawings[0].refusal) : NULL;
}

static lae_status draw_in(const char *directory, const char *scratch, struct lae_drawing *drawings,
                          size_t count, bool *found)
{
    LAE_TRY(write_scripts(scratch, drawings, count));
    for (size_t at = 0, next; at < count && *found; at += next)
        LAE_TRY(draw_some(scratch, drawings + at, count - at, &next, found));
    LAE_TRY(check_refusals(drawings, count));
    LAE_TRY(write_scripts(directory, drawings, count));
    for (size_t i = 0; i < count && *found; i++)
        if (drawings[i].refusal == NULL) LAE_TRY(take(directory, scratch, &drawings[i]));
    return NULL;
}

lae_status lae_gnuplot_draw(const char *directory, struct lae_drawing *drawings, size_t count,
                            bool *found)
{
    *found = true;
    LAE_TRY(lae_path_make_directories(directory));
    char *scratch = lae_path_join(directory, ".drawing-XXXXXX");
    if (scratch == NULL) return lae_out_of_memory(strlen(directory), "a path");
    lae_status status = NULL;
    if (mkdtemp(scratch) == NULL)
        status = lae_failed("%s: cannot be made: %s", scratch, strerror(errno));
    if (status == NULL) {
        status = draw_in(directory, scratch, drawings, count, found);
        clear(scratch, drawings, count);
    }
    free(scratch);
    return status;
}
