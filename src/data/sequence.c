#include "lae/data/sequence.h"

#include "lae/base/random.h"
#include "lae/data/pictures.h"
#include "lae/files/digest.h"

#include "holdout.h"

#include <stdio.h>
#include <stdlib.h>

static lae_status check_split(const struct lae_data_options *options, int classes)
{
    const char *whose = options->classes != NULL ? "data.classes'" : "the dataset's";
    if (options->classes_per_task < 1 || options->classes_per_task > classes)
        return lae_bad_input("data.classes_per_task is %d; %s %d classes allow 1 to %d",
                             options->classes_per_task, whose, classes, classes);
    if (options->first_classes < 0 || options->first_classes > classes)
        return lae_bad_input("data.first_classes is %d; %s %d classes allow 1 to %d, or 0 for as "
                             "many as in the other tasks",
                             options->first_classes, whose, classes, classes);
    return NULL;
}

/* Marks the labels that are learned, which data.classes may name. */
static lae_status mark_learned(const struct lae_data_options *options, int labels, bool *learned)
{
    for (int label = 0; label < labels; label++)
        learned[label] = options->classes == NULL;
    for (int i = 0; i < options->classes_count; i++) {
        int label = options->classes[i];
        if (label < 0 || label >= labels)
            return lae_bad_input("data.classes: entry %d (counted from 0) is %d; the dataset's "
                                 "labels are 0 to %d",
                                 i, label, labels - 1);
        learned[label] = true;
    }
    return NULL;
}

/* The next label in label order after that of the place before. */
static int next_learned(const bool *learned, int label)
{
    do
        label++;
    while (!learned[label]);
    return label;
}

/* Puts a label at place `p` of the order. */
static lae_status place_label(int p, int label, const bool *learned, struct lae_sequence *sequence)
{
    if (label < 0 || label >= sequence->labels)
        return lae_bad_input("data.class_order: entry %d (counted from 0) is %d; the dataset's "
                             "labels are 0 to %d",
                             p, label, sequence->labels - 1);
    if (!learned[label])
        return lae_bad_input("data.class_order: entry %d (counted from 0) is %d, which is not in "
                             "data.classes",
                             p, label);
    if (sequence->output_index[label] >= 0)
        return lae_bad_input("data.class_order: entries %d and %d (counted from 0) are both %d; "
                             "each label stands there once",
                             sequence->output_index[label], p, label);
    sequence->output_index[label] = p;
    sequence->class_order[p] = label;
    return NULL;
}

/* Fills class_order and its inverse, which starts as -1 everywhere. */
static lae_status set_order(const struct lae_data_options *options, const bool *learned,
                            struct lae_sequence *sequence)
{
    int classes = sequence->classes;
    if (options->class_order != NULL && options->class_order_count != classes)
        return options->classes != NULL
                   ? lae_bad_input("data.class_order has %d entries, but data.classes has %d",
                                   options->class_order_count, classes)
                   : lae_bad_input("data.class_order has %d entries, but the dataset has %d "
                                   "classes; data.classes takes a part of them",
                                   options->class_order_count, classes);
    for (int label = 0; label < sequence->labels; label++)
        sequence->output_index[label] = -1;
    for (int p = 0, label = -1; p < classes; p++) {
        label =
            options->class_order != NULL ? options->class_order[p] : next_learned(learned, label);
        LAE_TRY(place_label(p, label, learned, sequence));
    }
    return NULL;
}

/* Cuts the order into tasks; the last one takes what remains. */
static void set_tasks(const struct lae_data_options *options, struct lae_sequence *sequence)
{
    int per_task = options->classes_per_task;
    int end = options->first_classes > 0 ? options->first_classes : per_task;
    int task = 0;
    for (int p = 0; p < sequence->classes; p++) {
        if (p == end) {
            sequence->first_class[++task] = p;
            end += per_task;
        }
        sequence->task_of[p] = task;
    }
    sequence->tasks = task + 1;
    sequence->first_class[sequence->tasks] = sequence->classes;
}

/* NULL: of a class that is not learned. */
static struct lae_task_images *images_of(const struct lae_sequence *sequence,
                                         const struct lae_dataset *dataset, enum lae_split split,
                                         size_t image)
{
    int output = sequence->output_index[lae_dataset_label(dataset, split, image)];
    return output >= 0 ? &sequence->images[split][sequence->task_of[output]] : NULL;
}

static lae_status no_images(const struct lae_sequence *sequence, const char *kind, int task)
{
    char labels[128];
    size_t used = 0;
    for (int p = sequence->first_class[task]; p < sequence->first_class[task + 1]; p++) {
        bool full = used + 16 > sizeof labels;
        const char *comma = used > 0 ? ", " : "";
        if (full) {
            snprintf(labels + used, sizeof labels - used, ", ...");
            break;
        }
        used += (size_t)snprintf(labels + used, sizeof labels - used, "%s%d", comma,
                                 sequence->class_order[p]);
    }
    return lae_bad_input(
        "task %d (dataset labels %s) has no %s images; use more of the dataset, or "
        "change data.class_order or data.classes_per_task",
        task, labels, kind);
}

/* Two rounds over the dataset: count, then fill. */
static lae_status set_images(const struct lae_dataset *dataset, enum lae_split split,
                             struct lae_sequence *sequence)
{
    struct lae_task_images *images = sequence->images[split];
    for (size_t i = 0; i < dataset->count[split]; i++) {
        struct lae_task_images *task = images_of(sequence, dataset, split, i);
        if (task != NULL) task->count++;
    }
    for (int task = 0; task < sequence->tasks; task++) {
        size_t count = images[task].count;
        if (count == 0)
            return no_images(
                sequence, split == LAE_TRAIN ? "training" : lae_dataset_evaluated(dataset), task);
        images[task].index = calloc(count, sizeof *images[task].index);
        if (images[task].index == NULL)
            return lae_out_of_memory(count * sizeof *images[task].index, "a task's list of images");
        images[task].count = 0;
    }
    for (size_t i = 0; i < dataset->count[split]; i++) {
        struct lae_task_images *task = images_of(sequence, dataset, split, i);
        if (task != NULL) task->index[task->count++] = (uint32_t)i;
    }
    return NULL;
}

static lae_status allocate(struct lae_sequence *sequence)
{
    size_t classes = (size_t)sequence->classes;
    sequence->class_order = calloc(classes, sizeof(int));
    sequence->output_index = calloc((size_t)sequence->labels, sizeof(int));
    sequence->task_of = calloc(classes, sizeof(int));
    sequence->first_class = calloc(classes + 1, sizeof(int)); /* at most a task a class */
    for (int split = 0; split < LAE_SPLITS; split++)
        sequence->images[split] = calloc(classes, sizeof *sequence->images[split]);
    if (sequence->class_order == NULL || sequence->output_index == NULL ||
        sequence->task_of == NULL || sequence->first_class == NULL ||
        sequence->images[LAE_TRAIN] == NULL || sequence->images[LAE_TEST] == NULL)
        return lae_out_of_memory(8 * classes * sizeof(int), "the task sequence");
    return NULL;
}

static lae_status build(const struct lae_data_options *options, const struct lae_dataset *dataset,
                        struct lae_sequence *sequence)
{
    LAE_TRY(check_split(options, sequence->classes));
    LAE_TRY(allocate(sequence));
    bool *learned = calloc((size_t)sequence->labels, sizeof *learned);
    if (learned == NULL) return lae_out_of_memory((size_t)sequence->labels, "the classes");
    lae_status status = mark_learned(options, sequence->labels, learned);
    if (status == NULL) status = set_order(options, learned, sequence);
    free(learned);
    LAE_TRY(status);
    set_tasks(options, sequence);
    if (dataset->unlabelled) return NULL; /* of no task */
    LAE_TRY(set_images(dataset, LAE_TRAIN, sequence));
    return set_images(dataset, LAE_TEST, sequence);
}

lae_status lae_sequence_create(const struct lae_data_options *options,
                               const struct lae_dataset *dataset, struct lae_sequence *sequence)
{
    bool subset = options->classes != NULL;
    *sequence = (struct lae_sequence){.classes = subset ? options->classes_count : dataset->classes,
                                      .labels = dataset->classes};
    lae_status status = build(options, dataset, sequence);
    if (status != NULL) lae_sequence_free(sequence);
    return status;
}

void lae_sequence_free(struct lae_sequence *sequence)
{
    for (int split = 0; split < LAE_SPLITS; split++) {
        for (int task = 0; task < sequence->tasks; task++)
            free(sequence->images[split][task].index);
        free(sequence->images[split]);
    }
    free(sequence->class_order);
    free(sequence->output_index);
    free(sequence->first_class);
    free(sequence->task_of);
    *sequence = (struct lae_sequence){0};
}

/* Fisher-Yates from the end; place i draws number i of the stream. */
void lae_sequence_shuffle(uint64_t seed, int task, int epoch, size_t count, bool shuffle,
                          uint32_t *order)
{
    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    if (!shuffle) return;
    struct lae_random stream =
        lae_random_stream(seed, LAE_RANDOM_SHUFFLE, (uint32_t)task, (uint32_t)epoch, 0);
    for (size_t i = count; i-- > 1;) {
        uint32_t j = lae_random_below(&stream, i, (uint32_t)(i + 1));
        uint32_t swapped = order[i];
        order[i] = order[j];
        order[j] = swapped;
    }
}

lae_status lae_sequence_set_aside(const struct lae_sequence *sequence,
                                  const struct lae_dataset *dataset, int task, double share,
                                  bool *held)
{
    const struct lae_task_images *images = &sequence->images[LAE_TRAIN][task];
    int *label = calloc(images->count, sizeof *label);
    if (label == NULL)
        return lae_out_of_memory(images->count * sizeof *label, "choosing images to set aside");
    for (size_t i = 0; i < images->count; i++)
        label[i] = lae_dataset_label(dataset, LAE_TRAIN, images->index[i]);
    lae_status status = lae_holdout_choose(LAE_RANDOM_SET_ASIDE, label, images->count,
                                           dataset->classes, share, held);
    free(label);
    return status;
}

/* ---- What the images of some tasks are ---------------------------------------------------------
 */

/* An image's label and digest, from the file where it was not examined. */
static lae_status write_image(const struct lae_dataset *dataset, enum lae_split split, size_t index,
                              FILE *out)
{
    enum lae_split part = dataset->held_out ? LAE_TRAIN : split;
    size_t number = lae_dataset_number(dataset, split, index);
    struct lae_picture picture = *lae_picture_of(dataset, part, number);
    if (picture.width == 0) LAE_TRY(lae_picture_examine(dataset, part, number, &picture));
    fprintf(out, "%d ", (int)picture.label);
    fwrite(picture.digest, sizeof picture.digest, 1, out);
    return NULL;
}

static lae_status write_task(const struct lae_sequence *sequence, const struct lae_dataset *dataset,
                             int task, FILE *out)
{
    for (int split = 0; split < LAE_SPLITS; split++) {
        const struct lae_task_images *images = &sequence->images[split][task];
        fprintf(out, "part of %zu ", images->count);
        for (size_t i = 0; i < images->count; i++)
            LAE_TRY(write_image(dataset, (enum lae_split)split, images->index[i], out));
    }
    for (int p = sequence->first_class[task]; p < sequence->first_class[task + 1]; p++)
        if (dataset->class_names != NULL)
            fprintf(out, "%s\n", dataset->class_names[sequence->class_order[p]]);
    return NULL;
}

lae_status lae_sequence_digest(const struct lae_sequence *sequence,
                               const struct lae_dataset *dataset, int tasks,
                               char text[LAE_DIGEST_TEXT])
{
    char *bytes = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&bytes, &size);
    if (out == NULL) return lae_out_of_memory(0, "the images' digest");
    lae_status status = NULL;
    for (int task = 0; task < tasks && status == NULL; task++)
        status = write_task(sequence, dataset, task, out);
    bool full = ferror(out) != 0;
    if (fclose(out) != 0 || full)
        status = lae_status_first(status, lae_out_of_memory(size, "the images' digest"));
    if (status == NULL) status = lae_digest_memory(bytes, size, text);
    free(bytes);
    return status;
}
