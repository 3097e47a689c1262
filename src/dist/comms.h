/* What this room keeps of MPI. Nobody above it sees MPI's own types. */
#ifndef LAE_SRC_DIST_COMMS_H
#define LAE_SRC_DIST_COMMS_H

#include <mpi.h>
#include <stddef.h>

struct lae_comms {
    MPI_Comm world;   /* all ranks of the job, or of a program's communicator: a duplicate */
    MPI_Comm node;    /* the ranks of this node */
    MPI_Comm leaders; /* the first rank of each node; MPI_COMM_NULL elsewhere */
};

/* MPI counts are ints: longer messages go in pieces. */
#define PIECE ((size_t)1 << 28) /* elements */

/* `size` bytes of `root` to all of `comm`. */
void lae_dist_broadcast_pieces(MPI_Comm comm, int root, void *data, size_t size);

#endif
