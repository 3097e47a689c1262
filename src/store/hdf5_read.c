/* Reading HDF5 that may hold anything: what is structurally valid may still lack objects, have
 * other types, or claim huge extents without data behind them. */
#include "hdf5_local.h"
#include "hdf5_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool lae_hdf5_local_has(struct lae_hdf5 *file, const char *name)
{
    return H5Lexists(file->id, name, H5P_DEFAULT) > 0;
}

bool lae_hdf5_local_has_attribute(struct lae_hdf5 *file, const char *object, const char *attribute)
{
    return H5Aexists_by_name(file->id, lae_hdf5_object(object), attribute, H5P_DEFAULT) > 0;
}

/* Takes the bytes that an object (of that name in messages) claims from those the file has. */
static lae_status claim(struct lae_hdf5 *file, const char *name, hsize_t bytes)
{
    if (bytes <= file->unread) {
        file->unread -= bytes;
        return NULL;
    }
    return lae_bad_input("%s: /%s: claims %llu bytes; the file has %llu left", file->path, name,
                         (unsigned long long)bytes, (unsigned long long)file->unread);
}

/* Whether the dataset's values are in this file, and no chunk of them (HDF5 reads whole ones) is
 * larger than what is stored can be. */
static bool is_stored_here(hid_t dataset)
{
    hsize_t extents[H5S_MAX_RANK] = {0};
    size_t shape[H5S_MAX_RANK];
    hid_t creation = H5Dget_create_plist(dataset), type = H5Dget_type(dataset);
    size_t element = H5Tget_size(type);
    H5D_layout_t layout = H5Pget_layout(creation);
    bool known = layout == H5D_COMPACT || layout == H5D_CONTIGUOUS || layout == H5D_CHUNKED;
    bool external = H5Pget_external_count(creation) != 0;
    int rank = layout == H5D_CHUNKED ? H5Pget_chunk(creation, H5S_MAX_RANK, extents) : 0;
    H5Tclose(type);
    H5Pclose(creation);
    for (int i = 0; i < rank; i++)
        shape[i] = (size_t)extents[i];
    if (!known || external || rank < 0 || element == 0) return false;
    if (rank == 0) return true;
    size_t chunk = lae_shape_count(rank, shape);
    hsize_t storage = H5Dget_storage_size(dataset); /* 0: nothing is known yet, no chunk is there */
    return storage == 0 ||
           (chunk <= SIZE_MAX / element && chunk * element / LAE_HDF5_MAX_COMPRESSION <= storage);
}

/* ---- datasets ---- */

static lae_status open_dataset(struct lae_hdf5 *file, const char *name, hid_t *dataset)
{
    LAE_TRY(lae_hdf5_check_links(file, name));
    *dataset = H5Dopen2(file->id, name, H5P_DEFAULT);
    if (*dataset >= 0) return NULL;
    return lae_hdf5_fault(LAE_BAD_INPUT, file, "/%s: cannot be opened as a dataset", name);
}

static size_t size_of(enum lae_hdf5_type type)
{
    return type == LAE_HDF5_DOUBLE ? sizeof(double) : sizeof(float);
}

static hid_t native_type(enum lae_hdf5_type type)
{
    if (type == LAE_HDF5_FLOAT) return H5T_NATIVE_FLOAT;
    return type == LAE_HDF5_DOUBLE ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT32;
}

static const char *type_name(enum lae_hdf5_type type)
{
    static const char *const names[] = {"32-bit float", "32- or 64-bit float", "32-bit integer"};
    return names[type];
}

/* Either byte order will do. */
static bool has_type(hid_t dataset, enum lae_hdf5_type type)
{
    hid_t stored = H5Dget_type(dataset);
    H5T_class_t class = H5Tget_class(stored);
    size_t size = H5Tget_size(stored);
    bool fits = class == (type == LAE_HDF5_INT32 ? H5T_INTEGER : H5T_FLOAT) &&
                (size == 4 || (type == LAE_HDF5_DOUBLE && size == 8));
    if (type == LAE_HDF5_INT32 && fits) fits = H5Tget_sign(stored) == H5T_SGN_2;
    H5Tclose(stored);
    return fits;
}

static lae_status get_shape(struct lae_hdf5 *file, const char *name, hid_t dataset, int *rank,
                            size_t shape[LAE_MAX_RANK])
{
    hsize_t extents[H5S_MAX_RANK] = {0};
    hid_t space = H5Dget_space(dataset);
    bool null = H5Sget_simple_extent_type(space) == H5S_NULL;
    *rank = H5Sget_simple_extent_dims(space, extents, NULL);
    H5Sclose(space);
    if (*rank < 0 || *rank > LAE_MAX_RANK)
        return lae_bad_input("%s: /%s: has %d dimensions, more than %d", file->path, name, *rank,
                             LAE_MAX_RANK);
    for (int i = 0; i < *rank; i++) {
        shape[i] = (size_t)extents[i];
        null = null || extents[i] == 0;
    }
    if (null) return lae_bad_input("%s: /%s: is empty", file->path, name);
    return NULL;
}

/* Errors: `count` values, all of the shape or a part, are more than the bytes stored can be. */
static lae_status check_storage(struct lae_hdf5 *file, const char *name, hid_t dataset,
                                enum lae_hdf5_type type, size_t count, int rank,
                                const size_t *shape)
{
    char text[LAE_SHAPE_TEXT];
    hsize_t storage = H5Dget_storage_size(dataset);
    bool backed =
        count <= SIZE_MAX / 16 && count * size_of(type) / LAE_HDF5_MAX_COMPRESSION <= storage;
    if (backed && (storage > 0 || count == 0)) return NULL;
    return lae_bad_input("%s: /%s: claims shape %s, but %llu bytes are stored", file->path, name,
                         lae_shape_text(rank, shape, text), (unsigned long long)storage);
}

/* Type, shape and place of an open dataset. */
static lae_status inspect(struct lae_hdf5 *file, const char *name, hid_t dataset,
                          enum lae_hdf5_type type, int *rank, size_t shape[LAE_MAX_RANK])
{
    if (!has_type(dataset, type))
        return lae_bad_input("%s: /%s: is not of %s type", file->path, name, type_name(type));
    LAE_TRY(get_shape(file, name, dataset, rank, shape));
    if (!is_stored_here(dataset))
        return lae_bad_input("%s: /%s: its values are not in this file", file->path, name);
    return NULL;
}

lae_status lae_hdf5_local_extents(struct lae_hdf5 *file, const char *name, enum lae_hdf5_type type,
                                  int *rank, size_t shape[LAE_MAX_RANK])
{
    hid_t dataset;
    LAE_TRY(open_dataset(file, name, &dataset));
    lae_status status = inspect(file, name, dataset, type, rank, shape);
    H5Dclose(dataset);
    return status;
}

lae_status lae_hdf5_local_shape(struct lae_hdf5 *file, const char *name, enum lae_hdf5_type type,
                                int *rank, size_t shape[LAE_MAX_RANK])
{
    hid_t dataset;
    LAE_TRY(open_dataset(file, name, &dataset));
    lae_status status = inspect(file, name, dataset, type, rank, shape);
    if (status == NULL)
        status =
            check_storage(file, name, dataset, type, lae_shape_count(*rank, shape), *rank, shape);
    H5Dclose(dataset);
    return status;
}

lae_status lae_hdf5_local_read(struct lae_hdf5 *file, const char *name, enum lae_hdf5_type type,
                               size_t count, void *values)
{
    hid_t dataset;
    int rank;
    size_t shape[LAE_MAX_RANK];
    LAE_TRY(open_dataset(file, name, &dataset));
    lae_status status = inspect(file, name, dataset, type, &rank, shape);
    if (status == NULL && lae_shape_count(rank, shape) != count)
        status = lae_bad_input("%s: /%s: has %zu entries, %zu are wanted", file->path, name,
                               lae_shape_count(rank, shape), count);
    if (status == NULL) status = check_storage(file, name, dataset, type, count, rank, shape);
    if (status == NULL) status = claim(file, name, H5Dget_storage_size(dataset));
    if (status == NULL &&
        H5Dread(dataset, native_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        status = lae_hdf5_fault(LAE_BAD_INPUT, file, "/%s: cannot be read", name);
    H5Dclose(dataset);
    return status;
}

/* ---- parts of matrices ---- */

/* Opens a matrix [rows, columns] of which `count` values are to be read. */
static lae_status open_matrix(struct lae_hdf5 *file, const char *name, enum lae_hdf5_type type,
                              const size_t wanted[2], size_t count, hid_t *dataset)
{
    int rank;
    size_t shape[LAE_MAX_RANK];
    char texts[2][LAE_SHAPE_TEXT];
    LAE_TRY(open_dataset(file, name, dataset));
    lae_status status = inspect(file, name, *dataset, type, &rank, shape);
    if (status == NULL && (rank != 2 || shape[0] != wanted[0] || shape[1] != wanted[1]))
        status = lae_bad_input("%s: /%s: has shape %s; %s is wanted", file->path, name,
                               lae_shape_text(rank, shape, texts[0]),
                               lae_shape_text(2, wanted, texts[1]));
    if (status == NULL) status = check_storage(file, name, *dataset, type, count, rank, shape);
    if (status == NULL) status = claim(file, name, H5Dget_storage_size(*dataset));
    if (status != NULL) H5Dclose(*dataset);
    return status;
}

static lae_status read_blocks(struct lae_hdf5 *file, const char *name, hid_t dataset, size_t rows,
                              double *triangle)
{
    lae_status status = NULL;
    double *values = NULL;
    for (size_t first = 0; first < rows && status == NULL;) {
        struct block block = lae_hdf5_triangle_block(first, rows);
        size_t size = block.rows * block.columns * sizeof *values;
        double *grown = realloc(values, size);
        if (grown == NULL) status = lae_out_of_memory(size, name);
        values = grown != NULL ? grown : values;
        if (status == NULL && lae_hdf5_read_block(&block, dataset, H5T_NATIVE_DOUBLE, values) < 0)
            status = lae_hdf5_fault(LAE_BAD_INPUT, file, "/%s: cannot be read", name);
        for (size_t i = 0; i < block.rows && status == NULL; i++, first++) {
            memcpy(triangle, values + i * block.columns, (first + 1) * sizeof *triangle);
            triangle += first + 1;
        }
    }
    free(values);
    return status;
}

lae_status lae_hdf5_local_read_triangle(struct lae_hdf5 *file, const char *name, size_t size,
                                        size_t rows, double *values)
{
    hid_t dataset;
    const size_t shape[2] = {size, size};
    size_t count = rows < UINT32_MAX ? rows * (rows + 1) / 2 : SIZE_MAX;
    LAE_TRY(open_matrix(file, name, LAE_HDF5_DOUBLE, shape, count, &dataset));
    lae_status status = read_blocks(file, name, dataset, rows, values);
    H5Dclose(dataset);
    return status;
}

lae_status lae_hdf5_local_read_rows(struct lae_hdf5 *file, const char *name, size_t rows,
                                    size_t columns, size_t known, float *values)
{
    hid_t dataset;
    const size_t shape[2] = {rows, columns};
    const struct block block = {.rows = known, .columns = columns};
    size_t count = columns == 0 || known <= SIZE_MAX / columns ? known * columns : SIZE_MAX;
    LAE_TRY(open_matrix(file, name, LAE_HDF5_FLOAT, shape, count, &dataset));
    lae_status status = NULL;
    if (known > 0 && lae_hdf5_read_block(&block, dataset, H5T_NATIVE_FLOAT, values) < 0)
        status = lae_hdf5_fault(LAE_BAD_INPUT, file, "/%s: cannot be read", name);
    H5Dclose(dataset);
    return status;
}

/* ---- single values: attributes, and datasets of one string ---- */

struct single {
    hid_t id, type;
    bool is_attribute;
    char label[512]; /* for messages */
};

static void close_single(struct single *single)
{
    if (single->type >= 0) H5Tclose(single->type);
    if (single->id >= 0 && single->is_attribute) H5Aclose(single->id);
    if (single->id >= 0 && !single->is_attribute) H5Dclose(single->id);
}

static lae_status check_single(struct lae_hdf5 *file, struct single *single)
{
    hid_t space = single->is_attribute ? H5Aget_space(single->id) : H5Dget_space(single->id);
    hssize_t count = H5Sget_simple_extent_npoints(space);
    H5Sclose(space);
    single->type = single->is_attribute ? H5Aget_type(single->id) : H5Dget_type(single->id);
    if (count != 1 || single->type < 0)
        return lae_bad_input("%s: %s: is not a single value", file->path, single->label);
    if (single->is_attribute || is_stored_here(single->id)) return NULL;
    return lae_bad_input("%s: %s: its value is not in this file", file->path, single->label);
}

static lae_status open_single(struct lae_hdf5 *file, const char *object, const char *attribute,
                              struct single *single)
{
    *single = (struct single){.id = -1, .type = -1, .is_attribute = attribute != NULL};
    LAE_TRY(lae_hdf5_check_links(file, object));
    if (single->is_attribute) {
        snprintf(single->label, sizeof single->label, "/%s: attribute %s", object, attribute);
        single->id =
            H5Aopen_by_name(file->id, lae_hdf5_object(object), attribute, H5P_DEFAULT, H5P_DEFAULT);
    } else {
        snprintf(single->label, sizeof single->label, "/%s", object);
        single->id = H5Dopen2(file->id, object, H5P_DEFAULT);
    }
    if (single->id < 0)
        return lae_hdf5_fault(LAE_BAD_INPUT, file, "%s: cannot be opened", single->label);
    lae_status status = check_single(file, single);
    if (status != NULL) close_single(single);
    return status;
}

static lae_status read_single(struct lae_hdf5 *file, const struct single *single, hid_t type,
                              void *value)
{
    herr_t result = single->is_attribute
                        ? H5Aread(single->id, type, value)
                        : H5Dread(single->id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value);
    if (result >= 0) return NULL;
    return lae_hdf5_fault(LAE_BAD_INPUT, file, "%s: cannot be read", single->label);
}

/* The type of a string in memory: `size` bytes, or H5T_VARIABLE, in the file's character set. */
static hid_t memory_string(const struct single *single, size_t size)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size);
    H5Tset_cset(type, H5Tget_cset(single->type));
    return type;
}

static lae_status read_variable(struct lae_hdf5 *file, const struct single *single, char **text)
{
    char *found = NULL; /* HDF5's memory; stays NULL for an empty string */
    hid_t type = memory_string(single, H5T_VARIABLE);
    lae_status status = read_single(file, single, type, &found);
    H5Tclose(type);
    if (status != NULL) return status;
    status = claim(file, single->label + 1, found == NULL ? 0 : strlen(found));
    if (status == NULL) *text = strdup(found == NULL ? "" : found);
    if (status == NULL && *text == NULL) status = lae_out_of_memory(1, single->label);
    H5free_memory(found);
    return status;
}

static lae_status read_fixed(struct lae_hdf5 *file, const struct single *single, char **text)
{
    size_t size = H5Tget_size(single->type);
    if (!single->is_attribute && H5Dget_storage_size(single->id) < size)
        return lae_bad_input("%s: %s: claims a string of %zu bytes", file->path, single->label,
                             size);
    LAE_TRY(claim(file, single->label + 1, size));
    *text = calloc(size + 1, 1);
    if (*text == NULL) return lae_out_of_memory(size, single->label);
    hid_t type = memory_string(single, size + 1);
    lae_status status = read_single(file, single, type, *text);
    H5Tclose(type);
    if (status == NULL) return NULL;
    free(*text);
    *text = NULL;
    return status;
}

static lae_status read_string(struct lae_hdf5 *file, const char *object, const char *attribute,
                              char **text)
{
    struct single single;
    *text = NULL;
    LAE_TRY(open_single(file, object, attribute, &single));
    lae_status status;
    if (H5Tget_class(single.type) != H5T_STRING)
        status = lae_bad_input("%s: %s: is not a string", file->path, single.label);
    else if (H5Tis_variable_str(single.type) > 0)
        status = read_variable(file, &single, text);
    else
        status = read_fixed(file, &single, text);
    close_single(&single);
    return status;
}

lae_status lae_hdf5_local_read_text(struct lae_hdf5 *file, const char *name, char **text)
{
    return read_string(file, name, NULL, text);
}

lae_status lae_hdf5_local_get_text(struct lae_hdf5 *file, const char *object, const char *attribute,
                                   char **value)
{
    return read_string(file, object, attribute, value);
}

lae_status lae_hdf5_local_get_int(struct lae_hdf5 *file, const char *object, const char *attribute,
                                  int32_t *value)
{
    struct single single;
    int64_t wide = 0;
    LAE_TRY(open_single(file, object, attribute, &single));
    lae_status status = NULL;
    if (H5Tget_class(single.type) != H5T_INTEGER)
        status = lae_bad_input("%s: %s: is not an integer", file->path, single.label);
    if (status == NULL) status = read_single(file, &single, H5T_NATIVE_INT64, &wide);
    if (status == NULL && (wide < INT32_MIN || wide > INT32_MAX))
        status = lae_bad_input("%s: %s: is out of range", file->path, single.label);
    close_single(&single);
    *value = (int32_t)wide;
    return status;
}

lae_status lae_hdf5_local_get_double(struct lae_hdf5 *file, const char *object,
                                     const char *attribute, double *value)
{
    struct single single;
    LAE_TRY(open_single(file, object, attribute, &single));
    H5T_class_t class = H5Tget_class(single.type);
    lae_status status = NULL;
    if (class != H5T_FLOAT && class != H5T_INTEGER)
        status = lae_bad_input("%s: %s: is not a number", file->path, single.label);
    if (status == NULL) status = read_single(file, &single, H5T_NATIVE_DOUBLE, value);
    close_single(&single);
    return status;
}

lae_status lae_hdf5_local_attribute_is_text(struct lae_hdf5 *file, const char *object,
                                            const char *attribute, bool *text)
{
    struct single single;
    LAE_TRY(open_single(file, object, attribute, &single));
    *text = H5Tget_class(single.type) == H5T_STRING;
    close_single(&single);
    return NULL;
}
