/* The installed API (lae/lae.h): a checkpoint restored, with one worker that scores images which
 * come from outside. */
#include "lae/lae.h"

#include "lae/data/pictures.h"
#include "lae/dist/communicator.h"
#include "lae/learn/scoring.h"
#include "lae/run/restored.h"

#include <stdlib.h>
#include <string.h>

struct lae_model {
    struct lae_dist dist;
    struct lae_log log; /* silent */
    struct lae_restored restored;
    struct lae_workers workers;
    struct lae_scoring scoring;
    struct lae_image_workspace *transform; /* for images up to `largest` */
    struct lae_size largest;
    const char **names; /* [classes] by output index; NULL: not known */
};

const char *lae_version(void)
{
    return LAE_VERSION;
}

/* ---- opening ---- */

/* A library starts no threads and ends no jobs unless it is asked to. */
static char quiet_threads[] = "compute.threads=1", quiet_watchdog[] = "compute.watchdog_seconds=0";

static lae_status restore(struct lae_model *model, const char *place, const char *const *settings,
                          size_t count)
{
    char **all = calloc(count + 2, sizeof *all);
    lae_status status = all == NULL ? lae_out_of_memory(count * sizeof *all, "settings") : NULL;
    LAE_TRY(lae_dist_agree(&model->dist, status));
    all[0] = quiet_threads;
    all[1] = quiet_watchdog;
    if (count > 0) memcpy(all + 2, settings, count * sizeof *all);
    status = lae_restored_open_alone(place, all, (int)count + 2, &model->dist, &model->log,
                                     &model->restored);
    free(all);
    return status;
}

static lae_status make_scorers(struct lae_model *model)
{
    const struct lae_setup *setup = &model->restored.setup;
    const struct lae_state *state = &model->restored.state;
    struct lae_learned learned = lae_state_learned(state, state->finished - 1);
    LAE_TRY(lae_dist_agree(&model->dist, lae_workers_create(setup, &model->workers)));
    LAE_TRY(lae_scoring_open(setup, &learned, &state->metrics.scorers, &model->scoring));
    return lae_restored_name_classes(&model->restored, &model->names);
}

/* Agreed upon: no rank goes on alone. */
static lae_status begin(MPI_Comm comm, struct lae_model **model)
{
    struct lae_dist dist;
    *model = NULL;
    LAE_TRY(lae_dist_use(comm, &dist));
    *model = calloc(1, sizeof **model);
    lae_status status = *model == NULL ? lae_out_of_memory(sizeof **model, "a model") : NULL;
    status = lae_dist_agree(&dist, status);
    if (status == NULL) {
        (*model)->dist = dist;
        lae_log_open(&(*model)->log, true);
        return NULL;
    }
    lae_dist_release(&dist);
    free(*model);
    *model = NULL;
    return status;
}

lae_status lae_model_open(const char *place, const char *const *settings, size_t setting_count,
                          MPI_Comm comm, struct lae_model **model)
{
    LAE_TRY(begin(comm, model));
    lae_status status = restore(*model, place, settings, setting_count);
    if (status == NULL) status = make_scorers(*model);
    if (status == NULL) return NULL;
    lae_model_close(*model);
    *model = NULL;
    return status;
}

void lae_model_close(struct lae_model *model)
{
    if (model == NULL) return;
    lae_scoring_close(&model->scoring);
    lae_workers_free(&model->workers);
    lae_image_workspace_free(model->transform);
    free(model->names);
    lae_restored_close(&model->restored);
    lae_log_close(&model->log);
    lae_dist_release(&model->dist);
    free(model);
}

/* ---- what it is ---- */

size_t lae_model_classes(const struct lae_model *model)
{
    return model->scoring.seen;
}

int lae_model_class_label(const struct lae_model *model, size_t c)
{
    return model->restored.setup.sequence.class_order[c];
}

const char *lae_model_class_name(const struct lae_model *model, size_t c)
{
    return model->names != NULL ? model->names[c] : NULL;
}

size_t lae_model_scorers(const struct lae_model *model)
{
    return (size_t)model->scoring.scorers.count;
}

const char *lae_model_scorer_name(const struct lae_model *model, size_t s)
{
    return model->scoring.scorers.items[s].name;
}

/* ---- scoring ---- */

/* A workspace for images of that size. */
static lae_status make_room(struct lae_model *model, struct lae_size size)
{
    const struct lae_setup *setup = &model->restored.setup;
    struct lae_size largest = model->largest;
    if (size.width <= largest.width && size.height <= largest.height) return NULL;
    if (size.width > largest.width) largest.width = size.width;
    if (size.height > largest.height) largest.height = size.height;
    lae_image_workspace_free(model->transform);
    model->transform = NULL;
    model->largest = (struct lae_size){0};
    LAE_TRY(lae_image_workspace_create(largest, (int)setup->backbone->image,
                                       setup->config->data.resize, &model->transform));
    model->largest = largest;
    return NULL;
}

/* Scores of the image that the worker has. */
static lae_status score(struct lae_model *model, float *scores)
{
    struct lae_worker *worker = model->workers.items;
    size_t seen = model->scoring.seen, all = (size_t)model->restored.setup.sequence.classes;
    lae_scoring_features_at_hand(&model->scoring, worker);
    lae_scoring_rows(&model->scoring, worker->features, worker->scores);
    for (size_t s = 0; s < lae_model_scorers(model); s++) {
        if (lae_score_is_nan(worker->scores + s * all, seen))
            return lae_failed("scorer %s: scores are not finite; check the weights, data.mean and "
                              "data.std",
                              lae_model_scorer_name(model, s));
        memcpy(scores + s * seen, worker->scores + s * all, seen * sizeof *scores);
    }
    return NULL;
}

lae_status lae_model_score(struct lae_model *model, const uint8_t *rgb, size_t width, size_t height,
                           float *scores)
{
    const struct lae_data_options *data = &model->restored.config.data;
    if (width < 1 || height < 1 || width > LAE_MAX_SIDE || height > LAE_MAX_SIDE)
        return lae_bad_input("an image of %zux%zu pixels: a side has 1 to %d", width, height,
                             LAE_MAX_SIDE);
    struct lae_size size = {(int)width, (int)height};
    LAE_TRY(make_room(model, size));
    lae_image_prepare(model->transform, rgb, size, NULL, data->mean, data->std,
                      model->workers.items->image);
    return score(model, scores);
}

lae_status lae_model_score_file(struct lae_model *model, const char *path, float *scores)
{
    struct lae_size size;
    uint8_t *rgb;
    LAE_TRY(lae_picture_load(path, &rgb, &size));
    lae_status status =
        lae_model_score(model, rgb, (size_t)size.width, (size_t)size.height, scores);
    free(rgb);
    return status;
}
