/* dist/exact.h: sums that do not depend on the order, and what does not fit. */
#include "lae/base/random.h"
#include "lae/dist/dist.h"
#include "lae/dist/exact.h"
#include "lae/nn/kernels.h"

#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT = 37, IMAGES = 24 };

static void fill(float *values, uint32_t image)
{
    struct lae_random stream = lae_random_stream(1, LAE_RANDOM_BENCH, 0, 0, image);
    for (size_t i = 0; i < COUNT; i++) {
        double size = pow(2.0, 40.0 * lae_random_uniform(&stream, 2 * i) - 30.0);
        values[i] = (float)(size * (lae_random_uniform(&stream, 2 * i + 1) - 0.5));
    }
}

static void order_and_grouping_do_not_matter(void **state)
{
    (void)state;
    int64_t forward[COUNT] = {0}, backward[COUNT] = {0}, groups[3][COUNT] = {{0}};
    float values[COUNT];
    for (uint32_t i = 0; i < IMAGES; i++) {
        fill(values, i);
        assert_int_equal(lae_exact_add(forward, values, COUNT, IMAGES), 0);
        assert_int_equal(lae_exact_add(groups[i % 3], values, COUNT, IMAGES), 0);
        fill(values, IMAGES - 1 - i);
        assert_int_equal(lae_exact_add(backward, values, COUNT, IMAGES), 0);
    }
    assert_memory_equal(forward, backward, sizeof forward);
    for (size_t i = 0; i < COUNT; i++)
        assert_true(forward[i] == groups[0][i] + groups[1][i] + groups[2][i]);
}

static void mean_is_that_of_the_values(void **state)
{
    (void)state;
    int64_t sum[COUNT] = {0};
    double wanted[COUNT] = {0};
    float values[COUNT], mean[COUNT];
    for (uint32_t i = 0; i < IMAGES; i++) {
        fill(values, i);
        lae_exact_add(sum, values, COUNT, IMAGES);
        for (size_t j = 0; j < COUNT; j++)
            wanted[j] += (double)values[j] / (double)IMAGES;
    }
    lae_exact_mean(mean, sum, COUNT, IMAGES);
    for (size_t j = 0; j < COUNT;
         j++) /* each value is rounded to 2^-44, then the mean to a float */
        assert_true(fabs((double)mean[j] - wanted[j]) <= 0x1p-45 + 6e-8 * fabs(wanted[j]));
}

static void rounds_to_nearest_even(void **state)
{
    (void)state;
    const float values[4] = {0x1p-44F, 0x1.8p-44F, 0x1.4p-43F, -0x1.8p-44F};
    int64_t sum[4] = {0};
    assert_int_equal(lae_exact_add(sum, values, 4, 1), 0);
    assert_true(sum[0] == 1 && sum[1] == 2 && sum[2] == 2 && sum[3] == -2);
}

/* Any float by its bits, and those near the bounds; now and then one that does not fit. */
static float any_float(const struct lae_random *stream, size_t i)
{
    uint32_t bits = lae_random_bits(stream, 2 * i);
    float value;
    memcpy(&value, &bits, sizeof value);
    if (i % 3 == 0) return value;
    return (float)ldexp(lae_random_uniform(stream, 2 * i + 1) - 0.5, (int)(bits % 68) - 47);
}

/* On each processor's table, in every tail: what llrint gives. */
static void every_kernel_rounds_as_the_definition(void **state)
{
    (void)state;
    enum { MANY = 20011 };
    static float values[MANY];
    struct lae_random stream = lae_random_stream(2, LAE_RANDOM_BENCH, 0, 0, 0);
    for (size_t i = 0; i < MANY; i++)
        values[i] = any_float(&stream, i);
    for (const struct lae_kernels *const *k = lae_kernels_all(); *k != NULL; k++)
        for (int batch = 1; batch < 3000; batch = batch * 7 + 1) {
            static int64_t sum[MANY + 1], wanted[MANY + 1];
            double limit = nextafter((double)(INT64_MAX / batch), 0.0);
            size_t offenders = 0, count = MANY - (size_t)batch % 17;
            memset(sum, 0, sizeof sum);
            memset(wanted, 0, sizeof wanted);
            for (size_t i = 0; i < count; i++) {
                double scaled = (double)values[i] * 0x1p44;
                bool fits = fabs(scaled) <= limit;
                wanted[i] = fits ? llrint(scaled) : 0;
                offenders += !fits;
            }
            assert_true(offenders > count / 10 && offenders < count / 2);
            assert_int_equal((*k)->add_exact(sum, values, count, limit), offenders);
            assert_memory_equal(sum, wanted, sizeof sum);
        }
}

static void what_does_not_fit_is_counted_and_left_out(void **state)
{
    (void)state;
    const float values[6] = {NAN, INFINITY, -INFINITY, 21850.0F, -1e30F, 21840.0F};
    int64_t sum[6] = {5, 5, 5, 5, 5, 5};
    assert_int_equal(lae_exact_add(sum, values, 6, 24), 5);
    for (int i = 0; i < 5; i++)
        assert_true(sum[i] == 5);
    assert_true(sum[5] == 5 + llrint(21840.0 * 0x1p44));
    int64_t one = 0;
    assert_false(lae_exact_add_one(&one, (double)NAN, 1));
    assert_true(lae_exact_add_one(&one, 524287.9, 1)); /* 2^19 would be 2^63 */
    assert_false(lae_exact_add_one(&one, 524288.0, 1));
}

static void a_full_batch_of_the_largest_values_does_not_overflow(void **state)
{
    (void)state;
    for (int batch = 1; batch <= 4096; batch = batch * 3 + 1) {
        float largest = (float)(524288.0 / batch), value[1];
        do
            largest = nextafterf(largest, 0.0F);
        while ((double)largest * 0x1p44 > (double)(INT64_MAX / batch) * (1 - 1e-15));
        value[0] = largest;
        int64_t sum = 0;
        for (int i = 0; i < batch; i++)
            assert_int_equal(lae_exact_add(&sum, value, 1, batch), 0);
        assert_true(sum > 0); /* UBSan would see the overflow, too */
    }
}

/* However many ranks there are, each thing is one rank's, and none has two more than another. */
static void shares_of_many_ranks(void **state)
{
    static const int sizes[] = {1, 2, 7, 1000, 100000, INT_MAX};
    static const size_t counts[] = {0, 1, 24, 999, 1000, 1001, (size_t)1 << 40};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (size_t j = 0; j < sizeof counts / sizeof counts[0]; j++) {
            size_t sum = 0, least = counts[j] / (size_t)sizes[i];
            int last = sizes[i] > 100000 ? 100000 : sizes[i];
            for (int rank = 0; rank < last; rank++) {
                struct lae_dist dist = {.rank = rank, .size = sizes[i]};
                size_t share = lae_dist_share(&dist, counts[j]);
                assert_in_range(share, least, least + 1);
                sum += share;
            }
            if (last == sizes[i]) assert_true(sum == counts[j]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_and_grouping_do_not_matter),
        cmocka_unit_test(mean_is_that_of_the_values),
        cmocka_unit_test(rounds_to_nearest_even),
        cmocka_unit_test(every_kernel_rounds_as_the_definition),
        cmocka_unit_test(what_does_not_fit_is_counted_and_left_out),
        cmocka_unit_test(shares_of_many_ranks),
        cmocka_unit_test(a_full_batch_of_the_largest_values_does_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
