#include "lae/report/group.h"

#include "lae/config/config.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- which runs belong together */

static lae_status is_alike(const struct lae_run *a, const struct lae_run *b, bool *alike)
{
    struct lae_config_differences differences;
    LAE_TRY(lae_config_differences(a->place, a->config, b->place, b->config, &differences));
    *alike = true;
    for (size_t i = 0; i < differences.count; i++)
        if (strcmp(differences.items[i].key, "run.seed") != 0) *alike = false;
    lae_config_differences_free(&differences);
    return NULL;
}

static lae_status add_run(struct lae_group *group, const struct lae_run *run)
{
    const struct lae_run **runs = realloc(group->runs, (group->count + 1) * sizeof *runs);
    if (runs == NULL) return lae_out_of_memory(64, "a group of runs");
    group->runs = runs;
    runs[group->count++] = run;
    if (run->tasks > group->tasks) group->tasks = run->tasks;
    if (run->finished > group->finished) group->finished = run->finished;
    return NULL;
}

static lae_status place_run(struct lae_groups *groups, const struct lae_run *run)
{
    for (size_t i = 0; i < groups->count; i++) {
        bool alike;
        LAE_TRY(is_alike(groups->items[i].runs[0], run, &alike));
        if (alike) return add_run(&groups->items[i], run);
    }
    struct lae_group *items = realloc(groups->items, (groups->count + 1) * sizeof *items);
    if (items == NULL) return lae_out_of_memory(sizeof *items, "a group of runs");
    groups->items = items;
    items[groups->count] = (struct lae_group){0};
    return add_run(&items[groups->count++], run);
}

/* ---- what a group is called */

static size_t common_length(const char *a, const char *b)
{
    size_t length = 0;
    while (a[length] != '\0' && a[length] == b[length])
        length++;
    return length;
}

/* "ties_seed_" and "ties_1" become "ties": what numbers a seed is no part of the name. */
static size_t without_seed(const char *name, size_t length)
{
    static const char seed[] = "seed";
    size_t tail = sizeof seed - 1;
    while (length > 0 &&
           (ispunct((unsigned char)name[length - 1]) || isdigit((unsigned char)name[length - 1])))
        length--;
    if (length > tail && strncmp(name + length - tail, seed, tail) == 0)
        return without_seed(name, length - tail);
    return length;
}

static lae_status name_group(struct lae_group *group)
{
    const char *first = group->runs[0]->name;
    size_t length = strlen(first);
    for (size_t i = 1; i < group->count; i++) {
        size_t common = common_length(first, group->runs[i]->name);
        if (common < length) length = common;
    }
    if (group->count > 1) length = without_seed(first, length);
    group->label = length > 0 ? strndup(first, length) : strdup(first);
    return group->label == NULL ? lae_out_of_memory(length, "a name") : NULL;
}

static bool is_taken(const struct lae_groups *groups, size_t which)
{
    for (size_t i = 0; i < groups->count; i++)
        if (i != which && strcmp(groups->items[i].label, groups->items[which].label) == 0)
            return true;
    return false;
}

/* Directories of one name in different places are told apart by the whole path. */
static lae_status tell_apart(struct lae_groups *groups)
{
    for (size_t i = 0; i < groups->count; i++) {
        struct lae_group *group = &groups->items[i];
        if (!is_taken(groups, i)) continue;
        char *label = strdup(group->runs[0]->place);
        if (label == NULL) return lae_out_of_memory(64, "a name");
        free(group->label);
        group->label = label;
    }
    return NULL;
}

lae_status lae_groups_make(const struct lae_run *runs, size_t count, struct lae_groups *groups)
{
    *groups = (struct lae_groups){0};
    for (size_t i = 0; i < count; i++)
        LAE_TRY(place_run(groups, &runs[i]));
    for (size_t i = 0; i < groups->count; i++)
        LAE_TRY(name_group(&groups->items[i]));
    return tell_apart(groups);
}

void lae_groups_free(struct lae_groups *groups)
{
    for (size_t i = 0; i < groups->count; i++) {
        free(groups->items[i].label);
        free(groups->items[i].runs);
    }
    free(groups->items);
    *groups = (struct lae_groups){0};
}

/* ---- means */

void lae_moments_add(struct lae_moments *moments, double value)
{
    if (isnan(value)) return;
    double before = value - moments->mean;
    moments->mean += before / (double)++moments->count;
    moments->squares += before * (value - moments->mean);
}

struct lae_moments lae_moments_end(struct lae_moments moments)
{
    size_t n = moments.count;
    if (n == 0) moments.mean = NAN;
    moments.deviation = n > 1 ? sqrt(moments.squares / (double)(n - 1)) : NAN;
    return moments;
}

struct lae_moments lae_group_moments(const struct lae_group *group, const char *scorer,
                                     lae_value *value, int a, int b)
{
    struct lae_moments moments = {0};
    for (size_t i = 0; i < group->count; i++) {
        const struct lae_score *own = lae_run_score(group->runs[i], scorer);
        if (own != NULL) lae_moments_add(&moments, value(group->runs[i], own, a, b));
    }
    return lae_moments_end(moments);
}

double lae_value_seen(const struct lae_run *run, const struct lae_score *scorer, int a, int b)
{
    (void)b;
    return a < run->finished ? scorer->seen[a] : NAN;
}

double lae_value_accuracy(const struct lae_run *run, const struct lae_score *scorer, int a, int b)
{
    return a < run->finished && b <= a ? scorer->accuracy[a * run->tasks + b] : NAN;
}

static struct lae_summary summary_after(const struct lae_run *run, const struct lae_score *scorer,
                                        int task)
{
    if (task < run->finished)
        return lae_summary_of(scorer->accuracy, scorer->seen, run->tasks, task + 1);
    return (struct lae_summary){NAN, NAN, NAN, NAN};
}

double lae_value_average(const struct lae_run *run, const struct lae_score *scorer, int a, int b)
{
    (void)b;
    return summary_after(run, scorer, a).average_incremental;
}

double lae_value_forgetting(const struct lae_run *run, const struct lae_score *scorer, int a, int b)
{
    (void)b;
    return summary_after(run, scorer, a).forgetting;
}

double lae_value_transfer(const struct lae_run *run, const struct lae_score *scorer, int a, int b)
{
    (void)b;
    return summary_after(run, scorer, a).backward_transfer;
}
