#include "lae/report/console.h"

#include "lae/base/clock.h"
#include "lae/learn/plan.h"

#include <string.h>

#define LIVE_SECONDS 0.1   /* between two drawings of the live line */
#define PLAIN_SECONDS 20.0 /* between two plain lines where there is no terminal */

static lae_status begin(void *context, const struct lae_job *job, const struct lae_state *state,
                        int stop)
{
    struct lae_console *c = context;
    c->job = job;
    c->stop = stop;
    c->task = -1;
    lae_progress_begin(&c->progress, job, state->finished, stop);
    LAE_TRY(lae_jsonl_begin(&c->jsonl, job, state));
    return lae_tensorboard_open(&c->events, c->events_path, job, state);
}

static bool frozen(const struct lae_console *c, const struct lae_position *at)
{
    return lae_plan_frozen(c->job->config, at->task, at->epoch);
}

static void begin_task(struct lae_console *c, int task)
{
    c->task = task;
    c->task_began = c->plain_at = lae_clock_seconds();
    lae_progress_task(&c->progress, c->job, task, c->stop);
}

static bool live_is_due(struct lae_console *c)
{
    double now = lae_clock_seconds();
    if (!c->log->terminal || now - c->live_at < LIVE_SECONDS) return false;
    c->live_at = now;
    return true;
}

static void draw_live(struct lae_console *c, const struct lae_position *at, const char *what)
{
    double task, run;
    char task_text[32], run_text[32];
    lae_progress_left(&c->progress, &task, &run);
    lae_log_live(c->log, "task %d/%d  %s  %.0f images/s  left: task %s, run %s", at->task + 1,
                 at->tasks, what, c->progress.images_per_s, lae_progress_duration(task, task_text),
                 lae_progress_duration(run, run_text));
}

static lae_status finish_epoch(struct lae_console *c, const struct lae_step_report *report)
{
    const struct lae_position *at = &report->position;
    double task, run, now = lae_clock_seconds();
    char left[32], line[256];
    lae_progress_left(&c->progress, &task, &run);
    snprintf(line, sizeof line,
             "task %d/%d  epoch %d/%d%s  step %lld/%lld  loss %.4f  accuracy %.1f %%  "
             "%.0f images/s  run left %s",
             at->task + 1, at->tasks, at->epoch + 1, at->epochs,
             frozen(c, at) ? " (classifier only)" : "", (long long)at->step + 1,
             (long long)at->steps, report->epoch_loss, report->epoch_accuracy,
             c->progress.images_per_s, lae_progress_duration(run, left));
    if (!c->log->terminal && now - c->plain_at >= PLAIN_SECONDS) {
        c->plain_at = now;
        lae_log_info(c->log, "%s", line);
    } else {
        lae_log_note(c->log, "%s", line);
    }
    return lae_jsonl_epoch(&c->jsonl, report, c->progress.images_per_s);
}

/* What training steps tell, several together. */
static lae_status record_step(struct lae_console *c, const struct lae_step_report *step)
{
    int every = c->job->config->report.every_steps;
    lae_interval_add(&c->interval, step);
    if (every == 0 || (step->position.step + 1) % every != 0) return NULL;
    struct lae_interval_report report =
        lae_interval_close(&c->interval, step, c->progress.images_per_s);
    LAE_TRY(lae_jsonl_steps(&c->jsonl, &report));
    return lae_tensorboard_steps(&c->events, &report);
}

static lae_status step(void *context, const struct lae_step_report *report)
{
    struct lae_console *c = context;
    const struct lae_position *at = &report->position;
    if (at->task != c->task) begin_task(c, at->task);
    lae_progress_step(&c->progress, report, frozen(c, at));
    if (live_is_due(c)) {
        char what[128];
        snprintf(what, sizeof what, "epoch %d/%d  step %lld/%lld  loss %.3f  accuracy %.0f %%",
                 at->epoch + 1, at->epochs, (long long)at->step + 1, (long long)at->steps,
                 report->epoch_loss, report->epoch_accuracy);
        draw_live(c, at, what);
    }
    LAE_TRY(record_step(c, report));
    bool last_of_epoch = (at->step + 1) % (at->steps / at->epochs) == 0;
    return last_of_epoch ? finish_epoch(c, report) : NULL;
}

static void evaluating(void *context, const struct lae_position *position, double share)
{
    struct lae_console *c = context;
    if (position->epoch + 1 == position->epochs) lae_progress_evaluating(&c->progress, share);
    if (!live_is_due(c)) return;
    char what[64];
    snprintf(what, sizeof what, "evaluating %.0f %%", 100.0 * share);
    draw_live(c, position, what);
}

static lae_status evaluated(void *context, const struct lae_position *position,
                            const struct lae_counts *counts)
{
    struct lae_console *c = context;
    bool offline = c->job->config->merge.method->has_offline;
    char text[128];
    int used = snprintf(text, sizeof text, "online %6.2f", lae_counts_seen(counts, LAE_ONLINE));
    if (offline)
        snprintf(text + used, sizeof text - (size_t)used, "   offline %6.2f   ensemble %6.2f",
                 lae_counts_seen(counts, LAE_OFFLINE), lae_counts_seen(counts, LAE_ENSEMBLE));
    int classes = c->job->sequence.first_class[position->task + 1];
    if (position->epoch + 1 == position->epochs) {
        char seconds[32];
        lae_progress_duration(lae_clock_seconds() - c->task_began, seconds);
        lae_log_info(c->log, "task %2d/%d   %3d classes   %s   %s", position->task + 1,
                     position->tasks, classes, text, seconds);
    } else {
        lae_log_note(c->log, "task %d/%d  epoch %d/%d  %d classes  %s", position->task + 1,
                     position->tasks, position->epoch + 1, position->epochs, classes, text);
    }
    LAE_TRY(lae_jsonl_evaluation(&c->jsonl, position, counts, offline));
    return lae_tensorboard_evaluation(&c->events, position, counts, offline);
}

static lae_status merged(void *context, const struct lae_position *position,
                         const struct lae_job *job, const struct lae_state *state)
{
    struct lae_console *c = context;
    LAE_TRY(lae_jsonl_merge(&c->jsonl, position->task, &job->pet.table, state->merge));
    return lae_tensorboard_merge(&c->events, position, job, state);
}

static lae_status task_done(void *context, const struct lae_job *job, const struct lae_state *state)
{
    struct lae_console *c = context;
    LAE_TRY(lae_jsonl_task(&c->jsonl, state));
    return lae_tensorboard_task(&c->events, job, state);
}

lae_status lae_console_open(struct lae_console *console, struct lae_log *log,
                            const char *metrics_path, const char *events_path,
                            struct lae_observer *observer)
{
    *console = (struct lae_console){.log = log, .events_path = events_path, .task = -1};
    *observer = (struct lae_observer){.context = console,
                                      .begin = begin,
                                      .step = step,
                                      .evaluating = evaluating,
                                      .evaluated = evaluated,
                                      .merged = merged,
                                      .task_done = task_done};
    return lae_jsonl_open(&console->jsonl, metrics_path);
}

void lae_console_close(struct lae_console *console)
{
    lae_jsonl_close(&console->jsonl);
    lae_event_file_close(&console->events);
}
