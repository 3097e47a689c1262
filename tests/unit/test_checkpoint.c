/* Task files: what is written is read again, damage of any kind is an error that says where, and
 * nothing of HDF5 is left open. Each test works in a directory of its own. */
#define _GNU_SOURCE /* nftw, mkdtemp */
#include "lae/run/state.h"
#include "lae/store/checkpoint.h"
#include "lae/weights/weights.h"

#include "../../src/store/hdf5_file.h"
#include "../../src/store/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "place.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- places ---- */

struct place {
    char directory[PLACE_SIZE];
    char path[PLACE_SIZE + 32], other[PLACE_SIZE + 32]; /* of task_00.h5 and of another file */
    hid_t handles[3]; /* HDF5's newest property list, dataspace and type before the test */
};

/* HDF5 has no call that counts all open handles, but gives them out in ascending order. */
static void newest_handles(hid_t newest[3])
{
    newest[0] = H5Pcreate(H5P_FILE_ACCESS);
    newest[1] = H5Screate(H5S_SCALAR);
    newest[2] = H5Tcopy(H5T_C_S1);
    H5Pclose(newest[0]);
    H5Sclose(newest[1]);
    H5Tclose(newest[2]);
}

static int make_watched_place(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    open_place(place->directory);
    snprintf(place->path, sizeof place->path, "%s/task_00.h5", place->directory);
    snprintf(place->other, sizeof place->other, "%s/other.h5", place->directory);
    *state = place;
    newest_handles(place->handles);
    return 0;
}

/* No test may leave a handle of HDF5 behind. */
static int remove_watched_place(void **state)
{
    struct place *place = *state;
    close_place(place->directory);
    hid_t newest[3];
    newest_handles(newest);
    ssize_t open = H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL);
    for (int kind = 0; kind < 3; kind++)
        for (hid_t id = place->handles[kind]; id <= newest[kind]; id++)
            open += H5Iis_valid(id) > 0;
    free(place);
    if (open != 0) print_error("%zd HDF5 handles are left open\n", open);
    return open != 0;
}

static size_t entries_in(const char *directory)
{
    size_t count = 0;
    DIR *open = opendir(directory);
    assert_non_null(open);
    for (struct dirent *entry = readdir(open); entry != NULL; entry = readdir(open))
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(open);
    return count;
}

static unsigned char *load(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

static void save(const char *path, const unsigned char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static bool run_tool(const char *format, ...) LAE_PRINTF(1, 2);

static bool run_tool(const char *format, ...)
{
    char command[512];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    return system(command) == 0;
}

/* ---- statuses ---- */

static void assert_ok(lae_status status)
{
    if (status != NULL) fail_msg("%s", lae_status_message(status));
}

/* An error of that code whose message contains all texts up to a NULL. */
static void assert_error(lae_status status, enum lae_code code, ...)
{
    assert_non_null(status);
    va_list texts;
    va_start(texts, code);
    for (const char *text = va_arg(texts, char *); text != NULL; text = va_arg(texts, char *))
        if (strstr(lae_status_message(status), text) == NULL)
            fail_msg("\"%s\" is not in: %s", text, lae_status_message(status));
    va_end(texts);
    if (lae_status_code(status) != code) fail_msg("wrong code: %s", lae_status_message(status));
    lae_status_free(status);
}

static lae_status read_and_free(const char *path)
{
    struct lae_checkpoint checkpoint;
    lae_status status = lae_checkpoint_read(path, &lae_run_layout, NULL, &checkpoint);
    if (status == NULL) lae_checkpoint_free(&checkpoint);
    return status;
}

/* ---- a checkpoint with something of everything ---- */

static void add(struct lae_set *set, const char *name, int rank, size_t a, size_t b, float first)
{
    struct lae_named *item;
    assert_ok(lae_set_add(set, name, rank, (size_t[]){a, b}, &item));
    for (size_t i = 0; i < item->count; i++)
        item->data[i] = first + 0.37f * (float)i;
}

static void fill_modules(struct lae_set *set, float first)
{
    add(set, "blocks/0/attn/adapter/down/weight", 2, 3, 8, first);
    add(set, "blocks/0/attn/adapter/scale", 0, 0, 0, first + 1);
    add(set, "blocks/10/mlp/conv_adapter/conv/bias", 1, 5, 0, first + 2);
    add(set, "blocks/2/attn/prefix/key/tokens", 2, 2, 8, first + 3);
}

static void add_example_metric(struct lae_metric *metric, const char *name, int rank)
{
    *metric = (struct lae_metric){.name = strdup(name), .rank = rank, .shape = {3, 3}, .rows = 2};
    size_t count = lae_metric_count(metric);
    metric->values = calloc(count, sizeof *metric->values);
    assert_non_null(metric->values);
    for (size_t i = 0; i < count; i++)
        metric->values[i] = i % 2 == 0 ? 100.0 / (double)(i + 3) : (double)NAN;
}

static void add_example_stats(struct lae_kept_stats *kept, const char *name, size_t width)
{
    const size_t classes = 7;
    struct lae_stats *stats = &kept->stats;
    *kept = (struct lae_kept_stats){.name = strdup(name), .lambda = NAN};
    assert_null(lae_stats_create(classes, width, stats));
    for (size_t i = 0; i < classes; i++)
        stats->count[i] = (int64_t)(1000000 * i);
    for (size_t i = 0; i < classes * width; i++)
        stats->mean[i] = 0.37f * (float)i - 3.0f;
    for (size_t i = 0; i < width * width; i++)
        stats->scatter[i] = 1e-20f * (float)(i + width);
}

static void make_example(struct lae_checkpoint *example)
{
    *example = (struct lae_checkpoint){.task = 1, .task_count = 3, .classes_seen = 5, .classes = 7};
    example->config = strdup("run:\n  name: \"gr\xc3\xbc\xc3\x9f\"\ntrain: {lr: 0.0028125}\n");
    example->class_order = calloc(7, sizeof *example->class_order);
    for (int i = 0; i < 7; i++)
        example->class_order[i] = (3 * i + 2) % 7;
    example->class_names = strdup("ape\n\na b\nd\xc3\xa4\ne\nf\nlast\n");
    fill_modules(&example->init, 0);
    fill_modules(&example->online, -1e-30f);
    fill_modules(&example->offline, 1e10f);
    add(&example->head, "task_00/bias", 1, 3, 0, 0.5f);
    add(&example->head, "task_00/weight", 2, 3, 8, 0.25f);
    add(&example->head, "task_01/bias", 1, 2, 0, 0.5f);
    add(&example->head, "task_01/weight", 2, 2, 8, 0.25f);
    example->metric_count = 3;
    example->metrics = calloc(3, sizeof *example->metrics);
    add_example_metric(&example->metrics[0], "offline/accuracy", 2);
    add_example_metric(&example->metrics[1], "offline/seen", 1);
    add_example_metric(&example->metrics[2], "online/loss", 0);
    example->stats_count = 2;
    example->stats = calloc(2, sizeof *example->stats);
    add_example_stats(&example->stats[0], "init", 8);
    add_example_stats(&example->stats[1], "init/ridge", 3);
    example->stats[1].lambda = 1e-3;
    const struct lae_merge_stats merged[] = {{0.2, 0.21, 0.1, 1.5, 2.5, 3.5},
                                             {1, 1, 0, 1e-300, NAN, INFINITY}};
    example->layout = &lae_run_layout;
    example->merge.record = &lae_merge_record;
    lae_rows_add(&example->merge, "blocks/0/attn/adapter/down/weight", &merged[0]);
    lae_rows_add(&example->merge, "blocks/0/attn/adapter/scale", &merged[1]);
    example->fact_count = 3;
    example->provenance = calloc(3, sizeof *example->provenance);
    example->provenance[0] = (struct lae_fact){strdup("created"), strdup("2024-01-02T03:04:05"), 0};
    example->provenance[1] = (struct lae_fact){strdup("empty"), strdup(""), 0};
    example->provenance[2] = (struct lae_fact){strdup("seconds"), NULL, 12.75};
}

static void write_example(const char *path)
{
    struct lae_checkpoint example;
    make_example(&example);
    assert_ok(lae_checkpoint_write(path, &example));
    lae_checkpoint_free(&example);
}

/* ---- round trips ---- */

static void assert_same_set(const struct lae_set *a, const struct lae_set *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_string_equal(a->items[i].name, b->items[i].name);
        assert_int_equal(a->items[i].rank, b->items[i].rank);
        assert_int_equal(a->items[i].count, b->items[i].count);
        for (int k = 0; k < a->items[i].rank; k++)
            assert_int_equal(a->items[i].shape[k], b->items[i].shape[k]);
        assert_memory_equal(a->items[i].data, b->items[i].data, a->items[i].count * sizeof(float));
    }
}

static void assert_same_metrics(const struct lae_checkpoint *a, const struct lae_checkpoint *b)
{
    assert_int_equal(a->metric_count, b->metric_count);
    for (size_t i = 0; i < a->metric_count; i++) {
        const struct lae_metric *x = &a->metrics[i], *y = &b->metrics[i];
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->rank, y->rank);
        for (int k = 0; k < x->rank; k++)
            assert_int_equal(x->shape[k], y->shape[k]);
        assert_memory_equal(x->values, y->values, /* NaNs too */
                            lae_metric_count(x) * sizeof(double));
    }
}

static void assert_same_stats(const struct lae_checkpoint *a, const struct lae_checkpoint *b)
{
    assert_int_equal(a->stats_count, b->stats_count);
    for (size_t i = 0; i < a->stats_count; i++) {
        const struct lae_kept_stats *x = &a->stats[i], *y = &b->stats[i];
        size_t c = x->stats.classes, d = x->stats.width;
        assert_string_equal(x->name, y->name);
        assert_int_equal(c, y->stats.classes);
        assert_int_equal(d, y->stats.width);
        assert_true(x->lambda == y->lambda || (isnan(x->lambda) && isnan(y->lambda)));
        assert_memory_equal(x->stats.count, y->stats.count, c * sizeof *x->stats.count);
        assert_memory_equal(x->stats.mean, y->stats.mean, c * d * sizeof *x->stats.mean);
        assert_memory_equal(x->stats.scatter, y->stats.scatter, d * d * sizeof *x->stats.scatter);
    }
}

static void assert_same_records(const struct lae_checkpoint *a, const struct lae_checkpoint *b)
{
    assert_int_equal(a->merge.count, b->merge.count);
    for (size_t i = 0; i < a->merge.count; i++) {
        assert_string_equal(a->merge.names[i], b->merge.names[i]);
        assert_memory_equal(lae_rows_at(&a->merge, i), lae_rows_at(&b->merge, i),
                            sizeof(struct lae_merge_stats));
    }
    assert_int_equal(a->fact_count, b->fact_count);
    for (size_t i = 0; i < a->fact_count; i++) {
        const struct lae_fact *x = &a->provenance[i], *y = &b->provenance[i];
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->text == NULL, y->text == NULL);
        if (x->text != NULL) assert_string_equal(x->text, y->text);
        if (x->text == NULL) assert_true(x->number == y->number);
    }
}

static void assert_same(const struct lae_checkpoint *a, const struct lae_checkpoint *b)
{
    assert_int_equal(a->task, b->task);
    assert_int_equal(a->task_count, b->task_count);
    assert_int_equal(a->classes_seen, b->classes_seen);
    assert_string_equal(a->config, b->config);
    assert_int_equal(a->classes, b->classes);
    assert_memory_equal(a->class_order, b->class_order, a->classes * sizeof *a->class_order);
    assert_true((a->class_names == NULL) == (b->class_names == NULL));
    if (a->class_names != NULL) assert_string_equal(a->class_names, b->class_names);
    assert_same_set(&a->init, &b->init);
    assert_same_set(&a->online, &b->online);
    assert_same_set(&a->offline, &b->offline);
    assert_same_set(&a->head, &b->head);
    assert_same_metrics(a, b);
    assert_same_stats(a, b);
    assert_same_records(a, b);
}

static void assert_round_trip(const char *path, const struct lae_checkpoint *checkpoint)
{
    struct lae_checkpoint again;
    assert_ok(lae_checkpoint_write(path, checkpoint));
    assert_ok(lae_checkpoint_read(path, &lae_run_layout, NULL, &again));
    assert_same(checkpoint, &again);
    lae_checkpoint_free(&again);
}

static void test_round_trip(void **state)
{
    struct place *place = *state;
    struct lae_checkpoint example;
    make_example(&example);
    assert_round_trip(place->path, &example);
    assert_round_trip(place->path, &example); /* over a file that is there */
    assert_int_equal(entries_in(place->directory), 1);
    lae_checkpoint_free(&example);
}

static void test_round_trip_of_little(void **state)
{
    struct place *place = *state;
    struct lae_checkpoint little = {.task = 0, .task_count = 1, .classes_seen = 1, .classes = 1};
    little.config = strdup("");
    little.class_order = calloc(1, sizeof *little.class_order);
    add(&little.head, "task_00/bias", 1, 1, 0, 0);
    add(&little.head, "task_00/weight", 2, 1, 4, 0);
    assert_round_trip(place->path, &little);
    lae_checkpoint_free(&little);
}

static void test_large_values(void **state)
{
    struct place *place = *state;
    struct lae_checkpoint example;
    make_example(&example);
    free(example.config);
    example.config = malloc(300001);
    memset(example.config, 'x', 300000);
    example.config[300000] = '\0';
    free(example.provenance[0].text); /* attributes themselves are limited to 64 KiB */
    example.provenance[0].text = strdup(example.config);
    add(&example.online, "blocks/9/mlp/adapter/up/weight", 2, 1500, 1500, -7);
    assert_round_trip(place->path, &example);
    lae_checkpoint_free(&example);
}

/* ---- many tasks ---- */

enum { MANY = 400, DONE = 300, WIDTH = 64 }; /* tasks of one class each */
enum { INIT, SAME, OTHER, VIEWS };           /* statistics: two have the same values */

static double accuracy_of(size_t t, size_t k)
{
    return (double)((7 * t + 3 * k) % 11) * 10.0;
}

static void add_triangle(struct lae_checkpoint *c, size_t done)
{
    c->metric_count = 1;
    c->metrics = calloc(1, sizeof *c->metrics);
    c->metrics[0] = (struct lae_metric){
        .name = strdup("online/accuracy"), .rank = 2, .shape = {MANY, MANY}, .rows = done};
    double *value = c->metrics[0].values = calloc(lae_metric_count(&c->metrics[0]), sizeof(double));
    for (size_t t = 0; t < done; t++)
        for (size_t k = 0; k <= t; k++)
            *value++ = accuracy_of(t, k);
}

static void add_many_stats(struct lae_kept_stats *kept, const char *name, int done, float first)
{
    *kept = (struct lae_kept_stats){.name = strdup(name), .lambda = NAN};
    assert_null(lae_stats_create(MANY, WIDTH, &kept->stats));
    for (int i = 0; i < done; i++)
        kept->stats.count[i] = 1;
    for (size_t i = 0; i < (size_t)done * WIDTH; i++)
        kept->stats.mean[i] = sinf(first + (float)i);
    for (size_t j = 0; j < WIDTH; j++)
        for (size_t k = 0; k < WIDTH; k++)
            kept->stats.scatter[j * WIDTH + k] = cosf(first + (float)(j * k));
}

/* `done` tasks are finished; 0: a state inside the first. */
static void make_many(struct lae_checkpoint *c, int done)
{
    int begun = done > 0 ? done : 1;
    *c = (struct lae_checkpoint){.layout = &lae_run_layout,
                                 .task = begun - 1,
                                 .task_count = MANY,
                                 .classes_seen = begun,
                                 .classes = MANY};
    if (done == 0) c->position = calloc(1, sizeof(struct lae_saved_position));
    c->config = strdup("");
    c->class_order = calloc(MANY, sizeof *c->class_order);
    for (int i = 0; i < MANY; i++)
        c->class_order[i] = i;
    for (int task = 0; task < begun; task++) {
        char name[64];
        snprintf(name, sizeof name, "task_%02d/bias", task);
        add(&c->head, name, 1, 1, 0, 0.5f);
        snprintf(name, sizeof name, "task_%02d/weight", task);
        add(&c->head, name, 2, 1, 4, 0.25f);
    }
    add_triangle(c, (size_t)done);
    c->stats_count = VIEWS;
    c->stats = calloc(VIEWS, sizeof *c->stats);
    add_many_stats(&c->stats[INIT], "init", done, 0.0f);
    add_many_stats(&c->stats[SAME], "offline", done, 0.0f);
    add_many_stats(&c->stats[OTHER], "online", done, 1.0f);
    c->stats[SAME].lambda = 10.0; /* of a group */
}

/* What HDF5's tools see: the whole square. */
static void assert_square(const char *path)
{
    static double values[MANY][MANY];
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t dataset = H5Dopen2(file, "/metrics/online/accuracy", H5P_DEFAULT);
    assert_true(H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(dataset);
    H5Fclose(file);
    for (size_t t = 0; t < MANY; t++)
        for (size_t k = 0; k < MANY; k++)
            if (t < DONE && k <= t)
                assert_true(values[t][k] == accuracy_of(t, k));
            else
                assert_true(isnan(values[t][k]));
}

static void test_many_tasks(void **state)
{
    struct place *place = *state;
    struct lae_checkpoint many, again;
    size_t size;
    make_many(&many, DONE);
    assert_ok(lae_checkpoint_write(place->path, &many));
    assert_ok(lae_checkpoint_read(place->path, &lae_run_layout, NULL, &again));
    assert_same(&many, &again);
    lae_checkpoint_free(&again);
    assert_square(place->path);
    free(load(place->path, &size));
    assert_in_range(size, 1, 900000); /* the square alone would be 1.3 MB */
    lae_checkpoint_free(&many);
}

/* A state saved inside the first task: no row is known yet of anything. */
static void test_many_tasks_to_come(void **state)
{
    struct place *place = *state;
    struct lae_checkpoint many, again;
    make_many(&many, 0);
    assert_ok(lae_checkpoint_write(place->path, &many));
    assert_ok(lae_checkpoint_read(place->path, &lae_run_layout, NULL, &again));
    assert_same(&many, &again);
    lae_checkpoint_free(&again);
    lae_checkpoint_free(&many);
}

/* Files of a few tasks are as ever, to the version in their seals. */
static void test_which_version(void **state)
{
    struct place *place = *state;
    struct lae_checkpoint many;
    int version;
    make_many(&many, 1);
    for (int tasks = LAE_FEW_TASKS; tasks <= LAE_FEW_TASKS + 1; tasks++) {
        many.task_count = tasks;
        many.metric_count = 0;
        assert_ok(lae_checkpoint_write(place->path, &many));
        assert_ok(lae_seal_check(place->path, LAE_CHECKPOINT_FORMAT, 2, NULL, &version));
        assert_int_equal(version, tasks > LAE_FEW_TASKS ? 2 : 1);
        assert_ok(read_and_free(place->path));
    }
    many.metric_count = 1;
    lae_checkpoint_free(&many);
}

/* ---- files made to do harm ---- */

static void assert_refused_sealed(const struct place *place, const char *find)
{
    size_t size;
    unsigned char *bytes = load(find, &size);
    bool weights = memcmp(bytes, "lae-w", 5) == 0;
    assert_ok(lae_seal_stamp(bytes, size, weights ? "lae-weights" : LAE_CHECKPOINT_FORMAT, 1));
    save(place->path, bytes, size);
    free(bytes);
    struct lae_weights network;
    lae_status status =
        weights ? lae_weights_read(place->path, NULL, &network) : read_and_free(place->path);
    assert_error(status, LAE_BAD_INPUT, place->path, "HDF5 breaks down on it", NULL);
}

/* HDF5 1.10 crashes on these, or goes round for ever; later versions may refuse them. */
static void test_forged(void **state)
{
    struct place *place = *state;
    char directory[4096], path[8192];
    unsigned major, minor, release;
    int tried = 0;
    H5get_libversion(&major, &minor, &release);
    if (major != 1 || minor != 10) skip();
    snprintf(directory, sizeof directory, "%s/tests/fuzz/finds/hdf5", getenv("LAE_TEST_SOURCE"));
    DIR *finds = opendir(directory);
    assert_non_null(finds);
    for (struct dirent *entry; (entry = readdir(finds)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        assert_refused_sealed(place, path);
        tried++;
    }
    closedir(finds);
    assert_in_range(tried, 5, 1000);
    write_example(place->path); /* and the next file is read as ever */
    assert_ok(read_and_free(place->path));
}

static void test_equal_contents_equal_files(void **state)
{
    struct place *place = *state;
    write_example(place->path);
    sleep(1); /* HDF5's object times count seconds */
    write_example(place->other);
    size_t size, other_size;
    unsigned char *bytes = load(place->path, &size), *other = load(place->other, &other_size);
    assert_int_equal(size, other_size);
    assert_memory_equal(bytes, other, size);
    free(bytes);
    free(other);
}

static void assert_index_leads_to_tasks(const char *path, int tasks)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    for (int task = 0; task < tasks; task++) {
        char name[80];
        snprintf(name, sizeof name, "/task_%02d/online/blocks/0/attn/adapter/scale", task);
        hid_t scale = H5Dopen2(file, name, H5P_DEFAULT);
        assert_true(scale >= 0);
        H5Dclose(scale);
    }
    H5Fclose(file);
}

static void test_index(void **state)
{
    struct place *place = *state;
    char moved[PLACE_SIZE + 16], path[PLACE_SIZE + 32], task[PLACE_SIZE + 32];
    for (int i = 0; i < 3; i++) {
        snprintf(task, sizeof task, "%s/task_%02d.h5", place->directory, i);
        write_example(task);
    }
    snprintf(path, sizeof path, "%s/run.h5", place->directory);
    assert_ok(lae_checkpoint_write_index(path, 4)); /* the fourth task is not there yet */
    assert_index_leads_to_tasks(path, 3);
    assert_error(read_and_free(path), LAE_BAD_INPUT, path, "lae-run", "lae-checkpoint", NULL);
    snprintf(moved, sizeof moved, "%s-moved", place->directory);
    assert_int_equal(rename(place->directory, moved), 0);
    snprintf(path, sizeof path, "%s/run.h5", moved);
    assert_index_leads_to_tasks(path, 3);
    assert_int_equal(rename(moved, place->directory), 0);
}

/* h5ls follows the links into every task's file. */
static void test_index_listed(void **state)
{
    struct place *place = *state;
    if (!run_tool("command -v h5ls >/dev/null")) {
        print_message("h5ls is not installed: skipped\n");
        skip();
    }
    for (int i = 0; i < 3; i++) {
        char task[PLACE_SIZE + 32];
        snprintf(task, sizeof task, "%s/task_%02d.h5", place->directory, i);
        write_example(task);
    }
    assert_ok(lae_checkpoint_write_index(place->other, 3));
    for (int i = 0; i < 3; i++)
        assert_true(
            run_tool("h5ls -rE %s | grep -q '^/task_%02d/head/task_00/weight'", place->other, i));
}

/* ---- damage: the digest keeps it from HDF5 ---- */

/* In place: ext4 waits for the disk when a file is cut to nothing and written anew. */
static void poke(const char *path, size_t position, unsigned char byte)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)position, SEEK_SET), 0);
    assert_int_equal(fwrite(&byte, 1, 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

/* Every byte of seal and superblock, and a thousand of the rest. */
static void test_flipped_bits(void **state)
{
    struct place *place = *state;
    write_example(place->path);
    size_t size, position = 0, tried = 0;
    unsigned char *bytes = load(place->path, &size);
    while (position < size) {
        poke(place->path, position, bytes[position] ^ (unsigned char)(1u << (tried * 5 % 8)));
        assert_error(read_and_free(place->path), LAE_BAD_INPUT, place->path, NULL);
        poke(place->path, position, bytes[position]);
        tried++;
        position += position < LAE_SEAL_BYTES + 128 ? 1 : size / 1000 + 1;
    }
    assert_true(tried > 1500);
    assert_ok(read_and_free(place->path));
    free(bytes);
}

/* Kills a process that has the file open to write in it: that leaves a flag in the superblock, and
 * what follows from it. */
static void kill_viewer_of(const char *path)
{
    size_t size;
    unsigned char *before = load(path, &size);
    pid_t viewer = fork();
    if (viewer == 0) {
        H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(viewer, NULL, 0), viewer);
    unsigned char *after = load(path, &size);
    assert_memory_not_equal(before, after, size);
    free(before);
    free(after);
}

static void assert_poke_is_damage(const char *path, size_t position, unsigned char byte)
{
    size_t size;
    int version;
    unsigned char *bytes = load(path, &size), before = bytes[position];
    poke(path, position, byte);
    assert_error(lae_seal_check(path, LAE_CHECKPOINT_FORMAT, 1, NULL, &version), LAE_BAD_INPUT,
                 path, "damaged", NULL);
    assert_true(lae_checkpoint_is_damaged(path));
    poke(path, position, before);
    free(bytes);
}

static void test_left_open_by_a_viewer(void **state)
{
    struct place *place = *state;
    write_example(place->path);
    kill_viewer_of(place->path);
    assert_ok(read_and_free(place->path));
    assert_false(lae_checkpoint_is_damaged(place->path));
    size_t size;
    unsigned char *bytes = load(place->path, &size);
    for (size_t at = 9; at < 48; at++) /* every other change of the superblock is damage */
        assert_poke_is_damage(place->path, LAE_SEAL_BYTES + at,
                              (unsigned char)(bytes[LAE_SEAL_BYTES + at] ^ 2));
    assert_poke_is_damage(place->path, size / 2, (unsigned char)~bytes[size / 2]);
    assert_ok(read_and_free(place->path));
    free(bytes);
}

/* As versions before this one wrote them: superblock 0, and groups as HDF5 1.6 has them. */
static void test_earlier_superblock(void **state)
{
    struct place *place = *state;
    int version = 0;
    size_t size;
    hid_t creation = H5Pcreate(H5P_FILE_CREATE), access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_userblock(creation, LAE_SEAL_BYTES);
    H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST);
    H5Fclose(H5Fcreate(place->path, H5F_ACC_TRUNC, creation, access));
    H5Pclose(access);
    H5Pclose(creation);
    unsigned char *bytes = load(place->path, &size);
    assert_int_equal(bytes[LAE_SEAL_BYTES + 8], 0);
    assert_ok(lae_seal_stamp(bytes, size, LAE_CHECKPOINT_FORMAT, 1));
    save(place->path, bytes, size);
    free(bytes);
    kill_viewer_of(place->path);
    assert_ok(lae_seal_check(place->path, LAE_CHECKPOINT_FORMAT, 1, NULL, &version));
    assert_int_equal(version, 1);
    assert_false(lae_checkpoint_is_damaged(place->path));
    for (size_t flag = 21; flag < 24; flag++) /* the other bytes of the flags are no such thing */
        assert_poke_is_damage(place->path, LAE_SEAL_BYTES + flag, 1);
}

static void test_damage_is_explained(void **state)
{
    struct place *place = *state;
    write_example(place->path);
    size_t size;
    unsigned char *bytes = load(place->path, &size);
    char written[65] = "";
    memcpy(written, strstr((char *)bytes, "sha256 ") + 7, 64);
    bytes[size / 2] ^= 1;
    save(place->path, bytes, size);
    assert_error(read_and_free(place->path), LAE_BAD_INPUT, place->path, "damaged", written,
                 "restore it from a copy", "h5unjam", NULL);
    bytes[3] ^= 1;
    save(place->path, bytes, size);
    assert_error(read_and_free(place->path), LAE_BAD_INPUT, place->path, "damaged", "first 512",
                 NULL);
    free(bytes);
}

static void test_truncation(void **state)
{
    struct place *place = *state;
    write_example(place->path);
    size_t size;
    unsigned char *bytes = load(place->path, &size);
    for (size_t length = 0; length < size; length += length < 16 ? 1 : size / 150 + 1) {
        save(place->path, bytes, length);
        assert_error(read_and_free(place->path), LAE_BAD_INPUT, place->path, NULL);
    }
    save(place->path, bytes, size - 1);
    assert_error(read_and_free(place->path), LAE_BAD_INPUT, place->path, "damaged", NULL);
    bytes[size] = 0;
    save(place->path, bytes, size + 1); /* a byte too many */
    assert_error(read_and_free(place->path), LAE_BAD_INPUT, place->path, "damaged", NULL);
    free(bytes);
}

static void test_other_kinds_of_file(void **state)
{
    struct place *place = *state;
    assert_error(read_and_free(place->path), LAE_BAD_INPUT, place->path, "No such file", NULL);
    assert_error(read_and_free(place->directory), LAE_BAD_INPUT, "not a regular file", NULL);
    save(place->path, (const unsigned char *)"", 0);
    assert_error(read_and_free(place->path), LAE_BAD_INPUT, "is empty", NULL);
    save(place->path, (const unsigned char *)"PK\3\4 and so on", 14);
    assert_error(read_and_free(place->path), LAE_BAD_INPUT, "not an HDF5 file", NULL);
    struct lae_hdf5 file;
    assert_ok(lae_hdf5_create(place->path, "lae-weights", 1, &file));
    assert_ok(lae_hdf5_commit(&file));
    lae_hdf5_close(&file);
    assert_error(read_and_free(place->path), LAE_BAD_INPUT, "is a lae-weights file",
                 "a lae-checkpoint file is wanted", NULL);
    hid_t plain = H5Fcreate(place->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(plain);
    assert_error(read_and_free(place->path), LAE_BAD_INPUT, "no lae-checkpoint file", NULL);
}

static void test_newer_version(void **state)
{
    struct place *place = *state;
    struct lae_hdf5 file;
    assert_ok(lae_hdf5_create(place->path, "lae-checkpoint", 3, &file));
    assert_ok(lae_hdf5_commit(&file));
    lae_hdf5_close(&file);
    assert_error(read_and_free(place->path), LAE_BAD_INPUT, place->path,
                 "written by a newer version: format_version 3, this program reads up to 2", NULL);
    int version;
    assert_error(lae_seal_check(place->path, "lae-checkpoint", 2, NULL, &version), LAE_BAD_INPUT,
                 "format_version 3", NULL);
    size_t size;
    unsigned char *bytes = load(place->path, &size);
    assert_ok(lae_seal_stamp(bytes, size, "lae-checkpoint", 1)); /* root and seal disagree */
    save(place->path, bytes, size);
    assert_error(lae_hdf5_open(place->path, "lae-checkpoint", 3, NULL, &file), LAE_BAD_INPUT,
                 "not what the seal says", NULL);
    assert_error(read_and_free(place->path), LAE_BAD_INPUT, "format_version 3", NULL);
    save(place->path, bytes + LAE_SEAL_BYTES, size - LAE_SEAL_BYTES); /* no seal */
    assert_error(read_and_free(place->path), LAE_BAD_INPUT, "format_version 3", NULL);
    free(bytes);
}

/* ---- files without a seal ---- */

static void write_example_without_seal(const char *path)
{
    write_example(path);
    size_t size;
    unsigned char *bytes = load(path, &size);
    save(path, bytes + LAE_SEAL_BYTES, size - LAE_SEAL_BYTES);
    free(bytes);
}

/* Reads the file as the example, with one warning. */
static void assert_warns_and_reads(const char *path)
{
    char line[512] = "";
    struct lae_log log = {.file = tmpfile()};
    struct lae_checkpoint example, found;
    make_example(&example);
    assert_ok(lae_checkpoint_read(path, &lae_run_layout, &log, &found));
    assert_same(&example, &found);
    rewind(log.file);
    assert_non_null(fgets(line, sizeof line, log.file));
    assert_non_null(strstr(line, "warning"));
    assert_non_null(strstr(line, path));
    assert_null(fgets(line, sizeof line, log.file));
    lae_log_close(&log);
    lae_checkpoint_free(&example);
    lae_checkpoint_free(&found);
}

static void test_without_seal(void **state)
{
    struct place *place = *state;
    write_example_without_seal(place->path);
    assert_warns_and_reads(place->path);
}

/* h5repack copies the user block, digest and all; h5unjam takes it off. */
static void test_repacked(void **state)
{
    struct place *place = *state;
    if (!run_tool("command -v h5repack >/dev/null && command -v h5unjam >/dev/null")) {
        print_message("h5repack and h5unjam are not installed: skipped\n");
        skip();
    }
    write_example(place->path);
    assert_true(
        run_tool("h5repack -f GZIP=9 -l CHUNK=2x2 %s %s 2>/dev/null", place->path, place->other) ||
        run_tool("h5repack %s %s", place->path, place->other));
    assert_error(read_and_free(place->other), LAE_BAD_INPUT, "damaged", "h5unjam", NULL);
    assert_true(run_tool("h5unjam -i %s -o %s --delete", place->other, place->path));
    assert_warns_and_reads(place->path);
}

/* ---- odd contents: each change is made to a file without seal ---- */

static void forget(hid_t file, const char *name)
{
    assert_true(H5Ldelete(file, name, H5P_DEFAULT) >= 0);
}

/* A dataset of that type and shape; written when `fill` is given. */
static void put_dataset(hid_t file, const char *name, hid_t type, int rank, const hsize_t *shape,
                        const void *fill)
{
    hid_t space = rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(rank, shape, NULL);
    hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(dataset >= 0);
    if (fill != NULL)
        assert_true(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, fill) >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
}

static void put_attribute(hid_t file, const char *object, const char *name, hid_t type,
                          hsize_t count, const void *value)
{
    if (H5Aexists_by_name(file, object, name, H5P_DEFAULT) > 0)
        H5Adelete_by_name(file, object, name, H5P_DEFAULT);
    hid_t space = H5Screate_simple(1, &count, NULL);
    hid_t id =
        H5Acreate_by_name(file, object, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(id >= 0 && H5Awrite(id, type, value) >= 0);
    H5Aclose(id);
    H5Sclose(space);
}

#define A_TENSOR "/online/blocks/0/attn/adapter/down/weight"

static void no_config(hid_t file)
{
    forget(file, "/config");
}

static void config_of_numbers(hid_t file)
{
    forget(file, "/config");
    put_dataset(file, "/config", H5T_NATIVE_INT, 0, NULL, &(int){7});
}

static void config_of_two(hid_t file)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    forget(file, "/config");
    put_dataset(file, "/config", type, 1, (hsize_t[]){2}, "ab");
    H5Tclose(type);
}

static void config_of_nothing(hid_t file)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, (size_t)1 << 31);
    forget(file, "/config");
    put_dataset(file, "/config", type, 0, NULL, NULL);
    H5Tclose(type);
}

static void config_as_group(hid_t file)
{
    forget(file, "/config");
    H5Gclose(H5Gcreate2(file, "/config", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

static void order_of_floats(hid_t file)
{
    forget(file, "/class_order");
    put_dataset(file, "/class_order", H5T_NATIVE_FLOAT, 1, (hsize_t[]){2}, (float[]){0, 1});
}

static void order_with_twins(hid_t file)
{
    forget(file, "/class_order");
    put_dataset(file, "/class_order", H5T_NATIVE_INT, 1, (hsize_t[]){5}, (int[]){0, 1, 2, 1, 4});
}

static void names_of_too_few(hid_t file)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, 5);
    if (H5Lexists(file, "/class_names", H5P_DEFAULT) > 0) forget(file, "/class_names");
    put_dataset(file, "/class_names", type, 0, NULL, "a\nb\n");
    H5Tclose(type);
}

static void order_below_zero(hid_t file)
{
    forget(file, "/class_order");
    put_dataset(file, "/class_order", H5T_NATIVE_INT, 1, (hsize_t[]){5}, (int[]){0, 1, -2, 3, 4});
}

static void order_too_short(hid_t file)
{
    forget(file, "/class_order");
    put_dataset(file, "/class_order", H5T_NATIVE_INT, 1, (hsize_t[]){4}, (int[]){0, 1, 2, 3});
}

static void order_of_rank_two(hid_t file)
{
    forget(file, "/class_order");
    put_dataset(file, "/class_order", H5T_NATIVE_INT, 2, (hsize_t[]){1, 1}, (int[]){0});
}

static void no_online(hid_t file)
{
    forget(file, "/online");
}

static void online_as_dataset(hid_t file)
{
    forget(file, "/online");
    put_dataset(file, "/online", H5T_NATIVE_FLOAT, 0, NULL, &(float){1});
}

static void tensor_of_doubles(hid_t file)
{
    forget(file, A_TENSOR);
    put_dataset(file, A_TENSOR, H5T_NATIVE_DOUBLE, 0, NULL, &(double){1});
}

static void tensor_without_data(hid_t file)
{
    forget(file, A_TENSOR);
    put_dataset(file, A_TENSOR, H5T_NATIVE_FLOAT, 2, (hsize_t[]){1u << 20, 1u << 20}, NULL);
}

static void tensor_beyond_counting(hid_t file)
{
    hsize_t huge = (hsize_t)1 << 40;
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 3, (hsize_t[]){1, 1, 64}); /* contiguous ones must be below 2^64 bytes */
    hid_t space = H5Screate_simple(3, (hsize_t[]){1, 1, 64},
                                   (hsize_t[]){H5S_UNLIMITED, H5S_UNLIMITED, H5S_UNLIMITED});
    forget(file, A_TENSOR);
    hid_t dataset =
        H5Dcreate2(file, A_TENSOR, H5T_NATIVE_FLOAT, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    H5Dset_extent(dataset, (hsize_t[]){huge, huge, 64});
    H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(creation);
}

static void tensor_of_rank_nine(hid_t file)
{
    forget(file, A_TENSOR);
    put_dataset(file, A_TENSOR, H5T_NATIVE_FLOAT, 9, (hsize_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1},
                (float[]){1});
}

static void tensor_of_extent_zero(hid_t file)
{
    forget(file, A_TENSOR);
    put_dataset(file, A_TENSOR, H5T_NATIVE_FLOAT, 1, (hsize_t[]){0}, NULL);
}

static void tensor_of_null_space(hid_t file)
{
    hid_t space = H5Screate(H5S_NULL);
    forget(file, A_TENSOR);
    H5Dclose(
        H5Dcreate2(file, A_TENSOR, H5T_NATIVE_FLOAT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
}

static void link_in_a_circle(hid_t file)
{
    H5Lcreate_hard(file, "/online", file, "/online/blocks/circle", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(file, "/online", file, "/online/blocks/again", H5P_DEFAULT, H5P_DEFAULT);
}

static void link_to_elsewhere(hid_t file)
{
    H5Lcreate_external("/etc/passwd", "/", file, "/online/elsewhere", H5P_DEFAULT, H5P_DEFAULT);
}

static void link_to_nowhere(hid_t file)
{
    H5Lcreate_soft("/nowhere", file, "/online/nowhere", H5P_DEFAULT, H5P_DEFAULT);
}

static void classifiers_elsewhere(hid_t file)
{
    forget(file, "/head");
    H5Lcreate_external("other.h5", "/head", file, "/head", H5P_DEFAULT, H5P_DEFAULT);
}

static void tensor_in_another_file(hid_t file)
{
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate(H5S_SCALAR);
    H5Pset_external(creation, "/etc/passwd", 0, 4);
    forget(file, A_TENSOR);
    H5Dclose(
        H5Dcreate2(file, A_TENSOR, H5T_NATIVE_FLOAT, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Sclose(space);
    H5Pclose(creation);
}

/* A small file that would fill the memory. */
static void tensor_many_times(hid_t file)
{
    float *values = calloc(1 << 16, sizeof *values);
    put_dataset(file, "/online/a", H5T_NATIVE_FLOAT, 1, (hsize_t[]){1 << 16}, values);
    for (int i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "/online/a%02d", i);
        H5Lcreate_hard(file, "/online/a", file, name, H5P_DEFAULT, H5P_DEFAULT);
    }
    free(values);
}

static void type_among_tensors(hid_t file)
{
    hid_t type = H5Tcopy(H5T_NATIVE_INT);
    H5Tcommit2(file, "/online/type", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Tclose(type);
}

static void no_classifier(hid_t file)
{
    forget(file, "/head/task_01/bias");
}

static void odd_classifier(hid_t file)
{
    forget(file, "/head/task_01/weight");
    put_dataset(file, "/head/task_01/weight", H5T_NATIVE_FLOAT, 2, (hsize_t[]){2, 1},
                (float[]){1, 2});
}

static void one_classifier_more(hid_t file)
{
    H5Gclose(H5Gcreate2(file, "/head/task_02", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    put_dataset(file, "/head/task_02/bias", H5T_NATIVE_FLOAT, 1, (hsize_t[]){1}, (float[]){1});
}

static void no_metrics(hid_t file)
{
    forget(file, "/metrics");
}

static void metric_of_text(hid_t file)
{
    put_dataset(file, "/metrics/odd", H5T_C_S1, 0, NULL, "x");
}

static void metric_of_rank_three(hid_t file)
{
    put_dataset(file, "/metrics/odd", H5T_NATIVE_DOUBLE, 3, (hsize_t[]){1, 1, 1}, (double[]){1});
}

static void scatter_of_other_shape(hid_t file)
{
    forget(file, "/stats/init/ridge/scatter");
    put_dataset(file, "/stats/init/ridge/scatter", H5T_NATIVE_FLOAT, 2, (hsize_t[]){2, 3},
                (float[]){1, 2, 3, 4, 5, 6});
}

static void mean_of_one_number(hid_t file)
{
    forget(file, "/stats/init/mean");
    put_dataset(file, "/stats/init/mean", H5T_NATIVE_FLOAT, 0, NULL, &(float){1});
}

static void no_scatter(hid_t file)
{
    forget(file, "/stats/init/scatter");
}

static void negative_count(hid_t file)
{
    forget(file, "/stats/init/count");
    put_dataset(file, "/stats/init/count", H5T_NATIVE_INT, 1, (hsize_t[]){7},
                (int[]){1, 2, 3, -4, 5, 6, 7});
}

static void counts_of_too_few_classes(hid_t file)
{
    forget(file, "/stats/init/count");
    put_dataset(file, "/stats/init/count", H5T_NATIVE_INT, 1, (hsize_t[]){2}, (int[]){1, 2});
}

static void half_a_merge_record(hid_t file)
{
    H5Adelete_by_name(file, "/merge/blocks/0/attn/adapter/scale", "conflict", H5P_DEFAULT);
}

static void task_as_text(hid_t file)
{
    put_attribute(file, "/", "task", H5T_C_S1, 1, "1");
}

static void task_of_two(hid_t file)
{
    put_attribute(file, "/", "task", H5T_NATIVE_INT, 2, (int[]){1, 1});
}

static void task_out_of_range(hid_t file)
{
    put_attribute(file, "/", "task", H5T_NATIVE_LLONG, 1, &(long long){(1LL << 32) + 1});
}

static void task_too_high(hid_t file)
{
    put_attribute(file, "/", "task", H5T_NATIVE_INT, 1, &(int){3});
}

static void no_task_count(hid_t file)
{
    H5Adelete(file, "task_count");
}

static void none_seen(hid_t file)
{
    put_attribute(file, "/", "classes_seen", H5T_NATIVE_INT, 1, &(int){0});
}

static void version_zero(hid_t file)
{
    put_attribute(file, "/", "format_version", H5T_NATIVE_INT, 1, &(int){0});
}

static void odd_fact(hid_t file)
{
    put_attribute(file, "/provenance", "odd", H5T_NATIVE_INT, 3, (int[]){1, 2, 3});
}

static const struct oddity {
    void (*make)(hid_t file);
    const char *named; /* in the message */
} oddities[] = {
    {no_config, "/config"},
    {config_of_numbers, "/config: is not a string"},
    {config_of_two, "/config: is not a single value"},
    {config_of_nothing, "/config: claims a string of 2147483648 bytes"},
    {config_as_group, "/config"},
    {order_of_floats, "/class_order: is not of 32-bit integer"},
    {order_with_twins, "/class_order: entry 3"},
    {order_below_zero, "/class_order: entry 2"},
    {order_too_short, "classes_seen"},
    {names_of_too_few, "/class_names: has 2 lines for"},
    {order_of_rank_two, "/class_order"},
    {no_online, "/online"},
    {online_as_dataset, "/online"},
    {tensor_of_doubles, A_TENSOR ": is not of 32-bit float"},
    {tensor_without_data, A_TENSOR ": claims shape [1048576, 1048576]"},
    {tensor_beyond_counting, A_TENSOR ": claims shape"},
    {tensor_of_rank_nine, A_TENSOR ": has 9 dimensions"},
    {tensor_of_extent_zero, A_TENSOR ": is empty"},
    {tensor_of_null_space, A_TENSOR ": is empty"},
    {link_in_a_circle, "circle"},
    {link_to_elsewhere, "/online/elsewhere: is a link to elsewhere"},
    {link_to_nowhere, "/online/nowhere: is a link to elsewhere"},
    {classifiers_elsewhere, "/head: is a link to elsewhere"},
    {tensor_in_another_file, A_TENSOR ": its values are not in this file"},
    {tensor_many_times, "claims 262144 bytes"},
    {type_among_tensors, "/online/type: is neither"},
    {no_classifier, "/head/task_01"},
    {odd_classifier, "/head/task_01"},
    {one_classifier_more, "/head"},
    {no_metrics, "/metrics"},
    {metric_of_text, "/metrics/odd"},
    {metric_of_rank_three, "/metrics/odd"},
    {scatter_of_other_shape, "/stats/init/ridge/scatter: has shape [2, 3]; [3, 3] is wanted"},
    {mean_of_one_number, "/stats/init/mean"},
    {no_scatter, "/stats/init/scatter"},
    {negative_count, "/stats/init/count: entry 3 is -4"},
    {counts_of_too_few_classes, "/stats/init/count: is no list of 7 counts"},
    {half_a_merge_record, "/merge/blocks/0/attn/adapter/scale: attribute conflict"},
    {task_as_text, "attribute task"},
    {task_of_two, "attribute task"},
    {task_out_of_range, "attribute task"},
    {task_too_high, "task 3 of 3"},
    {no_task_count, "attribute task_count"},
    {none_seen, "classes_seen"},
    {version_zero, "format_version 0"},
    {odd_fact, "/provenance: attribute odd"},
};

static void change(const char *path, void (*make)(hid_t file))
{
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0);
    make(file);
    assert_true(H5Fclose(file) >= 0);
}

static void test_odd_contents(void **state)
{
    struct place *place = *state;
    write_example_without_seal(place->path);
    size_t size;
    unsigned char *bytes = load(place->path, &size);
    for (size_t i = 0; i < COUNT(oddities); i++) {
        save(place->path, bytes, size);
        change(place->path, oddities[i].make);
        assert_error(read_and_free(place->path), LAE_BAD_INPUT, place->path, oddities[i].named,
                     NULL);
    }
    free(bytes);
}

/* ---- odd classifiers of many tasks: not damaged, but not what they claim ---- */

static void no_numbers_of_classes(hid_t file)
{
    forget(file, "/head/classes");
}

static void put_numbers_of_classes(hid_t file, hsize_t tasks, int first)
{
    int classes[DONE + 1];
    for (int task = 0; task <= DONE; task++)
        classes[task] = task == 0 ? first : 1;
    forget(file, "/head/classes");
    put_dataset(file, "/head/classes", H5T_NATIVE_INT, 1, &tasks, classes);
}

static void a_task_without_classes(hid_t file)
{
    put_numbers_of_classes(file, DONE, 0);
}

static void a_task_too_many(hid_t file)
{
    put_numbers_of_classes(file, DONE + 1, 1);
}

static void a_class_too_many(hid_t file)
{
    put_numbers_of_classes(file, DONE, 2);
}

/* The sum of all would be right in 32 bits. */
static void classes_beyond_all(hid_t file)
{
    put_numbers_of_classes(file, DONE, INT_MAX);
}

static void put_rows(hid_t file, int rank, hsize_t rows)
{
    static const float values[5 * DONE];
    forget(file, "/head/weight");
    put_dataset(file, "/head/weight", H5T_NATIVE_FLOAT, rank, (hsize_t[]){rows, 4}, values);
}

static void a_row_too_few(hid_t file)
{
    put_rows(file, 2, DONE - 1);
}

static void rows_without_width(hid_t file)
{
    put_rows(file, 1, DONE);
}

static void a_bias_too_few(hid_t file)
{
    static const float values[DONE];
    forget(file, "/head/bias");
    put_dataset(file, "/head/bias", H5T_NATIVE_FLOAT, 1, (hsize_t[]){DONE - 1}, values);
}

static const struct {
    void (*make)(hid_t file);
    const char *named;
} odd_classifiers[] = {
    {no_numbers_of_classes, "/head/classes"},
    {a_task_without_classes, "/head/classes: entry 0 is 0"},
    {a_task_too_many, "/head/classes: has 301 entries, 300 are wanted"},
    {a_class_too_many, "/head/classes: come to 301; 300 classes have been seen"},
    {classes_beyond_all, "/head/classes: come to"},
    {a_row_too_few, "/head/weight: has shape [299, 4]; 300 rows are wanted"},
    {rows_without_width, "/head/weight: has shape [300];"},
    {a_bias_too_few, "/head/bias: has 299 entries, 300 are wanted"},
};

static void test_odd_classifiers_of_many_tasks(void **state)
{
    struct place *place = *state;
    struct lae_checkpoint many;
    make_many(&many, DONE);
    for (size_t i = 0; i < COUNT(odd_classifiers); i++) {
        assert_ok(lae_checkpoint_write(place->path, &many));
        size_t size;
        unsigned char *bytes = load(place->path, &size);
        save(place->path, bytes + LAE_SEAL_BYTES, size - LAE_SEAL_BYTES);
        free(bytes);
        change(place->path, odd_classifiers[i].make);
        assert_error(read_and_free(place->path), LAE_BAD_INPUT, place->path,
                     odd_classifiers[i].named, NULL);
    }
    lae_checkpoint_free(&many);
}

/* Other writers' habits: strings of fixed length, big-endian numbers, groups from later versions.
 */
static void write_otherwise(hid_t file)
{
    struct lae_checkpoint example;
    make_example(&example);
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, strlen(example.config));
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    forget(file, "/config");
    put_dataset(file, "/config", type, 0, NULL, example.config);
    H5Tclose(type);
    forget(file, "/class_order");
    int64_t big_endian[4] = {0}; /* 7 32-bit integers */
    for (int i = 0; i < 7; i++)
        ((unsigned char *)big_endian)[4 * i + 3] = (unsigned char)example.class_order[i];
    put_dataset(file, "/class_order", H5T_STD_I32BE, 1, (hsize_t[]){7}, big_endian);
    put_attribute(file, "/", "task", H5T_NATIVE_UCHAR, 1, &(unsigned char){1});
    put_attribute(file, "/provenance", "created", H5T_C_S1, 1, "x");
    H5Gclose(H5Gcreate2(file, "/stats", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    put_dataset(file, "/stats/count", H5T_NATIVE_LLONG, 0, NULL, &(long long){3});
    lae_checkpoint_free(&example);
}

static void test_other_writers(void **state)
{
    struct place *place = *state;
    struct lae_checkpoint example, found;
    make_example(&example);
    free(example.provenance[0].text);
    example.provenance[0].text = strdup("x");
    write_example_without_seal(place->path);
    change(place->path, write_otherwise);
    assert_ok(lae_checkpoint_read(place->path, &lae_run_layout, NULL, &found));
    assert_same(&example, &found);
    lae_checkpoint_free(&example);
    lae_checkpoint_free(&found);
}

/* ---- places where nothing can be written ---- */

static void test_no_such_directory(void **state)
{
    struct place *place = *state;
    char path[PLACE_SIZE + 64];
    struct lae_checkpoint example;
    make_example(&example);
    snprintf(path, sizeof path, "%s/missing/task_00.h5", place->directory);
    assert_error(lae_checkpoint_write(path, &example), LAE_BAD_INPUT, path, NULL);
    save(place->other, (const unsigned char *)"x", 1);
    snprintf(path, sizeof path, "%s/task_00.h5", place->other);
    assert_error(lae_checkpoint_write(path, &example), LAE_BAD_INPUT, path, NULL);
    if (geteuid() != 0) { /* root may write anywhere */
        assert_int_equal(chmod(place->directory, 0500), 0);
        lae_status status = lae_checkpoint_write(place->path, &example);
        assert_non_null(status);
        assert_non_null(strstr(lae_status_message(status), "Permission denied"));
        lae_status_free(status);
        assert_int_equal(chmod(place->directory, 0700), 0);
    }
    lae_checkpoint_free(&example);
}

/* A limit on the size of files stands for a full disk. */
static lae_status write_with_room(const char *path, const struct lae_checkpoint *checkpoint,
                                  rlim_t room)
{
    struct rlimit before, limit;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){room, before.rlim_max};
    sigaction(SIGXFSZ, &ignore, &old);
    setrlimit(RLIMIT_FSIZE, &limit);
    lae_status status = lae_checkpoint_write(path, checkpoint);
    setrlimit(RLIMIT_FSIZE, &before);
    sigaction(SIGXFSZ, &old, NULL);
    return status;
}

static void test_full_disk(void **state)
{
    struct place *place = *state;
    static const rlim_t rooms[] = {0, 100, 512, 700, 4096, 10000};
    struct lae_checkpoint example;
    make_example(&example);
    for (size_t i = 0; i < COUNT(rooms); i++)
        assert_error(write_with_room(place->path, &example, rooms[i]), LAE_FAILED, place->path,
                     "File too large", NULL);
    assert_int_equal(entries_in(place->directory), 0);
    assert_ok(lae_checkpoint_write(place->path, &example));
    example.task_count = 9;
    assert_error(write_with_room(place->path, &example, 4096), LAE_FAILED, NULL);
    assert_int_equal(entries_in(place->directory), 1);
    example.task_count = 3;
    struct lae_checkpoint found; /* the file before is as it was */
    assert_ok(lae_checkpoint_read(place->path, &lae_run_layout, NULL, &found));
    assert_same(&example, &found);
    lae_checkpoint_free(&found);
    lae_checkpoint_free(&example);
}

/* ---- vectors ---- */

static void test_vectors(void **state)
{
    (void)state;
    struct lae_table table = {0};
    assert_ok(lae_table_add(&table, "a/weight", 2, (size_t[]){2, 3}));
    assert_ok(lae_table_add(&table, "a/scale", 0, NULL));
    assert_ok(lae_table_add(&table, "b", 1, (size_t[]){4}));
    float vector[11], again[11] = {0};
    for (int i = 0; i < 11; i++)
        vector[i] = (float)i + 0.5f;
    struct lae_set set;
    assert_ok(lae_set_from_vector(&set, &table, vector));
    assert_int_equal(set.count, 3);
    assert_true(lae_set_find(&set, "a/scale")->data[0] == 6.5f);
    assert_ok(lae_set_into_vector(&set, &table, again));
    assert_memory_equal(vector, again, sizeof vector);

    struct lae_named *extra;
    assert_ok(lae_set_add(&set, "c", 1, (size_t[]){1}, &extra));
    assert_error(lae_set_into_vector(&set, &table, again), LAE_BAD_INPUT, "tensor c", NULL);
    lae_set_find(&set, "a/weight")->shape[0] = 3;
    lae_set_find(&set, "a/weight")->shape[1] = 2;
    assert_error(lae_set_into_vector(&set, &table, again), LAE_BAD_INPUT, "a/weight", "[3, 2]",
                 "[2, 3]", NULL);
    lae_set_find(&set, "a/weight")->shape[0] = 2;
    lae_set_find(&set, "a/weight")->shape[1] = 3;
    lae_set_find(&set, "b")->name[0] = 'd';
    assert_error(lae_set_into_vector(&set, &table, again), LAE_BAD_INPUT, "tensor b is missing",
                 NULL);
    lae_set_free(&set);
    lae_table_free(&table);
}

#define AT_A_PLACE(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, make_watched_place, remove_watched_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AT_A_PLACE(test_round_trip),
        AT_A_PLACE(test_round_trip_of_little),
        AT_A_PLACE(test_many_tasks),
        AT_A_PLACE(test_many_tasks_to_come),
        AT_A_PLACE(test_which_version),
        AT_A_PLACE(test_odd_classifiers_of_many_tasks),
        AT_A_PLACE(test_forged),
        AT_A_PLACE(test_large_values),
        AT_A_PLACE(test_equal_contents_equal_files),
        AT_A_PLACE(test_index),
        AT_A_PLACE(test_index_listed),
        AT_A_PLACE(test_flipped_bits),
        AT_A_PLACE(test_left_open_by_a_viewer),
        AT_A_PLACE(test_earlier_superblock),
        AT_A_PLACE(test_damage_is_explained),
        AT_A_PLACE(test_truncation),
        AT_A_PLACE(test_other_kinds_of_file),
        AT_A_PLACE(test_newer_version),
        AT_A_PLACE(test_without_seal),
        AT_A_PLACE(test_repacked),
        AT_A_PLACE(test_odd_contents),
        AT_A_PLACE(test_other_writers),
        AT_A_PLACE(test_no_such_directory),
        AT_A_PLACE(test_full_disk),
        cmocka_unit_test(test_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
