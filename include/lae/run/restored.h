/* A checkpoint opened for use: its configuration, its setup, its state, on all ranks.
 *
 * The configuration is the one inside the file. Where images and weights are is not part of it, as
 * files are compared by digest: the paths are those of /provenance unless given anew.
 */
#ifndef LAE_RUN_RESTORED_H
#define LAE_RUN_RESTORED_H

#include "lae/base/log.h"
#include "lae/config/config.h"
#include "lae/dist/dist.h"
#include "lae/dist/watchdog.h"
#include "lae/run/state.h"
#include "lae/store/checkpoint.h"
#include "lae/sweep/setup.h"

/* What lae_restored_open lets the caller set. */
#define LAE_RESTORED_KEYS "data.path, model.weights, eval.heads, heads.* and compute.*"

struct lae_restored {
    const struct lae_dist *dist;
    char *path;        /* rank 0: of the file */
    char digest[65];   /* rank 0: SHA-256 of the whole file */
    char *asked;       /* rank 0: keys of heads.* with other values than the file's numbers were
                          made with, as text; NULL: none */
    bool other_images; /* rank 0: than the file's numbers are of */
    char *class_names; /* rank 0: by label, a line each; NULL: the file does not know them */
    struct lae_config config;
    struct lae_watchdog *watchdog;
    struct lae_setup setup;
    struct lae_state state; /* metrics: those of the file */
    bool begun;             /* the setup was begun, and has to be closed */
};

/* Opens what `place` means for lae_checkpoint_find; `settings` [count] are KEY=VALUE. Other images
 * or other software than those it was learned with are a warning. [collective] Errors, the same on
 * all ranks: a key that would change the result, other weights, a state inside a task. The struct
 * can then be closed. */
lae_status lae_restored_open(const char *place, char *const *settings, int count,
                             const struct lae_dist *dist, struct lae_log *log,
                             struct lae_restored *restored) LAE_MUST_CHECK;

/* The same without the file's class statistics, and without metrics of the heads made from them:
 * for who gathers statistics anew. So eval.heads may name any. */
lae_status lae_restored_open_bare(const char *place, char *const *settings, int count,
                                  const struct lae_dist *dist, struct lae_log *log,
                                  struct lae_restored *restored) LAE_MUST_CHECK;

/* The same for images that are not labelled, in the folder or file `pictures`: the test images of
 * the setup are then those, and the dataset it was learned with is not looked for. */
lae_status lae_restored_open_pictures(const char *place, const char *pictures,
                                      char *const *settings, int count, const struct lae_dist *dist,
                                      struct lae_log *log,
                                      struct lae_restored *restored) LAE_MUST_CHECK;

/* The same without any image: for images that come from elsewhere. */
lae_status lae_restored_open_alone(const char *place, char *const *settings, int count,
                                   const struct lae_dist *dist, struct lae_log *log,
                                   struct lae_restored *restored) LAE_MUST_CHECK;

/* The classes' names by output index, a new array, or NULL where they are not known; free() it
 * before `restored` is closed. To be called once. [collective] Errors: memory. */
lae_status lae_restored_name_classes(struct lae_restored *restored,
                                     const char ***names) LAE_MUST_CHECK;

void lae_restored_close(struct lae_restored *restored); /* [collective] */

/* To be called with what a computation on the setup returned. Where that was LAE_STOPPED, waits for
 * what is still being computed (or leaves, where a rank has died) and says so in the message. */
lae_status lae_restored_settle(const struct lae_restored *restored,
                               lae_status status) LAE_MUST_CHECK;

#endif
