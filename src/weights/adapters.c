#include "lae/weights/adapters.h"

#include "safetensors.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME 256
#define MOST_TEXTS 16

/* ---- tensors */

static lae_status add_copy(struct lae_set *set, const char *prefix, const struct lae_named *tensor)
{
    char name[NAME];
    struct lae_named *copy;
    if (snprintf(name, sizeof name, "%s%s", prefix, tensor->name) >= (int)sizeof name)
        return lae_bad_input("%.40s...: its name is too long", tensor->name);
    LAE_TRY(lae_set_add(set, name, tensor->rank, tensor->shape, &copy));
    memcpy(copy->data, tensor->data, tensor->count * sizeof *tensor->data);
    return NULL;
}

static lae_status add_module(struct lae_set *set, const char *prefix, const struct lae_set *module)
{
    for (size_t i = 0; i < module->count; i++)
        LAE_TRY(add_copy(set, prefix, &module->items[i]));
    return NULL;
}

static lae_status add_modules(struct lae_set *set, const struct lae_checkpoint *checkpoint,
                              const char *module)
{
    bool has_offline = checkpoint->offline.count > 0;
    if (module == NULL) {
        LAE_TRY(add_module(set, "online/", &checkpoint->online));
        return add_module(set, "offline/", &checkpoint->offline);
    }
    bool offline = strcmp(module, "offline") == 0;
    if (offline && !has_offline)
        return lae_bad_input("it has no offline module: its merge.method is none");
    return add_module(set, "", offline ? &checkpoint->offline : &checkpoint->online);
}

/* Part `what` of task k's classifier; NULL: missing. */
static const struct lae_named *find_part(const struct lae_checkpoint *checkpoint, int k,
                                         const char *what)
{
    char name[64];
    snprintf(name, sizeof name, "task_%02d/%s", k, what);
    return lae_set_find(&checkpoint->head, name);
}

/* All tasks' parts below each other: head/weight [C, D] of [n, D] each, head/bias [C] of [n]. */
static lae_status add_head(struct lae_set *set, const struct lae_checkpoint *checkpoint,
                           const char *what, int rank)
{
    const struct lae_named *first = find_part(checkpoint, 0, what);
    size_t shape[LAE_MAX_RANK] = {(size_t)checkpoint->classes_seen, 1}, at = 0;
    if (first != NULL && first->rank == 2) shape[1] = first->shape[1];
    char name[32];
    snprintf(name, sizeof name, "head/%s", what);
    struct lae_named *head;
    LAE_TRY(lae_set_add(set, name, rank, shape, &head));
    for (int k = 0; k <= checkpoint->task; k++) {
        const struct lae_named *part = find_part(checkpoint, k, what);
        bool fits = part != NULL && part->rank == rank && (rank == 1 || part->shape[1] == shape[1]);
        if (!fits || part->count > head->count - at)
            return lae_bad_input("/head/task_%02d/%s is missing or does not fit the others", k,
                                 what);
        memcpy(head->data + at, part->data, part->count * sizeof *part->data);
        at += part->count;
    }
    if (at == head->count) return NULL;
    return lae_bad_input("/head has classifiers for %zu of %d classes", at / shape[1],
                         checkpoint->classes_seen);
}

static lae_status collect(struct lae_set *set, const struct lae_checkpoint *checkpoint,
                          const char *module, const struct lae_set *more)
{
    LAE_TRY(add_modules(set, checkpoint, module));
    if (more != NULL) LAE_TRY(add_module(set, "", more));
    LAE_TRY(add_head(set, checkpoint, "weight", 2));
    return add_head(set, checkpoint, "bias", 1);
}

/* ---- metadata */

static const char *find_digest(const struct lae_checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->fact_count; i++) {
        const struct lae_fact *fact = &checkpoint->provenance[i];
        if (strcmp(fact->name, "weights_digest") == 0 && fact->text != NULL) return fact->text;
    }
    return "";
}

/* The class order as a JSON list; free(). NULL: no memory. */
static char *new_class_order(const struct lae_checkpoint *checkpoint)
{
    json_t *list = json_array();
    for (size_t i = 0; i < checkpoint->classes; i++)
        json_array_append_new(list, json_integer(checkpoint->class_order[i]));
    char *text =
        json_array_size(list) == checkpoint->classes ? json_dumps(list, JSON_COMPACT) : NULL;
    json_decref(list);
    return text;
}

static lae_status write_set(const char *path, const struct lae_set *set,
                            const struct lae_checkpoint *checkpoint, const char *module,
                            const struct lae_adapters_more *more)
{
    char task[16], *order = new_class_order(checkpoint);
    if (order == NULL) return lae_out_of_memory(checkpoint->classes * 4, "a class order");
    snprintf(task, sizeof task, "%d", checkpoint->task);
    const char *all = checkpoint->offline.count > 0 ? "online, offline" : "online";
    struct lae_text texts[MOST_TEXTS] = {
        {"config", checkpoint->config},
        {"class_order", order},
        {"task", task},
        {"weights_digest", find_digest(checkpoint)},
        {"modules", module != NULL ? module : all},
    };
    size_t count = 5;
    for (size_t i = 0; i < more->count && count < MOST_TEXTS; i++)
        texts[count++] = (struct lae_text){more->texts[i][0], more->texts[i][1]};
    lae_status status = lae_weights_safetensors_write(path, set, texts, count);
    free(order);
    return status;
}

lae_status lae_weights_write_adapters(const char *path, const struct lae_checkpoint *checkpoint,
                                      const char *module, const struct lae_adapters_more *more)
{
    struct lae_set set = {0};
    lae_status status = collect(&set, checkpoint, module, more->tensors);
    if (status == NULL) status = write_set(path, &set, checkpoint, module, more);
    lae_set_free(&set);
    return status;
}
