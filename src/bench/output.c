#include "lae/bench/bench.h"

#include "lae/files/atomic.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *precision_of(const struct lae_bench_result *r)
{
    return r->arithmetic.precision == LAE_PRECISION_BF16 ? "bf16" : "fp32";
}

static const char *backend_of(const struct lae_bench_result *r)
{
    return lae_arithmetic_uses_onednn(r->arithmetic) ? "onednn" : "openblas";
}

static void print_rate(FILE *file, const char *name, double gflop,
                       const struct lae_bench_rate *rate)
{
    fprintf(file, "%-14s%7.2f%10.2f%10.1f%8.1f %%%8.1f %%%11.2f%7.1f %%\n", name, gflop,
            rate->images_per_s, rate->gflops, 100.0 * rate->share_limit, 100.0 * rate->share,
            rate->images_per_cpu_s, 100.0 * rate->share_cpu);
}

static void print_ceiling(FILE *file, const char *precision, const struct lae_bench_limit *limit,
                          double products)
{
    fprintf(file, "%-6s", precision);
    if (limit->name == NULL)
        fprintf(file, "%12s%12s", "-", "-");
    else
        fprintf(file, "%12.1f%12.1f", limit->one, limit->all);
    if (products > 0.0)
        fprintf(file, "%12.1f", products);
    else
        fprintf(file, "%12s", "-");
    fprintf(file, "   %s\n", limit->name != NULL ? limit->name : "none: multiplied as fp32");
}

/* What shares are of. */
static void print_ceilings(FILE *file, const struct lae_bench_result *r)
{
    if (*r->processor != 0) fprintf(file, "%s\n", r->processor);
    fprintf(file, "%-6s%12s%12s%12s   %s\n", "", "limit of", "limit of", "large", "");
    fprintf(file, "%-6s%12s%12s%12s   %s\n", "", "one thread", "all", "products",
            "GFLOP/s; instructions");
    print_ceiling(file, "fp32", &r->limit_fp32, r->peak_fp32);
    print_ceiling(file, "bf16", &r->limit_bf16, r->peak_bf16);
    fputc('\n', file);
}

void lae_bench_print(FILE *file, const struct lae_bench_result *r)
{
    fprintf(file, "%s, batch %d, %s by %s\n", r->options.model->network, r->options.batch,
            precision_of(r), backend_of(r));
    fprintf(file, "%d rank(s) x %d thread(s) on %d host(s); medians of %d\n\n", r->ranks,
            r->threads, r->hosts, r->options.repeats);
    print_ceilings(file, r);
    fprintf(file, "%61s%s\n", "", "by processor time:");
    fprintf(file, "%-14s%7s%10s%10s%10s%10s%11s%9s\n", "", "GFLOP", "images/s", "GFLOP/s",
            "of limit", "products", "images/s", "products");
    print_rate(file, "forward", r->forward_gflop, &r->forward);
    print_rate(file, "training step", r->train_gflop, &r->train);
    fprintf(file, "\nwhere a training step's time goes\n");
    for (int work = LAE_WORK_IDLE + 1; work < LAE_WORKS; work++)
        fprintf(file, "  %-20s%6.1f %%\n", lae_work_name((enum lae_work)work),
                100.0 * r->split[work]);
    fprintf(file, "  %-20s%6.1f %%\n\n", "waiting", 100.0 * r->split[LAE_WORK_IDLE]);
    fprintf(file,
            "step %.3g ms, of it allreduce of %.2f MB %.3g ms; optimiser %.3g ms; merge %.3g ms\n",
            1e3 * r->step_s, r->allreduce_mb, 1e3 * r->allreduce_s, 1e3 * r->optimiser_s,
            1e3 * r->merge_s);
    fprintf(file, "memory (PSS) %.0f MB a rank, %.0f MB a node\n", r->rank_mb, r->node_mb);
}

static json_t *pack_rate(const struct lae_bench_rate *rate)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "images_per_s", rate->images_per_s, "gflops",
                     rate->gflops, "share", rate->share, "share_limit", rate->share_limit,
                     "images_per_cpu_s", rate->images_per_cpu_s, "share_cpu", rate->share_cpu);
}

static json_t *pack_split(const struct lae_bench_result *r)
{
    json_t *split = json_object();
    for (int work = 0; work < LAE_WORKS; work++)
        json_object_set_new(split, lae_work_name((enum lae_work)work), json_real(r->split[work]));
    return split;
}

static json_t *pack_limit(const struct lae_bench_limit *limit)
{
    if (limit->name == NULL) return json_null();
    return json_pack("{s:s, s:f, s:f}", "instructions", limit->name, "one_thread", limit->one,
                     "all_threads", limit->all);
}

static json_t *pack_result(const struct lae_bench_result *r)
{
    bool bf16 = r->arithmetic.precision == LAE_PRECISION_BF16;
    json_t *train = pack_rate(&r->train);
    json_object_set_new(train, "split", pack_split(r));
    json_t *limits = json_pack("{s:o, s:o}", "fp32", pack_limit(&r->limit_fp32), "bf16",
                               pack_limit(&r->limit_bf16));
    json_t *peaks = json_pack("{s:f, s:f}", "fp32", r->peak_fp32, "bf16", r->peak_bf16);
    json_t *seconds = json_pack("{s:f, s:f, s:f, s:f}", "step", r->step_s, "allreduce",
                                r->allreduce_s, "optimiser", r->optimiser_s, "merge", r->merge_s);
    json_t *memory = json_pack("{s:f, s:f, s:f}", "rank_mb", r->rank_mb, "node_mb", r->node_mb,
                               "weights_mb", r->weights_mb);
    return json_pack(
        "{s:s, s:i, s:s, s:s, s:i, s:i, s:i, s:s, s:o, s:f, s:o, s:o, s:o, s:f, s:o, s:o}", "model",
        r->options.model->name, "batch", r->options.batch, "precision", precision_of(r), "backend",
        backend_of(r), "ranks", r->ranks, "threads", r->threads, "hosts", r->hosts, "processor",
        r->processor, "limits", limits, "gemm_peak_gflops", bf16 ? r->peak_bf16 : r->peak_fp32,
        "peaks", peaks, "forward", pack_rate(&r->forward), "train", train, "allreduce_mb",
        r->allreduce_mb, "seconds", seconds, "memory", memory);
}

lae_status lae_bench_write(const char *path, const struct lae_bench_result *result)
{
    json_t *object = pack_result(result);
    char *text =
        object == NULL ? NULL : json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(object);
    if (text == NULL) return lae_out_of_memory(4096, "the figures as JSON");
    lae_status status = lae_atomic_write(path, text, strlen(text));
    free(text);
    return status;
}
