/* learn/grid: which combinations come of lists of values. */
#include "lae/learn/grid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static struct lae_merge_options run_of(const char *method)
{
    return (struct lae_merge_options){
        .method = lae_merge_find(method), .density = 0.3, .scale = 0.5, .decay = 0.25};
}

#define LISTS(...) ((const char *const[LAE_GRID_OPTIONS]){__VA_ARGS__})

static struct lae_grid made(const struct lae_merge_options *run, const char *const *lists)
{
    struct lae_grid grid;
    lae_status status = lae_grid_create(run, lists, NULL, &grid);
    if (status != NULL) fail_msg("%s", lae_status_message(status));
    for (size_t i = 0; i < grid.count; i++) {
        assert_null(lae_merge_check(&grid.items[i]));
        for (size_t j = 0; j < i; j++)
            assert_false(lae_merge_same(&grid.items[i], &grid.items[j]));
    }
    return grid;
}

static void assert_refused(const struct lae_merge_options *run, const char *const *lists,
                           const char *word)
{
    struct lae_grid grid;
    lae_status status = lae_grid_create(run, lists, NULL, &grid);
    assert_non_null(status);
    assert_int_equal(lae_status_code(status), LAE_BAD_INPUT);
    if (strstr(lae_status_message(status), word) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", lae_status_message(status), word);
    lae_status_free(status);
    lae_grid_free(&grid);
}

static void all_combinations_in_order(void **state)
{
    (void)state;
    struct lae_merge_options run = run_of("ties");
    struct lae_grid grid =
        made(&run, LISTS([LAE_GRID_METHOD] = "ties,mean,ties", [LAE_GRID_DENSITY] = "0.1,0.9",
                         [LAE_GRID_REDUCE] = "sum,max"));
    assert_int_equal(grid.count, 5); /* mean reads neither; ties is not compared twice */
    static const double density[] = {0.1, 0.1, 0.9, 0.9};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(grid.items[i].method->name, "ties");
        assert_true(grid.items[i].density == density[i]);
        assert_int_equal(grid.items[i].reduce, i % 2 == 0 ? LAE_REDUCE_SUM : LAE_REDUCE_MAX);
        assert_true(grid.items[i].scale == 0.5); /* not given: the run's */
    }
    assert_string_equal(grid.items[4].method->name, "mean");
    lae_grid_free(&grid);
}

static void what_does_not_go_together_is_left_out(void **state)
{
    (void)state;
    struct lae_merge_options run = run_of("mean");
    struct lae_grid grid =
        made(&run, LISTS([LAE_GRID_METHOD] = "dare", [LAE_GRID_VECTORS] = "pair,tasks",
                         [LAE_GRID_BASE] = "init,previous", [LAE_GRID_REDUCE] = "mean,max"));
    assert_int_equal(grid.count, 3); /* not pair from previous, and no max */
    lae_grid_free(&grid);
    assert_refused(&run, LISTS([LAE_GRID_METHOD] = "mean,dare", [LAE_GRID_REDUCE] = "max"),
                   "merge.reduce is max");
}

static void without_methods_those_that_read_all(void **state)
{
    (void)state;
    struct lae_merge_options run = run_of("ema");
    struct lae_grid grid = made(&run, LISTS([LAE_GRID_SCOPE] = "global,tensor"));
    assert_int_equal(grid.count, 2);
    assert_string_equal(grid.items[1].method->name, "ties");
    lae_grid_free(&grid);
    grid = made(&run, LISTS([LAE_GRID_DECAY] = "0.5"));
    assert_int_equal(grid.count, 1); /* ema is of a run alone */
    assert_string_equal(grid.items[0].method->name, "ema_task");
    lae_grid_free(&grid);
    assert_refused(&run, LISTS([LAE_GRID_SCOPE] = "global", [LAE_GRID_DECAY] = "0.5"),
                   "no method reads all of --scope, --decay");
}

static void without_anything_all_methods(void **state)
{
    (void)state;
    for (const struct lae_merge_method *m = lae_merge_methods(); m->name != NULL; m++) {
        struct lae_merge_options run = run_of(m->name);
        struct lae_grid grid = made(&run, LISTS(0));
        assert_true(!m->has_offline || lae_merge_same(&grid.items[0], &run));
        for (const struct lae_merge_method *n = lae_merge_methods(); n->name != NULL; n++) {
            bool found = !n->has_offline || (n->after_step != NULL && n != m);
            for (size_t i = 0; i < grid.count; i++)
                found = found || grid.items[i].method == n;
            if (!found) fail_msg("a run by %s is not compared with %s", m->name, n->name);
        }
        lae_grid_free(&grid);
    }
}

static void runs_own_ema_only(void **state)
{
    (void)state;
    struct lae_merge_options run = run_of("ema");
    struct lae_grid grid =
        made(&run, LISTS([LAE_GRID_METHOD] = "ema", [LAE_GRID_DECAY] = "0.25,0.5"));
    assert_int_equal(grid.count, 1);
    lae_grid_free(&grid);
    assert_refused(&run, LISTS([LAE_GRID_METHOD] = "ema", [LAE_GRID_DECAY] = "0.5"),
                   "ema follows online after every training step");
}

static void bad_values_are_named(void **state)
{
    (void)state;
    struct lae_merge_options run = run_of("ties");
    assert_refused(&run, LISTS([LAE_GRID_METHOD] = "ties", [LAE_GRID_DENSITY] = "0.1,"),
                   "--density");
    assert_refused(&run, LISTS([LAE_GRID_METHOD] = ""), "--method");
    assert_refused(&run, LISTS([LAE_GRID_METHOD] = "none"), "makes no offline module");
    assert_refused(&run, LISTS([LAE_GRID_METHOD] = "mean", [LAE_GRID_BASE] = "init"),
                   "none of the methods (mean) reads it");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_combinations_in_order),
        cmocka_unit_test(what_does_not_go_together_is_left_out),
        cmocka_unit_test(without_methods_those_that_read_all),
        cmocka_unit_test(without_anything_all_methods),
        cmocka_unit_test(runs_own_ema_only),
        cmocka_unit_test(bad_values_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
