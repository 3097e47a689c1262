/* The small valid files that fuzzing begins with: fuzz_seeds DIRECTORY writes DIRECTORY/TARGET/NAME
 * for each target whose files are made of bytes, then prints what it has written. */
#define _GNU_SOURCE /* mkdtemp, nftw */
#include "../unit/weight_files.h"

#include "lae/files/map.h"
#include "samples.h"

#include <jpeglib.h>
#include <png.h>

#define RECORD_100 (2 + 3 * 32 * 32)
#define RECORD_10 (1 + 3 * 32 * 32)

enum form { AS_IT_IS, REPAIRED, PACKED, DIRECTORY_FORM }; /* see images.c */

static void must(lae_status status)
{
    if (status == NULL) return;
    fprintf(stderr, "fuzz_seeds: %s\n", lae_status_message(status));
    exit(1);
}

/* DIRECTORY/TARGET/NAME in one of a few buffers used in turn; the directory is made. */
static const char *place(const char *directory, const char *target, const char *name)
{
    static char buffers[2][PATH_SIZE];
    static int next;
    char *path = buffers[next++ % 2];
    snprintf(path, PATH_SIZE, "%s/%s", directory, target);
    must(lae_path_make_directories(path));
    snprintf(path, PATH_SIZE, "%s/%s/%s", directory, target, name);
    puts(path);
    return path;
}

/* ---- weights -------------------------------------------------------------------------------- */

static void write_npz(const char *directory)
{
    struct network *network = google("opt/target/");
    for (int i = 0; i < 3; i++) {
        const char *const types[] = {"<f4", "<f2", "<f4"};
        struct bytes array = npy(&network->items[i], types[i], i + 1);
        const char *const names[] = {"one.npy", "two.npy", "three.npy"};
        save_bytes(place(directory, "npz", names[i]), array.data, array.size);
        free_bytes(&array);
    }
    save_npz(place(directory, "npz", "stored.npz"), network, "<f4", 1, false);
    free_network(network);
    network = google("");
    ADD(network, "head/kernel", WIDTH, CLASSES);
    ADD(network, "head/bias", CLASSES);
    save_npz(place(directory, "npz", "deflated.npz"), network, "<f2", 2, true);
    free_network(network);
}

static void append_word(struct bytes *pickle, const char *text)
{
    append_text(pickle, "X");
    append_number(pickle, strlen(text), 4);
    append_text(pickle, "%s", text);
}

static void append_extents(struct bytes *pickle, const size_t *extents, int rank)
{
    append_text(pickle, "(");
    for (int i = 0; i < rank; i++) {
        append_text(pickle, "M");
        append_number(pickle, extents[i], 2);
    }
    append_text(pickle, "t");
}

/* A tensor in storage 0, whose numbers may be others' too. */
static void append_tensor(struct bytes *pickle, const struct item *item)
{
    size_t strides[8] = {0}, stride = 1;
    for (int i = item->rank; i-- > 0; stride *= item->shape[i])
        strides[i] = stride;
    append_word(pickle, item->name);
    append_text(pickle, "ctorch._utils\n_rebuild_tensor_v2\n((");
    append_word(pickle, "storage");
    append_text(pickle, "ctorch\nFloatStorage\n");
    append_word(pickle, "0");
    append_word(pickle, "cpu");
    append_text(pickle, "M");
    append_number(pickle, 1 << 12, 2);
    append_text(pickle, "tQK");
    append_number(pickle, 0, 1);
    append_extents(pickle, item->shape, item->rank);
    append_extents(pickle, strides, item->rank);
    append_text(pickle, "\x89"
                        "ccollections\nOrderedDict\n)RtR");
}

/* As torch.c takes it: the pickle alone. */
static void write_torch(const char *directory)
{
    struct network *network = timm_of_depth(1);
    for (int under = 0; under < 2; under++) {
        struct bytes pickle = {0};
        append_text(&pickle, "\x80\x02}");
        if (under) append_word(&pickle, "model");
        append_text(&pickle, under ? "}(" : "(");
        for (int i = 0; i < network->count; i++)
            append_tensor(&pickle, &network->items[i]);
        append_text(&pickle, under ? "us." : "u.");
        save_bytes(place(directory, "torch", under ? "under" : "plain"), pickle.data, pickle.size);
        free_bytes(&pickle);
    }
    free_network(network);
}

static void write_index(const char *directory)
{
    struct lae_weights weights;
    struct bytes index = {0};
    lae_sample_weights(&weights);
    append_text(&index, "{\"metadata\": {\"total_size\": 1}, \"weight_map\": {");
    for (size_t i = 0; i < weights.tensors.count; i++) {
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "%s", weights.tensors.items[i].name);
        for (char *at = name; *at != '\0'; at++)
            if (*at == '/') *at = '.';
        append_text(&index, "%s\"%s\": \"%s\"", i > 0 ? ", " : "", name,
                    lae_sample_shards[i >= weights.tensors.count / 2]);
    }
    append_text(&index, "}}");
    save_bytes(place(directory, "shards", "index"), index.data, index.size);
    free_bytes(&index);
    lae_weights_free(&weights);
}

/* As safetensors.c takes it: the header, a newline, the data. */
static void save_split(const char *path, const struct bytes *file)
{
    size_t header = file->data[0] | (size_t)file->data[1] << 8;
    struct bytes split = {0};
    append_bytes(&split, file->data + 8, header);
    append_bytes(&split, "\n", 1);
    append_bytes(&split, file->data + 8 + header, file->size - 8 - header);
    save_bytes(path, split.data, split.size);
    free_bytes(&split);
}

static void write_safetensors(const char *directory)
{
    static const struct {
        const char *name, *type, *metadata, *prefix; /* prefix NULL: timm's names */
    } files[] = {
        {"timm", "F32",
         "\"__metadata__\":{\"layer_norm_eps\":\"1e-5\",\"heads\":\"2\",\"format\":\"pt\"},", NULL},
        {"timm-f16", "F16", "", NULL},
        {"transformers", "BF16", "", ""},
        {"transformers-vit", "F16", "\"__metadata__\":{\"format\":\"pt\"},", "vit."},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct network *network =
            files[i].prefix == NULL ? timm_of_depth(1) : transformers(files[i].prefix);
        struct bytes file = safetensors(network, files[i].type, files[i].metadata);
        save_split(place(directory, "safetensors", files[i].name), &file);
        if (i == 1) {
            const char *path = place(directory, "safetensors", "timm-whole");
            save_bytes(path, file.data, file.size);
        }
        free_bytes(&file);
        free_network(network);
    }
}

/* ---- images --------------------------------------------------------------------------------- */

/* `count` records whose labels are theirs and whose pixels are all alike. */
static struct bytes records(bool cifar10, int count)
{
    struct bytes bytes = {0};
    static unsigned char pixels[3 * 32 * 32];
    for (int i = 0; i < count; i++) {
        unsigned char labels[2] = {1, (unsigned char)(7 * i % 10)};
        memset(pixels, 16 * i, sizeof pixels);
        append_bytes(&bytes, labels + (cifar10 ? 1 : 0), cifar10 ? 1 : 2);
        append_bytes(&bytes, pixels, sizeof pixels);
    }
    return bytes;
}

/* The bytes that images.c takes for these, in a file of that name. */
static void save_images(const char *directory, const char *name, bool cifar10, enum form form,
                        const struct bytes *content)
{
    struct bytes file = {0};
    append_number(&file, (uint64_t)(cifar10 ? 1 : 0) | (uint64_t)form << 1, 1);
    append_bytes(&file, content->data, content->size);
    save_bytes(place(directory, "images", name), file.data, file.size);
    free_bytes(&file);
}

static void write_image_directories(const char *directory)
{
    for (int cifar10 = 0; cifar10 < 2; cifar10++) {
        struct bytes test = records(cifar10, 1), train = records(cifar10, 2), both = {0};
        append_number(&both, test.size, 2);
        append_bytes(&both, test.data, test.size);
        append_bytes(&both, train.data, train.size);
        save_images(directory, cifar10 ? "directory-10" : "directory-100", cifar10, DIRECTORY_FORM,
                    &both);
        free_bytes(&test);
        free_bytes(&train);
        free_bytes(&both);
    }
}

static void fill_archive(struct archive *archive, bool cifar10)
{
    struct bytes test = records(cifar10, 1), train = records(cifar10, 1), text = {0};
    append_text(&text, "apple\n");
    put_entry(archive,
              cifar10 ? "cifar-10-batches-bin/test_batch.bin" : "cifar-100-binary/test.bin", &test);
    put_entry(archive, "a/fine_label_names.txt", &text);
    put_entry(archive, cifar10 ? "data_batch_1.bin" : "train.bin", &train);
    if (cifar10) put_entry(archive, "data_batch_2.bin", &train);
    free_bytes(&test);
    free_bytes(&train);
    free_bytes(&text);
}

static void write_archives(const char *directory)
{
    static const struct {
        const char *name;
        bool zip, cifar10;
        int filter;
        enum form form;
    } files[] = {
        {"tar", false, false, ARCHIVE_FILTER_NONE, REPAIRED},
        {"tar-packed-here", false, true, ARCHIVE_FILTER_NONE, PACKED},
        {"tar-gz", false, false, ARCHIVE_FILTER_GZIP, AS_IT_IS},
        {"tar-bz2", false, false, ARCHIVE_FILTER_BZIP2, AS_IT_IS},
        {"tar-xz", false, true, ARCHIVE_FILTER_XZ, AS_IT_IS},
        {"tar-zst", false, true, ARCHIVE_FILTER_ZSTD, AS_IT_IS},
        {"zip-stored", true, false, ARCHIVE_FILTER_NONE, REPAIRED},
        {"zip-deflated", true, true, ARCHIVE_FILTER_NONE, REPAIRED},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char raw[PATH_SIZE];
        snprintf(raw, sizeof raw, "%s/archive", directory);
        struct archive *archive = NULL;
        if (files[i].zip) {
            archive = create_zip(raw, files[i].cifar10);
        } else {
            archive = archive_write_new();
            archive_write_set_format_pax_restricted(archive);
            archive_write_add_filter(archive, files[i].filter);
            archive_write_set_bytes_in_last_block(archive, 1);
            assert_int_equal(archive_write_open_filename(archive, raw), ARCHIVE_OK);
        }
        fill_archive(archive, files[i].cifar10);
        close_zip(archive);
        struct bytes content = load_bytes(raw);
        save_images(directory, files[i].name, files[i].cifar10, files[i].form, &content);
        free_bytes(&content);
        remove(raw);
    }
}

/* ---- image files, as pictures.c takes them --------------------------------------------------- */

static void write_pngs(const char *directory)
{
    static const struct {
        const char *name;
        png_uint_32 format;
    } files[] = {
        {"grey.png", PNG_FORMAT_GRAY},
        {"grey-alpha.png", PNG_FORMAT_GA},
        {"rgb.png", PNG_FORMAT_RGB},
        {"rgb-alpha.png", PNG_FORMAT_RGBA},
        {"palette.png", PNG_FORMAT_RGB_COLORMAP},
        {"grey16.png", PNG_FORMAT_LINEAR_Y},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        png_image image = {.version = PNG_IMAGE_VERSION, .width = 5, .height = 3};
        unsigned char pixels[128], colours[3 * 4];
        image.format = files[i].format;
        image.colormap_entries = 4;
        for (size_t k = 0; k < sizeof pixels; k++)
            pixels[k] =
                (unsigned char)(files[i].format == PNG_FORMAT_RGB_COLORMAP ? k % 4 : 37 * k);
        for (size_t k = 0; k < sizeof colours; k++)
            colours[k] = (unsigned char)(50 * k);
        assert_int_not_equal(png_image_write_to_file(&image,
                                                     place(directory, "pictures", files[i].name), 0,
                                                     pixels, 0, colours),
                             0);
    }
}

static void write_jpeg(const char *path, J_COLOR_SPACE space, int components, bool progressive)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char row[4 * 17], *rows = row;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = 17;
    jpeg.image_height = 9;
    jpeg.input_components = components;
    jpeg.in_color_space = space;
    jpeg_set_defaults(&jpeg);
    if (progressive) jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < 9; y++) {
        for (size_t k = 0; k < sizeof row; k++)
            row[k] = (unsigned char)(13 * k + 40 * (size_t)y);
        jpeg_write_scanlines(&jpeg, &rows, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    assert_int_equal(fclose(file), 0);
}

static void write_lists(const char *directory)
{
    static const char lists[] = "\1a/1.png 0\na/2 3.jpg\t1\n\0b/1.png 1\n";
    static const char cub[] = "\0021 001.A/x.jpg\n2 002.B/y.jpg\n3 001.A/z.jpg\n\0"
                              "1 1\n2 2\n3 1\n\0001 1\n2 1\n3 0\n";
    save_bytes(place(directory, "pictures", "lists"), lists, sizeof lists - 1);
    save_bytes(place(directory, "pictures", "cub"), cub, sizeof cub - 1);
}

static void write_pictures(const char *directory)
{
    write_pngs(directory);
    write_jpeg(place(directory, "pictures", "grey.jpg"), JCS_GRAYSCALE, 1, false);
    write_jpeg(place(directory, "pictures", "rgb.jpg"), JCS_RGB, 3, false);
    write_jpeg(place(directory, "pictures", "progressive.jpg"), JCS_RGB, 3, true);
    write_jpeg(place(directory, "pictures", "cmyk.jpg"), JCS_CMYK, 4, false);
    write_lists(directory);
}

/* ---- pickles of two images, as old NumPy wrote them, that hold all that is looked for -------- */

static void write_pickle(const char *directory)
{
    static const char pickle[] =
        "\x80\x02}q\x01(U\x0b"
        "batch_labelq\x02U\x05test q\x03"
        "U\x06labelsq\x04]q\x05(K\x03K\x01"
        "eU\x0d"
        "coarse_labels]q\x06(K\x01K\x02"
        "e"
        "U\x0b"
        "fine_labels](K\x05K\x06"
        "eU\x04"
        "dataq\x07"
        "cnumpy.core.multiarray\n_reconstruct\nq\x08"
        "cnumpy\nndarray\nq\x09K\0\x85q\x0a"
        "U\x01"
        "b\x87Rq\x0b(K\x01K\x02K\x0c\x86"
        "cnumpy\ndtype\nq\x0cU\x02u1K\0K\x01\x87Rq\x0d"
        "(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89T\x18\0\0\0"
        "abcdefghijklmnopqrstuvwx"
        "tbU\x0b"
        "label_names]q\x0e(U\x03"
        "apeU\x03"
        "bee"
        "eu.";
    save_bytes(place(directory, "pickle", "batch"), pickle, sizeof pickle - 1);
}

/* ---- checkpoints ---------------------------------------------------------------------------- */

static void write_checkpoints(const char *directory)
{
    struct lae_checkpoint checkpoint;
    for (int full = 0; full < 2; full++) {
        lae_sample_checkpoint(full == 1, &checkpoint);
        must(lae_checkpoint_write(place(directory, "hdf5", full == 1 ? "full" : "little"),
                                  &checkpoint));
        lae_checkpoint_free(&checkpoint);
    }
}

/* A dataset that is compressed in chunks, as h5repack leaves it, in place of the file's own. */
static void compress_dataset(hid_t file, const char *name, hid_t type)
{
    float values[4] = {0};
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 2, (const hsize_t[]){1, 2});
    H5Pset_shuffle(creation);
    H5Pset_deflate(creation, 9);
    H5Pset_fletcher32(creation);
    assert_true(H5Ldelete(file, name, H5P_DEFAULT) >= 0);
    hid_t space = H5Screate_simple(2, (const hsize_t[]){1, 2}, NULL);
    hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    assert_true(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(creation);
}

static void write_compressed(const char *directory)
{
    struct lae_checkpoint checkpoint;
    const char *path = place(directory, "hdf5", "compressed");
    lae_sample_checkpoint(false, &checkpoint);
    must(lae_checkpoint_write(path, &checkpoint));
    lae_checkpoint_free(&checkpoint);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0);
    compress_dataset(file, "/head/task_00/weight", H5T_IEEE_F32BE);
    H5Fclose(file);
}

static void write_own_weights(const char *directory)
{
    struct lae_weights weights;
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/weights.h5", directory);
    lae_sample_weights(&weights);
    write_well(path, &weights);
    assert_int_equal(rename(path, place(directory, "hdf5", "weights")), 0);
    lae_weights_free(&weights);
}

/* As checkpoint.c takes them: no change to a checkpoint, nor to weights. */
static void write_changes(const char *directory)
{
    save_bytes(place(directory, "checkpoint", "checkpoint"), "", 0);
    save_bytes(place(directory, "checkpoint", "weights"), "\1", 1);
}

/* As jsonl.c and report.c take them. */
static void write_runs(const char *directory)
{
#define METRICS                                                                                    \
    "{\"event\":\"begin\",\"task\":0,\"step\":0,\"run_step\":0,\"seconds\":0.0}\n"                 \
    "{\"event\":\"steps\",\"task\":0,\"run_step\":1,\"steps\":2,\"loss\":1.5,\"accuracy\":25.0}\n" \
    "{\"event\":\"epoch\",\"task\":0,\"run_step\":3,\"loss\":1.25,\"accuracy\":null}\n"            \
    "{\"event\":\"evaluation\",\"task\":0,\"online\":{\"seen\":35.0,\"tasks\":[35.0]}}\n"          \
    "{\"event\":\"steps\",\"task\":1,\"run_step\":5,\"loss\":1.5,\"accuracy\":25.0}\n"             \
    "{\"event\":\"steps\",\"ta\n"                                                                  \
    "{\"event\":\"begin\",\"task\":0,\"step\":0,\"run_step\":4,\"seconds\":1.0}\n"                 \
    "{\"event\":\"epoch\",\"task\":1,\"run_step\":7,\"loss\":1.0,\"accuracy\":50.0}\n"
    static const char begun[] = METRICS "\0run: {seed: 1}\n";
    static const char finished[] = METRICS "\0run:\n  seed: 1\nmodel: {weights: x}\n\0\2\1";
    save_bytes(place(directory, "jsonl", "run"), METRICS, sizeof METRICS - 1);
    save_bytes(place(directory, "report", "begun"), begun, sizeof begun - 1);
    save_bytes(place(directory, "report", "finished"), finished, sizeof finished - 1);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("fuzz_seeds DIRECTORY\n", stderr);
        return 2;
    }
    must(lae_path_make_directories(argv[1]));
    write_npz(argv[1]);
    write_safetensors(argv[1]);
    write_torch(argv[1]);
    write_index(argv[1]);
    write_image_directories(argv[1]);
    write_archives(argv[1]);
    write_pictures(argv[1]);
    write_pickle(argv[1]);
    write_checkpoints(argv[1]);
    write_compressed(argv[1]);
    write_own_weights(argv[1]);
    write_changes(argv[1]);
    write_runs(argv[1]);
    return 0;
}
