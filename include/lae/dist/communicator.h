/* Ranks that a program has already: where MPI was begun by somebody else. */
#ifndef LAE_DIST_COMMUNICATOR_H
#define LAE_DIST_COMMUNICATOR_H

#include "lae/dist/dist.h"

#include <mpi.h>

/* All of `comm` as the ranks. It is duplicated; MPI must have been begun with MPI_THREAD_FUNNELED
 * or more. [collective] Errors: memory, less thread support; there is then nothing to release. */
lae_status lae_dist_use(MPI_Comm comm, struct lae_dist *dist) LAE_MUST_CHECK;

/* Gives up what lae_dist_use made; MPI goes on. Zeroed: allowed. [collective] */
void lae_dist_release(struct lae_dist *dist);

#endif
