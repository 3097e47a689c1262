#include "lae/learn/export.h"

#include "lae/config/scorers.h"
#include "lae/heads/lift.h"
#include "lae/learn/scoring.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* While heads are made of one checkpoint. */
struct exporting {
    const struct lae_config *config;
    const struct lae_checkpoint *checkpoint;
    float *start; /* [C, D], then [C]: the tasks' own classifiers; 0 for classes to come */
    struct lae_lift lift;
    struct lae_set *set;
};

static const struct lae_kept_stats *find_stats(const struct exporting *e,
                                               const struct lae_scorer *scorer)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s", lae_view_name(scorer->view),
             scorer->method->lifted ? "/ridge" : "");
    for (size_t i = 0; i < e->checkpoint->stats_count; i++)
        if (strcmp(e->checkpoint->stats[i].name, name) == 0) return &e->checkpoint->stats[i];
    return NULL;
}

/* The features' width, which the classifiers have. */
static size_t feature_width(const struct lae_checkpoint *checkpoint)
{
    const struct lae_named *first = lae_set_find(&checkpoint->head, "task_00/weight");
    return first != NULL && first->rank == 2 ? first->shape[1] : 0;
}

static lae_status join_classifiers(struct exporting *e)
{
    const struct lae_checkpoint *c = e->checkpoint;
    size_t d = feature_width(c), first = 0;
    e->start = calloc(c->classes * (d + 1) + 1, sizeof *e->start);
    if (e->start == NULL) return lae_out_of_memory(c->classes * d * 4, "the tasks' classifiers");
    for (int task = 0; task <= c->task; task++) {
        char name[32];
        snprintf(name, sizeof name, "task_%02d/weight", task);
        const struct lae_named *weight = lae_set_find(&c->head, name);
        snprintf(name, sizeof name, "task_%02d/bias", task);
        const struct lae_named *bias = lae_set_find(&c->head, name);
        if (weight == NULL || bias == NULL || weight->count != bias->count * d ||
            first + bias->count > c->classes)
            return lae_bad_input("/head/task_%02d does not fit the other tasks'", task);
        memcpy(e->start + first * d, weight->data, weight->count * sizeof(float));
        memcpy(e->start + c->classes * d + first, bias->data, bias->count * sizeof(float));
        first += bias->count;
    }
    return NULL;
}

static lae_status add_rows(struct exporting *e, const char *head, const char *part, int rank,
                           size_t width, const float *values)
{
    char name[64];
    struct lae_named *item;
    size_t shape[2] = {(size_t)e->checkpoint->classes_seen, width};
    snprintf(name, sizeof name, "heads/%s/%s", head, part);
    LAE_TRY(lae_set_add(e->set, name, rank, shape, &item));
    memcpy(item->data, values, item->count * sizeof *item->data);
    return NULL;
}

static lae_status fit(struct exporting *e, const struct lae_scorer *scorer,
                      const struct lae_kept_stats *stored, struct lae_head *head)
{
    struct lae_head_options options =
        lae_scoring_options(e->config, scorer, e->checkpoint->task, stored->lambda);
    options.align.weight = e->start;
    options.align.bias = e->start + e->checkpoint->classes * feature_width(e->checkpoint);
    return lae_head_fit(&options, &stored->stats, scorer->method->lifted ? &e->lift : NULL, head);
}

/* P, for the first head that wants it. */
static lae_status need_lift(struct exporting *e, size_t width)
{
    struct lae_named *item;
    if (e->lift.weight != NULL) return NULL;
    LAE_TRY(lae_lift_create(e->config->run.seed, feature_width(e->checkpoint), width, &e->lift));
    const size_t shape[2] = {e->lift.out, e->lift.in};
    LAE_TRY(lae_set_add(e->set, "heads/random/weight", 2, shape, &item));
    memcpy(item->data, e->lift.weight, item->count * sizeof *item->data);
    return NULL;
}

static lae_status add_head(struct exporting *e, const struct lae_scorer *scorer)
{
    const struct lae_kept_stats *stats = find_stats(e, scorer);
    struct lae_head head;
    if (stats == NULL) return NULL;
    if (scorer->method->lifted) LAE_TRY(need_lift(e, stats->stats.width));
    if (!scorer->method->lifted && stats->stats.width != feature_width(e->checkpoint))
        return lae_bad_input("/stats/%s is not of the classifiers' width", stats->name);
    LAE_TRY(fit(e, scorer, stats, &head));
    lae_status status = add_rows(e, scorer->name, "weight", 2, head.width, head.weight);
    if (status == NULL) status = add_rows(e, scorer->name, "bias", 1, 0, head.bias);
    lae_head_free(&head);
    return status;
}

lae_status lae_export_heads(const struct lae_config *config,
                            const struct lae_checkpoint *checkpoint, struct lae_set *set)
{
    const unsigned all = (1U << LAE_VIEWS) - 1;
    struct lae_scorers scorers = lae_scorers_of(config->eval.heads, false, all, all);
    struct exporting e = {.config = config, .checkpoint = checkpoint, .set = set};
    lae_status status = join_classifiers(&e);
    for (int i = 0; i < scorers.count && status == NULL; i++)
        if (scorers.items[i].method != NULL) status = add_head(&e, &scorers.items[i]);
    lae_lift_free(&e.lift);
    free(e.start);
    return status;
}
