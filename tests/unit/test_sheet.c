/* Tables of text: widths from what stands in them, blocks, texts that are shortened, columns that
 * are left out, names in all scripts. */
#include "lae/base/sheet.h"
#include "lae/base/text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void sheet_is(struct lae_sheet *sheet, int width, const char *wanted)
{
    static const struct lae_paint paint = {"<b>", "<g>", "<a>", "<", ">"};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_null(lae_sheet_write(sheet, out, width, &paint));
    fclose(out);
    assert_string_equal(text, wanted);
    free(text);
}

/* Two keys, two numbers that belong together, one more. */
static struct lae_sheet small(const char *name)
{
    struct lae_sheet sheet = {0};
    lae_sheet_column(&sheet, LAE_SHEET_KEY | LAE_SHEET_NUMBER, "#");
    lae_sheet_column(&sheet, LAE_SHEET_KEY, "name");
    lae_sheet_column(&sheet, LAE_SHEET_NUMBER, "last");
    lae_sheet_column(&sheet, LAE_SHEET_NUMBER | LAE_SHEET_JOINED, "offline\nforgotten");
    lae_sheet_column(&sheet, LAE_SHEET_NUMBER, "seconds");
    lae_sheet_rule(&sheet);
    lae_sheet_row(&sheet);
    lae_sheet_text(&sheet, "%d", 7);
    lae_sheet_text(&sheet, "%s", name);
    lae_sheet_number(&sheet, 2, 54.246);
    lae_sheet_number(&sheet, 2, NAN);
    lae_sheet_digits(&sheet, 3, 123456.0);
    lae_sheet_heading(&sheet, "then");
    lae_sheet_row(&sheet);
    lae_sheet_text(&sheet, "12");
    return sheet;
}

static void columns_are_as_wide_as_what_is_in_them(void **state)
{
    (void)state;
    struct lae_sheet sheet = small("ties");
    assert_int_equal(lae_sheet_width(&sheet), 36);
    sheet_is(&sheet, 36,
             "<                   offline>\n"
             "< #  name   last  forgotten   seconds>\n"
             "------------------------------------\n"
             " 7  ties  54.25          -  1.23e+05\n"
             "then\n"
             "12\n");
}

static void what_does_not_fit_goes_below(void **state)
{
    (void)state;
    struct lae_sheet sheet = small("ties");
    assert_true(lae_sheet_fits(&sheet, 26));
    assert_false(lae_sheet_fits(&sheet, 25));
    sheet_is(&sheet, 35,
             "<                   offline>\n"
             "< #  name   last  forgotten>\n"
             "--------------------------\n"
             " 7  ties  54.25          -\n"
             "then\n"
             "12\n"
             "\n"
             "< #  name   seconds>\n"
             "------------------\n"
             " 7  ties  1.23e+05\n"
             "then\n"
             "12\n");
}

/* Down to eight columns; numbers stay whole whatever the screen. */
static void long_texts_lose_their_middle(void **state)
{
    (void)state;
    struct lae_sheet sheet = small("task_arithmetic_with_a_name");
    sheet_is(&sheet, 34,
             "<                           offline>\n"
             "< #  name           last  forgotten>\n"
             "----------------------------------\n"
             " 7  task_...name  54.25          -\n"
             "then\n"
             "12\n"
             "\n"
             "< #  name           seconds>\n"
             "--------------------------\n"
             " 7  task_...name  1.23e+05\n"
             "then\n"
             "12\n");
    sheet = small("task_arithmetic_with_a_name");
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_null(lae_sheet_write(&sheet, out, 5, lae_paint_none()));
    fclose(out);
    assert_non_null(strstr(text, " 7  tas...me  54.25          -\n"));
    assert_non_null(strstr(text, " 7  tas...me  1.23e+05\n"));
    free(text);
}

/* Whatever the width, no line is longer as long as texts can be shortened. */
static void no_line_is_too_long(void **state)
{
    (void)state;
    static const char wide[] = "\xe7\x8c\xab\xe3\x81\xa8\xe7\x8a\xac\xe3\x81\xae\xe5\x90"
                               "\x8d\xe5\x89\x8d\xe3\x81\xa7\xe3\x81\x99";
    static const char *const names[] = {"a", "blocks/11/mlp/conv_adapter/middle/weight", wide};
    for (size_t name = 0; name < sizeof names / sizeof names[0]; name++)
        for (int width = 30; width < 90; width++) {
            struct lae_sheet sheet = small(names[name]);
            char *text = NULL, *rest;
            size_t size;
            FILE *out = open_memstream(&text, &size);
            assert_null(lae_sheet_write(&sheet, out, width, lae_paint_none()));
            fclose(out);
            for (char *line = strtok_r(text, "\n", &rest); line != NULL;
                 line = strtok_r(NULL, "\n", &rest)) {
                assert_true(lae_text_width(line, strlen(line)) <= width);
                assert_true(line[strlen(line) - 1] != ' ');
            }
            free(text);
        }
}

static void optional_columns_are_left_out(void **state)
{
    (void)state;
    static const char *const wanted[] = {"<name t0 t1 t2 t3>\nx     0  1  2  3\n",
                                         "<name t0 .. t3>\nx     0     3\n", "<name>\nx\n"};
    static const int widths[] = {16, 15, 11};
    for (int i = 0; i < 3; i++) {
        struct lae_sheet sheet = {0};
        lae_sheet_column(&sheet, LAE_SHEET_KEY, "name");
        for (int task = 0; task < 4; task++) {
            char title[16];
            snprintf(title, sizeof title, "t%d", task);
            lae_sheet_column(&sheet, LAE_SHEET_NUMBER | LAE_SHEET_TIGHT | LAE_SHEET_OPTIONAL,
                             title);
        }
        lae_sheet_row(&sheet);
        lae_sheet_text(&sheet, "x");
        for (int task = 0; task < 4; task++)
            lae_sheet_number(&sheet, 0, task);
        sheet_is(&sheet, widths[i], wanted[i]);
    }
}

/* Wide and combining letters have their columns; what a terminal would act on is not written. */
static void texts_of_others_are_measured_and_tamed(void **state)
{
    (void)state;
    assert_int_equal(lae_text_width("na\xc3\xafve", 6), 5);
    assert_int_equal(lae_text_width("nai\xcc\x88ve", 7), 5);
    assert_int_equal(lae_text_width("\xe7\x8c\xab", 3), 2);
    assert_int_equal(lae_text_width("\xff\xfe", 2), 2);
    struct lae_sheet sheet = {0};
    lae_sheet_column(&sheet, LAE_SHEET_KEY, "class");
    lae_sheet_column(&sheet, LAE_SHEET_NUMBER, "%");
    const char *const names[] = {"\xe7\x8c\xab", "cafe\xcc\x81", "a\x1b[2Jb\nc", "\xe9t\xe9"};
    for (int i = 0; i < 4; i++) {
        lae_sheet_row(&sheet);
        lae_sheet_text(&sheet, "%s", names[i]);
        lae_sheet_number(&sheet, 0, i);
    }
    sheet_is(&sheet, 80,
             "<class     %>\n"
             "\xe7\x8c\xab        0\n"
             "cafe\xcc\x81      1\n"
             "a?[2Jb?c  2\n"
             "?t?       3\n");
}

/* An empty one, and one without rows. */
static void little_is_fine(void **state)
{
    (void)state;
    struct lae_sheet sheet = {0};
    sheet_is(&sheet, 80, "");
    lae_sheet_column(&sheet, LAE_SHEET_KEY, "alone");
    sheet_is(&sheet, 80, "<alone>\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_what_is_in_them),
        cmocka_unit_test(what_does_not_fit_goes_below),
        cmocka_unit_test(long_texts_lose_their_middle),
        cmocka_unit_test(no_line_is_too_long),
        cmocka_unit_test(optional_columns_are_left_out),
        cmocka_unit_test(texts_of_others_are_measured_and_tamed),
        cmocka_unit_test(little_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
