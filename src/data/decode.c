#include "decode.h"

#include <string.h>

/* By the first bytes: names lie, as those of many JPEG files that end in .png. */
static const struct lae_decoder *find_decoder(const unsigned char *bytes, size_t size)
{
    if (size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0) return &lae_decoder_png;
    if (size >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0) return &lae_decoder_jpeg;
    return NULL;
}

static lae_status check_size(const char *path, struct lae_size image)
{
    if (image.width < 1 || image.height < 1 || image.width > LAE_MAX_SIDE ||
        image.height > LAE_MAX_SIDE)
        return lae_bad_input("%s: the image has %dx%d pixels; sides of 1 to %d are read", path,
                             image.width, image.height, LAE_MAX_SIDE);
    if ((size_t)image.width * (size_t)image.height > LAE_MAX_PIXELS)
        return lae_bad_input("%s: the image has %dx%d pixels; at most %zu together are read: make "
                             "it smaller, or leave it out",
                             path, image.width, image.height, LAE_MAX_PIXELS);
    return NULL;
}

lae_status lae_decode_size(const char *path, const unsigned char *bytes, size_t size,
                           struct lae_size *image)
{
    const struct lae_decoder *decoder = find_decoder(bytes, size);
    if (size == 0) return lae_bad_input("%s: is empty, neither PNG nor JPEG", path);
    if (decoder == NULL)
        return lae_bad_input("%s: is neither PNG nor JPEG, by its first bytes", path);
    LAE_TRY(lae_status_prefix(decoder->size(bytes, size, image), "%s: damaged %s header", path,
                              decoder->name));
    return check_size(path, *image);
}

lae_status lae_decode_pixels(const char *path, const unsigned char *bytes, size_t size,
                             struct lae_size image, uint8_t *rgb)
{
    const struct lae_decoder *decoder = find_decoder(bytes, size);
    struct lae_size now;
    LAE_TRY(lae_decode_size(path, bytes, size, &now));
    if (now.width != image.width || now.height != image.height)
        return lae_bad_input("%s: has %dx%d pixels and had %dx%d when it was looked at first: the "
                             "file was changed meanwhile",
                             path, now.width, now.height, image.width, image.height);
    return lae_status_prefix(decoder->pixels(bytes, size, image, rgb), "%s: damaged %s", path,
                             decoder->name);
}
