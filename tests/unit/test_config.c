/* The configuration: its defaults, what it prints, and above all what it refuses and how. */
#define _GNU_SOURCE /* asprintf */
#include "lae/config/config.h"

#include "../../src/config/keys.h"
#include "../../src/config/text.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <ftw.h>

#include "place.h"

/* ---- helpers */

static void assert_ok(lae_status status)
{
    if (status != NULL) fail_msg("unexpected error: %s", lae_status_message(status));
}

/* Bad input whose message contains the text; frees the status. */
static void assert_refused(lae_status status, const char *input, const char *expected)
{
    if (status == NULL) fail_msg("accepted: %s", input);
    if (strstr(lae_status_message(status), expected) == NULL)
        fail_msg("for %s\nwanted   ...%s...\nfound %s", input, expected,
                 lae_status_message(status));
    assert_int_equal(lae_status_code(status), LAE_BAD_INPUT);
    lae_status_free(status);
}

/* The project's configs directory: meson says where the project is, otherwise it is here. */
static const char *configs(void)
{
    static char path[4096];
    const char *source = getenv("LAE_TEST_SOURCE");
    snprintf(path, sizeof path, "%s/configs", source != NULL ? source : ".");
    return path;
}

static struct lae_config fresh(void)
{
    struct lae_config config;
    assert_ok(lae_config_defaults(&config, configs()));
    return config;
}

static lae_status load(struct lae_config *config, const char *yaml)
{
    return lae_config_load_text(config, "x.yaml", yaml, strlen(yaml));
}

static char *print(const struct lae_config *config)
{
    char *text;
    assert_ok(lae_config_print(config, &text));
    assert_non_null(text);
    return text;
}

/* Printing, loading and printing again gives the same. */
static void assert_round_trip(const struct lae_config *config)
{
    char *first = print(config);
    struct lae_config again = fresh();
    lae_status status = lae_config_load_text(&again, "printed", first, strlen(first));
    if (status != NULL) fail_msg("%s\n%s", lae_status_message(status), first);
    char *second = print(&again);
    assert_string_equal(first, second);
    lae_config_free(&again);
    free(first);
    free(second);
}

/* ---- defaults */

static void check_default_run(const struct lae_config *config)
{
    assert_string_equal(config->run.name, "lae");
    assert_string_equal(config->run.root, "runs");
    assert_string_equal(config->run.resume, "auto");
    assert_int_equal(config->run.seed, 1);
    assert_int_equal(config->run.tasks, 0);
    assert_int_equal(config->eval.every, LAE_EVAL_TASK);
    assert_int_equal(config->eval.heads, LAE_LINEAR_HEADS | 2U | 4U);
    assert_string_equal(lae_config_head_name(1), "ncm");
    assert_string_equal(lae_config_head_name(2), "lda");
    assert_int_equal(config->stats.views, 1U << LAE_VIEW_INIT | 1U << LAE_VIEW_OFFLINE);
    assert_int_equal(config->compute.threads, 0);
    assert_int_equal(config->compute.backend, LAE_BACKEND_AUTO);
    assert_null(config->compute.blas_core);
    assert_int_equal(config->compute.decode, LAE_DECODE_AUTO);
    assert_true(config->compute.watchdog_seconds == 60.0);
    assert_null(config->model.weights);
    assert_int_equal(config->model.heads, 0);
    assert_int_equal(config->model.precision, LAE_PRECISION_FP32);
}

static void check_default_data(const struct lae_data_options *data)
{
    assert_int_equal(data->dataset, LAE_DATASET_CIFAR100);
    assert_null(data->path);
    assert_null(data->class_order);
    assert_int_equal(data->class_order_count, 0);
    assert_int_equal(data->first_classes, 0);
    assert_int_equal(data->classes_per_task, 10);
    assert_int_equal(data->image_size, 224);
    for (int i = 0; i < 3; i++) {
        assert_true(data->mean[i] == 0.0);
        assert_true(data->std[i] == 1.0);
    }
    assert_int_equal(data->augment, LAE_AUGMENT_CROP_FLIP);
    assert_true(data->shuffle);
    assert_true(data->drop_last);
    assert_int_equal(data->synthetic.classes, 100);
}

static void check_default_modules(const struct lae_pet_options *pet)
{
    assert_int_equal(pet->block_count, 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(pet->blocks[i], i);
    assert_string_equal(pet->site[LAE_SITE_ATTN].type->name, "adapter");
    assert_null(pet->site[LAE_SITE_MLP].type);
    for (int site = 0; site < LAE_SITES; site++) {
        assert_int_equal(pet->site[site].hidden, 0);
        assert_int_equal(pet->site[site].kernel, 3);
        assert_true(pet->site[site].dropout == 0.1);
        assert_int_equal(pet->site[site].rank, 5);
        assert_int_equal(pet->site[site].length, 10);
    }
}

static void check_default_training(const struct lae_config *config)
{
    assert_int_equal(config->train.epochs, 5);
    assert_int_equal(config->train.freeze_epochs, 3);
    assert_int_equal(config->train.batch_size, 24);
    assert_true(config->optim.lr == 0.0028125);
    assert_true(config->optim.weight_decay == 0.0);
    assert_true(config->optim.clip_norm == 0.0);
    assert_int_equal(config->optim.schedule, LAE_SCHEDULE_CONSTANT);
    assert_string_equal(config->merge.method->name, "ema");
    assert_true(config->merge.decay == 0.9999);
    assert_true(config->merge.density == 0.2);
    assert_true(config->merge.scale == 1.0);
    assert_int_equal(config->merge.reduce, LAE_REDUCE_MEAN);
    assert_int_equal(config->merge.scope, LAE_SCOPE_GLOBAL);
    assert_int_equal(config->merge.weighting, LAE_WEIGHTING_EQUAL);
}

static void test_defaults(void **state)
{
    (void)state;
    struct lae_config config = fresh();
    check_default_run(&config);
    check_default_data(&config.data);
    check_default_modules(&config.pet);
    check_default_training(&config);
    assert_round_trip(&config);
    lae_config_free(&config);
    lae_config_free(&config); /* twice does no harm */
}

/* ---- the project's own files */

struct shipped {
    const char *file, *attn, *mlp, *method;
    int folder; /* classes of a task of image files; 0: other data */
};

static const struct shipped shipped[] = {
    {"demo", "adapter", NULL, "ties", 0},
    {"lae_ema", "adapter", NULL, "ema", 0},
    {"lae_ties", "adapter", NULL, "ties", 0},
    {"best", "adapter", NULL, "ties", 0},
    {"lae_conv_adapter", "conv_adapter", "conv_adapter", "ema", 0},
    {"lae_conv_adapter_attn", "conv_adapter", NULL, "ema", 0},
    {"lae_conv_attn_adapter_mlp", "conv_adapter", "adapter", "ema", 0},
    {"lae_conv_adapter_ties", "conv_adapter", "conv_adapter", "ties", 0},
    {"imagenet_r", "adapter", NULL, "ema", 20},
    {"domainnet", "adapter", NULL, "ema", 69},
    {"cub200", "adapter", NULL, "ema", 20},
};

static void check_type(const struct lae_pet_type *type, const char *name)
{
    if (name == NULL)
        assert_null(type);
    else
        assert_string_equal(type->name, name);
}

static void check_shipped(const struct shipped *file)
{
    struct lae_config config = fresh();
    char *path;
    assert_true(asprintf(&path, "%s/%s.yaml", configs(), file->file) > 0);
    assert_ok(lae_config_load_file(&config, path));
    assert_ok(lae_config_validate(&config, NULL));
    assert_string_equal(config.run.name, file->file);
    check_type(config.pet.site[LAE_SITE_ATTN].type, file->attn);
    check_type(config.pet.site[LAE_SITE_MLP].type, file->mlp);
    assert_string_equal(config.merge.method->name, file->method);
    bool demo = strcmp(file->file, "demo") == 0;
    assert_int_equal(config.data.dataset, demo               ? LAE_DATASET_SYNTHETIC
                                          : file->folder > 0 ? LAE_DATASET_FOLDER
                                                             : LAE_DATASET_CIFAR100);
    assert_int_equal(config.data.image_size, demo ? 32 : 224);
    bool repetition = strncmp(file->file, "lae_", 4) == 0; /* of what the LAE code does */
    assert_true(config.data.mean[1] == (repetition ? 0.0 : 0.5));
    assert_true(config.data.std[1] == (repetition ? 1.0 : 0.5));
    assert_int_equal(config.data.classes_per_task, file->folder > 0 ? file->folder : 10);
    assert_int_equal(config.train.epochs, file->folder > 0 ? 50 : 5);
    assert_int_equal(config.train.freeze_epochs, file->folder > 0 ? 30 : 3);
    assert_true(config.optim.lr == (file->folder > 0 ? 0.00046875 : 0.0028125));
    assert_round_trip(&config);
    lae_config_free(&config);
    free(path);
}

static void test_shipped_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shipped / sizeof *shipped; i++)
        check_shipped(&shipped[i]);
}

/* The papers' settings are the defaults but for what the file is about. */
static void test_shipped_results_differ_in_what_they_say(void **state)
{
    (void)state;
    struct lae_config a = fresh(), b = fresh();
    char *path;
    assert_true(asprintf(&path, "%s/lae_conv_adapter.yaml", configs()) > 0);
    assert_ok(lae_config_load_file(&a, path));
    assert_ok(lae_config_set(&b, "data.class_order=cifar100_order1"));
    char *text_a, *text_b;
    assert_ok(lae_config_print_result(&a, &text_a));
    assert_ok(lae_config_print_result(&b, &text_b));
    struct lae_config_differences differences;
    assert_ok(lae_config_differences("a", text_a, "b", text_b, &differences));
    assert_int_equal(differences.count, 2);
    assert_string_equal(differences.items[0].key, "pet.attn.type");
    assert_string_equal(differences.items[0].a, "conv_adapter");
    assert_string_equal(differences.items[0].b, "adapter");
    assert_string_equal(differences.items[1].key, "pet.mlp.type");
    lae_config_differences_free(&differences);
    lae_config_free(&a);
    lae_config_free(&b);
    free(text_a);
    free(text_b);
    free(path);
}

/* ---- printing */

/* One value for every key, each other than the default. */
/* clang-format off */
static const char *const other_values[] = {
    "run.name=a b", "run.root=/x/y.z", "run.seed=18446744073709551615", "run.resume=never",
    "run.tasks=3", "data.dataset=cifar10", "data.path=./data", "data.class_order=[2,0,1]",
    "data.classes=[2,1,0]", "data.first_classes=50", "data.classes_per_task=5", "data.image_size=32",
    "data.mean=0.5,0.25,0.125", "data.std=0.5", "data.augment=none", "data.resize=bicubic", "data.shuffle=false",
    "data.drop_last=false",  "data.validation_share=0.25", "data.synthetic.classes=20", "data.synthetic.train=7",
    "data.synthetic.test=9", "data.synthetic.seed=0", "model.weights=w.npz", "model.heads=3",
    "model.precision=bf16", "pet.blocks=[11, 0]", "pet.attn.type=lora", "pet.attn.hidden=4",
    "pet.attn.kernel=5", "pet.attn.dropout=0", "pet.attn.rank=2", "pet.attn.length=1",
    "pet.mlp.type=adapter", "pet.mlp.hidden=65536", "pet.mlp.kernel=1", "pet.mlp.dropout=0.25",
    "pet.mlp.rank=1", "pet.mlp.length=65536", "train.epochs=1", "train.freeze_epochs=0",
    "train.batch_size=1", "train.lr=1e-05", "train.weight_decay=0.1", "train.schedule=cosine",
    "train.clip_norm=1", "train.start_from=offline", "merge.method=mean", "merge.density=1",
    "merge.scale=0.3", "merge.reduce=max", "merge.scope=tensor", "merge.weighting=tasks",
    "merge.vectors=tasks", "merge.base=previous", "merge.decay=0",
    "stats.modules=[online, init]", "eval.every=epoch", "eval.heads=[lda, linear]", "heads.shrink=1",
    "heads.draws=7", "heads.lr=0.5",
    "heads.features=7", "heads.ridge=[10, 0.5]", "heads.held_out=0.5",
    "checkpoint.every_seconds=0.5", "checkpoint.every_steps=2147483647",
    "report.every_steps=3", "compute.threads=2", "compute.backend=openblas", "compute.blas_core=Haswell",
    "compute.decode=each_time", "compute.watchdog_seconds=2.5",
};
/* clang-format on */

static void test_every_key_is_printed_and_read_again(void **state)
{
    (void)state;
    struct lae_config config = fresh();
    size_t count = 0;
    for (const struct lae_key *key = lae_keys(); key->name != NULL; key++, count++) {
        assert_in_range(count, 0, sizeof other_values / sizeof *other_values - 1);
        const char *assignment = other_values[count];
        size_t length = strlen(key->name);
        assert_memory_equal(assignment, key->name, length);
        assert_int_equal(assignment[length], '=');
        char *before = print(&config);
        assert_ok(lae_config_set(&config, assignment));
        char *after = print(&config);
        assert_string_not_equal(before, after);
        free(before);
        free(after);
        assert_round_trip(&config);
    }
    assert_int_equal(count, sizeof other_values / sizeof *other_values);
    assert_int_equal(config.pet.blocks[0], 0);
    assert_int_equal(config.pet.blocks[1], 11);
    assert_true(config.run.seed == UINT64_MAX);
    lae_config_free(&config);
}

static void test_sets_of_names(void **state)
{
    (void)state;
    struct lae_config config = fresh();
    assert_ok(lae_config_set(&config, "stats.modules=none"));
    assert_int_equal(config.stats.views, 0);
    assert_round_trip(&config);
    assert_ok(lae_config_set(&config, "stats.modules=[]"));
    assert_int_equal(config.stats.views, 0);
    assert_ok(lae_config_set(&config, "stats.modules=online"));
    assert_int_equal(config.stats.views, 1U << LAE_VIEW_ONLINE);
    /* One set, one way to print it. */
    assert_ok(lae_config_set(&config, "eval.heads=lda,linear"));
    char *text = print(&config);
    assert_non_null(strstr(text, "heads: [linear, lda]"));
    free(text);
    lae_config_free(&config);
}

static void test_texts_survive_printing(void **state)
{
    (void)state;
    /* clang-format off */
    static const char *const texts[] = {
        "plain", "a b", " lead", "trail ", "null", "~", "true", "No", "5", "1e3", ".5", "-x",
        "- x", "a: b", "a #b", "#x", "[1]", "{a}", "&a", "*a", "!t", "%x", "@x", "`x", "'q'",
        "\"q\"", "b\\s", "line\n2", "tab\t", "bell\a", "\x7f", "2024-01-01", "gr\xc3\xbc\xc3\x9f",
        "\xe2\x80\xa8 separator", "\xef\xbb\xbf mark", "\xf0\x9f\x8c\xb1", "\xc2\x85 next line",
        "...", "---", "../x", "y", "0x10", "1:30", "=", "<<", ",", "?",
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct lae_config config = fresh();
        free(config.run.root);
        config.run.root = strdup(texts[i]);
        char *yaml = print(&config);
        struct lae_config again = fresh();
        assert_ok(load(&again, yaml));
        assert_string_equal(again.run.root, texts[i]);
        free(yaml);
        lae_config_free(&config);
        lae_config_free(&again);
    }
}

static void check_real(double value, const char *expected)
{
    struct lae_text text;
    char *written;
    double again;
    assert_ok(lae_text_open(&text));
    lae_text_write_real(text.out, value);
    assert_ok(lae_text_close(&text, &written));
    if (expected != NULL) assert_string_equal(written, expected);
    assert_true(lae_text_real(written, &again));
    assert_memory_equal(&again, &value, sizeof value);
    free(written);
}

static void check_reals(void)
{
    check_real(0.0028125, "0.0028125");
    check_real(0.1, "0.1");
    check_real(600.0, "600");
    check_real(1e6, "1000000");
    check_real(1e-5, "1.0e-05");
    check_real(1.5e-7, "1.5e-07");
    check_real(1.0 / 3.0, "0.3333333333333333");
    check_real(-0.0, "-0");
    check_real(1e300, "1.0e+300");
    check_real(4.9406564584124654e-324, NULL);
    check_real(1.7976931348623157e308, NULL);
    uint64_t bits = 88172645463325252u;
    for (int i = 0; i < 5000; i++) { /* doubles of any size (xorshift64) */
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        double value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) check_real(value, NULL);
    }
}

static void test_numbers_are_exact(void **state)
{
    (void)state;
    check_reals();
}

/* A locale with a decimal comma: an installed one, or one made in the directory by localedef. */
static bool enter_comma_locale(const char *directory)
{
    if (setlocale(LC_ALL, "de_DE.UTF-8") != NULL) return true;
    char command[PLACE_SIZE + 128];
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 2>/dev/null",
             directory);
    if (system(command) == -1) return false;
    setenv("LOCPATH", directory, 1);
    bool found = setlocale(LC_ALL, "de_DE.UTF-8") != NULL;
    unsetenv("LOCPATH");
    return found;
}

/* Some libraries call setlocale; a decimal comma must not get in. */
static void test_numbers_do_not_depend_on_the_locale(void **state)
{
    (void)state;
    char directory[PLACE_SIZE];
    open_place(directory);
    bool found = enter_comma_locale(directory);
    char written[8];
    snprintf(written, sizeof written, "%.1f", 0.5);
    if (found) {
        assert_string_equal(written, "0,5");
        check_reals();
        struct lae_config config = fresh();
        assert_true(config.optim.lr == 0.0028125);
        assert_round_trip(&config);
        lae_config_free(&config);
        setlocale(LC_ALL, "C");
    }
    close_place(directory);
    if (found) return;
    print_message("skipped: no locale with a decimal comma can be had\n");
    skip();
}

/* What is no matter of the result: paths, how far to run, how often to look, where to compute. */
static void test_result_keys(void **state)
{
    (void)state;
    static const char *const others[] = {"run.name",   "run.root",          "run.resume",
                                         "run.tasks",  "data.path",         "model.weights",
                                         "eval.every", "report.every_steps"};
    for (const struct lae_key *key = lae_keys(); key->name != NULL; key++) {
        bool other =
            strncmp(key->name, "compute.", 8) == 0 || strncmp(key->name, "checkpoint.", 11) == 0;
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            other = other || strcmp(key->name, others[i]) == 0;
        if (key->result == other) fail_msg("%s: result is %d", key->name, key->result);
    }
    struct lae_config config = fresh();
    char *text;
    assert_ok(lae_config_print_result(&config, &text));
    assert_non_null(
        strstr(text, "run:\n  seed: 1\ndata:\n  dataset: cifar100\n  class_order: null\n"));
    assert_non_null(strstr(text, "  synthetic:\n    classes: 100\n"));
    assert_non_null(strstr(text, "model:\n  heads: null\n  precision: fp32\n"));
    assert_null(strstr(text, "compute"));
    assert_null(strstr(text, "checkpoint"));
    free(text);
    lae_config_free(&config);
}

/* ---- differences */

static void check_differences(const char *a, const char *b, size_t count, const char *key,
                              const char *value_a, const char *value_b)
{
    struct lae_config_differences differences;
    assert_ok(lae_config_differences("a", a, "b", b, &differences));
    assert_int_equal(differences.count, count);
    if (count > 0) {
        assert_string_equal(differences.items[0].key, key);
        assert_string_equal(differences.items[0].a, value_a);
        assert_string_equal(differences.items[0].b, value_b);
    }
    lae_config_differences_free(&differences);
}

static void test_differences(void **state)
{
    (void)state;
    check_differences("", "", 0, NULL, NULL, NULL);
    check_differences("merge: {density: 0.20}", "", 0, NULL, NULL, NULL); /* the default */
    check_differences("run: {name: a}", "run: {name: b}", 0, NULL, NULL, NULL);
    check_differences("merge: {density: 0.2}", "merge: {density: 0.3}", 1, "merge.density", "0.2",
                      "0.3");
    check_differences("run: {seed: 1}", "run: {seed: 2}\ntrain: {lr: 1}", 2, "run.seed", "1", "2");
    struct lae_config_differences differences;
    assert_refused(lae_config_differences("old.h5", "a: 1", "new.h5", "", &differences), "a: 1",
                   "old.h5:1:1: unknown key \"a\"");
    assert_int_equal(differences.count, 0);
}

/* Of long lists the place where they differ is shown. */
static void test_differences_of_class_orders(void **state)
{
    (void)state;
    struct lae_config a = fresh(), b = fresh();
    assert_ok(lae_config_set(&a, "data.class_order=cifar100_order1"));
    assert_ok(lae_config_set(&b, "data.class_order=cifar100_order1"));
    b.data.class_order[60] = 61;
    b.data.class_order[61] = 60;
    char *text_a, *text_b;
    assert_ok(lae_config_print_result(&a, &text_a));
    assert_ok(lae_config_print_result(&b, &text_b));
    struct lae_config_differences differences;
    assert_ok(lae_config_differences("a", text_a, "b", text_b, &differences));
    assert_int_equal(differences.count, 1);
    assert_non_null(strstr(differences.items[0].a, "59, 60, 61, 62"));
    assert_non_null(strstr(differences.items[0].b, "59, 61, 60, 62"));
    assert_true(strlen(differences.items[0].a) < 60);
    assert_memory_equal(differences.items[0].a, "...", 3);
    assert_non_null(strstr(differences.items[0].a + 3, "..."));
    lae_config_differences_free(&differences);
    free(text_a);
    free(text_b);
    lae_config_free(&a);
    lae_config_free(&b);
}

/* ---- what is refused */

struct bad {
    const char *input, *expected;
};

/* One key out of range or of the wrong type, as KEY=VALUE. The command line and a file refuse the
 * same things. */
static const struct bad bad_values[] = {
    {"run.name=null", "run.name is null; it must be a name without"},
    {"run.name=", "run.name is null"},
    {"run.name=a/b", "run.name is \"a/b\""},
    {"run.name=..", "run.name is \"..\""},
    {"run.root=~", "run.root is null; it must be a path"},
    {"run.resume=null", "run.resume is null"},
    {"run.seed=-1", "run.seed is -1; it must be a whole number from 0 to 18446744073709551615"},
    {"run.seed=18446744073709551616", "run.seed is 18446744073709551616; it must be"},
    {"run.seed=1.0", "run.seed is 1.0"},
    {"run.tasks=-1", "run.tasks is -1; it must be a whole number from 0 to 4096"},
    {"run.tasks=all", "run.tasks is \"all\""},
    {"data.dataset=imagenet",
     "data.dataset is \"imagenet\"; it must be one of synthetic, cifar100"},
    {"data.dataset=cifar1O0", "did you mean \"cifar100\"?"},
    {"merge.method=tie", "did you mean \"ties\"?"},
    {"pet.attn.type=conv", "did you mean \"conv_adapter\"?"},
    {"eval.heads=linear,ridg", "did you mean \"ridge\"?"},
    {"data.augment=flase", "data.augment is \"flase\""},
    {"data.shuffle=flase", "did you mean \"false\"?"},
    {"data.class_order=cifar100_ordr2", "did you mean \"cifar100_order2\"?"},
    {"data.dataset=null", "data.dataset is null"},
    {"data.class_order=[]", "data.class_order is an empty list; it must be"},
    {"data.classes=[]", "data.classes is an empty list; it must be"},
    {"data.classes=[0, 4096]", "item 2 of data.classes is 4096"},
    {"data.class_order=[0, 1, x]", "item 3 of data.class_order is \"x\""},
    {"data.class_order=[0, 4096]", "item 2 of data.class_order is 4096"},
    {"data.class_order=[3, 0, 3]", "data.class_order has 3 twice; the second is item 3"},
    {"data.class_order=cifar100_order9", "data.class_order is \"cifar100_order9\", but"},
    {"data.first_classes=-5", "data.first_classes is -5"},
    {"data.classes_per_task=0", "data.classes_per_task is 0; it must be a whole number from 1"},
    {"data.image_size=7", "data.image_size is 7"},
    {"data.image_size=99999999999999999999", "it must be a whole number from 8 to 2048"},
    {"data.image_size=2147483648", "data.image_size is 2147483648; it must be"},
    {"data.mean=11", "data.mean is 11; it must be a number from -10 to 10, or a list of three"},
    {"data.mean=0.5,0.5", "data.mean is a list of 2; it must be a number"},
    {"data.mean=0,0,0,0", "data.mean is a list"},
    {"data.mean=[0, x, 0]", "item 2 of data.mean is \"x\"; data.mean must be"},
    {"data.std=0", "data.std is 0"},
    {"data.std=[1,1,-1]", "item 3 of data.std is -1"},
    {"data.augment=flip", "one of none, crop_flip"},
    {"data.shuffle=yes", "data.shuffle is \"yes\"; it must be true or false"},
    {"data.shuffle=1", "data.shuffle is 1; it must be true or false"},
    {"data.drop_last=True", "true or false"},
    {"data.resize=lanczos", "bilinear"},
    {"data.validation_share=1", "at least 0 and below 1"},
    {"data.synthetic.classes=0", "data.synthetic.classes is 0"},
    {"data.synthetic.train=1000001", "from 1 to 1000000"},
    {"data.synthetic.test=0x10", "data.synthetic.test is \"0x10\""},
    {"data.synthetic.seed=one", "data.synthetic.seed is \"one\""},
    {"model.heads=-1", "model.heads is -1; it must be a whole number from 0 to 1024, or null"},
    {"model.precision=fp16", "one of fp32, bf16"},
    {"pet.blocks=128", "pet.blocks is 128; it must be a list of block numbers"},
    {"pet.blocks=0.5", "pet.blocks is 0.5; it must be a list of block numbers"},
    {"pet.blocks=all", "pet.blocks is \"all\""},
    {"pet.blocks=null", "pet.blocks is null"},
    {"pet.blocks=0,128", "item 2 of pet.blocks is 128"},
    {"pet.blocks=0,-1", "item 2 of pet.blocks is -1"},
    {"pet.blocks=0,1,", "item 3 of pet.blocks is null"},
    {"pet.blocks=1,1", "pet.blocks has 1 twice"},
    {"pet.attn.type=adaptor", "one of adapter, conv_adapter, lora, prefix, none"},
    {"pet.attn.hidden=65537", "from 0 to 65536, or null"},
    {"pet.attn.kernel=4", "pet.attn.kernel is 4; it must be an odd whole number from 1 to 31"},
    {"pet.attn.dropout=1", "a number of at least 0 and below 1"},
    {"pet.attn.rank=0", "pet.attn.rank is 0"},
    {"pet.attn.length=0", "pet.attn.length is 0"},
    {"pet.mlp.type=lora",
     "pet.mlp.type is \"lora\"; it must be one of adapter, conv_adapter, none"},
    {"pet.mlp.type=null", "pet.mlp.type is null"},
    {"pet.mlp.hidden=1.5", "pet.mlp.hidden is 1.5"},
    {"pet.mlp.kernel=33", "pet.mlp.kernel is 33"},
    {"pet.mlp.dropout=-0.1", "pet.mlp.dropout is -0.1"},
    {"pet.mlp.rank=none", "pet.mlp.rank is \"none\""},
    {"pet.mlp.length=65537", "pet.mlp.length is 65537"},
    {"train.epochs=0", "train.epochs is 0; it must be a whole number from 1 to 65535"},
    {"train.epochs=five", "train.epochs is \"five\""},
    {"train.epochs=1e1", "train.epochs is 1e1"},
    {"train.epochs=010", "train.epochs is 010"},
    {"train.epochs= 5", "train.epochs is \" 5\""},
    {"train.freeze_epochs=65536", "train.freeze_epochs is 65536"},
    {"train.batch_size=0", "train.batch_size is 0"},
    {"train.lr=-0.1", "train.lr is -0.1; it must be a number from 0 to 1000"},
    {"train.lr=nan", "train.lr is \"nan\""},
    {"train.lr=.inf", "train.lr is \".inf\""},
    {"train.lr=1e999", "train.lr is \"1e999\""},
    {"train.lr=0x1p-3", "train.lr is \"0x1p-3\""},
    {"train.lr=0,1", "train.lr is \"0,1\""},
    {"train.lr=1e", "train.lr is \"1e\""},
    {"train.lr=.", "train.lr is \".\""},
    {"train.weight_decay=null", "train.weight_decay is null"},
    {"train.schedule=step", "one of constant, linear, cosine"},
    {"train.clip_norm=-1", "train.clip_norm is -1"},
    {"train.start_from=init", "one of online, offline"},
    {"merge.method=tees", "merge.method is \"tees\"; it must be one of ema, ema_task, "
                          "mean, task_arithmetic, ties, dare, none"},
    {"merge.density=0", "merge.density is 0; it must be a number above 0 and at most 1"},
    {"merge.density=1.5", "merge.density is 1.5"},
    {"merge.scale=-1", "merge.scale is -1"},
    {"merge.reduce=avg", "one of mean, sum, max"},
    {"merge.scope=layer", "one of global, tensor"},
    {"merge.weighting=1", "one of equal, tasks"},
    {"merge.vectors=two", "one of pair, tasks"},
    {"merge.base=zero", "one of init, first, previous"},
    {"merge.decay=1.0001", "merge.decay is 1.0001; it must be a number from 0 to 1"},
    {"stats.modules=ensemble", "\"ensemble\"; it must be a list of init, online, offline, or none"},
    {"stats.modules=init,none", "item 2 of stats.modules is \"none\""},
    {"stats.modules=[online, init, online]", "has online twice; the second is item 3"},
    {"stats.modules=null", "stats.modules is null"},
    {"eval.every=step", "one of task, epoch"},
    {"eval.heads=knn",
     "eval.heads is \"knn\"; it must be a list of linear, ncm, lda, aligned, ridge"},
    {"eval.heads=[]", "eval.heads is an empty list"},
    {"eval.heads=none", "eval.heads is \"none\""},
    {"heads.features=0", "heads.features is 0; it must be a whole number from 1 to 16384"},
    {"heads.ridge=0",
     "heads.ridge is 0; it must be a number above 0 and at most 1000000000000, a list"},
    {"heads.ridge=1,-1", "item 2 of heads.ridge is -1"},
    {"heads.ridge=[]", "heads.ridge is an empty list"},
    {"heads.ridge=automatic", "a list of up to 32, or auto"},
    {"heads.held_out=1", "heads.held_out is 1"},
    {"heads.shrink=0", "heads.shrink is 0; it must be a number above 0 and at most 1"},
    {"heads.draws=0", "heads.draws is 0; it must be a whole number from 1 to 1000000"},
    {"heads.lr=0", "heads.lr is 0; it must be a number above 0 and at most 10"},
    {"checkpoint.every_seconds=-1", "checkpoint.every_seconds is -1"},
    {"checkpoint.every_steps=2147483648", "from 0 to 2147483647"},
    {"report.every_steps=-1", "from 0 to 2147483647"},
    {"compute.threads=-1", "from 0 to 1024, or auto"},
    {"compute.threads=null", "compute.threads is null"},
    {"compute.backend=mkl", "compute.backend is \"mkl\"; it must be one of auto, openblas, onednn"},
    {"compute.blas_core=a b", "compute.blas_core is \"a b\""},
    {"compute.decode=twice",
     "compute.decode is \"twice\"; it must be one of auto, once, each_time"},
    {"compute.watchdog_seconds=-1", "compute.watchdog_seconds is -1; it must be a number from 0"},
};

/* The assignment as a line of YAML. */
static char *as_yaml(const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    char *yaml;
    int length = (int)(equals - assignment);
    assert_true(asprintf(&yaml, "%.*s: %s\n", length, assignment, equals + 1) > 0);
    return yaml;
}

static void test_bad_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_values / sizeof *bad_values; i++) {
        const char *input = bad_values[i].input;
        char *line;
        assert_true(asprintf(&line, "command line: %s: ", input) > 0);
        struct lae_config config = fresh();
        lae_status status = lae_config_set(&config, input);
        if (status != NULL && strstr(lae_status_message(status), line) == NULL)
            fail_msg("no \"%s\" in %s", line, lae_status_message(status));
        assert_refused(status, input, bad_values[i].expected);
        lae_config_free(&config);
        free(line);
        /* What YAML reads otherwise: blanks around a value, a comma outside of brackets, and one
         * comma at a list's end. */
        if (strchr(input, ' ') == NULL && strchr(input, ',') == NULL) {
            char *yaml = as_yaml(input);
            config = fresh();
            assert_refused(load(&config, yaml), yaml, bad_values[i].expected);
            lae_config_free(&config);
            free(yaml);
        }
    }
}

static void test_every_key_has_a_bad_value(void **state)
{
    (void)state;
    for (const struct lae_key *key = lae_keys(); key->name != NULL; key++) {
        size_t length = strlen(key->name), count = 0;
        for (size_t i = 0; i < sizeof bad_values / sizeof *bad_values; i++)
            count += strncmp(bad_values[i].input, key->name, length) == 0 &&
                     bad_values[i].input[length] == '=';
        bool path = strcmp(key->name, "data.path") == 0 || strcmp(key->name, "model.weights") == 0;
        if (count == 0 && !path) fail_msg("no bad value for %s", key->name); /* any text is one */
    }
}

static void check_number(const char *name, double value, bool good)
{
    struct lae_config config = fresh();
    char *assignment;
    assert_true(asprintf(&assignment, "%s=%.17g", name, value) > 0);
    lae_status status = lae_config_set(&config, assignment);
    if ((status == NULL) != good)
        fail_msg("%s: %s", assignment, status == NULL ? "accepted" : lae_status_message(status));
    lae_status_free(status);
    lae_config_free(&config);
    free(assignment);
}

/* Both ends of each range, and what is next to them outside. */
static void test_ends_of_ranges(void **state)
{
    (void)state;
    for (const struct lae_key *key = lae_keys(); key->name != NULL; key++) {
        bool whole = key->type == &lae_key_whole;
        if (!whole && key->type != &lae_key_real && key->type != &lae_key_channels) continue;
        check_number(key->name, key->min, !key->above_min);
        check_number(key->name, key->max, !key->below_max);
        check_number(key->name, whole ? key->min - 1 : nextafter(key->min, -INFINITY), false);
        check_number(key->name, whole ? key->max + 1 : nextafter(key->max, INFINITY), false);
        if (!whole) check_number(key->name, nextafter(key->min, INFINITY), true);
        if (!whole) check_number(key->name, nextafter(key->max, -INFINITY), true);
    }
}

/* Every key refuses a mapping, and each but lists a list, by name and with what it wants. */
static void test_wrong_shapes(void **state)
{
    (void)state;
    for (const struct lae_key *key = lae_keys(); key->name != NULL; key++) {
        char *yaml, *expected;
        struct lae_config config = fresh();
        assert_true(asprintf(&yaml, "%s: {a: 1}", key->name) > 0);
        assert_true(asprintf(&expected, "x.yaml:1:%zu: %s is a section of keys; it must be ",
                             strlen(key->name) + 3, key->name) > 0);
        assert_refused(load(&config, yaml), yaml, expected);
        free(yaml);
        free(expected);
        assert_true(asprintf(&yaml, "%s: [x, 1]", key->name) > 0);
        assert_true(asprintf(&expected, "%s ", key->name) > 0);
        assert_refused(load(&config, yaml), yaml, expected);
        free(yaml);
        free(expected);
        lae_config_free(&config);
    }
}

static const struct bad bad_files[] = {
    {"merge:\n  densty: 0.1\n",
     "x.yaml:2:3: unknown key \"merge.densty\"; did you mean \"merge.density\"?"},
    {"mergee: {density: 1}", "x.yaml:1:1: unknown key \"mergee\"; did you mean \"merge\"?"},
    {"trian: {lr: 1}", "did you mean \"train\"?"},
    {"lr: 1", "did you mean \"train.lr\"?"},
    {"train: {density: 1}", "did you mean \"merge.density\"?"},
    {"pet: {mpl: {type: lora}}", "did you mean \"pet.mlp\"?"},
    {"pet.mpl.type: lora", "did you mean \"pet.mlp.type\"?"},
    {"pet: {atn: {type: lora}}", "x.yaml:1:7: unknown key \"pet.atn\"; did you mean \"pet.attn\"?"},
    {"something_else: 1", "unknown key \"something_else\"; --help lists the keys"},
    {"<<: {a: 1}", "unknown key \"<<\""},
    {"run: {seed: 1}\nmerge: {}\nrun: {seed: 2}", "x.yaml:3:1: \"run\" is given twice, here and in "
                                                  "line 1"},
    {"run:\n  seed: 1\n  seed: 1\n", "x.yaml:3:3: \"run.seed\" is given twice, here and in line 2"},
    {"run.seed: 1\nrun:\n  seed: 2\n",
     "x.yaml:3:3: \"run.seed\" is given twice, here and in line 1"},
    {"merge: ties", "x.yaml:1:8: merge is \"ties\"; it must be a section with keys of its own: "
                    "merge.method, merge.density"},
    {"merge: [ties]", "merge is a list of 1; it must be a section"},
    {"data: {synthetic: 5}", "data.synthetic is 5; it must be a section with keys of its own: "
                             "data.synthetic.classes"},
    {"train: {epochs: \"5\"}", "train.epochs is the quoted text \"5\"; it must be a whole number"},
    {"train: {lr: '1'}", "train.lr is the quoted text \"1\""},
    {"data: {shuffle: \"true\"}", "data.shuffle is \"true\"; it must be true or false"},
    {"pet: {blocks: [0, \"1\"]}", "item 2 of pet.blocks is the quoted text \"1\""},
    {"pet: {blocks: [0, [1]]}", "x.yaml:1:19: a list can hold plain values only"},
    {"pet: {blocks: [0, {a: 1}]}", "a list can hold plain values only"},
    {"data: {mean: null}", "data.mean is null; it must be a number"},
    {"data: {mean: {r: 1}}", "data.mean is a section of keys; it must be a number"},
    {"just a text", "x.yaml:1:1: keys with values are wanted"},
    {"- a\n- b\n", "x.yaml:1:1: keys with values are wanted"},
    {"5", "keys with values are wanted"},
    {"''", "keys with values are wanted"},
    {"run: {seed: 1}\n---\nrun: {seed: 2}\n", "x.yaml:2:1: a second document"},
    {"run: &a {seed: 1}", "x.yaml:1:6: anchors (&), aliases (*) and tags (!)"},
    {"run: {seed: &a 1}", "anchors (&)"},
    {"run: {seed: *a}", "anchors (&)"},
    {"run: {seed: !!int 1}", "tags (!)"},
    {"run: !x {seed: 1}", "tags (!)"},
    {"pet: {blocks: !!seq [1]}", "tags (!)"},
    {"run: {name: ! x}", "tags (!)"},
    {"run: {seed: 1", "broken YAML"},
    {"run:\n\tseed: 1\n", "x.yaml:2:1: broken YAML: found character that cannot start any token"},
    {"run: {name: \"x}", "broken YAML"},
    {"run:\n  seed: 1\n name: x\n", "x.yaml:3:2: broken YAML"},
    {"a: b: c", "broken YAML"},
    {"run: {name: \"\\q\"}", "broken YAML: found unknown escape character"},
    {"%YAML 9.9\n---\n", "broken YAML: found incompatible YAML document"},
    {"run: {name: \"a\\0b\"}", "x.yaml:1:13: a text cannot have a zero byte in it"},
    {"run: {name: a\x01}", "x.yaml:1:14: broken YAML: control characters are not allowed"},
    {"run: {name: x}\ndata: {path: caf\xe9}", "x.yaml:2:17: byte 0xe9 is not UTF-8"},
    {"\xff\xfer\0u\0", "x.yaml:1:1: byte 0xff is not UTF-8"},
    {"run: {name: \xc0\xaf}", "byte 0xc0 is not UTF-8"},
    {"run: {name: \xed\xa0\x80}", "byte 0xed is not UTF-8"},
    {"run: {name: \xf4\x90\x80\x80}", "byte 0xf4 is not UTF-8"},
    {"run: {name: \xe2\x82", "byte 0xe2 is not UTF-8"},
    {"? [a]\n: 1\n", "a key must be a plain text"},
    {"? {a: b}\n: 1\n", "a key must be a plain text"},
    {"\"\": 1\n", "a key is missing in front of the colon"},
    {"\"a\\nb\": 1\n", "a key with a control character in it"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: 1",
     "a key longer"},
    {"run: {name: \"..\"}", "run.name is \"..\""},
    {"run: {name: \"a\\nb\"}", "run.name is \"a\\nb\"; it must be"},
    {"data: {class_order: nonsense}", "but class_orders.yaml has no list of that name"},
    {"data: {class_order: {a: 1}}", "data.class_order is a section of keys"},
    {"a: {b: {c: {d: {e: {f: {g: {h: {i: {j: {k: {l: {m: {n: {o: {p: {q: 1}}}}}}}}}}}}}}}}}",
     "sections are nested too deeply"},
};

static void test_bad_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++) {
        struct lae_config config = fresh();
        assert_refused(load(&config, bad_files[i].input), bad_files[i].input,
                       bad_files[i].expected);
        lae_config_free(&config);
    }
}

static const struct bad bad_assignments[] = {
    {"merge.density", "command line: merge.density: KEY=VALUE is wanted"},
    {"merge.densty=0.1",
     "command line: merge.densty=0.1: unknown key \"merge.densty\"; did you mean "
     "\"merge.density\"?"},
    {"=5", "unknown key \"\""},
    {"merge=ties", "merge is \"ties\"; it must be a section"},
    {"merge.=ties", "unknown key \"merge.\""},
    {"densitymerge.=1", "unknown key"},
    {"data.path=caf\xe9", "command line: data.path=caf\\xe9: only UTF-8"},
    {"run.name=a\nb", "command line: run.name=a\\nb: run.name is \"a\\nb\""},
    {"merge={density: 1}", "merge is \"{density: 1}\"; it must be a section"},
    {"--config=x", "unknown key \"--config\""},
};

static void test_bad_assignments(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_assignments / sizeof *bad_assignments; i++) {
        struct lae_config config = fresh();
        assert_refused(lae_config_set(&config, bad_assignments[i].input), bad_assignments[i].input,
                       bad_assignments[i].expected);
        lae_config_free(&config);
    }
}

/* Messages stay readable whatever the value. */
static void test_long_values_are_shortened(void **state)
{
    (void)state;
    char assignment[2000] = "train.epochs=";
    memset(assignment + 13, 'x', sizeof assignment - 14);
    assignment[sizeof assignment - 1] = '\0';
    struct lae_config config = fresh();
    lae_status status = lae_config_set(&config, assignment);
    assert_non_null(status);
    assert_true(strlen(lae_status_message(status)) < 300);
    assert_refused(status, "a long value", "xxx...\"; it must be");
    memset(assignment, 'k', 1000);
    assignment[1000] = '=';
    assert_refused(lae_config_set(&config, assignment), "a long key", "unknown key \"kkk");
    lae_config_free(&config);
}

/* ---- what is accepted */

static void test_values_that_are_fine(void **state)
{
    (void)state;
    static const char *const yaml =
        "%YAML 1.1\n--- # a comment\n"
        "run: {name: 2024, seed: 0}\n"
        "merge:\n"
        "eval: ~\n"
        "compute: {threads: auto}\n"
        "model.weights: \"null\"\n"
        "data:\n"
        "  mean: [.5, 5.e-1, +0.5]\n"
        "  class_order:\n  - 1\n  - 0\n"
        "pet: {blocks: [], mlp: {type: \"adapter\", hidden: ~}, attn: {hidden: 7}}\n"
        "...\n";
    struct lae_config config = fresh();
    assert_ok(load(&config, yaml));
    assert_string_equal(config.run.name, "2024");
    assert_int_equal(config.run.seed, 0);
    assert_string_equal(config.model.weights, "null");
    for (int i = 0; i < 3; i++)
        assert_true(config.data.mean[i] == 0.5);
    assert_int_equal(config.data.class_order_count, 2);
    assert_int_equal(config.data.class_order[0], 1);
    assert_int_equal(config.pet.block_count, 0);
    assert_string_equal(config.pet.site[LAE_SITE_MLP].type->name, "adapter");
    assert_int_equal(config.pet.site[LAE_SITE_ATTN].hidden, 7);
    assert_int_equal(config.pet.site[LAE_SITE_MLP].hidden, 0);
    assert_round_trip(&config);
    assert_ok(load(&config, ""));
    assert_ok(load(&config, "# nothing\n"));
    assert_ok(load(&config, "---\n"));
    assert_ok(load(&config, "\xef\xbb\xbfrun: {seed: 9}\n")); /* a byte order mark */
    assert_int_equal(config.run.seed, 9);
    lae_config_free(&config);
}

static void test_assignments(void **state)
{
    (void)state;
    struct lae_config config = fresh();
    assert_ok(load(&config, "merge: {method: mean, density: 0.5}\npet: {blocks: [7]}"));
    assert_ok(lae_config_set(&config, "merge.method=none"));
    assert_ok(lae_config_set(&config, "merge.method=ties"));
    assert_string_equal(config.merge.method->name, "ties");
    assert_true(config.merge.density == 0.5);
    assert_ok(lae_config_set(&config, "pet.blocks=2,0,1"));
    assert_int_equal(config.pet.block_count, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(config.pet.blocks[i], i);
    assert_ok(lae_config_set(&config, "pet.blocks=3"));
    assert_int_equal(config.pet.block_count, 1);
    assert_int_equal(config.pet.blocks[0], 3);
    assert_ok(lae_config_set(&config, "data.class_order=0"));
    assert_int_equal(config.data.class_order_count, 1);
    assert_ok(load(&config, "pet: {blocks: 2}\nstats: {modules: init}\nheads: {ridge: 10}\n"));
    assert_int_equal(config.pet.block_count, 1);
    assert_int_equal(config.pet.blocks[0], 2);
    assert_int_equal(config.heads.ridge.strength_count, 1);
    assert_ok(lae_config_set(&config, "pet.blocks=[ 4 ]"));
    assert_int_equal(config.pet.block_count, 1);
    assert_int_equal(config.pet.blocks[0], 4);
    assert_ok(lae_config_set(&config, "pet.blocks=[ ]"));
    assert_int_equal(config.pet.block_count, 0);
    assert_ok(lae_config_set(&config, "data.path=a=b, [c] #d \"e\""));
    assert_string_equal(config.data.path, "a=b, [c] #d \"e\"");
    assert_ok(lae_config_set(&config, "data.path="));
    assert_null(config.data.path);
    assert_ok(lae_config_set(&config, "data.class_order=1,0"));
    assert_int_equal(config.data.class_order_count, 2);
    assert_ok(lae_config_set(&config, "data.class_order=null"));
    assert_null(config.data.class_order);
    assert_ok(lae_config_set(&config, "compute.threads=8"));
    assert_int_equal(config.compute.threads, 8);
    assert_ok(lae_config_set(&config, "compute.threads=auto"));
    assert_int_equal(config.compute.threads, 0);
    lae_config_free(&config);
}

/* ---- class orders by name */

static char *write_file(const char *directory, const char *name, const char *text)
{
    char *path;
    assert_true(asprintf(&path, "%s/%s", directory, name) > 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    return path;
}

static void test_named_orders(void **state)
{
    (void)state;
    static const int second[] = {23, 8, 11, 7, 48}, third[] = {53, 37, 65, 51, 4};
    struct lae_config config = fresh();
    assert_ok(lae_config_set(&config, "data.class_order=cifar100_order1"));
    for (int i = 0; i < 100; i++)
        assert_int_equal(config.data.class_order[i], i);
    assert_ok(lae_config_set(&config, "data.class_order=cifar100_order2"));
    assert_memory_equal(config.data.class_order, second, sizeof second);
    assert_ok(load(&config, "data: {class_order: cifar100_order3}"));
    assert_memory_equal(config.data.class_order, third, sizeof third);
    assert_int_equal(config.data.class_order_count, 100);
    lae_config_free(&config);
    assert_ok(lae_config_defaults(&config, NULL));
    assert_refused(lae_config_set(&config, "data.class_order=cifar100_order1"), "without files",
                   "has no list of that name");
    lae_config_free(&config);
}

/* The file beside the configuration comes first, the program's own second. */
static void test_orders_beside_the_configuration(void **state)
{
    (void)state;
    char directory[PLACE_SIZE];
    open_place(directory);
    char *orders = write_file(directory, "class_orders.yaml",
                              "mine: [2, 0, 1]\ncifar100_order2: [1, 0]\nbad: [0, 0]\nflat: 5\n");
    char *path = write_file(directory, "c.yaml", "data: {class_order: mine}\n");
    struct lae_config config = fresh();
    assert_ok(lae_config_load_file(&config, path));
    assert_int_equal(config.data.class_order[0], 2);
    assert_ok(lae_config_set(&config, "data.class_order=cifar100_order2"));
    assert_int_equal(config.data.class_order_count, 2);
    assert_ok(lae_config_set(&config, "data.class_order=cifar100_order3"));
    assert_int_equal(config.data.class_order_count, 100);
    assert_refused(lae_config_set(&config, "data.class_order=bad"), "bad",
                   "class_orders.yaml:3:6: data.class_order has 0 twice");
    assert_ok(lae_config_set(&config, "data.class_order=flat")); /* an order of one class */
    assert_refused(lae_config_set(&config, "data.class_order=other"), "other",
                   "class_orders.yaml has mine cifar100_order2 bad flat");
    free(write_file(directory, "class_orders.yaml", "mine: [2, 0\n"));
    assert_refused(lae_config_set(&config, "data.class_order=mine"), "mine",
                   "class_orders.yaml:2:1: broken YAML");
    lae_config_free(&config);
    close_place(directory);
    free(orders);
    free(path);
}

/* ---- files */

static void test_bad_paths(void **state)
{
    (void)state;
    struct lae_config config = fresh();
    assert_refused(lae_config_load_file(&config, "/nowhere/x.yaml"), "no file", "/nowhere/x.yaml");
    assert_refused(lae_config_load_file(&config, "/"), "a directory", "/");
    assert_refused(lae_config_load_file(&config, "x"), "no file", "x");
    lae_config_free(&config);
}

/* Hostile sizes cost no more than a moment. */
static void test_sizes_are_limited(void **state)
{
    (void)state;
    size_t size = 1u << 20;
    char *text = malloc(size + 2);
    assert_non_null(text);
    struct lae_config config = fresh();
    memset(text, '#', size + 1);
    assert_ok(lae_config_load_text(&config, "x.yaml", text, size));
    assert_refused(lae_config_load_text(&config, "x.yaml", text, size + 1), "a MiB and more",
                   "x.yaml: 1048577 bytes are too many");
    static const char *const repeated[] = {
        "[", "{", "- ", "? ", "{a: ", "\"", "a\n", "- a\n", "&a "};
    for (size_t i = 0; i < sizeof repeated / sizeof *repeated; i++) {
        size_t length = strlen(repeated[i]);
        for (size_t at = 0; at + length <= size; at += length)
            memcpy(text + at, repeated[i], length);
        lae_status status = lae_config_load_text(&config, "x.yaml", text, size - size % length);
        assert_refused(status, repeated[i], "x.yaml:");
    }
    size_t used = 0;
    for (int i = 0; used + 16 < size; i++)
        used += (size_t)snprintf(text + used, size - used, "k%d: 1\n", i);
    assert_refused(lae_config_load_text(&config, "x.yaml", text, used), "many keys",
                   "too many keys for a configuration");
    lae_config_free(&config);
    free(text);
}

static uint32_t dice(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Random bytes, and a good file with a few bytes changed: anything but a crash will do, and what is
 * accepted must survive printing. */
static void test_noise(void **state)
{
    (void)state;
    static const char alphabet[] = "{}[]:,-#&*!|>'\"%@`?\n\n\t  ab01.~\\\xc3\xbc\xff";
    struct lae_config start = fresh();
    char *good = print(&start);
    lae_config_free(&start);
    size_t length = strlen(good);
    uint32_t seed = 1;
    size_t accepted = 0;
    for (int round = 0; round < 3000; round++) {
        char *text = strdup(good);
        size_t size = length;
        if (round % 3 == 0) {
            size = dice(&seed) % length;
            for (size_t i = 0; i < size; i++)
                text[i] = alphabet[dice(&seed) % (sizeof alphabet - 1)];
        } else {
            for (uint32_t n = dice(&seed) % 3 + 1; n > 0; n--)
                text[dice(&seed) % length] = round % 3 == 1
                                                 ? (char)dice(&seed)
                                                 : alphabet[dice(&seed) % (sizeof alphabet - 1)];
        }
        struct lae_config config = fresh();
        lae_status status = lae_config_load_text(&config, "x.yaml", text, size);
        if (status == NULL) {
            accepted++;
            assert_round_trip(&config);
        }
        lae_status_free(status);
        lae_config_free(&config);
        free(text);
    }
    assert_true(accepted > 0); /* a digit became another one */
    free(good);
}

static void test_noise_on_the_command_line(void **state)
{
    (void)state;
    uint32_t seed = 7;
    struct lae_config config = fresh();
    for (int round = 0; round < 3000; round++) {
        size_t count = sizeof other_values / sizeof *other_values;
        char *text = strdup(other_values[dice(&seed) % count]);
        size_t length = strlen(text);
        for (uint32_t n = dice(&seed) % 3; n > 0; n--)
            text[dice(&seed) % length] = (char)(dice(&seed) % 255 + 1);
        lae_status_free(lae_config_set(&config, text));
        free(text);
    }
    assert_round_trip(&config);
    lae_config_free(&config);
}

/* ---- keys together */

#define GOOD "model: {weights: w}\ndata: {path: x}\n"
static const struct bad bad_together[] = {
    {"data: {path: x}", "model.weights is null"},
    {"model: {weights: w}", "data.path is null; data.dataset (cifar100) needs"},
    {"model: {weights: w}\ndata: {path: x, first_classes: 101}",
     "data.first_classes is 101, but data.dataset (cifar100) has 100 classes"},
    {"model: {weights: w}\ndata: {path: x, dataset: cifar10, classes_per_task: 11}",
     "data.classes_per_task is 11, but data.dataset (cifar10) has 10 classes"},
    {"model: {weights: w}\ndata: {path: x, class_order: [0, 1]}",
     "data.class_order has 2 classes, data.dataset (cifar100) has 100"},
    {"model: {weights: w}\ndata: {dataset: synthetic, synthetic: {classes: 3}, classes_per_task: "
     "3, "
     "class_order: [0, 1, 3]}",
     "data.class_order has class 3, data.dataset (synthetic) has 0 to 2"},
    {GOOD "merge: {method: ema, vectors: tasks}", "merge.vectors is tasks, but merge.method (ema)"},
    {GOOD "merge: {method: mean, base: first}", "merge.base is not init, but merge.method (mean)"},
    {GOOD "merge: {method: ties, base: previous}", "merge.base is previous, which needs"},
    {GOOD "merge: {method: ties, vectors: tasks, weighting: tasks}", "merge.weighting is tasks"},
    {GOOD "merge: {method: dare, reduce: max}", "merge.reduce is max, but merge.method (dare)"},
    {GOOD "merge: {method: none}\ntrain: {start_from: offline}",
     "train.start_from is offline, but merge.method (none)"},
    {GOOD "eval: {heads: [ncm]}\nstats: {modules: []}", "eval.heads has no linear"},
    {GOOD "merge: {method: none}\neval: {heads: [lda]}\nstats: {modules: [offline]}",
     "eval.heads has no linear"},
};
#undef GOOD

static void test_keys_together(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_together / sizeof *bad_together; i++) {
        struct lae_config config = fresh();
        assert_ok(load(&config, bad_together[i].input));
        assert_refused(lae_config_validate(&config, NULL), bad_together[i].input,
                       bad_together[i].expected);
        lae_config_free(&config);
    }
}

/* What needs oneDNN is refused where it is not there, and only there. */
static void test_what_needs_onednn(void **state)
{
    (void)state;
    static const struct bad needs[] = {
        {"model: {weights: w, precision: bf16}\ndata: {path: x}", "model.precision: bf16 needs"},
        {"model: {weights: w}\ndata: {path: x}\ncompute: {backend: onednn}",
         "compute.backend: onednn needs"},
    };
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        struct lae_config config = fresh();
        assert_ok(load(&config, needs[i].input));
        lae_status status = lae_config_validate(&config, NULL);
        if (lae_onednn_is_built_in())
            assert_ok(status);
        else
            assert_refused(status, needs[i].input, needs[i].expected);
        lae_config_free(&config);
    }
}

/* What validating logs, into text [size]. */
static void warnings_of(const char *yaml, char *text, size_t size)
{
    memset(text, 0, size);
    struct lae_log log = {.screen = fmemopen(text, size, "w")};
    assert_non_null(log.screen);
    struct lae_config config = fresh();
    assert_ok(load(&config, "model: {weights: w}\ndata: {path: x}"));
    assert_ok(load(&config, yaml));
    assert_ok(lae_config_validate(&config, &log));
    lae_config_free(&config);
    fclose(log.screen);
}

static void test_warnings(void **state)
{
    (void)state;
    char text[400];
    warnings_of("", text, sizeof text);
    assert_string_equal(text, "");
    warnings_of("train: {epochs: 2}", text, sizeof text);
    assert_non_null(strstr(text, "train.freeze_epochs (3) leaves none of train.epochs (2)"));
    warnings_of("train: {epochs: 3}", text, sizeof text);
    assert_non_null(strstr(text, "train.freeze_epochs (3) leaves none of train.epochs (3)"));
    warnings_of("train: {epochs: 4}", text, sizeof text);
    assert_string_equal(text, "");
    warnings_of("pet: {blocks: []}", text, sizeof text);
    assert_non_null(strstr(text, "only the classifiers learn"));
    warnings_of("pet: {attn: {type: none}}", text, sizeof text);
    assert_non_null(strstr(text, "pet.attn.type"));
}

/* ---- help */

static void test_help_names_every_key(void **state)
{
    (void)state;
    char *help;
    assert_ok(lae_config_help(&help));
    for (const struct lae_key *key = lae_keys(); key->name != NULL; key++) {
        char line[128];
        snprintf(line, sizeof line, "\n%c %s ", key->result ? '*' : ' ', key->name);
        const char *found = strstr(help, line);
        if (found == NULL) fail_msg("no line for %s", key->name);
        assert_null(strstr(found + 1, line));
        assert_true(strlen(key->name) < LAE_KEY_TEXT);
    }
    for (const char *line = help; *line != '\0'; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 100);
    assert_non_null(strstr(help, "0.0028125"));
    for (const struct lae_merge_method *method = lae_merge_methods(); method->name != NULL;
         method++) {
        char line[64];
        snprintf(line, sizeof line, "\n  %s ", method->name);
        assert_non_null(strstr(help, line));
    }
    for (const struct lae_pet_type *type = lae_pet_types(); type->name != NULL; type++)
        assert_non_null(strstr(help, type->name));
    free(help);
}

/* One value is a list of one, in every key that takes a list, on the command line and in a file. */
static void test_one_is_a_list_of_one(void **state)
{
    (void)state;
    static const struct {
        const char *section, *key, *one;
    } cases[] = {
        {"pet", "blocks", "0"},   {"pet", "blocks", "7"},       {"data", "class_order", "0"},
        {"data", "classes", "3"}, {"data", "class_order", "7"}, {"stats", "modules", "init"},
        {"eval", "heads", "ncm"}, {"heads", "ridge", "5"},      {"data", "mean", "0.5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[3][80], *printed[3];
        snprintf(text[0], sizeof text[0], "%s.%s=%s", cases[i].section, cases[i].key, cases[i].one);
        snprintf(text[1], sizeof text[1], "%s.%s=[%s]", cases[i].section, cases[i].key,
                 cases[i].one);
        snprintf(text[2], sizeof text[2], "%s:\n  %s: %s\n", cases[i].section, cases[i].key,
                 cases[i].one);
        bool three = strcmp(cases[i].key, "mean") == 0; /* [0.5] alone is no colour's */
        for (int how = 0; how < 3; how++) {
            struct lae_config config;
            if (how == 1 && three) {
                printed[1] = strdup(printed[0]);
                continue;
            }
            assert_ok(lae_config_defaults(&config, NULL));
            assert_ok(how < 2 ? lae_config_set(&config, text[how])
                              : lae_config_load_text(&config, "text", text[2], strlen(text[2])));
            assert_ok(lae_config_print(&config, &printed[how]));
            lae_config_free(&config);
        }
        assert_string_equal(printed[0], printed[1]);
        assert_string_equal(printed[0], printed[2]);
        for (int how = 0; how < 3; how++)
            free(printed[how]);
    }
}

/* Whether pixels' mean and deviation are somebody's word, or just the defaults. */
static void test_given_pixels_are_known(void **state)
{
    (void)state;
    static const char *const settings[] = {"data.mean=0", "data.std=1", "data.mean=0.5"};
    struct lae_config config;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        assert_ok(lae_config_defaults(&config, NULL));
        assert_false(config.pixels_given);
        assert_ok(lae_config_set(&config, "data.resize=bicubic"));
        assert_false(config.pixels_given);
        assert_ok(lae_config_set(&config, settings[i]));
        assert_true(config.pixels_given);
        lae_config_free(&config);
    }
    static const char text[] = "data:\n  mean: 0\n";
    assert_ok(lae_config_defaults(&config, NULL));
    assert_ok(lae_config_load_text(&config, "text", text, strlen(text)));
    assert_true(config.pixels_given);
    lae_config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_one_is_a_list_of_one),
        cmocka_unit_test(test_given_pixels_are_known),
        cmocka_unit_test(test_shipped_files),
        cmocka_unit_test(test_shipped_results_differ_in_what_they_say),
        cmocka_unit_test(test_every_key_is_printed_and_read_again),
        cmocka_unit_test(test_sets_of_names),
        cmocka_unit_test(test_texts_survive_printing),
        cmocka_unit_test(test_numbers_are_exact),
        cmocka_unit_test(test_numbers_do_not_depend_on_the_locale),
        cmocka_unit_test(test_result_keys),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_differences_of_class_orders),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_every_key_has_a_bad_value),
        cmocka_unit_test(test_ends_of_ranges),
        cmocka_unit_test(test_wrong_shapes),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_bad_assignments),
        cmocka_unit_test(test_long_values_are_shortened),
        cmocka_unit_test(test_values_that_are_fine),
        cmocka_unit_test(test_assignments),
        cmocka_unit_test(test_named_orders),
        cmocka_unit_test(test_orders_beside_the_configuration),
        cmocka_unit_test(test_bad_paths),
        cmocka_unit_test(test_sizes_are_limited),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_noise_on_the_command_line),
        cmocka_unit_test(test_keys_together),
        cmocka_unit_test(test_what_needs_onednn),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_help_names_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
