/* The demonstration data: a function of (seed, class, index), the same everywhere, and of the right
 * difficulty: pixels tell the classes apart a little, never well. */
#include "lae/data/synthetic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define BYTES ((size_t)LAE_SYNTHETIC_SIDE * LAE_SYNTHETIC_SIDE * 3)
#define CLASSES 100

static bool same(uint64_t seed, uint32_t class, uint32_t index, const uint8_t *expected)
{
    uint8_t rgb[BYTES];
    lae_synthetic_draw(seed, class, index, rgb);
    return memcmp(rgb, expected, BYTES) == 0;
}

static void same_arguments_same_bytes(void **state)
{
    (void)state;
    uint8_t first[BYTES];
    lae_synthetic_draw(0, 7, 3, first);
    uint8_t other[BYTES];
    lae_synthetic_draw(5, 70, 30, other);
    assert_true(same(0, 7, 3, first));
    assert_true(same(5, 70, 30, other));
}

static void every_argument_counts(void **state)
{
    (void)state;
    uint8_t rgb[BYTES];
    lae_synthetic_draw(0, 7, 3, rgb);
    assert_false(same(1, 7, 3, rgb));
    assert_false(same(UINT64_C(1) << 32, 7, 3, rgb));
    assert_false(same(0, 8, 3, rgb));
    assert_false(same(0, 7 + 65536, 3, rgb));
    assert_false(same(0, 7, 4, rgb));
    assert_false(same(0, 7, LAE_SYNTHETIC_TEST_INDEX + 3, rgb));
}

static void draws_nothing_beyond_the_image(void **state)
{
    (void)state;
    uint8_t guarded[BYTES + 2];
    guarded[0] = guarded[BYTES + 1] = 0xa5;
    for (uint32_t index = 0; index < 64; index++)
        lae_synthetic_draw(0, index, index, guarded + 1);
    assert_int_equal(guarded[0], 0xa5);
    assert_int_equal(guarded[BYTES + 1], 0xa5);
}

/* FNV-1a over a few images. Exact on every machine, as drawing uses no function of libm: where this
 * fails, the drawing has changed, and with it the data that the backbone was pretrained on. */
static void images_are_the_golden_ones(void **state)
{
    (void)state;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (uint32_t label = 0; label < 400; label++) {
        uint8_t rgb[BYTES];
        lae_synthetic_draw(0, label, label % 2 == 0 ? label : LAE_SYNTHETIC_TEST_INDEX + label,
                           rgb);
        for (size_t i = 0; i < BYTES; i++)
            hash = (hash ^ rgb[i]) * UINT64_C(0x100000001b3);
    }
    assert_int_equal(hash, UINT64_C(0x166714445a7aa792));
}

/* Neither nearly black, nearly white nor flat. */
static void assert_is_a_picture(const uint8_t *rgb)
{
    double sum = 0.0, squares = 0.0;
    for (size_t i = 0; i < BYTES; i++) {
        sum += rgb[i];
        squares += (double)rgb[i] * rgb[i];
    }
    double mean = sum / (double)BYTES, variance = squares / (double)BYTES - mean * mean;
    assert_true(mean > 20.0 && mean < 235.0);
    assert_true(variance > 100.0);
}

static void any_class_gives_pictures(void **state)
{
    (void)state;
    const uint32_t far[] = {100, 499, 4095, 65535, 65536, UINT32_MAX};
    uint8_t rgb[BYTES];
    for (uint32_t label = 0; label < CLASSES; label++) {
        lae_synthetic_draw(0, label, 0, rgb);
        assert_is_a_picture(rgb);
    }
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        lae_synthetic_draw(UINT64_MAX, far[i], UINT32_MAX, rgb);
        assert_is_a_picture(rgb);
    }
}

static void add_to_mean(const uint8_t *rgb, double weight, double *mean)
{
    for (size_t i = 0; i < BYTES; i++)
        mean[i] += weight * rgb[i];
}

static size_t nearest(const uint8_t *rgb, const double *means, size_t count)
{
    size_t best = 0;
    double least = 1e300;
    for (size_t k = 0; k < count; k++) {
        double distance = 0.0;
        for (size_t i = 0; i < BYTES; i++) {
            double d = rgb[i] - means[k * BYTES + i];
            distance += d * d;
        }
        if (distance < least) best = k;
        if (distance < least) least = distance;
    }
    return best;
}

/* The mean image of a class is worth something, but not much: chance is 1 %. What is wrong is a
 * relative (class +- 20, 40, ...) more often than by chance, which is 4 in 99. */
static void pixels_alone_tell_classes_apart_badly(void **state)
{
    (void)state;
    enum { TRAIN = 12, TEST = 4 };
    double *means = calloc(CLASSES * BYTES, sizeof *means);
    assert_non_null(means);
    uint8_t rgb[BYTES];
    for (uint32_t label = 0; label < CLASSES; label++)
        for (uint32_t index = 0; index < TRAIN; index++) {
            lae_synthetic_draw(0, label, index, rgb);
            add_to_mean(rgb, 1.0 / (double)TRAIN, means + label * BYTES);
        }
    int right = 0, related = 0;
    for (uint32_t label = 0; label < CLASSES; label++)
        for (uint32_t index = 0; index < TEST; index++) {
            lae_synthetic_draw(0, label, LAE_SYNTHETIC_TEST_INDEX + index, rgb);
            size_t taken = nearest(rgb, means, CLASSES);
            right += taken == label;
            related += taken != label && taken % 20 == label % 20;
        }
    free(means);
    assert_in_range(right, CLASSES * TEST / 25, CLASSES * TEST / 4); /* 4 .. 25 % */
    assert_true(related > (CLASSES * TEST - right) * 2 * 4 / 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_arguments_same_bytes),
        cmocka_unit_test(every_argument_counts),
        cmocka_unit_test(draws_nothing_beyond_the_image),
        cmocka_unit_test(images_are_the_golden_ones),
        cmocka_unit_test(any_class_gives_pictures),
        cmocka_unit_test(pixels_alone_tell_classes_apart_badly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
