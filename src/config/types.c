/* The types of keys: how a value is read, checked, printed, and asked for. */
#include "keys.h"

#include "orders.h"
#include "text.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static void *place(const struct lae_key *key, struct lae_config *config)
{
    return (char *)config + key->offset;
}

static const void *place_of(const struct lae_key *key, const struct lae_config *config)
{
    return (const char *)config + key->offset;
}

/* Of the words that a value can be, the one that was meant. */
static void ask_for_word(const struct lae_key *key, const struct lae_scalar *scalar, FILE *out)
{
    struct lae_text words;
    struct lae_spelling spelling = lae_spelling_of(scalar->text);
    char *list = NULL, asked[LAE_SPELLING_ASK];
    lae_status status = lae_text_open(&words);
    if (status == NULL) {
        key->type->words(key, words.out);
        status = lae_text_close(&words, &list);
    }
    if (status == NULL) lae_spelling_try_list(&spelling, list);
    fputs(lae_spelling_ask(&spelling, asked), out);
    lae_status_free(status); /* the message is good without it */
    free(list);
}

lae_status lae_key_refuse(const struct lae_key *key, const struct lae_literal *value, size_t item)
{
    struct lae_text text;
    LAE_TRY(lae_text_open(&text));
    if (item > 0)
        fprintf(text.out, "item %zu of %s is ", item, key->name);
    else
        fprintf(text.out, "%s is ", key->name);
    if (item > 0)
        lae_scalar_describe(text.out, &value->items[item - 1]);
    else
        lae_literal_describe(text.out, value);
    fprintf(text.out, "; %s must be ", item > 0 ? key->name : "it");
    key->type->wanted(key, text.out);
    bool one = item > 0 || value->kind == LAE_LITERAL_SCALAR;
    if (one && key->type->words != NULL)
        ask_for_word(key, &value->items[item > 0 ? item - 1 : 0], text.out);
    return lae_text_refuse(&text);
}

static const struct lae_scalar *scalar_of(const struct lae_literal *value)
{
    return value->kind == LAE_LITERAL_SCALAR ? &value->items[0] : NULL;
}

/* The scalar's text unless it stands between quotes: where numbers and truth values come from. */
static const char *bare_text(const struct lae_literal *value)
{
    const struct lae_scalar *scalar = scalar_of(value);
    return scalar == NULL || scalar->quoted ? NULL : scalar->text;
}

/* ---- texts: char * */

/* The member may be a char * or a const char *: its bytes are copied, not its type assumed. */
static lae_status read_text(const struct lae_key *key, const struct lae_literal *value,
                            struct lae_config *config)
{
    const struct lae_scalar *scalar = scalar_of(value);
    bool null = scalar != NULL && lae_scalar_is_null(scalar);
    if (scalar == NULL || (null && !key->optional)) return lae_key_refuse(key, value, 0);
    char *text = NULL;
    if (!null) {
        bool good = key->accepts != NULL ? key->accepts(scalar->text) : scalar->text[0] != '\0';
        if (!good) return lae_key_refuse(key, value, 0);
        text = strdup(scalar->text);
        if (text == NULL) return lae_out_of_memory(strlen(scalar->text), key->name);
    }
    char *before;
    memcpy(&before, place(key, config), sizeof before);
    free(before);
    memcpy(place(key, config), &text, sizeof text);
    return NULL;
}

static void write_text(const struct lae_key *key, const struct lae_config *config, FILE *out)
{
    const char *text;
    memcpy(&text, place_of(key, config), sizeof text);
    if (text == NULL)
        fputs("null", out);
    else
        lae_text_write_scalar(out, text);
}

static void want_text(const struct lae_key *key, FILE *out)
{
    fprintf(out, "%s%s", key->wanted, key->optional ? ", or null" : "");
}

const struct lae_key_type lae_key_text = {false, read_text, write_text, want_text, NULL};

/* ---- whole numbers: int */

static bool in_range(const struct lae_key *key, double value)
{
    if (value < key->min || (value == key->min && key->above_min)) return false;
    return value < key->max || (value == key->max && !key->below_max);
}

static bool whole_from_text(const struct lae_key *key, const char *text, int *value)
{
    int64_t wide;
    if (!lae_text_integer(text, &wide) || wide < INT_MIN || wide > INT_MAX) return false;
    if (!in_range(key, (double)wide) || (key->odd && wide % 2 == 0)) return false;
    *value = (int)wide;
    return true;
}

static lae_status read_whole(const struct lae_key *key, const struct lae_literal *value,
                             struct lae_config *config)
{
    int number = 0;
    const char *text = bare_text(value);
    if (text == NULL) return lae_key_refuse(key, value, 0);
    if (lae_scalar_is_null(&value->items[0])) text = "null"; /* which ~ and nothing mean too */
    bool word = key->zero != NULL && strcmp(text, key->zero) == 0;
    if (!word && !whole_from_text(key, text, &number)) return lae_key_refuse(key, value, 0);
    *(int *)place(key, config) = number;
    return NULL;
}

static void write_whole(const struct lae_key *key, const struct lae_config *config, FILE *out)
{
    int number = *(const int *)place_of(key, config);
    if (number == 0 && key->zero != NULL)
        fputs(key->zero, out);
    else
        fprintf(out, "%d", number);
}

static void want_range(const struct lae_key *key, FILE *out)
{
    fputs(key->above_min ? "above " : key->below_max ? "of at least " : "from ", out);
    lae_text_write_real(out, key->min);
    bool open = key->above_min || key->below_max;
    fputs(!open ? " to " : key->below_max ? " and below " : " and at most ", out);
    lae_text_write_real(out, key->max);
}

static void want_whole(const struct lae_key *key, FILE *out)
{
    fputs(key->odd ? "an odd whole number " : "a whole number ", out);
    want_range(key, out);
    if (key->zero != NULL) fprintf(out, ", or %s", key->zero);
}

const struct lae_key_type lae_key_whole = {false, read_whole, write_whole, want_whole, NULL};

/* ---- seeds: uint64_t */

static lae_status read_seed(const struct lae_key *key, const struct lae_literal *value,
                            struct lae_config *config)
{
    const char *text = bare_text(value);
    uint64_t number;
    if (text == NULL || !lae_text_unsigned(text, &number)) return lae_key_refuse(key, value, 0);
    *(uint64_t *)place(key, config) = number;
    return NULL;
}

static void write_seed(const struct lae_key *key, const struct lae_config *config, FILE *out)
{
    fprintf(out, "%llu", (unsigned long long)*(const uint64_t *)place_of(key, config));
}

static void want_seed(const struct lae_key *key, FILE *out)
{
    (void)key;
    fprintf(out, "a whole number from 0 to %llu", (unsigned long long)UINT64_MAX);
}

const struct lae_key_type lae_key_seed = {false, read_seed, write_seed, want_seed, NULL};

/* ---- numbers: double */

static lae_status read_real(const struct lae_key *key, const struct lae_literal *value,
                            struct lae_config *config)
{
    const char *text = bare_text(value);
    double number;
    if (text == NULL || !lae_text_real(text, &number) || !in_range(key, number))
        return lae_key_refuse(key, value, 0);
    *(double *)place(key, config) = number;
    return NULL;
}

static void write_real(const struct lae_key *key, const struct lae_config *config, FILE *out)
{
    lae_text_write_real(out, *(const double *)place_of(key, config));
}

static void want_real(const struct lae_key *key, FILE *out)
{
    fputs("a number ", out);
    want_range(key, out);
}

const struct lae_key_type lae_key_real = {false, read_real, write_real, want_real, NULL};

/* ---- true and false: bool */

static lae_status read_truth(const struct lae_key *key, const struct lae_literal *value,
                             struct lae_config *config)
{
    const char *text = bare_text(value);
    bool is_true = text != NULL && strcmp(text, "true") == 0;
    if (!is_true && (text == NULL || strcmp(text, "false") != 0))
        return lae_key_refuse(key, value, 0);
    *(bool *)place(key, config) = is_true;
    return NULL;
}

static void write_truth(const struct lae_key *key, const struct lae_config *config, FILE *out)
{
    fputs(*(const bool *)place_of(key, config) ? "true" : "false", out);
}

static void want_truth(const struct lae_key *key, FILE *out)
{
    (void)key;
    fputs("true or false", out);
}

static void truth_words(const struct lae_key *key, FILE *out)
{
    (void)key;
    fputs("true, false", out);
}

const struct lae_key_type lae_key_truth = {false, read_truth, write_truth, want_truth, truth_words};

/* ---- one of several names: an enum counted from 0 */

static lae_status read_choice(const struct lae_key *key, const struct lae_literal *value,
                              struct lae_config *config)
{
    const struct lae_scalar *scalar = scalar_of(value);
    for (unsigned i = 0; scalar != NULL && key->choices[i] != NULL; i++) {
        if (strcmp(scalar->text, key->choices[i]) != 0) continue;
        memcpy(place(key, config), &i, sizeof i);
        return NULL;
    }
    return lae_key_refuse(key, value, 0);
}

static void write_choice(const struct lae_key *key, const struct lae_config *config, FILE *out)
{
    unsigned choice;
    _Static_assert(sizeof choice == sizeof config->merge.scope, "enums are as wide as unsigned");
    memcpy(&choice, place_of(key, config), sizeof choice);
    fputs(key->choices[choice], out);
}

/* Writes "A", then ", B", ... */
static void write_next(FILE *out, bool *first, const char *name)
{
    fprintf(out, "%s%s", *first ? "" : ", ", name);
    *first = false;
}

static void choice_words(const struct lae_key *key, FILE *out)
{
    bool first = true;
    for (const char *const *name = key->choices; *name != NULL; name++)
        write_next(out, &first, *name);
}

static void want_choice(const struct lae_key *key, FILE *out)
{
    if (key->choices[1] != NULL) fputs("one of ", out);
    choice_words(key, out);
}

const struct lae_key_type lae_key_choice = {false, read_choice, write_choice, want_choice,
                                            choice_words};

/* ---- one number or three, for the channels R, G, B: double [3] */

static lae_status read_channels(const struct lae_key *key, const struct lae_literal *value,
                                struct lae_config *config)
{
    double numbers[3];
    bool list = value->kind == LAE_LITERAL_LIST;
    if (value->count != (list ? 3 : 1)) return lae_key_refuse(key, value, 0);
    for (size_t i = 0; i < 3; i++) {
        const struct lae_scalar *scalar = &value->items[list ? i : 0];
        if (scalar->quoted || !lae_text_real(scalar->text, &numbers[i]) ||
            !in_range(key, numbers[i]))
            return lae_key_refuse(key, value, list ? i + 1 : 0);
    }
    memcpy(place(key, config), numbers, sizeof numbers);
    return NULL;
}

static void write_channels(const struct lae_key *key, const struct lae_config *config, FILE *out)
{
    const double *numbers = place_of(key, config);
    if (numbers[0] == numbers[1] && numbers[1] == numbers[2]) {
        lae_text_write_real(out, numbers[0]);
        return;
    }
    for (int i = 0; i < 3; i++) {
        fputs(i == 0 ? "[" : ", ", out);
        lae_text_write_real(out, numbers[i]);
    }
    fputc(']', out);
}

static void want_channels(const struct lae_key *key, FILE *out)
{
    fputs("a number ", out);
    want_range(key, out);
    fputs(", or a list of three", out);
}

const struct lae_key_type lae_key_channels = {true, read_channels, write_channels, want_channels,
                                              NULL};

/* ---- lists of different whole numbers */

/* Reads them into numbers [limit]; each is below `limit`, so that no more fit. One number is a list
 * of one. */
static lae_status read_distinct(const struct lae_key *key, const struct lae_literal *value,
                                int *numbers, int limit)
{
    bool seen[LAE_MAX_CLASSES] = {false}, list = value->kind == LAE_LITERAL_LIST;
    if (value->kind == LAE_LITERAL_MAPPING) return lae_key_refuse(key, value, 0);
    for (size_t i = 0; i < value->count; i++) {
        const struct lae_scalar *scalar = &value->items[i];
        int64_t number;
        if (scalar->quoted || !lae_text_integer(scalar->text, &number) || number < 0 ||
            number >= limit)
            return lae_key_refuse(key, value, list ? i + 1 : 0);
        if (seen[number])
            return lae_bad_input("%s has %d twice; the second is item %zu", key->name, (int)number,
                                 i + 1);
        seen[number] = true;
        numbers[i] = (int)number;
    }
    return NULL;
}

static void write_list(const int *numbers, int count, FILE *out)
{
    fputc('[', out);
    for (int i = 0; i < count; i++)
        fprintf(out, "%s%d", i == 0 ? "" : ", ", numbers[i]);
    fputc(']', out);
}

/* ---- adapted blocks: struct lae_pet_options */

_Static_assert(LAE_MAX_BLOCKS <= LAE_MAX_CLASSES, "read_distinct counts up to the latter");

static lae_status read_blocks(const struct lae_key *key, const struct lae_literal *value,
                              struct lae_config *config)
{
    struct lae_pet_options *pet = place(key, config);
    int numbers[LAE_MAX_BLOCKS] = {0};
    LAE_TRY(read_distinct(key, value, numbers, LAE_MAX_BLOCKS));
    int count = (int)value->count;
    for (int i = 0; i < count; i++) { /* insertion sort: the options are ascending */
        int at = i;
        for (; at > 0 && pet->blocks[at - 1] > numbers[i]; at--)
            pet->blocks[at] = pet->blocks[at - 1];
        pet->blocks[at] = numbers[i];
    }
    pet->block_count = count;
    return NULL;
}

static void write_blocks(const struct lae_key *key, const struct lae_config *config, FILE *out)
{
    const struct lae_pet_options *pet = place_of(key, config);
    write_list(pet->blocks, pet->block_count, out);
}

static void want_blocks(const struct lae_key *key, FILE *out)
{
    (void)key;
    fprintf(out, "a list of block numbers from 0 to %d, such as [0, 1, 2]", LAE_MAX_BLOCKS - 1);
}

const struct lae_key_type lae_key_blocks = {true, read_blocks, write_blocks, want_blocks, NULL};

/* ---- classes, and their order: struct lae_data_options */

static lae_status take_labels(const struct lae_key *key, const struct lae_literal *value,
                              int **labels, int *count)
{
    int numbers[LAE_MAX_CLASSES];
    if (value->count == 0) return lae_key_refuse(key, value, 0);
    LAE_TRY(read_distinct(key, value, numbers, LAE_MAX_CLASSES));
    size_t bytes = value->count * sizeof *numbers;
    int *copy = malloc(bytes);
    if (copy == NULL) return lae_out_of_memory(bytes, key->name);
    memcpy(copy, numbers, bytes);
    free(*labels);
    *labels = copy;
    *count = (int)value->count;
    return NULL;
}

static lae_status take_order(const struct lae_key *key, const struct lae_literal *value,
                             struct lae_data_options *data)
{
    return take_labels(key, value, &data->class_order, &data->class_order_count);
}

static lae_status read_classes(const struct lae_key *key, const struct lae_literal *value,
                               struct lae_config *config)
{
    struct lae_data_options *data = place(key, config);
    const struct lae_scalar *scalar = scalar_of(value);
    if (scalar == NULL || !lae_scalar_is_null(scalar))
        return take_labels(key, value, &data->classes, &data->classes_count);
    free(data->classes);
    data->classes = NULL;
    data->classes_count = 0;
    return NULL;
}

static void write_classes(const struct lae_key *key, const struct lae_config *config, FILE *out)
{
    const struct lae_data_options *data = place_of(key, config);
    if (data->classes == NULL)
        fputs("null", out);
    else
        write_list(data->classes, data->classes_count, out);
}

static void want_classes(const struct lae_key *key, FILE *out)
{
    (void)key;
    fprintf(out, "a list of class numbers from 0 to %d, or null", LAE_MAX_CLASSES - 1);
}

const struct lae_key_type lae_key_classes = {true, read_classes, write_classes, want_classes, NULL};

static lae_status take_named_order(const struct lae_key *key, const char *name,
                                   struct lae_config *config)
{
    struct lae_entry entry;
    char *file;
    LAE_TRY(lae_order_find(config, name, &entry, &file));
    lae_status status = take_order(key, &entry.value, place(key, config));
    status =
        lae_status_prefix(status, "%s:%zu:%zu", file, entry.value_at.line, entry.value_at.column);
    lae_entry_free(&entry);
    free(file);
    return status;
}

static lae_status read_order(const struct lae_key *key, const struct lae_literal *value,
                             struct lae_config *config)
{
    struct lae_data_options *data = place(key, config);
    const struct lae_scalar *scalar = scalar_of(value);
    if (scalar == NULL) return take_order(key, value, data);
    double number;
    if (lae_text_real(scalar->text, &number)) return take_order(key, value, data);
    if (!lae_scalar_is_null(scalar)) return take_named_order(key, scalar->text, config);
    free(data->class_order);
    data->class_order = NULL;
    data->class_order_count = 0;
    return NULL;
}

static void write_order(const struct lae_key *key, const struct lae_config *config, FILE *out)
{
    const struct lae_data_options *data = place_of(key, config);
    if (data->class_order == NULL)
        fputs("null", out);
    else
        write_list(data->class_order, data->class_order_count, out);
}

static void want_order(const struct lae_key *key, FILE *out)
{
    (void)key;
    fprintf(out, "a list of class numbers from 0 to %d, a name in class_orders.yaml, or null",
            LAE_MAX_CLASSES - 1);
}

const struct lae_key_type lae_key_class_order = {true, read_order, write_order, want_order, NULL};

/* ---- types of PET modules: const struct lae_pet_type *, NULL for `none` */

static bool allowed_at(const struct lae_pet_type *type, enum lae_site site)
{
    return (type->sites >> site & 1) != 0;
}

static lae_status read_module(const struct lae_key *key, const struct lae_literal *value,
                              struct lae_config *config)
{
    const struct lae_scalar *scalar = scalar_of(value);
    if (scalar == NULL) return lae_key_refuse(key, value, 0);
    bool none = strcmp(scalar->text, "none") == 0;
    const struct lae_pet_type *type = none ? NULL : lae_pet_find(scalar->text);
    if (!none && (type == NULL || !allowed_at(type, key->site)))
        return lae_key_refuse(key, value, 0);
    *(const struct lae_pet_type **)place(key, config) = type;
    return NULL;
}

static void write_module(const struct lae_key *key, const struct lae_config *config, FILE *out)
{
    const struct lae_pet_type *type = *(const struct lae_pet_type *const *)place_of(key, config);
    fputs(type == NULL ? "none" : type->name, out);
}

static void module_words(const struct lae_key *key, FILE *out)
{
    bool first = true;
    for (const struct lae_pet_type *type = lae_pet_types(); type->name != NULL; type++)
        if (allowed_at(type, key->site)) write_next(out, &first, type->name);
    write_next(out, &first, "none");
}

static void want_module(const struct lae_key *key, FILE *out)
{
    fputs("one of ", out);
    module_words(key, out);
}

const struct lae_key_type lae_key_module = {false, read_module, write_module, want_module,
                                            module_words};

/* ---- merge methods: const struct lae_merge_method * */

static lae_status read_method(const struct lae_key *key, const struct lae_literal *value,
                              struct lae_config *config)
{
    const struct lae_scalar *scalar = scalar_of(value);
    const struct lae_merge_method *method = scalar == NULL ? NULL : lae_merge_find(scalar->text);
    if (method == NULL) return lae_key_refuse(key, value, 0);
    *(const struct lae_merge_method **)place(key, config) = method;
    return NULL;
}

static void write_method(const struct lae_key *key, const struct lae_config *config, FILE *out)
{
    fputs((*(const struct lae_merge_method *const *)place_of(key, config))->name, out);
}

static void method_words(const struct lae_key *key, FILE *out)
{
    (void)key;
    bool first = true;
    for (const struct lae_merge_method *method = lae_merge_methods(); method->name != NULL;
         method++)
        write_next(out, &first, method->name);
}

static void want_method(const struct lae_key *key, FILE *out)
{
    fputs("one of ", out);
    method_words(key, out);
}

const struct lae_key_type lae_key_method = {false, read_method, write_method, want_method,
                                            method_words};

/* ---- sets of names: unsigned, a bit a name */

static lae_status read_names(const struct lae_key *key, const struct lae_literal *value,
                             struct lae_config *config)
{
    unsigned set = 0;
    const struct lae_scalar *scalar = scalar_of(value);
    bool none = scalar != NULL && key->optional && strcmp(scalar->text, "none") == 0;
    bool list = value->kind == LAE_LITERAL_LIST;
    if (value->kind == LAE_LITERAL_MAPPING || (list && value->count == 0 && !key->optional))
        return lae_key_refuse(key, value, 0);
    for (size_t i = 0; i < value->count && !none; i++) {
        size_t bit = 0;
        while (key->member(bit) != NULL && strcmp(key->member(bit), value->items[i].text) != 0)
            bit++;
        if (key->member(bit) == NULL) return lae_key_refuse(key, value, list ? i + 1 : 0);
        if ((set >> bit & 1) != 0)
            return lae_bad_input("%s has %s twice; the second is item %zu", key->name,
                                 key->member(bit), i + 1);
        set |= 1U << bit;
    }
    *(unsigned *)place(key, config) = set;
    return NULL;
}

static void write_names(const struct lae_key *key, const struct lae_config *config, FILE *out)
{
    unsigned set = *(const unsigned *)place_of(key, config);
    bool first = true;
    fputc('[', out);
    for (size_t bit = 0; key->member(bit) != NULL; bit++)
        if ((set >> bit & 1) != 0) write_next(out, &first, key->member(bit));
    fputc(']', out);
}

static void names_words(const struct lae_key *key, FILE *out)
{
    bool first = true;
    for (size_t bit = 0; key->member(bit) != NULL; bit++)
        write_next(out, &first, key->member(bit));
    if (key->optional) write_next(out, &first, "none");
}

static void want_names(const struct lae_key *key, FILE *out)
{
    bool first = true;
    fputs("a list of ", out);
    for (size_t bit = 0; key->member(bit) != NULL; bit++)
        write_next(out, &first, key->member(bit));
    if (key->optional) fputs(", or none", out);
}

const struct lae_key_type lae_key_names = {true, read_names, write_names, want_names, names_words};

/* ---- ridge's strengths: the struct config.heads.ridge */

static lae_status read_strengths(const struct lae_key *key, const struct lae_literal *value,
                                 struct lae_config *config)
{
    const struct lae_scalar *scalar = scalar_of(value);
    double numbers[LAE_MAX_STRENGTHS];
    size_t count = value->count;
    bool list = value->kind == LAE_LITERAL_LIST;
    if (scalar != NULL && !scalar->quoted && strcmp(scalar->text, "auto") == 0) {
        config->heads.ridge.strength_count = 0;
        return NULL;
    }
    if (count == 0 || count > LAE_MAX_STRENGTHS) return lae_key_refuse(key, value, 0);
    for (size_t i = 0; i < count; i++) {
        const struct lae_scalar *item = &value->items[i];
        if (item->quoted || !lae_text_real(item->text, &numbers[i]) || !in_range(key, numbers[i]))
            return lae_key_refuse(key, value, list ? i + 1 : 0);
    }
    memcpy(config->heads.ridge.strengths, numbers, count * sizeof *numbers);
    config->heads.ridge.strength_count = (int)count;
    return NULL;
}

static void write_strengths(const struct lae_key *key, const struct lae_config *config, FILE *out)
{
    (void)key;
    int count = config->heads.ridge.strength_count;
    if (count == 0) fputs("auto", out);
    if (count > 1) fputc('[', out);
    for (int i = 0; i < count; i++) {
        if (i > 0) fputs(", ", out);
        lae_text_write_real(out, config->heads.ridge.strengths[i]);
    }
    if (count > 1) fputc(']', out);
}

static void want_strengths(const struct lae_key *key, FILE *out)
{
    fputs("a number ", out);
    want_range(key, out);
    fprintf(out, ", a list of up to %d, or auto", LAE_MAX_STRENGTHS);
}

const struct lae_key_type lae_key_strengths = {true, read_strengths, write_strengths,
                                               want_strengths, NULL};

const char *lae_view_name(size_t number)
{
    static const char *const names[LAE_VIEWS] = {"init", "online", "offline"};
    return number < LAE_VIEWS ? names[number] : NULL;
}

const char *lae_config_head_name(size_t number)
{
    if (number == 0) return "linear";
    const struct lae_head_method *method = &lae_head_methods()[number - 1];
    return method->name;
}
