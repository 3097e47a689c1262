/* Parameter-efficient modules beside a block's attention and MLP (METHOD section 4), behind one
 * small table of functions.
 *
 * To add a module: write one file with its functions, add its row in pet.c, and its case to the
 * gradient test. Configuration and help take its name from the table.
 *
 *     h = LN1(x);  x = x + ATTN(h) + pet_attn(h)        ATTN's keys and values may be changed too
 *     h = LN2(x);  x = x + MLP(h)  + pet_mlp(h)
 */
#ifndef LAE_PET_PET_H
#define LAE_PET_PET_H

#include "lae/base/random.h"
#include "lae/base/status.h"
#include "lae/nn/kernels.h"
#include "lae/params/table.h"

#include <stdbool.h>
#include <stddef.h>

#define LAE_MAX_BLOCKS 128

enum lae_site { LAE_SITE_ATTN, LAE_SITE_MLP, LAE_SITES };

struct lae_pet_type;

/* What is asked for at one site; 0 for hidden: the type's default (adapter 5, conv_adapter 8). */
struct lae_pet_site_options {
    const struct lae_pet_type *type; /* NULL: no module */
    int hidden;                      /* adapter, conv_adapter: h */
    int kernel;                      /* conv_adapter: k, odd */
    double dropout;                  /* conv_adapter, in training */
    int rank;                        /* lora: r */
    int length;                      /* prefix: L */
};

struct lae_pet_options {
    int blocks[LAE_MAX_BLOCKS]; /* the adapted blocks, ascending, no block twice */
    int block_count;
    struct lae_pet_site_options site[LAE_SITES];
};

/* The rows that a module sees beside one block: prefix rows (a class token, registers; none in a
 * map), then those of a grid. */
struct lae_pet_dims {
    size_t width; /* D */
    size_t prefix_rows;
    size_t grid_rows, grid_cols; /* tokens: N = prefix_rows + grid_rows * grid_cols */
};

/* Where modules may be beside a backbone. */
struct lae_places {
    int blocks;     /* at least 1, in the order in which they are counted */
    unsigned sites; /* bit 1 << site set: each block has it */
    struct lae_pet_dims dims[LAE_MAX_BLOCKS]; /* [blocks] of both sites */
};

/* One module at its place. */
struct lae_pet_module {
    const struct lae_pet_type *type;
    struct lae_pet_site_options options; /* defaults filled in */
    struct lae_pet_dims dims;
    int block;
    enum lae_site site;
    size_t first;  /* its first tensor's index in the table */
    size_t offset; /* its first float in the vector; its tensors follow each other */
    size_t count;  /* its floats */
};

/* What a module sees of its site, for one image. N tokens, D width. */
struct lae_pet_io {
    const struct lae_kernels *kernels;
    const float *h; /* [N, D] the site's input, LN1(x) or LN2(x) */
    size_t rows;    /* rows of the branch's output that are wanted: N, or 1 (the first prefix row)
                       where nothing else is read later. h has at least these; all N at attn */
    size_t tokens;  /* N */
    float *out;     /* forward: [rows, D], added to. backward: its gradient, read only */
    /* Attention site alone: rows of keys and values, row stride kv_stride. The type's inserted rows
     * (prefix) come first, then the N tokens'. forward: read and written; backward: gradients. */
    float *key, *value;
    size_t kv_stride;
    float *saved;   /* [type->saved(module)] written by forward, read by backward */
    float *scratch; /* [type->scratch(module)] free to use in either */
    /* Dropout: NULL outside training. The module's numbers start at index
     * (block * LAE_SITES + site) << 24. */
    const struct lae_random *dropout;
};

struct lae_pet_type {
    const char *name, *help;
    unsigned sites; /* bit 1 << site set: allowed there */
    /* Whether backward reads or writes keys and values rather than out. */
    bool changes_attention;
    /* Fills in defaults and checks the sizes that the type uses. Errors name the key below
     * "pet.SITE". */
    lae_status (*prepare)(struct lae_pet_site_options *options, const struct lae_pet_dims *dims,
                          const char *site);
    /* Declares the tensors (names below "blocks/I/SITE/TYPE/") in the table. */
    lae_status (*declare)(const struct lae_pet_module *module, struct lae_table *table);
    /* Writes the initial values of the module's tensors into theta (the whole vector). Tensor i of
     * the table draws from the stream (seed, LAE_RANDOM_INIT, 0, 0, i), entry j from index j. */
    void (*init)(const struct lae_pet_module *module, const struct lae_table *table,
                 unsigned long long seed, float *theta);
    size_t (*inserted)(const struct lae_pet_module *module); /* key rows inserted; NULL: none */
    size_t (*saved)(const struct lae_pet_module *module);    /* floats */
    size_t (*scratch)(const struct lae_pet_module *module);  /* floats */
    /* theta: the module's own parameters, [module->count]. */
    void (*forward)(const struct lae_pet_module *module, const float *theta,
                    const struct lae_pet_io *io);
    /* Writes gradient [module->count]; adds to dh [N, D] (attention site with changes_attention) or
     * [rows, D] unless dh is NULL. */
    void (*backward)(const struct lae_pet_module *module, const float *theta,
                     const struct lae_pet_io *io, float *gradient, float *dh);
    /* Operations in products of matrices of one forward pass over `rows` rows; backward makes twice
     * as many, less input_flops where the gradient of h is not wanted. For the bench; NULL: none.
     */
    double (*flops)(const struct lae_pet_module *module, size_t rows);
    double (*input_flops)(const struct lae_pet_module *module, size_t rows);
};

/* The table, ended by a row whose name is NULL. */
const struct lae_pet_type *lae_pet_types(void);
const struct lae_pet_type *lae_pet_find(const char *name);

/* All modules of a model. */
struct lae_pet {
    struct lae_pet_module *modules; /* [count], in order of block, then site */
    size_t count;
    struct lae_table table; /* of all their tensors */
    int first_block;        /* the lowest adapted block; how many blocks there are, where none is */
};

/* Places modules as the options say. Errors name the key: a block past the last, a type not allowed
 * at a site, a site that the backbone has not, an even kernel, sizes below 1. */
lae_status lae_pet_create(const struct lae_pet_options *options, const struct lae_places *places,
                          struct lae_pet *pet) LAE_MUST_CHECK;
void lae_pet_free(struct lae_pet *pet);

/* Initial values of all modules into theta [pet->table.total]. */
void lae_pet_init(const struct lae_pet *pet, unsigned long long seed, float *theta);

/* The module of a block's site, or NULL. */
const struct lae_pet_module *lae_pet_at(const struct lae_pet *pet, int block, enum lae_site site);

/* Key rows that a block's attention has before the tokens' (prefix tuning). */
size_t lae_pet_inserted(const struct lae_pet *pet, int block);

#endif
