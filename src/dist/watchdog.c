/* A star of heartbeats: the first rank of each host sends rank 0 a datagram now and then, and rank
 * 0 answers it.
 *
 *     rank 0 <--- beat --- first rank of host 1, 2, ...     rank 0 counts the silence of each host
 *            --- answer -->                                 an answer raises the host's pulse
 *
 * The pulse is a number in memory that the ranks of a host share; on rank 0's own host rank 0
 * raises it. All ranks but rank 0 watch the pulse of their host alone. So one rule ends every rank,
 * on either side of a cut: what worked is silent for longer than the limit.
 *
 * Silence is counted in time during which the watching thread was awake. A job that is suspended as
 * a whole, for an hour, finds no hour of silence when it goes on.
 */
#include "lae/dist/watchdog.h"

#include "comms.h"
#include "heartbeat.h"
#include "launcher.h"

#include "lae/base/clock.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BEATS 20            /* within the limit: so many must be lost in a row */
#define WORRY 3             /* a silence of limit / WORRY is told, and other addresses are tried */
#define LONGEST_TICK 5.0    /* seconds between beats, at most */
#define LAUNCHER_SECONDS 10 /* for mpirun to end the job */
#define LINE 800            /* bytes of a message */

struct silence {
    double seconds;
    bool worked; /* once, at least */
    bool told;   /* the user knows of it */
};

struct lae_watchdog {
    int rank, node_rank;
    int node, nodes;    /* node: this host's number; 0 is rank 0's */
    bool leader;        /* the first rank of its host */
    double limit, tick; /* seconds */

    struct lae_shared memory; /* of the ranks of this host */
    atomic_uint *pulse;
    unsigned seen;          /* of the pulse */
    struct silence of_root; /* as the pulse tells; unused at rank 0 */

    char (*hosts)[LAE_HOST_TEXT]; /* [nodes] at leaders, else NULL */
    struct silence *of_host;      /* [nodes] at rank 0, else NULL */
    struct lae_heartbeat_socket socket;
    struct lae_heartbeat_place place;
    struct in6_addr answers_from; /* that address of rank 0's */
    bool answered;

    int log_file; /* -1: none */
    bool terminal;
    int stop[2]; /* a pipe; closing its end for writing stops the thread */
    bool running;
    pthread_t thread;
};

/* Messages do not go by way of the log, which belongs to the main thread: it may hold the log's
 * file while the file system of a lost host hangs. */
static void write_line(int file, const char *head, const char *mark, const char *text)
{
    char line[1024];
    int length = snprintf(line, sizeof line, "%s%s%s\n", head, mark, text);
    ssize_t written = write(file, line, (size_t)length);
    (void)written; /* should it fail, there is nobody left to tell */
}

static void write_screen(const struct lae_watchdog *dog, const char *mark, const char *text)
{
    write_line(STDERR_FILENO, dog->terminal ? "\r\033[K" : "", mark, text);
}

static void write_log(const struct lae_watchdog *dog, const char *mark, const char *text)
{
    char stamp[32] = "";
    time_t now = time(NULL);
    struct tm parts;
    if (localtime_r(&now, &parts) != NULL)
        strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S ", &parts);
    if (dog->log_file >= 0) write_line(dog->log_file, stamp, mark, text);
}

static void say(const struct lae_watchdog *dog, const char *mark, const char *format, ...)
    LAE_PRINTF(3, 4);

static void say(const struct lae_watchdog *dog, const char *mark, const char *format, ...)
{
    char text[LINE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    write_screen(dog, mark, text);
    write_log(dog, mark, text);
}

static const char go_on[] = "the same command then goes on from the last saved state "
                            "(compute.watchdog_seconds sets the limit)";

/* Hosts that are silent now: "host a, b and 3 others". */
static void name_silent(const struct lae_watchdog *dog, char *text, size_t size)
{
    int more = 0;
    size_t used = 0;
    for (int i = 1; i < dog->nodes; i++) {
        if (!dog->of_host[i].worked || dog->of_host[i].seconds <= dog->limit / WORRY) continue;
        if (used + LAE_HOST_TEXT + 32 > size)
            more++;
        else
            used += (size_t)snprintf(text + used, size - used, "%s%s", used == 0 ? "" : ", ",
                                     dog->hosts[i]);
    }
    if (more > 0) snprintf(text + used, size - used, " and %d others", more);
}

/* Ends this rank, and by it the job. mpirun is asked by one rank of those that it started. */
static _Noreturn void end(const struct lae_watchdog *dog, const char *text)
{
    if (text != NULL) write_screen(dog, "lae_mpi: ", text);
    struct timespec pause = {.tv_sec = LAUNCHER_SECONDS};
    bool wait = dog->node_rank > 1 || lae_launcher_end();
    alarm(LAUNCHER_SECONDS + 2); /* the end, too, should the log's file system hang */
    if (text != NULL) write_log(dog, "lae_mpi: ", text);
    if (wait) nanosleep(&pause, NULL);
    _exit(LAE_FAILED);
}

static _Noreturn void end_for_hosts(const struct lae_watchdog *dog)
{
    char names[512], text[LINE];
    name_silent(dog, names, sizeof names);
    snprintf(text, sizeof text,
             "nothing heard from host %s for %.0f s: down, stopped or cut off; %s", names,
             dog->limit, go_on);
    end(dog, text);
}

static _Noreturn void end_for_root(const struct lae_watchdog *dog)
{
    char text[LINE];
    if (!dog->leader) end(dog, NULL);
    snprintf(text, sizeof text, "host %s has heard nothing from rank 0 on host %s for %.0f s; %s",
             dog->hosts[dog->node], dog->hosts[0], dog->limit, go_on);
    end(dog, text);
}

static void tell(const struct lae_watchdog *dog, int host)
{
    if (dog->of_host[host].worked)
        say(dog, "warning: ",
            "nothing heard from host %s for %.0f s; if that lasts, the job ends after %.0f s at "
            "most, and %s",
            dog->hosts[host], dog->of_host[host].seconds, dog->limit, go_on);
    else
        say(dog, "warning: ",
            "heartbeats from host %s do not get through (UDP port %d of host %s): should it be "
            "lost, the job may hang",
            dog->hosts[host], ntohs(dog->place.port), dog->hosts[0]);
}

/* At rank 0: the hosts have been silent for that much longer. */
static void watch_hosts(struct lae_watchdog *dog, double passed)
{
    for (int i = 1; i < dog->nodes; i++) {
        struct silence *silence = &dog->of_host[i];
        silence->seconds += passed;
        if (silence->worked && silence->seconds > dog->limit) end_for_hosts(dog);
        double patience = silence->worked ? dog->limit / WORRY : dog->limit;
        if (silence->told || silence->seconds <= patience) continue;
        tell(dog, i);
        silence->told = true;
    }
}

/* At the others. Leaders end first: they have something to say. */
static void watch_pulse(struct lae_watchdog *dog, double passed)
{
    unsigned pulse = atomic_load(dog->pulse);
    if (pulse != dog->seen) {
        dog->seen = pulse;
        dog->of_root = (struct silence){.worked = true};
        return;
    }
    dog->of_root.seconds += passed;
    double limit = dog->leader ? dog->limit : dog->limit + 2 * dog->tick;
    if (dog->of_root.worked && dog->of_root.seconds > limit) end_for_root(dog);
}

/* To where answers come from; to all of rank 0's addresses while none do. */
static void send_beat(const struct lae_watchdog *dog)
{
    struct lae_heartbeat beat = {.node = dog->node};
    memcpy(beat.token, dog->place.token, sizeof beat.token);
    bool settled = dog->answered && dog->of_root.seconds <= dog->limit / WORRY;
    if (settled) lae_heartbeat_send(&dog->socket, &beat, &dog->answers_from, dog->place.port);
    for (int i = 0; !settled && i < dog->place.addresses; i++)
        lae_heartbeat_send(&dog->socket, &beat, &dog->place.address[i], dog->place.port);
}

static void beat(struct lae_watchdog *dog)
{
    if (dog->rank == 0)
        atomic_fetch_add(dog->pulse, 1);
    else if (dog->leader)
        send_beat(dog);
}

/* Takes in what came. */
static void hear(struct lae_watchdog *dog)
{
    struct lae_heartbeat beat;
    struct in6_addr from;
    in_port_t port;
    while (lae_heartbeat_receive(&dog->socket, dog->place.token, &beat, &from, &port)) {
        if (dog->rank != 0 && beat.answer) {
            dog->answered = true;
            dog->answers_from = from;
            atomic_fetch_add(dog->pulse, 1);
        } else if (dog->rank == 0 && beat.node > 0 && beat.node < dog->nodes) {
            if (dog->of_host[beat.node].told && dog->of_host[beat.node].worked)
                say(dog, "", "host %s is heard again", dog->hosts[beat.node]);
            dog->of_host[beat.node] = (struct silence){.worked = true};
            beat.answer = 1;
            lae_heartbeat_send(&dog->socket, &beat, &from, port);
        }
    }
}

/* Until the next beat is due. False: to be stopped. */
static bool wait_tick(struct lae_watchdog *dog)
{
    double until = lae_clock_seconds() + dog->tick;
    for (;;) {
        double now = lae_clock_seconds();
        if (now >= until) return true;
        struct pollfd files[] = {{.fd = dog->stop[0], .events = POLLIN},
                                 {.fd = dog->socket.file, .events = POLLIN}};
        poll(files, 2, (int)ceil((until - now) * 1000));
        if (files[0].revents != 0) return false;
        if (files[1].revents != 0) hear(dog);
    }
}

static void *watch(void *argument)
{
    struct lae_watchdog *dog = argument;
    double last = lae_clock_seconds();
    for (;;) {
        beat(dog);
        if (!wait_tick(dog)) return NULL;
        double now = lae_clock_seconds(), passed = fmin(now - last, 2 * dog->tick);
        last = now;
        if (dog->rank == 0)
            watch_hosts(dog, passed);
        else
            watch_pulse(dog, passed);
    }
}

static lae_status start_thread(struct lae_watchdog *dog)
{
    if (pipe(dog->stop) != 0) return lae_failed("no pipe for the watchdog: %s", strerror(errno));
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&dog->thread, NULL, watch, dog);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    dog->running = error == 0;
    if (error == 0) return NULL;
    return lae_failed("cannot start the watchdog's thread: %s; compute.watchdog_seconds=0 does "
                      "without",
                      strerror(error));
}

/* Ends the thread and gives everything back; what the host's ranks share, too. [collective] */
static void destroy(struct lae_watchdog *dog)
{
    if (dog == NULL) return;
    if (dog->stop[1] >= 0) close(dog->stop[1]);
    if (dog->running) pthread_join(dog->thread, NULL);
    if (dog->stop[0] >= 0) close(dog->stop[0]);
    lae_heartbeat_close(&dog->socket);
    lae_shared_free(&dog->memory);
    free(dog->of_host);
    free(dog->hosts);
    free(dog);
}

static lae_status allocate(const struct lae_dist *dist, double seconds, const struct lae_log *log,
                           struct lae_watchdog **out)
{
    struct lae_watchdog *dog = *out = calloc(1, sizeof *dog);
    if (dog == NULL) return lae_out_of_memory(sizeof *dog, "the watchdog");
    *dog = (struct lae_watchdog){
        .rank = dist->rank,
        .node_rank = dist->node_rank,
        .nodes = dist->nodes,
        .leader = dist->node_rank == 0,
        .limit = seconds,
        .tick = fmin(seconds / BEATS, LONGEST_TICK),
        .socket.file = -1,
        .log_file = log->file != NULL ? fileno(log->file) : -1,
        .terminal = log->terminal,
        .stop = {-1, -1},
    };
    size_t nodes = (size_t)dist->nodes;
    if (dog->leader) dog->hosts = calloc(nodes, sizeof *dog->hosts);
    if (dog->rank == 0) dog->of_host = calloc(nodes, sizeof *dog->of_host);
    if ((dog->leader && dog->hosts == NULL) || (dog->rank == 0 && dog->of_host == NULL))
        return lae_out_of_memory(nodes * sizeof *dog->hosts, "the watchdog");
    return NULL;
}

/* Where rank 0 listens, the hosts' names, and a pulse of 0. [collective] */
static void introduce(const struct lae_dist *dist, struct lae_watchdog *dog)
{
    if (dog->leader) dog->socket = lae_heartbeat_open();
    if (dog->rank == 0 && !lae_heartbeat_place(&dog->socket, &dog->place)) dog->place.port = 0;
    lae_dist_broadcast(dist, &dog->place, sizeof dog->place);
    dog->pulse = dog->memory.data;
    if (dog->leader) {
        MPI_Comm_rank(dist->comms->leaders, &dog->node);
        MPI_Allgather(dist->host, LAE_HOST_TEXT, MPI_CHAR, dog->hosts, LAE_HOST_TEXT, MPI_CHAR,
                      dist->comms->leaders);
        atomic_init(dog->pulse, 0);
    }
    MPI_Barrier(dist->comms->node);
}

lae_status lae_watchdog_start(const struct lae_dist *dist, double seconds,
                              const struct lae_log *log, struct lae_watchdog **watchdog)
{
    *watchdog = NULL;
    if (dist->nodes == 1 || seconds <= 0) return NULL;
    struct lae_watchdog *dog;
    lae_status status = lae_dist_agree(dist, allocate(dist, seconds, log, &dog));
    if (status == NULL) status = lae_shared_create(dist, sizeof *dog->pulse, &dog->memory);
    bool possible = false;
    if (status == NULL) {
        introduce(dist, dog);
        possible = dog->place.port != 0;
        if (!possible && dog->rank == 0)
            say(dog, "warning: ", "host %s has no network address: a lost host will not be noticed",
                dist->host);
        status = lae_dist_agree(dist, possible ? start_thread(dog) : NULL);
    }
    if (status == NULL && possible)
        *watchdog = dog;
    else
        destroy(dog);
    return status;
}

void lae_watchdog_stop(const struct lae_dist *dist, struct lae_watchdog *watchdog)
{
    if (watchdog == NULL) return;
    MPI_Barrier(dist->comms->world);
    destroy(watchdog);
}
