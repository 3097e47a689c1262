/* The head `aligned`: of Gaussian classes it becomes as good as can be, whatever scales the linear
 * heads begin with. (Its numbers are checked in test_heads.c.) */
#include "lae/base/random.h"
#include "lae/heads/head.h"
#include "lae/heads/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 12, TASK = 4, WIDTH = 24, IMAGES = 4000 }; /* three tasks */

static void succeeds(lae_status status)
{
    if (status != NULL) fail_msg("%s", lae_status_message(status));
}

/* ---- Gaussian classes ------------------------------------------------------------------------ */

/* Entries of a feature lean on the one before, in the same way in all classes. */
static void draw_feature(uint64_t seed, size_t class, size_t number, float *x)
{
    struct lae_random mean = lae_random_stream(seed, LAE_RANDOM_CLASS, 0, 0, (uint32_t) class);
    struct lae_random noise =
        lae_random_stream(seed, LAE_RANDOM_SYNTHETIC, (uint32_t) class, 0, (uint32_t)number);
    double before = 0.0;
    for (size_t k = 0; k < WIDTH; k++) {
        before = 0.8 * before + lae_random_normal(&noise, k);
        x[k] = (float)(0.6 * lae_random_normal(&mean, k) + before);
    }
}

/* Class `without` gets no images. */
static struct lae_stats new_stats(uint64_t seed, size_t without)
{
    struct lae_sums_shape shape = {CLASSES, WIDTH, IMAGES, LAE_RANGE_FEATURE};
    struct lae_sums sums;
    struct lae_stats stats;
    succeeds(lae_sums_create(&shape, &sums));
    for (size_t i = 0; i < IMAGES; i++) {
        float x[WIDTH];
        int label = (int)(i % CLASSES);
        if (i % CLASSES == without) continue;
        draw_feature(seed, i % CLASSES, i, x);
        lae_sums_add(&sums, x, &label, 1);
    }
    succeeds(lae_stats_create(CLASSES, WIDTH, &stats));
    succeeds(lae_stats_take(&stats, 0, &sums));
    lae_sums_free(&sums);
    return stats;
}

/* Percent of features that no statistics have seen. */
static double accuracy_of(uint64_t seed, const struct lae_head *head)
{
    size_t right = 0;
    for (size_t i = IMAGES; i < 2 * IMAGES; i++) {
        float x[WIDTH], scores[CLASSES];
        size_t best = 0;
        draw_feature(seed, i % CLASSES, i, x);
        lae_head_scores(head, x, scores);
        for (size_t c = 1; c < CLASSES; c++)
            if (scores[c] > scores[best]) best = c;
        right += best == i % CLASSES;
    }
    return 100.0 * (double)right / (double)IMAGES;
}

/* ---- Heads ----------------------------------------------------------------------------------- */

static struct lae_head new_head(const char *name, const struct lae_stats *stats,
                                const struct lae_align_options *align)
{
    struct lae_head_options options = {.method = lae_head_find(name), .align = *align};
    struct lae_head head;
    assert_non_null(options.method);
    succeeds(lae_head_fit(&options, stats, NULL, &head));
    return head;
}

/* The best there is for such classes: their discriminant. */
static struct lae_head best_head(const struct lae_stats *stats)
{
    return new_head("lda", stats, &(struct lae_align_options){0});
}

/* Heads that would be the best if each task's were not shifted and of another scale. */
static struct lae_head incomparable_heads(const struct lae_stats *stats)
{
    static const float scale[] = {1.0F, 8.0F, 0.2F}, shift[] = {3.0F, 0.0F, -5.0F};
    struct lae_head head = best_head(stats);
    for (size_t c = 0; c < CLASSES; c++) {
        head.bias[c] = scale[c / TASK] * head.bias[c] + shift[c / TASK];
        for (size_t k = 0; k < WIDTH; k++)
            head.weight[c * WIDTH + k] *= scale[c / TASK];
    }
    return head;
}

static struct lae_align_options options_of(const struct lae_head *start)
{
    return (struct lae_align_options){.weight = start->weight,
                                      .bias = start->bias,
                                      .seed = 5,
                                      .task = 2,
                                      .draws = 1000,
                                      .lr = 0.1};
}

static void incomparable_heads_become_nearly_the_best(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct lae_stats stats = new_stats(seed, CLASSES);
        struct lae_head best = best_head(&stats), start = incomparable_heads(&stats);
        struct lae_align_options options = options_of(&start);
        struct lae_head head = new_head("aligned", &stats, &options);
        double can_be = accuracy_of(seed, &best), before = accuracy_of(seed, &start);
        double after = accuracy_of(seed, &head);
        assert_true(can_be < 97.0); /* classes overlap: there is something to get wrong */
        assert_true(before < can_be - 20.0);
        assert_true(after > can_be - 1.5);
        lae_head_free(&best);
        lae_head_free(&start);
        lae_head_free(&head);
        lae_stats_free(&stats);
    }
}

/* Of no length that could become another one. */
static void heads_of_zeros_do_no_harm(void **state)
{
    (void)state;
    struct lae_stats stats = new_stats(4, CLASSES);
    struct lae_head start = incomparable_heads(&stats);
    memset(start.weight, 0, sizeof(float) * CLASSES * WIDTH);
    memset(start.bias, 0, sizeof(float) * CLASSES);
    struct lae_align_options options = options_of(&start);
    struct lae_head head = new_head("aligned", &stats, &options); /* else refused: not finite */
    assert_true(accuracy_of(4, &head) > 50.0);
    lae_head_free(&start);
    lae_head_free(&head);
    lae_stats_free(&stats);
}

static bool same(const struct lae_head *a, const struct lae_head *b)
{
    return memcmp(a->weight, b->weight, sizeof(float) * CLASSES * WIDTH) == 0 &&
           memcmp(a->bias, b->bias, sizeof(float) * CLASSES) == 0;
}

static void draws_are_those_of_seed_and_task(void **state)
{
    (void)state;
    struct lae_stats stats = new_stats(6, CLASSES);
    struct lae_head start = incomparable_heads(&stats);
    struct lae_align_options options = options_of(&start), seed = options, task = options;
    seed.seed++;
    task.task++;
    struct lae_head first = new_head("aligned", &stats, &options);
    struct lae_head again = new_head("aligned", &stats, &options);
    struct lae_head of_seed = new_head("aligned", &stats, &seed);
    struct lae_head of_task = new_head("aligned", &stats, &task);
    assert_true(same(&first, &again));
    assert_false(same(&first, &of_seed));
    assert_false(same(&first, &of_task));
    lae_head_free(&start);
    lae_head_free(&first);
    lae_head_free(&again);
    lae_head_free(&of_seed);
    lae_head_free(&of_task);
    lae_stats_free(&stats);
}

/* Whatever the heads to begin with hold for it. */
static void a_class_without_images_takes_no_part(void **state)
{
    (void)state;
    struct lae_stats stats = new_stats(7, 5);
    struct lae_head start = incomparable_heads(&stats);
    struct lae_align_options options = options_of(&start);
    struct lae_head first = new_head("aligned", &stats, &options);
    start.bias[5] = NAN;
    for (size_t k = 0; k < WIDTH; k++)
        start.weight[(size_t)5 * WIDTH + k] = NAN;
    struct lae_head second = new_head("aligned", &stats, &options);
    assert_true(same(&first, &second));
    assert_true(isinf(first.bias[5]) && first.bias[5] < 0.0F);
    lae_head_free(&start);
    lae_head_free(&first);
    lae_head_free(&second);
    lae_stats_free(&stats);
}

static void refuses(const struct lae_head_options *options, const struct lae_stats *stats,
                    enum lae_code code, const char *word)
{
    struct lae_head head;
    lae_status status = lae_head_fit(options, stats, NULL, &head);
    assert_non_null(status);
    assert_int_equal(lae_status_code(status), code);
    if (strstr(lae_status_message(status), word) == NULL)
        fail_msg("\"%s\" says nothing of \"%s\"", lae_status_message(status), word);
    assert_null(head.weight);
    lae_status_free(status);
}

static void what_cannot_be_aligned_is_refused(void **state)
{
    (void)state;
    struct lae_stats stats = new_stats(8, CLASSES);
    struct lae_head start = incomparable_heads(&stats);
    struct lae_head_options options = {.method = lae_head_find("aligned"),
                                       .align = options_of(&start)};
    start.weight[3] = NAN;
    refuses(&options, &stats, LAE_FAILED, "not finite");
    start.weight[3] = 0.0F;
    stats.count[0] -= lae_stats_images(&stats) - (CLASSES + 2); /* as if there were so few images */
    refuses(&options, &stats, LAE_BAD_INPUT, "heads.shrink");
    options.align.weight = NULL;
    refuses(&options, &stats, LAE_FAILED, "no linear heads");
    lae_head_free(&start);
    lae_stats_free(&stats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(incomparable_heads_become_nearly_the_best),
        cmocka_unit_test(heads_of_zeros_do_no_harm),
        cmocka_unit_test(draws_are_those_of_seed_and_task),
        cmocka_unit_test(a_class_without_images_takes_no_part),
        cmocka_unit_test(what_cannot_be_aligned_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
