/* Notices that a host of the job is lost: down, stopped, or cut off.
 *
 * MPI itself waits for a silent host until TCP gives up, a quarter of an hour and more, and a limit
 * on the time of MPI calls would take long work for death. So the hosts exchange heartbeats beside
 * MPI, by threads that beat however busy or patient their main threads are.
 *
 *     struct lae_watchdog *watchdog;
 *     LAE_TRY(lae_watchdog_start(dist, 60, log, &watchdog));
 *     ...
 *     lae_watchdog_stop(dist, watchdog);
 */
#ifndef LAE_DIST_WATCHDOG_H
#define LAE_DIST_WATCHDOG_H

#include "lae/base/log.h"
#include "lae/base/status.h"
#include "lae/dist/dist.h"

struct lae_watchdog;

/* From now on, until lae_watchdog_stop, a host that worked and then is silent for `seconds` ends
 * the job: a message on standard error and in the log's file, and exit code 1, without a word to
 * MPI. State on disk is whole at any moment, so nothing else is owed. Where heartbeats never get
 * through there is a warning and no more. On one host, or with 0 seconds, nothing is started and
 * *watchdog is NULL. The log's file must stay open. [collective] Errors: memory, threads. */
lae_status lae_watchdog_start(const struct lae_dist *dist, double seconds,
                              const struct lae_log *log,
                              struct lae_watchdog **watchdog) LAE_MUST_CHECK;

/* Waits for all ranks, so that none is missed while others still watch. NULL is allowed.
 * [collective] */
void lae_watchdog_stop(const struct lae_dist *dist, struct lae_watchdog *watchdog);

#endif
