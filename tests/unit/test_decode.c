/* src/data/decode.h: PNG and JPEG of every kind against what Pillow made of them (fixtures/images),
 * cut, damaged, and claiming more than they have. */
#include "../../src/data/decode.h"
#include "lae/files/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 21, HEIGHT = 13, PPM_HEADER = 13, PIXEL_BYTES = 3 * WIDTH * HEIGHT };

static const char *const pngs[] = {"grey1.png",
                                   "grey2.png",
                                   "grey4.png",
                                   "grey8.png",
                                   "grey16.png",
                                   "rgb8.png",
                                   "grey8-alpha.png",
                                   "grey8-transparent.png",
                                   "rgb8-interlaced.png",
                                   "rgb8-gamma.png",
                                   "rgb16.png",
                                   "palette4.png",
                                   "palette8-transparent.png",
                                   "rgb8-alpha.png",
                                   "rgb16-alpha.png",
                                   NULL};
static const char *const jpegs[] = {"grey.jpg",   "rgb420.jpg",      "rgb422.jpg",
                                    "rgb444.jpg", "progressive.jpg", "turned.jpg",
                                    "cmyk.jpg",   "jpeg-called.png", NULL};

/* A fixture's bytes as memory of just its size, so that reading past them shows; free(). */
static unsigned char *load(const char *name, const char *ending, size_t *size)
{
    const char *root = getenv("LAE_TEST_SOURCE");
    char path[512];
    int stem = ending != NULL ? (int)(strrchr(name, '.') - name) : (int)strlen(name);
    snprintf(path, sizeof path, "%s/tests/unit/fixtures/images/%.*s%s", root != NULL ? root : ".",
             stem, name, ending != NULL ? ending : "");
    struct lae_map map;
    lae_status status = lae_map_open(path, &map);
    if (status != NULL) fail_msg("%s", lae_status_message(status));
    unsigned char *bytes = malloc(map.size);
    assert_non_null(bytes);
    memcpy(bytes, map.data, map.size);
    *size = map.size;
    lae_map_close(&map);
    return bytes;
}

/* Both functions, one after the other; rgb [PIXEL_BYTES]. */
static lae_status decode(const char *name, const unsigned char *bytes, size_t size, uint8_t *rgb)
{
    struct lae_size image;
    LAE_TRY(lae_decode_size(name, bytes, size, &image));
    if (image.width != WIDTH || image.height != HEIGHT)
        return lae_bad_input("%s: another size", name);
    return lae_decode_pixels(name, bytes, size, image, rgb);
}

static void assert_refused(lae_status status, const char *part)
{
    if (lae_status_code(status) != LAE_BAD_INPUT ||
        strstr(lae_status_message(status), part) == NULL)
        fail_msg("not refused with \"%s\": %s", part, lae_status_message(status));
    lae_status_free(status);
}

static void check_same(const char *name)
{
    size_t size, wanted;
    uint8_t rgb[PIXEL_BYTES];
    unsigned char *bytes = load(name, NULL, &size), *ppm = load(name, ".ppm", &wanted);
    lae_status status = decode(name, bytes, size, rgb);
    if (status != NULL) fail_msg("%s", lae_status_message(status));
    assert_int_equal(wanted, PPM_HEADER + PIXEL_BYTES);
    for (int i = 0; i < PIXEL_BYTES; i++)
        if (rgb[i] != ppm[PPM_HEADER + i])
            fail_msg("%s: byte %d is %d, Pillow's %d", name, i, rgb[i], ppm[PPM_HEADER + i]);
    free(bytes);
    free(ppm);
}

static void test_as_pillow(void **state)
{
    (void)state;
    for (int i = 0; pngs[i] != NULL; i++)
        check_same(pngs[i]);
    for (int i = 0; jpegs[i] != NULL; i++)
        check_same(jpegs[i]);
}

/* No prefix of a file is an image, not even that which lacks the last byte. */
static void check_cut(const char *name)
{
    size_t size;
    uint8_t rgb[PIXEL_BYTES];
    unsigned char *whole = load(name, NULL, &size);
    for (size_t cut = 0; cut < size; cut++) {
        unsigned char *bytes = malloc(cut + 1);
        assert_non_null(bytes);
        memcpy(bytes, whole, cut);
        lae_status status = decode(name, bytes, cut, rgb);
        if (lae_status_code(status) != LAE_BAD_INPUT)
            fail_msg("%s: %zu of %zu bytes: %s", name, cut, size, lae_status_message(status));
        if (strncmp(lae_status_message(status), name, strlen(name)) != 0)
            fail_msg("the file is not named: %s", lae_status_message(status));
        lae_status_free(status);
        free(bytes);
    }
    free(whole);
}

static void test_cut(void **state)
{
    (void)state;
    for (int i = 0; pngs[i] != NULL; i++)
        check_cut(pngs[i]);
    for (int i = 0; jpegs[i] != NULL; i++)
        check_cut(jpegs[i]);
}

/* A PNG's check sums see every flipped bit of what counts. */
static void test_png_flipped(void **state)
{
    (void)state;
    size_t size;
    uint8_t rgb[PIXEL_BYTES];
    unsigned char *bytes = load("rgb8.png", NULL, &size);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        lae_status status = decode("flipped", bytes, size, rgb);
        if (lae_status_code(status) != LAE_BAD_INPUT)
            fail_msg("bit %zu: %s", bit, lae_status_message(status));
        lae_status_free(status);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    free(bytes);
}

static void put_big_endian(unsigned char *at, int count, uint32_t value)
{
    for (int i = count; i-- > 0; value >>= 8)
        at[i] = (unsigned char)value;
}

/* The offset of the height of a JPEG's frame, which the width follows. */
static size_t frame_size_at(const unsigned char *bytes, size_t size)
{
    for (size_t i = 2; i + 9 < size; i += 2 + ((size_t)bytes[i + 2] << 8 | bytes[i + 3]))
        if (bytes[i] == 0xff && (bytes[i + 1] == 0xc0 || bytes[i + 1] == 0xc2)) return i + 5;
    fail_msg("no frame header");
    return 0;
}

static void check_jpeg_claim(uint32_t width, uint32_t height, const char *part)
{
    size_t size;
    struct lae_size image;
    unsigned char *bytes = load("rgb420.jpg", NULL, &size);
    size_t at = frame_size_at(bytes, size);
    put_big_endian(bytes + at, 2, height);
    put_big_endian(bytes + at + 2, 2, width);
    assert_refused(lae_decode_size("claim.jpg", bytes, size, &image), part);
    free(bytes);
}

/* Headers that claim what the bytes cannot hold, or more than is read. */
static void test_claims(void **state)
{
    (void)state;
    check_jpeg_claim(16385, 8, "claim.jpg: the image has 16385x8 pixels");
    check_jpeg_claim(8193, 8192, "at most 67108864 together are read");
    check_jpeg_claim(0, 8, "claim.jpg: damaged JPEG header");
    struct lae_size image;
    unsigned char png[33] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    put_big_endian(png + 16, 4, 8000);
    put_big_endian(png + 20, 4, 8000);
    memcpy(png + 24, "\x08\x02\0\0\0\x6d\x48\x5d\xed", 9); /* 8 bits, RGB; its check sum */
    assert_refused(lae_decode_size("claim.png", png, sizeof png, &image), "claim.png: damaged PNG");
}

static void test_no_image(void **state)
{
    (void)state;
    struct lae_size image;
    assert_refused(lae_decode_size("e.png", (const unsigned char *)"", 0, &image),
                   "e.png: is empty");
    assert_refused(lae_decode_size("g.png", (const unsigned char *)"GIF89a..", 8, &image),
                   "g.png: is neither PNG nor JPEG");
}

/* A file that became another one between the two looks. */
static void test_changed(void **state)
{
    (void)state;
    size_t size;
    uint8_t rgb[PIXEL_BYTES];
    unsigned char *bytes = load("rgb8.png", NULL, &size);
    assert_refused(lae_decode_pixels("c.png", bytes, size, (struct lae_size){WIDTH, 12}, rgb),
                   "c.png: has 21x13 pixels and had 21x12");
    free(bytes);
}

/* Bytes before a marker that some cameras leave there are no damage. */
static void test_extraneous_bytes(void **state)
{
    (void)state;
    size_t size;
    uint8_t rgb[PIXEL_BYTES], clean[PIXEL_BYTES];
    unsigned char *bytes = load("rgb420.jpg", NULL, &size);
    assert_null(decode("clean", bytes, size, clean));
    unsigned char *longer = malloc(size + 3);
    assert_non_null(longer);
    memcpy(longer, bytes, size - 2);
    memcpy(longer + size - 2, "\1\2\3\xff\xd9", 5);
    assert_null(decode("extraneous", longer, size + 3, rgb));
    assert_memory_equal(rgb, clean, sizeof rgb);
    free(longer);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_pillow),        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_png_flipped),      cmocka_unit_test(test_claims),
        cmocka_unit_test(test_no_image),         cmocka_unit_test(test_changed),
        cmocka_unit_test(test_extraneous_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
