/* Scorers on the test images of all tasks so far (METHOD section 8). */
#ifndef LAE_LEARN_EVALUATOR_H
#define LAE_LEARN_EVALUATOR_H

#include "lae/learn/scoring.h"
#include "lae/run/metrics.h"
#include "lae/sweep/sweep.h"
#include "lae/sweep/workers.h"

struct lae_evaluator;

/* Uses the workers, which must outlive it. Not collective: the caller agrees. Errors: memory. */
lae_status lae_evaluator_create(const struct lae_setup *setup, struct lae_workers *workers,
                                struct lae_evaluator **evaluator) LAE_MUST_CHECK;
void lae_evaluator_free(struct lae_evaluator *evaluator); /* NULL is allowed */

/* For evaluations of several offline modules beside the same online ones: from now on the online
 * module given for each of the first `tasks` tasks must be always the same, and its features are
 * computed only once. They take 4 * D bytes for each task and each test image evaluated after it,
 * over all ranks. Not collective. Errors: memory. */
lae_status lae_evaluator_keep_online(struct lae_evaluator *evaluator, int tasks) LAE_MUST_CHECK;

/* For evaluations after several tasks: from now on the initial module's features of a test image,
 * which no task changes, are computed only once. They take 4 * D bytes for each test image, over
 * all ranks. Not collective. Errors: memory. */
lae_status lae_evaluator_keep_init(struct lae_evaluator *evaluator) LAE_MUST_CHECK;

/* Bytes that training's will take of this rank, with those features where setup->config wants them.
 */
size_t lae_evaluator_need(const struct lae_setup *setup);

/* From now on what the blocks below the first adapted one make of a test image is computed only
 * once, of as many images of tasks 0..tasks-1 as fit into `room` bytes on this rank. Not
 * collective. Errors: memory. */
lae_status lae_evaluator_keep_trunks(struct lae_evaluator *evaluator, int tasks,
                                     double room) LAE_MUST_CHECK;

/* Test images of tasks 0..learned->task are dealt to the ranks; each is loaded once and shares the
 * blocks below the first adapted one. counts, made for as many tasks and for the scorers that are
 * wanted, are written, the same on all ranks. `learned` is used until the next call or the end.
 * [collective] Errors, the same on all ranks: a head that cannot be made; scores that are not
 * finite; LAE_STOPPED: a request to stop came; workers may still be at it, until lae_team_drain. */
lae_status lae_evaluate(struct lae_evaluator *evaluator, const struct lae_learned *learned,
                        struct lae_counts *counts, lae_sweep_progress *progress,
                        void *context) LAE_MUST_CHECK;

#endif
