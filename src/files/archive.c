/* Archives by libarchive, which reads from the mapped file.
 *
 *     zip                        map -> libarchive, which seeks and checks each entry's CRC
 *     tar, .tar.{bz2,xz,zst}     map -> libarchive, whose filters check their own sums
 *     .tar.gz                    file -> zlib -> libarchive
 *
 * The detour is there because libarchive (3.6) does not look at gzip's checksum: most single-bit
 * damage of a .tar.gz would come out as wrong pixels.
 *
 * A small file may claim to unpack to more than any memory or patience: packed many times over,
 * with holes (tar), with entries that share their bytes (zip). So all that comes out of a file is
 * bounded by its size, and entries that nobody reads count.
 */
#include "lae/files/archive.h"

#include "lae/files/map.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { GZIP_BUFFER = 1 << 17, MAX_TRUST = 1 << 24 }; /* bytes */

/* Of the file's size, and in bytes. Deflate makes at most 1032 bytes of one; the other packers make
 * more of nothing but zeros, and images and weights never come near. */
enum { MAX_EXPANSION = 1100, SPARE_EXPANSION = 1 << 25 };

struct lae_archive {
    char *path;
    struct archive *reader;
    struct archive_entry *entry; /* at hand; NULL before the first and after the last */
    char *name;                  /* the entry's; after the last entry still that one's */
    struct lae_map map;
    gzFile gzip;           /* NULL unless the file is gzip's */
    unsigned char *buffer; /* [GZIP_BUFFER] what zlib has unpacked last */
    size_t most, taken;    /* bytes that all entries may hold, that have been read */
    bool inside;           /* an entry has begun */
};

static const char *reason(const struct lae_archive *archive)
{
    const char *text = archive_error_string(archive->reader);
    return text != NULL ? text : "unexpected end or unknown structure";
}

static lae_status no_archive(const struct lae_archive *archive)
{
    return lae_bad_input("%s: not a zip or tar archive, or not all of it: %s", archive->path,
                         reason(archive));
}

static lae_status damaged(const struct lae_archive *archive)
{
    if (archive->name == NULL) return no_archive(archive);
    return lae_bad_input("%s: damaged in or after entry %s: %s", archive->path, archive->name,
                         reason(archive));
}

/* libarchive's read callback over zlib: bytes, 0 at the end, or -1. */
static la_ssize_t read_gzip(struct archive *reader, void *context, const void **bytes)
{
    struct lae_archive *archive = context;
    int count = gzread(archive->gzip, archive->buffer, GZIP_BUFFER);
    int error = Z_OK;
    const char *message = gzerror(archive->gzip, &error);
    if (count < 0 || error != Z_OK) { /* a truncated file gives bytes and Z_BUF_ERROR */
        archive_set_error(reader, EIO, "%s", message);
        return -1;
    }
    *bytes = archive->buffer;
    return count;
}

/* Reads on to the end of the file, where gzip's checksum is. */
static lae_status finish_gzip(struct lae_archive *archive)
{
    const void *bytes = NULL;
    la_ssize_t count = 1;
    while (archive->gzip != NULL && count > 0)
        count = read_gzip(archive->reader, archive, &bytes);
    if (count < 0) return lae_bad_input("%s: damaged: %s", archive->path, reason(archive));
    return NULL;
}

static lae_status too_much(const struct lae_archive *archive)
{
    return lae_bad_input("%s: its %zu bytes claim to hold more than %d times as many: damaged, or "
                         "made to fill the memory",
                         archive->path, archive->map.size, MAX_EXPANSION);
}

/* What entries of a file of that size may hold together. */
static size_t most_of(size_t size)
{
    bool small = size < (SIZE_MAX / 4 - SPARE_EXPANSION) / MAX_EXPANSION;
    return small ? MAX_EXPANSION * size + SPARE_EXPANSION : SIZE_MAX / 4;
}

static lae_status open_gzip(struct lae_archive *archive)
{
    archive->buffer = malloc(GZIP_BUFFER);
    if (archive->buffer == NULL) return lae_out_of_memory(GZIP_BUFFER, archive->path);
    archive->gzip = gzopen(archive->path, "rbe");
    if (archive->gzip == NULL)
        return lae_bad_input("%s: cannot be opened: %s", archive->path, strerror(errno));
    if (archive_read_open(archive->reader, archive, NULL, read_gzip, NULL) != ARCHIVE_OK)
        return no_archive(archive);
    return NULL;
}

static lae_status open_reader(struct lae_archive *archive)
{
    const struct lae_map *map = &archive->map;
    LAE_TRY(lae_map_open(archive->path, &archive->map));
    if (map->size == 0) return lae_bad_input("%s: is empty, not an archive", archive->path);
    archive->most = most_of(map->size);
    archive->reader = archive_read_new();
    if (archive->reader == NULL) return lae_out_of_memory(0, archive->path);
    archive_read_support_format_tar(archive->reader);
    if (map->size >= 2 && map->data[0] == 0x1f && map->data[1] == 0x8b) return open_gzip(archive);

    archive_read_support_filter_bzip2(archive->reader);
    archive_read_support_filter_xz(archive->reader);
    archive_read_support_filter_zstd(archive->reader);
    /* Not the streaming reader: it would take a zip without its directory, that is a cut one. */
    archive_read_support_format_zip_seekable(archive->reader);
    if (archive_read_open_memory(archive->reader, map->data, map->size) != ARCHIVE_OK)
        return no_archive(archive);
    if (archive_filter_count(archive->reader) > 2) /* the file itself is the last one */
        return lae_bad_input("%s: is packed more than once; unpack it first", archive->path);
    return NULL;
}

lae_status lae_archive_open(const char *path, struct lae_archive **out)
{
    *out = NULL;
    struct lae_archive *archive = calloc(1, sizeof *archive);
    if (archive == NULL) return lae_out_of_memory(sizeof *archive, path);
    archive->path = strdup(path);
    lae_status status =
        archive->path == NULL ? lae_out_of_memory(strlen(path), path) : open_reader(archive);
    if (status != NULL) {
        lae_archive_close(archive);
        return status;
    }
    *out = archive;
    return NULL;
}

void lae_archive_close(struct lae_archive *archive)
{
    if (archive == NULL) return;
    archive_read_free(archive->reader);
    if (archive->gzip != NULL) gzclose(archive->gzip);
    lae_map_close(&archive->map);
    free(archive->buffer);
    free(archive->name);
    free(archive->path);
    free(archive);
}

/* Unpacks what was not read of the entry at hand, in steps that can be stopped. Left to libarchive,
 * the entry's size alone would say how long that takes. */
static lae_status pass_over(struct lae_archive *archive)
{
    const void *block;
    size_t size;
    la_int64_t offset;
    int result = ARCHIVE_OK;
    bool packed = archive_filter_code(archive->reader, 0) != ARCHIVE_FILTER_NONE;
    if (!archive->inside || !packed) return NULL;
    while (result == ARCHIVE_OK || result == ARCHIVE_WARN) {
        result = archive_read_data_block(archive->reader, &block, &size, &offset);
        if ((uint64_t)archive_filter_bytes(archive->reader, 0) > archive->most)
            return too_much(archive);
    }
    return result == ARCHIVE_EOF ? NULL : damaged(archive);
}

/* Moves to the next header of any kind; `*entry` is NULL at the end. */
static lae_status next_header(struct lae_archive *archive, struct archive_entry **entry)
{
    LAE_TRY(pass_over(archive));
    int result = archive_read_next_header(archive->reader, entry);
    archive->inside = result != ARCHIVE_EOF;
    if (result == ARCHIVE_EOF) {
        *entry = NULL;
        return finish_gzip(archive);
    }
    /* Nor ARCHIVE_RETRY, which is above it: a damaged header, to be passed over in silence. */
    return result == ARCHIVE_OK || result == ARCHIVE_WARN ? NULL : damaged(archive);
}

static lae_status take_name(struct lae_archive *archive, struct archive_entry *entry)
{
    const char *name = archive_entry_pathname(entry);
    if (name == NULL) name = "(a name not of this locale)";
    free(archive->name);
    archive->name = strdup(name);
    if (archive->name == NULL) return lae_out_of_memory(strlen(name), archive->path);
    return NULL;
}

lae_status lae_archive_next(struct lae_archive *archive, const char **name)
{
    struct archive_entry *entry = NULL;
    *name = NULL;
    archive->entry = NULL;
    do {
        LAE_TRY(next_header(archive, &entry));
        if (entry == NULL) return NULL;
    } while (archive_entry_filetype(entry) != AE_IFREG); /* nor is a hard link without data one */
    LAE_TRY(take_name(archive, entry));
    archive->entry = entry;
    *name = archive->name;
    return NULL;
}

static lae_status too_large(const struct lae_archive *archive, size_t limit)
{
    if (limit == archive->most - archive->taken) return too_much(archive);
    return lae_bad_input("%s: entry %s holds more than the %zu bytes allowed here", archive->path,
                         archive->name, limit);
}

/* Makes room for `capacity` bytes and the zero after them. */
static lae_status reserve(unsigned char **data, size_t capacity)
{
    unsigned char *moved = realloc(*data, capacity + 1);
    if (moved == NULL) return lae_out_of_memory(capacity, "an archive's entry");
    *data = moved;
    return NULL;
}

/* The entry's bytes into *data, which the caller frees also after an error. `capacity` is a first
 * guess; the memory grows with what really comes. */
static lae_status read_all(struct lae_archive *archive, size_t capacity, size_t limit,
                           unsigned char **data, size_t *size)
{
    LAE_TRY(reserve(data, capacity));
    for (;;) {
        unsigned char probe = 0; /* when full: is there more? */
        bool full = *size == capacity;
        la_ssize_t count = archive_read_data(archive->reader, full ? &probe : *data + *size,
                                             full ? 1 : capacity - *size);
        if (count < 0)
            return lae_bad_input("%s: entry %s is damaged: %s", archive->path, archive->name,
                                 reason(archive));
        if (count == 0) return NULL;
        if (full && capacity == limit) return too_large(archive, limit);
        if (full) {
            capacity = capacity < limit / 2 ? 2 * capacity + 1 : limit;
            LAE_TRY(reserve(data, capacity));
            (*data)[*size] = probe;
        }
        *size += (size_t)count;
    }
}

static lae_status read_entry(struct lae_archive *archive, size_t limit, unsigned char **data,
                             size_t *size)
{
    struct archive_entry *entry = archive->entry;
    if (entry == NULL) return lae_failed("%s: no entry is at hand to be read", archive->path);
    bool sized = archive_entry_size_is_set(entry) != 0;
    uint64_t promised = (uint64_t)archive_entry_size(entry);
    if (sized && promised > limit) return too_large(archive, limit);
    /* A header may lie, so at first no more than MAX_TRUST. */
    size_t guess = sized && promised < MAX_TRUST ? (size_t)promised : MAX_TRUST;
    LAE_TRY(read_all(archive, guess < limit ? guess : limit, limit, data, size));
    archive->entry = NULL; /* its bytes come only once */
    archive->taken += *size;
    if (sized && *size != promised)
        return lae_bad_input("%s: entry %s is damaged: %zu bytes instead of %llu", archive->path,
                             archive->name, *size, (unsigned long long)promised);
    return NULL;
}

lae_status lae_archive_read(struct lae_archive *archive, size_t limit, unsigned char **data,
                            size_t *size)
{
    *data = NULL;
    *size = 0;
    size_t left = archive->most - archive->taken;
    if (limit > left) limit = left;
    lae_status status = read_entry(archive, limit, data, size);
    if (status != NULL) {
        free(*data);
        *data = NULL;
        *size = 0;
        return status;
    }
    (*data)[*size] = 0;
    return NULL;
}
