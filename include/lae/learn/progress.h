/* How far a run is and how long it will take, from the work done so far.
 *
 * Work is counted in forward passes of one image: an image trained with its modules costs about
 * three, one of a freeze epoch one; one that class statistics take in, or a test image, one for
 * each view that looks at it. */
#ifndef LAE_LEARN_PROGRESS_H
#define LAE_LEARN_PROGRESS_H

#include "lae/learn/observer.h"

struct lae_progress {
    double task_work[4]; /* of the task at hand: training, statistics, evaluation, already done */
    double later_work;   /* of the tasks after it */
    double done;         /* since the beginning */
    double began;        /* monotonic seconds */
    double window_began, window_images; /* NaN: with the end of the next step, which came after
                                           other work */
    double images_per_s;
};

/* The work of tasks first..stop-1. */
void lae_progress_begin(struct lae_progress *progress, const struct lae_setup *setup, int first,
                        int stop);

/* Call when a task begins, before its first step is told. */
void lae_progress_task(struct lae_progress *progress, const struct lae_setup *setup, int task,
                       int stop);

/* Call after a step; `frozen`: only the classifier learned. */
void lae_progress_step(struct lae_progress *progress, const struct lae_step_report *report,
                       bool frozen);

/* Call during what follows a task's training, with the share of its images done. */
void lae_progress_passing(struct lae_progress *progress, enum lae_pass pass, double share);

/* Seconds left for the task and for the run; NaN before anything is known. */
void lae_progress_left(const struct lae_progress *progress, double *task, double *run);

/* Seconds since this program began to learn. */
double lae_progress_elapsed(const struct lae_progress *progress);

/* "1:02:03", "3:20", "0:12", "?" into text. Returns text. */
const char *lae_progress_clock(double seconds, char text[32]);

/* "1 h 02 min", "3 min 20 s", "12 s", "?" into text. Returns text. */
const char *lae_progress_duration(double seconds, char text[32]);

#endif
