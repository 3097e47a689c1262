/* How the program was started. */
#ifndef LAE_SRC_DIST_START_H
#define LAE_SRC_DIST_START_H

#include "lae/dist/dist.h"

/* How many ranks a launcher says that it has started, and the variable that says so; 0: none does.
 * To be asked before MPI begins, which may set such variables. */
int lae_start_announced(const char **by);

/* MPI_Init waits for all ranks, for ever where one has ended with 0 or hangs on its way. In between
 * these two the wait is bounded: the program ends with a message. */
void lae_start_waiting(void);
void lae_start_done(void);

#endif
