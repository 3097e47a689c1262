/* Weight files: cut at every boundary of their structure, headers that lie, tensors that are
 * missing, doubled, misshapen or not finite, and files that are something else. */
#include "bad.h"

#include "lae/files/archive.h"
#include "lae/weights/weights.h"

#include <archive.h>
#include <archive_entry.h>
#include <hdf5.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NPZ "google.npz"
#define SAFE "timm-f32.safetensors"
#define OWN "own.h5"

/* The program's own file is among the masters: its seal is the program's. */
static const char *find_sample(char path[BAD_PATH], const char *source, const char *masters,
                               const char *name)
{
    char directory[BAD_PATH];
    bad_join(directory, source, "tests/reference/weights");
    return bad_join(path, strcmp(name, OWN) == 0 ? masters : directory, name);
}

static const char *sample(char path[BAD_PATH], const struct bad_place *place, const char *name)
{
    return find_sample(path, place->source, place->masters, name);
}

static void add(struct bad_list *list, const char *name, const char *file, bad_function *make,
                const void *with, const char *word)
{
    bad_add(list, &(struct bad_case){.name = name,
                                     .args = {"model.weights={file}", "run.tasks=2"},
                                     .run = "base",
                                     .file = file,
                                     .make = make,
                                     .with = with,
                                     .word = word,
                                     .also = file});
}

/* ---- cut at boundaries */

struct cut {
    char file[64];
    size_t size;
};

static bool make_cut(const struct bad_place *place, const void *with)
{
    const struct cut *cut = with;
    char path[BAD_PATH];
    struct bad_bytes bytes;
    if (!bad_read(sample(path, place, cut->file), &bytes)) return false;
    bool written = cut->size < bytes.size && bad_write(place->file, bytes.data, cut->size);
    free(bytes.data);
    return written || bad_tell("cut", path);
}

static void add_cut(struct bad_list *list, const char *file, size_t size, const char *where)
{
    struct cut cut = {.size = size};
    snprintf(cut.file, sizeof cut.file, "%s", file);
    add(list, bad_text(list, "%s cut to %zu bytes: %s", file, size, where), file, make_cut,
        bad_keep(list, &cut, sizeof cut), NULL);
}

static uint64_t number_at(const struct bad_bytes *bytes, size_t at, int count)
{
    uint64_t number = 0;
    for (int i = 0; i < count && at + (size_t)i < bytes->size; i++)
        number |= (uint64_t)bytes->data[at + (size_t)i] << 8 * i;
    return number;
}

/* Local headers ("PK\3\4"), the directory's entries ("PK\1\2") and its end ("PK\5\6"). */
static void add_npz_cuts(struct bad_list *list)
{
    char path[BAD_PATH];
    struct bad_bytes bytes;
    if (!bad_read(find_sample(path, list->source, list->masters, NPZ), &bytes)) abort();
    for (size_t at = 0; at + 4 <= bytes.size; at++) {
        uint64_t mark = number_at(&bytes, at, 4);
        if (mark == 0x04034b50) add_cut(list, NPZ, at, "before an entry");
        if (mark == 0x04034b50) add_cut(list, NPZ, at + 30, "inside an entry's name");
        if (mark == 0x02014b50) add_cut(list, NPZ, at, "inside its directory");
        if (mark == 0x06054b50) add_cut(list, NPZ, at, "before its end");
        if (mark == 0x06054b50) add_cut(list, NPZ, at + 21, "inside its end");
    }
    free(bytes.data);
}

/* Behind the length, inside and behind the header, behind each tensor. */
static void add_safe_cuts(struct bad_list *list)
{
    char path[BAD_PATH];
    struct bad_bytes bytes;
    if (!bad_read(find_sample(path, list->source, list->masters, SAFE), &bytes)) abort();
    size_t header = (size_t)number_at(&bytes, 0, 8);
    bytes.data[8 + header - 1] = '\0';
    static const size_t fronts[] = {0, 1, 7, 8, 9, 64};
    for (size_t i = 0; i < sizeof fronts / sizeof *fronts; i++)
        add_cut(list, SAFE, fronts[i], "its front");
    add_cut(list, SAFE, 8 + header, "behind its header");
    const char *text = (const char *)bytes.data + 8;
    while ((text = strstr(text, "data_offsets\":[")) != NULL) {
        text += strlen("data_offsets\":[");
        size_t end = (size_t)strtoull(strchr(text, ',') + 1, NULL, 10);
        if (8 + header + end < bytes.size) add_cut(list, SAFE, 8 + header + end, "behind a tensor");
    }
    add_cut(list, SAFE, bytes.size - 1, "its last byte");
    free(bytes.data);
}

static void add_own_cuts(struct bad_list *list)
{
    enum { STEPS = 12 };
    char path[BAD_PATH];
    struct bad_bytes bytes;
    if (!bad_read(find_sample(path, list->source, list->masters, OWN), &bytes)) abort();
    static const size_t fronts[] = {0, 1, 64, 511, 512, 516, 520, 608};
    for (size_t i = 0; i < sizeof fronts / sizeof *fronts; i++)
        add_cut(list, OWN, fronts[i], "its front");
    for (size_t i = 1; i < STEPS; i++)
        add_cut(list, OWN, bytes.size * i / STEPS, "between objects");
    add_cut(list, OWN, bytes.size - 1, "its last byte");
    free(bytes.data);
}

/* ---- .safetensors: another header */

struct edit {
    const char *name, *from, *to, *word;
};

static const struct edit edits[] = {
    {"tensors that overlap", "[64,1088]", "[60,1084]", "overlap"},
    {"the same place twice", "\"data_offsets\":[64,1088]", "\"data_offsets\":[0,1024]", "overlap"},
    {"a tensor behind the end", "\"data_offsets\":[0,64]", "\"data_offsets\":[99999936,100000000]",
     "bytes 99999936"},
    {"an offset below 0", "\"data_offsets\":[0,64]", "\"data_offsets\":[-64,0]", "data_offsets"},
    {"an offset of 2^63", "\"data_offsets\":[0,64]",
     "\"data_offsets\":[9223372036854775808,9223372036854775872]", "header"},
    {"offsets in the wrong order", "\"data_offsets\":[0,64]", "\"data_offsets\":[64,0]",
     "bytes 64"},
    {"three offsets", "\"data_offsets\":[0,64]", "\"data_offsets\":[0,64,64]", "data_offsets"},
    {"no offsets", "\"data_offsets\":[0,64]", "\"data_offset\":[0,64]", "data_offsets"},
    {"offsets that are no whole numbers", "\"data_offsets\":[0,64]", "\"data_offsets\":[0.0,64.0]",
     "data_offsets"},
    {"a shape below 0", "\"shape\":[16]", "\"shape\":[-16]", "shape"},
    {"a shape of 2^62", "\"shape\":[16,16]", "\"shape\":[4611686018427387904,4]",
     "blocks.0.attn.proj.weight"},
    {"a shape that wraps around to 0", "\"shape\":[16,16]", "\"shape\":[4294967296,4294967296]",
     "blocks.0.attn.proj.weight"},
    {"a shape of fractions", "\"shape\":[16]", "\"shape\":[1.6e1]", "shape"},
    {"a shape of too many axes", "\"shape\":[16]", "\"shape\":[1,1,1,1,1,1,1,1,16]",
     "blocks.0.attn.proj.bias"},
    {"a shape that is no list", "\"shape\":[16]", "\"shape\":16", "shape"},
    {"no shape", "\"shape\":[16]", "\"form\":[16]", "shape"},
    {"another shape of the same size", "\"shape\":[16,16]", "\"shape\":[8,32]",
     "blocks.0.attn.proj.weight"},
    {"an extent of 0", "\"shape\":[16]", "\"shape\":[0]", "blocks.0.attn.proj.bias"},
    {"a tensor of integers", "\"dtype\":\"F32\"", "\"dtype\":\"I32\"", "I32"},
    {"a tensor of doubles", "\"dtype\":\"F32\"", "\"dtype\":\"F64\"", "blocks.0.attn.proj.bias"},
    {"a tensor of half the width", "\"dtype\":\"F32\"", "\"dtype\":\"F16\"",
     "blocks.0.attn.proj.bias"},
    {"a type that is no text", "\"dtype\":\"F32\"", "\"dtype\":32", "dtype"},
    {"no type", "\"dtype\":\"F32\"", "\"type\":\"F32\"", "dtype"},
    {"a name twice", "blocks.0.attn.proj.weight", "blocks.0.attn.proj.bias", "duplicate"},
    {"a tensor misspelt", "\"norm.bias\"", "\"nurm.bias\"", "nurm.bias"},
    {"a tensor of another architecture", "\"blocks.0.norm1.bias\"", "\"blocks.0.ls1.gamma\"",
     "blocks.0."},
    {"a block too many", "blocks.0.norm1.bias", "blocks.9.norm1.bias", "blocks."},
    {"a block of a huge number", "blocks.0.norm1.bias", "blocks.99999999999999999999.norm1.bias",
     "blocks."},
    {"a name of escape sequences", "\"norm.bias\"", "\"\\u001b[2J.bias\"", "bias"},
    {"a name with a zero byte", "\"norm.bias\"", "\"norm\\u0000.bias\"", "header"},
    {"an entry that is a number", "\"__metadata__\":{\"format\":\"pt\"}", "\"norm\":3", "norm"},
    {"metadata that are no object", "{\"format\":\"pt\"}", "[1]", "__metadata__"},
    {"heads that are no number", "{\"format\":\"pt\"}",
     "{\"layer_norm_eps\":\"1e-6\",\"heads\":\"two\"}", "heads"},
    {"heads below 0", "{\"format\":\"pt\"}", "{\"layer_norm_eps\":\"1e-6\",\"heads\":\"-2\"}",
     "heads"},
    {"eps of 0", "{\"format\":\"pt\"}", "{\"layer_norm_eps\":\"0.0\",\"heads\":\"2\"}",
     "layer_norm_eps"},
    {"no JSON", "{\"__metadata__\"", "<\"__metadata__\"", ""},
    {"JSON cut short", "\"__metadata__\":", "\"__metadata__\"", "header is damaged"},
    {"JSON with a comma too many", "\"F32\",\"shape\"", "\"F32\",,\"shape\"", "header is damaged"},
    {"JSON that is not UTF-8", "norm.bias",
     "norm.\xff"
     "ias",
     "header is damaged"},
};

static bool make_edit(const struct bad_place *place, const void *with)
{
    const struct edit *edit = with;
    char path[BAD_PATH];
    struct bad_bytes bytes;
    if (!bad_read(sample(path, place, SAFE), &bytes)) return false;
    size_t before = bytes.size;
    uint64_t header = number_at(&bytes, 0, 8);
    bool edited = bad_replace(&bytes, edit->from, edit->to);
    header += bytes.size - before;
    for (int i = 0; i < 8 && edited; i++)
        bytes.data[i] = (unsigned char)(header >> 8 * i);
    edited = edited && bad_write(place->file, bytes.data, bytes.size);
    free(bytes.data);
    return edited;
}

/* A header whose length is told wrongly. */
static bool make_length(const struct bad_place *place, const void *with)
{
    const uint64_t *length = with;
    char path[BAD_PATH];
    struct bad_bytes bytes;
    if (!bad_read(sample(path, place, SAFE), &bytes)) return false;
    for (int i = 0; i < 8; i++)
        bytes.data[i] = (unsigned char)(*length >> 8 * i);
    bool written = bad_write(place->file, bytes.data, bytes.size);
    free(bytes.data);
    return written;
}

/* A header of lists as deep as it is long. */
static bool make_deep(const struct bad_place *place, const void *with)
{
    enum { DEPTH = 1000000 };
    (void)with;
    unsigned char *bytes = malloc(8 + DEPTH);
    if (bytes == NULL) abort();
    memset(bytes, '[', 8 + DEPTH);
    memcpy(bytes, "\x40\x42\x0f\0\0\0\0\0{\"a\":", 13);
    bool written = bad_write(place->file, bytes, 8 + DEPTH);
    free(bytes);
    return written;
}

static void add_edits(struct bad_list *list)
{
    static const struct {
        const char *name;
        uint64_t length;
    } lengths[] = {{"a header of 0 bytes", 0},
                   {"a header of 1 byte", 1},
                   {"a header shorter by a byte", 2615},
                   {"a header longer by a byte", 2617},
                   {"a header as long as the file", 24860},
                   {"a header of 2^32 bytes", (uint64_t)1 << 32},
                   {"a header of 2^64 - 1 bytes", UINT64_MAX}};
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++)
        add(list, bad_text(list, ".safetensors: %s", edits[i].name), "w.safetensors", make_edit,
            &edits[i], edits[i].word);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        add(list, lengths[i].name, "w.safetensors", make_length, &lengths[i].length, NULL);
    add(list, "a header of a million brackets", "w.safetensors", make_deep, NULL, "header");
}

/* ---- .npz: the arrays edited, the zip made anew */

struct array {
    const char *name, *entry; /* of the array that is edited */
    const char *from, *to;    /* in its header, of one length; NULL: `rename` alone */
    const char *rename;       /* the entry's new name; "": left out; NULL: the same */
    bool twice;
    const char *word;
};

#define BIAS "Transformer/encoder_norm/bias.npy"
#define KERNEL "Transformer/encoderblock_0/MlpBlock_3/Dense_0/kernel.npy"
#define KERNEL_NAME "Transformer/encoderblock_0/MlpBlock_3/Dense_0/kernel"

static const struct array arrays[] = {
    {"a missing array", BIAS, NULL, NULL, "", false, "Transformer/encoder_norm/bias is missing"},
    {"an array twice", BIAS, NULL, NULL, NULL, true,
     "Transformer/encoder_norm/bias is there twice"},
    {"an unknown array", BIAS, NULL, NULL, "Transformer/encoder_norm/bios.npy", false, "bi"},
    {"an entry that is no array", BIAS, NULL, NULL, "readme.txt", false, "readme.txt"},
    {"an entry without a name", BIAS, NULL, NULL, ".npy", false, ".npy"},
    {"an entry of escape sequences", BIAS, NULL, NULL, "\033[2J.npy", false, "tensor ?[2J"},
    {"an entry outside", BIAS, NULL, NULL, "../../../tmp/bias.npy", false, "bias"},
    {"a block of a huge number", BIAS, NULL, NULL,
     "Transformer/encoderblock_99999999999999999999/LayerNorm_0/bias.npy", false, "encoder"},
    {"an array of doubles", KERNEL, "'<f4'", "'<f8'", NULL, false, KERNEL_NAME},
    {"an array of integers", KERNEL, "'<f4'", "'<i4'", NULL, false, "<i4"},
    {"an array of big-endian numbers", KERNEL, "'<f4'", "'>f4'", NULL, false, ">f4"},
    {"an array of objects", KERNEL, "'<f4'", "'|O' ", NULL, false, "|O"},
    {"an array of records", KERNEL, "'<f4'", "[('',", NULL, false, "records"},
    {"an array of another shape", KERNEL, "(16, 32)", "(32, 16)", NULL, false, KERNEL_NAME},
    {"an array of a smaller shape", KERNEL, "(16, 32)", "(16, 31)", NULL, false, KERNEL_NAME},
    {"an array of a huge shape", KERNEL, "(16, 32)", "(9**9**9)", NULL, false, KERNEL_NAME},
    {"a shape below 0", KERNEL, "(16, 32)", "(16,-32)", NULL, false, KERNEL_NAME},
    {"a shape of one axis", KERNEL, "(16, 32)", "(512,  )", NULL, false, KERNEL_NAME},
    {"no shape", KERNEL, "'shape'", "'shapo'", NULL, false, "shapo"},
    {"no type", KERNEL, "'descr'", "'descs'", NULL, false, "descs"},
    {"an order that is none", KERNEL, "False", "Maybe", NULL, false, KERNEL_NAME},
    {"no array's mark", KERNEL, "NUMPY", "NUMPI", NULL, false, "not a .npy array"},
    {"version 9 of arrays", KERNEL, "NUMPY\x01", "NUMPY\x09", NULL, false, "version 9"},
    {"a header without its end", KERNEL, "}", " ", NULL, false, KERNEL_NAME},
};

/* The array's header, of Python's kind, with `from` made to `to`; both as long. */
static bool edit_header(unsigned char *data, size_t size, const struct array *array)
{
    size_t length = strlen(array->from);
    for (size_t at = 0; at + length <= size; at++) {
        if (memcmp(data + at, array->from, length) != 0) continue;
        memcpy(data + at, array->to, length < strlen(array->to) ? length : strlen(array->to));
        return true;
    }
    fprintf(stderr, "%s has no \"%s\"\n", array->entry, array->from);
    return false;
}

static void put_entry(struct archive *out, const char *name, const unsigned char *data, size_t size)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)size);
    if (archive_write_header(out, entry) == ARCHIVE_OK) archive_write_data(out, data, size);
    archive_entry_free(entry);
}

/* One entry from `in` to `out`, edited if it is the one. */
static bool pass_entry(struct lae_archive *in, const char *name, struct archive *out,
                       const struct array *array, bool *found)
{
    bool ours = strcmp(name, array->entry) == 0, good = true;
    char *own = strdup(name);
    unsigned char *data = NULL;
    size_t size = 0;
    lae_status status = lae_archive_read(in, SIZE_MAX, &data, &size);
    if (own == NULL || status != NULL) abort();
    *found = *found || ours;
    if (ours && array->from != NULL) good = edit_header(data, size, array);
    const char *target = ours && array->rename != NULL ? array->rename : own;
    for (int i = 0; i < (ours && array->twice ? 2 : 1) && target[0] != '\0'; i++)
        put_entry(out, target, data, size);
    free(own);
    free(data);
    return good;
}

static bool make_array(const struct bad_place *place, const void *with)
{
    const struct array *array = with;
    char path[BAD_PATH];
    const char *name = NULL;
    struct lae_archive *in = NULL;
    bool found = false, good = true;
    if (lae_archive_open(sample(path, place, NPZ), &in) != NULL) abort();
    struct archive *out = archive_write_new();
    archive_write_set_format_zip(out);
    archive_write_set_options(out, "zip:compression=store");
    good = archive_write_open_filename(out, place->file) == ARCHIVE_OK;
    while (good && lae_archive_next(in, &name) == NULL && name != NULL)
        good = pass_entry(in, name, out, array, &found);
    good = archive_write_close(out) == ARCHIVE_OK && good && found;
    archive_write_free(out);
    lae_archive_close(in);
    return good || bad_tell("repack", path);
}

/* A byte of the stored file turned over; `at` in thousandths. */
static bool make_flip(const struct bad_place *place, const void *with)
{
    const struct cut *flip = with;
    char path[BAD_PATH];
    struct bad_bytes bytes;
    if (!bad_read(sample(path, place, flip->file), &bytes)) return false;
    bytes.data[(bytes.size - 1) * flip->size / 1000] ^= 0x41;
    bool written = bad_write(place->file, bytes.data, bytes.size);
    free(bytes.data);
    return written;
}

static void add_arrays(struct bad_list *list)
{
    static const size_t places[] = {0, 5, 300, 700};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        add(list, bad_text(list, ".npz: %s", arrays[i].name), "w.npz", make_array, &arrays[i],
            arrays[i].word);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct cut flip = {.file = NPZ, .size = places[i]};
        add(list, bad_text(list, ".npz: a byte turned over at %zu/1000", places[i]), NPZ, make_flip,
            bad_keep(list, &flip, sizeof flip), NULL);
    }
    for (size_t i = 0; i <= 1000; i += 125) {
        struct cut flip = {.file = OWN, .size = i};
        add(list, bad_text(list, ".h5: a byte turned over at %zu/1000", i), OWN, make_flip,
            bad_keep(list, &flip, sizeof flip), NULL);
    }
}

/* ---- whole files with tensors that cannot be, written by the program's own writer */

enum fault { NOT_A_NUMBER, INFINITE, MISSING, DOUBLED, TURNED, LONGER, HEADS, EPS };

struct tensor {
    const char *name, *tensor, *word;
    enum fault fault;
};

static const struct tensor tensors[] = {
    {"NaN", "blocks/1/mlp/fc1/weight", "blocks", NOT_A_NUMBER},
    {"infinity", "norm/bias", "norm", INFINITE},
    {"a missing tensor", "cls_token", "cls_token", MISSING},
    {"a matrix turned", "blocks/0/mlp/fc1/weight", "fc1", TURNED},
    {"one axis more", "norm/weight", "norm", LONGER},
    {"five heads for a width of 16", "norm/weight", "heads", HEADS},
    {"an eps below 0", "norm/weight", "layer_norm_eps", EPS},
};

static void inject(struct lae_weights *weights, const struct tensor *tensor)
{
    struct lae_named *item = lae_set_find(&weights->tensors, tensor->tensor);
    if (item == NULL) abort();
    size_t first = item->shape[0];
    if (tensor->fault == NOT_A_NUMBER) item->data[item->count / 2] = NAN;
    if (tensor->fault == INFINITE) item->data[0] = -INFINITY;
    if (tensor->fault == LONGER) item->shape[item->rank++] = 1;
    if (tensor->fault == HEADS) weights->heads = 5;
    if (tensor->fault == EPS) weights->layer_norm_eps = -1e-6;
    if (tensor->fault == TURNED) {
        item->shape[0] = item->shape[1];
        item->shape[1] = first;
    }
    if (tensor->fault == MISSING) {
        struct lae_named last = weights->tensors.items[weights->tensors.count - 1];
        free(item->name);
        free(item->data);
        *item = last;
        weights->tensors.count--;
    }
}

static bool make_tensor(const struct bad_place *place, const void *with)
{
    char path[BAD_PATH];
    struct lae_weights weights;
    lae_status status = lae_weights_read(sample(path, place, SAFE), NULL, &weights);
    if (status == NULL) {
        weights.heads = 2;
        inject(&weights, with);
        status = lae_weights_write(place->file, &weights);
        lae_weights_free(&weights);
    }
    if (status == NULL) return true;
    fprintf(stderr, "%s\n", lae_status_message(status));
    lae_status_free(status);
    return false;
}

/* ---- HDF5 that others wrote */

enum stranger { NOTHING_IN_IT, WRONG_FORMAT, INTEGERS };

static bool make_hdf5(const struct bad_place *place, const void *with)
{
    const enum stranger *what = with;
    hid_t file = H5Fcreate(place->file, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hsize_t count = 16;
    hid_t space = H5Screate_simple(1, &count, NULL), one = H5Screate(H5S_SCALAR);
    if (*what == INTEGERS)
        H5Dclose(
            H5Dcreate2(file, "norm", H5T_STD_I32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    if (*what == WRONG_FORMAT) {
        hid_t type = H5Tcopy(H5T_C_S1);
        H5Tset_size(type, 6);
        hid_t attribute = H5Acreate2(file, "format", type, one, H5P_DEFAULT, H5P_DEFAULT);
        H5Awrite(attribute, type, "keras");
        H5Aclose(attribute);
        H5Tclose(type);
    }
    H5Sclose(one);
    H5Sclose(space);
    return H5Fclose(file) >= 0 || bad_tell("write", place->file);
}

static void add_tensors(struct bad_list *list)
{
    static const enum stranger nothing = NOTHING_IN_IT, format = WRONG_FORMAT, integers = INTEGERS;
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        add(list, bad_text(list, ".safetensors with %s", tensors[i].name), "w.safetensors",
            make_tensor, &tensors[i], tensors[i].word);
        add(list, bad_text(list, ".h5 with %s", tensors[i].name), "w.h5", make_tensor, &tensors[i],
            tensors[i].word);
    }
    add(list, "HDF5 with nothing in it", "w.h5", make_hdf5, &nothing, "no attribute format");
    add(list, "HDF5 of another program", "w.h5", make_hdf5, &format, "keras");
    add(list, "HDF5 with integers", "w.h5", make_hdf5, &integers, "no attribute format");
}

/* ---- something else under a weight file's name */

struct other {
    const char *name, *file, *bytes;
    size_t size;
    const char *word;
};

static const struct other others[] = {
    {"an empty file", "w.npz", "", 0, "is empty"},
    {"one zero", "w.safetensors", "\0", 1, NULL},
    {"a pickle", "w.pth", "\x80\x02}q\x01.", 6, "not one of PyTorch's"},
    {"a newer pickle", "w.bin", "\x80\x04\x95", 3, "pickle"},
    {"one .npy", "w.npz", "\x93NUMPY\x01\0v\0", 10, "numpy.savez"},
    {"a Git LFS pointer", "w.safetensors",
     "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", 63, "git lfs pull"},
    {"a pickle that calls", "w.pth",
     "\x80\x02"
     "cos\nsystem\nX\x04\0\0\0true\x85R.",
     26, "not one of PyTorch's"},
    {"PyTorch's first bytes", "w.bin",
     "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.", 21, NULL},
    {"gzip", "w.npz", "\x1f\x8b\x08\0", 4, "unpack it"},
    {"an error page", "w.npz", "<!DOCTYPE html><html></html>", 28, "a page of HTML"},
    {"a zip of nothing", "w.npz", "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22, NULL},
    {"a zip's first bytes", "w.npz", "PK\3\4", 4, NULL},
    {"HDF5's first bytes", "w.h5", "\x89HDF\r\n\x1a\n", 8, NULL},
    {"an empty JSON header", "w.safetensors", "\2\0\0\0\0\0\0\0{}", 10, NULL},
    {"a configuration", "w.yaml", "run:\n  name: a\n", 15, "no weight file"},
};

static bool write_other(const struct bad_place *place, const void *with)
{
    const struct other *other = with;
    return bad_write(place->file, other->bytes, other->size);
}

static bool make_directory(const struct bad_place *place, const void *with)
{
    (void)with;
    return mkdir(place->file, 0777) == 0 || bad_tell("make", place->file);
}

static bool make_pipe(const struct bad_place *place, const void *with)
{
    (void)with;
    return mkfifo(place->file, 0666) == 0 || bad_tell("make", place->file);
}

static bool make_checkpoint(const struct bad_place *place, const void *with)
{
    (void)with;
    char path[BAD_PATH];
    return bad_copy(bad_join(path, place->masters, "base/task_00.h5"), place->file);
}

static bool make_link(const struct bad_place *place, const void *with)
{
    return symlink(with, place->file) == 0 || bad_tell("make", place->file);
}

/* `with`: the name of one of the sample files. */
static bool make_sample(const struct bad_place *place, const void *with)
{
    char path[BAD_PATH];
    return bad_copy(sample(path, place, with), place->file);
}

/* ---- shards and folders */

struct shards {
    const char *name, *index; /* the index's text; NULL: there is none */
    bool folder;              /* the folder is given, not the index */
    int files;                /* how many whole files lie there */
    const char *word;
};

static const struct shards shards[] = {
    {"an index of a shard that is missing",
     "{\"weight_map\": {\"cls_token\": \"model-00001-of-00001.safetensors\"}}", false, 0,
     "1 of its 1 shards is missing"},
    {"an index that names a file outside its folder",
     "{\"weight_map\": {\"cls_token\": \"../../etc/passwd\"}}", false, 1, "outside the index's"},
    {"an index without tensors", "{\"weight_map\": {}}", false, 1, "weight_map is empty"},
    {"an index cut short", "{\"weight_map\": {", true, 1, "is damaged at byte"},
    {"JSON that is no index", "{\"num_attention_heads\": 3}", false, 1, "without a weight_map"},
    {"a folder of two models", NULL, true, 2, "holds 2 weight files"},
    {"a folder of nothing", NULL, true, 0, "without a weight file"},
};

static bool make_shards(const struct bad_place *place, const void *with)
{
    const struct shards *shard = with;
    static const char *const names[] = {"a.safetensors", "b.safetensors"};
    char path[BAD_PATH], from[BAD_PATH];
    if (mkdir(place->file, 0777) != 0) return bad_tell("make", place->file);
    for (int i = 0; i < shard->files; i++)
        if (!bad_copy(sample(from, place, SAFE), bad_join(path, place->file, names[i])))
            return false;
    return shard->index == NULL || bad_write(bad_join(path, place->file, "w.index.json"),
                                             shard->index, strlen(shard->index));
}

static void add_shards(struct bad_list *list)
{
    for (size_t i = 0; i < sizeof shards / sizeof *shards; i++)
        bad_add(list,
                &(struct bad_case){.name = shards[i].name,
                                   .args = {shards[i].folder ? "model.weights={file}"
                                                             : "model.weights={file}/w.index.json",
                                            "run.tasks=2"},
                                   .run = "base",
                                   .file = "shards",
                                   .make = make_shards,
                                   .with = &shards[i],
                                   .word = shards[i].word});
}

void bad_weights(struct bad_list *list)
{
    add_npz_cuts(list);
    add_safe_cuts(list);
    add_own_cuts(list);
    add_edits(list);
    add_arrays(list);
    add_tensors(list);
    add_shards(list);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        add(list, others[i].name, others[i].file, write_other, &others[i], others[i].word);
    add(list, "no weight file there", "w.npz", NULL, NULL, "cannot be opened");
    add(list, "a directory as weights", "w.npz", make_directory, NULL, "without a weight file");
    add(list, "a named pipe as weights", "w.npz", make_pipe, NULL, "not a regular file");
    add(list, "a device as weights", "w.npz", make_link, "/dev/zero", "not a regular file");
    add(list, "a link to nothing as weights", "w.npz", make_link, "/nowhere/w", "cannot be opened");
    add(list, "a backbone with layer scale", "w.safetensors", make_sample,
        "refused-layer-scale.safetensors", "LayerScale: not supported yet");
    bad_add(list, &(struct bad_case){.name = "heads that nobody knows",
                                     .args = {"model.weights={file}", "model.heads=null"},
                                     .make = make_sample,
                                     .with = SAFE,
                                     .word = "set model.heads"});
    add(list, "a checkpoint as weights", "w.h5", make_checkpoint, NULL, "lae-checkpoint");
    static const char *const whole[] = {NPZ,
                                        SAFE,
                                        OWN,
                                        "transformers.safetensors",
                                        "torch/model.pth",
                                        "torch/flat-legacy.pth",
                                        "torch/legacy.bin"};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        bad_add(list, &(struct bad_case){.name = bad_text(list, "%s as it is", whole[i]),
                                         .end = BAD_FINE,
                                         .args = {"model.weights={file}", "run.tasks=1"},
                                         .make = make_sample,
                                         .with = whole[i]});
    bad_add(list, &(struct bad_case){.name = "another backbone",
                                     .args = {"model.weights={file}", "run.tasks=2"},
                                     .run = "base",
                                     .make = make_sample,
                                     .with = "timm-bf16.safetensors",
                                     .word = "another model.weights"});
}
