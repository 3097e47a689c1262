#include "lae/sweep/sweep.h"

static bool is_interrupted(void *context)
{
    const struct lae_sweep *sweep = context;
    return lae_dist_request(sweep->dist) >= sweep->heeds;
}

static void do_item(void *context, int worker, size_t item)
{
    const struct lae_sweep *sweep = context;
    sweep->work(sweep->context, worker, sweep->first + item);
}

static bool do_part(struct lae_sweep *sweep, size_t count)
{
    bool done = lae_team_run_unless(sweep->team, count, do_item, sweep, is_interrupted, sweep);
    if (!done || sweep->after_part == NULL) return done;
    return sweep->after_part(sweep->context, sweep->first, count);
}

bool lae_sweep_run(struct lae_sweep *sweep, size_t count, enum lae_request *request)
{
    size_t part = sweep->part > 0 ? sweep->part : count;
    bool done = true;
    sweep->first = 0;
    while (done && sweep->first < count) {
        size_t left = count - sweep->first;
        if (sweep->progress != NULL)
            sweep->progress(sweep->progress_context, (double)sweep->first / (double)count);
        done = do_part(sweep, left < part ? left : part);
        if (done) sweep->first += part; /* else workers may still be reading it */
    }
    return lae_dist_meet(sweep->dist, request) && *request < sweep->heeds && done;
}

bool lae_sweep_also(const struct lae_sweep *sweep, size_t count, lae_team_work *work)
{
    return lae_team_run_unless(sweep->team, count, work, sweep->context, is_interrupted,
                               (void *)sweep);
}
