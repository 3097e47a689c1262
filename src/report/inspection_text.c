/* An inspection as tables of text. */
#include "lae/report/inspection.h"

#include "lae/base/sheet.h"
#include "lae/base/text.h"
#include "lae/run/directory.h"
#include "lae/run/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_TASKS 15 /* of the matrix of a run */

/* A line of words, which is not broken: other programs may look for it. */
static void say(FILE *out, size_t indent, const char *name, const char *text)
{
    fprintf(out, "%-*s%s\n", (int)indent, name, text);
}

/* ---- checkpoints */

enum { NAMES = 27, SAID = 1024 }; /* columns of keys and the like; bytes of what is said of one */

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
    lae_text_wrap(out, text, INDENT, (size_t)lae_terminal_output_width());
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
    char text[256];
    LAE_TRY(lae_config_defaults(&config, NULL));
    lae_status status =
        lae_config_load_text(&config, "/config", checkpoint->config, strlen(checkpoint->config));
    if (status == NULL)
        snprintf(text, sizeof text,
                 "modules attn %s, mlp %s in %d block(s); accumulated by %s; seed %llu",
                 type_of(&config, LAE_SITE_ATTN), type_of(&config, LAE_SITE_MLP),
                 config.pet.block_count, config.merge.method->name,
                 (unsigned long long)config.run.seed);
    if (status == NULL) say(out, 2, "", text);
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
        char until[32], text[SAID];
        snprintf(until, sizeof until, "  until task %d", earlier->task);
        for (size_t k = 0; k < keys.count; k++) {
            snprintf(text, sizeof text, "%s %s (then %s)", keys.items[k].key, keys.items[k].a,
                     keys.items[k].b);
            say(out, NAMES, until, text);
        }
        lae_config_differences_free(&keys);
    }
    return NULL;
}

static lae_status print_config(FILE *out, const struct lae_checkpoint *checkpoint)
{
    struct lae_config_differences keys;
    LAE_TRY(print_method(out, checkpoint));
    LAE_TRY(lae_inspection_config(checkpoint->config, &keys));
    for (size_t i = 0; i < keys.count; i++) {
        char name[NAMES + 64], text[SAID];
        snprintf(name, sizeof name, "  %-24s ", keys.items[i].key);
        snprintf(text, sizeof text, "%s (default %s)", keys.items[i].b, keys.items[i].a);
        say(out, NAMES, name, text);
    }
    lae_config_differences_free(&keys);
    return print_earlier(out, checkpoint);
}

static void print_provenance(FILE *out, const struct lae_checkpoint *checkpoint)
{
    fprintf(out, "\nprovenance\n");
    for (size_t i = 0; i < checkpoint->fact_count; i++) {
        const struct lae_fact *fact = &checkpoint->provenance[i];
        char name[NAMES + 64], number[32];
        snprintf(name, sizeof name, "  %-24s ", fact->name);
        snprintf(number, sizeof number, "%.6g", fact->number);
        say(out, NAMES, name, fact->text != NULL ? fact->text : number);
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
        fprintf(out, "%.2f", metrics.seen[i][finished - 1]);
    }
    if (finished > 0) fputc('\n', out);
    lae_metrics_free(&metrics);
    return NULL;
}

static void print_statistics(FILE *out, const struct lae_checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->stats_count; i++) {
        const struct lae_kept_stats *stats = &checkpoint->stats[i];
        struct lae_statistics_facts facts = lae_statistics_facts_of(stats);
        char text[256], strength[32] = "";
        if (!isnan(stats->lambda))
            snprintf(strength, sizeof strength, ", strength %g", stats->lambda);
        snprintf(text, sizeof text, "through %s: %lld images of %zu classes, %zu features%s",
                 stats->name, (long long)facts.images, facts.classes, stats->stats.width, strength);
        say(out, sizeof "statistics", "statistics ", text);
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

static void add_tensor(struct lae_sheet *sheet, const struct lae_tensor_facts *t, bool narrow)
{
    char shape[LAE_SHAPE_TEXT];
    int module = module_length(t->name);
    lae_sheet_row(sheet);
    lae_sheet_text(sheet, "%s%s", module > 0 ? "  " : "", t->name + module + (module > 0 ? 1 : 0));
    lae_sheet_text(sheet, "%s", shape_of(t, narrow, shape));
    lae_sheet_digits(sheet, 3, t->norm);
    lae_sheet_digits(sheet, 3, t->from_init);
    lae_sheet_number(sheet, 3, t->relative);
    lae_sheet_digits(sheet, 3, t->from_last);
    lae_sheet_number(sheet, 2, t->cosine);
    lae_sheet_number(sheet, 1, 100.0 * t->kept_online);
    lae_sheet_number(sheet, 1, 100.0 * t->kept_offline);
    lae_sheet_number(sheet, 1, 100.0 * t->conflict);
}

/* Each module's tensors below its name, so that lines are short. */
static struct lae_sheet tensor_sheet(const struct lae_inspection *inspection, bool narrow)
{
    static const char *const titles[] = {"norm of\nonline",    "moved\nin all",  "over\n|init|",
                                         "moved in\nthe task", "cosine\non,off", "kept\non,%",
                                         "kept\noff,%",        "signs\napart"};
    struct lae_sheet sheet = {0};
    const char *before = "";
    int module = 0;
    lae_sheet_column(&sheet, LAE_SHEET_KEY, "tensor");
    lae_sheet_column(&sheet, LAE_SHEET_KEY | LAE_SHEET_TIGHT, "shape");
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        lae_sheet_column(&sheet, LAE_SHEET_NUMBER | LAE_SHEET_TIGHT, titles[i]);
    for (size_t i = 0; i < inspection->tensor_count; i++) {
        const char *own = inspection->tensors[i].name;
        bool same = module_length(own) == module && strncmp(own, before, (size_t)module) == 0;
        module = module_length(own);
        if (!same && module > 0) lae_sheet_heading(&sheet, "%.*s", module, own);
        add_tensor(&sheet, &inspection->tensors[i], narrow);
        before = own;
    }
    return sheet;
}

static lae_status print_tensors(FILE *out, const struct lae_inspection *inspection)
{
    struct lae_sheet sheet = tensor_sheet(inspection, false);
    if (lae_sheet_width(&sheet) > lae_terminal_output_width()) {
        lae_sheet_free(&sheet);
        sheet = tensor_sheet(inspection, true);
    }
    fputc('\n', out);
    return lae_sheet_print(&sheet, out);
}

static lae_status print_opposite(FILE *out, const struct lae_inspection *inspection)
{
    int n = inspection->tasks, first = n > SHOWN_TASKS ? n - SHOWN_TASKS : 0;
    struct lae_sheet sheet = {0};
    lae_sheet_column(&sheet, LAE_SHEET_KEY | LAE_SHEET_NUMBER, "task");
    for (int j = first; j < n; j++) {
        char task[16];
        snprintf(task, sizeof task, "%3d", j);
        lae_sheet_column(&sheet, LAE_SHEET_NUMBER, task);
    }
    for (int i = first; i < n; i++) {
        lae_sheet_row(&sheet);
        lae_sheet_text(&sheet, "%d", i);
        for (int j = first; j < n; j++)
            lae_sheet_number(&sheet, 0, 100.0 * inspection->opposite[i * n + j]);
    }
    fprintf(out, "\nof the entries that both tasks moved, %% moved in opposite directions\n");
    LAE_TRY(lae_sheet_print(&sheet, out));
    if (first > 0) fprintf(out, "(the last %d tasks; --json has all of them)\n", SHOWN_TASKS);
    return NULL;
}

static lae_status print_checkpoint(FILE *out, const struct lae_inspection *inspection)
{
    print_where(out, inspection);
    LAE_TRY(print_config(out, inspection->checkpoint));
    print_provenance(out, inspection->checkpoint);
    LAE_TRY(print_accuracy(out, inspection->checkpoint));
    print_statistics(out, inspection->checkpoint);
    if (inspection->tensor_count > 0) LAE_TRY(print_tensors(out, inspection));
    return inspection->opposite != NULL ? print_opposite(out, inspection) : NULL;
}

/* ---- weights */

static void print_pixels(FILE *out, const struct lae_pixels *pixels)
{
    const double *m = pixels->mean, *s = pixels->std;
    if (pixels->known)
        fprintf(out, "  trained on pixels less mean %g, %g, %g, over std %g, %g, %g (%s)\n\n", m[0],
                m[1], m[2], s[0], s[1], s[2], pixels->from);
}

static lae_status print_weights(FILE *out, const struct lae_inspection *inspection)
{
    const struct lae_weights *weights = inspection->weights;
    const struct lae_set *set = &weights->tensors;
    struct lae_backbone_facts facts = lae_backbone_facts_of(weights);
    struct lae_sheet sheet = {0};
    char text[LAE_ORIGIN_TEXT + 256],
        heads[LAE_ORIGIN_TEXT + 48] = "heads unknown (model.heads must say)";
    if (weights->heads > 0)
        snprintf(heads, sizeof heads, "%d heads (%s)", weights->heads, weights->heads_from);
    fprintf(out, "%s\n", inspection->path);
    snprintf(text, sizeof text, "%s; SHA-256 %s", weights->format, weights->digest);
    say(out, 2, "", text);
    snprintf(text, sizeof text,
             "%zu blocks, width %zu, %s, MLP %zu, patch %zu, images of %zu; layer norm epsilon %g; "
             "%zu parameters",
             facts.depth, facts.width, heads, facts.hidden, facts.patch, facts.image,
             weights->layer_norm_eps, facts.parameters);
    say(out, 2, "", text);
    print_pixels(out, &weights->pixels);
    lae_sheet_column(&sheet, LAE_SHEET_KEY, "");
    lae_sheet_column(&sheet, LAE_SHEET_TEXT, "");
    for (size_t i = 0; i < set->count; i++) {
        char shape[LAE_SHAPE_TEXT];
        lae_sheet_row(&sheet);
        lae_sheet_text(&sheet, "%s", set->items[i].name);
        lae_sheet_text(&sheet, "%s",
                       lae_shape_text(set->items[i].rank, set->items[i].shape, shape));
    }
    return lae_sheet_print(&sheet, out);
}

/* ---- differences */

/* What numbers do not tell. */
static void print_words(FILE *out, const struct lae_differences *d)
{
    for (size_t i = 0; i < d->count; i++) {
        if (d->items[i].text == NULL) continue;
        fprintf(out, "%s   %s\n", d->items[i].name, d->items[i].text);
    }
}

/* `apart`: names have lines of their own. */
static struct lae_sheet difference_sheet(const struct lae_differences *d, bool apart)
{
    struct lae_sheet sheet = {0};
    static const char *const titles[] = {"entries", "differ", "largest\n|a-b|", "|a-b|\n/ |a|"};
    lae_sheet_column(&sheet, LAE_SHEET_KEY, "dataset");
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        lae_sheet_column(&sheet, LAE_SHEET_NUMBER, titles[i]);
    for (size_t i = 0; i < d->count; i++) {
        const struct lae_difference *item = &d->items[i];
        if (item->text != NULL) continue;
        if (apart) lae_sheet_heading(&sheet, "%s", item->name);
        lae_sheet_row(&sheet);
        lae_sheet_text(&sheet, "%s", apart ? "" : item->name);
        lae_sheet_text(&sheet, "%zu", item->entries);
        lae_sheet_text(&sheet, "%zu", item->differ);
        if (isinf(item->largest))
            lae_sheet_text(&sheet, "one is NaN");
        else
            lae_sheet_digits(&sheet, 3, item->largest);
        lae_sheet_digits(&sheet, 3, item->relative);
    }
    return sheet;
}

static lae_status print_numbers(FILE *out, const struct lae_differences *d)
{
    struct lae_sheet sheet = difference_sheet(d, false);
    if (lae_sheet_width(&sheet) > lae_terminal_output_width()) {
        lae_sheet_free(&sheet);
        sheet = difference_sheet(d, true);
    }
    return lae_sheet_print(&sheet, out);
}

static lae_status print_differences(FILE *out, const struct lae_inspection *inspection)
{
    static const char apart[] = "/provenance (does not count) ";
    const struct lae_differences *d = &inspection->differences;
    size_t words = 0;
    fprintf(out, "\nhere   %s\nthere  %s\n", inspection->path, inspection->other);
    for (size_t i = 0; i < d->count; i++)
        words += d->items[i].text != NULL;
    print_words(out, d);
    if (words < d->count) LAE_TRY(print_numbers(out, d));
    for (size_t i = 0; i < d->provenance_count; i++)
        say(out, strlen(apart), apart, d->provenance[i]);
    fprintf(out, "%zu datasets compared, %zu difference(s)\n", d->compared, d->count);
    return NULL;
}

static lae_status print_all(FILE *out, const struct lae_inspection *inspection)
{
    if (inspection->other != NULL) return print_differences(out, inspection);
    return inspection->checkpoint != NULL ? print_checkpoint(out, inspection)
                                          : print_weights(out, inspection);
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
