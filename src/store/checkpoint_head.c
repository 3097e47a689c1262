#include "checkpoint_head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one task's ---- */

#define PART_NAME 32

static void part_name(int task, const char *part, char name[PART_NAME])
{
    snprintf(name, PART_NAME, "task_%02d/%s", task, part);
}

static const struct lae_named *find_part(const struct lae_set *head, int task, const char *part)
{
    char name[PART_NAME];
    part_name(task, part, name);
    return lae_set_find(head, name);
}

/* One task's classifier: its classes are added to *classes, its feature width must be *width (0:
 * any yet). */
static lae_status check_classifier(const char *path, const struct lae_set *head, int task,
                                   size_t *classes, size_t *width)
{
    const struct lae_named *weight = find_part(head, task, "weight");
    const struct lae_named *bias = find_part(head, task, "bias");
    if (weight == NULL || bias == NULL)
        return lae_bad_input("%s: /head/task_%02d: weight or bias is missing", path, task);
    char text[2][LAE_SHAPE_TEXT];
    if (weight->rank != 2 || bias->rank != 1 || weight->shape[0] != bias->shape[0] ||
        (*width != 0 && weight->shape[1] != *width))
        return lae_bad_input("%s: /head/task_%02d: weight %s and bias %s do not fit together or to "
                             "the other tasks",
                             path, task, lae_shape_text(weight->rank, weight->shape, text[0]),
                             lae_shape_text(bias->rank, bias->shape, text[1]));
    *classes += bias->shape[0];
    *width = weight->shape[1];
    return NULL;
}

static lae_status check_classifiers(const char *path, const struct lae_checkpoint *checkpoint)
{
    size_t classes = 0, width = 0;
    for (int task = 0; task <= checkpoint->task; task++)
        LAE_TRY(check_classifier(path, &checkpoint->head, task, &classes, &width));
    if (checkpoint->head.count == 2 * ((size_t)checkpoint->task + 1) &&
        classes == (size_t)checkpoint->classes_seen)
        return NULL;
    return lae_bad_input("%s: /head: has %zu tensors for %zu classes in tasks 0..%d; %d classes "
                         "have been seen",
                         path, checkpoint->head.count, classes, checkpoint->task,
                         checkpoint->classes_seen);
}

/* ---- all tasks', below each other ---- */

struct stack {
    size_t tasks, rows, width;
    int32_t *classes;     /* [tasks] */
    float *weight, *bias; /* [rows, width], [rows] */
};

static void free_stack(struct stack *stack)
{
    free(stack->classes);
    free(stack->weight);
    free(stack->bias);
}

static lae_status make_stack(size_t tasks, size_t rows, size_t width, struct stack *stack)
{
    *stack = (struct stack){.tasks = tasks, .rows = rows, .width = width};
    stack->classes = calloc(tasks, sizeof *stack->classes);
    stack->weight = calloc(rows * width, sizeof *stack->weight);
    stack->bias = calloc(rows, sizeof *stack->bias);
    if (stack->classes != NULL && stack->weight != NULL && stack->bias != NULL) return NULL;
    free_stack(stack);
    return lae_out_of_memory((double)rows * (double)(width + 1) * sizeof(float), "/head");
}

static void fill_stack(const struct lae_set *head, struct stack *stack)
{
    size_t row = 0;
    for (size_t task = 0; task < stack->tasks; task++) {
        const struct lae_named *weight = find_part(head, (int)task, "weight");
        const struct lae_named *bias = find_part(head, (int)task, "bias");
        stack->classes[task] = (int32_t)bias->count;
        memcpy(stack->weight + row * stack->width, weight->data, weight->count * sizeof(float));
        memcpy(stack->bias + row, bias->data, bias->count * sizeof(float));
        row += bias->count;
    }
}

static lae_status write_stack(struct lae_hdf5 *file, const struct stack *stack)
{
    LAE_TRY(lae_hdf5_write_int32(file, "head/classes", 1, &stack->tasks, stack->classes));
    LAE_TRY(lae_hdf5_write_rows(file, "head/weight", stack->rows, stack->width, stack->rows,
                                stack->weight));
    return lae_hdf5_write_float(file, "head/bias", 1, &stack->rows, stack->bias);
}

lae_status lae_checkpoint_write_head(struct lae_hdf5 *file, const struct lae_checkpoint *checkpoint)
{
    const struct lae_set *head = &checkpoint->head;
    struct stack stack;
    if (file->version < 2) return lae_hdf5_write_set(file, "head", head);
    LAE_TRY(check_classifiers(file->path, checkpoint));
    LAE_TRY(make_stack((size_t)checkpoint->task + 1, (size_t)checkpoint->classes_seen,
                       find_part(head, 0, "weight")->shape[1], &stack));
    fill_stack(head, &stack);
    lae_status status = write_stack(file, &stack);
    free_stack(&stack);
    return status;
}

/* ---- reading ---- */

/* The feature width. All rows are in the file, so that they are no mere claim. */
static lae_status read_width(struct lae_hdf5 *file, size_t rows, size_t *width)
{
    int rank;
    size_t shape[LAE_MAX_RANK] = {0};
    char text[LAE_SHAPE_TEXT];
    LAE_TRY(lae_hdf5_shape(file, "head/weight", LAE_HDF5_FLOAT, &rank, shape));
    *width = shape[1];
    if (rank == 2 && shape[0] == rows) return NULL;
    return lae_bad_input("%s: /head/weight: has shape %s; %zu rows are wanted, one of each class "
                         "seen",
                         file->path, lae_shape_text(rank, shape, text), rows);
}

static lae_status check_rows(const struct lae_hdf5 *file, const struct stack *stack)
{
    size_t rows = 0;
    for (size_t task = 0; task < stack->tasks; task++) {
        if (stack->classes[task] < 1)
            return lae_bad_input("%s: /head/classes: entry %zu is %d, no number of classes",
                                 file->path, task, stack->classes[task]);
        rows += (size_t)stack->classes[task];
    }
    if (rows == stack->rows) return NULL;
    return lae_bad_input("%s: /head/classes: come to %zu; %zu classes have been seen", file->path,
                         rows, stack->rows);
}

static lae_status read_stack(struct lae_hdf5 *file, struct stack *stack)
{
    LAE_TRY(lae_hdf5_read(file, "head/classes", LAE_HDF5_INT32, stack->tasks, stack->classes));
    LAE_TRY(lae_hdf5_read(file, "head/weight", LAE_HDF5_FLOAT, stack->rows * stack->width,
                          stack->weight));
    LAE_TRY(lae_hdf5_read(file, "head/bias", LAE_HDF5_FLOAT, stack->rows, stack->bias));
    return check_rows(file, stack);
}

static lae_status add_part(struct lae_set *head, int task, const char *part, int rank,
                           const size_t *shape, const float *values)
{
    char name[PART_NAME];
    struct lae_named *item;
    part_name(task, part, name);
    LAE_TRY(lae_set_add(head, name, rank, shape, &item));
    memcpy(item->data, values, item->count * sizeof *values);
    return NULL;
}

static lae_status unstack(const struct stack *stack, struct lae_set *head)
{
    size_t row = 0;
    for (size_t task = 0; task < stack->tasks; task++) {
        const size_t shape[2] = {(size_t)stack->classes[task], stack->width};
        LAE_TRY(add_part(head, (int)task, "bias", 1, shape, stack->bias + row));
        LAE_TRY(add_part(head, (int)task, "weight", 2, shape, stack->weight + row * stack->width));
        row += shape[0];
    }
    return NULL;
}

static lae_status read_stacked(struct lae_hdf5 *file, struct lae_checkpoint *checkpoint)
{
    size_t rows = (size_t)checkpoint->classes_seen, width;
    struct stack stack;
    LAE_TRY(read_width(file, rows, &width));
    LAE_TRY(make_stack((size_t)checkpoint->task + 1, rows, width, &stack));
    lae_status status = read_stack(file, &stack);
    if (status == NULL) status = unstack(&stack, &checkpoint->head);
    free_stack(&stack);
    return status;
}

lae_status lae_checkpoint_read_head(struct lae_hdf5 *file, struct lae_checkpoint *checkpoint)
{
    LAE_TRY(file->version < 2 ? lae_hdf5_read_set(file, "head", &checkpoint->head)
                              : read_stacked(file, checkpoint));
    return check_classifiers(file->path, checkpoint);
}
