/* Part by part: first the threads compute features, an image at a time; then they share the sums,
 * each thread adding all images of the part to some of their rows, so that a rank has the sums once
 * and not once a thread. */
#include "lae/learn/statistics.h"

#include "lae/base/arena.h"

#include <stdlib.h>
#include <string.h>

#define PART 64 /* images a worker */

struct lae_gatherer {
    const struct lae_job *job;
    struct lae_workers *workers;
    size_t part;                         /* images at a time */
    float *features[LAE_MODULES];        /* [part, D] */
    int *classes;                        /* [part] within the task */
    struct lae_sums sums[LAE_MODULES];   /* of the task at hand */
    int taken[LAE_MODULES], taken_count; /* the modules, in order */
    /* Of the pass at hand: */
    struct lae_scoring scoring; /* which modules; no scorers */
    size_t first;               /* this rank's image that the part begins with */
    size_t count;               /* of this rank's */
    size_t here;                /* images of the part at hand */
};

/* ---- one part ---- */

static void compute_features(void *context, int number, size_t item)
{
    struct lae_gatherer *g = context;
    const struct lae_job *job = g->job;
    struct lae_worker *worker = &g->workers->items[number];
    int task = g->scoring.learned.task;
    size_t d = job->vit.dims.width, ranks = (size_t)job->dist->size;
    size_t position = (g->first + item) * ranks + (size_t)job->dist->rank;
    uint32_t image = job->sequence.images[LAE_TRAIN][task].index[position];
    g->classes[item] = LAE_NO_CLASS;
    if (!lae_scoring_features(&g->scoring, worker, LAE_TRAIN, image, 0, NULL)) return;
    for (int i = 0; i < g->taken_count; i++) {
        int m = g->taken[i];
        memcpy(g->features[m] + item * d, worker->features + (size_t)m * d, d * sizeof(float));
    }
    g->classes[item] =
        job->sequence.output_index[lae_dataset_label(&job->dataset, LAE_TRAIN, image)] -
        job->sequence.first_class[task];
}

/* Item number i is a block of one module's sums. */
static void add_block(void *context, int number, size_t item)
{
    (void)number;
    struct lae_gatherer *g = context;
    size_t blocks = lae_sums_blocks(&g->sums[g->taken[0]]);
    int m = g->taken[item / blocks];
    lae_sums_add_block(&g->sums[m], g->features[m], g->classes, g->here, item % blocks);
}

static bool is_asked_to_stop(void *gatherer)
{
    return lae_dist_request(((const struct lae_gatherer *)gatherer)->job->dist) != LAE_REQUEST_NONE;
}

/* False when interrupted. */
static bool add_part(struct lae_gatherer *g)
{
    struct lae_team *team = g->job->team;
    g->here = g->count - g->first < g->part ? g->count - g->first : g->part;
    if (!lae_team_run_unless(team, g->here, compute_features, g, is_asked_to_stop, g)) return false;
    for (int i = 0; i < g->taken_count; i++) {
        int m = g->taken[i];
        lae_sums_admit(&g->sums[m], g->features[m], g->classes, g->here);
    }
    size_t blocks = lae_sums_blocks(&g->sums[g->taken[0]]);
    return lae_team_run_unless(team, blocks * (size_t)g->taken_count, add_block, g,
                               is_asked_to_stop, g);
}

/* ---- the pass ---- */

static lae_status begin(struct lae_gatherer *g, const struct lae_learned *learned)
{
    const struct lae_job *job = g->job;
    size_t images = job->sequence.images[LAE_TRAIN][learned->task].count;
    struct lae_sums_shape shape = {.classes = lae_task_classes(job, learned->task),
                                   .width = job->vit.dims.width,
                                   .images = (int64_t)images,
                                   .range = LAE_RANGE_FEATURE};
    g->scoring = (struct lae_scoring){.job = job, .learned = *learned};
    g->first = 0;
    g->count = lae_dist_share(job->dist, images);
    for (int i = 0; i < g->taken_count; i++) {
        int m = g->taken[i];
        g->scoring.needs[m] = true;
        lae_sums_free(&g->sums[m]);
        LAE_TRY(lae_sums_create(&shape, &g->sums[m]));
    }
    return NULL;
}

/* False, on all ranks, when interrupted. */
static bool compute(struct lae_gatherer *g, lae_evaluate_progress *progress, void *context)
{
    bool done = true;
    for (; done && g->first < g->count; g->first += g->part) {
        if (progress != NULL) progress(context, (double)g->first / (double)g->count);
        done = add_part(g);
    }
    enum lae_request request;
    return lae_dist_meet(g->job->dist, &request) && request == LAE_REQUEST_NONE && done;
}

/* The ranks' sums become statistics. [collective] */
static lae_status finish(struct lae_gatherer *g, struct lae_stats *stats)
{
    const struct lae_job *job = g->job;
    size_t first_class = (size_t)job->sequence.first_class[g->scoring.learned.task];
    LAE_TRY(lae_workers_agree(job, g->workers));
    for (int i = 0; i < g->taken_count; i++) {
        struct lae_sums *sums = &g->sums[g->taken[i]];
        lae_dist_sum(job->dist, sums->words, sums->word_count);
        LAE_TRY(lae_status_prefix(lae_sums_check(sums), "task %d, module %s",
                                  g->scoring.learned.task + 1,
                                  lae_config_module_name((size_t)g->taken[i])));
    }
    lae_status status = NULL;
    for (int i = 0; i < g->taken_count && status == NULL && job->dist->rank == 0; i++)
        status = lae_stats_take(&stats[g->taken[i]], first_class, &g->sums[g->taken[i]]);
    return lae_dist_agree(job->dist, status);
}

lae_status lae_gather(struct lae_gatherer *g, const struct lae_learned *learned,
                      struct lae_stats *stats, lae_evaluate_progress *progress, void *context)
{
    if (g->taken_count == 0) return NULL;
    LAE_TRY(lae_dist_agree(g->job->dist, begin(g, learned)));
    if (!compute(g, progress, context)) return lae_stopped();
    return finish(g, stats);
}

/* ---- its life ---- */

static size_t part_of(int workers)
{
    return PART * (size_t)workers;
}

size_t lae_gatherer_need(const struct lae_job *job, unsigned modules)
{
    size_t d = job->vit.dims.width, classes = 0, bytes = 0;
    for (int task = 0; task < job->sequence.tasks; task++)
        if (lae_task_classes(job, task) > classes) classes = lae_task_classes(job, task);
    for (int m = 0; m < LAE_MODULES; m++)
        if ((modules >> m & 1) != 0)
            bytes += part_of(lae_team_threads(job->team)) * d * sizeof(float) +
                     (classes * (d + 1) + d * (d + 1) / 2) * sizeof(int64_t);
    return bytes;
}

lae_status lae_gatherer_create(const struct lae_job *job, struct lae_workers *workers,
                               unsigned modules, struct lae_gatherer **gatherer)
{
    struct lae_gatherer *g = *gatherer = calloc(1, sizeof *g);
    if (g == NULL) return lae_out_of_memory(sizeof *g, "class statistics");
    size_t d = job->vit.dims.width;
    *g = (struct lae_gatherer){.job = job, .workers = workers, .part = part_of(workers->count)};
    g->classes = calloc(g->part, sizeof *g->classes);
    bool complete = g->classes != NULL;
    for (int m = 0; m < LAE_MODULES; m++) {
        if ((modules >> m & 1) == 0) continue;
        g->taken[g->taken_count++] = m;
        g->features[m] = lae_aligned_calloc(g->part * d, sizeof(float));
        complete = complete && g->features[m] != NULL;
    }
    return complete ? NULL : lae_out_of_memory(g->part * d * sizeof(float), "a part's features");
}

void lae_gatherer_free(struct lae_gatherer *gatherer)
{
    if (gatherer == NULL) return;
    for (int m = 0; m < LAE_MODULES; m++) {
        free(gatherer->features[m]);
        lae_sums_free(&gatherer->sums[m]);
    }
    free(gatherer->classes);
    free(gatherer);
}
