/* CIFAR's files, in a directory or an archive. The first byte says how the rest is to be taken:
 *
 *     bit 0       CIFAR-100 or CIFAR-10
 *     bits 1, 2   an archive as it is; an archive with its checksums put right; a tar with its
 *                 checksums put right and packed by gzip; two bytes N, then N bytes of the test
 *                 file and the training file, in a directory
 */
#include "fuzz.h"

#include "lae/data/dataset.h"
#include "lae/files/archive.h"
#include "lae/files/digest.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum form { AS_IT_IS, REPAIRED, PACKED, DIRECTORY };

/* Larger ones show nothing that smaller ones do not, and take long: most are zeros by the megabyte.
 */
enum { GZIP_LIMIT = 1 << 10, ARCHIVE_LIMIT = 1 << 13 };

enum { ENTRY_LIMIT = 1 << 20, SIDE = 32 };

/* Every label and image there is must be within bounds. */
static void look_at(const struct lae_dataset *dataset)
{
    uint8_t rgb[3 * SIDE * SIDE];
    char digest[LAE_DIGEST_TEXT];
    LAE_FUZZ_CHECK(dataset->width == SIDE && dataset->height == SIDE);
    for (int split = 0; split < LAE_SPLITS; split++) {
        LAE_FUZZ_CHECK(dataset->count[split] > 0);
        for (size_t i = 0; i < dataset->count[split]; i++) {
            int label = lae_dataset_label(dataset, (enum lae_split)split, i);
            LAE_FUZZ_CHECK(label >= 0 && label < dataset->classes);
            struct lae_size size;
            LAE_FUZZ_CHECK(lae_dataset_image(dataset, (enum lae_split)split, i, rgb, &size) ==
                           NULL);
        }
    }
    lae_fuzz_end(lae_dataset_digest(dataset, digest), NULL);
}

static void open_dataset(enum lae_dataset_kind kind, const char *path)
{
    struct lae_data_options options = {.dataset = kind, .path = path};
    struct lae_dataset dataset;
    lae_status status = lae_dataset_open(&options, &dataset);
    if (status == NULL) {
        look_at(&dataset);
        lae_dataset_close(&dataset);
    }
    lae_fuzz_end(status, path);
}

/* Every entry of the archive, read or passed over by turns. */
static lae_status read_entries(struct lae_archive *archive)
{
    const char *name = NULL;
    for (int i = 0;; i++) {
        unsigned char *data = NULL;
        size_t bytes = 0;
        LAE_TRY(lae_archive_next(archive, &name));
        if (name == NULL) return NULL;
        if (i % 3 == 1) continue;
        LAE_TRY(lae_archive_read(archive, ENTRY_LIMIT, &data, &bytes));
        LAE_FUZZ_CHECK(bytes <= ENTRY_LIMIT && data[bytes] == 0);
        free(data);
    }
}

static void open_archive(const char *path)
{
    struct lae_archive *archive = NULL;
    lae_status status = lae_archive_open(path, &archive);
    if (status == NULL) status = read_entries(archive);
    lae_archive_close(archive);
    lae_fuzz_end(status, path);
}

/* gzip's form of the bytes; free(). */
static unsigned char *pack(const unsigned char *data, size_t size, size_t *packed)
{
    z_stream stream = {.next_in = (unsigned char *)data, .avail_in = (unsigned)size};
    enum { GZIP = 16 };
    LAE_FUZZ_CHECK(deflateInit2(&stream, 1, Z_DEFLATED, MAX_WBITS + GZIP, 8, Z_DEFAULT_STRATEGY) ==
                   Z_OK);
    size_t room = deflateBound(&stream, (unsigned long)size);
    unsigned char *out = malloc(room);
    LAE_FUZZ_CHECK(out != NULL);
    stream.next_out = out;
    stream.avail_out = (unsigned)room;
    LAE_FUZZ_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    *packed = stream.total_out;
    deflateEnd(&stream);
    return out;
}

static void read_archive(enum lae_dataset_kind kind, enum form form, const uint8_t *data,
                         size_t size)
{
    bool gzip = size >= 2 && memcmp(data, "\x1f\x8b", 2) == 0;
    if (gzip && form != PACKED && size > GZIP_LIMIT) return;
    if (form == AS_IT_IS && size > ARCHIVE_LIMIT) return;
    unsigned char *file = lae_fuzz_copy(data, size), *packed = NULL;
    bool zip = size >= 2 && memcmp(data, "PK", 2) == 0;
    if (form != AS_IT_IS && zip) lae_fuzz_repair_zip(file, size);
    if (form != AS_IT_IS && !zip) lae_fuzz_repair_tar(file, size);
    if (form == PACKED) packed = pack(file, size, &size);
    const char *path = lae_fuzz_file("input", packed != NULL ? packed : file, size);
    open_archive(path);
    open_dataset(kind, path);
    free(packed);
    free(file);
}

static void read_directory(enum lae_dataset_kind kind, const uint8_t *data, size_t size)
{
    if (size < 2) return;
    size_t test = (size_t)data[0] | (size_t)data[1] << 8;
    data += 2;
    size -= 2;
    if (test > size) test = size;
    bool cifar10 = kind == LAE_DATASET_CIFAR10;
    lae_fuzz_file(cifar10 ? "test_batch.bin" : "test.bin", data, test);
    lae_fuzz_file(cifar10 ? "data_batch_1.bin" : "train.bin", data + test, size - test);
    open_dataset(kind, lae_fuzz_directory());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    enum lae_dataset_kind kind = data[0] & 1 ? LAE_DATASET_CIFAR10 : LAE_DATASET_CIFAR100;
    enum form form = (enum form)(data[0] >> 1 & 3);
    if (form == DIRECTORY)
        read_directory(kind, data + 1, size - 1);
    else
        read_archive(kind, form, data + 1, size - 1);
    return 0;
}
