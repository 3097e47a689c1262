/* mutate_run --without OBJECT FILE takes an object out of a task file, as if it had never been written.
 *
 * Makes a run's directory another one: mutate_run RUN SEED. What is changed depends on the seed
 * alone, and is told. Text files are cut, turned over and given other values, line by line; task
 * files stay good HDF5 and sealed, but hold other numbers, names and texts, or lack some. */
#include "../../src/store/seal.h"

#include <hdf5.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static uint32_t state;

/* Numbers that depend on nothing but the seed (Numerical Recipes' congruential generator). */
static size_t draw(size_t below)
{
    state = state * 1664525u + 1013904223u;
    return below > 0 ? (state >> 8) % below : 0;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- files of text */

struct text {
    char *data;
    size_t size;
};

static struct text load(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) die(path);
    if (fseek(file, 0, SEEK_END) != 0) die(path);
    struct text text = {.size = (size_t)ftell(file)};
    rewind(file);
    text.data = malloc(text.size + 4096);
    if (text.data == NULL || fread(text.data, 1, text.size, file) != text.size) die(path);
    fclose(file);
    return text;
}

static void save(const char *path, const struct text *text)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(text->data, 1, text->size, file) != text->size) die(path);
    if (fclose(file) != 0) die(path);
}

/* Replaces `length` bytes at `at` by at most 2048 others, fewer than there is room for. */
static void splice(struct text *text, size_t at, size_t length, const char *with, size_t size)
{
    char copy[2048]; /* it may be a part of the text itself */
    if (size > sizeof copy) size = sizeof copy;
    memcpy(copy, with, size);
    if (at + length > text->size) length = text->size - at;
    memmove(text->data + at + size, text->data + at + length, text->size - at - length);
    memcpy(text->data + at, copy, size);
    text->size += size - length;
}

/* The value behind some ':' becomes another. */
static void change_value(struct text *text)
{
    static const char *const values[] = {
        "-1",           "65536",    "2147483648", "9223372036854775808",
        "1e308",        "-1e-308",  "1e999",      "NaN",
        "null",         "\"text\"", "[]",         "{}",
        "true",         "0.5",      "[[[[[",      "\x1b[2J",
        "\xc2\x9b\xff", "30000000", "*a",         "!!x y",
        "\"",           ""};
    size_t at = draw(text->size);
    while (at < text->size && text->data[at] != ':')
        at++;
    if (at == text->size) return;
    size_t length = strcspn(text->data + at + 1, ",}\n");
    const char *value = values[draw(COUNT(values))];
    splice(text, at + 1, length, value, strlen(value));
}

/* A line is taken away, or another one comes in its place, or before it. */
static void change_line(struct text *text)
{
    char line[2048];
    size_t from = draw(text->size), to = draw(text->size);
    while (from > 0 && text->data[from - 1] != '\n')
        from--;
    while (to > 0 && text->data[to - 1] != '\n')
        to--;
    size_t length = strcspn(text->data + from, "\n") + 1, old = strcspn(text->data + to, "\n") + 1;
    if (length > sizeof line) length = sizeof line;
    memcpy(line, text->data + from, length);
    size_t how = draw(3);
    splice(text, to, how == 0 ? 0 : old, line, how == 2 ? 0 : length);
}

static void change_text(const char *path)
{
    struct text text = load(path);
    text.data[text.size] = '\0';
    size_t how = draw(6), at = draw(text.size);
    printf("%s: kind %zu at byte %zu\n", path, how, at);
    if (how < 2) change_value(&text);
    if (how == 2) change_line(&text);
    if (how == 3) text.data[at] = (char)draw(256);
    if (how == 4) text.size = at;
    if (how == 5) splice(&text, at, draw(64), text.data + draw(text.size / 2), draw(512));
    save(path, &text);
    free(text.data);
}

/* ---- task files */

static const char *choose_path(void)
{
    static const char *const paths[] = {"/metrics/online/accuracy",
                                        "/metrics/ensemble/seen",
                                        "/metrics/offline",
                                        "/metrics/online/accuracy_local",
                                        "/config",
                                        "/class_order",
                                        "/provenance",
                                        "/merge",
                                        "/merge/blocks/0",
                                        "/init/blocks/0",
                                        "/online/blocks/1",
                                        "/offline",
                                        "/head/task_00",
                                        "/head/task_00/bias",
                                        "/class_names",
                                        "/stats",
                                        "/history",
                                        "/"};
    return paths[draw(COUNT(paths))];
}

static const char *choose_name(void)
{
    static const char *const names[] = {
        "task",    "task_count",      "classes_seen", "np",
        "hosts",   "weights_digest",  "data_digest",  "weights_path",
        "created", "\x1b[2J\xc2\x9b", "<script>",     "a\nb",
        "blocks",  "999999",          "1024",         "lda_offline"};
    return names[draw(COUNT(names))];
}

static double choose_number(void)
{
    const double numbers[] = {0.0,  1.0,      -1.0,         50.0,    101.0, NAN,
                              1e38, INFINITY, 2147483647.0, 65536.0, 1e-40};
    return numbers[draw(COUNT(numbers))];
}

static void change_dataset(hid_t file, const char *path)
{
    hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
    if (dataset < 0) return;
    hid_t space = H5Dget_space(dataset);
    hssize_t count = H5Sget_simple_extent_npoints(space);
    double *values = calloc((size_t)count + 1, sizeof *values);
    if (values == NULL) die("memory");
    if (H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0) {
        values[draw((size_t)count)] = choose_number();
        H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    }
    free(values);
    H5Sclose(space);
    H5Dclose(dataset);
}

static void put_attribute(hid_t file, const char *path, const char *name)
{
    static const char text[] = "../<`$(x)`|\x1b[31m\xc2\x9b\xff&\"'";
    bool is_text = draw(2) == 0;
    hid_t type = H5Tcopy(is_text ? H5T_C_S1 : draw(2) == 0 ? H5T_STD_I32LE : H5T_IEEE_F64LE);
    if (is_text) H5Tset_size(type, sizeof text);
    hid_t space = H5Screate(H5S_SCALAR);
    double number = choose_number();
    H5Adelete_by_name(file, path, name, H5P_DEFAULT);
    hid_t attribute =
        H5Acreate_by_name(file, path, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute >= 0)
        H5Awrite(attribute, is_text ? type : H5T_NATIVE_DOUBLE,
                 is_text ? (const void *)text : &number);
    if (attribute >= 0) H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
}

static void seal(const char *path)
{
    struct text text = load(path);
    lae_status status = lae_seal_stamp((unsigned char *)text.data, text.size, "lae-checkpoint", 1);
    if (status != NULL) die(lae_status_message(status));
    save(path, &text);
    free(text.data);
}

static void change_task(const char *path)
{
    char to[256];
    const char *from = choose_path(), *name = choose_name();
    size_t how = draw(8);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    if (file < 0) die(path);
    printf("%s: kind %zu, %s\n", path, how, from);
    snprintf(to, sizeof to, "%s/%s", from, name);
    if (how < 3) change_dataset(file, from);
    if (how == 3) put_attribute(file, from, name);
    if (how == 4) put_attribute(file, "/provenance", name);
    if (how == 5 && from[1] != '\0') H5Ldelete(file, from, H5P_DEFAULT);
    if (how == 6) H5Lcreate_hard(file, choose_path(), file, to, H5P_DEFAULT, H5P_DEFAULT);
    if (how == 7) H5Lcreate_soft(choose_path(), file, to, H5P_DEFAULT, H5P_DEFAULT);
    if (H5Fclose(file) < 0) die(path);
    seal(path);
}

static int take_out(const char *object, const char *path)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    if (file < 0 || H5Ldelete(file, object, H5P_DEFAULT) < 0 || H5Fclose(file) < 0) return 1;
    seal(path);
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const files[] = {"metrics.jsonl", "config.yaml", "task_00.h5",
                                        "task_01.h5",    "task_02.h5",  "metrics.jsonl"};
    if (argc == 4 && strcmp(argv[1], "--without") == 0) return take_out(argv[2], argv[3]);
    if (argc != 3 || chdir(argv[1]) != 0) {
        fputs("mutate_run RUN SEED\n", stderr);
        return 2;
    }
    state = (uint32_t)strtoul(argv[2], NULL, 10) * 2654435761u;
    for (size_t changes = 1 + draw(3); changes > 0; changes--) {
        const char *name = files[draw(COUNT(files))];
        if (strstr(name, ".h5") != NULL)
            change_task(name);
        else
            change_text(name);
    }
    return 0;
}
