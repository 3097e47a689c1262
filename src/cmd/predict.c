/* The scores behind a checkpoint's accuracies, image by image, into an HDF5 file. */
#include "lae/cmd/cmd.h"
#include "lae/files/atomic.h"
#include "lae/learn/opened.h"
#include "lae/learn/predictor.h"
#include "lae/store/predictions.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { OPTION_SPLIT };

static const struct lae_option options[] = {
    [OPTION_SPLIT] = {"split", "test|validation|train",
                      "which images (those it was evaluated on); no image is augmented"},
    {NULL, NULL, NULL},
};

/* `text`: the option's value, or NULL. What a run held out stands in the test images' place, which
 * nothing may look at. */
static lae_status read_split(const char *text, const struct lae_dataset *dataset,
                             enum lae_split *split)
{
    const char *evaluated = lae_dataset_evaluated(dataset);
    *split = text != NULL && strcmp(text, "train") == 0 ? LAE_TRAIN : LAE_TEST;
    if (text == NULL || *split == LAE_TRAIN || strcmp(text, evaluated) == 0) return NULL;
    if (strcmp(text, "test") == 0)
        return lae_bad_input("--split test: the run holds training images out "
                             "(data.validation_share) and touches no test image; give validation");
    if (strcmp(text, "validation") == 0)
        return lae_bad_input("--split validation: the run holds no training images out "
                             "(data.validation_share is 0); give test");
    return lae_bad_input("--split: %.40s is neither test, validation nor train", text);
}

/* Long before the first probability is known: whether OUT can be written, and is not what is read.
 */
static lae_status check_out(const char *out, const char *checkpoint)
{
    struct stat a, b;
    if (stat(out, &a) == 0 && stat(checkpoint, &b) == 0 && a.st_dev == b.st_dev &&
        a.st_ino == b.st_ino)
        return lae_bad_input("%s: is the checkpoint itself; give another file for the predictions",
                             out);
    return lae_atomic_check(out);
}

/* Rank 0's. */
static lae_status write_out(const struct lae_opened *opened, enum lae_split split, const char *out,
                            struct lae_predictions *predictions)
{
    const struct lae_sequence *sequence = &opened->job.sequence;
    size_t classes = (size_t)sequence->classes;
    int32_t *order = malloc(classes * sizeof *order);
    if (order == NULL) return lae_out_of_memory(classes * sizeof *order, "the class order");
    for (size_t i = 0; i < classes; i++)
        order[i] = (int32_t)sequence->class_order[i];
    predictions->split = split == LAE_TEST ? lae_dataset_evaluated(&opened->job.dataset) : "train";
    predictions->task = opened->state.finished - 1;
    predictions->class_order = order;
    predictions->order_count = classes;
    predictions->checkpoint_digest = opened->digest;
    predictions->data_digest = opened->job.data_digest;
    lae_status status = lae_predictions_write(out, predictions);
    free(order);
    if (status == NULL)
        lae_log_info(opened->job.log, "%s: %zu %s images, scores of the %zu classes seen by %s",
                     out, predictions->count, predictions->split, predictions->classes,
                     opened->path);
    return status;
}

static void show_progress(void *log, double share)
{
    lae_log_live(log, "predicting %.0f %%", 100.0 * share);
}

static lae_status predict(const struct lae_opened *opened, const char *part, const char *out)
{
    enum lae_split split;
    LAE_TRY(read_split(part, &opened->job.dataset, &split));
    const struct lae_job *job = &opened->job;
    bool first = job->dist->rank == 0;
    struct lae_predictions predictions = {0};
    lae_status status = lae_dist_agree(job->dist, first ? check_out(out, opened->path) : NULL);
    if (status == NULL)
        status = lae_opened_settle(opened, lae_predict(job, &opened->state, split,
                                                       first ? show_progress : NULL, job->log,
                                                       &predictions));
    if (status == NULL)
        status =
            lae_dist_agree(job->dist, first ? write_out(opened, split, out, &predictions) : NULL);
    lae_predictions_free(&predictions);
    return status;
}

static lae_status run(const struct lae_arguments *arguments, const struct lae_dist *dist,
                      struct lae_log *log)
{
    struct lae_opened opened;
    lae_status status = lae_opened_open(arguments->positional[0], arguments->settings,
                                        arguments->setting_count, dist, log, &opened);
    if (status == NULL)
        status = predict(&opened, arguments->options[OPTION_SPLIT], arguments->positional[1]);
    lae_opened_close(&opened);
    return status;
}

const struct lae_command lae_command_predict = {
    .name = "predict",
    .usage = "CHECKPOINT OUT.h5 [--split test|validation|train] [KEY=VALUE ...]",
    .help = "write the probabilities and scores that a task file gives all images, as HDF5",
    .positional = 2,
    .options = options,
    .keys = LAE_OPENED_KEYS,
    .run = run,
};
