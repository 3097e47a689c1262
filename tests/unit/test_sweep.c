/* sweep/: every item of this rank is worked once, in parts that are told of when they are done; a
 * request that is heeded ends it, a weaker one does not. */
#include "lae/base/signals.h"
#include "lae/sweep/sweep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum { MOST = 1000, THREADS = 3 };

struct scene {
    struct lae_sweep sweep;
    atomic_int worked[MOST], again[MOST]; /* how often */
    atomic_bool strange;                  /* a worker or item that does not exist */
    size_t count, told;                   /* items; those of the parts that were told of */
    size_t parts, calls;                  /* told of; progress was asked */
    double share;                         /* last */
    size_t interrupt_after;               /* parts; 0: never */
};

static struct lae_dist dist;
static struct lae_team *team;
static struct scene scene;

static void work(void *context, int worker, size_t item)
{
    struct scene *s = context;
    if (worker < 0 || worker >= THREADS || item >= s->count)
        atomic_store(&s->strange, true);
    else
        atomic_fetch_add(&s->worked[item], 1);
}

/* As one of a model's images does. */
static void work_slowly(void *context, int worker, size_t item)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    nanosleep(&pause, NULL);
    work(context, worker, item);
}

static void work_again(void *context, int worker, size_t item)
{
    struct scene *s = context;
    (void)worker;
    atomic_fetch_add(&s->again[item], 1);
}

static bool take_part(void *context, size_t first, size_t count)
{
    struct scene *s = context;
    if (first != s->told) atomic_store(&s->strange, true);
    for (size_t i = 0; i < count; i++)
        if (atomic_load(&s->worked[first + i]) != 1) atomic_store(&s->strange, true);
    s->told += count;
    s->parts++;
    return s->parts != s->interrupt_after && lae_sweep_also(&s->sweep, count, work_again);
}

static void see(void *context, double share)
{
    struct scene *s = context;
    if (share < s->share || share >= 1.0) atomic_store(&s->strange, true);
    s->share = share;
    s->calls++;
}

static bool run_with(lae_team_work *item, size_t count, size_t part, bool parts,
                     enum lae_request *request)
{
    size_t interrupt_after = scene.interrupt_after;
    memset(&scene, 0, sizeof scene);
    scene.interrupt_after = interrupt_after;
    scene.count = count;
    scene.sweep = (struct lae_sweep){.dist = &dist,
                                     .team = team,
                                     .heeds = LAE_REQUEST_NOW,
                                     .work = item,
                                     .context = &scene,
                                     .part = part,
                                     .after_part = parts ? take_part : NULL,
                                     .progress = see,
                                     .progress_context = &scene};
    return lae_sweep_run(&scene.sweep, count, request);
}

static bool run(size_t count, size_t part, bool parts, enum lae_request *request)
{
    return run_with(work, count, part, parts, request);
}

static int worked(const atomic_int *times)
{
    int items = 0;
    for (size_t i = 0; i < MOST; i++)
        items += atomic_load(&times[i]);
    return items;
}

static void test_every_item_once(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 7, 64, 999}, sizes[] = {0, 1, 5, 64, 2000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            enum lae_request request;
            size_t count = counts[i], size = sizes[k] > 0 ? sizes[k] : count;
            size_t parts = count == 0 ? 0 : (count + size - 1) / size;
            assert_true(run(count, sizes[k], true, &request));
            assert_int_equal(request, LAE_REQUEST_NONE);
            assert_false(atomic_load(&scene.strange));
            assert_int_equal(worked(scene.worked), count);
            for (size_t item = 0; item < count; item++)
                assert_int_equal(atomic_load(&scene.worked[item]), 1);
            assert_int_equal(worked(scene.again), count);
            assert_int_equal(scene.told, count);
            assert_int_equal(scene.parts, parts);
            assert_int_equal(scene.calls, parts);
            assert_true(run(count, sizes[k], false, &request));
            assert_int_equal(worked(scene.worked), count);
        }
}

/* What a part's taking says counts as a request does; nothing after it is begun. */
static void test_parts_may_end_it(void **state)
{
    (void)state;
    enum lae_request request;
    scene.interrupt_after = 2;
    assert_false(run(100, 10, true, &request));
    assert_int_equal(scene.told, 20);
    assert_int_equal(worked(scene.worked), 20);
    scene.interrupt_after = 0;
}

/* The last tests, as requests stay. */
static void test_weaker_requests_are_told(void **state)
{
    (void)state;
    enum lae_request request;
    assert_int_equal(raise(SIGUSR1), 0);
    assert_true(run(100, 10, true, &request));
    assert_int_equal(request, LAE_REQUEST_STEP);
    assert_int_equal(worked(scene.worked), 100);
}

static void test_heeded_requests_end_it(void **state)
{
    (void)state;
    enum lae_request request;
    assert_int_equal(raise(SIGTERM), 0);
    assert_false(run_with(work_slowly, 999, 0, true, &request));
    assert_int_equal(request, LAE_REQUEST_NOW);
    lae_team_drain(team); /* those that were begun */
    assert_true(worked(scene.worked) < 999);
    assert_int_equal(scene.told, 0);
    assert_false(atomic_load(&scene.strange));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_item_once),
        cmocka_unit_test(test_parts_may_end_it),
        cmocka_unit_test(test_weaker_requests_are_told),
        cmocka_unit_test(test_heeded_requests_end_it),
    };
    lae_signals_install();
    if (lae_dist_start(&argc, &argv, &dist) != NULL) return 1;
    if (lae_team_create(THREADS, &team) != NULL) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    lae_team_free(team);
    lae_dist_end(&dist);
    return failed;
}
