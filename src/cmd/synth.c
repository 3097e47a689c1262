#include "lae/cmd/cmd.h"
#include "lae/data/dataset.h"
#include "lae/files/atomic.h"
#include "lae/files/map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABELS 256 /* that one byte can tell apart */

/* One record of CIFAR-100's binary format: coarse label, fine label, planes R, G, B. */
static bool write_record(FILE *file, const uint8_t *rgb, size_t pixels, int label)
{
    fputc(0, file);
    fputc(label, file);
    for (size_t channel = 0; channel < 3; channel++)
        for (size_t i = 0; i < pixels; i++)
            fputc(rgb[3 * i + channel], file);
    return ferror(file) == 0;
}

static bool write_records(FILE *file, const struct lae_dataset *dataset, enum lae_split split,
                          uint8_t *rgb)
{
    struct lae_size size;
    size_t pixels = dataset->pixels;
    for (size_t i = 0; i < dataset->count[split]; i++) {
        lae_status_free(lae_dataset_image(dataset, split, i, rgb, &size)); /* drawn: no errors */
        if (!write_record(file, rgb, pixels, lae_dataset_label(dataset, split, i))) return false;
    }
    return true;
}

static lae_status write_part(const char *path, const struct lae_dataset *dataset,
                             enum lae_split split)
{
    struct lae_atomic out;
    LAE_TRY(lae_atomic_begin(&out, path));
    uint8_t *rgb = malloc(3 * dataset->pixels);
    FILE *file = rgb != NULL ? lae_atomic_stream(&out) : NULL;
    bool written = file != NULL && write_records(file, dataset, split, rgb);
    if (file != NULL && fclose(file) != 0) written = false;
    int error = errno;
    free(rgb);
    if (written) return lae_atomic_commit(&out);
    lae_atomic_abandon(&out);
    return lae_failed("%s: cannot write: %s", path, strerror(error));
}

static lae_status write_names(const char *path, int classes, const char *word)
{
    char *text = malloc((size_t)classes * 32 + 1), *end = text;
    if (text == NULL) return lae_out_of_memory(classes * 32, "class names");
    for (int i = 0; i < classes; i++)
        end += sprintf(end, "%s_%03d\n", word, i);
    lae_status status = lae_atomic_write(path, text, (size_t)(end - text));
    free(text);
    return status;
}

static lae_status write_directory(const char *directory, const struct lae_dataset *dataset)
{
    LAE_TRY(lae_path_make_directories(directory));
    static const char *const names[] = {"train.bin", "test.bin", "fine_label_names.txt",
                                        "coarse_label_names.txt"};
    lae_status status = NULL;
    for (int i = 0; i < 4 && status == NULL; i++) {
        char *path = lae_path_join(directory, names[i]);
        if (path == NULL)
            status = lae_out_of_memory(64, "a path");
        else if (i < LAE_SPLITS)
            status = write_part(path, dataset, (enum lae_split)i);
        else
            status = write_names(path, i == 2 ? dataset->classes : 1, i == 2 ? "class" : "all");
        free(path);
    }
    return status;
}

static lae_status write_synthetic(const struct lae_arguments *arguments, struct lae_config *config,
                                  struct lae_log *log)
{
    LAE_TRY(lae_configure(arguments, config));
    if (config->data.dataset != LAE_DATASET_SYNTHETIC)
        return lae_bad_input("data.dataset: synth writes the synthetic data");
    if (config->data.synthetic.classes > LABELS)
        return lae_bad_input(
            "data.synthetic.classes: the format has one byte a label, so at most %d", LABELS);
    struct lae_dataset dataset;
    LAE_TRY(lae_dataset_open(&config->data, &dataset));
    lae_status status = write_directory(arguments->positional[0], &dataset);
    if (status == NULL)
        lae_log_info(log, "%zu training and %zu test images of %d classes written to %s",
                     dataset.count[LAE_TRAIN], dataset.count[LAE_TEST], dataset.classes,
                     arguments->positional[0]);
    lae_dataset_close(&dataset);
    return status;
}

static lae_status run(const struct lae_arguments *arguments, const struct lae_dist *dist,
                      struct lae_log *log)
{
    (void)dist;
    struct lae_config config = {0};
    lae_status status = write_synthetic(arguments, &config, log);
    lae_config_free(&config);
    return status;
}

const struct lae_command lae_command_synth = {
    .name = "synth",
    .usage = "DIR [KEY=VALUE ...]",
    .help = "write the demonstration data (data.synthetic.*) in CIFAR-100's binary format",
    .example = "lae_mpi synth images data.synthetic.classes=20",
    .positional = 1,
    .configurable = true,
    .serial = true,
    .run = run,
};
