/* Every key of the configuration with values it must not have: on the command line, in a file,
 * misspelt, given twice. A key without a row here fails the test, and so does a number without one
 * below its range, one above it, and something that is no number. */
#include "bad.h"

#include "../../src/config/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { TYPE, BELOW, ABOVE };

static const struct row {
    const char *key, *value; /* as on the command line; NULL: only in a file */
    enum kind kind;
    const char *yaml; /* NULL: the same in a file */
} rows[] = {
    {"run.name", "", TYPE, "\"\""},
    {"run.name", "a/b", TYPE, NULL},
    {"run.name", "..", TYPE, NULL},
    {"run.name", ".hidden", TYPE, NULL},
    {"run.name", "-v", TYPE, NULL},
    {"run.name", "--output", TYPE, NULL},
    {"run.name", "lr=0.1", TYPE, NULL},
    {"run.name", "a=", TYPE, NULL},
    {"run.name", "a\xc2\x9bm", TYPE, "\"a\\x9bm\""},
    {"run.name", "null", TYPE, NULL},
    {"run.root", "", TYPE, "\"\""},
    {"run.root", "~", TYPE, "[runs]"},
    {"run.seed", "-1", BELOW, NULL},
    {"run.seed", "18446744073709551616", ABOVE, NULL},
    {"run.seed", "one", TYPE, "[1]"},
    {"run.resume", "", TYPE, "{a: 1}"},
    {"run.resume", "null", TYPE, NULL},
    {"run.tasks", "-1", BELOW, NULL},
    {"run.tasks", "1e9", TYPE, NULL},
    {"run.tasks", "999999999", ABOVE, NULL},

    {"data.dataset", "imagenet", TYPE, NULL},
    {"data.dataset", "", TYPE, "[cifar100]"},
    {"data.path", NULL, TYPE, "[a, b]"},
    {"data.class_order", "0,0,1", TYPE, "[0, 0, 1]"},
    {"data.class_order", "0,-1", TYPE, "[0, -1]"},
    {"data.class_order", "no_such_order", TYPE, NULL},
    {"data.class_order", "[]", TYPE, NULL},
    {"data.classes", "0,0,1", TYPE, "[0, 0, 1]"},
    {"data.classes", "0,-1", TYPE, "[0, -1]"},
    {"data.classes", "[]", TYPE, NULL},
    {"data.classes", "[a, b]", TYPE, NULL},
    {"data.class_order", "[1,,2]", TYPE, "[1, \"\", 2]"},
    {"data.first_classes", "-1", BELOW, NULL},
    {"data.first_classes", "99999999", ABOVE, NULL},
    {"data.first_classes", "two", TYPE, "2.5"},
    {"data.classes_per_task", "0", BELOW, NULL},
    {"data.classes_per_task", "99999999", ABOVE, NULL},
    {"data.classes_per_task", "10 10", TYPE, "[10]"},
    {"data.image_size", "7", BELOW, NULL},
    {"data.image_size", "2049", ABOVE, NULL},
    {"data.image_size", "224px", TYPE, NULL},
    {"data.mean", "-10.5", BELOW, NULL},
    {"data.mean", "11", ABOVE, NULL},
    {"data.mean", "0.5,0.5", TYPE, "[0.5, 0.5]"},
    {"data.mean", "nan", TYPE, ".nan"},
    {"data.std", "0", BELOW, NULL},
    {"data.std", "1001", ABOVE, NULL},
    {"data.std", "1,1,x", TYPE, "[1, 1, x]"},
    {"data.std", "1,1,1,1", TYPE, "[1, 1, 1, 1]"},
    {"data.augment", "mixup", TYPE, "true"},
    {"data.resize", "nearest", TYPE, "2"},
    {"data.shuffle", "yes", TYPE, "1"},
    {"data.drop_last", "True", TYPE, "\"true\""},
    {"data.validation_share", "-0.1", BELOW, NULL},
    {"data.validation_share", "1", ABOVE, NULL},
    {"data.validation_share", "10%", TYPE, NULL},
    {"data.synthetic.classes", "0", BELOW, NULL},
    {"data.synthetic.classes", "99999999", ABOVE, NULL},
    {"data.synthetic.classes", "0x10", TYPE, NULL},
    {"data.synthetic.train", "0", BELOW, NULL},
    {"data.synthetic.train", "1000001", ABOVE, NULL},
    {"data.synthetic.train", "1e3", TYPE, "{a: 1}"},
    {"data.synthetic.test", "0", BELOW, NULL},
    {"data.synthetic.test", "1000001", ABOVE, NULL},
    {"data.synthetic.test", "", TYPE, "\"\""},
    {"data.synthetic.seed", "-5", BELOW, NULL},
    {"data.synthetic.seed", "99999999999999999999", ABOVE, NULL},
    {"data.synthetic.seed", "1.5", TYPE, NULL},

    {"model.weights", NULL, TYPE, "[a]"},
    {"model.heads", "-1", BELOW, NULL},
    {"model.heads", "1025", ABOVE, NULL},
    {"model.heads", "auto", TYPE, NULL},
    {"model.precision", "fp16", TYPE, NULL},
    {"model.precision", "FP32", TYPE, "32"},

    {"pet.blocks", "-1", BELOW, "[-1]"},
    {"pet.blocks", "0,99999", ABOVE, "[0, 99999]"},
    {"pet.blocks", "0,x", TYPE, "[0, x]"},
    {"pet.blocks", "1,1", TYPE, "[1, 1]"},
    {"pet.blocks", "null", TYPE, NULL},
    {"pet.attn.type", "transformer", TYPE, "[lora]"},
    {"pet.attn.hidden", "-2", BELOW, NULL},
    {"pet.attn.hidden", "65537", ABOVE, NULL},
    {"pet.attn.hidden", "wide", TYPE, "\"8\""},
    {"pet.attn.kernel", "0", BELOW, NULL},
    {"pet.attn.kernel", "33", ABOVE, NULL},
    {"pet.attn.kernel", "2", TYPE, NULL},
    {"pet.attn.dropout", "-0.1", BELOW, NULL},
    {"pet.attn.dropout", "1", ABOVE, NULL},
    {"pet.attn.dropout", "10%", TYPE, NULL},
    {"pet.attn.rank", "0", BELOW, NULL},
    {"pet.attn.rank", "65537", ABOVE, NULL},
    {"pet.attn.rank", "five", TYPE, NULL},
    {"pet.attn.length", "0", BELOW, NULL},
    {"pet.attn.length", "65537", ABOVE, NULL},
    {"pet.attn.length", "1,2", TYPE, "[1, 2]"},
    {"pet.mlp.type", "lora", TYPE, NULL}, /* which is for attention */
    {"pet.mlp.type", "prefix", TYPE, NULL},
    {"pet.mlp.hidden", "-1", BELOW, NULL},
    {"pet.mlp.hidden", "9999999", ABOVE, NULL},
    {"pet.mlp.hidden", "none", TYPE, NULL},
    {"pet.mlp.kernel", "-3", BELOW, NULL},
    {"pet.mlp.kernel", "99", ABOVE, NULL},
    {"pet.mlp.kernel", "4", TYPE, NULL},
    {"pet.mlp.dropout", "-1", BELOW, NULL},
    {"pet.mlp.dropout", "1.0", ABOVE, NULL},
    {"pet.mlp.dropout", "inf", TYPE, ".inf"},
    {"pet.mlp.rank", "-1", BELOW, NULL},
    {"pet.mlp.rank", "65537", ABOVE, NULL},
    {"pet.mlp.rank", "~", TYPE, NULL},
    {"pet.mlp.length", "0", BELOW, NULL},
    {"pet.mlp.length", "65537", ABOVE, NULL},
    {"pet.mlp.length", "ten", TYPE, NULL},

    {"train.epochs", "0", BELOW, NULL},
    {"train.epochs", "65536", ABOVE, NULL},
    {"train.epochs", "5.0", TYPE, NULL},
    {"train.epochs", "2147483648", ABOVE, NULL},
    {"train.epochs", "9223372036854775808", ABOVE, NULL},
    {"train.freeze_epochs", "-1", BELOW, NULL},
    {"train.freeze_epochs", "65536", ABOVE, NULL},
    {"train.freeze_epochs", "all", TYPE, NULL},
    {"train.batch_size", "0", BELOW, NULL},
    {"train.batch_size", "1048577", ABOVE, NULL},
    {"train.batch_size", "24.", TYPE, NULL},
    {"train.lr", "-0.001", BELOW, NULL},
    {"train.lr", "1e30", ABOVE, NULL},
    {"train.lr", "0,001", TYPE, NULL},
    {"train.lr", "1e", TYPE, NULL},
    {"train.weight_decay", "-1e-9", BELOW, NULL},
    {"train.weight_decay", "1001", ABOVE, NULL},
    {"train.weight_decay", "none", TYPE, "[0]"},
    {"train.schedule", "step", TYPE, NULL},
    {"train.clip_norm", "-1", BELOW, NULL},
    {"train.clip_norm", "1e7", ABOVE, NULL},
    {"train.clip_norm", "off", TYPE, NULL},

    {"train.start_from", "init", TYPE, "[online]"},

    {"merge.method", "tie", TYPE, "[ties]"},
    {"merge.density", "0", BELOW, NULL},
    {"merge.density", "1.0000001", ABOVE, NULL},
    {"merge.density", "20%", TYPE, NULL},
    {"merge.scale", "-1", BELOW, NULL},
    {"merge.scale", "1e4", ABOVE, NULL},
    {"merge.scale", "x", TYPE, "true"},
    {"merge.reduce", "median", TYPE, NULL},
    {"merge.scope", "layer", TYPE, NULL},
    {"merge.weighting", "classes", TYPE, NULL},
    {"merge.vectors", "triple", TYPE, "[pair]"},
    {"merge.base", "last", TYPE, "{a: 1}"},
    {"merge.decay", "-0.5", BELOW, NULL},
    {"merge.decay", "1.5", ABOVE, NULL},
    {"merge.decay", "1-1e-4", TYPE, NULL},

    {"stats.modules", "ensemble", TYPE, "{a: 1}"},
    {"stats.modules", "init,init", TYPE, "[init, init]"},
    {"eval.every", "step", TYPE, "1"},
    {"eval.heads", "linear,knn", TYPE, "[linear, knn]"},
    {"eval.heads", "none", TYPE, "[]"},
    {"heads.shrink", "0", BELOW, NULL},
    {"heads.shrink", "1.5", ABOVE, NULL},
    {"heads.shrink", "auto", TYPE, NULL},
    {"heads.draws", "0", BELOW, NULL},
    {"heads.draws", "1000001", ABOVE, NULL},
    {"heads.draws", "1.5", TYPE, NULL},
    {"heads.lr", "0", BELOW, NULL},
    {"heads.lr", "11", ABOVE, NULL},
    {"heads.lr", "small", TYPE, NULL},
    {"heads.features", "0", BELOW, NULL},
    {"heads.features", "16385", ABOVE, NULL},
    {"heads.features", "many", TYPE, NULL},
    {"heads.ridge", "0", TYPE, "[1, 0]"},
    {"heads.ridge", "1e13", TYPE, "[1, 1e13]"},
    {"heads.ridge", "strong", TYPE, "[]"},
    {"heads.held_out", "0", BELOW, NULL},
    {"heads.held_out", "1", ABOVE, NULL},
    {"heads.held_out", "auto", TYPE, NULL},
    {"checkpoint.every_seconds", "-1", BELOW, NULL},
    {"checkpoint.every_seconds", "1e10", ABOVE, NULL},
    {"checkpoint.every_seconds", "10min", TYPE, NULL},
    {"checkpoint.every_steps", "-1", BELOW, NULL},
    {"checkpoint.every_steps", "2147483648", ABOVE, NULL},
    {"checkpoint.every_steps", "never", TYPE, NULL},
    {"report.every_steps", "-1", BELOW, NULL},
    {"report.every_steps", "2147483648", ABOVE, NULL},
    {"report.every_steps", "often", TYPE, NULL},
    {"compute.threads", "-1", BELOW, NULL},
    {"compute.threads", "1025", ABOVE, NULL},
    {"compute.threads", "many", TYPE, NULL},
    {"compute.decode", "twice", TYPE, NULL},
    {"compute.watchdog_seconds", "-1", BELOW, NULL},
    {"compute.watchdog_seconds", "86401", ABOVE, NULL},
    {"compute.watchdog_seconds", "soon", TYPE, NULL},
    {"compute.backend", "mkl", TYPE, NULL},
    {"compute.blas_core", NULL, TYPE, "\"\""},
    {"compute.blas_core", "Sky Lake", TYPE, NULL},
    {"compute.blas_core", "$(true)", TYPE, NULL},
};
enum { ROWS = sizeof rows / sizeof *rows };

/* Keys that a run's configuration must not be about, as they are needed to find the run. */
static const char *place_of_runs(const char *key)
{
    bool names = strcmp(key, "run.root") == 0 || strcmp(key, "run.name") == 0;
    return names ? NULL : "base";
}

/* ---- YAML of one key */

struct text {
    char yaml[1024];
};

/* "pet:\n  attn:\n    rank: VALUE\n"; `twice`: the last line again. */
static struct text yaml_of(const char *key, const char *value, bool twice)
{
    struct text text;
    size_t used = 0, depth = 0;
    for (const char *dot; (dot = strchr(key, '.')) != NULL; key = dot + 1, depth++)
        used += (size_t)snprintf(text.yaml + used, sizeof text.yaml - used, "%*s%.*s:\n",
                                 (int)(2 * depth), "", (int)(dot - key), key);
    for (int i = 0; i < (twice ? 2 : 1); i++)
        used += (size_t)snprintf(text.yaml + used, sizeof text.yaml - used, "%*s%s: %s\n",
                                 (int)(2 * depth), "", key, value);
    return text;
}

static int dots(const char *key)
{
    int count = 0;
    for (; *key != '\0'; key++)
        count += *key == '.';
    return count;
}

static bool write_text(const struct bad_place *place, const void *with)
{
    const struct text *text = with;
    return bad_write(place->file, text->yaml, strlen(text->yaml));
}

static void add_yaml(struct bad_list *list, const char *name, const char *key, struct text text,
                     const char *word, int line)
{
    bad_add(list, &(struct bad_case){
                      .name = name,
                      .settings = BAD_BARE,
                      .args = {"train", "--config", "{file}", "run.root={runs}", "run.name=base"},
                      .run = place_of_runs(key),
                      .file = "bad.yaml",
                      .make = write_text,
                      .with = bad_keep(list, &text, sizeof text),
                      .word = word,
                      .also = bad_text(list, "bad.yaml:%d:", line),
                  });
}

static void add_row(struct bad_list *list, const struct row *row)
{
    if (row->value != NULL)
        bad_add(list, &(struct bad_case){
                          .name = bad_text(list, "%s=%s", row->key, row->value),
                          .args = {bad_text(list, "%s=%s", row->key, row->value)},
                          .run = place_of_runs(row->key),
                          .word = row->key,
                          .also = "command line: ",
                      });
    const char *value = row->yaml != NULL ? row->yaml : row->value;
    add_yaml(list, bad_text(list, "%s: %s in a file", row->key, value), row->key,
             yaml_of(row->key, value, false), row->key, dots(row->key) + 1);
}

/* ---- spelling */

static bool is_key(const char *name)
{
    return lae_key_find(name) != NULL;
}

static const char *misspell(struct bad_list *list, const char *key)
{
    size_t length = strlen(key);
    if (key[length - 1] == key[length - 2]) return bad_text(list, "%sx", key);
    const char *wrong =
        bad_text(list, "%.*s%c%c", (int)length - 2, key, key[length - 1], key[length - 2]);
    return is_key(wrong) ? bad_text(list, "%sx", key) : wrong;
}

static void add_spelling(struct bad_list *list, const struct lae_key *key)
{
    const char *wrong = misspell(list, key->name);
    bad_add(list, &(struct bad_case){
                      .name = bad_text(list, "%s for %s", wrong, key->name),
                      .args = {bad_text(list, "%s=1", wrong)},
                      .run = "base",
                      .word = bad_text(list, "did you mean \"%s\"?", key->name),
                      .also = bad_text(list, "unknown key \"%s\"", wrong),
                  });
    bool several = strchr(key->initial, ',') != NULL;
    const char *value = several ? bad_text(list, "[%s]", key->initial) : key->initial;
    add_yaml(list, bad_text(list, "%s twice in a file", key->name), key->name,
             yaml_of(key->name, value, true),
             bad_text(list, "\"%s\" is given twice, here and in line %d", key->name,
                      dots(key->name) + 1),
             dots(key->name) + 2);
}

/* ---- whether all keys are here */

static bool is_number(const struct lae_key *key)
{
    return key->type == &lae_key_whole || key->type == &lae_key_real ||
           key->type == &lae_key_seed || key->type == &lae_key_channels;
}

static void check_rows_of(struct bad_list *list, const struct lae_key *key)
{
    bool seen[3] = {false};
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].key, key->name) == 0) seen[rows[i].kind] = true;
    if (seen[TYPE] && (!is_number(key) || (seen[BELOW] && seen[ABOVE]))) return;
    bad_add(list, &(struct bad_case){
                      .name = key->name,
                      .reason = "bad_keys.c has no bad values for this key: a wrong type, and for "
                                "a number one below and one above its range",
                  });
}

void bad_keys(struct bad_list *list)
{
    for (size_t i = 0; i < ROWS; i++) {
        add_row(list, &rows[i]);
        if (!is_key(rows[i].key))
            bad_add(list,
                    &(struct bad_case){.name = rows[i].key, .reason = "there is no such key"});
    }
    for (const struct lae_key *key = lae_keys(); key->name != NULL; key++) {
        add_spelling(list, key);
        check_rows_of(list, key);
    }
}
