/* MPI counts are ints: longer messages go in pieces. */
#ifndef LAE_SRC_DIST_PIECES_H
#define LAE_SRC_DIST_PIECES_H

#include <mpi.h>
#include <stddef.h>

#define PIECE ((size_t)1 << 28) /* elements */

/* `size` bytes of `root` to all of `comm`. */
void lae_dist_broadcast_pieces(MPI_Comm comm, int root, void *data, size_t size);

#endif
