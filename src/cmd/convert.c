/* Weight files from one format to another, and what a task learned for programs in PyTorch. */
#include "lae/cmd/cmd.h"
#include "lae/files/map.h"
#include "lae/learn/export.h"
#include "lae/run/task_files.h"
#include "lae/store/kind.h"
#include "lae/weights/adapters.h"
#include "lae/weights/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNELS 96
/* What log-probabilities of PyTorch may differ by, which rounds sums in another order; in bf16 a
 * number that is rounded the other way differs by a 256th. */
#define FP32_TOLERANCE "1e-3"
#define BF16_TOLERANCE "0.1"

enum { OPTION_MODULE };

static const struct lae_option options[] = {
    [OPTION_MODULE] = {"module", "online|offline",
                       "of a task file: this one alone, without a prefix to its names"},
    {NULL, NULL, NULL},
};

static lae_status convert_weights(const char *in, const char *out, struct lae_log *log)
{
    struct lae_weights weights;
    LAE_TRY(lae_weights_read(in, log, &weights));
    lae_status status = lae_weights_write(out, &weights);
    if (status == NULL)
        lae_log_info(log, "%s (%s, %zu tensors) written to %s", in, weights.format,
                     weights.tensors.count, out);
    lae_weights_free(&weights);
    return status;
}

static lae_status check_ending(const char *out)
{
    static const char *const endings[] = {".safetensors", NULL};
    if (lae_path_ends_in(out, endings)) return NULL;
    return lae_bad_input(
        "%s: what a task learned is written as .safetensors; that ending is wanted", out);
}

/* "[0.5,0.5,0.5]" */
static void channels_text(const double *values, char text[CHANNELS])
{
    snprintf(text, CHANNELS, "[%.17g,%.17g,%.17g]", values[0], values[1], values[2]);
}

/* What the features are made of, for who makes them again elsewhere. */
static lae_status write_with(const char *out, const struct lae_checkpoint *checkpoint,
                             const char *module, const struct lae_config *config,
                             const struct lae_set *heads)
{
    char mean[CHANNELS], std[CHANNELS], size[16], attention[16];
    bool bf16 = config->model.precision == LAE_PRECISION_BF16;
    channels_text(config->data.mean, mean);
    channels_text(config->data.std, std);
    snprintf(size, sizeof size, "%d", config->data.image_size);
    snprintf(attention, sizeof attention, "%d", config->model.heads);
    const char *const texts[][2] = {
        {"precision", bf16 ? "bf16" : "fp32"},
        {"tolerance", bf16 ? BF16_TOLERANCE : FP32_TOLERANCE},
        {"mean", mean},
        {"std", std},
        {"image_size", size},
        {"resize", config->data.resize == LAE_FILTER_BICUBIC ? "bicubic" : "bilinear"},
        {"attention_heads", attention}, /* 0: as the backbone's file says */
    };
    const struct lae_adapters_more more = {texts, sizeof texts / sizeof texts[0], heads};
    return lae_weights_write_adapters(out, checkpoint, module, &more);
}

static lae_status write_all(const char *out, const struct lae_checkpoint *checkpoint,
                            const char *module, size_t *count)
{
    struct lae_config config;
    struct lae_set heads = {0};
    const char *text = lae_checkpoint_config_of(checkpoint, checkpoint->task);
    LAE_TRY(lae_config_defaults(&config, NULL));
    lae_status status = lae_config_load_text(&config, "/config", text, strlen(text));
    if (status == NULL) status = lae_export_heads(&config, checkpoint, &heads);
    if (status == NULL) status = write_with(out, checkpoint, module, &config, &heads);
    *count = 0;
    for (size_t i = 0; i < heads.count; i++)
        *count += heads.items[i].rank == 1;
    lae_set_free(&heads);
    lae_config_free(&config);
    return status;
}

static lae_status write_modules(const char *path, const char *out,
                                const struct lae_checkpoint *checkpoint, const char *module,
                                struct lae_log *log)
{
    size_t heads = 0;
    if (checkpoint->position != NULL)
        return lae_bad_input("%s: is a state inside task %d; the file of a finished task is wanted",
                             path, checkpoint->task);
    LAE_TRY(lae_status_prefix(write_all(out, checkpoint, module, &heads), "%s", path));
    bool both = module == NULL && checkpoint->offline.count > 0;
    lae_log_info(log,
                 "%s after task %d: %s, with classifiers for %d classes and %zu head(s) made from "
                 "class statistics, written to %s",
                 path, checkpoint->task,
                 both             ? "online and offline"
                 : module != NULL ? module
                                  : "online",
                 checkpoint->classes_seen, heads, out);
    return NULL;
}

static lae_status convert_modules(const char *in, const char *out, const char *module,
                                  struct lae_log *log)
{
    struct lae_checkpoint checkpoint;
    char *path = NULL;
    bool named = module == NULL || strcmp(module, "online") == 0 || strcmp(module, "offline") == 0;
    if (!named) return lae_bad_input("--module %s: is neither online nor offline", module);
    LAE_TRY(check_ending(out));
    LAE_TRY(lae_checkpoint_find(in, log, &path, &checkpoint));
    lae_status status = write_modules(path, out, &checkpoint, module, log);
    lae_checkpoint_free(&checkpoint);
    free(path);
    return status;
}

static lae_status run(const struct lae_arguments *arguments, const struct lae_dist *dist,
                      struct lae_log *log)
{
    (void)dist;
    const char *in = arguments->positional[0], *out = arguments->positional[1];
    const char *module = arguments->options[OPTION_MODULE];
    char kind[LAE_KIND_TEXT] = LAE_CHECKPOINT_FORMAT;
    LAE_TRY(lae_output_check(out));
    bool folder = lae_path_is_directory(in);
    if (folder && lae_weights_are_in(in)) kind[0] = '\0';
    if (!folder) LAE_TRY(lae_kind_of(in, kind));
    if (strcmp(kind, LAE_CHECKPOINT_FORMAT) == 0 || strcmp(kind, LAE_RUN_FORMAT) == 0)
        return convert_modules(in, out, module, log);
    if (module != NULL)
        return lae_bad_input("--module: %s is a weight file, which has no modules", in);
    return convert_weights(in, out, log);
}

const struct lae_command lae_command_convert = {
    .name = "convert",
    .usage = "IN OUT [--module online|offline]",
    .help =
        "rewrite a weight file (.npz, .safetensors, .pth, .h5) as .safetensors or .h5, by OUT's "
        "ending, or what a task file or run learned as .safetensors",
    .example = "lae_mpi convert runs/demo adapters.safetensors",
    .positional = 2,
    .options = options,
    .serial = true,
    .run = run,
};
