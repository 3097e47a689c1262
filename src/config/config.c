#include "lae/config/config.h"

#include "document.h"
#include "keys.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* ---- beginning and end */

static lae_status set_initial(struct lae_config *config, const struct lae_key *key)
{
    struct lae_literal value;
    lae_status status = lae_literal_parse(&value, key->initial, key->type->list);
    if (status == NULL) status = key->type->read(key, &value, config);
    lae_literal_free(&value);
    return status;
}

lae_status lae_config_defaults(struct lae_config *config, const char *configs)
{
    *config = (struct lae_config){0};
    lae_status status = NULL;
    if (configs != NULL) {
        config->configs = strdup(configs);
        if (config->configs == NULL) status = lae_out_of_memory(strlen(configs), "a path");
    }
    for (const struct lae_key *key = lae_keys(); key->name != NULL && status == NULL; key++)
        status = set_initial(config, key);
    if (status != NULL) lae_config_free(config);
    return status;
}

struct lae_arithmetic lae_config_arithmetic(const struct lae_config *config)
{
    return (struct lae_arithmetic){config->compute.backend, config->model.precision};
}

void lae_config_free(struct lae_config *config)
{
    for (const struct lae_key *key = lae_keys(); key->name != NULL; key++) {
        if (key->type != &lae_key_text) continue;
        char *text;
        memcpy(&text, (const char *)config + key->offset, sizeof text);
        free(text);
    }
    free(config->data.class_order);
    free(config->data.classes);
    free(config->directory);
    free(config->configs);
    *config = (struct lae_config){0};
}

/* ---- one key */

static lae_status refuse_unknown(const char *name)
{
    struct lae_text text;
    LAE_TRY(lae_text_open(&text));
    fputs("unknown key \"", text.out);
    lae_text_write_shown(text.out, name);
    fputc('"', text.out);
    char nearest[LAE_KEY_TEXT];
    if (lae_key_nearest(name, nearest))
        fprintf(text.out, "; did you mean \"%s\"?", nearest);
    else
        fputs("; --help lists the keys", text.out);
    return lae_text_refuse(&text);
}

/* "merge is FOUND; it is a section with the keys merge.method, ..." */
static lae_status refuse_section(const char *section, const struct lae_literal *value)
{
    struct lae_text text;
    LAE_TRY(lae_text_open(&text));
    fprintf(text.out, "%s is ", section);
    lae_literal_describe(text.out, value);
    fputs("; it must be a section with keys of its own:", text.out);
    size_t length = strlen(section);
    const char *comma = "";
    for (const struct lae_key *key = lae_keys(); key->name != NULL; key++) {
        if (strncmp(key->name, section, length) != 0 || key->name[length] != '.') continue;
        fprintf(text.out, "%s %s", comma, key->name);
        comma = ",";
    }
    return lae_text_refuse(&text);
}

/* A value that somebody gave, in a file or on the command line. */
static lae_status read_given(const struct lae_key *key, const struct lae_literal *value,
                             struct lae_config *config)
{
    bool pixels = strcmp(key->name, "data.mean") == 0 || strcmp(key->name, "data.std") == 0;
    if (pixels) config->pixels_given = true;
    return key->type->read(key, value, config);
}

/* ---- files */

static lae_status take_entry(struct lae_config *config, const struct lae_document *document,
                             const struct lae_entry *entry)
{
    const struct lae_literal *value = &entry->value;
    const struct lae_key *key = lae_key_find(entry->path);
    struct lae_mark mark = entry->value_at;
    lae_status status = NULL;
    if (key != NULL) {
        status = read_given(key, value, config);
    } else if (!lae_key_is_section(entry->path)) {
        status = refuse_unknown(entry->path);
        mark = entry->key_at;
    } else if (value->kind != LAE_LITERAL_MAPPING) {
        bool nothing = value->kind == LAE_LITERAL_SCALAR && lae_scalar_is_null(&value->items[0]);
        if (!nothing) status = refuse_section(entry->path, value);
    }
    return lae_status_prefix(status, "%s:%zu:%zu", document->name, mark.line, mark.column);
}

static lae_status take_document(struct lae_config *config, struct lae_document *document)
{
    lae_status status = NULL;
    for (size_t i = 0; i < document->count && status == NULL; i++)
        status = take_entry(config, document, &document->entries[i]);
    lae_document_free(document);
    return status;
}

lae_status lae_config_load_text(struct lae_config *config, const char *name, const char *text,
                                size_t size)
{
    struct lae_document document;
    LAE_TRY(lae_document_read(&document, name, text, size));
    return take_document(config, &document);
}

lae_status lae_config_load_file(struct lae_config *config, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - path);
    char *directory = slash == NULL   ? strdup(".")
                      : slash == path ? strdup("/")
                                      : strndup(path, length);
    if (directory == NULL) return lae_out_of_memory(length, "a path");
    free(config->directory);
    config->directory = directory;
    struct lae_document document;
    LAE_TRY(lae_document_read_file(&document, path));
    return take_document(config, &document);
}

/* ---- the command line */

/* `name` is the assignment up to the equals sign, `text` what follows it. */
static lae_status assign(struct lae_config *config, const char *name, const char *text)
{
    const struct lae_key *key = lae_key_find(name);
    if (key == NULL && !lae_key_is_section(name)) return refuse_unknown(name);
    struct lae_literal value;
    lae_status status = lae_literal_parse(&value, text, key != NULL && key->type->list);
    if (status == NULL)
        status = key == NULL ? refuse_section(name, &value) : read_given(key, &value, config);
    lae_literal_free(&value);
    return status;
}

lae_status lae_config_set_key(struct lae_config *config, const char *name, const char *text)
{
    return assign(config, name, text);
}

static lae_status set(struct lae_config *config, const char *assignment)
{
    size_t size = strlen(assignment);
    const char *equals = strchr(assignment, '=');
    if (equals == NULL) return lae_bad_input("KEY=VALUE is wanted, such as merge.method=ties");
    if (lae_text_utf8_length(assignment, size) != size)
        return lae_bad_input("only UTF-8 can be understood");
    size_t length = (size_t)(equals - assignment);
    char *name = strndup(assignment, length);
    if (name == NULL) return lae_out_of_memory(length, "a key");
    lae_status status = assign(config, name, equals + 1);
    free(name);
    return status;
}

lae_status lae_config_set(struct lae_config *config, const char *assignment)
{
    lae_status status = set(config, assignment);
    if (status == NULL) return NULL;
    struct lae_text text;
    char *shown = NULL;
    lae_status shown_status = lae_text_open(&text);
    if (shown_status == NULL) {
        lae_text_write_shown(text.out, assignment);
        shown_status = lae_text_close(&text, &shown);
    }
    lae_status_free(shown_status); /* the message is worth more than its beginning */
    status = lae_status_prefix(status, "command line: %s", shown != NULL ? shown : "?");
    free(shown);
    return status;
}
