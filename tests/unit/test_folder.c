/* Folders of image files: each layout, what each may lack, and that the digest sees every change.
 */
#define _GNU_SOURCE /* nftw flags */
#include "lae/data/dataset.h"
#include "lae/data/pictures.h"
#include "lae/data/sequence.h"
#include "lae/files/digest.h"
#include "lae/files/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "place.h"

enum { PATH_SIZE = PLACE_SIZE };

/* PLACE/NAME in one of a few buffers used in turn; the directory it is in is made. */
static const char *at(const char *place, const char *name)
{
    static char paths[4][2 * PATH_SIZE];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", place, name);
    char *directory = lae_path_directory(path);
    assert_null(lae_path_make_directories(directory));
    free(directory);
    return path;
}

static void put_text(const char *place, const char *name, const char *text)
{
    FILE *file = fopen(at(place, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

/* A PNG of one colour. */
static void put_png(const char *place, const char *name, int width, int height, int colour)
{
    unsigned char *rgb = malloc((size_t)(3 * width * height));
    assert_non_null(rgb);
    memset(rgb, colour, (size_t)(3 * width * height));
    png_image image = {.version = PNG_IMAGE_VERSION, .format = PNG_FORMAT_RGB};
    image.width = (png_uint_32)width;
    image.height = (png_uint_32)height;
    assert_int_not_equal(png_image_write_to_file(&image, at(place, name), 0, rgb, 0, NULL), 0);
    free(rgb);
}

static lae_status open_folder(const char *place, struct lae_dataset *dataset)
{
    struct lae_data_options options = {.dataset = LAE_DATASET_FOLDER, .path = place};
    return lae_dataset_open(&options, dataset);
}

static void open_good(const char *place, struct lae_dataset *dataset)
{
    lae_status status = open_folder(place, dataset);
    if (status != NULL) fail_msg("%s", lae_status_message(status));
}

static void assert_refused(const char *place, const char *part)
{
    struct lae_dataset dataset;
    lae_status status = open_folder(place, &dataset);
    if (lae_status_code(status) != LAE_BAD_INPUT ||
        strstr(lae_status_message(status), part) == NULL)
        fail_msg("not refused with \"%s\": %s", part, lae_status_message(status));
    lae_status_free(status);
}

/* Image `index` of a part is that file, and has that label. */
static void assert_file(const struct lae_dataset *dataset, enum lae_split split, size_t index,
                        const char *place, const char *name, int label)
{
    assert_true(index < dataset->count[split]);
    assert_string_equal(lae_picture_path(dataset, split, index), at(place, name));
    assert_int_equal(lae_dataset_label(dataset, split, index), label);
}

/* Examines all as the program does, in memory that is the dataset's own. */
static void examine(struct lae_dataset *dataset)
{
    for (int part = 0; part < LAE_SPLITS; part++)
        for (size_t i = 0; i < dataset->stored[part]; i++) {
            struct lae_picture *pictures = (struct lae_picture *)(void *)dataset->owned[part];
            assert_null(lae_picture_examine(dataset, (enum lae_split)part, i, &pictures[i]));
        }
    lae_pictures_measure(dataset);
}

static void put_folders(const char *place)
{
    put_png(place, "train/zebra/b.png", 3, 2, 1);
    put_png(place, "train/zebra/a.PNG", 2, 5, 2);
    put_png(place, "train/Zebra/c.png", 1, 1, 3);
    put_png(place, "train/ape/2.png", 1, 1, 4);
    put_png(place, "train/ape/10.png", 1, 1, 5);
    put_png(place, "test/ape/x.png", 4, 1, 6);
    put_png(place, "test/zebra/y.png", 1, 1, 7);
}

/* Capitals come before small letters and "10" before "2": bytes, no language's order. */
static void test_class_folders(void **state)
{
    struct lae_dataset dataset;
    put_folders(*state);
    put_text(*state, "train/ape/.hidden.gif", "x");
    put_text(*state, "train/ape/notes.txt", "x");
    put_text(*state, "train/README.txt", "x");
    open_good(*state, &dataset);
    assert_int_equal(dataset.classes, 3);
    assert_string_equal(dataset.class_names[0], "Zebra");
    assert_string_equal(dataset.class_names[1], "ape");
    assert_string_equal(dataset.class_names[2], "zebra");
    assert_int_equal(dataset.count[LAE_TRAIN], 5);
    assert_int_equal(dataset.count[LAE_TEST], 2);
    assert_file(&dataset, LAE_TRAIN, 0, *state, "train/Zebra/c.png", 0);
    assert_file(&dataset, LAE_TRAIN, 1, *state, "train/ape/10.png", 1);
    assert_file(&dataset, LAE_TRAIN, 2, *state, "train/ape/2.png", 1);
    assert_file(&dataset, LAE_TRAIN, 3, *state, "train/zebra/a.PNG", 2);
    assert_file(&dataset, LAE_TRAIN, 4, *state, "train/zebra/b.png", 2);
    assert_file(&dataset, LAE_TEST, 1, *state, "test/zebra/y.png", 2);
    lae_dataset_close(&dataset);
}

/* Sizes come with the examination; pixels from the file or from the decoded ones. */
static void test_pixels(void **state)
{
    struct lae_dataset dataset;
    struct lae_size size;
    put_folders(*state);
    open_good(*state, &dataset);
    examine(&dataset);
    assert_int_equal(dataset.width, 4);
    assert_int_equal(dataset.height, 5);
    assert_int_equal(dataset.pixels, 10);
    uint8_t rgb[30], again[30];
    assert_null(lae_dataset_image(&dataset, LAE_TRAIN, 3, rgb, &size));
    assert_int_equal(size.width, 2);
    assert_int_equal(size.height, 5);
    for (int i = 0; i < 30; i++)
        assert_int_equal(rgb[i], 2);

    uint64_t bytes = lae_pictures_place(&dataset, dataset.owned);
    assert_int_equal(bytes, 3 * (1 + 1 + 1 + 10 + 6 + 4 + 1));
    uint8_t *decoded = malloc(bytes);
    assert_non_null(decoded);
    for (int part = 0; part < LAE_SPLITS; part++)
        for (size_t i = 0; i < dataset.stored[part]; i++) {
            uint64_t pixels = lae_picture_of(&dataset, (enum lae_split)part, i)->pixels;
            assert_null(lae_picture_decode(&dataset, (enum lae_split)part, i, decoded + pixels));
        }
    assert_int_equal(remove(at(*state, "train/zebra/a.PNG")), 0);
    dataset.decoded = decoded;
    assert_null(lae_dataset_image(&dataset, LAE_TRAIN, 3, again, &size));
    assert_memory_equal(rgb, again, sizeof rgb);
    dataset.decoded = NULL;
    lae_status status = lae_dataset_image(&dataset, LAE_TRAIN, 3, again, &size);
    assert_int_equal(lae_status_code(status), LAE_BAD_INPUT);
    lae_status_free(status);
    free(decoded);
    lae_dataset_close(&dataset);
}

/* Another image of the same size is not the one that was looked at. */
static void test_changed_file(void **state)
{
    struct lae_dataset dataset;
    struct lae_size size;
    uint8_t rgb[30];
    put_folders(*state);
    open_good(*state, &dataset);
    examine(&dataset);
    put_png(*state, "train/zebra/a.PNG", 2, 5, 99);
    lae_status status = lae_dataset_image(&dataset, LAE_TRAIN, 3, rgb, &size);
    assert_int_equal(lae_status_code(status), LAE_BAD_INPUT);
    assert_non_null(strstr(lae_status_message(status), "a.PNG: the file was changed after it was"));
    lae_status_free(status);
    put_png(*state, "train/zebra/a.PNG", 2, 5, 2);
    assert_null(lae_dataset_image(&dataset, LAE_TRAIN, 3, rgb, &size));
    lae_dataset_close(&dataset);
}

/* What the images of the first tasks are does not depend on others. */
static void test_digest_of_tasks(void **state)
{
    char one[3][LAE_DIGEST_TEXT], all[3][LAE_DIGEST_TEXT];
    struct lae_data_options options = {
        .dataset = LAE_DATASET_FOLDER, .path = *state, .classes_per_task = 2};
    put_folders(*state);
    put_png(*state, "test/Zebra/z.png", 1, 1, 8);
    for (int i = 0; i < 3; i++) {
        struct lae_dataset dataset;
        struct lae_sequence sequence;
        if (i == 1) put_png(*state, "train/zebra/0new.png", 1, 1, 9); /* of task 1 */
        if (i == 2) put_png(*state, "test/ape/x.png", 4, 1, 16);      /* of task 0 */
        assert_null(lae_dataset_open(&options, &dataset));
        assert_null(lae_sequence_create(&options, &dataset, &sequence));
        assert_null(lae_sequence_digest(&sequence, &dataset, 1, one[i]));
        assert_null(lae_sequence_digest(&sequence, &dataset, 2, all[i]));
        lae_sequence_free(&sequence);
        lae_dataset_close(&dataset);
    }
    assert_string_equal(one[0], one[1]);
    assert_string_not_equal(all[0], all[1]);
    assert_string_not_equal(one[1], one[2]);
    assert_string_not_equal(one[0], all[0]);
}

/* "val" serves where there is no "test"; both parts' classes are those of "train". */
static void test_bad_folders(void **state)
{
    struct lae_dataset dataset;
    put_png(*state, "train/a/1.png", 1, 1, 0);
    assert_refused(*state, "there are no test images: train/ is there, but neither test/ nor val/");
    put_png(*state, "val/a/1.png", 1, 1, 0);
    open_good(*state, &dataset);
    lae_dataset_close(&dataset);
    put_png(*state, "val/b/1.png", 1, 1, 0);
    assert_refused(*state, "val/b: the training images have no class of this name");
    put_text(*state, "train/b/note.txt", "x");
    assert_refused(*state, "class 1 (b) has no training images");
    assert_refused(at(*state, "train/a/1.png"), "1.png: is no directory");
    assert_refused(at(*state, "train"), "holds neither train/CLASS/ and test/CLASS/ nor lists");
    assert_refused(at(*state, "train"), "1 folders of images lie in it themselves (a/)");
    assert_refused(at(*state, "train/a"), "1 images lie in it, of unknown classes");
}

/* All folders in and below a class's, by their paths; then the files of each: as os.walk, sorted.
 */
static void test_nested_folders(void **state)
{
    static const char *const files[] = {"train/a/z.png", "train/a/b/2.jfif", "train/a/b-c/1.JPE",
                                        "train/a/b/d/0.png"};
    struct lae_dataset dataset;
    for (int i = 0; i < 4; i++)
        put_png(*state, files[i], 1, 1, i);
    put_png(*state, "test/a/images/1.png", 1, 1, 0);
    open_good(*state, &dataset);
    assert_int_equal(dataset.count[LAE_TRAIN], 4);
    for (int i = 0; i < 4; i++)
        assert_file(&dataset, LAE_TRAIN, (size_t)i, *state, files[i], 0);
    assert_null(dataset.notes.unread);
    assert_null(dataset.notes.left_out);
    assert_string_equal(dataset.notes.layout, "class folders train/ and test/");
    lae_dataset_close(&dataset);
    assert_int_equal(symlink("..", at(*state, "train/a/b/round")), 0);
    assert_refused(*state, "a circle of links?");
}

/* Nothing is left out without a word; what changes the data is apart from litter. */
static void test_left_out(void **state)
{
    struct lae_dataset dataset;
    put_folders(*state);
    put_text(*state, "train/ape/1.webp", "x");
    put_text(*state, "train/ape/2.AVIF", "x");
    put_text(*state, "train/ape/none", "\xff\xd8\xff\xe0");
    put_text(*state, "train/ape/plain", "just text");
    put_text(*state, "train/zebra/boxes.txt", "x");
    put_text(*state, "train/zebra/.DS_Store", "x");
    put_png(*state, "train/zebra/@eaDir/thumbnail.png", 1, 1, 0);
    put_png(*state, "test/loose.png", 1, 1, 0);
    open_good(*state, &dataset);
    assert_int_equal(dataset.count[LAE_TRAIN], 5);
    assert_string_equal(dataset.notes.unread,
                        "3 of a kind that is not read (PNG and JPEG are): train/ape/1.webp, "
                        "train/ape/2.AVIF, train/ape/none; 1 in no class folder: test/loose.png");
    assert_string_equal(dataset.notes.left_out,
                        "2 that are no images: train/ape/plain, train/zebra/boxes.txt; "
                        "2 hidden: train/zebra/.DS_Store, train/zebra/@eaDir");
    lae_dataset_close(&dataset);
    for (int i = 0; i < 12; i++) {
        char name[32];
        snprintf(name, sizeof name, "train/ape/%02d.gif", i);
        put_text(*state, name, "x");
    }
    open_good(*state, &dataset);
    assert_non_null(strstr(dataset.notes.unread, "15 of a kind"));
    assert_non_null(strstr(dataset.notes.unread, "train/ape/08.gif, train/ape/09.gif, ...;"));
    assert_null(strstr(dataset.notes.unread, "train/ape/10.gif"));
    lae_dataset_close(&dataset);
}

/* ImageNet's and tiny-imagenet's test/ has no classes, and val/ has them or a file that tells. */
static void test_choice_of_tests(void **state)
{
    struct lae_dataset dataset;
    put_folders(*state);
    char from[2 * PATH_SIZE];
    snprintf(from, sizeof from, "%s", at(*state, "test"));
    assert_int_equal(rename(from, at(*state, "val")), 0);
    put_png(*state, "test/images/1.png", 1, 1, 0);
    put_png(*state, "test/2.png", 1, 1, 0);
    open_good(*state, &dataset);
    assert_string_equal(dataset.notes.layout, "class folders train/ and val/");
    assert_non_null(strstr(dataset.notes.passed, "test/images: the training images have no class"));
    assert_int_equal(dataset.count[LAE_TEST], 2);
    lae_dataset_close(&dataset);

    snprintf(from, sizeof from, "%s", at(*state, "val"));
    assert_int_equal(rename(from, at(*state, "elsewhere")), 0);
    put_png(*state, "Val/images/v0.png", 1, 1, 0);
    assert_refused(*state, "test/images: the training images have no class of this name");
    put_text(*state, "Val/Val_annotations.txt", "v0.png\tape\t0\t0\t1\t1\nv1.png zebra\n");
    open_good(*state, &dataset);
    assert_string_equal(dataset.notes.layout,
                        "class folders train/ and Val/ (Val_annotations.txt)");
    assert_file(&dataset, LAE_TEST, 0, *state, "Val/images/v0.png", 1);
    assert_file(&dataset, LAE_TEST, 1, *state, "Val/images/v1.png", 2);
    lae_dataset_close(&dataset);
    put_text(*state, "Val/Val_annotations.txt", "v0.png\tape\nv1.png lion\n");
    assert_refused(*state, "Val_annotations.txt:2: names a class that train/ has no folder of");
    put_text(*state, "Val/Val_annotations.txt", "v0.png\n");
    assert_refused(*state, "Val_annotations.txt:1: is not \"FILE CLASS ...\"");
}

/* A note is no list; a list with a slip in it is one, whatever else is there. */
static void test_choice_of_layout(void **state)
{
    struct lae_dataset dataset;
    put_folders(*state);
    put_text(*state, "train.txt", "downloaded on Monday\n");
    put_text(*state, "classes.txt", "1 ape\n");
    open_good(*state, &dataset);
    assert_string_equal(dataset.notes.layout, "class folders train/ and test/");
    assert_non_null(strstr(dataset.notes.passed, "train.txt:1: is not \"PATH LABEL\""));
    lae_dataset_close(&dataset);
    put_text(*state, "train.txt", "train/ape/2.png 0\n");
    open_good(*state, &dataset); /* without a list of test images */
    assert_string_equal(dataset.notes.layout, "class folders train/ and test/");
    lae_dataset_close(&dataset);
    put_text(*state, "train.txt", "train/ape/2.png 0\ntrain/ape/10.png\n");
    assert_refused(*state, "train.txt:2: is not \"PATH LABEL\"");
    put_text(*state, "train.txt", "train/ape/2.png 1\n");
    put_text(*state, "test.txt", "test/ape/x.png 1\n");
    assert_refused(*state, "class 0 (0) has no training images");
    put_text(*state, "train.txt", "train/ape/2.png 0\n");
    put_text(*state, "test.txt", "test/ape/x.png 0\n");
    open_good(*state, &dataset);
    assert_string_equal(dataset.notes.layout, "lists test.txt, train.txt");
    lae_dataset_close(&dataset);
}

/* Training images are enough where some of them are held out. */
static void test_training_images_only(void **state)
{
    struct lae_dataset dataset;
    struct lae_data_options options = {
        .dataset = LAE_DATASET_FOLDER, .path = *state, .validation_share = 0.5};
    put_png(*state, "train/a/1.png", 1, 1, 0);
    put_png(*state, "train/a/2.png", 1, 1, 0);
    for (int i = 0; i < 2; i++) {
        assert_null(lae_dataset_open(&options, &dataset));
        assert_int_equal(dataset.count[LAE_TRAIN], 2);
        assert_int_equal(dataset.count[LAE_TEST], 0);
        lae_dataset_close(&dataset);
        assert_null(lae_path_make_directories(at(*state, "test"))); /* empty */
    }
    put_text(*state, "train.txt", "train/a/1.png 0\n");
    assert_null(lae_dataset_open(&options, &dataset));
    assert_string_equal(dataset.notes.layout, "lists train.txt");
    lae_dataset_close(&dataset);
}

/* Names that are no text become the same text everywhere; "latin1" is the file system's bytes. */
static void test_names_of_bytes(void **state)
{
    struct lae_dataset dataset;
    put_png(*state, "train/caf\xe9/1.png", 1, 1, 0);
    put_png(*state, "train/na\xc3\xafve/1.png", 1, 1, 0);
    put_png(*state, "train/two\nlines/1.png", 1, 1, 0);
    put_png(*state, "test/caf\xe9/1.png", 1, 1, 0);
    put_png(*state, "test/two\nlines/1.png", 1, 1, 0);
    open_good(*state, &dataset);
    assert_string_equal(dataset.class_names[0], "caf\\xe9");
    assert_string_equal(dataset.class_names[1], "na\xc3\xafve");
    assert_string_equal(dataset.class_names[2], "two\\x0alines");
    assert_file(&dataset, LAE_TEST, 1, *state, "test/two\nlines/1.png", 2);
    lae_dataset_close(&dataset);
    put_text(*state, "train.txt", "train/caf\xe9/1.png 0\ntrain/caf\xe9/2.png 0\n");
    put_text(*state, "test.txt", "test/caf\xe9/1.png 0\n");
    open_good(*state, &dataset);
    assert_string_equal(dataset.class_names[0], "caf\\xe9");
    lae_dataset_close(&dataset);
}

/* A subset is listed alone; labels stay those of the whole. */
static void test_subset(void **state)
{
    int classes[] = {2, 1};
    struct lae_dataset dataset;
    struct lae_data_options options = {
        .dataset = LAE_DATASET_FOLDER, .path = *state, .classes = classes, .classes_count = 2};
    put_folders(*state);
    put_text(*state, "train/empty/no.txt", "x"); /* label 2, and zebra 3 */
    assert_refused(*state, "class 2 (empty) has no training images");
    classes[0] = 3;
    assert_null(lae_dataset_open(&options, &dataset));
    assert_int_equal(dataset.classes, 4);
    assert_int_equal(dataset.count[LAE_TRAIN], 4);
    assert_file(&dataset, LAE_TRAIN, 2, *state, "train/zebra/a.PNG", 3);
    lae_dataset_close(&dataset);
}

/* The third column of DomainNet-like lists; blanks in paths are no columns. */
static void test_domains(void **state)
{
    static const struct {
        const char *text, *word;
    } bad[] = {
        {"a/1.png 0 3\na/2.png 0 4\n", "train.txt:2: has another third column"},
        {"a/1.png 0 3\na/2.png 0\n", "train.txt:2: has not as many columns"},
        {"a/1.png 0\na/2.png 0 3\n", "train.txt:2: has not as many columns"},
        {"a/1.png 0 real\n", "train.txt:1: is not \"PATH LABEL\""},
    };
    struct lae_dataset dataset;
    put_text(*state, "test.txt", "a/1.png 0\n");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put_text(*state, "train.txt", bad[i].text);
        assert_refused(*state, bad[i].word);
    }
    put_text(*state, "train.txt", "my class/0 1.png 0 3\nb/2.png 1 3\n");
    open_good(*state, &dataset);
    assert_file(&dataset, LAE_TRAIN, 0, *state, "my class/0 1.png", 0);
    assert_file(&dataset, LAE_TRAIN, 1, *state, "b/2.png", 1);
    assert_non_null(strstr(dataset.notes.layout, "train.txt (its third column, a domain, is left"));
    lae_dataset_close(&dataset);
    put_text(*state, "train.txt", "no ending 7 0\n");
    open_good(*state, &dataset);
    assert_file(&dataset, LAE_TRAIN, 0, *state, "no ending 7", 0);
    lae_dataset_close(&dataset);
}

/* DomainNet has a list a domain; labels are the lists', names the folders'. No file is opened. */
static void test_lists(void **state)
{
    struct lae_dataset dataset;
    put_text(*state, "sketch_train.txt", "sketch/cat/1.jpg 1\r\n\n  sketch/dog/a b.jpg\t0  ");
    put_text(*state, "clipart_train.txt", "clipart/cat/7.jpg 1\n/else/thing/8.jpg 2\n");
    put_text(*state, "clipart_test.txt", "clipart/cat/9.jpg 1\n");
    put_text(*state, "sketch_test.txt", "sketch/other/3.jpg 2\n");
    open_good(*state, &dataset);
    assert_int_equal(dataset.classes, 3);
    assert_string_equal(dataset.class_names[0], "dog");
    assert_string_equal(dataset.class_names[1], "cat");
    assert_string_equal(dataset.class_names[2], "2"); /* two folders do not agree */
    assert_int_equal(dataset.count[LAE_TRAIN], 4);
    assert_file(&dataset, LAE_TRAIN, 0, *state, "clipart/cat/7.jpg", 1);
    assert_string_equal(lae_picture_path(&dataset, LAE_TRAIN, 1), "/else/thing/8.jpg");
    assert_file(&dataset, LAE_TRAIN, 2, *state, "sketch/cat/1.jpg", 1);
    assert_file(&dataset, LAE_TEST, 1, *state, "sketch/other/3.jpg", 2);
    lae_dataset_close(&dataset);
}

static void test_bad_lists(void **state)
{
    static const struct {
        const char *text, *word;
    } lists[] = {
        {"a/1.png 0\na/2.png\n", "train.txt:2: is not \"PATH LABEL\""},
        {"a/1.png -1\n", "train.txt:1: is not \"PATH LABEL\""},
        {"a/1.png 0x1\n", "train.txt:1: is not \"PATH LABEL\""},
        {"a/1.png 99999999999\n", "train.txt:1: is not \"PATH LABEL\""},
        {"a/1.png 4096\n", "train.txt: class 4096; at most 4096 classes"},
        {"a/1.png 0\nb/1.png 2\n", "class 1 (1) has no training images"},
        {"0\n", "train.txt:1: is not \"PATH LABEL\""},
        {"", "there are no training images"},
    };
    put_text(*state, "val_list.txt", "a/1.png 0\n");
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        put_text(*state, "train.txt", lists[i].text);
        assert_refused(*state, lists[i].word);
    }
    char *longer = malloc(6000);
    assert_non_null(longer);
    memset(longer, 'a', 5999);
    longer[5999] = '\0';
    put_text(*state, "train.txt", longer);
    assert_refused(*state, "train.txt:1: is longer than a path can be");
    free(longer);
    FILE *file = fopen(at(*state, "train.txt"), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite("a\0b 1\n", 1, 6, file), 6);
    assert_int_equal(fclose(file), 0);
    assert_refused(*state, "train.txt:1: holds a zero byte");
}

static void put_cub(const char *place, const char *images, const char *classes, const char *split)
{
    put_text(place, "images.txt", images);
    put_text(place, "image_class_labels.txt", classes);
    put_text(place, "train_test_split.txt", split);
}

static void test_cub(void **state)
{
    const char *images = "1 001.Albatross/x.jpg\n2 002.Auklet/y.jpg\n3 001.Albatross/z.jpg\n";
    struct lae_dataset dataset;
    put_cub(*state, images, "1 1\n2 2\n3 1\n", "1 1\n2 1\n3 0\n");
    open_good(*state, &dataset);
    assert_int_equal(dataset.classes, 2);
    assert_string_equal(dataset.class_names[1], "002.Auklet");
    assert_file(&dataset, LAE_TRAIN, 1, *state, "images/002.Auklet/y.jpg", 1);
    assert_file(&dataset, LAE_TEST, 0, *state, "images/001.Albatross/z.jpg", 0);
    lae_dataset_close(&dataset);
    put_cub(*state, images, "1 1\n3 2\n2 1\n", "1 1\n2 1\n3 0\n");
    assert_refused(*state, "image_class_labels.txt:2: is not of the image whose turn it is");
    put_cub(*state, images, "1 1\n2 2\n3 1\n", "1 1\n2 1\n");
    assert_refused(*state, "train_test_split.txt: has fewer lines than");
    put_cub(*state, images, "1 1\n2 2\n3 1\n4 1\n", "1 1\n2 1\n3 1\n");
    assert_refused(*state, "image_class_labels.txt: has more lines than");
    put_cub(*state, images, "1 0\n2 2\n3 1\n", "1 1\n2 1\n3 0\n");
    assert_refused(*state, "image_class_labels.txt:1: has no class");
    put_cub(*state, images, "1 1\n2 2\n3 1\n", "1 1\n2 2\n3 0\n");
    assert_refused(*state, "train_test_split.txt:2: says neither");
    put_cub(*state, "1", "1 1\n", "1 1\n");
    assert_refused(*state, "images.txt:1: is not \"ID WHAT\"");
}

static void digest_of(const char *place, char text[LAE_DIGEST_TEXT])
{
    struct lae_dataset dataset;
    open_good(place, &dataset);
    assert_null(lae_dataset_digest(&dataset, text));
    lae_dataset_close(&dataset);
}

/* The same before and after examining; another when a pixel, a label or a class's name is. */
static void test_digest(void **state)
{
    char first[LAE_DIGEST_TEXT], text[LAE_DIGEST_TEXT];
    struct lae_dataset dataset;
    put_folders(*state);
    digest_of(*state, first);
    open_good(*state, &dataset);
    examine(&dataset);
    assert_null(lae_dataset_digest(&dataset, text));
    lae_dataset_close(&dataset);
    assert_string_equal(first, text);
    put_png(*state, "test/ape/x.png", 4, 1, 16);
    digest_of(*state, text);
    assert_string_not_equal(first, text);
    put_png(*state, "test/ape/x.png", 4, 1, 6);
    digest_of(*state, text);
    assert_string_equal(first, text);
    char from[2 * PATH_SIZE];
    snprintf(from, sizeof from, "%s", at(*state, "train/Zebra"));
    assert_int_equal(rename(from, at(*state, "train/Zebu")), 0);
    digest_of(*state, text);
    assert_string_not_equal(first, text);
    put_text(*state, "train/ape/3.png", "no image");
    open_good(*state, &dataset);
    lae_status status = lae_dataset_digest(&dataset, text);
    assert_int_equal(lae_status_code(status), LAE_BAD_INPUT);
    assert_non_null(strstr(lae_status_message(status), "train/ape/3.png: is neither PNG nor JPEG"));
    lae_status_free(status);
    lae_dataset_close(&dataset);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_class_folders),
        TEST(test_pixels),
        TEST(test_changed_file),
        TEST(test_digest_of_tasks),
        TEST(test_bad_folders),
        TEST(test_nested_folders),
        TEST(test_left_out),
        TEST(test_choice_of_tests),
        TEST(test_choice_of_layout),
        TEST(test_training_images_only),
        TEST(test_names_of_bytes),
        TEST(test_subset),
        TEST(test_lists),
        TEST(test_domains),
        TEST(test_bad_lists),
        TEST(test_cub),
        TEST(test_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
