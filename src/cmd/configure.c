#include "lae/cmd/cmd.h"
#include "lae/files/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEMO "configs/demo.yaml"

/* `directory` if it holds the program's files, else NULL; frees it then. */
static char *if_home(char *directory)
{
    char *demo = directory != NULL ? lae_path_join(directory, DEMO) : NULL;
    bool found = demo != NULL && lae_path_exists(demo);
    free(demo);
    if (found) return directory;
    free(directory);
    return NULL;
}

char *lae_home(void)
{
    const char *asked = getenv("LAE_HOME");
    if (asked != NULL && asked[0] != '\0') return strdup(asked);
    char executable[4096];
    ssize_t length = readlink("/proc/self/exe", executable, sizeof executable - 1);
    if (length <= 0) return NULL;
    executable[length] = '\0';
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(executable, '/');
        if (slash == NULL) return NULL;
        *slash = '\0';
    }
    char *home = if_home(lae_path_join(executable, "share/lae_mpi"));
    return home != NULL ? home : if_home(strdup(executable));
}

/* Whether the command line names data or weights: then the demonstration is not meant. */
static bool names_inputs(const struct lae_arguments *arguments)
{
    static const char *const keys[] = {"data.path=", "data.dataset=", "model.weights="};
    for (int i = 0; i < arguments->setting_count; i++)
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
            if (strncmp(arguments->settings[i], keys[k], strlen(keys[k])) == 0) return true;
    return false;
}

/* The demonstration's own files lie with the program, not where it is started. */
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
    LAE_TRY(status);
    if (config->model.weights == NULL || config->model.weights[0] == '/') return NULL;
    char *weights = lae_path_join(home, config->model.weights);
    if (weights == NULL) return lae_out_of_memory(64, "a path");
    free(config->model.weights);
    config->model.weights = weights;
    return NULL;
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

/* --config FILE: a path, or the name of one of the program's own configurations, which a file of
 * that name in the working directory comes before. */
static lae_status load_named(struct lae_config *config, const char *configs, const char *file)
{
    if (strchr(file, '/') != NULL || lae_path_exists(file))
        return lae_config_load_file(config, file);
    char *own = find_own(configs, file);
    if (own == NULL)
        return lae_bad_input(
            "--config %s: there is neither such a file here nor a configuration of "
            "that name in %s",
            file, configs != NULL ? configs : "the program's own directory");
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
    return NULL;
}

lae_status lae_configure(const struct lae_arguments *arguments, struct lae_config *config)
{
    *config = (struct lae_config){0};
    char *home = lae_home();
    lae_status status = fill(arguments, home, config);
    free(home);
    return status;
}
