/* What the modules' files share, and their functions for the table in pet.c. */
#ifndef LAE_PET_MODULE_H
#define LAE_PET_MODULE_H

#include "lae/pet/pet.h"

/* Checks a size option: an error that names pet.SITE.KEY unless 1 <= value <= 65536, which also
 * keeps every product of sizes far from overflow. */
lae_status lae_pet_check_size(const char *site, const char *key, int value) LAE_MUST_CHECK;

/* Appends the module's tensor `name` ("down/weight") to the table. */
lae_status lae_pet_declare(const struct lae_pet_module *module, struct lae_table *table,
                           const char *name, int rank, const size_t *shape) LAE_MUST_CHECK;

/* Tokens of the module's backbone, the class token included: N. */
size_t lae_pet_tokens(const struct lae_pet_module *module);

/* Sets the module's tensor number `which` (in the order declared) in theta, the whole vector: to
 * one value, or to numbers uniform in [low, high). */
void lae_pet_fill(const struct lae_pet_module *module, const struct lae_table *table, size_t which,
                  float value, float *theta);
void lae_pet_fill_uniform(const struct lae_pet_module *module, const struct lae_table *table,
                          size_t which, unsigned long long seed, double low, double high,
                          float *theta);

/* ---- adapter.c */
lae_status lae_adapter_prepare(struct lae_pet_site_options *options,
                               const struct lae_pet_dims *dims, const char *site);
lae_status lae_adapter_declare(const struct lae_pet_module *module, struct lae_table *table);
void lae_adapter_init(const struct lae_pet_module *module, const struct lae_table *table,
                      unsigned long long seed, float *theta);
size_t lae_adapter_saved(const struct lae_pet_module *module);
size_t lae_adapter_scratch(const struct lae_pet_module *module);
void lae_adapter_forward(const struct lae_pet_module *module, const float *theta,
                         const struct lae_pet_io *io);
void lae_adapter_backward(const struct lae_pet_module *module, const float *theta,
                          const struct lae_pet_io *io, float *gradient, float *dh);

/* ---- conv_adapter.c */
lae_status lae_conv_adapter_prepare(struct lae_pet_site_options *options,
                                    const struct lae_pet_dims *dims, const char *site);
lae_status lae_conv_adapter_declare(const struct lae_pet_module *module, struct lae_table *table);
void lae_conv_adapter_init(const struct lae_pet_module *module, const struct lae_table *table,
                           unsigned long long seed, float *theta);
size_t lae_conv_adapter_saved(const struct lae_pet_module *module);
size_t lae_conv_adapter_scratch(const struct lae_pet_module *module);
void lae_conv_adapter_forward(const struct lae_pet_module *module, const float *theta,
                              const struct lae_pet_io *io);
void lae_conv_adapter_backward(const struct lae_pet_module *module, const float *theta,
                               const struct lae_pet_io *io, float *gradient, float *dh);
double lae_conv_adapter_flops(const struct lae_pet_module *module, size_t rows);

/* ---- lora.c */
lae_status lae_lora_prepare(struct lae_pet_site_options *options, const struct lae_pet_dims *dims,
                            const char *site);
lae_status lae_lora_declare(const struct lae_pet_module *module, struct lae_table *table);
void lae_lora_init(const struct lae_pet_module *module, const struct lae_table *table,
                   unsigned long long seed, float *theta);
size_t lae_lora_saved(const struct lae_pet_module *module);
size_t lae_lora_scratch(const struct lae_pet_module *module);
void lae_lora_forward(const struct lae_pet_module *module, const float *theta,
                      const struct lae_pet_io *io);
void lae_lora_backward(const struct lae_pet_module *module, const float *theta,
                       const struct lae_pet_io *io, float *gradient, float *dh);
double lae_lora_flops(const struct lae_pet_module *module, size_t rows);
double lae_lora_input_flops(const struct lae_pet_module *module, size_t rows);

/* ---- prefix.c */
lae_status lae_prefix_prepare(struct lae_pet_site_options *options, const struct lae_pet_dims *dims,
                              const char *site);
lae_status lae_prefix_declare(const struct lae_pet_module *module, struct lae_table *table);
void lae_prefix_init(const struct lae_pet_module *module, const struct lae_table *table,
                     unsigned long long seed, float *theta);
size_t lae_prefix_inserted(const struct lae_pet_module *module);
size_t lae_prefix_saved(const struct lae_pet_module *module);
size_t lae_prefix_scratch(const struct lae_pet_module *module);
void lae_prefix_forward(const struct lae_pet_module *module, const float *theta,
                        const struct lae_pet_io *io);
void lae_prefix_backward(const struct lae_pet_module *module, const float *theta,
                         const struct lae_pet_io *io, float *gradient, float *dh);

#endif
