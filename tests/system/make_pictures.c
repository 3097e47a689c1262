/* make_pictures IN OUT lists|folders: the images of a directory in CIFAR-100's binary format, as
 * PNG files of their own.
 *
 *     lists      OUT/png/PART_NUMBER.png, and OUT/train.txt and OUT/test.txt in the records' order
 *     folders    OUT/PART/class_LL/NUMBER.png, for IN's classes in the order of their labels
 */
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SIDE = 32, PLANE = SIDE * SIDE, RECORD = 2 + 3 * PLANE, PATH = 1000 };

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void make_directory(const char *path)
{
    struct stat state;
    if (mkdir(path, 0777) != 0 && stat(path, &state) != 0) die(path);
}

static void write_png(const char *path, const unsigned char *record)
{
    unsigned char rgb[3 * PLANE];
    for (int i = 0; i < PLANE; i++)
        for (int channel = 0; channel < 3; channel++)
            rgb[3 * i + channel] = record[2 + channel * PLANE + i];
    png_image image = {.version = PNG_IMAGE_VERSION, .width = SIDE, .height = SIDE};
    image.format = PNG_FORMAT_RGB;
    if (!png_image_write_to_file(&image, path, 0, rgb, 0, NULL)) die(path);
}

/* `list` NULL: into class folders. */
static void write_record(const char *out, const char *part, int number, const unsigned char *record,
                         FILE *list)
{
    char name[64], path[2 * PATH];
    if (list != NULL) {
        snprintf(name, sizeof name, "png/%s_%05d.png", part, number);
        fprintf(list, "%s %d\n", name, record[1]);
    } else {
        snprintf(path, sizeof path, "%s/%s/class_%02d", out, part, record[1]);
        make_directory(path);
        snprintf(name, sizeof name, "%s/class_%02d/%05d.png", part, record[1], number);
    }
    snprintf(path, sizeof path, "%s/%s", out, name);
    write_png(path, record);
}

static void write_part(const char *in, const char *out, const char *part, int lists)
{
    char path[PATH];
    unsigned char record[RECORD];
    FILE *list = NULL;
    snprintf(path, sizeof path, "%s/%s%s", out, part, lists ? ".txt" : "");
    if (!lists)
        make_directory(path);
    else if ((list = fopen(path, "w")) == NULL)
        die(path);
    snprintf(path, sizeof path, "%s/%s.bin", in, part);
    FILE *file = fopen(path, "rb");
    if (file == NULL) die(path);
    for (int i = 0; fread(record, RECORD, 1, file) == 1; i++)
        write_record(out, part, i, record, list);
    fclose(file);
    if (list != NULL) fclose(list);
}

int main(int argc, char **argv)
{
    char path[PATH];
    int lists = argc == 4 && strcmp(argv[3], "lists") == 0;
    if (argc != 4 || strlen(argv[2]) > PATH / 2) return 2;
    make_directory(argv[2]);
    snprintf(path, sizeof path, "%s/png", argv[2]);
    if (lists) make_directory(path);
    write_part(argv[1], argv[2], "train", lists);
    write_part(argv[1], argv[2], "test", lists);
    return 0;
}
