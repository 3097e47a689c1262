/* PyTorch's files: the input is the file, a zip's checksums put right; or, when it begins as a
 * pickle does and not as the legacy format, the data.pkl of a zip that has two storages. */
#include "../../src/weights/torch.h"
#include "fuzz.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

enum { STORAGE = 1 << 14 }; /* bytes of each of the two */

static void put(struct archive *zip, const char *name, const void *data, size_t size)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_size(entry, (la_int64_t)size);
    LAE_FUZZ_CHECK(archive_write_header(zip, entry) == ARCHIVE_OK);
    LAE_FUZZ_CHECK(archive_write_data(zip, data, size) == (la_ssize_t)size);
    archive_entry_free(entry);
}

/* A zip around the pickle; free(). */
static unsigned char *pack(const uint8_t *data, size_t size, size_t *used)
{
    static const float numbers[STORAGE / sizeof(float)];
    size_t room = size + 2 * STORAGE + 4096;
    unsigned char *memory = malloc(room);
    struct archive *zip = archive_write_new();
    LAE_FUZZ_CHECK(memory != NULL && zip != NULL);
    LAE_FUZZ_CHECK(archive_write_set_format_zip(zip) == ARCHIVE_OK);
    LAE_FUZZ_CHECK(archive_write_zip_set_compression_store(zip) == ARCHIVE_OK);
    LAE_FUZZ_CHECK(archive_write_set_bytes_in_last_block(zip, 1) == ARCHIVE_OK);
    LAE_FUZZ_CHECK(archive_write_open_memory(zip, memory, room, used) == ARCHIVE_OK);
    put(zip, "a/data.pkl", data, size);
    put(zip, "a/data/0", numbers, STORAGE);
    put(zip, "a/data/1", numbers, STORAGE);
    LAE_FUZZ_CHECK(archive_write_close(zip) == ARCHIVE_OK);
    archive_write_free(zip);
    return memory;
}

static void read_zip(const char *path)
{
    struct lae_raw_file file = {.count = 0};
    lae_status status = lae_weights_torch_read_zip(path, NULL, &file);
    lae_fuzz_raw(&file);
    lae_fuzz_end(status, path);
    lae_fuzz_weights(path);
}

static void read_legacy(const uint8_t *data, size_t size)
{
    struct lae_raw_file file = {.count = 0};
    unsigned char *copy = lae_fuzz_copy(data, size);
    lae_status status = lae_weights_torch_read_legacy("input", copy, size, NULL, &file);
    lae_fuzz_raw(&file);
    lae_fuzz_end(status, "input");
    free(copy);
    lae_fuzz_weights(lae_fuzz_file("input", data, size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (lae_weights_torch_is_legacy(data, size)) {
        read_legacy(data, size);
        return 0;
    }
    size_t used = size;
    bool pickle = size > 0 && data[0] == 0x80;
    unsigned char *file = pickle ? pack(data, size, &used) : lae_fuzz_copy(data, size);
    if (!pickle) lae_fuzz_repair_zip(file, size);
    const char *path = lae_fuzz_file("input", file, used);
    free(file);
    read_zip(path);
    return 0;
}
