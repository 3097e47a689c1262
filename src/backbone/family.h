/* What a family of backbones does for the rest of the program, and what all families share.
 *
 * To add a family: write its directory with the functions of this table, add its row in families.c,
 * and its names to the readers of weight files. A family's backbone begins with struct
 * lae_backbone, its workspace with struct lae_backbone_workspace.
 */
#ifndef LAE_BACKBONE_FAMILY_H
#define LAE_BACKBONE_FAMILY_H

#include "lae/backbone/backbone.h"
#include "lae/base/arena.h"

struct lae_backbone_workspace {
    const struct lae_backbone_family *family;
    struct lae_arena arena;
    struct lae_runner *runner;
    struct lae_stopwatch watch;
    bool gradient; /* the way back can be computed */
    float *stream; /* [backbone->stream] what the trunk made */
};

/* One pass over one image. */
struct lae_pass {
    const struct lae_backbone *backbone;
    const float *theta; /* [pet->table.total] */
    struct lae_backbone_workspace *memory;
    const struct lae_random *dropout; /* NULL outside training */
    bool keep;                        /* the way back follows */
};

struct lae_backbone_family {
    const char *name;
    /* Whether tensors are meant to be one of the family's, be they complete or not. */
    bool (*claims)(const struct lae_set *tensors);
    lae_status (*dims_of)(const struct lae_set *tensors, const struct lae_backbone_hints *hints,
                          struct lae_backbone_dims *dims);
    const struct lae_backbone_size *sizes; /* ended by a row whose name is NULL */
    lae_status (*dims_of_size)(size_t size, int image, struct lae_backbone_dims *dims);

    /* A backbone with its widths and places, its table still empty; NULL: out of memory. */
    struct lae_backbone *(*create)(const struct lae_backbone_dims *dims);
    void (*free)(struct lae_backbone *backbone); /* what is the family's own; not the struct */
    lae_status (*declare)(struct lae_backbone *backbone); /* fills the table */
    /* Writes tensors that are not taken as they are, and says so; NULL: there are none. */
    lae_status (*convert)(const struct lae_backbone *backbone, const struct lae_param *item,
                          const struct lae_named *tensor, float *out, bool *converted);
    /* Points into weights and declares all products. */
    lae_status (*use)(struct lae_backbone *backbone, const float *weights);
    int (*describe)(const struct lae_backbone *backbone, const char *heads_from, char *text,
                    size_t size);
    struct lae_backbone_flops (*count_flops)(const struct lae_backbone *backbone);

    /* A workspace whose arena is still empty, NULL: out of memory; gives all its arrays, the stream
     * among them, their places in the arena; frees what is its own, not the struct. */
    struct lae_backbone_workspace *(*create_workspace)(const struct lae_backbone *backbone,
                                                       bool gradient);
    void (*place)(const struct lae_backbone *backbone, struct lae_backbone_workspace *workspace);
    void (*free_workspace)(struct lae_backbone_workspace *workspace);

    void (*trunk)(const struct lae_pass *pass, const float *image);
    void (*branch)(const struct lae_pass *pass, float *feature);
    void (*backward)(const struct lae_pass *pass, const float *d_feature, float *gradient);
};

/* The table, ended by NULL. */
extern const struct lae_backbone_family *const lae_backbone_families[];

/* A family's shapes as the seam carries them. */
struct lae_backbone_dims lae_backbone_pack_dims(const struct lae_backbone_family *family,
                                                const void *own, size_t size);

/* The tensor of that name and rank, or an error that says what is missing. */
lae_status lae_backbone_need(const struct lae_set *tensors, const char *name, int rank,
                             const struct lae_named **found) LAE_MUST_CHECK;

/* What the thread's time is spent on from now on. */
static inline void lae_pass_turn(const struct lae_pass *pass, enum lae_work work)
{
    lae_stopwatch_turn(&pass->memory->watch, work);
}

#endif
