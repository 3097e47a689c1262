/* TIES-Merging (Yadav et al., NeurIPS 2023) of two modules: trim, elect signs, merge the agreeing.
 *
 *                 offline - base                online - base            floats
 *     trim        the k largest of each         the k largest            the rest: 0
 *     elect       gamma = sign(w0*v0 + w1*v1)   per entry                doubles
 *     merge       mean, sum or max of the v that have the sign gamma     doubles, then one float
 *     result      base + scale * merged                                  doubles, then one float
 *
 * The arithmetic is fixed to the bit in merge.h, so that the result can be checked from the stored
 * vectors by any other program.
 */
#include "methods.h"

#include "lae/base/arena.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What decides an entry: the two weights, and the sign that breaks a tie of the two votes. */
struct election {
    double offline, online;
    int majority;
    enum lae_merge_reduce reduce;
};

/* One tensor's changes, trimmed. */
struct pair {
    float *offline, *online;
    size_t count;
};

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
            v[i] = 0.0f;
    }
    return kept;
}

static struct pair part_of(const struct pair *whole, const struct lae_param *tensor)
{
    return (struct pair){whole->offline + tensor->offset, whole->online + tensor->offset,
                         tensor->count};
}

static size_t conflicts(const struct pair *pair)
{
    size_t found = 0;
    for (size_t i = 0; i < pair->count; i++)
        found += lae_merge_opposed(pair->offline[i], pair->online[i]);
    return found;
}

static void trim_all(const struct lae_merge_options *options, const struct lae_table *table,
                     const struct pair *whole, struct lae_merge_stats *stats)
{
    bool global = options->scope == LAE_SCOPE_GLOBAL;
    uint32_t offline = threshold(whole->offline, global ? whole->count : 0, options->density);
    uint32_t online = threshold(whole->online, global ? whole->count : 0, options->density);
    for (size_t t = 0; t < table->count; t++) {
        struct pair part = part_of(whole, &table->items[t]);
        if (!global) {
            offline = threshold(part.offline, part.count, options->density);
            online = threshold(part.online, part.count, options->density);
        }
        stats[t].kept_offline =
            lae_merge_share(trim(part.offline, part.count, offline), part.count);
        stats[t].kept_online = lae_merge_share(trim(part.online, part.count, online), part.count);
        stats[t].conflict = lae_merge_share(conflicts(&part), part.count);
    }
}

static double vote(const struct election *election, float offline, float online)
{
    return election->offline * (double)offline + election->online * (double)online;
}

/* The sign of the sum of all gammas of the whole vector. */
static int majority(const struct election *election, const struct pair *whole)
{
    int64_t sum = 0;
    for (size_t i = 0; i < whole->count; i++)
        sum += sign(vote(election, whole->offline[i], whole->online[i]));
    return (sum > 0) - (sum < 0);
}

static double merge_entry(const struct election *election, float offline, float online)
{
    double sum = vote(election, offline, online);
    if (isnan(sum)) return sum;
    int gamma = sum == 0.0 ? election->majority : sign(sum);
    bool with_offline = offline != 0.0f && sign((double)offline) == gamma;
    bool with_online = online != 0.0f && sign((double)online) == gamma;
    if (!with_offline && !with_online) return 0.0;
    if (election->reduce == LAE_REDUCE_MAX) {
        bool first = with_offline && (!with_online || fabsf(offline) >= fabsf(online));
        return (double)(first ? offline : online);
    }
    double total = vote(election, with_offline ? offline : 0.0f, with_online ? online : 0.0f);
    if (election->reduce == LAE_REDUCE_SUM) return total;
    double weight =
        (with_offline ? election->offline : 0.0) + (with_online ? election->online : 0.0);
    return total / weight;
}

static void merge(const struct lae_merge_options *options, const struct lae_merge_vectors *vectors,
                  int task, const struct pair *whole)
{
    struct election election = {
        .offline = options->weighting == LAE_WEIGHTING_TASKS ? (double)task : 1.0,
        .online = 1.0,
        .reduce = options->reduce,
    };
    election.majority = majority(&election, whole);
    for (size_t i = 0; i < whole->count; i++) {
        float merged = (float)merge_entry(&election, whole->offline[i], whole->online[i]);
        vectors->offline[i] = (float)((double)vectors->base[i] + options->scale * (double)merged);
    }
}

lae_status lae_merge_ties_task(const struct lae_merge_options *options,
                               const struct lae_merge_vectors *vectors, int task,
                               struct lae_merge_stats *stats)
{
    size_t count = vectors->table->total;
    float *memory = lae_aligned_calloc(count, 2 * sizeof *memory);
    if (memory == NULL) return lae_out_of_memory((double)count * 2 * sizeof *memory, "a merge");
    struct pair whole = {memory, memory + count, count};
    for (size_t i = 0; i < count; i++) {
        whole.offline[i] = vectors->offline[i] - vectors->base[i];
        whole.online[i] = vectors->online[i] - vectors->base[i];
    }
    lae_merge_measure(vectors, stats);
    trim_all(options, vectors->table, &whole, stats);
    merge(options, vectors, task, &whole);
    lae_merge_measure_result(vectors, stats);
    free(memory);
    return NULL;
}
