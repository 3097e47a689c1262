/* Task files: task_00.h5, ... (METHOD section 10).
 *
 * What goes into a file is a plain struct of the caller's; reading gives the same struct with
 * memory of its own.
 */
#ifndef LAE_STORE_CHECKPOINT_H
#define LAE_STORE_CHECKPOINT_H

#include "lae/base/log.h"
#include "lae/base/status.h"
#include "lae/heads/stats.h"
#include "lae/params/record.h"
#include "lae/params/set.h"
#include "lae/params/table.h"

#include <stdbool.h>
#include <stdint.h>

#define LAE_CHECKPOINT_FORMAT "lae-checkpoint"
#define LAE_FORMAT_VERSION 2
#define LAE_FEW_TASKS 100        /* runs of more tasks have files of version 2 */
#define LAE_RUN_FORMAT "lae-run" /* of run.h5 */

/* A named array of doubles below /metrics, e.g. "online/seen" [T]. Of a matrix [T, T], "online/
 * accuracy" for one, there are the `rows` rows that are known, up to the diagonal: t + 1 values of
 * row t, one row after the other. In the file the rest is NaN. */
struct lae_metric {
    char *name;
    int rank;
    size_t shape[2];
    double *values;
    size_t rows; /* of rank 2 */
};

/* How many values it has. */
size_t lae_metric_count(const struct lae_metric *metric);

/* A value of /provenance: text, or a number where text is NULL. */
struct lae_fact {
    char *name;
    char *text;
    double number;
};

/* Class statistics through one view: group /stats/NAME. */
struct lae_kept_stats {
    char *name;
    struct lae_stats stats;
    double lambda; /* attribute: the strength of a ridge head; NaN: not that of one */
};

/* Structs that a file has as attributes, a number each: whose they are says by which tables. */
struct lae_layout {
    const struct lae_record *position; /* where training stood inside a task: /resume */
    const struct lae_record *merge;    /* what a merge did to a tensor: /merge/TENSOR-PATH */
};

/* Under which configuration tasks up to `task` were learned, where later ones are learned under
 * another: dataset /config_before/task_KK. */
struct lae_earlier {
    int task;
    char *config;
};

struct lae_checkpoint {
    const struct lae_layout *layout;
    int task, task_count,
        classes_seen;            /* task: the last finished one; with `position`, that at hand */
    char *config;                /* resolved YAML of the keys that can change the result */
    struct lae_earlier *earlier; /* [earlier_count], by task: of a run that branched from another */
    size_t earlier_count;
    int32_t *class_order; /* [classes] */
    size_t classes;
    char *class_names;                    /* by label, each on a line of its own; NULL: not known */
    struct lae_set init, online, offline; /* PET tensors; offline.count 0: there is none */
    struct lae_set head;                  /* task_00/weight [n, D], task_00/bias [n], task_01/... */
    /* [task] or NULL: online after each earlier task, /history/task_KK; empty where not kept. */
    struct lae_set *history;
    struct lae_metric *metrics;
    size_t metric_count;
    struct lae_kept_stats *stats;
    size_t stats_count;
    struct lae_rows merge; /* by tensor */
    struct lae_fact *provenance;
    size_t fact_count;
    void *position;      /* owned; NULL in the file of a finished task */
    struct lae_set adam; /* with it: pet/m, pet/v, classifier/m, classifier/v */
};

/* Version 1, which every earlier program reads, or, of a run of more than LAE_FEW_TASKS tasks,
 * version 2. There the tasks' classifiers lie below each other (src/store/checkpoint_head.h), of each
 * scatter there is the half up to the diagonal, and what views have in common is there once.
 *
 * Writes atomically (see files/atomic.h): HDF5 with a 512-byte user block that holds one line,
 * "lae-checkpoint 1 sha256 <64 hex digits>\n", padded with zeros; the digest is over the bytes
 * after the user block. Object times are off, so equal contents give equal files but for
 * /provenance. */
lae_status lae_checkpoint_write(const char *path,
                                const struct lae_checkpoint *checkpoint) LAE_MUST_CHECK;

/* Checks the digest, then reads. A file without user block is read with a warning to `log`; a newer
 * format_version is refused by name. Tensors, metrics and facts come in the order of their names;
 * groups that this version does not know are passed over. Errors name file and object; the struct
 * is then empty. */
lae_status lae_checkpoint_read(const char *path, const struct lae_layout *layout,
                               struct lae_log *log,
                               struct lae_checkpoint *checkpoint) LAE_MUST_CHECK;
void lae_checkpoint_free(struct lae_checkpoint *checkpoint);

/* Whether a file that cannot be read as a checkpoint is damaged (cut short, overwritten, of another
 * digest), rather than a newer version's, of another format, or out of reach. */
bool lae_checkpoint_is_damaged(const char *path);

/* run.h5: external links /task_00 -> task_00.h5:/ for tasks 0..tasks-1. Atomic. */
lae_status lae_checkpoint_write_index(const char *path, int tasks) LAE_MUST_CHECK;

/* The configuration that task `task` was learned with. */
const char *lae_checkpoint_config_of(const struct lae_checkpoint *checkpoint, int task);

#define LAE_HISTORY_NAME 32

/* "history/task_KK", where online after task `task` is in the files of later tasks. */
void lae_checkpoint_history_name(int task, char name[LAE_HISTORY_NAME]);

/* Copies between a vector [table.total] and a set whose tensors are the table's, by name.
 * from_vector makes a new set. into_vector's errors name a tensor that is missing, misshapen or not
 * the table's; the vector is then not to be used. */
lae_status lae_set_from_vector(struct lae_set *set, const struct lae_table *table,
                               const float *vector) LAE_MUST_CHECK;
lae_status lae_set_into_vector(const struct lae_set *set, const struct lae_table *table,
                               float *vector) LAE_MUST_CHECK;

#endif
