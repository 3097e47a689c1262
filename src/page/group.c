/* Runs that are one experiment, taken together; copies of one run, found; what groups are called.
 *
 * One experiment is one configuration (but for the keys that are averaged over) on the same weights
 * and the same images: by their digests in /provenance, or, as long as no task is finished, by
 * their paths in config.yaml.
 */
#include "lae/page/group.h"

#include "lae/config/config.h"
#include "lae/run/metrics.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const seed_alone[] = {"run.seed"};
static const struct lae_grouping usual = {.over = seed_alone, .over_count = 1};

/* ---- which runs belong together */

static const char *fact_of(const struct lae_run *run, const char *name)
{
    for (size_t i = 0; i < run->fact_count; i++)
        if (strcmp(run->facts[i].name, name) == 0) return run->facts[i].text;
    return NULL;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Of weights, of images: by digests where both are known, else by paths. */
static bool same_input(const struct lae_run *a, const char *path_a, const struct lae_run *b,
                       const char *path_b, const char *digest)
{
    const char *first = fact_of(a, digest), *second = fact_of(b, digest);
    if (first != NULL && second != NULL) return strcmp(first, second) == 0;
    if (a->keys != NULL && b->keys != NULL) return same_text(path_a, path_b);
    return first == second && same_text(path_a, path_b);
}

static bool same_weights(const struct lae_run *a, const struct lae_run *b)
{
    return same_input(a, a->weights_path, b, b->weights_path, "weights_digest");
}

static bool same_data(const struct lae_run *a, const struct lae_run *b)
{
    return same_input(a, a->data_path, b, b->data_path, "data_digest");
}

static bool is_over(const struct lae_grouping *grouping, const char *key)
{
    for (size_t i = 0; i < grouping->over_count; i++)
        if (strcmp(grouping->over[i], key) == 0) return true;
    return false;
}

/* Clears *alike where two configurations differ in other keys than those averaged over, *same where
 * they differ at all. */
static lae_status compare_configs(const struct lae_grouping *grouping, const struct lae_run *a,
                                  const char *config_a, const struct lae_run *b,
                                  const char *config_b, bool *alike, bool *same)
{
    struct lae_config_differences differences;
    LAE_TRY(lae_config_differences(a->place, config_a, b->place, config_b, &differences));
    if (differences.count > 0) *same = false;
    for (size_t i = 0; i < differences.count; i++)
        if (!is_over(grouping, differences.items[i].key)) *alike = false;
    lae_config_differences_free(&differences);
    return NULL;
}

/* Whether two runs branched after the same tasks, if at all. */
static bool same_branches(const struct lae_run *a, const struct lae_run *b)
{
    bool same = a->earlier_count == b->earlier_count;
    for (size_t i = 0; same && i < a->earlier_count; i++)
        same = a->earlier[i].task == b->earlier[i].task;
    return same;
}

/* `same`: alike in the keys that are averaged over, too. */
static lae_status is_alike(const struct lae_grouping *grouping, const struct lae_run *a,
                           const struct lae_run *b, bool *alike, bool *same)
{
    *alike = *same = same_weights(a, b) && same_data(a, b) && same_branches(a, b);
    for (size_t i = 0; *alike && i < a->earlier_count; i++)
        LAE_TRY(compare_configs(grouping, a, a->earlier[i].config, b, b->earlier[i].config, alike,
                                same));
    return compare_configs(grouping, a, a->config, b, b->config, alike, same);
}

static bool same_numbers(const double *a, const double *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (a[i] != b[i] && !(isnan(a[i]) && isnan(b[i]))) return false;
    return true;
}

/* Whether two runs have the same accuracies in the tasks that both have finished. */
static bool same_results(const struct lae_run *a, const struct lae_run *b)
{
    int rows = a->finished < b->finished ? a->finished : b->finished;
    bool same = true;
    for (size_t i = 0; i < a->scorer_count && same; i++) {
        const struct lae_score *x = &a->scorers[i], *y = lae_run_score(b, x->name);
        if (y != NULL) same = same_numbers(x->accuracy, y->accuracy, lae_metrics_row(rows));
    }
    return same;
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

/* The one that is further is counted. */
static lae_status add_copy(struct lae_group *group, size_t of, const struct lae_run *run)
{
    struct lae_copy *copies = realloc(group->copies, (group->copy_count + 1) * sizeof *copies);
    if (copies == NULL) return lae_out_of_memory(64, "a group of runs");
    group->copies = copies;
    const struct lae_run *counted = group->runs[of], *left = run;
    if (run->finished > counted->finished) {
        left = counted;
        counted = run;
        group->runs[of] = run;
        if (run->tasks > group->tasks) group->tasks = run->tasks;
        if (run->finished > group->finished) group->finished = run->finished;
    }
    for (size_t i = 0; i < group->copy_count; i++)
        if (copies[i].of == left) copies[i].of = counted;
    copies[group->copy_count++] = (struct lae_copy){left, counted, same_results(left, counted)};
    return NULL;
}

static lae_status join(const struct lae_grouping *grouping, struct lae_group *group,
                       const struct lae_run *run, bool *joined)
{
    bool alike, same;
    LAE_TRY(is_alike(grouping, group->runs[0], run, &alike, &same));
    *joined = alike;
    if (!alike) return NULL;
    for (size_t i = 0; i < group->count; i++) {
        LAE_TRY(is_alike(grouping, group->runs[i], run, &alike, &same));
        if (same) return add_copy(group, i, run);
    }
    return add_run(group, run);
}

static lae_status place_run(const struct lae_grouping *grouping, struct lae_groups *groups,
                            const struct lae_run *run)
{
    bool joined = false;
    for (size_t i = 0; i < groups->count && !joined; i++)
        LAE_TRY(join(grouping, &groups->items[i], run, &joined));
    if (joined) return NULL;
    struct lae_group *items = realloc(groups->items, (groups->count + 1) * sizeof *items);
    if (items == NULL) return lae_out_of_memory(sizeof *items, "a group of runs");
    groups->items = items;
    items[groups->count] = (struct lae_group){0};
    return add_run(&items[groups->count++], run);
}

/* ---- what a group is called: by its runs' names */

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

static lae_status name_by_runs(struct lae_group *group)
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

/* ---- by the keys in which it differs from others */

#define KEYS_SHOWN 3   /* more of them are no name */
#define VALUE_SHOWN 40 /* bytes */

static const struct lae_run *first_run(const struct lae_groups *groups, size_t which)
{
    return groups->items[which].runs[0];
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

/* "vit.npz:1a2b3c4d", as much of it as is known. */
static void write_input(FILE *out, const struct lae_run *run, const char *path, const char *fact,
                        const char *digest)
{
    const char *whole = path != NULL ? path : fact_of(run, fact), *sum = fact_of(run, digest);
    fputs(whole != NULL ? last_part(whole) : "unknown", out);
    if (sum != NULL) fprintf(out, ":%.8s", sum);
}

/* "[23, 8, 11, ...]" of a long one. */
static void write_value(FILE *out, const char *value)
{
    const char *end = value;
    for (int i = 0; i < 3 && end != NULL; i++)
        end = strchr(end + 1, ',');
    if (value[0] == '[' && end != NULL)
        fprintf(out, "%.*s, ...]", (int)(end - value), value);
    else if (strlen(value) <= VALUE_SHOWN)
        fputs(value, out);
    else
        fprintf(out, "%.*s...", VALUE_SHOWN, value);
}

static lae_status load(const struct lae_grouping *grouping, const struct lae_run *run,
                       struct lae_config *config)
{
    LAE_TRY(lae_config_defaults(config, grouping->configs));
    return lae_config_load_text(config, run->place, run->config, strlen(run->config));
}

/* Class orders have names. */
static lae_status write_key(FILE *out, const struct lae_grouping *grouping,
                            const struct lae_run *run, const char *key)
{
    struct lae_config config = {0};
    char *value = NULL;
    lae_status status = load(grouping, run, &config);
    if (status == NULL && strcmp(key, "data.class_order") == 0)
        status = lae_config_order_name(&config, &value);
    if (status == NULL && value == NULL) status = lae_config_value(&config, key, &value);
    if (status == NULL) {
        fprintf(out, "%s=", key);
        write_value(out, value);
    }
    lae_config_free(&config);
    free(value);
    return status;
}

/* What some group has otherwise than the first. */
struct varying {
    const char **keys; /* [count], of the table */
    size_t count;
    bool weights, data, branches;
};

static lae_status add_key(struct varying *varying, const char *key)
{
    for (size_t i = 0; i < varying->count; i++)
        if (strcmp(varying->keys[i], key) == 0) return NULL;
    const char **keys = realloc(varying->keys, (varying->count + 1) * sizeof *keys);
    if (keys == NULL) return lae_out_of_memory(64, "a list of keys");
    varying->keys = keys;
    keys[varying->count++] = key;
    return NULL;
}

static lae_status compare_to_first(const struct lae_grouping *grouping, const struct lae_run *first,
                                   const struct lae_run *run, struct varying *varying)
{
    struct lae_config_differences differences;
    LAE_TRY(
        lae_config_differences(first->place, first->config, run->place, run->config, &differences));
    lae_status status = NULL;
    for (size_t i = 0; i < differences.count && status == NULL; i++)
        if (!is_over(grouping, differences.items[i].key))
            status = add_key(varying, differences.items[i].key);
    varying->weights = varying->weights || !same_weights(first, run);
    varying->data = varying->data || !same_data(first, run);
    bool alike = same_branches(first, run), same;
    for (size_t i = 0; alike && status == NULL && i < run->earlier_count; i++)
        status = compare_configs(grouping, first, first->earlier[i].config, run,
                                 run->earlier[i].config, &alike, &same);
    varying->branches = varying->branches || !alike;
    lae_config_differences_free(&differences);
    return status;
}

static lae_status find_varying(const struct lae_grouping *grouping, const struct lae_groups *groups,
                               struct varying *varying)
{
    *varying = (struct varying){0};
    for (size_t i = 1; i < groups->count; i++)
        LAE_TRY(compare_to_first(grouping, first_run(groups, 0), first_run(groups, i), varying));
    return NULL;
}

static lae_status write_label(FILE *out, const struct lae_grouping *grouping,
                              const struct lae_run *run, const struct varying *varying)
{
    const char *before = "";
    for (size_t i = 0; i < varying->count; i++) {
        fputs(before, out);
        LAE_TRY(write_key(out, grouping, run, varying->keys[i]));
        before = ", ";
    }
    if (varying->weights) {
        fprintf(out, "%smodel.weights=", before);
        write_input(out, run, run->weights_path, "weights_path", "weights_digest");
        before = ", ";
    }
    if (varying->data) {
        fprintf(out, "%sdata.path=", before);
        write_input(out, run, run->data_path, "data_path", "data_digest");
        before = ", ";
    }
    if (varying->branches) fputs(before, out);
    if (varying->branches && run->earlier_count == 0) fputs("of one piece", out);
    for (size_t i = 0; varying->branches && i < run->earlier_count; i++)
        fprintf(out, "%sbranched after task %d", i > 0 ? ", " : "", run->earlier[i].task);
    return NULL;
}

static lae_status name_by_keys(const struct lae_grouping *grouping, struct lae_group *group,
                               const struct varying *varying)
{
    size_t size;
    FILE *out = open_memstream(&group->label, &size);
    if (out == NULL) return lae_out_of_memory(64, "a name");
    lae_status status = write_label(out, grouping, group->runs[0], varying);
    if (fclose(out) != 0 && status == NULL) status = lae_out_of_memory(size, "a name");
    return status;
}

/* ---- names that are told apart */

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

static lae_status name_groups(const struct lae_grouping *grouping, struct lae_groups *groups)
{
    struct varying varying;
    lae_status status = find_varying(grouping, groups, &varying);
    size_t keys = varying.count + varying.weights + varying.data + varying.branches;
    for (size_t i = 0; i < groups->count && status == NULL; i++)
        status = keys > 0 && keys <= KEYS_SHOWN
                     ? name_by_keys(grouping, &groups->items[i], &varying)
                     : name_by_runs(&groups->items[i]);
    free(varying.keys);
    return status == NULL ? tell_apart(groups) : status;
}

lae_status lae_groups_make(const struct lae_run *runs, size_t count,
                           const struct lae_grouping *grouping, struct lae_groups *groups)
{
    *groups = (struct lae_groups){0};
    if (grouping == NULL) grouping = &usual;
    for (size_t i = 0; i < count; i++)
        LAE_TRY(place_run(grouping, groups, &runs[i]));
    return name_groups(grouping, groups);
}

void lae_groups_free(struct lae_groups *groups)
{
    for (size_t i = 0; i < groups->count; i++) {
        free(groups->items[i].label);
        free(groups->items[i].runs);
        free(groups->items[i].copies);
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
    return a < run->finished && b <= a ? scorer->accuracy[lae_metrics_row(a) + (size_t)b] : NAN;
}

static struct lae_summary summary_after(const struct lae_run *run, const struct lae_score *scorer,
                                        int task)
{
    if (task < run->finished) return lae_summary_of(scorer->accuracy, scorer->seen, task + 1);
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
