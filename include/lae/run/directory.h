/* The run directory: <run.root>/<run.name>, its lock, its task files, going on from them
 * (METHOD section 10). Only rank 0 touches the file system. */
#ifndef LAE_RUN_DIRECTORY_H
#define LAE_RUN_DIRECTORY_H

#include "lae/base/log.h"
#include "lae/config/config.h"
#include "lae/dist/dist.h"
#include "lae/files/lock.h"
#include "lae/run/state.h"
#include "lae/store/checkpoint.h"
#include "lae/sweep/setup.h"

#include <stdbool.h>

struct lae_run_directory {
    const struct lae_dist *dist;
    char *path;               /* rank 0 */
    struct lae_lock lock;     /* rank 0 */
    bool found;               /* a finished task, or a state inside one, was found; on all ranks */
    int finished, task_count; /* of the run found; the same on all ranks */
    struct lae_checkpoint last; /* rank 0: the newest good task file, when found */
    char *from;    /* rank 0: the file that run.resume means, to be copied here; NULL: none */
    bool branched; /* from a file of another configuration; on all ranks */

    /* Rank 0: what opening it left there, see lae_run_directory_undo. */
    size_t made;   /* bytes of path up to the first directory that was made; 0: none was */
    long log_size; /* of log.txt before; -1: it was not there */
    bool logging;  /* log.txt was opened */
    bool begun;    /* more than that is there now: a run */
};

/* Makes or opens the directory, takes its lock, adds log.txt to the log, finds the newest good task
 * file and compares its configuration with ours. [collective] Errors, the same on all ranks: the
 * directory is in use, cannot be written, or holds a run whose result-changing keys differ (they
 * are named, with both values); run.resume forbids going on. */
lae_status lae_run_directory_open(const struct lae_config *config, const struct lae_dist *dist,
                                  struct lae_log *log,
                                  struct lae_run_directory *dir) LAE_MUST_CHECK;
void lae_run_directory_close(struct lae_run_directory *dir);

/* To be called before that where bad input was found after all: unless training has begun there,
 * the directory is as it was before lae_run_directory_open. */
void lae_run_directory_undo(struct lae_run_directory *dir, struct lae_log *log);

/* Puts the task file found into a fresh state. Checks that data and weights are the same as then.
 * Where that is run.resume's, copies it and the tasks before it into the directory; where the run
 * branches from it, begins the next task and saves that. [collective] */
lae_status lae_run_directory_restore(struct lae_run_directory *dir, const struct lae_setup *setup,
                                     struct lae_state *state) LAE_MUST_CHECK;

/* Whether a whole run, about to be shown, was made from the data and weights that the configuration
 * names now; copies run.resume's file. Rank 0's. */
lae_status lae_run_directory_check_whole(struct lae_run_directory *dir,
                                         const struct lae_config *config,
                                         struct lae_log *log) LAE_MUST_CHECK;

/* Writes the file of the task just finished (state->finished - 1) and run.h5, after comparing a
 * hash of the parameters among ranks. [collective] */
lae_status lae_run_directory_save(struct lae_run_directory *dir, const struct lae_setup *setup,
                                  const struct lae_state *state) LAE_MUST_CHECK;

/* Writes resume.h5, where training stands inside a task; the one before becomes resume-previous.h5.
 * [collective] */
lae_status lae_run_directory_save_inside(struct lae_run_directory *dir,
                                         const struct lae_setup *setup,
                                         const struct lae_state *state) LAE_MUST_CHECK;

/* The same by rank 0 alone, without comparing among ranks: when there is no time to lose. */
lae_status lae_run_directory_save_alone(struct lae_run_directory *dir,
                                        const struct lae_setup *setup,
                                        const struct lae_state *state) LAE_MUST_CHECK;

/* The metrics stored in a checkpoint; free with lae_metrics_free. */
lae_status lae_metrics_from_checkpoint(const struct lae_checkpoint *checkpoint,
                                       struct lae_metrics *metrics) LAE_MUST_CHECK;

#endif
