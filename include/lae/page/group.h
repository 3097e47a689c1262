/* Runs of one experiment, which differ in nothing but their seed, or in other keys that are
 * averaged over, taken together: means and deviations. */
#ifndef LAE_PAGE_GROUP_H
#define LAE_PAGE_GROUP_H

#include "lae/page/run.h"
#include "lae/run/metrics.h"

/* What is averaged over, and where class orders have their names. */
struct lae_grouping {
    const char *const *over; /* [over_count] keys that can change the result */
    size_t over_count;
    const char *configs; /* the directory of class_orders.yaml; NULL: there is none */
};

/* A run of the same configuration, seed, weights and images as one that is counted. */
struct lae_copy {
    const struct lae_run *run, *of;
    bool same; /* it has the same accuracies, as far as both are */
};

struct lae_group {
    /* "merge.method=ties", the keys in which it differs from other groups; where these are none, or
     * more than a few: what the runs' names begin with, or the one run's name. */
    char *label;
    const struct lae_run **runs; /* [count], each counts */
    size_t count;
    struct lae_copy *copies; /* [copy_count], which do not count */
    size_t copy_count;
    int tasks, finished; /* the most of any run */
};

struct lae_groups {
    struct lae_group *items;
    size_t count;
};

/* In the order of the first run of each; `grouping` NULL: over run.seed. Weights and images are the
 * same where their digests are, which are known once a task is finished; until then, where their
 * paths are. `runs` [count] must outlive the groups. Errors: memory, a configuration that this
 * program cannot read. */
lae_status lae_groups_make(const struct lae_run *runs, size_t count,
                           const struct lae_grouping *grouping,
                           struct lae_groups *groups) LAE_MUST_CHECK;
void lae_groups_free(struct lae_groups *groups);

/* Mean and standard deviation, one value after the other (Welford 1962). Begin with a zeroed one.
 */
struct lae_moments {
    double mean;
    double squares;   /* sum of the squared distances from the mean */
    double deviation; /* of the sample, by n - 1; once it is ended */
    size_t count;
};
void lae_moments_add(struct lae_moments *moments, double value); /* a NaN counts as none */

/* With its deviation; NaN: the mean of no value, the deviation of a single one. */
struct lae_moments lae_moments_end(struct lae_moments moments);

/* A number of one run's scorer after task a; NaN: not known. */
typedef double lae_value(const struct lae_run *run, const struct lae_score *scorer, int a, int b);

/* Over the group's runs that have the scorer and know the number. */
struct lae_moments lae_group_moments(const struct lae_group *group, const char *scorer,
                                     lae_value *value, int a, int b);

/* After task a: accuracy over all seen classes, on task b; then the mean of the former over tasks
 * 0..a, forgetting, backward transfer, which ask for no b. */
lae_value lae_value_seen, lae_value_accuracy, lae_value_average, lae_value_forgetting,
    lae_value_transfer;

#endif
