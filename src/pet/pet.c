/* The table of modules, and placing them in a backbone.
 *
 * A module is pure bookkeeping: which type, where, and where its floats lie in the one vector. Its
 * type's functions do the arithmetic.
 */
#include "lae/pet/pet.h"

#include "bottleneck.h"
#include "module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ON_ATTN (1u << LAE_SITE_ATTN)
#define ON_MLP (1u << LAE_SITE_MLP)
#define LARGEST_SIZE 65536

static const char *const site_names[LAE_SITES] = {"attn", "mlp"};

static const struct lae_pet_type types[] = {
    {.name = "adapter",
     .help = "bottleneck beside the site: scale * up(gelu(down(h)))",
     .sites = ON_ATTN | ON_MLP,
     .prepare = lae_adapter_prepare,
     .declare = lae_adapter_declare,
     .init = lae_adapter_init,
     .saved = lae_adapter_saved,
     .scratch = lae_adapter_scratch,
     .forward = lae_adapter_forward,
     .backward = lae_adapter_backward,
     .flops = lae_bottleneck_flops,
     .input_flops = lae_bottleneck_input_flops},
    {.name = "conv_adapter",
     .help = "bottleneck with a convolution over the patch grid (Convpass)",
     .sites = ON_ATTN | ON_MLP,
     .prepare = lae_conv_adapter_prepare,
     .declare = lae_conv_adapter_declare,
     .init = lae_conv_adapter_init,
     .saved = lae_conv_adapter_saved,
     .scratch = lae_conv_adapter_scratch,
     .forward = lae_conv_adapter_forward,
     .backward = lae_conv_adapter_backward,
     .flops = lae_conv_adapter_flops,
     .input_flops = lae_bottleneck_input_flops},
    {.name = "lora",
     .help = "low-rank change of the key and value projections",
     .sites = ON_ATTN,
     .changes_attention = true,
     .prepare = lae_lora_prepare,
     .declare = lae_lora_declare,
     .init = lae_lora_init,
     .saved = lae_lora_saved,
     .scratch = lae_lora_scratch,
     .forward = lae_lora_forward,
     .backward = lae_lora_backward,
     .flops = lae_lora_flops,
     .input_flops = lae_lora_input_flops},
    {.name = "prefix",
     .help = "learned rows in front of keys and values",
     .sites = ON_ATTN,
     .changes_attention = true,
     .prepare = lae_prefix_prepare,
     .declare = lae_prefix_declare,
     .init = lae_prefix_init,
     .inserted = lae_prefix_inserted,
     .saved = lae_prefix_saved,
     .scratch = lae_prefix_scratch,
     .forward = lae_prefix_forward,
     .backward = lae_prefix_backward},
    {.name = NULL},
};

const struct lae_pet_type *lae_pet_types(void)
{
    return types;
}

const struct lae_pet_type *lae_pet_find(const char *name)
{
    for (const struct lae_pet_type *type = types; type->name != NULL; type++)
        if (strcmp(type->name, name) == 0) return type;
    return NULL;
}

/* ---- what the modules' files share ------------------------------------------------------- */

lae_status lae_pet_check_size(const char *site, const char *key, int value)
{
    if (value >= 1 && value <= LARGEST_SIZE) return NULL;
    return lae_bad_input("pet.%s.%s: %d is not a size; give 1 to %d", site, key, value,
                         LARGEST_SIZE);
}

lae_status lae_pet_declare(const struct lae_pet_module *module, struct lae_table *table,
                           const char *name, int rank, const size_t *shape)
{
    char path[128];
    snprintf(path, sizeof path, "blocks/%d/%s/%s/%s", module->block, site_names[module->site],
             module->type->name, name);
    return lae_table_add(table, path, rank, shape);
}

size_t lae_pet_tokens(const struct lae_pet_module *module)
{
    const struct lae_pet_dims *dims = &module->dims;
    return dims->prefix_rows + dims->grid_rows * dims->grid_cols;
}

void lae_pet_fill(const struct lae_pet_module *module, const struct lae_table *table, size_t which,
                  float value, float *theta)
{
    const struct lae_param *param = &table->items[module->first + which];
    for (size_t j = 0; j < param->count; j++)
        theta[param->offset + j] = value;
}

void lae_pet_fill_uniform(const struct lae_pet_module *module, const struct lae_table *table,
                          size_t which, unsigned long long seed, double low, double high,
                          float *theta)
{
    size_t index = module->first + which;
    const struct lae_param *param = &table->items[index];
    struct lae_random stream = lae_random_stream(seed, LAE_RANDOM_INIT, 0, 0, (uint32_t)index);
    for (size_t j = 0; j < param->count; j++)
        theta[param->offset + j] = (float)(low + (high - low) * lae_random_uniform(&stream, j));
}

/* ---- placing ----------------------------------------------------------------------------- */

static lae_status check_blocks(const struct lae_pet_options *options, int depth)
{
    for (int i = 0; i < options->block_count; i++) {
        int block = options->blocks[i];
        if (block < 0 || block >= depth)
            return lae_bad_input("pet.blocks: there is no block %d in this backbone; its depth is "
                                 "%d, so blocks are 0 to %d",
                                 block, depth, depth - 1);
        if (i > 0 && block <= options->blocks[i - 1])
            return lae_bad_input("pet.blocks: block %d comes after block %d; name each block once, "
                                 "in ascending order",
                                 block, options->blocks[i - 1]);
    }
    return NULL;
}

static lae_status check_site(const struct lae_pet_type *type, enum lae_site site, unsigned there)
{
    if ((there & 1u << site) == 0)
        return lae_bad_input("pet.%s.type: this backbone has no such site; leave it none",
                             site_names[site]);
    if ((type->sites & 1u << site) != 0) return NULL;
    char allowed[128] = "none";
    for (const struct lae_pet_type *other = types; other->name != NULL; other++) {
        if ((other->sites & 1u << site) == 0) continue;
        size_t used = strlen(allowed);
        snprintf(allowed + used, sizeof allowed - used, ", %s", other->name);
    }
    return lae_bad_input("pet.%s.type: %s cannot be placed here; choose one of %s",
                         site_names[site], type->name, allowed);
}

/* Appends one module and declares its tensors. */
static lae_status place(struct lae_pet *pet, const struct lae_pet_site_options *options,
                        const struct lae_pet_dims *dims, int block, enum lae_site site)
{
    struct lae_pet_module *module = &pet->modules[pet->count];
    *module = (struct lae_pet_module){
        .type = options->type,
        .options = *options,
        .dims = *dims,
        .block = block,
        .site = site,
        .first = pet->table.count,
        .offset = pet->table.total,
    };
    LAE_TRY(module->type->prepare(&module->options, dims, site_names[site]));
    LAE_TRY(module->type->declare(module, &pet->table));
    module->count = pet->table.total - module->offset;
    pet->count++;
    return NULL;
}

static lae_status place_all(struct lae_pet *pet, const struct lae_pet_options *options,
                            const struct lae_places *places)
{
    for (int i = 0; i < options->block_count; i++) {
        int block = options->blocks[i];
        for (int site = 0; site < LAE_SITES; site++)
            if (options->site[site].type != NULL)
                LAE_TRY(place(pet, &options->site[site], &places->dims[block], block,
                              (enum lae_site)site));
    }
    return NULL;
}

/* Also where no block has a module. */
static lae_status check_options(const struct lae_pet_options *options,
                                const struct lae_places *places)
{
    LAE_TRY(check_blocks(options, places->blocks));
    for (int site = 0; site < LAE_SITES; site++) {
        struct lae_pet_site_options at = options->site[site];
        if (at.type == NULL) continue;
        LAE_TRY(check_site(at.type, (enum lae_site)site, places->sites));
        LAE_TRY(at.type->prepare(&at, &places->dims[0], site_names[site]));
    }
    return NULL;
}

lae_status lae_pet_create(const struct lae_pet_options *options, const struct lae_places *places,
                          struct lae_pet *pet)
{
    *pet = (struct lae_pet){.first_block = places->blocks};
    LAE_TRY(check_options(options, places));
    size_t most = (size_t)options->block_count * LAE_SITES;
    pet->modules = calloc(most > 0 ? most : 1, sizeof *pet->modules);
    if (pet->modules == NULL)
        return lae_out_of_memory(most * sizeof *pet->modules, "the list of PET modules");
    lae_status status = place_all(pet, options, places);
    if (status != NULL) {
        lae_pet_free(pet);
        return status;
    }
    if (pet->count > 0) pet->first_block = pet->modules[0].block;
    return NULL;
}

void lae_pet_free(struct lae_pet *pet)
{
    lae_table_free(&pet->table);
    free(pet->modules);
    *pet = (struct lae_pet){0};
}

void lae_pet_init(const struct lae_pet *pet, unsigned long long seed, float *theta)
{
    for (size_t i = 0; i < pet->count; i++)
        pet->modules[i].type->init(&pet->modules[i], &pet->table, seed, theta);
}

const struct lae_pet_module *lae_pet_at(const struct lae_pet *pet, int block, enum lae_site site)
{
    for (size_t i = 0; i < pet->count; i++) {
        const struct lae_pet_module *module = &pet->modules[i];
        if (module->block == block && module->site == site) return module;
    }
    return NULL;
}

size_t lae_pet_inserted(const struct lae_pet *pet, int block)
{
    const struct lae_pet_module *module = lae_pet_at(pet, block, LAE_SITE_ATTN);
    bool inserts = module != NULL && module->type->inserted != NULL;
    return inserts ? module->type->inserted(module) : 0;
}
