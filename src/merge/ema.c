/* Exponential moving average: offline := d*offline + (1-d)*online, step by step or task by task. */
#include "methods.h"

/* In double, rounded once: (1-d) * online alone is often below half a float's last place. */
void lae_merge_ema_step(const struct lae_merge_options *options,
                        const struct lae_merge_vectors *vectors)
{
    double keep = options->decay, take = 1.0 - options->decay;
    const float *online = vectors->online;
    float *offline = vectors->offline;
    for (size_t i = 0; i < vectors->table->total; i++)
        offline[i] = (float)(keep * (double)offline[i] + take * (double)online[i]);
}

lae_status lae_merge_ema_task(const struct lae_merge_options *options,
                              const struct lae_merge_vectors *vectors, int task,
                              struct lae_merge_stats *stats)
{
    (void)task;
    lae_merge_measure(options, vectors, stats);
    lae_merge_ema_step(options, vectors);
    lae_merge_measure_result(options, vectors, stats);
    return NULL;
}
