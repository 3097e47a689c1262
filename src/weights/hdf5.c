#include "hdf5.h"

#include "lae/base/arena.h"
#include "lae/store/hdf5.h"

#include <stdlib.h>

#define FORMAT "lae-weights"
enum { NEWEST = 1 };

/* Called for every object of the file. */
static lae_status read_object(struct lae_hdf5 *hdf5, const char *name, bool is_group, void *context)
{
    struct lae_raw_file *file = context;
    if (is_group) return NULL;
    struct lae_raw raw = {.name = (char *)name, .element = LAE_F32};
    size_t bytes = 0;
    LAE_TRY(lae_hdf5_shape(hdf5, name, LAE_HDF5_FLOAT, &raw.rank, raw.shape));
    LAE_TRY(lae_status_prefix(lae_weights_raw_measure(&raw, &bytes), "%s: tensor %s", hdf5->path,
                              name));
    float *values = lae_aligned_calloc(raw.count, sizeof *values);
    if (values == NULL) return lae_out_of_memory(bytes, name);
    LAE_TRY(lae_weights_raw_own(&raw, values));
    lae_status status = lae_hdf5_read(hdf5, name, LAE_HDF5_FLOAT, raw.count, values);
    if (status == NULL) return lae_weights_raw_add(file, &raw);
    lae_weights_raw_release(&raw);
    return status;
}

static lae_status read_pixels(struct lae_hdf5 *hdf5, struct lae_pixels *pixels)
{
    char *text = NULL;
    if (!lae_hdf5_has_attribute(hdf5, "", "pixels")) return NULL;
    LAE_TRY(lae_hdf5_get_text(hdf5, "", "pixels", &text));
    json_t *object = json_loads(text, 0, NULL);
    lae_weights_pixels_take(pixels, json_object_get(object, "mean"), json_object_get(object, "std"),
                            "the file");
    json_decref(object);
    free(text);
    return NULL;
}

static lae_status read_facts(struct lae_hdf5 *hdf5, struct lae_facts *facts)
{
    double eps;
    int32_t heads;
    LAE_TRY(lae_hdf5_get_double(hdf5, "", "layer_norm_eps", &eps));
    LAE_TRY(lae_hdf5_get_int(hdf5, "", "heads", &heads));
    LAE_TRY(read_pixels(hdf5, &facts->pixels));
    return lae_status_prefix(lae_weights_facts_set(facts, eps, heads), "%s", hdf5->path);
}

lae_status lae_weights_hdf5_read(const char *path, struct lae_log *log, struct lae_raw_file *file)
{
    struct lae_hdf5 hdf5;
    LAE_TRY(lae_hdf5_open(path, FORMAT, NEWEST, log, &hdf5));
    lae_status status = read_facts(&hdf5, &file->facts);
    if (status == NULL) status = lae_hdf5_walk(&hdf5, "", read_object, file);
    lae_hdf5_close(&hdf5);
    return status;
}

static lae_status write_pixels(struct lae_hdf5 *hdf5, const struct lae_pixels *pixels)
{
    if (!pixels->known) return NULL;
    char *text = lae_weights_pixels_text(pixels);
    if (text == NULL) return lae_out_of_memory(256, "an attribute");
    lae_status status = lae_hdf5_put_text(hdf5, "", "pixels", text);
    free(text);
    return status;
}

static lae_status write_content(struct lae_hdf5 *hdf5, const struct lae_weights *weights)
{
    LAE_TRY(lae_hdf5_put_double(hdf5, "", "layer_norm_eps", weights->layer_norm_eps));
    LAE_TRY(lae_hdf5_put_int(hdf5, "", "heads", weights->heads));
    if (weights->digest[0] != '\0')
        LAE_TRY(lae_hdf5_put_text(hdf5, "", "source_sha256", weights->digest));
    LAE_TRY(write_pixels(hdf5, &weights->pixels));
    return lae_hdf5_write_set(hdf5, "", &weights->tensors);
}

lae_status lae_weights_hdf5_write(const char *path, const struct lae_weights *weights)
{
    struct lae_hdf5 hdf5;
    LAE_TRY(lae_hdf5_create(path, FORMAT, NEWEST, &hdf5));
    lae_status status = write_content(&hdf5, weights);
    if (status == NULL) status = lae_hdf5_commit(&hdf5);
    lae_hdf5_close(&hdf5);
    return status;
}
