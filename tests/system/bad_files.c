/* Files, for cases that damage them. Whatever goes wrong here is a failure of the case. */
#include "bad.h"

#include "lae/files/digest.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool bad_tell(const char *what, const char *path)
{
    fprintf(stderr, "the test cannot %s %s: %s\n", what, path, strerror(errno));
    return false;
}

const char *bad_join(char path[BAD_PATH], const char *directory, const char *name)
{
    int length = snprintf(path, BAD_PATH, "%s/%s", directory, name);
    if (length < 0 || length >= BAD_PATH) abort();
    return path;
}

bool bad_read(const char *path, struct bad_bytes *bytes)
{
    *bytes = (struct bad_bytes){0};
    FILE *file = fopen(path, "rb");
    struct stat about;
    if (file == NULL || fstat(fileno(file), &about) != 0) {
        if (file != NULL) fclose(file);
        return bad_tell("open", path);
    }
    bytes->size = (size_t)about.st_size;
    bytes->data = malloc(bytes->size + 1);
    bool whole = bytes->data != NULL && fread(bytes->data, 1, bytes->size, file) == bytes->size;
    fclose(file);
    if (whole) return true;
    free(bytes->data);
    *bytes = (struct bad_bytes){0};
    return bad_tell("read", path);
}

bool bad_write(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    bool written = file != NULL && (size == 0 || fwrite(data, 1, size, file) == size);
    if (file != NULL && fclose(file) != 0) written = false;
    return written || bad_tell("write", path);
}

bool bad_copy(const char *from, const char *to)
{
    struct bad_bytes bytes;
    if (!bad_read(from, &bytes)) return false;
    bool written = bad_write(to, bytes.data, bytes.size);
    free(bytes.data);
    return written;
}

bool bad_copy_tree(const char *from, const char *to)
{
    DIR *stream = opendir(from);
    if (stream == NULL || mkdir(to, 0777) != 0) {
        if (stream != NULL) closedir(stream);
        return bad_tell("copy to", to);
    }
    bool copied = true;
    for (struct dirent *entry = readdir(stream); entry != NULL && copied; entry = readdir(stream)) {
        char source[BAD_PATH], target[BAD_PATH];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        struct stat about;
        bad_join(source, from, entry->d_name);
        bad_join(target, to, entry->d_name);
        bool inner = stat(source, &about) == 0 && S_ISDIR(about.st_mode);
        copied = inner ? bad_copy_tree(source, target) : bad_copy(source, target);
    }
    closedir(stream);
    return copied;
}

void bad_remove(const char *path)
{
    DIR *stream = opendir(path);
    struct stat about;
    bool link = lstat(path, &about) == 0 && S_ISLNK(about.st_mode);
    if (stream != NULL && !link) {
        for (struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
            char inner[BAD_PATH];
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                bad_remove(bad_join(inner, path, entry->d_name));
        }
    }
    if (stream != NULL) closedir(stream);
    remove(path);
}

bool bad_replace(struct bad_bytes *bytes, const char *from, const char *to)
{
    size_t old = strlen(from), new = strlen(to);
    for (size_t at = 0; at + old <= bytes->size; at++) {
        if (memcmp(bytes->data + at, from, old) != 0) continue;
        unsigned char *data = malloc(bytes->size - old + new + 1);
        if (data == NULL) return bad_tell("replace", from);
        memcpy(data, bytes->data, at);
        memcpy(data + at, to, new);
        memcpy(data + at + new, bytes->data + at + old, bytes->size - at - old);
        free(bytes->data);
        *bytes = (struct bad_bytes){data, bytes->size - old + new};
        return true;
    }
    fprintf(stderr, "the test finds no \"%s\" to replace\n", from);
    return false;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "NAME SIZE DIGEST" of a regular file, "NAME (other)" of anything else; free(). */
static char *describe(const char *directory, const char *name)
{
    char path[BAD_PATH], digest[LAE_DIGEST_TEXT] = "(other)";
    struct stat about = {0};
    bad_join(path, directory, name);
    bool regular = stat(path, &about) == 0 && S_ISREG(about.st_mode);
    if (regular) lae_status_free(lae_digest_file(path, 0, digest));
    char *line = malloc(strlen(name) + sizeof digest + 32);
    if (line != NULL)
        sprintf(line, "%s %lld %s\n", name, regular ? (long long)about.st_size : 0LL, digest);
    return line;
}

char *bad_fingerprint(const char *directory)
{
    enum { LINES = 256 };
    char *lines[LINES], *all = calloc(1, 1);
    size_t count = 0, size = 1;
    DIR *stream = opendir(directory);
    for (struct dirent *entry = stream != NULL ? readdir(stream) : NULL;
         entry != NULL && count < LINES; entry = readdir(stream)) {
        static const char *const others[] = {".", "..", "log.txt", "lock"};
        bool other = false;
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            other = other || strcmp(entry->d_name, others[i]) == 0;
        if (!other) lines[count++] = describe(directory, entry->d_name);
    }
    if (stream != NULL) closedir(stream);
    qsort(lines, count, sizeof *lines, by_text);
    for (size_t i = 0; i < count; i++) {
        size += strlen(lines[i]);
        all = realloc(all, size);
        if (all == NULL) abort();
        strcat(all, lines[i]);
        free(lines[i]);
    }
    return all;
}
