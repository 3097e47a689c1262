/* An inspection as tables of text. */
#include "lae/report/inspection.h"

#include "lae/base/terminal.h"
#include "lae/base/text.h"
#include "lae/run/directory.h"
#include "lae/run/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 80
#define SHOWN_TASKS 15 /* of the matrix of a run */

static void print_number(FILE *out, const char *format, int width, double value)
{
    if (isnan(value))
        fprintf(out, "%*s", width, "-");
    else
        fprintf(out, format, width, value);
}

/* The longer of the name and what is longest so far. */
static int longer(int length, const char *name)
{
    int own = (int)strlen(name);
    return own > length ? own : length;
}

/* ---- checkpoints */

/* The newest task's classes by name, where they are known. */
static void print_classes(FILE *out, const struct lae_checkpoint *c)
{
    enum { INDENT = 2 };
    char head[32], text[8192] = "", *end = text;
    int length;
    snprintf(head, sizeof head, "task_%02d/bias", c->task);
    const struct lae_named *bias = lae_set_find(&c->head, head);
    if (c->class_names == NULL || bias == NULL) return;
    for (int i = c->classes_seen - (int)bias->count; i < c->classes_seen; i++) {
        const char *name = lae_inspection_class_name(c, i, &length);
        if (end + length + 8 > text + sizeof text) break;
        end += sprintf(end, "%s%.*s", end == text ? "its classes: " : ", ", length, name);
    }
    lae_text_tame(text);
    fprintf(out, "%*s", INDENT, "");
    lae_text_wrap(out, text, INDENT, WIDTH);
    fputc('\n', out);
}

static void print_where(FILE *out, const struct lae_inspection *inspection)
{
    const struct lae_checkpoint *c = inspection->checkpoint;
    const struct lae_saved_position *saved = c->position;
    fprintf(out, "%s\n", inspection->path);
    if (saved != NULL)
        fprintf(
            out,
            "  inside task %d of 0 to %d, after %lld of its steps (epoch %d)%s; %d classes with "
            "this task's\n",
            c->task, c->task_count - 1, (long long)saved->at.step, saved->at.epoch,
            saved->at.merged ? ", merged" : "", c->classes_seen);
    else
        fprintf(out, "  after task %d of 0 to %d; %d of %zu classes seen\n", c->task,
                c->task_count - 1, c->classes_seen, c->classes);
    print_classes(out, c);
}

static const char *type_of(const struct lae_config *config, enum lae_site site)
{
    const struct lae_pet_type *type = config->pet.site[site].type;
    return type != NULL ? type->name : "none";
}

static lae_status print_method(FILE *out, const struct lae_checkpoint *checkpoint)
{
    struct lae_config config;
    LAE_TRY(lae_config_defaults(&config, NULL));
    lae_status status =
        lae_config_load_text(&config, "/config", checkpoint->config, strlen(checkpoint->config));
    if (status == NULL)
        fprintf(out, "  modules attn %s, mlp %s in %d block(s); accumulated by %s; seed %llu\n",
                type_of(&config, LAE_SITE_ATTN), type_of(&config, LAE_SITE_MLP),
                config.pet.block_count, config.merge.method->name,
                (unsigned long long)config.run.seed);
    lae_config_free(&config);
    return status;
}

/* Of a run that branched: what was otherwise before. */
static lae_status print_earlier(FILE *out, const struct lae_checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->earlier_count; i++) {
        const struct lae_earlier *earlier = &checkpoint->earlier[i];
        const char *next = lae_checkpoint_config_of(checkpoint, earlier->task + 1);
        struct lae_config_differences keys;
        LAE_TRY(lae_config_differences("/config_before", earlier->config, "/config", next, &keys));
        for (size_t k = 0; k < keys.count; k++)
            fprintf(out, "  until task %-13d %s %s (then %s)\n", earlier->task, keys.items[k].key,
                    keys.items[k].a, keys.items[k].b);
        lae_config_differences_free(&keys);
    }
    return NULL;
}

static lae_status print_config(FILE *out, const struct lae_checkpoint *checkpoint)
{
    struct lae_config_differences keys;
    LAE_TRY(print_method(out, checkpoint));
    LAE_TRY(lae_inspection_config(checkpoint->config, &keys));
    for (size_t i = 0; i < keys.count; i++)
        fprintf(out, "  %-24s %s (default %s)\n", keys.items[i].key, keys.items[i].b,
                keys.items[i].a);
    lae_config_differences_free(&keys);
    return print_earlier(out, checkpoint);
}

static void print_provenance(FILE *out, const struct lae_checkpoint *checkpoint)
{
    fprintf(out, "\nprovenance\n");
    for (size_t i = 0; i < checkpoint->fact_count; i++) {
        const struct lae_fact *fact = &checkpoint->provenance[i];
        if (fact->text != NULL)
            fprintf(out, "  %-24s %s\n", fact->name, fact->text);
        else
            fprintf(out, "  %-24s %.6g\n", fact->name, fact->number);
    }
}

static lae_status print_accuracy(FILE *out, const struct lae_checkpoint *checkpoint)
{
    struct lae_metrics metrics;
    int finished = checkpoint->task + (checkpoint->position != NULL ? 0 : 1);
    LAE_TRY(lae_metrics_from_checkpoint(checkpoint, &metrics));
    for (int i = 0; i < metrics.scorers.count && finished > 0; i++) {
        const struct lae_scorer *scorer = &metrics.scorers.items[i];
        bool begins = i == 0 || scorer->method != scorer[-1].method; /* a line a head */
        if (i == 0) fprintf(out, "\naccuracy over seen classes, %%");
        if (i > 0 && begins) fprintf(out, "\n%29s", "");
        fprintf(out, "   %s ", scorer->name);
        print_number(out, "%*.2f", 1, metrics.seen[i][finished - 1]);
    }
    if (finished > 0) fputc('\n', out);
    lae_metrics_free(&metrics);
    return NULL;
}

static void print_statistics(FILE *out, const struct lae_checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->stats_count; i++) {
        const struct lae_class_stats *stats = &checkpoint->stats[i];
        struct lae_statistics_facts facts = lae_statistics_facts_of(stats);
        fprintf(out, "statistics through %s: %lld images of %zu classes, %zu features", stats->name,
                (long long)facts.images, facts.classes, stats->width);
        if (!isnan(stats->lambda)) fprintf(out, ", strength %g", stats->lambda);
        fputc('\n', out);
    }
}

/* The length of a module's name in a tensor's: of "blocks/0/attn/adapter" in
 * "blocks/0/attn/adapter/down/weight". 0 where there is none ("all"). */
static int module_length(const char *name)
{
    int slashes = 0;
    for (const char *c = name; *c != '\0'; c++)
        if (*c == '/' && ++slashes == 4) return (int)(c - name);
    return 0;
}

/* Within its module a tensor has the rest of its name, set in by two. */
static int tensor_width(const char *name)
{
    int module = module_length(name);
    return (int)strlen(name) - module + (module > 0 ? 1 : 0);
}

/* "[8, 8, 3, 3]" as "8x8x3x3". */
static const char *compact(char text[LAE_SHAPE_TEXT])
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++)
        if (strchr("[] ", *from) == NULL) *to++ = (char)(*from == ',' ? 'x' : *from);
    *to = '\0';
    return text;
}

/* The shape, in brackets where there is room for them. */
static const char *shape_of(const struct lae_tensor_facts *t, bool narrow,
                            char text[LAE_SHAPE_TEXT])
{
    lae_shape_text(t->rank, t->shape, text);
    return narrow ? compact(text) : text;
}

static void print_tensor(FILE *out, const struct lae_tensor_facts *t, int name, int shape,
                         bool narrow)
{
    char text[LAE_SHAPE_TEXT];
    int module = module_length(t->name);
    if (module > 0)
        fprintf(out, "  %-*s", name - 2, t->name + module + 1);
    else
        fprintf(out, "%-*s", name, t->name);
    fprintf(out, " %-*s", shape, shape_of(t, narrow, text));
    print_number(out, "%*.3g", 9, t->norm);
    print_number(out, "%*.3g", 9, t->from_init);
    print_number(out, "%*.3f", 7, t->relative);
    print_number(out, "%*.3g", 9, t->from_last);
    print_number(out, "%*.2f", 7, t->cosine);
    print_number(out, "%*.1f", 6, 100.0 * t->kept_online);
    print_number(out, "%*.1f", 6, 100.0 * t->kept_offline);
    print_number(out, "%*.1f", 6, 100.0 * t->conflict);
    fputc('\n', out);
}

static void print_tensor_header(FILE *out, int name, int shape)
{
    fprintf(out, "\n%-*s%9s%9s%7s%9s%7s%12s%6s\n", name + 1 + shape, "", "norm of", "moved", "over",
            "moved in", "cosine", "kept, %", "signs");
    fprintf(out, "%-*s %-*s%9s%9s%7s%9s%7s%6s%6s%6s\n", name, "tensor", shape, "shape", "online",
            "in all", "|init|", "the task", "on,off", "on", "off", "apart");
}

static void measure(const struct lae_inspection *inspection, bool narrow, int *name, int *shape)
{
    *name = 6;
    *shape = 5;
    for (size_t i = 0; i < inspection->tensor_count; i++) {
        const struct lae_tensor_facts *t = &inspection->tensors[i];
        char text[LAE_SHAPE_TEXT];
        *name = tensor_width(t->name) > *name ? tensor_width(t->name) : *name;
        *shape = longer(*shape, shape_of(t, narrow, text));
    }
}

/* Each module's tensors below its name, so that lines have at most 80 characters. */
static void print_tensors(FILE *out, const struct lae_inspection *inspection)
{
    enum { NUMBERS = 59 };
    int name, shape, module = 0;
    const char *before = "";
    measure(inspection, false, &name, &shape);
    bool narrow = name + 1 + shape + NUMBERS > WIDTH;
    if (narrow) measure(inspection, true, &name, &shape);
    print_tensor_header(out, name, shape);
    for (size_t i = 0; i < inspection->tensor_count; i++) {
        const char *own = inspection->tensors[i].name;
        bool same = module_length(own) == module && strncmp(own, before, (size_t)module) == 0;
        module = module_length(own);
        if (!same && module > 0) fprintf(out, "%.*s\n", module, own);
        print_tensor(out, &inspection->tensors[i], name, shape, narrow);
        before = own;
    }
}

static void print_opposite(FILE *out, const struct lae_inspection *inspection)
{
    int n = inspection->tasks, first = n > SHOWN_TASKS ? n - SHOWN_TASKS : 0;
    fprintf(out, "\nof the entries that both tasks moved, %% moved in opposite directions\ntask");
    for (int j = first; j < n; j++)
        fprintf(out, "%5d", j);
    fputc('\n', out);
    for (int i = first; i < n; i++) {
        fprintf(out, "%4d", i);
        for (int j = first; j < n; j++)
            print_number(out, "%*.0f", 5, 100.0 * inspection->opposite[i * n + j]);
        fputc('\n', out);
    }
    if (first > 0) fprintf(out, "(the last %d tasks; --json has all of them)\n", SHOWN_TASKS);
}

static lae_status print_checkpoint(FILE *out, const struct lae_inspection *inspection)
{
    print_where(out, inspection);
    LAE_TRY(print_config(out, inspection->checkpoint));
    print_provenance(out, inspection->checkpoint);
    LAE_TRY(print_accuracy(out, inspection->checkpoint));
    print_statistics(out, inspection->checkpoint);
    if (inspection->tensor_count > 0) print_tensors(out, inspection);
    if (inspection->opposite != NULL) print_opposite(out, inspection);
    return NULL;
}

/* ---- weights */

static void print_pixels(FILE *out, const struct lae_pixels *pixels)
{
    const double *m = pixels->mean, *s = pixels->std;
    if (pixels->known)
        fprintf(out, "  trained on pixels less mean %g, %g, %g, over std %g, %g, %g (%s)\n\n", m[0],
                m[1], m[2], s[0], s[1], s[2], pixels->from);
}

static void print_weights(FILE *out, const struct lae_inspection *inspection)
{
    const struct lae_weights *weights = inspection->weights;
    const struct lae_set *set = &weights->tensors;
    struct lae_backbone_facts facts = lae_backbone_facts_of(weights);
    char heads[LAE_ORIGIN_TEXT + 48] = "heads unknown (model.heads must say)";
    if (weights->heads > 0)
        snprintf(heads, sizeof heads, "%d heads (%s)", weights->heads, weights->heads_from);
    fprintf(out, "%s\n  %s; SHA-256 %s\n", inspection->path, weights->format, weights->digest);
    fprintf(out,
            "  %zu blocks, width %zu, %s, MLP %zu, patch %zu, images of %zu; layer norm epsilon "
            "%g; %zu parameters\n",
            facts.depth, facts.width, heads, facts.hidden, facts.patch, facts.image,
            weights->layer_norm_eps, facts.parameters);
    print_pixels(out, &weights->pixels);
    int name = 6;
    for (size_t i = 0; i < set->count; i++)
        name = longer(name, set->items[i].name);
    for (size_t i = 0; i < set->count; i++) {
        char text[LAE_SHAPE_TEXT];
        fprintf(out, "%-*s  %s\n", name, set->items[i].name,
                lae_shape_text(set->items[i].rank, set->items[i].shape, text));
    }
}

/* ---- differences */

static void print_differences(FILE *out, const struct lae_inspection *inspection)
{
    const struct lae_differences *d = &inspection->differences;
    int name = 7;
    fprintf(out, "\nhere   %s\nthere  %s\n", inspection->path, inspection->other);
    for (size_t i = 0; i < d->count; i++)
        if (d->items[i].text == NULL) name = longer(name, d->items[i].name);
    if (d->count > 0)
        fprintf(out, "%-*s%10s%10s%15s%15s\n", name, "dataset", "entries", "differ",
                "largest |a-b|", "|a-b| / |a|");
    for (size_t i = 0; i < d->count; i++) {
        const struct lae_difference *item = &d->items[i];
        fprintf(out, "%-*s", name, item->name);
        if (item->text != NULL) {
            fprintf(out, "   %s\n", item->text);
            continue;
        }
        fprintf(out, "%10zu%10zu", item->entries, item->differ);
        if (isinf(item->largest))
            fprintf(out, "%15s", "one is NaN");
        else
            fprintf(out, "%15.3g", item->largest);
        print_number(out, "%*.3g", 15, item->relative);
        fputc('\n', out);
    }
    for (size_t i = 0; i < d->provenance_count; i++)
        fprintf(out, "/provenance (does not count) %s\n", d->provenance[i]);
    fprintf(out, "%zu datasets compared, %zu difference(s)\n", d->compared, d->count);
}

static lae_status print_all(FILE *out, const struct lae_inspection *inspection)
{
    if (inspection->other != NULL) print_differences(out, inspection);
    if (inspection->other == NULL && inspection->checkpoint != NULL)
        return print_checkpoint(out, inspection);
    if (inspection->other == NULL) print_weights(out, inspection);
    return NULL;
}

/* By way of memory: names and texts of all kinds are in it, and any may hold what moves a cursor.
 */
lae_status lae_inspection_print(FILE *out, const struct lae_inspection *inspection)
{
    char *text = NULL;
    size_t size;
    FILE *memory = open_memstream(&text, &size);
    if (memory == NULL) return lae_out_of_memory(0, "an inspection");
    lae_status status = print_all(memory, inspection);
    if (fclose(memory) != 0 && status == NULL) status = lae_out_of_memory(size, "an inspection");
    if (status == NULL) lae_text_print(out, text);
    free(text);
    fflush(out);
    return status;
}
