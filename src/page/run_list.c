#define _GNU_SOURCE /* versionsort */
#include "lae/page/run_list.h"

#include "lae/files/map.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- what a directory is */

static bool is_own_file(const char *name)
{
    int task, length = 0;
    if (strcmp(name, "config.yaml") == 0 || strcmp(name, "metrics.jsonl") == 0) return true;
    return sscanf(name, "task_%8d.h5%n", &task, &length) == 1 && length > 0 && name[length] == '\0';
}

/* Whether one of a run's files is there. */
static bool is_run(const char *place)
{
    DIR *directory = opendir(place);
    bool found = false;
    if (directory == NULL) return false;
    for (struct dirent *entry; !found && (entry = readdir(directory)) != NULL;)
        found = is_own_file(entry->d_name);
    closedir(directory);
    return found;
}

static bool is_link(const char *path)
{
    struct stat about;
    return lstat(path, &about) == 0 && S_ISLNK(about.st_mode);
}

static bool same_directory(const char *a, const char *b)
{
    struct stat first, second;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/* ---- the list */

/* A run that counted as two seeds would make every deviation too small. */
static lae_status add(struct lae_run_list *list, const char *place)
{
    for (size_t i = 0; i < list->count; i++)
        if (same_directory(list->items[i], place))
            return lae_bad_input("%s: is the same run as %s; name each once", place,
                                 list->items[i]);
    char **items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (items == NULL) return lae_out_of_memory(64, "a list of runs");
    list->items = items;
    items[list->count] = strdup(place);
    return items[list->count++] == NULL ? lae_out_of_memory(strlen(place), "a path") : NULL;
}

#define NAMES 600 /* bytes of them that are told */

struct names {
    char text[NAMES];
    size_t count;
};

static void add_name(struct names *names, const char *name)
{
    size_t used = strlen(names->text);
    const char *before = names->count++ > 0 ? ", " : "";
    if (used + strlen(name) + 8 < NAMES)
        sprintf(names->text + used, "%s%s", before, name);
    else if (used + 8 < NAMES && strcmp(names->text + used - 3, "...") != 0)
        strcat(names->text, ", ...");
}

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Links are other names of what has one. */
static lae_status add_entry(struct lae_run_list *list, const char *place, const char *name,
                            struct names *runs, struct names *others)
{
    char *path = lae_path_join(place, name);
    if (path == NULL) return lae_out_of_memory(strlen(place), "a path");
    bool wanted = !is_link(path) && is_run(path);
    add_name(wanted ? runs : others, name);
    lae_status status = wanted ? add(list, path) : NULL;
    free(path);
    return status;
}

static lae_status add_inside(struct lae_run_list *list, const char *place, struct names *runs,
                             struct names *others)
{
    struct dirent **entries;
    int count = scandir(place, &entries, is_shown, versionsort);
    if (count < 0) return lae_bad_input("%s: cannot be listed: %s", place, strerror(errno));
    lae_status status = NULL;
    for (int i = 0; i < count; i++) {
        if (status == NULL) status = add_entry(list, place, entries[i]->d_name, runs, others);
        free(entries[i]);
    }
    free(entries);
    return status;
}

lae_status lae_run_list_add(struct lae_run_list *list, const char *place, struct lae_log *log)
{
    struct names runs = {0}, others = {0};
    if (!lae_path_is_directory(place) || is_run(place)) return add(list, place);
    LAE_TRY(add_inside(list, place, &runs, &others));
    if (runs.count == 0) return add(list, place);
    lae_log_info(log, "%s holds %zu run(s): %s%s%s", place, runs.count, runs.text,
                 others.count > 0 ? "; no runs, or links to others: " : "", others.text);
    return NULL;
}

void lae_run_list_free(struct lae_run_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct lae_run_list){0};
}
