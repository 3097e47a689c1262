#include "lae/run/plan.h"

int lae_plan_stop(const struct lae_config *config, int tasks)
{
    int asked = config->run.tasks;
    return asked > 0 && asked < tasks ? asked : tasks;
}

int64_t lae_plan_steps(const struct lae_config *config, size_t images)
{
    size_t batch = (size_t)config->train.batch_size;
    size_t steps = config->data.drop_last ? images / batch : (images + batch - 1) / batch;
    return steps > 0 ? (int64_t)steps : 1;
}

int64_t lae_plan_steps_before(const struct lae_config *config, const struct lae_sequence *sequence,
                              int task)
{
    int64_t steps = 0;
    for (int k = 0; k < task; k++)
        steps += lae_plan_steps(config, sequence->images[LAE_TRAIN][k].count);
    return steps * config->train.epochs;
}

bool lae_plan_frozen(const struct lae_config *config, int task, int epoch)
{
    return task > 0 && epoch < config->train.freeze_epochs;
}
