/* The built-in demonstration data: procedurally drawn 32x32 colour images.
 *
 * An image is a function of (seed, class, index) alone. Any class number gives a class: the
 * demonstration uses 0..99, its backbone was pretrained on others.
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
