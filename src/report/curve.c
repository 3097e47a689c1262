#include "lae/report/curve.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
static void take_back(struct lae_curve *curve, json_int_t step)
{
    while (curve->count > 0 && curve->points[curve->count - 1].step >= step)
        curve->count--;
}

static double number(const json_t *line, const char *name)
{
    const json_t *value = json_object_get(line, name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* Both kinds of lines are collected; which of them count is known at the end. */
static lae_status take_line(const json_t *line, struct lae_curve *steps, struct lae_curve *epochs)
{
    const char *event = json_string_value(json_object_get(line, "event"));
    const json_t *step = json_object_get(line, "run_step");
    if (event == NULL || !json_is_integer(step)) return NULL;
    if (strcmp(event, "begin") == 0) {
        take_back(steps, json_integer_value(step));
        take_back(epochs, json_integer_value(step));
        return NULL;
    }
    struct lae_curve_point point = {
        .task = (int)json_integer_value(json_object_get(line, "task")),
        .step = json_integer_value(step),
        .loss = number(line, "loss"),
        .accuracy = number(line, "accuracy"),
        .images_per_s = number(line, "images_per_s"),
    };
    if (strcmp(event, "steps") == 0) return append(steps, &point);
    return strcmp(event, "epoch") == 0 ? append(epochs, &point) : NULL;
}

static lae_status read_lines(FILE *file, struct lae_curve *steps, struct lae_curve *epochs)
{
    char *text = NULL;
    size_t size = 0;
    ssize_t length;
    lae_status status = NULL;
    while (status == NULL && (length = getline(&text, &size, file)) > 0) {
        json_t *line = json_loadb(text, (size_t)length, 0, NULL);
        status = take_line(line, steps, epochs);
        json_decref(line);
    }
    free(text);
    return status;
}

lae_status lae_curve_read(const char *path, struct lae_curve *curve)
{
    struct lae_curve epochs = {0};
    *curve = (struct lae_curve){0};
    FILE *file = fopen(path, "re");
    if (file == NULL && errno == ENOENT) return NULL;
    if (file == NULL) return lae_bad_input("%s: cannot be opened: %s", path, strerror(errno));
    lae_status status = read_lines(file, curve, &epochs);
    if (status == NULL && ferror(file)) status = lae_failed("%s: cannot be read", path);
    fclose(file);
    if (curve->count == 0) {
        lae_curve_free(curve);
        *curve = epochs;
    } else {
        lae_curve_free(&epochs);
    }
    return status;
}

void lae_curve_free(struct lae_curve *curve)
{
    free(curve->points);
    *curve = (struct lae_curve){0};
}

/* The mean of points [count], at the last one's step. */
static struct lae_curve_point mean_of(const struct lae_curve_point *points, size_t count)
{
    struct lae_curve_point mean = points[count - 1];
    mean.loss = mean.accuracy = mean.images_per_s = 0.0;
    for (size_t i = 0; i < count; i++) {
        mean.loss += points[i].loss / (double)count;
        mean.accuracy += points[i].accuracy / (double)count;
        mean.images_per_s += points[i].images_per_s / (double)count;
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
