/* A run that begins after a task of another, with other values of keys that may change between
 * tasks. What it is made from is part of its files: /config_before/task_KK. All of this is rank
 * 0's. */
#ifndef LAE_SRC_RUN_BRANCH_H
#define LAE_SRC_RUN_BRANCH_H

#include "lae/run/directory.h"

/* Whether `config` can go on from dir->last, read from dir->from, and sets dir->branched where keys
 * differ, which are told. Errors (LAE_BAD_INPUT): keys that cannot change between tasks; a state
 * inside a task; no task to come; no offline module to go on with. */
lae_status lae_branch_check(const struct lae_config *config, struct lae_run_directory *dir,
                            struct lae_log *log) LAE_MUST_CHECK;

/* Makes dir->last what training under `config` can be restored from: notes the configuration that
 * its tasks were learned with, takes what merges to come read of earlier tasks from the files
 * beside it, and leaves out what the new configuration has no place for. */
lae_status lae_branch_prepare(const struct lae_config *config, struct lae_run_directory *dir,
                              struct lae_log *log) LAE_MUST_CHECK;

#endif
