/* The seal of a file: one line of text in a 512-byte HDF5 user block at its front.
 *
 *     byte 0    "lae-checkpoint 1 sha256 <64 hex digits>\n", then zeros
 *     byte 512  HDF5; the digest is over all bytes from here on
 *
 * HDF5 1.10 keeps no checksums of its own, reads some damaged files wrongly and crashes on others.
 * So the digest is compared before HDF5 sees the file. A user block is part of the HDF5 format:
 * h5ls, h5dump and h5py skip it.
 *
 * The digest guards against damage, not against forgery: who makes a file to crash HDF5 can compute
 * it too (tests/fuzz/hdf5.c). Against that HDF5 has a process of its own (lae/store/reader.h).
 */
#ifndef LAE_STORE_SEAL_H
#define LAE_STORE_SEAL_H

#include "lae/base/log.h"
#include "lae/base/status.h"

#include <stdbool.h>
#include <stddef.h>

#define LAE_SEAL_BYTES 512

/* Writes the line into the first LAE_SEAL_BYTES of a file's image in memory, `size` bytes in all.
 */
lae_status lae_seal_stamp(unsigned char *image, size_t size, const char *format_name,
                          int version) LAE_MUST_CHECK;

/* Compares the digest of the file at `path` and gives the line's version, 1..newest. A file without
 * user block that begins as HDF5 does has no seal: *version is 0 and the log is warned. Errors
 * (LAE_BAD_INPUT): no such file, not HDF5, of another format than `format_name`, of a newer
 * version, damaged. */
lae_status lae_seal_check(const char *path, const char *format_name, int newest,
                          struct lae_log *log, int *version) LAE_MUST_CHECK;

/* Whether the file can be read but is not what was once written: cut short, overwritten, or of
 * another digest. A newer version's, another format's or an unsealed HDF5 file is not damaged. */
bool lae_seal_is_damaged(const char *path);

#endif
