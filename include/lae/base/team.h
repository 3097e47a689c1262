/* The thread team: a fixed set of threads that do one job together, again and again.
 *
 * Workers sleep between jobs; the calling thread sleeps during one, so that it can answer a request
 * to stop while the workers compute. Items of a job are dealt dynamically, so which worker does
 * which item is not determined: results must not depend on it. Signals are blocked in the workers,
 * so that the main thread gets them.
 */
#ifndef LAE_BASE_TEAM_H
#define LAE_BASE_TEAM_H

#include "lae/base/status.h"

#include <stdbool.h>
#include <stddef.h>

#define LAE_MAX_THREADS 1024

struct lae_team;

/* One item of a job, done by `worker` in 0..threads-1. */
typedef void lae_team_work(void *context, int worker, size_t item);

/* `threads` workers, 1 to LAE_MAX_THREADS. */
lae_status lae_team_create(int threads, struct lae_team **team) LAE_MUST_CHECK;
void lae_team_free(struct lae_team *team);

int lae_team_threads(const struct lae_team *team);

/* Does items 0..count-1 and returns when all are done. Called by the thread that made the team. */
void lae_team_run(struct lae_team *team, size_t count, lae_team_work *work, void *context);

/* The same, but asks `interrupted` every few milliseconds, on the calling thread; once it says
 * true, items not yet begun are dropped and false is returned at once, while items that were begun
 * go on: nothing that they write may then be read, and the team can only be freed. */
bool lae_team_run_unless(struct lae_team *team, size_t count, lae_team_work *work, void *context,
                         bool (*interrupted)(void *), void *interrupted_context);

/* Waits for the items that an interrupted job left begun. */
void lae_team_drain(struct lae_team *team);

/* Calls work(context, worker, worker) exactly once on each worker: to place memory, for one. */
void lae_team_each(struct lae_team *team, lae_team_work *work, void *context);

#endif
