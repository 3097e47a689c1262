#include "lae/bench/bench.h"
#include "lae/cmd/cmd.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_MODEL, OPTION_BATCH, OPTION_REPEATS, OPTION_JSON };

static const struct lae_option options[] = {
    [OPTION_MODEL] = {"model", "NAME", "tiny, small, base (the default) or large"},
    [OPTION_BATCH] = {"batch", "N", "images of a step, all ranks together (8)"},
    [OPTION_REPEATS] = {"repeats", "N", "of each measurement, of which the median counts (5)"},
    [OPTION_JSON] = {"json", "FILE", "write the figures as JSON, too"},
    {NULL, NULL, NULL},
};

static lae_status read_count(const struct lae_arguments *arguments, int option, int largest,
                             int *count)
{
    const char *text = arguments->options[option];
    if (text == NULL) return NULL;
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (*end != '\0' || errno != 0 || value < 1 || value > largest)
        return lae_bad_input("--%s: %.40s is no number from 1 to %d", options[option].name, text,
                             largest);
    *count = (int)value;
    return NULL;
}

static lae_status read_options(const struct lae_arguments *arguments,
                               struct lae_bench_options *bench)
{
    const char *model = arguments->options[OPTION_MODEL];
    *bench = (struct lae_bench_options){
        .model = lae_backbone_find_size(model != NULL ? model : "base"), .batch = 8, .repeats = 5};
    if (bench->model == NULL)
        return lae_bad_input("--model: %.40s is not known; choose %s", model,
                             options[OPTION_MODEL].help);
    LAE_TRY(read_count(arguments, OPTION_BATCH, 65536, &bench->batch));
    return read_count(arguments, OPTION_REPEATS, 1000, &bench->repeats);
}

/* Defaults and settings, without the demonstration's data and weights: there is no need of any. */
static lae_status read_config(const struct lae_arguments *arguments, struct lae_config *config)
{
    LAE_TRY(lae_config_defaults(config, NULL));
    if (arguments->config != NULL) LAE_TRY(lae_configure_from(arguments->config, config));
    for (int i = 0; i < arguments->setting_count; i++)
        LAE_TRY(lae_config_set(config, arguments->settings[i]));
    return lae_arithmetic_check(lae_config_arithmetic(config));
}

static lae_status report(const struct lae_arguments *arguments, const struct lae_dist *dist,
                         const struct lae_bench_result *result)
{
    const char *json = arguments->options[OPTION_JSON];
    if (dist->rank != 0) return NULL;
    lae_bench_print(stdout, result);
    return json != NULL ? lae_bench_write(json, result) : NULL;
}

static lae_status run(const struct lae_arguments *arguments, const struct lae_dist *dist,
                      struct lae_log *log)
{
    struct lae_bench_options bench;
    struct lae_bench_result result;
    struct lae_config config = {0};
    lae_status status = read_options(arguments, &bench);
    if (status == NULL) status = read_config(arguments, &config);
    status = lae_dist_agree(dist, status);
    if (status == NULL) status = lae_bench_run(&bench, &config, dist, log, &result);
    if (status == NULL) status = lae_dist_agree(dist, report(arguments, dist, &result));
    lae_config_free(&config);
    return status;
}

const struct lae_command lae_command_bench = {
    .name = "bench",
    .usage = "[--model NAME] [--batch N] [--repeats N] [--json FILE] [KEY=VALUE ...]",
    .help = "measure this machine and how much of it the program gets, with random weights",
    .example = "lae_mpi bench --model tiny compute.threads=4",
    .options = options,
    .configurable = true,
    .run = run,
};
