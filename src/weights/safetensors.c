/* Hugging Face's tensor files (github.com/huggingface/safetensors):
 *
 *     byte 0      N, the header's length: u64, little-endian
 *     byte 8      header: JSON, N bytes, padded with spaces
 *     byte 8 + N  data: the tensors back to back, no gap, no overlap, nothing behind the last
 *
 *     {"__metadata__": {"format": "pt"},
 *      "cls_token": {"dtype": "F32", "shape": [1, 1, 192], "data_offsets": [0, 768]}, ...}
 *
 * Offsets count from byte 8 + N. Our own files keep what the format has no place for as texts in
 * __metadata__: "heads" and "layer_norm_eps".
 */
#include "safetensors.h"

#include "lae/files/atomic.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METADATA "__metadata__"
#define LARGEST_HEADER ((size_t)100000000) /* the format's own limit */

/* A tensor's place in the data. */
struct range {
    const char *name;
    size_t begin, end;
};

struct reader {
    const unsigned char *data; /* [size], behind the header */
    size_t size;
    struct lae_raw_file *file;
    struct range *ranges; /* [count] */
    size_t count;
};

/* ---- reading ---- */

static lae_status read_element(const char *name, const json_t *entry, struct lae_raw *raw)
{
    static const char *const names[] = {
        [LAE_F32] = "F32", [LAE_F16] = "F16", [LAE_BF16] = "BF16", [LAE_F64] = "F64"};
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    if (type == NULL) return lae_bad_input("tensor %s: its header has no dtype", name);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(type, names[i]) != 0) continue;
        raw->element = (enum lae_element)i;
        return NULL;
    }
    raw->element = LAE_OTHER_ELEMENT;
    snprintf(raw->type, sizeof raw->type, "%.*s", (int)sizeof raw->type - 1, type);
    return NULL;
}

static bool read_size(const json_t *value, size_t *size)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *size = (size_t)json_integer_value(value);
    return true;
}

static lae_status read_shape(const char *name, const json_t *entry, struct lae_raw *raw)
{
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape)) return lae_bad_input("tensor %s: its header has no shape", name);
    if (json_array_size(shape) > LAE_MAX_RANK)
        return lae_bad_input("tensor %s has %zu axes; %d at most are known", name,
                             json_array_size(shape), LAE_MAX_RANK);
    raw->rank = (int)json_array_size(shape);
    for (int i = 0; i < raw->rank; i++)
        if (!read_size(json_array_get(shape, (size_t)i), &raw->shape[i]))
            return lae_bad_input("tensor %s: extent %d of its shape is no whole number from 0",
                                 name, i);
    return NULL;
}

static lae_status read_range(const struct reader *reader, const char *name, const json_t *entry,
                             struct range *range)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    range->name = name;
    if (json_array_size(offsets) != 2 || !read_size(json_array_get(offsets, 0), &range->begin) ||
        !read_size(json_array_get(offsets, 1), &range->end))
        return lae_bad_input("tensor %s: its header has no data_offsets [begin, end]", name);
    if (range->begin > range->end || range->end > reader->size)
        return lae_bad_input("tensor %s lies at bytes %zu to %zu of %zu bytes of data: the file is "
                             "cut short or damaged",
                             name, range->begin, range->end, reader->size);
    return NULL;
}

static lae_status read_tensor(struct reader *reader, const char *name, const json_t *entry)
{
    struct lae_raw raw = {.name = (char *)name};
    struct range *range = &reader->ranges[reader->count];
    size_t bytes = 0;
    LAE_TRY(read_element(name, entry, &raw));
    LAE_TRY(read_shape(name, entry, &raw));
    LAE_TRY(lae_status_prefix(lae_weights_raw_measure(&raw, &bytes), "tensor %s", name));
    LAE_TRY(read_range(reader, name, entry, range));
    if (bytes != range->end - range->begin && raw.element != LAE_OTHER_ELEMENT) {
        char shape[LAE_SHAPE_TEXT];
        return lae_bad_input(
            "tensor %s lies at bytes %zu to %zu, which are %zu; shape %s needs %zu", name,
            range->begin, range->end, range->end - range->begin,
            lae_shape_text(raw.rank, raw.shape, shape), bytes);
    }
    raw.bytes = reader->data + range->begin;
    reader->count++;
    return lae_weights_raw_add(reader->file, &raw);
}

/* What is JSON inside the text of an entry, or NULL. */
static json_t *inner_json(const json_t *metadata, const char *key)
{
    const char *text = json_string_value(json_object_get(metadata, key));
    return text == NULL ? NULL : json_loads(text, JSON_DECODE_ANY, NULL);
}

/* What our own writer leaves in __metadata__. The texts are read as JSON, whose numbers do not
 * depend on the locale. */
static lae_status read_own(const json_t *metadata, struct lae_facts *facts)
{
    json_t *eps = inner_json(metadata, "layer_norm_eps"), *heads = inner_json(metadata, "heads");
    json_t *pixels = inner_json(metadata, "pixels");
    lae_status status;
    if (json_is_number(eps) && json_is_integer(heads))
        status = lae_weights_facts_set(facts, json_number_value(eps), json_integer_value(heads));
    else
        status = lae_bad_input("layer_norm_eps is \"%s\" and heads \"%s\"; numbers are wanted",
                               json_string_value(json_object_get(metadata, "layer_norm_eps")),
                               json_string_value(json_object_get(metadata, "heads")));
    lae_weights_pixels_take(&facts->pixels, json_object_get(pixels, "mean"),
                            json_object_get(pixels, "std"), "the file");
    json_decref(eps);
    json_decref(heads);
    json_decref(pixels);
    return lae_status_prefix(status, METADATA);
}

/* Or what timm leaves there; other writers' entries are of no meaning here. */
static lae_status read_metadata(const json_t *metadata, struct lae_raw_file *file)
{
    if (!json_is_object(metadata)) return lae_bad_input(METADATA " is not an object of texts");
    bool own = json_is_string(json_object_get(metadata, "layer_norm_eps")) &&
               json_is_string(json_object_get(metadata, "heads"));
    if (own) return read_own(metadata, &file->facts);
    json_t *timm = inner_json(metadata, "pretrained_cfg");
    if (json_is_object(timm))
        lae_weights_facts_take(&file->facts, timm, "the file's pretrained_cfg");
    json_decref(timm);
    return NULL;
}

static int by_begin(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* The tensors must cover the data exactly: else the header and the data are of different files. */
static lae_status check_cover(const struct reader *reader)
{
    struct range *ranges = reader->ranges;
    size_t at = 0;
    if (reader->count > 0) qsort(ranges, reader->count, sizeof *ranges, by_begin);
    for (size_t i = 0; i < reader->count; i++) {
        if (ranges[i].begin < at)
            return lae_bad_input("tensors %s and %s overlap at byte %zu of the data",
                                 ranges[i - 1].name, ranges[i].name, ranges[i].begin);
        if (ranges[i].begin > at)
            return lae_bad_input("bytes %zu to %zu of the data, before tensor %s, are of no tensor",
                                 at, ranges[i].begin, ranges[i].name);
        at = ranges[i].end;
    }
    if (at == reader->size) return NULL;
    return lae_bad_input("bytes %zu to %zu of the data, at its end, are of no tensor", at,
                         reader->size);
}

static lae_status read_entries(struct reader *reader, json_t *header)
{
    const char *name;
    json_t *entry;
    reader->ranges = calloc(json_object_size(header) + 1, sizeof *reader->ranges);
    if (reader->ranges == NULL)
        return lae_out_of_memory(json_object_size(header) * sizeof *reader->ranges, "a header");
    json_object_foreach(header, name, entry)
    {
        if (strcmp(name, METADATA) == 0)
            LAE_TRY(read_metadata(entry, reader->file));
        else
            LAE_TRY(read_tensor(reader, name, entry));
    }
    return check_cover(reader);
}

/* Finds the header's text; refuses lengths that cannot be. */
static lae_status find_header(const unsigned char *data, size_t size, size_t *length)
{
    if (size < 8) return lae_bad_input("is cut short: %zu bytes are no .safetensors file", size);
    uint64_t told = 0;
    for (int i = 0; i < 8; i++)
        told |= (uint64_t)data[i] << 8 * i;
    if (told > size - 8 || told > LARGEST_HEADER)
        return lae_bad_input("its first 8 bytes tell of a header of %llu bytes, in a file of %zu "
                             "bytes: it is cut short or damaged",
                             (unsigned long long)told, size);
    *length = (size_t)told;
    return NULL;
}

lae_status lae_weights_safetensors_read(const unsigned char *data, size_t size,
                                        struct lae_raw_file *file)
{
    size_t length = 0;
    LAE_TRY(find_header(data, size, &length));
    json_error_t error;
    json_t *header = json_loadb((const char *)data + 8, length, JSON_REJECT_DUPLICATES, &error);
    if (header == NULL)
        return lae_bad_input("its header is damaged at byte %d: %s", 8 + error.position,
                             error.text);
    struct reader reader = {.data = data + 8 + length, .size = size - 8 - length, .file = file};
    lae_status status = json_is_object(header) ? read_entries(&reader, header)
                                               : lae_bad_input("its header is no JSON object");
    free(reader.ranges);
    json_decref(header);
    return status;
}

/* ---- writing ---- */

static json_t *metadata_of(const struct lae_text *texts, size_t count)
{
    json_t *metadata = json_pack("{s:s}", "format", "pt");
    int failed = metadata == NULL;
    for (size_t i = 0; i < count && failed == 0; i++)
        failed = json_object_set_new(metadata, texts[i].name, json_string(texts[i].value));
    if (failed == 0) return metadata;
    json_decref(metadata);
    return NULL;
}

static json_t *entry_of(const struct lae_named *tensor, size_t begin)
{
    json_t *shape = json_array();
    int failed = 0;
    for (int i = 0; i < tensor->rank; i++)
        failed |= json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i]));
    if (failed != 0) {
        json_decref(shape);
        return NULL;
    }
    size_t end = begin + tensor->count * sizeof(float);
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", "F32", "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)end);
}

static char *dotted(const char *name)
{
    char *copy = strdup(name);
    for (char *at = copy; at != NULL && *at != '\0'; at++)
        if (*at == '/') *at = '.';
    return copy;
}

/* The header's text, of a length that is a multiple of 8, so that the data are aligned. */
static char *header_of(const struct lae_set *tensors, const struct lae_text *texts, size_t count)
{
    json_t *header = json_object();
    int failed = json_object_set_new(header, METADATA, metadata_of(texts, count));
    size_t begin = 0;
    for (size_t i = 0; i < tensors->count && failed == 0; i++) {
        char *name = dotted(tensors->items[i].name);
        failed = name == NULL ||
                 json_object_set_new(header, name, entry_of(&tensors->items[i], begin)) != 0;
        free(name);
        begin += tensors->items[i].count * sizeof(float);
    }
    char *text = failed != 0 ? NULL : json_dumps(header, JSON_COMPACT);
    json_decref(header);
    if (text == NULL) return NULL;

    size_t length = strlen(text), padded = (length + 7) / 8 * 8;
    char *longer = realloc(text, padded + 1);
    if (longer == NULL) {
        free(text);
        return NULL;
    }
    memset(longer + length, ' ', padded - length);
    longer[padded] = '\0';
    return longer;
}

static bool put(FILE *file, const void *data, size_t size)
{
    return size == 0 || fwrite(data, 1, size, file) == size;
}

static bool put_all(FILE *file, const char *header, const struct lae_set *tensors)
{
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)strlen(header) >> 8 * i);
    bool fine = put(file, length, sizeof length) && put(file, header, strlen(header));
    for (size_t i = 0; i < tensors->count && fine; i++)
        fine = put(file, tensors->items[i].data, tensors->items[i].count * sizeof(float));
    return fine;
}

static lae_status write_file(const char *path, const char *header, const struct lae_set *tensors)
{
    struct lae_atomic atomic;
    LAE_TRY(lae_atomic_begin(&atomic, path));
    FILE *file = lae_atomic_stream(&atomic);
    bool fine = file != NULL && put_all(file, header, tensors);
    int error = errno;
    if (file != NULL && fclose(file) != 0 && fine) {
        fine = false;
        error = errno;
    }
    if (fine) return lae_atomic_commit(&atomic);
    lae_atomic_abandon(&atomic);
    return lae_failed("%s: cannot be written: %s", path, strerror(error));
}

lae_status lae_weights_safetensors_write(const char *path, const struct lae_set *tensors,
                                         const struct lae_text *metadata, size_t count)
{
    char *header = header_of(tensors, metadata, count);
    if (header == NULL)
        return lae_failed("%s: its header cannot be made: memory is out, or a text in it is not "
                          "UTF-8",
                          path);
    lae_status status = write_file(path, header, tensors);
    free(header);
    return status;
}

/* JSON's numbers do not depend on the locale. */
static char *number_text(json_t *number)
{
    char *text = json_dumps(number, JSON_ENCODE_ANY);
    json_decref(number);
    return text;
}

lae_status lae_weights_safetensors_write_weights(const char *path,
                                                 const struct lae_weights *weights)
{
    bool known = weights->pixels.known;
    char *eps = number_text(json_real(weights->layer_norm_eps));
    char *heads = number_text(json_integer(weights->heads));
    char *pixels = known ? lae_weights_pixels_text(&weights->pixels) : NULL;
    const struct lae_text texts[] = {{"layer_norm_eps", eps},
                                     {"heads", heads},
                                     {"source_sha256", weights->digest},
                                     {"pixels", pixels}};
    lae_status status =
        eps == NULL || heads == NULL || (known && pixels == NULL)
            ? lae_out_of_memory(0, "a .safetensors header")
            : lae_weights_safetensors_write(path, &weights->tensors, texts, known ? 4 : 3);
    free(eps);
    free(heads);
    free(pixels);
    return status;
}
