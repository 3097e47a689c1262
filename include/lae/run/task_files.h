/* The files of a run: which there are, and which can be gone on from. All of this is rank 0's. */
#ifndef LAE_RUN_TASK_FILES_H
#define LAE_RUN_TASK_FILES_H

#include "lae/run/directory.h"

#define LAE_RESUME "resume.h5"
#define LAE_RESUME_PREVIOUS "resume-previous.h5"
#define LAE_RESUME_COMING "resume-coming.h5" /* while it is being written */

/* DIRECTORY/task_NN.h5, a new string; NULL when memory is out. */
char *lae_task_files_path(const char *directory, int task);

/* Finds the newest whole file of a finished task of dir->path into the rest of dir. */
lae_status lae_task_files_find(struct lae_run_directory *dir, struct lae_log *log) LAE_MUST_CHECK;

/* Gives the damaged files that were passed over other names, before what is computed again takes
 * theirs. */
lae_status lae_task_files_set_aside(const struct lae_run_directory *dir,
                                    struct lae_log *log) LAE_MUST_CHECK;

/* Between the configuration `then`, of the checkpoint at `path`, and ours. */
lae_status lae_task_files_differences(const struct lae_config *config, const char *path,
                                      const char *then,
                                      struct lae_config_differences *differences) LAE_MUST_CHECK;

/* Finds the newest whole state, inside a task or at its end, into the rest of dir. */
lae_status lae_task_files_newest(struct lae_run_directory *dir, struct lae_log *log) LAE_MUST_CHECK;

/* *checkpoint becomes dir's newest. */
void lae_task_files_take(struct lae_run_directory *dir, const struct lae_checkpoint *checkpoint);

/* Reads the checkpoint at `place`, or, where that is a run's directory or its run.h5, the newest
 * good file of a finished task in it; *path is its path, free(). Rank 0's. Errors: as
 * lae_checkpoint_read's; no such file. */
lae_status lae_checkpoint_find(const char *place, struct lae_log *log, char **path,
                               struct lae_checkpoint *checkpoint) LAE_MUST_CHECK;

/* The file of task `task` in the directory of the checkpoint at `path`. Where there is no good one
 * (a damaged one is a warning), or it does not belong to the same run, *found is false. Rank 0's.
 * Errors: memory, a newer version's file. */
lae_status lae_checkpoint_beside(const char *path, const struct lae_checkpoint *checkpoint,
                                 int task, struct lae_log *log, struct lae_checkpoint *beside,
                                 bool *found) LAE_MUST_CHECK;

#endif
