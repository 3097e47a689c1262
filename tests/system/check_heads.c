/* check_heads RUN TASKS SHRINK: class statistics, and the accuracies of the heads made from them,
 * computed again from the run's images, modules and weights. Of the program's own are used only its
 * readers and its model; means, scatter, Gram matrices, solutions and scores are written on their
 * own, from the definitions, in long double: two passes over the features instead of exact sums,
 * elimination with pivots instead of Cholesky's factor, errors on images instead of on statistics.
 *
 * Where two classes' scores are so close that rounding may decide, an image may count either way.
 */
#include "lae/base/random.h"
#include "lae/run/restored.h"
#include "lae/sweep/workers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef long double real;

static const char *const module_names[LAE_VIEWS] = {"init", "online", "offline"};

/* What is gathered over tasks: of features, of all images so far. */
struct gathered {
    size_t width;
    real *count, *mean, *scatter; /* [C], [C, width], [width, width] */
    real *gram, *sums;            /* [width, width], [C, width] sums of x x^T, of x by class */
};

struct check {
    struct lae_restored restored;
    struct lae_checkpoint file;
    struct lae_workers workers;
    struct gathered plain[LAE_VIEWS], random[LAE_VIEWS]; /* width 0: not gathered */
    size_t classes, width;
    int task, wrong;
    double shrink;
};

static void *zeros(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) exit(1);
    return memory;
}

static void stop_on(lae_status status)
{
    if (status == NULL) return;
    fprintf(stderr, "%s\n", lae_status_message(status));
    exit(1);
}

static void complain(struct check *c, const char *what, const char *name, real found, real stored)
{
    printf("task %d: %s of %s is %.12Lg, %.12Lg in the file\n", c->task, what, name, found, stored);
    c->wrong++;
}

/* ---- features */

static const float *module_of(const struct check *c, int m)
{
    const struct lae_state *state = &c->restored.state;
    const float *const all[LAE_VIEWS] = {state->init, state->online, state->offline};
    return all[m];
}

static const float *feature_of(struct check *c, enum lae_split split, uint32_t image, int m)
{
    const struct lae_setup *setup = &c->restored.setup;
    struct lae_worker *worker = &c->workers.items[0];
    if (!lae_worker_load(worker, setup, split, image, NULL)) exit(1);
    lae_backbone_trunk(setup->backbone, worker->pass, worker->image);
    lae_backbone_branch(setup->backbone, module_of(c, m), worker->pass, NULL, false,
                        worker->feature);
    return worker->feature;
}

/* x [width] = the feature, or relu of a random product with it. */
static void spread(const struct check *c, const float *feature, size_t width, real *x)
{
    bool random = width != c->width;
    for (size_t i = 0; i < width; i++) {
        if (!random) x[i] = feature[i];
        if (!random) continue;
        struct lae_random stream =
            lae_random_stream(c->restored.config.run.seed, LAE_RANDOM_FEATURES, 0, 0, (uint32_t)i);
        x[i] = 0.0L;
        for (size_t k = 0; k < c->width; k++)
            x[i] += (real)(float)lae_random_normal(&stream, k) * feature[k];
        if (x[i] < 0.0L) x[i] = 0.0L;
    }
}

static int class_of(const struct check *c, enum lae_split split, uint32_t image)
{
    const struct lae_setup *setup = &c->restored.setup;
    return setup->sequence.output_index[lae_dataset_label(&setup->dataset, split, image)];
}

/* [images, width] of the task's training images */
static real *features_of_task(struct check *c, int m, size_t width)
{
    const struct lae_task_images *images = &c->restored.setup.sequence.images[LAE_TRAIN][c->task];
    real *x = zeros(images->count * width, sizeof *x);
    for (size_t i = 0; i < images->count; i++)
        spread(c, feature_of(c, LAE_TRAIN, images->index[i], m), width, x + i * width);
    return x;
}

/* ---- statistics */

static void begin(struct gathered *g, size_t classes, size_t width)
{
    if (g->width != 0) return;
    *g = (struct gathered){.width = width,
                           .count = zeros(classes, sizeof(real)),
                           .mean = zeros(classes * width, sizeof(real)),
                           .scatter = zeros(width * width, sizeof(real)),
                           .gram = zeros(width * width, sizeof(real)),
                           .sums = zeros(classes * width, sizeof(real))};
}

static void finish(struct gathered *g)
{
    free(g->count);
    free(g->mean);
    free(g->scatter);
    free(g->gram);
    free(g->sums);
}

/* Adds images of x [images, width]; those of `skip` are left out. Means are final after that. */
static void gather(const struct check *c, struct gathered *g, const real *x, const bool *skip)
{
    const struct lae_task_images *images = &c->restored.setup.sequence.images[LAE_TRAIN][c->task];
    size_t n = g->width;
    for (size_t i = 0; i < images->count; i++) {
        int class = class_of(c, LAE_TRAIN, images->index[i]);
        if (skip != NULL && skip[i]) continue;
        g->count[class] += 1.0L;
        for (size_t k = 0; k < n; k++)
            g->sums[(size_t) class * n + k] += x[i * n + k];
        for (size_t j = 0; j < n; j++)
            for (size_t k = 0; k < n; k++)
                g->gram[j * n + k] += x[i * n + j] * x[i * n + k];
    }
    for (size_t k = 0; k < c->classes; k++)
        for (size_t j = 0; j < n && g->count[k] > 0.0L; j++)
            g->mean[k * n + j] = g->sums[k * n + j] / g->count[k];
    for (size_t i = 0; i < images->count; i++) {
        const real *mean = g->mean + (size_t)class_of(c, LAE_TRAIN, images->index[i]) * n;
        if (skip != NULL && skip[i]) continue;
        for (size_t j = 0; j < n; j++)
            for (size_t k = 0; k < n; k++)
                g->scatter[j * n + k] += (x[i * n + j] - mean[j]) * (x[i * n + k] - mean[k]);
    }
}

static const struct lae_kept_stats *stored_stats(const struct check *c, int m, bool random)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s", module_names[m], random ? "/ridge" : "");
    for (size_t i = 0; i < c->file.stats_count; i++)
        if (strcmp(c->file.stats[i].name, name) == 0) return &c->file.stats[i];
    return NULL;
}

static void compare(struct check *c, const struct gathered *g, const struct lae_kept_stats *stored)
{
    size_t n = g->width;
    for (size_t k = 0; k < c->classes; k++)
        if (g->count[k] != stored->stats.count[k])
            complain(c, "a count", stored->name, g->count[k], stored->stats.count[k]);
    for (size_t i = 0; i < c->classes * n; i++)
        if (fabsl(g->mean[i] - stored->stats.mean[i]) > 1e-6L * (1.0L + fabsl(g->mean[i])))
            complain(c, "a mean", stored->name, g->mean[i], stored->stats.mean[i]);
    for (size_t j = 0; j < n; j++)
        for (size_t k = 0; k < n; k++) {
            real value = g->scatter[j * n + k];
            real size = 1.0L + sqrtl(g->scatter[j * n + j] * g->scatter[k * n + k]);
            if (fabsl(value - stored->stats.scatter[j * n + k]) > 3e-6L * size)
                complain(c, "a scatter", stored->name, value, stored->stats.scatter[j * n + k]);
        }
}

/* ---- heads */

/* x [count, n] = a^-1 of each row; a [n, n] is used up. Gauss and Jordan, with pivots. */
static void solve(real *a, size_t n, real *x, size_t count)
{
    for (size_t p = 0; p < n; p++) {
        size_t best = p;
        for (size_t i = p + 1; i < n; i++)
            if (fabsl(a[i * n + p]) > fabsl(a[best * n + p])) best = i;
        for (size_t k = 0; k < n; k++) {
            real held = a[p * n + k];
            a[p * n + k] = a[best * n + k];
            a[best * n + k] = held;
        }
        for (size_t r = 0; r < count; r++) {
            real held = x[r * n + p];
            x[r * n + p] = x[r * n + best];
            x[r * n + best] = held;
        }
        for (size_t i = 0; i < n; i++) {
            real factor = a[i * n + p] / a[p * n + p];
            if (i == p || factor == 0.0L) continue;
            for (size_t k = p; k < n; k++)
                a[i * n + k] -= factor * a[p * n + k];
            for (size_t r = 0; r < count; r++)
                x[r * n + i] -= factor * x[r * n + p];
        }
    }
    for (size_t r = 0; r < count; r++)
        for (size_t p = 0; p < n; p++)
            x[r * n + p] /= a[p * n + p];
}

/* weight [C, n], bias [C] of the discriminant of one covariance, from means and scatter. */
static void fit_lda(const struct check *c, const struct gathered *g, real *weight, real *bias)
{
    size_t n = g->width, count = n * n;
    real *sigma = zeros(count, sizeof *sigma), images = 0.0L, known = 0.0L, trace = 0.0L;
    for (size_t k = 0; k < c->classes; k++) {
        images += g->count[k];
        known += g->count[k] > 0.0L;
    }
    real shrink = c->shrink;
    for (size_t i = 0; i < count; i++)
        sigma[i] = (1.0L - shrink) * g->scatter[i] / (images - known);
    for (size_t j = 0; j < n; j++)
        trace += g->scatter[j * n + j] / (images - known);
    for (size_t j = 0; j < n; j++)
        sigma[j * n + j] += shrink * trace / (real)n;
    memcpy(weight, g->mean, c->classes * n * sizeof *weight);
    solve(sigma, n, weight, c->classes);
    for (size_t k = 0; k < c->classes; k++)
        for (size_t j = 0; j < n; j++)
            bias[k] -= weight[k * n + j] * g->mean[k * n + j] / 2.0L;
    free(sigma);
}

static void fit_ridge(const struct check *c, const struct gathered *g, real lambda, real *weight)
{
    size_t n = g->width;
    real *a = zeros(n * n, sizeof *a);
    memcpy(a, g->gram, n * n * sizeof *a);
    for (size_t j = 0; j < n; j++)
        a[j * n + j] += lambda;
    memcpy(weight, g->sums, c->classes * n * sizeof *weight);
    solve(a, n, weight, c->classes);
    free(a);
}

static real dot(const real *x, const real *y, size_t n)
{
    real sum = 0.0L;
    for (size_t k = 0; k < n; k++)
        sum += x[k] * y[k];
    return sum;
}

/* The strength with the least squared error on the images of x that are set aside. */
static real choose(const struct check *c, const struct gathered *others, const real *x,
                   const bool *aside)
{
    const struct lae_task_images *images = &c->restored.setup.sequence.images[LAE_TRAIN][c->task];
    size_t n = others->width;
    real best = NAN, least = INFINITY, *weight = zeros(c->classes * n, sizeof *weight);
    for (int power = 0; power < 10; power++) {
        real error = 0.0L, lambda = powl(10.0L, power);
        fit_ridge(c, others, lambda, weight);
        for (size_t i = 0; i < images->count; i++)
            for (size_t k = 0; k < c->classes && aside[i]; k++) {
                real y = class_of(c, LAE_TRAIN, images->index[i]) == (int)k;
                real miss = y - dot(weight + k * n, x + i * n, n);
                error += miss * miss;
            }
        if (error < least) best = lambda;
        if (error < least) least = error;
    }
    free(weight);
    return best;
}

/* ---- accuracies */

enum head { NCM, LDA, RIDGE, HEADS };
static const char *const head_names[HEADS] = {"ncm", "lda", "ridge"};

static void score(const struct check *c, enum head head, const struct gathered *g,
                  const real *weight, const real *bias, const real *x, real *scores)
{
    size_t n = g->width;
    for (size_t k = 0; k < c->classes; k++) {
        const real *mean = g->mean + k * n;
        scores[k] = head == NCM ? dot(mean, x, n) / sqrtl(dot(mean, mean, n) * dot(x, x, n))
                                : dot(weight + k * n, x, n) + bias[k];
    }
}

/* Counts of images that are surely right, and of those that may be. */
struct right {
    double sure, maybe;
};

/* Whether `label` wins among scores [first, end). */
static void judge(const real *scores, int first, int end, int label, struct right *right)
{
    real size = 0.0L, rival = -INFINITY;
    for (int k = first; k < end; k++) {
        size = fmaxl(size, fabsl(scores[k]));
        if (k != label) rival = fmaxl(rival, scores[k]);
    }
    right->sure += scores[label] > rival + 1e-5L * size;
    right->maybe += scores[label] > rival - 1e-5L * size;
}

static const double *stored_metric(const struct check *c, const char *scorer, const char *array)
{
    char name[128];
    snprintf(name, sizeof name, "%s/%s", scorer, array);
    for (size_t i = 0; i < c->file.metric_count; i++)
        if (strcmp(c->file.metrics[i].name, name) == 0) return c->file.metrics[i].values;
    printf("there is no /metrics/%s\n", name);
    exit(1);
}

static void compare_accuracy(struct check *c, const char *scorer, const char *what,
                             const struct right *right, double images, double stored)
{
    if (stored >= 100.0 * right->sure / images - 1e-9 &&
        stored <= 100.0 * right->maybe / images + 1e-9)
        return;
    complain(c, what, scorer, 100.0 * right->sure / images, stored);
}

static void check_head(struct check *c, enum head head, int m, const struct gathered *g,
                       real lambda)
{
    const struct lae_sequence *sequence = &c->restored.setup.sequence;
    size_t n = g->width;
    real *weight = zeros(c->classes * n, sizeof *weight), *bias = zeros(c->classes, sizeof *bias);
    real *x = zeros(n, sizeof *x), *scores = zeros(c->classes, sizeof *scores);
    char name[64];
    snprintf(name, sizeof name, "%s_%s", head_names[head], module_names[m]);
    const double *accuracy = stored_metric(c, name, "accuracy");
    const double *among = stored_metric(c, name, "accuracy_local");
    struct right all = {0};
    double images = 0.0;
    if (head == LDA) fit_lda(c, g, weight, bias);
    if (head == RIDGE) fit_ridge(c, g, lambda, weight);
    for (int k = 0; k <= c->task; k++) {
        const struct lae_task_images *part = &sequence->images[LAE_TEST][k];
        struct right seen = {0}, local = {0};
        for (size_t i = 0; i < part->count; i++) {
            int label = class_of(c, LAE_TEST, part->index[i]);
            spread(c, feature_of(c, LAE_TEST, part->index[i], m), n, x);
            score(c, head, g, weight, bias, x, scores);
            judge(scores, 0, sequence->first_class[c->task + 1], label, &seen);
            judge(scores, sequence->first_class[k], sequence->first_class[k + 1], label, &local);
        }
        size_t at = (size_t)(c->task * (c->task + 1) / 2 + k);
        compare_accuracy(c, name, "accuracy", &seen, (double)part->count, accuracy[at]);
        compare_accuracy(c, name, "accuracy_local", &local, (double)part->count, among[at]);
        all.sure += seen.sure;
        all.maybe += seen.maybe;
        images += (double)part->count;
    }
    compare_accuracy(c, name, "seen", &all, images, stored_metric(c, name, "seen")[c->task]);
    if (all.maybe - all.sure > 0.05 * images) complain(c, "images too close to call", name, 1, 0);
    printf("task %d: %-13s %6.2f %% (%g of %g too close to call)\n", c->task, name,
           100.0 * all.sure / images, all.maybe - all.sure, images);
    free(weight);
    free(bias);
    free(x);
    free(scores);
}

static void check_ridge(struct check *c, int m)
{
    const struct lae_kept_stats *stored = stored_stats(c, m, true);
    if (stored == NULL) return;
    const struct lae_setup *setup = &c->restored.setup;
    struct gathered *g = &c->random[m];
    begin(g, c->classes, stored->stats.width);
    bool *aside = zeros(setup->sequence.images[LAE_TRAIN][c->task].count, sizeof *aside);
    stop_on(lae_sequence_set_aside(&setup->sequence, &setup->dataset, c->task,
                                   setup->config->heads.ridge.held_out, aside));
    real *x = features_of_task(c, m, stored->stats.width);
    struct gathered others = {0}; /* without those set aside */
    begin(&others, c->classes, stored->stats.width);
    memcpy(others.gram, g->gram, g->width * g->width * sizeof(real));
    memcpy(others.sums, g->sums, c->classes * g->width * sizeof(real));
    gather(c, &others, x, aside);
    real lambda = choose(c, &others, x, aside);
    finish(&others);
    if (lambda != stored->lambda) complain(c, "strength", stored->name, lambda, stored->lambda);
    gather(c, g, x, NULL);
    compare(c, g, stored);
    check_head(c, RIDGE, m, g, lambda);
    free(x);
    free(aside);
}

static void check_module(struct check *c, int m)
{
    const struct lae_kept_stats *stored = stored_stats(c, m, false);
    if (stored == NULL) return;
    begin(&c->plain[m], c->classes, c->width);
    real *x = features_of_task(c, m, c->width);
    gather(c, &c->plain[m], x, NULL);
    free(x);
    compare(c, &c->plain[m], stored);
    check_head(c, NCM, m, &c->plain[m], 0.0L);
    check_head(c, LDA, m, &c->plain[m], 0.0L);
    check_ridge(c, m);
}

static void check_task(struct check *c, const char *run, const struct lae_dist *dist,
                       struct lae_log *log)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/task_%02d.h5", run, c->task);
    stop_on(lae_restored_open(path, NULL, 0, dist, log, &c->restored));
    stop_on(lae_checkpoint_read(path, &lae_run_layout, NULL, &c->file));
    stop_on(lae_workers_create(&c->restored.setup, &c->workers));
    c->classes = (size_t)c->restored.setup.sequence.classes;
    c->width = c->restored.setup.backbone->feature;
    for (int m = 0; m < LAE_VIEWS; m++)
        check_module(c, m);
    lae_workers_free(&c->workers);
    lae_checkpoint_free(&c->file);
    lae_restored_close(&c->restored);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: check_heads RUN TASKS SHRINK\n");
        return 2;
    }
    struct check c = {.shrink = strtod(argv[3], NULL)};
    struct lae_dist dist;
    struct lae_log log = {0};
    stop_on(lae_dist_start(&argc, &argv, &dist));
    for (c.task = 0; c.task < atoi(argv[2]); c.task++)
        check_task(&c, argv[1], &dist, &log);
    for (int m = 0; m < LAE_VIEWS; m++) {
        finish(&c.plain[m]);
        finish(&c.random[m]);
    }
    lae_dist_end(&dist);
    return c.wrong == 0 ? 0 : 1;
}
