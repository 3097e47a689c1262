#include "lae/cmd/cmd.h"
#include "lae/dist/watchdog.h"
#include "lae/files/map.h"
#include "lae/learn/trainer.h"
#include "lae/report/console.h"
#include "lae/report/introduction.h"
#include "lae/report/tables.h"
#include "lae/run/directory.h"
#include "lae/run/plan.h"
#include "lae/run/state.h"
#include "lae/sweep/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rank 0 reads the configuration for all. [collective] */
static lae_status share_config(const struct lae_arguments *arguments, const struct lae_dist *dist,
                               struct lae_log *log, struct lae_config *config)
{
    lae_status status = NULL;
    if (dist->rank == 0) {
        status = lae_configure(arguments, config);
        if (status == NULL) status = lae_config_validate(config, log);
        if (status == NULL && !arguments->print_config) status = lae_data_home_check(config);
    }
    LAE_TRY(lae_dist_agree(dist, status));
    return lae_setup_share_config(dist, config);
}

static lae_status print_config(const struct lae_config *config)
{
    char *text = NULL;
    LAE_TRY(lae_config_print(config, &text));
    fputs(text, stdout);
    free(text);
    return NULL;
}

static void say_where(const struct lae_run_directory *dir, struct lae_log *log)
{
    lae_log_info(log, "results in %s; list them with: h5ls -rE \"%s/run.h5\"", dir->path,
                 dir->path);
}

/* A run that is whole has nothing to learn: its table is shown from its last file. */
static lae_status show_whole(struct lae_run_directory *dir, const struct lae_config *config,
                             struct lae_log *log)
{
    struct lae_metrics metrics;
    LAE_TRY(lae_run_directory_check_whole(dir, config, log));
    LAE_TRY(lae_status_prefix(lae_metrics_from_checkpoint(&dir->last, &metrics), "%s", dir->path));
    bool all = dir->finished == dir->task_count;
    lae_log_info(log, "%s is whole%s: %d of %d tasks are learned", dir->path,
                 all ? "" : " as far as run.tasks asks", dir->finished, dir->task_count);
    lae_status status = lae_tables_run(lae_log_results(log), &metrics, dir->finished);
    lae_tell_evaluated(config, log);
    lae_metrics_free(&metrics);
    return status;
}

static lae_status train(struct lae_setup *setup, struct lae_run_directory *dir,
                        struct lae_state *state)
{
    struct lae_console console = {0};
    struct lae_observer observer = {0};
    lae_status status = NULL;
    char *events = NULL;
    if (setup->dist->rank == 0) {
        char *path = lae_path_join(dir->path, "metrics.jsonl");
        events = lae_path_join(dir->path, "events");
        status = path == NULL || events == NULL
                     ? lae_out_of_memory(64, "a path")
                     : lae_console_open(&console, setup->log, path, events, &observer);
        free(path);
    }
    status = lae_dist_agree(setup->dist, status);
    if (status == NULL) status = lae_train(setup, dir, state, &observer);
    if (setup->dist->rank == 0) lae_console_close(&console);
    free(events);
    if (status == NULL && setup->dist->rank == 0) {
        lae_tell_evaluated(setup->config, setup->log);
        say_where(dir, setup->log);
        status = lae_tables_run(lae_log_results(setup->log), &state->metrics, state->finished);
    }
    return lae_dist_agree(setup->dist, status);
}

/* Where a run that was begun before goes on. */
static void tell_where(const struct lae_setup *setup, const struct lae_state *state)
{
    if (state->at.inside)
        lae_log_info(setup->log, "going on in task %d of %d, after %lld of its steps",
                     state->finished + 1, state->tasks, (long long)state->at.step);
    else
        lae_log_info(setup->log, "going on after task %d of %d", state->finished, state->tasks);
}

static lae_status begin_and_train(struct lae_setup *setup, struct lae_run_directory *dir)
{
    struct lae_state state = {0};
    lae_introduce(setup, dir->path);
    if (lae_environment_news() != NULL) lae_log_warn(setup->log, "%s", lae_environment_news());
    lae_status status = lae_dist_agree(setup->dist, lae_state_create(setup, &state));
    if (status == NULL) status = lae_run_directory_restore(dir, setup, &state);
    if (status == NULL && dir->found) tell_where(setup, &state);
    if (status == NULL) status = train(setup, dir, &state);
    lae_state_free(&state);
    return status;
}

static lae_status run_in(const struct lae_config *config, const struct lae_dist *dist,
                         struct lae_log *log, struct lae_run_directory *dir)
{
    bool whole = dir->found && dir->finished >= lae_plan_stop(config, dir->task_count);
    if (whole) return lae_dist_agree(dist, dist->rank == 0 ? show_whole(dir, config, log) : NULL);
    struct lae_watchdog *watchdog;
    LAE_TRY(lae_watchdog_start(dist, config->compute.watchdog_seconds, log, &watchdog));
    struct lae_setup setup;
    lae_status status = lae_setup_open(config, dist, log, &setup);
    if (status == NULL) status = lae_setup_check_images(&setup);
    if (status == NULL) status = begin_and_train(&setup, dir);
    lae_setup_close(&setup);
    lae_watchdog_stop(dist, watchdog);
    return status;
}

static lae_status run(const struct lae_arguments *arguments, const struct lae_dist *dist,
                      struct lae_log *log)
{
    struct lae_config config = {0};
    lae_status status = share_config(arguments, dist, log, &config);
    if (status == NULL && arguments->print_config) {
        status = lae_dist_agree(dist, dist->rank == 0 ? print_config(&config) : NULL);
    } else if (status == NULL) {
        struct lae_run_directory dir;
        status = lae_run_directory_open(&config, dist, log, &dir);
        if (status == NULL) status = run_in(&config, dist, log, &dir);
        if (lae_status_code(status) == LAE_BAD_INPUT) lae_run_directory_undo(&dir, log);
        lae_run_directory_close(&dir);
    }
    lae_config_free(&config);
    return status;
}

const struct lae_command lae_command_train = {
    .name = "train",
    .usage = "[--config FILE] [--print-config] [KEY=VALUE ...]",
    .help = "learn a task sequence (the default); without data and weights the demonstration",
    .example = "lae_mpi train --config lae_ties.yaml train.epochs=1 run.name=short",
    .configurable = true,
    .run = run,
};
