#include "strangers.h"

#include <stdio.h>
#include <string.h>

/* A word of a name (what stands between separators) and what it is a sign of. With '*' at its end
 * it need only begin so. */
struct sign {
    const char *word, *what;
};

/* Not part of what makes the feature of the class token. */
static const char *const passed[] = {
    "head",
    "heads",
    "head_dist",
    "head_drop",
    "classifier",
    "fc",
    "pre_logits",
    "pooler",
    "decoder",
    "decoder_*",
    "mask_token",
    "text",
    "text_*",
    "txt",
    "logit_scale",
    "logit_bias",
    "projector",
    "predictor",
    "cls_classifier",
    "distillation_classifier",
    "prototypes",
    "loss",
    "criterion",
    "optimizer",
    "text_projection",
    "center",
    "queue",
    "queue_ptr",
    "t",
    "b",
};

/* What changes the feature. The order is that of what says most. */
static const struct sign signs[] = {
    {"relative_position_bias_table", "Swin or BEiT (relative positions)"},
    {"relative_position_index", "Swin or BEiT (relative positions)"},
    {"rel_pos_h", "SAM (relative positions)"},
    {"rel_pos_w", "SAM (relative positions)"},
    {"ls1", "LayerScale"},
    {"ls2", "LayerScale"},
    {"gamma_1", "LayerScale"},
    {"gamma_2", "LayerScale"},
    {"layer_scale*", "LayerScale"},
    {"lambda1", "LayerScale"},
    {"fc_norm", "a feature that is the patches' mean (fc_norm)"},
    {"MAPHead_0", "attention pooling (MAPHead)"},
    {"attn_pool", "attention pooling"},
    {"norm_pre", "a norm before the first block (CLIP)"},
    {"ln_pre", "a norm before the first block (CLIP)"},
    {"pre_layernorm", "a norm before the first block (CLIP)"},
    {"pre_layrnorm", "a norm before the first block (CLIP)"},
    {"class_embedding", "OpenAI's CLIP"},
    {"in_proj_weight", "OpenAI's CLIP"},
    {"q_norm", "norms of queries and keys"},
    {"k_norm", "norms of queries and keys"},
    {"rope*", "rotated queries and keys (RoPE)"},
    {"w12", "SwiGLU in the MLP"},
    {"weights_in", "SwiGLU in the MLP"},
    {"fc1_g", "SwiGLU in the MLP"},
    {"q_bias", "BEiT (biases of queries and values alone)"},
    {"v_bias", "BEiT (biases of queries and values alone)"},
    {"conv_dw", "ConvNeXt"},
    {"dwconv", "ConvNeXt"},
    {"downsample", "a network of stages (Swin, ConvNeXt, ResNet)"},
    {"downsample_layers", "a network of stages (ConvNeXt)"},
    {"stages", "a network of stages (ConvNeXt, Swin)"},
    {"layer1", "a ResNet"},
    {"bn1", "a network with batch norm"},
    {"running_mean", "a network with batch norm"},
    {"num_batches_tracked", "a network with batch norm"},
    {"lora_A", "an adapter (LoRA) that is not merged into its backbone"},
    {"lora_B", "an adapter (LoRA) that is not merged into its backbone"},
    {"temporal_embed", "a network for video"},
};

static bool ends_word(char c)
{
    return c == '\0' || c == '.' || c == '/';
}

/* Whether what begins at `at` is that word. */
static bool is_word(const char *at, const char *word)
{
    size_t length = strlen(word);
    bool open = word[length - 1] == '*';
    if (open) length--;
    return strncmp(at, word, length) == 0 && (open || ends_word(at[length]));
}

static bool has_word(const char *name, const char *word)
{
    for (const char *at = name; *at != '\0'; at++)
        if ((at == name || ends_word(at[-1])) && is_word(at, word)) return true;
    return false;
}

/* What a tensor is a sign of, or NULL. */
static const char *sign_of(const char *name)
{
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (has_word(name, signs[i].word)) return signs[i].what;
    return NULL;
}

/* The name behind the prefix, or behind as many of its words as it has. */
static const char *bare(const char *name, const char *prefix)
{
    size_t common = 0;
    for (size_t i = 0; prefix[i] != '\0' && prefix[i] == name[i]; i++)
        if (prefix[i] == '.' || prefix[i] == '/') common = i + 1;
    return name + common;
}

static bool is_passed(const char *name)
{
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
        if (is_word(name, passed[i])) return true;
    /* transformers has its masks among the embeddings. */
    return is_word(name, "embeddings") && is_word(name + strlen("embeddings."), "mask_token");
}

static void count(struct lae_strangers *strangers, const char *name)
{
    int length = (int)strcspn(name, "./");
    char word[sizeof strangers->groups[0].name];
    snprintf(word, sizeof word, "%.*s", length < 60 ? length : 60, name);
    size_t i = 0;
    while (i < strangers->group_count && strcmp(strangers->groups[i].name, word) != 0)
        i++;
    if (i == LAE_STRANGER_GROUPS) {
        strangers->rest++;
        return;
    }
    if (i == strangers->group_count) {
        memcpy(strangers->groups[i].name, word, sizeof word);
        strangers->group_count++;
    }
    strangers->groups[i].count++;
}

static lae_status refuse_sign(const char *name, const char *what)
{
    return lae_bad_input("tensor %s: %s: not supported yet; a plain Vision Transformer is", name,
                         what);
}

lae_status lae_weights_strangers_add(struct lae_strangers *strangers, const struct lae_raw *raw,
                                     const struct lae_spelling *spelling)
{
    const char *name = bare(raw->name, spelling->prefix);
    if (is_passed(name)) {
        count(strangers, name);
        return NULL;
    }
    const char *what = sign_of(name);
    if (what != NULL) return refuse_sign(raw->name, what);
    if (strangers->unknown == NULL) strangers->unknown = raw->name;
    return NULL;
}

lae_status lae_weights_strangers_check(const struct lae_strangers *strangers,
                                       const struct lae_spelling *spelling)
{
    if (strangers->unknown == NULL) return NULL;
    return lae_bad_input("tensor %s is not known: a plain Vision Transformer with %s's names has "
                         "none of that name",
                         strangers->unknown, spelling->naming->name);
}

void lae_weights_strangers_tell(const struct lae_strangers *strangers, const char *path,
                                struct lae_log *log)
{
    char text[LAE_STRANGER_GROUPS * 90];
    size_t used = 0;
    if (strangers->group_count == 0) return;
    for (size_t i = 0; i < strangers->group_count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s (%zu tensor%s)",
                                 i > 0 ? ", " : "", strangers->groups[i].name,
                                 strangers->groups[i].count,
                                 strangers->groups[i].count == 1 ? "" : "s");
    if (strangers->rest > 0)
        lae_log_info(log, "%s: passed over: %s, and %zu more", path, text, strangers->rest);
    else
        lae_log_info(log, "%s: passed over: %s", path, text);
}

lae_status lae_weights_strangers_refuse(const struct lae_raw_file *file)
{
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        for (size_t k = 0; k < file->count; k++)
            if (has_word(file->items[k].name, signs[i].word))
                return refuse_sign(file->items[k].name, signs[i].what);
    return lae_bad_input("no tensor has a name known from Vision Transformers (timm, transformers, "
                         "torchvision, Google, big_vision); the first is %s",
                         file->items[0].name);
}
