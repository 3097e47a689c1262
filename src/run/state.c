#include "lae/run/state.h"

#include "lae/base/arena.h"
#include "lae/base/random.h"
#include "lae/files/digest.h"
#include "lae/sweep/workers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct lae_saved_position, at.field)

/* /resume of a file. */
static const struct lae_field position_fields[] = {
    {"merged", LAE_FIELD_FLAG, AT(merged), false},
    {"owed", LAE_FIELD_FLAG, AT(owed), true},
    {"epoch", LAE_FIELD_INT, AT(epoch), false},
    {"step", LAE_FIELD_COUNT, AT(step), false},
    {"loss", LAE_FIELD_DOUBLE, AT(loss), false},
    {"correct", LAE_FIELD_COUNT, AT(correct), false},
    {"images", LAE_FIELD_COUNT, AT(images), false},
    {"pet_steps", LAE_FIELD_COUNT, offsetof(struct lae_saved_position, pet_steps), false},
    {"classifier_steps", LAE_FIELD_COUNT, offsetof(struct lae_saved_position, classifier_steps),
     false},
};

static const struct lae_record position_record = {
    position_fields, sizeof position_fields / sizeof position_fields[0],
    sizeof(struct lae_saved_position)};

const struct lae_layout lae_run_layout = {.position = &position_record, .merge = &lae_merge_record};

static float *new_vector(size_t count)
{
    return lae_aligned_calloc(count, sizeof(float));
}

static struct lae_scorers scorers_of(const struct lae_config *config,
                                     const struct lae_statistics *statistics)
{
    return lae_scorers_of(config->eval.heads, config->merge.method->has_offline, statistics->views,
                          statistics->ridge);
}

static size_t count_bits(unsigned bits)
{
    size_t count = 0;
    for (; bits != 0; bits &= bits - 1)
        count++;
    return count;
}

static size_t statistics_need(const struct lae_setup *setup, const struct lae_statistics *plan)
{
    size_t classes = (size_t)setup->sequence.classes, d = setup->backbone->feature;
    size_t random = (size_t)setup->config->heads.ridge.features;
    return (count_bits(plan->views) * (classes + d) * d +
            count_bits(plan->ridge) * (classes + random) * random) *
           sizeof(float);
}

size_t lae_state_need(const struct lae_setup *setup)
{
    struct lae_statistics plan = lae_statistics_plan(setup->config);
    struct lae_scorers scorers = scorers_of(setup->config, &plan);
    size_t kept =
        lae_metrics_need(setup->sequence.tasks, scorers.count) + statistics_need(setup, &plan);
    for (int task = 0; task < setup->sequence.tasks; task++)
        kept += lae_classifier_count(setup, task) * sizeof(float);
    return 2 * kept;
}

/* Metrics of all that is evaluated, which rank 0 keeps. */
static lae_status create_metrics(const struct lae_setup *setup, struct lae_state *state)
{
    struct lae_scorers scorers = scorers_of(setup->config, &state->statistics);
    state->metrics = lae_metrics_elsewhere(state->tasks, &scorers);
    return setup->dist->rank != 0 ? NULL
                                  : lae_metrics_create(state->tasks, &scorers, &state->metrics);
}

lae_status lae_state_create(const struct lae_setup *setup, struct lae_state *state)
{
    size_t pet = setup->pet.table.total;
    bool offline = setup->config->merge.method->has_offline;
    *state = (struct lae_state){.tasks = setup->sequence.tasks};
    state->init = new_vector(pet);
    state->online = new_vector(pet);
    state->offline = offline ? new_vector(pet) : NULL;
    state->classifiers = calloc((size_t)state->tasks, sizeof *state->classifiers);
    state->history = calloc((size_t)state->tasks, sizeof *state->history);
    state->merge = calloc(setup->pet.table.count + 1, sizeof *state->merge);
    LAE_TRY(lae_adam_create(&state->pet, pet));
    LAE_TRY(lae_adam_create(&state->classifier, lae_longest_classifier(setup)));
    bool complete = state->init != NULL && state->online != NULL &&
                    (state->offline != NULL || !offline) && state->classifiers != NULL &&
                    state->history != NULL && state->merge != NULL;
    if (!complete) return lae_out_of_memory(3 * pet * sizeof(float), "the parameters");
    lae_pet_init(&setup->pet, setup->config->run.seed, state->init);
    memcpy(state->online, state->init, pet * sizeof(float));
    if (offline) memcpy(state->offline, state->init, pet * sizeof(float));
    LAE_TRY(lae_statistics_create(setup, &state->statistics));
    return create_metrics(setup, state);
}

lae_status lae_state_drop_statistics(const struct lae_setup *setup, struct lae_state *state)
{
    lae_statistics_free(&state->statistics);
    lae_metrics_free(&state->metrics);
    return create_metrics(setup, state);
}

void lae_state_free(struct lae_state *state)
{
    free(state->init);
    free(state->online);
    free(state->offline);
    for (int task = 0; state->classifiers != NULL && task < state->tasks; task++)
        free(state->classifiers[task]);
    free(state->classifiers);
    for (int task = 0; state->history != NULL && task < state->tasks; task++)
        free(state->history[task]);
    free(state->history);
    free(state->merge);
    free(state->earlier_software);
    for (size_t i = 0; i < state->earlier_count; i++)
        free(state->earlier[i].config);
    free(state->earlier);
    free(state->branched_from);
    free(state->earlier_data);
    lae_statistics_free(&state->statistics);
    lae_metrics_free(&state->metrics);
    lae_adam_free(&state->pet);
    lae_adam_free(&state->classifier);
    *state = (struct lae_state){0};
}

lae_status lae_state_append_classifier(const struct lae_setup *setup, struct lae_state *state,
                                       int task)
{
    const struct lae_classifier_shape shape = lae_classifier_of(setup, task);
    size_t count = lae_classifier_size(&shape);
    float *classifier = new_vector(count);
    if (classifier == NULL) return lae_out_of_memory(count * sizeof(float), "a classifier");
    struct lae_random stream =
        lae_random_stream(setup->config->run.seed, LAE_RANDOM_HEAD, (uint32_t)task, 0, 0);
    setup->objective->init(&shape, &stream, classifier);
    free(state->classifiers[task]);
    state->classifiers[task] = classifier;
    return NULL;
}

lae_status lae_state_make_history(const struct lae_setup *setup, struct lae_state *state, int task)
{
    size_t pet = setup->pet.table.total;
    if (state->history[task] == NULL) state->history[task] = new_vector(pet);
    return state->history[task] == NULL ? lae_out_of_memory(pet * sizeof(float), "an old module")
                                        : NULL;
}

/* What the task before left in online, for merges to come; rank 0 makes them. */
static lae_status remember_online(const struct lae_setup *setup, struct lae_state *state)
{
    int last = state->finished - 1;
    bool needed = last >= 0 && lae_merge_remembers(&setup->config->merge, last);
    if (!needed || setup->dist->rank != 0) return NULL;
    LAE_TRY(lae_state_make_history(setup, state, last));
    memcpy(state->history[last], state->online, setup->pet.table.total * sizeof(float));
    return NULL;
}

lae_status lae_state_begin_task(const struct lae_setup *setup, struct lae_state *state)
{
    bool later = state->finished > 0;
    LAE_TRY(remember_online(setup, state));
    if (later && setup->config->train.start_from == LAE_START_OFFLINE)
        memcpy(state->online, state->offline, setup->pet.table.total * sizeof(float));
    LAE_TRY(lae_state_append_classifier(setup, state, state->finished));
    lae_adam_reset(&state->pet, setup->pet.table.total);
    lae_adam_reset(&state->classifier, lae_classifier_count(setup, state->finished));
    state->at = (struct lae_position){.inside = true};
    return NULL;
}

static void send_moments(const struct lae_dist *dist, struct lae_adam *adam)
{
    lae_dist_broadcast(dist, adam->m, adam->count * sizeof *adam->m);
    lae_dist_broadcast(dist, adam->v, adam->count * sizeof *adam->v);
    lae_dist_broadcast(dist, &adam->steps, sizeof adam->steps);
}

static lae_status send_classifiers(const struct lae_setup *setup, struct lae_state *state)
{
    lae_status status = NULL;
    int tasks = state->finished + (state->at.inside ? 1 : 0);
    for (int task = 0; task < tasks; task++)
        if (state->classifiers[task] == NULL)
            status = lae_status_first(status, lae_state_append_classifier(setup, state, task));
    LAE_TRY(lae_dist_agree(setup->dist, status));
    for (int task = 0; task < tasks; task++)
        lae_dist_broadcast(setup->dist, state->classifiers[task],
                           lae_classifier_count(setup, task) * sizeof(float));
    return NULL;
}

/* Rank 0 may have found that there are no statistics. */
static lae_status send_modules(const struct lae_setup *setup, struct lae_state *state)
{
    unsigned views = state->statistics.views;
    lae_status status = NULL;
    lae_dist_broadcast(setup->dist, &views, sizeof views);
    if (views != state->statistics.views) status = lae_state_drop_statistics(setup, state);
    return lae_dist_agree(setup->dist, status);
}

lae_status lae_state_send(const struct lae_setup *setup, struct lae_state *state)
{
    size_t bytes = setup->pet.table.total * sizeof(float);
    lae_dist_broadcast(setup->dist, &state->finished, sizeof state->finished);
    lae_dist_broadcast(setup->dist, &state->at, sizeof state->at);
    LAE_TRY(send_classifiers(setup, state));
    lae_dist_broadcast(setup->dist, state->init, bytes);
    lae_dist_broadcast(setup->dist, state->online, bytes);
    if (state->offline != NULL) lae_dist_broadcast(setup->dist, state->offline, bytes);
    LAE_TRY(send_modules(setup, state));
    lae_dist_broadcast(setup->dist, &state->seconds, sizeof state->seconds);
    if (state->at.inside) {
        if (setup->dist->rank != 0)
            lae_adam_reset(&state->classifier, lae_classifier_count(setup, state->finished));
        send_moments(setup->dist, &state->pet);
        send_moments(setup->dist, &state->classifier);
    }
    return NULL;
}

struct lae_merge_vectors lae_state_vectors(const struct lae_setup *setup,
                                           const struct lae_state *state)
{
    return (struct lae_merge_vectors){.table = &setup->pet.table,
                                      .init = state->init,
                                      .history = (const float *const *)state->history,
                                      .online = state->online,
                                      .offline = state->offline,
                                      .seed = setup->config->run.seed};
}

lae_status lae_state_accumulate(const struct lae_setup *setup, struct lae_state *state)
{
    struct lae_merge_vectors vectors = lae_state_vectors(setup, state);
    size_t bytes = setup->pet.table.total * sizeof(float);
    state->at.merged = true;
    if (state->offline == NULL) return NULL;
    if (state->finished == 0) {
        memcpy(vectors.offline, vectors.online, bytes);
        return NULL;
    }
    lae_status status = NULL;
    if (setup->dist->rank == 0)
        status =
            lae_merge_after_task(&setup->config->merge, &vectors, state->finished, state->merge);
    LAE_TRY(lae_dist_agree(setup->dist, status));
    lae_dist_broadcast(setup->dist, vectors.offline, bytes);
    return NULL;
}

struct lae_learned lae_state_learned(const struct lae_state *state, int task)
{
    const float *offline = state->offline != NULL && task == 0 ? state->online : state->offline;
    return (struct lae_learned){.task = task,
                                .view = {[LAE_VIEW_INIT] = state->init,
                                         [LAE_VIEW_ONLINE] = state->online,
                                         [LAE_VIEW_OFFLINE] = offline},
                                .classifiers = state->classifiers,
                                .statistics = &state->statistics};
}

lae_status lae_state_digest(const struct lae_setup *setup, const struct lae_state *state,
                            char text[65])
{
    size_t bytes = setup->pet.table.total * sizeof(float);
    size_t parts = 2 + (size_t)state->tasks, used = 0;
    char *digests = calloc(parts, LAE_DIGEST_TEXT);
    if (digests == NULL) return lae_out_of_memory(parts * LAE_DIGEST_TEXT, "a digest");
    lae_status status = lae_digest_memory(state->online, bytes, digests);
    used = LAE_DIGEST_TEXT;
    if (status == NULL && state->offline != NULL) {
        status = lae_digest_memory(state->offline, bytes, digests + used);
        used += LAE_DIGEST_TEXT;
    }
    for (int task = 0; status == NULL && task < state->tasks; task++) {
        if (state->classifiers[task] == NULL) continue;
        status =
            lae_digest_memory(state->classifiers[task],
                              lae_classifier_count(setup, task) * sizeof(float), digests + used);
        used += LAE_DIGEST_TEXT;
    }
    if (status == NULL) status = lae_digest_memory(digests, used, text);
    free(digests);
    return status;
}
