#include "lae/sweep/setup.h"

#include "decoding.h"
#include "lae/base/random.h"
#include "lae/nn/linear.h"
#include "lae/weights/weights.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

lae_status lae_setup_share_config(const struct lae_dist *dist, struct lae_config *config)
{
    char *mine = NULL, *text = NULL;
    LAE_TRY(lae_dist_agree(dist, dist->rank == 0 ? lae_config_print(config, &mine) : NULL));
    lae_status status = lae_dist_broadcast_text(dist, mine, &text);
    free(mine);
    LAE_TRY(status);
    if (dist->rank != 0) {
        status = lae_config_defaults(config, NULL);
        if (status == NULL)
            status = lae_config_load_text(config, "rank 0's configuration", text, strlen(text));
    }
    free(text);
    return lae_dist_agree(dist, status);
}

/* The first thing that is not there in a fresh source tree is what has to be fetched. */
static lae_status check_there(const char *key, const char *path)
{
    struct stat about;
    if (path == NULL || stat(path, &about) == 0 || errno != ENOENT) return NULL;
    return lae_bad_input("%s: %s: cannot be opened: No such file or directory "
                         "(launch/get-data.sh fetches CIFAR-100 and the weights of ViT-B/16)",
                         key, path);
}

/* What is taken in place of what the configuration names. */
struct substitute {
    const struct lae_backbone_dims *drawn; /* of weights that are drawn */
    enum { AS_CONFIGURED, PICTURES, NO_IMAGES } images;
    const char *pictures; /* rank 0: images without labels */
    int classes;          /* that images may be of, which are not the configuration's */
};

static lae_status open_configured(const struct lae_data_options *options,
                                  struct lae_dataset *dataset)
{
    bool cifar =
        options->dataset == LAE_DATASET_CIFAR100 || options->dataset == LAE_DATASET_CIFAR10;
    if (cifar) LAE_TRY(check_there("data.path", options->path));
    return lae_dataset_open(options, dataset);
}

static lae_status open_images(const struct lae_data_options *options,
                              const struct substitute *substitute, struct lae_dataset *dataset)
{
    switch (substitute->images) {
    case AS_CONFIGURED:
        return open_configured(options, dataset);
    case PICTURES:
        return lae_dataset_open_pictures(substitute->pictures, substitute->classes, dataset);
    case NO_IMAGES:
        *dataset = lae_dataset_empty(substitute->classes);
    }
    return NULL;
}

/* What was left out changes the data: a warning. The rest is told with the data, where they are. */
static void tell_left_out(const struct lae_setup *setup)
{
    const struct lae_dataset_notes *notes = &setup->dataset.notes;
    if (notes->unread != NULL) lae_log_warn(setup->log, "IMAGES ARE LEFT OUT: %s", notes->unread);
    if (notes->left_out != NULL && setup->dataset.unlabelled)
        lae_log_info(setup->log, "left out: %s", notes->left_out);
}

static lae_status open_dataset(struct lae_setup *setup, const struct substitute *substitute)
{
    struct lae_dataset *dataset = &setup->dataset;
    lae_status status = NULL;
    if (setup->dist->rank == 0) {
        status = open_images(&setup->config->data, substitute, dataset);
        /* That of a folder waits until its files have been read, by all ranks. */
        if (status == NULL && dataset->kind != LAE_DATASET_FOLDER)
            status = lae_dataset_digest(dataset, setup->data_digest);
        if (status == NULL) tell_left_out(setup);
    }
    return lae_dist_agree(setup->dist, status);
}

/* Moves rank 0's records of one part into memory that the node shares. */
static lae_status share_records(struct lae_setup *setup, enum lae_split split)
{
    struct lae_dataset *dataset = &setup->dataset;
    struct lae_shared *shared = &setup->records[split];
    size_t size = dataset->bytes[split];
    LAE_TRY(lae_shared_create(setup->dist, size, shared));
    if (setup->dist->rank == 0) {
        memcpy(shared->data, dataset->records[split], size);
        free(dataset->owned[split]);
    }
    lae_shared_publish(setup->dist, shared);
    dataset->owned[split] = NULL;
    dataset->records[split] = shared->data;
    return NULL;
}

static lae_status share_dataset(struct lae_setup *setup)
{
    struct lae_dataset plain = setup->dataset;
    lae_dist_broadcast(setup->dist, &plain, sizeof plain);
    lae_dist_broadcast(setup->dist, setup->data_digest, sizeof setup->data_digest);
    if (setup->dist->rank != 0) {
        setup->dataset = plain;
        memset(setup->dataset.owned, 0, sizeof setup->dataset.owned);
        memset(setup->dataset.records, 0, sizeof setup->dataset.records);
        setup->dataset.class_names = NULL; /* rank 0's */
        setup->dataset.notes = (struct lae_dataset_notes){0};
    }
    for (int split = 0; split < LAE_SPLITS && plain.record > 0; split++)
        LAE_TRY(share_records(setup, (enum lae_split)split));
    double share = setup->dataset.unlabelled ? 0.0 : setup->config->data.validation_share;
    lae_status status = share > 0.0 ? lae_dataset_hold_out(&setup->dataset, share) : NULL;
    if (status == NULL)
        status = lae_sequence_create(&setup->config->data, &setup->dataset, &setup->sequence);
    return lae_dist_agree(setup->dist, status);
}

/* The user's word is taken, and what speaks against it told. */
static int choose_heads(const struct lae_setup *setup, const struct lae_weights *weights)
{
    int asked = setup->config->model.heads;
    if (asked == 0) return weights->heads;
    if (weights->heads > 0 && weights->heads != asked)
        lae_log_warn(setup->log, "model.heads: %d is used; %s: %d (%s)", asked,
                     setup->config->model.weights, weights->heads, weights->heads_from);
    return asked;
}

static bool takes_pixels_as_they_are(const struct lae_data_options *data)
{
    for (int i = 0; i < 3; i++)
        if (data->mean[i] != 0.0 || data->std[i] != 1.0) return false;
    return true;
}

/* Where nobody has said what pixels are to be made into, and the weights are known to want more. */
static void check_pixels(const struct lae_setup *setup, const struct lae_pixels *pixels)
{
    const double *m = pixels->mean, *s = pixels->std;
    if (!pixels->known || setup->config->pixels_given) return;
    if (!takes_pixels_as_they_are(&setup->config->data)) return;
    bool same = true;
    for (int i = 0; i < 3; i++)
        same = same && m[i] == 0.0 && s[i] == 1.0;
    if (same) return;
    lae_log_warn(setup->log,
                 "data.mean, data.std: not given, so pixels go in as 0..1; these weights "
                 "were trained otherwise (%s): data.mean=%g,%g,%g data.std=%g,%g,%g",
                 pixels->from, m[0], m[1], m[2], s[0], s[1], s[2]);
}

static lae_status read_weights(struct lae_setup *setup, struct lae_weights *weights,
                               struct lae_backbone_dims *dims)
{
    const struct lae_config *config = setup->config;
    if (config->model.weights == NULL)
        return lae_bad_input("model.weights: no weight file is given");
    LAE_TRY(check_there("model.weights", config->model.weights));
    LAE_TRY(lae_status_prefix(lae_weights_read(config->model.weights, setup->log, weights),
                              "model.weights"));
    memcpy(setup->weights_digest, weights->digest, sizeof setup->weights_digest);
    check_pixels(setup, &weights->pixels);
    const struct lae_backbone_hints hints = {.image = config->data.image_size,
                                             .heads = choose_heads(setup, weights),
                                             .eps = weights->layer_norm_eps};
    snprintf(setup->heads_from, sizeof setup->heads_from, "%s",
             config->model.heads > 0 ? "model.heads" : weights->heads_from);
    return lae_status_prefix(lae_backbone_dims_of(&weights->tensors, &hints, dims),
                             "model.weights: %s", config->model.weights);
}

/* Matrices uniform with variance 1 / (3 inputs), norms 1, all else small. */
static void draw_weights(struct lae_setup *setup)
{
    float *weights = setup->weights.data;
    const struct lae_table *table = &setup->backbone->table;
    for (size_t i = 0; i < table->count; i++) {
        const struct lae_param *item = &table->items[i];
        struct lae_random stream =
            lae_random_stream(setup->config->run.seed, LAE_RANDOM_BENCH, 0, 0, (uint32_t)i);
        bool norm = strstr(item->name, "norm") != NULL && strstr(item->name, "weight") != NULL;
        size_t inputs = item->rank > 1 ? item->count / item->shape[0] : 4096;
        double bound = 1.0 / sqrt((double)inputs);
        for (size_t j = 0; j < item->count; j++) {
            double drawn = bound * (2.0 * lae_random_uniform(&stream, j) - 1.0);
            weights[item->offset + j] = norm ? 1.0F : (float)drawn;
        }
    }
}

/* The backbone and its weights; weights NULL: drawn. */
static lae_status fill_weights(struct lae_setup *setup, const struct lae_weights *weights,
                               const struct lae_backbone_dims *dims)
{
    LAE_TRY(lae_dist_agree(setup->dist, lae_backbone_create(dims, &setup->backbone)));
    size_t size = setup->backbone->table.total * sizeof(float);
    LAE_TRY(lae_shared_create(setup->dist, size, &setup->weights));
    lae_status status = NULL;
    if (setup->dist->rank == 0 && weights == NULL)
        draw_weights(setup);
    else if (setup->dist->rank == 0)
        status = lae_status_prefix(
            lae_backbone_fill(setup->backbone, &weights->tensors, setup->weights.data),
            "model.weights: %s", setup->config->model.weights);
    LAE_TRY(lae_dist_agree(setup->dist, status));
    lae_shared_publish(setup->dist, &setup->weights);
    return NULL;
}

static lae_status open_weights(struct lae_setup *setup)
{
    struct lae_weights weights = {0};
    struct lae_backbone_dims dims = {0};
    lae_status status = setup->dist->rank == 0 ? read_weights(setup, &weights, &dims) : NULL;
    status = lae_dist_agree(setup->dist, status);
    if (status == NULL) {
        lae_dist_broadcast(setup->dist, &dims, sizeof dims);
        lae_dist_broadcast(setup->dist, setup->weights_digest, sizeof setup->weights_digest);
        status = fill_weights(setup, &weights, &dims);
    }
    lae_weights_free(&weights);
    return status;
}

/* The ranks of a node share the packed weights, and the work of packing them. */
static lae_status pack_weights(struct lae_setup *setup)
{
    const struct lae_dist *dist = setup->dist;
    if (setup->backbone->packed == 0) return NULL;
    LAE_TRY(lae_shared_create(dist, setup->backbone->packed, &setup->packed));
    LAE_TRY(lae_dist_agree(dist, lae_backbone_pack(setup->backbone, (size_t)dist->node_rank,
                                                   (size_t)dist->node_size, setup->packed.data)));
    lae_shared_settle(&setup->packed);
    lae_backbone_use_packed(setup->backbone, setup->packed.data);
    return NULL;
}

/* The frozen model and the modules' places in it. */
static lae_status open_model(struct lae_setup *setup, const struct lae_backbone_dims *drawn)
{
    const struct lae_config *config = setup->config;
    LAE_TRY(drawn != NULL ? fill_weights(setup, NULL, drawn) : open_weights(setup));
    lae_status status = lae_pet_create(&config->pet, &setup->backbone->places, &setup->pet);
    if (status == NULL)
        status = lae_backbone_use(setup->backbone, setup->weights.data, setup->kernels,
                                  lae_config_arithmetic(config), &setup->pet);
    LAE_TRY(lae_dist_agree(setup->dist, status));
    return pack_weights(setup);
}

/* [collective] */
static lae_status create_team(struct lae_setup *setup)
{
    int asked = setup->config->compute.threads, cores = lae_dist_cores(setup->dist);
    if (asked > 1 && !lae_linear_is_reentrant())
        return lae_bad_input(
            "compute.threads: OpenBLAS's serial build cannot be used by %d threads; "
            "install its pthread build (libopenblas0-pthread), or set it to 1",
            asked);
    if (!lae_linear_is_reentrant()) cores = 1;
    if (cores > LAE_MAX_THREADS) cores = LAE_MAX_THREADS;
    return lae_team_create(asked > 0 ? asked : cores, &setup->team);
}

static lae_status check_fingerprint(struct lae_setup *setup)
{
    setup->fingerprint = lae_fingerprint(setup->kernels, lae_config_arithmetic(setup->config));
    LAE_TRY(lae_dist_agree(setup->dist, setup->fingerprint == NULL
                                            ? lae_out_of_memory(512, "the fingerprint")
                                            : NULL));
    return lae_dist_same(setup->dist, LAE_BAD_INPUT, "the software or kind of processor",
                         setup->fingerprint);
}

static lae_status open_setup(const struct lae_config *config, const struct substitute *substitute,
                             const struct lae_dist *dist, struct lae_log *log,
                             struct lae_setup *setup)
{
    *setup = (struct lae_setup){.config = config,
                                .dist = dist,
                                .log = log,
                                .kernels = lae_kernels_best(),
                                .objective = lae_objective_find("cross_entropy")};
    LAE_TRY(check_fingerprint(setup));
    LAE_TRY(open_dataset(setup, substitute));
    LAE_TRY(share_dataset(setup));
    LAE_TRY(open_model(setup, substitute->drawn));
    LAE_TRY(lae_dist_agree(dist, create_team(setup)));
    if (setup->dataset.kind == LAE_DATASET_FOLDER) LAE_TRY(lae_decoding_read(setup));
    return lae_dist_agree(dist, lae_linear_reserve(lae_team_threads(setup->team)));
}

lae_status lae_setup_open(const struct lae_config *config, const struct lae_dist *dist,
                          struct lae_log *log, struct lae_setup *setup)
{
    return open_setup(config, &(struct substitute){0}, dist, log, setup);
}

lae_status lae_setup_open_random(const struct lae_config *config,
                                 const struct lae_backbone_dims *dims, const struct lae_dist *dist,
                                 struct lae_log *log, struct lae_setup *setup)
{
    return open_setup(config, &(struct substitute){.drawn = dims}, dist, log, setup);
}

lae_status lae_setup_open_pictures(const struct lae_config *config, const char *path, int classes,
                                   const struct lae_dist *dist, struct lae_log *log,
                                   struct lae_setup *setup)
{
    struct substitute substitute = {.images = PICTURES, .pictures = path, .classes = classes};
    return open_setup(config, &substitute, dist, log, setup);
}

lae_status lae_setup_open_alone(const struct lae_config *config, int classes,
                                const struct lae_dist *dist, struct lae_log *log,
                                struct lae_setup *setup)
{
    struct substitute substitute = {.images = NO_IMAGES, .classes = classes};
    return open_setup(config, &substitute, dist, log, setup);
}

void lae_setup_close(struct lae_setup *setup)
{
    lae_team_free(setup->team);
    lae_pet_free(&setup->pet);
    lae_backbone_free(setup->backbone);
    lae_shared_free(&setup->packed);
    lae_shared_free(&setup->weights);
    lae_sequence_free(&setup->sequence);
    lae_dataset_close(&setup->dataset);
    lae_shared_free(&setup->decoded);
    for (int split = 0; split < LAE_SPLITS; split++)
        lae_shared_free(&setup->records[split]);
    lae_status_free(setup->refused);
    free(setup->fingerprint);
}
