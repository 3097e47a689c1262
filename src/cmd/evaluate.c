/* The metrics of a checkpoint once more, at any number of ranks, beside those that it stores. */
#include "lae/cmd/cmd.h"
#include "lae/learn/evaluator.h"
#include "lae/report/tables.h"
#include "lae/run/restored.h"

static void show_progress(void *log, double share)
{
    lae_log_live(log, "evaluating %.0f %%", 100.0 * share);
}

/* [collective] */
static lae_status count(const struct lae_restored *restored, struct lae_workers *workers,
                        struct lae_counts *counts)
{
    const struct lae_setup *setup = &restored->setup;
    const struct lae_state *state = &restored->state;
    struct lae_evaluator *evaluator = NULL;
    struct lae_learned learned = lae_state_learned(state, state->finished - 1);
    lae_status status = lae_workers_create(setup, workers);
    if (status == NULL) status = lae_evaluator_create(setup, workers, &evaluator);
    status = lae_dist_agree(setup->dist, status);
    if (status == NULL)
        status = lae_evaluate(evaluator, &learned, counts,
                              setup->dist->rank == 0 ? show_progress : NULL, setup->log);
    status = lae_restored_settle(restored, status); /* before what workers may use is freed */
    lae_evaluator_free(evaluator);
    return status;
}

/* Numbers that were made with other values of heads.*, as was asked, beside the file's. */
static void compare_asked(const struct lae_restored *restored, const struct lae_metrics *metrics,
                          FILE *out)
{
    fprintf(out, "\nas asked, with %s\n", restored->asked);
    int differ = lae_tables_differences(out, metrics, &restored->state.metrics,
                                        restored->state.finished - 1, LAE_SCORED_HEADS, "the file");
    fprintf(out, "  %d number(s) of these heads differ from those stored\n", differ);
}

/* Whether what was stored is what comes out, where it should. */
static void compare(const struct lae_restored *restored, const struct lae_metrics *metrics,
                    FILE *out)
{
    bool asked = restored->asked != NULL;
    if (asked) compare_asked(restored, metrics, out);
    int differences =
        lae_tables_differences(out, metrics, &restored->state.metrics, restored->state.finished - 1,
                               asked ? LAE_SCORED_LINEAR : LAE_SCORED_ALL, "the file");
    if (differences == 0)
        fprintf(out, "\n%sthe same as stored in the file\n", asked ? "all else is " : "");
    else
        fprintf(out, "\n%d %snumber(s) are not as stored in the file%s\n", differences,
                asked ? "other " : "",
                restored->other_images ? ", whose numbers are of other images" : "");
}

static lae_status report(const struct lae_restored *restored, const struct lae_metrics *metrics)
{
    const struct lae_sequence *sequence = &restored->setup.sequence;
    int task = restored->state.finished - 1;
    lae_log_info(restored->setup.log, "%s: after task %d of %d, %d of %d classes seen, %s images",
                 restored->path, task, sequence->tasks - 1, sequence->first_class[task + 1],
                 sequence->classes, lae_dataset_evaluated(&restored->setup.dataset));
    FILE *out = lae_log_results(restored->setup.log);
    LAE_TRY(lae_tables_tasks(out, metrics, task, sequence->first_class));
    compare(restored, metrics, out);
    fflush(out);
    return NULL;
}

static lae_status evaluate(const struct lae_restored *restored)
{
    struct lae_workers workers = {0};
    struct lae_counts counts = {0};
    struct lae_metrics metrics = {0};
    const struct lae_state *state = &restored->state;
    struct lae_scorers scorers = state->metrics.scorers;
    lae_status status = lae_counts_create(state->finished, &scorers, &counts);
    if (status == NULL) status = lae_metrics_create(state->tasks, &scorers, &metrics);
    status = lae_dist_agree(restored->dist, status);
    if (status == NULL) status = count(restored, &workers, &counts);
    if (status == NULL && restored->dist->rank == 0) {
        lae_metrics_record(&metrics, &counts);
        status = report(restored, &metrics);
    }
    status = lae_dist_agree(restored->dist, status);
    lae_metrics_free(&metrics);
    lae_counts_free(&counts);
    lae_workers_free(&workers);
    return status;
}

static lae_status run(const struct lae_arguments *arguments, const struct lae_dist *dist,
                      struct lae_log *log)
{
    struct lae_restored restored;
    lae_status status = lae_restored_open(arguments->positional[0], arguments->settings,
                                          arguments->setting_count, dist, log, &restored);
    if (status == NULL) status = evaluate(&restored);
    lae_restored_close(&restored);
    return status;
}

const struct lae_command lae_command_evaluate = {
    .name = "evaluate",
    .usage = "CHECKPOINT [KEY=VALUE ...]",
    .help = "measure a task file's accuracies again (or, of a run's directory, its newest's)",
    .example = "lae_mpi evaluate runs/demo eval.heads=lda heads.shrink=0.3",
    .positional = 1,
    .keys = LAE_RESTORED_KEYS,
    .run = run,
};
