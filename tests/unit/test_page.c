/* The pieces of the page: texts in HTML and in gnuplot's quotes, curves of training, means over
 * seeds, scripts of figures. Whole pages are read by tests/system/report.sh. */
#define _GNU_SOURCE /* nftw's flags */
#include "lae/config/config.h"
#include "lae/page/curve.h"
#include "lae/page/figure.h"
#include "lae/page/group.h"
#include "lae/page/html.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <ftw.h>

#include "place.h"

static void near(double found, double wanted)
{
    if (!(fabs(found - wanted) < 1e-12)) fail_msg("%.15g, wanted %.15g", found, wanted);
}

/* What `write` makes of a text. */
static void writes(void (*write)(FILE *, const char *), const char *text, const char *wanted)
{
    char *found = NULL;
    size_t size;
    FILE *out = open_memstream(&found, &size);
    assert_non_null(out);
    write(out, text);
    fclose(out);
    assert_string_equal(found, wanted);
    free(found);
}

static void html(void **state)
{
    (void)state;
    writes(lae_html_text, "a<b>&\"'c", "a&lt;b&gt;&amp;&quot;&#39;c");
    writes(lae_html_text, "\xc3\xa4 \xe2\x80\x93 \xf0\x9f\x98\x80",
           "\xc3\xa4 \xe2\x80\x93 \xf0\x9f\x98\x80");
    writes(lae_html_text, "\t\n\x01\x1b\x7f", "\t\n???");
    writes(lae_html_text, "\xc2\x9b|\xe2\x80\xae", "??|???"); /* U+009B, an override of order */
    writes(lae_html_text, "\xff|\xc3|\xc0\x80|\xe2\x80", "?|?|??|??");  /* no UTF-8, cut short */
    writes(lae_html_text, "\xed\xa0\x80|\xf4\x90\x80\x80", "???|????"); /* surrogate, beyond */
    writes(lae_html_text, "\xef\xbf\xbe|\xef\xbf\xbd", "???|\xef\xbf\xbd"); /* U+FFFE; U+FFFD */
    writes(lae_html_text, "\xe0\x80\xaf|\xf0\x80\x80\xaf", "???|????");     /* too long a form */
}

/* RFC 4648, section 10. */
static void base64(void **state)
{
    (void)state;
    static const char *const texts[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *found = NULL;
        size_t size;
        FILE *out = open_memstream(&found, &size);
        assert_non_null(out);
        assert_null(lae_html_base64(out, texts[i][0], strlen(texts[i][0])));
        fclose(out);
        assert_string_equal(found, texts[i][1]);
        free(found);
    }
}

/* Nothing in a text can end the quotes, begin a command, or stand for a variable. */
static void quotes(void **state)
{
    (void)state;
    writes(lae_figure_quote, "plain, 1.5 %", "\"plain, 1.5 %\"");
    writes(lae_figure_quote, "a\"b\\c`d$e@f\ng", "\"a\\042b\\134c\\140d\\044e\\100f\\012g\"");
    writes(lae_figure_quote, "", "\"\"");
    writes(lae_figure_quote, "\x1b[31m\x9b\xc2\x9b|\xc3\xa4", "\"?[31m???|\xc3\xa4\"");
}

static lae_status read_curves(const char *text, size_t size, struct lae_curve *epochs,
                              struct lae_curve *steps)
{
    char path[] = "/tmp/lae-curve-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, size), (ssize_t)size);
    close(file);
    lae_status status = lae_curve_read(path, epochs, steps);
    unlink(path);
    return status;
}

static void reads(const char *text, struct lae_curve *epochs, struct lae_curve *steps)
{
    lae_status status = read_curves(text, strlen(text), epochs, steps);
    if (status != NULL) fail_msg("%s", lae_status_message(status));
}

static void curves(void **state)
{
    (void)state;
    struct lae_curve epochs, steps;
    reads("{\"event\":\"begin\",\"task\":0,\"step\":0,\"run_step\":0}\n"
          "{\"event\":\"steps\",\"task\":0,\"run_step\":9,\"loss\":2.5,\"accuracy\":10}\n"
          "{\"event\":\"epoch\",\"task\":0,\"run_step\":9,\"loss\":7}\n"
          "{\"event\":\"steps\",\"task\":0,\"run_step\":19,\"loss\":1.5,\"accuracy\":20}\n"
          "{\"event\":\"epoch\",\"task\":0,\"run_step\":19,\"loss\":6}\n"
          "{\"event\":\"steps\",\"task\":1,\"run_step\":29,\"loss\":9}\n"
          "{\"event\":\"steps\",\"ta\n" /* cut short by a kill */
          "{\"event\":\"begin\",\"task\":0,\"step\":15,\"run_step\":15}\n"
          "{\"event\":\"steps\",\"task\":0,\"run_step\":19,\"loss\":1.25,\"accuracy\":null}\n"
          "{\"event\":\"of a later version\",\"task\":-1}\n"
          "{\"event\":\"merge\",\"task\":0}\n\n{\"event\":\"ste",
          &epochs, &steps);
    assert_int_equal(steps.count, 2);
    near(steps.points[0].loss, 2.5);
    near(steps.points[0].accuracy, 10.0);
    assert_int_equal(steps.points[1].step, 19);
    near(steps.points[1].loss, 1.25);
    assert_true(isnan(steps.points[1].accuracy));
    assert_int_equal(epochs.count, 1);
    near(epochs.points[0].loss, 7.0);
    lae_curve_free(&epochs);
    lae_curve_free(&steps);

    assert_null(lae_curve_read("/tmp/no-such-directory/metrics.jsonl", &epochs, &steps));
    assert_int_equal(epochs.count, 0);
    assert_int_equal(steps.count, 0);
}

/* A task's value is that of its last point. */
static void last_points(void **state)
{
    (void)state;
    struct lae_curve_point points[] = {{.task = 0, .loss = 1},
                                       {.task = 0, .loss = 2},
                                       {.task = 3, .loss = 3},
                                       {.task = 4, .loss = 4},
                                       {.task = 4, .loss = 5}};
    struct lae_curve curve = {.points = points, .count = 5}, none = {0};
    assert_ptr_equal(lae_curve_last(&curve, 0), &points[1]);
    assert_ptr_equal(lae_curve_last(&curve, 3), &points[2]);
    assert_ptr_equal(lae_curve_last(&curve, 4), &points[4]);
    assert_null(lae_curve_last(&curve, 1));
    assert_null(lae_curve_last(&curve, 5));
    assert_null(lae_curve_last(&curve, -1));
    assert_null(lae_curve_last(&none, 0));
}

#define BEGIN "{\"event\":\"begin\",\"task\":0,\"run_step\":0}\n"
#define EPOCH(task, step, more)                                                                    \
    "{\"event\":\"epoch\",\"task\":" task ",\"run_step\":" step ",\"loss\":1" more "}\n"

/* What is not this program's is refused with the line's number, not drawn. */
static void foreign_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {EPOCH("-200", "1", ""), ":1: task is -200; a whole number from 0 to 65535 is wanted"},
        {EPOCH("30000000", "1", ""), ":1: task is 30000000"},
        {EPOCH("9223372036854775807", "1", ""), ":1: task is 9223372036854775807"},
        {EPOCH("1.5", "1", ""), ":1: task is something else"},
        {EPOCH("\"1\"", "1", ""), ":1: task is something else"},
        {EPOCH("[[1]]", "1", ""), ":1: task is something else"},
        {EPOCH("null", "1", ""), ":1: task is something else"},
        {"{\"event\":\"epoch\",\"run_step\":1}\n", ":1: task is missing"},
        {"{\"event\":\"steps\",\"task\":1}\n", ":1: run_step is missing"},
        {"{\"event\":\"begin\",\"task\":1}\n", ":1: run_step is missing"},
        {EPOCH("0", "-1", ""), ":1: run_step is -1"},
        {EPOCH("0", "9007199254740992", ""), ":1: run_step is 9007199254740992"},
        {EPOCH("0", "1", ",\"accuracy\":101"), ":1: accuracy is 101; a number from 0 to 100"},
        {EPOCH("0", "1", ",\"accuracy\":\"50\""), ":1: accuracy is something else"},
        {"{\"event\":\"epoch\",\"task\":0,\"run_step\":1,\"loss\":1e300}\n", ":1: loss is 1e+300"},
        {"{\"event\":\"epoch\",\"task\":0,\"run_step\":1,\"loss\":{}}\n", ":1: loss is something"},
        {BEGIN EPOCH("1", "5", "") EPOCH("0", "6", ""), ":3: step 6 of task 0 comes after step 5"},
        {BEGIN EPOCH("0", "5", "") EPOCH("0", "5", ""), ":3: step 5 of task 0 comes after step 5"},
        {BEGIN EPOCH("0", "5", "") EPOCH("1", "4", ""), ":3: step 4 of task 1 comes after step 5"},
        {"[1]\n" EPOCH("0", "5", ""), ":1: is no JSON object"},
        {BEGIN "{\"event\"\n" EPOCH("0", "5", ""), ":2: is no JSON object"},
        {"not\nthis\n", ":1: is no JSON object"},
        {BEGIN EPOCH("0", "1e999", "") EPOCH("0", "5", ""), ":2: is no JSON object"},
        {BEGIN EPOCH("0", "5", ",\"task\":1") EPOCH("0", "6", ""), ":2: is no JSON object"},
        {"{\"event\":7}\n", ":1: event is missing, or no text"},
        {"{\"task\":7}\n", ":1: event is missing, or no text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lae_curve epochs, steps;
        lae_status status = read_curves(cases[i].text, strlen(cases[i].text), &epochs, &steps);
        if (lae_status_code(status) != LAE_BAD_INPUT ||
            strstr(lae_status_message(status), cases[i].words) == NULL)
            fail_msg("%s: %s", cases[i].text, lae_status_message(status));
        assert_null(epochs.points);
        assert_null(steps.points);
        lae_status_free(status);
    }
}

/* Evaluations of many tasks may be long; other lines may not, and no line is kept whole. */
static void long_lines(void **state)
{
    (void)state;
    static const char *const beginnings[] = {"{\"event\":\"evaluation\",\"x\":\"",
                                             "{\"event\":\"epoch\",\"x\":\"", "", "\xff"};
    enum { SIZE = 70000 };
    char *text = malloc(SIZE + 512);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        struct lae_curve epochs, steps;
        memset(text, i == 2 ? 0 : '[', SIZE);
        memcpy(text, beginnings[i], strlen(beginnings[i]));
        strcpy(text + SIZE, "\"}\n" EPOCH("0", "5", ""));
        lae_status status = read_curves(text, SIZE + strlen(text + SIZE), &epochs, &steps);
        assert_int_equal(lae_status_code(status), i == 0 ? LAE_OK : LAE_BAD_INPUT);
        if (i > 0) assert_non_null(strstr(lae_status_message(status), ":1: is longer than 65536"));
        assert_int_equal(epochs.count, i == 0 ? 1 : 0);
        lae_status_free(status);
        lae_curve_free(&epochs);
    }
    free(text);
}

/* Nobody waits for a pipe's writer. */
static void no_files(void **state)
{
    (void)state;
    char path[PLACE_SIZE];
    struct lae_curve epochs, steps;
    open_place(path);
    for (int pipe = 0; pipe < 2; pipe++) {
        char name[PLACE_SIZE + 8];
        snprintf(name, sizeof name, "%s%s", path, pipe ? "/pipe" : "");
        if (pipe) assert_int_equal(mkfifo(name, 0600), 0);
        lae_status status = lae_curve_read(name, &epochs, &steps);
        assert_int_equal(lae_status_code(status), LAE_BAD_INPUT);
        assert_non_null(strstr(lae_status_message(status), "is not a regular file"));
        lae_status_free(status);
    }
    close_place(path);
}

static void thinning(void **state)
{
    (void)state;
    struct lae_curve_point points[10];
    for (int i = 0; i < 10; i++) /* task 1 from the eighth on */
        points[i] = (struct lae_curve_point){.task = i >= 7, .step = 10 * i, .loss = i};
    struct lae_curve curve = {.points = points, .count = 10}, thin;
    assert_null(lae_curve_thin(&curve, 5, &thin));
    static const double losses[] = {0.5, 2.5, 4.5, 6.0, 7.5, 9.0};
    static const int64_t steps[] = {10, 30, 50, 60, 80, 90};
    assert_int_equal(thin.count, 6); /* a pair each, but none across tasks */
    for (size_t i = 0; i < thin.count; i++) {
        near(thin.points[i].loss, losses[i]);
        assert_int_equal(thin.points[i].step, steps[i]);
    }
    lae_curve_free(&thin);
    assert_null(lae_curve_thin(&curve, 10, &thin));
    assert_int_equal(thin.count, 10);
    lae_curve_free(&thin);
}

static void moments(void **state)
{
    (void)state;
    struct lae_moments m = {0};
    assert_true(isnan(lae_moments_end(m).mean));
    lae_moments_add(&m, 2.0);
    lae_moments_add(&m, NAN);
    near(lae_moments_end(m).mean, 2.0);
    assert_true(isnan(lae_moments_end(m).deviation));
    lae_moments_add(&m, 4.0);
    lae_moments_add(&m, 9.0);
    m = lae_moments_end(m);
    assert_int_equal(m.count, 3);
    near(m.mean, 5.0);
    near(m.deviation, sqrt(13.0)); /* (9 + 1 + 16) / 2 */
}

/* Runs of one configuration but for the seed are one group. */
static void groups(void **state)
{
    (void)state;
    double accuracy[3] = {80.0, 60.0, 90.0}, seen[2] = {80.0, 75.0};
    double other_accuracy[3] = {70.0, NAN, NAN}, other_seen[2] = {70.0, NAN};
    struct lae_score scorer = {"online", accuracy, seen};
    struct lae_score other = {"online", other_accuracy, other_seen};
    struct lae_run runs[4] = {
        {.place = "a/ties_seed1",
         .name = "ties_seed1",
         .config = "run: {seed: 1}\nmerge: {method: ties}",
         .tasks = 2,
         .finished = 2,
         .scorers = &scorer,
         .scorer_count = 1},
        {.place = "ema", .name = "ema", .config = "run: {seed: 1}", .tasks = 2},
        {.place = "a/ties_seed2",
         .name = "ties_seed2",
         .config = "run: {seed: 2}\nmerge: {method: ties}",
         .tasks = 2,
         .finished = 1,
         .scorers = &other,
         .scorer_count = 1},
        {.place = "b/ema", .name = "ema", .config = "merge: {decay: 0.5}", .tasks = 2},
    };
    runs[0].config =
        "run: {seed: 1}\nmerge: {method: ties}\ntrain: {epochs: 3, batch_size: 7, lr: 0.5}";
    runs[2].config =
        "run: {seed: 2}\nmerge: {method: ties}\ntrain: {epochs: 3, batch_size: 7, lr: 0.5}";
    struct lae_groups groups;
    assert_null(lae_groups_make(runs, 4, NULL, &groups));
    assert_int_equal(groups.count, 3);
    /* They differ in more keys than are a name: what the runs' names share. */
    const struct lae_group *ties = &groups.items[0];
    assert_string_equal(ties->label, "ties");
    assert_int_equal(ties->count, 2);
    assert_ptr_equal(ties->runs[1], &runs[2]);
    assert_int_equal(ties->finished, 2);
    /* Of one name in two places: by the place. */
    assert_string_equal(groups.items[2].label, "b/ema");

    near(lae_group_moments(ties, "online", lae_value_seen, 0, 0).mean, 75.0);
    near(lae_group_moments(ties, "online", lae_value_seen, 0, 0).deviation, sqrt(50.0));
    assert_int_equal(lae_group_moments(ties, "online", lae_value_seen, 1, 0).count, 1);
    near(lae_group_moments(ties, "online", lae_value_average, 1, 0).mean, 77.5);
    near(lae_group_moments(ties, "online", lae_value_forgetting, 1, 0).mean, 20.0);
    near(lae_group_moments(ties, "online", lae_value_transfer, 1, 0).mean, -20.0);
    near(lae_group_moments(ties, "online", lae_value_accuracy, 1, 1).mean, 90.0);
    assert_int_equal(lae_group_moments(ties, "online", lae_value_accuracy, 0, 1).count, 0);
    assert_int_equal(lae_group_moments(ties, "lda_init", lae_value_seen, 0, 0).count, 0);
    lae_groups_free(&groups);

    runs[1].config = "merge: {method: nothing}";
    lae_status status = lae_groups_make(runs, 2, NULL, &groups);
    assert_int_equal(lae_status_code(status), LAE_BAD_INPUT);
    assert_non_null(strstr(lae_status_message(status), "ema"));
    lae_status_free(status);
    lae_groups_free(&groups);
}

struct expected {
    const char *label;
    size_t count, copies;
};

static void are_groups(const struct lae_run *runs, size_t count, const struct lae_grouping *over,
                       const struct expected *expected)
{
    struct lae_groups groups;
    assert_null(lae_groups_make(runs, count, over, &groups));
    for (size_t i = 0; i < groups.count; i++) {
        assert_non_null(expected[i].label);
        assert_string_equal(groups.items[i].label, expected[i].label);
        assert_int_equal(groups.items[i].count, expected[i].count);
        assert_int_equal(groups.items[i].copy_count, expected[i].copies);
    }
    assert_null(expected[groups.count].label);
    lae_groups_free(&groups);
}

#define ARE_GROUPS(runs, over, ...)                                                                \
    are_groups(runs, sizeof(runs) / sizeof(runs)[0], over,                                         \
               (const struct expected[]){__VA_ARGS__, {NULL, 0, 0}})

/* A group is called by the keys in which it differs, also where those are averaged over. */
static void group_names(void **state)
{
    (void)state;
    static const char *const both[] = {"run.seed", "data.class_order"};
    const struct lae_grouping over = {.over = both, .over_count = 2};
    const struct lae_run runs[] = {
        {.place = "a", .name = "s1o1", .config = "run: {seed: 1}\nmerge: {method: ties}"},
        {.place = "b", .name = "s2o1", .config = "run: {seed: 2}\nmerge: {method: ties}"},
        {.place = "c",
         .name = "s1o2",
         .config = "run: {seed: 1}\nmerge: {method: ties}\ndata: {class_order: [4, 3, 2, 1, 0]}"},
        {.place = "d", .name = "s1o3", .config = "merge: {method: ema}"},
    };
    ARE_GROUPS(runs, NULL, {"data.class_order=null, merge.method=ties", 2, 0},
               {"data.class_order=[4, 3, 2, ...], merge.method=ties", 1, 0},
               {"data.class_order=null, merge.method=ema", 1, 0});
    ARE_GROUPS(runs, &over, {"merge.method=ties", 3, 0}, {"merge.method=ema", 1, 0});

    char configs[4096];
    const char *source = getenv("LAE_TEST_SOURCE");
    assert_non_null(source);
    snprintf(configs, sizeof configs, "%s/configs", source);
    const struct lae_grouping named = {.over = both, .over_count = 1, .configs = configs};
    struct lae_run orders[2] = {runs[0], runs[0]};
    char config[1024] = "data: {class_order: [0";
    for (int i = 1; i < 100; i++)
        snprintf(config + strlen(config), 8, ", %d", i);
    orders[1].config = strcat(config, "]}\nmerge: {method: ties}");
    ARE_GROUPS(orders, &named, {"data.class_order=null", 1, 0},
               {"data.class_order=cifar100_order1", 1, 0});
}

/* Other weights or images are another experiment; a copy is no other seed. */
static void experiments(void **state)
{
    (void)state;
    double accuracy[4] = {80.0, NAN, 60.0, 90.0}, other[4] = {81.0, NAN, 60.0, 90.0}, seen[2] = {0};
    struct lae_score score = {"online", accuracy, seen}, another = {"online", other, seen};
    struct lae_fact a[] = {{"data_digest", "aaaaaaaaaa", 0}, {"weights_digest", "bbbbbbbbbb", 0}};
    struct lae_fact b[] = {{"data_digest", "aaaaaaaaaa", 0}, {"weights_digest", "cccccccccc", 0}};
    struct lae_fact c[] = {{"data_digest", "dddddddddd", 0}, {"weights_digest", "bbbbbbbbbb", 0}};
    struct lae_run run = {.place = "run",
                          .name = "run",
                          .keys = "",
                          .weights_path = "dir/vit.npz",
                          .config = "run: {seed: 1}",
                          .tasks = 2,
                          .finished = 2,
                          .scorers = &score,
                          .scorer_count = 1,
                          .facts = a,
                          .fact_count = 2};
    struct lae_run runs[2] = {run, run};
    runs[1].facts = b;
    ARE_GROUPS(runs, NULL, {"model.weights=vit.npz:bbbbbbbb", 1, 0},
               {"model.weights=vit.npz:cccccccc", 1, 0});
    runs[1].facts = c;
    runs[1].config = "run: {seed: 2}";
    ARE_GROUPS(runs, NULL, {"data.path=unknown:aaaaaaaa", 1, 0},
               {"data.path=unknown:dddddddd", 1, 0});

    struct lae_run copies[4] = {run, run, run, run};
    copies[1].finished = 1; /* of a part of it */
    copies[2].config = "run: {seed: 2}";
    copies[3].scorers = &another;
    struct lae_groups groups;
    assert_null(lae_groups_make(copies, 4, NULL, &groups));
    assert_int_equal(groups.count, 1);
    assert_int_equal(groups.items[0].count, 2);
    assert_int_equal(groups.items[0].copy_count, 2);
    assert_ptr_equal(groups.items[0].copies[0].run, &copies[1]);
    assert_ptr_equal(groups.items[0].copies[0].of, &copies[0]);
    assert_true(groups.items[0].copies[0].same);
    assert_false(groups.items[0].copies[1].same);
    lae_groups_free(&groups);
    copies[0].finished = 1; /* then a later one is further, and counts */
    assert_null(lae_groups_make(copies, 4, NULL, &groups));
    assert_ptr_equal(groups.items[0].runs[0], &copies[3]);
    for (size_t i = 0; i < groups.items[0].copy_count; i++)
        assert_ptr_equal(groups.items[0].copies[i].of, &copies[3]);
    lae_groups_free(&groups);
}

/* A run that branched had other keys before: it is no seed of one that had not. */
static void experiments_branched(void **state)
{
    (void)state;
    struct lae_earlier ema = {0, (char *)"merge: {method: ema}"};
    struct lae_earlier seed = {0, (char *)"merge: {method: ema}\nrun: {seed: 2}"};
    struct lae_earlier later = {1, (char *)"merge: {method: ema}"};
    struct lae_run run = {.place = "a", .name = "a", .config = "merge: {method: ties}"};
    struct lae_run runs[4] = {run, run, run, run};
    runs[1].earlier = &ema;
    runs[2].earlier = &seed;
    runs[2].config = "merge: {method: ties}\nrun: {seed: 2}";
    runs[3].earlier = &later;
    for (int i = 1; i < 4; i++)
        runs[i].earlier_count = 1;
    ARE_GROUPS(runs, NULL, {"of one piece", 1, 0}, {"branched after task 0", 2, 0},
               {"branched after task 1", 1, 0});
}

/* As long as no task is finished paths tell weights and images apart. */
static void experiments_begun(void **state)
{
    (void)state;
    struct lae_fact known[] = {{"weights_digest", "bbbbbbbbbb", 0}};
    struct lae_run runs[3] = {
        {.place = "a", .name = "a", .keys = "", .weights_path = "x", .config = "run: {seed: 1}"},
        {.place = "b", .name = "b", .keys = "", .weights_path = "x", .config = "run: {seed: 2}"},
        {.place = "c", .name = "c", .keys = "", .weights_path = "y", .config = "run: {seed: 3}"}};
    runs[0].facts = known;
    runs[0].fact_count = 1;
    ARE_GROUPS(runs, NULL, {"model.weights=x:bbbbbbbb", 2, 0}, {"model.weights=y", 1, 0});
}

static void contains(const char *script, const char *text)
{
    if (strstr(script, text) == NULL) fail_msg("no \"%s\" in:\n%s", text, script);
}

static void charts(void **state)
{
    (void)state;
    const double x[] = {0.0, 1.0, 2.0}, y[] = {5.0, NAN, 7.5}, spread[] = {NAN, NAN, 0.5};
    const struct lae_line lines[] = {
        {.label = "o\"n", .colour = 0, .x = x, .y = y, .spread = spread, .count = 3},
        {.colour = 1, .x = x, .y = y, .count = 3},
    };
    const double rules[] = {1.5};
    struct lae_chart chart = {.name = "a",
                              .title = "A `title`",
                              .x_label = "x",
                              .y_label = "y",
                              .lines = lines,
                              .count = 2,
                              .marks = true,
                              .whole = true,
                              .low = 0.0,
                              .high = NAN,
                              .rules = rules,
                              .rule_count = 1};
    char *script;
    assert_null(lae_figure_chart(&chart, &script));
    contains(script, "set title \"A \\140title\\140\"");
    contains(script, "set xrange [-0.06:2.06]\nset xtics 1\n");
    contains(script, "set yrange [0:]");
    contains(script, "from first 1.5,");
    contains(script, "$line0 << EOD\n 0 5 5 5\n 1 NaN NaN NaN\n 2 7.5 7 8\nEOD\n");
    contains(script, "$line0 using 1:3:4 with filledcurves"); /* a band */
    assert_null(strstr(script, "$line1 using 1:3:4"));        /* none of a line without spread */
    contains(script, "title \"o\\042n\"");
    contains(script, "notitle");
    contains(script, "c0 = dark ? \"#4aa8e8\" : \"#0072b2\"");
    free(script);

    chart.order = 2; /* from viridis' first colour to one at four fifths; from 0.3 to the last */
    assert_null(lae_figure_chart(&chart, &script));
    contains(script, "c0 = dark ? \"#365f8b\" : \"#440154\"");
    contains(script, "c1 = dark ? \"#fde725\" : \"#7ecf56\"");
    free(script);
}

static void heat(void **state)
{
    (void)state;
    const double values[] = {80.0, NAN, 70.0, 90.5};
    struct lae_heat figure = {"m", "M", "x", "y", values, 2, 0};
    char *script;
    assert_null(lae_figure_heat(&figure, &script));
    contains(script, "$squares << EOD\n0 0 80.0000\n0 1 70.0000\n1 1 90.5000\nEOD\n");
    contains(script, "with labels");
    free(script);
    double many[13 * 13] = {0};
    figure.values = many;
    figure.size = 13; /* too small for numbers */
    assert_null(lae_figure_heat(&figure, &script));
    assert_null(strstr(script, "with labels"));
    contains(script, "set xtics 2");
    free(script);
    figure.step = 7; /* of a long run */
    assert_null(lae_figure_heat(&figure, &script));
    contains(script, "\n84 84 0.0000\nEOD\n");
    contains(script, "set xrange [-3.5:87.5]");
    contains(script, "half = 3.5\n");
    free(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(html),
        cmocka_unit_test(base64),
        cmocka_unit_test(quotes),
        cmocka_unit_test(curves),
        cmocka_unit_test(last_points),
        cmocka_unit_test(foreign_lines),
        cmocka_unit_test(long_lines),
        cmocka_unit_test(no_files),
        cmocka_unit_test(thinning),
        cmocka_unit_test(moments),
        cmocka_unit_test(groups),
        cmocka_unit_test(group_names),
        cmocka_unit_test(experiments),
        cmocka_unit_test(experiments_begun),
        cmocka_unit_test(experiments_branched),
        cmocka_unit_test(charts),
        cmocka_unit_test(heat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
