/* The machine (Python's pickletools.py describes its instructions):
 *
 *     stack    the values at work, by number; a mark is the height that the stack had
 *     memo     values that were given a number to be called by again
 *     values   all there ever were; strings point into the file
 *     cells    the items of tuples, lists and dictionaries, linked: | value | next cell |
 *     latin    bytes that Python 3 wrote as text for protocol 2, made bytes again
 *
 * An array comes in two steps, the call that makes an empty one and the state that fills it; or, in
 * protocol 5, in one:
 *
 *     numpy.core.multiarray _reconstruct, (numpy ndarray, (0,), "b")   REDUCE
 *     (1, SHAPE, DTYPE, by columns?, bytes)                            BUILD
 *     numpy.core.numeric _frombuffer, (bytes, DTYPE, SHAPE, "C")       REDUCE
 *     DTYPE:  numpy dtype, ("u1", 0, 1)                                REDUCE
 *             (3, "|", None, None, None, -1, -1, 0)                    BUILD
 *
 * and one number of NumPy's by numpy.core.multiarray scalar, (DTYPE, bytes). NumPy 2 says _core for
 * core. Bytes that protocol 2 has no word for are _codecs encode, (text, "latin1").
 */
#include "pickle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_VALUES ((size_t)1 << 22) /* CIFAR-100's training file has some 200,000 */
#define MAX_NAME 255                 /* bytes, of something of Python's */
#define NO_CELL UINT32_MAX

enum opcode {
    OP_MARK = '(',
    OP_EMPTY_TUPLE = ')',
    OP_STOP = '.',
    OP_BININT = 'J',
    OP_BININT1 = 'K',
    OP_BININT2 = 'M',
    OP_NONE = 'N',
    OP_REDUCE = 'R',
    OP_BINSTRING = 'T',
    OP_SHORT_BINSTRING = 'U',
    OP_EMPTY_LIST = ']',
    OP_APPEND = 'a',
    OP_BUILD = 'b',
    OP_GLOBAL = 'c',
    OP_APPENDS = 'e',
    OP_BINBYTES = 'B',
    OP_SHORT_BINBYTES = 'C',
    OP_BINFLOAT = 'G',
    OP_BINUNICODE = 'X',
    OP_BINGET = 'h',
    OP_LONG_BINGET = 'j',
    OP_BINPUT = 'q',
    OP_LONG_BINPUT = 'r',
    OP_SETITEM = 's',
    OP_TUPLE = 't',
    OP_SETITEMS = 'u',
    OP_EMPTY_DICT = '}',
    OP_PROTO = 0x80,
    OP_TUPLE1 = 0x85,
    OP_TUPLE2 = 0x86,
    OP_TUPLE3 = 0x87,
    OP_NEWTRUE = 0x88,
    OP_NEWFALSE = 0x89,
    OP_LONG1 = 0x8a,
    OP_SHORT_BINUNICODE = 0x8c,
    OP_BINUNICODE8 = 0x8d,
    OP_BINBYTES8 = 0x8e,
    OP_STACK_GLOBAL = 0x93,
    OP_MEMOIZE = 0x94,
    OP_FRAME = 0x95,
    OP_BYTEARRAY8 = 0x96,
    OP_NEXT_BUFFER = 0x97,
};

enum { OLDEST_PROTOCOL = 2, NEWEST_PROTOCOL = 5, MAX_ARGUMENTS = 4 };

enum global {
    GLOBAL_RECONSTRUCT,
    GLOBAL_FROM_BUFFER,
    GLOBAL_SCALAR,
    GLOBAL_NDARRAY,
    GLOBAL_DTYPE,
    GLOBAL_ENCODE,
};

static const struct {
    const char *module, *name;
    enum global global;
} globals[] = {
    {"numpy.core.multiarray", "_reconstruct", GLOBAL_RECONSTRUCT},
    {"numpy._core.multiarray", "_reconstruct", GLOBAL_RECONSTRUCT},
    {"numpy.core.numeric", "_frombuffer", GLOBAL_FROM_BUFFER},
    {"numpy._core.numeric", "_frombuffer", GLOBAL_FROM_BUFFER},
    {"numpy.core.multiarray", "scalar", GLOBAL_SCALAR},
    {"numpy._core.multiarray", "scalar", GLOBAL_SCALAR},
    {"numpy", "ndarray", GLOBAL_NDARRAY},
    {"numpy", "dtype", GLOBAL_DTYPE},
    {"_codecs", "encode", GLOBAL_ENCODE},
};

struct cell {
    uint32_t value, next;
};

/* Numbers that grow in number. */
struct numbers {
    uint32_t *items;
    size_t count, room;
};

struct lae_pickle {
    const char *name;
    const unsigned char *bytes;
    size_t size, at, began; /* began: the instruction at hand */
    struct lae_pickle_value *values;
    size_t value_count, value_room;
    struct cell *cells;
    size_t cell_count, cell_room;
    struct numbers stack, marks, memo;
    unsigned char *latin; /* [size]; NULL until it is needed */
    size_t latin_used;
};

/* ---- Memory ------------------------------------------------------------------------------------
 */

static lae_status wrong(const struct lae_pickle *p, const char *what)
{
    return lae_bad_input("%s: byte %zu: %s: damaged, or no CIFAR file for Python", p->name,
                         p->began, what);
}

static lae_status reserve(void **memory, size_t count, size_t size, size_t *room)
{
    if (count < *room) return NULL;
    size_t wanted = 2 * *room + 64;
    void *moved = realloc(*memory, wanted * size);
    if (moved == NULL) return lae_out_of_memory(wanted * size, "a pickle's values");
    *memory = moved;
    *room = wanted;
    return NULL;
}

static lae_status add_number(struct numbers *numbers, uint32_t number)
{
    void *items = numbers->items;
    lae_status status = reserve(&items, numbers->count, sizeof *numbers->items, &numbers->room);
    numbers->items = items;
    LAE_TRY(status);
    numbers->items[numbers->count++] = number;
    return NULL;
}

/* A new value on top of the stack. */
static lae_status push(struct lae_pickle *p, struct lae_pickle_value value)
{
    if (p->value_count == MAX_VALUES) return wrong(p, "more values than CIFAR's files have");
    void *values = p->values;
    lae_status status = reserve(&values, p->value_count, sizeof *p->values, &p->value_room);
    p->values = values;
    LAE_TRY(status);
    p->values[p->value_count] = value;
    return add_number(&p->stack, (uint32_t)p->value_count++);
}

static lae_status push_sequence(struct lae_pickle *p, enum lae_pickle_kind kind)
{
    return push(p, (struct lae_pickle_value){.kind = kind, .first = NO_CELL, .last = NO_CELL});
}

/* The height below which the stack is not at hand: that of the last mark. */
static size_t ground(const struct lae_pickle *p)
{
    return p->marks.count > 0 ? p->marks.items[p->marks.count - 1] : 0;
}

/* The value `depth` below the top, whose place stays valid until the next push. */
static lae_status peek(const struct lae_pickle *p, size_t depth, struct lae_pickle_value **value)
{
    if (p->stack.count <= ground(p) + depth) return wrong(p, "the stack has too few values");
    *value = &p->values[p->stack.items[p->stack.count - 1 - depth]];
    return NULL;
}

/* Adds a value to a sequence. */
static lae_status append(struct lae_pickle *p, struct lae_pickle_value *sequence, uint32_t value)
{
    if (p->cell_count == MAX_VALUES) return wrong(p, "more items than CIFAR's files have");
    void *cells = p->cells;
    lae_status status = reserve(&cells, p->cell_count, sizeof *p->cells, &p->cell_room);
    p->cells = cells;
    LAE_TRY(status);
    uint32_t cell = (uint32_t)p->cell_count++;
    p->cells[cell] = (struct cell){value, NO_CELL};
    if (sequence->count++ == 0)
        sequence->first = cell;
    else
        p->cells[sequence->last].next = cell;
    sequence->last = cell;
    return NULL;
}

const struct lae_pickle_value *lae_pickle_next(const struct lae_pickle *p, uint32_t *place)
{
    if (*place == NO_CELL) return NULL;
    const struct cell *cell = &p->cells[*place];
    *place = cell->next;
    return &p->values[cell->value];
}

/* ---- Bytes -------------------------------------------------------------------------------------
 */

static lae_status take(struct lae_pickle *p, size_t count, const unsigned char **bytes)
{
    if (count > p->size - p->at) return wrong(p, "cut short");
    *bytes = p->bytes + p->at;
    p->at += count;
    return NULL;
}

/* `count` bytes, at most 8, the lowest first. */
static uint64_t number_of(const unsigned char *bytes, size_t count)
{
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++)
        number |= (uint64_t)bytes[i] << 8 * i;
    return number;
}

static lae_status take_number(struct lae_pickle *p, size_t count, uint64_t *number)
{
    const unsigned char *bytes;
    LAE_TRY(take(p, count, &bytes));
    *number = number_of(bytes, count);
    return NULL;
}

/* A number of so many bytes whose highest bit is its sign. */
static int64_t extend_sign(uint64_t number, size_t bytes)
{
    if (bytes == 0 || bytes >= 8) return (int64_t)number;
    uint64_t sign = (uint64_t)1 << (8 * bytes - 1);
    return (int64_t)(number ^ sign) - (int64_t)sign;
}

/* ---- Instructions ------------------------------------------------------------------------------
 */

static lae_status push_number(struct lae_pickle *p, size_t bytes)
{
    uint64_t number;
    LAE_TRY(take_number(p, bytes, &number));
    int64_t value = bytes == 4 ? extend_sign(number, 4) : (int64_t)number;
    return push(p, (struct lae_pickle_value){.kind = LAE_PICKLE_NUMBER, .number = value});
}

static lae_status push_long(struct lae_pickle *p)
{
    uint64_t bytes, number;
    LAE_TRY(take_number(p, 1, &bytes));
    if (bytes > 8) return wrong(p, "a whole number of more than 64 bits");
    LAE_TRY(take_number(p, (size_t)bytes, &number));
    return push(p, (struct lae_pickle_value){.kind = LAE_PICKLE_NUMBER,
                                             .number = extend_sign(number, (size_t)bytes)});
}

static lae_status push_float(struct lae_pickle *p)
{
    const unsigned char *unused;
    LAE_TRY(take(p, 8, &unused));
    return push(p, (struct lae_pickle_value){.kind = LAE_PICKLE_FLOAT});
}

/* Text and bytes alike. */
static lae_status push_string(struct lae_pickle *p, size_t length_bytes)
{
    struct lae_pickle_value string = {.kind = LAE_PICKLE_STRING};
    uint64_t length;
    LAE_TRY(take_number(p, length_bytes, &length));
    if (length > p->size) return wrong(p, "cut short");
    string.size = (size_t)length;
    LAE_TRY(take(p, string.size, &string.bytes));
    return push(p, string);
}

/* Where the frame ends is of no use to who has the whole file. */
static lae_status pass_frame(struct lae_pickle *p)
{
    uint64_t length;
    LAE_TRY(take_number(p, 8, &length));
    return length <= p->size - p->at ? NULL : wrong(p, "cut short");
}

/* What a pickle may ask for, or an error that says what it did ask for. */
static lae_status push_named(struct lae_pickle *p, const char *module, int module_size,
                             const char *name, int name_size)
{
    for (size_t i = 0; i < sizeof globals / sizeof globals[0]; i++)
        if (strlen(globals[i].module) == (size_t)module_size &&
            memcmp(globals[i].module, module, (size_t)module_size) == 0 &&
            strlen(globals[i].name) == (size_t)name_size &&
            memcmp(globals[i].name, name, (size_t)name_size) == 0)
            return push(p, (struct lae_pickle_value){.kind = LAE_PICKLE_GLOBAL,
                                                     .number = (int64_t)globals[i].global});
    char what[200];
    snprintf(what, sizeof what, "asks Python for %.*s.%.*s, where only NumPy's arrays are read",
             module_size < 60 ? module_size : 60, module, name_size < 60 ? name_size : 60, name);
    return wrong(p, what);
}

/* The text up to the end of its line. */
static lae_status take_line(struct lae_pickle *p, const char **line, int *length)
{
    const unsigned char *begin = p->bytes + p->at;
    const unsigned char *end = memchr(begin, '\n', p->size - p->at);
    if (end == NULL || end - begin > MAX_NAME) return wrong(p, "a name without an end");
    *line = (const char *)begin;
    *length = (int)(end - begin);
    p->at += (size_t)*length + 1;
    return NULL;
}

static lae_status push_global(struct lae_pickle *p)
{
    const char *module, *name;
    int module_size, name_size;
    LAE_TRY(take_line(p, &module, &module_size));
    LAE_TRY(take_line(p, &name, &name_size));
    return push_named(p, module, module_size, name, name_size);
}

static lae_status push_stacked_global(struct lae_pickle *p)
{
    struct lae_pickle_value *module, *name;
    LAE_TRY(peek(p, 0, &name));
    LAE_TRY(peek(p, 1, &module));
    if (module->kind != LAE_PICKLE_STRING || name->kind != LAE_PICKLE_STRING ||
        module->size > MAX_NAME || name->size > MAX_NAME)
        return wrong(p, "a name that is none");
    p->stack.count -= 2;
    return push_named(p, (const char *)module->bytes, (int)module->size, (const char *)name->bytes,
                      (int)name->size);
}

/* Moves what lies above `height` into the sequence below it. */
static lae_status gather(struct lae_pickle *p, size_t height, enum lae_pickle_kind kind)
{
    if (height == 0 || height - 1 < ground(p)) return wrong(p, "the stack has too few values");
    struct lae_pickle_value *sequence = &p->values[p->stack.items[height - 1]];
    size_t count = p->stack.count - height;
    if (sequence->kind != kind) return wrong(p, "adds items to what has none");
    if (kind == LAE_PICKLE_DICTIONARY && count % 2 != 0) return wrong(p, "a key without a value");
    for (size_t i = height; i < p->stack.count; i++)
        LAE_TRY(append(p, sequence, p->stack.items[i]));
    p->stack.count = height;
    return NULL;
}

/* The same from the last mark on, which goes. */
static lae_status gather_marked(struct lae_pickle *p, enum lae_pickle_kind kind)
{
    if (p->marks.count == 0) return wrong(p, "there is no mark");
    size_t height = p->marks.items[--p->marks.count];
    return gather(p, height, kind);
}

static lae_status gather_last(struct lae_pickle *p, size_t count, enum lae_pickle_kind kind)
{
    struct lae_pickle_value *unused;
    LAE_TRY(peek(p, count, &unused));
    return gather(p, p->stack.count - count, kind);
}

/* A tuple of what lies above `height`, in its place. */
static lae_status make_tuple(struct lae_pickle *p, size_t height)
{
    struct lae_pickle_value tuple = {.kind = LAE_PICKLE_TUPLE, .first = NO_CELL, .last = NO_CELL};
    for (size_t i = height; i < p->stack.count; i++)
        LAE_TRY(append(p, &tuple, p->stack.items[i]));
    p->stack.count = height;
    return push(p, tuple);
}

static lae_status make_marked_tuple(struct lae_pickle *p)
{
    if (p->marks.count == 0) return wrong(p, "there is no mark");
    return make_tuple(p, p->marks.items[--p->marks.count]);
}

static lae_status make_small_tuple(struct lae_pickle *p, size_t count)
{
    struct lae_pickle_value *unused;
    LAE_TRY(peek(p, count - 1, &unused));
    return make_tuple(p, p->stack.count - count);
}

/* Python numbers the memo's entries in order. */
static lae_status remember_as(struct lae_pickle *p, uint64_t number)
{
    struct lae_pickle_value *unused;
    LAE_TRY(peek(p, 0, &unused));
    uint32_t value = p->stack.items[p->stack.count - 1];
    if (number >= p->value_count + 2) return wrong(p, "a memo number too large");
    while (p->memo.count <= number)
        LAE_TRY(add_number(&p->memo, UINT32_MAX));
    p->memo.items[number] = value;
    return NULL;
}

static lae_status remember(struct lae_pickle *p, size_t bytes)
{
    uint64_t number;
    LAE_TRY(take_number(p, bytes, &number));
    return remember_as(p, number);
}

static lae_status recall(struct lae_pickle *p, size_t bytes)
{
    uint64_t number;
    LAE_TRY(take_number(p, bytes, &number));
    if (number >= p->memo.count || p->memo.items[number] == UINT32_MAX)
        return wrong(p, "a memo number that nothing has");
    return add_number(&p->stack, p->memo.items[number]);
}

/* ---- Arrays ------------------------------------------------------------------------------------
 */

static bool is_number(const struct lae_pickle_value *value, int64_t number)
{
    return value != NULL && value->kind == LAE_PICKLE_NUMBER && value->number == number;
}

/* Old NumPy wrote 0 and 1 for what is now False and True. */
static bool is_flag(const struct lae_pickle_value *value, int64_t number)
{
    return value != NULL && value->number == number &&
           (value->kind == LAE_PICKLE_NUMBER || value->kind == LAE_PICKLE_TRUTH);
}

static bool is_string(const struct lae_pickle_value *value, const char *text)
{
    return value != NULL && value->kind == LAE_PICKLE_STRING && value->size == strlen(text) &&
           memcmp(value->bytes, text, value->size) == 0;
}

static bool is_global(const struct lae_pickle_value *value, enum global global)
{
    return value != NULL && value->kind == LAE_PICKLE_GLOBAL && value->number == (int64_t)global;
}

/* A tuple's items into item [count]; false unless it has just so many. */
static bool take_apart(const struct lae_pickle *p, const struct lae_pickle_value *tuple,
                       uint32_t count, const struct lae_pickle_value **item)
{
    if (tuple->kind != LAE_PICKLE_TUPLE || tuple->count != count) return false;
    uint32_t place = tuple->first;
    for (uint32_t i = 0; i < count; i++)
        item[i] = lae_pickle_next(p, &place);
    return true;
}

/* Bytes that were written as text: each character is one of them. Every text is made so once, so
 * that all together are no longer than the file. */
static lae_status encode(struct lae_pickle *p, const struct lae_pickle_value *const item[],
                         struct lae_pickle_value *made)
{
    const struct lae_pickle_value *text = item[0];
    if (text->kind != LAE_PICKLE_STRING || !is_string(item[1], "latin1"))
        return wrong(p, "text in an encoding that is not known");
    if (text->size > p->size - p->latin_used) return wrong(p, "one text, made bytes twice");
    if (p->latin == NULL) p->latin = malloc(p->size);
    if (p->latin == NULL) return lae_out_of_memory(p->size, p->name);
    unsigned char *to = p->latin + p->latin_used;
    *made = (struct lae_pickle_value){.kind = LAE_PICKLE_STRING, .bytes = to};
    for (size_t i = 0; i < text->size; i++) {
        unsigned char byte = text->bytes[i];
        if (byte >= 0x80) {
            bool pair = (byte == 0xc2 || byte == 0xc3) && i + 1 < text->size &&
                        (text->bytes[i + 1] & 0xc0) == 0x80;
            if (!pair) return wrong(p, "text with characters that are no bytes");
            byte = (unsigned char)((byte & 3) << 6 | (text->bytes[++i] & 0x3f));
        }
        to[made->size++] = byte;
    }
    p->latin_used += made->size;
    return NULL;
}

/* ("u1", 0, 1): whole numbers of 1, 2, 4 or 8 bytes, in made->number, negative where signed. */
static lae_status make_dtype(const struct lae_pickle *p, const struct lae_pickle_value *const *item,
                             struct lae_pickle_value *made)
{
    const struct lae_pickle_value *text = item[0];
    bool whole = text->kind == LAE_PICKLE_STRING && text->size == 2 &&
                 (text->bytes[0] == 'u' || text->bytes[0] == 'i') &&
                 memchr("1248", text->bytes[1], 4) != NULL;
    if (!whole || !is_flag(item[1], 0) || !is_flag(item[2], 1))
        return wrong(p, "an array of something else than whole numbers");
    int64_t bytes = text->bytes[1] - '0';
    *made = (struct lae_pickle_value){.kind = LAE_PICKLE_DTYPE,
                                      .number = text->bytes[0] == 'i' ? -bytes : bytes};
    return NULL;
}

static size_t bytes_of_item(const struct lae_pickle_value *array)
{
    return (size_t)(array->number < 0 ? -array->number : array->number);
}

int64_t lae_pickle_item(const struct lae_pickle_value *array, size_t index)
{
    size_t size = bytes_of_item(array);
    unsigned char bytes[8];
    for (size_t i = 0; i < size; i++)
        bytes[i] = array->bytes[index * size + (array->highest_first ? size - 1 - i : i)];
    uint64_t number = number_of(bytes, size);
    return array->number < 0 ? extend_sign(number, size) : (int64_t)number;
}

uint32_t lae_pickle_shape(const struct lae_pickle *p, const struct lae_pickle_value *array,
                          uint32_t shape[LAE_PICKLE_AXES])
{
    uint32_t place = array->first;
    for (uint32_t i = 0; i < array->count; i++)
        shape[i] = (uint32_t)lae_pickle_next(p, &place)->number;
    return array->count;
}

/* Whether the shape is one, and has just so many items. */
static bool is_shape_of(const struct lae_pickle *p, const struct lae_pickle_value *shape,
                        uint64_t items)
{
    if (shape->kind != LAE_PICKLE_TUPLE || shape->count < 1 || shape->count > LAE_PICKLE_AXES)
        return false;
    uint32_t place = shape->first;
    uint64_t product = 1;
    for (uint32_t i = 0; i < shape->count; i++) {
        const struct lae_pickle_value *side = lae_pickle_next(p, &place);
        if (side->kind != LAE_PICKLE_NUMBER || side->number < 0 || side->number > UINT32_MAX)
            return false;
        if (side->number > 0 && product > items / (uint64_t)side->number) return false;
        product *= (uint64_t)side->number;
    }
    return product == items;
}

/* The array takes over the tuple's cells, which nothing changes any more. */
static lae_status fill_array(const struct lae_pickle *p, const struct lae_pickle_value *shape,
                             const struct lae_pickle_value *dtype,
                             const struct lae_pickle_value *bytes, bool by_columns,
                             struct lae_pickle_value *array)
{
    if (dtype->kind != LAE_PICKLE_DTYPE || !dtype->built || bytes->kind != LAE_PICKLE_STRING)
        return wrong(p, "an array that is not of whole numbers");
    size_t size = bytes_of_item(dtype);
    if (bytes->size % size != 0 || !is_shape_of(p, shape, bytes->size / size))
        return wrong(p, "an array whose shape does not go with its bytes");
    *array = (struct lae_pickle_value){
        .kind = LAE_PICKLE_ARRAY,
        .built = true,
        .by_columns = by_columns,
        .highest_first = dtype->highest_first,
        .first = shape->first,
        .last = shape->last,
        .count = shape->count,
        .number = dtype->number,
        .bytes = bytes->bytes,
        .size = bytes->size,
    };
    return NULL;
}

static lae_status make_from_buffer(const struct lae_pickle *p,
                                   const struct lae_pickle_value *const *item,
                                   struct lae_pickle_value *made)
{
    bool by_columns = is_string(item[3], "F");
    if (!by_columns && !is_string(item[3], "C")) return wrong(p, "an array in no known order");
    return fill_array(p, item[2], item[1], item[0], by_columns, made);
}

static lae_status make_scalar(const struct lae_pickle *p,
                              const struct lae_pickle_value *const *item,
                              struct lae_pickle_value *made)
{
    if (item[0]->kind != LAE_PICKLE_DTYPE || !item[0]->built ||
        item[1]->kind != LAE_PICKLE_STRING || item[1]->size != bytes_of_item(item[0]))
        return wrong(p, "a number of NumPy's that is no whole one");
    struct lae_pickle_value one = *item[0];
    one.bytes = item[1]->bytes;
    *made =
        (struct lae_pickle_value){.kind = LAE_PICKLE_NUMBER, .number = lae_pickle_item(&one, 0)};
    return NULL;
}

static lae_status make_empty(const struct lae_pickle *p, const struct lae_pickle_value *const *item,
                             struct lae_pickle_value *made)
{
    const struct lae_pickle_value *none[1];
    if (!is_global(item[0], GLOBAL_NDARRAY) || !take_apart(p, item[1], 1, none) ||
        !is_number(none[0], 0) || !is_string(item[2], "b"))
        return wrong(p, "an array of a kind that is not known");
    *made = (struct lae_pickle_value){.kind = LAE_PICKLE_ARRAY};
    return NULL;
}

/* What the call of a global makes of a tuple. */
static lae_status make(struct lae_pickle *p, const struct lae_pickle_value *called,
                       const struct lae_pickle_value *arguments, struct lae_pickle_value *made)
{
    const struct lae_pickle_value *item[MAX_ARGUMENTS];
    if (is_global(called, GLOBAL_ENCODE) && take_apart(p, arguments, 2, item))
        return encode(p, item, made);
    if (is_global(called, GLOBAL_SCALAR) && take_apart(p, arguments, 2, item))
        return make_scalar(p, item, made);
    if (is_global(called, GLOBAL_DTYPE) && take_apart(p, arguments, 3, item))
        return make_dtype(p, item, made);
    if (is_global(called, GLOBAL_RECONSTRUCT) && take_apart(p, arguments, 3, item))
        return make_empty(p, item, made);
    if (is_global(called, GLOBAL_FROM_BUFFER) && take_apart(p, arguments, 4, item))
        return make_from_buffer(p, item, made);
    return wrong(p, "calls what is not known");
}

/* The call of the global below the top with the tuple on top. */
static lae_status reduce(struct lae_pickle *p)
{
    struct lae_pickle_value *arguments, *called, made;
    LAE_TRY(peek(p, 0, &arguments));
    LAE_TRY(peek(p, 1, &called));
    LAE_TRY(make(p, called, arguments, &made));
    p->stack.count -= 2;
    return push(p, made);
}

static lae_status build_array(const struct lae_pickle *p, const struct lae_pickle_value *state,
                              struct lae_pickle_value *array)
{
    const struct lae_pickle_value *item[5];
    if (!take_apart(p, state, 5, item) || !is_number(item[0], 1) ||
        (item[3]->kind != LAE_PICKLE_TRUTH && item[3]->kind != LAE_PICKLE_NUMBER))
        return wrong(p, "an array's state that is not known");
    return fill_array(p, item[1], item[2], item[4], item[3]->number != 0, array);
}

/* Bytes have no order among them; numbers of several bytes do. */
static lae_status build_dtype(const struct lae_pickle *p, const struct lae_pickle_value *state,
                              struct lae_pickle_value *dtype)
{
    const struct lae_pickle_value *item[8];
    if (!take_apart(p, state, 8, item) || !is_number(item[0], 3))
        return wrong(p, "the type of an array that is not known");
    dtype->highest_first = is_string(item[1], ">");
    bool known = dtype->highest_first || is_string(item[1], "<") ||
                 (is_string(item[1], "|") && bytes_of_item(dtype) == 1);
    return known ? NULL : wrong(p, "the type of an array that is not known");
}

/* Gives what is below the top the state on top, once. */
static lae_status build(struct lae_pickle *p)
{
    struct lae_pickle_value *state, *built;
    LAE_TRY(peek(p, 0, &state));
    LAE_TRY(peek(p, 1, &built));
    if (built->built) return wrong(p, "a second state");
    if (built->kind == LAE_PICKLE_ARRAY)
        LAE_TRY(build_array(p, state, built));
    else if (built->kind == LAE_PICKLE_DTYPE)
        LAE_TRY(build_dtype(p, state, built));
    else
        return wrong(p, "a state for what has none");
    built->built = true;
    p->stack.count--;
    return NULL;
}

/* ---- The whole ---------------------------------------------------------------------------------
 */

static lae_status do_plain(struct lae_pickle *p, enum opcode opcode)
{
    switch (opcode) {
    case OP_NONE:
        return push(p, (struct lae_pickle_value){.kind = LAE_PICKLE_NONE});
    case OP_NEWTRUE:
    case OP_NEWFALSE:
        return push(
            p, (struct lae_pickle_value){.kind = LAE_PICKLE_TRUTH, .number = opcode == OP_NEWTRUE});
    case OP_BININT:
        return push_number(p, 4);
    case OP_BININT1:
        return push_number(p, 1);
    case OP_BININT2:
        return push_number(p, 2);
    case OP_LONG1:
        return push_long(p);
    case OP_BINFLOAT:
        return push_float(p);
    case OP_SHORT_BINSTRING:
    case OP_SHORT_BINBYTES:
    case OP_SHORT_BINUNICODE:
        return push_string(p, 1);
    case OP_BINSTRING:
    case OP_BINBYTES:
    case OP_BINUNICODE:
        return push_string(p, 4);
    case OP_BINBYTES8:
    case OP_BINUNICODE8:
    case OP_BYTEARRAY8:
        return push_string(p, 8);
    case OP_FRAME:
        return pass_frame(p);
    case OP_NEXT_BUFFER:
        return wrong(p, "its data lie in another file (out-of-band buffers)");
    case OP_BINPUT:
        return remember(p, 1);
    case OP_LONG_BINPUT:
        return remember(p, 4);
    case OP_BINGET:
        return recall(p, 1);
    case OP_LONG_BINGET:
        return recall(p, 4);
    case OP_MEMOIZE:
        return remember_as(p, p->memo.count);
    case OP_GLOBAL:
        return push_global(p);
    case OP_STACK_GLOBAL:
        return push_stacked_global(p);
    case OP_REDUCE:
        return reduce(p);
    case OP_BUILD:
        return build(p);
    default:
        return wrong(p, "an instruction that is not known");
    }
}

static lae_status do_instruction(struct lae_pickle *p, enum opcode opcode)
{
    switch (opcode) {
    case OP_MARK:
        return add_number(&p->marks, (uint32_t)p->stack.count);
    case OP_EMPTY_TUPLE:
        return push_sequence(p, LAE_PICKLE_TUPLE);
    case OP_EMPTY_LIST:
        return push_sequence(p, LAE_PICKLE_LIST);
    case OP_EMPTY_DICT:
        return push_sequence(p, LAE_PICKLE_DICTIONARY);
    case OP_TUPLE:
        return make_marked_tuple(p);
    case OP_TUPLE1:
    case OP_TUPLE2:
    case OP_TUPLE3:
        return make_small_tuple(p, (size_t)(opcode - OP_TUPLE1) + 1);
    case OP_APPEND:
        return gather_last(p, 1, LAE_PICKLE_LIST);
    case OP_APPENDS:
        return gather_marked(p, LAE_PICKLE_LIST);
    case OP_SETITEM:
        return gather_last(p, 2, LAE_PICKLE_DICTIONARY);
    case OP_SETITEMS:
        return gather_marked(p, LAE_PICKLE_DICTIONARY);
    default:
        return do_plain(p, opcode);
    }
}

/* Before protocol 2 pickles began without a word. */
static lae_status check_protocol(struct lae_pickle *p)
{
    const unsigned char *byte;
    LAE_TRY(take(p, 2, &byte));
    if (byte[0] != OP_PROTO)
        return wrong(p, "no pickle of protocol 2 to 5 (older ones: write it again with "
                        "pickle.dump(..., protocol=4))");
    if (byte[1] >= OLDEST_PROTOCOL && byte[1] <= NEWEST_PROTOCOL) return NULL;
    char what[60];
    snprintf(what, sizeof what, "a pickle of protocol %d; 2 to 5 are read", byte[1]);
    return wrong(p, what);
}

static lae_status run(struct lae_pickle *p)
{
    const unsigned char *byte;
    LAE_TRY(check_protocol(p));
    for (;;) {
        p->began = p->at;
        LAE_TRY(take(p, 1, &byte));
        if (byte[0] == OP_STOP) break;
        LAE_TRY(do_instruction(p, (enum opcode)byte[0]));
        /* Marks and recalled values are no new ones; they too must not fill the memory. */
        if (p->stack.count > MAX_VALUES || p->marks.count > MAX_VALUES)
            return wrong(p, "more values than CIFAR's files have");
    }
    bool alone = p->stack.count == 1 && p->marks.count == 0;
    if (!alone || p->values[p->stack.items[0]].kind != LAE_PICKLE_DICTIONARY)
        return wrong(p, "it is no dictionary");
    return p->at == p->size ? NULL : wrong(p, "bytes after its end");
}

lae_status lae_pickle_read(const char *name, const unsigned char *bytes, size_t size,
                           struct lae_pickle **pickle)
{
    struct lae_pickle *p = *pickle = calloc(1, sizeof *p);
    if (p == NULL) return lae_out_of_memory(sizeof *p, name);
    *p = (struct lae_pickle){.name = name, .bytes = bytes, .size = size};
    lae_status status = run(p);
    if (status != NULL) {
        lae_pickle_free(p);
        *pickle = NULL;
    }
    return status;
}

void lae_pickle_free(struct lae_pickle *p)
{
    if (p == NULL) return;
    free(p->values);
    free(p->cells);
    free(p->stack.items);
    free(p->marks.items);
    free(p->memo.items);
    free(p->latin);
    free(p);
}

lae_status lae_pickle_find(const struct lae_pickle *p, const char *key, unsigned kinds,
                           const struct lae_pickle_value **value)
{
    const struct lae_pickle_value *dictionary = &p->values[p->stack.items[0]], *item;
    uint32_t place = dictionary->first;
    int found = 0;
    while ((item = lae_pickle_next(p, &place)) != NULL) {
        const struct lae_pickle_value *under = lae_pickle_next(p, &place);
        if (!is_string(item, key)) continue;
        *value = under;
        found++;
    }
    if (found != 1)
        return lae_bad_input("%s: has %s \"%s\": damaged, or no CIFAR file for Python", p->name,
                             found == 0 ? "no" : "more than one", key);
    enum lae_pickle_kind kind = (*value)->kind;
    bool good = (kinds >> kind & 1) != 0 && ((*value)->built || kind != LAE_PICKLE_ARRAY);
    if (good) return NULL;
    return lae_bad_input("%s: its \"%s\" is of another kind: damaged, or no CIFAR file for Python",
                         p->name, key);
}
