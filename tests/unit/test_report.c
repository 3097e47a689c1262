/* The pieces of report/: checksums of event files, steps taken together, merge statistics by block,
 * lines of metrics.jsonl. Whole event files are read by tests/system/check_events.c. */
#include "lae/report/blocks.h"
#include "lae/report/event_file.h"
#include "lae/report/interval.h"
#include "lae/report/jsonl.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void near(double found, double wanted)
{
    if (!(fabs(found - wanted) < 1e-12)) fail_msg("%.15g, wanted %.15g", found, wanted);
}

/* The examples of RFC 3720, appendix B.4, and the usual check value. */
static void checksums(void **state)
{
    (void)state;
    unsigned char bytes[32] = {0};
    assert_int_equal(lae_crc32c(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(lae_crc32c(bytes, 32), 0x62a8ab43);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(lae_crc32c(bytes, 32), 0x46dd794e);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (unsigned char)(31 - i);
    assert_int_equal(lae_crc32c(bytes, 32), 0x113fdb5c);
    assert_int_equal(lae_crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(lae_crc32c("", 0), 0);
}

static void intervals(void **state)
{
    (void)state;
    struct lae_interval interval = {0};
    struct lae_step_report a = {.loss = 2.0, .accuracy = 50.0, .images = 10, .lr = 0.1},
                           b = {.position = {.step = 7, .before = 100},
                                .loss = 1.0,
                                .accuracy = 100.0,
                                .images = 30,
                                .lr = 0.2,
                                .gradient_norm = 3.0,
                                .seconds = 4.0};
    lae_interval_add(&interval, &a);
    lae_interval_add(&interval, &b);
    struct lae_interval_report report = lae_interval_close(&interval, &b, 5.0);
    assert_int_equal(report.steps, 2);
    assert_int_equal(report.position.step, 7);
    assert_int_equal(report.position.before, 100);
    near(report.loss, 1.5);
    near(report.accuracy, 87.5); /* 5 of 10 and 30 of 30 images */
    near(report.lr, 0.2);
    near(report.gradient_norm, 3.0);
    near(report.seconds, 4.0);
    near(report.images_per_s, 5.0);
    lae_interval_add(&interval, &a);
    near(lae_interval_close(&interval, &a, 0.0).loss, 2.0);
}

static void add(struct lae_block_merges *merges, const char *name, size_t count, double share,
                double norm)
{
    struct lae_merge_stats stats = {share, share / 2, share / 4, norm, 2 * norm, 3 * norm};
    assert_null(lae_block_merges_add(merges, name, count, &stats));
}

static void blocks(void **state)
{
    (void)state;
    struct lae_block_merges merges = {0};
    add(&merges, "blocks/10/attn/adapter/scale", 1, 1.0, 3.0);
    add(&merges, "blocks/2/attn/adapter/down/weight", 30, 0.5, 3.0);
    add(&merges, "blocks/2/mlp/adapter/up/weight", 10, 0.9, 4.0);
    add(&merges, "elsewhere/weight", 10, 0.9, 4.0);
    assert_int_equal(merges.count, 2);
    assert_int_equal(merges.items[0].block, 2);
    assert_int_equal(merges.items[1].block, 10);
    const struct lae_block_merge *two = &merges.items[0];
    assert_int_equal(two->count, 40);
    near(two->stats.kept_offline, 0.6);
    near(two->stats.kept_online, 0.3);
    near(two->stats.conflict, 0.15);
    near(two->stats.norm_offline, 5.0);
    near(two->stats.norm_online, 10.0);
    near(two->stats.norm_merged, 15.0);
    struct lae_block_merge all = lae_block_merges_all(&merges);
    assert_int_equal(all.block, -1);
    assert_int_equal(all.count, 41);
    near(all.stats.kept_offline, (40 * 0.6 + 1.0) / 41);
    near(all.stats.norm_offline, sqrt(34.0));
    lae_block_merges_free(&merges);
}

/* A line that was cut short by a kill is ended before the next is written. */
static void cut_line(void **state)
{
    (void)state;
    char path[] = "/tmp/lae-jsonl-XXXXXX", text[1024] = "";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, "{\"event\":\"st", 12), 12);
    close(file);
    struct lae_jsonl jsonl;
    struct lae_interval_report report = {.steps = 1, .loss = NAN};
    for (int i = 0; i < 2; i++) {
        assert_null(lae_jsonl_open(&jsonl, path));
        assert_null(lae_jsonl_steps(&jsonl, &report));
        lae_jsonl_close(&jsonl);
    }
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    size_t size = fread(text, 1, sizeof text - 1, stream);
    fclose(stream);
    unlink(path);
    assert_true(size < sizeof text - 1);
    const char *begin = "{\"event\":\"st\n{\"event\":\"steps\",";
    assert_memory_equal(text, begin, strlen(begin));
    assert_non_null(strstr(text, "\"loss\":null,"));
    int lines = 0;
    for (const char *c = text; *c != '\0'; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums),
        cmocka_unit_test(intervals),
        cmocka_unit_test(blocks),
        cmocka_unit_test(cut_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
