/* liblae: what a run has learned, in a program of your own.
 *
 * A model is opened from a run's directory or one of its task files. It takes images one by one and
 * gives each class that was seen a score, by each of the run's scorers:
 *
 *     online  offline  ensemble     the tasks' own classifiers: probabilities
 *     HEAD_VIEW, as ncm_init        a head made from class statistics: scores of its own scale
 *
 * The scores are those of `lae_mpi predict`, to the bit.
 *
 *     struct lae_model *model = NULL;
 *     lae_status status = lae_model_open("runs/demo", NULL, 0, MPI_COMM_WORLD, &model);
 *     if (status == NULL) status = lae_model_score_file(model, "cat.png", scores);
 *     if (status != NULL) fprintf(stderr, "%s\n", lae_status_message(status));
 *     lae_status_free(status);
 *     lae_model_close(model);
 *
 * A whole program: data/classify.c. Compiler and linker: `pkg-config --cflags --libs lae`.
 *
 * MPI is the program's: it has begun it, with MPI_THREAD_FUNNELED or more, and ends it after all
 * models are closed. The ranks of one host that open a model together share its weights; once it
 * is open, each works for itself. One thread at a time uses a model; MPI's thread opens and closes
 * it. Nothing is written to the screen: errors are values, see lae/base/status.h. Task files are
 * read by a process of their own, which the first opening forks.
 */
#ifndef LAE_LAE_H
#define LAE_LAE_H

#include <lae/base/status.h>

#include <mpi.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when something here changes its meaning or goes; what is added does not raise it. */
#define LAE_API 1

/* The library's version, as "0.2.0". */
const char *lae_version(void);

struct lae_model;

/* Opens `place`: a run's directory (its newest finished task) or a task's file. `settings`
 * [setting_count] are KEY=VALUE: model.weights where the backbone has moved, eval.heads to choose
 * scorers, heads.*, compute.* (threads: 1 unless given); NULL where there are none. [collective
 * over comm] Errors, the same on all its ranks, *model is then NULL: LAE_BAD_INPUT, a file that is
 * not there or damaged, another backbone than that it was learned with, a key that would change
 * what was learned; LAE_FAILED, memory. */
lae_status lae_model_open(const char *place, const char *const *settings, size_t setting_count,
                          MPI_Comm comm, struct lae_model **model) LAE_MUST_CHECK;
void lae_model_close(struct lae_model *model); /* NULL: allowed. [collective over comm] */

/* C, the classes that were seen. Class c is the one that was learned as number c, from 0 on. */
size_t lae_model_classes(const struct lae_model *model);

/* Label of class c in the dataset, and its name there; NULL where the run does not know names. */
int lae_model_class_label(const struct lae_model *model, size_t c);
const char *lae_model_class_name(const struct lae_model *model, size_t c);

/* How many scorers there are, and the name of scorer s. */
size_t lae_model_scorers(const struct lae_model *model);
const char *lae_model_scorer_name(const struct lae_model *model, size_t s);

/* scores [scorers, C] of one image, rgb [height, width, 3] of 8 bits, a side at most 16384 pixels.
 * It is brought to the model's size as test images were. A head gives a class without statistics
 * -infinity. Errors: a size out of range; memory; scores that are not finite. */
lae_status lae_model_score(struct lae_model *model, const uint8_t *rgb, size_t width, size_t height,
                           float *scores) LAE_MUST_CHECK;

/* The same of a PNG or JPEG file. Errors name the file: not there, damaged, neither of the two. */
lae_status lae_model_score_file(struct lae_model *model, const char *path,
                                float *scores) LAE_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
