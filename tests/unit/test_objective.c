/* objective/: scores, loss and gradients of every objective against their formulas in double, and
 * against central differences. */
#include "lae/base/random.h"
#include "lae/objective/objective.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

enum { CLASSES = 7, WIDTH = 19, SIZE = CLASSES * (WIDTH + 1) };

struct scene {
    float classifier[SIZE], feature[WIDTH], scores[CLASSES];
    float gradient[SIZE], d_feature[WIDTH];
    struct lae_objective_io io;
};

static struct scene *scene_of(uint32_t number, size_t label)
{
    static struct scene scene;
    struct lae_random stream = lae_random_stream(11, LAE_RANDOM_BENCH, number, 0, 0);
    for (size_t i = 0; i < SIZE; i++)
        scene.classifier[i] = (float)(0.3 * lae_random_normal(&stream, i));
    for (size_t k = 0; k < WIDTH; k++)
        scene.feature[k] = (float)lae_random_normal(&stream, SIZE + k);
    memset(scene.gradient, 0x55, sizeof scene.gradient); /* written, not added to */
    memset(scene.d_feature, 0x55, sizeof scene.d_feature);
    scene.io = (struct lae_objective_io){
        .shape = {CLASSES, WIDTH},
        .classifier = scene.classifier,
        .feature = scene.feature,
        .label = label,
        .scores = scene.scores,
        .gradient = scene.gradient,
        .d_feature = scene.d_feature,
    };
    return &scene;
}

/* ---- cross_entropy -------------------------------------------------------------------------- */

static double score(const float *classifier, const float *feature, size_t class)
{
    double sum = (double)classifier[CLASSES * WIDTH + class];
    for (size_t k = 0; k < WIDTH; k++)
        sum += (double)classifier[class * WIDTH + k] * (double)feature[k];
    return sum;
}

static double cross_entropy(const float *classifier, const float *feature, size_t label)
{
    double sum = 0.0;
    for (size_t c = 0; c < CLASSES; c++)
        sum += exp(score(classifier, feature, c));
    return log(sum) - score(classifier, feature, label);
}

static void assert_near(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance)) fail_msg("%.9g is not %.9g", found, expected);
}

static void scores_are_linear(void **state)
{
    (void)state;
    const struct lae_objective *objective = lae_objective_find("cross_entropy");
    struct scene *scene = scene_of(0, 0);
    objective->scores(&scene->io.shape, scene->classifier, scene->feature, scene->scores);
    for (size_t c = 0; c < CLASSES; c++)
        assert_near((double)scene->scores[c], score(scene->classifier, scene->feature, c), 1e-5);
}

/* The derivative of the formula by *x, by central differences in double about a float. */
static double slope(const struct scene *scene, float *x)
{
    float was = *x, up = was + 1e-3F, down = was - 1e-3F;
    *x = up;
    double above = cross_entropy(scene->classifier, scene->feature, scene->io.label);
    *x = down;
    double below = cross_entropy(scene->classifier, scene->feature, scene->io.label);
    *x = was;
    return (above - below) / ((double)up - (double)down);
}

static void loss_and_gradients_are_the_formula_s(void **state)
{
    (void)state;
    const struct lae_objective *objective = lae_objective_find("cross_entropy");
    for (uint32_t label = 0; label < CLASSES; label++) {
        struct scene *scene = scene_of(label, label);
        bool correct;
        double loss = objective->loss(&scene->io, &correct);
        assert_near(loss, cross_entropy(scene->classifier, scene->feature, label), 1e-5);
        for (size_t i = 0; i < SIZE; i++)
            assert_near((double)scene->gradient[i], slope(scene, &scene->classifier[i]), 2e-5);
        for (size_t k = 0; k < WIDTH; k++)
            assert_near((double)scene->d_feature[k], slope(scene, &scene->feature[k]), 2e-5);
    }
}

static void the_first_of_equal_scores_counts(void **state)
{
    (void)state;
    const struct lae_objective *objective = lae_objective_find("cross_entropy");
    for (size_t label = 0; label < 3; label++) {
        struct scene *scene = scene_of(0, label);
        bool correct = label != 0;
        memset(scene->classifier, 0, sizeof scene->classifier);
        assert_near(objective->loss(&scene->io, &correct), log(CLASSES), 1e-12);
        assert_int_equal(correct, label == 0);
    }
}

/* A hundred times as large as a float can add 1 to. */
static void large_scores_overflow_nothing(void **state)
{
    (void)state;
    const struct lae_objective *objective = lae_objective_find("cross_entropy");
    struct scene *scene = scene_of(0, 2);
    bool correct = false;
    memset(scene->classifier, 0, sizeof scene->classifier);
    scene->classifier[CLASSES * WIDTH + 2] = 1e9F;
    assert_near(objective->loss(&scene->io, &correct), 0.0, 0.0);
    assert_true(correct);
    scene->io.label = 3;
    assert_near(objective->loss(&scene->io, &correct), 1e9, 0.0);
    assert_false(correct);
}

/* ---- All ------------------------------------------------------------------------------------ */

static void a_classifier_begins_small_and_the_same(void **state)
{
    (void)state;
    const struct lae_classifier_shape shape = {50, 400};
    static float first[50 * 401], again[50 * 401];
    assert_int_equal(lae_classifier_size(&shape), sizeof first / sizeof *first);
    struct lae_random stream = lae_random_stream(3, LAE_RANDOM_HEAD, 4, 0, 0);
    for (const struct lae_objective *o = lae_objectives(); o->name != NULL; o++) {
        double squares = 0.0;
        memset(first, 0x55, sizeof first);
        o->init(&shape, &stream, first);
        o->init(&shape, &stream, again);
        assert_memory_equal(first, again, sizeof first);
        for (size_t i = 0; i < 20000; i++)
            squares += (double)first[i] * (double)first[i];
        for (size_t c = 0; c < 50; c++)
            assert_near((double)first[20000 + c], 0.0, 0.0);
        if (strcmp(o->name, "cross_entropy") == 0)
            assert_near(sqrt(squares / 20000.0), 0.001, 0.00003); /* six standard deviations */
    }
}

static void names_are_found(void **state)
{
    (void)state;
    assert_null(lae_objective_find("cross"));
    for (const struct lae_objective *o = lae_objectives(); o->name != NULL; o++)
        assert_ptr_equal(lae_objective_find(o->name), o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_linear),
        cmocka_unit_test(loss_and_gradients_are_the_formula_s),
        cmocka_unit_test(the_first_of_equal_scores_counts),
        cmocka_unit_test(large_scores_overflow_nothing),
        cmocka_unit_test(a_classifier_begins_small_and_the_same),
        cmocka_unit_test(names_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
