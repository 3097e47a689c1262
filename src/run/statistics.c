#include "lae/run/statistics.h"

#include <stddef.h>

static bool asks_for_ridge(const struct lae_config *config)
{
    for (size_t head = 0; lae_config_head_name(head) != NULL; head++) {
        const struct lae_head_method *method = lae_head_find(lae_config_head_name(head));
        if ((config->eval.heads >> head & 1) != 0 && method != NULL && method->lifted) return true;
    }
    return false;
}

static lae_status create_stats(const struct lae_setup *setup, struct lae_statistics *statistics)
{
    size_t classes = (size_t)setup->sequence.classes, width = setup->backbone->feature;
    for (int m = 0; m < LAE_VIEWS; m++) {
        if ((statistics->views >> m & 1) != 0)
            LAE_TRY(lae_stats_create(classes, width, &statistics->features[m]));
        if ((statistics->ridge >> m & 1) != 0)
            LAE_TRY(lae_stats_create(classes, statistics->lift.out, &statistics->random[m]));
    }
    return NULL;
}

struct lae_statistics lae_statistics_plan(const struct lae_config *config)
{
    struct lae_statistics plan = {.views = config->stats.views};
    if (!config->merge.method->has_offline) plan.views &= ~(1U << LAE_VIEW_OFFLINE);
    if (asks_for_ridge(config)) plan.ridge = plan.views;
    return plan;
}

lae_status lae_statistics_create(const struct lae_setup *setup, struct lae_statistics *statistics)
{
    const struct lae_config *config = setup->config;
    *statistics = lae_statistics_plan(config);
    if (statistics->ridge != 0)
        LAE_TRY(lae_lift_create(config->run.seed, setup->backbone->feature,
                                (size_t)config->heads.ridge.features, &statistics->lift));
    return setup->dist->rank == 0 ? create_stats(setup, statistics) : NULL;
}

void lae_statistics_free(struct lae_statistics *statistics)
{
    for (int m = 0; m < LAE_VIEWS; m++) {
        lae_stats_free(&statistics->features[m]);
        lae_stats_free(&statistics->random[m]);
    }
    lae_lift_free(&statistics->lift);
    *statistics = (struct lae_statistics){0};
}

bool lae_statistics_know(const struct lae_statistics *statistics, const struct lae_setup *setup,
                         int task)
{
    const int *first = setup->sequence.first_class;
    for (int m = 0; m < LAE_VIEWS; m++) {
        const struct lae_stats *stats = &statistics->features[m];
        for (int c = first[task]; stats->count != NULL && c < first[task + 1]; c++)
            if (stats->count[c] != 0) return true;
    }
    return false;
}
