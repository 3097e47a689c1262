/* Seeing to it that mpirun ends. */
#ifndef LAE_SRC_DIST_LAUNCHER_H
#define LAE_SRC_DIST_LAUNCHER_H

#include <stdbool.h>

/* Has the mpirun that started this rank asked to end the job, as an interrupt from a terminal
 * would, and, if it is still there three seconds later, to end at once. It kills this rank on the
 * way. False: nothing was done, as another kind of process started the rank. */
bool lae_launcher_end(void);

#endif
