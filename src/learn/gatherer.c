/* Part by part: first the threads compute features, an image at a time; then they share the sums,
 * each thread adding all images of the part to some of their rows, so that a rank has the sums once
 * and not once a thread.
 *
 * Ridge's strength is chosen by images that are set aside. Statistics without them are those of the
 * earlier tasks, all of whose images count, and of the rest of this task's:
 *
 *     random features   earlier + the others  ->  a head for each strength  ->  the least error on
 *                       those set aside, which then join
 */
#include "lae/learn/gatherer.h"

#include "lae/base/arena.h"
#include "lae/learn/evaluator.h"
#include "lae/sweep/sweep.h"

#include <stdlib.h>
#include <string.h>

#define PART 64 /* images a worker */

/* Which images of the part a sum takes: all, those not set aside, those set aside. */
enum share { ALL, OTHERS, ASIDE, SHARES };

/* One of the sums that are gathered. */
struct sum {
    int view;
    enum share share;
    bool random; /* of random features */
    struct lae_sums sums;
};

struct lae_gatherer {
    const struct lae_setup *setup;
    struct lae_workers *workers;
    unsigned views, ridge;
    size_t width;               /* M */
    size_t part;                /* images at a time */
    float *features[LAE_VIEWS]; /* [part, D] */
    float *random[LAE_VIEWS];   /* [part, M] */
    int *classes[SHARES];       /* [part] within the task, or LAE_NO_CLASS */
    struct sum sums[3 * LAE_VIEWS];
    int sum_count;
    /* Of the pass at hand: */
    struct lae_scoring scoring; /* which views; no scorers */
    const struct lae_lift *lift;
    struct lae_sweep sweep;
    bool *aside; /* [images of the task] */
    size_t here; /* images of the part at hand */
};

static bool chooses(const struct lae_setup *setup)
{
    return lae_ridge_chooses(&setup->config->heads.ridge);
}

/* ---- one part ---- */

static void compute_features(void *context, int number, size_t item)
{
    struct lae_gatherer *g = context;
    const struct lae_setup *setup = g->setup;
    struct lae_worker *worker = &g->workers->items[number];
    int task = g->scoring.learned.task;
    size_t d = setup->backbone->feature, width = g->width, at = item % g->part;
    size_t position = lae_dist_position(setup->dist, item);
    uint32_t image = setup->sequence.images[LAE_TRAIN][task].index[position];
    for (int share = 0; share < SHARES; share++)
        g->classes[share][at] = LAE_NO_CLASS;
    if (!lae_scoring_features(&g->scoring, worker, LAE_TRAIN, image, 0, NULL)) return;
    for (size_t m = 0; m < LAE_VIEWS; m++) {
        const float *feature = worker->features + m * d;
        if (g->features[m] != NULL) memcpy(g->features[m] + at * d, feature, d * sizeof *feature);
        if (g->random[m] != NULL)
            lae_lift_apply(g->lift, feature, 0, width, g->random[m] + at * width);
    }
    int label = lae_dataset_label(&setup->dataset, LAE_TRAIN, image);
    int class = setup->sequence.output_index[label] - setup->sequence.first_class[task];
    g->classes[ALL][at] = class;
    g->classes[g->aside[position] ? ASIDE : OTHERS][at] = class;
}

static const float *values_of(const struct lae_gatherer *g, const struct sum *sum)
{
    return sum->random ? g->random[sum->view] : g->features[sum->view];
}

static size_t count_blocks(const struct lae_gatherer *g)
{
    size_t blocks = 0;
    for (int i = 0; i < g->sum_count; i++)
        blocks += lae_sums_blocks(&g->sums[i].sums);
    return blocks;
}

/* Block number `item` of all sums' blocks one after the other. */
static void add_block(void *context, int number, size_t item)
{
    (void)number;
    struct lae_gatherer *g = context;
    struct sum *sum = g->sums;
    for (; item >= lae_sums_blocks(&sum->sums); sum++)
        item -= lae_sums_blocks(&sum->sums);
    lae_sums_add_block(&sum->sums, values_of(g, sum), g->classes[sum->share], g->here, item);
}

/* False when interrupted. */
static bool add_part(void *context, size_t first, size_t count)
{
    (void)first;
    struct lae_gatherer *g = context;
    g->here = count;
    for (int i = 0; i < g->sum_count; i++) {
        struct sum *sum = &g->sums[i];
        lae_sums_admit(&sum->sums, values_of(g, sum), g->classes[sum->share], g->here);
    }
    return lae_sweep_also(&g->sweep, count_blocks(g), add_block);
}

/* ---- from sums to statistics, at rank 0 ---- */

/* random [M] knows all images but those in `aside`, which join it when they have chosen. */
static lae_status choose_strength(const struct lae_gatherer *g, const struct lae_stats *aside,
                                  struct lae_stats *random, double *lambda)
{
    struct lae_stats joined;
    LAE_TRY(lae_ridge_choose(&g->setup->config->heads.ridge, random, aside, g->lift, lambda));
    LAE_TRY(lae_stats_join(random, aside, &joined));
    lae_stats_free(random);
    *random = joined;
    return NULL;
}

/* Takes in one sum. Those set aside follow the others of their view. */
static lae_status take(const struct lae_gatherer *g, const struct sum *sum,
                       struct lae_statistics *statistics)
{
    size_t first = (size_t)g->setup->sequence.first_class[g->scoring.learned.task];
    struct lae_stats *stats =
        sum->random ? &statistics->random[sum->view] : &statistics->features[sum->view];
    double *lambda = &statistics->lambda[sum->view];
    if (sum->random && sum->share == ALL) *lambda = g->setup->config->heads.ridge.strengths[0];
    if (sum->share != ASIDE) return lae_stats_take(stats, first, &sum->sums);
    struct lae_stats aside;
    LAE_TRY(lae_stats_create(stats->classes, stats->width, &aside));
    lae_status status = lae_stats_take(&aside, first, &sum->sums);
    if (status == NULL) status = choose_strength(g, &aside, stats, lambda);
    lae_stats_free(&aside);
    return status;
}

/* ---- what is gathered ---- */

static size_t part_of(int workers)
{
    return PART * (size_t)workers;
}

static void add_sum(struct lae_gatherer *g, int view, bool random, enum share share)
{
    g->sums[g->sum_count++] = (struct sum){.view = view, .share = share, .random = random};
}

static void plan_sums(struct lae_gatherer *g)
{
    for (int m = 0; m < LAE_VIEWS; m++) {
        bool ridge = (g->ridge >> m & 1) != 0, choice = chooses(g->setup);
        if ((g->views >> m & 1) != 0) add_sum(g, m, false, ALL);
        if (ridge) add_sum(g, m, true, choice ? OTHERS : ALL);
        if (ridge && choice) add_sum(g, m, true, ASIDE);
    }
}

static lae_status allocate(struct lae_gatherer *g)
{
    size_t d = g->setup->backbone->feature, width = g->width;
    bool complete = true;
    for (int share = 0; share < SHARES; share++) {
        g->classes[share] = calloc(g->part, sizeof *g->classes[share]);
        complete = complete && g->classes[share] != NULL;
    }
    for (int m = 0; m < LAE_VIEWS; m++) {
        bool features = (g->views >> m & 1) != 0, random = (g->ridge >> m & 1) != 0;
        if (features) g->features[m] = lae_aligned_calloc(g->part * d, sizeof(float));
        if (random) g->random[m] = lae_aligned_calloc(g->part * width, sizeof(float));
        complete =
            complete && (g->features[m] != NULL) == features && (g->random[m] != NULL) == random;
    }
    return complete ? NULL
                    : lae_out_of_memory(g->part * (d + width) * sizeof(float), "a part's features");
}

static void release(struct lae_gatherer *g)
{
    for (int m = 0; m < LAE_VIEWS; m++) {
        free(g->features[m]);
        free(g->random[m]);
        g->features[m] = g->random[m] = NULL;
    }
    for (int share = 0; share < SHARES; share++) {
        free(g->classes[share]);
        g->classes[share] = NULL;
    }
    for (int i = 0; i < g->sum_count; i++)
        lae_sums_free(&g->sums[i].sums);
    g->sum_count = 0;
}

/* For statistics of that plan. */
static lae_status prepare(struct lae_gatherer *g, const struct lae_statistics *plan)
{
    release(g);
    g->views = plan->views;
    g->ridge = plan->ridge;
    plan_sums(g);
    return allocate(g);
}

/* ---- the pass ---- */

static lae_status begin(struct lae_gatherer *g, const struct lae_learned *learned,
                        const struct lae_statistics *statistics)
{
    if (g->views != statistics->views || g->ridge != statistics->ridge)
        LAE_TRY(prepare(g, statistics));
    g->lift = &statistics->lift;
    const struct lae_setup *setup = g->setup;
    size_t images = setup->sequence.images[LAE_TRAIN][learned->task].count;
    g->scoring = (struct lae_scoring){.setup = setup, .learned = *learned};
    free(g->aside);
    g->aside = calloc(images, sizeof *g->aside);
    if (g->aside == NULL) return lae_out_of_memory(images, "images set aside");
    if (g->ridge != 0 && chooses(setup))
        LAE_TRY(lae_sequence_set_aside(&setup->sequence, &setup->dataset, learned->task,
                                       setup->config->heads.ridge.held_out, g->aside));
    for (int i = 0; i < g->sum_count; i++) {
        struct sum *sum = &g->sums[i];
        struct lae_sums_shape shape = {.classes = lae_task_classes(setup, learned->task),
                                       .width = sum->random ? g->width : setup->backbone->feature,
                                       .images = (int64_t)images,
                                       .range = sum->random ? LAE_RANGE_LIFTED : LAE_RANGE_FEATURE};
        g->scoring.needs[sum->view] = true;
        lae_sums_free(&sum->sums);
        LAE_TRY(lae_sums_create(&shape, &sum->sums));
    }
    return NULL;
}

/* The ranks' sums become statistics. [collective] */
static lae_status finish(struct lae_gatherer *g, struct lae_statistics *statistics)
{
    const struct lae_setup *setup = g->setup;
    LAE_TRY(lae_workers_agree(setup, g->workers));
    for (int i = 0; i < g->sum_count; i++) {
        struct lae_sums *sums = &g->sums[i].sums;
        lae_dist_sum(setup->dist, sums->words, sums->word_count);
        LAE_TRY(lae_status_prefix(lae_sums_check(sums), "task %d, view %s",
                                  g->scoring.learned.task + 1,
                                  lae_view_name((size_t)g->sums[i].view)));
    }
    lae_status status = NULL;
    for (int i = 0; i < g->sum_count && status == NULL && setup->dist->rank == 0; i++)
        status = take(g, &g->sums[i], statistics);
    return lae_dist_agree(setup->dist, status);
}

lae_status lae_gather(struct lae_gatherer *g, const struct lae_learned *learned,
                      struct lae_statistics *statistics, lae_sweep_progress *progress,
                      void *context)
{
    if (statistics->views == 0) return NULL;
    const struct lae_setup *setup = g->setup;
    LAE_TRY(lae_dist_agree(setup->dist, begin(g, learned, statistics)));
    g->sweep = (struct lae_sweep){.dist = setup->dist,
                                  .team = setup->team,
                                  .heeds = LAE_REQUEST_STEP,
                                  .work = compute_features,
                                  .context = g,
                                  .part = g->part,
                                  .after_part = add_part,
                                  .progress = progress,
                                  .progress_context = context};
    size_t mine =
        lae_dist_share(setup->dist, setup->sequence.images[LAE_TRAIN][learned->task].count);
    enum lae_request request;
    if (!lae_sweep_run(&g->sweep, mine, &request)) return lae_stopped();
    return finish(g, statistics);
}

/* ---- its life ---- */

lae_status lae_gatherer_create(const struct lae_setup *setup, struct lae_workers *workers,
                               struct lae_gatherer **gatherer)
{
    struct lae_gatherer *g = *gatherer = calloc(1, sizeof *g);
    struct lae_statistics plan = lae_statistics_plan(setup->config);
    if (g == NULL) return lae_out_of_memory(sizeof *g, "class statistics");
    *g = (struct lae_gatherer){.setup = setup,
                               .workers = workers,
                               .width = (size_t)setup->config->heads.ridge.features,
                               .part = part_of(workers->count)};
    return prepare(g, &plan);
}

void lae_gatherer_free(struct lae_gatherer *gatherer)
{
    if (gatherer == NULL) return;
    release(gatherer);
    free(gatherer->aside);
    free(gatherer);
}

size_t lae_gatherer_need(const struct lae_setup *setup)
{
    struct lae_statistics plan = lae_statistics_plan(setup->config);
    struct lae_gatherer g = {.setup = setup,
                             .views = plan.views,
                             .ridge = plan.ridge,
                             .width = (size_t)setup->config->heads.ridge.features};
    size_t classes = 0, bytes = 0, part = part_of(lae_team_threads(setup->team));
    for (int task = 0; task < setup->sequence.tasks; task++)
        if (lae_task_classes(setup, task) > classes) classes = lae_task_classes(setup, task);
    plan_sums(&g);
    for (int i = 0; i < g.sum_count; i++) {
        size_t width = g.sums[i].random ? g.width : setup->backbone->feature;
        bytes += (classes * (width + 1) + width * (width + 1) / 2) * sizeof(int64_t);
        if (g.sums[i].share != ASIDE) bytes += part * width * sizeof(float);
    }
    return bytes;
}
