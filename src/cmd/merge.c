/* The merge lab: what other merges make of the online modules that a run's tasks left. */
#include "lae/base/clock.h"
#include "lae/cmd/cmd.h"
#include "lae/learn/grid.h"
#include "lae/learn/progress.h"
#include "lae/learn/replayer.h"
#include "lae/report/comparison.h"
#include "lae/report/pace.h"
#include "lae/store/kind.h"

#include <stdio.h>
#include <stdlib.h>

enum { OPTION_JSON = LAE_GRID_OPTIONS, OPTION_WRITE };

static const struct lae_option options[] = {
    [LAE_GRID_METHOD] = {"method", "LIST", "merges to compare: ties,mean,... as in merge.method"},
    [LAE_GRID_VECTORS] = {"vectors", "LIST", "which changes are joined: pair,tasks"},
    [LAE_GRID_BASE] = {"base", "LIST", "what they are measured from: init,first,previous"},
    [LAE_GRID_DENSITY] = {"density", "LIST", "ties, dare: shares of entries kept"},
    [LAE_GRID_SCALE] = {"scale", "LIST", "factors of the merged change"},
    [LAE_GRID_REDUCE] = {"reduce", "LIST", "how entries are joined: mean,sum,max"},
    [LAE_GRID_SCOPE] = {"scope", "LIST", "what is trimmed together: global,tensor"},
    [LAE_GRID_WEIGHTING] = {"weighting", "LIST", "how much a pair's offline counts: equal,tasks"},
    [LAE_GRID_DECAY] = {"decay", "LIST", "ema_task: shares of offline that stay"},
    [OPTION_JSON] = {"json", "FILE", "write all accuracies as JSON, too"},
    [OPTION_WRITE] = {"write", "DIR", "write task files: a run in DIR for each merge"},
    {NULL, NULL, NULL},
};

/* A command under way. */
struct comparing {
    struct lae_restored *restored;
    struct lae_replayer *replayer;
    const char *json, *write;
    struct lae_grid grid;
    struct lae_replayer_result *results; /* [grid.count] */
    struct lae_comparison comparison;
    struct lae_pace pace;
};

/* ---- how far it is */

static void show_progress(void *context, double done)
{
    struct comparing *c = context;
    bool live = lae_pace_live(&c->pace), plain = lae_pace_plain(&c->pace);
    if (!live && !plain) return;
    char forms[2][LAE_LIVE_LINE], label[LAE_COMPARISON_LABEL], left[32];
    double total = lae_replayer_work(c->replayer, c->grid.count);
    double elapsed = lae_clock_seconds() - c->pace.began;
    size_t row = c->comparison.done;
    lae_progress_duration(elapsed * (total - done) / done, left);
    snprintf(forms[0], LAE_LIVE_LINE, "merge %zu/%zu  %s  %.0f %% of all done, left %s", row + 1,
             c->grid.count, lae_comparison_label(&c->comparison, row, label), 100.0 * done / total,
             left);
    snprintf(forms[1], LAE_LIVE_LINE, "merge %zu/%zu  %.0f %%, left %s", row + 1, c->grid.count,
             100.0 * done / total, left);
    if (live)
        lae_pace_draw(&c->pace, forms, 2);
    else
        lae_log_info(c->pace.log, "%s", forms[0]);
}

/* The average incremental accuracies of a merge, by the scorers that see its offline module. */
static void tell_row(struct comparing *c, size_t row)
{
    const struct lae_metrics *metrics = &c->results[row].metrics;
    char label[LAE_COMPARISON_LABEL], seconds[32], averages[256] = "";
    size_t used = 0;
    for (int i = 0; i < metrics->scorers.count && used < sizeof averages; i++) {
        const struct lae_scorer *scorer = &metrics->scorers.items[i];
        struct lae_summary s = lae_metrics_summary(metrics, i, c->restored->state.finished);
        if (scorer->view == LAE_VIEW_OFFLINE)
            used += (size_t)snprintf(averages + used, sizeof averages - used, "%s %.2f  ",
                                     scorer->name, s.average_incremental);
    }
    lae_log_info(c->pace.log, "merge %zu/%zu  %s: %s %s", row + 1, c->grid.count,
                 lae_comparison_label(&c->comparison, row, label), averages,
                 lae_progress_duration(c->results[row].seconds, seconds));
}

/* ---- the merges */

static const struct lae_replayer_place *place_of(const struct comparing *c, size_t row,
                                                 char name[LAE_COMPARISON_LABEL],
                                                 struct lae_replayer_place *place)
{
    if (c->write == NULL) return NULL;
    *place = (struct lae_replayer_place){c->write, lae_comparison_name(&c->comparison, row, name)};
    return place;
}

/* Before the first is computed: whether all can be written. */
static lae_status check_places(struct comparing *c)
{
    for (size_t row = 0; row < c->grid.count && c->write != NULL; row++) {
        char name[LAE_COMPARISON_LABEL];
        struct lae_replayer_place place;
        LAE_TRY(lae_status_prefix(lae_replayer_check_place(c->replayer, &c->grid.items[row],
                                                           place_of(c, row, name, &place)),
                                  "--write"));
    }
    return NULL;
}

static lae_status compute(struct comparing *c)
{
    LAE_TRY(check_places(c));
    c->pace = lae_pace_begin(c->restored->setup.log);
    for (size_t row = 0; row < c->grid.count; row++) {
        char name[LAE_COMPARISON_LABEL];
        struct lae_replayer_place place;
        LAE_TRY(lae_replayer_merge(c->replayer, &c->grid.items[row], place_of(c, row, name, &place),
                                   show_progress, c, &c->results[row]));
        c->comparison.done++;
        if (c->restored->dist->rank == 0) tell_row(c, row);
    }
    return NULL;
}

static lae_status prepare(struct comparing *c, const struct lae_arguments *arguments)
{
    struct lae_restored *restored = c->restored;
    LAE_TRY(lae_grid_create(&restored->config.merge, arguments->options, restored->setup.log,
                            &c->grid));
    c->results = calloc(c->grid.count, sizeof *c->results);
    if (c->results == NULL)
        return lae_out_of_memory((double)c->grid.count * sizeof *c->results, "the results");
    for (size_t row = 0; row < c->grid.count; row++)
        c->results[row].merge = c->grid.items[row];
    return NULL;
}

static void tell_run(const struct comparing *c)
{
    const struct lae_restored *restored = c->restored;
    const struct lae_setup *setup = &restored->setup;
    lae_log_info(setup->log,
                 "%s: after task %d of %d, %d of %d classes seen, %s images; merges: %zu",
                 restored->path, restored->state.finished - 1, setup->sequence.tasks - 1,
                 setup->sequence.first_class[restored->state.finished], setup->sequence.classes,
                 lae_dataset_evaluated(&setup->dataset), c->grid.count);
    if (restored->config.train.start_from == LAE_START_OFFLINE)
        lae_log_warn(setup->log,
                     "train.start_from is offline: this run's tasks began from what its "
                     "own merge made; with another merge they would have learned "
                     "something else than what is merged here");
}

/* Also of a comparison that was asked to stop: what is done is shown. */
static lae_status report(struct comparing *c, lae_status status)
{
    bool stopped = lae_status_code(status) == LAE_STOPPED, first = c->restored->dist->rank == 0;
    if (status != NULL && !stopped) return status;
    lae_status shown = NULL;
    if (first && c->comparison.done > 0) shown = lae_comparison_print(stdout, &c->comparison);
    status = lae_status_first(status, shown);
    if (status == NULL && first && c->json != NULL)
        status = lae_status_prefix(lae_comparison_write(c->json, &c->comparison), "--json");
    if (!stopped) return lae_dist_agree(c->restored->dist, status);
    lae_status_free(status);
    return lae_status_new(LAE_STOPPED,
                          "stopped on request after %zu of %zu merges; the same "
                          "command begins again",
                          c->comparison.done, c->grid.count);
}

static lae_status compare(struct lae_restored *restored, const struct lae_arguments *arguments)
{
    struct comparing c = {.restored = restored,
                          .json = arguments->options[OPTION_JSON],
                          .write = arguments->options[OPTION_WRITE]};
    lae_status status = lae_replayer_open(restored, c.write != NULL, &c.replayer);
    if (status == NULL) status = lae_dist_agree(restored->dist, prepare(&c, arguments));
    if (status == NULL) {
        c.comparison = (struct lae_comparison){.restored = restored,
                                               .stored = lae_replayer_stored(c.replayer),
                                               .results = c.results,
                                               .count = c.grid.count,
                                               .written = c.write};
        lae_comparison_begin(&c.comparison);
        if (restored->dist->rank == 0) tell_run(&c);
        status = report(&c, compute(&c));
    }
    for (size_t row = 0; c.results != NULL && row < c.grid.count; row++)
        lae_metrics_free(&c.results[row].metrics);
    free(c.results);
    lae_grid_free(&c.grid);
    lae_replayer_close(c.replayer);
    return status;
}

static lae_status run(const struct lae_arguments *arguments, const struct lae_dist *dist,
                      struct lae_log *log)
{
    struct lae_restored restored;
    const char *json = arguments->options[OPTION_JSON];
    lae_status status = json != NULL && dist->rank == 0 ? lae_output_check(json) : NULL;
    LAE_TRY(lae_dist_agree(dist, lae_status_prefix(status, "--json")));
    status = lae_restored_open_bare(arguments->positional[0], arguments->settings,
                                    arguments->setting_count, dist, log, &restored);
    if (status == NULL) status = compare(&restored, arguments);
    lae_restored_close(&restored);
    return status;
}

const struct lae_command lae_command_merge = {
    .name = "merge",
    .usage = "RUN [--method LIST] [--density LIST] ... [--json FILE] [--write DIR] "
             "[KEY=VALUE ...]",
    .help = "compare what other merges make of a run's online modules, without training",
    .example = "lae_mpi merge runs/demo --method ties,mean --density 0.1,0.2",
    .positional = 1,
    .options = options,
    .keys = LAE_RESTORED_KEYS,
    .run = run,
};
