#include "lae/base/signals.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t request = LAE_REQUEST_NONE;

static void note(int signal)
{
    int wanted = signal == SIGUSR1 ? LAE_REQUEST_STEP : LAE_REQUEST_NOW;
    if (wanted > request) request = wanted;
}

static void our_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGUSR1);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
}

void lae_signals_install(void)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_flags = (int)(SA_RESTART | SA_RESETHAND); /* the second one has its usual effect */
    sigaction(SIGINT, &action, NULL);
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

enum lae_request lae_signals_request(void)
{
    return (enum lae_request)request;
}
