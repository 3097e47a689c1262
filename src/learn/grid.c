/* Values are read and printed by the table of keys: each is set as merge.NAME=VALUE in a scratch
 * configuration, so that ranges, names and messages are those of training. */
#include "lae/learn/grid.h"

#include "lae/config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned reads; /* of lae_merge_method.reads; 0: all methods have it */
} table[LAE_GRID_OPTIONS] = {
    [LAE_GRID_METHOD] = {"method", 0},
    [LAE_GRID_VECTORS] = {"vectors", LAE_MERGE_READS_VECTORS},
    [LAE_GRID_BASE] = {"base", LAE_MERGE_READS_VECTORS},
    [LAE_GRID_DENSITY] = {"density", LAE_MERGE_READS_DENSITY},
    [LAE_GRID_SCALE] = {"scale", LAE_MERGE_READS_SCALE},
    [LAE_GRID_REDUCE] = {"reduce", LAE_MERGE_READS_REDUCE},
    [LAE_GRID_SCOPE] = {"scope", LAE_MERGE_READS_SCOPE},
    [LAE_GRID_WEIGHTING] = {"weighting", LAE_MERGE_READS_WEIGHTING},
    [LAE_GRID_DECAY] = {"decay", LAE_MERGE_READS_DECAY},
};

/* What is compared where nothing is asked for; what is not named has the program's default. */
static const char *const usual[][LAE_GRID_OPTIONS] = {
    {[LAE_GRID_METHOD] = "mean"},
    {[LAE_GRID_METHOD] = "ema_task", [LAE_GRID_DECAY] = "0.5,0.9"},
    {[LAE_GRID_METHOD] = "task_arithmetic",
     [LAE_GRID_VECTORS] = "tasks",
     [LAE_GRID_BASE] = "previous",
     [LAE_GRID_SCALE] = "0.3,0.7"},
    {[LAE_GRID_METHOD] = "ties"},
    {[LAE_GRID_METHOD] = "ties",
     [LAE_GRID_VECTORS] = "tasks",
     [LAE_GRID_BASE] = "init,first,previous"},
    {[LAE_GRID_METHOD] = "dare",
     [LAE_GRID_VECTORS] = "tasks",
     [LAE_GRID_BASE] = "init",
     [LAE_GRID_DENSITY] = "0.5"},
};

const char *lae_grid_name(enum lae_grid_option option)
{
    return table[option].name;
}

bool lae_grid_reads(const struct lae_merge_method *method, enum lae_grid_option option)
{
    return option == LAE_GRID_METHOD || (method->reads & table[option].reads) != 0;
}

lae_status lae_grid_value(const struct lae_merge_options *options, enum lae_grid_option option,
                          char **text)
{
    struct lae_config config = {.merge = *options};
    char key[32];
    snprintf(key, sizeof key, "merge.%s", table[option].name);
    return lae_config_value(&config, key, text);
}

/* While the combinations are made. */
struct making {
    const struct lae_merge_options *run;
    const char *const *lists; /* [LAE_GRID_OPTIONS] */
    struct lae_config scratch;
    struct lae_merge_options plain; /* the program's defaults */
    struct lae_grid *grid;
    size_t left_out;
    lae_status refusal; /* why the first of these was */
};

/* Sets one option from the first `length` bytes of text. */
static lae_status set_value(struct making *m, enum lae_grid_option option, const char *text,
                            size_t length, struct lae_merge_options *options)
{
    char key[32], called[32], value[64];
    snprintf(key, sizeof key, "merge.%s", table[option].name);
    snprintf(called, sizeof called, "--%s", table[option].name);
    if (length >= sizeof value)
        return lae_bad_input("%s: \"%.40s...\" is too long for a value", called, text);
    snprintf(value, sizeof value, "%.*s", (int)length, text);
    m->scratch.merge = *options;
    lae_status status = lae_config_set_key(&m->scratch, key, value);
    *options = m->scratch.merge;
    return lae_status_prefix(status, "%s", called);
}

static size_t count_values(const char *list)
{
    size_t count = 1;
    for (; *list != '\0'; list++)
        count += *list == ',';
    return count;
}

/* Every item becomes as many as the list has values. */
static lae_status multiply(struct making *m, enum lae_grid_option option, struct lae_grid *items)
{
    const char *list = m->lists[option];
    size_t values = count_values(list), count = items->count * values;
    struct lae_merge_options *all = calloc(count, sizeof *all);
    if (all == NULL) return lae_out_of_memory((double)count * sizeof *all, "the merges");
    lae_status status = NULL;
    for (size_t i = 0; i < count && status == NULL; i++) {
        const char *value = list;
        for (size_t skip = i % values; skip > 0; skip--)
            value = strchr(value, ',') + 1;
        all[i] = items->items[i / values];
        status = set_value(m, option, value, strcspn(value, ","), &all[i]);
    }
    free(items->items);
    *items = (struct lae_grid){all, count};
    return status;
}

/* Between what goes together and what can be computed from the ends of tasks. */
static lae_status check_item(const struct making *m, const struct lae_merge_options *options)
{
    LAE_TRY(lae_merge_check(options));
    if (options->method->after_step == NULL || lae_merge_same(options, m->run)) return NULL;
    return lae_bad_input("merge.method %s follows online after every training step, which task "
                         "files do not hold: only a run's own can be shown, with its decay; "
                         "ema_task follows once a task",
                         options->method->name);
}

static lae_status add_item(struct making *m, const struct lae_merge_options *options)
{
    struct lae_grid *grid = m->grid;
    for (size_t i = 0; i < grid->count; i++)
        if (lae_merge_same(&grid->items[i], options)) return NULL;
    struct lae_merge_options *items = realloc(grid->items, (grid->count + 1) * sizeof *grid->items);
    if (items == NULL) return lae_out_of_memory(sizeof *items, "the merges");
    items[grid->count++] = *options;
    grid->items = items;
    return NULL;
}

/* What is not given: the run's where the method reads it, so that nothing else makes a
 * difference. */
static struct lae_merge_options begin(const struct making *m, const struct lae_merge_method *method)
{
    const struct lae_merge_options *run = m->run;
    struct lae_merge_options o = m->plain;
    o.method = method;
    if (lae_grid_reads(method, LAE_GRID_VECTORS)) o.vectors = run->vectors;
    if (lae_grid_reads(method, LAE_GRID_BASE)) o.base = run->base;
    if (lae_grid_reads(method, LAE_GRID_DENSITY)) o.density = run->density;
    if (lae_grid_reads(method, LAE_GRID_SCALE)) o.scale = run->scale;
    if (lae_grid_reads(method, LAE_GRID_REDUCE)) o.reduce = run->reduce;
    if (lae_grid_reads(method, LAE_GRID_SCOPE)) o.scope = run->scope;
    if (lae_grid_reads(method, LAE_GRID_WEIGHTING)) o.weighting = run->weighting;
    if (lae_grid_reads(method, LAE_GRID_DECAY)) o.decay = run->decay;
    return o;
}

/* All combinations of one method; at least one must go together. */
static lae_status add_method(struct making *m, const struct lae_merge_method *method)
{
    struct lae_grid items = {malloc(sizeof *items.items), 1};
    if (items.items == NULL) return lae_out_of_memory(sizeof *items.items, "the merges");
    items.items[0] = begin(m, method);
    lae_status status = NULL, refusal = NULL;
    for (int o = LAE_GRID_METHOD + 1; o < LAE_GRID_OPTIONS && status == NULL; o++)
        if (m->lists[o] != NULL && lae_grid_reads(method, (enum lae_grid_option)o))
            status = multiply(m, (enum lae_grid_option)o, &items);
    size_t left_out = 0;
    for (size_t i = 0; i < items.count && status == NULL; i++) {
        lae_status why = check_item(m, &items.items[i]);
        if (why == NULL) status = add_item(m, &items.items[i]);
        left_out += why != NULL;
        refusal = lae_status_first(refusal, why);
    }
    bool nothing = left_out == items.count;
    free(items.items);
    if (status != NULL || nothing) return lae_status_first(status, refusal);
    m->left_out += left_out;
    m->refusal = lae_status_first(m->refusal, refusal);
    return NULL;
}

/* The options given, "--density, --decay". */
static void name_given(const struct making *m, char text[128])
{
    text[0] = '\0';
    for (int o = 0; o < LAE_GRID_OPTIONS; o++)
        if (m->lists[o] != NULL)
            snprintf(text + strlen(text), 128 - strlen(text), "%s--%s", text[0] == '\0' ? "" : ", ",
                     table[o].name);
}

static bool reads_all_given(const struct making *m, const struct lae_merge_method *method)
{
    bool reads = true;
    for (int o = 0; o < LAE_GRID_OPTIONS; o++)
        reads = reads && (m->lists[o] == NULL || lae_grid_reads(method, (enum lae_grid_option)o));
    return reads;
}

/* No method is named. */
static lae_status add_readers(struct making *m)
{
    for (const struct lae_merge_method *method = lae_merge_methods(); method->name != NULL;
         method++)
        if (method->has_offline && method->after_step == NULL && reads_all_given(m, method))
            LAE_TRY(add_method(m, method));
    if (m->grid->count > 0) return NULL;
    char given[128];
    name_given(m, given);
    return lae_bad_input("no method reads all of %s; name the methods by --method, and each takes "
                         "what it reads",
                         given);
}

/* The methods of the list, of which some must read each option given. */
static lae_status add_named(struct making *m)
{
    bool read[LAE_GRID_OPTIONS] = {0};
    const char *list = m->lists[LAE_GRID_METHOD];
    for (const char *name = list; name != NULL;) {
        size_t length = strcspn(name, ",");
        struct lae_merge_options options = m->plain;
        LAE_TRY(set_value(m, LAE_GRID_METHOD, name, length, &options));
        if (!options.method->has_offline)
            return lae_bad_input("--method: %s makes no offline module; online alone is told with "
                                 "every table",
                                 options.method->name);
        LAE_TRY(add_method(m, options.method));
        for (int o = 0; o < LAE_GRID_OPTIONS; o++)
            read[o] = read[o] || lae_grid_reads(options.method, (enum lae_grid_option)o);
        name = name[length] == ',' ? name + length + 1 : NULL;
    }
    for (int o = 0; o < LAE_GRID_OPTIONS; o++)
        if (m->lists[o] != NULL && !read[o])
            return lae_bad_input("--%s: none of the methods (%.80s) reads it", table[o].name, list);
    return NULL;
}

/* Nothing is given. */
static lae_status add_usual(struct making *m)
{
    const struct lae_merge_options *run = m->run;
    if (run->method->has_offline) LAE_TRY(add_item(m, run));
    m->run = &m->plain;
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        m->lists = usual[i];
        LAE_TRY(add_named(m));
    }
    return NULL;
}

static lae_status make(struct making *m)
{
    LAE_TRY(lae_config_defaults(&m->scratch, NULL));
    m->plain = m->scratch.merge;
    bool given = false;
    for (int o = 0; o < LAE_GRID_OPTIONS; o++)
        given = given || m->lists[o] != NULL;
    if (!given) return add_usual(m);
    return m->lists[LAE_GRID_METHOD] != NULL ? add_named(m) : add_readers(m);
}

lae_status lae_grid_create(const struct lae_merge_options *run,
                           const char *const lists[LAE_GRID_OPTIONS], struct lae_log *log,
                           struct lae_grid *grid)
{
    *grid = (struct lae_grid){0};
    struct making m = {.run = run, .lists = lists, .grid = grid};
    lae_status status = make(&m);
    if (status == NULL && m.left_out > 0)
        lae_log_info(log, "%zu combination%s left out: %s", m.left_out,
                     m.left_out == 1 ? " is" : "s are", lae_status_message(m.refusal));
    lae_status_free(m.refusal);
    lae_config_free(&m.scratch);
    return status;
}

void lae_grid_free(struct lae_grid *grid)
{
    free(grid->items);
    *grid = (struct lae_grid){0};
}
