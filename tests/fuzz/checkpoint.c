/* Files that are good HDF5 with anything in it: the input is a list of changes to a small
 * checkpoint, or, where its first byte is odd, to a weight file, which HDF5 itself makes before the
 * file is sealed and read. Links to everywhere, types, shapes, layouts and filters of all kinds.
 *
 * A change is a byte for what is done, and bytes for its particulars, each an index into the tables
 * below (modulo their length). Bytes that are not there are 0.
 */
#include "lae/store/checkpoint.h"
#include "lae/store/reader.h"

#include "../../src/store/seal.h"
#include "fuzz.h"
#include "lae/files/map.h"
#include "samples.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* For LeakSanitizer: HDF5 1.10 loses a little memory on the way out of some errors. Its handles are
 * looked after below. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5\n";
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { MOST_CHANGES = 24, MOST_VALUES = 1 << 14, LONG_NAME = 1200 };

struct input {
    const uint8_t *at, *end;
};

static unsigned next(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

static const char *choose_path(struct input *input)
{
    static const char *const paths[] = {
        "/config",
        "/class_order",
        "/init",
        "/online",
        "/offline",
        "/head",
        "/head/task_00",
        "/head/task_00/weight",
        "/head/task_00/bias",
        "/head/task_01/weight",
        "/metrics",
        "/metrics/online/accuracy",
        "/metrics/online",
        "/merge",
        "/merge/blocks/0",
        "/merge/blocks/0/attn/adapter/scale",
        "/provenance",
        "/resume",
        "/resume/adam",
        "/resume/adam/pet/m",
        "/online/blocks/0/attn/adapter/scale",
        "/online/blocks/0",
        "/offline/blocks",
        "/online/new",
        "/online/new/a",
        "/metrics/new",
        "/merge/new",
        "/new",
        "/",
        "/cls_token",
        "/pos_embed",
        "/blocks/0/norm1/weight",
        "/blocks/0",
        "/blocks/999/norm1/bias",
        "/norm/bias",
        "/online/.",
        "/online/\x1b[2J\n",
        "/online/gr\xc3\xbc\xff",
    };
    static char longest[LONG_NAME];
    unsigned index = next(input) % (COUNT(paths) + 1);
    if (index < COUNT(paths)) return paths[index];
    memset(longest, 'x', sizeof longest - 1);
    memcpy(longest, "/online/", 8);
    return longest;
}

static const char *choose_attribute(struct input *input)
{
    static const char *const names[] = {
        "format",       "format_version",
        "task",         "task_count",
        "classes_seen", "layer_norm_eps",
        "heads",        "merged",
        "epoch",        "step",
        "loss",         "correct",
        "pet_steps",    "kept_offline",
        "norm_merged",  "np",
        "hosts",        "new",
        "\x1b[2J",      "",
    };
    return names[next(input) % COUNT(names)];
}

/* To be closed. */
static hid_t choose_type(struct input *input)
{
    const hid_t plain[] = {H5T_IEEE_F32LE,  H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE,
                           H5T_STD_I32LE,   H5T_STD_I32BE,  H5T_STD_U32LE,  H5T_STD_I64LE,
                           H5T_STD_U64BE,   H5T_STD_I8LE,   H5T_STD_B32LE,  H5T_NATIVE_LDOUBLE,
                           H5T_STD_REF_OBJ, H5T_C_S1};
    unsigned index = next(input) % (COUNT(plain) + 6);
    if (index < COUNT(plain)) return H5Tcopy(plain[index]);
    hid_t type = H5Tcopy(H5T_C_S1);
    switch (index - COUNT(plain)) {
    case 0:
        H5Tset_size(type, H5T_VARIABLE);
        return type;
    case 1:
        H5Tset_size(type, 1 + (size_t)next(input));
        H5Tset_strpad(type, H5T_STR_NULLPAD);
        return type;
    case 2:
        H5Tset_size(type, (size_t)1 << next(input) % 31);
        return type;
    case 3:
        H5Tclose(type);
        type = H5Tcreate(H5T_COMPOUND, 8);
        H5Tinsert(type, "a", 0, H5T_IEEE_F32LE);
        return type;
    case 4:
        H5Tclose(type);
        return H5Tarray_create2(H5T_IEEE_F32LE, 1, (const hsize_t[]){1 + next(input) % 4});
    default:
        H5Tclose(type);
        return H5Tvlen_create(H5T_IEEE_F32LE);
    }
}

/* To be closed. The extents go to `extents`; `*values` is their product, 0 when it is large. */
static hid_t choose_space(struct input *input, int *rank, hsize_t extents[H5S_MAX_RANK],
                          size_t *values)
{
    static const hsize_t sizes[] = {1, 2, 3, 0, 4, 5, 8, 64, 1000, 1 << 20, (hsize_t)1 << 40};
    *rank = (int)(next(input) % 11);
    *values = 1;
    if (*rank == 10) return H5Screate(H5S_NULL);
    for (int i = 0; i < *rank; i++) {
        extents[i] = sizes[next(input) % COUNT(sizes)];
        *values = extents[i] > MOST_VALUES ? 0 : *values * (size_t)extents[i];
        if (*values > MOST_VALUES) *values = 0;
    }
    return *rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(*rank, extents, NULL);
}

/* How a dataset is stored; to be closed. */
static hid_t choose_layout(struct input *input, int rank, const hsize_t *extents, hid_t type)
{
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk[H5S_MAX_RANK];
    unsigned kind = next(input) % 8;
    for (int i = 0; i < rank; i++)
        chunk[i] = extents[i] > 0 ? extents[i] : 1;
    if (kind == 3 && rank > 0) chunk[0] = (hsize_t)1 << next(input) % 18; /* HDF5 fills it all */
    if (kind == 1) H5Pset_layout(creation, H5D_COMPACT);
    if (kind >= 2 && kind <= 5 && rank > 0) H5Pset_chunk(creation, rank, chunk);
    if (kind == 4) H5Pset_deflate(creation, 9);
    if (kind == 5) H5Pset_fletcher32(creation);
    if (kind == 6) H5Pset_external(creation, "/dev/zero", 0, H5F_UNLIMITED);
    if (kind == 7) {
        hid_t space = H5Screate_simple(rank, extents, NULL);
        H5Pset_virtual(creation, space, "other.h5", "/online", space);
        H5Sclose(space);
    }
    if (next(input) % 4 == 1) H5Pset_fill_value(creation, type, NULL);
    return creation;
}

/* Values for `count` elements of the type, all alike: zeros, or a number's bytes. */
static void *make_values(struct input *input, hid_t type, size_t count)
{
    static const float numbers[] = {0.0f, 1.0f, -1.0f, 3e38f, 1e-40f};
    unsigned index = next(input) % (COUNT(numbers) + 2);
    size_t size = count * H5Tget_size(type);
    unsigned char *values = calloc(size + 1, 1);
    LAE_FUZZ_CHECK(values != NULL);
    if (H5Tdetect_class(type, H5T_VLEN) > 0 || H5Tis_variable_str(type) > 0) return values;
    float number = index < COUNT(numbers) ? numbers[index] : 0.0f;
    for (size_t i = 0; i + sizeof number <= size; i += sizeof number)
        memcpy(values + i, &number, sizeof number);
    if (index >= COUNT(numbers)) memset(values, index == COUNT(numbers) ? 'a' : 0xff, size);
    return values;
}

static bool is_writable(hid_t type, size_t values)
{
    return values > 0 && values * H5Tget_size(type) <= (size_t)4 * MOST_VALUES;
}

static void put_dataset(hid_t file, struct input *input)
{
    int rank;
    size_t count;
    hsize_t extents[H5S_MAX_RANK];
    const char *path = choose_path(input);
    hid_t type = choose_type(input), space = choose_space(input, &rank, extents, &count);
    hid_t creation = choose_layout(input, rank % 10, extents, type);
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    H5Ldelete(file, path, H5P_DEFAULT);
    hid_t dataset = H5Dcreate2(file, path, type, space, links, creation, H5P_DEFAULT);
    bool stored = H5Pget_external_count(creation) == 0 && H5Pget_layout(creation) != H5D_VIRTUAL;
    if (dataset >= 0 && stored && is_writable(type, count) && next(input) % 8 != 7) {
        void *values = make_values(input, type, count);
        H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
        free(values);
    }
    if (dataset >= 0) H5Dclose(dataset);
    H5Pclose(links);
    H5Pclose(creation);
    H5Sclose(space);
    H5Tclose(type);
}

static void put_attribute(hid_t file, struct input *input)
{
    int rank;
    size_t count;
    hsize_t extents[H5S_MAX_RANK];
    const char *path = choose_path(input), *name = choose_attribute(input);
    hid_t type = choose_type(input), space = choose_space(input, &rank, extents, &count);
    H5Adelete_by_name(file, path, name, H5P_DEFAULT);
    if (is_writable(type, count)) {
        void *values = make_values(input, type, count);
        hid_t attribute =
            H5Acreate_by_name(file, path, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        if (attribute >= 0) {
            H5Awrite(attribute, type, values);
            H5Aclose(attribute);
        }
        free(values);
    }
    H5Sclose(space);
    H5Tclose(type);
}

static void put_link(hid_t file, struct input *input, unsigned kind)
{
    const char *to = choose_path(input), *path = choose_path(input);
    if (kind == 0) H5Lcreate_soft(to, file, path, H5P_DEFAULT, H5P_DEFAULT);
    if (kind == 1) H5Lcreate_external("input", to, file, path, H5P_DEFAULT, H5P_DEFAULT);
    if (kind == 2) H5Lcreate_hard(file, to, file, path, H5P_DEFAULT, H5P_DEFAULT);
}

static void put_object(hid_t file, struct input *input, bool group)
{
    const char *path = choose_path(input);
    hid_t type = choose_type(input);
    hid_t object = group ? H5Gcreate2(file, path, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT) : -1;
    if (object >= 0) H5Gclose(object);
    if (!group) H5Tcommit2(file, path, type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Tclose(type);
}

static void change(hid_t file, struct input *input)
{
    unsigned kind = next(input) % 8;
    if (kind < 2) put_dataset(file, input);
    if (kind == 2) put_attribute(file, input);
    if (kind == 3) H5Ldelete(file, choose_path(input), H5P_DEFAULT);
    if (kind >= 4 && kind < 7) put_link(file, input, kind - 4);
    if (kind == 7) put_object(file, input, next(input) % 2 == 0);
}

/* The bytes of the file at `path`, `*size` of them; never freed. */
static unsigned char *load(const char *path, size_t *size)
{
    struct lae_map map;
    lae_status status = lae_map_open(path, &map);
    LAE_FUZZ_CHECK(status == NULL);
    unsigned char *bytes = lae_fuzz_copy(map.data, map.size);
    *size = map.size;
    lae_map_close(&map);
    return bytes;
}

/* The file that changes are made to, written once by the program's own writers. */
static const unsigned char *find_sample(bool weights, size_t *size)
{
    static struct {
        unsigned char *bytes;
        size_t size;
    } samples[2];
    if (samples[weights].bytes == NULL) {
        struct lae_checkpoint checkpoint;
        struct lae_weights network;
        const char *path = lae_fuzz_file("sample.h5", "", 0);
        lae_sample_checkpoint(true, &checkpoint);
        lae_sample_weights(&network);
        lae_status status =
            weights ? lae_weights_write(path, &network) : lae_checkpoint_write(path, &checkpoint);
        LAE_FUZZ_CHECK(status == NULL);
        lae_checkpoint_free(&checkpoint);
        lae_weights_free(&network);
        samples[weights].bytes = load(path, &samples[weights].size);
    }
    *size = samples[weights].size;
    return samples[weights].bytes;
}

/* The image of a file, sealed, with the changes made; free(). */
static unsigned char *make_file(struct input *input, bool weights, size_t *size)
{
    size_t bytes;
    const unsigned char *sample = find_sample(weights, &bytes);
    const char *path = lae_fuzz_file("changed.h5", sample, bytes);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    LAE_FUZZ_CHECK(file >= 0);
    for (int i = 0; i < MOST_CHANGES && input->at < input->end; i++)
        change(file, input);
    H5Fclose(file);
    unsigned char *image = load(path, size);
    lae_status status =
        lae_seal_stamp(image, *size, weights ? "lae-weights" : LAE_CHECKPOINT_FORMAT, 1);
    LAE_FUZZ_CHECK(status == NULL);
    return image;
}

enum { KINDS = 3 };

/* HDF5 gives handles of a kind out in ascending order, and has no call that counts them. */
static void newest_handles(hid_t newest[KINDS])
{
    newest[0] = H5Pcreate(H5P_FILE_ACCESS);
    newest[1] = H5Screate(H5S_SCALAR);
    newest[2] = H5Tcopy(H5T_C_S1);
    H5Pclose(newest[0]);
    H5Sclose(newest[1]);
    H5Tclose(newest[2]);
}

static void read_file(const char *path, bool weights)
{
    hid_t before[KINDS], after[KINDS];
    newest_handles(before);
    if (weights)
        lae_fuzz_weights(path);
    else
        lae_fuzz_checkpoint(path);
    newest_handles(after);
    for (int kind = 0; kind < KINDS; kind++)
        for (hid_t handle = before[kind]; handle < after[kind]; handle++)
            LAE_FUZZ_CHECK(H5Iis_valid(handle) <= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, data + size};
    size_t bytes = 0;
    bool weights = next(&input) % 2 == 1;
    lae_reader_forgo(); /* so that what the readers do is seen */
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    unsigned char *file = make_file(&input, weights, &bytes);
    const char *path = lae_fuzz_file("input", file, bytes);
    free(file);
    read_file(path, weights);
    return 0;
}
