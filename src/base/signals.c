#include "lae/base/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AGAIN 10 /* tenths of a second: a launcher may send the first one twice */

static volatile sig_atomic_t request = LAE_REQUEST_NONE;
static volatile sig_atomic_t asked_at; /* when the first urgent request came, in tenths */
static volatile sig_atomic_t answered; /* it is being done */

static const int requests[] = {SIGUSR1, SIGUSR2, SIGINT, SIGTERM, SIGHUP, SIGXCPU};
enum { REQUESTS = sizeof requests / sizeof requests[0] };

/* Tenths of a second from some moment on; they begin again after some years. */
static int tenths(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int)((now.tv_sec & 0x3ffffff) * 10 + now.tv_nsec / 100000000);
}

/* SIGTERM and SIGHUP: who asks once more, and is no launcher that repeats itself, wants the end. It
 * comes with the return from the handler. */
static void end_if_again(int number)
{
    if (request == LAE_REQUEST_NOW && !answered && tenths() - asked_at >= AGAIN) {
        signal(number, SIG_DFL);
        raise(number);
    }
}

static void note(int number)
{
    if (number == SIGTERM || number == SIGHUP) end_if_again(number);
    int wanted = number == SIGUSR1 || number == SIGUSR2 ? LAE_REQUEST_STEP : LAE_REQUEST_NOW;
    if (wanted <= request) return;
    if (wanted == LAE_REQUEST_NOW) asked_at = tenths();
    request = wanted;
}

static void our_signals(sigset_t *set)
{
    sigemptyset(set);
    for (int i = 0; i < REQUESTS; i++)
        sigaddset(set, requests[i]);
}

static void install(int number)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART}, before;
    sigemptyset(&action.sa_mask);
    if (number == SIGINT) /* the second one has its usual effect */
        action.sa_flags = (int)(SA_RESTART | SA_RESETHAND);
    bool kept =
        number == SIGHUP && sigaction(number, NULL, &before) == 0 && before.sa_handler == SIG_IGN;
    if (!kept) sigaction(number, &action, NULL);
}

static void leave_it(int number)
{
    (void)number; /* write(2) tells of it */
}

/* Handlers end with exec, where ignoring would be handed on: programs that are started here, MPI's
 * daemon among them, may rely on being killed. */
void lae_signals_leave_writing(void)
{
    struct sigaction action = {.sa_handler = leave_it, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGXFSZ, &action, NULL);
}

void lae_signals_install(void)
{
    for (int i = 0; i < REQUESTS; i++)
        install(requests[i]);
    sigset_t set;
    our_signals(&set);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void lae_signals_hold(void)
{
    sigset_t set;
    our_signals(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

void lae_signals_answer(void)
{
    answered = 1;
}

enum lae_request lae_signals_request(void)
{
    return (enum lae_request)request;
}

/* In the copy: nothing asks it to end any more, and should it crash, it does so without MPI's
 * report.
 */
static void become_deaf(void)
{
    static const int crashing[] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT};
    setsid();
    for (int i = 0; i < REQUESTS; i++)
        signal(requests[i], SIG_IGN);
    for (size_t i = 0; i < sizeof crashing / sizeof crashing[0]; i++)
        signal(crashing[i], SIG_DFL);
}

bool lae_outlive(bool (*work)(void *context), void *context)
{
    pid_t copy = fork();
    if (copy < 0) return false;
    if (copy == 0) {
        become_deaf();
        _exit(work(context) ? 0 : 1);
    }
    signal(SIGTERM, SIG_IGN); /* SLURM and launchers repeat it; this one has no more to save */
    signal(SIGHUP, SIG_IGN);
    int state = 0;
    pid_t ended;
    do {
        ended = waitpid(copy, &state, 0);
    } while (ended < 0 && errno == EINTR);
    return ended == copy && WIFEXITED(state) && WEXITSTATUS(state) == 0;
}
