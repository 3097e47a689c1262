/* What a run directory holds that learning can go on from. All of this is rank 0's. */
#ifndef LAE_SRC_RUN_RECOVERY_H
#define LAE_SRC_RUN_RECOVERY_H

#include "lae/run/directory.h"

#define RESUME "resume.h5"
#define RESUME_PREVIOUS "resume-previous.h5"
#define RESUME_COMING "resume-coming.h5" /* while it is being written */

/* DIRECTORY/task_NN.h5, a new string; NULL when memory is out. */
char *lae_recovery_task_path(const char *directory, int task);

/* Finds the newest whole file of a finished task of dir->path into the rest of dir. */
lae_status lae_recovery_find_task(struct lae_run_directory *dir,
                                  struct lae_log *log) LAE_MUST_CHECK;

/* Finds the newest whole state into dir (found, finished, task_count, last), by run.resume; where
 * that is a path and the directory is empty, from there (dir->from, dir->branched). Errors: what is
 * there cannot be gone on from, or not with this configuration. */
lae_status lae_recovery_find(const struct lae_config *config, struct lae_run_directory *dir,
                             struct lae_log *log) LAE_MUST_CHECK;

/* Copies dir->from and its run's task files before it, so that the directory stands by itself. */
lae_status lae_recovery_copy(const struct lae_run_directory *dir) LAE_MUST_CHECK;

/* Between the configuration `then`, of the checkpoint at `path`, and ours. */
lae_status lae_recovery_differences(const struct lae_config *config, const char *path,
                                    const char *then,
                                    struct lae_config_differences *differences) LAE_MUST_CHECK;

/* Gives the damaged files that were passed over other names, before what is computed again takes
 * theirs. */
lae_status lae_recovery_set_aside(const struct lae_run_directory *dir,
                                  struct lae_log *log) LAE_MUST_CHECK;

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
