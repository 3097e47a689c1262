/* Accumulation of the online module into the offline one: EMA, TIES, mean, none (METHOD section 7).
 *
 * A method is a row of one table. To add one: write its functions in a file of its own and add the
 * row in merge.c; configuration and help take its name from there.
 *
 * The arithmetic, fixed so that any program gets the same bits from the stored vectors. Vectors are
 * float; all operations are in double, from left to right, and float(x) rounds once:
 *
 *     ema     offline = float(d * offline + (1 - d) * online)
 *     mean    offline = float((t * offline + online) / (t + 1))
 *     ties    v_i     = float(theta_i - base), i = 0 for offline, 1 for online
 *             k       = floor(density * n * (1 + 2^-50)), from 1 to n; |v_i| < the k-th largest
 *                       become 0. (0.29 as a double is a little less: of 100 entries k is 29.)
 *             sum     = w_0 * v_0 + w_1 * v_1 of the trimmed v_i; gamma its sign, as METHOD says
 *             merged  = float(sum / (w_0 + w_1)), float(sum) or v_i, with the agreeing terms alone
 *                       in both sums; max of equal magnitudes: v_0, which is v_1 then
 *             offline = float(base + scale * merged)
 *
 * A NaN in a vector stays one in the result, where it is seen; nothing else becomes of it.
 */
#ifndef LAE_MERGE_MERGE_H
#define LAE_MERGE_MERGE_H

#include "lae/base/status.h"
#include "lae/params/table.h"

#include <stdbool.h>
#include <stddef.h>

enum lae_merge_reduce { LAE_REDUCE_MEAN, LAE_REDUCE_SUM, LAE_REDUCE_MAX };
enum lae_merge_scope { LAE_SCOPE_GLOBAL, LAE_SCOPE_TENSOR };
enum lae_merge_weighting { LAE_WEIGHTING_EQUAL, LAE_WEIGHTING_TASKS };

struct lae_merge_method;

struct lae_merge_options {
    const struct lae_merge_method *method;
    double density; /* (0, 1]: share of entries TIES keeps */
    double scale;   /* of the merged change */
    double decay;   /* of EMA, [0, 1] */
    enum lae_merge_reduce reduce;
    enum lae_merge_scope scope;
    enum lae_merge_weighting weighting;
};

/* What happened to one tensor in a merge; the vectors are changes from `base`. */
struct lae_merge_stats {
    /* Share of entries kept by trimming; 1 without trimming, or where the k-th largest is 0. */
    double kept_offline, kept_online;
    /* Share of entries where both kept values are non-zero and of opposite sign. */
    double conflict;
    /* Euclidean, of the untrimmed changes and of the result's change. */
    double norm_offline, norm_online, norm_merged;
};

/* The vectors of one merge; all [table->total]. */
struct lae_merge_vectors {
    const struct lae_table *table;
    const float *base; /* the parameters' initial values */
    const float *online;
    float *offline; /* read and written; NULL only for a method without offline module */
};

struct lae_merge_method {
    const char *name, *help;
    bool has_offline; /* false: there is no offline module (`none`) */
    /* After every training step of a task after the first; NULL: nothing to do. Elementwise. */
    void (*after_step)(const struct lae_merge_options *options,
                       const struct lae_merge_vectors *vectors);
    /* Once after the last step of task `task` >= 1; NULL: nothing to do. `stats` [table->count] is
     * written. Errors: memory. */
    lae_status (*after_task)(const struct lae_merge_options *options,
                             const struct lae_merge_vectors *vectors, int task,
                             struct lae_merge_stats *stats);
};

/* The table, ended by a row whose name is NULL. */
const struct lae_merge_method *lae_merge_methods(void);

/* The row of that name, or NULL. */
const struct lae_merge_method *lae_merge_find(const char *name);

/* Statistics of a pair as it stands, without trimming: for methods without an after_task. */
void lae_merge_measure(const struct lae_merge_vectors *vectors, struct lae_merge_stats *stats);

/* What every merge does after any task >= 1: the method's after_task if it has one, else
 * lae_merge_measure; zeros where there is no offline module. */
lae_status lae_merge_after_task(const struct lae_merge_options *options,
                                const struct lae_merge_vectors *vectors, int task,
                                struct lae_merge_stats *stats) LAE_MUST_CHECK;

#endif
