/* learn/metrics.h on a run of three tasks worked out by hand. */
#include "lae/learn/metrics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void near(double found, double wanted)
{
    if (!(fabs(found - wanted) < 1e-9)) fail_msg("%g, wanted %g", found, wanted);
}

/* Enters one evaluation: images and right answers of each task. */
static void record(struct lae_metrics *metrics, int tasks, const int64_t *images,
                   const int64_t *right)
{
    struct lae_counts counts;
    assert_null(lae_counts_create(tasks, &counts));
    for (int k = 0; k < tasks; k++) {
        counts.images[k] = images[k];
        for (int module = 0; module < LAE_MODULES; module++) {
            counts.right[module][k] = right[k];
            counts.local[module][k] = images[k];
        }
    }
    lae_metrics_record(metrics, &counts);
    lae_counts_free(&counts);
}

static void three_tasks_by_hand(void **state)
{
    (void)state;
    struct lae_metrics metrics;
    assert_null(lae_metrics_create(3, true, &metrics));
    /* Tasks of 10, 20 and 10 test images; accuracies 90 | 60 80 | 70 40 50. */
    const int64_t images[3] = {10, 20, 10};
    record(&metrics, 1, images, (int64_t[]){9});
    struct lae_summary first = lae_metrics_summary(&metrics, LAE_ONLINE, 1);
    near(first.last, 90.0);
    near(first.average_incremental, 90.0);
    assert_true(isnan(first.forgetting) && isnan(first.backward_transfer));
    record(&metrics, 2, images, (int64_t[]){6, 16});
    record(&metrics, 3, images, (int64_t[]){7, 8, 5});

    near(metrics.accuracy[LAE_ENSEMBLE][1 * 3 + 0], 60.0);
    near(metrics.accuracy[LAE_ENSEMBLE][2 * 3 + 1], 40.0);
    near(metrics.local[LAE_OFFLINE][2 * 3 + 1], 100.0);
    assert_true(isnan(metrics.accuracy[LAE_ONLINE][0 * 3 + 1]));
    /* Over all seen classes images count, not tasks: 22 of 30, 20 of 40. */
    near(metrics.seen[LAE_ONLINE][1], 100.0 * 22 / 30);
    struct lae_summary s = lae_metrics_summary(&metrics, LAE_ONLINE, 3);
    near(s.last, 50.0);
    near(s.average_incremental, (90.0 + 2200.0 / 30 + 50.0) / 3);
    near(s.forgetting, ((90.0 - 70.0) + (80.0 - 40.0)) / 2);
    near(s.backward_transfer, ((70.0 - 90.0) + (40.0 - 80.0)) / 2);
    lae_metrics_free(&metrics);
}

static void forgetting_looks_at_the_best_and_transfer_at_the_first(void **state)
{
    (void)state;
    struct lae_metrics metrics;
    assert_null(lae_metrics_create(3, false, &metrics));
    const int64_t images[3] = {10, 10, 10};
    record(&metrics, 1, images, (int64_t[]){5});
    record(&metrics, 2, images, (int64_t[]){9, 5});
    record(&metrics, 3, images, (int64_t[]){8, 6, 5});
    struct lae_summary s = lae_metrics_summary(&metrics, LAE_ONLINE, 3);
    near(s.forgetting, ((90.0 - 80.0) + 0.0) / 2);
    near(s.backward_transfer, ((80.0 - 50.0) + (60.0 - 50.0)) / 2);
    lae_metrics_free(&metrics);
}

static void without_offline_there_is_online_alone(void **state)
{
    (void)state;
    struct lae_metrics metrics;
    assert_null(lae_metrics_create(2, false, &metrics));
    assert_true(metrics.present[LAE_ONLINE]);
    assert_false(metrics.present[LAE_OFFLINE] || metrics.present[LAE_ENSEMBLE]);
    assert_null(metrics.accuracy[LAE_ENSEMBLE]);
    record(&metrics, 1, (int64_t[]){4}, (int64_t[]){1});
    near(metrics.seen[LAE_ONLINE][0], 25.0);
    lae_metrics_free(&metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_tasks_by_hand),
        cmocka_unit_test(forgetting_looks_at_the_best_and_transfer_at_the_first),
        cmocka_unit_test(without_offline_there_is_online_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
