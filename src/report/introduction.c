/* A run's first lines. What stands here is known before the first image is computed; how long it
 * will take is told by the console once some steps have been made. */
#include "lae/report/introduction.h"

#include "lae/learn/gatherer.h"
#include "lae/nn/linear.h"
#include "lae/run/plan.h"
#include "lae/run/state.h"
#include "lae/sweep/workers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *plural(int64_t count)
{
    return count == 1 ? "" : "s";
}

static void tell_backbone(const struct lae_setup *setup)
{
    char text[LAE_ORIGIN_TEXT + 160];
    lae_log_item(setup->log, "backbone", "%s; %.1f M frozen parameters",
                 lae_backbone_describe(setup->backbone, setup->heads_from, text, sizeof text),
                 (double)setup->backbone->table.total * 1e-6);
}

/* "0 to 4", "1, 3, 5": the adapted blocks. */
static void name_blocks(const struct lae_pet_options *pet, char *text, size_t size)
{
    int last = pet->block_count - 1;
    size_t used = 0;
    bool together = last > 0 && pet->blocks[last] - pet->blocks[0] == last;
    if (together) snprintf(text, size, "%d to %d", pet->blocks[0], pet->blocks[last]);
    for (int i = 0; i <= last && !together && used < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%d", i > 0 ? ", " : "", pet->blocks[i]);
}

static const char *module_name(const struct lae_pet_options *pet, enum lae_site site)
{
    return pet->site[site].type != NULL ? pet->site[site].type->name : "none";
}

static void tell_modules(const struct lae_setup *setup)
{
    const struct lae_config *config = setup->config;
    char blocks[128] = "";
    name_blocks(&config->pet, blocks, sizeof blocks);
    lae_log_item(setup->log, "modules",
                 "attn %s, mlp %s in block%s %s: %zu trainable parameters, and %zu of a task's "
                 "classifier",
                 module_name(&config->pet, LAE_SITE_ATTN), module_name(&config->pet, LAE_SITE_MLP),
                 plural(config->pet.block_count), blocks[0] != '\0' ? blocks : "(none)",
                 setup->pet.table.total, lae_classifier_count(setup, 0));
}

/* "10 tasks of 10 classes", "6 tasks of 50, 10, ... 10 classes" */
static void name_tasks(const struct lae_sequence *sequence, char *text, size_t size)
{
    int tasks = sequence->tasks;
    const int *first = sequence->first_class;
    int a = first[1], b = tasks > 1 ? first[2] - first[1] : a, z = first[tasks] - first[tasks - 1];
    if (a == b && b == z)
        snprintf(text, size, "%d task%s of %d classes", tasks, plural(tasks), a);
    else if (tasks == 2)
        snprintf(text, size, "2 tasks of %d and %d classes", a, b);
    else
        snprintf(text, size, "%d tasks of %d, %d, ... %d classes", tasks, a, b, z);
}

void lae_tell_evaluated(const struct lae_config *config, struct lae_log *log)
{
    if (config->data.validation_share > 0.0)
        lae_log_item(log, "",
                     "evaluated on training images held out by data.validation_share (%g); test "
                     "images are not touched",
                     config->data.validation_share);
}

/* How a folder was read, and what of it was not. */
static void tell_layout(const struct lae_dataset *dataset, struct lae_log *log)
{
    const struct lae_dataset_notes *notes = &dataset->notes;
    if (notes->layout != NULL) lae_log_item(log, "", "read as %s", notes->layout);
    if (notes->passed != NULL) lae_log_item(log, "", "not read: %s", notes->passed);
    if (notes->unread != NULL) lae_log_item(log, "", "IMAGES LEFT OUT: %s", notes->unread);
    if (notes->left_out != NULL) lae_log_item(log, "", "left out: %s", notes->left_out);
}

static void tell_data(const struct lae_setup *setup)
{
    const struct lae_dataset *dataset = &setup->dataset;
    lae_log_item(setup->log, "data", "%zu training and %zu %s images, %d classes",
                 dataset->count[LAE_TRAIN], dataset->count[LAE_TEST],
                 lae_dataset_evaluated(dataset), setup->sequence.classes);
    if (dataset->kind == LAE_DATASET_FOLDER)
        lae_log_item(setup->log, "", "image files of up to %dx%d pixels, %s", dataset->width,
                     dataset->height,
                     dataset->decoded != NULL ? "decoded once for each host"
                                              : "decoded each time one is needed");
    tell_layout(dataset, setup->log);
    lae_tell_evaluated(setup->config, setup->log);
}

static void tell_plan(const struct lae_setup *setup)
{
    const struct lae_config *config = setup->config;
    const struct lae_sequence *sequence = &setup->sequence;
    int stop = lae_plan_stop(config, sequence->tasks), epochs = config->train.epochs;
    int frozen = config->train.freeze_epochs < epochs ? config->train.freeze_epochs : epochs;
    char tasks[128], partly[64] = "", alone[96] = "";
    int64_t steps = 0;
    for (int task = 0; task < stop; task++)
        steps += epochs * lae_plan_steps(config, sequence->images[LAE_TRAIN][task].count);
    name_tasks(sequence, tasks, sizeof tasks);
    if (stop < sequence->tasks) snprintf(partly, sizeof partly, ", of which %d now", stop);
    if (frozen > 0 && sequence->tasks > 1)
        snprintf(alone, sizeof alone, " (after the first task, %d of them the classifier alone)",
                 frozen);
    lae_log_item(setup->log, "plan", "%s%s; %d epoch%s each%s, %lld steps of %d images", tasks,
                 partly, epochs, plural(epochs), alone, (long long)steps, config->train.batch_size);
    lae_log_item(setup->log, "merge", "%s: %s", config->merge.method->name,
                 config->merge.method->help);
}

/* "linear, ncm": the names of a set's bits. */
static void name_set(unsigned set, const char *(*member)(size_t), char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t bit = 0; member(bit) != NULL && used < size; bit++)
        if ((set >> bit & 1) != 0)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "",
                                     member(bit));
}

static void tell_heads(const struct lae_setup *setup)
{
    char heads[128], views[64];
    struct lae_statistics plan = lae_statistics_plan(setup->config);
    name_set(setup->config->eval.heads, lae_config_head_name, heads, sizeof heads);
    name_set(plan.views, lae_view_name, views, sizeof views);
    if (plan.views != 0)
        lae_log_item(setup->log, "heads", "%s; class statistics through %s after each task", heads,
                     views);
    else
        lae_log_item(setup->log, "heads",
                     "linear; no class statistics, which others are made from");
}

/* Of this host: the cores that its ranks are bound to, and those that they might have. */
static void tell_ranks(const struct lae_setup *setup, int bound, int cores, const char *hosts)
{
    const struct lae_dist *dist = setup->dist;
    int threads = lae_team_threads(setup->team);
    lae_log_item(setup->log, "ranks", "%d on %d host%s (%s), %d thread%s each", dist->size,
                 dist->nodes, plural(dist->nodes), hosts != NULL ? hosts : "?", threads,
                 plural(threads));
    int workers = dist->node_size * threads;
    if (workers > bound)
        lae_log_item(setup->log, "",
                     "%d ranks x %d threads share %d cores of this host: no faster than %d ranks, "
                     "the same bits",
                     dist->node_size, threads, bound, bound);
    if (2 * (workers < bound ? workers : bound) <= cores)
        lae_log_warn(setup->log,
                     "only %d of this host's %d cores are used; start more ranks, raise "
                     "compute.threads, or unbind the ranks (mpirun --bind-to none)",
                     workers < bound ? workers : bound, cores);
}

static void tell_arithmetic(const struct lae_setup *setup)
{
    struct lae_arithmetic arithmetic = lae_config_arithmetic(setup->config);
    char onednn[64], frozen[128] = "";
    if (lae_arithmetic_uses_onednn(arithmetic))
        snprintf(frozen, sizeof frozen, "frozen weights by %s, the rest by ",
                 lae_onednn_version(onednn, sizeof onednn));
    bool bf16 = arithmetic.precision == LAE_PRECISION_BF16;
    lae_log_item(setup->log, "compute", "%s; %sOpenBLAS %s; kernels %s",
                 !bf16                  ? "fp32"
                 : lae_bf16_is_native() ? "bf16"
                                        : "bf16, which this processor multiplies as fp32",
                 frozen, lae_linear_core(), setup->kernels->name);
    lae_log_note(setup->log, "software  %s", setup->fingerprint);
}

/* A line of /proc/self/status in bytes; 0 where the kernel does not tell. */
static double own_memory(const char *format)
{
    char line[128];
    long long kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, format, &kilobytes) == 1) break;
    if (file != NULL) fclose(file);
    return 1024.0 * (double)kilobytes;
}

/* What the ranks of a host share (weights, images, the libraries), then what each has of its own:
 * what it has now, and what its threads, the sums and the state (three vectors, two moments) will
 * take. */
static void tell_memory(const struct lae_setup *setup)
{
    const struct lae_dist *dist = setup->dist;
    double arrays = (double)(setup->weights.size + setup->packed.size + setup->decoded.size);
    for (int split = 0; split < LAE_SPLITS; split++)
        arrays += (double)setup->records[split].size;
    double shared = own_memory("RssFile: %lld kB") + arrays;
    double each = (double)lae_workers_need(setup), vectors = 7.0 * sizeof(float);
    double own = own_memory("RssAnon: %lld kB") + each * lae_team_threads(setup->team) +
                 (double)(lae_evaluator_need(setup) + lae_gatherer_need(setup)) +
                 vectors * (double)setup->pet.table.total;
    if (dist->node_size == 1) own -= arrays; /* MPI gives a single rank plain memory */
    double kept = (double)lae_state_need(setup);
    char first[96] = "";
    if (kept >= 1e6)
        snprintf(first, sizeof first, ", %.0f MB at rank 0 for what is kept of all tasks",
                 1e-6 * kept);
    lae_log_item(
        setup->log, "memory",
        "about %.0f MB on each host: %.0f MB of weights, images and libraries, %.0f MB a rank "
        "(%.1f MB a thread)%s",
        1e-6 * (shared + own * dist->node_size + kept), 1e-6 * shared, 1e-6 * own, 1e-6 * each,
        first);
}

void lae_introduce(const struct lae_setup *setup, const char *place)
{
    int bound = lae_dist_node_cores(setup->dist), cores = lae_dist_unbound_cores(setup->dist);
    char *hosts = lae_dist_hosts(setup->dist);
    if (setup->dist->rank == 0) {
        lae_log_item(setup->log, "lae_mpi", "%s, run %s", LAE_VERSION, place);
        tell_backbone(setup);
        tell_modules(setup);
        tell_data(setup);
        tell_plan(setup);
        tell_heads(setup);
        tell_ranks(setup, bound, cores, hosts);
        tell_arithmetic(setup);
        tell_memory(setup);
    }
    free(hosts);
}
