/* data/image.h against what Pillow made of small images (fixtures/resize.txt, to the bit), and the
 * random crop's statistics. */
#include "lae/data/image.h"
#include "lae/files/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_IMAGES = 16, MAX_LINES = 1000, NAME_SIZE = 16 };

static const double no_mean[3] = {0, 0, 0}, no_std[3] = {1, 1, 1};

/* ---- Fixtures: make_resize.py describes the lines -------------------------------------------- */

struct image {
    char name[NAME_SIZE];
    int width, height;
    uint8_t *rgb;
};

struct fixture {
    char *lines[MAX_LINES];
    size_t line_count;
    struct image images[MAX_IMAGES];
    size_t image_count;
};

/* 2 * size digits to bytes; as many as there are, -1 where a digit is wrong. */
static int parse_hex(const char *digits, uint8_t *bytes, size_t size)
{
    size_t i = 0;
    for (; digits[2 * i] != '\0'; i++) {
        unsigned value;
        if (i == size || sscanf(digits + 2 * i, "%2x", &value) != 1) return -1;
        bytes[i] = (uint8_t)value;
    }
    return (int)i;
}

static void add_image(struct fixture *fixture, const char *line)
{
    struct image *image = &fixture->images[fixture->image_count++];
    int at = 0;
    assert_true(fixture->image_count <= MAX_IMAGES);
    assert_int_equal(
        sscanf(line, "image %15s %d %d %n", image->name, &image->width, &image->height, &at), 3);
    int size = 3 * image->width * image->height;
    image->rgb = malloc((size_t)size);
    assert_non_null(image->rgb);
    assert_int_equal(parse_hex(line + at, image->rgb, (size_t)size), size);
}

static const struct image *find_image(const struct fixture *fixture, const char *name)
{
    for (size_t i = 0; i < fixture->image_count; i++)
        if (strcmp(fixture->images[i].name, name) == 0) return &fixture->images[i];
    fail_msg("no image %s in the fixture", name);
    return NULL;
}

static int load_fixture(void **state)
{
    const char *root = getenv("LAE_TEST_SOURCE");
    char path[512];
    snprintf(path, sizeof path, "%s/tests/unit/fixtures/resize.txt", root != NULL ? root : ".");
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        print_error("%s cannot be read; LAE_TEST_SOURCE names the source's directory\n", path);
        return -1;
    }
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "image ", 6) == 0) add_image(fixture, line);
        assert_true(fixture->line_count < MAX_LINES);
        fixture->lines[fixture->line_count] = strdup(line);
        assert_non_null(fixture->lines[fixture->line_count++]);
    }
    free(line);
    fclose(file);
    *state = fixture;
    return 0;
}

static int free_fixture(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < fixture->line_count; i++)
        free(fixture->lines[i]);
    for (size_t i = 0; i < fixture->image_count; i++)
        free(fixture->images[i].rgb);
    free(fixture);
    return 0;
}

/* The lines that start with `word`: the next one, or NULL. `*next` starts as 0. */
static const char *next_line(const struct fixture *fixture, const char *word, size_t *next)
{
    size_t length = strlen(word);
    while (*next < fixture->line_count) {
        const char *line = fixture->lines[(*next)++];
        if (strncmp(line, word, length) == 0 && line[length] == ' ') return line;
    }
    return NULL;
}

/* Compares with "BYTES" or "sha256 DIGEST". */
static void assert_pixels(const char *line, const char *expected, const uint8_t *rgb, size_t size)
{
    if (strncmp(expected, "sha256 ", 7) == 0) {
        char digest[LAE_DIGEST_TEXT];
        assert_null(lae_digest_memory(rgb, size, digest));
        if (strcmp(digest, expected + 7) != 0) fail_msg("other pixels in: %.60s", line);
        return;
    }
    uint8_t *wanted = malloc(size);
    assert_int_equal(parse_hex(expected, wanted, size), size);
    for (size_t i = 0; i < size; i++)
        if (rgb[i] != wanted[i])
            fail_msg("byte %zu is %d, not %d, in: %.60s", i, rgb[i], wanted[i], line);
    free(wanted);
}

/* x [3, size, size], made with mean 0 and deviation 1, back to bytes [size, size, 3]; each value
 * must be the nearest float to v/255. */
static uint8_t *bytes_of(const float *x, int size)
{
    size_t plane = (size_t)size * (size_t)size;
    uint8_t *rgb = malloc(3 * plane);
    assert_non_null(rgb);
    for (size_t i = 0; i < 3 * plane; i++) {
        int v = (int)lrintf(x[i] * 255);
        assert_in_range(v, 0, 255);
        assert_true(x[i] == (float)(v / 255.0));
        rgb[3 * (i % plane) + i / plane] = (uint8_t)v;
    }
    return rgb;
}

static struct lae_size size_of(const struct image *image)
{
    return (struct lae_size){image->width, image->height};
}

/* lae_image_prepare with a workspace of its own; free() it. */
static float *prepare_by(enum lae_filter filter, const struct image *image, int size,
                         const struct lae_random *stream, const double mean[3], const double std[3])
{
    struct lae_image_workspace *workspace;
    assert_null(lae_image_workspace_create(size_of(image), size, filter, &workspace));
    float *x = malloc(3 * (size_t)size * (size_t)size * sizeof *x);
    assert_non_null(x);
    lae_image_prepare(workspace, image->rgb, size_of(image), stream, mean, std, x);
    lae_image_workspace_free(workspace);
    return x;
}

static float *prepare(const struct image *image, int size, const struct lae_random *stream,
                      const double mean[3], const double std[3])
{
    return prepare_by(LAE_FILTER_BILINEAR, image, size, stream, mean, std);
}

/* ---- Against Pillow -------------------------------------------------------------------------- */

static int check_resizes(const struct fixture *fixture, const char *word, enum lae_filter filter)
{
    size_t next = 0;
    int cases = 0;
    for (const char *line; (line = next_line(fixture, word, &next)) != NULL; cases++) {
        char name[NAME_SIZE];
        struct lae_box box;
        int width, height, at = 0;
        assert_int_equal(sscanf(line, "%*s %15s %d %d %d %d %d %d %n", name, &box.left, &box.top,
                                &box.width, &box.height, &width, &height, &at),
                         7);
        const struct image *image = find_image(fixture, name);
        size_t size = 3 * (size_t)width * (size_t)height;
        uint8_t *out = malloc(size);
        assert_null(lae_image_resize(filter, image->rgb, image->width, image->height, box, out,
                                     width, height));
        assert_pixels(line, line + at, out, size);
        free(out);
    }
    return cases;
}

static void resizing_is_pillows(void **state)
{
    assert_true(check_resizes(*state, "resize", LAE_FILTER_BILINEAR) >= 30);
    assert_true(check_resizes(*state, "bicubic", LAE_FILTER_BICUBIC) >= 30);
}

static int check_transforms(const struct fixture *fixture, const char *word, enum lae_filter filter)
{
    size_t next = 0;
    int cases = 0;
    for (const char *line; (line = next_line(fixture, word, &next)) != NULL; cases++) {
        char name[NAME_SIZE];
        int size, at = 0;
        assert_int_equal(sscanf(line, "%*s %15s %d %n", name, &size, &at), 2);
        float *x = prepare_by(filter, find_image(fixture, name), size, NULL, no_mean, no_std);
        uint8_t *rgb = bytes_of(x, size);
        assert_pixels(line, line + at, rgb, 3 * (size_t)size * (size_t)size);
        free(rgb);
        free(x);
    }
    return cases;
}

static void the_test_transform_is_pillows(void **state)
{
    assert_true(check_transforms(*state, "transform", LAE_FILTER_BILINEAR) >= 5);
    assert_true(check_transforms(*state, "bicubic_transform", LAE_FILTER_BICUBIC) >= 5);
}

static void random_crops_are_those_of_their_numbers(void **state)
{
    const struct fixture *fixture = *state;
    size_t next = 0;
    int cases = 0;
    for (const char *line; (line = next_line(fixture, "crop", &next)) != NULL; cases++) {
        uint64_t seed;
        uint32_t task, epoch, number;
        int width, height, flip_wanted;
        struct lae_box wanted;
        assert_int_equal(sscanf(line,
                                "crop %" SCNu64 " %" SCNu32 " %" SCNu32 " %" SCNu32
                                " %d %d %d %d %d %d %d",
                                &seed, &task, &epoch, &number, &width, &height, &wanted.left,
                                &wanted.top, &wanted.width, &wanted.height, &flip_wanted),
                         11);
        struct lae_random stream = lae_random_stream(seed, LAE_RANDOM_AUGMENT, task, epoch, number);
        bool flip;
        struct lae_box box = lae_image_random_crop(&stream, width, height, &flip);
        assert_memory_equal(&box, &wanted, sizeof box);
        assert_int_equal(flip, flip_wanted);
    }
    assert_true(cases >= 20);
}

static void augmenting_is_pillows(void **state)
{
    const struct fixture *fixture = *state;
    size_t next = 0;
    int cases = 0, flips = 0;
    for (const char *line; (line = next_line(fixture, "augment", &next)) != NULL; cases++) {
        uint64_t seed;
        uint32_t task, epoch, number;
        char name[NAME_SIZE];
        int size, at = 0;
        assert_int_equal(
            sscanf(line, "augment %" SCNu64 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %15s %d %n",
                   &seed, &task, &epoch, &number, name, &size, &at),
            6);
        struct lae_random stream = lae_random_stream(seed, LAE_RANDOM_AUGMENT, task, epoch, number);
        const struct image *image = find_image(fixture, name);
        bool flip;
        lae_image_random_crop(&stream, image->width, image->height, &flip);
        flips += flip;
        float *x = prepare(image, size, &stream, no_mean, no_std);
        uint8_t *rgb = bytes_of(x, size);
        assert_pixels(line, line + at, rgb, 3 * (size_t)size * (size_t)size);
        free(rgb);
        free(x);
    }
    assert_true(cases >= 8);
    assert_in_range(flips, 1, cases - 1); /* both kinds are there */
}

/* ---- Normalising and the workspace ----------------------------------------------------------- */

static void channels_are_normalised_by_their_own_numbers(void **state)
{
    const struct image *image = find_image(*state, "cifar");
    const double mean[3] = {0.5, 0.25, 0.4914}, std[3] = {0.5, 2.0, 0.2023};
    float *plain = prepare(image, 28, NULL, no_mean, no_std); /* 28 * 8/7 = 32: not resized */
    float *x = prepare(image, 28, NULL, mean, std);
    for (size_t i = 0; i < 3 * 28 * 28; i++) {
        size_t channel = i / (28 * 28), row = i / 28 % 28, column = i % 28;
        uint8_t v = image->rgb[3 * (32 * (row + 2) + column + 2) + channel];
        assert_true(plain[i] == (float)(v / 255.0));
        assert_true(x[i] == (float)((v / 255.0 - mean[channel]) / std[channel]));
    }
    free(plain);
    free(x);
}

/* One workspace serves images and crops of all sizes, in any order, with the same results as a new
 * one. */
static void a_workspace_keeps_nothing(void **state)
{
    enum { SIZE = 24, PIXELS = 3 * SIZE * SIZE };
    static const char *const names[] = {"noise", "column", "row", "pixel"};
    struct lae_image_workspace *workspace;
    assert_null(lae_image_workspace_create((struct lae_size){13, 11}, SIZE, LAE_FILTER_BILINEAR,
                                           &workspace));
    float x[PIXELS];
    for (uint32_t number = 0; number < 200; number++) {
        struct lae_random stream = lae_random_stream(11, LAE_RANDOM_AUGMENT, 0, 0, number / 2);
        const struct image *image = find_image(*state, names[number % 4]);
        const struct lae_random *used = number % 5 == 0 ? NULL : &stream;
        float *fresh = prepare(image, SIZE, used, no_mean, no_std);
        lae_image_prepare(workspace, image->rgb, size_of(image), used, no_mean, no_std, x);
        assert_memory_equal(x, fresh, sizeof x);
        free(fresh);
    }
    lae_image_workspace_free(workspace);
    lae_image_workspace_free(NULL);
}

static void assert_refused(lae_status status, enum lae_code code, const char *part)
{
    assert_int_equal(lae_status_code(status), code);
    if (strstr(lae_status_message(status), part) == NULL)
        fail_msg("no \"%s\" in: %s", part, lae_status_message(status));
    lae_status_free(status);
}

static void impossible_sizes_are_refused(void **state)
{
    (void)state;
    struct lae_image_workspace *workspace;
    assert_refused(
        lae_image_workspace_create((struct lae_size){32, 32}, 0, LAE_FILTER_BILINEAR, &workspace),
        LAE_BAD_INPUT, "data.image_size is 0 pixels");
    assert_null(workspace);
    assert_refused(lae_image_workspace_create((struct lae_size){32, 32}, LAE_MAX_SIDE + 1,
                                              LAE_FILTER_BILINEAR, &workspace),
                   LAE_BAD_INPUT, "data.image_size");
    assert_refused(
        lae_image_workspace_create((struct lae_size){0, 32}, 8, LAE_FILTER_BILINEAR, &workspace),
        LAE_BAD_INPUT, "width");
    assert_refused(
        lae_image_workspace_create((struct lae_size){32, -1}, 8, LAE_FILTER_BILINEAR, &workspace),
        LAE_BAD_INPUT, "height");

    uint8_t rgb[3 * 4 * 4] = {0}, out[3 * 4 * 4];
    const struct lae_box wrong[] = {{-1, 0, 2, 2}, {0, -1, 2, 2}, {0, 0, 5, 4},        {0, 0, 4, 5},
                                    {3, 3, 2, 1},  {3, 3, 1, 2},  {0, 0, 0, 1},        {0, 0, 1, 0},
                                    {4, 0, 1, 1},  {0, 4, 1, 1},  {1, 0, INT32_MAX, 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_refused(lae_image_resize(LAE_FILTER_BILINEAR, rgb, 4, 4, wrong[i], out, 4, 4),
                       LAE_FAILED, "is not inside an image of 4x4 pixels");
    struct lae_box whole = {0, 0, 4, 4};
    assert_refused(lae_image_resize(LAE_FILTER_BILINEAR, rgb, 4, 4, whole, out, 0, 4),
                   LAE_BAD_INPUT, "resized width");
    assert_refused(lae_image_resize(LAE_FILTER_BILINEAR, rgb, 4, 4, whole, out, 4, 0),
                   LAE_BAD_INPUT, "resized height");
}

/* Long rows, and the largest shrinking there is: sums must stay in range. */
static void large_images_are_resized(void **state)
{
    (void)state;
    uint8_t *rgb = malloc(3 * (size_t)LAE_MAX_SIDE), out[3];
    memset(rgb, 255, 3 * (size_t)LAE_MAX_SIDE);
    struct lae_box row = {0, 0, LAE_MAX_SIDE, 1}, column = {0, 0, 1, LAE_MAX_SIDE};
    for (int filter = LAE_FILTER_BILINEAR; filter <= LAE_FILTER_BICUBIC; filter++) {
        enum lae_filter by = (enum lae_filter)filter;
        assert_null(lae_image_resize(by, rgb, LAE_MAX_SIDE, 1, row, out, 1, 1));
        assert_int_equal(out[0] & out[1] & out[2], 255);
        assert_null(lae_image_resize(by, rgb, 1, LAE_MAX_SIDE, column, out, 1, 1));
        assert_int_equal(out[0] & out[1] & out[2], 255);
    }
    free(rgb);
}

/* ---- The random crop's statistics ------------------------------------------------------------ */

enum { DRAWS = 20000 };

static struct lae_box crop(uint32_t number, int width, int height, bool *flip)
{
    struct lae_random stream = lae_random_stream(5, LAE_RANDOM_AUGMENT, 1, 1, number);
    return lae_image_random_crop(&stream, width, height, flip);
}

/* Sides are rounded, so a side w comes from something in [w - 1/2, w + 1/2]. */
static void crops_lie_inside_and_have_area_and_aspect_allowed(void **state)
{
    (void)state;
    const int sizes[][2] = {{32, 32}, {100, 75}, {75, 100}};
    for (int s = 0; s < 3; s++) {
        int width = sizes[s][0], height = sizes[s][1];
        double image_area = width * height;
        for (uint32_t i = 0; i < DRAWS; i++) {
            bool flip;
            struct lae_box box = crop(i, width, height, &flip);
            assert_true(box.left >= 0 && box.left + box.width <= width);
            assert_true(box.top >= 0 && box.top + box.height <= height);
            double w = box.width, h = box.height;
            if (w == width && h == height) continue; /* may be the last resort */
            assert_true((w + 0.5) * (h + 0.5) >= 0.08 * image_area);
            assert_true((w - 0.5) * (h - 0.5) <= image_area);
            assert_true((w - 0.5) / (h + 0.5) <= 4.0 / 3.0);
            assert_true((w + 0.5) / (h - 0.5) >= 3.0 / 4.0);
        }
    }
}

/* A mean of `count` draws against the theory: five standard deviations of the mean are allowed. */
static void assert_mean(double sum, double count, double expected, double deviation)
{
    double mean = sum / count, allowed = 5 * deviation / sqrt(count);
    if (!(fabs(mean - expected) <= allowed))
        fail_msg("a mean is %g, not %g within %g", mean, expected, allowed);
}

/* Of a large image, so that rounding does not matter. With b = log(4/3), areas below 3/4 always
 * fit; a larger area A fits while |log aspect| < log(1/A). That is a share log(1/A)/b of the
 * aspects, and its integral over A = 3/4..1 is 1/4/b - 3/4. */
static void crops_are_spread_evenly(void **state)
{
    (void)state;
    const double side = 2000, b = log(4.0 / 3.0), fitting = 0.75 - 0.08 + 0.25 / b - 0.75;
    double left = 0, top = 0, aspect = 0, flips = 0, both = 0, below_070 = 0, below_039 = 0;
    for (uint32_t i = 0; i < DRAWS; i++) {
        bool flip;
        struct lae_box box = crop(i, (int)side, (int)side, &flip);
        double area = box.width * box.height / (side * side);
        left += box.left / (side - box.width + 1);
        top += box.top / (side - box.height + 1);
        aspect += log((double)box.width / box.height);
        flips += flip;
        both += flip && box.left > (side - box.width) / 2;
        below_070 += area < 0.70;
        below_039 += area < 0.39;
    }
    assert_mean(left, DRAWS, 0.5, 0.289);
    assert_mean(top, DRAWS, 0.5, 0.289);
    assert_mean(aspect, DRAWS, 0.0, b / sqrt(3));
    assert_mean(flips, DRAWS, 0.5, 0.5);
    assert_mean(both, DRAWS, 0.25, 0.433);
    assert_mean(below_039, below_070, 0.5, 0.5); /* half of 0.08..0.70 */
    assert_mean(below_070, DRAWS, (0.70 - 0.08) / fitting, 0.41);
}

static void a_crop_depends_on_its_image_alone(void **state)
{
    (void)state;
    int same = 0;
    for (uint32_t i = 0; i < 500; i++) {
        bool flip, again, other;
        struct lae_box first = crop(i, 64, 64, &flip), second = crop(i, 64, 64, &again);
        struct lae_box next = crop(i + 1, 64, 64, &other);
        assert_memory_equal(&first, &second, sizeof first);
        assert_int_equal(flip, again);
        same += memcmp(&first, &next, sizeof first) == 0;
    }
    assert_in_range(same, 0, 10);
}

static void narrow_images_are_taken_whole(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 100; i++) {
        bool flip;
        struct lae_box wide = crop(i, 1000, 10, &flip), high = crop(i, 10, 1000, &flip);
        const struct lae_box whole_wide = {0, 0, 1000, 10}, whole_high = {0, 0, 10, 1000};
        assert_memory_equal(&wide, &whole_wide, sizeof wide);
        assert_memory_equal(&high, &whole_high, sizeof high);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resizing_is_pillows),
        cmocka_unit_test(the_test_transform_is_pillows),
        cmocka_unit_test(random_crops_are_those_of_their_numbers),
        cmocka_unit_test(augmenting_is_pillows),
        cmocka_unit_test(channels_are_normalised_by_their_own_numbers),
        cmocka_unit_test(a_workspace_keeps_nothing),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(large_images_are_resized),
        cmocka_unit_test(crops_lie_inside_and_have_area_and_aspect_allowed),
        cmocka_unit_test(crops_are_spread_evenly),
        cmocka_unit_test(a_crop_depends_on_its_image_alone),
        cmocka_unit_test(narrow_images_are_taken_whole),
    };
    return cmocka_run_group_tests(tests, load_fixture, free_fixture);
}
