/* What all families share: the way from weights to a model, and from there to a feature. */
#include "family.h"

#include "frozen.h"

#include <stdlib.h>
#include <string.h>

/* ---- A backbone ----------------------------------------------------------------------------- */

lae_status lae_backbone_create(const struct lae_backbone_dims *dims, struct lae_backbone **out)
{
    const struct lae_backbone_family *family = lae_backbone_families[dims->family];
    struct lae_backbone *backbone = *out = family->create(dims);
    if (backbone == NULL) return lae_out_of_memory(sizeof *backbone, "the backbone");
    backbone->family = family;
    return family->declare(backbone);
}

void lae_backbone_free(struct lae_backbone *backbone)
{
    if (backbone == NULL) return;
    backbone->family->free(backbone);
    lae_products_free(backbone->products);
    lae_table_free(&backbone->table);
    free(backbone->frozen);
    free(backbone);
}

lae_status lae_backbone_need(const struct lae_set *tensors, const char *name, int rank,
                             const struct lae_named **found)
{
    *found = lae_set_find(tensors, name);
    if (*found == NULL) return lae_bad_input("tensor %s is missing", name);
    if ((*found)->rank != rank) {
        char shape[LAE_SHAPE_TEXT];
        return lae_bad_input("tensor %s has shape %s; %d dimensions are wanted", name,
                             lae_shape_text((*found)->rank, (*found)->shape, shape), rank);
    }
    return NULL;
}

static lae_status copy_tensor(const struct lae_param *item, const struct lae_named *tensor,
                              float *out)
{
    if (memcmp(tensor->shape, item->shape, (size_t)item->rank * sizeof item->shape[0]) != 0) {
        char found[LAE_SHAPE_TEXT], wanted[LAE_SHAPE_TEXT];
        return lae_bad_input("tensor %s has shape %s; %s is wanted", item->name,
                             lae_shape_text(tensor->rank, tensor->shape, found),
                             lae_shape_text(item->rank, item->shape, wanted));
    }
    memcpy(out, tensor->data, item->count * sizeof *out);
    return NULL;
}

lae_status lae_backbone_fill(const struct lae_backbone *backbone, const struct lae_set *tensors,
                             float *weights)
{
    const struct lae_backbone_family *family = backbone->family;
    for (size_t i = 0; i < backbone->table.count; i++) {
        const struct lae_param *item = &backbone->table.items[i];
        const struct lae_named *tensor;
        bool converted = false;
        LAE_TRY(lae_backbone_need(tensors, item->name, item->rank, &tensor));
        if (family->convert != NULL)
            LAE_TRY(family->convert(backbone, item, tensor, weights + item->offset, &converted));
        if (!converted) LAE_TRY(copy_tensor(item, tensor, weights + item->offset));
    }
    return NULL;
}

lae_status lae_backbone_use(struct lae_backbone *backbone, const float *weights,
                            const struct lae_kernels *kernels, struct lae_arithmetic arithmetic,
                            const struct lae_pet *pet)
{
    backbone->kernels = kernels;
    backbone->pet = pet;
    LAE_TRY(lae_products_create(arithmetic, &backbone->products));
    return backbone->family->use(backbone, weights);
}

const char *lae_backbone_describe(const struct lae_backbone *backbone, const char *heads_from,
                                  char *text, size_t size)
{
    backbone->family->describe(backbone, heads_from, text, size);
    return text;
}

struct lae_backbone_flops lae_backbone_count_flops(const struct lae_backbone *backbone)
{
    return backbone->family->count_flops(backbone);
}

/* ---- Workspaces ------------------------------------------------------------------------------ */

/* A workspace whose memory is counted in its arena, but not allocated; NULL: out of memory. */
static struct lae_backbone_workspace *measured(const struct lae_backbone *backbone, bool gradient)
{
    struct lae_backbone_workspace *workspace =
        backbone->family->create_workspace(backbone, gradient);
    if (workspace == NULL) return NULL;
    workspace->family = backbone->family;
    backbone->family->place(backbone, workspace);
    return workspace;
}

size_t lae_backbone_workspace_need(const struct lae_backbone *backbone, bool gradient)
{
    struct lae_backbone_workspace *workspace = measured(backbone, gradient);
    size_t bytes = workspace != NULL ? workspace->arena.used : 0;
    lae_backbone_workspace_free(workspace);
    return bytes;
}

lae_status lae_backbone_workspace_create(const struct lae_backbone *backbone, bool gradient,
                                         struct lae_backbone_workspace **out)
{
    *out = NULL;
    struct lae_backbone_workspace *workspace = measured(backbone, gradient);
    if (workspace == NULL) return lae_out_of_memory(sizeof *workspace, "a workspace");
    lae_status status =
        lae_arena_allocate(&workspace->arena, "one image's activations on one thread");
    if (status == NULL) status = lae_runner_create(backbone->products, &workspace->runner);
    if (status != NULL) {
        lae_backbone_workspace_free(workspace);
        return status;
    }
    backbone->family->place(backbone, workspace);
    *out = workspace;
    return NULL;
}

void lae_backbone_workspace_free(struct lae_backbone_workspace *workspace)
{
    if (workspace == NULL) return;
    workspace->family->free_workspace(workspace);
    lae_runner_free(workspace->runner);
    lae_arena_free(&workspace->arena);
    free(workspace);
}

struct lae_stopwatch *lae_backbone_watch(struct lae_backbone_workspace *workspace)
{
    return &workspace->watch;
}

/* ---- One image ------------------------------------------------------------------------------- */

void lae_backbone_trunk(const struct lae_backbone *backbone,
                        struct lae_backbone_workspace *workspace, const float *image)
{
    const struct lae_pass pass = {.backbone = backbone, .memory = workspace};
    backbone->family->trunk(&pass, image);
}

void lae_backbone_save_stream(const struct lae_backbone *backbone,
                              const struct lae_backbone_workspace *workspace, float *stream)
{
    memcpy(stream, workspace->stream, backbone->stream * sizeof *stream);
}

void lae_backbone_load_stream(const struct lae_backbone *backbone,
                              struct lae_backbone_workspace *workspace, const float *stream)
{
    memcpy(workspace->stream, stream, backbone->stream * sizeof *stream);
}

void lae_backbone_branch(const struct lae_backbone *backbone, const float *theta,
                         struct lae_backbone_workspace *workspace, const struct lae_random *dropout,
                         bool keep, float *feature)
{
    const struct lae_pass pass = {.backbone = backbone,
                                  .theta = theta,
                                  .memory = workspace,
                                  .dropout = dropout,
                                  .keep = keep && workspace->gradient};
    backbone->family->branch(&pass, feature);
}

void lae_backbone_backward(const struct lae_backbone *backbone, const float *theta,
                           struct lae_backbone_workspace *workspace,
                           const struct lae_random *dropout, const float *d_feature,
                           float *gradient)
{
    const struct lae_pass pass = {.backbone = backbone,
                                  .theta = theta,
                                  .memory = workspace,
                                  .dropout = dropout,
                                  .keep = true};
    backbone->family->backward(&pass, d_feature, gradient);
}
