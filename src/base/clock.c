#include "lae/base/clock.h"

#include <time.h>

static double seconds_of(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

double lae_clock_seconds(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

double lae_clock_thread_seconds(void)
{
    return seconds_of(CLOCK_THREAD_CPUTIME_ID);
}

const char *lae_work_name(enum lae_work work)
{
    static const char *const names[LAE_WORKS] = {
        [LAE_WORK_IDLE] = "idle",          [LAE_WORK_DATA] = "data",
        [LAE_WORK_PRODUCT] = "product",    [LAE_WORK_ATTENTION] = "attention",
        [LAE_WORK_NORM] = "normalisation", [LAE_WORK_ACTIVATION] = "activation",
        [LAE_WORK_MODULES] = "modules",    [LAE_WORK_SUM] = "classifier and sum",
    };
    return names[work];
}

void lae_stopwatch_turn(struct lae_stopwatch *watch, enum lae_work work)
{
    double now = lae_clock_seconds();
    if (watch->since > 0.0) watch->seconds[watch->work] += now - watch->since;
    watch->since = now;
    watch->work = work;
}
