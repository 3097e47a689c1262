#include "weights_hdf5.h"

#include "hdf5_file.h"
#include "lae/base/arena.h"

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
    LAE_TRY(lae_status_prefix(lae_raw_measure(&raw, &bytes), "%s: tensor %s", hdf5->path, name));
    raw.owned = lae_aligned_calloc(raw.count, sizeof(float));
    if (raw.owned == NULL) return lae_out_of_memory(bytes, name);
    raw.bytes = raw.owned;
    lae_status status = lae_hdf5_read(hdf5, name, LAE_HDF5_FLOAT, raw.count, raw.owned);
    if (status == NULL) return lae_raw_add(file, &raw);
    free(raw.owned);
    return status;
}

static lae_status read_facts(struct lae_hdf5 *hdf5, struct lae_raw_file *file)
{
    double eps;
    int32_t heads;
    LAE_TRY(lae_hdf5_get_double(hdf5, "", "layer_norm_eps", &eps));
    LAE_TRY(lae_hdf5_get_int(hdf5, "", "heads", &heads));
    return lae_status_prefix(lae_raw_set_facts(file, eps, heads), "%s", hdf5->path);
}

lae_status lae_weights_hdf5_read(const char *path, struct lae_log *log, struct lae_raw_file *file)
{
    struct lae_hdf5 hdf5;
    LAE_TRY(lae_hdf5_open(path, FORMAT, NEWEST, log, &hdf5));
    lae_status status = read_facts(&hdf5, file);
    if (status == NULL) status = lae_hdf5_walk(&hdf5, "", read_object, file);
    lae_hdf5_close(&hdf5);
    return status;
}

static lae_status write_content(struct lae_hdf5 *hdf5, const struct lae_set *tensors, double eps,
                                int heads)
{
    LAE_TRY(lae_hdf5_put_double(hdf5, "", "layer_norm_eps", eps));
    LAE_TRY(lae_hdf5_put_int(hdf5, "", "heads", heads));
    return lae_hdf5_write_set(hdf5, "", tensors);
}

lae_status lae_weights_hdf5_write(const char *path, const struct lae_set *tensors, double eps,
                                  int heads)
{
    struct lae_hdf5 hdf5;
    LAE_TRY(lae_hdf5_create(path, FORMAT, NEWEST, &hdf5));
    lae_status status = write_content(&hdf5, tensors, eps, heads);
    if (status == NULL) status = lae_hdf5_commit(&hdf5);
    lae_hdf5_close(&hdf5);
    return status;
}
