/* Every thread makes a product of its own, as in training; all begin together. */
#include "lae/bench/bench.h"

#include "lae/base/arena.h"

#include <stdlib.h>

/* Of one thread. */
struct maker {
    struct lae_runner *runner;
    float *x, *w, *y;
    void *packed;
    lae_status status;
};

struct lae_bench_peak {
    const struct lae_setup *setup;
    struct lae_products *products;
    int product;
    size_t side;
    struct maker *makers; /* [threads] */
};

static lae_status prepare_maker(const struct lae_bench_peak *peak, struct maker *maker)
{
    size_t count = peak->side * peak->side, packed = lae_product_packed(peak->products, 0);
    LAE_TRY(lae_runner_create(peak->products, &maker->runner));
    maker->x = lae_aligned_calloc(count, sizeof(float));
    maker->w = lae_aligned_calloc(count, sizeof(float));
    maker->y = lae_aligned_calloc(count, sizeof(float));
    if (packed > 0) maker->packed = lae_aligned_calloc(packed, 1);
    if (maker->x == NULL || maker->w == NULL || maker->y == NULL ||
        (packed > 0 && maker->packed == NULL))
        return lae_out_of_memory(3 * count * sizeof(float) + packed, "a large product");
    for (size_t i = 0; i < count; i++) {
        maker->x[i] = (float)(i % 7) - 3.0F;
        maker->w[i] = (float)(i % 5) - 2.0F;
    }
    if (packed == 0) return NULL;
    return lae_product_pack(peak->products, peak->product, maker->w, maker->packed);
}

static void prepare(void *context, int worker, size_t item)
{
    struct lae_bench_peak *peak = context;
    (void)item;
    peak->makers[worker].status = prepare_maker(peak, &peak->makers[worker]);
}

static void make(void *context, int worker, size_t item)
{
    struct lae_bench_peak *peak = context;
    struct maker *maker = &peak->makers[worker];
    (void)item;
    lae_product_run(maker->runner, peak->product,
                    maker->packed != NULL ? maker->packed : (void *)maker->w, NULL, maker->x,
                    maker->y);
}

/* One product on each thread of this rank. */
static lae_status set_up(struct lae_bench_peak *peak, struct lae_arithmetic arithmetic)
{
    int threads = lae_team_threads(peak->setup->team);
    struct lae_product_shape shape = {.rows = peak->side,
                                      .in = peak->side,
                                      .out = peak->side,
                                      .ldx = peak->side,
                                      .ldy = peak->side};
    LAE_TRY(lae_products_create(arithmetic, &peak->products));
    LAE_TRY(lae_products_add(peak->products, &shape, &peak->product));
    peak->makers = calloc((size_t)threads, sizeof *peak->makers);
    if (peak->makers == NULL)
        return lae_out_of_memory((size_t)threads * sizeof *peak->makers, "large products");
    lae_team_each(peak->setup->team, prepare, peak);
    lae_status status = NULL;
    for (int i = 0; i < threads; i++)
        status = lae_status_first(status, peak->makers[i].status);
    return status;
}

lae_status lae_bench_peak_open(const struct lae_setup *setup, struct lae_arithmetic arithmetic,
                               size_t side, struct lae_bench_peak **out)
{
    struct lae_bench_peak *peak = *out = calloc(1, sizeof *peak);
    lae_status status = peak == NULL ? lae_out_of_memory(sizeof *peak, "large products") : NULL;
    if (status == NULL) {
        *peak = (struct lae_bench_peak){.setup = setup, .side = side};
        status = set_up(peak, arithmetic);
    }
    return lae_dist_agree(setup->dist, status);
}

static void read_clock(void *context, int worker, size_t item)
{
    double *seconds = context;
    (void)item;
    seconds[worker] = lae_clock_thread_seconds();
}

double lae_bench_cpu_seconds(const struct lae_setup *setup)
{
    double seconds[LAE_MAX_THREADS] = {0};
    lae_team_each(setup->team, read_clock, seconds);
    int64_t nanoseconds = 0;
    for (int i = 0; i < lae_team_threads(setup->team); i++)
        nanoseconds += (int64_t)(1e9 * seconds[i]);
    lae_dist_sum(setup->dist, &nanoseconds, 1);
    return 1e-9 * (double)nanoseconds;
}

struct lae_bench_peak_rate lae_bench_peak_sample(struct lae_bench_peak *peak)
{
    const struct lae_setup *setup = peak->setup;
    int64_t threads = lae_team_threads(setup->team), done = 1;
    double n = (double)peak->side, spent = lae_bench_cpu_seconds(setup);
    lae_dist_sum(setup->dist, &threads, 1); /* all ranks begin together */
    double began = lae_clock_seconds();
    lae_team_each(setup->team, make, peak);
    lae_dist_sum(setup->dist, &done, 1);
    double seconds = lae_clock_seconds() - began;
    double gflop = 2e-9 * n * n * n * (double)threads;
    return (struct lae_bench_peak_rate){gflop / seconds,
                                        gflop / (lae_bench_cpu_seconds(setup) - spent)};
}

void lae_bench_peak_close(struct lae_bench_peak *peak)
{
    if (peak == NULL) return;
    for (int i = 0; peak->makers != NULL && i < lae_team_threads(peak->setup->team); i++) {
        lae_runner_free(peak->makers[i].runner);
        free(peak->makers[i].x);
        free(peak->makers[i].w);
        free(peak->makers[i].y);
        free(peak->makers[i].packed);
    }
    free(peak->makers);
    lae_products_free(peak->products);
    free(peak);
}
