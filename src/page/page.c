/* The page as a whole: runs -> groups -> figures' scripts -> gnuplot -> HTML.
 *
 * Figures are embedded as pictures, one for a light and one for a dark screen; what gnuplot wrote
 * is not looked into. Everything else is text and tables, and there is no script.
 */
#include "lae/page/page.h"

#include "lae/files/atomic.h"
#include "lae/page/html.h"
#include "sections.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *id, *title, *words;
} sections[LAE_PAGE_SECTIONS] = {
    [LAE_PAGE_SUMMARY] = {"summary", "Summary", ""},
    [LAE_PAGE_ACCURACY] =
        {"accuracy", "Accuracy after each task",
         "Online is what the last task left, offline what was accumulated, ensemble the higher of "
         "their two probabilities; lda_offline and the like are heads made from class statistics "
         "of the features that init, online or offline gives."},
    [LAE_PAGE_MATRIX] =
        {"matrix", "Accuracy matrix",
         "A row for the evaluation after each task, a column for each task's images: "
         "down a column, how well a task is remembered."},
    [LAE_PAGE_FORGETTING] =
        {"forgetting", "Forgetting",
         "How far the accuracy on earlier tasks has fallen from its best, on average."},
    [LAE_PAGE_LOSS] =
        {"training", "Training",
         "Loss and accuracy among the classes of the task at hand: the mean of each epoch. "
         "Upright lines are where tasks begin; thin curves are some steps taken together "
         "(report.every_steps)."},
    [LAE_PAGE_MERGES] =
        {"merges", "Merges",
         "How each task's merge treated the modules, by block: means over the entries "
         "of a block for shares, the norm of all its entries for norms."},
    [LAE_PAGE_CONFIGURATION] = {"configuration", "Configuration", ""},
    [LAE_PAGE_ENVIRONMENT] = {"environment", "Environment", ""},
};

/* Widths are such that one page fits a wide screen and a telephone; figures scale, tables scroll.
 */
static const char style[] =
    ":root{color-scheme:light dark;--paper:#fff;--ink:#222;--soft:#5a6068;--line:#d8d8d8;"
    "--shade:#f4f6f8;--accent:#0067a5}\n"
    "@media (prefers-color-scheme:dark){:root{--paper:#16191f;--ink:#d7dbe0;--soft:#a0a7b0;"
    "--line:#3a404a;--shade:#1f242c;--accent:#6cb6f2}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;padding:1rem;max-width:76rem;background:var(--paper);color:var(--ink);"
    "font:16px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.6rem;line-height:1.25;margin:.5rem 0;overflow-wrap:anywhere}\n"
    "h2{font-size:1.25rem;margin:2.5rem 0 .5rem;border-bottom:1px solid var(--line);"
    "padding-bottom:.25rem}\n"
    "p{max-width:46rem;margin:.5rem 0}\n"
    "nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1rem;list-style:none;margin:.75rem "
    "0;padding:0}\n"
    "a{color:var(--accent)}\n"
    ".figures{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,22rem),"
    "1fr));margin:1rem 0;align-items:start}\n"
    "figure{margin:0;min-width:0}\n"
    /* A single figure has its table beside it where there is room. */
    ".parts{display:flex;flex-wrap:wrap;gap:0 2rem;align-items:flex-start}\n"
    ".parts>*{flex:1 1 100%;min-width:0}\n"
    ".parts>.single{display:block;flex:0 1 30rem}.parts>.single+.scroll{flex:0 1 auto}\n"
    "figure img{display:block;width:100%;max-width:38rem;height:auto;border:1px solid var(--line);"
    "border-radius:4px}\n"
    "figcaption{color:var(--soft);font-size:.8rem;overflow-wrap:anywhere}\n"
    ".scroll{overflow:auto;margin:1rem 0;max-width:100%;max-height:36rem}\n"
    "table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}\n"
    "caption{text-align:left;color:var(--soft);padding-bottom:.25rem}\n"
    "th,td{padding:.2rem .7rem;border-bottom:1px solid var(--line);text-align:left;"
    "vertical-align:top}\n"
    "thead th{border-bottom:2px solid var(--line);vertical-align:bottom;position:sticky;top:0;"
    "background:var(--paper)}\n"
    "tbody th{font-weight:normal;white-space:nowrap}\n"
    ".number{text-align:right;white-space:nowrap}\n"
    ".spread{color:var(--soft)}\n"
    ".total th,.total td{font-weight:600}\n"
    ".differs th,.differs td{background:var(--shade);font-weight:600}\n"
    ".long td{overflow-wrap:anywhere;min-width:12rem;max-width:24rem}\n"
    "details{margin:.5rem 0}\nsummary{cursor:pointer;color:var(--accent);"
    "overflow-wrap:anywhere}\n"
    "pre{overflow-x:auto;background:var(--shade);padding:.75rem;border-radius:4px;"
    "font-size:.8rem;line-height:1.4}\n"
    "@media (max-width:30rem){body{padding:.75rem}th,td{padding:.2rem .45rem}}\n"
    "@media print{body{max-width:none}.scroll{overflow:visible;max-height:none}}\n";

/* ---- pieces */

static void write_names(FILE *out, const struct lae_page *page)
{
    for (size_t g = 0; g < page->groups.count; g++) {
        const struct lae_group *group = &page->groups.items[g];
        if (g > 0) fputs("; ", out); /* labels have commas */
        lae_html_text(out, group->label);
        if (group->count > 1) fprintf(out, " (%zu runs)", group->count);
    }
}

static void write_beginning(FILE *out, const struct lae_page *page)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>",
          out);
    write_names(out, page);
    fprintf(out, " – lae_mpi</title>\n<style>\n%s</style>\n</head>\n<body>\n<header>\n<h1>", style);
    write_names(out, page);
    fputs("</h1>\n<nav aria-label=\"Sections\"><ul>", out);
    for (int i = 0; i < LAE_PAGE_SECTIONS; i++)
        fprintf(out, "<li><a href=\"#%s\">%s</a></li>", sections[i].id, sections[i].title);
    fputs("</ul></nav>\n</header>\n<main>\n", out);
}

static lae_status write_source(FILE *out, const char *before, const char *data, size_t size,
                               const char *after)
{
    fprintf(out, "%sdata:image/svg+xml;base64,", before);
    LAE_TRY(lae_html_base64(out, data, size));
    fputs(after, out);
    return NULL;
}

static lae_status write_picture(FILE *out, const struct lae_page_figure *figure,
                                const struct lae_drawing *drawing)
{
    fputs("<picture>", out);
    LAE_TRY(write_source(out, "<source media=\"(prefers-color-scheme:dark)\" srcset=\"",
                         drawing->dark, drawing->dark_size, "\"/>"));
    LAE_TRY(write_source(out, "<img src=\"", drawing->light, drawing->light_size, "\" alt=\""));
    lae_html_text(out, figure->alt);
    fprintf(out, "\"/></picture>\n<figcaption>%s.svg, .pdf, .gp</figcaption>\n", drawing->name);
    return NULL;
}

/* In the place of a picture. */
static void write_refusal(FILE *out, const struct lae_drawing *drawing)
{
    if (drawing->refusal == NULL) return;
    fprintf(out, "<figcaption>%s.gp is not drawn: ", drawing->name);
    lae_html_text(out, drawing->refusal);
    fputs("</figcaption>", out);
}

/* A figure; a matrix has its numbers below it, as they are many. */
static lae_status write_figure(FILE *out, const struct lae_page *page, size_t i)
{
    const struct lae_page_figure *figure = &page->figures[i];
    fputs("<figure>", out);
    if (page->drawings[i].light != NULL)
        LAE_TRY(write_picture(out, figure, &page->drawings[i]));
    else
        write_refusal(out, &page->drawings[i]);
    if (figure->group != NULL) {
        bool drawn = page->drawings[i].light != NULL;
        fprintf(out, "<details%s><summary>", drawn ? "" : " open=\"open\"");
        if (page->groups.count > 1) {
            lae_html_text(out, figure->group->label);
            fputs(", ", out);
        }
        lae_html_text(out, figure->scorer);
        fputs(": numbers</summary>", out);
        lae_page_write_matrix(out, figure->group, figure->scorer);
        fputs("</details>", out);
    }
    fputs("</figure>\n", out);
    return NULL;
}

/* Without gnuplot matrices have their numbers still. */
static bool is_shown(const struct lae_page *page, size_t i, enum lae_page_section section)
{
    bool any = page->drawn || page->figures[i].group != NULL;
    return any && page->figures[i].section == section;
}

static lae_status write_figures(FILE *out, const struct lae_page *page,
                                enum lae_page_section section)
{
    size_t count = 0;
    for (size_t i = 0; i < page->figure_count; i++)
        count += is_shown(page, i, section);
    if (count == 0) return NULL;
    fprintf(out, "<div class=\"figures%s\">\n", count == 1 ? " single" : "");
    for (size_t i = 0; i < page->figure_count; i++)
        if (is_shown(page, i, section)) LAE_TRY(write_figure(out, page, i));
    fputs("</div>\n", out);
    return NULL;
}

/* Numbers to tune by must not be taken for results. */
static void write_evaluated(FILE *out, const struct lae_page *page)
{
    size_t held_out = 0;
    for (size_t i = 0; i < page->run_count; i++)
        held_out += page->runs[i].validation;
    if (held_out == 0) {
        fputs("<p>Over the test images of all classes seen so far.</p>\n", out);
        return;
    }
    fputs("<p>Over the validation images of all classes seen so far, which are training images "
          "that data.validation_share held out: numbers to tune by, no results",
          out);
    if (held_out < page->run_count)
        fputs("; but over the test images of the runs that hold nothing out: ", out);
    const char *before = "";
    for (size_t i = 0; i < page->run_count && held_out < page->run_count; i++) {
        if (page->runs[i].validation) continue;
        fputs(before, out);
        lae_html_text(out, page->runs[i].name);
        before = ", ";
    }
    fputs(".</p>\n", out);
}

static lae_status write_section(FILE *out, const struct lae_page *page,
                                enum lae_page_section section)
{
    fprintf(out, "<section id=\"%s\">\n<h2>%s</h2>\n", sections[section].id,
            sections[section].title);
    if (section == LAE_PAGE_ACCURACY) write_evaluated(out, page);
    if (sections[section].words[0] != '\0') fprintf(out, "<p>%s</p>\n", sections[section].words);
    fputs("<div class=\"parts\">\n", out);
    LAE_TRY(write_figures(out, page, section));
    LAE_TRY(lae_page_write_tables(out, page, section));
    fputs("</div>\n</section>\n", out);
    return NULL;
}

static lae_status write_page(FILE *out, const struct lae_page *page)
{
    write_beginning(out, page);
    if (!page->drawn)
        fputs("<p>Without figures: gnuplot was not found when this page was made.</p>\n", out);
    for (int i = 0; i < LAE_PAGE_SECTIONS; i++)
        LAE_TRY(write_section(out, page, (enum lae_page_section)i));
    fprintf(out, "</main>\n<footer><p>Written by lae_mpi %s.</p></footer>\n</body>\n</html>\n",
            LAE_VERSION);
    return NULL;
}

/* ---- all of it */

static bool has_scorer(const struct lae_page *page, const char *name)
{
    for (size_t i = 0; i < page->scorer_count; i++)
        if (strcmp(page->scorers[i], name) == 0) return true;
    return false;
}

/* In the first run's order; others' behind. */
static lae_status collect_scorers(struct lae_page *page)
{
    size_t most = 0;
    for (size_t i = 0; i < page->run_count; i++)
        most += page->runs[i].scorer_count;
    page->scorers = calloc(most + 1, sizeof *page->scorers);
    if (page->scorers == NULL) return lae_out_of_memory(most * 8, "names");
    for (size_t i = 0; i < page->run_count; i++)
        for (size_t k = 0; k < page->runs[i].scorer_count; k++)
            if (!has_scorer(page, page->runs[i].scorers[k].name))
                page->scorers[page->scorer_count++] = page->runs[i].scorers[k].name;
    return NULL;
}

static void free_page(struct lae_page *page)
{
    for (size_t i = 0; i < page->figure_count; i++) {
        free(page->figures[i].alt);
        free(page->drawings[i].name);
        free(page->drawings[i].script);
        free(page->drawings[i].light);
        free(page->drawings[i].dark);
        free(page->drawings[i].refusal);
    }
    free(page->figures);
    free(page->drawings);
    free(page->scorers);
    lae_groups_free(&page->groups);
}

static lae_status write_text(const struct lae_page *page, char **text, size_t *size)
{
    FILE *out = open_memstream(text, size);
    if (out == NULL) return lae_out_of_memory(0, "a page");
    lae_status status = write_page(out, page);
    bool failed = ferror(out) != 0;
    if ((fclose(out) != 0 || failed) && status == NULL) status = lae_out_of_memory(*size, "a page");
    return status;
}

/* What the caller is told of the figures. */
static void count_refusals(const struct lae_page *page, struct lae_page_drawn *drawn)
{
    *drawn = (struct lae_page_drawn){.found = page->drawn, .figures = page->figure_count};
    for (size_t i = 0; i < page->figure_count; i++) {
        const struct lae_drawing *drawing = &page->drawings[i];
        if (drawing->refusal != NULL && drawn->refused++ == 0)
            snprintf(drawn->words, sizeof drawn->words, "%s: %s", drawing->name, drawing->refusal);
    }
}

/* A copy that counted as another seed would make every deviation too small. */
static void tell_copies(const struct lae_page *page)
{
    for (size_t g = 0; g < page->groups.count; g++)
        for (size_t i = 0; i < page->groups.items[g].copy_count; i++) {
            const struct lae_copy *copy = &page->groups.items[g].copies[i];
            lae_log_warn(page->options->log,
                         "%s has the configuration, seed, weights and images of %s, %s: the two "
                         "are counted once, as the latter",
                         copy->run->place, copy->of->place,
                         copy->same ? "and its numbers" : "though other numbers");
        }
}

/* What is to be shown of the runs: all but what gnuplot draws. */
static lae_status prepare_page(struct lae_page *page)
{
    LAE_TRY(lae_groups_make(page->runs, page->run_count, page->options->grouping, &page->groups));
    LAE_TRY(collect_scorers(page));
    return lae_page_make_figures(page);
}

static lae_status make_page(struct lae_page *page)
{
    char *text = NULL;
    size_t size = 0;
    LAE_TRY(prepare_page(page));
    tell_copies(page);
    LAE_TRY(
        lae_gnuplot_draw(page->options->figures, page->drawings, page->figure_count, &page->drawn));
    lae_status status = write_text(page, &text, &size);
    if (status == NULL) status = lae_atomic_write(page->options->path, text, size);
    free(text);
    return status;
}

lae_status lae_page_write(const struct lae_page_options *options, const struct lae_run *runs,
                          size_t count, struct lae_page_drawn *drawn)
{
    struct lae_page page = {.options = options, .runs = runs, .run_count = count};
    lae_status status = make_page(&page);
    count_refusals(&page, drawn);
    free_page(&page);
    return status;
}

lae_status lae_page_text(const struct lae_page_options *options, const struct lae_run *runs,
                         size_t count, char **text)
{
    struct lae_page page = {.options = options, .runs = runs, .run_count = count};
    size_t size;
    *text = NULL;
    lae_status status = prepare_page(&page);
    if (status == NULL) status = write_text(&page, text, &size);
    free_page(&page);
    return status;
}
