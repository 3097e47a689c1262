/* Requests to stop, from signals.
 *
 *     SIGUSR1, SIGUSR2   finish the step, save, exit 75
 *     SIGTERM, SIGHUP    drop the unfinished step, save at once, exit 75; the same again, more than a
 *                        second later and still unanswered, ends at once
 *     SIGINT             as SIGTERM; a second one ends at once
 *     SIGXCPU            as SIGTERM: the limit of processor time is near
 *     SIGPIPE, SIGXFSZ   ignored: write(2) tells of them
 *
 * Within a second a SIGTERM changes nothing: SLURM sends one to all processes of a job, and a
 * launcher among them sends its ranks another before they can have saved. A SIGHUP that was ignored
 * when the program began, as nohup(1) has it, stays so.
 *
 * The handlers only note the request and when it came; the main thread looks.
 */
#ifndef LAE_BASE_SIGNALS_H
#define LAE_BASE_SIGNALS_H

#include <stdbool.h>

enum lae_request { LAE_REQUEST_NONE, LAE_REQUEST_STEP, LAE_REQUEST_NOW };

/* From now on a write to a closed pipe, or beyond the limit of a file's size, is an error of that
 * write and no longer the program's end. */
void lae_signals_leave_writing(void);

/* From now on signals are noted. Unblocks them, too: see lae_signals_hold. */
void lae_signals_install(void);

/* Blocks the signals, also in a program started by exec, until it installs its handlers: a request
 * that comes in between is not lost and does not kill. */
void lae_signals_hold(void);

/* An urgent request is being done: this rank is no longer at work, but saves, or waits for the one
 * that does. It may take its time, and a request that is repeated does not end it. */
void lae_signals_answer(void);

/* The strongest request so far. */
enum lae_request lae_signals_request(void);

/* Has the work done by a copy of this process, in a session of its own, and waits for it. Whoever
 * ends this process and its group meanwhile (Open MPI 5's mpirun does, a quarter of a second after
 * SIGTERM) does not end the work. False: it was not done, or not well. The copy has none of this
 * one's threads, and must not use MPI. From then on this process ignores SIGTERM and SIGHUP. */
bool lae_outlive(bool (*work)(void *context), void *context);

#endif
