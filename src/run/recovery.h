/* What a run directory holds that learning can go on from. All of this is rank 0's. */
#ifndef LAE_SRC_RUN_RECOVERY_H
#define LAE_SRC_RUN_RECOVERY_H

#include "lae/run/directory.h"

/* Finds the newest whole state into dir (found, finished, task_count, last), by run.resume; where
 * that is a path and the directory is empty, from there (dir->from, dir->branched). Errors: what is
 * there cannot be gone on from, or not with this configuration. */
lae_status lae_recovery_find(const struct lae_config *config, struct lae_run_directory *dir,
                             struct lae_log *log) LAE_MUST_CHECK;

/* Copies dir->from and its run's task files before it, so that the directory stands by itself. */
lae_status lae_recovery_copy(const struct lae_run_directory *dir) LAE_MUST_CHECK;

/* What a run is computed from, as it is now. software NULL: not looked at. */
struct lae_recovery_inputs {
    const char *data, *weights; /* digests */
    const char *learned;        /* of the images of the tasks that dir->last has; NULL: not known */
    const char *software;       /* fingerprint */
};

/* Other data or weights than those of dir->last are an error; other software is a warning, and so
 * are other images of tasks to come. */
lae_status lae_recovery_compare_inputs(const struct lae_run_directory *dir,
                                       const struct lae_recovery_inputs *now,
                                       struct lae_log *log) LAE_MUST_CHECK;

#endif
