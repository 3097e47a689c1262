#include "lae/report/interval.h"

void lae_interval_add(struct lae_interval *interval, const struct lae_step_report *step)
{
    interval->steps++;
    interval->loss += step->loss;
    interval->right += step->accuracy / 100.0 * step->images;
    interval->images += step->images;
}

struct lae_interval_report lae_interval_close(struct lae_interval *interval,
                                              const struct lae_step_report *step,
                                              double images_per_s)
{
    struct lae_interval_report report = {
        .position = step->position,
        .steps = interval->steps,
        .loss = interval->loss / (double)interval->steps,
        .accuracy = 100.0 * interval->right / interval->images,
        .lr = step->lr,
        .gradient_norm = step->gradient_norm,
        .seconds = step->seconds,
        .images_per_s = images_per_s,
    };
    *interval = (struct lae_interval){0};
    return report;
}
