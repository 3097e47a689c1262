/* The line is compared as a whole, with the zeros behind it, against the line that the file ought
 * to have: so no flipped bit of it goes unnoticed. */
#include "seal.h"

#include "lae/files/digest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define REMEDY                                                                                     \
    "restore it from a copy (a task's file may also be deleted: the task is then computed again)"

static const unsigned char hdf5_signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};

/* HDF5's superblock, of version 2 in our files and of version 0 in those of earlier versions of this
 * program: a flag says that somebody has the file open to write in it. It is 0 in a file that is
 * closed, and stays 1 where a viewer was killed that had it open: but for version 2's checksum,
 * nothing else is changed by that, and HDF5 reads it as before. */
enum { SUPERBLOCK = 48, VERSION_AT = 8, FLAGS_AT_0 = 20, FLAGS_AT_2 = 11, CHECKSUM_AT_2 = 44 };

struct front {
    unsigned char bytes[LAE_SEAL_BYTES + SUPERBLOCK];
    size_t size; /* less than sizeof bytes in a short file */
};

struct seal {
    char format[32];
    int version;
    char digest[LAE_DIGEST_TEXT];
};

static int write_line(unsigned char block[LAE_SEAL_BYTES], const struct seal *seal)
{
    memset(block, 0, LAE_SEAL_BYTES);
    return snprintf((char *)block, LAE_SEAL_BYTES, "%s %d sha256 %s\n", seal->format, seal->version,
                    seal->digest);
}

lae_status lae_seal_stamp(unsigned char *image, size_t size, const char *format_name, int version)
{
    struct seal seal = {.version = version};
    snprintf(seal.format, sizeof seal.format, "%s", format_name);
    LAE_TRY(lae_digest_memory(image + LAE_SEAL_BYTES, size - LAE_SEAL_BYTES, seal.digest));
    write_line(image, &seal);
    return NULL;
}

static lae_status read_front(const char *path, struct front *front)
{
    struct stat about;
    if (stat(path, &about) != 0) return lae_bad_input("%s: %s", path, strerror(errno));
    if (!S_ISREG(about.st_mode)) return lae_bad_input("%s: not a regular file", path);
    FILE *file = fopen(path, "rbe");
    if (file == NULL) return lae_bad_input("%s: cannot be opened: %s", path, strerror(errno));
    front->size = fread(front->bytes, 1, sizeof front->bytes, file);
    lae_status status = NULL;
    if (ferror(file)) status = lae_failed("%s: cannot be read: %s", path, strerror(errno));
    fclose(file);
    return status;
}

static bool has_signature(const struct front *front, size_t offset)
{
    return front->size >= offset + sizeof hdf5_signature &&
           memcmp(front->bytes + offset, hdf5_signature, sizeof hdf5_signature) == 0;
}

/* Whether the first block is a seal's line and nothing but that. */
static bool parse_seal(const struct front *front, struct seal *seal)
{
    if (front->size < LAE_SEAL_BYTES) return false;
    char text[LAE_SEAL_BYTES];
    memcpy(text, front->bytes, sizeof text);
    text[sizeof text - 1] = '\0';
    if (sscanf(text, "lae-%27[a-z] %9d sha256 %64[0-9a-f]", seal->format + 4, &seal->version,
               seal->digest) != 3)
        return false;
    memcpy(seal->format, "lae-", 4);
    unsigned char again[LAE_SEAL_BYTES];
    write_line(again, seal);
    return seal->version >= 1 && strlen(seal->digest) == LAE_DIGEST_TEXT - 1 &&
           memcmp(again, front->bytes, sizeof again) == 0;
}

static lae_status without_line(const char *path, const char *format_name, const struct front *front,
                               struct lae_log *log)
{
    if (has_signature(front, 0)) {
        lae_log_warn(log, "%s: has no digest at its front; damage to it would go unnoticed", path);
        return NULL;
    }
    if (front->size == 0) return lae_bad_input("%s: is empty", path);
    if (has_signature(front, LAE_SEAL_BYTES) || memcmp(front->bytes, "lae-", 4) == 0)
        return lae_bad_input("%s: damaged: its first %d bytes do not hold the line of text of a %s "
                             "file; " REMEDY,
                             path, LAE_SEAL_BYTES, format_name);
    return lae_bad_input("%s: not an HDF5 file; a %s file is wanted", path, format_name);
}

/* Bob Jenkins's lookup3 of 1..48 bytes, 12 at a time and then the rest, as HDF5 checks its metadata
 * by it: the bytes are little-endian words. */
static uint32_t word_at(const unsigned char *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static uint32_t turn(uint32_t x, int bits)
{
    return x << bits | x >> (32 - bits);
}

static void mix(uint32_t s[3])
{
    static const int bits[6] = {4, 6, 8, 16, 19, 4};
    for (int i = 0; i < 6; i++) {
        uint32_t *a = &s[i % 3], *b = &s[(i + 1) % 3], *c = &s[(i + 2) % 3];
        *a -= *c;
        *a ^= turn(*c, bits[i]);
        *c += *b;
    }
}

static uint32_t finish(uint32_t s[3])
{
    static const int bits[7] = {14, 11, 25, 16, 4, 14, 24};
    for (int i = 0; i < 7; i++) {
        uint32_t *c = &s[(i + 2) % 3], b = s[(i + 1) % 3];
        *c ^= b;
        *c -= turn(b, bits[i]);
    }
    return s[2];
}
/* Of a superblock of version 2. */
static uint32_t checksum(const unsigned char *superblock)
{
    uint32_t s[3] = {0xdeadbeef + CHECKSUM_AT_2, 0xdeadbeef + CHECKSUM_AT_2,
                     0xdeadbeef + CHECKSUM_AT_2};
    for (int word = 0; 4 * word < CHECKSUM_AT_2; word++) {
        s[word % 3] += word_at(superblock + 4 * word);
        if (word % 3 == 2) mix(s);
    }
    return finish(s);
}

/* Makes a superblock that was left open what it was when the file was closed. */
static void close_superblock(unsigned char *superblock)
{
    unsigned char version = superblock[VERSION_AT];
    if (version == 0 && word_at(superblock + FLAGS_AT_0) == 1) superblock[FLAGS_AT_0] = 0;
    bool left = version == 2 && superblock[FLAGS_AT_2] == 1 &&
                word_at(superblock + CHECKSUM_AT_2) == checksum(superblock);
    if (!left) return;
    superblock[FLAGS_AT_2] = 0;
    uint32_t sum = checksum(superblock);
    for (int i = 0; i < 4; i++)
        superblock[CHECKSUM_AT_2 + i] = (unsigned char)(sum >> 8 * i);
}

/* As it was when the file was closed. */
static lae_status digest_content(const char *path, const struct front *front,
                                 char digest[LAE_DIGEST_TEXT])
{
    unsigned char superblock[SUPERBLOCK];
    bool whole = front->size == sizeof front->bytes && has_signature(front, LAE_SEAL_BYTES);
    memcpy(superblock, front->bytes + LAE_SEAL_BYTES, SUPERBLOCK);
    if (whole) close_superblock(superblock);
    return lae_digest_file_as(path, LAE_SEAL_BYTES, superblock, whole ? SUPERBLOCK : 0, digest);
}

static lae_status compare_digest(const char *path, const struct front *front,
                                 const struct seal *seal)
{
    char found[LAE_DIGEST_TEXT];
    LAE_TRY(digest_content(path, front, found));
    if (strcmp(found, seal->digest) == 0) return NULL;
    return lae_bad_input(
        "%s: damaged: the SHA-256 of its content is %s, but %s was written; " REMEDY
        "; if another tool changed it on purpose, take the digest off: h5unjam -i "
        "OLD -o NEW --delete",
        path, found, seal->digest);
}

lae_status lae_seal_check(const char *path, const char *format_name, int newest,
                          struct lae_log *log, int *version)
{
    struct front front = {.size = 0};
    struct seal seal = {.version = 0};
    *version = 0;
    LAE_TRY(read_front(path, &front));
    if (!parse_seal(&front, &seal)) return without_line(path, format_name, &front, log);
    if (strcmp(seal.format, format_name) != 0)
        return lae_bad_input("%s: is a %s file; a %s file is wanted", path, seal.format,
                             format_name);
    if (seal.version > newest)
        return lae_bad_input(
            "%s: written by a newer version: format_version %d, this program reads "
            "up to %d",
            path, seal.version, newest);
    LAE_TRY(compare_digest(path, &front, &seal));
    *version = seal.version;
    return NULL;
}

bool lae_seal_is_damaged(const char *path)
{
    struct front front = {.size = 0};
    struct seal seal = {.version = 0};
    char found[LAE_DIGEST_TEXT];
    lae_status status = read_front(path, &front);
    bool damaged = false;
    if (status == NULL && !parse_seal(&front, &seal)) {
        damaged = !has_signature(&front, 0);
    } else if (status == NULL) {
        status = digest_content(path, &front, found);
        damaged = status == NULL && strcmp(found, seal.digest) != 0;
    }
    lae_status_free(status);
    return damaged;
}
