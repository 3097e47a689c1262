/* What learning changes: parameters, moments, where it stands, what was measured. The same bits on
 * every rank. */
#ifndef LAE_RUN_STATE_H
#define LAE_RUN_STATE_H

#include "lae/optim/adam.h"
#include "lae/run/metrics.h"
#include "lae/run/statistics.h"
#include "lae/store/checkpoint.h"
#include "lae/sweep/setup.h"

/* Where training stands, or stood at what is told of. Epochs and steps count from 0. */
struct lae_position {
    int task, tasks; /* tasks: where this call stops */
    int epoch, epochs;
    int64_t step, steps; /* within the task */
    int64_t before;      /* steps of the tasks before it */

    bool inside;     /* the task has begun: its classifier and Adam's moments are there */
    bool merged;     /* its steps are done and offline is merged; the evaluation is owed */
    bool owed;       /* the evaluation after the epoch before (eval.every: epoch), too */
    double loss;     /* sum over the epoch's steps so far */
    int64_t correct; /* of the epoch's images so far */
    int64_t images;
};

/* What of it is saved inside a task, with the steps that Adam has done. */
struct lae_saved_position {
    struct lae_position at;
    int64_t pet_steps, classifier_steps;
};

/* What a run's files hold of structs. */
extern const struct lae_layout lae_run_layout;

struct lae_state {
    int finished;           /* tasks */
    struct lae_position at; /* inside task number `finished`: epoch and step are the next */
    struct lae_adam pet, classifier; /* [P]; of the task at hand */
    float *init;                     /* [P] the PET parameters' initial values */
    float *online;                   /* [P] */
    float *offline;                  /* [P]; NULL with merge.method none */
    float **history;     /* rank 0: [tasks] each [P], online after that task; NULL where no merge
                            to come reads it */
    float **classifiers; /* [tasks] each weight [n, D], then bias [n]; NULL before its task */
    int tasks;
    struct lae_merge_stats *merge; /* [tensors] of the last merge of this program; zero before it */
    struct lae_statistics statistics;
    struct lae_metrics metrics; /* of eval.heads on the modules that are there; kept by rank 0 */
    char *earlier_software;     /* rank 0: other fingerprints that took part before; NULL: none */
    char *earlier_data;         /* rank 0: digests of other data that did; NULL: none */
    struct lae_earlier
        *earlier; /* rank 0: [earlier_count] configurations of tasks before a branch */
    size_t earlier_count;
    char *branched_from; /* rank 0: the file that the run branched from; NULL: none */
    double seconds;      /* of training so far, over restarts */
};

/* What was learned of tasks 0..task, from wherever it comes. Not owned. */
struct lae_learned {
    int task;
    const float *view[LAE_VIEWS]; /* [P]; NULL: there is none. Two that are the same vector are
                                     computed once */
    float *const *classifiers;    /* [task + 1] each weight [n, D], then bias [n] */
    const struct lae_statistics *statistics;
};

/* A fresh start: initial values, no task finished. Errors: memory. Not collective. */
lae_status lae_state_create(const struct lae_setup *setup, struct lae_state *state) LAE_MUST_CHECK;
void lae_state_free(struct lae_state *state);

/* Bytes that rank 0 needs besides what all ranks do, when all tasks are learned: metrics, class
 * statistics and classifiers, and as much again while they are saved and read back. */
size_t lae_state_need(const struct lae_setup *setup);

/* Gives task `task` its classifier, as the objective begins one. */
lae_status lae_state_append_classifier(const struct lae_setup *setup, struct lae_state *state,
                                       int task) LAE_MUST_CHECK;

/* Begins task number `finished`: its classifier, a fresh Adam, the first step. Online, until now
 * the module that learned the task before, is remembered where merges to come read it, and starts
 * from offline where train.start_from says so. Errors: memory. Not collective. */
lae_status lae_state_begin_task(const struct lae_setup *setup,
                                struct lae_state *state) LAE_MUST_CHECK;

/* Makes history[task], to be filled. Errors: memory. */
lae_status lae_state_make_history(const struct lae_setup *setup, struct lae_state *state,
                                  int task) LAE_MUST_CHECK;

/* For evaluations after `task` and class statistics of it. While task 0 is learned, offline is
 * online. */
struct lae_learned lae_state_learned(const struct lae_state *state, int task);

/* From now on there are no class statistics, and no heads made from them. Errors: memory. */
lae_status lae_state_drop_statistics(const struct lae_setup *setup,
                                     struct lae_state *state) LAE_MUST_CHECK;

/* What rank 0 restored reaches the others, whose states are fresh. [collective] Errors: memory. */
lae_status lae_state_send(const struct lae_setup *setup, struct lae_state *state) LAE_MUST_CHECK;

/* The vectors a merge works on. */
struct lae_merge_vectors lae_state_vectors(const struct lae_setup *setup,
                                           const struct lae_state *state);

/* What task number `finished`, its steps done, leaves in the offline module: after task 0 a copy of
 * online; then what the method makes of them, at rank 0, for all. The merge's statistics are rank
 * 0's. [collective] Errors, the same on all ranks: memory. */
lae_status lae_state_accumulate(const struct lae_setup *setup,
                                struct lae_state *state) LAE_MUST_CHECK;

/* SHA-256 of all parameters, for ranks to compare. */
lae_status lae_state_digest(const struct lae_setup *setup, const struct lae_state *state,
                            char text[65]) LAE_MUST_CHECK;

#endif
