#include "lae/bench/bench.h"

#include "lae/base/clock.h"
#include "lae/learn/scoring.h"
#include "lae/learn/step.h"
#include "lae/run/state.h"

#include "resident.h"

#include <stdlib.h>
#include <string.h>

#define PEAK_SIDE 2048
#define PEAK_ATTEMPTS 5
#define CLASSES 10

/* What is measured with. */
struct session {
    const struct lae_bench_options *options;
    struct lae_setup setup;
    struct lae_workers workers;
    struct lae_gradient gradient;
    struct lae_state state;
    uint32_t *batch; /* [options->batch] image numbers */
    double *times;   /* [options->repeats] */
    struct lae_bench_peak *peak;
    double best; /* GFLOP/s of the peak */
};

/* Ten classes of drawn images in one task, a batch of them. */
static lae_status adjust(const struct lae_bench_options *options, struct lae_config *config)
{
    char train[64];
    int images = (options->batch + CLASSES - 1) / CLASSES;
    snprintf(train, sizeof train, "data.synthetic.train=%d", images > 1 ? images : 1);
    const char *const settings[] = {"data.dataset=synthetic", "data.synthetic.classes=10",
                                    "data.classes_per_task=10", "data.synthetic.test=1", train};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        LAE_TRY(lae_config_set(config, settings[i]));
    config->train.batch_size = options->batch;
    return NULL;
}

static lae_status prepare(struct session *s)
{
    LAE_TRY(lae_workers_create(&s->setup, &s->workers));
    LAE_TRY(lae_gradient_create(&s->workers, &s->setup, &s->gradient));
    LAE_TRY(lae_state_create(&s->setup, &s->state));
    LAE_TRY(lae_state_begin_task(&s->setup, &s->state));
    s->batch = calloc((size_t)s->options->batch, sizeof *s->batch);
    s->times = calloc((size_t)s->options->repeats, sizeof *s->times);
    if (s->batch == NULL || s->times == NULL)
        return lae_out_of_memory((size_t)s->options->batch * sizeof *s->batch, "a batch");
    for (int i = 0; i < s->options->batch; i++)
        s->batch[i] = (uint32_t)i;
    return NULL;
}

static void release(struct session *s)
{
    lae_bench_peak_close(s->peak);
    lae_state_free(&s->state);
    lae_gradient_free(&s->gradient);
    lae_workers_free(&s->workers);
    free(s->batch);
    free(s->times);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return 0.5 * (values[(count - 1) / 2] + values[count / 2]);
}

/* Seconds of one `work`, from when all ranks are there until all are done. [collective] */
static lae_status measure_once(struct session *s, lae_status (*work)(struct session *),
                               double *seconds)
{
    int64_t here = 1;
    lae_dist_sum(s->setup.dist, &here, 1);
    double began = lae_clock_seconds();
    LAE_TRY(work(s));
    lae_dist_sum(s->setup.dist, &here, 1);
    *seconds = lae_clock_seconds() - began;
    return NULL;
}

/* The median of some, after one that is not counted. [collective] */
static lae_status measure(struct session *s, lae_status (*work)(struct session *), double *seconds)
{
    LAE_TRY(measure_once(s, work, seconds));
    for (int i = 0; i < s->options->repeats; i++)
        LAE_TRY(measure_once(s, work, &s->times[i]));
    *seconds = median(s->times, s->options->repeats);
    return NULL;
}

static struct lae_bench_peak_rate sample_peak(struct session *s)
{
    struct lae_bench_peak_rate rate = lae_bench_peak_sample(s->peak);
    if (rate.gflops > s->best) s->best = rate.gflops;
    return rate;
}

/* The same beside the peak, of a batch of images, each of which takes `gflop`. [collective] */
static lae_status measure_rate(struct session *s, lae_status (*work)(struct session *),
                               double gflop, struct lae_bench_rate *rate)
{
    int repeats = s->options->repeats;
    double images = (double)s->options->batch, seconds;
    double *cpu = calloc(2 * (size_t)repeats, sizeof *cpu), *shares = cpu + repeats;
    if (cpu == NULL) return lae_out_of_memory(2 * (size_t)repeats * sizeof *cpu, "times");
    lae_status status = measure_once(s, work, &seconds);
    double before = sample_peak(s).gflop_per_cpu_s;
    for (int i = 0; i < repeats && status == NULL; i++) {
        double spent = lae_bench_cpu_seconds(&s->setup);
        status = measure_once(s, work, &s->times[i]);
        cpu[i] = lae_bench_cpu_seconds(&s->setup) - spent;
        double after = sample_peak(s).gflop_per_cpu_s;
        shares[i] = images * gflop / cpu[i] / (0.5 * (before + after));
        before = after;
    }
    rate->images_per_s = images / median(s->times, repeats);
    rate->gflops = rate->images_per_s * gflop;
    rate->images_per_cpu_s = images / median(cpu, repeats);
    rate->share_cpu = median(shares, repeats);
    free(cpu);
    return status;
}

static void forward_image(void *context, int number, size_t item)
{
    struct session *s = context;
    struct lae_worker *worker = &s->workers.items[number];
    size_t position = lae_dist_position(s->setup.dist, item);
    if (!lae_worker_load(worker, &s->setup, LAE_TRAIN, s->batch[position], NULL)) return;
    lae_backbone_trunk(s->setup.backbone, worker->pass, worker->image);
    lae_backbone_branch(s->setup.backbone, s->state.online, worker->pass, NULL, false,
                        worker->feature);
    lae_score_linear(&s->setup, s->state.classifiers, 0, worker->feature, worker->scores);
}

static lae_status forward(struct session *s)
{
    size_t mine = lae_dist_share(s->setup.dist, (size_t)s->options->batch);
    lae_team_run(s->setup.team, mine, forward_image, s);
    return NULL;
}

static lae_status gradient(struct session *s)
{
    const struct lae_batch batch = {.images = s->batch,
                                    .count = s->options->batch,
                                    .theta = s->state.online,
                                    .classifier = s->state.classifiers[0]};
    return lae_step_gradient(&s->setup, &s->workers, &batch, &s->gradient);
}

static lae_status sum(struct session *s)
{
    lae_dist_sum(s->setup.dist, s->gradient.sum, s->workers.words);
    return NULL;
}

static lae_status move(struct session *s)
{
    const struct lae_optim_options *options = &s->setup.config->optim;
    lae_adam_step(&s->state.pet, options, 0.0, s->state.online, s->gradient.pet);
    lae_adam_step(&s->state.classifier, options, 0.0, s->state.classifiers[0],
                  s->gradient.classifier);
    return NULL;
}

static lae_status train(struct session *s)
{
    LAE_TRY(gradient(s));
    return move(s);
}

static lae_status merge(struct session *s)
{
    struct lae_merge_vectors vectors = lae_state_vectors(&s->setup, &s->state);
    return lae_merge_after_task(&s->setup.config->merge, &vectors, 1, s->state.merge);
}

/* The threads' time by kind since the stopwatches were cleared, as shares over all ranks; what is
 * left of `seconds` is idle. [collective] */
static void split_time(struct session *s, double seconds, double split[LAE_WORKS])
{
    int64_t microseconds[LAE_WORKS + 1] = {0};
    for (int i = 0; i < s->workers.count; i++) {
        const struct lae_stopwatch *watch = lae_backbone_watch(s->workers.items[i].pass);
        for (int work = 0; work < LAE_WORKS; work++)
            microseconds[work] += (int64_t)(1e6 * watch->seconds[work]);
        microseconds[LAE_WORKS] += (int64_t)(1e6 * seconds);
    }
    lae_dist_sum(s->setup.dist, microseconds, LAE_WORKS + 1);
    double busy = 0.0, all = (double)microseconds[LAE_WORKS];
    for (int work = LAE_WORK_IDLE + 1; work < LAE_WORKS; work++) {
        split[work] = (double)microseconds[work] / all;
        busy += split[work];
    }
    split[LAE_WORK_IDLE] = busy < 1.0 ? 1.0 - busy : 0.0;
}

static lae_status measure_split(struct session *s, double split[LAE_WORKS])
{
    for (int i = 0; i < s->workers.count; i++)
        *lae_backbone_watch(s->workers.items[i].pass) = (struct lae_stopwatch){0};
    double began = lae_clock_seconds();
    for (int i = 0; i < s->options->repeats; i++)
        LAE_TRY(gradient(s));
    split_time(s, lae_clock_seconds() - began, split);
    return NULL;
}

static lae_status best_of(const struct lae_setup *setup, struct lae_arithmetic arithmetic,
                          double *gflops)
{
    struct lae_bench_peak *peak;
    lae_status status = lae_bench_peak_open(setup, arithmetic, PEAK_SIDE, &peak);
    for (int i = 0; i < PEAK_ATTEMPTS && status == NULL; i++) {
        double rate = lae_bench_peak_sample(peak).gflops;
        if (rate > *gflops) *gflops = rate;
    }
    lae_bench_peak_close(peak);
    return status;
}

/* "model name : ..." of Linux; empty where there is none. */
static void read_processor(char *name, size_t size)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    *name = 0;
    while (file != NULL && *name == 0 && fgets(line, sizeof line, file) != NULL) {
        const char *value = strstr(line, ": ");
        if (strncmp(line, "model name", 10) != 0 || value == NULL) continue;
        snprintf(name, size, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
    }
    if (file != NULL) fclose(file);
}

/* The peaks of both precisions; the one of the run's own stays open. [collective] */
static lae_status measure_peaks(struct session *s, struct lae_bench_result *r)
{
    const struct lae_arithmetic blas = {LAE_BACKEND_OPENBLAS, LAE_PRECISION_FP32},
                                onednn = {LAE_BACKEND_ONEDNN, LAE_PRECISION_FP32},
                                bf16 = {LAE_BACKEND_ONEDNN, LAE_PRECISION_BF16};
    double other = 0.0;
    LAE_TRY(best_of(&s->setup, blas, &r->peak_fp32));
    bool both = lae_onednn_is_built_in();
    if (both) {
        r->bf16_is_native = lae_bf16_is_native();
        LAE_TRY(best_of(&s->setup, onednn, &other));
        LAE_TRY(best_of(&s->setup, bf16, &r->peak_bf16));
    }
    struct lae_arithmetic own = other > r->peak_fp32 ? onednn : blas;
    if (other > r->peak_fp32) r->peak_fp32 = other;
    s->best = r->peak_fp32;
    if (r->arithmetic.precision == LAE_PRECISION_BF16) {
        own = bf16;
        s->best = r->peak_bf16;
    }
    return lae_bench_peak_open(&s->setup, own, PEAK_SIDE, &s->peak);
}

static void take_shares(const struct lae_bench_result *r, double peak, struct lae_bench_rate *rate)
{
    rate->share = rate->gflops / peak;
    rate->share_limit = rate->gflops / lae_bench_limit_of(r)->all;
}

static lae_status measure_all(struct session *s, struct lae_bench_result *r)
{
    struct lae_backbone_flops flops = lae_backbone_count_flops(s->setup.backbone);
    r->forward_gflop = 1e-9 * (flops.trunk + flops.branch);
    r->train_gflop = r->forward_gflop + 1e-9 * flops.backward;
    LAE_TRY(measure_once(s, forward, &r->step_s));
    LAE_TRY(measure_split(s, r->split));
    LAE_TRY(measure(s, sum, &r->allreduce_s));
    r->allreduce_mb = 1e-6 * (double)(s->workers.words * sizeof *s->gradient.sum);
    LAE_TRY(measure(s, move, &r->optimiser_s));
    if (s->state.offline != NULL) LAE_TRY(measure(s, merge, &r->merge_s));
    const struct lae_backbone *backbone = s->setup.backbone;
    size_t stored = 2 * backbone->table.total * sizeof(float), packed = backbone->packed;
    r->weights_mb = 1e-6 * (double)(packed > 0 ? packed : stored);
    lae_memory_of(s->setup.dist, &r->rank_mb,
                  &r->node_mb); /* before the large products take theirs */
    read_processor(r->processor, sizeof r->processor);
    r->limit_fp32 = lae_bench_limit_measure(&s->setup, LAE_PRECISION_FP32);
    r->limit_bf16 = lae_bench_limit_measure(&s->setup, LAE_PRECISION_BF16);
    LAE_TRY(measure_peaks(s, r));
    LAE_TRY(measure_rate(s, forward, r->forward_gflop, &r->forward));
    LAE_TRY(measure_rate(s, train, r->train_gflop, &r->train));
    r->step_s = (double)s->options->batch / r->train.images_per_s;
    *(r->arithmetic.precision == LAE_PRECISION_BF16 ? &r->peak_bf16 : &r->peak_fp32) = s->best;
    take_shares(r, s->best, &r->forward);
    take_shares(r, s->best, &r->train);
    return NULL;
}

lae_status lae_bench_run(const struct lae_bench_options *options, struct lae_config *config,
                         const struct lae_dist *dist, struct lae_log *log,
                         struct lae_bench_result *result)
{
    struct session session = {.options = options};
    struct lae_backbone_dims dims;
    LAE_TRY(lae_dist_agree(dist, adjust(options, config)));
    LAE_TRY(lae_dist_agree(
        dist, lae_backbone_dims_of_size(options->model, config->data.image_size, &dims)));
    lae_status status = lae_setup_open_random(config, &dims, dist, log, &session.setup);
    if (status == NULL) status = lae_dist_agree(dist, prepare(&session));
    if (status == NULL) {
        *result = (struct lae_bench_result){
            .options = *options,
            .arithmetic = lae_config_arithmetic(config),
            .ranks = dist->size,
            .threads = lae_team_threads(session.setup.team),
            .hosts = dist->nodes,
        };
        status = measure_all(&session, result);
    }
    release(&session);
    lae_setup_close(&session.setup);
    return status;
}
