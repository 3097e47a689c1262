/* What runs came to, as a page to look at and figures to print. */
#include "lae/cmd/cmd.h"
#include "lae/files/atomic.h"
#include "lae/files/map.h"
#include "lae/report/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { OPTION_OUTPUT };

static const struct lae_option options[] = {
    [OPTION_OUTPUT] = {"output", "DIR|FILE",
                       "where to write: DIR/report.html and DIR/figures, or "
                       "FILE.html and FILE_figures (RUN/report; of several "
                       "runs: report)"},
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

static bool same_directory(const char *a, const char *b)
{
    struct stat first, second;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/* A run that counted as two seeds would make every deviation too small. */
static lae_status check_runs(const struct lae_arguments *arguments)
{
    const char **names = arguments->positional;
    for (int i = 1; i < arguments->positional_count; i++)
        for (int j = 0; j < i; j++)
            if (same_directory(names[j], names[i]))
                return lae_bad_input("%s: is the same run as %s; name each once", names[i],
                                     names[j]);
    return NULL;
}

static lae_status read_runs(const struct lae_arguments *arguments, struct lae_log *log,
                            struct lae_run *runs)
{
    for (int i = 0; i < arguments->positional_count; i++)
        LAE_TRY(lae_run_read(arguments->positional[i], log, &runs[i]));
    return NULL;
}

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

static lae_status write_report(const struct lae_arguments *arguments, struct lae_log *log,
                               struct lae_run *runs, struct places *places)
{
    size_t count = (size_t)arguments->positional_count;
    struct lae_page_drawn drawn;
    LAE_TRY(check_runs(arguments));
    LAE_TRY(read_runs(arguments, log, runs));
    LAE_TRY(choose_places(arguments, places));
    LAE_TRY(prepare(places, arguments->options[OPTION_OUTPUT] != NULL));
    LAE_TRY(lae_page_write(places->page, places->figures, runs, count, &drawn));
    tell(places, count, &drawn, log);
    return NULL;
}

static lae_status run(const struct lae_arguments *arguments, const struct lae_dist *dist,
                      struct lae_log *log)
{
    (void)dist;
    struct places places = {0};
    int count = arguments->positional_count;
    struct lae_run *runs = calloc((size_t)count, sizeof *runs);
    if (runs == NULL) return lae_out_of_memory((size_t)count * sizeof *runs, "runs");
    lae_status status = write_report(arguments, log, runs, &places);
    for (int i = 0; i < count; i++)
        lae_run_free(&runs[i]);
    free(runs);
    free_places(&places);
    return status;
}

const struct lae_command lae_command_report = {
    .name = "report",
    .usage = "RUN [RUN ...] [--output DIR|FILE]",
    .help = "write what runs came to as one page of HTML and as figures, side by side and with "
            "means over seeds",
    .example = "lae_mpi report runs/ties_1 runs/ties_2 runs/ema_1 --output compared",
    .positional = 1,
    .more = true,
    .options = options,
    .serial = true,
    .run = run,
};
