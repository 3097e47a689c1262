/* Made with the writers' own structs, so that they are what the writers write. */
#include "samples.h"

#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    LAE_FUZZ_CHECK(memory != NULL);
    return memory;
}

static char *copy(const char *text)
{
    char *own = strdup(text);
    LAE_FUZZ_CHECK(own != NULL);
    return own;
}

static void add(struct lae_set *set, const char *name, int rank, const size_t *shape)
{
    struct lae_named *item = NULL;
    lae_status status = lae_set_add(set, name, rank, shape, &item);
    LAE_FUZZ_CHECK(status == NULL);
    for (size_t i = 0; i < item->count; i++)
        item->data[i] = 0.5f + (float)i;
}

#define ADD(set, name, ...)                                                                        \
    add(set, name, (int)(sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t)),                        \
        (const size_t[]){__VA_ARGS__})

static void add_records(struct lae_checkpoint *checkpoint)
{
    checkpoint->metric_count = 1;
    checkpoint->metrics = allocate(1, sizeof *checkpoint->metrics);
    checkpoint->metrics[0] = (struct lae_metric){
        copy("online/accuracy"), 2, {2, 2}, allocate(1, sizeof *checkpoint->metrics->values), 1};
    checkpoint->stats_count = 1;
    checkpoint->stats = allocate(1, sizeof *checkpoint->stats);
    checkpoint->stats[0] = (struct lae_kept_stats){.name = copy("init/ridge"), .lambda = 10.0};
    LAE_FUZZ_CHECK(lae_stats_create(2, 3, &checkpoint->stats[0].stats) == NULL);
    const struct lae_merge_stats merged = {.norm_online = 2.5};
    checkpoint->merge.record = &lae_merge_record;
    LAE_FUZZ_CHECK(lae_rows_add(&checkpoint->merge, "blocks/0/attn/adapter/scale", &merged) !=
                   NULL);
    checkpoint->fact_count = 2;
    checkpoint->provenance = allocate(2, sizeof *checkpoint->provenance);
    checkpoint->provenance[0] = (struct lae_fact){copy("hosts"), copy("node1"), 0};
    checkpoint->provenance[1] = (struct lae_fact){copy("np"), NULL, 8};
}

void lae_sample_checkpoint(bool full, struct lae_checkpoint *checkpoint)
{
    *checkpoint = (struct lae_checkpoint){
        .layout = &lae_run_layout, .task = 0, .task_count = 2, .classes_seen = 1, .classes = 2};
    checkpoint->config = copy("merge: {method: ema}\n");
    checkpoint->class_order = allocate(2, sizeof *checkpoint->class_order);
    checkpoint->class_order[0] = 1;
    ADD(&checkpoint->head, "task_00/bias", 1);
    ADD(&checkpoint->head, "task_00/weight", 1, 2);
    if (!full) return;
    add(&checkpoint->init, "blocks/0/attn/adapter/scale", 0, NULL);
    add(&checkpoint->online, "blocks/0/attn/adapter/scale", 0, NULL);
    ADD(&checkpoint->online, "blocks/0/attn/adapter/up/weight", 2, 3);
    add(&checkpoint->offline, "blocks/0/attn/adapter/scale", 0, NULL);
    ADD(&checkpoint->adam, "pet/m", 3);
    struct lae_saved_position *saved = checkpoint->position = allocate(1, sizeof *saved);
    saved->at.step = 7;
    add_records(checkpoint);
}

const char *const lae_sample_shards[2] = {"model-00001-of-00002.safetensors",
                                          "model-00002-of-00002.safetensors"};

void lae_sample_weights(struct lae_weights *weights)
{
    enum { WIDTH = 2, HIDDEN = 3 };
    *weights = (struct lae_weights){.layer_norm_eps = 1e-6, .heads = 1};
    struct lae_set *set = &weights->tensors;
    ADD(set, "cls_token", 1, 1, WIDTH);
    ADD(set, "pos_embed", 1, 2, WIDTH);
    ADD(set, "patch_embed/proj/weight", WIDTH, 3, 1, 1);
    ADD(set, "patch_embed/proj/bias", WIDTH);
    ADD(set, "blocks/0/norm1/weight", WIDTH);
    ADD(set, "blocks/0/norm1/bias", WIDTH);
    ADD(set, "blocks/0/attn/qkv/weight", 3 * WIDTH, WIDTH);
    ADD(set, "blocks/0/attn/qkv/bias", 3 * WIDTH);
    ADD(set, "blocks/0/attn/proj/weight", WIDTH, WIDTH);
    ADD(set, "blocks/0/attn/proj/bias", WIDTH);
    ADD(set, "blocks/0/norm2/weight", WIDTH);
    ADD(set, "blocks/0/norm2/bias", WIDTH);
    ADD(set, "blocks/0/mlp/fc1/weight", HIDDEN, WIDTH);
    ADD(set, "blocks/0/mlp/fc1/bias", HIDDEN);
    ADD(set, "blocks/0/mlp/fc2/weight", WIDTH, HIDDEN);
    ADD(set, "blocks/0/mlp/fc2/bias", WIDTH);
    ADD(set, "norm/weight", WIDTH);
    ADD(set, "norm/bias", WIDTH);
}
