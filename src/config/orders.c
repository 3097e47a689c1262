#include "orders.h"

#include "lae/base/spelling.h"
#include "lae/files/map.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

#define FILE_NAME "class_orders.yaml"

/* Looks in one file, and takes the entry out of it. entry->path stays NULL where the name is not
 * there; what is there is told to `found`. */
static lae_status search_file(const char *path, const char *name, struct lae_entry *entry,
                              FILE *found, struct lae_spelling *spelling)
{
    struct lae_document document;
    LAE_TRY(lae_document_read_file(&document, path));
    fprintf(found, "; %s has", path);
    for (size_t i = 0; i < document.count; i++) {
        const char *known = document.entries[i].path;
        fprintf(found, " %s", known);
        lae_spelling_try(spelling, known, strlen(known));
        if (strcmp(known, name) != 0) continue;
        *entry = document.entries[i];
        document.entries[i] = (struct lae_entry){0};
        break;
    }
    lae_document_free(&document);
    return NULL;
}

/* The same for a directory; NULL, or one without the file, has nothing. */
static lae_status search_directory(const char *directory, const char *name, struct lae_entry *entry,
                                   char **file, FILE *found, struct lae_spelling *spelling)
{
    if (directory == NULL) return NULL;
    char *path = lae_path_join(directory, FILE_NAME);
    if (path == NULL) return lae_out_of_memory(strlen(directory), "a path");
    lae_status status = NULL;
    if (lae_path_exists(path))
        status = search_file(path, name, entry, found, spelling);
    else
        fprintf(found, "; there is no %s", path);
    if (status == NULL && entry->path != NULL)
        *file = path;
    else
        free(path);
    return status;
}

lae_status lae_order_find(const struct lae_config *config, const char *name,
                          struct lae_entry *entry, char **file)
{
    *entry = (struct lae_entry){0};
    *file = NULL;
    struct lae_spelling spelling = lae_spelling_of(name);
    char asked[LAE_SPELLING_ASK];
    struct lae_text text;
    LAE_TRY(lae_text_open(&text));
    fputs("data.class_order is \"", text.out);
    lae_text_write_shown(text.out, name);
    fputs("\", but " FILE_NAME " has no list of that name", text.out);
    lae_status status = search_directory(config->directory, name, entry, file, text.out, &spelling);
    bool same = config->directory != NULL && config->configs != NULL &&
                strcmp(config->directory, config->configs) == 0;
    if (status == NULL && entry->path == NULL && !same)
        status = search_directory(config->configs, name, entry, file, text.out, &spelling);
    fputs(lae_spelling_ask(&spelling, asked), text.out);
    char *message = NULL;
    status = lae_status_first(status, lae_text_close(&text, &message));
    if (status == NULL && entry->path == NULL) status = lae_bad_input("%s", message);
    if (status != NULL) {
        lae_entry_free(entry);
        free(*file);
    }
    free(message);
    return status;
}

/* ---- the other way round */

static bool is_order(const struct lae_literal *value, const int *order, size_t count)
{
    int64_t class;
    if (value->kind != LAE_LITERAL_LIST || value->count != count) return false;
    for (size_t i = 0; i < count; i++)
        if (!lae_text_integer(value->items[i].text, &class) || class != order[i]) return false;
    return true;
}

static lae_status name_in_file(const char *path, const struct lae_data_options *data, char **name)
{
    struct lae_document document;
    LAE_TRY(lae_document_read_file(&document, path));
    lae_status status = NULL;
    for (size_t i = 0; i < document.count && *name == NULL && status == NULL; i++) {
        const struct lae_entry *entry = &document.entries[i];
        if (!is_order(&entry->value, data->class_order, (size_t)data->class_order_count)) continue;
        *name = strdup(entry->path);
        if (*name == NULL) status = lae_out_of_memory(strlen(entry->path), "a name");
    }
    lae_document_free(&document);
    return status;
}

lae_status lae_config_order_name(const struct lae_config *config, char **name)
{
    const char *const directories[] = {config->directory, config->configs};
    lae_status status = NULL;
    *name = NULL;
    for (int i = 0; i < 2 && status == NULL && *name == NULL; i++) {
        if (config->data.class_order == NULL || directories[i] == NULL) continue;
        char *path = lae_path_join(directories[i], FILE_NAME);
        if (path == NULL) return lae_out_of_memory(strlen(directories[i]), "a path");
        if (lae_path_exists(path)) status = name_in_file(path, &config->data, name);
        free(path);
    }
    return status;
}
