/* The mean over tasks: offline := (t*offline + online) / (t+1), in double, rounded once. */
#include "methods.h"

lae_status lae_merge_mean_task(const struct lae_merge_options *options,
                               const struct lae_merge_vectors *vectors, int task,
                               struct lae_merge_stats *stats)
{
    lae_merge_measure(options, vectors, stats);
    double tasks = (double)task;
    const float *online = vectors->online;
    float *offline = vectors->offline;
    for (size_t i = 0; i < vectors->table->total; i++)
        offline[i] = (float)((tasks * (double)offline[i] + (double)online[i]) / (tasks + 1.0));
    lae_merge_measure_result(options, vectors, stats);
    return NULL;
}
