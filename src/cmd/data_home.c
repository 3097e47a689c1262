/* Where data and weights lie, of which the program brings next to none: configurations name them
 * "data/FILE", and get-data.sh fetches them.
 *
 *     $LAE_DATA, else ./data, else the user's: $XDG_DATA_HOME/lae_mpi or ~/.local/share/lae_mpi;
 *     last the program's own, which has the demonstration's weights
 *
 * A file is looked for in all of these, in this order. What is named otherwise is a path like any.
 */
#include "lae/cmd/cmd.h"
#include "lae/files/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "data/"

enum { PLACES = 4 };

static const char *set_variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* The user's data directory, a new string; NULL: not known. */
static char *users_place(void)
{
    const char *data = set_variable("XDG_DATA_HOME"), *home = set_variable("HOME");
    if (data != NULL && data[0] == '/') return lae_path_join(data, "lae_mpi");
    return home != NULL ? lae_path_join(home, ".local/share/lae_mpi") : NULL;
}

static void find_places(const char *home, char *places[PLACES])
{
    const char *asked = set_variable("LAE_DATA");
    places[0] = asked != NULL ? strdup(asked) : NULL;
    places[1] = strdup("data");
    places[2] = users_place();
    places[3] = home != NULL ? lae_path_join(home, "data") : NULL;
}

static void free_places(char *places[PLACES])
{
    for (int i = 0; i < PLACES; i++)
        free(places[i]);
}

/* The first of the places' files of that name, a new string; NULL: none is there. */
static char *find_file(char *const places[PLACES], const char *name)
{
    for (int i = 0; i < PLACES; i++) {
        char *path = places[i] != NULL ? lae_path_join(places[i], name) : NULL;
        if (path != NULL && lae_path_exists(path)) return path;
        free(path);
    }
    return NULL;
}

static bool is_placed(const char *path)
{
    return path != NULL && strncmp(path, PREFIX, strlen(PREFIX)) == 0;
}

/* The file's path in the place of its name; what is not found stays as it is. */
static char *settle(char *const places[PLACES], char *path)
{
    if (!is_placed(path)) return path;
    char *found = find_file(places, path + strlen(PREFIX));
    if (found == NULL) return path;
    free(path);
    return found;
}

void lae_data_home_place(struct lae_config *config)
{
    char *places[PLACES], *home = lae_home();
    find_places(home, places);
    char *path = config->data.path != NULL ? strdup(config->data.path) : NULL;
    if (path != NULL) {
        free((char *)config->data.path);
        config->data.path = settle(places, path);
    }
    config->model.weights = settle(places, config->model.weights);
    free_places(places);
    free(home);
}

static lae_status not_found(const char *key, const char *path, const char *fetch)
{
    char *places[PLACES], text[1024] = "";
    find_places(NULL, places);
    for (int i = 0; i < PLACES; i++)
        if (places[i] != NULL)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.300s",
                     text[0] != '\0' ? ", " : "", places[i]);
    free_places(places);
    return lae_bad_input("%s: %s is not there: %s lies in none of %s; `get-data.sh %s` fetches it "
                         "(launch/ of the program's directory), or give %s=PATH",
                         key, path, path + strlen(PREFIX), text, fetch, key);
}

lae_status lae_data_home_check(const struct lae_config *config)
{
    const char *data = config->data.path, *weights = config->model.weights;
    bool drawn = config->data.dataset == LAE_DATASET_SYNTHETIC;
    if (!drawn && is_placed(data) && !lae_path_exists(data))
        return not_found("data.path", data, "cifar100");
    if (is_placed(weights) && !lae_path_exists(weights))
        return not_found("model.weights", weights, "weights");
    return NULL;
}
