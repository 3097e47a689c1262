/* heads/ and nn/cholesky.h: exact sums and what does not fit into them; statistics and heads
 * against slow computations by other formulas; degenerate cases; then heads.json, made by another
 * program. */
#include "lae/base/random.h"
#include "lae/base/team.h"
#include "lae/heads/head.h"
#include "lae/heads/lift.h"
#include "lae/heads/stats.h"
#include "lae/nn/cholesky.h"

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

enum { CLASSES = 5, WIDTH = 37, IMAGES = 120 }; /* three blocks of rows, none of them even */

static void succeeds(lae_status status)
{
    if (status != NULL) fail_msg("%s", lae_status_message(status));
}

/* `status` is an error of this code whose message holds `word`; it is freed. */
static void fails(lae_status status, enum lae_code code, const char *word)
{
    assert_non_null(status);
    assert_int_equal(lae_status_code(status), code);
    if (strstr(lae_status_message(status), word) == NULL)
        fail_msg("\"%s\" says nothing of \"%s\"", lae_status_message(status), word);
    lae_status_free(status);
}

static void is_near(double found, double wanted, double tolerance, const char *what, size_t at)
{
    if (!(fabs(found - wanted) <= tolerance))
        fail_msg("%s, entry %zu: %.12g, not %.12g", what, at, found, wanted);
}

static void *zeros(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    assert_non_null(memory);
    return memory;
}

/* ---- Made-up images -------------------------------------------------------------------------- */

struct scene {
    size_t classes, width, images;
    float *x;    /* [images, width] */
    int *labels; /* [images]; the last class has none */
};

/* Each class about a mean of its own; entries lean on the one before, so that scatter is no
 * diagonal. */
static struct scene new_scene(uint64_t seed, size_t classes, size_t width, size_t images)
{
    struct scene scene = {classes, width, images, zeros(images * width, sizeof(float)),
                          zeros(images, sizeof(int))};
    for (size_t i = 0; i < images; i++) {
        scene.labels[i] = (int)(i % (classes - 1));
        struct lae_random noise =
            lae_random_stream(seed, LAE_RANDOM_BENCH, 0, 0, (uint32_t)(i + classes));
        struct lae_random mean =
            lae_random_stream(seed, LAE_RANDOM_BENCH, 0, 0, (uint32_t)scene.labels[i]);
        double before = 0.0;
        for (size_t k = 0; k < width; k++) {
            before = 0.6 * before + lae_random_normal(&noise, k);
            scene.x[i * width + k] = (float)(1.5 * lae_random_normal(&mean, k) + before);
        }
    }
    return scene;
}

static void free_scene(struct scene *scene)
{
    free(scene->x);
    free(scene->labels);
}

static struct lae_sums new_sums(size_t classes, size_t width, int64_t images, int range)
{
    struct lae_sums sums;
    struct lae_sums_shape shape = {classes, width, images, range};
    succeeds(lae_sums_create(&shape, &sums));
    return sums;
}

static struct lae_sums sums_of(const struct scene *scene)
{
    struct lae_sums sums = new_sums(scene->classes, scene->width, (int64_t)scene->images, 8);
    lae_sums_add(&sums, scene->x, scene->labels, scene->images);
    return sums;
}

static struct lae_stats stats_of(const struct scene *scene)
{
    struct lae_sums sums = sums_of(scene);
    struct lae_stats stats;
    succeeds(lae_stats_create(scene->classes, scene->width, &stats));
    succeeds(lae_stats_take(&stats, 0, &sums));
    lae_sums_free(&sums);
    return stats;
}

/* ---- Sums ------------------------------------------------------------------------------------ */

static void same_words(const struct lae_sums *a, const struct lae_sums *b)
{
    assert_int_equal(a->word_count, b->word_count);
    assert_memory_equal(a->words, b->words, a->word_count * sizeof *a->words);
}

static void sums_are_those_of_rounded_contributions(void **state)
{
    (void)state;
    struct scene scene = new_scene(1, CLASSES, WIDTH, IMAGES);
    struct lae_sums sums = sums_of(&scene), wanted = new_sums(CLASSES, WIDTH, IMAGES, 8);
    assert_int_equal(sums.bits, 51);
    for (size_t i = 0; i < IMAGES; i++) {
        const float *x = scene.x + i * WIDTH;
        size_t class = (size_t)scene.labels[i], at = 0;
        wanted.count[class]++;
        for (size_t j = 0; j < WIDTH; j++) {
            wanted.first[class * WIDTH + j] += llrint(ldexp((double)x[j], 51 - 8));
            for (size_t k = j; k < WIDTH; k++)
                wanted.second[at++] += llrint(ldexp((double)x[j] * (double)x[k], 51 - 16));
        }
    }
    same_words(&sums, &wanted);
    lae_sums_free(&sums);
    lae_sums_free(&wanted);
    free_scene(&scene);
}

/* Backwards one by one; in three parts that are merged; blocks in another order, image groups of
 * uneven size. */
static void order_and_grouping_do_not_matter(void **state)
{
    (void)state;
    struct scene scene = new_scene(2, CLASSES, WIDTH, IMAGES);
    struct lae_sums whole = sums_of(&scene);
    struct lae_sums backward = new_sums(CLASSES, WIDTH, IMAGES, 8);
    struct lae_sums parts[3], blocks = new_sums(CLASSES, WIDTH, IMAGES, 8);
    for (size_t p = 0; p < 3; p++)
        parts[p] = new_sums(CLASSES, WIDTH, IMAGES, 8);
    for (size_t i = 0; i < IMAGES; i++) {
        size_t last = IMAGES - 1 - i;
        lae_sums_add(&backward, scene.x + last * WIDTH, scene.labels + last, 1);
        lae_sums_add(&parts[i * i % 3], scene.x + i * WIDTH, scene.labels + i, 1);
    }
    lae_sums_merge(&parts[1], &parts[2]);
    lae_sums_merge(&parts[0], &parts[1]);
    for (size_t i = 0, count = 1; i < IMAGES; i += count, count += 3) {
        size_t left = IMAGES - i < count ? IMAGES - i : count;
        lae_sums_admit(&blocks, scene.x + i * WIDTH, scene.labels + i, left);
        for (size_t b = lae_sums_blocks(&blocks); b-- > 0;)
            lae_sums_add_block(&blocks, scene.x + i * WIDTH, scene.labels + i, left, b);
    }
    same_words(&backward, &whole);
    same_words(&parts[0], &whole);
    same_words(&blocks, &whole);
    lae_sums_clear(&blocks);
    for (size_t i = 0; i < blocks.word_count; i++)
        assert_true(blocks.words[i] == 0);
    for (size_t p = 0; p < 3; p++)
        lae_sums_free(&parts[p]);
    lae_sums_free(&whole);
    lae_sums_free(&backward);
    lae_sums_free(&blocks);
    free_scene(&scene);
}

struct gathering {
    struct lae_sums sums;
    const struct scene *scene;
};

static void gather_block(void *context, int worker, size_t block)
{
    struct gathering *gathering = context;
    const struct scene *scene = gathering->scene;
    (void)worker;
    lae_sums_add_block(&gathering->sums, scene->x, scene->labels, scene->images, block);
}

/* ThreadSanitizer would see blocks that are not apart, too. */
static void threads_add_blocks_at_once(void **state)
{
    (void)state;
    struct scene scene = new_scene(18, CLASSES, WIDTH, IMAGES);
    struct lae_sums wanted = sums_of(&scene);
    struct gathering gathering = {new_sums(CLASSES, WIDTH, IMAGES, 8), &scene};
    struct lae_team *team;
    succeeds(lae_team_create(2, &team));
    lae_sums_admit(&gathering.sums, scene.x, scene.labels, IMAGES);
    lae_team_run(team, lae_sums_blocks(&gathering.sums), gather_block, &gathering);
    same_words(&gathering.sums, &wanted);
    lae_team_free(team);
    lae_sums_free(&gathering.sums);
    lae_sums_free(&wanted);
    free_scene(&scene);
}

static void rounds_to_nearest_even(void **state)
{
    (void)state;
    /* Range 1: the unit of second moments is 2^-51. Products 0.5, 1.5, -2.5 and 0.75 of it. */
    const float x[5] = {0x1p-26F, 0x1p-26F, 0x3p-26F, -0x5p-26F, 0x1.8p-26F};
    struct lae_sums sums = new_sums(1, 5, 1, 0);
    int label = 0;
    lae_sums_add(&sums, x, &label, 1);
    assert_int_equal(sums.bits, 51);
    const int64_t wanted[5] = {0, 0, 2, -2, 1};
    for (size_t k = 0; k < 5; k++)
        if (sums.second[k] != wanted[k])
            fail_msg("entry %zu: %lld, not %lld", k, (long long)sums.second[k],
                     (long long)wanted[k]);
    lae_sums_free(&sums);
}

static void what_does_not_fit_is_counted_and_left_out(void **state)
{
    (void)state;
    const float bad[5] = {NAN, INFINITY, -INFINITY, 0x1.000002p8F, -0x1.000002p8F};
    struct scene scene = new_scene(3, CLASSES, WIDTH, 12);
    struct lae_sums sums = sums_of(&scene), with = new_sums(CLASSES, WIDTH, 12, 8);
    for (size_t i = 0; i < 12; i++) {
        float one[WIDTH];
        int label = scene.labels[i];
        memcpy(one, scene.x + i * WIDTH, sizeof one);
        lae_sums_add(&with, one, &label, 1);
        assert_int_equal(label, scene.labels[i]);
        one[(7 * i) % WIDTH] = bad[i % 5];
        lae_sums_add(&with, one, &label, 1);
        assert_int_equal(label, LAE_NO_CLASS);
        lae_sums_add(&with, one, &label, 1); /* passed over, and not counted again */
    }
    assert_true(with.offenders[0] == 12);
    fails(lae_sums_check(&with), LAE_FAILED, "12 image(s) are not finite or beyond +-256");
    struct lae_stats stats;
    succeeds(lae_stats_create(CLASSES, WIDTH, &stats));
    fails(lae_stats_take(&stats, 0, &with), LAE_FAILED, "12 image(s)");
    assert_int_equal(lae_stats_known(&stats), 0);
    with.offenders[0] = 0;
    same_words(&with, &sums);
    succeeds(lae_sums_check(&with));
    lae_sums_merge(&with, &sums);
    fails(lae_sums_check(&with), LAE_FAILED, "count 24 images where at most 12");
    lae_stats_free(&stats);
    lae_sums_free(&sums);
    lae_sums_free(&with);
    free_scene(&scene);
}

/* All images at the ends of the range; UBSan would see an overflow, too. */
static void sums_of_the_largest_features_fit(void **state)
{
    (void)state;
    static const int64_t images[] = {1, 2, 3, 2048, 2049, 5000, 50000};
    static const int bits[] = {51, 51, 51, 51, 50, 49, 46};
    for (size_t i = 0; i < 7; i++) {
        const float x[3] = {256.0F, -256.0F, 256.0F};
        struct lae_sums sums = new_sums(1, 3, images[i], 8);
        int label = 0;
        assert_int_equal(sums.bits, bits[i]);
        for (int64_t n = 0; n < images[i]; n++)
            lae_sums_add(&sums, x, &label, 1);
        int64_t most = images[i] * ((int64_t)1 << bits[i]);
        assert_true(most <= (int64_t)1 << 62);
        assert_true(sums.first[0] == most && sums.first[1] == -most);
        assert_true(sums.second[0] == most && sums.second[1] == -most && sums.second[5] == most);
        succeeds(lae_sums_check(&sums));
        lae_sums_free(&sums);
    }
}

static void shapes_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct lae_sums_shape shape;
        const char *word;
    } bad[] = {
        {{0, 1, 1, 8}, "0 classes"},
        {{1, 0, 1, 8}, "0 features"},
        {{1, 65537, 1, 8}, "at most 65536"},
        {{1, 1, 0, 8}, "0 images"},
        {{1, 1, 1, -1}, "range 2^-1"},
        {{1, 1, 1, 16}, "range 2^16"},
        {{1, 1, ((int64_t)1 << 46) + 1, 8}, "no more than 2^46"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct lae_sums sums;
        fails(lae_sums_create(&bad[i].shape, &sums), LAE_FAILED, bad[i].word);
        lae_sums_free(&sums);
    }
    struct lae_sums most = new_sums(1, 1, (int64_t)1 << 46, 8);
    assert_int_equal(most.bits, 16);
    lae_sums_free(&most);
}

/* ---- Means and scatter ----------------------------------------------------------------------- */

/* In two passes: mean [classes, width], then scatter [width, width] of centred features. */
static void two_passes(const struct scene *scene, double *count, double *mean, double *scatter)
{
    size_t width = scene->width;
    for (size_t i = 0; i < scene->images; i++)
        count[scene->labels[i]] += 1.0;
    for (size_t i = 0; i < scene->images; i++)
        for (size_t k = 0; k < width; k++)
            mean[(size_t)scene->labels[i] * width + k] +=
                (double)scene->x[i * width + k] / count[scene->labels[i]];
    for (size_t i = 0; i < scene->images; i++) {
        const float *x = scene->x + i * width;
        const double *m = mean + (size_t)scene->labels[i] * width;
        for (size_t j = 0; j < width; j++)
            for (size_t k = 0; k < width; k++)
                scatter[j * width + k] += ((double)x[j] - m[j]) * ((double)x[k] - m[k]);
    }
}

struct passes {
    double *count, *mean, *scatter;
};

static struct passes passes_of(const struct scene *scene)
{
    struct passes passes = {
        zeros(scene->classes, sizeof(double)),
        zeros(scene->classes * scene->width, sizeof(double)),
        zeros(scene->width * scene->width, sizeof(double)),
    };
    two_passes(scene, passes.count, passes.mean, passes.scatter);
    return passes;
}

static void free_passes(struct passes *passes)
{
    free(passes->count);
    free(passes->mean);
    free(passes->scatter);
}

/* A float has 24 bits: 6e-8 of a value. Scatter is rounded once a task, and what is there between
 * two tasks may be larger than the end, but than this: */
static double largest_on_the_way(const struct passes *passes, size_t width, size_t j, size_t k)
{
    return sqrt(passes->scatter[j * width + j] * passes->scatter[k * width + k]);
}

static void stats_agree(const struct lae_stats *stats, const struct passes *passes, int tasks)
{
    size_t width = stats->width;
    for (size_t c = 0; c < stats->classes; c++)
        assert_true((double)stats->count[c] == passes->count[c]);
    for (size_t i = 0; i < stats->classes * width; i++)
        is_near((double)stats->mean[i], passes->mean[i], 6e-8 * fabs(passes->mean[i]) + 1e-12,
                "mean", i);
    for (size_t j = 0; j < width; j++)
        for (size_t k = 0; k < width; k++) {
            double wanted = passes->scatter[j * width + k];
            double size =
                tasks == 1 ? fabs(wanted) : tasks * largest_on_the_way(passes, width, j, k);
            is_near((double)stats->scatter[j * width + k], wanted, 6e-8 * size + 1e-8, "scatter",
                    j * width + k);
            assert_true(stats->scatter[j * width + k] == stats->scatter[k * width + j]);
        }
}

static void means_and_scatter_are_those_of_two_passes(void **state)
{
    (void)state;
    struct scene scene = new_scene(4, CLASSES, WIDTH, IMAGES);
    for (size_t i = 0; i < IMAGES * WIDTH; i++)
        scene.x[i] += 20.0F; /* far from 0: the scatter is a small difference */
    struct lae_stats stats = stats_of(&scene);
    struct passes passes = passes_of(&scene);
    stats_agree(&stats, &passes, 1);
    assert_true(lae_stats_images(&stats) == IMAGES);
    assert_int_equal(lae_stats_known(&stats), CLASSES - 1);
    free_passes(&passes);
    lae_stats_free(&stats);
    free_scene(&scene);
}

/* Sums of the images whose class is in [first, first + classes), which counts from 0 there. */
static struct lae_sums sums_of_task(const struct scene *scene, int first, int classes)
{
    struct lae_sums sums = new_sums((size_t)classes, scene->width, (int64_t)scene->images, 8);
    for (size_t i = 0; i < scene->images; i++) {
        int label = scene->labels[i] - first;
        if (label < 0 || label >= classes) continue;
        lae_sums_add(&sums, scene->x + i * scene->width, &label, 1);
    }
    return sums;
}

static void tasks_add_up(void **state)
{
    (void)state;
    struct scene scene = new_scene(5, CLASSES, WIDTH, IMAGES);
    struct passes passes = passes_of(&scene);
    struct lae_stats stats;
    succeeds(lae_stats_create(CLASSES, WIDTH, &stats));
    for (int first = 0; first < CLASSES; first += 2) {
        struct lae_sums sums = sums_of_task(&scene, first, first + 2 < CLASSES ? 2 : 1);
        succeeds(lae_stats_take(&stats, (size_t)first, &sums));
        lae_sums_free(&sums);
    }
    stats_agree(&stats, &passes, 3);
    free_passes(&passes);
    lae_stats_free(&stats);
    free_scene(&scene);
}

/* What the rounding of the parts' means to float leaves. */
static void is_joint(const struct lae_stats *all, const struct lae_stats *part,
                     const struct passes *passes)
{
    for (size_t i = 0; i < (size_t)CLASSES * WIDTH; i++)
        is_near((double)all->mean[i], passes->mean[i],
                6e-8 * (fabs((double)part[0].mean[i]) + fabs((double)part[1].mean[i])), "mean", i);
    for (size_t j = 0; j < WIDTH; j++)
        for (size_t k = 0; k < WIDTH; k++) {
            is_near((double)all->scatter[j * WIDTH + k], passes->scatter[j * WIDTH + k],
                    3e-7 * largest_on_the_way(passes, WIDTH, j, k), "scatter", j * WIDTH + k);
            assert_true(all->scatter[j * WIDTH + k] == all->scatter[k * WIDTH + j]);
        }
    for (size_t c = 0; c < CLASSES; c++)
        assert_true((double)all->count[c] == passes->count[c]);
}

/* Every third image, but none of class 2, and the others; one class is known to neither. */
static void parts_join_to_the_whole(void **state)
{
    (void)state;
    struct scene scene = new_scene(19, CLASSES, WIDTH, IMAGES);
    struct passes passes = passes_of(&scene);
    struct lae_stats part[2], all, other;
    for (size_t p = 0; p < 2; p++) {
        struct lae_sums sums = new_sums(CLASSES, WIDTH, IMAGES, 8);
        for (size_t i = 0; i < IMAGES; i++)
            if ((i % 3 == 0 && scene.labels[i] != 2) == (p == 1))
                lae_sums_add(&sums, scene.x + i * WIDTH, scene.labels + i, 1);
        succeeds(lae_stats_create(CLASSES, WIDTH, &part[p]));
        succeeds(lae_stats_take(&part[p], 0, &sums));
        lae_sums_free(&sums);
    }
    assert_int_equal(lae_stats_known(&part[1]), CLASSES - 2);
    for (size_t p = 0; p < 2; p++) {
        succeeds(lae_stats_join(&part[p], &part[1 - p], &all));
        is_joint(&all, part, &passes);
        lae_stats_free(&all);
    }
    succeeds(lae_stats_create(CLASSES, WIDTH - 1, &other));
    fails(lae_stats_join(&part[0], &other, &all), LAE_FAILED, "of width 36 do not go together");
    assert_null(all.mean);
    lae_stats_free(&other);
    for (size_t p = 0; p < 2; p++)
        lae_stats_free(&part[p]);
    free_passes(&passes);
    free_scene(&scene);
}

static void a_task_that_does_not_fit_changes_nothing(void **state)
{
    (void)state;
    struct scene scene = new_scene(6, CLASSES, WIDTH, 20);
    struct lae_stats stats = stats_of(&scene), before = stats_of(&scene);
    struct lae_sums again = sums_of_task(&scene, 1, 2), narrow = new_sums(1, WIDTH - 1, 1, 8);
    fails(lae_stats_take(&stats, 3, &again), LAE_FAILED, "class 3 is in");
    fails(lae_stats_take(&stats, 4, &again), LAE_FAILED, "do not go into");
    fails(lae_stats_take(&stats, SIZE_MAX, &again), LAE_FAILED, "do not go into");
    fails(lae_stats_take(&stats, 0, &narrow), LAE_FAILED, "do not go into");
    assert_memory_equal(stats.count, before.count, CLASSES * sizeof *stats.count);
    assert_memory_equal(stats.mean, before.mean, CLASSES * WIDTH * sizeof(float));
    assert_memory_equal(stats.scatter, before.scatter, WIDTH * WIDTH * sizeof(float));
    lae_sums_free(&again);
    lae_sums_free(&narrow);
    lae_stats_free(&stats);
    lae_stats_free(&before);
    struct lae_stats huge;
    fails(lae_stats_create(SIZE_MAX / 8, 65536, &huge), LAE_FAILED, "out of memory");
    fails(lae_stats_create(1, 65537, &huge), LAE_FAILED, "out of memory");
    free_scene(&scene);
}

/* One image a class; then each of them three times. */
static void without_spread_there_is_no_scatter(void **state)
{
    (void)state;
    struct scene scene = new_scene(7, CLASSES, WIDTH, CLASSES - 1);
    for (int times = 1; times <= 3; times += 2) {
        struct lae_sums sums = new_sums(CLASSES, WIDTH, 3 * CLASSES, 8);
        struct lae_stats stats;
        for (int t = 0; t < times; t++)
            lae_sums_add(&sums, scene.x, scene.labels, scene.images);
        succeeds(lae_stats_create(CLASSES, WIDTH, &stats));
        succeeds(lae_stats_take(&stats, 0, &sums));
        for (size_t i = 0; i < WIDTH * WIDTH; i++)
            assert_true(stats.scatter[i] == 0.0F);
        for (size_t i = 0; i < scene.images * WIDTH; i++)
            is_near((double)stats.mean[i], (double)scene.x[i], 3e-7, "mean", i);
        lae_sums_free(&sums);
        lae_stats_free(&stats);
    }
    free_scene(&scene);
}

/* ---- Systems of equations -------------------------------------------------------------------- */

/* Gauss-Jordan with pivots: x [count, n] becomes the solutions of a [n, n] x = x, row by row. */
static void gauss_jordan(double *a, size_t n, double *x, size_t count)
{
    for (size_t p = 0; p < n; p++) {
        size_t best = p;
        for (size_t i = p; i < n; i++)
            if (fabs(a[i * n + p]) > fabs(a[best * n + p])) best = i;
        assert_true(a[best * n + p] != 0.0);
        for (size_t k = 0; k < n; k++) {
            double other = a[p * n + k];
            a[p * n + k] = a[best * n + k];
            a[best * n + k] = other;
        }
        for (size_t r = 0; r < count; r++) {
            double other = x[r * n + p];
            x[r * n + p] = x[r * n + best] / a[p * n + p];
            if (best != p) x[r * n + best] = other;
        }
        for (size_t k = n; k-- > p;)
            a[p * n + k] /= a[p * n + p];
        for (size_t i = 0; i < n; i++) {
            double factor = i == p ? 0.0 : a[i * n + p];
            for (size_t k = 0; k < n; k++)
                a[i * n + k] -= factor * a[p * n + k];
            for (size_t r = 0; r < count; r++)
                x[r * n + i] -= factor * x[r * n + p];
        }
    }
}

static void cholesky_agrees_with_gauss_jordan(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 37, 150};
    for (size_t s = 0; s < 4; s++) {
        size_t n = sizes[s];
        struct scene scene = new_scene(8, 2, n, 170);
        double *a = zeros(n * n, sizeof *a), *b = zeros(n * n, sizeof *b);
        double *x = zeros(3 * n, sizeof *x), *y = zeros(3 * n, sizeof *y);
        for (size_t j = 0; j < n; j++)
            for (size_t k = 0; k < n; k++) {
                for (size_t i = 0; i < scene.images; i++)
                    a[j * n + k] += (double)scene.x[i * n + j] * (double)scene.x[i * n + k];
                b[j * n + k] = a[j * n + k];
                if (k < j) a[j * n + k] = NAN; /* not read */
            }
        for (size_t i = 0; i < 3 * n; i++)
            x[i] = y[i] = (double)scene.x[i % n] + (double)i;
        assert_true(lae_cholesky_factor(a, n));
        lae_cholesky_solve(a, n, x, 2); /* both ways, the last row in two steps */
        lae_cholesky_forward(a, n, x + 2 * n, 1);
        lae_cholesky_backward(a, n, x + 2 * n, 1);
        gauss_jordan(b, n, y, 3);
        for (size_t i = 0; i < 3 * n; i++)
            is_near(x[i], y[i], 1e-9 * (fabs(y[i]) + 1.0), "solution", i);
        free(a);
        free(b);
        free(x);
        free(y);
        free_scene(&scene);
    }
}

static void cholesky_refuses_what_is_not_definite(void **state)
{
    (void)state;
    static const double bad[][4] = {
        {1.0, 2.0, 2.0, 1.0},           {0.0, 0.0, 0.0, 0.0}, {1.0, 1.0, 1.0, 1.0},
        {-1.0, 0.0, 0.0, 1.0},          {NAN, 0.0, 0.0, 1.0}, {1.0, NAN, NAN, 1.0},
        {1.0, 0.0, 0.0, INFINITY},      {1.0, 0.0, 0.0, NAN}, {1.0, 0.0, 0.0, 1e-16},
        {1.0, 1.0, 1.0, 1.0 + 0x1p-52},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double a[4];
        memcpy(a, bad[i], sizeof a);
        if (lae_cholesky_factor(a, 2)) fail_msg("matrix %zu was factored", i);
    }
    double a[4] = {1e-300, 0.0, 0.0, 1e-300}, x[2] = {1e-300, 2e-300};
    assert_false(lae_cholesky_factor((double[1]){-1.0}, 1));
    assert_true(lae_cholesky_factor(NULL, 0));
    lae_cholesky_solve(NULL, 0, NULL, 0);
    assert_true(lae_cholesky_factor((double[1]){4.0}, 1));
    lae_cholesky_solve((double[1]){4.0}, 1, NULL, 0);
    assert_true(lae_cholesky_factor(a, 2)); /* small, but sound */
    lae_cholesky_solve(a, 2, x, 1);
    is_near(x[1], 2.0, 1e-12, "solution", 1);
}

/* ---- Heads ----------------------------------------------------------------------------------- */

static struct lae_head_options options_of(const char *name, double shrink, double lambda)
{
    static const float start[CLASSES * WIDTH];
    struct lae_head_options options = {
        .method = lae_head_find(name),
        .shrink = shrink,
        .lambda = lambda,
        .align = {.weight = start, .bias = start, .draws = 10, .lr = 0.01},
    };
    assert_non_null(options.method);
    return options;
}

static struct lae_head head_of(const char *name, double shrink, double lambda,
                               const struct lae_stats *stats, const struct lae_lift *lift)
{
    struct lae_head_options options = options_of(name, shrink, lambda);
    struct lae_head head;
    succeeds(lae_head_fit(&options, stats, lift, &head));
    return head;
}

static void heads_are_found_by_name(void **state)
{
    (void)state;
    static const char *const names[] = {"ncm", "lda", "aligned", "ridge"};
    size_t count = 0;
    for (const struct lae_head_method *m = lae_head_methods(); m->name != NULL; m++, count++) {
        assert_string_equal(m->name, names[count]);
        assert_ptr_equal(lae_head_find(m->name), m);
        assert_non_null(m->help);
    }
    assert_int_equal(count, 4);
    assert_null(lae_head_find("NCM"));
    assert_null(lae_head_find(""));
}

static void heads_refuse_what_does_not_fit_together(void **state)
{
    (void)state;
    struct scene scene = new_scene(9, CLASSES, WIDTH, 20);
    struct lae_stats stats = stats_of(&scene), none;
    struct lae_lift lift;
    struct lae_head head;
    succeeds(lae_lift_create(1, 3, WIDTH + 1, &lift));
    succeeds(lae_stats_create(CLASSES, WIDTH, &none));
    struct lae_head_options lda = options_of("lda", 0.5, 1.0), ridge = options_of("ridge", 0, 1);
    fails(lae_head_fit(&lda, &stats, &lift, &head), LAE_FAILED, "takes no random features");
    fails(lae_head_fit(&ridge, &stats, NULL, &head), LAE_FAILED, "takes random features");
    fails(lae_head_fit(&ridge, &stats, &lift, &head), LAE_FAILED, "but there are 38 random");
    fails(lae_head_fit(&lda, &none, NULL, &head), LAE_FAILED, "no class has images");
    assert_null(head.weight);
    assert_null(head.bias);
    lae_lift_free(&lift);
    fails(lae_lift_create(1, 0, 5, &lift), LAE_FAILED, "cannot be");
    fails(lae_lift_create(1, UINT32_MAX, UINT32_MAX, &lift), LAE_FAILED, "out of memory");
    lae_stats_free(&stats);
    lae_stats_free(&none);
    free_scene(&scene);
}

static size_t best_of(const float *scores, size_t count)
{
    size_t best = 0;
    for (size_t c = 1; c < count; c++)
        if (scores[c] > scores[best]) best = c;
    return best;
}

static void ncm_is_the_cosine(void **state)
{
    (void)state;
    struct scene scene = new_scene(10, CLASSES, WIDTH, IMAGES);
    struct lae_stats stats = stats_of(&scene);
    struct lae_head head = head_of("ncm", 0, 0, &stats, NULL);
    float scores[CLASSES];
    for (size_t i = 0; i < IMAGES; i++) {
        const float *x = scene.x + i * WIDTH;
        lae_head_scores(&head, x, scores);
        for (size_t c = 0; c < CLASSES - 1; c++) {
            double xx = 0.0, mm = 0.0, xm = 0.0;
            for (size_t k = 0; k < WIDTH; k++) {
                double m = (double)stats.mean[c * WIDTH + k];
                xx += (double)x[k] * (double)x[k];
                mm += m * m;
                xm += (double)x[k] * m;
            }
            is_near((double)scores[c], xm / sqrt(xx * mm), 1e-6, "cosine", c);
        }
        assert_true(isinf(scores[CLASSES - 1]) && scores[CLASSES - 1] < 0.0F);
    }
    float nothing[WIDTH] = {0};
    lae_head_scores(&head, nothing, scores);
    assert_true(scores[0] == 0.0F && isinf(scores[CLASSES - 1]));
    lae_head_free(&head);
    lae_stats_free(&stats);
    free_scene(&scene);
}

/* (x - m)^T inverse (x - m) */
static double distance(const float *x, const double *m, const double *inverse, size_t width)
{
    double sum = 0.0;
    for (size_t j = 0; j < width; j++)
        for (size_t k = 0; k < width; k++)
            sum += ((double)x[j] - m[j]) * inverse[j * width + k] * ((double)x[k] - m[k]);
    return sum;
}

/* The inverse of the shrunk covariance, from two passes, by Gauss-Jordan. */
static double *inverse_covariance(const struct scene *scene, const struct passes *passes, double a)
{
    size_t n = scene->width;
    double *sigma = zeros(n * n, sizeof *sigma), *inverse = zeros(n * n, sizeof *inverse);
    double freedom = (double)(scene->images - (scene->classes - 1)), trace = 0.0;
    for (size_t j = 0; j < n; j++)
        trace += passes->scatter[j * n + j] / freedom;
    for (size_t j = 0; j < n; j++) {
        for (size_t k = 0; k < n; k++)
            sigma[j * n + k] = (1.0 - a) * passes->scatter[j * n + k] / freedom;
        sigma[j * n + j] += a * trace / (double)n;
        inverse[j * n + j] = 1.0;
    }
    gauss_jordan(sigma, n, inverse, n);
    free(sigma);
    return inverse;
}

/* Scores differ from one class to another by half the difference of squared Mahalanobis distances.
 */
static void check_lda(size_t images, double shrink)
{
    struct scene scene = new_scene(11, CLASSES, WIDTH, images);
    struct passes passes = passes_of(&scene);
    double *inverse = inverse_covariance(&scene, &passes, shrink);
    struct lae_stats stats = stats_of(&scene);
    struct lae_head head = head_of("lda", shrink, 0, &stats, NULL);
    float scores[CLASSES];
    size_t right = 0;
    for (size_t i = 0; i < images; i++) {
        const float *x = scene.x + i * WIDTH;
        lae_head_scores(&head, x, scores);
        double first = distance(x, passes.mean, inverse, WIDTH);
        for (size_t c = 1; c < CLASSES - 1; c++) {
            double other = distance(x, passes.mean + c * WIDTH, inverse, WIDTH);
            is_near((double)scores[c] - (double)scores[0], (first - other) / 2.0,
                    2e-5 * (first + other + 10.0), "score", c);
        }
        assert_true(isinf(scores[CLASSES - 1]) && scores[CLASSES - 1] < 0.0F);
        right += best_of(scores, CLASSES) == (size_t)scene.labels[i];
    }
    assert_true(right == images); /* classes this far apart are told */
    free(inverse);
    free_passes(&passes);
    lae_head_free(&head);
    lae_stats_free(&stats);
    free_scene(&scene);
}

static void lda_compares_mahalanobis_distances(void **state)
{
    (void)state;
    check_lda(IMAGES, 0.0);
    check_lda(IMAGES, 0.1);
    check_lda(IMAGES, 1.0);
}

static void lda_with_fewer_images_than_features_needs_shrinkage(void **state)
{
    (void)state;
    check_lda(12, 0.1);
    struct scene scene = new_scene(11, CLASSES, WIDTH, 12);
    struct lae_stats stats = stats_of(&scene);
    struct lae_head_options options = options_of("lda", 0.0, 0.0);
    struct lae_head head;
    fails(lae_head_fit(&options, &stats, NULL, &head), LAE_BAD_INPUT, "heads.shrink 0");
    assert_null(head.weight);
    lae_stats_free(&stats);
    free_scene(&scene);

    scene = new_scene(11, CLASSES, WIDTH, IMAGES); /* enough images, but a feature that stays */
    for (size_t i = 0; i < IMAGES; i++)
        scene.x[i * WIDTH + 5] = 0.25F;
    stats = stats_of(&scene);
    fails(lae_head_fit(&options, &stats, NULL, &head), LAE_BAD_INPUT, "heads.shrink 0");
    options.shrink = 1e-4;
    succeeds(lae_head_fit(&options, &stats, NULL, &head));
    lae_head_free(&head);
    lae_stats_free(&stats);
    free_scene(&scene);
}

/* w_c = mu_c, b_c = -|mu_c|^2 / 2: the nearest mean, whatever the shrinkage. */
static void lda_with_one_image_a_class_is_the_nearest_mean(void **state)
{
    (void)state;
    struct scene scene = new_scene(12, CLASSES, WIDTH, CLASSES - 1);
    struct lae_stats stats = stats_of(&scene);
    for (int step = 0; step <= 2; step++) {
        struct lae_head head = head_of("lda", 0.5 * step, 0, &stats, NULL);
        for (size_t c = 0; c < CLASSES - 1; c++) {
            double square = 0.0;
            for (size_t k = 0; k < WIDTH; k++) {
                double m = (double)stats.mean[c * WIDTH + k];
                square += m * m;
                is_near((double)head.weight[c * WIDTH + k], m, 1e-6 * fabs(m), "weight", k);
            }
            is_near((double)head.bias[c], -square / 2.0, 1e-6 * square, "bias", c);
        }
        lae_head_free(&head);
    }
    lae_stats_free(&stats);
    free_scene(&scene);
}

static void statistics_that_are_not_finite_are_refused(void **state)
{
    (void)state;
    struct scene scene = new_scene(13, CLASSES, WIDTH, IMAGES);
    struct lae_stats stats = stats_of(&scene);
    struct lae_lift lift = {.in = 1, .out = WIDTH};
    struct lae_head_options lda = options_of("lda", 0.1, 0.0), ridge = options_of("ridge", 0, 1);
    struct lae_head head;
    for (size_t at = 0; at < 2; at++) { /* on the diagonal and beside it */
        float before = stats.scatter[at];
        stats.scatter[at] = NAN;
        fails(lae_head_fit(&lda, &stats, NULL, &head), LAE_BAD_INPUT, "cannot be inverted");
        fails(lae_head_fit(&ridge, &stats, &lift, &head), LAE_BAD_INPUT, "cannot be inverted");
        stats.scatter[at] = before;
    }
    for (size_t j = 0; j < WIDTH; j++) /* no variance is negative: not taken for none at all */
        stats.scatter[j * WIDTH + j] *= -1.0F;
    fails(lae_head_fit(&lda, &stats, NULL, &head), LAE_BAD_INPUT, "cannot be inverted");
    for (size_t j = 0; j < WIDTH; j++)
        stats.scatter[j * WIDTH + j] *= -1.0F;
    stats.mean[WIDTH + 1] = NAN;
    for (const struct lae_head_method *m = lae_head_methods(); m->name != NULL; m++) {
        struct lae_head_options options = options_of(m->name, 0.1, 1.0);
        lae_status status = lae_head_fit(&options, &stats, m->lifted ? &lift : NULL, &head);
        fails(status, m->lifted ? LAE_BAD_INPUT : LAE_FAILED,
              m->lifted ? "cannot be inverted" : "weights are not finite");
        assert_null(head.weight);
    }
    lae_stats_free(&stats);
    free_scene(&scene);
}

/* ---- Random features and ridge --------------------------------------------------------------- */

enum { IN = 9, OUT = 300 }; /* more than ridge.c takes at a time */

static void random_features_are_what_they_say(void **state)
{
    (void)state;
    struct lae_lift small, lift, other;
    succeeds(lae_lift_create(5, IN, 40, &small));
    succeeds(lae_lift_create(5, IN, OUT, &lift));
    succeeds(lae_lift_create(6, IN, OUT, &other));
    assert_memory_equal(small.weight, lift.weight, (size_t)40 * IN * sizeof(float));
    assert_memory_not_equal(other.weight, lift.weight, (size_t)OUT * IN * sizeof(float));
    double sum = 0.0, squares = 0.0, count = (double)(OUT * IN);
    for (size_t i = 0; i < (size_t)OUT * IN; i++) {
        sum += (double)lift.weight[i];
        squares += (double)lift.weight[i] * (double)lift.weight[i];
    }
    is_near(sum / count, 0.0, 4.0 / sqrt(count), "mean", 0);
    is_near(squares / count, 1.0, 4.0 * sqrt(2.0 / count), "variance", 0);

    struct scene scene = new_scene(14, 2, IN, 1);
    float h[OUT];
    lae_lift_apply(&lift, scene.x, 0, 100, h);
    lae_lift_apply(&lift, scene.x, 100, OUT - 100, h + 100);
    size_t silent = 0;
    for (size_t m = 0; m < OUT; m++) {
        double product = 0.0;
        for (size_t d = 0; d < IN; d++)
            product += (double)lift.weight[m * IN + d] * (double)scene.x[d];
        is_near((double)h[m], product > 0.0 ? product : 0.0, 1e-5, "feature", m);
        silent += h[m] == 0.0F;
    }
    assert_true(silent > OUT / 4 && silent < 3 * OUT / 4);
    scene.x[0] = NAN;
    lae_lift_apply(&lift, scene.x, 0, OUT, h);
    assert_true(isnan(h[0]) && isnan(h[OUT - 1]));
    free_scene(&scene);
    lae_lift_free(&small);
    lae_lift_free(&lift);
    lae_lift_free(&other);
}

/* The scene of the random features of another one. */
static struct scene lifted(const struct scene *scene, const struct lae_lift *lift)
{
    struct scene out = {scene->classes, lift->out, scene->images,
                        zeros(scene->images * lift->out, sizeof(float)),
                        zeros(scene->images, sizeof(int))};
    memcpy(out.labels, scene->labels, scene->images * sizeof(int));
    for (size_t i = 0; i < scene->images; i++)
        lae_lift_apply(lift, scene->x + i * scene->width, 0, lift->out, out.x + i * out.width);
    return out;
}

/* Weight [classes, width] of the normal equations, summed image by image. */
static double *normal_equations(const struct scene *h, double lambda)
{
    size_t n = h->width;
    double *gram = zeros(n * n, sizeof *gram), *w = zeros(h->classes * n, sizeof *w);
    for (size_t i = 0; i < h->images; i++) {
        const float *x = h->x + i * n;
        for (size_t j = 0; j < n; j++) {
            for (size_t k = 0; k < n; k++)
                gram[j * n + k] += (double)x[j] * (double)x[k];
            w[(size_t)h->labels[i] * n + j] += (double)x[j];
        }
    }
    for (size_t j = 0; j < n; j++)
        gram[j * n + j] += lambda;
    gauss_jordan(gram, n, w, h->classes);
    free(gram);
    return w;
}

/* Sum of squared residuals, image by image. */
static double residuals(const struct scene *h, const double *w)
{
    double error = 0.0;
    for (size_t i = 0; i < h->images; i++)
        for (size_t c = 0; c < h->classes; c++) {
            double miss = -(double)((int)c == h->labels[i]);
            for (size_t k = 0; k < h->width; k++)
                miss += w[c * h->width + k] * (double)h->x[i * h->width + k];
            error += miss * miss;
        }
    return error;
}

static void ridge_solves_the_normal_equations(void **state)
{
    (void)state;
    struct lae_lift lift;
    succeeds(lae_lift_create(7, IN, OUT, &lift));
    struct scene scene = new_scene(15, CLASSES, IN, IMAGES), h = lifted(&scene, &lift);
    struct lae_stats stats = stats_of(&h);
    struct lae_head head = head_of("ridge", 0, 20.0, &stats, &lift);
    double *w = normal_equations(&h, 20.0);
    float scores[CLASSES];
    for (size_t i = 0; i < (size_t)CLASSES * OUT; i++)
        is_near((double)head.weight[i], w[i], 1e-6, "weight", i);
    for (size_t i = 0; i < IMAGES; i++) {
        lae_head_scores(&head, scene.x + i * IN, scores);
        for (size_t c = 0; c < CLASSES - 1; c++) {
            double wanted = 0.0;
            for (size_t m = 0; m < OUT; m++)
                wanted += w[c * OUT + m] * (double)h.x[i * OUT + m];
            is_near((double)scores[c], wanted, 1e-4, "score", c);
        }
        assert_true(isinf(scores[CLASSES - 1]) && scores[CLASSES - 1] < 0.0F);
    }
    free(w);
    lae_head_free(&head);
    lae_stats_free(&stats);
    free_scene(&scene);
    free_scene(&h);
    lae_lift_free(&lift);
}

static void lambda_is_chosen_by_the_residuals_of_held_out_images(void **state)
{
    (void)state;
    static const double grid[] = {0.0, 1e-2, 1.0, 30.0, 1e3, 1e5}; /* 0 cannot be solved */
    struct lae_lift lift;
    succeeds(lae_lift_create(8, IN, 60, &lift));
    struct scene scene = new_scene(16, CLASSES, IN, 80), h = lifted(&scene, &lift);
    struct scene fit = h, held = h; /* the first 50 images, the last 30 */
    fit.images = 50;
    held.images = 30;
    held.x += (size_t)50 * 60;
    held.labels += 50;
    struct lae_stats fitted = stats_of(&fit), held_out = stats_of(&held);
    double least = INFINITY, best = NAN, found = NAN;
    for (size_t i = 1; i < sizeof grid / sizeof grid[0]; i++) {
        double *w = normal_equations(&fit, grid[i]), wanted = residuals(&held, w), error;
        struct lae_head head = head_of("ridge", 0, grid[i], &fitted, &lift);
        succeeds(lae_ridge_error(&head, &held_out, &error));
        is_near(error, wanted, 1e-4 * wanted, "error", i);
        if (wanted < least) best = grid[i];
        if (wanted < least) least = wanted;
        lae_head_free(&head);
        free(w);
    }
    struct lae_head_options options = options_of("ridge", 0, 0);
    struct lae_ridge_options ridge = {.strength_count = 6};
    struct lae_head head;
    memcpy(ridge.strengths, grid, 6 * sizeof *grid);
    assert_true(best > grid[1] && best < grid[5]); /* the grid is one to choose from */
    succeeds(lae_ridge_choose(&ridge, &fitted, &held_out, &lift, &found));
    assert_true(found == best);
    fails(lae_head_fit(&options, &fitted, &lift, &head), LAE_BAD_INPUT, "heads.ridge 0");
    ridge.strength_count = 1;
    fails(lae_ridge_choose(&ridge, &fitted, &held_out, &lift, &found), LAE_FAILED,
          "none of the 1 values");
    ridge.strength_count = 6;
    fails(lae_ridge_choose(&ridge, &fitted, &held_out, NULL, &found), LAE_FAILED,
          "takes random features");
    assert_true(found == best);
    lae_stats_free(&held_out);
    succeeds(lae_stats_create(CLASSES, 61, &held_out));
    fails(lae_ridge_choose(&ridge, &fitted, &held_out, &lift, &found), LAE_FAILED,
          "5 classes of 61 features");
    lae_stats_free(&fitted);
    lae_stats_free(&held_out);
    free_scene(&scene);
    free_scene(&h);
    lae_lift_free(&lift);
}

/* Sums gathered in another order give heads of the same bits. */
static void the_same_images_give_the_same_bits(void **state)
{
    (void)state;
    struct scene scene = new_scene(17, CLASSES, WIDTH, IMAGES);
    struct lae_stats stats = stats_of(&scene), other;
    struct lae_sums sums = new_sums(CLASSES, WIDTH, IMAGES, 8);
    for (size_t i = IMAGES; i-- > 0;)
        lae_sums_add(&sums, scene.x + i * WIDTH, scene.labels + i, 1);
    succeeds(lae_stats_create(CLASSES, WIDTH, &other));
    succeeds(lae_stats_take(&other, 0, &sums));
    assert_memory_equal(stats.scatter, other.scatter, WIDTH * WIDTH * sizeof(float));
    struct lae_lift lift = {.in = IN, .out = WIDTH};
    for (const struct lae_head_method *m = lae_head_methods(); m->name != NULL; m++) {
        struct lae_head a = head_of(m->name, 0.1, 3.0, &stats, m->lifted ? &lift : NULL);
        struct lae_head b = head_of(m->name, 0.1, 3.0, &other, m->lifted ? &lift : NULL);
        assert_memory_equal(a.weight, b.weight, CLASSES * WIDTH * sizeof(float));
        assert_memory_equal(a.bias, b.bias, CLASSES * sizeof(float));
        lae_head_free(&a);
        lae_head_free(&b);
    }
    lae_stats_free(&stats);
    lae_stats_free(&other);
    lae_sums_free(&sums);
    free_scene(&scene);
}

/* Two images span a line of scatter and two directions in all. Rounding to float turns that into a
 * matrix that can be factorized half of the time; the number of images tells. */
static void too_few_images_are_refused_however_rounding_falls(void **state)
{
    (void)state;
    struct lae_lift lift = {.in = 2, .out = 3};
    struct lae_head_options lda = options_of("lda", 0, 0), ridge = options_of("ridge", 0, 0);
    struct lae_head head;
    for (uint64_t seed = 100; seed < 140; seed++) {
        struct scene two = new_scene(seed, 2, 2, 2), three = new_scene(seed, 2, 3, 2);
        struct lae_stats plane = stats_of(&two), space = stats_of(&three);
        fails(lae_head_fit(&lda, &plane, NULL, &head), LAE_BAD_INPUT, "over 2 images of 1 classes");
        fails(lae_head_fit(&ridge, &space, &lift, &head), LAE_BAD_INPUT, "over 2 images");
        lae_stats_free(&plane);
        lae_stats_free(&space);
        free_scene(&two);
        free_scene(&three);
    }
}

/* ---- heads.json ------------------------------------------------------------------------------ */

static double number(const json_t *root, const char *key)
{
    const json_t *value = json_object_get(root, key);
    if (!json_is_number(value)) fail_msg("heads.json: no number %s", key);
    return json_number_value(value);
}

static double entry(const json_t *root, const char *key, size_t at)
{
    const json_t *value = json_array_get(json_object_get(root, key), at);
    if (!json_is_number(value)) fail_msg("heads.json: %s has no entry %zu", key, at);
    return json_number_value(value);
}

/* found[count] agrees with the array `key`, to `tolerance` of its largest entry. */
static void agrees(const json_t *root, const char *key, const float *found, size_t count,
                   double tolerance)
{
    double most = 0.0;
    assert_int_equal(json_array_size(json_object_get(root, key)), count);
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs(entry(root, key, i)));
    for (size_t i = 0; i < count; i++)
        is_near((double)found[i], entry(root, key, i), tolerance * most, key, i);
}

static struct scene read_scene(const json_t *root)
{
    struct scene scene = {
        .classes = (size_t)number(root, "classes"),
        .width = (size_t)number(root, "width"),
        .images = json_array_size(json_object_get(root, "labels")),
    };
    scene.x = zeros(scene.images * scene.width, sizeof(float));
    scene.labels = zeros(scene.images, sizeof(int));
    for (size_t i = 0; i < scene.images * scene.width; i++)
        scene.x[i] = (float)entry(root, "features", i);
    for (size_t i = 0; i < scene.images; i++)
        scene.labels[i] = (int)entry(root, "labels", i);
    return scene;
}

/* Scores of the first image; a class without images is left out. */
static void scores_agree(const json_t *root, const char *key, const struct lae_head *head,
                         const struct lae_stats *stats, const float *x)
{
    float *scores = zeros(head->classes, sizeof *scores);
    lae_head_scores(head, x, scores);
    for (size_t c = 0; c < head->classes; c++)
        if (stats->count[c] != 0)
            is_near((double)scores[c], entry(root, key, c), 2e-5, key, c);
        else
            assert_true(isinf(scores[c]));
    free(scores);
}

static void check_plain_heads(const json_t *root, const struct scene *scene)
{
    size_t classes = scene->classes, width = scene->width;
    struct lae_stats stats = stats_of(scene);
    for (size_t c = 0; c < classes; c++)
        assert_true((double)stats.count[c] == entry(root, "count", c));
    agrees(root, "mean", stats.mean, classes * width, 1e-7);
    agrees(root, "scatter", stats.scatter, width * width, 1e-7);
    struct lae_head ncm = head_of("ncm", 0, 0, &stats, NULL);
    struct lae_head lda = head_of("lda", number(root, "shrink"), 0, &stats, NULL);
    agrees(root, "ncm_weight", ncm.weight, classes * width, 1e-6);
    agrees(root, "lda_weight", lda.weight, classes * width, 1e-5);
    scores_agree(root, "ncm_scores", &ncm, &stats, scene->x);
    scores_agree(root, "lda_scores", &lda, &stats, scene->x);
    for (size_t c = 0; c < classes; c++)
        if (stats.count[c] == 0) lda.bias[c] = 0.0F;
    agrees(root, "lda_bias", lda.bias, classes, 1e-6);
    lae_head_free(&ncm);
    lae_head_free(&lda);
    lae_stats_free(&stats);
}

/* The list `key`, as floats. */
static float *floats_of(const json_t *root, const char *key)
{
    size_t count = json_array_size(json_object_get(root, key));
    float *list = zeros(count, sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i] = (float)entry(root, key, i);
    return list;
}

/* In float, where the reference has double, over so many steps of Adam. */
static void check_aligned(const json_t *root, const struct scene *scene)
{
    size_t classes = scene->classes, width = scene->width;
    float *start = floats_of(root, "start"), *start_bias = floats_of(root, "start_bias");
    struct lae_stats stats = stats_of(scene);
    struct lae_head_options options = options_of("aligned", number(root, "shrink"), 0);
    options.align = (struct lae_align_options){
        .weight = start,
        .bias = start_bias,
        .seed = (uint64_t)number(root, "seed"),
        .task = (uint32_t)number(root, "task"),
        .draws = (int)number(root, "draws"),
        .lr = number(root, "lr"),
    };
    struct lae_head head;
    succeeds(lae_head_fit(&options, &stats, NULL, &head));
    scores_agree(root, "aligned_scores", &head, &stats, scene->x);
    for (size_t c = 0; c < classes; c++) {
        if (stats.count[c] != 0) continue; /* the reference leaves it as it was */
        head.bias[c] = start_bias[c];
        memcpy(head.weight + c * width, start + c * width, width * sizeof *start);
    }
    agrees(root, "aligned_weight", head.weight, classes * width, 1e-5);
    agrees(root, "aligned_bias", head.bias, classes, 1e-5);
    lae_head_free(&head);
    lae_stats_free(&stats);
    free(start);
    free(start_bias);
}

/* Every fourth image is held out. */
static void check_lambda(const json_t *root, const struct scene *h, const struct lae_lift *lift)
{
    struct lae_stats stats[2];
    for (size_t held = 0; held < 2; held++) {
        struct lae_sums sums = new_sums(h->classes, h->width, (int64_t)h->images, 12);
        for (size_t i = 0; i < h->images; i++)
            if ((i % 4 == 0) == (held == 1))
                lae_sums_add(&sums, h->x + i * h->width, h->labels + i, 1);
        succeeds(lae_stats_create(h->classes, h->width, &stats[held]));
        succeeds(lae_stats_take(&stats[held], 0, &sums));
        lae_sums_free(&sums);
    }
    size_t count = json_array_size(json_object_get(root, "grid"));
    double *grid, chosen, error;
    struct lae_ridge_options ridge = {.strength_count = (int)count};
    assert_in_range(count, 2, LAE_MAX_STRENGTHS);
    grid = ridge.strengths;
    for (size_t i = 0; i < count; i++) {
        grid[i] = entry(root, "grid", i);
        struct lae_head head = head_of("ridge", 0, grid[i], &stats[0], lift);
        succeeds(lae_ridge_error(&head, &stats[1], &error));
        is_near(error, entry(root, "held_out_errors", i), 1e-5 * error, "held_out_errors", i);
        lae_head_free(&head);
    }
    succeeds(lae_ridge_choose(&ridge, &stats[0], &stats[1], lift, &chosen));
    assert_true(chosen == grid[(size_t)number(root, "best")]);
    lae_stats_free(&stats[0]);
    lae_stats_free(&stats[1]);
}

static void check_ridge(const json_t *root, const struct scene *scene)
{
    struct lae_lift lift;
    size_t count = (size_t)number(root, "lifted");
    succeeds(lae_lift_create((uint64_t)number(root, "seed"), scene->width, count, &lift));
    agrees(root, "projection", lift.weight, count * scene->width, 1e-7);
    struct scene h = lifted(scene, &lift);
    struct lae_stats stats = stats_of(&h);
    agrees(root, "lifted_mean", stats.mean, h.classes * count, 1e-6);
    agrees(root, "lifted_scatter", stats.scatter, count * count, 1e-6);
    struct lae_head head = head_of("ridge", 0, number(root, "penalty"), &stats, &lift);
    agrees(root, "ridge_weight", head.weight, h.classes * count, 1e-5);
    scores_agree(root, "ridge_scores", &head, &stats, scene->x);
    check_lambda(root, &h, &lift);
    lae_head_free(&head);
    lae_stats_free(&stats);
    free_scene(&h);
    lae_lift_free(&lift);
}

static void the_reference_agrees(void **state)
{
    (void)state;
    const char *source = getenv("LAE_TEST_SOURCE");
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/reference/heads.json", source != NULL ? source : ".");
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (root == NULL)
        fail_msg("%s: line %d: %s (LAE_TEST_SOURCE names the source tree)", path, error.line,
                 error.text);
    struct scene scene = read_scene(root);
    check_plain_heads(root, &scene);
    check_aligned(root, &scene);
    check_ridge(root, &scene);
    free_scene(&scene);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_of_rounded_contributions),
        cmocka_unit_test(order_and_grouping_do_not_matter),
        cmocka_unit_test(threads_add_blocks_at_once),
        cmocka_unit_test(rounds_to_nearest_even),
        cmocka_unit_test(what_does_not_fit_is_counted_and_left_out),
        cmocka_unit_test(sums_of_the_largest_features_fit),
        cmocka_unit_test(shapes_that_cannot_be_are_refused),
        cmocka_unit_test(means_and_scatter_are_those_of_two_passes),
        cmocka_unit_test(tasks_add_up),
        cmocka_unit_test(parts_join_to_the_whole),
        cmocka_unit_test(a_task_that_does_not_fit_changes_nothing),
        cmocka_unit_test(without_spread_there_is_no_scatter),
        cmocka_unit_test(cholesky_agrees_with_gauss_jordan),
        cmocka_unit_test(cholesky_refuses_what_is_not_definite),
        cmocka_unit_test(heads_are_found_by_name),
        cmocka_unit_test(heads_refuse_what_does_not_fit_together),
        cmocka_unit_test(ncm_is_the_cosine),
        cmocka_unit_test(lda_compares_mahalanobis_distances),
        cmocka_unit_test(lda_with_fewer_images_than_features_needs_shrinkage),
        cmocka_unit_test(lda_with_one_image_a_class_is_the_nearest_mean),
        cmocka_unit_test(statistics_that_are_not_finite_are_refused),
        cmocka_unit_test(random_features_are_what_they_say),
        cmocka_unit_test(ridge_solves_the_normal_equations),
        cmocka_unit_test(lambda_is_chosen_by_the_residuals_of_held_out_images),
        cmocka_unit_test(the_same_images_give_the_same_bits),
        cmocka_unit_test(too_few_images_are_refused_however_rounding_falls),
        cmocka_unit_test(the_reference_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
