/* Class statistics: how many images each class has, the mean of their features, and the scatter of
 * the features about their classes' means. Heads that do not forget are computed from them.
 *
 * They are gathered in two stages. `lae_sums` are integers: exact, so that they have the same bits
 * in whatever order the images come and however they are dealt to threads and ranks. `lae_stats`
 * are what follows from them, in float, for all classes of all tasks:
 *
 *     one pass over a task's images      lae_sums_admit, lae_sums_add_block (or lae_sums_add)
 *     over workers, over ranks           lae_sums_merge, or any sum of lae_sums.words
 *     did all images fit?                lae_sums_check
 *     means, and the task's scatter      lae_stats_take
 *
 * A feature x [K] is added as integers, to the nearest, ties to even:
 *
 *     count[c]     += 1
 *     first[c, k]  += x_k * 2^(bits - range)
 *     second[j, k] += x_j x_k * 2^(bits - 2 range)        the product in double, where it is exact
 *
 * where 2^range bounds |x_k| and bits = min(51, 62 - ceil(log2 images)): no contribution exceeds
 * 2^bits, so sums of `images` of them stay within 2^62. (Contributions of 2^51 are those that can
 * be rounded in vectors on any processor.) What that gives:
 *
 *     images               5 000    50 000    1 000 000
 *     bits                    49        46           42
 *     range 2^8:  first     2^41      2^38         2^34     the integer that stands for 1
 *                 second    2^33      2^30         2^26
 *     range 2^12: first     2^37      2^34         2^30
 *                 second    2^25      2^22         2^18
 */
#ifndef LAE_HEADS_STATS_H
#define LAE_HEADS_STATS_H

#include "lae/base/status.h"

#include <stddef.h>
#include <stdint.h>

/* For layer-normed class tokens (their entries come to 35 in a ViT-Ti/16 on CIFAR-100), and for
 * random features of them (290 there), see lift.h. */
#define LAE_RANGE_FEATURE 8
#define LAE_RANGE_LIFTED 12

/* The class of an image that is passed over. */
#define LAE_NO_CLASS (-1)

struct lae_sums_shape {
    size_t classes, width; /* C, K: at least 1; K at most 65536 */
    int64_t images;        /* the most that the sum over all ranks may count, at least 1 */
    int range;             /* 0..15; |x_k| <= 2^range */
};

/* Memory: 8 (1 + C + C K + K (K + 1) / 2) bytes: 2.4 MB for K = 768, 16 MB for 2000, 400 MB for
 * 10000. */
struct lae_sums {
    struct lae_sums_shape shape;
    int bits;
    size_t word_count;
    int64_t *words; /* [word_count], owned; adds over ranks entry by entry */
    /* Where in `words` they are: */
    int64_t *offenders; /* one: images left out, for an entry out of range or not finite */
    int64_t *count;     /* [C] */
    int64_t *first;     /* [C, K] */
    int64_t *second;    /* rows of the upper triangle, one after the other: [K (K + 1) / 2] */
};

/* All zero. Errors: more images than the range leaves bits for; memory. */
lae_status lae_sums_create(const struct lae_sums_shape *shape,
                           struct lae_sums *sums) LAE_MUST_CHECK;
void lae_sums_free(struct lae_sums *sums); /* zeroed: allowed */
void lae_sums_clear(struct lae_sums *sums);

/* Counts of and first moments from images of features x [images, K] and classes [images] (0..C-1
 * or LAE_NO_CLASS). One that does not fit is counted as an offender instead, and its class becomes
 * LAE_NO_CLASS. */
void lae_sums_admit(struct lae_sums *sums, const float *x, int *classes, size_t images);

/* The second moments of admitted images, block by block: 0..lae_sums_blocks-1. Blocks lie apart in
 * memory: several threads may add them to the same sums at once, which saves each a copy. */
size_t lae_sums_blocks(const struct lae_sums *sums);
void lae_sums_add_block(struct lae_sums *sums, const float *x, const int *classes, size_t images,
                        size_t block);

/* Both, on the calling thread: all that is to be done with these images. */
void lae_sums_add(struct lae_sums *sums, const float *x, int *classes, size_t images);

/* sums += part; both of one shape. */
void lae_sums_merge(struct lae_sums *sums, const struct lae_sums *part);

/* Errors: offenders; more images than the shape allows for. */
lae_status lae_sums_check(const struct lae_sums *sums) LAE_MUST_CHECK;

/* Of features [K] in C classes. Memory: 4 K (K + C) + 8 C bytes. */
struct lae_stats {
    size_t classes, width;
    int64_t *count; /* [C], owned; 0: nothing is known of the class */
    float *mean;    /* [C, K], owned; 0 for such a class */
    float *scatter; /* [K, K], owned: sum of (x - mean of its class)(x - mean of its class)^T */
};

/* All zero. Errors: memory. */
lae_status lae_stats_create(size_t classes, size_t width, struct lae_stats *stats) LAE_MUST_CHECK;
void lae_stats_free(struct lae_stats *stats); /* zeroed: allowed */

/* Takes in a task: its classes become first_class, first_class + 1, ...; its scatter
 *
 *     second - sum over classes c of count_c mean_c mean_c^T
 *
 * in double, in this order, is added to what is there and rounded to float once. An entry that the
 * rounding of the sums alone can amount to (4 units of `second` an image) is taken for 0: one image
 * a class, or the same image many times, has no scatter at all. Errors: as lae_sums_check; a class
 * that is known already; shapes that do not fit; memory. `stats` is as before then. */
lae_status lae_stats_take(struct lae_stats *stats, size_t first_class,
                          const struct lae_sums *sums) LAE_MUST_CHECK;

/* *all = the statistics of a's images and b's together; both of one shape. `all` is created, and
 * freed again on errors: shapes that differ; memory. In double, rounded once:
 *
 *     S = S_a + S_b + sum over classes c of n_ac n_bc / (n_ac + n_bc) d_c d_c^T
 *     d_c = mu_ac - mu_bc
 */
lae_status lae_stats_join(const struct lae_stats *a, const struct lae_stats *b,
                          struct lae_stats *all) LAE_MUST_CHECK;

/* *copy = the same, of its own. Errors: memory. */
lae_status lae_stats_copy(const struct lae_stats *stats, struct lae_stats *copy) LAE_MUST_CHECK;

/* Images of all classes; classes that have some; classes up to the last that has. */
int64_t lae_stats_images(const struct lae_stats *stats);
size_t lae_stats_known(const struct lae_stats *stats);
size_t lae_stats_rows(const struct lae_stats *stats);

#endif
