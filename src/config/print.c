/* The configuration as YAML, the differences of two, and the table of keys for --help. */
#include "lae/config/config.h"

#include "lae/base/terminal.h"

#include "keys.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* The headings that `name` needs after the key `before`: for data.synthetic.seed after data.mean it
 * is "  synthetic:". Returns the depth of the key. */
static int write_headings(FILE *out, const char *before, const char *name)
{
    size_t common = 0;
    int depth = 0;
    for (size_t i = 0; before[i] != '\0' && before[i] == name[i]; i++) {
        if (name[i] != '.') continue;
        common = i + 1;
        depth++;
    }
    const char *part = name + common;
    for (const char *dot; (dot = strchr(part, '.')) != NULL; part = dot + 1)
        fprintf(out, "%*s%.*s:\n", 2 * depth++, "", (int)(dot - part), part);
    return depth;
}

static lae_status print_keys(const struct lae_config *config, bool only_result, char **text)
{
    struct lae_text yaml;
    *text = NULL;
    LAE_TRY(lae_text_open(&yaml));
    const char *before = "";
    for (const struct lae_key *key = lae_keys(); key->name != NULL; key++) {
        if (only_result && !key->result) continue;
        int depth = write_headings(yaml.out, before, key->name);
        fprintf(yaml.out, "%*s%s: ", 2 * depth, "", strrchr(key->name, '.') + 1);
        key->type->write(key, config, yaml.out);
        fputc('\n', yaml.out);
        before = key->name;
    }
    return lae_text_close(&yaml, text);
}

lae_status lae_config_print(const struct lae_config *config, char **text)
{
    return print_keys(config, false, text);
}

lae_status lae_config_print_result(const struct lae_config *config, char **text)
{
    return print_keys(config, true, text);
}

static lae_status value_text(const struct lae_key *key, const struct lae_config *config,
                             char **value)
{
    struct lae_text text;
    LAE_TRY(lae_text_open(&text));
    key->type->write(key, config, text.out);
    return lae_text_close(&text, value);
}

lae_status lae_config_value(const struct lae_config *config, const char *name, char **text)
{
    return value_text(lae_key_find(name), config, text);
}

/* ---- differences */

#define EXCERPT 48 /* bytes of a value in a message */

/* Shortens a long value in place to what is around byte `at`. Values that can change the result are
 * ASCII, so that any byte is a place to cut. */
static void shorten(char *value, size_t at)
{
    size_t length = strlen(value);
    if (length <= EXCERPT) return;
    size_t start = at < EXCERPT / 2 ? 0 : at - EXCERPT / 2;
    if (start > length - EXCERPT) start = length - EXCERPT;
    bool more = start + EXCERPT < length;
    memmove(value, value + start, EXCERPT);
    value[EXCERPT] = '\0';
    if (start > 0) memcpy(value, "...", 3);
    if (more) memcpy(value + EXCERPT - 3, "...", 3);
}

/* Appends the key if the two values of it differ. */
static lae_status compare_key(const struct lae_key *key, const struct lae_config *a,
                              const struct lae_config *b,
                              struct lae_config_differences *differences)
{
    struct lae_config_difference item = {.key = key->name, .later = key->later};
    lae_status status = value_text(key, a, &item.a);
    if (status == NULL) status = value_text(key, b, &item.b);
    if (status == NULL && strcmp(item.a, item.b) != 0) {
        size_t at = 0;
        while (item.a[at] == item.b[at])
            at++;
        shorten(item.a, at);
        shorten(item.b, at);
        differences->items[differences->count++] = item;
        return NULL;
    }
    free(item.a);
    free(item.b);
    return status;
}

static lae_status compare(const struct lae_config *a, const struct lae_config *b,
                          struct lae_config_differences *differences)
{
    size_t count = 0;
    while (lae_keys()[count].name != NULL)
        count++;
    differences->items = calloc(count, sizeof *differences->items);
    if (differences->items == NULL)
        return lae_out_of_memory(count * sizeof *differences->items, "differences");
    for (size_t i = 0; i < count; i++) {
        const struct lae_key *key = &lae_keys()[i];
        if (key->result) LAE_TRY(compare_key(key, a, b, differences));
    }
    return NULL;
}

lae_status lae_config_differences(const char *name_a, const char *text_a, const char *name_b,
                                  const char *text_b, struct lae_config_differences *differences)
{
    struct lae_config a = {0}, b = {0};
    *differences = (struct lae_config_differences){0};
    lae_status status = lae_config_defaults(&a, NULL);
    if (status == NULL) status = lae_config_defaults(&b, NULL);
    if (status == NULL) status = lae_config_load_text(&a, name_a, text_a, strlen(text_a));
    if (status == NULL) status = lae_config_load_text(&b, name_b, text_b, strlen(text_b));
    if (status == NULL) status = compare(&a, &b, differences);
    if (status != NULL) lae_config_differences_free(differences);
    lae_config_free(&a);
    lae_config_free(&b);
    return status;
}

void lae_config_differences_free(struct lae_config_differences *differences)
{
    for (size_t i = 0; i < differences->count; i++) {
        free(differences->items[i].a);
        free(differences->items[i].b);
    }
    free(differences->items);
    *differences = (struct lae_config_differences){0};
}

/* ---- rows for pages and shells */

static void write_words(const struct lae_key *key, FILE *out)
{
    const char *before = "";
    if (key->type->words != NULL) {
        key->type->words(key, out);
        before = ", ";
    }
    if (key->zero != NULL) fprintf(out, "%s%s", before, key->zero);
    if (key->optional) fprintf(out, "%snull", before);
}

lae_status lae_config_key_describe(size_t row, struct lae_config_key *described)
{
    const struct lae_key *key = &lae_keys()[row];
    struct lae_text wanted, words;
    *described = (struct lae_config_key){.name = key->name};
    if (key->name == NULL) return NULL;
    described->initial = key->initial;
    described->help = key->help;
    described->result = key->result;
    described->path = lae_key_is_path(key);
    LAE_TRY(lae_text_open(&wanted));
    key->type->wanted(key, wanted.out);
    LAE_TRY(lae_text_close(&wanted, &described->wanted));
    lae_status status = lae_text_open(&words);
    if (status == NULL) {
        write_words(key, words.out);
        status = lae_text_close(&words, &described->words);
    }
    if (status != NULL) lae_config_key_free(described);
    return status;
}

void lae_config_key_free(struct lae_config_key *key)
{
    free(key->wanted);
    free(key->words);
    *key = (struct lae_config_key){0};
}

/* ---- help */

#define HELP_INDENT 42
#define HELP_WIDTH 100

static lae_status write_help(const struct lae_key *key, FILE *out)
{
    struct lae_text meaning;
    char *text;
    LAE_TRY(lae_text_open(&meaning));
    fprintf(meaning.out, "%s (", key->help);
    key->type->wanted(key, meaning.out);
    fputc(')', meaning.out);
    LAE_TRY(lae_text_close(&meaning, &text));
    fprintf(out, "%c %-24s %-14s ", key->result ? '*' : ' ', key->name, key->initial);
    lae_text_wrap(out, text, HELP_INDENT, HELP_WIDTH);
    fputc('\n', out);
    free(text);
    return NULL;
}

/* A name in a list of names, as a key in the list of keys. */
static void write_name(const char *name, const char *meaning, FILE *out)
{
    fprintf(out, "  %-13s ", name);
    lae_text_wrap(out, meaning, 16, HELP_WIDTH);
    fputc('\n', out);
}

static void write_names(FILE *out)
{
    fputs("\nModules (pet.attn.type, pet.mlp.type):\n", out);
    for (const struct lae_pet_type *type = lae_pet_types(); type->name != NULL; type++)
        write_name(type->name, type->help, out);
    fputs("\nMethods of accumulation (merge.method):\n", out);
    for (const struct lae_merge_method *method = lae_merge_methods(); method->name != NULL;
         method++)
        write_name(method->name, method->help, out);
}

lae_status lae_config_help(char **text)
{
    struct lae_text help;
    *text = NULL;
    LAE_TRY(lae_text_open(&help));
    fputs(
        "Keys and their defaults. The keys marked * can change the result: a run is resumed only\n"
        "with the values of these that it was begun with.\n",
        help.out);
    const char *before = "";
    lae_status status = NULL;
    for (const struct lae_key *key = lae_keys(); key->name != NULL && status == NULL; key++) {
        size_t section = strcspn(key->name, ".") + 1;
        if (strncmp(before, key->name, section) != 0) fputc('\n', help.out);
        status = write_help(key, help.out);
        before = key->name;
    }
    write_names(help.out);
    status = lae_status_first(status, lae_text_close(&help, text));
    if (status != NULL) {
        free(*text);
        *text = NULL;
    }
    return status;
}
