/* run/metrics.h on a run of three tasks worked out by hand; config/scorers.h. */
#include "lae/run/metrics.h"

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

enum { ONLINE, OFFLINE, ENSEMBLE }; /* places of the linear scorers */

static struct lae_scorers linear(bool offline)
{
    return lae_scorers_of(LAE_LINEAR_HEADS, offline, 0, 0);
}

/* Enters one evaluation: images and right answers of each task. */
static void record(struct lae_metrics *metrics, int tasks, const int64_t *images,
                   const int64_t *right)
{
    struct lae_counts counts;
    assert_null(lae_counts_create(tasks, &metrics->scorers, &counts));
    for (int k = 0; k < tasks; k++) {
        counts.images[k] = images[k];
        for (int i = 0; i < counts.scorers.count; i++) {
            counts.right[i][k] = right[k];
            counts.local[i][k] = images[k];
        }
    }
    lae_metrics_record(metrics, &counts);
    lae_counts_free(&counts);
}

static void three_tasks_by_hand(void **state)
{
    (void)state;
    struct lae_metrics metrics;
    struct lae_scorers scorers = linear(true);
    assert_null(lae_metrics_create(3, &scorers, &metrics));
    /* Tasks of 10, 20 and 10 test images; accuracies 90 | 60 80 | 70 40 50. */
    const int64_t images[3] = {10, 20, 10};
    record(&metrics, 1, images, (int64_t[]){9});
    struct lae_summary first = lae_metrics_summary(&metrics, ONLINE, 1);
    near(first.last, 90.0);
    near(first.average_incremental, 90.0);
    assert_true(isnan(first.forgetting) && isnan(first.backward_transfer));
    record(&metrics, 2, images, (int64_t[]){6, 16});
    record(&metrics, 3, images, (int64_t[]){7, 8, 5});

    near(metrics.accuracy[ENSEMBLE][lae_metrics_row(1) + 0], 60.0);
    near(metrics.accuracy[ENSEMBLE][lae_metrics_row(2) + 1], 40.0);
    near(metrics.local[OFFLINE][lae_metrics_row(2) + 1], 100.0);
    assert_true(isnan(lae_metrics_accuracy(&metrics, ONLINE, 0, 1)));
    /* Over all seen classes images count, not tasks: 22 of 30, 20 of 40. */
    near(metrics.seen[ONLINE][1], 100.0 * 22 / 30);
    struct lae_summary s = lae_metrics_summary(&metrics, ONLINE, 3);
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
    struct lae_scorers scorers = linear(false);
    assert_null(lae_metrics_create(3, &scorers, &metrics));
    const int64_t images[3] = {10, 10, 10};
    record(&metrics, 1, images, (int64_t[]){5});
    record(&metrics, 2, images, (int64_t[]){9, 5});
    record(&metrics, 3, images, (int64_t[]){8, 6, 5});
    struct lae_summary s = lae_metrics_summary(&metrics, ONLINE, 3);
    near(s.forgetting, ((90.0 - 80.0) + 0.0) / 2);
    near(s.backward_transfer, ((80.0 - 50.0) + (60.0 - 50.0)) / 2);
    lae_metrics_free(&metrics);
}

static void names_are(const struct lae_scorers *scorers, int count, const char *const *names)
{
    assert_int_equal(scorers->count, count);
    for (int i = 0; i < count; i++) {
        assert_string_equal(scorers->items[i].name, names[i]);
        assert_int_equal(lae_scorers_find(scorers, names[i]), i);
    }
}

#define NAMES(...)                                                                                 \
    (sizeof(const char *[]){__VA_ARGS__} / sizeof(char *)), (const char *[])                       \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static void scorers_are_heads_on_the_modules_that_are_there(void **state)
{
    (void)state;
    const unsigned init = 1U << LAE_VIEW_INIT, offline = 1U << LAE_VIEW_OFFLINE,
                   ncm_and_lda = 2U | 4U;
    struct lae_scorers scorers = linear(true);
    names_are(&scorers, NAMES("online", "offline", "ensemble"));
    assert_true(scorers.items[ENSEMBLE].ensemble && !scorers.items[OFFLINE].ensemble);
    scorers = linear(false);
    names_are(&scorers, NAMES("online"));
    scorers = lae_scorers_of(LAE_LINEAR_HEADS | ncm_and_lda, true, init | offline, 0);
    names_are(&scorers, NAMES("online", "offline", "ensemble", "ncm_init", "ncm_offline",
                              "lda_init", "lda_offline"));
    assert_true(scorers.items[3].method == lae_head_find("ncm"));
    assert_int_equal(scorers.items[4].view, LAE_VIEW_OFFLINE);
    scorers = lae_scorers_of(4U, false, init, 0);
    names_are(&scorers, NAMES("lda_init"));
    scorers = lae_scorers_of(ncm_and_lda, true, 0, 0);
    assert_int_equal(scorers.count, 0);
    assert_int_equal(lae_scorers_find(&scorers, "online"), -1);
    scorers = lae_scorers_all();
    assert_true(scorers.count <= LAE_MAX_SCORERS);
    assert_true(lae_scorers_find(&scorers, "ncm_online") > ENSEMBLE);
}

static void records_and_copies_go_by_name(void **state)
{
    (void)state;
    struct lae_metrics few, many;
    struct lae_scorers all = lae_scorers_all(),
                       some = lae_scorers_of(3U, true, 1U << LAE_VIEW_INIT, 0);
    int from = lae_scorers_find(&some, "ncm_init"), to = lae_scorers_find(&all, "ncm_init");
    assert_null(lae_metrics_create(2, &some, &few));
    assert_null(lae_metrics_create(2, &all, &many));
    record(&few, 1, (int64_t[]){4}, (int64_t[]){1});
    record(&few, 2, (int64_t[]){4, 4}, (int64_t[]){2, 3});
    lae_metrics_copy(&many, &few);
    assert_memory_equal(many.accuracy[to], few.accuracy[from],
                        lae_metrics_row(few.rows) * sizeof(double));
    near(many.seen[to][1], 62.5);
    assert_true(isnan(many.seen[lae_scorers_find(&all, "lda_init")][1]));

    struct lae_counts counts; /* of scorers that `few` has in part */
    struct lae_scorers lda = lae_scorers_of(7U, true, 1U << LAE_VIEW_INIT, 0);
    assert_null(lae_counts_create(1, &lda, &counts));
    counts.images[0] = 10;
    counts.right[lae_scorers_find(&lda, "ncm_init")][0] = 7;
    counts.right[lae_scorers_find(&lda, "lda_init")][0] = 9;
    lae_metrics_record(&few, &counts);
    near(few.accuracy[from][0], 70.0);
    near(few.seen[ENSEMBLE][0], 0.0);
    lae_counts_free(&counts);
    lae_metrics_free(&few);
    lae_metrics_free(&many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_tasks_by_hand),
        cmocka_unit_test(forgetting_looks_at_the_best_and_transfer_at_the_first),
        cmocka_unit_test(scorers_are_heads_on_the_modules_that_are_there),
        cmocka_unit_test(records_and_copies_go_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
