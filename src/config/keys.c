/* To add a key: give it a member in include/lae/config/config.h (or in its room's options) and a
 * row here. Everything else follows: reading, ranges, --help, the printed configuration, and
 * whether a run may be resumed with another value.
 *
 * Defaults are METHOD.md's. A row with `result` false must not be able to change a checkpoint
 * outside of its /provenance. One with `result` and `later` may change between two tasks: what was
 * learned before has neither its shape nor its meaning.
 */
#include "keys.h"

#include "lae/base/spelling.h"
#include "lae/base/team.h"
#include "lae/base/text.h"

#include <limits.h>
#include <string.h>

#define AT(member) offsetof(struct lae_config, member)
#define PATH "a path of at most 4095 bytes"

static const char *const dataset_names[] = {"synthetic", "cifar100", "cifar10", "folder", NULL};
static const char *const augment_names[] = {"none", "crop_flip", NULL};
static const char *const filter_names[] = {"bilinear", "bicubic", NULL};
static const char *const decode_names[] = {"auto", "once", "each_time", NULL};
static const char *const precision_names[] = {"fp32", "bf16", NULL};
static const char *const schedule_names[] = {"constant", "linear", "cosine", NULL};
static const char *const reduce_names[] = {"mean", "sum", "max", NULL};
static const char *const scope_names[] = {"global", "tensor", NULL};
static const char *const weighting_names[] = {"equal", "tasks", NULL};
static const char *const vectors_names[] = {"pair", "tasks", NULL};
static const char *const base_names[] = {"init", "first", "previous", NULL};
static const char *const start_names[] = {"online", "offline", NULL};
static const char *const every_names[] = {"task", "epoch", NULL};
static const char *const backend_names[] = {"auto", "openblas", "onednn", NULL};

/* A name for a directory of its own that every command takes as an argument afterwards: one path
 * component, not hidden, no option, no KEY=VALUE, and nothing that a terminal would act on. */
static bool is_run_name(const char *text)
{
    size_t left = strlen(text);
    if (left == 0 || left > 128 || strchr(".-", text[0]) != NULL) return false;
    if (strpbrk(text, "/=") != NULL) return false;
    while (left > 0) {
        uint32_t code;
        size_t length = lae_utf8_decode(text, left, &code);
        if (length == 0 || lae_utf8_is_control(code)) return false;
        text += length;
        left -= length;
    }
    return true;
}

/* No longer than Linux takes one. */
static bool is_path(const char *text)
{
    return text[0] != '\0' && strlen(text) <= 4095;
}

/* A name that OpenBLAS could know: SkylakeX, ARMV8. */
static bool is_core_name(const char *text)
{
    size_t good = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    return good > 0 && good <= 32 && text[good] == '\0';
}

/* clang-format off */
/* The module beside one part of a block. */
#define SITE_KEYS(PREFIX, NUMBER, TYPE, WHAT)                                                      \
    {PREFIX ".type", &lae_key_module, TYPE, true, AT(pet.site[NUMBER].type),                       \
     .help = "module beside " WHAT, .site = (NUMBER)},                                             \
    {PREFIX ".hidden", &lae_key_whole, "null", true, AT(pet.site[NUMBER].hidden),                  \
     .help = "adapter, conv_adapter: hidden width; null: the module's own", .max = 65536,          \
     .zero = "null"},                                                                              \
    {PREFIX ".kernel", &lae_key_whole, "3", true, AT(pet.site[NUMBER].kernel),                     \
     .help = "conv_adapter: side of the convolution's kernel", .min = 1, .max = 31, .odd = true},  \
    {PREFIX ".dropout", &lae_key_real, "0.1", true, AT(pet.site[NUMBER].dropout),                  \
     .later = true,                                                                                \
     .help = "conv_adapter: share dropped in training", .max = 1, .below_max = true},              \
    {PREFIX ".rank", &lae_key_whole, "5", true, AT(pet.site[NUMBER].rank),                         \
     .help = "lora: rank", .min = 1, .max = 65536},                                                \
    {PREFIX ".length", &lae_key_whole, "10", true, AT(pet.site[NUMBER].length),                    \
     .help = "prefix: number of rows", .min = 1, .max = 65536}

static const struct lae_key keys[] = {
    {"run.name", &lae_key_text, "lae", false, AT(run.name),
     .help = "the run's directory below run.root", .accepts = is_run_name,
     .wanted = "a name without \"/\" and \"=\" that does not begin with a dot or \"-\", of at most "
               "128 bytes of UTF-8 without control characters"},
    {"run.root", &lae_key_text, "runs", false, AT(run.root),
     .help = "directory for runs", .accepts = is_path, .wanted = PATH},
    {"run.seed", &lae_key_seed, "1", true, AT(run.seed),
     .help = "of all random numbers"},
    {"run.resume", &lae_key_text, "auto", false, AT(run.resume),
     .help = "go on with a run that is there, refuse it, or begin after the task of a file",
     .accepts = is_path, .wanted = "auto, never, or the path of a task file"},
    {"run.tasks", &lae_key_whole, "0", false, AT(run.tasks),
     .help = "stop after so many tasks; 0: all", .max = LAE_MAX_CLASSES},

    {"data.dataset", &lae_key_choice, "cifar100", true, AT(data.dataset),
     .help = "what to learn", .choices = dataset_names},
    {"data.path", &lae_key_text, "null", false, AT(data.path),
     .help = "directory or archive of the dataset's files", .optional = true,
     .accepts = is_path, .wanted = PATH},
    {"data.class_order", &lae_key_class_order, "null", true, AT(data),
     .help = "the classes in the order they are learnt; null: label order"},
    {"data.classes", &lae_key_classes, "null", true, AT(data),
     .help = "labels of the classes to learn, the others left aside; null: all"},
    {"data.first_classes", &lae_key_whole, "0", true, AT(data.first_classes),
     .help = "classes of the first task; 0: as the others", .max = LAE_MAX_CLASSES},
    {"data.classes_per_task", &lae_key_whole, "10", true, AT(data.classes_per_task),
     .help = "classes of a task", .min = 1, .max = LAE_MAX_CLASSES},
    {"data.image_size", &lae_key_whole, "224", true, AT(data.image_size),
     .help = "side of the model's input in pixels, a multiple of its patch", .min = 8, .max = 2048},
    {"data.mean", &lae_key_channels, "0", true, AT(data.mean),
     .help = "subtracted from pixels in 0..1", .min = -10, .max = 10},
    {"data.std", &lae_key_channels, "1", true, AT(data.std),
     .help = "divides pixels after that", .min = 0.001, .max = 1000},
    {"data.augment", &lae_key_choice, "crop_flip", true, AT(data.augment),
     .later = true, .help = "of training images", .choices = augment_names},
    {"data.resize", &lae_key_choice, "bilinear", true, AT(data.resize),
     .help = "how images are brought to the model's size, as Pillow does it",
     .choices = filter_names},
    {"data.shuffle", &lae_key_truth, "true", true, AT(data.shuffle),
     .later = true, .help = "visit a task's images in a new order each epoch"},
    {"data.drop_last", &lae_key_truth, "true", true, AT(data.drop_last),
     .later = true, .help = "leave an epoch's last short batch out"},
    {"data.validation_share", &lae_key_real, "0", true, AT(data.validation_share),
     .help = "of each class's training images, to be evaluated on in the test images' place",
     .max = 1, .below_max = true},
    {"data.synthetic.classes", &lae_key_whole, "100", true, AT(data.synthetic.classes),
     .help = "classes of the built-in data", .min = 1, .max = LAE_MAX_CLASSES},
    {"data.synthetic.train", &lae_key_whole, "100", true, AT(data.synthetic.train),
     .help = "training images a class", .min = 1, .max = 1e6},
    {"data.synthetic.test", &lae_key_whole, "20", true, AT(data.synthetic.test),
     .help = "test images a class", .min = 1, .max = 1e6},
    {"data.synthetic.seed", &lae_key_seed, "1", true, AT(data.synthetic.seed),
     .help = "of the images"},

    {"model.weights", &lae_key_text, "null", false, AT(model.weights),
     .help = "the backbone: .npz, .safetensors, .pth, .bin or .h5, an index of shards, or a folder", .optional = true,
     .accepts = is_path, .wanted = PATH},
    {"model.heads", &lae_key_whole, "null", true, AT(model.heads),
     .help = "attention heads; null: as the file, a config.json beside it or published models of that width say", .max = 1024,
     .zero = "null"},
    {"model.precision", &lae_key_choice, "fp32", true, AT(model.precision),
     .help = "of the backbone's arithmetic", .choices = precision_names},

    {"pet.blocks", &lae_key_blocks, "0,1,2,3,4", true, AT(pet),
     .help = "blocks that get modules", .max = LAE_MAX_BLOCKS - 1},
    SITE_KEYS("pet.attn", LAE_SITE_ATTN, "adapter", "attention"),
    SITE_KEYS("pet.mlp", LAE_SITE_MLP, "none", "the MLP"),

    {"train.epochs", &lae_key_whole, "5", true, AT(train.epochs),
     .later = true, .help = "passes over a task's images", .min = 1, .max = 65535},
    {"train.freeze_epochs", &lae_key_whole, "3", true, AT(train.freeze_epochs),
     .later = true, .help = "first epochs of later tasks with the modules at rest", .max = 65535},
    {"train.batch_size", &lae_key_whole, "24", true, AT(train.batch_size),
     .later = true, .help = "images a step, over all ranks together", .min = 1, .max = 1 << 20},
    {"train.lr", &lae_key_real, "0.0028125", true, AT(optim.lr),
     .later = true, .help = "learning rate of Adam", .max = 1000},
    {"train.weight_decay", &lae_key_real, "0", true, AT(optim.weight_decay),
     .later = true, .help = "times the parameter is added to its gradient", .max = 1000},
    {"train.schedule", &lae_key_choice, "constant", true, AT(optim.schedule),
     .later = true, .help = "of the learning rate over a task's steps", .choices = schedule_names},
    {"train.clip_norm", &lae_key_real, "0", true, AT(optim.clip_norm),
     .later = true, .help = "the gradient's norm is cut to this; 0: never", .max = 1e6},
    {"train.start_from", &lae_key_choice, "online", true, AT(train.start_from),
     .later = true,
     .help = "the module that a later task starts to train from", .choices = start_names},

    {"merge.method", &lae_key_method, "ema", true, AT(merge.method),
     .later = true, .help = "how the offline module takes in the online one"},
    {"merge.density", &lae_key_real, "0.2", true, AT(merge.density),
     .later = true, .help = "ties, dare: share of entries kept", .max = 1, .above_min = true},
    {"merge.scale", &lae_key_real, "1", true, AT(merge.scale),
     .later = true,
     .help = "task_arithmetic, ties, dare: factor of the merged change", .max = 1000},
    {"merge.reduce", &lae_key_choice, "mean", true, AT(merge.reduce),
     .later = true, .help = "ties, dare (no max): how entries are joined", .choices = reduce_names},
    {"merge.scope", &lae_key_choice, "global", true, AT(merge.scope),
     .later = true, .help = "ties: what is trimmed together", .choices = scope_names},
    {"merge.weighting", &lae_key_choice, "equal", true, AT(merge.weighting),
     .later = true, .help = "of a pair: offline counts once, or as many times as it holds tasks",
     .choices = weighting_names},
    {"merge.vectors", &lae_key_choice, "pair", true, AT(merge.vectors),
     .later = true,
     .help = "task_arithmetic, ties, dare join the changes of offline and online, or of all tasks",
     .choices = vectors_names},
    {"merge.base", &lae_key_choice, "init", true, AT(merge.base),
     .later = true,
     .help = "changes are measured from the initial values, the first task's end, the task before",
     .choices = base_names},
    {"merge.decay", &lae_key_real, "0.9999", true, AT(merge.decay),
     .later = true, .help = "ema, ema_task: share of offline that stays", .max = 1},

    {"stats.modules", &lae_key_names, "init,offline", true, AT(stats.views),
     .later = true, .help = "views through which class statistics are gathered after each task",
     .optional = true, .member = lae_view_name},

    {"eval.every", &lae_key_choice, "task", false, AT(eval.every),
     .help = "when to measure accuracy", .choices = every_names},
    {"eval.heads", &lae_key_names, "linear,ncm,lda", true, AT(eval.heads),
     .later = true,
     .help = "what is evaluated: the tasks' classifiers; heads made of stats.modules' statistics",
     .member = lae_config_head_name},

    {"heads.shrink", &lae_key_real, "0.1", true, AT(heads.shrink),
     .later = true,
     .help = "lda, aligned: the covariance's share that makes way for a multiple of the identity",
     .max = 1, .above_min = true},
    {"heads.draws", &lae_key_whole, "256", true, AT(heads.align.draws),
     .later = true,
     .help = "aligned: features drawn of each class, one a step", .min = 1, .max = 1e6},
    {"heads.lr", &lae_key_real, "0.03", true, AT(heads.align.lr),
     .later = true,
     .help = "aligned: learning rate at the first step, for weights of mean square 1; falls to 0",
     .max = 10, .above_min = true},
    {"heads.features", &lae_key_whole, "2000", true, AT(heads.ridge.features),
     .help = "ridge: random features M; a task file grows by 4 M^2 bytes for each of stats.modules",
     .min = 1, .max = 16384},
    {"heads.ridge", &lae_key_strengths, "auto", true, AT(heads.ridge),
     .later = true,
     .help = "ridge: its strength, or several to choose from; auto: powers of ten from 1 to 1e9",
     .max = 1e12, .above_min = true},
    {"heads.held_out", &lae_key_real, "0.2", true, AT(heads.ridge.held_out),
     .later = true,
     .help = "ridge: share of a task's training images by which its strength is chosen", .max = 1,
     .above_min = true, .below_max = true},

    {"checkpoint.every_seconds", &lae_key_real, "600", false, AT(checkpoint.every_seconds),
     .help = "save inside a task after so long; 0: never", .max = 1e9},
    {"checkpoint.every_steps", &lae_key_whole, "0", false, AT(checkpoint.every_steps),
     .help = "save inside a task after so many steps; 0: never", .max = INT_MAX},

    {"report.every_steps", &lae_key_whole, "10", false, AT(report.every_steps),
     .help = "training steps of one line in metrics.jsonl and one point in TensorBoard; 0: none",
     .max = INT_MAX},

    {"compute.threads", &lae_key_whole, "auto", false, AT(compute.threads),
     .help = "threads of a rank; auto: one for each core it has",
     .max = LAE_MAX_THREADS, .zero = "auto"},
    {"compute.backend", &lae_key_choice, "auto", false, AT(compute.backend),
     .help = "what multiplies with the frozen weights; auto: oneDNN where it is built in",
     .choices = backend_names},
    {"compute.blas_core", &lae_key_text, "null", false, AT(compute.blas_core),
     .help = "OpenBLAS's kernels, as in OPENBLAS_CORETYPE; null: the processor's",
     .optional = true, .accepts = is_core_name, .wanted = "a core's name such as Haswell"},
    {"compute.decode", &lae_key_choice, "auto", false, AT(compute.decode),
     .help = "image files: once for each host, into memory; auto: if half of what is free holds them",
     .choices = decode_names},
    {"compute.watchdog_seconds", &lae_key_real, "60", false, AT(compute.watchdog_seconds),
     .help = "several hosts: one silent for so long counts as lost and ends the job; 0: never",
     .max = 86400},
    {0},
};
/* clang-format on */

const struct lae_key *lae_keys(void)
{
    return keys;
}

const struct lae_key *lae_key_find(const char *name)
{
    for (const struct lae_key *key = keys; key->name != NULL; key++)
        if (strcmp(key->name, name) == 0) return key;
    return NULL;
}

bool lae_key_is_path(const struct lae_key *key)
{
    return key->accepts == is_path;
}

bool lae_key_is_section(const char *name)
{
    size_t length = strlen(name);
    for (const struct lae_key *key = keys; key->name != NULL; key++)
        if (strncmp(key->name, name, length) == 0 && key->name[length] == '.') return true;
    return false;
}

/* The nearest key, or section that keys are in, that a slip of the finger can have come from. */
static bool nearest_spelling(const char *name, char nearest[LAE_KEY_TEXT])
{
    struct lae_spelling spelling = lae_spelling_of(name);
    for (const struct lae_key *key = keys; key->name != NULL; key++) {
        size_t end = 0;
        do {
            end += strcspn(key->name + end, ".");
            lae_spelling_try(&spelling, key->name, end);
        } while (key->name[end++] != '\0');
    }
    memcpy(nearest, spelling.nearest, sizeof spelling.nearest);
    return nearest[0] != '\0';
}

/* What follows the last dot. */
static const char *leaf(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL ? name : dot + 1;
}

bool lae_key_nearest(const char *name, char nearest[LAE_KEY_TEXT])
{
    if (nearest_spelling(name, nearest)) return true;
    /* The right name in the wrong section, or in none. */
    for (const struct lae_key *key = keys; key->name != NULL; key++) {
        if (strcmp(leaf(name), leaf(key->name)) != 0) continue;
        strcpy(nearest, key->name);
        return true;
    }
    return false;
}
