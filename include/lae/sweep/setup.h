/* What a run reads and never changes: configuration, ranks, threads, data, backbone, modules.
 *
 * Rank 0 alone reads files; what it read reaches the other nodes by broadcast and lies once a node
 * in shared memory. Image files of a folder are the exception: all ranks read them (decoding.h).
 */
#ifndef LAE_SWEEP_SETUP_H
#define LAE_SWEEP_SETUP_H

#include "lae/backbone/backbone.h"
#include "lae/base/log.h"
#include "lae/base/team.h"
#include "lae/config/config.h"
#include "lae/data/dataset.h"
#include "lae/data/sequence.h"
#include "lae/dist/dist.h"
#include "lae/objective/objective.h"
#include "lae/pet/pet.h"
#include "lae/weights/weights.h"

struct lae_setup {
    const struct lae_config *config;
    const struct lae_dist *dist;
    struct lae_log *log; /* silent but at rank 0 */
    struct lae_team *team;
    struct lae_dataset dataset;
    struct lae_shared records[LAE_SPLITS];
    struct lae_shared decoded; /* a folder's images, where they are decoded once */
    lae_status refused;        /* images without labels that were left out as no good, or NULL */
    struct lae_sequence sequence;
    const struct lae_kernels *kernels;
    struct lae_backbone *backbone;
    struct lae_shared weights; /* the backbone's, as stored */
    struct lae_shared packed;  /* as the backend wants them, where it does */
    struct lae_pet pet;
    const struct lae_objective *objective;
    char data_digest[65], weights_digest[65]; /* SHA-256 */
    char heads_from[LAE_ORIGIN_TEXT];         /* rank 0: who said how many heads there are */
    char *fingerprint;                        /* see lae_fingerprint */
};

/* Rank 0's configuration reaches the others, whose structs are filled. [collective] Errors, the
 * same on all ranks: memory. */
lae_status lae_setup_share_config(const struct lae_dist *dist,
                                  struct lae_config *config) LAE_MUST_CHECK;

/* Opens all of it. [collective] Errors are the same on all ranks; the setup can then be closed. */
lae_status lae_setup_open(const struct lae_config *config, const struct lae_dist *dist,
                          struct lae_log *log, struct lae_setup *setup) LAE_MUST_CHECK;

/* The same with a backbone of these shapes and random weights, drawn from run.seed: to measure
 * with, where no weight file is needed. */
lae_status lae_setup_open_random(const struct lae_config *config,
                                 const struct lae_backbone_dims *dims, const struct lae_dist *dist,
                                 struct lae_log *log, struct lae_setup *setup) LAE_MUST_CHECK;

/* The same with images that are not labelled (lae_dataset_open_pictures; `path` and `classes` are
 * rank 0's) in place of the configuration's dataset, which is not looked for. */
lae_status lae_setup_open_pictures(const struct lae_config *config, const char *path, int classes,
                                   const struct lae_dist *dist, struct lae_log *log,
                                   struct lae_setup *setup) LAE_MUST_CHECK;

/* The same without any image. */
lae_status lae_setup_open_alone(const struct lae_config *config, int classes,
                                const struct lae_dist *dist, struct lae_log *log,
                                struct lae_setup *setup) LAE_MUST_CHECK;

/* Decodes every image of a folder once where that has not been done, so that a file that is no good
 * is known before anything is learned. [collective] Errors, the same on all ranks: how many files
 * are no good, and the first of them; LAE_STOPPED. */
lae_status lae_setup_check_images(struct lae_setup *setup) LAE_MUST_CHECK;

void lae_setup_close(struct lae_setup *setup); /* [collective] */

/* What compiled the program: "gcc 12.2.0". */
const char *lae_compiler(void);

/* What the bits of a result depend on beside the configuration: program version, compiler, BLAS
 * build and core, libc, kernel table. A new string; free(). NULL when memory is out. */
char *lae_fingerprint(const struct lae_kernels *kernels, struct lae_arithmetic arithmetic);

#endif
