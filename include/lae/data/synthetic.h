/* The built-in demonstration data: procedurally drawn 32x32 colour images.
 *
 * An image is a function of (seed, class, index) alone, with the same bits on every machine. Any
 * class number gives a class, and another seed other classes; the demonstration's backbone was
 * pretrained on classes of seeds that the demonstration does not use (data/README.md). In
 * each hundred classes, those twenty apart (3, 23, 43, 63, 83) are relatives, which look alike.
 */
#ifndef LAE_DATA_SYNTHETIC_H
#define LAE_DATA_SYNTHETIC_H

#include <stdint.h>

#define LAE_SYNTHETIC_SIDE 32

/* Draws image `index` of class `class` into rgb [32, 32, 3]. Test images have indices from
 * LAE_SYNTHETIC_TEST_INDEX on. */
void lae_synthetic_draw(uint64_t seed, uint32_t class, uint32_t index, uint8_t *rgb);

#define LAE_SYNTHETIC_TEST_INDEX 0x40000000u

#endif
