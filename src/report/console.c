#include "lae/report/console.h"

#include "lae/base/clock.h"
#include "lae/report/task_table.h"
#include "lae/run/plan.h"

#include <math.h>
#include <string.h>
#include <time.h>

#define FORECAST_SECONDS 5.0

static lae_status begin(void *context, const struct lae_setup *setup, const struct lae_state *state,
                        int stop)
{
    struct lae_console *c = context;
    c->setup = setup;
    c->stop = stop;
    c->task = -1;
    c->pace = lae_pace_begin(c->log);
    lae_progress_begin(&c->progress, setup, state->finished, stop);
    LAE_TRY(lae_jsonl_begin(&c->jsonl, setup, state));
    return lae_tensorboard_open(&c->events, c->events_path, setup, state);
}

static bool frozen(const struct lae_console *c, const struct lae_position *at)
{
    return lae_plan_frozen(c->setup->config, at->task, at->epoch);
}

static void begin_task(struct lae_console *c, const struct lae_position *at)
{
    double now = lae_clock_seconds();
    c->task = at->task;
    c->interval = (struct lae_interval){0}; /* no mean is over two tasks */
    c->task_began = at->step == 0 ? now : NAN;
    lae_progress_task(&c->progress, c->setup, at->task, c->stop);
}

static void draw_step(struct lae_console *c, const struct lae_step_report *report)
{
    const struct lae_position *at = &report->position;
    char forms[4][LAE_LIVE_LINE], task[32], run[32], task_clock[32], run_clock[32];
    double task_left, run_left, loss = report->epoch_loss, accuracy = report->epoch_accuracy;
    long long step = (long long)at->step + 1, steps = (long long)at->steps;
    lae_progress_left(&c->progress, &task_left, &run_left);
    lae_progress_duration(task_left, task);
    lae_progress_duration(run_left, run);
    lae_progress_clock(task_left, task_clock);
    lae_progress_clock(run_left, run_clock);
    snprintf(forms[0], LAE_LIVE_LINE,
             "task %d/%d  epoch %d/%d  step %lld/%lld  loss %.3f  accuracy %.0f %%  %.0f images/s  "
             "left: task %s, run %s",
             at->task + 1, at->tasks, at->epoch + 1, at->epochs, step, steps, loss, accuracy,
             c->progress.images_per_s, task, run);
    snprintf(forms[1], LAE_LIVE_LINE,
             "task %d/%d  epoch %d/%d  step %lld/%lld  loss %.3f  acc %.0f %%  %.0f/s  left: task "
             "%s, run %s",
             at->task + 1, at->tasks, at->epoch + 1, at->epochs, step, steps, loss, accuracy,
             c->progress.images_per_s, task_clock, run_clock);
    snprintf(forms[2], LAE_LIVE_LINE,
             "%d/%d  epoch %d/%d  %lld/%lld  loss %.3f  acc %.0f %%  %.0f/s  left %s, %s",
             at->task + 1, at->tasks, at->epoch + 1, at->epochs, step, steps, loss, accuracy,
             c->progress.images_per_s, task_clock, run_clock);
    snprintf(forms[3], LAE_LIVE_LINE, "%d/%d  %lld/%lld  loss %.3f  left %s", at->task + 1,
             at->tasks, step, steps, loss, run_clock);
    lae_pace_draw(&c->pace, forms, 4);
}

static void write_step(struct lae_console *c, const struct lae_step_report *report,
                       char line[LAE_LIVE_LINE])
{
    const struct lae_position *at = &report->position;
    double task, run;
    char left[32];
    lae_progress_left(&c->progress, &task, &run);
    snprintf(line, LAE_LIVE_LINE,
             "task %d/%d  epoch %d/%d%s  step %lld/%lld  loss %.4f  accuracy %.1f %%  "
             "%.0f images/s  run left %s",
             at->task + 1, at->tasks, at->epoch + 1, at->epochs,
             frozen(c, at) ? " (classifier only)" : "", (long long)at->step + 1,
             (long long)at->steps, report->epoch_loss, report->epoch_accuracy,
             c->progress.images_per_s, lae_progress_duration(run, left));
}

/* Once, as soon as enough steps have been made to tell. */
static void foretell(struct lae_console *c)
{
    double task, run, elapsed = lae_progress_elapsed(&c->progress);
    char left[32], end[32] = "";
    if (c->forecast || elapsed < FORECAST_SECONDS) return;
    c->forecast = true;
    lae_progress_left(&c->progress, &task, &run);
    time_t then = time(NULL) + (time_t)run;
    struct tm parts;
    if (localtime_r(&then, &parts) != NULL)
        strftime(end, sizeof end, run < 72000.0 ? "%H:%M" : "%Y-%m-%d %H:%M", &parts);
    lae_log_item(c->log, "time", "about %s for what is to be learned, until %s; %.0f images/s",
                 lae_progress_duration(run + elapsed, left), end, c->progress.images_per_s);
}

/* What training steps tell, several together. */
static lae_status record_step(struct lae_console *c, const struct lae_step_report *step)
{
    int every = c->setup->config->report.every_steps;
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
    char line[LAE_LIVE_LINE];
    if (at->task != c->task) begin_task(c, at);
    lae_progress_step(&c->progress, report, frozen(c, at));
    foretell(c);
    if (lae_pace_live(&c->pace)) draw_step(c, report);
    LAE_TRY(record_step(c, report));
    bool last_of_epoch = (at->step + 1) % (at->steps / at->epochs) == 0;
    bool plain = lae_pace_plain(&c->pace);
    if (!plain && !last_of_epoch) return NULL;
    write_step(c, report, line);
    if (plain)
        lae_log_info(c->log, "%s", line);
    else
        lae_log_note(c->log, "%s", line);
    return last_of_epoch ? lae_jsonl_epoch(&c->jsonl, report, c->progress.images_per_s) : NULL;
}

static void passing(void *context, const struct lae_position *position, enum lae_pass pass,
                    double share)
{
    struct lae_console *c = context;
    const char *what = pass == LAE_PASS_STATISTICS ? "class statistics" : "evaluating";
    if (position->epoch + 1 == position->epochs) lae_progress_passing(&c->progress, pass, share);
    bool live = lae_pace_live(&c->pace), plain = lae_pace_plain(&c->pace);
    if (!live && !plain) return;
    char forms[2][LAE_LIVE_LINE], task_text[32], run_text[32];
    double task, run;
    lae_progress_left(&c->progress, &task, &run);
    lae_progress_duration(task, task_text);
    lae_progress_duration(run, run_text);
    snprintf(forms[0], LAE_LIVE_LINE, "task %d/%d  %s, %.0f %% done  left: task %s, run %s",
             position->task + 1, position->tasks, what, 100.0 * share, task_text, run_text);
    snprintf(forms[1], LAE_LIVE_LINE, "task %d/%d  %s, %.0f %% done", position->task + 1,
             position->tasks, what, 100.0 * share);
    if (live)
        lae_pace_draw(&c->pace, forms, 2);
    else
        lae_log_info(c->log, "%s", forms[0]);
}

/* Of epochs inside a task to the log; of the task there will be a table. */
static void note_evaluation(struct lae_console *c, const struct lae_position *position,
                            const struct lae_counts *counts)
{
    char text[LAE_LIVE_LINE] = "";
    size_t used = 0;
    for (int i = 0; i < counts->scorers.count && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s %6.2f", i > 0 ? "   " : "",
                                 counts->scorers.items[i].name, lae_counts_seen(counts, i));
    lae_log_note(c->log, "task %d/%d  epoch %d/%d  %d classes  %s", position->task + 1,
                 position->tasks, position->epoch + 1, position->epochs,
                 c->setup->sequence.first_class[position->task + 1], text);
}

static lae_status evaluated(void *context, const struct lae_position *position,
                            const struct lae_counts *counts)
{
    struct lae_console *c = context;
    if (position->epoch + 1 < position->epochs) note_evaluation(c, position, counts);
    LAE_TRY(lae_jsonl_evaluation(&c->jsonl, position, counts));
    return lae_tensorboard_evaluation(&c->events, position, c->setup, counts);
}

static lae_status merged(void *context, const struct lae_position *position,
                         const struct lae_setup *setup, const struct lae_state *state)
{
    struct lae_console *c = context;
    LAE_TRY(lae_jsonl_merge(&c->jsonl, position->task, &setup->pet.table, state->merge));
    return lae_tensorboard_merge(&c->events, position, setup, state);
}

static lae_status task_done(void *context, const struct lae_setup *setup,
                            const struct lae_state *state)
{
    struct lae_console *c = context;
    struct lae_task_table table = {
        .metrics = &state->metrics,
        .task = state->finished - 1,
        .tasks = c->stop,
        .classes = setup->sequence.first_class[state->finished],
        .seconds = c->task == state->finished - 1 ? lae_clock_seconds() - c->task_began : NAN};
    lae_log_block(c->log, lae_task_table_write, &table);
    LAE_TRY(lae_jsonl_task(&c->jsonl, state));
    return lae_tensorboard_task(&c->events, setup, state);
}

lae_status lae_console_open(struct lae_console *console, struct lae_log *log,
                            const char *metrics_path, const char *events_path,
                            struct lae_observer *observer)
{
    *console = (struct lae_console){.log = log, .events_path = events_path, .task = -1};
    *observer = (struct lae_observer){.context = console,
                                      .begin = begin,
                                      .step = step,
                                      .passing = passing,
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
