/* params/: the flat vector's table, sets of named tensors, tables of structs' numbers. */
#include "lae/params/record.h"
#include "lae/params/set.h"
#include "lae/params/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHAPE(...) ((const size_t[]){__VA_ARGS__})

static void assert_error(lae_status status, const char *word)
{
    assert_non_null(status);
    assert_non_null(strstr(lae_status_message(status), word));
    lae_status_free(status);
}

/* ---- Shapes -----------------------------------------------------------------------------------
 */

static void counts_are_products(void **state)
{
    (void)state;
    assert_int_equal(lae_shape_count(0, NULL), 1);
    assert_int_equal(lae_shape_count(1, SHAPE(7)), 7);
    assert_int_equal(lae_shape_count(3, SHAPE(2, 3, 5)), 30);
    assert_int_equal(lae_shape_count(3, SHAPE(2, 0, 5)), 0);
    assert_int_equal(lae_shape_count(2, SHAPE(SIZE_MAX / 2, 2)), SIZE_MAX - 1);
    assert_int_equal(lae_shape_count(2, SHAPE(SIZE_MAX / 2 + 1, 2)), SIZE_MAX);
    assert_int_equal(lae_shape_count(3, SHAPE((size_t)1 << 32, (size_t)1 << 32, 3)), SIZE_MAX);
}

static void shapes_are_written_in_brackets(void **state)
{
    (void)state;
    char text[LAE_SHAPE_TEXT];
    assert_string_equal(lae_shape_text(0, NULL, text), "scalar");
    assert_string_equal(lae_shape_text(1, SHAPE(8), text), "[8]");
    assert_string_equal(lae_shape_text(2, SHAPE(8, 768), text), "[8, 768]");
    size_t longest[LAE_MAX_RANK];
    for (int i = 0; i < LAE_MAX_RANK; i++)
        longest[i] = SIZE_MAX;
    lae_shape_text(LAE_MAX_RANK, longest, text);
    assert_int_equal(strlen(text), 8 * 20 + 7 * 2 + 2); /* whole, and inside LAE_SHAPE_TEXT */
}

/* ---- Table ------------------------------------------------------------------------------------
 */

static void tensors_follow_each_other(void **state)
{
    (void)state;
    struct lae_table table = {0};
    assert_null(lae_table_add(&table, "weight", 2, SHAPE(3, 4)));
    assert_null(lae_table_add(&table, "scale", 0, NULL));
    assert_null(lae_table_add(&table, "empty", 1, SHAPE(0)));
    assert_null(lae_table_add(&table, "bias", 1, SHAPE(5)));
    static const size_t offsets[] = {0, 12, 13, 13}, counts[] = {12, 1, 0, 5};
    assert_int_equal(table.count, 4);
    assert_int_equal(table.total, 18);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(table.items[i].offset, offsets[i]);
        assert_int_equal(table.items[i].count, counts[i]);
    }
    assert_int_equal(table.items[0].rank, 2);
    assert_int_equal(table.items[0].shape[0], 3);
    assert_int_equal(table.items[0].shape[1], 4);
    lae_table_free(&table);
    assert_int_equal(table.total, 0);
    lae_table_free(&table);
}

static void many_tensors_are_found_by_name(void **state)
{
    (void)state;
    enum { MANY = 300 }; /* the list has to grow a few times */
    struct lae_table table = {0};
    char name[32];
    for (size_t i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "blocks/%zu/weight", i);
        assert_null(lae_table_add(&table, name, 1, SHAPE(i)));
    }
    assert_int_equal(table.total, MANY * (MANY - 1) / 2);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "blocks/%zu/weight", i);
        const struct lae_param *item = lae_table_find(&table, name);
        assert_ptr_equal(item, &table.items[i]);
        assert_int_equal(item->offset, i == 0 ? 0 : i * (i - 1) / 2);
    }
    assert_null(lae_table_find(&table, "blocks/300/weight"));
    assert_null(lae_table_find(&table, "blocks/1"));
    lae_table_free(&table);
    assert_null(lae_table_find(&table, "blocks/1/weight"));
}

static void impossible_tensors_leave_the_table_as_it_was(void **state)
{
    (void)state;
    struct lae_table table = {0};
    size_t deep[LAE_MAX_RANK + 1];
    for (int i = 0; i <= LAE_MAX_RANK; i++)
        deep[i] = 1;
    assert_null(lae_table_add(&table, "first", 1, SHAPE(8)));
    assert_error(lae_table_add(&table, "product", 2, SHAPE(SIZE_MAX / 2, 3)), "product");
    assert_error(lae_table_add(&table, "sum", 1, SHAPE(SIZE_MAX - 4)), "sum");
    assert_error(lae_table_add(&table, "bytes", 1, SHAPE(SIZE_MAX / 4 + 1)), "bytes");
    assert_error(lae_table_add(&table, "deep", LAE_MAX_RANK + 1, deep), "deep");
    assert_int_equal(table.count, 1);
    assert_int_equal(table.total, 8);
    assert_null(lae_table_add(&table, "deepest", LAE_MAX_RANK, deep));
    assert_int_equal(table.total, 9);
    lae_table_free(&table);
}

/* ---- Set --------------------------------------------------------------------------------------
 */

static void tensors_of_a_set_own_their_values(void **state)
{
    (void)state;
    struct lae_set set = {0};
    struct lae_named *one = NULL, *two = NULL;
    char name[] = "one";
    assert_null(lae_set_add(&set, name, 2, SHAPE(2, 3), &one));
    name[0] = 'x'; /* the set keeps a copy */
    assert_string_equal(one->name, "one");
    assert_int_equal(one->count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_true(one->data[i] == 0.0f);
        one->data[i] = (float)i;
    }
    assert_null(lae_set_add(&set, "two", 0, NULL, &two));
    assert_int_equal(two->count, 1);
    assert_int_equal(two->rank, 0);
    one = lae_set_find(&set, "one");
    assert_non_null(one);
    assert_true(one->data[5] == 5.0f);
    assert_int_equal(one->shape[1], 3);
    assert_null(lae_set_find(&set, "three"));
    lae_set_free(&set);
    assert_int_equal(set.count, 0);
    lae_set_free(&set);
}

static void data_stay_while_a_set_grows(void **state)
{
    (void)state;
    enum { MANY = 200 };
    struct lae_set set = {0};
    float *data[MANY];
    for (size_t i = 0; i < MANY; i++) {
        char name[16];
        struct lae_named *added = NULL;
        snprintf(name, sizeof name, "%zu", i);
        assert_null(lae_set_add(&set, name, 1, SHAPE(i % 3), &added));
        data[i] = added->data;
    }
    for (size_t i = 0; i < MANY; i++)
        assert_ptr_equal(set.items[i].data, data[i]);
    lae_set_free(&set);
}

static void a_name_is_taken_once(void **state)
{
    (void)state;
    struct lae_set set = {0};
    struct lae_named *added = NULL;
    assert_null(lae_set_add(&set, "norm/weight", 1, SHAPE(4), &added));
    assert_null(lae_set_add(&set, "norm/weigh", 1, SHAPE(4), &added));
    assert_error(lae_set_add(&set, "norm/weight", 1, SHAPE(4), &added), "norm/weight");
    assert_int_equal(set.count, 2);
    lae_set_free(&set);
}

static void impossible_tensors_leave_the_set_as_it_was(void **state)
{
    (void)state;
    struct lae_set set = {0};
    struct lae_named *added = NULL;
    size_t deep[LAE_MAX_RANK + 1];
    for (int i = 0; i <= LAE_MAX_RANK; i++)
        deep[i] = 1;
    assert_error(lae_set_add(&set, "wide", 2, SHAPE(SIZE_MAX / 2, 3), &added), "wide");
    assert_error(lae_set_add(&set, "bytes", 1, SHAPE(SIZE_MAX / 4 + 1), &added), "bytes");
    assert_error(lae_set_add(&set, "deep", LAE_MAX_RANK + 1, deep, &added), "deep");
    assert_int_equal(set.count, 0);
    lae_set_free(&set);
}

struct sample {
    bool flag;
    int whole;
    int64_t count;
    double number;
};

static const struct lae_field fields[] = {
    {"flag", LAE_FIELD_FLAG, offsetof(struct sample, flag), false},
    {"whole", LAE_FIELD_INT, offsetof(struct sample, whole), false},
    {"count", LAE_FIELD_COUNT, offsetof(struct sample, count), false},
    {"number", LAE_FIELD_DOUBLE, offsetof(struct sample, number), false},
};
static const struct lae_record record = {fields, 4, sizeof(struct sample)};

static void fields_take_what_they_can_hold(void **state)
{
    (void)state;
    static const struct {
        int field;
        double number, back;
        bool taken;
    } cases[] = {
        {0, 7.0, 1.0, true},
        {0, 0.0, 0.0, true},
        {1, -2147483648.0, -2147483648.0, true},
        {1, 2147483648.0, 0.0, false},
        {2, 0x1p53, 0x1p53, true},
        {2, 0x1.8p53, 0.0, false},
        {2, -1.0, 0.0, false},
        {3, -0.125, -0.125, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sample sample = {0};
        const struct lae_field *field = &fields[cases[i].field];
        assert_true(lae_field_set(field, &sample, cases[i].number) == cases[i].taken);
        assert_true(lae_field_get(field, &sample) == cases[i].back);
    }
    struct sample sample = {0};
    assert_false(lae_field_set(&fields[1], &sample, (double)NAN));
    assert_false(lae_field_set(&fields[2], &sample, (double)NAN));
}

static void rows_are_found_by_name(void **state)
{
    (void)state;
    struct lae_rows rows = {.record = &record};
    const struct sample one = {true, 2, 3, 4.0};
    assert_non_null(lae_rows_add(&rows, "one", &one));
    assert_non_null(lae_rows_add(&rows, "zeros", NULL));
    assert_int_equal(rows.count, 2);
    assert_memory_equal(lae_rows_find(&rows, "one"), &one, sizeof one);
    assert_true(lae_rows_find(&rows, "zeros") == lae_rows_at(&rows, 1));
    assert_true(lae_field_get(&fields[2], lae_rows_at(&rows, 1)) == 0.0);
    assert_null(lae_rows_find(&rows, "none"));
    lae_rows_free(&rows);
    assert_int_equal(rows.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_products),
        cmocka_unit_test(shapes_are_written_in_brackets),
        cmocka_unit_test(tensors_follow_each_other),
        cmocka_unit_test(many_tensors_are_found_by_name),
        cmocka_unit_test(impossible_tensors_leave_the_table_as_it_was),
        cmocka_unit_test(tensors_of_a_set_own_their_values),
        cmocka_unit_test(data_stay_while_a_set_grows),
        cmocka_unit_test(a_name_is_taken_once),
        cmocka_unit_test(impossible_tensors_leave_the_set_as_it_was),
        cmocka_unit_test(fields_take_what_they_can_hold),
        cmocka_unit_test(rows_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
