#include "lae/base/team.h"

#include "lae/base/rounding.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_NANOSECONDS 20000000L /* between two looks for a request to stop */

struct worker {
    struct lae_team *team;
    int number;
    pthread_t thread;
};

struct lae_team {
    int threads;
    struct worker *workers; /* [threads] */
    pthread_mutex_t mutex;
    pthread_cond_t start, done; /* done: by the clock that nobody sets */
    unsigned long job;          /* counts jobs; a change wakes the workers */
    int running;                /* workers still at the current job */
    bool stop;
    /* The job at hand; written before `job` changes, under the mutex. */
    lae_team_work *work;
    void *context;
    size_t count;
    bool each;
    atomic_size_t next;
};

static void do_items(struct lae_team *team, int worker)
{
    if (team->each) {
        team->work(team->context, worker, (size_t)worker);
        return;
    }
    for (;;) {
        size_t item = atomic_fetch_add_explicit(&team->next, 1, memory_order_relaxed);
        if (item >= team->count) return;
        team->work(team->context, worker, item);
    }
}

static void *worker_main(void *argument)
{
    lae_rounding_reset();
    struct worker *self = argument;
    struct lae_team *team = self->team;
    unsigned long seen = 0;
    pthread_mutex_lock(&team->mutex);
    for (;;) {
        while (team->job == seen && !team->stop)
            pthread_cond_wait(&team->start, &team->mutex);
        if (team->stop) break;
        seen = team->job;
        pthread_mutex_unlock(&team->mutex);
        do_items(team, self->number);
        pthread_mutex_lock(&team->mutex);
        if (--team->running == 0) pthread_cond_signal(&team->done);
    }
    pthread_mutex_unlock(&team->mutex);
    return NULL;
}

/* Waits until no worker is at the job, for at most POLL_NANOSECONDS if `briefly`; the mutex is
 * held.
 */
static void wait_for_workers(struct lae_team *team, bool briefly)
{
    if (!briefly) {
        while (team->running > 0)
            pthread_cond_wait(&team->done, &team->mutex);
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += POLL_NANOSECONDS;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    if (team->running > 0) pthread_cond_timedwait(&team->done, &team->mutex, &until);
}

static void start_job(struct lae_team *team, size_t count, bool each, lae_team_work *work,
                      void *context)
{
    pthread_mutex_lock(&team->mutex);
    team->work = work;
    team->context = context;
    team->count = count;
    team->each = each;
    atomic_store_explicit(&team->next, 0, memory_order_relaxed);
    team->running = team->threads;
    team->job++;
    pthread_cond_broadcast(&team->start);
    pthread_mutex_unlock(&team->mutex);
}

void lae_team_drain(struct lae_team *team)
{
    pthread_mutex_lock(&team->mutex);
    wait_for_workers(team, false);
    pthread_mutex_unlock(&team->mutex);
}

void lae_team_run(struct lae_team *team, size_t count, lae_team_work *work, void *context)
{
    start_job(team, count, false, work, context);
    lae_team_drain(team);
}

bool lae_team_run_unless(struct lae_team *team, size_t count, lae_team_work *work, void *context,
                         bool (*interrupted)(void *), void *interrupted_context)
{
    start_job(team, count, false, work, context);
    for (;;) {
        pthread_mutex_lock(&team->mutex);
        wait_for_workers(team, true);
        bool done = team->running == 0;
        pthread_mutex_unlock(&team->mutex);
        if (done) return true;
        if (interrupted(interrupted_context)) {
            atomic_store_explicit(&team->next, count, memory_order_relaxed);
            return false;
        }
    }
}

void lae_team_each(struct lae_team *team, lae_team_work *work, void *context)
{
    start_job(team, 0, true, work, context);
    lae_team_drain(team);
}

static lae_status start_worker(struct worker *worker)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&worker->thread, NULL, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return lae_failed("cannot start worker thread %d: %s; lower compute.threads",
                          worker->number, strerror(error));
    return NULL;
}

lae_status lae_team_create(int threads, struct lae_team **out)
{
    *out = NULL;
    struct lae_team *team = calloc(1, sizeof *team);
    struct worker *workers = calloc((size_t)threads, sizeof *workers);
    if (team == NULL || workers == NULL) {
        free(team);
        free(workers);
        return lae_out_of_memory((size_t)threads * sizeof *workers, "the thread team");
    }
    team->workers = workers;
    pthread_mutex_init(&team->mutex, NULL);
    pthread_cond_init(&team->start, NULL);
    pthread_condattr_t steady;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&team->done, &steady);
    pthread_condattr_destroy(&steady);
    for (int i = 0; i < threads; i++) {
        workers[i] = (struct worker){.team = team, .number = i};
        lae_status status = start_worker(&workers[i]);
        if (status != NULL) {
            lae_team_free(team);
            return status;
        }
        team->threads = i + 1;
    }
    *out = team;
    return NULL;
}

void lae_team_free(struct lae_team *team)
{
    if (team == NULL) return;
    pthread_mutex_lock(&team->mutex);
    team->stop = true;
    pthread_cond_broadcast(&team->start);
    pthread_mutex_unlock(&team->mutex);
    for (int i = 0; i < team->threads; i++)
        pthread_join(team->workers[i].thread, NULL);
    pthread_cond_destroy(&team->done);
    pthread_cond_destroy(&team->start);
    pthread_mutex_destroy(&team->mutex);
    free(team->workers);
    free(team);
}

int lae_team_threads(const struct lae_team *team)
{
    return team->threads;
}
