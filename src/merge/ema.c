/* Exponential moving average, step by step: offline := d*offline + (1-d)*online. */
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
