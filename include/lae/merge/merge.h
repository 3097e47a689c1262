/* Accumulation of online modules into the offline one (METHOD section 7): once a step, or once a
 * task from the pair (offline, online) or from the online modules of all tasks so far.
 *
 * A method is a row of one table. To add one: write its functions in a file of its own and add the
 * row in merge.c; configuration, help and the lab take its name and what it reads from there.
 *
 * Some methods join changes: what was learned, as vectors to be added to a base. options->vectors
 * and options->base say which. t is the task just learned, theta_k the online module at the end of
 * task k (theta_t: online now), init the initial values:
 *
 *     vectors  base       changes v_i, in this order                     what they are added to
 *     pair     init       offline - init, online - init                  init
 *     pair     first      offline - theta_0, online - theta_0            theta_0
 *     tasks    init       theta_k - init, k = 0..t                       init
 *     tasks    first      theta_k - theta_0, k = 1..t                    theta_0
 *     tasks    previous   theta_0 - init, theta_k - theta_(k-1), k = 1..t   init
 *
 * The arithmetic, fixed so that any program gets the same bits from the stored vectors. Vectors are
 * float; all operations are in double, from left to right, and float(x) rounds once:
 *
 *     ema       offline = float(d * offline + (1 - d) * online), after every step
 *     ema_task  the same, once a task
 *     mean      offline = float((t * offline + online) / (t + 1))
 *     changes   v_i     = float(theta - from), in the order above; w_i = 1, or of a pair with
 *               weighting tasks w_0 = t, w_1 = 1
 *               offline = float(base + scale * merged), merged by the method:
 *     task_arithmetic   (Ilharco et al. 2023)
 *               merged  = float(w_0 * v_0 + w_1 * v_1 + ...)
 *     ties      (Yadav et al. 2023)
 *               k       = floor(density * n * (1 + 2^-50)), from 1 to n; |v_i| < the k-th largest
 *                         become 0. (0.29 as a double is a little less: of 100 entries k is 29.)
 *               sum     = w_0 * v_0 + w_1 * v_1 + ... of the trimmed v_i; gamma its sign, as METHOD
 *                         says
 *               merged  = float(sum / (w_0 + w_1 + ...)), float(sum) or v_i, with the agreeing
 *                         terms alone in both sums; max of equal magnitudes: the first of them
 *     dare      (Yu et al. 2024)
 *               an entry of v_i is kept where u < density, else it becomes 0; u is number
 *               `entry` of the stream (seed, LAE_RANDOM_DROP, k, 0, 0) for a change that ends at
 *               theta_k, and of (seed, LAE_RANDOM_DROP, t, 1, 0) for the pair's offline: so a
 *               task's change always loses the same entries
 *               sum     = w_0 * v_0 + w_1 * v_1 + ... of what is left
 *               merged  = float(sum / density / (w_0 + w_1 + ...)) of all w_i; reduce sum:
 *                         float(sum / density)
 *
 * A NaN in a vector stays one in the result, where it is seen; nothing else becomes of it. (An
 * entry that DARE drops is 0 whatever it was.)
 */
#ifndef LAE_MERGE_MERGE_H
#define LAE_MERGE_MERGE_H

#include "lae/base/status.h"
#include "lae/params/record.h"
#include "lae/params/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lae_merge_reduce { LAE_REDUCE_MEAN, LAE_REDUCE_SUM, LAE_REDUCE_MAX };
enum lae_merge_scope { LAE_SCOPE_GLOBAL, LAE_SCOPE_TENSOR };
enum lae_merge_weighting { LAE_WEIGHTING_EQUAL, LAE_WEIGHTING_TASKS };
enum lae_merge_source { LAE_VECTORS_PAIR, LAE_VECTORS_TASKS };
enum lae_merge_base { LAE_BASE_INIT, LAE_BASE_FIRST, LAE_BASE_PREVIOUS };

/* The options that a method reads, as bits of lae_merge_method.reads. */
enum {
    LAE_MERGE_READS_DENSITY = 1 << 0,
    LAE_MERGE_READS_SCALE = 1 << 1,
    LAE_MERGE_READS_REDUCE = 1 << 2,
    LAE_MERGE_READS_SCOPE = 1 << 3,
    LAE_MERGE_READS_WEIGHTING = 1 << 4,
    LAE_MERGE_READS_DECAY = 1 << 5,
    LAE_MERGE_READS_VECTORS = 1 << 6, /* it joins changes; reads base, too */
};

struct lae_merge_method;

struct lae_merge_options {
    const struct lae_merge_method *method;
    double density; /* (0, 1]: share of entries that TIES and DARE keep */
    double scale;   /* of the merged change */
    double decay;   /* of EMA, [0, 1] */
    enum lae_merge_reduce reduce;
    enum lae_merge_scope scope;
    enum lae_merge_weighting weighting;
    enum lae_merge_source vectors;
    enum lae_merge_base base;
};

/* What happened to one tensor in a merge. Where tasks' changes are merged instead of a pair, the
 * newest stands in online's place and the mean of the others' shares in offline's (1 where there is
 * no other). */
struct lae_merge_stats {
    /* Share of entries kept by trimming or dropping; 1 without, or where the k-th largest is 0. */
    double kept_offline, kept_online;
    /* Share of entries where, of what is kept, one change is above 0 and another below. */
    double conflict;
    /* Euclidean: how far offline before the merge, online and the result are from the base. */
    double norm_offline, norm_online, norm_merged;
};

/* As files and metrics.jsonl have it. */
extern const struct lae_record lae_merge_record;

/* The vectors of one merge; all [table->total]. */
struct lae_merge_vectors {
    const struct lae_table *table;
    const float *init;           /* the parameters' initial values */
    const float *const *history; /* [task] theta_k; NULL where lae_merge_remembers says it can be */
    const float *online;
    float *offline; /* read and written; NULL only for a method without offline module */
    uint64_t seed;  /* of random numbers */
};

struct lae_merge_method {
    const char *name, *help;
    bool has_offline; /* false: there is no offline module (`none`) */
    unsigned reads;   /* LAE_MERGE_READS_... */
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

/* Options that each are good but do not go together are bad input; the message names the keys. */
lae_status lae_merge_check(const struct lae_merge_options *options) LAE_MUST_CHECK;

/* Whether two merges compute the same: by one method, with equal values of what it reads. */
bool lae_merge_same(const struct lae_merge_options *a, const struct lae_merge_options *b);

/* Whether merges after task `task` read theta_task. */
bool lae_merge_remembers(const struct lae_merge_options *options, int task);

/* What every merge does after any task >= 1: the method's after_task if it has one, else statistics
 * of the pair as it stands; zeros where there is no offline module. Errors: memory. */
lae_status lae_merge_after_task(const struct lae_merge_options *options,
                                const struct lae_merge_vectors *vectors, int task,
                                struct lae_merge_stats *stats) LAE_MUST_CHECK;

#endif
