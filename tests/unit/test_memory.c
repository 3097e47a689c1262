/* What control groups of both versions leave, read from made-up files as a kernel shows them. */
#define _GNU_SOURCE /* nftw flags */
#include "../../src/dist/memory.h"
#include "lae/files/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "place.h"

enum { PATH_SIZE = PLACE_SIZE };

static void put(const char *place, const char *name, const char *text)
{
    char path[2 * PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", place, name);
    char *directory = lae_path_directory(path);
    assert_null(lae_path_make_directories(directory));
    free(directory);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static double left(const char *place, const char *groups, double most)
{
    char list[2 * PATH_SIZE];
    put(place, "cgroup", groups);
    snprintf(list, sizeof list, "%s/cgroup", place);
    return lae_memory_left_by_groups(list, place, most);
}

#define HYBRID "9:name=systemd:/\n4:cpu,memory:/job/step\n2:cpuacct:/job\n0::/\n"

static void version_1(void **state)
{
    assert_true(left(*state, HYBRID, 1e9) == 1e9); /* no such files */
    put(*state, "memory/job/step/memory.limit_in_bytes", "9223372036854771712\n");
    put(*state, "memory/job/step/memory.usage_in_bytes", "1000\n");
    assert_true(left(*state, HYBRID, 1e9) == 1e9);
    put(*state, "memory/job/memory.limit_in_bytes", "400000000\n");
    put(*state, "memory/job/memory.usage_in_bytes", "100000000\n");
    assert_true(left(*state, HYBRID, 1e9) == 3e8);
    assert_true(left(*state, HYBRID, 1e8) == 1e8);
    put(*state, "memory/job/step/memory.limit_in_bytes", "2000\n");
    assert_true(left(*state, HYBRID, 1e9) == 1000.0);
    put(*state, "memory/job/step/memory.usage_in_bytes", "5000\n"); /* more than allowed */
    assert_true(left(*state, HYBRID, 1e9) == 0.0);
}

/* A container sees its own group at the mount, whatever the name that the host has for it. */
static void version_1_in_a_container(void **state)
{
    put(*state, "memory/memory.limit_in_bytes", "400\n");
    put(*state, "memory/memory.usage_in_bytes", "100\n");
    assert_true(left(*state, "4:memory:/docker/0123abcd\n", 1e9) == 300.0);
    assert_true(left(*state, "4:memory:/\n", 1e9) == 300.0);
    assert_true(left(*state, "4:memory_other:/\n", 1e9) == 1e9);
}

static void version_2(void **state)
{
    put(*state, "job/step/memory.max", "max\n");
    put(*state, "job/memory.max", "500\n");
    put(*state, "job/memory.current", "200\n");
    assert_true(left(*state, "0::/job/step\n", 1e9) == 300.0);
    assert_true(left(*state, "0::/other\n", 1e9) == 1e9);
    assert_true(left(*state, "no colons\n", 1e9) == 1e9);
    assert_true(lae_memory_left_by_groups("/nowhere/there", *state, 7.0) == 7.0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(version_1),
        TEST(version_1_in_a_container),
        TEST(version_2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
