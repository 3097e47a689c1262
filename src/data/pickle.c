/* The machine (Python's pickletools.py describes its instructions):
 *
 *     stack    the values at work, by number; a mark is the height that the stack had
 *     memo     values that were given a number to be called by again
 *     values   all there ever were; strings point into the file
 *     cells    the items of tuples, lists and dictionaries, linked: | value | next cell |
 *
 * An array comes in two steps, the call that makes an empty one and the state that fills it:
 *
 *     numpy.core.multiarray _reconstruct, (numpy ndarray, (0,), "b")   REDUCE
 *     (1, (rows, columns), DTYPE, by columns?, bytes)                  BUILD
 *     DTYPE:  numpy dtype, ("u1", 0, 1)                                REDUCE
 *             (3, "|", None, None, None, -1, -1, 0)                    BUILD
 */
#include "pickle.h"

#include <stdlib.h>
#include <string.h>

#define MAX_VALUES ((size_t)1 << 22) /* CIFAR-100's training file has some 200,000 */
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
};

enum global { GLOBAL_RECONSTRUCT, GLOBAL_NDARRAY, GLOBAL_DTYPE, GLOBALS };

static const char *const global_names[GLOBALS] = {
    [GLOBAL_RECONSTRUCT] = "numpy.core.multiarray\n_reconstruct\n",
    [GLOBAL_NDARRAY] = "numpy\nndarray\n",
    [GLOBAL_DTYPE] = "numpy\ndtype\n",
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

/* `count` bytes, the lowest first. */
static lae_status take_number(struct lae_pickle *p, size_t count, uint32_t *number)
{
    const unsigned char *bytes;
    LAE_TRY(take(p, count, &bytes));
    *number = 0;
    for (size_t i = 0; i < count; i++)
        *number |= (uint32_t)bytes[i] << 8 * i;
    return NULL;
}

/* ---- Instructions ------------------------------------------------------------------------------
 */

static lae_status push_number(struct lae_pickle *p, size_t bytes)
{
    uint32_t number;
    LAE_TRY(take_number(p, bytes, &number));
    int64_t value = bytes == 4 ? (int32_t)number : (int64_t)number;
    return push(p, (struct lae_pickle_value){.kind = LAE_PICKLE_NUMBER, .number = value});
}

static lae_status push_string(struct lae_pickle *p, size_t length_bytes)
{
    struct lae_pickle_value string = {.kind = LAE_PICKLE_STRING};
    uint32_t length;
    LAE_TRY(take_number(p, length_bytes, &length));
    string.size = length;
    LAE_TRY(take(p, string.size, &string.bytes));
    return push(p, string);
}

static lae_status push_global(struct lae_pickle *p)
{
    for (int i = 0; i < GLOBALS; i++) {
        size_t length = strlen(global_names[i]);
        if (length > p->size - p->at || memcmp(p->bytes + p->at, global_names[i], length) != 0)
            continue;
        p->at += length;
        return push(p, (struct lae_pickle_value){.kind = LAE_PICKLE_GLOBAL, .number = i});
    }
    return wrong(p, "names something else of Python's than NumPy's arrays");
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
static lae_status remember(struct lae_pickle *p, size_t bytes)
{
    uint32_t number;
    struct lae_pickle_value *unused;
    LAE_TRY(take_number(p, bytes, &number));
    LAE_TRY(peek(p, 0, &unused));
    uint32_t value = p->stack.items[p->stack.count - 1];
    if (number >= p->value_count + 2) return wrong(p, "a memo number too large");
    while (p->memo.count <= number)
        LAE_TRY(add_number(&p->memo, UINT32_MAX));
    p->memo.items[number] = value;
    return NULL;
}

static lae_status recall(struct lae_pickle *p, size_t bytes)
{
    uint32_t number;
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

/* The call of the global below the top with the tuple on top: an array or its type, both empty. */
static lae_status reduce(struct lae_pickle *p)
{
    struct lae_pickle_value *arguments, *called;
    const struct lae_pickle_value *item[3], *none[1];
    LAE_TRY(peek(p, 0, &arguments));
    LAE_TRY(peek(p, 1, &called));
    if (!take_apart(p, arguments, 3, item)) return wrong(p, "calls what is not known");
    struct lae_pickle_value made = {0};
    if (is_global(called, GLOBAL_DTYPE) && is_string(item[0], "u1") && is_flag(item[1], 0) &&
        is_flag(item[2], 1))
        made.kind = LAE_PICKLE_DTYPE;
    else if (is_global(called, GLOBAL_RECONSTRUCT) && is_global(item[0], GLOBAL_NDARRAY) &&
             take_apart(p, item[1], 1, none) && is_number(none[0], 0) && is_string(item[2], "b"))
        made.kind = LAE_PICKLE_ARRAY;
    else
        return wrong(p, "calls what is not known, or an array of something else than bytes");
    p->stack.count -= 2;
    return push(p, made);
}

static lae_status build_array(const struct lae_pickle *p, const struct lae_pickle_value *state,
                              struct lae_pickle_value *array)
{
    const struct lae_pickle_value *item[5], *shape[2];
    if (!take_apart(p, state, 5, item) || !is_number(item[0], 1) ||
        !take_apart(p, item[1], 2, shape) || item[2]->kind != LAE_PICKLE_DTYPE || !item[2]->built ||
        item[3]->kind != LAE_PICKLE_TRUTH || item[4]->kind != LAE_PICKLE_STRING)
        return wrong(p, "an array that is not of bytes with two axes");
    int64_t rows = shape[0]->number, columns = shape[1]->number;
    if (shape[0]->kind != LAE_PICKLE_NUMBER || shape[1]->kind != LAE_PICKLE_NUMBER || rows < 0 ||
        columns < 0 || (uint64_t)rows * (uint64_t)columns != item[4]->size)
        return wrong(p, "an array whose shape does not go with its bytes");
    array->count = (uint32_t)rows;
    array->columns = (uint32_t)columns;
    array->by_columns = item[3]->number != 0;
    array->bytes = item[4]->bytes;
    array->size = item[4]->size;
    return NULL;
}

/* Of bytes without an order among them. */
static lae_status build_dtype(const struct lae_pickle *p, const struct lae_pickle_value *state)
{
    const struct lae_pickle_value *item[8];
    if (take_apart(p, state, 8, item) && is_number(item[0], 3) && is_string(item[1], "|"))
        return NULL;
    return wrong(p, "the type of an array that is not known");
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
        LAE_TRY(build_dtype(p, state));
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
    case OP_BINSTRING:
        return push_string(p, 4);
    case OP_SHORT_BINSTRING:
        return push_string(p, 1);
    case OP_BINPUT:
        return remember(p, 1);
    case OP_LONG_BINPUT:
        return remember(p, 4);
    case OP_BINGET:
        return recall(p, 1);
    case OP_LONG_BINGET:
        return recall(p, 4);
    case OP_GLOBAL:
        return push_global(p);
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

static lae_status run(struct lae_pickle *p)
{
    const unsigned char *byte;
    LAE_TRY(take(p, 2, &byte));
    if (byte[0] != OP_PROTO || byte[1] != 2) return wrong(p, "no pickle of protocol 2");
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
    free(p);
}

lae_status lae_pickle_find(const struct lae_pickle *p, const char *key, enum lae_pickle_kind kind,
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
    bool good = (*value)->kind == kind && ((*value)->built || kind != LAE_PICKLE_ARRAY);
    if (good) return NULL;
    return lae_bad_input("%s: its \"%s\" is of another kind: damaged, or no CIFAR file for Python",
                         p->name, key);
}
