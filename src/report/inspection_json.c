/* An inspection as one JSON object (by jansson). Building one never stops half-way: what memory did
 * not suffice for is missing, and json_dumps then fails on the whole. */
#include "json_text.h"
#include "lae/report/inspection.h"

#include "lae/files/atomic.h"
#include "lae/run/directory.h"
#include "lae/run/metrics.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* JSON has neither NaN nor infinity; counts are whole there. */
static json_t *number(double value)
{
    if (value == rint(value) && fabs(value) < 0x1p53) return json_integer((json_int_t)value);
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *shape_of(int rank, const size_t *shape)
{
    json_t *list = json_array();
    for (int i = 0; i < rank; i++)
        json_array_append_new(list, json_integer((json_int_t)shape[i]));
    return list;
}

/* ---- checkpoints */

static json_t *inside_of(const struct lae_saved_position *saved)
{
    if (saved == NULL) return json_null();
    return json_pack("{si sI sb}", "epoch", saved->at.epoch, "step", (json_int_t)saved->at.step,
                     "merged", saved->at.merged);
}

/* In the order of the outputs, as class_order. */
static json_t *names_of(const struct lae_checkpoint *checkpoint)
{
    int length;
    if (checkpoint->class_names == NULL) return json_null();
    json_t *names = json_array();
    for (int i = 0; i < (int)checkpoint->classes; i++) {
        const char *name = lae_inspection_class_name(checkpoint, i, &length);
        json_t *string = json_stringn(name, (size_t)length);
        json_array_append_new(names, string != NULL ? string : json_null());
    }
    return names;
}

static lae_status add_config(json_t *object, const struct lae_checkpoint *checkpoint)
{
    struct lae_config_differences keys;
    LAE_TRY(lae_inspection_config(checkpoint->config, &keys));
    json_t *config = json_object(), *order = json_array();
    for (size_t i = 0; i < keys.count; i++)
        json_object_set_new(config, keys.items[i].key, lae_json_text(keys.items[i].b));
    for (size_t i = 0; i < checkpoint->classes; i++)
        json_array_append_new(order, json_integer(checkpoint->class_order[i]));
    json_object_set_new(object, "class_order", order);
    json_object_set_new(object, "class_names", names_of(checkpoint));
    json_object_set_new(object, "config", config);
    lae_config_differences_free(&keys);
    return NULL;
}

static json_t *provenance_of(const struct lae_checkpoint *checkpoint)
{
    json_t *object = json_object();
    for (size_t i = 0; i < checkpoint->fact_count; i++) {
        const struct lae_fact *fact = &checkpoint->provenance[i];
        json_object_set_new(object, fact->name,
                            fact->text != NULL ? lae_json_text(fact->text) : number(fact->number));
    }
    return object;
}

static lae_status add_accuracy(json_t *object, const struct lae_checkpoint *checkpoint)
{
    struct lae_metrics metrics;
    int finished = checkpoint->task + (checkpoint->position != NULL ? 0 : 1);
    LAE_TRY(lae_metrics_from_checkpoint(checkpoint, &metrics));
    json_t *accuracy = json_object();
    for (int i = 0; i < metrics.scorers.count && finished > 0; i++)
        json_object_set_new(accuracy, metrics.scorers.items[i].name,
                            number(metrics.seen[i][finished - 1]));
    json_object_set_new(object, "accuracy", accuracy);
    lae_metrics_free(&metrics);
    return NULL;
}

static json_t *statistics_of(const struct lae_checkpoint *checkpoint)
{
    json_t *object = json_object();
    for (size_t i = 0; i < checkpoint->stats_count; i++) {
        struct lae_statistics_facts facts = lae_statistics_facts_of(&checkpoint->stats[i]);
        json_object_set_new(object, checkpoint->stats[i].name,
                            json_pack("{sI sI sI so}", "images", (json_int_t)facts.images,
                                      "classes", (json_int_t)facts.classes, "features",
                                      (json_int_t)checkpoint->stats[i].stats.width, "lambda",
                                      number(checkpoint->stats[i].lambda)));
    }
    return object;
}

static json_t *tensors_of(const struct lae_inspection *inspection)
{
    json_t *list = json_array();
    for (size_t i = 0; i < inspection->tensor_count; i++) {
        const struct lae_tensor_facts *t = &inspection->tensors[i];
        json_array_append_new(
            list, json_pack("{so so so so so so so so so so}", "name", lae_json_text(t->name),
                            "shape", shape_of(t->rank, t->shape), "norm", number(t->norm),
                            "from_init", number(t->from_init), "relative", number(t->relative),
                            "from_last", number(t->from_last), "cosine", number(t->cosine),
                            "kept_online", number(t->kept_online), "kept_offline",
                            number(t->kept_offline), "conflict", number(t->conflict)));
    }
    return list;
}

static json_t *opposite_of(const struct lae_inspection *inspection)
{
    json_t *rows = json_array();
    for (int i = 0; i < inspection->tasks; i++) {
        json_t *row = json_array();
        for (int j = 0; j < inspection->tasks; j++)
            json_array_append_new(row, number(inspection->opposite[i * inspection->tasks + j]));
        json_array_append_new(rows, row);
    }
    return rows;
}

static lae_status add_checkpoint(json_t *object, const struct lae_inspection *inspection)
{
    const struct lae_checkpoint *c = inspection->checkpoint;
    json_object_set_new(object, "kind", lae_json_text("checkpoint"));
    json_object_set_new(object, "task", json_integer(c->task));
    json_object_set_new(object, "task_count", json_integer(c->task_count));
    json_object_set_new(object, "classes_seen", json_integer(c->classes_seen));
    json_object_set_new(object, "inside", inside_of(c->position));
    LAE_TRY(add_config(object, c));
    json_object_set_new(object, "provenance", provenance_of(c));
    LAE_TRY(add_accuracy(object, c));
    json_object_set_new(object, "statistics", statistics_of(c));
    json_object_set_new(object, "tensors", tensors_of(inspection));
    if (inspection->opposite != NULL)
        json_object_set_new(object, "opposite", opposite_of(inspection));
    return NULL;
}

/* ---- weights */

static json_t *pixels_of(const struct lae_pixels *pixels)
{
    const double *m = pixels->mean, *s = pixels->std;
    if (!pixels->known) return json_null();
    return json_pack("{s:[f,f,f], s:[f,f,f], s:s}", "mean", m[0], m[1], m[2], "std", s[0], s[1],
                     s[2], "from", pixels->from);
}

static void add_weights(json_t *object, const struct lae_weights *weights)
{
    struct lae_backbone_facts facts = lae_backbone_facts_of(weights);
    json_t *tensors = json_array();
    for (size_t i = 0; i < weights->tensors.count; i++) {
        const struct lae_named *item = &weights->tensors.items[i];
        json_array_append_new(tensors, json_pack("{so so}", "name", lae_json_text(item->name),
                                                 "shape", shape_of(item->rank, item->shape)));
    }
    json_object_set_new(object, "kind", lae_json_text("weights"));
    json_object_set_new(object, "format", lae_json_text(weights->format));
    json_object_set_new(object, "sha256", lae_json_text(weights->digest));
    json_object_set_new(object, "depth", json_integer((json_int_t)facts.depth));
    json_object_set_new(object, "width", json_integer((json_int_t)facts.width));
    json_object_set_new(object, "heads",
                        weights->heads > 0 ? json_integer(weights->heads) : json_null());
    json_object_set_new(object, "heads_from",
                        weights->heads > 0 ? lae_json_text(weights->heads_from) : json_null());
    json_object_set_new(object, "pixels", pixels_of(&weights->pixels));
    json_object_set_new(object, "hidden", json_integer((json_int_t)facts.hidden));
    json_object_set_new(object, "patch", json_integer((json_int_t)facts.patch));
    json_object_set_new(object, "image", json_integer((json_int_t)facts.image));
    json_object_set_new(object, "layer_norm_eps", number(weights->layer_norm_eps));
    json_object_set_new(object, "parameters", json_integer((json_int_t)facts.parameters));
    json_object_set_new(object, "tensors", tensors);
}

/* ---- differences */

static json_t *differences_of(const struct lae_inspection *inspection)
{
    const struct lae_differences *d = &inspection->differences;
    json_t *items = json_array(), *provenance = json_array();
    for (size_t i = 0; i < d->count; i++) {
        const struct lae_difference *item = &d->items[i];
        json_array_append_new(
            items,
            item->text != NULL
                ? json_pack("{so so}", "name", lae_json_text(item->name), "what",
                            lae_json_text(item->text))
                : json_pack("{so sI sI so so}", "name", lae_json_text(item->name), "entries",
                            (json_int_t)item->entries, "differ", (json_int_t)item->differ,
                            "largest", number(item->largest), "relative", number(item->relative)));
    }
    for (size_t i = 0; i < d->provenance_count; i++)
        json_array_append_new(provenance, lae_json_text(d->provenance[i]));
    return json_pack("{so sb sI so so}", "other", lae_json_text(inspection->other), "equal",
                     d->count == 0, "compared", (json_int_t)d->compared, "differences", items,
                     "provenance", provenance);
}

/* ---- all of it */

static lae_status fill(json_t *object, const struct lae_inspection *inspection)
{
    json_object_set_new(object, "path", lae_json_text(inspection->path));
    if (inspection->checkpoint != NULL)
        LAE_TRY(add_checkpoint(object, inspection));
    else
        add_weights(object, inspection->weights);
    if (inspection->other != NULL) json_object_set_new(object, "diff", differences_of(inspection));
    return NULL;
}

lae_status lae_inspection_write(const char *path, const struct lae_inspection *inspection)
{
    json_t *object = json_object();
    lae_status status = fill(object, inspection);
    char *json = NULL;
    if (status == NULL) {
        json = json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(9) | JSON_PRESERVE_ORDER);
        if (json == NULL) status = lae_out_of_memory(4096, "the inspection as JSON");
    }
    json_decref(object);
    if (status == NULL) status = lae_atomic_write(path, json, strlen(json));
    free(json);
    return status;
}
