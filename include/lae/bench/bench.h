/* How fast the machine is, and how much of that the program gets: images a second of the forward
 * pass and of the training step, of a backbone with random weights, beside two rates of
 * the same run: what the processor's instructions can do at most, and what a library's large
 * product of matrices gets of it.
 *
 * Everything is measured twice over: by the clock, and by the processor time of the threads that
 * compute, which another program on the same cores takes nothing away from. By processor time, each
 * repeat is compared with the large products made right before and right after it. */
#ifndef LAE_BENCH_BENCH_H
#define LAE_BENCH_BENCH_H

#include "lae/base/clock.h"
#include "lae/sweep/setup.h"

#include <stdio.h>

struct lae_bench_options {
    const struct lae_backbone_size *model;
    int batch;   /* images of a step, all ranks together */
    int repeats; /* of each measurement; the median counts */
};

/* Of all ranks together. */
struct lae_bench_rate {
    double images_per_s;
    double gflops;           /* GFLOP/s of the products of matrices */
    double share;            /* of the rate of large products, 0..1 */
    double share_limit;      /* of the limit of the instructions, 0..1 */
    double images_per_cpu_s; /* images a second of processor time */
    double share_cpu;        /* of the products around it, by processor time */
};

/* What the instructions can do that a precision is computed by, GFLOP/s. */
struct lae_bench_limit {
    const char *name; /* of the instructions; NULL: the processor has none for this precision */
    double one, all;  /* one thread alone; all threads of all ranks at once */
};

struct lae_bench_result {
    struct lae_bench_options options;
    struct lae_arithmetic arithmetic;
    int ranks, threads, hosts;
    char processor[128]; /* as the system names it */
    struct lae_bench_limit limit_fp32, limit_bf16;
    double peak_fp32, peak_bf16; /* large products, GFLOP/s of all threads; bf16 0: not built in */
    bool bf16_is_native;
    double forward_gflop, train_gflop; /* of one image */
    struct lae_bench_rate forward, train;
    double split[LAE_WORKS]; /* share of the threads' time in a training step */
    double step_s, allreduce_s, optimiser_s, merge_s;
    double weights_mb;   /* frozen weights that an image reads on its way there and back */
    double allreduce_mb; /* that each rank gives to the sum of a step */
    double rank_mb,
        node_mb; /* memory, PSS: a shared page counts in parts; means over ranks, nodes */
};

/* The configuration gives modules, precision, backend, threads and image size. [collective] Errors:
 * memory; what the configuration asks for cannot be had. */
lae_status lae_bench_run(const struct lae_bench_options *options, struct lae_config *config,
                         const struct lae_dist *dist, struct lae_log *log,
                         struct lae_bench_result *result) LAE_MUST_CHECK;

/* Square products of one size: all threads of all ranks make their own at the same time. */
struct lae_bench_peak;

struct lae_bench_peak_rate {
    double gflops;          /* GFLOP a second, all threads together */
    double gflop_per_cpu_s; /* GFLOP a second of processor time */
};

/* [collective] Errors: memory; the arithmetic is not built in. */
lae_status lae_bench_peak_open(const struct lae_setup *setup, struct lae_arithmetic arithmetic,
                               size_t side, struct lae_bench_peak **peak) LAE_MUST_CHECK;
/* One product on each thread. [collective] */
struct lae_bench_peak_rate lae_bench_peak_sample(struct lae_bench_peak *peak);
void lae_bench_peak_close(struct lae_bench_peak *peak); /* NULL is allowed */

/* The limit of the run's own precision: of bf16 without instructions for it, which is computed as
 * fp32, that of fp32. */
const struct lae_bench_limit *lae_bench_limit_of(const struct lae_bench_result *result);

/* [collective] */
struct lae_bench_limit lae_bench_limit_measure(const struct lae_setup *setup,
                                               enum lae_precision precision);

/* Processor time that the threads of all ranks have spent so far. [collective] */
double lae_bench_cpu_seconds(const struct lae_setup *setup);

/* A table for people. */
void lae_bench_print(FILE *file, const struct lae_bench_result *result);

/* The same as one JSON object, in a new file. Errors: it cannot be written; memory. */
lae_status lae_bench_write(const char *path, const struct lae_bench_result *result) LAE_MUST_CHECK;

#endif
