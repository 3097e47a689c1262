/* Counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011), by Random123.
 *
 * A number depends on (seed, purpose, task, epoch, image, index) alone: never on rank, thread or
 * the order of calls (METHOD section 9). A stream names all but the index.
 *
 *     key     = seed (64 bits)
 *     counter = { index / 4, image, task << 16 | epoch (16 bits each), purpose }
 */
#ifndef LAE_BASE_RANDOM_H
#define LAE_BASE_RANDOM_H

#include <stdint.h>

enum lae_purpose {
    LAE_RANDOM_INIT = 1,  /* initial PET values; image = the tensor's number */
    LAE_RANDOM_HEAD,      /* initial classifier weights */
    LAE_RANDOM_SHUFFLE,   /* order of a task's images in an epoch */
    LAE_RANDOM_AUGMENT,   /* crop and flip of one image */
    LAE_RANDOM_DROPOUT,   /* dropout masks of one image */
    LAE_RANDOM_SYNTHETIC, /* the pixels of the demonstration data */
    LAE_RANDOM_CLASS,     /* what a class of the demonstration data looks like */
    LAE_RANDOM_BENCH,     /* random weights and images to measure with */
    LAE_RANDOM_FEATURES,  /* the projection to random features; image = the feature's number */
    LAE_RANDOM_HOLD_OUT,  /* training images held out for validation */
    LAE_RANDOM_DROP,      /* entries that DARE drops from a task's change */
    LAE_RANDOM_ALIGN,     /* features drawn of a class, to align heads with; image = the class */
    LAE_RANDOM_SET_ASIDE, /* training images that a choice between heads is made by */
};

struct lae_random {
    uint32_t key[2];
    uint32_t image, epoch_task, purpose;
};

struct lae_random lae_random_stream(uint64_t seed, enum lae_purpose purpose, uint32_t task,
                                    uint32_t epoch, uint32_t image);

/* 32 random bits, the stream's number `index`. */
uint32_t lae_random_bits(const struct lae_random *stream, uint64_t index);

/* Uniform in [0, 1), a multiple of 2^-32. */
double lae_random_uniform(const struct lae_random *stream, uint64_t index);

/* Uniform integer in [0, n), n > 0; the bias of at most n * 2^-32 is accepted. */
uint32_t lae_random_below(const struct lae_random *stream, uint64_t index, uint32_t n);

/* Standard normal (Box-Muller, in double); uses numbers 2*index and 2*index+1 of the stream. */
double lae_random_normal(const struct lae_random *stream, uint64_t index);

#endif
