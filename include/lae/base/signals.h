/* Requests to stop, from signals.
 *
 *     SIGUSR1            finish the step, save, exit 75
 *     SIGINT, SIGTERM    drop the unfinished step, save at once, exit 75; a second SIGINT ends at once
 *
 * A second SIGTERM changes nothing: SLURM sends one to all processes of a job, and a launcher among
 * them sends its ranks another before they can have saved. Who means to kill sends SIGKILL.
 *
 * The handlers only note the request, in the program's one sig_atomic_t; the main thread looks.
 */
#ifndef LAE_BASE_SIGNALS_H
#define LAE_BASE_SIGNALS_H

enum lae_request { LAE_REQUEST_NONE, LAE_REQUEST_STEP, LAE_REQUEST_NOW };

/* From now on signals are noted. Unblocks them, too: see lae_signals_hold. */
void lae_signals_install(void);

/* Blocks the signals, also in a program started by exec, until it installs its handlers: a request
 * that comes in between is not lost and does not kill. */
void lae_signals_hold(void);

/* The strongest request so far. */
enum lae_request lae_signals_request(void);

#endif
