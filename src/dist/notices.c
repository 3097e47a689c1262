/* A rank that is asked to stop at once sends every other rank an empty message on a communicator of
 * its own; ranks look for one whenever they wait. Nobody waits for these messages to arrive: the
 * job ends anyway, and a run that ends well has sent none. */
#include "notices.h"

#include "lae/base/clock.h"
#include "lae/base/signals.h"

#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LEAVE_SECONDS 10.0 /* how long ranks wait for rank 0 to save and end the job */

struct lae_notices {
    MPI_Comm comm;
    MPI_Request *sent; /* [size]; never waited for */
    bool urgent;
};

lae_status notices_create(struct lae_dist *dist)
{
    struct lae_notices *notices = calloc(1, sizeof *notices);
    MPI_Request *sent = calloc((size_t)dist->size, sizeof *sent);
    if (notices == NULL || sent == NULL) {
        free(notices);
        free(sent);
        return lae_out_of_memory((size_t)dist->size * sizeof *sent, "notices between ranks");
    }
    notices->sent = sent;
    MPI_Comm_dup(dist->world, &notices->comm);
    dist->notices = notices;
    return NULL;
}

void notices_free(struct lae_dist *dist)
{
    if (dist->notices == NULL) return;
    MPI_Comm_free(&dist->notices->comm);
    free(dist->notices->sent);
    free(dist->notices);
    dist->notices = NULL;
}

static void tell_others(const struct lae_dist *dist)
{
    for (int rank = 0; rank < dist->size; rank++)
        if (rank != dist->rank)
            MPI_Isend(NULL, 0, MPI_BYTE, rank, 0, dist->notices->comm, &dist->notices->sent[rank]);
}

bool lae_dist_urgent(const struct lae_dist *dist)
{
    struct lae_notices *notices = dist->notices;
    if (notices->urgent) return true;
    if (lae_signals_request() == LAE_REQUEST_NOW) {
        notices->urgent = true;
        tell_others(dist);
        return true;
    }
    int heard;
    MPI_Iprobe(MPI_ANY_SOURCE, 0, notices->comm, &heard, MPI_STATUS_IGNORE);
    notices->urgent = heard != 0;
    return notices->urgent;
}

bool lae_dist_meet(const struct lae_dist *dist)
{
    if (lae_dist_urgent(dist)) return false;
    if (dist->size == 1) return true;
    MPI_Request barrier;
    MPI_Ibarrier(dist->world, &barrier);
    for (;;) {
        int here;
        MPI_Test(&barrier, &here, MPI_STATUS_IGNORE);
        if (here) return true;
        if (lae_dist_urgent(dist)) return false;
        sched_yield();
    }
}

_Noreturn void lae_dist_leave(const struct lae_dist *dist, int code)
{
    if (dist->rank == 0) MPI_Abort(dist->world, code);
    double until = lae_clock_seconds() + LEAVE_SECONDS;
    struct timespec pause = {.tv_nsec = 10000000L};
    while (lae_clock_seconds() < until)
        nanosleep(&pause, NULL);
    _exit(code);
}
