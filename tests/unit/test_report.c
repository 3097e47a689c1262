/* The pieces of report/: checksums of event files, steps taken together, merge statistics by block,
 * lines of metrics.jsonl, a task's table. Whole event files are read by
 * tests/system/check_events.c. */
#include "lae/report/blocks.h"
#include "lae/report/event_file.h"
#include "lae/report/interval.h"
#include "lae/report/jsonl.h"
#include "lae/report/ranking.h"
#include "lae/report/task_table.h"

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

/* Online's accuracy after task t on task k: 90 - 10 t + k, and 1 more offline. */
static void fill(struct lae_metrics *metrics)
{
    lae_metrics_extend(metrics, metrics->tasks);
    for (int t = 0; t < metrics->tasks; t++)
        for (int i = 0; i < metrics->scorers.count; i++) {
            metrics->seen[i][t] = 90.0 - t + i;
            for (int k = 0; k <= t; k++)
                metrics->accuracy[i][lae_metrics_row(t) + (size_t)k] = 90.0 - 10.0 * t + k + i;
        }
    lae_metrics_settle(metrics);
}

static void task_table_is(const struct lae_task_table *table, int width,
                          const struct lae_paint *paint, const char *wanted)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    lae_task_table_write(out, width, paint, table);
    fclose(out);
    assert_string_equal(text, wanted);
    free(text);
}

static void task_table(void **state)
{
    (void)state;
    static const struct lae_paint paint = {"<b>", "<g>", "<a>", "<f>", "</>"};
    struct lae_metrics metrics;
    struct lae_scorers scorers = lae_scorers_of(LAE_LINEAR_HEADS, true, 0, 0);
    assert_null(lae_metrics_create(6, &scorers, &metrics));
    fill(&metrics);
    struct lae_task_table table = {.metrics = &metrics, .tasks = 6, .classes = 4, .seconds = NAN};
    task_table_is(&table, 80, &paint,
                  "<b>task 1/6</>  4 classes seen; in task_00.h5\n"
                  "<f>accuracy, %    seen  average  forgetting  t0</>\n"
                  "online        90.00    90.00           -  90\n"
                  "offline       91.00    91.00           -  91\n"
                  "ensemble      92.00    92.00           -  92\n");
    table.task = 4;
    table.classes = 20;
    table.seconds = 61.0;
    task_table_is(&table, 60, lae_paint_none(),
                  "task 5/6  learned in 1 min 01 s; 20 classes seen; in\n"
                  "          task_04.h5\n"
                  "accuracy, %    seen  average  forgetting  t0  t1  t2  t3  t4\n"
                  "online        86.00    88.00       25.00  50  51  52  53  54\n"
                  "offline       87.00    89.00       25.00  51  52  53  54  55\n"
                  "ensemble      88.00    90.00       25.00  52  53  54  55  56\n");
    task_table_is(&table, 59, lae_paint_none(),
                  "task 5/6  learned in 1 min 01 s; 20 classes seen; in\n"
                  "          task_04.h5\n"
                  "accuracy, %    seen  average  forgetting  t0  t1  ..  t4\n"
                  "online        86.00    88.00       25.00  50  51      54\n"
                  "offline       87.00    89.00       25.00  51  52      55\n"
                  "ensemble      88.00    90.00       25.00  52  53      56\n");
    lae_metrics_free(&metrics);
    scorers = lae_scorers_of(LAE_LINEAR_HEADS, false, 0, 0);
    assert_null(lae_metrics_create(6, &scorers, &metrics));
    metrics.accuracy[0][0] = metrics.seen[0][0] = 100.0;
    table.task = 0;
    task_table_is(&table, 40, lae_paint_none(),
                  "task 1/6  learned in 1 min 01 s; 20\n"
                  "          classes seen; in task_00.h5\n"
                  "accuracy, %    seen  average  forgetting\n"
                  "online       100.00   100.00           -\n");
    lae_metrics_free(&metrics);
}

/* The highest of the ensemble's scores, of equal ones the lowest index; as many as there are. */
static void ranking(void **state)
{
    (void)state;
    static float online[] = {.1F, .2F, .3F, .4F, .5F, .6F, .7F, 1, 0, 0, 0, 0, 0, 0};
    static float ensemble[] = {.7F, .9F, .2F, .9F, .1F, .7F, .3F, 0, 0, 0, 0, 0, 0, 1};
    static const char *const files[] = {"a.png", "b\x1b[0m\n\xe9.jpg"};
    static const char *const names[] = {"ape", "bee", "cat", "dog", "eel", "fox", "gnu"};
    static const int labels[] = {6, 5, 4, 3, 2, 1, 0};
    struct lae_prediction items[] = {
        {"online", 7, online}, {"ensemble", 7, ensemble}, {"ncm_init", 7, online}};
    struct lae_predictions predictions = {
        .count = 2, .classes = 7, .items = items, .item_count = 3};
    struct lae_ranking all = {&predictions, 1, files, labels, names};
    size_t best[LAE_RANKED];
    const size_t wanted[] = {1, 3, 0, 5, 6}, last[] = {6, 0, 1, 2, 3};
    assert_int_equal(lae_ranking_best(&all, 0, best), LAE_RANKED);
    assert_memory_equal(best, wanted, sizeof best);
    assert_int_equal(lae_ranking_best(&all, 1, best), LAE_RANKED);
    assert_memory_equal(best, last, sizeof best);

    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_null(lae_ranking_print(out, &all));
    all.by = 2;
    predictions.classes = 2;
    predictions.count = 1;
    all.names = NULL;
    assert_null(lae_ranking_print(out, &all));
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "a.png\n   90.00 %  bee\n   90.00 %  dog\n   70.00 %  ape\n"
                              "   70.00 %  fox\n   30.00 %  gnu\n"
                              "b?[0m?\\xe9.jpg\n  100.00 %  gnu\n    0.00 %  ape\n    0.00 %  bee\n"
                              "    0.00 %  cat\n    0.00 %  dog\n"
                              "a.png\n         0.2  class 5\n         0.1  class 6\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums), cmocka_unit_test(intervals),  cmocka_unit_test(blocks),
        cmocka_unit_test(cut_line),  cmocka_unit_test(task_table), cmocka_unit_test(ranking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
