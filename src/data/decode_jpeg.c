/* JPEG by libjpeg-turbo (https://libjpeg-turbo.org, libjpeg.txt).
 *
 * libjpeg goes on after most errors, as a viewer should, and fills in what is missing. What it
 * then only warns of is told apart here: data that are missing or mean nothing are errors, what
 * does not touch the pixels (bytes too many before a marker, as some cameras write) is passed over.
 */
#include "decode.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

#include <jerror.h>

/* A progressive file of few bytes may have scans without end, each over the whole image. */
enum { MAX_SCANS = 100 };

struct job {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf leave;
    const unsigned char *bytes;
    size_t size;
    struct lae_size image;
    uint8_t *rgb;
    char error[JMSG_LENGTH_MAX];
};

static _Noreturn void fail(j_common_ptr jpeg)
{
    struct job *job = jpeg->client_data;
    jpeg->err->format_message(jpeg, job->error);
    longjmp(job->leave, 1);
}

static void take_message(j_common_ptr jpeg, int level)
{
    static const int lost[] = {JWRN_JPEG_EOF, JWRN_HIT_MARKER, JWRN_HUFF_BAD_CODE,
                               JWRN_ARITH_BAD_CODE, JWRN_MUST_RESYNC};
    for (size_t i = 0; level < 0 && i < sizeof lost / sizeof lost[0]; i++)
        if (jpeg->err->msg_code == lost[i]) fail(jpeg);
}

static void count_scans(j_common_ptr jpeg)
{
    struct job *job = jpeg->client_data;
    if (job->jpeg.input_scan_number <= MAX_SCANS) return;
    snprintf(job->error, sizeof job->error, "more than %d scans", MAX_SCANS);
    longjmp(job->leave, 1);
}

static void read_header(struct job *job)
{
    jpeg_mem_src(&job->jpeg, job->bytes, (unsigned long)job->size);
    jpeg_read_header(&job->jpeg, TRUE);
    job->image.width = (int)job->jpeg.image_width;
    job->image.height = (int)job->jpeg.image_height;
}

/* a * b / 255, rounded to nearest. */
static uint8_t times(int a, int b)
{
    int product = a * b + 128;
    return (uint8_t)(((product >> 8) + product) >> 8);
}

/* Inverted C, M, Y, K [width, 4] to R, G, B [width, 3]. Rounded where the ink is taken off, not
 * where the light is, as Pillow does. */
static void mix_inks(const uint8_t *cmyk, int width, uint8_t *rgb)
{
    for (int x = 0; x < width; x++, cmyk += 4, rgb += 3)
        for (int ink = 0; ink < 3; ink++)
            rgb[ink] = (uint8_t)(cmyk[3] - times(255 - cmyk[ink], cmyk[3]));
}

static void read_pixels(struct job *job)
{
    struct jpeg_decompress_struct *jpeg = &job->jpeg;
    read_header(job);
    bool inks = jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
    jpeg->out_color_space = inks ? JCS_CMYK : JCS_RGB;
    jpeg->dct_method = JDCT_ISLOW;
    jpeg->do_fancy_upsampling = TRUE;
    jpeg_start_decompress(jpeg);
    JSAMPARRAY four = NULL; /* goes with the decompressor */
    if (inks)
        four = jpeg->mem->alloc_sarray((j_common_ptr)jpeg, JPOOL_IMAGE, 4 * jpeg->output_width, 1);
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *row = job->rgb + 3 * (size_t)jpeg->output_width * jpeg->output_scanline;
        jpeg_read_scanlines(jpeg, inks ? four : &row, 1);
        if (inks) mix_inks(four[0], (int)jpeg->output_width, row);
    }
    jpeg_finish_decompress(jpeg);
}

/* libjpeg leaves by longjmp when something is wrong: nothing between here and it may own anything.
 */
static lae_status run(struct job *job, void (*work)(struct job *))
{
    if (setjmp(job->leave) != 0) return lae_bad_input("%s", job->error);
    jpeg_create_decompress(&job->jpeg);
    job->jpeg.progress = &job->progress;
    work(job);
    return NULL;
}

static lae_status read(struct job *job, void (*work)(struct job *))
{
    job->jpeg.err = jpeg_std_error(&job->errors);
    job->errors.error_exit = fail;
    job->errors.emit_message = take_message;
    job->progress.progress_monitor = count_scans;
    job->jpeg.client_data = job;
    lae_status status = run(job, work);
    jpeg_destroy_decompress(&job->jpeg);
    return status;
}

static lae_status jpeg_size(const unsigned char *bytes, size_t size, struct lae_size *image)
{
    struct job job = {.bytes = bytes, .size = size};
    LAE_TRY(read(&job, read_header));
    *image = job.image;
    return NULL;
}

static lae_status jpeg_pixels(const unsigned char *bytes, size_t size, struct lae_size image,
                              uint8_t *rgb)
{
    struct job job = {.bytes = bytes, .size = size, .image = image, .rgb = rgb};
    return read(&job, read_pixels);
}

const struct lae_decoder lae_decoder_jpeg = {"JPEG", jpeg_size, jpeg_pixels};
