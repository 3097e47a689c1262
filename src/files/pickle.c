/* The machine (Python's pickletools.py describes its instructions):
 *
 *     stack    the values at work, by number; a mark is the height that the stack had
 *     memo     values that were given a number to be called by again
 *     values   all there ever were; strings point into the file
 *     cells    items of tuples, lists and dictionaries, linked: | value | next cell |
 *
 * A call is kept in up to three steps:
 *
 *     GLOBAL, (ARGUMENTS)   REDUCE or NEWOBJ   the call
 *     (KEY, VALUE, ...)     SETITEMS, APPENDS  its items
 *     STATE                 BUILD              its state
 */
#include "lae/files/pickle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_VALUES ((size_t)1 << 22) /* CIFAR-100's training file has some 200,000 */
#define NO_CELL UINT32_MAX
#define SHOWN_NAME 100 /* bytes of a name in a message */

enum opcode {
    OP_MARK = '(',
    OP_EMPTY_TUPLE = ')',
    OP_STOP = '.',
    OP_POP = '0',
    OP_POP_MARK = '1',
    OP_DUP = '2',
    OP_BINBYTES = 'B',
    OP_SHORT_BINBYTES = 'C',
    OP_BINFLOAT = 'G',
    OP_BININT = 'J',
    OP_BININT1 = 'K',
    OP_BININT2 = 'M',
    OP_NONE = 'N',
    OP_BINPERSID = 'Q',
    OP_REDUCE = 'R',
    OP_BINSTRING = 'T',
    OP_SHORT_BINSTRING = 'U',
    OP_BINUNICODE = 'X',
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
    OP_NEWOBJ = 0x81,
    OP_TUPLE1 = 0x85,
    OP_TUPLE2 = 0x86,
    OP_TUPLE3 = 0x87,
    OP_NEWTRUE = 0x88,
    OP_NEWFALSE = 0x89,
    OP_LONG1 = 0x8a,
    OP_SHORT_BINUNICODE = 0x8c,
    OP_BINUNICODE8 = 0x8d,
    OP_BINBYTES8 = 0x8e,
    OP_EMPTY_SET = 0x8f,
    OP_ADDITEMS = 0x90,
    OP_STACK_GLOBAL = 0x93,
    OP_MEMOIZE = 0x94,
    OP_FRAME = 0x95,
    OP_BYTEARRAY8 = 0x96,
    OP_NEXT_BUFFER = 0x97,
};

enum { OLDEST_PROTOCOL = 2, NEWEST_PROTOCOL = 5 };

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
    const struct lae_pickle_dialect *dialect;
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
    return lae_bad_input("%s: byte %zu: %s: damaged, or %s", p->name, p->began, what,
                         p->dialect->what);
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
    if (p->value_count == MAX_VALUES) return wrong(p, "more values than such files have");
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
    if (p->cell_count == MAX_VALUES) return wrong(p, "more items than such files have");
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
static lae_status take_number(struct lae_pickle *p, size_t count, uint64_t *number)
{
    const unsigned char *bytes;
    LAE_TRY(take(p, count, &bytes));
    *number = 0;
    for (size_t i = 0; i < count; i++)
        *number |= (uint64_t)bytes[i] << 8 * i;
    return NULL;
}

/* ---- Instructions ------------------------------------------------------------------------------
 */

static lae_status push_number(struct lae_pickle *p, size_t bytes)
{
    uint64_t number;
    LAE_TRY(take_number(p, bytes, &number));
    int64_t value = bytes == 4 ? (int32_t)number : (int64_t)number;
    return push(p, (struct lae_pickle_value){.kind = LAE_PICKLE_NUMBER, .number = value});
}

/* As many bytes as the first one says, in two's complement. */
static lae_status push_long(struct lae_pickle *p)
{
    struct lae_pickle_value value = {.kind = LAE_PICKLE_LARGE};
    uint64_t length, number = 0;
    LAE_TRY(take_number(p, 1, &length));
    value.size = (size_t)length;
    LAE_TRY(take(p, value.size, &value.bytes));
    if (length > 8) return push(p, value);
    bool negative = length > 0 && value.bytes[length - 1] >= 0x80;
    for (size_t i = 0; i < 8; i++)
        number |= (uint64_t)(i < length ? value.bytes[i] : negative ? 0xff : 0) << 8 * i;
    memcpy(&value.number, &number, sizeof number);
    value.kind = LAE_PICKLE_NUMBER;
    return push(p, value);
}

/* The one number that is stored with its highest byte first. */
static lae_status push_real(struct lae_pickle *p)
{
    struct lae_pickle_value value = {.kind = LAE_PICKLE_REAL};
    const unsigned char *bytes;
    uint64_t bits = 0;
    LAE_TRY(take(p, 8, &bytes));
    for (size_t i = 0; i < 8; i++)
        bits = bits << 8 | bytes[i];
    memcpy(&value.real, &bits, sizeof bits);
    return push(p, value);
}

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

/* A frame only says how many bytes belong together. */
static lae_status pass_frame(struct lae_pickle *p)
{
    uint64_t length;
    LAE_TRY(take_number(p, 8, &length));
    return length > p->size - p->at ? wrong(p, "cut short") : NULL;
}

/* A part of a global's name. */
struct part {
    const unsigned char *text;
    size_t size;
};

static bool is_part(const struct part *part, const char *text, size_t size)
{
    return part->size == size && memcmp(part->text, text, size) == 0;
}

static lae_status refuse_global(const struct lae_pickle *p, const struct part *module,
                                const struct part *name)
{
    int first = (int)(module->size < SHOWN_NAME ? module->size : SHOWN_NAME);
    int second = (int)(name->size < SHOWN_NAME ? name->size : SHOWN_NAME);
    return lae_bad_input("%s: byte %zu: asks Python for %.*s.%.*s; %s", p->name, p->began, first,
                         (const char *)module->text, second, (const char *)name->text,
                         p->dialect->refusal);
}

static lae_status push_named(struct lae_pickle *p, const struct part *module,
                             const struct part *name)
{
    for (int i = 0; p->dialect->globals[i] != NULL; i++) {
        const char *known = p->dialect->globals[i], *blank = strchr(known, ' ');
        if (is_part(module, known, (size_t)(blank - known)) &&
            is_part(name, blank + 1, strlen(blank + 1)))
            return push(p, (struct lae_pickle_value){.kind = LAE_PICKLE_GLOBAL, .number = i});
    }
    return refuse_global(p, module, name);
}

static lae_status take_line(struct lae_pickle *p, struct part *line)
{
    const unsigned char *end = memchr(p->bytes + p->at, '\n', p->size - p->at);
    if (end == NULL) return wrong(p, "cut short");
    *line = (struct part){p->bytes + p->at, (size_t)(end - p->bytes) - p->at};
    p->at += line->size + 1;
    return NULL;
}

static lae_status push_global(struct lae_pickle *p)
{
    struct part module, name;
    LAE_TRY(take_line(p, &module));
    LAE_TRY(take_line(p, &name));
    return push_named(p, &module, &name);
}

/* The same with both parts on the stack. */
static lae_status push_stacked_global(struct lae_pickle *p)
{
    struct lae_pickle_value *module, *name;
    LAE_TRY(peek(p, 1, &module));
    LAE_TRY(peek(p, 0, &name));
    if (module->kind != LAE_PICKLE_STRING || name->kind != LAE_PICKLE_STRING)
        return wrong(p, "a name that is no text");
    p->stack.count -= 2;
    return push_named(p, &(struct part){module->bytes, module->size},
                      &(struct part){name->bytes, name->size});
}

static lae_status push_stored(struct lae_pickle *p)
{
    struct lae_pickle_value *unused;
    LAE_TRY(peek(p, 0, &unused));
    if (!p->dialect->stores) return wrong(p, "an instruction that is not known");
    uint32_t given = p->stack.items[--p->stack.count];
    return push(
        p, (struct lae_pickle_value){.kind = LAE_PICKLE_STORED, .first = NO_CELL, .given = given});
}

/* Moves what lies above `height` into the sequence below it. */
static lae_status gather(struct lae_pickle *p, size_t height, enum lae_pickle_kind kind)
{
    if (height == 0 || height - 1 < ground(p)) return wrong(p, "the stack has too few values");
    struct lae_pickle_value *sequence = &p->values[p->stack.items[height - 1]];
    size_t count = p->stack.count - height;
    bool fits = sequence->kind == kind || sequence->kind == LAE_PICKLE_CALL;
    if (!fits) return wrong(p, "adds items to what has none");
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

static lae_status pop(struct lae_pickle *p)
{
    struct lae_pickle_value *unused;
    LAE_TRY(peek(p, 0, &unused));
    p->stack.count--;
    return NULL;
}

static lae_status pop_mark(struct lae_pickle *p)
{
    if (p->marks.count == 0) return wrong(p, "there is no mark");
    p->stack.count = p->marks.items[--p->marks.count];
    return NULL;
}

static lae_status duplicate(struct lae_pickle *p)
{
    struct lae_pickle_value *unused;
    LAE_TRY(peek(p, 0, &unused));
    return add_number(&p->stack, p->stack.items[p->stack.count - 1]);
}

/* The call of the global below the top with the tuple on top. */
static lae_status call(struct lae_pickle *p)
{
    struct lae_pickle_value *arguments, *called;
    LAE_TRY(peek(p, 0, &arguments));
    LAE_TRY(peek(p, 1, &called));
    if (called->kind != LAE_PICKLE_GLOBAL || arguments->kind != LAE_PICKLE_TUPLE)
        return wrong(p, "calls what is not known");
    const uint32_t *top = &p->stack.items[p->stack.count - 2];
    struct lae_pickle_value made = {.kind = LAE_PICKLE_CALL,
                                    .first = NO_CELL,
                                    .last = NO_CELL,
                                    .called = top[0],
                                    .given = top[1],
                                    .state = LAE_PICKLE_NOTHING};
    p->stack.count -= 2;
    return push(p, made);
}

/* Gives what is below the top the state on top, once. */
static lae_status build(struct lae_pickle *p)
{
    struct lae_pickle_value *unused, *built;
    LAE_TRY(peek(p, 0, &unused));
    LAE_TRY(peek(p, 1, &built));
    if (built->kind != LAE_PICKLE_CALL) return wrong(p, "a state for what has none");
    if (built->state != LAE_PICKLE_NOTHING) return wrong(p, "a second state");
    built->state = p->stack.items[--p->stack.count];
    return NULL;
}

/* ---- What is asked of values -------------------------------------------------------------------
 */

const struct lae_pickle_value *lae_pickle_top(const struct lae_pickle *p)
{
    return &p->values[p->stack.items[0]];
}

const struct lae_pickle_value *lae_pickle_at(const struct lae_pickle *p, uint32_t number)
{
    return number == LAE_PICKLE_NOTHING ? NULL : &p->values[number];
}

uint32_t lae_pickle_count(const struct lae_pickle *p)
{
    return (uint32_t)p->value_count;
}

bool lae_pickle_is_number(const struct lae_pickle_value *value, int64_t number)
{
    return value != NULL && value->kind == LAE_PICKLE_NUMBER && value->number == number;
}

bool lae_pickle_is_string(const struct lae_pickle_value *value, const char *text)
{
    return value != NULL && value->kind == LAE_PICKLE_STRING && value->size == strlen(text) &&
           memcmp(value->bytes, text, value->size) == 0;
}

bool lae_pickle_is_global(const struct lae_pickle_value *value, int global)
{
    return value != NULL && value->kind == LAE_PICKLE_GLOBAL && value->number == global;
}

bool lae_pickle_calls(const struct lae_pickle *p, const struct lae_pickle_value *value, int global)
{
    return value != NULL && value->kind == LAE_PICKLE_CALL &&
           lae_pickle_is_global(&p->values[value->called], global);
}

bool lae_pickle_take_apart(const struct lae_pickle *p, const struct lae_pickle_value *tuple,
                           uint32_t count, const struct lae_pickle_value **item)
{
    if (tuple == NULL || tuple->kind != LAE_PICKLE_TUPLE || tuple->count != count) return false;
    uint32_t place = tuple->first;
    for (uint32_t i = 0; i < count; i++)
        item[i] = lae_pickle_next(p, &place);
    return true;
}

/* ---- The whole ---------------------------------------------------------------------------------
 */

static lae_status do_call(struct lae_pickle *p, enum opcode opcode)
{
    switch (opcode) {
    case OP_GLOBAL:
        return push_global(p);
    case OP_STACK_GLOBAL:
        return push_stacked_global(p);
    case OP_BINPERSID:
        return push_stored(p);
    case OP_REDUCE:
    case OP_NEWOBJ:
        return call(p);
    case OP_BUILD:
        return build(p);
    default:
        return wrong(p, "an instruction that is not known");
    }
}

static lae_status do_memory(struct lae_pickle *p, enum opcode opcode)
{
    switch (opcode) {
    case OP_BINPUT:
        return remember(p, 1);
    case OP_LONG_BINPUT:
        return remember(p, 4);
    case OP_MEMOIZE:
        return remember_as(p, p->memo.count);
    case OP_BINGET:
        return recall(p, 1);
    case OP_LONG_BINGET:
        return recall(p, 4);
    case OP_POP:
        return pop(p);
    case OP_POP_MARK:
        return pop_mark(p);
    case OP_DUP:
        return duplicate(p);
    case OP_FRAME:
        return pass_frame(p);
    case OP_NEXT_BUFFER:
        return wrong(p, "its data lie in another file (out-of-band buffers)");
    default:
        return do_call(p, opcode);
    }
}

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
        return push_real(p);
    case OP_BINSTRING:
    case OP_BINUNICODE:
    case OP_BINBYTES:
        return push_string(p, 4);
    case OP_SHORT_BINSTRING:
    case OP_SHORT_BINUNICODE:
    case OP_SHORT_BINBYTES:
        return push_string(p, 1);
    case OP_BINUNICODE8:
    case OP_BINBYTES8:
    case OP_BYTEARRAY8:
        return push_string(p, 8);
    default:
        return do_memory(p, opcode);
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
    case OP_EMPTY_SET:
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
    case OP_ADDITEMS:
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
            return wrong(p, "more values than such files have");
    }
    bool alone = p->stack.count == 1 && p->marks.count == 0;
    return alone ? NULL : wrong(p, "it is not one value");
}

lae_status lae_pickle_read(const char *name, const unsigned char *bytes, size_t size,
                           const struct lae_pickle_dialect *dialect, struct lae_pickle **pickle,
                           size_t *used)
{
    struct lae_pickle *p = *pickle = calloc(1, sizeof *p);
    if (p == NULL) return lae_out_of_memory(sizeof *p, name);
    *p = (struct lae_pickle){.name = name, .dialect = dialect, .bytes = bytes, .size = size};
    lae_status status = run(p);
    if (status == NULL && used == NULL && p->at != p->size)
        status = wrong(p, "bytes after its end");
    if (used != NULL) *used = p->at;
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
