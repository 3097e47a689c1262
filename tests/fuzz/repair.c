/* Checksums of archives, put right in place. Whatever does not look as it should is left alone. */
#include "fuzz.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    DIRECTORY_SIZE = 46, /* of an entry in a zip's directory, without its name */
    HEADER_SIZE = 30,    /* of a zip's local header, likewise */
    INFLATE_LIMIT = 1 << 16,
    TAR_BLOCK = 512,
    TAR_SIZE = 124, /* where a tar's header has the entry's size, 12 octal digits */
    TAR_SUM = 148,  /* and its checksum, 8 bytes that count as spaces in it */
};

static uint32_t little(const unsigned char *at, int bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint32_t)at[i] << 8 * i;
    return value;
}

static void put_little(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

static bool inflated_crc(const unsigned char *data, size_t size, uint32_t *crc)
{
    static unsigned char out[INFLATE_LIMIT];
    z_stream stream = {.next_in = (unsigned char *)data, .avail_in = (unsigned)size};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
    stream.next_out = out;
    stream.avail_out = sizeof out;
    int result = inflate(&stream, Z_FINISH);
    *crc = (uint32_t)crc32(0, out, (unsigned)stream.total_out);
    inflateEnd(&stream);
    return result == Z_STREAM_END;
}

/* The entry that the directory has at `entry`. */
static void repair_entry(unsigned char *data, size_t size, unsigned char *entry)
{
    size_t at = little(entry + 42, 4), packed = little(entry + 20, 4);
    uint32_t method = little(entry + 10, 2), crc = 0;
    if (at > size || size - at < HEADER_SIZE || memcmp(data + at, "PK\3\4", 4) != 0) return;
    size_t start = at + HEADER_SIZE + little(data + at + 26, 2) + little(data + at + 28, 2);
    if (start > size || size - start < packed) return;
    if (method == 0)
        crc = (uint32_t)crc32(0, data + start, (unsigned)packed);
    else if (method != 8 || !inflated_crc(data + start, packed, &crc))
        return;
    put_little(entry + 16, crc);
    put_little(data + at + 14, crc);
}

void lae_fuzz_repair_zip(unsigned char *data, size_t size)
{
    for (size_t at = 0; size >= DIRECTORY_SIZE && at <= size - DIRECTORY_SIZE; at++)
        if (data[at] == 'P' && memcmp(data + at, "PK\1\2", 4) == 0)
            repair_entry(data, size, data + at);
}

static size_t octal(const unsigned char *at, size_t digits)
{
    size_t value = 0;
    for (size_t i = 0; i < digits && at[i] >= '0' && at[i] <= '7'; i++)
        value = 8 * value + (size_t)(at[i] - '0');
    return value;
}

void lae_fuzz_repair_tar(unsigned char *data, size_t size)
{
    for (size_t at = 0; size >= TAR_BLOCK && at <= size - TAR_BLOCK; at += TAR_BLOCK) {
        unsigned sum = 0;
        char text[9];
        memset(data + at + TAR_SUM, ' ', 8);
        for (size_t i = 0; i < TAR_BLOCK; i++)
            sum += data[at + i];
        if (sum == 8 * ' ') { /* a block of zeros, as the end has them */
            memset(data + at + TAR_SUM, 0, 8);
            continue;
        }
        snprintf(text, sizeof text, "%06o", sum);
        memcpy(data + at + TAR_SUM, text, 7);
        size_t content = octal(data + at + TAR_SIZE, 11);
        if (content > size) return;
        at += (content + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    }
}

static void put_big(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> 8 * (3 - i));
}

void lae_fuzz_repair_png(unsigned char *data, size_t size)
{
    enum { SIGNATURE = 8, FRONT = 8, SUM = 4 }; /* of a chunk: length and type; then its sum */
    if (size < SIGNATURE || memcmp(data, "\x89PNG\r\n\x1a\n", SIGNATURE) != 0) return;
    for (size_t at = SIGNATURE; size - at >= FRONT + SUM;) {
        size_t length = (size_t)data[at] << 24 | (size_t)data[at + 1] << 16 |
                        (size_t)data[at + 2] << 8 | data[at + 3];
        if (length > size - at - FRONT - SUM) return;
        unsigned char *sum = data + at + FRONT + length;
        put_big(sum, (uint32_t)crc32(0, data + at + 4, (unsigned)length + 4));
        at += FRONT + length + SUM;
    }
}
