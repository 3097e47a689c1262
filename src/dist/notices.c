/* Requests to stop, told from rank to rank.
 *
 * A rank that was asked (by a signal) sends every other rank an empty message, whose tag says how
 * urgent it is, on a communicator of its own; ranks look for one while they wait, and drop what
 * they are at. What they then do together is decided where they meet: every rank brings the
 * strongest request that it knows of, and all leave with the strongest of all. So all take the same
 * way, and ordinary collective calls may follow.
 *
 * Where a rank has died, they would wait for ever. An urgent request (launchers send SIGTERM to the
 * ranks that are left) bounds the wait.
 */
#include "notices.h"

#include "comms.h"

#include "lae/base/clock.h"

#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_SECONDS 0.3 /* mpirun sends SIGKILL a second after SIGTERM */
#define LEAVE_SECONDS 10.0 /* how long ranks wait for rank 0 to save and for the launcher's end */

struct lae_notices {
    MPI_Comm comm;
    enum lae_request told, heard; /* the strongest of this rank and of others */
    bool broken;
};

lae_status lae_notices_create(struct lae_dist *dist)
{
    struct lae_notices *notices = calloc(1, sizeof *notices);
    lae_status status =
        notices == NULL ? lae_out_of_memory(sizeof *notices, "notices between ranks") : NULL;
    status = lae_dist_agree(dist, status);
    if (status != NULL) {
        free(notices);
        return status;
    }
    MPI_Comm_dup(dist->comms->world, &notices->comm);
    dist->notices = notices;
    return NULL;
}

/* What was sent and not looked for. */
static void listen(struct lae_notices *notices)
{
    for (;;) {
        int heard;
        MPI_Status message;
        MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, notices->comm, &heard, &message);
        if (!heard) return;
        MPI_Recv(NULL, 0, MPI_BYTE, message.MPI_SOURCE, message.MPI_TAG, notices->comm,
                 MPI_STATUS_IGNORE);
        if (message.MPI_TAG > (int)notices->heard)
            notices->heard = (enum lae_request)message.MPI_TAG;
    }
}

void lae_notices_free(struct lae_dist *dist)
{
    if (dist->notices == NULL) return;
    MPI_Barrier(dist->comms->world);
    listen(dist->notices);
    MPI_Comm_free(&dist->notices->comm);
    free(dist->notices);
    dist->notices = NULL;
}

/* Nobody waits for these messages to arrive: where it matters, ranks meet. */
static void tell_others(const struct lae_dist *dist, enum lae_request request)
{
    for (int rank = 0; rank < dist->size; rank++) {
        if (rank == dist->rank) continue;
        MPI_Request sent;
        MPI_Isend(NULL, 0, MPI_BYTE, rank, (int)request, dist->notices->comm, &sent);
        MPI_Request_free(&sent);
    }
}

enum lae_request lae_dist_request(const struct lae_dist *dist)
{
    struct lae_notices *notices = dist->notices;
    enum lae_request mine = lae_signals_request();
    if (mine > notices->told) {
        notices->told = mine;
        tell_others(dist, mine);
    }
    listen(notices);
    return notices->told > notices->heard ? notices->told : notices->heard;
}

/* Brings this rank's request and leaves with the strongest of all; false: a rank is missing. */
static bool vote(const struct lae_dist *dist, enum lae_request *request)
{
    *request = lae_dist_request(dist);
    if (dist->size == 1) return true;
    int mine = (int)*request, strongest = mine, met = 0;
    double urgent = 0.0; /* since when */
    MPI_Request all;
    MPI_Iallreduce(&mine, &strongest, 1, MPI_INT, MPI_MAX, dist->comms->world, &all);
    for (;;) {
        MPI_Test(&all, &met, MPI_STATUS_IGNORE);
        if (met) break;
        double now = lae_clock_seconds();
        if (urgent <= 0.0 && lae_dist_request(dist) == LAE_REQUEST_NOW) urgent = now;
        if (urgent > 0.0 && now - urgent > ANSWER_SECONDS) {
            dist->notices->broken = true;
            *request = LAE_REQUEST_NOW;
            return false;
        }
        sched_yield();
    }
    *request = (enum lae_request)strongest;
    return true;
}

bool lae_dist_meet(const struct lae_dist *dist, enum lae_request *request)
{
    bool met = vote(dist, request);
    if (*request == LAE_REQUEST_NOW) lae_signals_answer();
    return met;
}

bool lae_dist_is_broken(const struct lae_dist *dist)
{
    return dist->notices->broken;
}

_Noreturn void lae_dist_leave(const struct lae_dist *dist, int code)
{
    if (dist->rank == 0) _exit(code);
    double until = lae_clock_seconds() + LEAVE_SECONDS;
    struct timespec pause = {.tv_nsec = 10000000L};
    while (lae_clock_seconds() < until)
        nanosleep(&pause, NULL);
    _exit(code);
}
