/* Matrices of which a part is known: a row for each task, or for each class seen.
 *
 * What is small is stored as a whole. Of what is large only the known part is stored, in chunks
 * that deflate packs: values in a chunk's column change seldom from row to row. For HDF5's tools
 * and h5py either is a dataset like any other, the rest of it being the fill value.
 */
#include "hdf5_part.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN ((size_t)16 << 10) /* bytes of a matrix that is stored as a whole */
#define CHUNK ((size_t)64 << 10) /* bytes of a chunk */

enum { CHUNK_COLUMNS = 64 }; /* of a triangle */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* `unknown`: the value of what is not written. */
static hid_t chunked(hid_t type, size_t rows, size_t columns, const void *unknown)
{
    const hsize_t chunk[2] = {rows, columns};
    hid_t creation = lae_hdf5_dataset_properties();
    H5Pset_chunk(creation, 2, chunk);
    H5Pset_fill_value(creation, type, unknown);
    H5Pset_shuffle(creation);
    if (H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0) H5Pset_deflate(creation, LAE_HDF5_DEFLATE);
    return creation;
}

/* `creation` is closed. */
static lae_status create(struct lae_hdf5 *file, const char *name, const size_t shape[2],
                         hid_t stored, hid_t creation, hid_t *dataset)
{
    const hsize_t extents[2] = {shape[0], shape[1]};
    hid_t space = H5Screate_simple(2, extents, NULL);
    lae_status status = lae_hdf5_make_way(file, name);
    *dataset = H5I_INVALID_HID;
    if (status == NULL)
        *dataset = H5Dcreate2(file->id, name, stored, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    if (status == NULL && *dataset < 0)
        status = lae_hdf5_fault(LAE_FAILED, file, "/%s: cannot be made", name);
    H5Sclose(space);
    H5Pclose(creation);
    return status;
}

static size_t row_of(size_t task)
{
    return task * (task + 1) / 2;
}

/* The block's rows of a triangle, with what is unknown. */
static void spread(const struct block *block, const double *triangle, double *values)
{
    for (size_t i = 0; i < block->rows; i++) {
        size_t t = block->first + i;
        double *row = values + i * block->columns;
        memcpy(row, triangle + row_of(t), (t + 1) * sizeof *row);
        for (size_t k = t + 1; k < block->columns; k++)
            row[k] = NAN;
    }
}

static lae_status write_blocks(struct lae_hdf5 *file, const char *name, hid_t dataset, size_t rows,
                               const double *triangle)
{
    herr_t result = 0;
    double *values = malloc(LAE_TRIANGLE_ROWS * (rows + 1) * sizeof *values);
    if (values == NULL) return lae_out_of_memory(LAE_TRIANGLE_ROWS * rows * sizeof *values, name);
    for (size_t first = 0; first < rows && result >= 0; first += LAE_TRIANGLE_ROWS) {
        struct block block = lae_hdf5_triangle_block(first, rows);
        spread(&block, triangle, values);
        result = lae_hdf5_write_block(&block, dataset, H5T_NATIVE_DOUBLE, values);
    }
    free(values);
    return result >= 0 ? NULL : lae_hdf5_fault(LAE_FAILED, file, "/%s: cannot be written", name);
}

static lae_status write_whole_triangle(struct lae_hdf5 *file, const char *name, size_t size,
                                       size_t rows, const double *triangle)
{
    const size_t shape[2] = {size, size};
    double *values = malloc((size * size + 1) * sizeof *values);
    if (values == NULL) return lae_out_of_memory(size * size * sizeof *values, name);
    for (size_t i = 0; i < size * size; i++)
        values[i] = NAN;
    for (size_t t = 0; t < rows; t++)
        memcpy(values + t * size, triangle + row_of(t), (t + 1) * sizeof *values);
    lae_status status = lae_hdf5_write_double(file, name, 2, shape, values);
    free(values);
    return status;
}

lae_status lae_hdf5_write_triangle(struct lae_hdf5 *file, const char *name, size_t size,
                                   size_t rows, const double *values)
{
    static const double unknown = NAN;
    if (size * size * sizeof *values <= PLAIN)
        return write_whole_triangle(file, name, size, rows, values);
    hid_t creation =
        chunked(H5T_NATIVE_DOUBLE, least(LAE_TRIANGLE_ROWS, size), CHUNK_COLUMNS, &unknown);
    hid_t dataset;
    LAE_TRY(create(file, name, (size_t[]){size, size}, H5T_IEEE_F64LE, creation, &dataset));
    lae_status status = write_blocks(file, name, dataset, rows, values);
    H5Dclose(dataset);
    return status;
}

lae_status lae_hdf5_write_rows(struct lae_hdf5 *file, const char *name, size_t rows, size_t columns,
                               size_t known, const float *values)
{
    static const float unknown = 0.0F;
    const size_t shape[2] = {rows, columns}, row = columns * sizeof *values;
    if (rows * row <= PLAIN) return lae_hdf5_write_float(file, name, 2, shape, values);
    size_t chunk = row < CHUNK ? least(rows, CHUNK / row) : 1;
    hid_t creation = chunked(H5T_NATIVE_FLOAT, chunk, columns, &unknown);
    hid_t dataset;
    LAE_TRY(create(file, name, shape, H5T_IEEE_F32LE, creation, &dataset));
    const struct block block = {.rows = known, .columns = columns};
    lae_status status = NULL;
    if (known > 0 && lae_hdf5_write_block(&block, dataset, H5T_NATIVE_FLOAT, values) < 0)
        status = lae_hdf5_fault(LAE_FAILED, file, "/%s: cannot be written", name);
    H5Dclose(dataset);
    return status;
}
