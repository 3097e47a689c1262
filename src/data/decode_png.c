/* PNG by libpng (http://www.libpng.org/pub/png/libpng-manual.txt). */
#include "decode.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

/* Deflate makes at most 1032 bytes of one: a smaller file cannot hold the pixels it claims. */
#define MAX_EXPANSION 1040

struct job {
    const unsigned char *at; /* the bytes to come */
    size_t left, size;       /* of the whole file */
    png_structp png;
    png_infop info;
    struct lae_size image;
    uint8_t *rgb;
    char error[100];
};

static void take_bytes(png_structp png, png_bytep to, size_t count)
{
    struct job *job = png_get_io_ptr(png);
    if (count > job->left) png_error(png, "cut short");
    memcpy(to, job->at, count);
    job->at += count;
    job->left -= count;
}

static _Noreturn void fail(png_structp png, png_const_charp message)
{
    struct job *job = png_get_error_ptr(png);
    snprintf(job->error, sizeof job->error, "%s", message);
    png_longjmp(png, 1);
}

/* Of what does not touch the pixels: a damaged comment, an odd colour profile. The end of the file
 * is none of that, though newer libpng (1.6.48, for one) only warns of its check sum. */
static void pass_over(png_structp png, png_const_charp message)
{
    if (strncmp(message, "IEND", 4) == 0) png_error(png, message);
}

static void read_header(struct job *job)
{
    png_read_info(job->png, job->info);
    job->image.width = (int)png_get_image_width(job->png, job->info);
    job->image.height = (int)png_get_image_height(job->png, job->info);
    size_t raw = png_get_rowbytes(job->png, job->info) * (size_t)job->image.height;
    if (raw / MAX_EXPANSION > job->size) png_error(job->png, "more pixels than its bytes can hold");
}

/* libpng makes 8-bit RGB of whatever the file has. */
static void ask_for_rgb(struct job *job)
{
    png_byte type = png_get_color_type(job->png, job->info);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(job->png);
    if (type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(job->png);
    png_set_strip_16(job->png);
    png_set_strip_alpha(job->png);
    if ((type & PNG_COLOR_MASK_COLOR) == 0) png_set_gray_to_rgb(job->png);
}

/* An interlaced image comes in passes, each of which fills in some of its pixels. */
static void read_pixels(struct job *job)
{
    read_header(job);
    ask_for_rgb(job);
    int passes = png_set_interlace_handling(job->png);
    png_read_update_info(job->png, job->info);
    size_t row = 3 * (size_t)job->image.width;
    if (png_get_rowbytes(job->png, job->info) != row) png_error(job->png, "no known kind of pixel");
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < job->image.height; y++)
            png_read_row(job->png, job->rgb + (size_t)y * row, NULL);
    png_read_end(job->png, NULL);
}

/* libpng leaves by longjmp when something is wrong: nothing between here and it may own anything.
 */
static lae_status run(struct job *job, void (*work)(struct job *))
{
    if (setjmp(png_jmpbuf(job->png)) != 0) return lae_bad_input("%s", job->error);
    png_set_user_limits(job->png, LAE_MAX_SIDE, LAE_MAX_SIDE);
    png_set_read_fn(job->png, job, take_bytes);
    work(job);
    return NULL;
}

static lae_status read(struct job *job, void (*work)(struct job *))
{
    lae_status status = NULL;
    job->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, job, fail, pass_over);
    if (job->png != NULL) job->info = png_create_info_struct(job->png);
    if (job->info == NULL)
        status = lae_out_of_memory(0, "reading a PNG");
    else
        status = run(job, work);
    png_destroy_read_struct(&job->png, &job->info, NULL);
    return status;
}

static lae_status png_size(const unsigned char *bytes, size_t size, struct lae_size *image)
{
    struct job job = {.at = bytes, .left = size, .size = size};
    LAE_TRY(read(&job, read_header));
    *image = job.image;
    return NULL;
}

static lae_status png_pixels(const unsigned char *bytes, size_t size, struct lae_size image,
                             uint8_t *rgb)
{
    struct job job = {.at = bytes, .left = size, .size = size, .image = image, .rgb = rgb};
    return read(&job, read_pixels);
}

const struct lae_decoder lae_decoder_png = {"PNG", png_size, png_pixels};
