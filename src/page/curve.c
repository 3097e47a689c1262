/* Lines of metrics.jsonl, taken for nobody's but this program's when they are what it writes: a
 * directory may be another's, and what is drawn is sized by what stands here. */
#include "lae/page/curve.h"

#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MOST 65536 /* bytes of a line that is read; evaluations may have more */
#define TASKS_MOST 65536
#define POINTS_MOST ((size_t)1 << 24)
#define STEPS_MOST ((json_int_t)1 << 53)

/* ---- points */

static lae_status append(struct lae_curve *curve, const struct lae_curve_point *point)
{
    if (curve->count == curve->capacity) {
        size_t capacity = curve->capacity == 0 ? 64 : 2 * curve->capacity;
        struct lae_curve_point *points = realloc(curve->points, capacity * sizeof *points);
        if (points == NULL) return lae_out_of_memory(capacity * sizeof *points, "a curve");
        curve->points = points;
        curve->capacity = capacity;
    }
    curve->points[curve->count++] = *point;
    return NULL;
}

/* Forgets the points from a step of the run on. */
static void take_back(struct lae_curve *curve, int64_t step)
{
    while (curve->count > 0 && curve->points[curve->count - 1].step >= step)
        curve->count--;
}

/* ---- what a line says */

/* A whole number from 0 to below `end`. */
static lae_status take_count(const json_t *line, const char *name, json_int_t end, int64_t *count)
{
    const json_t *value = json_object_get(line, name);
    if (!json_is_integer(value))
        return lae_bad_input("%s is %s; a whole number is wanted", name,
                             value == NULL ? "missing" : "something else");
    *count = json_integer_value(value);
    if (*count >= 0 && *count < end) return NULL;
    return lae_bad_input("%s is %lld; a whole number from 0 to %lld is wanted", name,
                         (long long)*count, (long long)(end - 1));
}

/* A number in a range; NaN: null, or not there. */
static lae_status take_number(const json_t *line, const char *name, double low, double high,
                              double *number)
{
    const json_t *value = json_object_get(line, name);
    *number = NAN;
    if (value == NULL || json_is_null(value)) return NULL;
    if (!json_is_number(value))
        return lae_bad_input("%s is something else than a number or null", name);
    *number = json_number_value(value);
    if (*number >= low && *number <= high) return NULL;
    return lae_bad_input("%s is %g; a number from %g to %g is wanted", name, *number, low, high);
}

static lae_status take_point(const json_t *line, struct lae_curve *curve)
{
    struct lae_curve_point point;
    int64_t task;
    LAE_TRY(take_count(line, "task", TASKS_MOST, &task));
    LAE_TRY(take_count(line, "run_step", STEPS_MOST, &point.step));
    LAE_TRY(take_number(line, "loss", -(double)FLT_MAX, (double)FLT_MAX, &point.loss));
    LAE_TRY(take_number(line, "accuracy", 0.0, 100.0, &point.accuracy));
    point.task = (int)task;
    const struct lae_curve_point *last = curve->count > 0 ? &curve->points[curve->count - 1] : NULL;
    if (last != NULL && (point.step <= last->step || point.task < last->task))
        return lae_bad_input("step %lld of task %d comes after step %lld of task %d, and no line "
                             "\"begin\" is between them",
                             (long long)point.step, point.task, (long long)last->step, last->task);
    if (curve->count >= POINTS_MOST)
        return lae_bad_input("there are more than %zu lines of one kind", POINTS_MOST);
    return append(curve, &point);
}

/* ---- lines */

struct reader {
    FILE *file;
    char *line;     /* [LINE_MOST] */
    size_t length;  /* without what ends it */
    bool longer;    /* than LINE_MOST: the rest is not kept */
    size_t number;  /* from 1 */
    size_t damaged; /* a line before this one that a kill may have cut short; 0: none */
};

/* False: there are no more. */
static bool next_line(struct reader *reader)
{
    int c = getc_unlocked(reader->file);
    reader->length = 0;
    reader->longer = false;
    if (c == EOF) return false;
    for (; c != EOF && c != '\n'; c = getc_unlocked(reader->file)) {
        reader->longer = reader->length == LINE_MOST;
        if (!reader->longer) reader->line[reader->length++] = (char)c;
    }
    reader->number++;
    return true;
}

/* Of a line that is too long to be of a step or an epoch: whether it is one that may be so long. */
static bool may_be_long(const struct reader *reader)
{
    static const char *const beginnings[] = {"{\"event\":\"evaluation\",", "{\"event\":\"merge\",",
                                             "{\"event\":\"task\","};
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
        if (memcmp(reader->line, beginnings[i], strlen(beginnings[i])) == 0) return true;
    return false;
}

/* A kill cuts a line short; what comes next is the beginning of the next start, or nothing. */
static lae_status take_damaged(struct reader *reader, bool begins, bool good)
{
    size_t before = reader->damaged;
    reader->damaged = good ? 0 : reader->number;
    if (before == 0 || (good && begins)) return NULL;
    reader->number = before; /* what the message is about */
    return lae_bad_input("is no JSON object of one line, and not the last before a start");
}

static lae_status take_event(const json_t *line, const char *event, struct lae_curve *epochs,
                             struct lae_curve *steps)
{
    if (strcmp(event, "begin") == 0) {
        int64_t step;
        LAE_TRY(take_count(line, "run_step", STEPS_MOST, &step));
        take_back(steps, step);
        take_back(epochs, step);
    }
    if (strcmp(event, "steps") == 0) return take_point(line, steps);
    return strcmp(event, "epoch") == 0 ? take_point(line, epochs) : NULL;
}

static lae_status take_line(struct reader *reader, struct lae_curve *epochs,
                            struct lae_curve *steps)
{
    if (reader->length == 0) return NULL;
    if (reader->longer && may_be_long(reader)) return take_damaged(reader, false, true);
    if (reader->longer) return lae_bad_input("is longer than %d bytes", LINE_MOST);
    json_t *line = json_loadb(reader->line, reader->length, JSON_REJECT_DUPLICATES, NULL);
    const char *event = json_string_value(json_object_get(line, "event"));
    bool begins = event != NULL && strcmp(event, "begin") == 0;
    lae_status status = take_damaged(reader, begins, json_is_object(line));
    if (status == NULL && json_is_object(line) && event == NULL)
        status = lae_bad_input("event is missing, or no text");
    if (status == NULL && event != NULL) status = take_event(line, event, epochs, steps);
    json_decref(line);
    return status;
}

static lae_status read_lines(const char *path, struct reader *reader, struct lae_curve *epochs,
                             struct lae_curve *steps)
{
    lae_status status = NULL;
    while (status == NULL && next_line(reader))
        status = take_line(reader, epochs, steps);
    if (status != NULL && lae_status_code(status) == LAE_BAD_INPUT)
        return lae_status_prefix(status, "%s:%zu", path, reader->number);
    if (status == NULL && ferror(reader->file)) status = lae_failed("%s: cannot be read", path);
    return status;
}

/* Does not wait for a pipe's writer. *file stays NULL where there is no such file. */
static lae_status open_file(const char *path, FILE **file)
{
    struct stat state;
    *file = NULL;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0 && errno == ENOENT) return NULL;
    if (descriptor < 0) return lae_bad_input("%s: cannot be opened: %s", path, strerror(errno));
    bool regular = fstat(descriptor, &state) == 0 && S_ISREG(state.st_mode);
    if (regular) *file = fdopen(descriptor, "r");
    if (*file != NULL) return NULL;
    close(descriptor);
    return regular ? lae_out_of_memory(4096, path)
                   : lae_bad_input("%s: is not a regular file", path);
}

lae_status lae_curve_read(const char *path, struct lae_curve *epochs, struct lae_curve *steps)
{
    *epochs = *steps = (struct lae_curve){0};
    struct reader reader = {.line = malloc(LINE_MOST)};
    if (reader.line == NULL) return lae_out_of_memory(LINE_MOST, "a line of metrics");
    lae_status status = open_file(path, &reader.file);
    if (reader.file != NULL) {
        status = read_lines(path, &reader, epochs, steps);
        fclose(reader.file);
    }
    free(reader.line);
    if (status != NULL) {
        lae_curve_free(epochs);
        lae_curve_free(steps);
    }
    return status;
}

void lae_curve_free(struct lae_curve *curve)
{
    free(curve->points);
    *curve = (struct lae_curve){0};
}

/* ---- what is made of them */

const struct lae_curve_point *lae_curve_last(const struct lae_curve *curve, int task)
{
    size_t low = 0, high = curve->count; /* the first point of a later task is in between */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (curve->points[middle].task <= task)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && curve->points[low - 1].task == task ? &curve->points[low - 1] : NULL;
}

/* The mean of points [count], at the last one's step. */
static struct lae_curve_point mean_of(const struct lae_curve_point *points, size_t count)
{
    struct lae_curve_point mean = points[count - 1];
    mean.loss = mean.accuracy = 0.0;
    for (size_t i = 0; i < count; i++) {
        mean.loss += points[i].loss / (double)count;
        mean.accuracy += points[i].accuracy / (double)count;
    }
    return mean;
}

lae_status lae_curve_thin(const struct lae_curve *curve, size_t most, struct lae_curve *thin)
{
    size_t each = (curve->count + most - 1) / most;
    *thin = (struct lae_curve){0};
    for (size_t at = 0, end; at < curve->count; at = end) {
        end = at + 1;
        while (end < curve->count && end - at < each &&
               curve->points[end].task == curve->points[at].task)
            end++;
        struct lae_curve_point mean = mean_of(curve->points + at, end - at);
        LAE_TRY(append(thin, &mean));
    }
    return NULL;
}
