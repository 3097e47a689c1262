/* An array comes as the call that makes an empty one and the state that fills it, or, in protocol
 * 5, as one call:
 *
 *     _reconstruct(ndarray, (0,), "b")   state (1, SHAPE, DTYPE, by columns?, bytes)
 *     _frombuffer(bytes, DTYPE, SHAPE, "C" or "F")
 *     DTYPE: dtype("u1", 0, 1)           state (3, "|", None, None, None, -1, -1, 0)
 *
 * One number is scalar(DTYPE, bytes). Python 3 has no bytes in protocol 2, and writes them as
 * encode(TEXT, "latin1").
 */
#include "numpy_array.h"

#include <stdlib.h>
#include <string.h>

enum {
    RECONSTRUCT,
    RECONSTRUCT_2, /* NumPy 2 moved its rooms */
    FROMBUFFER,
    FROMBUFFER_2,
    SCALAR,
    SCALAR_2,
    NDARRAY,
    DTYPE,
    ENCODE
};

static const char *const globals[] = {
    [RECONSTRUCT] = "numpy.core.multiarray _reconstruct",
    [RECONSTRUCT_2] = "numpy._core.multiarray _reconstruct",
    [FROMBUFFER] = "numpy.core.numeric _frombuffer",
    [FROMBUFFER_2] = "numpy._core.numeric _frombuffer",
    [SCALAR] = "numpy.core.multiarray scalar",
    [SCALAR_2] = "numpy._core.multiarray scalar",
    [NDARRAY] = "numpy ndarray",
    [DTYPE] = "numpy dtype",
    [ENCODE] = "_codecs encode",
    NULL,
};

const struct lae_pickle_dialect lae_numpy_dialect = {
    .what = "no CIFAR file for Python",
    .globals = globals,
    .refusal = "CIFAR's files name NumPy's arrays and nothing else, and nothing is called",
};

static lae_status wrong(const char *name, const char *what)
{
    return lae_bad_input("%s: %s: damaged, or no CIFAR file for Python", name, what);
}

/* Old NumPy wrote 0 and 1 for what is now False and True. */
static bool is_flag(const struct lae_pickle_value *value, int64_t number)
{
    return value != NULL && value->number == number &&
           (value->kind == LAE_PICKLE_NUMBER || value->kind == LAE_PICKLE_TRUTH);
}

static bool is_reconstructed(const struct lae_pickle *p, const struct lae_pickle_value *value)
{
    return lae_pickle_calls(p, value, RECONSTRUCT) || lae_pickle_calls(p, value, RECONSTRUCT_2);
}

static bool is_buffered(const struct lae_pickle *p, const struct lae_pickle_value *value)
{
    return lae_pickle_calls(p, value, FROMBUFFER) || lae_pickle_calls(p, value, FROMBUFFER_2);
}

bool lae_numpy_is_array(const struct lae_pickle *p, const struct lae_pickle_value *value)
{
    return is_reconstructed(p, value) || is_buffered(p, value);
}

/* UTF-8 of code points below 256, one byte of each into *bytes; free(). */
static lae_status encode(const char *name, const struct lae_pickle_value *text,
                         unsigned char **bytes, size_t *size)
{
    *bytes = malloc(text->size + 1);
    if (*bytes == NULL) return lae_out_of_memory(text->size, name);
    *size = 0;
    for (size_t i = 0; i < text->size; i++) {
        unsigned char byte = text->bytes[i];
        bool two = (byte & 0xfe) == 0xc2 && i + 1 < text->size;
        if (two) byte = (unsigned char)((byte & 3) << 6 | (text->bytes[++i] & 0x3f));
        if (!two && byte >= 0x80) return wrong(name, "bytes that are written wrongly");
        (*bytes)[(*size)++] = byte;
    }
    return NULL;
}

/* The bytes of a string, or of one that is encoded. */
static lae_status read_bytes(const char *name, const struct lae_pickle *p,
                             const struct lae_pickle_value *value, struct lae_numpy_array *array)
{
    const struct lae_pickle_value *item[2];
    if (value->kind == LAE_PICKLE_STRING) {
        array->bytes = value->bytes;
        array->size = value->size;
        return NULL;
    }
    if (!lae_pickle_calls(p, value, ENCODE) ||
        !lae_pickle_take_apart(p, lae_pickle_at(p, value->given), 2, item) ||
        item[0]->kind != LAE_PICKLE_STRING || !lae_pickle_is_string(item[1], "latin1"))
        return wrong(name, "an array without its bytes");
    LAE_TRY(encode(name, item[0], &array->owned, &array->size));
    array->bytes = array->owned;
    return NULL;
}

/* "u1", "i8", ...: whole numbers. */
static lae_status read_type(const char *name, const struct lae_pickle *p,
                            const struct lae_pickle_value *value, struct lae_numpy_array *array)
{
    const struct lae_pickle_value *item[8];
    if (!lae_pickle_calls(p, value, DTYPE) ||
        !lae_pickle_take_apart(p, lae_pickle_at(p, value->given), 3, item) ||
        item[0]->kind != LAE_PICKLE_STRING || item[0]->size != 2 || !is_flag(item[1], 0) ||
        !is_flag(item[2], 1))
        return wrong(name, "an array of something else than whole numbers");
    unsigned char kind = item[0]->bytes[0], digit = item[0]->bytes[1];
    bool known = (kind == 'u' || kind == 'i') && strchr("1248", digit) != NULL && digit != 0;
    if (!known) return wrong(name, "an array of something else than whole numbers");
    array->item = (size_t)(digit - '0');
    array->is_signed = kind == 'i';
    const struct lae_pickle_value *state = lae_pickle_at(p, value->state);
    bool known_state = lae_pickle_take_apart(p, state, 8, item) && lae_pickle_is_number(item[0], 3);
    array->highest_first = known_state && lae_pickle_is_string(item[1], ">");
    bool order = known_state && (array->highest_first || lae_pickle_is_string(item[1], "<") ||
                                 (array->item == 1 && lae_pickle_is_string(item[1], "|")));
    return order ? NULL : wrong(name, "the type of an array that is not known");
}

/* After the bytes and their type. */
static lae_status read_shape(const char *name, const struct lae_pickle *p,
                             const struct lae_pickle_value *value, struct lae_numpy_array *array)
{
    const struct lae_pickle_value *item[LAE_NUMPY_AXES];
    uint64_t count = 1;
    if (value->kind != LAE_PICKLE_TUPLE || value->count < 1 || value->count > LAE_NUMPY_AXES ||
        !lae_pickle_take_apart(p, value, value->count, item))
        return wrong(name, "an array that has not 1 to 4 axes");
    array->axes = value->count;
    for (uint32_t i = 0; i < value->count; i++) {
        bool fits = item[i]->kind == LAE_PICKLE_NUMBER && item[i]->number >= 0 &&
                    item[i]->number <= UINT32_MAX;
        if (!fits) return wrong(name, "an array whose shape is none");
        array->shape[i] = (uint32_t)item[i]->number;
        count *= array->shape[i];
        if (count > array->size) break;
    }
    if (count <= array->size && count * array->item == array->size) return NULL;
    return wrong(name, "an array whose shape does not go with its bytes");
}

static lae_status read_reconstructed(const char *name, const struct lae_pickle *p,
                                     const struct lae_pickle_value *value,
                                     struct lae_numpy_array *array)
{
    const struct lae_pickle_value *item[5];
    if (!lae_pickle_take_apart(p, lae_pickle_at(p, value->given), 3, item) ||
        !lae_pickle_is_global(item[0], NDARRAY) ||
        !lae_pickle_take_apart(p, lae_pickle_at(p, value->state), 5, item) ||
        !lae_pickle_is_number(item[0], 1) || item[3]->kind != LAE_PICKLE_TRUTH)
        return wrong(name, "an array that is not filled");
    array->by_columns = item[3]->number != 0;
    LAE_TRY(read_type(name, p, item[2], array));
    LAE_TRY(read_bytes(name, p, item[4], array));
    return read_shape(name, p, item[1], array);
}

static lae_status read_buffered(const char *name, const struct lae_pickle *p,
                                const struct lae_pickle_value *value, struct lae_numpy_array *array)
{
    const struct lae_pickle_value *item[4];
    if (!lae_pickle_take_apart(p, lae_pickle_at(p, value->given), 4, item) ||
        (!lae_pickle_is_string(item[3], "C") && !lae_pickle_is_string(item[3], "F")))
        return wrong(name, "an array that is not known");
    array->by_columns = lae_pickle_is_string(item[3], "F");
    LAE_TRY(read_type(name, p, item[1], array));
    LAE_TRY(read_bytes(name, p, item[0], array));
    return read_shape(name, p, item[2], array);
}

lae_status lae_numpy_read(const char *name, const struct lae_pickle *p,
                          const struct lae_pickle_value *value, struct lae_numpy_array *array)
{
    *array = (struct lae_numpy_array){0};
    lae_status status = NULL;
    if (is_reconstructed(p, value))
        status = read_reconstructed(name, p, value, array);
    else if (is_buffered(p, value))
        status = read_buffered(name, p, value, array);
    else
        status = wrong(name, "something else in an array's place");
    if (status != NULL) lae_numpy_free(array);
    return status;
}

void lae_numpy_free(struct lae_numpy_array *array)
{
    free(array->owned);
    *array = (struct lae_numpy_array){0};
}

int64_t lae_numpy_item(const struct lae_numpy_array *array, size_t index)
{
    const unsigned char *bytes = array->bytes + index * array->item;
    size_t last = array->item - 1;
    bool negative = array->is_signed && bytes[array->highest_first ? 0 : last] >= 0x80;
    uint64_t bits = negative ? UINT64_MAX : 0;
    for (size_t i = 0; i < array->item; i++)
        bits = bits << 8 | bytes[array->highest_first ? i : last - i];
    int64_t number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

bool lae_numpy_number(const struct lae_pickle *p, const struct lae_pickle_value *value,
                      int64_t *number)
{
    const struct lae_pickle_value *item[2];
    struct lae_numpy_array one = {0};
    *number = value->number;
    if (value->kind == LAE_PICKLE_NUMBER) return true;
    if (!lae_pickle_calls(p, value, SCALAR) && !lae_pickle_calls(p, value, SCALAR_2)) return false;
    if (!lae_pickle_take_apart(p, lae_pickle_at(p, value->given), 2, item)) return false;
    lae_status status = read_type("", p, item[0], &one);
    if (status == NULL) status = read_bytes("", p, item[1], &one);
    bool good = status == NULL && one.size == one.item;
    if (good) *number = lae_numpy_item(&one, 0);
    lae_status_free(status);
    lae_numpy_free(&one);
    return good;
}

bool lae_numpy_is_text(const struct lae_pickle *p, const struct lae_pickle_value *value,
                       const char *text)
{
    const struct lae_pickle_value *item[2];
    bool encoded = lae_pickle_calls(p, value, ENCODE) &&
                   lae_pickle_take_apart(p, lae_pickle_at(p, value->given), 2, item);
    return lae_pickle_is_string(encoded ? item[0] : value, text);
}
