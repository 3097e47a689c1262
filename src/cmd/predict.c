/* The scores behind a checkpoint's accuracies, image by image, into an HDF5 file; or, for
 * images that nobody has labelled, the most likely classes of each. */
#include "lae/cmd/cmd.h"
#include "lae/data/pictures.h"
#include "lae/files/map.h"
#include "lae/learn/predictor.h"
#include "lae/report/ranking.h"
#include "lae/run/restored.h"
#include "lae/store/kind.h"
#include "lae/store/predictions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { OPTION_SPLIT, OPTION_FEATURES, OPTION_BY, OPTION_JSON };

static const struct lae_option options[] = {
    [OPTION_SPLIT] = {"split", "test|validation|train",
                      "which images (those it was evaluated on); no image is augmented"},
    [OPTION_FEATURES] = {"features", "",
                         "into OUT.h5: the images' features, too, as each view gives them"},
    [OPTION_BY] = {"by", "NAME",
                   "of IMAGES: the scores that say how likely a class is (ensemble, or online)"},
    [OPTION_JSON] = {"json", "FILE", "of IMAGES: write the classes and all scores as JSON, too"},
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
    return lae_output_check(out);
}

/* Rank 0's. */
static lae_status write_out(const struct lae_restored *restored, enum lae_split split,
                            const char *out, struct lae_predictions *predictions)
{
    const struct lae_sequence *sequence = &restored->setup.sequence;
    size_t classes = (size_t)sequence->classes;
    int32_t *order = malloc(classes * sizeof *order);
    if (order == NULL) return lae_out_of_memory(classes * sizeof *order, "the class order");
    for (size_t i = 0; i < classes; i++)
        order[i] = (int32_t)sequence->class_order[i];
    predictions->split =
        split == LAE_TEST ? lae_dataset_evaluated(&restored->setup.dataset) : "train";
    predictions->task = restored->state.finished - 1;
    predictions->class_order = order;
    predictions->order_count = classes;
    predictions->checkpoint_digest = restored->digest;
    predictions->data_digest = restored->setup.data_digest;
    lae_status status = lae_predictions_write(out, predictions);
    free(order);
    if (status == NULL)
        lae_log_info(restored->setup.log, "%s: %zu %s images, scores of the %zu classes seen by %s",
                     out, predictions->count, predictions->split, predictions->classes,
                     restored->path);
    return status;
}

static void show_progress(void *log, double share)
{
    lae_log_live(log, "predicting %.0f %%", 100.0 * share);
}

static lae_status predict(const struct lae_restored *restored, const char *part, bool features,
                          const char *out)
{
    enum lae_split split;
    LAE_TRY(read_split(part, &restored->setup.dataset, &split));
    const struct lae_setup *setup = &restored->setup;
    bool first = setup->dist->rank == 0;
    struct lae_predictions predictions = {0};
    lae_status status = lae_dist_agree(setup->dist, first ? check_out(out, restored->path) : NULL);
    if (status == NULL)
        status = lae_restored_settle(restored, lae_predict(setup, &restored->state, split, features,
                                                           first ? show_progress : NULL, setup->log,
                                                           &predictions));
    if (status == NULL)
        status = lae_dist_agree(setup->dist,
                                first ? write_out(restored, split, out, &predictions) : NULL);
    lae_predictions_free(&predictions);
    return status;
}

static lae_status run_dataset(const struct lae_arguments *arguments, const struct lae_dist *dist,
                              struct lae_log *log)
{
    struct lae_restored restored;
    lae_status status = lae_restored_open(arguments->positional[0], arguments->settings,
                                          arguments->setting_count, dist, log, &restored);
    if (status == NULL)
        status = predict(&restored, arguments->options[OPTION_SPLIT],
                         arguments->options[OPTION_FEATURES] != NULL, arguments->positional[1]);
    lae_restored_close(&restored);
    return status;
}

/* ---- images without labels */

/* Which scores to rank by; `name` NULL: the ensemble's, or online's where there is no other. */
static lae_status find_scores(const struct lae_predictions *predictions, const char *name,
                              size_t *item)
{
    char known[512] = "";
    const char *wanted = name != NULL ? name : "ensemble";
    size_t used = 0;
    for (*item = 0; *item < predictions->item_count; ++*item) {
        if (strcmp(predictions->items[*item].name, wanted) == 0) return NULL;
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s",
                                     used > 0 ? ", " : "", predictions->items[*item].name);
    }
    *item = 0;
    if (name == NULL) return NULL;
    return lae_bad_input("--by: there are no scores %.40s; there are %s", name, known);
}

/* Rank 0's. */
static lae_status rank_images(const struct lae_restored *restored,
                              const struct lae_predictions *predictions, size_t by,
                              const char *const *names, const char *json)
{
    const struct lae_setup *setup = &restored->setup;
    const char **files = malloc((predictions->count + 1) * sizeof *files);
    if (files == NULL)
        return lae_out_of_memory(predictions->count * sizeof *files, "the images' names");
    for (size_t i = 0; i < predictions->count; i++)
        files[i] = lae_picture_path(&setup->dataset, LAE_TEST, i);
    struct lae_ranking ranking = {predictions, by, files, setup->sequence.class_order, names};
    lae_status status = lae_ranking_print(lae_log_results(setup->log), &ranking);
    if (status == NULL && json != NULL) status = lae_ranking_write(json, &ranking);
    free(files);
    return status;
}

/* Predicts, and tells what was found. [collective] */
static lae_status rank_all(const struct lae_restored *restored, const char *const *names,
                           const char *name, const char *json)
{
    const struct lae_setup *setup = &restored->setup;
    bool first = setup->dist->rank == 0;
    struct lae_predictions predictions = {0};
    size_t by = 0;
    lae_status status = lae_restored_settle(
        restored, lae_predict(setup, &restored->state, LAE_TEST, false,
                              first ? show_progress : NULL, setup->log, &predictions));
    if (status == NULL) {
        status = first ? find_scores(&predictions, name, &by) : NULL;
        if (first && status == NULL) status = rank_images(restored, &predictions, by, names, json);
        status = lae_dist_agree(setup->dist, status);
    }
    lae_predictions_free(&predictions);
    return status;
}

static lae_status predict_images(struct lae_restored *restored, const char *name, const char *json)
{
    const struct lae_setup *setup = &restored->setup;
    bool first = setup->dist->rank == 0;
    const char **names;
    lae_status status = first && json != NULL ? check_out(json, restored->path) : NULL;
    LAE_TRY(lae_dist_agree(setup->dist, status));
    LAE_TRY(lae_restored_name_classes(restored, &names));
    status = rank_all(restored, names, name, json);
    free(names);
    /* After those that were good. */
    if (status == NULL && setup->refused != NULL)
        status = lae_bad_input("%s", lae_status_message(setup->refused));
    return status;
}

static lae_status run_images(const struct lae_arguments *arguments, const struct lae_dist *dist,
                             struct lae_log *log)
{
    struct lae_restored restored;
    lae_status status = lae_restored_open_pictures(arguments->positional[0],
                                                   arguments->positional[1], arguments->settings,
                                                   arguments->setting_count, dist, log, &restored);
    if (status == NULL)
        status = predict_images(&restored, arguments->options[OPTION_BY],
                                arguments->options[OPTION_JSON]);
    lae_restored_close(&restored);
    return status;
}

/* ---- which of the two */

/* A directory cannot be the HDF5 file to be written, and no such file ends like an image. */
static bool is_images(const char *path)
{
    return lae_path_is_directory(path) || lae_picture_has_ending(path);
}

/* What is mistyped shall not come to light as a file of that name. */
static lae_status check_ending(const char *out)
{
    static const char *const endings[] = {".h5", ".hdf5", NULL};
    if (lae_path_ends_in(out, endings)) return NULL;
    return lae_bad_input(
        "%s: is neither a folder that exists nor the name of an image (.png, .jpg, "
        ".jpeg) nor of a file to be written with the predictions (.h5, .hdf5)",
        out);
}

static lae_status check_options(const struct lae_arguments *arguments, bool images)
{
    static const int of_images[] = {OPTION_BY, OPTION_JSON};
    const char *place = arguments->positional[1];
    if (images && arguments->options[OPTION_SPLIT] != NULL)
        return lae_bad_input("--split: %s holds images that are of no split", place);
    if (images && arguments->options[OPTION_FEATURES] != NULL)
        return lae_bad_input("--features: are written into an OUT.h5, for the images of a dataset; "
                             "%s is a place of images without labels",
                             place);
    for (int i = 0; i < 2 && !images; i++)
        if (arguments->options[of_images[i]] != NULL)
            return lae_bad_input("--%s: is for images without labels, but %s is neither a folder "
                                 "nor a PNG or JPEG file",
                                 options[of_images[i]].name, place);
    return NULL;
}

static lae_status run(const struct lae_arguments *arguments, const struct lae_dist *dist,
                      struct lae_log *log)
{
    bool images = dist->rank == 0 && is_images(arguments->positional[1]);
    lae_dist_broadcast(dist, &images, sizeof images);
    LAE_TRY(check_options(arguments, images));
    if (!images) LAE_TRY(check_ending(arguments->positional[1]));
    return images ? run_images(arguments, dist, log) : run_dataset(arguments, dist, log);
}

const struct lae_command lae_command_predict = {
    .name = "predict",
    .usage = "CHECKPOINT OUT.h5|IMAGES [--split test|validation|train] [--features] [--by NAME] "
             "[--json FILE] [KEY=VALUE ...]",
    .help = "write the probabilities and scores that a task file gives all images, as HDF5; or "
            "print the five likeliest classes of each PNG or JPEG file in and below a folder, or "
            "of one file",
    .example = "lae_mpi predict runs/demo photos/ --json classes.json",
    .positional = 2,
    .options = options,
    .keys = LAE_RESTORED_KEYS,
    .run = run,
};
