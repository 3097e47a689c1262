/* Open MPI's shared-memory segments leave nothing behind, however the program ends. */
#ifndef LAE_SRC_DIST_SEGMENTS_H
#define LAE_SRC_DIST_SEGMENTS_H

#include "lae/dist/dist.h"

/* Takes the segments' names out of the file system, now that every rank of the node has mapped them:
 * the memory goes with the last process, also when that is killed. [collective] */
void lae_segments_forget(struct lae_dist *dist);

/* Gives them back their names, empty, for MPI_Finalize to remove. [collective] */
void lae_segments_restore(struct lae_dist *dist);

#endif
