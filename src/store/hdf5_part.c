#include "hdf5_part.h"

struct block lae_hdf5_triangle_block(size_t first, size_t rows)
{
    size_t end = first + LAE_TRIANGLE_ROWS < rows ? first + LAE_TRIANGLE_ROWS : rows;
    return (struct block){.first = first, .rows = end - first, .columns = end};
}

/* Where a block lies in memory and in the dataset; to be closed. */
static herr_t place(const struct block *block, hid_t dataset, hid_t *memory, hid_t *stored)
{
    const hsize_t start[2] = {block->first, 0}, count[2] = {block->rows, block->columns};
    *memory = H5Screate_simple(2, count, NULL);
    *stored = H5Dget_space(dataset);
    return H5Sselect_hyperslab(*stored, H5S_SELECT_SET, start, NULL, count, NULL);
}

static void leave(hid_t memory, hid_t stored)
{
    H5Sclose(stored);
    H5Sclose(memory);
}

herr_t lae_hdf5_read_block(const struct block *block, hid_t dataset, hid_t type, void *values)
{
    hid_t memory, stored;
    herr_t result = place(block, dataset, &memory, &stored);
    if (result >= 0) result = H5Dread(dataset, type, memory, stored, H5P_DEFAULT, values);
    leave(memory, stored);
    return result;
}

herr_t lae_hdf5_write_block(const struct block *block, hid_t dataset, hid_t type,
                            const void *values)
{
    hid_t memory, stored;
    herr_t result = place(block, dataset, &memory, &stored);
    if (result >= 0) result = H5Dwrite(dataset, type, memory, stored, H5P_DEFAULT, values);
    leave(memory, stored);
    return result;
}
