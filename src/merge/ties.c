/* TIES-Merging (Yadav et al., NeurIPS 2023): trim, elect signs, merge the agreeing. Merged are
 * the changes of offline and online, or those of all tasks:
 *
 *                 v_0           v_1           ...           floats
 *     trim        the k largest of each                     the rest: 0
 *     elect       gamma = sign(w0*v0 + w1*v1 + ...)         per entry, doubles
 *     merge       mean, sum or max of the v that have the sign gamma     doubles, then one float
 *     result      base + scale * merged                     doubles, then one float
 *
 * The arithmetic is fixed to the bit in merge.h, so that the result can be checked from the stored
 * vectors by any other program.
 */
#include "changes.h"
#include "methods.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static int sign(double x)
{
    return (x > 0) - (x < 0);
}

/* |x| as an integer of the same order: no comparison of it can go astray on a NaN, which comes out
 * as the largest of all and is kept, to be seen. */
static uint32_t magnitude(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x7fffffffu;
}

/* The k-th largest magnitude, 1 <= k <= count, digit by digit from the top: four readings of v
 * whatever it holds, and no copy. */
static uint32_t kth_largest(const float *v, size_t count, size_t k)
{
    uint32_t found = 0, known = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        size_t counts[256] = {0};
        for (size_t i = 0; i < count; i++) {
            uint32_t key = magnitude(v[i]);
            if ((key & known) == found) counts[key >> shift & 255u]++;
        }
        uint32_t digit = 255;
        while (counts[digit] < k)
            k -= counts[digit--];
        found |= digit << shift;
        known |= 255u << shift;
    }
    return found;
}

/* The magnitude from which on entries are kept. 2^-50 is for densities like 0.29, which as a double
 * is a little less than it says: of 100 entries it keeps 29. */
static uint32_t threshold(const float *v, size_t count, double density)
{
    if (count == 0) return 0;
    double share = floor(density * (double)count * (1.0 + 0x1p-50));
    size_t k = share < 1.0 ? 1 : share >= (double)count ? count : (size_t)share;
    return kth_largest(v, count, k);
}

/* Zeroes what is smaller; gives the number of entries kept, those that were 0 already included. */
static size_t trim(float *v, size_t count, uint32_t smallest)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (magnitude(v[i]) >= smallest)
            kept++;
        else
            v[i] = 0.0F;
    }
    return kept;
}

static void trim_all(const struct lae_merge_options *options, const struct lae_table *table,
                     const struct lae_changes *changes, struct lae_merge_stats *stats)
{
    bool global = options->scope == LAE_SCOPE_GLOBAL;
    for (size_t i = 0; i < changes->n; i++) {
        float *v = changes->items[i].v;
        uint32_t smallest = threshold(v, global ? changes->count : 0, options->density);
        for (size_t t = 0; t < table->count; t++) {
            size_t offset = table->items[t].offset, count = table->items[t].count;
            if (!global) smallest = threshold(v + offset, count, options->density);
            size_t kept = trim(v + offset, count, smallest);
            lae_changes_note_kept(changes, i, lae_merge_share(kept, count), &stats[t]);
        }
    }
}

/* The sign of the sum of all gammas of the whole vector: it breaks an entry's tie of votes. */
static int majority_of(const struct lae_changes *changes)
{
    int64_t sum = 0;
    for (size_t i = 0; i < changes->count; i++)
        sum += sign(lae_changes_sum(changes, i));
    return (sum > 0) - (sum < 0);
}

static double merge_entry(const struct lae_changes *changes, enum lae_merge_reduce reduce,
                          int majority, size_t entry)
{
    double sum = lae_changes_sum(changes, entry);
    if (isnan(sum)) return sum;
    int gamma = sum == 0.0 ? majority : sign(sum);
    double total = 0.0, weight = 0.0;
    float largest = 0.0F;
    for (size_t i = 0; i < changes->n; i++) {
        const struct lae_change *change = &changes->items[i];
        float v = change->v[entry];
        if (v == 0.0F || sign((double)v) != gamma) continue;
        total += change->weight * (double)v;
        weight += change->weight;
        if (fabsf(v) > fabsf(largest)) largest = v;
    }
    if (weight == 0.0) return 0.0;
    if (reduce == LAE_REDUCE_MAX) return (double)largest;
    return reduce == LAE_REDUCE_SUM ? total : total / weight;
}

lae_status lae_merge_ties_task(const struct lae_merge_options *options,
                               const struct lae_merge_vectors *vectors, int task,
                               struct lae_merge_stats *stats)
{
    struct lae_changes changes;
    lae_merge_measure(options, vectors, stats);
    lae_status status = lae_changes_create(options, vectors, task, &changes);
    if (status == NULL) {
        trim_all(options, vectors->table, &changes, stats);
        lae_changes_note_conflicts(&changes, vectors->table, stats);
        int majority = majority_of(&changes);
        for (size_t i = 0; i < changes.count; i++) {
            double merged = merge_entry(&changes, options->reduce, majority, i);
            lae_changes_apply(&changes, options, vectors, i, (float)merged);
        }
        lae_merge_measure_result(options, vectors, stats);
    }
    lae_changes_free(&changes);
    return status;
}
