#include "lae/base/spelling.h"
#include "lae/cmd/cmd.h"
#include "lae/files/map.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEMO "configs/demo.yaml"
#define ORDERS "class_orders.yaml"

/* Whether the command line names data or weights: then the demonstration is not meant. */
static bool names_inputs(const struct lae_arguments *arguments)
{
    static const char *const keys[] = {"data.path=", "data.dataset=", "model.weights="};
    for (int i = 0; i < arguments->setting_count; i++)
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
            if (strncmp(arguments->settings[i], keys[k], strlen(keys[k])) == 0) return true;
    return false;
}

static lae_status load_demo(struct lae_config *config, const char *home)
{
    if (home == NULL)
        return lae_bad_input(
            "the built-in demonstration (%s) is not found beside the program; give "
            "--config FILE, or set LAE_HOME to the directory that holds it",
            DEMO);
    char *path = lae_path_join(home, DEMO);
    if (path == NULL) return lae_out_of_memory(64, "a path");
    lae_status status = lae_config_load_file(config, path);
    free(path);
    if (getenv("LAE_HOME") != NULL)
        status = lae_status_prefix(status, "the demonstration, where LAE_HOME says it is");
    return status;
}

/* The path of the program's own configuration of that name, with or without .yaml; NULL: there is
 * none. */
static char *find_own(const char *configs, const char *file)
{
    static const char *const endings[] = {"", ".yaml"};
    for (size_t i = 0; configs != NULL && i < sizeof endings / sizeof endings[0]; i++) {
        size_t size = strlen(configs) + strlen(file) + sizeof "/.yaml";
        char *own = malloc(size);
        if (own == NULL) return NULL;
        snprintf(own, size, "%s/%s%s", configs, file, endings[i]);
        if (lae_path_exists(own)) return own;
        free(own);
    }
    return NULL;
}

static lae_status unknown_name(const char *configs, const char *file)
{
    struct lae_spelling spelling = lae_spelling_of(file);
    char asked[LAE_SPELLING_ASK];
    DIR *stream = configs != NULL ? opendir(configs) : NULL;
    for (struct dirent *entry = NULL; stream != NULL && (entry = readdir(stream)) != NULL;) {
        const char *ending = strstr(entry->d_name, ".yaml");
        if (ending == NULL || strcmp(entry->d_name, ORDERS) == 0) continue;
        bool whole = strstr(file, ".yaml") != NULL;
        lae_spelling_try(&spelling, entry->d_name,
                         whole ? strlen(entry->d_name) : (size_t)(ending - entry->d_name));
    }
    if (stream != NULL) closedir(stream);
    return lae_bad_input("--config %s: there is neither such a file here nor a configuration of "
                         "that name in %s%s",
                         file, configs != NULL ? configs : "the program's own directory",
                         lae_spelling_ask(&spelling, asked));
}

/* --config FILE: a path, or the name of one of the program's own configurations, which a file of
 * that name in the working directory comes before. */
static lae_status load_named(struct lae_config *config, const char *configs, const char *file)
{
    if (strchr(file, '/') != NULL || lae_path_exists(file))
        return lae_config_load_file(config, file);
    char *own = find_own(configs, file);
    if (own == NULL) return unknown_name(configs, file);
    lae_status status = lae_config_load_file(config, own);
    free(own);
    return status;
}

static lae_status fill(const struct lae_arguments *arguments, const char *home,
                       struct lae_config *config)
{
    char *configs = home != NULL ? lae_path_join(home, "configs") : NULL;
    lae_status status = lae_config_defaults(config, configs);
    if (status == NULL && arguments->config != NULL)
        status = load_named(config, configs, arguments->config);
    else if (status == NULL && !names_inputs(arguments))
        status = load_demo(config, home);
    free(configs);
    LAE_TRY(status);
    for (int i = 0; i < arguments->setting_count; i++)
        LAE_TRY(lae_config_set(config, arguments->settings[i]));
    lae_data_home_place(config);
    return NULL;
}

lae_status lae_configure_from(const char *file, struct lae_config *config)
{
    char *home = lae_home(), *configs = home != NULL ? lae_path_join(home, "configs") : NULL;
    lae_status status = load_named(config, configs, file);
    free(configs);
    free(home);
    return status;
}

lae_status lae_configure(const struct lae_arguments *arguments, struct lae_config *config)
{
    *config = (struct lae_config){0};
    char *home = lae_home();
    lae_status status = fill(arguments, home, config);
    free(home);
    return status;
}
