/* From a checkpoint to a setup and a state.
 *
 *     rank 0:  file -> /config + KEY=VALUE -> the weights of then? -> all ranks: setup
 *              -> are these the images, is this the software of then? -> the state -> all ranks
 *
 * The weights are looked at before anything is made of them: another backbone may have other
 * shapes, and what failed then would not say why.
 */
#include "lae/run/restored.h"

#include "lae/files/digest.h"
#include "lae/files/map.h"
#include "lae/run/task_files.h"
#include "snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the configuration */

#define HEADS_KEY "eval.heads="

static bool may_be_set(const char *setting)
{
    static const char *const free_keys[] = {"data.path=", "model.weights=", HEADS_KEY, "heads.",
                                            "compute."};
    for (size_t i = 0; i < sizeof free_keys / sizeof free_keys[0]; i++)
        if (strncmp(setting, free_keys[i], strlen(free_keys[i])) == 0) return true;
    return false;
}

static lae_status set(struct lae_config *config, const char *setting)
{
    LAE_TRY(lae_config_set(config, setting)); /* first, as it knows what is no key at all */
    if (may_be_set(setting)) return NULL;
    return lae_bad_input("command line: %.*s cannot be set: the checkpoint is used as it was "
                         "learned; only " LAE_RESTORED_KEYS " may be given",
                         (int)strcspn(setting, "="), setting);
}

/* A path of /provenance as a new string; NULL: it is not there. */
static lae_status take_path(const struct lae_checkpoint *checkpoint, const char *name, char **path)
{
    const struct lae_fact *fact = lae_snapshot_fact(checkpoint, name);
    *path = NULL;
    if (fact == NULL || fact->text == NULL) return NULL;
    *path = strdup(fact->text);
    return *path == NULL ? lae_out_of_memory(strlen(fact->text), "a path") : NULL;
}

static lae_status take_paths(const struct lae_checkpoint *checkpoint, struct lae_config *config)
{
    char *data = NULL;
    LAE_TRY(take_path(checkpoint, "weights_path", &config->model.weights));
    if (config->data.dataset == LAE_DATASET_SYNTHETIC) return NULL;
    LAE_TRY(take_path(checkpoint, "data_path", &data));
    config->data.path = data;
    return NULL;
}

static lae_status configure(const char *path, const struct lae_checkpoint *checkpoint,
                            char *const *settings, int count, struct lae_log *log,
                            struct lae_config *config)
{
    LAE_TRY(lae_config_defaults(config, NULL));
    char *name = lae_path_join(path, "/config"); /* as a message names it */
    if (name == NULL) return lae_out_of_memory(strlen(path), "a path");
    lae_status status =
        lae_config_load_text(config, name, checkpoint->config, strlen(checkpoint->config));
    free(name);
    if (status == NULL) status = take_paths(checkpoint, config);
    for (int i = 0; i < count && status == NULL; i++)
        status = set(config, settings[i]);
    return status == NULL ? lae_config_validate(config, log) : status;
}

/* ---- what it was learned with, and what is there now */

static bool differs(const struct lae_fact *then, const char *now)
{
    return then != NULL && then->text != NULL && strcmp(then->text, now) != 0;
}

static lae_status check_weights(const char *path, const struct lae_checkpoint *checkpoint,
                                const struct lae_config *config)
{
    char now[LAE_DIGEST_TEXT];
    const struct lae_fact *then = lae_snapshot_fact(checkpoint, "weights_digest");
    LAE_TRY(lae_status_prefix(lae_digest_file(config->model.weights, 0, now),
                              "model.weights, where %s was learned or as given", path));
    if (!differs(then, now)) return NULL;
    return lae_bad_input("model.weights: %s is another file than that which %s was learned with "
                         "(SHA-256 %.12s... there, %.12s... now)",
                         config->model.weights, path, then->text, now);
}

/* Notes for `asked` that KEY is VALUE here, OTHER there. */
static lae_status note_asked(struct lae_restored *restored, const char *key, const char *here,
                             const char *there)
{
    const char *before = restored->asked != NULL ? restored->asked : "";
    size_t size = strlen(before) + strlen(key) + strlen(here) + strlen(there) + 32;
    char *text = malloc(size);
    if (text == NULL) return lae_out_of_memory(size, "a message");
    snprintf(text, size, "%s%s%s %s (%s in the file)", before, before[0] != '\0' ? ", " : "", key,
             here, there);
    free(restored->asked);
    restored->asked = text;
    return NULL;
}

/* The keys of heads.* that were given other values than those the file's numbers were made with. */
static lae_status find_asked(struct lae_restored *restored, const struct lae_checkpoint *checkpoint)
{
    struct lae_config_differences keys = {0};
    char *now = NULL;
    LAE_TRY(lae_config_print_result(&restored->config, &now));
    lae_status status = lae_config_differences("/config", checkpoint->config, "now", now, &keys);
    for (size_t i = 0; i < keys.count && status == NULL; i++)
        if (strncmp(keys.items[i].key, "heads.", 6) == 0)
            status = note_asked(restored, keys.items[i].key, keys.items[i].b, keys.items[i].a);
    lae_config_differences_free(&keys);
    free(now);
    return status;
}

/* Other images are a legal question to ask a model, and other software seldom matters. */
static void warn_of_others(struct lae_restored *restored, const struct lae_checkpoint *checkpoint)
{
    const struct lae_setup *setup = &restored->setup;
    const struct lae_fact *data = lae_snapshot_fact(checkpoint, "data_digest");
    const struct lae_fact *software = lae_snapshot_fact(checkpoint, "fingerprint");
    restored->other_images = !setup->dataset.unlabelled && differs(data, setup->data_digest);
    if (restored->other_images)
        lae_log_warn(setup->log,
                     "data.path has other images than %s was learned with (SHA-256 %.12s... there, "
                     "%.12s... now)",
                     restored->path, data->text, setup->data_digest);
    if (differs(software, setup->fingerprint))
        lae_log_warn(setup->log,
                     "%s was learned with other software or another kind of processor; the same "
                     "bits are not promised\n  then: %s\n  now:  %s",
                     restored->path, software->text, setup->fingerprint);
}

/* ---- all of it */

/* Rank 0's part, before there is a setup. */
static lae_status read_place(const char *place, char *const *settings, int count,
                             struct lae_log *log, struct lae_restored *restored,
                             struct lae_checkpoint *checkpoint)
{
    LAE_TRY(lae_checkpoint_find(place, log, &restored->path, checkpoint));
    const char *path = restored->path;
    if (checkpoint->position != NULL)
        return lae_bad_input("%s: is a state inside task %d, which is not evaluated before it is "
                             "finished; give the file of a task, or the run's directory",
                             path, checkpoint->task);
    LAE_TRY(configure(path, checkpoint, settings, count, log, &restored->config));
    LAE_TRY(check_weights(path, checkpoint, &restored->config));
    LAE_TRY(find_asked(restored, checkpoint));
    return lae_digest_file(path, 0, restored->digest);
}

/* Heads that were asked for by name need statistics. */
static lae_status check_heads(const struct lae_restored *restored, char *const *settings, int count)
{
    bool linear = restored->config.eval.heads == LAE_LINEAR_HEADS;
    for (int i = 0; i < count && !linear && restored->state.statistics.views == 0; i++)
        if (strncmp(settings[i], HEADS_KEY, strlen(HEADS_KEY)) == 0)
            return lae_bad_input("%s: heads other than linear are made from class statistics, and "
                                 "%s has no /stats (stats.modules was none, or an older version "
                                 "wrote it)",
                                 settings[i], restored->path);
    return NULL;
}

/* What is to be opened, and how. */
struct opening {
    const char *place;
    const char *pictures; /* NULL: the images that it was learned with */
    bool alone;           /* without any image */
    bool bare;            /* without class statistics, and so without heads made from them */
    char *const *settings;
    int count; /* of settings */
};

/* [collective] */
static lae_status open_state(struct lae_restored *restored, const struct lae_checkpoint *checkpoint,
                             const struct opening *how)
{
    const struct lae_setup *setup = &restored->setup;
    lae_status status = lae_state_create(setup, &restored->state);
    if (status == NULL && how->bare) status = lae_state_drop_statistics(setup, &restored->state);
    LAE_TRY(lae_dist_agree(setup->dist, status));
    if (setup->dist->rank == 0) {
        warn_of_others(restored, checkpoint);
        status = lae_status_prefix(lae_snapshot_restore(setup, checkpoint, &restored->state), "%s",
                                   restored->path);
        if (status == NULL && !how->bare) status = check_heads(restored, how->settings, how->count);
    }
    LAE_TRY(lae_dist_agree(setup->dist, status));
    return lae_state_send(setup, &restored->state);
}

/* How many labels the data had at least, of which a run may have learned some. */
static int labels_of(const struct lae_checkpoint *checkpoint)
{
    int labels = 0;
    for (size_t i = 0; i < checkpoint->classes; i++)
        if (checkpoint->class_order[i] >= labels) labels = checkpoint->class_order[i] + 1;
    return labels;
}

/* [collective] */
static lae_status open_setup(struct lae_restored *restored, const struct lae_checkpoint *checkpoint,
                             const struct opening *how, struct lae_log *log)
{
    const struct lae_dist *dist = restored->dist;
    const struct lae_config *config = &restored->config;
    int labels = labels_of(checkpoint);
    if (how->alone) {
        lae_dist_broadcast(dist, &labels, sizeof labels);
        return lae_setup_open_alone(config, labels, dist, log, &restored->setup);
    }
    if (how->pictures != NULL)
        return lae_setup_open_pictures(config, how->pictures, labels, dist, log, &restored->setup);
    return lae_setup_open(config, dist, log, &restored->setup);
}

/* [collective] */
static lae_status open_all(struct lae_restored *restored, const struct lae_checkpoint *checkpoint,
                           const struct opening *how, struct lae_log *log)
{
    const struct lae_dist *dist = restored->dist;
    LAE_TRY(lae_setup_share_config(dist, &restored->config));
    LAE_TRY(lae_watchdog_start(dist, restored->config.compute.watchdog_seconds, log,
                               &restored->watchdog));
    restored->begun = true;
    LAE_TRY(open_setup(restored, checkpoint, how, log));
    return open_state(restored, checkpoint, how);
}

static lae_status open_place(const struct opening *how, const struct lae_dist *dist,
                             struct lae_log *log, struct lae_restored *restored)
{
    struct lae_checkpoint checkpoint = {0};
    *restored = (struct lae_restored){.dist = dist};
    lae_status status = NULL;
    if (dist->rank == 0)
        status = read_place(how->place, how->settings, how->count, log, restored, &checkpoint);
    status = lae_dist_agree(dist, status);
    if (status == NULL) status = open_all(restored, &checkpoint, how, log);
    restored->class_names = checkpoint.class_names;
    checkpoint.class_names = NULL;
    lae_checkpoint_free(&checkpoint);
    return status;
}

lae_status lae_restored_open(const char *place, char *const *settings, int count,
                             const struct lae_dist *dist, struct lae_log *log,
                             struct lae_restored *restored)
{
    struct opening how = {.place = place, .settings = settings, .count = count};
    return open_place(&how, dist, log, restored);
}

lae_status lae_restored_open_bare(const char *place, char *const *settings, int count,
                                  const struct lae_dist *dist, struct lae_log *log,
                                  struct lae_restored *restored)
{
    struct opening how = {.place = place, .bare = true, .settings = settings, .count = count};
    return open_place(&how, dist, log, restored);
}

lae_status lae_restored_open_pictures(const char *place, const char *pictures,
                                      char *const *settings, int count, const struct lae_dist *dist,
                                      struct lae_log *log, struct lae_restored *restored)
{
    struct opening how = {
        .place = place, .pictures = pictures, .settings = settings, .count = count};
    return open_place(&how, dist, log, restored);
}

lae_status lae_restored_open_alone(const char *place, char *const *settings, int count,
                                   const struct lae_dist *dist, struct lae_log *log,
                                   struct lae_restored *restored)
{
    struct opening how = {.place = place, .alone = true, .settings = settings, .count = count};
    return open_place(&how, dist, log, restored);
}

/* The lines of `text` are ended by zeros from now on. */
static void take_names(char *text, const struct lae_sequence *sequence, const char **names)
{
    for (int label = 0; label < sequence->labels; label++) {
        char *end = strchr(text, '\n');
        int output = sequence->output_index[label];
        if (output >= 0) names[output] = text;
        *end = '\0';
        text = end + 1;
    }
}

lae_status lae_restored_name_classes(struct lae_restored *restored, const char ***names)
{
    const struct lae_sequence *sequence = &restored->setup.sequence;
    const char *known = restored->class_names != NULL ? restored->class_names : "";
    char *text;
    *names = NULL;
    LAE_TRY(lae_dist_broadcast_text(restored->dist, known, &text));
    free(restored->class_names);
    restored->class_names = text;
    if (text[0] != '\0') *names = calloc((size_t)sequence->classes, sizeof **names);
    bool none = text[0] != '\0' && *names == NULL;
    LAE_TRY(lae_dist_agree(restored->dist, none ? lae_out_of_memory(1, "classes' names") : NULL));
    if (*names != NULL) take_names(text, sequence, *names);
    return NULL;
}

void lae_restored_close(struct lae_restored *restored)
{
    lae_state_free(&restored->state);
    if (restored->begun) lae_setup_close(&restored->setup);
    lae_watchdog_stop(restored->dist, restored->watchdog);
    lae_config_free(&restored->config);
    free(restored->path);
    free(restored->asked);
    free(restored->class_names);
    *restored = (struct lae_restored){0};
}

lae_status lae_restored_settle(const struct lae_restored *restored, lae_status status)
{
    if (lae_status_code(status) != LAE_STOPPED) return status;
    if (lae_dist_is_broken(restored->dist)) lae_dist_leave(restored->dist, LAE_STOPPED);
    lae_team_drain(restored->setup.team);
    lae_status_free(status);
    return lae_status_new(LAE_STOPPED, "stopped on request; nothing was written: the same command "
                                       "begins again");
}
