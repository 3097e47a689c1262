#include "lae/report/event_file.h"

#define POLYNOMIAL 0x82f63b78u /* 0x1edc6f41 with its bits reversed, as the bits of bytes are */

uint32_t lae_crc32c(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1u ? POLYNOMIAL : 0u);
    }
    return crc ^ 0xffffffffu;
}
