/* What runs came to, as a page to look at and figures to print. */
#include "lae/cmd/cmd.h"
#include "lae/files/atomic.h"
#include "lae/files/map.h"
#include "lae/page/page.h"
#include "lae/page/run_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_OUTPUT, OPTION_OVER };

static const struct lae_option options[] = {
    [OPTION_OUTPUT] = {"output", "DIR|FILE",
                       "where to write: DIR/report.html and DIR/figures, or "
                       "FILE.html and FILE_figures (RUN/report; of several "
                       "runs: report)"},
    [OPTION_OVER] = {"over", "KEYS",
                     "runs that differ in these keys alone are averaged, KEY or KEY,KEY "
                     "(run.seed)"},
    {NULL, NULL, NULL},
};

/* Where the page and its figures go. */
struct places {
    char *directory, *page, *figures; /* directory: the page's, to be made; NULL: it is there */
};

static void free_places(struct places *places)
{
    free(places->directory);
    free(places->page);
    free(places->figures);
}

static bool is_page(const char *output)
{
    static const char *const endings[] = {".html", NULL};
    return lae_path_ends_in(output, endings);
}

static void choose_file(const char *output, struct places *places)
{
    size_t stem = strlen(output) - strlen(".html"), size = stem + sizeof "_figures";
    places->page = strdup(output);
    places->figures = malloc(size);
    if (places->figures != NULL) snprintf(places->figures, size, "%.*s_figures", (int)stem, output);
}

static void choose_directory(char *directory, struct places *places)
{
    places->directory = directory;
    if (directory == NULL) return;
    places->page = lae_path_join(directory, "report.html");
    places->figures = lae_path_join(directory, "figures");
}

static lae_status choose_places(const struct lae_arguments *arguments, struct places *places)
{
    const char *output = arguments->options[OPTION_OUTPUT];
    if (output != NULL && is_page(output))
        choose_file(output, places);
    else if (output != NULL)
        choose_directory(strdup(output), places);
    else if (arguments->positional_count == 1)
        choose_directory(lae_path_join(arguments->positional[0], "report"), places);
    else
        choose_directory(strdup("report"), places);
    bool fine = places->page != NULL && places->figures != NULL;
    return fine ? NULL : lae_out_of_memory(64, "a path");
}

/* Before anything is drawn: whether the page can be written. */
static lae_status prepare(const struct places *places, bool chosen)
{
    lae_status status = NULL;
    if (places->directory != NULL) status = lae_path_make_directories(places->directory);
    if (status == NULL) status = lae_atomic_check(places->page);
    if (status != NULL)
        return lae_status_prefix(status, chosen ? "--output" : "--output DIR names another place");
    return NULL;
}

/* ---- what is averaged over */

#define OVER_MOST 16

struct over {
    char *text, *configs; /* the keys, cut apart; where class orders have their names */
    const char *keys[OVER_MOST];
    struct lae_grouping grouping;
};

/* Whether it is a key that can change the result: of others runs are never told apart. */
static lae_status check_key(const char *name)
{
    for (size_t row = 0;; row++) {
        struct lae_config_key key;
        LAE_TRY(lae_config_key_describe(row, &key));
        bool end = key.name == NULL, found = !end && strcmp(key.name, name) == 0;
        bool result = key.result;
        lae_config_key_free(&key);
        if (found && result) return NULL;
        if (found)
            return lae_bad_input("--over: %s changes no result, so that runs are never told apart "
                                 "by it; leave it out",
                                 name);
        if (end)
            return lae_bad_input("--over: there is no key \"%s\"; lae_mpi train --help lists them",
                                 name);
    }
}

static lae_status choose_over(const char *given, struct over *over)
{
    char *home = lae_home(), *rest = NULL;
    over->configs = home != NULL ? lae_path_join(home, "configs") : NULL;
    free(home);
    over->text = strdup(given != NULL ? given : "run.seed");
    if (over->text == NULL) return lae_out_of_memory(64, "a list of keys");
    over->grouping = (struct lae_grouping){.over = over->keys, .configs = over->configs};
    size_t *count = &over->grouping.over_count;
    for (char *key = strtok_r(over->text, ",", &rest); key != NULL;
         key = strtok_r(NULL, ",", &rest)) {
        if (*count == OVER_MOST) return lae_bad_input("--over: names more than %d keys", OVER_MOST);
        LAE_TRY(check_key(key));
        over->keys[(*count)++] = key;
    }
    return *count > 0 ? NULL : lae_bad_input("--over: names no key");
}

static void free_over(struct over *over)
{
    free(over->text);
    free(over->configs);
}

/* ---- all of it */

static void tell(const struct places *places, size_t count, const struct lae_page_drawn *drawn,
                 struct lae_log *log)
{
    if (!drawn->found)
        lae_log_warn(log,
                     "gnuplot is not installed (Debian: gnuplot-nox): the page has its tables "
                     "alone; %s holds what gnuplot would draw",
                     places->figures);
    if (drawn->refused > 0)
        lae_log_warn(log,
                     "%zu of %zu figures are not drawn, and the page has their numbers alone; the "
                     "first is %s",
                     drawn->refused, drawn->figures, drawn->words);
    lae_log_info(log, "%zu run(s) reported in %s%s%s", count, places->page,
                 drawn->found ? "; figures as SVG and PDF in " : "",
                 drawn->found ? places->figures : "");
}

static lae_status write_page(const struct lae_arguments *arguments, struct lae_log *log,
                             const struct lae_run_list *found, struct lae_run *runs,
                             const struct lae_grouping *grouping, struct places *places)
{
    struct lae_page_drawn drawn;
    for (size_t i = 0; i < found->count; i++)
        LAE_TRY(lae_run_read(found->items[i], log, &runs[i]));
    LAE_TRY(choose_places(arguments, places));
    LAE_TRY(prepare(places, arguments->options[OPTION_OUTPUT] != NULL));
    const struct lae_page_options page = {places->page, places->figures, grouping, log};
    LAE_TRY(lae_page_write(&page, runs, found->count, &drawn));
    tell(places, found->count, &drawn, log);
    return NULL;
}

static lae_status write_report(const struct lae_arguments *arguments, struct lae_log *log,
                               const struct lae_run_list *found,
                               const struct lae_grouping *grouping)
{
    struct places places = {0};
    struct lae_run *runs = calloc(found->count, sizeof *runs);
    if (runs == NULL) return lae_out_of_memory(found->count * sizeof *runs, "runs");
    lae_status status = write_page(arguments, log, found, runs, grouping, &places);
    for (size_t i = 0; i < found->count; i++)
        lae_run_free(&runs[i]);
    free(runs);
    free_places(&places);
    return status;
}

static lae_status run(const struct lae_arguments *arguments, const struct lae_dist *dist,
                      struct lae_log *log)
{
    (void)dist;
    struct over over = {0};
    struct lae_run_list found = {0};
    lae_status status = choose_over(arguments->options[OPTION_OVER], &over);
    for (int i = 0; i < arguments->positional_count && status == NULL; i++)
        status = lae_run_list_add(&found, arguments->positional[i], log);
    if (status == NULL) status = write_report(arguments, log, &found, &over.grouping);
    lae_run_list_free(&found);
    free_over(&over);
    return status;
}

const struct lae_command lae_command_report = {
    .name = "report",
    .usage = "RUN|DIR [RUN|DIR ...] [--output DIR|FILE] [--over KEYS]",
    .help = "write what runs came to as one page of HTML and as figures, side by side and with "
            "means over seeds; DIR stands for the runs in it",
    .example = "lae_mpi report runs/ties_1 runs/ties_2 runs/ema_1 --output compared",
    .positional = 1,
    .more = true,
    .options = options,
    .serial = true,
    .run = run,
};
