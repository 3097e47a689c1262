#include "lae/heads/stats.h"

#include "lae/base/arena.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    SUM_BITS = 62,      /* of the largest sum; one bit is left, and the sign */
    ROUNDING_BITS = 51, /* of the largest number that to_integer takes */
    BLOCK_ROWS = 16,    /* 100 KB of second moments for K = 768: they stay in a core's cache */
    MOST_WIDTH = 65536,
    MOST_RANGE = 15,
};

/* ---- Sums --------------------------------------------------------------------------------- */

/* Bits of the largest contribution of one image. */
static int bits_for(int64_t images)
{
    int bits = SUM_BITS;
    while (bits > 0 && images > (int64_t)1 << (SUM_BITS - bits))
        bits--;
    return bits < ROUNDING_BITS ? bits : ROUNDING_BITS;
}

static double unit_of_first(const struct lae_sums *sums)
{
    return ldexp(1.0, sums->bits - sums->shape.range);
}

static double unit_of_second(const struct lae_sums *sums)
{
    return ldexp(1.0, sums->bits - 2 * sums->shape.range);
}

static lae_status check_shape(const struct lae_sums_shape *shape)
{
    if (shape->classes < 1 || shape->classes > INT_MAX || shape->width < 1 ||
        shape->width > MOST_WIDTH || shape->images < 1 || shape->range < 0 ||
        shape->range > MOST_RANGE)
        return lae_failed("class statistics of %zu classes, %zu features, %lld images, range 2^%d: "
                          "at least one of each, at most %d features and range 2^%d",
                          shape->classes, shape->width, (long long)shape->images, shape->range,
                          MOST_WIDTH, MOST_RANGE);
    if (bits_for(shape->images) < 2 * shape->range)
        return lae_failed("class statistics cannot hold %lld images with features up to 2^%d: no "
                          "more than 2^%d",
                          (long long)shape->images, shape->range, SUM_BITS - 2 * shape->range);
    return NULL;
}

lae_status lae_sums_create(const struct lae_sums_shape *shape, struct lae_sums *sums)
{
    *sums = (struct lae_sums){0};
    LAE_TRY(check_shape(shape));
    size_t width = shape->width, first = shape->classes * width;
    size_t count = 1 + shape->classes + first + width * (width + 1) / 2;
    int64_t *words = lae_aligned_calloc(count, sizeof *words);
    if (words == NULL) return lae_out_of_memory(count * sizeof *words, "class statistics");
    *sums = (struct lae_sums){
        .shape = *shape,
        .bits = bits_for(shape->images),
        .word_count = count,
        .words = words,
        .offenders = words,
        .count = words + 1,
        .first = words + 1 + shape->classes,
        .second = words + 1 + shape->classes + first,
    };
    return NULL;
}

void lae_sums_free(struct lae_sums *sums)
{
    free(sums->words);
    *sums = (struct lae_sums){0};
}

void lae_sums_clear(struct lae_sums *sums)
{
    memset(sums->words, 0, sums->word_count * sizeof *sums->words);
}

/* The integer nearest to v, |v| <= 2^51; of two the even one. What is added has its last bit worth
 * 1 and leaves no room for a fraction; the bits below its own are then the integer. llrint is the
 * same, but few processors have it for vectors. */
static inline int64_t to_integer(double v)
{
    union {
        double value;
        int64_t bits;
    } shifted = {.value = v + 0x1.8p52}, zero = {.value = 0x1.8p52};
    return shifted.bits - zero.bits;
}

/* sum[count] += factor * x[count], which has 48 bits at most: nothing is rounded before the end. */
static void add_row(int64_t *restrict sum, double factor, const float *restrict x, size_t count)
{
    for (size_t k = 0; k < count; k++)
        sum[k] += to_integer(factor * (double)x[k]);
}

static bool is_in_range(const float *x, size_t count, float limit)
{
    int within = 1; /* no early end: vectors */
    for (size_t k = 0; k < count; k++)
        within &= fabsf(x[k]) <= limit; /* false for NaN */
    return within != 0;
}

void lae_sums_admit(struct lae_sums *sums, const float *x, int *classes, size_t images)
{
    size_t width = sums->shape.width;
    float limit = ldexpf(1.0F, sums->shape.range);
    double unit = unit_of_first(sums);
    for (size_t i = 0; i < images; i++) {
        if (classes[i] == LAE_NO_CLASS) continue;
        if (!is_in_range(x + i * width, width, limit)) {
            classes[i] = LAE_NO_CLASS;
            sums->offenders[0]++;
            continue;
        }
        size_t class = (size_t)classes[i];
        sums->count[class]++;
        add_row(sums->first + class * width, unit, x + i * width, width);
    }
}

size_t lae_sums_blocks(const struct lae_sums *sums)
{
    return (sums->shape.width + BLOCK_ROWS - 1) / BLOCK_ROWS;
}

/* Where row j of the upper triangle begins: j rows of K, K - 1, ... entries are before it. */
static size_t start_of_row(size_t width, size_t j)
{
    return j * (2 * width - j + 1) / 2;
}

void lae_sums_add_block(struct lae_sums *sums, const float *x, const int *classes, size_t images,
                        size_t block)
{
    size_t width = sums->shape.width, from = block * BLOCK_ROWS;
    size_t to = from + BLOCK_ROWS < width ? from + BLOCK_ROWS : width;
    double unit = unit_of_second(sums);
    for (size_t i = 0; i < images; i++) {
        if (classes[i] == LAE_NO_CLASS) continue;
        const float *one = x + i * width;
        for (size_t j = from; j < to; j++)
            add_row(sums->second + start_of_row(width, j), unit * (double)one[j], one + j,
                    width - j);
    }
}

void lae_sums_add(struct lae_sums *sums, const float *x, int *classes, size_t images)
{
    lae_sums_admit(sums, x, classes, images);
    for (size_t block = 0; block < lae_sums_blocks(sums); block++)
        lae_sums_add_block(sums, x, classes, images, block);
}

void lae_sums_merge(struct lae_sums *sums, const struct lae_sums *part)
{
    for (size_t i = 0; i < sums->word_count; i++)
        sums->words[i] += part->words[i];
}

static int64_t total_of(const int64_t *count, size_t classes)
{
    int64_t total = 0;
    for (size_t c = 0; c < classes; c++)
        total += count[c];
    return total;
}

lae_status lae_sums_check(const struct lae_sums *sums)
{
    const struct lae_sums_shape *shape = &sums->shape;
    if (sums->offenders[0] != 0)
        return lae_failed("class statistics: features of %lld image(s) are not finite or beyond "
                          "+-%d; are these weights of a ViT that ends in a LayerNorm?",
                          (long long)sums->offenders[0], 1 << shape->range);
    int64_t images = total_of(sums->count, shape->classes);
    if (images > shape->images)
        return lae_failed("class statistics count %lld images where at most %lld were to come",
                          (long long)images, (long long)shape->images);
    return NULL;
}

/* ---- Means and scatter -------------------------------------------------------------------- */

lae_status lae_stats_create(size_t classes, size_t width, struct lae_stats *stats)
{
    bool fits = width > 0 && width <= MOST_WIDTH && classes <= SIZE_MAX / MOST_WIDTH;
    *stats = (struct lae_stats){
        .classes = classes,
        .width = width,
        .count = lae_aligned_calloc(classes, sizeof *stats->count),
        .mean = fits ? lae_aligned_calloc(classes * width, sizeof(float)) : NULL,
        .scatter = fits ? lae_aligned_calloc(width * width, sizeof(float)) : NULL,
    };
    if (stats->count != NULL && stats->mean != NULL && stats->scatter != NULL) return NULL;
    lae_stats_free(stats);
    return lae_out_of_memory(((double)classes + (double)width) * (double)width * sizeof(float),
                             "means and scatter");
}

void lae_stats_free(struct lae_stats *stats)
{
    free(stats->count);
    free(stats->mean);
    free(stats->scatter);
    *stats = (struct lae_stats){0};
}

static lae_status check_task(const struct lae_stats *stats, size_t first_class,
                             const struct lae_sums *sums)
{
    size_t classes = sums->shape.classes;
    LAE_TRY(lae_sums_check(sums));
    if (sums->shape.width != stats->width || first_class > stats->classes ||
        classes > stats->classes - first_class)
        return lae_failed("class statistics of classes %zu.. (%zu) of width %zu do not go into "
                          "those of %zu classes of width %zu",
                          first_class, classes, sums->shape.width, stats->classes, stats->width);
    for (size_t c = 0; c < classes; c++)
        if (sums->count[c] != 0 && stats->count[first_class + c] != 0)
            return lae_failed("class %zu is in the class statistics already", first_class + c);
    return NULL;
}

/* mean [C, K] in double; 0 for a class without images. */
static void find_means(const struct lae_sums *sums, double *mean)
{
    size_t width = sums->shape.width;
    double unit = unit_of_first(sums);
    for (size_t c = 0; c < sums->shape.classes; c++) {
        if (sums->count[c] == 0) continue;
        for (size_t k = 0; k < width; k++)
            mean[c * width + k] =
                (double)sums->first[c * width + k] / unit / (double)sums->count[c];
    }
}

/* row[k], k >= j, of the scatter. `slack`: what rounding can amount to. */
static void find_scatter_row(const struct lae_sums *sums, const double *mean, size_t j,
                             double slack, double *row)
{
    size_t width = sums->shape.width;
    const int64_t *second = sums->second + start_of_row(width, j);
    double unit = unit_of_second(sums);
    for (size_t k = j; k < width; k++)
        row[k] = (double)second[k - j] / unit;
    for (size_t c = 0; c < sums->shape.classes; c++) {
        const double *one = mean + c * width;
        double share = (double)sums->count[c] * one[j];
        for (size_t k = j; k < width; k++)
            row[k] -= share * one[k];
    }
    for (size_t k = j; k < width; k++)
        row[k] = fabs(row[k]) <= slack ? 0.0 : row[k];
}

static void add_scatter_row(struct lae_stats *stats, size_t j, const double *row)
{
    size_t width = stats->width;
    for (size_t k = j; k < width; k++) {
        float sum = (float)((double)stats->scatter[j * width + k] + row[k]);
        stats->scatter[j * width + k] = stats->scatter[k * width + j] = sum;
    }
}

lae_status lae_stats_take(struct lae_stats *stats, size_t first_class, const struct lae_sums *sums)
{
    LAE_TRY(check_task(stats, first_class, sums));
    size_t classes = sums->shape.classes, width = stats->width;
    double *mean = lae_aligned_calloc((classes + 1) * width, sizeof *mean);
    if (mean == NULL)
        return lae_out_of_memory((classes + 1) * width * sizeof *mean, "the means of classes");
    find_means(sums, mean);
    for (size_t c = 0; c < classes; c++) {
        if (sums->count[c] == 0) continue;
        stats->count[first_class + c] = sums->count[c];
        for (size_t k = 0; k < width; k++)
            stats->mean[(first_class + c) * width + k] = (float)mean[c * width + k];
    }
    double *row = mean + classes * width;
    double slack = 4.0 * (double)total_of(sums->count, classes) / unit_of_second(sums);
    for (size_t j = 0; j < width; j++) {
        find_scatter_row(sums, mean, j, slack, row);
        add_scatter_row(stats, j, row);
    }
    free(mean);
    return NULL;
}

/* all->count and mean; difference [C, K] = sqrt(n_a n_b / (n_a + n_b)) (mu_a - mu_b). */
static void join_means(const struct lae_stats *a, const struct lae_stats *b, struct lae_stats *all,
                       double *difference)
{
    for (size_t c = 0; c < all->classes; c++) {
        double na = (double)a->count[c], nb = (double)b->count[c];
        all->count[c] = a->count[c] + b->count[c];
        if (all->count[c] == 0) continue;
        double share = sqrt(na * nb / (na + nb));
        for (size_t i = c * all->width; i < (c + 1) * all->width; i++) {
            double ma = (double)a->mean[i], mb = (double)b->mean[i];
            all->mean[i] = (float)((na * ma + nb * mb) / (na + nb));
            difference[i] = share * (ma - mb);
        }
    }
}

/* row[k], k >= j: the joint scatter but for a's. */
static void join_scatter_row(const struct lae_stats *b, const double *difference, size_t j,
                             double *row)
{
    size_t width = b->width;
    for (size_t k = j; k < width; k++)
        row[k] = (double)b->scatter[j * width + k];
    for (size_t c = 0; c < b->classes; c++) {
        const double *one = difference + c * width;
        for (size_t k = j; k < width; k++)
            row[k] += one[j] * one[k];
    }
}

lae_status lae_stats_join(const struct lae_stats *a, const struct lae_stats *b,
                          struct lae_stats *all)
{
    size_t classes = a->classes, width = a->width;
    *all = (struct lae_stats){0};
    if (b->classes != classes || b->width != width)
        return lae_failed("class statistics of %zu classes of width %zu do not go together with "
                          "those of %zu of width %zu",
                          b->classes, b->width, classes, width);
    LAE_TRY(lae_stats_create(classes, width, all));
    double *difference = lae_aligned_calloc((classes + 1) * width, sizeof *difference);
    if (difference == NULL) {
        lae_stats_free(all);
        return lae_out_of_memory((classes + 1) * width * sizeof *difference,
                                 "the means of classes");
    }
    join_means(a, b, all, difference);
    memcpy(all->scatter, a->scatter, width * width * sizeof *all->scatter);
    double *row = difference + classes * width;
    for (size_t j = 0; j < width; j++) {
        join_scatter_row(b, difference, j, row);
        add_scatter_row(all, j, row);
    }
    free(difference);
    return NULL;
}

lae_status lae_stats_copy(const struct lae_stats *stats, struct lae_stats *copy)
{
    size_t classes = stats->classes, width = stats->width;
    LAE_TRY(lae_stats_create(classes, width, copy));
    memcpy(copy->count, stats->count, classes * sizeof *copy->count);
    memcpy(copy->mean, stats->mean, classes * width * sizeof *copy->mean);
    memcpy(copy->scatter, stats->scatter, width * width * sizeof *copy->scatter);
    return NULL;
}

size_t lae_stats_rows(const struct lae_stats *stats)
{
    size_t rows = stats->classes;
    while (rows > 0 && stats->count[rows - 1] == 0)
        rows--;
    return rows;
}

int64_t lae_stats_images(const struct lae_stats *stats)
{
    return total_of(stats->count, stats->classes);
}

size_t lae_stats_known(const struct lae_stats *stats)
{
    size_t known = 0;
    for (size_t c = 0; c < stats->classes; c++)
        known += stats->count[c] != 0;
    return known;
}
