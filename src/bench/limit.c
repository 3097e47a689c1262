/* The limit of the processor's instructions (lae/nn/limit.h), by one thread alone and by all
 * threads of all ranks at once, which is less where cores share a clock or a unit. */
#include "lae/bench/bench.h"

#include "lae/nn/limit.h"

#define ATTEMPTS 5
#define LONG_ENOUGH 0.02 /* seconds of one attempt */

struct runners {
    const struct lae_limit *limit;
    size_t rounds;
    bool alone;      /* one thread of one rank */
    bool first;      /* this is that rank */
    double *done;    /* [threads] operations */
    float *computed; /* [threads] */
};

static void go(void *context, int worker, size_t item)
{
    struct runners *runners = context;
    (void)item;
    runners->done[worker] = 0.0;
    if (runners->alone && (worker != 0 || !runners->first)) return;
    runners->done[worker] = runners->limit->run(runners->rounds, &runners->computed[worker]);
}

/* Operations a second of one attempt; *seconds: how long it took. [collective] */
static double attempt(const struct lae_setup *setup, struct runners *runners, double *seconds)
{
    int64_t kiloflop = 0, ready = 1;
    lae_dist_sum(setup->dist, &ready, 1); /* all ranks begin together */
    double began = lae_clock_seconds();
    lae_team_each(setup->team, go, runners);
    for (int i = 0; i < lae_team_threads(setup->team); i++)
        kiloflop += (int64_t)(1e-3 * runners->done[i]);
    lae_dist_sum(setup->dist, &kiloflop, 1);
    *seconds = lae_clock_seconds() - began;
    return 1e3 * (double)kiloflop / *seconds;
}

/* The best of several. Rank 0's clock says for all how long is long enough. [collective] */
static double best_of(const struct lae_setup *setup, struct runners *runners)
{
    double best = 0.0, seconds;
    int64_t more = 1;
    for (runners->rounds = 1024; more != 0; runners->rounds *= 2) {
        attempt(setup, runners, &seconds);
        more = setup->dist->rank == 0 && seconds < LONG_ENOUGH;
        lae_dist_sum(setup->dist, &more, 1);
    }
    for (int i = 0; i < ATTEMPTS; i++) {
        double rate = attempt(setup, runners, &seconds);
        if (rate > best) best = rate;
    }
    return best;
}

const struct lae_bench_limit *lae_bench_limit_of(const struct lae_bench_result *result)
{
    bool bf16 = result->arithmetic.precision == LAE_PRECISION_BF16;
    return bf16 && result->limit_bf16.name != NULL ? &result->limit_bf16 : &result->limit_fp32;
}

struct lae_bench_limit lae_bench_limit_measure(const struct lae_setup *setup,
                                               enum lae_precision precision)
{
    double done[LAE_MAX_THREADS];
    float computed[LAE_MAX_THREADS] = {0};
    struct runners runners = {
        .limit = lae_limit_of(precision),
        .first = setup->dist->rank == 0,
        .done = done,
        .computed = computed,
    };
    struct lae_bench_limit measured = {0};
    if (runners.limit == NULL) return measured;
    measured.name = runners.limit->name;
    measured.all = 1e-9 * best_of(setup, &runners);
    runners.alone = true;
    measured.one = 1e-9 * best_of(setup, &runners);
    return measured;
}
