#include "lae/report/inspection.h"

#include "lae/merge/merge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tensors */

/* Sums of squares and products over the entries of one tensor, or of all. */
struct sums {
    double online, init, from_init, from_last, offline_from_init, product;
    double kept_online, kept_offline, conflict; /* entries */
    size_t count;
};

static void add_sums(struct sums *all, const struct sums *one)
{
    all->online += one->online;
    all->init += one->init;
    all->from_init += one->from_init;
    all->from_last += one->from_last;
    all->offline_from_init += one->offline_from_init;
    all->product += one->product;
    all->kept_online += one->kept_online;
    all->kept_offline += one->kept_offline;
    all->conflict += one->conflict;
    all->count += one->count;
}

/* offline and last may be NULL: what depends on them is NaN then. */
static struct sums sum_values(size_t count, const float *init, const float *online,
                              const float *offline, const float *last)
{
    struct sums s = {.count = count};
    for (size_t i = 0; i < count; i++) {
        double theta = online[i], base = init[i], moved = theta - base;
        double away = offline != NULL ? (double)offline[i] - base : NAN;
        double since = last != NULL ? theta - (double)last[i] : NAN;
        s.online += theta * theta;
        s.init += base * base;
        s.from_init += moved * moved;
        s.from_last += since * since;
        s.offline_from_init += away * away;
        s.product += moved * away;
    }
    return s;
}

static void sum_merge(const struct lae_checkpoint *checkpoint, const char *name, struct sums *s)
{
    const struct lae_merge_stats *record = lae_rows_find(&checkpoint->merge, name);
    double count = (double)s->count;
    s->kept_online = record != NULL ? count * record->kept_online : NAN;
    s->kept_offline = record != NULL ? count * record->kept_offline : NAN;
    s->conflict = record != NULL ? count * record->conflict : NAN;
}

static double ratio(double part, double whole)
{
    return whole > 0.0 ? part / whole : NAN;
}

static struct lae_tensor_facts facts_of(const struct sums *s, const char *name, int rank,
                                        const size_t *shape)
{
    double count = (double)s->count;
    return (struct lae_tensor_facts){
        .name = name,
        .rank = rank,
        .shape = shape,
        .count = s->count,
        .norm = sqrt(s->online),
        .from_init = sqrt(s->from_init),
        .relative = ratio(sqrt(s->from_init), sqrt(s->init)),
        .from_last = sqrt(s->from_last),
        .cosine = ratio(s->product, sqrt(s->from_init) * sqrt(s->offline_from_init)),
        .kept_online = ratio(s->kept_online, count),
        .kept_offline = ratio(s->kept_offline, count),
        .conflict = ratio(s->conflict, count),
    };
}

/* The values of tensor `like` in a set; NULL where `set` is NULL. */
static lae_status find_values(const struct lae_set *set, const struct lae_named *like,
                              const char *what, const float **values)
{
    *values = NULL;
    if (set == NULL) return NULL;
    const struct lae_named *item = lae_set_find(set, like->name);
    if (item == NULL || item->count != like->count)
        return lae_bad_input("%s: tensor %s is missing or of another size than in /online", what,
                             like->name);
    *values = item->data;
    return NULL;
}

static lae_status measure_tensor(const struct lae_checkpoint *checkpoint,
                                 const struct lae_checkpoint *before, const struct lae_named *item,
                                 struct sums *sums)
{
    const struct lae_set *offline = checkpoint->offline.count > 0 ? &checkpoint->offline : NULL;
    const float *init, *away, *last;
    LAE_TRY(find_values(&checkpoint->init, item, "/init", &init));
    LAE_TRY(find_values(offline, item, "/offline", &away));
    LAE_TRY(find_values(before != NULL ? &before->online : NULL, item, "/online before", &last));
    *sums = sum_values(item->count, init, item->data, away, last);
    sum_merge(checkpoint, item->name, sums);
    return NULL;
}

lae_status lae_inspection_measure(struct lae_inspection *inspection,
                                  const struct lae_checkpoint *checkpoint,
                                  const struct lae_checkpoint *before)
{
    const struct lae_set *online = &checkpoint->online;
    struct sums all = {0};
    inspection->checkpoint = checkpoint;
    inspection->tensors = calloc(online->count + 1, sizeof *inspection->tensors);
    if (inspection->tensors == NULL) return lae_out_of_memory(online->count * 128, "an inspection");
    for (size_t i = 0; i < online->count; i++) {
        const struct lae_named *item = &online->items[i];
        struct sums sums;
        LAE_TRY(measure_tensor(checkpoint, before, item, &sums));
        add_sums(&all, &sums);
        inspection->tensors[i] = facts_of(&sums, item->name, item->rank, item->shape);
    }
    inspection->tensor_count = online->count;
    if (online->count == 0) return NULL;
    struct lae_tensor_facts *last = &inspection->tensors[inspection->tensor_count++];
    *last = facts_of(&all, "all", 1, NULL);
    last->shape = &last->count;
    return NULL;
}

/* ---- tasks of a run */

static double share_opposite(const float *a, const float *b, size_t count)
{
    size_t both = 0, opposite = 0;
    for (size_t i = 0; i < count; i++) {
        if (a[i] == 0.0F || b[i] == 0.0F) continue;
        both++;
        opposite += (a[i] < 0.0F) != (b[i] < 0.0F);
    }
    return ratio((double)opposite, (double)both);
}

lae_status lae_inspection_compare_tasks(struct lae_inspection *inspection, float *const *changes,
                                        int tasks, size_t count)
{
    size_t n = (size_t)tasks;
    inspection->opposite = malloc(n * n * sizeof *inspection->opposite);
    if (inspection->opposite == NULL)
        return lae_out_of_memory(n * n * sizeof *inspection->opposite, "an inspection");
    inspection->tasks = tasks;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            bool known = i != j && changes[i] != NULL && changes[j] != NULL;
            inspection->opposite[i * n + j] =
                known ? share_opposite(changes[i], changes[j], count) : NAN;
        }
    return NULL;
}

void lae_inspection_free(struct lae_inspection *inspection)
{
    free(inspection->tensors);
    free(inspection->opposite);
    lae_differences_free(&inspection->differences);
    *inspection = (struct lae_inspection){0};
}

/* ---- the configuration */

lae_status lae_inspection_config(const char *config, struct lae_config_differences *keys)
{
    struct lae_config plain;
    char *defaults = NULL;
    *keys = (struct lae_config_differences){0};
    LAE_TRY(lae_config_defaults(&plain, NULL));
    lae_status status = lae_config_print_result(&plain, &defaults);
    lae_config_free(&plain);
    if (status == NULL)
        status = lae_config_differences("the defaults", defaults, "/config", config, keys);
    free(defaults);
    return status;
}

/* ---- class statistics */

struct lae_statistics_facts lae_statistics_facts_of(const struct lae_kept_stats *stats)
{
    struct lae_statistics_facts facts = {0};
    for (size_t c = 0; c < stats->stats.classes; c++) {
        facts.images += stats->stats.count[c];
        facts.classes += stats->stats.count[c] != 0;
    }
    return facts;
}

/* ---- backbones */

struct lae_backbone_facts lae_backbone_facts_of(const struct lae_weights *weights)
{
    const struct lae_set *set = &weights->tensors;
    struct lae_backbone_facts facts = {0};
    for (size_t i = 0; i < set->count; i++) {
        const struct lae_named *item = &set->items[i];
        size_t block;
        if (sscanf(item->name, "blocks/%zu/", &block) == 1 && block >= facts.depth)
            facts.depth = block + 1;
        facts.parameters += item->count;
    }
    /* A weight file is not read but with all of these. */
    const struct lae_named *patch = lae_set_find(set, "patch_embed/proj/weight");
    const struct lae_named *positions = lae_set_find(set, "pos_embed");
    const struct lae_named *fc1 = lae_set_find(set, "blocks/0/mlp/fc1/weight");
    if (patch == NULL || positions == NULL || fc1 == NULL) return facts;
    facts.width = patch->shape[0];
    facts.patch = patch->shape[3];
    facts.hidden = fc1->shape[0];
    const struct lae_named *distillation = lae_set_find(set, "dist_token");
    const struct lae_named *registers = lae_set_find(set, "reg_token");
    facts.prefix_rows = 1 + (distillation != NULL ? distillation->shape[1] : 0) +
                        (registers != NULL ? registers->shape[1] : 0);
    double patches = (double)(positions->shape[1] - facts.prefix_rows);
    facts.image = facts.patch * (size_t)llround(sqrt(patches));
    return facts;
}

/* ---- classes */

const char *lae_inspection_class_name(const struct lae_checkpoint *checkpoint, int output,
                                      int *length)
{
    const char *name = checkpoint->class_names;
    for (int label = 0; name != NULL && label < checkpoint->class_order[output]; label++)
        name = strchr(name, '\n') + 1; /* there is a line for each label */
    if (name != NULL) *length = (int)strcspn(name, "\n");
    return name;
}
