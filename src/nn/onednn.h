/* What differs between oneDNN 2 (since 2.6) and oneDNN 3: how a matrix in memory is described, and
 * how primitives are made of descriptions. onednn_2.c or onednn_3.c is built, after the installed
 * headers; nothing else knows which. All functions give oneDNN's own status.
 */
#ifndef LAE_SRC_NN_ONEDNN_H
#define LAE_SRC_NN_ONEDNN_H

#include <oneapi/dnnl/dnnl.h>

#include <stddef.h>

/* Where the elements of a matrix [rows, cols] lie in memory, and of which type they are. */
struct lae_onednn_layout;

/* Elements of a row lie `along` apart, rows lie `across` apart (both in elements). */
dnnl_status_t lae_onednn_layout_strided(dnnl_data_type_t type, size_t rows, size_t cols,
                                        size_t across, size_t along,
                                        struct lae_onednn_layout **layout);

/* One that the primitive may choose. */
dnnl_status_t lae_onednn_layout_any(dnnl_data_type_t type, size_t rows, size_t cols,
                                    struct lae_onednn_layout **layout);
void lae_onednn_layout_free(struct lae_onednn_layout *layout); /* NULL is allowed */

/* Bytes of a matrix that lies so. */
size_t lae_onednn_layout_size(const struct lae_onednn_layout *layout);

/* `data` may be DNNL_MEMORY_NONE, and be set later. */
dnnl_status_t lae_onednn_memory_create(const struct lae_onednn_layout *layout, dnnl_engine_t engine,
                                       void *data, dnnl_memory_t *memory);

/* The operands of y = x w (+ b). */
struct lae_onednn_matmul {
    struct lae_onednn_layout *x, *w, *b, *y; /* b NULL: none */
    struct lae_onednn_layout *scratchpad;    /* memory that the primitive works in */
};

/* Makes the primitive; a w of any layout is replaced by the one chosen, `scratchpad` is set. */
dnnl_status_t lae_onednn_matmul_create(struct lae_onednn_matmul *operands, dnnl_engine_t engine,
                                       dnnl_primitive_attr_t attributes,
                                       dnnl_primitive_t *primitive);

/* A copy from one layout and type to another. */
dnnl_status_t lae_onednn_reorder_create(const struct lae_onednn_layout *from,
                                        const struct lae_onednn_layout *to, dnnl_engine_t engine,
                                        dnnl_primitive_t *primitive);

/* Adds to `after`: the result is added to what y held. */
dnnl_status_t lae_onednn_append_sum(dnnl_post_ops_t after);

#endif
