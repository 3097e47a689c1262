/* A zip, since PyTorch 1.6:                     Before, one pickle after the other:
 *
 *     NAME/data.pkl     the pickle                  a number   0x1950a86a20f9469cfc6c
 *     NAME/byteorder    "little" (since 2.1)        a number   1001
 *     NAME/data/KEY     a storage's numbers         {"little_endian": True, ...}
 *     NAME/version      "3"                         the pickle
 *                                                   [KEY, ...], then for each: count u64, numbers
 *
 * The pickle's tensors are calls, and storages lie outside:
 *
 *     _rebuild_tensor_v2(STORAGE, offset, (extent, ...), (stride, ...), requires_grad, hooks)
 *     STORAGE: ("storage", torch.FloatStorage, KEY, place, count)
 */
#include "torch.h"

#include "lae/files/archive.h"
#include "lae/files/pickle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST ((size_t)64 << 30) /* bytes, of all entries */
#define LEGACY "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
enum { LEGACY_VERSION = 1001, MAX_ALIASING = 8 };

enum {
    ORDERED_DICT,
    DEFAULT_DICT,
    REBUILD_2,
    REBUILD,
    PARAMETER,
    PARAMETER_WITH_STATE,
    FIRST_STORAGE,
    FLOAT_STORAGE = FIRST_STORAGE,
    HALF_STORAGE,
    BFLOAT16_STORAGE,
    DOUBLE_STORAGE,
    LONG_STORAGE,
    INT_STORAGE,
    SHORT_STORAGE,
    CHAR_STORAGE,
    BYTE_STORAGE,
    BOOL_STORAGE,
    LAST_STORAGE = BOOL_STORAGE,
    FIRST_INERT, /* what else lies in checkpoints beside the tensors; read over */
};

static const char *const globals[] = {
    [ORDERED_DICT] = "collections OrderedDict",
    [DEFAULT_DICT] = "collections defaultdict",
    [REBUILD_2] = "torch._utils _rebuild_tensor_v2",
    [REBUILD] = "torch._utils _rebuild_tensor",
    [PARAMETER] = "torch._utils _rebuild_parameter",
    [PARAMETER_WITH_STATE] = "torch._utils _rebuild_parameter_with_state",
    [FLOAT_STORAGE] = "torch FloatStorage",
    [HALF_STORAGE] = "torch HalfStorage",
    [BFLOAT16_STORAGE] = "torch BFloat16Storage",
    [DOUBLE_STORAGE] = "torch DoubleStorage",
    [LONG_STORAGE] = "torch LongStorage",
    [INT_STORAGE] = "torch IntStorage",
    [SHORT_STORAGE] = "torch ShortStorage",
    [CHAR_STORAGE] = "torch CharStorage",
    [BYTE_STORAGE] = "torch ByteStorage",
    [BOOL_STORAGE] = "torch BoolStorage",
    [FIRST_INERT] = "argparse Namespace",
    "torch Size",
    "torch device",
    "torch float32",
    "torch float16",
    "torch bfloat16",
    "torch float64",
    "torch int64",
    "torch uint8",
    "torch bool",
    "numpy dtype",
    "numpy ndarray",
    "numpy.core.multiarray scalar",
    "numpy._core.multiarray scalar",
    "numpy.core.multiarray _reconstruct",
    "numpy._core.multiarray _reconstruct",
    "_codecs encode",
    "pathlib PosixPath",
    NULL,
};

static const struct lae_pickle_dialect dialect = {
    .what = "no weights of PyTorch",
    .globals = globals,
    .stores = true,
    .refusal = "weights need no such thing, and nothing is called: save the tensors alone, with "
               "torch.save(model.state_dict(), ...), or as .safetensors",
};

/* What a storage is made of. */
static const struct {
    const char *type;
    enum lae_element element;
    size_t size;
} storage_types[] = {
    [FLOAT_STORAGE] = {"float32", LAE_F32, 4},
    [HALF_STORAGE] = {"float16", LAE_F16, 2},
    [BFLOAT16_STORAGE] = {"bfloat16", LAE_BF16, 2},
    [DOUBLE_STORAGE] = {"float64", LAE_F64, 8},
    [LONG_STORAGE] = {"int64", LAE_OTHER_ELEMENT, 8},
    [INT_STORAGE] = {"int32", LAE_OTHER_ELEMENT, 4},
    [SHORT_STORAGE] = {"int16", LAE_OTHER_ELEMENT, 2},
    [CHAR_STORAGE] = {"int8", LAE_OTHER_ELEMENT, 1},
    [BYTE_STORAGE] = {"uint8", LAE_OTHER_ELEMENT, 1},
    [BOOL_STORAGE] = {"bool", LAE_OTHER_ELEMENT, 1},
};

/* A storage's bytes as the file has them. */
struct blob {
    char *key;
    const unsigned char *bytes;
    size_t size;
    struct lae_raw_memory *memory; /* of a zip's entry; NULL: mapped */
};

struct source {
    const char *path;
    struct lae_pickle *pickle;
    struct blob *blobs; /* by key */
    size_t count, room;
    size_t stored, used; /* bytes of all storages, of all tensors */
    struct lae_raw_file *file;
};

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct blob *)a)->key, ((const struct blob *)b)->key);
}

static void give_back(struct lae_raw_memory *memory)
{
    struct lae_raw one = {.memory = memory};
    lae_weights_raw_release(&one);
}

static void free_source(struct source *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->blobs[i].key);
        give_back(s->blobs[i].memory);
    }
    free(s->blobs);
    lae_pickle_free(s->pickle);
}

static bool make_room(struct source *s)
{
    if (s->count < s->room) return true;
    size_t room = 2 * s->room + 64;
    struct blob *blobs = realloc(s->blobs, room * sizeof *blobs);
    if (blobs == NULL) return false;
    s->blobs = blobs;
    s->room = room;
    return true;
}

/* `key` becomes the source's. */
static lae_status add_blob(struct source *s, char *key, const unsigned char *bytes, size_t size,
                           struct lae_raw_memory *memory)
{
    if (key == NULL || !make_room(s)) {
        free(key);
        give_back(memory);
        return lae_out_of_memory(s->room * sizeof *s->blobs, s->path);
    }
    s->blobs[s->count++] = (struct blob){key, bytes, size, memory};
    s->stored += size;
    return NULL;
}

static lae_status sort_blobs(struct source *s)
{
    if (s->count > 0) qsort(s->blobs, s->count, sizeof *s->blobs, by_key);
    for (size_t i = 1; i < s->count; i++)
        if (strcmp(s->blobs[i - 1].key, s->blobs[i].key) == 0)
            return lae_bad_input("%s: storage %s is there twice", s->path, s->blobs[i].key);
    return NULL;
}

/* ---- tensors of the pickle */

struct storage {
    const struct blob *blob;
    int type;     /* FIRST_STORAGE ... */
    size_t count; /* numbers */
};

static lae_status wrong_tensor(const struct source *s, const char *name, const char *what)
{
    return lae_bad_input("%s: tensor %s: %s: damaged, or of a PyTorch that is not known", s->path,
                         name, what);
}

static bool is_count(const struct lae_pickle_value *value)
{
    return value->kind == LAE_PICKLE_NUMBER && value->number >= 0;
}

/* The key of a STORED value's tuple, as a new string; NULL: it is none, or memory is out. */
static char *key_of(const struct lae_pickle_value *value)
{
    bool text = value->kind == LAE_PICKLE_STRING && memchr(value->bytes, 0, value->size) == NULL;
    return text ? strndup((const char *)value->bytes, value->size) : NULL;
}

/* The five parts of a storage's tuple; old files have a sixth, None. */
static bool storage_parts(const struct lae_pickle *p, const struct lae_pickle_value *stored,
                          const struct lae_pickle_value *item[6])
{
    const struct lae_pickle_value *tuple =
        stored->kind == LAE_PICKLE_STORED ? lae_pickle_at(p, stored->given) : NULL;
    bool whole = lae_pickle_take_apart(p, tuple, 5, item) ||
                 (lae_pickle_take_apart(p, tuple, 6, item) && item[5]->kind == LAE_PICKLE_NONE);
    return whole && lae_pickle_is_string(item[0], "storage") &&
           item[1]->kind == LAE_PICKLE_GLOBAL && item[1]->number >= FIRST_STORAGE &&
           item[1]->number <= LAST_STORAGE && is_count(item[4]);
}

static lae_status find_storage(const struct source *s, const char *name,
                               const struct lae_pickle_value *stored, struct storage *storage)
{
    const struct lae_pickle_value *item[6];
    if (!storage_parts(s->pickle, stored, item))
        return wrong_tensor(s, name, "its storage is not told as it should be");
    struct blob wanted = {.key = key_of(item[2])};
    if (wanted.key == NULL) return wrong_tensor(s, name, "its storage has no key");
    storage->blob =
        s->count == 0 ? NULL : bsearch(&wanted, s->blobs, s->count, sizeof *s->blobs, by_key);
    free(wanted.key);
    storage->type = (int)item[1]->number;
    storage->count = (size_t)item[4]->number;
    if (storage->blob == NULL) return wrong_tensor(s, name, "its storage is missing");
    size_t held = storage->blob->size / storage_types[storage->type].size;
    if (storage->count > held)
        return lae_bad_input("%s: tensor %s: its storage holds %zu numbers instead of %zu: cut "
                             "short or damaged",
                             s->path, name, held, storage->count);
    return NULL;
}

static lae_status read_extents(const struct source *s, const char *name,
                               const struct lae_pickle_value *shape,
                               const struct lae_pickle_value *strides, struct lae_raw *raw)
{
    const struct lae_pickle_value *extent[LAE_MAX_RANK], *stride[LAE_MAX_RANK];
    if (shape->kind != LAE_PICKLE_TUPLE || shape->count > LAE_MAX_RANK ||
        !lae_pickle_take_apart(s->pickle, shape, shape->count, extent) ||
        !lae_pickle_take_apart(s->pickle, strides, shape->count, stride))
        return wrong_tensor(s, name, "its shape and strides are none");
    raw->rank = (int)shape->count;
    for (int i = 0; i < raw->rank; i++) {
        if (!is_count(extent[i]) || !is_count(stride[i]))
            return wrong_tensor(s, name, "its shape and strides are none");
        raw->shape[i] = (size_t)extent[i]->number;
    }
    size_t unused;
    LAE_TRY(
        lae_status_prefix(lae_weights_raw_measure(raw, &unused), "%s: tensor %s", s->path, name));
    for (int i = 0; i < raw->rank; i++)
        raw->stride[i] = (size_t)stride[i]->number;
    return NULL;
}

/* Whether the tensor's last number, and so all of them, lie in its storage. */
static bool lies_within(const struct lae_raw *raw, uint64_t offset, size_t count)
{
    if (raw->count == 0) return offset <= count;
    if (offset >= count || raw->count > count) return false;
    size_t left = count - 1 - (size_t)offset;
    for (int i = 0; i < raw->rank; i++) {
        size_t steps = raw->shape[i] - 1;
        if (steps > 0 && raw->stride[i] > left / steps) return false;
        left -= steps > 0 ? raw->stride[i] * steps : 0;
    }
    return true;
}

/* item: storage, offset, shape, strides. */
static lae_status add_tensor(struct source *s, const char *name,
                             const struct lae_pickle_value *const *item)
{
    struct lae_raw raw = {.name = (char *)name};
    struct storage storage;
    LAE_TRY(find_storage(s, name, item[0], &storage));
    LAE_TRY(read_extents(s, name, item[2], item[3], &raw));
    if (!is_count(item[1]) || !lies_within(&raw, (uint64_t)item[1]->number, storage.count))
        return wrong_tensor(s, name, "it lies beyond its storage");
    size_t size = storage_types[storage.type].size;
    s->used += raw.count * size;
    if (s->used > MAX_ALIASING * s->stored)
        return lae_bad_input("%s: its tensors are made of the same numbers over and over, %s the "
                             "last: made to fill the memory",
                             s->path, name);
    raw.element = storage_types[storage.type].element;
    snprintf(raw.type, sizeof raw.type, "%s", storage_types[storage.type].type);
    raw.bytes = storage.blob->bytes + (size_t)item[1]->number * size;
    raw.memory = storage.blob->memory;
    if (raw.memory != NULL) raw.memory->users++;
    return lae_weights_raw_add(s->file, &raw);
}

/* The first `count` items of a call's arguments; false: it has fewer. */
static bool arguments(const struct lae_pickle *p, const struct lae_pickle_value *call,
                      uint32_t count, const struct lae_pickle_value **item)
{
    const struct lae_pickle_value *tuple = lae_pickle_at(p, call->given);
    uint32_t place = tuple->first;
    for (uint32_t i = 0; i < count; i++)
        if ((item[i] = lae_pickle_next(p, &place)) == NULL) return false;
    return true;
}

/* The parts of a tensor, out of a parameter where it is one; false: the value is no tensor. */
static bool tensor_parts(const struct lae_pickle *p, const struct lae_pickle_value *value,
                         const struct lae_pickle_value *item[4])
{
    bool parameter =
        lae_pickle_calls(p, value, PARAMETER) || lae_pickle_calls(p, value, PARAMETER_WITH_STATE);
    if (parameter) {
        if (!arguments(p, value, 1, item)) return false;
        value = item[0];
    }
    bool tensor = lae_pickle_calls(p, value, REBUILD_2) || lae_pickle_calls(p, value, REBUILD);
    return tensor && arguments(p, value, 4, item);
}

static bool is_tensor(const struct lae_pickle *p, const struct lae_pickle_value *value)
{
    const struct lae_pickle_value *item[4];
    return tensor_parts(p, value, item);
}

/* ---- which dictionary */

static bool is_dictionary(const struct lae_pickle *p, const struct lae_pickle_value *value)
{
    return value->kind == LAE_PICKLE_DICTIONARY || lae_pickle_calls(p, value, ORDERED_DICT) ||
           lae_pickle_calls(p, value, DEFAULT_DICT);
}

/* The next key and value; false: there are no more. */
static bool next_pair(const struct lae_pickle *p, uint32_t *place,
                      const struct lae_pickle_value **key, const struct lae_pickle_value **value)
{
    *key = lae_pickle_next(p, place);
    *value = *key == NULL ? NULL : lae_pickle_next(p, place);
    return *value != NULL;
}

static bool holds_tensors(const struct lae_pickle *p, const struct lae_pickle_value *dictionary)
{
    const struct lae_pickle_value *key, *value;
    uint32_t place = dictionary->first;
    while (next_pair(p, &place, &key, &value))
        if (is_tensor(p, value)) return true;
    return false;
}

/* Whether tensors are in it or below. One dictionary may stand at many places, so that there may be
 * more ways than patience. */
static bool leads_to_tensors(const struct lae_pickle *p, const struct lae_pickle_value *value,
                             int levels, size_t *patience)
{
    const struct lae_pickle_value *key, *under;
    if (!is_dictionary(p, value) || value->count > *patience) return false;
    *patience -= value->count;
    if (holds_tensors(p, value)) return true;
    uint32_t place = value->first;
    while (levels > 0 && next_pair(p, &place, &key, &under))
        if (leads_to_tensors(p, under, levels - 1, patience)) return true;
    return false;
}

static const struct lae_pickle_value *
under_key(const struct lae_pickle *p, const struct lae_pickle_value *dictionary, const char *wanted)
{
    const struct lae_pickle_value *key, *value, *found = NULL;
    uint32_t place = dictionary->first;
    while (next_pair(p, &place, &key, &value))
        if (lae_pickle_is_string(key, wanted))
            found = value; /* the last one counts, as in Python */
    return found;
}

/* "optimizer, epoch": the keys beside `chosen`. */
static void name_others(const struct lae_pickle *p, const struct lae_pickle_value *dictionary,
                        const struct lae_pickle_value *chosen, char *text, size_t size)
{
    const struct lae_pickle_value *key, *value;
    uint32_t place = dictionary->first;
    size_t used = 0;
    text[0] = '\0';
    while (next_pair(p, &place, &key, &value)) {
        if (value == chosen || key->kind != LAE_PICKLE_STRING || used + 48 > size) continue;
        used += (size_t)snprintf(text + used, size - used, "%s%.*s", used > 0 ? ", " : "",
                                 (int)(key->size < 40 ? key->size : 40), (const char *)key->bytes);
    }
}

enum { LEVELS = 3, PATIENCE = 1 << 22 };

/* The one key under which a model is looked for; NULL: none, or several that nobody knows. */
static const struct lae_pickle_value *choose(const struct lae_pickle *p,
                                             const struct lae_pickle_value *dictionary,
                                             const char **name, bool *several)
{
    static const char *const known[] = {"model", "state_dict", "teacher", "module",
                                        "model_state_dict"};
    const struct lae_pickle_value *key, *value, *found = NULL;
    uint32_t place = dictionary->first;
    size_t patience = PATIENCE;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        value = under_key(p, dictionary, known[i]);
        *name = known[i];
        if (value != NULL && leads_to_tensors(p, value, LEVELS, &patience)) return value;
    }
    *name = NULL;
    while (next_pair(p, &place, &key, &value)) {
        if (!leads_to_tensors(p, value, LEVELS, &patience)) continue;
        *several = found != NULL;
        if (*several) return NULL;
        found = value;
    }
    return found;
}

/* Goes down to the dictionary that holds the tensors. */
static lae_status descend(const struct source *s, struct lae_log *log,
                          const struct lae_pickle_value **dictionary)
{
    const struct lae_pickle *p = s->pickle;
    for (int level = 0; level <= LEVELS; level++) {
        const char *name = NULL;
        char others[400];
        bool several = false, here = holds_tensors(p, *dictionary);
        const struct lae_pickle_value *next = choose(p, *dictionary, &name, &several);
        if (here && name == NULL) return NULL;
        name_others(p, *dictionary, next, others, sizeof others);
        if (several)
            return lae_bad_input("%s: holds several sets of tensors, and none under model or "
                                 "state_dict: %s; save the one that is meant alone",
                                 s->path, others);
        if (next == NULL) break;
        lae_log_info(log, "%s: the tensors %s%s%s%s are taken%s%s", s->path,
                     name != NULL ? "under \"" : "of the one dictionary in it that has some",
                     name != NULL ? name : "", name != NULL ? "\"" : "", "",
                     others[0] != '\0' ? "; passed over: " : "", others);
        *dictionary = next;
    }
    return lae_bad_input(
        "%s: holds no tensors in a dictionary; the state_dict of a model is wanted", s->path);
}

static lae_status add_named(struct source *s, const struct lae_pickle_value *key,
                            const struct lae_pickle_value *const *item)
{
    char *name = key_of(key);
    if (name == NULL) return lae_bad_input("%s: a tensor has no text for a name", s->path);
    lae_status status = add_tensor(s, name, item);
    free(name);
    return status;
}

static lae_status add_tensors(struct source *s, struct lae_log *log)
{
    const struct lae_pickle_value *dictionary = lae_pickle_top(s->pickle), *key, *value, *item[4];
    LAE_TRY(sort_blobs(s));
    if (is_tensor(s->pickle, dictionary))
        return lae_bad_input("%s: holds one tensor without a name; the state_dict of a model is "
                             "wanted",
                             s->path);
    if (!is_dictionary(s->pickle, dictionary))
        return lae_bad_input("%s: holds no dictionary; the state_dict of a model is wanted",
                             s->path);
    LAE_TRY(descend(s, log, &dictionary));
    uint32_t place = dictionary->first;
    while (next_pair(s->pickle, &place, &key, &value))
        if (tensor_parts(s->pickle, value, item)) LAE_TRY(add_named(s, key, item));
    return NULL;
}

/* ---- zip */

/* What stands behind the archive's own name, or NULL. */
static const char *inner_name(const char *entry)
{
    const char *slash = strchr(entry, '/');
    return slash != NULL ? slash + 1 : NULL;
}

static bool is_inner(const char *entry, const char *name)
{
    const char *inner = inner_name(entry);
    return inner != NULL && strcmp(inner, name) == 0;
}

lae_status lae_weights_torch_is_zip(const char *path, bool *is)
{
    struct lae_archive *archive = NULL;
    const char *entry = NULL;
    *is = false;
    LAE_TRY(lae_archive_open(path, &archive));
    lae_status status;
    do {
        status = lae_archive_next(archive, &entry);
        if (status == NULL && entry != NULL) *is = is_inner(entry, "data.pkl");
    } while (status == NULL && entry != NULL && !*is);
    lae_archive_close(archive);
    return status;
}

/* The entry at hand as a blob of that key. */
static lae_status take_entry(struct source *s, struct lae_archive *archive, const char *key,
                             size_t *budget)
{
    unsigned char *data = NULL;
    size_t size = 0;
    struct lae_raw raw = {0};
    char *copy = strdup(key);
    lae_status status = lae_archive_read(archive, *budget, &data, &size);
    if (status == NULL) status = lae_weights_raw_own(&raw, data);
    if (status != NULL) {
        free(copy);
        return status;
    }
    *budget -= size;
    return add_blob(s, copy, data, size, raw.memory);
}

static lae_status check_order(const struct source *s, const struct blob *order)
{
    bool little = order->size >= 6 && memcmp(order->bytes, "little", 6) == 0;
    if (little) return NULL;
    return lae_bad_input(
        "%s: was written on a machine that has a number's highest byte first; save "
        "it as .safetensors there",
        s->path);
}

/* The pickle is taken as "" and the order as "order", which no storage is called. */
static lae_status read_zip_entries(struct source *s, struct lae_archive *archive,
                                   struct source *pickle)
{
    size_t budget = LARGEST;
    for (;;) {
        const char *entry = NULL;
        LAE_TRY(lae_archive_next(archive, &entry));
        if (entry == NULL) return NULL;
        const char *inner = inner_name(entry);
        if (is_inner(entry, "constants.pkl"))
            return lae_bad_input(
                "%s: is a TorchScript program; save its state_dict with torch.save", s->path);
        if (is_inner(entry, "data.pkl"))
            LAE_TRY(take_entry(pickle, archive, "", &budget));
        else if (is_inner(entry, "byteorder"))
            LAE_TRY(take_entry(pickle, archive, "order", &budget));
        else if (inner != NULL && strncmp(inner, "data/", 5) == 0)
            LAE_TRY(take_entry(s, archive, inner + 5, &budget));
    }
}

static lae_status read_zip(struct source *s, struct lae_archive *archive, struct source *pickle,
                           struct lae_log *log)
{
    const struct blob *found = NULL;
    LAE_TRY(read_zip_entries(s, archive, pickle));
    for (size_t i = 0; i < pickle->count; i++) {
        if (strcmp(pickle->blobs[i].key, "order") == 0) {
            LAE_TRY(check_order(s, &pickle->blobs[i]));
            continue;
        }
        if (found != NULL) return lae_bad_input("%s: has two data.pkl", s->path);
        found = &pickle->blobs[i];
    }
    if (found == NULL) return lae_bad_input("%s: has no data.pkl", s->path);
    LAE_TRY(lae_pickle_read(s->path, found->bytes, found->size, &dialect, &s->pickle, NULL));
    return add_tensors(s, log);
}

lae_status lae_weights_torch_read_zip(const char *path, struct lae_log *log,
                                      struct lae_raw_file *file)
{
    struct source s = {.path = path, .file = file}, pickle = {.path = path};
    struct lae_archive *archive = NULL;
    LAE_TRY(lae_archive_open(path, &archive));
    lae_status status = read_zip(&s, archive, &pickle, log);
    lae_archive_close(archive);
    free_source(&s);
    free_source(&pickle);
    return status;
}

/* ---- before there were zips */

bool lae_weights_torch_is_legacy(const unsigned char *data, size_t size)
{
    return size > 2 + sizeof LEGACY - 1 && data[0] == 0x80 &&
           memcmp(data + 2, LEGACY, sizeof LEGACY - 1) == 0;
}

/* A file's pickles one after the other. */
struct reader {
    const char *path;
    const unsigned char *data;
    size_t size, at;
};

static lae_status next_pickle(struct reader *reader, struct lae_pickle **pickle)
{
    size_t used = 0;
    LAE_TRY(lae_pickle_read(reader->path, reader->data + reader->at, reader->size - reader->at,
                            &dialect, pickle, &used));
    reader->at += used;
    return NULL;
}

static bool is_little(const struct lae_pickle *p)
{
    const struct lae_pickle_value *top = lae_pickle_top(p), *value = NULL;
    if (is_dictionary(p, top)) value = under_key(p, top, "little_endian");
    return value != NULL && value->kind == LAE_PICKLE_TRUTH && value->number != 0;
}

/* The three pickles before the one that counts. */
static lae_status read_front(struct reader *reader)
{
    struct lae_pickle *pickle;
    LAE_TRY(
        next_pickle(reader, &pickle)); /* the number that lae_weights_torch_is_legacy has seen */
    lae_pickle_free(pickle);
    LAE_TRY(next_pickle(reader, &pickle));
    bool known = lae_pickle_is_number(lae_pickle_top(pickle), LEGACY_VERSION);
    lae_pickle_free(pickle);
    if (!known)
        return lae_bad_input("%s: is of a version of PyTorch's format that is not known",
                             reader->path);
    LAE_TRY(next_pickle(reader, &pickle));
    bool little = is_little(pickle);
    lae_pickle_free(pickle);
    if (little) return NULL;
    return lae_bad_input(
        "%s: was written on a machine that has a number's highest byte first; save "
        "it as .safetensors there",
        reader->path);
}

/* Which storages the pickle speaks of: their keys, and how many bytes a number in them has. All
 * tensors of a storage say the same of it, or are refused when they are looked for. */
static lae_status list_storages(const struct source *s, struct source *list)
{
    const struct lae_pickle_value *item[6];
    for (uint32_t i = 0; i < lae_pickle_count(s->pickle); i++) {
        const struct lae_pickle_value *value = lae_pickle_at(s->pickle, i);
        if (value->kind != LAE_PICKLE_STORED || !storage_parts(s->pickle, value, item)) continue;
        char *key = key_of(item[2]);
        if (key == NULL) return lae_bad_input("%s: a storage's key is no text", s->path);
        LAE_TRY(add_blob(list, key, NULL, storage_types[item[1]->number].size, NULL));
    }
    if (list->count > 0) qsort(list->blobs, list->count, sizeof *list->blobs, by_key);
    return NULL;
}

/* 0: no tensor lies in the storage of that key. */
static size_t number_size(const struct source *list, char *key)
{
    struct blob wanted = {.key = key};
    if (key == NULL || list->count == 0) return 0;
    const struct blob *found =
        bsearch(&wanted, list->blobs, list->count, sizeof *list->blobs, by_key);
    return found != NULL ? found->size : 0;
}

/* `key` becomes the source's. */
static lae_status read_storage(struct source *s, struct reader *reader, size_t size, char *key)
{
    uint64_t count = 0;
    size_t left = reader->size - reader->at;
    bool counted = size > 0 && left >= 8;
    if (counted) memcpy(&count, reader->data + reader->at, 8);
    if (counted && count <= (left - 8) / size) {
        const unsigned char *bytes = reader->data + reader->at + 8;
        reader->at += 8 + (size_t)count * size;
        return add_blob(s, key, bytes, (size_t)count * size, NULL);
    }
    free(key);
    if (size == 0)
        return lae_bad_input("%s: has a storage that no tensor lies in: damaged", s->path);
    return lae_bad_input("%s: is cut short: a storage of %llu numbers does not fit into the %zu "
                         "bytes left",
                         s->path, (unsigned long long)count, left);
}

static lae_status read_storages(struct source *s, struct reader *reader,
                                const struct lae_pickle *keys)
{
    const struct lae_pickle_value *list = lae_pickle_top(keys), *key;
    uint32_t place = list->first;
    if (list->kind != LAE_PICKLE_LIST)
        return lae_bad_input("%s: has no list of its storages: damaged", s->path);
    if (list->count > lae_pickle_count(s->pickle))
        return lae_bad_input("%s: has more storages than tensors: damaged", s->path);
    struct source sizes = {.path = s->path};
    lae_status status = list_storages(s, &sizes);
    while (status == NULL && (key = lae_pickle_next(keys, &place)) != NULL) {
        char *name = key_of(key);
        status = read_storage(s, reader, number_size(&sizes, name), name);
    }
    free_source(&sizes);
    LAE_TRY(status);
    if (reader->at == reader->size) return NULL;
    return lae_bad_input("%s: has %zu bytes behind its last storage: damaged", s->path,
                         reader->size - reader->at);
}

static lae_status read_legacy(struct source *s, struct reader *reader, struct lae_log *log)
{
    struct lae_pickle *keys = NULL;
    LAE_TRY(read_front(reader));
    LAE_TRY(next_pickle(reader, &s->pickle));
    LAE_TRY(next_pickle(reader, &keys));
    lae_status status = read_storages(s, reader, keys);
    lae_pickle_free(keys);
    return status == NULL ? add_tensors(s, log) : status;
}

lae_status lae_weights_torch_read_legacy(const char *path, const unsigned char *data, size_t size,
                                         struct lae_log *log, struct lae_raw_file *file)
{
    struct source s = {.path = path, .file = file};
    struct reader reader = {path, data, size, 0};
    lae_status status = read_legacy(&s, &reader, log);
    free_source(&s);
    return status;
}
