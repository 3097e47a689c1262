#include "lae/learn/progress.h"

#include "lae/base/clock.h"
#include "lae/run/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TRAIN_COST 3.0     /* of an image forward and backward, in forward passes */
#define WINDOW_SECONDS 2.0 /* over which images a second are averaged */

enum { TRAINING, STATISTICS, EVALUATION, DONE };

static double training_work(const struct lae_setup *setup, int task)
{
    const struct lae_config *config = setup->config;
    size_t images = setup->sequence.images[LAE_TRAIN][task].count;
    double per_epoch = (double)images;
    if (config->data.drop_last && images >= (size_t)config->train.batch_size)
        per_epoch = (double)lae_plan_steps(config, images) * config->train.batch_size;
    double cost = 0.0;
    for (int epoch = 0; epoch < config->train.epochs; epoch++)
        cost += lae_plan_frozen(config, task, epoch) ? 1.0 : TRAIN_COST;
    return per_epoch * cost;
}

static int count_views(unsigned views)
{
    int count = 0;
    for (int m = 0; m < LAE_VIEWS; m++)
        count += (int)(views >> m & 1);
    return count;
}

/* Those of `views` that differ: there may be no offline, and at first it is online. */
static unsigned different(const struct lae_setup *setup, int task, unsigned views)
{
    unsigned offline = 1U << LAE_VIEW_OFFLINE, online = 1U << LAE_VIEW_ONLINE;
    if ((views & offline) == 0) return views;
    if (!setup->config->merge.method->has_offline) return views & ~offline;
    return task == 0 ? (views & ~offline) | online : views;
}

static double statistics_work(const struct lae_setup *setup, int task)
{
    unsigned views = different(setup, task, setup->config->stats.views);
    return (double)setup->sequence.images[LAE_TRAIN][task].count * count_views(views);
}

/* The features by init of the earlier tasks' images are kept. */
static double evaluation_work(const struct lae_setup *setup, int task)
{
    double images = 0.0;
    for (int k = 0; k <= task; k++)
        images += (double)setup->sequence.images[LAE_TEST][k].count;
    unsigned linear = 1U << LAE_VIEW_ONLINE | 1U << LAE_VIEW_OFFLINE,
             heads = setup->config->eval.heads;
    unsigned last = (heads & LAE_LINEAR_HEADS) != 0 ? linear : 0;
    if ((heads & ~LAE_LINEAR_HEADS) != 0) last |= setup->config->stats.views;
    int before = setup->config->eval.every == LAE_EVAL_EPOCH ? setup->config->train.epochs - 1 : 0;
    last = different(setup, task, last);
    double kept = (last >> LAE_VIEW_INIT & 1) != 0
                      ? images - (double)setup->sequence.images[LAE_TEST][task].count
                      : 0.0;
    return images * (before * count_views(different(setup, task, linear)) + count_views(last)) -
           kept;
}

void lae_progress_begin(struct lae_progress *progress, const struct lae_setup *setup, int first,
                        int stop)
{
    *progress = (struct lae_progress){.began = lae_clock_seconds()};
    progress->window_began = progress->began;
    if (first < stop) lae_progress_task(progress, setup, first, stop);
}

void lae_progress_task(struct lae_progress *progress, const struct lae_setup *setup, int task,
                       int stop)
{
    progress->task_work[TRAINING] = training_work(setup, task);
    progress->task_work[STATISTICS] = statistics_work(setup, task);
    progress->task_work[EVALUATION] = evaluation_work(setup, task);
    progress->task_work[DONE] = 0.0;
    progress->later_work = 0.0;
    if (progress->images_per_s > 0.0) progress->window_began = NAN;
    for (int later = task + 1; later < stop; later++)
        progress->later_work += training_work(setup, later) + statistics_work(setup, later) +
                                evaluation_work(setup, later);
}

void lae_progress_step(struct lae_progress *progress, const struct lae_step_report *report,
                       bool frozen)
{
    double work = report->images * (frozen ? 1.0 : TRAIN_COST), now = lae_clock_seconds();
    progress->done += work;
    progress->task_work[DONE] += work;
    if (isnan(progress->window_began)) {
        progress->window_began = now;
        progress->window_images = 0.0;
        return;
    }
    progress->window_images += report->images;
    double elapsed = now - progress->window_began;
    if (elapsed < WINDOW_SECONDS && progress->images_per_s > 0.0) return;
    progress->images_per_s = elapsed > 0.0 ? progress->window_images / elapsed : 0.0;
    if (elapsed < WINDOW_SECONDS) return;
    progress->window_began = now;
    progress->window_images = 0.0;
}

void lae_progress_passing(struct lae_progress *progress, enum lae_pass pass, double share)
{
    const double *work = progress->task_work;
    double at = pass == LAE_PASS_STATISTICS
                    ? work[TRAINING] + share * work[STATISTICS]
                    : work[TRAINING] + work[STATISTICS] + share * work[EVALUATION];
    if (at > progress->task_work[DONE]) {
        progress->done += at - progress->task_work[DONE];
        progress->task_work[DONE] = at;
    }
    progress->window_began = lae_clock_seconds();
    progress->window_images = 0.0;
}

double lae_progress_elapsed(const struct lae_progress *progress)
{
    return lae_clock_seconds() - progress->began;
}

void lae_progress_left(const struct lae_progress *progress, double *task, double *run)
{
    double elapsed = lae_progress_elapsed(progress);
    double rate = elapsed > 0.0 ? progress->done / elapsed : 0.0;
    const double *work = progress->task_work;
    double left = work[TRAINING] + work[STATISTICS] + work[EVALUATION] - work[DONE];
    *task = rate > 0.0 ? fmax(left, 0.0) / rate : NAN;
    *run = rate > 0.0 ? (fmax(left, 0.0) + progress->later_work) / rate : NAN;
}

static bool can_be_told(double seconds)
{
    return isfinite(seconds) && seconds >= 0.0 && seconds <= 1e8;
}

const char *lae_progress_clock(double seconds, char text[32])
{
    if (!can_be_told(seconds)) return strcpy(text, "?");
    long s = lround(seconds);
    if (s < 3600)
        snprintf(text, 32, "%ld:%02ld", s / 60, s % 60);
    else
        snprintf(text, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    return text;
}

const char *lae_progress_duration(double seconds, char text[32])
{
    if (!can_be_told(seconds)) return strcpy(text, "?");
    long s = lround(seconds);
    if (s < 60)
        snprintf(text, 32, "%ld s", s);
    else if (s < 3600)
        snprintf(text, 32, "%ld min %02ld s", s / 60, s % 60);
    else
        snprintf(text, 32, "%ld h %02ld min", s / 3600, s / 60 % 60);
    return text;
}
