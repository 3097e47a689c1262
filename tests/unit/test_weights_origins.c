/* Backbones as the world keeps them: every naming of the plain Vision Transformer, prefixes, what
 * lies beside a backbone, further tokens, shards, PyTorch's files, and what is told of a model
 * beside its tensors. */
#define _GNU_SOURCE /* nftw's flags */
#include "weight_files.h"

/* ---- a copy of a network under other names -------------------------------------------------- */

/* timm's name to another: `from` is a name or the part of it behind "blocks.N.", `to` the other,
 * where # is a block's number. */
struct renaming {
    const char *from, *to;
};

static const struct renaming torchvision[] = {
    {"cls_token", "class_token"},
    {"pos_embed", "encoder.pos_embedding"},
    {"patch_embed.proj.", "conv_proj."},
    {"norm.", "encoder.ln."},
    {"norm1.", "encoder.layers.encoder_layer_#.ln_1."},
    {"norm2.", "encoder.layers.encoder_layer_#.ln_2."},
    {"attn.qkv.", "encoder.layers.encoder_layer_#.self_attention.in_proj_"},
    {"attn.proj.", "encoder.layers.encoder_layer_#.self_attention.out_proj."},
    {"mlp.fc1.", "encoder.layers.encoder_layer_#.mlp.0."},
    {"mlp.fc2.", "encoder.layers.encoder_layer_#.mlp.3."},
    {NULL, NULL}};

/* The name that the first row which fits makes of it. */
static void rename_one(const struct renaming *rows, const char *name, char to[NAME_SIZE])
{
    int block = -1, used = 0;
    if (sscanf(name, "blocks.%d.%n", &block, &used) == 1) name += used;
    for (; rows->from != NULL; rows++) {
        size_t length = strlen(rows->from);
        const char *number = strchr(rows->to, '#');
        if (strncmp(name, rows->from, length) != 0 || (block >= 0) != (number != NULL)) continue;
        if (number != NULL)
            snprintf(to, NAME_SIZE, "%.*s%d%s%s", (int)(number - rows->to), rows->to, block,
                     number + 1, name + length);
        else
            snprintf(to, NAME_SIZE, "%s%s", rows->to, name + length);
        return;
    }
    fail_msg("%s has no other name", name);
}

static struct network *renamed(struct network *from, const struct renaming *rows)
{
    struct network *to = calloc(1, sizeof *to);
    assert_non_null(to);
    for (int i = 0; i < from->count; i++) {
        char name[NAME_SIZE];
        rename_one(rows, from->items[i].name, name);
        copy_as(to, &from->items[i], name);
    }
    free_network(from);
    return to;
}

static void set_name(struct item *item, const char *name)
{
    assert_in_range(strlen(name), 0, NAME_SIZE - 1);
    strcpy(item->name, name);
}

/* The first `from` of every name that has it becomes `to`. */
static void replace_names(struct network *network, const char *from, const char *to)
{
    for (int i = 0; i < network->count; i++) {
        char name[2 * NAME_SIZE];
        char *at = strstr(network->items[i].name, from);
        if (at == NULL) continue;
        snprintf(name, sizeof name, "%.*s%s%s", (int)(at - network->items[i].name),
                 network->items[i].name, to, at + strlen(from));
        set_name(&network->items[i], name);
    }
}

static void prefix_names(struct network *network, const char *prefix)
{
    for (int i = 0; i < network->count; i++) {
        char name[2 * NAME_SIZE];
        snprintf(name, sizeof name, "%s%s", prefix, network->items[i].name);
        set_name(&network->items[i], name);
    }
}

static struct network *big_vision(const char *prefix)
{
    struct network *network = google(prefix);
    replace_names(network, "LayerNorm_2", "LayerNorm_1");
    replace_names(network, "MultiHeadDotProductAttention_1", "MultiHeadDotProductAttention_0");
    replace_names(network, "MlpBlock_3", "MlpBlock_0");
    replace_names(network, "Transformer/posembed_input/pos_embedding", "pos_embedding");
    return network;
}

static struct network *transformers_5(const char *prefix)
{
    struct network *network = transformers(prefix);
    replace_names(network, "encoder.layer.", "layers.");
    replace_names(network, "attention.attention.query", "attention.q_proj");
    replace_names(network, "attention.attention.key", "attention.k_proj");
    replace_names(network, "attention.attention.value", "attention.v_proj");
    replace_names(network, "attention.output.dense", "attention.o_proj");
    replace_names(network, "intermediate.dense", "mlp.fc1");
    replace_names(network, "output.dense", "mlp.fc2");
    return network;
}

/* What the log says, which the reader's caller shows; free(). */
static char *told(const char *path, struct lae_weights *weights)
{
    char *text = NULL;
    size_t size = 0;
    FILE *screen = open_memstream(&text, &size);
    assert_non_null(screen);
    struct lae_log log = {.screen = screen};
    lae_status status = lae_weights_read(path, &log, weights);
    fclose(screen);
    if (status != NULL) fail_msg("%s", lae_status_message(status));
    return text;
}

static void assert_tells(const char *path, const char *part)
{
    struct lae_weights weights;
    char *text = told(path, &weights);
    bool quiet = part[0] == '\0' ? text[0] != '\0' : strstr(text, part) == NULL;
    if (quiet) fail_msg("\"%s\" is not told of %s: %s", part, path, text);
    free(text);
    lae_weights_free(&weights);
}

/* ---- names ---------------------------------------------------------------------------------- */

static void test_torchvision(void **state)
{
    const char *path = at(state, "vit_b_16.safetensors");
    struct network *network = renamed(timm(), torchvision);
    save_safetensors(path, network, "F32", "");
    assert_reads_as(path, "torchvision safetensors", 1e-6, 0);
    replace_names(network, ".mlp.0.", ".mlp.linear_1."); /* as the published files have it */
    replace_names(network, ".mlp.3.", ".mlp.linear_2.");
    add_head(network, "heads.head");
    save_safetensors(path, network, "F32", "");
    assert_reads_as(path, "torchvision safetensors", 1e-6, 0);
    assert_tells(path, "passed over: heads (2 tensors)");
    free_network(network);
}

static void test_transformers_5(void **state)
{
    const char *path = at(state, "model.safetensors");
    const char *const prefixes[] = {"", "vit.", "deit.", "model.vit."};
    for (int i = 0; i < 4; i++) {
        struct network *network = transformers_5(prefixes[i]);
        save_safetensors(path, network, "F32", "");
        assert_reads_as(path, "transformers 5 safetensors", 1e-12, 0);
        free_network(network);
    }
}

static void test_big_vision(void **state)
{
    const char *path = at(state, "b16.npz");
    const char *const prefixes[] = {"", "params/", "params/img/", "opt/target/"};
    for (int i = 0; i < 4; i++) {
        struct network *network = big_vision(prefixes[i]);
        save_npz(path, network, "<f4", 1, false);
        assert_reads_as(path, "big_vision npz", 1e-6, HEADS);
        free_network(network);
        network = google(prefixes[i]);
        save_npz(path, network, "<f4", 1, false);
        assert_reads_as(path, "Google npz", 1e-6, HEADS);
        free_network(network);
    }
    struct network *network = big_vision("params/img/");
    ADD(network, "params/txt/Transformer/encoder_norm/bias", WIDTH);
    ADD(network, "params/t", 1);
    ADD(network, "params/img/head/kernel", WIDTH, CLASSES);
    save_npz(path, network, "<f4", 1, true);
    assert_reads_as(path, "big_vision npz", 1e-6, HEADS);
    assert_tells(path, "txt (1 tensor)");
    free_network(network);
}

/* All blocks in one tensor, as jax.lax.scan wants them; in bfloat16, too, which NumPy has no name
 * for. */
static void test_stacked_blocks(void **state)
{
    const char *path = at(state, "scan.npz");
    static const char *const types[] = {"<f4", "|V2", "<f2"};
    struct network *apart = big_vision("params/"), *network = calloc(1, sizeof *network);
    assert_non_null(network);
    for (int i = 0; i < apart->count; i++) {
        const struct item *item = &apart->items[i];
        char name[NAME_SIZE], other[NAME_SIZE];
        size_t shape[8] = {DEPTH};
        if (strstr(item->name, "encoderblock_") == NULL) copy_as(network, item, item->name);
        if (strstr(item->name, "encoderblock_0") == NULL) continue;
        int front = (int)(strstr(item->name, "_0/") - item->name);
        snprintf(name, sizeof name, "%.*s%s", front, item->name, item->name + front + 2);
        memcpy(shape + 1, item->shape, (size_t)item->rank * sizeof *shape);
        struct item *all = add_tensor(network, item->rank + 1, shape, "%s", name);
        for (int block = 0; block < DEPTH; block++) {
            snprintf(other, sizeof other, "%.*s_%d%s", front, item->name, block,
                     item->name + front + 2);
            memcpy(all->data + (size_t)block * item->count, find_tensor(apart, other)->data,
                   item->count * sizeof(float));
        }
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        save_npz(path, network, types[i], 1, false);
        assert_reads_as(path, "big_vision npz", 1e-6, HEADS);
    }
    find_tensor(network, "params/Transformer/encoderblock/LayerNorm_0/bias")->shape[0] = 1;
    find_tensor(network, "params/Transformer/encoderblock/LayerNorm_0/bias")->count = WIDTH;
    save_npz(path, network, "<f4", 1, false);
    assert_refused(path, "encoderblock_1/LayerNorm_0/bias is missing");
    free_network(network);
    free_network(apart);
}

/* One prefix before all names is taken off and told. */
static void test_prefixes(void **state)
{
    static const char *const prefixes[] = {"module.",         "backbone.", "encoder.",
                                           "visual.trunk.",   "model.",    "module.backbone.",
                                           "base_encoder_0.", "net-1.vit."};
    const char *path = at(state, "prefixed.safetensors");
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        char wanted[2 * NAME_SIZE];
        struct network *network = timm();
        prefix_names(network, prefixes[i]);
        save_safetensors(path, network, "F32", "");
        assert_reads_as(path, "timm safetensors", 1e-6, 0);
        snprintf(wanted, sizeof wanted, "the names begin with %s, which is taken off", prefixes[i]);
        assert_tells(path, wanted);
        free_network(network);
    }
    struct network *network = timm();
    save_safetensors(path, network, "F32", "");
    assert_tells(path, ""); /* nothing to tell */
    prefix_names(network, "module.");
    ADD(network, "norm.bias", WIDTH); /* not of the backbone, and nobody knows what */
    save_safetensors(path, network, "F32", "");
    assert_refused(path, "tensor norm.bias is not known");
    free_network(network);
}

/* Decoders, classifiers, text towers, masks: known by name, passed over and told. */
static void test_passed_over(void **state)
{
    static const char *const names[] = {"head.mlp.0.weight",
                                        "classifier.weight",
                                        "cls_classifier.bias",
                                        "decoder.norm.bias",
                                        "decoder_blocks.0.bias",
                                        "decoder_pos_embed",
                                        "mask_token",
                                        "text.cls_token",
                                        "text_projection",
                                        "logit_scale",
                                        "fc.weight",
                                        "head_dist.weight",
                                        "heads.head.weight",
                                        "pooler.dense.bias",
                                        "vit.embeddings.mask_token",
                                        "projector.0.weight",
                                        "vit.pooler.dense.bias",
                                        "distillation_classifier.bias"};
    const char *path = at(state, "beside.safetensors");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct network *network = transformers("vit.");
        ADD(network, names[i], CLASSES, 2);
        save_safetensors(path, network, "F32", "");
        assert_reads_as(path, "transformers safetensors", 1e-12, 0);
        assert_tells(path, "passed over: ");
        free_network(network);
    }
}

/* What is passed over may be of any type. */
static void test_other_types(void **state)
{
    const char *path = at(state, "types.safetensors");
    struct network *network = timm();
    struct bytes header = {0}, file = {0};
    struct bytes whole = safetensors(network, "F32", "");
    size_t length = whole.data[0] | (size_t)whole.data[1] << 8, data = whole.size - 8 - length;
    append_text(&header,
                "{\"head.steps\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[%zu,%zu]},",
                data, data + 8);
    append_bytes(&header, whole.data + 9, length - 1);
    append_number(&file, header.size, 8);
    append_bytes(&file, header.data, header.size);
    append_bytes(&file, whole.data + 8 + length, data);
    append_number(&file, 7, 8);
    save_bytes(path, file.data, file.size);
    assert_reads_as(path, "timm safetensors", 1e-6, 0);
    free_bytes(&header);
    free_bytes(&file);
    free_bytes(&whole);
    free_network(network);
}

/* Doubles become the floats nearest to them, straight, turned and column by column. */
static void test_doubles(void **state)
{
    const char *path = at(state, "doubles.safetensors");
    struct network *network = timm();
    save_safetensors(path, network, "F64", "");
    assert_reads_as(path, "timm safetensors", 1e-6, 0);
    assert_tells(path, "F64 is rounded to float32 (30 tensors)");
    free_network(network);

    path = at(state, "doubles.npz");
    network = google("");
    for (int columns = 0; columns < 2; columns++) {
        for (int i = 0; i < network->count; i++)
            network->items[i].column_major = columns == 1 && network->items[i].rank == 2;
        save_npz(path, network, "<f8", 1, columns == 1);
        assert_reads_as(path, "Google npz", 1e-6, HEADS);
    }
    free_network(network);
}

/* ---- biases that are not there -------------------------------------------------------------- */

static struct network *plain(const char *prefix)
{
    (void)prefix;
    return timm();
}

static struct network *of_torchvision(const char *prefix)
{
    (void)prefix;
    return renamed(timm(), torchvision);
}

enum { OF_PATCHES = 3, BIASES = 4 }; /* before it queries, keys, values, as far as they are apart */

static const struct unbiased {
    struct network *(*make)(const char *prefix);
    const char *prefix, *file, *biases[BIASES];
} unbiased[] = {
    {plain, "", "a.safetensors", {"attn.qkv.bias", NULL, NULL, "patch_embed.proj.bias"}},
    {of_torchvision, "", "a.safetensors", {"in_proj_bias", NULL, NULL, "conv_proj.bias"}},
    {transformers,
     "vit.",
     "a.safetensors",
     {"query.bias", "key.bias", "value.bias", "projection.bias"}},
    {transformers_5,
     "",
     "a.safetensors",
     {"q_proj.bias", "k_proj.bias", "v_proj.bias", "projection.bias"}},
    {google, "opt/target/", "a.npz", {"query/bias", "key/bias", "value/bias", "embedding/bias"}},
    {big_vision, "", "a.npz", {"query/bias", "key/bias", "value/bias", "embedding/bias"}},
};

static bool is_unbiased(const struct unbiased *naming, unsigned which, const char *name)
{
    for (int bias = 0; bias < BIASES; bias++)
        if ((which >> bias & 1) != 0 && naming->biases[bias] != NULL &&
            strstr(name, naming->biases[bias]) != NULL)
            return true;
    return false;
}

/* The naming's network, whose biases with a bit in `which` are zero: in the file or not there. */
static void save_unbiased(const char *path, const struct unbiased *naming, unsigned which,
                          bool there)
{
    struct network *network = naming->make(naming->prefix);
    for (int i = network->count - 1; i >= 0; i--) {
        struct item *item = &network->items[i];
        if (!is_unbiased(naming, which, item->name)) continue;
        memset(item->data, 0, item->count * sizeof *item->data);
        if (!there) drop_tensor(network, item->name);
    }
    if (strstr(path, ".npz") != NULL)
        save_npz(path, network, "<f4", 1, false);
    else
        save_safetensors(path, network, "F32", "");
    free_network(network);
}

static void assert_told_zero(const char *text, const char *name, bool in_blocks)
{
    char wanted[2 * NAME_SIZE];
    snprintf(wanted, sizeof wanted, "%s%s; zeros are used", name,
             in_blocks ? ", nor that of any other block" : "");
    if (strstr(text, wanted) == NULL) fail_msg("\"%s\" is not told: %s", wanted, text);
}

/* A file without biases is read as one with zeros; and says so. */
static void assert_zeros(const char *path, const struct unbiased *naming, unsigned which)
{
    struct lae_weights with, without;
    save_unbiased(path, naming, which, true);
    read_well(path, &with);
    save_unbiased(path, naming, which, false);
    char *text = told(path, &without);
    assert_same_sets(&with.tensors, &without.tensors);
    assert_int_equal(with.heads, without.heads);
    for (int bias = 0; bias < BIASES; bias++)
        if ((which >> bias & 1) != 0 && naming->biases[bias] != NULL)
            assert_told_zero(text, naming->biases[bias], bias < OF_PATCHES);
    free(text);
    lae_weights_free(&with);
    lae_weights_free(&without);
}

static void test_unbiased(void **state)
{
    /* queries, keys and values; of patches, too; of patches alone; of keys alone */
    static const unsigned which[] = {7, 15, 8, 2};
    for (size_t n = 0; n < sizeof unbiased / sizeof *unbiased; n++)
        for (size_t i = 0; i < sizeof which / sizeof *which; i++)
            assert_zeros(at(state, unbiased[n].file), &unbiased[n], which[i]);
}

/* What is written of such a file has the zeros. */
static void test_unbiased_written(void **state)
{
    static const char *const names[] = {"b.h5", "b.safetensors"};
    const char *path = at(state, "a.safetensors");
    struct lae_weights first, second;
    save_unbiased(path, &unbiased[0], 15, false);
    read_well(path, &first);
    for (int i = 0; i < 2; i++) {
        const char *copy = at(state, names[i]);
        write_well(copy, &first);
        assert_tells(copy, "");
        read_well(copy, &second);
        assert_same_sets(&first.tensors, &second.tensors);
        lae_weights_free(&second);
    }
    lae_weights_free(&first);
}

/* ---- tokens before the patches -------------------------------------------------------------- */

/* timm() with further tokens, and a position embedding with `rows` rows before the patches'. */
static struct network *with_tokens(bool distillation, size_t registers, size_t rows)
{
    struct network *network = timm();
    struct item *positions = find_tensor(network, "pos_embed");
    if (distillation) ADD(network, "dist_token", 1, 1, WIDTH);
    if (registers > 0) ADD(network, "reg_token", 1, registers, WIDTH);
    RESHAPE(positions, 1, rows + GRID * GRID, WIDTH);
    return network;
}

static void assert_positions(const char *path, struct network *network, size_t prefix, size_t rows)
{
    struct lae_weights weights;
    read_well(path, &weights);
    const struct lae_named *positions = lae_set_find(&weights.tensors, "pos_embed");
    const float *wanted = find_tensor(network, "pos_embed")->data;
    assert_int_equal(positions->shape[1], prefix + GRID * GRID);
    for (size_t row = 0; row < prefix + GRID * GRID; row++)
        for (size_t i = 0; i < WIDTH; i++) {
            bool patch = row >= prefix;
            size_t from = patch ? row - prefix + rows : row;
            float value = patch || row < rows ? wanted[from * WIDTH + i] : 0.0f;
            assert_true(positions->data[row * WIDTH + i] == value);
        }
    lae_weights_free(&weights);
}

static void test_tokens(void **state)
{
    static const struct {
        bool distillation;
        size_t registers, rows;
    } cases[] = {{false, 0, 1}, {false, 0, 0}, {true, 0, 2},  {true, 0, 1},
                 {true, 0, 0},  {false, 4, 0}, {false, 4, 1}, {false, 2, 3}};
    const char *path = at(state, "tokens.safetensors");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct network *network =
            with_tokens(cases[i].distillation, cases[i].registers, cases[i].rows);
        size_t prefix = 1 + cases[i].distillation + cases[i].registers;
        save_safetensors(path, network, "F32", "");
        assert_positions(path, network, prefix, cases[i].rows);
        if (cases[i].rows == 0) assert_tells(path, "2 x 2 patches and none for the class token");
        free_network(network);
    }
    struct network *network = with_tokens(false, 0, 2);
    save_safetensors(path, network, "F32", "");
    assert_refused(path, "pos_embed has shape [1, 6, 8]; [1, 1 + g*g, 8] is wanted (or g*g");
    free_network(network);
}

/* Four registers: nine rows are a grid of 3 x 3, or 2 x 2 behind five rows. */
static void test_positions_that_could_be_either(void **state)
{
    const char *path = at(state, "either.safetensors");
    struct network *network = with_tokens(false, 4, 5);
    save_safetensors(path, network, "F32", "");
    assert_refused(path, "pos_embed has shape [1, 9, 8]; [1, 5 + g*g, 8] is wanted");
    free_network(network);
}

static void test_distilled_of_transformers(void **state)
{
    const char *path = at(state, "deit.safetensors");
    struct network *network = transformers("deit.");
    struct item *positions = find_tensor(network, "deit.embeddings.position_embeddings");
    ADD(network, "deit.embeddings.distillation_token", 1, 1, WIDTH);
    RESHAPE(positions, 1, 2 + GRID * GRID, WIDTH);
    save_safetensors(path, network, "F32", "");
    struct lae_weights weights;
    read_well(path, &weights);
    assert_string_equal(weights.tensors.items[1].name, "dist_token");
    assert_memory_equal(lae_set_find(&weights.tensors, "dist_token")->data,
                        find_tensor(network, "deit.embeddings.distillation_token")->data,
                        WIDTH * sizeof(float));
    struct lae_weights again; /* what is written keeps the tokens */
    write_well(at(state, "again.h5"), &weights);
    read_well(at(state, "again.h5"), &again);
    assert_same_sets(&weights.tensors, &again.tensors);
    lae_weights_free(&again);
    lae_weights_free(&weights);
    free_network(network);
}

/* ---- what is told beside the tensors -------------------------------------------------------- */

static void save_text(const char *path, const char *text)
{
    save_bytes(path, text, strlen(text));
}

/* One token, no more than a width to see. */
static struct network *of_width(size_t width)
{
    struct network *network = timm_of_depth(1);
    for (int i = 0; i < network->count; i++) {
        struct item *item = &network->items[i];
        size_t shape[8];
        for (int axis = 0; axis < item->rank; axis++)
            shape[axis] = item->shape[axis] == WIDTH       ? width
                          : item->shape[axis] == 3 * WIDTH ? 3 * width
                                                           : item->shape[axis];
        reshape_tensor(item, item->rank, shape);
    }
    return network;
}

static void assert_heads(const char *path, int heads, const char *from)
{
    struct lae_weights weights;
    read_well(path, &weights);
    if (weights.heads != heads || strcmp(weights.heads_from, from) != 0)
        fail_msg("%s: %d heads (%s), not %d (%s)", path, weights.heads, weights.heads_from, heads,
                 from);
    lae_weights_free(&weights);
}

static void test_published_widths(void **state)
{
    static const struct {
        size_t width;
        int heads;
        const char *from;
    } cases[] = {{192, 3, "the published models of width 192"},
                 {384, 6, "the published models of width 384"},
                 {768, 12, "the published models of width 768"},
                 {1024, 16, "the published models of width 1024"},
                 {1280, 16, "the published models of width 1280"},
                 {1408, 16, "the published models of width 1408"},
                 {1536, 24, "the published models of width 1536"},
                 {64, 0, ""},
                 {128, 0, ""},
                 {100, 0, ""},
                 {512, 0, ""}};
    const char *path = at(state, "width.safetensors");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct network *network = of_width(cases[i].width);
        save_safetensors(path, network, "BF16", "");
        assert_heads(path, cases[i].heads, cases[i].from);
        free_network(network);
    }
}

static void test_config_json(void **state)
{
    static const struct {
        const char *text;
        int heads;
        const char *from, *warning;
    } cases[] = {
        {"{\"num_attention_heads\": 4, \"hidden_size\": 8, \"num_hidden_layers\": 2}", 4,
         "config.json", ""},
        {"{\"num_attention_heads\": 4}", 4, "config.json", ""},
        {"{\"model_args\": {\"num_heads\": 2}}", 2, "config.json", ""},
        {"{\"architectures\": [\"ViTModel\"]}", 0, "", ""},
        {"{\"num_attention_heads\": 4, \"hidden_size\": 16}", 0, "",
         "config.json is of another model, and not used: it tells of width 16, the tensors have "
         "width 8"},
        {"{\"num_attention_heads\": 4, \"num_hidden_layers\": 12}", 0, "",
         "it tells of depth 12, the tensors have depth 2"},
        {"{\"num_attention_heads\": 3}", 0, "", "it tells of heads 3, the tensors have width 8"},
        {"{\"architecture\": \"vit_tiny_patch16_224\"}", 0, "", "it tells of width 192"},
        {"{\"num_attention_heads\": -1}", 0, "", ""},
        {"{\"num_attention_heads\": \"4\"}", 0, "", ""},
        {"[1]", 0, "", "config.json: is no JSON object, and not used"},
        {"{\"num_attention_heads\": 4", 0, "", "config.json: is no JSON object, and not used"},
    };
    const char *path = at(state, "model.safetensors"), *config = at(state, "config.json");
    struct network *network = timm();
    save_safetensors(path, network, "F32", "");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        save_text(config, cases[i].text);
        assert_heads(path, cases[i].heads, cases[i].from);
        assert_tells(path, cases[i].warning);
    }
    save_text(config, "{\"hidden_act\": \"quick_gelu\"}");
    assert_refused(path, "config.json says hidden_act quick_gelu: not supported yet");
    save_text(config, "{\"hidden_act\": \"gelu\", \"layer_norm_eps\": 1e-5}");
    assert_reads_as(path, "timm safetensors", 1e-5, 0);
    free_network(network);

    network = of_width(192); /* timm's name of a model that has its heads */
    save_safetensors(path, network, "F32", "");
    save_text(config, "{\"architecture\": \"deit_tiny_distilled_patch16_224\"}");
    assert_heads(path, 3, "config.json");
    free_network(network);
    network = of_width(64);
    save_safetensors(path, network, "F32", "");
    save_text(config, "{\"architecture\": \"test_vit\"}");
    assert_heads(path, 2, "config.json");
    assert_int_equal(remove(config), 0);
    save_safetensors(
        path, network, "F32",
        "\"__metadata__\":{\"pretrained_cfg\":\"{\\\"architecture\\\":\\\"test_vit\\\"}\"},");
    assert_heads(path, 2, "the file's pretrained_cfg");
    free_network(network);
}

/* The file's own word, and its tensors' shapes, come before a config.json's. */
static void test_heads_that_disagree(void **state)
{
    const char *path = at(state, "model.npz");
    struct network *network = google("");
    save_npz(path, network, "<f4", 1, false);
    save_text(at(state, "config.json"), "{\"num_attention_heads\": 4}");
    assert_heads(path, HEADS, "its tensors");
    assert_tells(path, "config.json tells of 4 heads; its tensors has 2, which is used");
    free_network(network);
}

static void assert_pixels(const char *path, double mean, double std, const char *from)
{
    struct lae_weights weights;
    read_well(path, &weights);
    assert_int_equal(weights.pixels.known, mean >= 0.0);
    if (mean >= 0.0) {
        assert_true(weights.pixels.mean[1] == mean && weights.pixels.std[2] == std);
        assert_string_equal(weights.pixels.from, from);
    }
    lae_weights_free(&weights);
}

static void test_pixels(void **state)
{
    char path[2 * PATH_SIZE], npz[2 * PATH_SIZE], config[2 * PATH_SIZE];
    snprintf(path, sizeof path, "%s", at(state, "model.safetensors"));
    snprintf(npz, sizeof npz, "%s", at(state, "model.npz"));
    snprintf(config, sizeof config, "%s", at(state, "config.json"));
    struct network *network = timm(), *theirs = google("");
    save_safetensors(path, network, "F32", "");
    save_npz(npz, theirs, "<f4", 1, false);
    assert_pixels(path, -1.0, 0.0, "");
    assert_pixels(npz, 0.5, 0.5, "as Google trains");
    struct lae_weights weights; /* what is written keeps it */
    read_well(npz, &weights);
    write_well(at(state, "again.h5"), &weights);
    write_well(at(state, "again.safetensors"), &weights);
    lae_weights_free(&weights);
    assert_pixels(at(state, "again.h5"), 0.5, 0.5, "the file");
    assert_pixels(at(state, "again.safetensors"), 0.5, 0.5, "the file");

    save_text(config, "{\"pretrained_cfg\": {\"mean\": [0.4, 0.25, 0.4], \"std\": [1, 1, 0.75]}}");
    assert_pixels(path, 0.25, 0.75, "config.json");
    save_text(config, "{\"pretrained_cfg\": {\"tag\": \"augreg_in21k\"}}");
    assert_pixels(path, 0.5, 0.5, "config.json");
    save_text(config, "{\"mean\": [0.4, 0.4], \"std\": [1, 1, 0]}"); /* no three colours */
    assert_pixels(path, -1.0, 0.0, "");
    save_text(at(state, "preprocessor_config.json"),
              "{\"image_mean\": [0.5, 0.5, 0.5], \"image_std\": [0.5, 0.5, 0.25]}");
    assert_pixels(path, 0.5, 0.25, "preprocessor_config.json");
    free_network(network);
    free_network(theirs);
}

/* ---- shards --------------------------------------------------------------------------------- */

#define SHARD_1 "model-00001-of-00002.safetensors"
#define SHARD_2 "model-00002-of-00002.safetensors"
#define INDEX "model.safetensors.index.json"

/* Every second tensor to the other shard; `extra`: in the second one, too. */
static void save_shards(void **state, struct network *network, const char *extra)
{
    struct network half[2] = {{.count = 0}};
    struct bytes index = {0};
    append_text(&index, " {\"metadata\": {\"total_size\": 1}, \"weight_map\": {");
    for (int i = 0; i < network->count; i++) {
        const struct item *item = &network->items[i];
        half[i % 2].items[half[i % 2].count++] = *item;
        if (extra != NULL && i % 2 == 0 && strcmp(extra, item->name) == 0)
            half[1].items[half[1].count++] = *item;
        append_text(&index, "%s\"%s\": \"%s\"", i > 0 ? "," : "", item->name,
                    i % 2 == 0 ? SHARD_1 : SHARD_2);
    }
    append_text(&index, "}}");
    save_safetensors(at(state, SHARD_1), &half[0], "F32", "");
    save_safetensors(at(state, SHARD_2), &half[1], "F32", "");
    save_bytes(at(state, INDEX), index.data, index.size);
    free_bytes(&index);
}

static void test_shards(void **state)
{
    struct network *network = timm();
    struct lae_weights by_index, by_folder, by_names;
    save_shards(state, network, NULL);
    read_well(at(state, INDEX), &by_index);
    read_well(*state, &by_folder);
    assert_is(&by_index, network);
    assert_is(&by_folder, network);
    assert_string_equal(by_index.digest, by_folder.digest);
    assert_true(lae_weights_are_in(*state));
    assert_refused(at(state, SHARD_2), "is shard 2 of 2; give the index");
    assert_int_equal(remove(at(state, INDEX)), 0); /* the shards' names are enough */
    read_well(*state, &by_names);
    assert_is(&by_names, network);
    assert_string_equal(by_index.digest, by_names.digest);
    assert_int_equal(remove(at(state, SHARD_1)), 0);
    assert_refused(*state, "holds 1 of 2 shards; the others are missing");
    lae_weights_free(&by_index);
    lae_weights_free(&by_folder);
    lae_weights_free(&by_names);
    free_network(network);
}

static void test_bad_shards(void **state)
{
    struct network *network = timm();
    const char *index = at(state, INDEX);
    save_shards(state, network, "cls_token");
    assert_refused(index, "tensor cls_token is in two shards, " SHARD_1 " and " SHARD_2);
    save_shards(state, network, NULL);
    assert_int_equal(remove(at(state, SHARD_2)), 0);
    index = at(state, INDEX);
    assert_refused(index, "1 of its 2 shards is missing: " SHARD_2);
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"{\"weight_map\": {\"cls_token\": \"../" SHARD_1 "\"}}",
         "lies outside the index's folder"},
        {"{\"weight_map\": {\"cls_token\": \"/etc/passwd\"}}", "lies outside the index's folder"},
        {"{\"weight_map\": {\"cls_token\": \"..\"}}", "lies outside the index's folder"},
        {"{\"weight_map\": {\"cls_token\": \"\"}}", "lies outside the index's folder"},
        {"{\"weight_map\": {\"cls_token\": 3}}", "tensor cls_token: no file's name is given"},
        {"{\"weight_map\": {}}", "its weight_map is empty"},
        {"{\"weight_map\": []}", "is JSON without a weight_map"},
        {"{\"weight_map\": {\"cls_token\"", "is damaged at byte"},
        {"{\"weight_map\": {\"pos_embed\": \"" SHARD_1 "\"}}", "tensor pos_embed is missing: it"},
        {"{\"weight_map\": {\"cls_token\": \"" SHARD_1 "\"}}",
         "is missing: the file is incomplete"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        index = at(state, INDEX);
        save_text(index, cases[i].text);
        assert_refused(index, cases[i].wanted);
    }
    free_network(network);
}

static void test_wrong_shard(void **state)
{
    struct network *network = timm();
    save_shards(state, network, NULL);
    struct bytes index = load_bytes(at(state, INDEX));
    append_bytes(&index, "", 1);
    char *at_first = strstr((char *)index.data, "model-00001");
    at_first[strlen("model-0000")] = '2';
    save_bytes(at(state, INDEX), index.data, index.size - 1);
    assert_refused(at(state, INDEX), "tensor cls_token is in " SHARD_1 ", not in " SHARD_2);
    free_bytes(&index);
    free_network(network);
}

/* A folder with one file is that file; with several, nobody knows. */
static void test_folders(void **state)
{
    struct network *network = timm();
    char digest[LAE_DIGEST_TEXT];
    struct lae_weights weights;
    save_text(at(state, "config.json"), "{\"num_attention_heads\": 4}");
    save_safetensors(at(state, "model.safetensors"), network, "F32", "");
    save_text(at(state, "pytorch_model.bin"), "what lies beside it is not read");
    read_well(*state, &weights);
    assert_is(&weights, network);
    assert_int_equal(weights.heads, 4);
    assert_null(lae_digest_file(at(state, "model.safetensors"), 0, digest));
    assert_string_equal(weights.digest, digest);
    lae_weights_free(&weights);
    assert_tells(*state, "model.safetensors is read; other weight files there are not");
    save_safetensors(at(state, "other.safetensors"), network, "F32", "");
    assert_refused(*state, "holds 2 weight files: model.safetensors, other.safetensors; give the");
    free_network(network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_torchvision),
        TEST(test_transformers_5),
        TEST(test_big_vision),
        TEST(test_stacked_blocks),
        TEST(test_prefixes),
        TEST(test_passed_over),
        TEST(test_other_types),
        TEST(test_doubles),
        TEST(test_unbiased),
        TEST(test_unbiased_written),
        TEST(test_tokens),
        TEST(test_positions_that_could_be_either),
        TEST(test_distilled_of_transformers),
        TEST(test_published_widths),
        TEST(test_config_json),
        TEST(test_heads_that_disagree),
        TEST(test_pixels),
        TEST(test_shards),
        TEST(test_bad_shards),
        TEST(test_wrong_shard),
        TEST(test_folders),
    };
    return cmocka_run_group_tests_name("weights_origins", tests, NULL, NULL);
}
