/* check_events DIRECTORY: reads event files as TensorBoard does, with a parser of its own that
 * knows nothing of protobuf-c, and prints what TensorBoard would show, one "TAG STEP VALUE" a line.
 *
 * Exit 1: a checksum or a message is wrong. A last record that is cut short is told, and no error:
 * TensorBoard stops before it, too. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct point {
    char tag[256];
    int64_t step;
    float value;
};

static struct point *points;
static size_t count;
static int records, files;

static void die(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s\n", path, what);
    exit(1);
}

/* CRC-32C from its definition: the remainder of the message, bit by bit from the lowest of each
 * byte, as a polynomial, with the register and the result inverted. */
static uint32_t checksum(const unsigned char *data, size_t size)
{
    uint32_t remainder = ~UINT32_C(0);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bool in = data[bit / 8] >> bit % 8 & 1, out = remainder & 1;
        remainder >>= 1;
        if (in != out) remainder ^= UINT32_C(0x82F63B78);
    }
    return ~remainder;
}

static uint64_t little_endian(const unsigned char *at, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

static bool fits(const unsigned char *data, size_t size, const unsigned char *stored)
{
    uint32_t crc = checksum(data, size), rotated = (crc >> 15) | (crc << 17);
    return (uint32_t)(rotated + UINT32_C(0xA282EAD8)) == little_endian(stored, 4);
}

/* ---- protobuf's wire format */

struct reader {
    const unsigned char *at, *end;
    const char *path;
};

struct field {
    unsigned number, type;
    uint64_t value;               /* of types 0, 1, 5 */
    const unsigned char *content; /* [value] of type 2 */
};

static uint64_t read_varint(struct reader *r)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (r->at == r->end) die(r->path, "a number is cut short");
        unsigned char byte = *r->at++;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return value;
    }
    die(r->path, "a number is too long");
    return 0;
}

static bool next_field(struct reader *r, struct field *f)
{
    if (r->at == r->end) return false;
    uint64_t key = read_varint(r);
    *f = (struct field){.number = (unsigned)(key >> 3), .type = (unsigned)(key & 7)};
    if (f->type == 0) {
        f->value = read_varint(r);
        return true;
    }
    size_t size = f->type == 1 ? 8 : 4;
    if (f->type == 2)
        size = (size_t)(f->value = read_varint(r));
    else if (f->type != 1 && f->type != 5)
        die(r->path, "a field of unknown type");
    if (size > (size_t)(r->end - r->at)) die(r->path, "a field is cut short");
    f->content = r->at;
    if (f->type != 2) f->value = little_endian(r->at, (int)size);
    r->at += size;
    return true;
}

/* ---- events */

/* Summary.Value: 1 tag, 2 simple_value */
static void read_value(struct reader r, int64_t step)
{
    struct field f;
    struct point point = {.step = step};
    bool valued = false;
    while (next_field(&r, &f)) {
        if (f.number == 1 && f.type == 2 && f.value < sizeof point.tag)
            memcpy(point.tag, f.content, f.value);
        if (f.number == 2 && f.type == 5) {
            uint32_t bits = (uint32_t)f.value;
            memcpy(&point.value, &bits, sizeof bits);
            valued = true;
        }
    }
    if (!valued || point.tag[0] == '\0') die(r.path, "a value without number or tag");
    points = realloc(points, (count + 1) * sizeof *points);
    if (points == NULL) die(r.path, "out of memory");
    points[count++] = point;
}

/* SessionLog START at a step: what was read of that and later steps goes. */
static void purge(int64_t step)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (points[i].step < step) points[kept++] = points[i];
    count = kept;
}

/* Event: 1 wall_time (double), 2 step (int64), 3 file_version, 5 summary, 7 session_log */
static void read_event(struct reader r, bool first)
{
    struct reader whole = r;
    struct field f;
    int64_t step = 0;
    double time = 0.0;
    bool versioned = false;
    while (next_field(&r, &f)) {
        if (f.number == 1 && f.type == 1) memcpy(&time, &f.value, sizeof time);
        if (f.number == 2 && f.type == 0) step = (int64_t)f.value;
        if (f.number == 3 && f.type == 2)
            versioned = f.value == 13 && memcmp(f.content, "brain.Event:2", 13) == 0;
    }
    if (versioned != first) die(r.path, "the format's version is not in the first record alone");
    if (time < 1e9) die(r.path, "a record without its time");
    while (next_field(&whole, &f)) {
        struct reader inner = {f.content, f.content + f.value, r.path};
        struct field part;
        if (f.number == 7 && f.type == 2)
            while (next_field(&inner, &part))
                if (part.number == 1 && part.value == 1) purge(step);
        if (f.number == 5 && f.type == 2)
            while (next_field(&inner, &part))
                if (part.number == 1 && part.type == 2)
                    read_value((struct reader){part.content, part.content + part.value, r.path},
                               step);
    }
}

static void read_file(const char *path)
{
    static unsigned char data[1 << 26];
    FILE *file = fopen(path, "rb");
    if (file == NULL) die(path, "cannot be opened");
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    for (size_t at = 0; at < size;) {
        size_t left = size - at;
        uint64_t length = left >= 12 ? little_endian(data + at, 8) : 0;
        if (left >= 12 && !fits(data + at, 8, data + at + 8)) die(path, "a length's checksum");
        if (left < 12 || left - 12 < length + 4) {
            fprintf(stderr, "%s: the last record is cut short\n", path);
            break;
        }
        const unsigned char *message = data + at + 12;
        if (!fits(message, (size_t)length, message + length)) die(path, "a message's checksum");
        read_event((struct reader){message, message + length, path}, at == 0);
        at += 16 + (size_t)length;
        records++;
    }
    files++;
}

static int wanted(const struct dirent *entry)
{
    return strstr(entry->d_name, "tfevents") != NULL;
}

int main(int argc, char **argv)
{
    struct dirent **entries;
    if (argc != 2) return 2;
    /* RFC 3720, appendix B.4: 32 bytes of zeros. */
    if (checksum((const unsigned char[32]){0}, 32) != UINT32_C(0x8A9136AA)) die("here", "CRC-32C");
    int found = scandir(argv[1], &entries, wanted, alphasort);
    if (found <= 0) die(argv[1], "no event files");
    for (int i = 0; i < found; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], entries[i]->d_name);
        read_file(path);
        free(entries[i]);
    }
    free(entries);
    for (size_t i = 0; i < count; i++)
        printf("%s %lld %.9g\n", points[i].tag, (long long)points[i].step, (double)points[i].value);
    fprintf(stderr, "%d files, %d records, %zu points\n", files, records, count);
    free(points);
    return 0;
}
