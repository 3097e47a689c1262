/* A run's directory as a page shows it: the input is metrics.jsonl, config.yaml and a recipe for
 * task_00.h5, each ended by a zero byte. An empty one is a file that is not there.
 *
 * The recipe is a list of changes to a small checkpoint, a byte for what is changed and one for
 * what it becomes; what is then written is good HDF5 (checkpoint.c tries what is not).
 */
#include "fuzz.h"

#include "lae/page/page.h"
#include "lae/store/checkpoint.h"
#include "lae/store/reader.h"
#include "samples.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For LeakSanitizer: HDF5 1.10 loses a little memory on the way out of some errors. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5\n";
}

enum { MOST_PAGE = 1 << 24, MOST_CHANGES = 16 };

struct input {
    const uint8_t *at, *end;
};

/* Up to the next zero byte, or the end. */
static struct input cut(struct input *input)
{
    size_t left = (size_t)(input->end - input->at);
    const uint8_t *zero = left > 0 ? memchr(input->at, 0, left) : NULL;
    struct input part = {input->at, zero != NULL ? zero : input->end};
    input->at = zero != NULL ? zero + 1 : input->end;
    return part;
}

static unsigned next(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

static double choose_number(unsigned which)
{
    const double numbers[] = {0.0, 50.0, 100.0, NAN, -1.0, 101.0, INFINITY, 1e300, -0.0, 1e-300};
    return numbers[which % (sizeof numbers / sizeof numbers[0])];
}

static void replace(char **text, const char *format, unsigned value)
{
    char made[256];
    snprintf(made, sizeof made, format, value);
    free(*text);
    *text = strdup(made);
    LAE_FUZZ_CHECK(*text != NULL);
}

static const char *choose_name(unsigned which)
{
    static const char *const names[] = {
        "online/accuracy",     "online/seen",      "lda_offline/accuracy",
        "a/b/c/accuracy",      "\x1b[2J/accuracy", "<script>/accuracy",
        "\xc2\x9b\xff/seen",   "/accuracy",        "blocks/%u/attn/adapter/scale",
        "blocks/1023/x",       "blocks/1024/x",    "blocks/999999/attn/adapter/scale",
        "blocks/99999999/x/x", "weights_digest",   "data_digest",
        "weights_path",        "\"`$(x)`\\@;|<&>", "x"};
    return names[which % (sizeof names / sizeof names[0])];
}

/* Metrics of a shape that fits the tasks. */
static void shape_metrics(struct lae_checkpoint *c, int rank, unsigned value)
{
    struct lae_metric *metric = &c->metrics[0];
    size_t tasks = (size_t)c->task_count, count = rank == 2 ? tasks * tasks : tasks;
    free(metric->values);
    metric->rank = rank;
    metric->shape[0] = metric->shape[1] = tasks;
    metric->values = calloc(count, sizeof *metric->values);
    LAE_FUZZ_CHECK(metric->values != NULL);
    for (size_t i = 0; i < count; i++)
        metric->values[i] = choose_number(value + (unsigned)i % 3);
}

/* A second metric, so that a scorer can be whole. */
static void add_seen(struct lae_checkpoint *c, unsigned value)
{
    if (c->metric_count != 1) return;
    struct lae_metric *metrics = realloc(c->metrics, 2 * sizeof *metrics);
    LAE_FUZZ_CHECK(metrics != NULL);
    c->metrics = metrics;
    metrics[1] = metrics[0];
    c->metric_count = 2;
    metrics[0].name = NULL;
    metrics[0].values = NULL;
    shape_metrics(c, 1, value);
    replace(&metrics[0].name, "online/seen", 0);
}

static void change(struct lae_checkpoint *c, struct input *input)
{
    unsigned what = next(input), value = next(input);
    struct lae_merge_stats *merge = c->merge.items;
    switch (what % 9) {
    case 0:
        shape_metrics(c, 1 + (int)(value % 2), value / 2);
        return;
    case 1:
        replace(&c->metrics[c->metric_count - 1].name, choose_name(value), value);
        return;
    case 2:
        add_seen(c, value);
        return;
    case 3:
        c->metrics[0].values[0] = choose_number(value);
        return;
    case 4:
        replace(&c->merge.names[0], choose_name(value), value);
        replace(&c->init.items[0].name, choose_name(value), value);
        replace(&c->online.items[0].name, choose_name(value), value);
        return;
    case 5:
        merge->kept_offline = merge->conflict = merge->norm_merged = choose_number(value);
        return;
    case 6:
        replace(&c->provenance[0].name, choose_name(value), value);
        replace(&c->provenance[0].text, choose_name(value / 16), value);
        return;
    case 7:
        c->provenance[1].number = choose_number(value);
        return;
    default:
        c->task_count = 1 + (int)value;
        return;
    }
}

/* Names that HDF5 takes for others are refused by the writer: then there is no such file. */
static void write_task(struct input *recipe)
{
    struct lae_checkpoint checkpoint;
    const char *path = lae_fuzz_file("task_00.h5", "", 0);
    lae_sample_checkpoint(true, &checkpoint);
    free(checkpoint.position);
    checkpoint.position = NULL;
    for (int i = 0; i < MOST_CHANGES && recipe->at < recipe->end; i++)
        change(&checkpoint, recipe);
    lae_status status = lae_checkpoint_write(path, &checkpoint);
    if (status != NULL) lae_fuzz_remove("task_00.h5");
    lae_status_free(status);
    lae_checkpoint_free(&checkpoint);
}

/* The task's file as the recipe wants it. Most inputs have the recipe of the one before. */
static void put_task(struct input recipe)
{
    static struct {
        uint8_t bytes[2 * MOST_CHANGES];
        size_t size; /* 0: there is no such file */
    } last;
    size_t size = (size_t)(recipe.end - recipe.at);
    if (size > sizeof last.bytes) size = sizeof last.bytes;
    if (size == last.size && (size == 0 || memcmp(last.bytes, recipe.at, size) == 0)) return;
    lae_fuzz_file("task_00.h5", "", 0);
    lae_fuzz_remove("task_00.h5");
    last.size = size;
    if (size == 0) return;
    memcpy(last.bytes, recipe.at, size);
    write_task(&recipe);
}

static void check_page(const char *text)
{
    size_t size = strlen(text);
    LAE_FUZZ_CHECK(size < MOST_PAGE);
    LAE_FUZZ_CHECK(strstr(text, "<script") == NULL);
    for (size_t i = 0; i < size; i++)
        LAE_FUZZ_CHECK((unsigned char)text[i] >= ' ' || text[i] == '\n' || text[i] == '\t');
}

/* The page about the run, and a run of nothing but a configuration beside it. */
static void show(struct lae_run *run)
{
    char *text = NULL;
    struct lae_run runs[2] = {*run, {.place = (char *)"other", .name = (char *)"other"}};
    runs[1].config = (char *)"run: {seed: 2}\n";
    const struct lae_page_options options = {.path = "", .figures = ""};
    for (size_t count = 1; count <= 2; count++) {
        lae_status status = lae_page_text(&options, runs, count, &text);
        if (status == NULL) check_page(text);
        free(text);
        lae_fuzz_end(status, NULL);
    }
}

static void put_file(const char *name, struct input part)
{
    lae_fuzz_file(name, part.at, (size_t)(part.end - part.at));
    if (part.at == part.end) lae_fuzz_remove(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, data + size};
    struct lae_run run;
    lae_reader_forgo(); /* the file is good HDF5, and two forks take longer than all the rest */
    put_file("metrics.jsonl", cut(&input));
    put_file("config.yaml", cut(&input));
    put_task(input);
    lae_status status = lae_run_read(lae_fuzz_directory(), NULL, &run);
    if (status == NULL) show(&run);
    lae_run_free(&run);
    lae_fuzz_end(status, NULL);
    return 0;
}
