/* Who wants to know how training goes: progress on the screen, metrics files, tables. Called on
 * rank 0's main thread; any function may be NULL. */
#ifndef LAE_LEARN_OBSERVER_H
#define LAE_LEARN_OBSERVER_H

#include "lae/run/state.h"
#include "lae/sweep/setup.h"

/* What goes once over many images and learns nothing. */
enum lae_pass { LAE_PASS_STATISTICS, LAE_PASS_EVALUATION };

struct lae_step_report {
    struct lae_position position;
    double epoch_loss;     /* mean over the epoch's steps so far */
    double epoch_accuracy; /* percent of the epoch's images so far */
    double loss;           /* mean over the batch */
    double accuracy;       /* percent of the batch right, among the task's classes */
    double lr;
    double gradient_norm; /* of the mean gradient before clipping */
    int images;
    double seconds; /* of training so far, over restarts */
};

struct lae_observer {
    void *context;
    lae_status (*begin)(void *context, const struct lae_setup *setup, const struct lae_state *state,
                        int stop);
    lae_status (*step)(void *context, const struct lae_step_report *report);
    /* Share of a pass's images done. */
    void (*passing)(void *context, const struct lae_position *position, enum lae_pass pass,
                    double share);
    lae_status (*evaluated)(void *context, const struct lae_position *position,
                            const struct lae_counts *counts);
    /* After the merge, before the evaluation; statistics are in the state. */
    lae_status (*merged)(void *context, const struct lae_position *position,
                         const struct lae_setup *setup, const struct lae_state *state);
    lae_status (*task_done)(void *context, const struct lae_setup *setup,
                            const struct lae_state *state);
};

#endif
