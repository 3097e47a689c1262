/* oneDNN 2: descriptions are structs, and primitives are made by way of operation descriptors. */
#include "onednn.h"

#include <stdlib.h>

struct lae_onednn_layout {
    dnnl_memory_desc_t description;
};

/* The layout takes what was described, if that went well. */
static dnnl_status_t keep(dnnl_status_t status, const dnnl_memory_desc_t *description,
                          struct lae_onednn_layout **layout)
{
    *layout = NULL;
    if (status != dnnl_success) return status;
    *layout = malloc(sizeof **layout);
    if (*layout == NULL) return dnnl_out_of_memory;
    (*layout)->description = *description;
    return dnnl_success;
}

dnnl_status_t lae_onednn_layout_strided(dnnl_data_type_t type, size_t rows, size_t cols,
                                        size_t across, size_t along,
                                        struct lae_onednn_layout **layout)
{
    const dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)cols};
    const dnnl_dims_t strides = {(dnnl_dim_t)across, (dnnl_dim_t)along};
    dnnl_memory_desc_t description;
    dnnl_status_t status = dnnl_memory_desc_init_by_strides(&description, 2, dims, type, strides);
    return keep(status, &description, layout);
}

dnnl_status_t lae_onednn_layout_any(dnnl_data_type_t type, size_t rows, size_t cols,
                                    struct lae_onednn_layout **layout)
{
    const dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)cols};
    dnnl_memory_desc_t description;
    dnnl_status_t status =
        dnnl_memory_desc_init_by_tag(&description, 2, dims, type, dnnl_format_tag_any);
    return keep(status, &description, layout);
}

void lae_onednn_layout_free(struct lae_onednn_layout *layout)
{
    free(layout);
}

size_t lae_onednn_layout_size(const struct lae_onednn_layout *layout)
{
    return dnnl_memory_desc_get_size(&layout->description);
}

dnnl_status_t lae_onednn_memory_create(const struct lae_onednn_layout *layout, dnnl_engine_t engine,
                                       void *data, dnnl_memory_t *memory)
{
    return dnnl_memory_create(memory, &layout->description, engine, data);
}

/* The layouts that the primitive has chosen. */
static dnnl_status_t take_choice(const_dnnl_primitive_desc_t choice,
                                 struct lae_onednn_matmul *operands)
{
    operands->w->description = *dnnl_primitive_desc_query_md(choice, dnnl_query_weights_md, 0);
    return keep(dnnl_success, dnnl_primitive_desc_query_md(choice, dnnl_query_scratchpad_md, 0),
                &operands->scratchpad);
}

dnnl_status_t lae_onednn_matmul_create(struct lae_onednn_matmul *operands, dnnl_engine_t engine,
                                       dnnl_primitive_attr_t attributes,
                                       dnnl_primitive_t *primitive)
{
    dnnl_matmul_desc_t operation;
    dnnl_primitive_desc_t choice;
    dnnl_status_t status = dnnl_matmul_desc_init(
        &operation, &operands->x->description, &operands->w->description,
        operands->b == NULL ? NULL : &operands->b->description, &operands->y->description);
    if (status != dnnl_success) return status;
    status = dnnl_primitive_desc_create(&choice, &operation, attributes, engine, NULL);
    if (status != dnnl_success) return status;
    status = take_choice(choice, operands);
    if (status == dnnl_success) status = dnnl_primitive_create(primitive, choice);
    dnnl_primitive_desc_destroy(choice);
    return status;
}

dnnl_status_t lae_onednn_reorder_create(const struct lae_onednn_layout *from,
                                        const struct lae_onednn_layout *to, dnnl_engine_t engine,
                                        dnnl_primitive_t *primitive)
{
    dnnl_primitive_desc_t choice;
    dnnl_status_t status = dnnl_reorder_primitive_desc_create(&choice, &from->description, engine,
                                                              &to->description, engine, NULL);
    if (status != dnnl_success) return status;
    status = dnnl_primitive_create(primitive, choice);
    dnnl_primitive_desc_destroy(choice);
    return status;
}

dnnl_status_t lae_onednn_append_sum(dnnl_post_ops_t after)
{
    return dnnl_post_ops_append_sum(after, 1.0F);
}
