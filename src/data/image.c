#include "lae/data/image.h"

#include "lae/base/arena.h"
#include "resize.h"

#include <math.h>
#include <stdlib.h>

struct lae_image_workspace {
    struct lae_size largest; /* of the images */
    int size;                /* of the model's input */
    struct lae_arena arena;
    struct lae_resize_scratch scratch;
    uint8_t *pixels; /* [size, size, 3] */
};

static lae_status check_side(const char *what, int side)
{
    if (side >= 1 && side <= LAE_MAX_SIDE) return NULL;
    return lae_bad_input("%s is %d pixels; 1 to %d are allowed", what, side, LAE_MAX_SIDE);
}

/* A random crop may be as large as the image, and nothing is resized to less than `size`: that
 * bounds what all transforms need. */
static void place(struct lae_arena *arena, enum lae_filter filter,
                  struct lae_image_workspace *workspace)
{
    int size = workspace->size;
    struct lae_resize_axis x = {workspace->largest.width, size, 0, size};
    struct lae_resize_axis y = {workspace->largest.height, size, 0, size};
    lae_resize_place(arena, filter, &x, &y, &workspace->scratch);
    workspace->pixels = lae_arena_take(arena, 3 * (size_t)size * (size_t)size);
}

lae_status lae_image_workspace_create(struct lae_size largest, int image_size,
                                      enum lae_filter filter, struct lae_image_workspace **out)
{
    *out = NULL;
    LAE_TRY(check_side("the images' width", largest.width));
    LAE_TRY(check_side("the images' height", largest.height));
    LAE_TRY(check_side("data.image_size", image_size));
    struct lae_image_workspace *workspace = calloc(1, sizeof *workspace);
    if (workspace == NULL) return lae_out_of_memory(sizeof *workspace, "an image workspace");
    *workspace = (struct lae_image_workspace){.largest = largest, .size = image_size};
    place(&workspace->arena, filter, workspace);
    lae_status status = lae_arena_allocate(&workspace->arena, "an image workspace");
    if (status != NULL) {
        free(workspace);
        return status;
    }
    place(&workspace->arena, filter, workspace);
    *out = workspace;
    return NULL;
}

void lae_image_workspace_free(struct lae_image_workspace *workspace)
{
    if (workspace == NULL) return;
    lae_arena_free(&workspace->arena);
    free(workspace);
}

static const uint8_t *pixel(const uint8_t *rgb, int width, int left, int top)
{
    return rgb + 3 * ((size_t)top * (size_t)width + (size_t)left);
}

static lae_status check_box(int width, int height, struct lae_box box)
{
    if (box.left >= 0 && box.top >= 0 && box.width >= 1 && box.height >= 1 &&
        box.width <= width - box.left && box.height <= height - box.top)
        return NULL;
    return lae_failed("a crop of %dx%d pixels at (%d, %d) is not inside an image of %dx%d pixels",
                      box.width, box.height, box.left, box.top, width, height);
}

lae_status lae_image_resize(enum lae_filter filter, const uint8_t *rgb, int width, int height,
                            struct lae_box box, uint8_t *out, int out_width, int out_height)
{
    LAE_TRY(check_side("the image's width", width));
    LAE_TRY(check_side("the image's height", height));
    LAE_TRY(check_side("the resized width", out_width));
    LAE_TRY(check_side("the resized height", out_height));
    LAE_TRY(check_box(width, height, box));
    struct lae_resize_axis x = {box.width, out_width, 0, out_width};
    struct lae_resize_axis y = {box.height, out_height, 0, out_height};
    struct lae_arena arena = {0};
    struct lae_resize_scratch scratch;
    lae_resize_place(&arena, filter, &x, &y, &scratch);
    LAE_TRY(lae_arena_allocate(&arena, "resizing an image"));
    lae_resize_place(&arena, filter, &x, &y, &scratch);
    lae_resize_window(&scratch, pixel(rgb, width, box.left, box.top), 3 * (size_t)width, &x, &y,
                      out);
    lae_arena_free(&arena);
    return NULL;
}

/* Uniform in [low, high). */
static double uniform(const struct lae_random *stream, uint64_t index, double low, double high)
{
    return low + (high - low) * lae_random_uniform(stream, index);
}

/* 0..n-1 */
static int below(const struct lae_random *stream, uint64_t index, int n)
{
    return (int)lae_random_below(stream, index, (uint32_t)n);
}

/* torchvision.transforms.RandomResizedCrop, whose rounding is to even, as rint's. After ten tries
 * it crops centrally to the nearest aspect it allows; METHOD takes the whole image, which is the
 * same for square images. */
struct lae_box lae_image_random_crop(const struct lae_random *stream, int width, int height,
                                     bool *flip)
{
    enum { TRIES = 10, NUMBERS = 4 };
    const double smallest_area = 0.08, log_aspect = log(4.0 / 3.0);
    *flip = lae_random_uniform(stream, NUMBERS * TRIES) < 0.5;
    for (uint64_t try = 0; try < TRIES; try++) {
        uint64_t index = NUMBERS * try;
        double area = (double)width * height * uniform(stream, index, smallest_area, 1.0);
        double aspect = exp(uniform(stream, index + 1, -log_aspect, log_aspect));
        int w = (int)rint(sqrt(area * aspect));
        int h = (int)rint(sqrt(area / aspect));
        if (w < 1 || w > width || h < 1 || h > height) continue;
        int top = below(stream, index + 2, height - h + 1);
        int left = below(stream, index + 3, width - w + 1);
        return (struct lae_box){left, top, w, h};
    }
    return (struct lae_box){0, 0, width, height};
}

/* The random crop, resized to the whole of workspace->pixels. Returns whether to flip. */
static bool augment(const struct lae_image_workspace *workspace, const uint8_t *rgb,
                    struct lae_size image, const struct lae_random *stream)
{
    int size = workspace->size;
    bool flip;
    struct lae_box box = lae_image_random_crop(stream, image.width, image.height, &flip);
    struct lae_resize_axis x = {box.width, size, 0, size};
    struct lae_resize_axis y = {box.height, size, 0, size};
    lae_resize_window(&workspace->scratch, pixel(rgb, image.width, box.left, box.top),
                      3 * (size_t)image.width, &x, &y, workspace->pixels);
    return flip;
}

/* A side of the resized image whose shorter side becomes floor(size * 8/7), and the central `size`
 * pixels of it. */
static struct lae_resize_axis central(int side, int shorter, int size)
{
    int64_t resized = (int64_t)(size * 8 / 7) * side / shorter;
    return (struct lae_resize_axis){side, (int)resized, ((int)resized - size) / 2, size};
}

static void test_transform(const struct lae_image_workspace *workspace, const uint8_t *rgb,
                           struct lae_size image)
{
    int shorter = image.width < image.height ? image.width : image.height;
    struct lae_resize_axis x = central(image.width, shorter, workspace->size);
    struct lae_resize_axis y = central(image.height, shorter, workspace->size);
    lae_resize_window(&workspace->scratch, rgb, 3 * (size_t)image.width, &x, &y, workspace->pixels);
}

/* One channel of pixels [size, size, 3] to plane [size, size]. A byte has 256 values only: the
 * table makes the division exact and quick. */
static void normalise(const uint8_t *pixels, int size, bool flip, double mean, double std,
                      float *plane)
{
    float table[256];
    for (int v = 0; v < 256; v++)
        table[v] = (float)((v / 255.0 - mean) / std);
    ptrdiff_t step = flip ? -3 : 3;
    for (int row = 0; row < size; row++) {
        const uint8_t *from = pixels + 3 * (size_t)size * (size_t)row;
        if (flip) from += 3 * ((size_t)size - 1);
        for (int i = 0; i < size; i++)
            *plane++ = table[from[i * step]];
    }
}

void lae_image_prepare(struct lae_image_workspace *workspace, const uint8_t *rgb,
                       struct lae_size size, const struct lae_random *stream, const double mean[3],
                       const double std[3], float *x)
{
    bool flip = false;
    if (stream != NULL)
        flip = augment(workspace, rgb, size, stream);
    else
        test_transform(workspace, rgb, size);
    size_t plane = (size_t)workspace->size * (size_t)workspace->size;
    for (size_t channel = 0; channel < 3; channel++)
        normalise(workspace->pixels + channel, workspace->size, flip, mean[channel], std[channel],
                  x + channel * plane);
}
