/* Every thread makes a product of its own, as in training; all begin together. */
#include "lae/bench/bench.h"

#include "lae/base/arena.h"

#include <stdlib.h>

#define ATTEMPTS 5

/* Of one thread. */
struct maker {
    struct lae_runner *runner;
    float *x, *w, *y;
    void *packed;
    lae_status status;
};

struct peak {
    struct lae_products *products;
    int product;
    size_t side;
    struct maker *makers; /* [threads] */
};

static lae_status prepare_maker(const struct peak *peak, struct maker *maker)
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
    struct peak *peak = context;
    (void)item;
    peak->makers[worker].status = prepare_maker(peak, &peak->makers[worker]);
}

static void make(void *context, int worker, size_t item)
{
    struct peak *peak = context;
    struct maker *maker = &peak->makers[worker];
    (void)item;
    lae_product_run(maker->runner, peak->product,
                    maker->packed != NULL ? maker->packed : (void *)maker->w, NULL, maker->x,
                    maker->y);
}

static void free_makers(const struct peak *peak, int threads)
{
    for (int i = 0; peak->makers != NULL && i < threads; i++) {
        lae_runner_free(peak->makers[i].runner);
        free(peak->makers[i].x);
        free(peak->makers[i].w);
        free(peak->makers[i].y);
        free(peak->makers[i].packed);
    }
    free(peak->makers);
}

/* One product on each thread of this rank. */
static lae_status set_up(const struct lae_job *job, struct lae_arithmetic arithmetic,
                         struct peak *peak)
{
    int threads = lae_team_threads(job->team);
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
    lae_team_each(job->team, prepare, peak);
    lae_status status = NULL;
    for (int i = 0; i < threads; i++)
        status = lae_status_first(status, peak->makers[i].status);
    return status;
}

lae_status lae_bench_peak(const struct lae_job *job, struct lae_arithmetic arithmetic, size_t side,
                          double *gflops)
{
    struct peak peak = {.side = side};
    int threads = lae_team_threads(job->team);
    lae_status status = lae_dist_agree(job->dist, set_up(job, arithmetic, &peak));
    double best = 0.0, n = (double)side;
    for (int i = 0; i < ATTEMPTS && status == NULL; i++) {
        int64_t all = threads;
        lae_dist_sum(job->dist, &all, 1); /* all ranks begin together */
        double began = lae_clock_seconds();
        lae_team_each(job->team, make, &peak);
        int64_t done = 1;
        lae_dist_sum(job->dist, &done, 1);
        double rate = 2e-9 * n * n * n * (double)all / (lae_clock_seconds() - began);
        if (rate > best) best = rate;
    }
    free_makers(&peak, threads);
    lae_products_free(peak.products);
    *gflops = best;
    return status;
}
