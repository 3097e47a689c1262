/* merge/: cases small enough to follow with a pencil, then ties.json, made by another program. */
#include "lae/merge/merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64 };

/* One merge's vectors and what comes of it. */
struct scene {
    struct lae_table table;
    struct lae_merge_options options;
    float base[MOST], offline[MOST], online[MOST];
    struct lae_merge_stats stats[MOST];
};

static struct scene *new_scene(const char *method)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    scene->options = (struct lae_merge_options){
        .method = lae_merge_find(method), .density = 1.0, .scale = 1.0, .decay = 0.9999};
    assert_non_null(scene->options.method);
    return scene;
}

static void add_tensor(struct scene *scene, size_t count)
{
    char name[16];
    snprintf(name, sizeof name, "%zu", scene->table.count);
    assert_null(lae_table_add(&scene->table, name, 1, &count));
    assert_true(scene->table.total <= MOST);
}

static void free_scene(struct scene *scene)
{
    lae_table_free(&scene->table);
    free(scene);
}

static struct lae_merge_vectors vectors_of(struct scene *scene)
{
    return (struct lae_merge_vectors){.table = &scene->table,
                                      .init = scene->base,
                                      .online = scene->online,
                                      .offline = scene->offline};
}

static void after_task(struct scene *scene, int task)
{
    struct lae_merge_vectors vectors = vectors_of(scene);
    lae_status status = lae_merge_after_task(&scene->options, &vectors, task, scene->stats);
    if (status != NULL) fail_msg("%s", lae_status_message(status));
}

/* A scene of one tensor per size in `sizes` (0 ends them) with base 0. */
static struct scene *ties_scene(const size_t *sizes, const float *offline, const float *online)
{
    struct scene *scene = new_scene("ties");
    for (; *sizes != 0; sizes++)
        add_tensor(scene, *sizes);
    memcpy(scene->offline, offline, scene->table.total * sizeof(float));
    memcpy(scene->online, online, scene->table.total * sizeof(float));
    return scene;
}

#define SIZES(...) ((const size_t[]){__VA_ARGS__, 0})
#define VECTOR(...) ((const float[]){__VA_ARGS__})

static void assert_vector(const float *found, const float *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(found[i] == wanted[i]))
            fail_msg("entry %zu is %a, not %a", i, (double)found[i], (double)wanted[i]);
}

/* Somewhere in [-1, 1), by a small generator of its own. */
static float draw(uint32_t *random)
{
    *random = *random * 1664525u + 1013904223u;
    return (float)(*random >> 8) / 8388608.0f - 1.0f;
}

static void assert_merged(struct scene *scene, int task, const float *wanted)
{
    after_task(scene, task);
    assert_vector(scene->offline, wanted, scene->table.total);
    free_scene(scene);
}

/* ---- The table --------------------------------------------------------------------------------
 */

static void methods_are_found_by_name(void **state)
{
    (void)state;
    static const char *const names[] = {"ema",  "ema_task", "mean", "task_arithmetic",
                                        "ties", "dare",     "none"};
    const size_t known = sizeof names / sizeof names[0];
    size_t count = 0;
    for (const struct lae_merge_method *m = lae_merge_methods(); m->name != NULL; m++, count++) {
        assert_ptr_equal(lae_merge_find(m->name), m);
        assert_non_null(m->help);
    }
    assert_int_equal(count, known);
    for (size_t i = 0; i < known; i++)
        assert_non_null(lae_merge_find(names[i]));
    assert_null(lae_merge_find("Ties"));
    assert_null(lae_merge_find(""));
    assert_true(lae_merge_find("ema")->has_offline);
    assert_false(lae_merge_find("none")->has_offline);
}

static void none_needs_no_offline_vector(void **state)
{
    (void)state;
    struct scene *scene = new_scene("none");
    add_tensor(scene, 3);
    scene->stats[0].conflict = 1.0;
    struct lae_merge_vectors vectors = vectors_of(scene);
    vectors.offline = NULL;
    assert_null(lae_merge_after_task(&scene->options, &vectors, 1, scene->stats));
    assert_true(scene->stats[0].conflict == 0.0 && scene->stats[0].norm_merged == 0.0);
    free_scene(scene);
}

/* ---- EMA and mean -----------------------------------------------------------------------------
 */

static void ema_steps(struct scene *scene, int steps)
{
    struct lae_merge_vectors vectors = vectors_of(scene);
    for (int s = 0; s < steps; s++)
        scene->options.method->after_step(&scene->options, &vectors);
}

static void ema_moves_by_its_decay(void **state)
{
    (void)state;
    struct scene *scene = new_scene("ema");
    add_tensor(scene, 4);
    memcpy(scene->offline, VECTOR(1, -2, 0, 8), 4 * sizeof(float));
    memcpy(scene->online, VECTOR(3, 2, 4, 8), 4 * sizeof(float));
    scene->options.decay = 0.75; /* 0.75*1 + 0.25*3 = 1.5, ... */
    ema_steps(scene, 1);
    assert_vector(scene->offline, VECTOR(1.5f, -1, 1, 8), 4);
    scene->options.decay = 1.0;
    ema_steps(scene, 3);
    assert_vector(scene->offline, VECTOR(1.5f, -1, 1, 8), 4);
    scene->options.decay = 0.0;
    ema_steps(scene, 1);
    assert_vector(scene->offline, scene->online, 4);
    free_scene(scene);
}

/* From 0 towards 1 the distance is d^n. Each step rounds to a float once, so the way there is lost
 * or won by at most n half last places; in float arithmetic 1 - 0.9999f alone is off by 1e-4. */
static void ema_keeps_the_bits_of_a_slow_decay(void **state)
{
    (void)state;
    struct scene *scene = new_scene("ema");
    add_tensor(scene, 37); /* body and tail of a vector loop */
    for (int i = 0; i < 37; i++)
        scene->online[i] = 1.0f;
    ema_steps(scene, 1);
    assert_true(scene->offline[0] == (float)(1.0 - 0.9999));
    ema_steps(scene, 999);
    assert_true(fabs((double)scene->offline[0] - (1.0 - pow(0.9999, 1000))) < 1e-6);
    for (int i = 1; i < 37; i++)
        assert_memory_equal(&scene->offline[i], &scene->offline[0], sizeof(float));

    for (int i = 0; i < 37; i++) /* where both are one, they stay there */
        scene->offline[i] = scene->online[i] = 0.1f + (float)i / 7.0f;
    ema_steps(scene, 100);
    assert_vector(scene->offline, scene->online, 37);
    free_scene(scene);
}

/* changes: offline (3, 4), online (-3, 0): norms 5 and 3; one of two entries conflicts. */
static void ema_tells_how_the_pair_stands(void **state)
{
    (void)state;
    struct scene *scene = new_scene("ema");
    add_tensor(scene, 2);
    memcpy(scene->base, VECTOR(1, 1), 2 * sizeof(float));
    memcpy(scene->offline, VECTOR(4, 5), 2 * sizeof(float));
    memcpy(scene->online, VECTOR(-2, 1), 2 * sizeof(float));
    after_task(scene, 1);
    assert_vector(scene->offline, VECTOR(4, 5), 2);
    const struct lae_merge_stats *stats = scene->stats;
    assert_true(stats->kept_offline == 1.0 && stats->kept_online == 1.0);
    assert_true(stats->conflict == 0.5);
    assert_true(stats->norm_offline == 5.0 && stats->norm_online == 3.0);
    assert_true(stats->norm_merged == 5.0);
    free_scene(scene);
}

/* Task 1: (1*o + n)/2. Task 3: (3*o + n)/4. Of modules 3, 5, 10, 6 in turn: 3, 4, 6, 6. */
static void mean_is_over_all_tasks(void **state)
{
    (void)state;
    struct scene *scene = new_scene("mean");
    add_tensor(scene, 1);
    scene->offline[0] = 3.0f;
    scene->online[0] = 5.0f;
    after_task(scene, 1);
    assert_true(scene->offline[0] == 4.0f);
    assert_true(scene->stats[0].norm_offline == 3.0 && scene->stats[0].norm_online == 5.0);
    assert_true(scene->stats[0].norm_merged == 4.0);
    scene->online[0] = 10.0f;
    after_task(scene, 2);
    assert_true(scene->offline[0] == 6.0f);
    scene->online[0] = 6.0f;
    after_task(scene, 3);
    assert_true(scene->offline[0] == 6.0f);
    free_scene(scene);
}

/* ---- TIES by hand -----------------------------------------------------------------------------
 */

/*  offline  4  -4   1  -1   2   0   0        w = 1, 1
 *  online   2  -2  -3   3   0  -6   0
 *  sum      6  -6  -2   2   2  -6   0
 *  gamma    +   -   -   +   +   -   + (the sum of the gammas is 1)
 *  agree    both both on. on. off. on. none */
static void each_reduction_takes_the_agreeing(void **state)
{
    (void)state;
    static const float wanted[3][7] = {
        [LAE_REDUCE_MEAN] = {3, -3, -3, 3, 2, -6, 0},
        [LAE_REDUCE_SUM] = {6, -6, -3, 3, 2, -6, 0},
        [LAE_REDUCE_MAX] = {4, -4, -3, 3, 2, -6, 0},
    };
    for (int reduce = LAE_REDUCE_MEAN; reduce <= LAE_REDUCE_MAX; reduce++) {
        struct scene *scene =
            ties_scene(SIZES(7), VECTOR(4, -4, 1, -1, 2, 0, 0), VECTOR(2, -2, -3, 3, 0, -6, 0));
        scene->options.reduce = (enum lae_merge_reduce)reduce;
        assert_merged(scene, 1, wanted[reduce]);
    }
}

/* w = 3, 1 (task 3).  offline 1 1 -1  2;  online -2 -4 -5 6
 *  sum = 3*off + on:  1  -1  -8  12;  gamma + - - +
 *  mean: 1 | -4 | (-3-5)/4 = -2 | (6+6)/4 = 3;  sum: 3*1 = 3 | -4 | -8 | 12
 *  max, unweighted: 1 | -4 | -5 | 6
 * with w = 1, 1 the first would go to online: 1 - 2 < 0. */
static void weights_count_tasks(void **state)
{
    (void)state;
    static const float wanted[3][4] = {{1, -4, -2, 3}, {3, -4, -8, 12}, {1, -4, -5, 6}};
    for (int reduce = LAE_REDUCE_MEAN; reduce <= LAE_REDUCE_MAX; reduce++) {
        struct scene *scene = ties_scene(SIZES(4), VECTOR(1, 1, -1, 2), VECTOR(-2, -4, -5, 6));
        scene->options.reduce = (enum lae_merge_reduce)reduce;
        scene->options.weighting = LAE_WEIGHTING_TASKS;
        assert_merged(scene, 3, wanted[reduce]);
    }
    struct scene *equal = ties_scene(SIZES(1), VECTOR(1), VECTOR(-2));
    assert_merged(equal, 3, VECTOR(-2));
}

/* Entry 0: 2 and -2, sum 0. It goes with the others' gammas, of which there are more + (offline's 2
 * is left) or more - (online's -2), or as many of each (nothing). */
static void a_zero_sum_follows_the_majority(void **state)
{
    (void)state;
    assert_merged(ties_scene(SIZES(4), VECTOR(2, 1, 1, -1), VECTOR(-2, 1, 1, -1)), 1,
                  VECTOR(2, 1, 1, -1));
    assert_merged(ties_scene(SIZES(4), VECTOR(2, -1, 1, -1), VECTOR(-2, -1, 1, -1)), 1,
                  VECTOR(-2, -1, 1, -1));
    assert_merged(ties_scene(SIZES(3), VECTOR(2, -1, 1), VECTOR(-2, -1, 1)), 1, VECTOR(0, -1, 1));
    assert_merged(ties_scene(SIZES(2), VECTOR(2, -3), VECTOR(-2, 3)), 1, VECTOR(0, 0));
    /* Majority counts signs, not sizes: one + of 100 against two - of 1. */
    assert_merged(ties_scene(SIZES(4), VECTOR(2, 100, -1, -1), VECTOR(-2, 100, -1, -1)), 1,
                  VECTOR(-2, 100, -1, -1));
    /* Weighted: 3*1 - 3 = 0. */
    struct scene *scene = ties_scene(SIZES(2), VECTOR(1, -1), VECTOR(-3, -1));
    scene->options.weighting = LAE_WEIGHTING_TASKS;
    assert_merged(scene, 3, VECTOR(-3, -1));
    /* One last place apart: that is no zero sum. */
    float below = nextafterf(0.1f, 0.0f);
    assert_merged(ties_scene(SIZES(2), VECTOR(0.1f, -1), VECTOR(-below, -1)), 1, VECTOR(0.1f, -1));
}

/* Tensor scope trims each tensor by itself, but the majority is the whole vector's: + by 3 to 1. In
 * tensor 1 alone it would be -. */
static void the_majority_is_of_the_whole_vector(void **state)
{
    (void)state;
    struct scene *scene = ties_scene(SIZES(3, 2), VECTOR(1, 1, 1, -1, 2), VECTOR(1, 1, 1, -1, -2));
    scene->options.scope = LAE_SCOPE_TENSOR;
    assert_merged(scene, 1, VECTOR(1, 1, 1, -1, 2));
}

/* k = floor(0.5 * 6) = 3. offline keeps 6, -5, 4; online keeps 7, -6, and both its 2s, tied at the
 * third place.
 *   offline   6  -5   4   .   .   .
 *   online    .   .   2   2  -6   7
 *   merged    6  -5   3   2  -6   7 */
static void trimming_keeps_the_tied(void **state)
{
    (void)state;
    struct scene *scene =
        ties_scene(SIZES(6), VECTOR(6, -5, 4, 3, 2, 1), VECTOR(-1, 1, 2, 2, -6, 7));
    scene->options.density = 0.5;
    after_task(scene, 1);
    assert_vector(scene->offline, VECTOR(6, -5, 3, 2, -6, 7), 6);
    assert_true(scene->stats[0].kept_offline == 3.0 / 6.0);
    assert_true(scene->stats[0].kept_online == 4.0 / 6.0);
    assert_true(scene->stats[0].conflict == 0.0);
    free_scene(scene);
}

/* What trimming removes is absent: it neither votes nor conflicts nor halves a mean.
 * k = 1: offline keeps -9, online keeps 8. */
static void what_is_trimmed_has_no_voice(void **state)
{
    (void)state;
    struct scene *scene = ties_scene(SIZES(2), VECTOR(-9, -7), VECTOR(6, 8));
    scene->options.density = 0.5;
    after_task(scene, 1);
    assert_vector(scene->offline, VECTOR(-9, 8), 2);
    assert_true(scene->stats[0].conflict == 0.0);
    free_scene(scene);
}

/* Global, k = 2 of 4: the large tensor keeps both. By tensor, k = 1 of each 2. */
static void scope_decides_what_is_large(void **state)
{
    (void)state;
    for (int by_tensor = 0; by_tensor < 2; by_tensor++) {
        struct scene *scene = ties_scene(SIZES(2, 2), VECTOR(10, 20, 1, 2), VECTOR(10, 20, 1, 2));
        scene->options.density = 0.5;
        scene->options.scope = by_tensor ? LAE_SCOPE_TENSOR : LAE_SCOPE_GLOBAL;
        after_task(scene, 1);
        const struct lae_merge_stats *stats = scene->stats;
        assert_vector(scene->offline, by_tensor ? VECTOR(0, 20, 0, 2) : VECTOR(10, 20, 0, 0), 4);
        assert_true(stats[0].kept_online == (by_tensor ? 0.5 : 1.0));
        assert_true(stats[1].kept_online == (by_tensor ? 0.5 : 0.0));
        free_scene(scene);
    }
}

/* How many of 1, 2, ..., n are kept, of which none are tied. */
static size_t kept_of(double density, size_t count)
{
    struct scene *scene = new_scene("ties");
    add_tensor(scene, count);
    for (size_t i = 0; i < count; i++)
        scene->offline[i] = scene->online[i] = (float)(i * 7 % count + 1);
    scene->options.density = density;
    after_task(scene, 1);
    double kept = scene->stats[0].kept_offline * (double)count;
    free_scene(scene);
    return (size_t)llround(kept);
}

static void k_is_the_floor_as_written(void **state)
{
    (void)state;
    assert_int_equal(kept_of(0.2, 10), 2);
    assert_int_equal(kept_of(0.3, 10), 3);
    assert_int_equal(kept_of(0.7, 10), 7);
    assert_int_equal(kept_of(0.29, 50), 14); /* 14.5 */
    assert_int_equal(kept_of(0.58, 50), 29); /* 28.999999999999996 as doubles multiply */
    assert_int_equal(kept_of(0.35, 10), 3);
    assert_int_equal(kept_of(0.99, 10), 9);
    assert_int_equal(kept_of(1.0, 10), 10);
    assert_int_equal(kept_of(0.05, 10), 1);
    assert_int_equal(kept_of(1e-9, 10), 1);
    assert_int_equal(kept_of(0.2, 1), 1);
}

/* v: offline (4, 0, 1), online (0, 4, 3); merged (4, 4, 2); base + scale * merged. */
static void base_and_scale(void **state)
{
    (void)state;
    struct scene *scene = ties_scene(SIZES(3), VECTOR(5, -2, 9), VECTOR(1, 2, 11));
    memcpy(scene->base, VECTOR(1, -2, 8), 3 * sizeof(float));
    scene->options.scale = 0.5;
    after_task(scene, 1);
    assert_vector(scene->offline, VECTOR(3, 0, 9), 3);
    assert_true(scene->stats[0].norm_offline == sqrt(17.0));
    assert_true(scene->stats[0].norm_online == 5.0);
    assert_true(scene->stats[0].norm_merged == 3.0); /* (2, 2, 1) */
    free_scene(scene);
}

/* Entries 0 and 3 conflict, entry 2 has a zero; shares are of the tensor, norms before trimming. */
static void statistics_are_of_each_tensor(void **state)
{
    (void)state;
    struct scene *scene = ties_scene(SIZES(2, 2), VECTOR(3, 4, 0, 8), VECTOR(-6, 8, 5, -12));
    after_task(scene, 1);
    assert_vector(scene->offline, VECTOR(-6, 6, 5, -12), 4);
    const struct lae_merge_stats *stats = scene->stats;
    assert_true(stats[0].conflict == 0.5 && stats[1].conflict == 0.5);
    assert_true(stats[0].norm_offline == 5.0 && stats[0].norm_online == 10.0);
    assert_true(stats[1].norm_offline == 8.0 && stats[1].norm_online == 13.0);
    assert_true(stats[0].norm_merged == sqrt(72.0) && stats[1].norm_merged == 13.0);
    free_scene(scene);
}

/* Each operation's precision as merge.h fixes it, on numbers with all bits in use. The floats are
 * volatile so that they are rounded even where the processor computes wider. */
static void the_arithmetic_is_as_documented(void **state)
{
    (void)state;
    struct scene *scene = new_scene("ties");
    float wanted[MOST];
    uint32_t random = 3;
    add_tensor(scene, MOST);
    scene->options.scale = 0.3;
    scene->options.weighting = LAE_WEIGHTING_TASKS;
    for (size_t i = 0; i < MOST; i++) {
        scene->base[i] = draw(&random);
        scene->offline[i] = 2.0f + draw(&random); /* both larger than base: no conflicts */
        scene->online[i] = 2.0f + draw(&random);
        volatile float v0 = scene->offline[i] - scene->base[i];
        volatile float v1 = scene->online[i] - scene->base[i];
        volatile float merged = (float)((7.0 * (double)v0 + 1.0 * (double)v1) / (7.0 + 1.0));
        wanted[i] = (float)((double)scene->base[i] + 0.3 * (double)merged);
    }
    assert_merged(scene, 7, wanted);
}

/* ---- TIES on odd input ------------------------------------------------------------------------
 */

static void vectors_that_have_not_moved(void **state)
{
    (void)state;
    static const float base[4] = {1.0f, -2.0f, 0.0f, 0.1f};
    for (int i = 0; i < 2; i++) {
        struct scene *scene = ties_scene(SIZES(3, 1), base, base);
        memcpy(scene->base, base, sizeof base);
        scene->options.density = i == 0 ? 0.25 : 1.0;
        after_task(scene, 1);
        assert_vector(scene->offline, base, 4);
        assert_true(scene->stats[0].kept_offline == 1.0 && scene->stats[0].norm_merged == 0.0);
        free_scene(scene);
    }
}

/* k = 3 and one non-zero entry: the third largest is 0, all are kept, zeros stay absent. */
static void zeros_at_the_threshold_stay_absent(void **state)
{
    (void)state;
    struct scene *scene = ties_scene(SIZES(4), VECTOR(0, 6, 0, 0), VECTOR(4, 0, -0.0f, 0));
    scene->options.density = 0.75;
    assert_merged(scene, 1, VECTOR(4, 6, 0, 0));
}

static void single_empty_and_no_tensors(void **state)
{
    (void)state;
    assert_merged(ties_scene(SIZES(1), VECTOR(2), VECTOR(4)), 1, VECTOR(3));
    struct scene *scene = new_scene("ties");
    after_task(scene, 1);
    add_tensor(scene, 0);
    scene->options.scope = LAE_SCOPE_TENSOR;
    after_task(scene, 1);
    assert_true(scene->stats[0].kept_offline == 0.0);
    free_scene(scene);
}

static void nan_and_infinity_come_through(void **state)
{
    (void)state;
    for (int scope = LAE_SCOPE_GLOBAL; scope <= LAE_SCOPE_TENSOR; scope++)
        for (int reduce = LAE_REDUCE_MEAN; reduce <= LAE_REDUCE_MAX; reduce++) {
            struct scene *scene =
                ties_scene(SIZES(2, 4), VECTOR(NAN, 1, INFINITY, -NAN, 1, INFINITY),
                           VECTOR(1, 1, 1, NAN, 2, -INFINITY));
            scene->options.density = 0.5;
            scene->options.scope = (enum lae_merge_scope)scope;
            scene->options.reduce = (enum lae_merge_reduce)reduce;
            after_task(scene, 1);
            assert_true(isnan(scene->offline[0]) && isnan(scene->offline[3]));
            assert_true(isinf(scene->offline[2]) && isnan(scene->offline[5]));
            assert_false(isnan(scene->offline[1]) || isnan(scene->offline[4]));
            free_scene(scene);
        }
}

static int descending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* The selection against sorting, for every k: magnitudes far apart, with many equal ones, and
 * magnitudes that differ in their last bits only. */
static void selection_agrees_with_sorting(void **state)
{
    (void)state;
    uint32_t random = 7;
    for (size_t k = 1; k <= 2 * MOST; k++) {
        struct scene *scene = new_scene("ties");
        float sorted[MOST], before[MOST];
        add_tensor(scene, MOST);
        for (size_t i = 0; i < MOST; i++) {
            float value = truncf(8.0f * draw(&random));
            before[i] = k > MOST ? 1.0f + value / 8388608.0f : ldexpf(value, (int)value);
            scene->offline[i] = scene->online[i] = before[i];
            sorted[i] = fabsf(before[i]);
        }
        size_t place = (k - 1) % MOST;
        qsort(sorted, MOST, sizeof *sorted, descending);
        scene->options.density = (double)(place + 1) / (double)MOST;
        after_task(scene, 1);
        for (size_t i = 0; i < MOST; i++) {
            float wanted = fabsf(before[i]) >= sorted[place] ? before[i] : 0.0f;
            assert_vector(&scene->offline[i], &wanted, 1);
        }
        free_scene(scene);
    }
}

/* ---- ties.json --------------------------------------------------------------------------------
 */

static void read_list(const json_t *array, float *out, size_t wanted)
{
    assert_int_equal(json_array_size(array), wanted);
    for (size_t i = 0; i < wanted; i++)
        out[i] = (float)json_number_value(json_array_get(array, i));
}

static void read_vector(const json_t *one, const char *key, float *out, size_t wanted)
{
    read_list(json_object_get(one, key), out, wanted);
}

/* Row `row` of a list of vectors. */
static void read_row(const json_t *one, const char *key, size_t row, float *out, size_t wanted)
{
    read_list(json_array_get(json_object_get(one, key), row), out, wanted);
}

static double number(const json_t *one, const char *key)
{
    const json_t *value = json_object_get(one, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static bool says(const json_t *one, const char *key, const char *word)
{
    const char *text = json_string_value(json_object_get(one, key));
    assert_non_null(text);
    return strcmp(text, word) == 0;
}

static enum lae_merge_reduce reduce_of(const json_t *one)
{
    if (says(one, "reduce", "mean")) return LAE_REDUCE_MEAN;
    return says(one, "reduce", "sum") ? LAE_REDUCE_SUM : LAE_REDUCE_MAX;
}

static enum lae_merge_scope scope_of(const json_t *one)
{
    return says(one, "scope", "tensor") ? LAE_SCOPE_TENSOR : LAE_SCOPE_GLOBAL;
}

static enum lae_merge_weighting weighting_of(const json_t *one)
{
    return says(one, "weighting", "tasks") ? LAE_WEIGHTING_TASKS : LAE_WEIGHTING_EQUAL;
}

static void check_case(const json_t *one)
{
    struct scene *scene = new_scene("ties");
    const json_t *sizes = json_object_get(one, "sizes");
    float expected[MOST];
    for (size_t i = 0; i < json_array_size(sizes); i++)
        add_tensor(scene, (size_t)json_integer_value(json_array_get(sizes, i)));
    size_t total = scene->table.total;
    read_vector(one, "base", scene->base, total);
    read_vector(one, "offline", scene->offline, total);
    read_vector(one, "online", scene->online, total);
    read_vector(one, "expected", expected, total);
    scene->options.density = number(one, "density");
    scene->options.scale = number(one, "scale");
    scene->options.reduce = reduce_of(one);
    scene->options.scope = scope_of(one);
    scene->options.weighting = weighting_of(one);
    after_task(scene, (int)number(one, "task"));
    for (size_t i = 0; i < total; i++)
        if (!(scene->offline[i] == expected[i]))
            fail_msg("case \"%s\", entry %zu: %a, not %a",
                     json_string_value(json_object_get(one, "name")), i, (double)scene->offline[i],
                     (double)expected[i]);
    free_scene(scene);
}

/* A file of tests/reference, which a test must have. */
static json_t *load_reference(const char *name)
{
    const char *source = getenv("LAE_TEST_SOURCE");
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/reference/%s", source != NULL ? source : ".", name);
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (root == NULL)
        fail_msg("%s: line %d: %s (LAE_TEST_SOURCE names the source tree)", path, error.line,
                 error.text);
    assert_true(json_array_size(json_object_get(root, "cases")) > 0);
    return root;
}

static void the_reference_cases_agree(void **state)
{
    (void)state;
    json_t *root = load_reference("ties.json");
    const json_t *cases = json_object_get(root, "cases");
    for (size_t i = 0; i < json_array_size(cases); i++)
        check_case(json_array_get(cases, i));
    json_decref(root);
}

/* ---- merges.json: several tasks, all kinds of changes
 * ----------------------------------------------
 */

enum { TASKS = 4 };

static struct lae_merge_options options_of(const json_t *one)
{
    const char *method = json_string_value(json_object_get(one, "method"));
    assert_non_null(method);
    return (struct lae_merge_options){
        .method = lae_merge_find(method),
        .density = number(one, "density"),
        .scale = number(one, "scale"),
        .decay = number(one, "decay"),
        .reduce = reduce_of(one),
        .scope = scope_of(one),
        .weighting = weighting_of(one),
        .vectors = says(one, "vectors", "tasks") ? LAE_VECTORS_TASKS : LAE_VECTORS_PAIR,
        .base = says(one, "base", "init")    ? LAE_BASE_INIT
                : says(one, "base", "first") ? LAE_BASE_FIRST
                                             : LAE_BASE_PREVIOUS,
    };
}

/* Only what lae_merge_remembers asks for is there. */
static void check_merges(struct scene *scene, const json_t *one)
{
    float online[TASKS][MOST], expected[MOST];
    const float *history[TASKS] = {NULL};
    size_t total = scene->table.total;
    scene->options = options_of(one);
    assert_non_null(scene->options.method);
    assert_null(lae_merge_check(&scene->options));
    struct lae_merge_vectors vectors = vectors_of(scene);
    vectors.history = history;
    vectors.seed = strtoull(json_string_value(json_object_get(one, "seed")), NULL, 10);
    read_vector(one, "init", scene->base, total);
    for (size_t t = 0; t < TASKS; t++) {
        read_row(one, "online", t, online[t], total);
        read_row(one, "offline", t, expected, total);
        vectors.online = online[t];
        if (t == 0)
            memcpy(scene->offline, online[0], sizeof online[0]);
        else
            assert_null(lae_merge_after_task(&scene->options, &vectors, (int)t, scene->stats));
        for (size_t i = 0; i < total; i++)
            if (!(scene->offline[i] == expected[i]))
                fail_msg("%s of %s from %s, task %zu, entry %zu: %a, not %a",
                         scene->options.method->name,
                         json_string_value(json_object_get(one, "vectors")),
                         json_string_value(json_object_get(one, "base")), t, i,
                         (double)scene->offline[i], (double)expected[i]);
        if (lae_merge_remembers(&scene->options, (int)t)) history[t] = online[t];
    }
}

static void the_reference_runs_agree(void **state)
{
    (void)state;
    json_t *root = load_reference("merges.json");
    const json_t *cases = json_object_get(root, "cases"), *sizes = json_object_get(root, "sizes");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        struct scene *scene = new_scene("ties");
        for (size_t k = 0; k < json_array_size(sizes); k++)
            add_tensor(scene, (size_t)json_integer_value(json_array_get(sizes, k)));
        check_merges(scene, json_array_get(cases, i));
        free_scene(scene);
    }
    json_decref(root);
}

/* Three changes from base 0, by hand:
 *   theta_0  4 -1  2  .        v_0   4 -1  2  .
 *   theta_1  6 -3  1  .        v_1   2 -2 -1  .
 *   theta_2  7  3  1  1        v_2   1  6  .  1
 * sum: 7 3 1 1; gamma + + + +; mean of the agreeing: 7/3, 6, 2, 1. Entries 1 and 2 are contested.
 */
static void ties_of_three_tasks(void **state)
{
    (void)state;
    static const float theta_0[4] = {4, -1, 2, 0}, theta_1[4] = {6, -3, 1, 0};
    const float *history[2] = {theta_0, theta_1};
    struct scene *scene = ties_scene(SIZES(2, 2), VECTOR(9, 9, 9, 9), VECTOR(7, 3, 1, 1));
    scene->options.vectors = LAE_VECTORS_TASKS;
    scene->options.base = LAE_BASE_PREVIOUS;
    struct lae_merge_vectors vectors = vectors_of(scene);
    vectors.history = history;
    assert_null(lae_merge_after_task(&scene->options, &vectors, 2, scene->stats));
    assert_vector(scene->offline, VECTOR((float)(7.0 / 3.0), 6, 2, 1), 4);
    assert_true(scene->stats[0].conflict == 0.5 && scene->stats[1].conflict == 0.5);
    assert_true(scene->stats[0].kept_offline == 1.0 && scene->stats[0].kept_online == 1.0);
    free_scene(scene);
}

/* k = 1 of 2: v_0 keeps 4, v_1 keeps both of its equal entries, v_2 keeps 6. Kept by the others
 * than the newest: (1/2 + 2/2) / 2. */
static void shares_kept_of_three_tasks(void **state)
{
    (void)state;
    static const float theta_0[2] = {4, -1}, theta_1[2] = {6, -3};
    const float *history[2] = {theta_0, theta_1};
    struct scene *scene = ties_scene(SIZES(2), VECTOR(0, 0), VECTOR(7, 3));
    scene->options.vectors = LAE_VECTORS_TASKS;
    scene->options.base = LAE_BASE_PREVIOUS;
    scene->options.density = 0.5;
    struct lae_merge_vectors vectors = vectors_of(scene);
    vectors.history = history;
    assert_null(lae_merge_after_task(&scene->options, &vectors, 2, scene->stats));
    assert_vector(scene->offline, VECTOR(3, 6), 2);
    assert_true(scene->stats[0].kept_online == 0.5 && scene->stats[0].kept_offline == 0.75);
    assert_true(scene->stats[0].conflict == 0.5); /* -2 against 6 */
    free_scene(scene);
}

/* What is dropped is drawn by seed, task and entry: about 1 - density of the entries, others for
 * another seed or task, and what stays keeps the sum's expectation. */
static void dare_drops_about_as_many_as_asked(void **state)
{
    (void)state;
    enum { MANY = 4096 };
    struct lae_table table = {0};
    size_t count = MANY;
    float *zero = calloc(MANY, sizeof *zero), *one = malloc(MANY * sizeof *one);
    float *first = malloc(MANY * sizeof *first), *second = malloc(MANY * sizeof *second);
    assert_true(zero != NULL && one != NULL && first != NULL && second != NULL);
    assert_null(lae_table_add(&table, "w", 1, &count));
    for (size_t i = 0; i < MANY; i++)
        one[i] = 1.0f;
    struct lae_merge_options options = {
        .method = lae_merge_find("dare"), .density = 0.25, .scale = 1.0, .reduce = LAE_REDUCE_SUM};
    struct lae_merge_stats stats;
    struct lae_merge_vectors vectors = {.table = &table, .init = zero, .online = one, .seed = 5};
    double sum = 0.0;
    size_t same = 0;
    for (int task = 1; task <= 2; task++) {
        vectors.offline = task == 1 ? first : second;
        memcpy(vectors.offline, zero, MANY * sizeof *zero);
        assert_null(lae_merge_after_task(&options, &vectors, task, &stats));
    }
    for (size_t i = 0; i < MANY; i++) {
        assert_true(first[i] == 0.0f || first[i] == 4.0f);
        sum += (double)first[i];
        same += (first[i] != 0.0f) == (second[i] != 0.0f);
    }
    assert_true(fabs(sum / (double)MANY - 1.0) < 0.11); /* four standard deviations */
    assert_true(stats.kept_online > 0.22 && stats.kept_online < 0.28);
    double share = (double)same / (double)MANY;
    assert_true(share > 0.58 && share < 0.67); /* 1/16 + 9/16 */
    lae_table_free(&table);
    free(zero);
    free(one);
    free(first);
    free(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_are_found_by_name),
        cmocka_unit_test(none_needs_no_offline_vector),
        cmocka_unit_test(ema_moves_by_its_decay),
        cmocka_unit_test(ema_keeps_the_bits_of_a_slow_decay),
        cmocka_unit_test(ema_tells_how_the_pair_stands),
        cmocka_unit_test(mean_is_over_all_tasks),
        cmocka_unit_test(each_reduction_takes_the_agreeing),
        cmocka_unit_test(weights_count_tasks),
        cmocka_unit_test(a_zero_sum_follows_the_majority),
        cmocka_unit_test(the_majority_is_of_the_whole_vector),
        cmocka_unit_test(trimming_keeps_the_tied),
        cmocka_unit_test(what_is_trimmed_has_no_voice),
        cmocka_unit_test(scope_decides_what_is_large),
        cmocka_unit_test(k_is_the_floor_as_written),
        cmocka_unit_test(base_and_scale),
        cmocka_unit_test(statistics_are_of_each_tensor),
        cmocka_unit_test(the_arithmetic_is_as_documented),
        cmocka_unit_test(vectors_that_have_not_moved),
        cmocka_unit_test(zeros_at_the_threshold_stay_absent),
        cmocka_unit_test(single_empty_and_no_tensors),
        cmocka_unit_test(nan_and_infinity_come_through),
        cmocka_unit_test(selection_agrees_with_sorting),
        cmocka_unit_test(the_reference_cases_agree),
        cmocka_unit_test(the_reference_runs_agree),
        cmocka_unit_test(ties_of_three_tasks),
        cmocka_unit_test(shares_kept_of_three_tasks),
        cmocka_unit_test(dare_drops_about_as_many_as_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
