/* The tables of the page. */
#include "sections.h"

#include "lae/config/config.h"
#include "lae/page/html.h"
#include "lae/report/inspection.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- cells */

static void begin_table(FILE *out, const char *caption)
{
    fputs("<div class=\"scroll\" tabindex=\"0\"><table><caption>", out); /* keys scroll it */
    lae_html_text(out, caption);
    fputs("</caption>\n", out);
}

static void end_table(FILE *out)
{
    fputs("</tbody></table></div>\n", out);
}

static void write_head(FILE *out, const char *text)
{
    fputs("<th scope=\"col\">", out);
    lae_html_text(out, text);
    fputs("</th>", out);
}

static void write_row_head(FILE *out, const char *text)
{
    fputs("<tr><th scope=\"row\">", out);
    lae_html_text(out, text);
    fputs("</th>", out);
}

static void write_cell(FILE *out, const char *text)
{
    fputs("<td>", out);
    lae_html_text(out, text);
    fputs("</td>", out);
}

/* "70.61", or "70.61 ± 0.82" of several. */
static void write_moments(FILE *out, const struct lae_moments *m, int digits)
{
    if (m->count == 0)
        fputs("<td class=\"number\">–</td>", out);
    else if (m->count == 1)
        fprintf(out, "<td class=\"number\">%.*f</td>", digits, m->mean);
    else
        fprintf(out, "<td class=\"number\">%.*f <span class=\"spread\">± %.*f</span></td>", digits,
                m->mean, digits, m->deviation);
}

static void write_count(FILE *out, int count)
{
    fprintf(out, "<td class=\"number\">%d</td>", count);
}

/* ---- summary */

static bool scores(const struct lae_group *group, const char *scorer)
{
    return group->finished > 0 &&
           lae_group_moments(group, scorer, lae_value_seen, group->finished - 1, 0).count > 0;
}

static void write_summary_row(FILE *out, const struct lae_page *page, const struct lae_group *group,
                              const char *scorer)
{
    static lae_value *const values[] = {lae_value_seen, lae_value_average, lae_value_forgetting,
                                        lae_value_transfer};
    if (page->groups.count > 1) {
        write_row_head(out, group->label);
        write_cell(out, scorer);
    } else {
        write_row_head(out, scorer);
    }
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct lae_moments m = lae_group_moments(group, scorer, values[i], group->finished - 1, 0);
        if (i == 0) write_count(out, (int)m.count);
        write_moments(out, &m, 2);
    }
    fputs("</tr>\n", out);
}

static void write_caption(const struct lae_grouping *grouping, char caption[256])
{
    size_t used = (size_t)snprintf(caption, 256,
                                   "After the last finished task; mean ± standard "
                                   "deviation over ");
    if (grouping == NULL ||
        (grouping->over_count == 1 && strcmp(grouping->over[0], "run.seed") == 0))
        snprintf(caption + used, 256 - used, "seeds");
    for (size_t i = 0; grouping != NULL && i < grouping->over_count && used < 200; i++)
        if (grouping->over_count > 1 || strcmp(grouping->over[0], "run.seed") != 0)
            used += (size_t)snprintf(caption + used, 256 - used, "%s%.40s", i > 0 ? ", " : "",
                                     grouping->over[i]);
}

static void write_summary(FILE *out, const struct lae_page *page)
{
    static const char *const heads[] = {"runs", "last accuracy, %", "average incremental, %",
                                        "forgetting, points", "backward transfer, points"};
    char caption[256];
    write_caption(page->options->grouping, caption);
    begin_table(out, caption);
    fputs("<thead><tr>", out);
    if (page->groups.count > 1) write_head(out, "runs of");
    write_head(out, "scored by");
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        write_head(out, heads[i]);
    fputs("</tr></thead><tbody>\n", out);
    for (size_t g = 0; g < page->groups.count; g++)
        for (size_t i = 0; i < page->scorer_count; i++)
            if (scores(&page->groups.items[g], page->scorers[i]))
                write_summary_row(out, page, &page->groups.items[g], page->scorers[i]);
    end_table(out);
}

static void write_run_row(FILE *out, const struct lae_run *run, const char *taken)
{
    write_row_head(out, run->name);
    write_cell(out, taken);
    if (run->tasks > 0)
        fprintf(out, "<td class=\"number\">%d of %d</td>", run->finished, run->tasks);
    else
        fputs("<td>none yet</td>", out);
    write_cell(out, run->place);
    fputs("</tr>\n", out);
}

static void write_copy_row(FILE *out, const struct lae_copy *copy)
{
    char taken[256];
    snprintf(taken, sizeof taken, "not counted: the seed of %.100s%s", copy->of->name,
             copy->same ? ", and its numbers" : ", though other numbers");
    write_run_row(out, copy->run, taken);
}

/* What there is of each run. */
static void write_runs(FILE *out, const struct lae_page *page)
{
    begin_table(out, "Runs");
    fputs("<thead><tr>", out);
    write_head(out, "run");
    write_head(out, "taken together as");
    write_head(out, "finished tasks");
    write_head(out, "place");
    fputs("</tr></thead><tbody>\n", out);
    for (size_t g = 0; g < page->groups.count; g++) {
        const struct lae_group *group = &page->groups.items[g];
        for (size_t i = 0; i < group->count; i++)
            write_run_row(out, group->runs[i], group->label);
        for (size_t i = 0; i < group->copy_count; i++)
            write_copy_row(out, &group->copies[i]);
    }
    end_table(out);
}

/* ---- by task */

static int most_finished(const struct lae_page *page)
{
    int most = 0;
    for (size_t g = 0; g < page->groups.count; g++)
        if (page->groups.items[g].finished > most) most = page->groups.items[g].finished;
    return most;
}

/* A column for each scorer of each group. */
static void write_columns(FILE *out, const struct lae_page *page, const char *first)
{
    fputs("<thead><tr>", out);
    write_head(out, first);
    for (size_t g = 0; g < page->groups.count; g++)
        for (size_t i = 0; i < page->scorer_count; i++) {
            if (!scores(&page->groups.items[g], page->scorers[i])) continue;
            char head[256];
            const char *label = page->groups.items[g].label;
            snprintf(head, sizeof head, "%.100s%s%.100s", page->groups.count > 1 ? label : "",
                     page->groups.count > 1 ? ": " : "", page->scorers[i]);
            write_head(out, head);
        }
    fputs("</tr></thead><tbody>\n", out);
}

static void write_by_task(FILE *out, const struct lae_page *page, const char *caption,
                          lae_value *value, int first)
{
    if (most_finished(page) <= first) return;
    begin_table(out, caption);
    write_columns(out, page, "after task");
    for (int task = first; task < most_finished(page); task++) {
        fprintf(out, "<tr><th scope=\"row\">%d</th>", task);
        for (size_t g = 0; g < page->groups.count; g++)
            for (size_t i = 0; i < page->scorer_count; i++) {
                const struct lae_group *group = &page->groups.items[g];
                if (!scores(group, page->scorers[i])) continue;
                struct lae_moments m = lae_group_moments(group, page->scorers[i], value, task, 0);
                write_moments(out, &m, 2);
            }
        fputs("</tr>\n", out);
    }
    end_table(out);
}

static void write_matrix_row(FILE *out, const struct lae_group *group, const char *scorer, int task,
                             int step)
{
    fprintf(out, "<tr><th scope=\"row\">task %d</th>", task);
    for (int k = 0; k < group->finished; k += step) {
        struct lae_moments m = lae_group_moments(group, scorer, lae_value_accuracy, task, k);
        if (k <= task)
            write_moments(out, &m, 1);
        else
            fputs("<td></td>", out);
    }
    fputs("</tr>\n", out);
}

void lae_page_write_matrix(FILE *out, const struct lae_group *group, const char *scorer)
{
    char caption[256], some[96] = "";
    int step = lae_page_matrix_step(group);
    if (step > 1)
        snprintf(some, sizeof some, "; one task in %d is shown, the task files have all", step);
    snprintf(caption, sizeof caption, "%.100s: accuracy on each task's images, %%%s", scorer, some);
    begin_table(out, caption);
    fputs("<thead><tr>", out);
    write_head(out, "after");
    for (int k = 0; k < group->finished; k += step)
        fprintf(out, "<th scope=\"col\">task %d</th>", k);
    fputs("</tr></thead><tbody>\n", out);
    for (int task = 0; task < group->finished; task += step)
        write_matrix_row(out, group, scorer, task, step);
    end_table(out);
}

/* ---- training, merges */

static int most_begun(const struct lae_page *page)
{
    int most = 0;
    for (size_t i = 0; i < page->run_count; i++) {
        const struct lae_curve *curve = &page->runs[i].epochs;
        int tasks = curve->count > 0 ? curve->points[curve->count - 1].task + 1 : 0;
        if (tasks > most) most = tasks;
    }
    return most;
}

static bool is_trained(const struct lae_page *page, int task)
{
    for (size_t i = 0; i < page->run_count; i++)
        if (lae_curve_last(&page->runs[i].epochs, task) != NULL) return true;
    return false;
}

static void write_training_row(FILE *out, const struct lae_page *page, int task)
{
    fprintf(out, "<tr><th scope=\"row\">%d</th>", task);
    for (size_t g = 0; g < page->groups.count; g++)
        for (int accuracy = 0; accuracy < 2; accuracy++) {
            struct lae_moments m =
                lae_page_epoch_moments(&page->groups.items[g], task, accuracy != 0);
            write_moments(out, &m, accuracy ? 1 : 4);
        }
    fputs("</tr>\n", out);
}

static void write_training(FILE *out, const struct lae_page *page)
{
    begin_table(out, "Means over each task's last epoch: loss; accuracy among its classes, %");
    fputs("<thead><tr>", out);
    write_head(out, "task");
    for (size_t g = 0; g < page->groups.count; g++) {
        char head[256];
        const char *label = page->groups.items[g].label;
        snprintf(head, sizeof head, "%.100s: loss", label);
        write_head(out, page->groups.count > 1 ? head : "loss");
        snprintf(head, sizeof head, "%.100s: accuracy", label);
        write_head(out, page->groups.count > 1 ? head : "accuracy");
    }
    fputs("</tr></thead><tbody>\n", out);
    for (int task = 0; task < most_begun(page); task++)
        if (is_trained(page, task)) write_training_row(out, page, task);
    end_table(out);
}

/* A column for each value that tells something. */
static void write_merge_row(FILE *out, const struct lae_group *group,
                            const bool tells[LAE_PAGE_MERGE_VALUES], int block)
{
    int task = group->finished - 1;
    if (lae_page_merge_moments(group, task, block, &lae_page_merge_values[0]).count == 0) return;
    if (block < 0)
        fputs("<tr class=\"total\"><th scope=\"row\">all</th>", out);
    else
        fprintf(out, "<tr><th scope=\"row\">%d</th>", block);
    for (int i = 0; i < LAE_PAGE_MERGE_VALUES; i++) {
        struct lae_moments m =
            lae_page_merge_moments(group, task, block, &lae_page_merge_values[i]);
        if (tells[i]) write_moments(out, &m, 4);
    }
    fputs("</tr>\n", out);
}

static void write_merge_head(FILE *out, const bool tells[LAE_PAGE_MERGE_VALUES])
{
    fputs("<thead><tr>", out);
    write_head(out, "block");
    for (int i = 0; i < LAE_PAGE_MERGE_VALUES; i++)
        if (tells[i]) write_head(out, lae_page_merge_values[i].title);
    fputs("</tr></thead><tbody>\n", out);
}

/* In a line each: what would be a figure and a column of one number. */
static void write_idle(FILE *out, const struct lae_page *page, const struct lae_group *group,
                       const bool tells[LAE_PAGE_MERGE_VALUES])
{
    for (int i = 0; i < LAE_PAGE_MERGE_VALUES; i++) {
        if (tells[i]) continue;
        fputs("<p>", out);
        if (page->groups.count > 1) {
            lae_html_text(out, group->label);
            fputs(": ", out);
        }
        lae_html_text(out, lae_page_merge_values[i].said);
        fputs("</p>\n", out);
    }
}

static void write_merges_of(FILE *out, const struct lae_page *page, const struct lae_group *group)
{
    char caption[256];
    bool tells[LAE_PAGE_MERGE_VALUES];
    int blocks = lae_page_merge_blocks(group);
    if (blocks == 0) return;
    for (int i = 0; i < LAE_PAGE_MERGE_VALUES; i++)
        tells[i] = lae_page_merge_tells(group, &lae_page_merge_values[i]);
    snprintf(caption, sizeof caption, "%.100s: the merge after task %d, by block", group->label,
             group->finished - 1);
    write_idle(out, page, group, tells);
    begin_table(out, caption);
    write_merge_head(out, tells);
    for (int block = 0; block < blocks; block++)
        write_merge_row(out, group, tells, block);
    write_merge_row(out, group, tells, -1);
    end_table(out);
}

static void write_merges(FILE *out, const struct lae_page *page)
{
    bool any = false;
    for (size_t g = 0; g < page->groups.count; g++) {
        any = any || lae_page_merge_blocks(&page->groups.items[g]) > 0;
        write_merges_of(out, page, &page->groups.items[g]);
    }
    if (!any)
        fputs("<p>No merge is recorded: none was due yet, or there is no offline module.</p>\n",
              out);
}

/* ---- configuration */

/* Keys that are not at their defaults in the first run of any group: keys [group] and their union.
 */
struct keys {
    struct lae_config_differences *of; /* [groups] */
    const char **names;                /* [count] sorted by first mention */
    char **initial;                    /* [count] their defaults; of `of` */
    size_t count, groups;
};

static void free_keys(struct keys *keys)
{
    for (size_t g = 0; keys->of != NULL && g < keys->groups; g++)
        lae_config_differences_free(&keys->of[g]);
    free(keys->of);
    free(keys->names);
    free(keys->initial);
}

static lae_status add_key(struct keys *keys, const struct lae_config_difference *item)
{
    for (size_t i = 0; i < keys->count; i++)
        if (strcmp(keys->names[i], item->key) == 0) return NULL;
    const char **names = realloc(keys->names, (keys->count + 1) * sizeof *names);
    if (names != NULL) keys->names = names;
    char **initial = realloc(keys->initial, (keys->count + 1) * sizeof *initial);
    if (initial != NULL) keys->initial = initial;
    if (names == NULL || initial == NULL) return lae_out_of_memory(64, "a list of keys");
    names[keys->count] = item->key;
    initial[keys->count++] = item->a;
    return NULL;
}

static lae_status collect_keys(const struct lae_page *page, struct keys *keys)
{
    *keys = (struct keys){.groups = page->groups.count};
    keys->of = calloc(page->groups.count, sizeof *keys->of);
    if (keys->of == NULL) return lae_out_of_memory(64, "a list of keys");
    for (size_t g = 0; g < page->groups.count; g++) {
        const struct lae_run *run = page->groups.items[g].runs[0];
        LAE_TRY(
            lae_status_prefix(lae_inspection_config(run->config, &keys->of[g]), "%s", run->place));
        for (size_t i = 0; i < keys->of[g].count; i++)
            LAE_TRY(add_key(keys, &keys->of[g].items[i]));
    }
    return NULL;
}

static const char *value_of(const struct lae_config_differences *keys, const char *name,
                            const char *initial)
{
    for (size_t i = 0; i < keys->count; i++)
        if (strcmp(keys->items[i].key, name) == 0) return keys->items[i].b;
    return initial;
}

/* A key that is not the same in all groups stands out. */
static void write_key(FILE *out, const struct keys *keys, size_t which)
{
    const char *name = keys->names[which], *initial = keys->initial[which];
    const char *first = value_of(&keys->of[0], name, initial);
    bool same = true;
    for (size_t g = 1; g < keys->groups; g++)
        same = same && strcmp(first, value_of(&keys->of[g], name, initial)) == 0;
    fputs(same ? "<tr>" : "<tr class=\"differs\">", out);
    fputs("<th scope=\"row\"><code>", out);
    lae_html_text(out, name);
    fputs("</code></th>", out);
    write_cell(out, initial);
    for (size_t g = 0; g < keys->groups; g++)
        write_cell(out, value_of(&keys->of[g], name, initial));
    fputs("</tr>\n", out);
}

/* Of a run that branched: what was otherwise before. */
static lae_status write_earlier(FILE *out, const struct lae_run *run)
{
    for (size_t i = 0; i < run->earlier_count; i++) {
        const char *then = i + 1 < run->earlier_count ? run->earlier[i + 1].config : run->config;
        struct lae_config_differences keys;
        LAE_TRY(
            lae_config_differences(run->place, run->earlier[i].config, run->place, then, &keys));
        fputs("<p>", out);
        lae_html_text(out, run->name);
        fprintf(out, " branched after task %d, until which it had", run->earlier[i].task);
        for (size_t k = 0; k < keys.count; k++) {
            fprintf(out, "%s <code>%s</code> ", k > 0 ? "," : "", keys.items[k].key);
            lae_html_text(out, keys.items[k].a);
        }
        fputs(keys.count > 0 ? ".</p>\n" : " the same keys.</p>\n", out);
        lae_config_differences_free(&keys);
    }
    return NULL;
}

static void write_whole(FILE *out, const struct lae_run *run)
{
    fputs("<details><summary>All keys of ", out);
    lae_html_text(out, run->name);
    fputs("</summary><pre>", out);
    lae_html_text(out, run->keys != NULL ? run->keys : run->config);
    fputs("</pre></details>\n", out);
}

static lae_status write_configuration(FILE *out, const struct lae_page *page)
{
    struct keys keys;
    lae_status status = collect_keys(page, &keys);
    if (status == NULL) {
        begin_table(out, "Keys that are not at their defaults; seeds are those of the first runs");
        fputs("<thead><tr>", out);
        write_head(out, "key");
        write_head(out, "default");
        for (size_t g = 0; g < page->groups.count; g++)
            write_head(out, page->groups.items[g].label);
        fputs("</tr></thead><tbody>\n", out);
        for (size_t i = 0; i < keys.count; i++)
            write_key(out, &keys, i);
        end_table(out);
        for (size_t i = 0; i < page->run_count && status == NULL; i++) {
            status = write_earlier(out, &page->runs[i]);
            write_whole(out, &page->runs[i]);
        }
    }
    free_keys(&keys);
    return status;
}

/* ---- environment */

static const struct lae_fact *find_fact(const struct lae_run *run, const char *name)
{
    for (size_t i = 0; i < run->fact_count; i++)
        if (strcmp(run->facts[i].name, name) == 0) return &run->facts[i];
    return NULL;
}

static void write_fact(FILE *out, const struct lae_run *run, const char *name)
{
    const struct lae_fact *fact = find_fact(run, name);
    char number[32];
    if (fact == NULL) {
        write_cell(out, "–");
    } else if (fact->text != NULL) {
        write_cell(out, fact->text);
    } else {
        snprintf(number, sizeof number, "%.10g", fact->number);
        write_cell(out, number);
    }
}

/* Rows are the facts of whichever run has the most. */
static void write_environment(FILE *out, const struct lae_page *page)
{
    const struct lae_run *most = &page->runs[0];
    for (size_t i = 1; i < page->run_count; i++)
        if (page->runs[i].fact_count > most->fact_count) most = &page->runs[i];
    if (most->fact_count == 0) {
        fputs("<p>Known once a task is finished.</p>\n", out);
        return;
    }
    begin_table(out, "Where and with what the newest task file of each run was made");
    fputs("<thead><tr>", out);
    write_head(out, "");
    for (size_t i = 0; i < page->run_count; i++)
        write_head(out, page->runs[i].name);
    fputs("</tr></thead><tbody class=\"long\">\n", out);
    for (size_t k = 0; k < most->fact_count; k++) {
        write_row_head(out, most->facts[k].name);
        for (size_t i = 0; i < page->run_count; i++)
            write_fact(out, &page->runs[i], most->facts[k].name);
        fputs("</tr>\n", out);
    }
    end_table(out);
}

lae_status lae_page_write_tables(FILE *out, const struct lae_page *page,
                                 enum lae_page_section section)
{
    switch (section) {
    case LAE_PAGE_SUMMARY:
        write_summary(out, page);
        write_runs(out, page);
        return NULL;
    case LAE_PAGE_ACCURACY:
        write_by_task(out, page, "Accuracy over all seen classes, %", lae_value_seen, 0);
        return NULL;
    case LAE_PAGE_FORGETTING:
        write_by_task(out, page, "Forgetting, points", lae_value_forgetting, 1);
        return NULL;
    case LAE_PAGE_LOSS:
        write_training(out, page);
        return NULL;
    case LAE_PAGE_MERGES:
        write_merges(out, page);
        return NULL;
    case LAE_PAGE_CONFIGURATION:
        return write_configuration(out, page);
    case LAE_PAGE_ENVIRONMENT:
        write_environment(out, page);
        return NULL;
    default:
        return NULL; /* matrices come with their figures */
    }
}
