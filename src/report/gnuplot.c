/* One gnuplot draws everything, into a directory of its own beside the figures:
 *
 *     DIRECTORY/.drawing-XXXXXX/all.gp     calls NAME.gp for each figure and each kind of file
 *                               messages   what gnuplot says
 *                               NAME.light.svg  NAME.dark.svg  NAME.pdf
 *
 * What proved whole is put in place; the rest goes.
 */
#include "lae/report/gnuplot.h"

#include "lae/files/atomic.h"
#include "lae/files/map.h"
#include "lae/report/figure.h"

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

static lae_status write_script(const char *directory, const struct lae_drawing *drawing)
{
    char *path = path_of(directory, drawing->name, ".gp");
    if (path == NULL) return lae_out_of_memory(strlen(directory), "a path");
    lae_status status = lae_atomic_write(path, drawing->script, strlen(drawing->script));
    free(path);
    return status;
}

static void write_call(FILE *out, const char *script, const struct kind *kind, const char *file)
{
    fputs("call ", out);
    lae_figure_quote(out, script);
    fprintf(out, " \"%s\" \"%s\" ", kind->theme, kind->terminal);
    lae_figure_quote(out, file);
    fputc('\n', out);
}

static bool write_calls(FILE *out, const char *directory, const char *scratch,
                        const struct lae_drawing *drawing)
{
    char *script = path_of(directory, drawing->name, ".gp");
    bool fine = script != NULL;
    for (int kind = 0; kind < KINDS && fine; kind++) {
        char *file = path_of(scratch, drawing->name, kinds[kind].ending);
        fine = file != NULL;
        if (fine) write_call(out, script, &kinds[kind], file);
        free(file);
    }
    free(script);
    return fine;
}

/* all.gp */
static lae_status write_driver(const char *path, const char *directory, const char *scratch,
                               const struct lae_drawing *drawings, size_t count)
{
    FILE *out = fopen(path, "wxe");
    if (out == NULL) return lae_failed("%s: cannot be created: %s", path, strerror(errno));
    bool fine = true;
    for (size_t i = 0; i < count && fine; i++)
        fine = write_calls(out, directory, scratch, &drawings[i]);
    errno = 0;
    bool failed = ferror(out) != 0;
    if ((fclose(out) != 0 || failed) && fine)
        return lae_failed("%s: cannot be written: %s", path, strerror(errno));
    return fine ? NULL : lae_out_of_memory(strlen(path), "a path");
}

/* ---- the program */

/* -d: without the user's own settings, which could change any figure. */
static int spawn(pid_t *process, const char *driver, const char *messages)
{
    char *arguments[] = {"gnuplot", "-d", (char *)driver, NULL};
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) return error;
    error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (error == 0) error = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    if (error == 0)
        error = posix_spawn_file_actions_addopen(&actions, 2, messages, O_WRONLY | O_CREAT, 0666);
    if (error == 0) error = posix_spawnp(process, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* The first line of gnuplot's that has words. */
static lae_status complaint(const char *messages, int code)
{
    char line[256] = "";
    FILE *file = fopen(messages, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strspn(line, " \t\n^") != strlen(line)) break;
    if (file != NULL) fclose(file);
    line[strcspn(line, "\n")] = '\0';
    return lae_failed("gnuplot ended with status %d: %s", code,
                      line[0] != '\0' ? line : "it says nothing");
}

static lae_status run(const char *driver, const char *messages, bool *found)
{
    pid_t process;
    int error = spawn(&process, driver, messages), state = 0;
    *found = error != ENOENT && error != EACCES;
    if (!*found) return NULL;
    if (error != 0) return lae_failed("gnuplot cannot be started: %s", strerror(error));
    while (waitpid(process, &state, 0) < 0)
        if (errno != EINTR) return lae_failed("gnuplot was lost: %s", strerror(errno));
    bool good = WIFEXITED(state) && WEXITSTATUS(state) == 0;
    return good ? NULL : complaint(messages, WIFEXITED(state) ? WEXITSTATUS(state) : -1);
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

static void clear(const char *scratch, const struct lae_drawing *drawings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (int kind = 0; kind < KINDS; kind++) {
            char *path = path_of(scratch, drawings[i].name, kinds[kind].ending);
            if (path != NULL) unlink(path);
            free(path);
        }
    rmdir(scratch);
}

static lae_status draw_in(const char *directory, const char *scratch, struct lae_drawing *drawings,
                          size_t count, bool *found)
{
    char *driver = lae_path_join(scratch, "all.gp"), *messages = lae_path_join(scratch, "messages");
    lae_status status = NULL;
    if (driver == NULL || messages == NULL) status = lae_out_of_memory(strlen(scratch), "a path");
    if (status == NULL) status = write_driver(driver, directory, scratch, drawings, count);
    if (status == NULL) status = run(driver, messages, found);
    for (size_t i = 0; i < count && status == NULL && *found; i++)
        status = take(directory, scratch, &drawings[i]);
    if (driver != NULL) unlink(driver);
    if (messages != NULL) unlink(messages);
    free(driver);
    free(messages);
    return status;
}

lae_status lae_gnuplot_draw(const char *directory, struct lae_drawing *drawings, size_t count,
                            bool *found)
{
    *found = true;
    LAE_TRY(lae_path_make_directories(directory));
    for (size_t i = 0; i < count; i++)
        LAE_TRY(write_script(directory, &drawings[i]));
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
