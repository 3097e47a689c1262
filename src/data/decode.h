/* PNG and JPEG files to 8-bit RGB. Private to data/.
 *
 * What is there becomes what Pillow's Image.open(PATH).convert("RGB") gives, to the bit:
 *
 *     PNG     grey of 1, 2, 4, 8 bits and palettes are spread; alpha and transparent colours are
 *             dropped, not blended; of 16 bits the upper 8 count (where Pillow cuts grey at 255)
 *     JPEG    baseline and progressive; libjpeg-turbo's slow transform and smooth upsampling; CMYK
 *             and YCCK, which are stored inverted, by (255 - C)(255 - K) / 255, rounded
 *
 * Colour profiles, gamma and EXIF's orientation are not applied, as they are not there.
 *
 * Files are not trusted: a header may claim any size, and libraries go on after many errors with
 * made-up pixels. Whatever lacks bytes, has wrong check sums or codes that mean nothing is refused.
 */
#ifndef LAE_DATA_DECODE_H
#define LAE_DATA_DECODE_H

#include "lae/data/image.h"

#define LAE_MAX_PIXELS ((size_t)1 << 26) /* of one image: 192 MiB */

/* Width and height, from the header of the file with these bytes. Errors name `path`: neither PNG
 * nor JPEG, a damaged header, more than LAE_MAX_SIDE or LAE_MAX_PIXELS. */
lae_status lae_decode_size(const char *path, const unsigned char *bytes, size_t size,
                           struct lae_size *image) LAE_MUST_CHECK;

/* The pixels into rgb [image.height, image.width, 3]; `image` is what lae_decode_size gave. Errors
 * name `path`; rgb then holds anything. */
lae_status lae_decode_pixels(const char *path, const unsigned char *bytes, size_t size,
                             struct lae_size image, uint8_t *rgb) LAE_MUST_CHECK;

/* One format: the same two functions. Their errors need not name the file. */
struct lae_decoder {
    const char *name;
    lae_status (*size)(const unsigned char *bytes, size_t size, struct lae_size *image);
    lae_status (*pixels)(const unsigned char *bytes, size_t size, struct lae_size image,
                         uint8_t *rgb);
};

extern const struct lae_decoder lae_decoder_png, lae_decoder_jpeg;

#endif
