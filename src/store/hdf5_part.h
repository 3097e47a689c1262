/* Parts of matrices, as hdf5_matrix.c stores them and hdf5_read.c reads them. */
#ifndef LAE_STORE_HDF5_PART_H
#define LAE_STORE_HDF5_PART_H

#include "hdf5_file.h"

#define LAE_TRIANGLE_ROWS 512 /* of a triangle, at a time */

/* Rows [first, first + rows) of a matrix, columns [0, columns). */
struct block {
    size_t first, rows, columns;
};

/* That which begins at row `first` of a triangle of so many rows. */
struct block lae_hdf5_triangle_block(size_t first, size_t rows);

herr_t lae_hdf5_read_block(const struct block *block, hid_t dataset, hid_t type, void *values);
herr_t lae_hdf5_write_block(const struct block *block, hid_t dataset, hid_t type,
                            const void *values);

#endif
