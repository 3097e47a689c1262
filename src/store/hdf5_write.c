#include "hdf5_file.h"

#include <stdio.h>
#include <string.h>

#define SMALL ((hsize_t)8 << 10)      /* bytes that are kept in a dataset's header */
#define SMALL_LIST ((hsize_t)2 << 10) /* the same of a list that can be packed */
#define CHUNK ((hsize_t)16 << 10)     /* values of such a list that are packed at a time */

static hid_t string_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

/* Without the time, which would make equal contents differ; of a few links, which most have. */
static hid_t group_properties(void)
{
    hid_t properties = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(properties, false);
    H5Pset_est_link_info(properties, 2, 6);
    return properties;
}

static lae_status make_one_group(struct lae_hdf5 *file, const char *name)
{
    hid_t properties = group_properties();
    hid_t group = H5Gcreate2(file->id, name, H5P_DEFAULT, properties, H5P_DEFAULT);
    H5Pclose(properties);
    if (group < 0) return lae_hdf5_fault(LAE_FAILED, file, "/%s: cannot be made", name);
    H5Gclose(group);
    return NULL;
}

lae_status lae_hdf5_make_way(struct lae_hdf5 *file, const char *name)
{
    for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        char group[LAE_HDF5_NAME];
        snprintf(group, sizeof group, "%.*s", (int)(slash - name), name);
        if (!lae_hdf5_has(file, group)) LAE_TRY(make_one_group(file, group));
    }
    return NULL;
}

lae_status lae_hdf5_make_group(struct lae_hdf5 *file, const char *name)
{
    LAE_TRY(lae_hdf5_make_way(file, name));
    return make_one_group(file, name);
}

/* ---- datasets ---- */

hid_t lae_hdf5_dataset_properties(void)
{
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(properties, false);
#if H5_VERSION_GE(1, 10, 5)
    H5Pset_dset_no_attrs_hint(properties, true); /* else there is room for some */
#endif
    return properties;
}

static hid_t make_space(int rank, const size_t *shape)
{
    if (rank == 0) return H5Screate(H5S_SCALAR);
    hsize_t extents[LAE_MAX_RANK];
    for (int i = 0; i < rank; i++)
        extents[i] = shape[i];
    return H5Screate_simple(rank, extents, NULL);
}

/* Small values are in the dataset's header. Numbers of tasks or classes, often mostly one value, are
 * packed; floats are hardly worth the time. */
static hid_t properties_for(hid_t stored, hid_t space)
{
    hid_t properties = lae_hdf5_dataset_properties();
    hsize_t values = (hsize_t)H5Sget_simple_extent_npoints(space);
    hsize_t bytes = values * H5Tget_size(stored), chunk = values < CHUNK ? values : CHUNK;
    bool list = H5Sget_simple_extent_ndims(space) == 1 && H5Tequal(stored, H5T_IEEE_F32LE) <= 0;
    if (bytes <= (list ? SMALL_LIST : SMALL)) {
        H5Pset_layout(properties, H5D_COMPACT);
    } else if (list && H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0) {
        H5Pset_chunk(properties, 1, &chunk);
        H5Pset_shuffle(properties);
        H5Pset_deflate(properties, LAE_HDF5_DEFLATE);
    }
    return properties;
}

/* `stored`: the type in the file; `type`: that of the values in memory. */
static lae_status write_dataset(struct lae_hdf5 *file, const char *name, hid_t stored, hid_t type,
                                hid_t space, const void *values)
{
    LAE_TRY(lae_hdf5_make_way(file, name));
    hid_t creation = properties_for(stored, space);
    hid_t dataset = H5Dcreate2(file->id, name, stored, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    lae_status status = NULL;
    if (dataset < 0 || H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        status = lae_hdf5_fault(LAE_FAILED, file, "/%s: cannot be written", name);
    if (dataset >= 0) H5Dclose(dataset);
    H5Pclose(creation);
    return status;
}

static lae_status write_array(struct lae_hdf5 *file, const char *name, int rank,
                              const size_t *shape, hid_t stored, hid_t type, const void *values)
{
    hid_t space = make_space(rank, shape);
    if (space < 0) return lae_hdf5_fault(LAE_FAILED, file, "/%s: cannot be shaped", name);
    lae_status status = write_dataset(file, name, stored, type, space, values);
    H5Sclose(space);
    return status;
}

lae_status lae_hdf5_write_float(struct lae_hdf5 *file, const char *name, int rank,
                                const size_t *shape, const float *values)
{
    return write_array(file, name, rank, shape, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, values);
}

lae_status lae_hdf5_write_double(struct lae_hdf5 *file, const char *name, int rank,
                                 const size_t *shape, const double *values)
{
    return write_array(file, name, rank, shape, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, values);
}

lae_status lae_hdf5_write_int32(struct lae_hdf5 *file, const char *name, int rank,
                                const size_t *shape, const int32_t *values)
{
    return write_array(file, name, rank, shape, H5T_STD_I32LE, H5T_NATIVE_INT32, values);
}

lae_status lae_hdf5_write_text(struct lae_hdf5 *file, const char *name, const char *text)
{
    hid_t type = string_type();
    lae_status status = write_array(file, name, 0, NULL, type, type, &text);
    H5Tclose(type);
    return status;
}

lae_status lae_hdf5_write_set(struct lae_hdf5 *file, const char *group, const struct lae_set *set)
{
    if (group[0] != '\0') LAE_TRY(lae_hdf5_make_group(file, group));
    for (size_t i = 0; i < set->count; i++) {
        const struct lae_named *item = &set->items[i];
        char name[LAE_HDF5_NAME];
        LAE_TRY(lae_hdf5_join(name, group, item->name));
        LAE_TRY(lae_hdf5_write_float(file, name, item->rank, item->shape, item->data));
    }
    return NULL;
}

lae_status lae_hdf5_write_link(struct lae_hdf5 *file, const char *name, const char *target,
                               const char *object)
{
    if (H5Lcreate_external(target, object, file->id, name, H5P_DEFAULT, H5P_DEFAULT) >= 0)
        return NULL;
    return lae_hdf5_fault(LAE_FAILED, file, "/%s: cannot link to %s", name, target);
}

lae_status lae_hdf5_write_name(struct lae_hdf5 *file, const char *name, const char *object)
{
    LAE_TRY(lae_hdf5_make_way(file, name));
    if (H5Lcreate_hard(file->id, object, file->id, name, H5P_DEFAULT, H5P_DEFAULT) >= 0)
        return NULL;
    return lae_hdf5_fault(LAE_FAILED, file, "/%s: cannot be a name of /%s", name, object);
}

/* ---- attributes ---- */

/* rank 0: a single value. */
static lae_status put_array(struct lae_hdf5 *file, const char *object, const char *attribute,
                            int rank, const size_t *shape, hid_t stored, hid_t type,
                            const void *value)
{
    hid_t space = make_space(rank, shape);
    hid_t id = H5Acreate_by_name(file->id, lae_hdf5_object(object), attribute, stored, space,
                                 H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    lae_status status = NULL;
    if (id < 0 || H5Awrite(id, type, value) < 0)
        status = lae_hdf5_fault(LAE_FAILED, file, "/%s: attribute %s cannot be written", object,
                                attribute);
    if (id >= 0) H5Aclose(id);
    H5Sclose(space);
    return status;
}

static lae_status put(struct lae_hdf5 *file, const char *object, const char *attribute,
                      hid_t stored, hid_t type, const void *value)
{
    return put_array(file, object, attribute, 0, NULL, stored, type, value);
}

lae_status lae_hdf5_put_ints(struct lae_hdf5 *file, const char *object, const char *attribute,
                             size_t count, const int32_t *values)
{
    return put_array(file, object, attribute, 1, &count, H5T_STD_I32LE, H5T_NATIVE_INT32, values);
}

lae_status lae_hdf5_put_int(struct lae_hdf5 *file, const char *object, const char *attribute,
                            int32_t value)
{
    return put(file, object, attribute, H5T_STD_I32LE, H5T_NATIVE_INT32, &value);
}

lae_status lae_hdf5_put_double(struct lae_hdf5 *file, const char *object, const char *attribute,
                               double value)
{
    return put(file, object, attribute, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
}

lae_status lae_hdf5_put_text(struct lae_hdf5 *file, const char *object, const char *attribute,
                             const char *value)
{
    hid_t type = string_type();
    lae_status status = put(file, object, attribute, type, type, &value);
    H5Tclose(type);
    return status;
}
