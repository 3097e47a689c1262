/* Whole files: built in memory and written sealed, or checked and opened.
 *
 * Files are built in memory (HDF5's core driver, nothing behind it) and written by
 * lae_atomic_write. HDF5 itself is not let near a disk that may be full: when one of its writes
 * fails, H5Fclose fails too and leaves a half-closed handle, on which HDF5 1.10's exit handler
 * crashes. This way a full disk is a plain error of write(2), and the digest can be taken on the
 * way.
 */
#include "hdf5_file.h"

#include "hdf5_wire.h"
#include "seal.h"

#include "lae/files/atomic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDEX_HALF 4                  /* chunks that a full node of an index has at least */
#define MEMORY_STEP ((size_t)1 << 20) /* by which the memory of a file in the making grows */

/* ---- new files ----
 *
 * A file of the thousandth task has two thousand small datasets, and a thousand such files lie in a
 * directory. So groups and headers are HDF5 1.8's, a third the size of those before, and the indices
 * of chunks 1.10's; small values are in their dataset's header. The superblock is 1.8's: after
 * 1.10's, a file that a viewer was killed with would be refused. */

/* HDF5 builds the file in memory of ours, and leaves it to us when it closes the file. A copy made
 * before (H5Fget_file_image) would be marked as being written still, and be a second one. */

static void *grow_image(void *bytes, size_t size, H5FD_file_image_op_t operation, void *context)
{
    struct lae_hdf5_image *image = context;
    (void)operation;
    unsigned char *grown = realloc(bytes, size);
    if (grown == NULL) return NULL;
    if (size > image->size) memset(grown + image->size, 0, size - image->size);
    *image = (struct lae_hdf5_image){.bytes = grown, .size = size};
    return grown;
}

static herr_t give_back(void *bytes, H5FD_file_image_op_t operation, void *context)
{
    struct lae_hdf5_image *image = context;
    (void)bytes;
    image->closed = operation == H5FD_FILE_IMAGE_OP_FILE_CLOSE;
    return 0;
}

static void *same_context(void *context)
{
    return context;
}

static herr_t keep_context(void *context)
{
    (void)context;
    return 0;
}

static herr_t build_in(struct lae_hdf5_image *image, hid_t access)
{
    H5FD_file_image_callbacks_t callbacks = {
        .image_realloc = grow_image,
        .image_free = give_back,
        .udata_copy = same_context,
        .udata_free = keep_context,
        .udata = image,
    };
    return H5Pset_file_image_callbacks(access, &callbacks);
}

static lae_status create_in_memory(struct lae_hdf5 *file)
{
    /* HDF5 reads a file of that name first, if there is one: a name that nobody uses. */
    char name[512];
    snprintf(name, sizeof name, "in memory: %s", file->path);
    file->image = calloc(1, sizeof *file->image);
    if (file->image == NULL) return lae_out_of_memory(sizeof *file->image, file->path);
    hid_t creation = H5Pcreate(H5P_FILE_CREATE);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (H5Pset_userblock(creation, LAE_SEAL_BYTES) >= 0 &&
        H5Pset_obj_track_times(creation, false) >= 0 &&
        H5Pset_fapl_core(access, MEMORY_STEP, false) >= 0 && build_in(file->image, access) >= 0 &&
        H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_LATEST) >= 0)
        file->id = H5Fcreate(name, H5F_ACC_TRUNC, creation, access);
    lae_status status = NULL;
    if (file->id < 0 || H5Fset_libver_bounds(file->id, H5F_LIBVER_V110, H5F_LIBVER_LATEST) < 0)
        status = lae_hdf5_fault(LAE_FAILED, file, "cannot be built in memory");
    H5Pclose(access);
    H5Pclose(creation);
    return status;
}

lae_status lae_hdf5_create(const char *path, const char *format, int version, struct lae_hdf5 *file)
{
    LAE_TRY(lae_hdf5_start(file, path, format, version));
    lae_status status = create_in_memory(file);
    if (status == NULL) status = lae_hdf5_put_text(file, "", "format", format);
    if (status == NULL) status = lae_hdf5_put_int(file, "", "format_version", version);
    if (status != NULL) lae_hdf5_close(file);
    return status;
}

/* Closes the file; its bytes, with room for the seal in front, are in file->image. */
static lae_status complete(struct lae_hdf5 *file, size_t *size)
{
    hid_t id = file->id;
    ssize_t bytes = H5Fflush(id, H5F_SCOPE_LOCAL) < 0 ? -1 : H5Fget_file_image(id, NULL, 0);
    if (bytes < 0) return lae_hdf5_fault(LAE_FAILED, file, "cannot be completed");
    *size = LAE_SEAL_BYTES + (size_t)bytes;
    file->id = H5I_INVALID_HID;
    if (H5Fclose(id) < 0 || !file->image->closed || file->image->size < *size)
        return lae_hdf5_fault(LAE_FAILED, file, "cannot be completed");
    return NULL;
}

lae_status lae_hdf5_commit(struct lae_hdf5 *file)
{
    size_t size = 0;
    LAE_TRY(complete(file, &size));
    LAE_TRY(lae_seal_stamp(file->image->bytes, size, file->format, file->version));
    return lae_atomic_write(file->path, file->image->bytes, size);
}

/* ---- files that are there ---- */

/* In this process. Locks are for writers, and some cluster file systems have none. */
static lae_status open_here(struct lae_hdf5 *file)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
#if H5_VERSION_GE(1, 12, 1) || (H5_VERSION_GE(1, 10, 7) && H5_VERSION_LE(1, 11, 0))
    H5Pset_file_locking(access, false, true);
#endif
    file->id = H5Fopen(file->path, H5F_ACC_RDONLY, access);
    lae_status status = NULL;
    if (file->id < 0 || !lae_hdf5_measure(file))
        status = lae_hdf5_fault(LAE_BAD_INPUT, file, "cannot be opened by HDF5");
    H5Pclose(access);
    return status;
}

/* The process that reads it says whether HDF5 could open it. */
static lae_status open_there(struct lae_hdf5 *file, int descriptor)
{
    struct stat about;
    if (fstat(descriptor, &about) != 0)
        return lae_failed("%s: cannot be looked at: %s", file->path, strerror(errno));
    file->unread = (hsize_t)about.st_size * LAE_HDF5_MAX_COMPRESSION;
    LAE_TRY(lae_hdf5_reader_open(descriptor, file->path, &file->channel));
    return lae_hdf5_hear(file);
}

/* Every file that is read is opened here. */
static lae_status open_for_reading(struct lae_hdf5 *file)
{
    if (lae_hdf5_reader_is_here()) return open_here(file);
    int descriptor = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (descriptor < 0)
        return lae_bad_input("%s: cannot be opened: %s", file->path, strerror(errno));
    lae_status status = open_there(file, descriptor);
    close(descriptor);
    return status;
}

/* `sealed`: the version in the seal, 0 without one. */
static lae_status check_format(struct lae_hdf5 *file, int newest, int sealed)
{
    char *format;
    int32_t version;
    if (!lae_hdf5_has_attribute(file, "", "format"))
        return lae_bad_input("%s: is no %s file: the root has no attribute format", file->path,
                             file->format);
    LAE_TRY(lae_hdf5_get_text(file, "", "format", &format));
    lae_status status = NULL;
    if (strcmp(format, file->format) != 0)
        status = lae_bad_input("%s: is a %.64s file; a %s file is wanted", file->path, format,
                               file->format);
    free(format);
    if (status != NULL) return status;
    LAE_TRY(lae_hdf5_get_int(file, "", "format_version", &version));
    if (version > newest)
        return lae_bad_input(
            "%s: written by a newer version: format_version %d, this program reads "
            "up to %d",
            file->path, version, newest);
    if (version < 1 || (sealed != 0 && sealed != version))
        return lae_bad_input("%s: format_version %d is not valid, or not what the seal says",
                             file->path, version);
    file->version = version;
    return NULL;
}

lae_status lae_hdf5_open_unchecked(const char *path, struct lae_hdf5 *file)
{
    LAE_TRY(lae_hdf5_start(file, path, "", 0));
    lae_status status = open_for_reading(file);
    if (status != NULL) lae_hdf5_close(file);
    return status;
}

lae_status lae_hdf5_open(const char *path, const char *format, int newest, struct lae_log *log,
                         struct lae_hdf5 *file)
{
    int sealed;
    LAE_TRY(lae_hdf5_start(file, path, format, 0));
    lae_status status = lae_seal_check(path, format, newest, log, &sealed);
    if (status == NULL) status = open_for_reading(file);
    if (status == NULL) status = check_format(file, newest, sealed);
    if (status != NULL) lae_hdf5_close(file);
    return status;
}
