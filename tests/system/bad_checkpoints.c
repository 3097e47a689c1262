/* Checkpoints that are damaged, foreign, of another run, or not what they say.
 *
 * Damage that the digest catches is no reason to stop: the program goes back to what was saved
 * before, says so, and ends with the same bits as a run that nothing happened to. */
#include "bad.h"

#include "lae/run/state.h"
#include "lae/store/checkpoint.h"

#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLIPS 64
#define CUTS 8
#define LONG_RUN "train.epochs=40" /* what the runs `long` and `inside` of the masters had */

/* ---- damage that is passed over */

struct damage {
    char file[32];
    bool cut;       /* else a byte is turned over */
    size_t at, of;  /* at this share of the file: its first byte to its last */
    char also[32];  /* another file with its middle byte turned over, or "" */
    char whole[32]; /* the run of the masters that the result must be equal to */
};

static bool damage_file(const struct bad_place *place, const char *name, bool cut, size_t at,
                        size_t of)
{
    char path[BAD_PATH];
    struct bad_bytes bytes;
    if (!bad_read(bad_join(path, place->run, name), &bytes)) return false;
    size_t byte = (bytes.size - 1) * at / of;
    if (!cut) bytes.data[byte] ^= 0x01;
    bool written = bad_write(path, bytes.data, cut ? byte : bytes.size);
    free(bytes.data);
    return written;
}

static bool make_damage(const struct bad_place *place, const void *with)
{
    const struct damage *damage = with;
    return damage_file(place, damage->file, damage->cut, damage->at, damage->of) &&
           (damage->also[0] == '\0' || damage_file(place, damage->also, false, 1, 2));
}

/* All task files but `left`, which the test damaged and nothing was computed in place of, against
 * those of a run that was never disturbed. */
static bool compare_run(const struct bad_place *place, const char *whole, const char *left)
{
    static const char *const files[] = {"task_00.h5", "task_01.h5", "task_02.h5"};
    char master[BAD_PATH], a[BAD_PATH], b[BAD_PATH];
    bad_join(master, place->masters, whole);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(files[i], left) != 0 &&
            !bad_same(bad_join(a, master, files[i]), bad_join(b, place->run, files[i])))
            return false;
    return true;
}

static bool compare_damage(const struct bad_place *place, const void *with)
{
    const struct damage *damage = with;
    char path[BAD_PATH], kept[BAD_PATH + 16];
    snprintf(kept, sizeof kept, "%s.damaged", bad_join(path, place->run, damage->file));
    if (access(kept, F_OK) != 0) return bad_tell("find", kept); /* not replaced */
    snprintf(kept, sizeof kept, "%s.damaged", bad_join(path, place->run, damage->also));
    return compare_run(place, damage->whole, access(kept, F_OK) == 0 ? "" : damage->also);
}

static bool compare_whole(const struct bad_place *place, const void *with)
{
    (void)with;
    return compare_run(place, "whole", "");
}

static bool compare_long(const struct bad_place *place, const void *with)
{
    (void)with;
    return compare_run(place, "long", "");
}

static void add_damage(struct bad_list *list, const char *run, const struct damage *damage)
{
    bool inside = strcmp(run, "inside") == 0;
    bad_add(list, &(struct bad_case){
                      .name = bad_text(list, "%s %s at %zu/%zu%s%s", damage->file,
                                       damage->cut ? "cut" : "turned over", damage->at, damage->of,
                                       damage->also[0] != '\0' ? ", and " : "", damage->also),
                      .end = BAD_WARNED,
                      .args = {inside ? LONG_RUN : NULL},
                      .run = run,
                      .changes = true,
                      .make = make_damage,
                      .after = compare_damage,
                      .with = bad_keep(list, damage, sizeof *damage),
                      .word = "going back to what was saved before",
                      .also = bad_text(list, "%s", damage->file),
                  });
}

static void add_damages(struct bad_list *list)
{
    for (size_t i = 0; i < FLIPS; i++)
        add_damage(list, "whole", &(struct damage){"task_02.h5", false, i, FLIPS - 1, "", "whole"});
    for (size_t i = 0; i < CUTS; i++)
        add_damage(list, "whole", &(struct damage){"task_02.h5", true, i, CUTS - 1, "", "whole"});
    for (size_t i = 0; i < CUTS; i++) {
        add_damage(list, "inside", &(struct damage){"resume.h5", false, i, CUTS - 1, "", "long"});
        add_damage(list, "inside", &(struct damage){"resume.h5", true, i, CUTS - 1, "", "long"});
    }
    add_damage(list, "whole", &(struct damage){"task_02.h5", false, 1, 3, "task_01.h5", "whole"});
    add_damage(list, "inside",
               &(struct damage){"resume.h5", false, 1, 3, "resume-previous.h5", "long"});
    add_damage(list, "inside", &(struct damage){"resume.h5", true, 1, 3, "task_00.h5", "long"});
}

/* ---- files that are whole, but wrong; written by the program's own writer */

enum fault {
    OTHER_TASK,     /* the number of another task */
    OTHER_COUNT,    /* of tasks in all */
    OTHER_KEY,      /* another configuration */
    BROKEN_CONFIG,  /* no YAML */
    STRANGE_CONFIG, /* keys there are none */
    OTHER_ORDER,    /* of classes */
    NOT_A_NUMBER,   /* among the parameters */
    NAN_HEAD,
    NAN_MOMENT,
    NAN_STATS,    /* among class statistics */
    FUTURE_STATS, /* of a class to come */
    FEWER_STATS,  /* than stats.modules asks for */
    NARROW_STATS, /* of fewer features */
    MISSING_TENSOR,
    EXTRA_TENSOR,
    OTHER_SHAPE,
    MISSING_METRIC,
    NO_OFFLINE,
    OTHER_IMAGES, /* the digest of other images */
    STEP_FAR,
    STEP_BACK,
    EPOCH_FAR,
    EPOCH_BACK,
    OTHER_MOMENTS,
    IMAGES_FAR,
};

static void rewrite_config(struct lae_checkpoint *c, enum fault fault)
{
    struct bad_bytes bytes = {(unsigned char *)c->config, strlen(c->config)};
    bool done = true;
    if (fault == OTHER_KEY) done = bad_replace(&bytes, "batch_size: 11", "batch_size: 12");
    if (fault == BROKEN_CONFIG) done = bad_replace(&bytes, "train:", "train: [");
    if (fault == STRANGE_CONFIG) done = bad_replace(&bytes, "batch_size:", "batch_syze:");
    if (!done) abort();
    bytes.data[bytes.size] = '\0';
    c->config = (char *)bytes.data;
}

static void drop_last(struct lae_set *set)
{
    struct lae_named *last = &set->items[--set->count];
    free(last->name);
    free(last->data);
}

static void rename_image_digest(struct lae_checkpoint *c)
{
    for (size_t i = 0; i < c->fact_count; i++)
        if (strcmp(c->provenance[i].name, "data_digest") == 0) c->provenance[i].text[0] ^= 1;
}

/* What stands in /resume. */
static void inject_position(struct lae_position *at, struct lae_set *adam, enum fault fault)
{
    if (fault == STEP_FAR) at->step = (int64_t)1 << 40;
    if (fault == STEP_BACK) at->step = 0;
    if (fault == EPOCH_FAR) at->epoch = 1 << 30;
    if (fault == EPOCH_BACK) at->epoch = -1;
    if (fault == IMAGES_FAR) at->images = (int64_t)1 << 50;
    if (fault == NAN_MOMENT) adam->items[0].data[0] = NAN;
    if (fault == OTHER_MOMENTS) adam->items[0].shape[0] = --adam->items[0].count;
}

static void inject(struct lae_checkpoint *c, enum fault fault)
{
    struct lae_named *extra;
    size_t one = 1;
    if (fault == OTHER_TASK) c->task_count = c->task + 1;
    if (fault == OTHER_COUNT) c->task_count++;
    if (fault == OTHER_ORDER) {
        int32_t first = c->class_order[0];
        c->class_order[0] = c->class_order[1];
        c->class_order[1] = first;
    }
    if (fault == OTHER_KEY || fault == BROKEN_CONFIG || fault == STRANGE_CONFIG)
        rewrite_config(c, fault);
    if (fault == NOT_A_NUMBER) c->online.items[0].data[0] = NAN;
    if (fault == NAN_HEAD) c->head.items[0].data[0] = INFINITY;
    if (fault == NAN_STATS) c->stats[0].stats.mean[0] = NAN;
    if (fault == FUTURE_STATS) c->stats[0].stats.count[c->classes - 1] = 1;
    if (fault == FEWER_STATS) c->stats_count--;
    if (fault == NARROW_STATS) c->stats[0].stats.width--;
    if (fault == MISSING_TENSOR) drop_last(&c->online);
    if (fault == EXTRA_TENSOR && lae_set_add(&c->online, "blocks/9/more", 1, &one, &extra) != NULL)
        abort();
    if (fault == OTHER_SHAPE) {
        struct lae_named *item = &c->online.items[1];
        item->rank = 1;
        item->shape[0] = item->count = item->count - 1;
    }
    if (fault == MISSING_METRIC) c->metric_count--;
    if (fault == NO_OFFLINE) lae_set_free(&c->offline);
    if (fault == OTHER_IMAGES) rename_image_digest(c);
    struct lae_saved_position *saved = c->position;
    if (saved != NULL) inject_position(&saved->at, &c->adam, fault);
}

struct wrong {
    const char *name, *file, *word;
    enum fault fault;
};

static bool make_wrong(const struct bad_place *place, const void *with)
{
    const struct wrong *wrong = with;
    char path[BAD_PATH];
    struct lae_checkpoint checkpoint;
    lae_status status = lae_checkpoint_read(bad_join(path, place->run, wrong->file),
                                            &lae_run_layout, NULL, &checkpoint);
    if (status == NULL) {
        size_t metrics = checkpoint.metric_count, stats = checkpoint.stats_count;
        inject(&checkpoint, wrong->fault);
        status = lae_checkpoint_write(path, &checkpoint);
        checkpoint.metric_count = metrics;
        checkpoint.stats_count = stats;
        lae_checkpoint_free(&checkpoint);
    }
    if (status == NULL) return true;
    fprintf(stderr, "%s\n", lae_status_message(status));
    lae_status_free(status);
    return false;
}

static const struct wrong wrongs[] = {
    {"fewer tasks", "task_00.h5", "task", OTHER_TASK},
    {"more tasks", "task_00.h5", "is wanted", OTHER_COUNT},
    {"another batch size", "task_00.h5", "train.batch_size: 12 there, 11 now", OTHER_KEY},
    {"a configuration that is broken", "task_00.h5", "/config:", BROKEN_CONFIG},
    {"a configuration of unknown keys", "task_00.h5", "batch_syze", STRANGE_CONFIG},
    {"another class order", "task_00.h5", "class_order", OTHER_ORDER},
    {"NaN among the parameters", "task_00.h5", "/online", NOT_A_NUMBER},
    {"infinity in a classifier", "task_00.h5", "/head", NAN_HEAD},
    {"NaN among class statistics", "task_00.h5", "/stats/init: a mean", NAN_STATS},
    {"statistics of a class to come", "task_00.h5", "/stats/init/count has images", FUTURE_STATS},
    {"no statistics through offline", "task_00.h5", "/stats/offline is missing", FEWER_STATS},
    {"statistics of fewer features", "task_00.h5", "/stats/init is of 15 features", NARROW_STATS},
    {"a missing tensor", "task_00.h5", "/online: ", MISSING_TENSOR},
    {"a tensor too many", "task_00.h5", "blocks/9/more", EXTRA_TENSOR},
    {"a tensor of another shape", "task_00.h5", "blocks/", OTHER_SHAPE},
    {"missing metrics", "task_00.h5", "/metrics", MISSING_METRIC},
    {"no offline module", "task_00.h5", "/offline: ", NO_OFFLINE},
    {"another digest of the images", "task_00.h5", "other images", OTHER_IMAGES},
    {"a step beyond the task", "resume.h5", "resume", STEP_FAR},
    {"a step before its epoch", "resume.h5", "resume", STEP_BACK},
    {"an epoch beyond the task", "resume.h5", "resume", EPOCH_FAR},
    {"an epoch below 0", "resume.h5", "resume", EPOCH_BACK},
    {"more images than there are", "resume.h5", "resume", IMAGES_FAR},
    {"NaN among Adam's moments", "resume.h5", "adam", NAN_MOMENT},
    {"too few moments", "resume.h5", "adam", OTHER_MOMENTS},
};

static void add_wrongs(struct bad_list *list)
{
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        bool inside = strcmp(wrongs[i].file, "resume.h5") == 0;
        bad_add(list, &(struct bad_case){
                          .name = bad_text(list, "%s with %s", wrongs[i].file, wrongs[i].name),
                          .args = {inside ? LONG_RUN : NULL},
                          .run = inside ? "inside" : "base",
                          .make = make_wrong,
                          .with = &wrongs[i],
                          .word = wrongs[i].word,
                          .also = "{run}",
                      });
    }
}

/* ---- other things in a checkpoint's place */

enum stranger {
    NEWER,    /* a later format version */
    HDF5,     /* of nobody's */
    BACKBONE, /* a weight file of the program's own */
    INDEX,    /* run.h5 */
    INSIDE,   /* resume.h5 */
    EARLIER,  /* task_00.h5 under a later task's name */
    DIRECTORY,
    PIPE,
    DANGLING, /* a link to nothing */
    CIRCLE,   /* a link to itself */
    DEVICE,
    LINK,
    EMPTY,
    TEXT,
    UNSEALED, /* the file without its line: read, with a warning */
};

struct place {
    const char *name, *file, *word;
    enum stranger what;
    enum bad_end end;
};

static bool make_newer(const char *path, const struct bad_place *place)
{
    char base[BAD_PATH];
    struct bad_bytes bytes;
    if (!bad_read(bad_join(base, place->masters, "whole/task_02.h5"), &bytes)) return false;
    bool made = bad_replace(&bytes, "lae-checkpoint 1 ", "lae-checkpoint 9 ") &&
                bad_write(path, bytes.data, bytes.size);
    free(bytes.data);
    return made;
}

static bool make_foreign(const char *path)
{
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    return H5Fclose(file) >= 0 || bad_tell("write", path);
}

/* As users are told to do it where another tool has changed a file on purpose. */
static bool make_unsealed(const char *path)
{
    char old[BAD_PATH + 8];
    snprintf(old, sizeof old, "%s.sealed", path);
    if (rename(path, old) != 0) return bad_tell("rename", path);
    pid_t process = fork();
    if (process == 0) {
        execlp("h5unjam", "h5unjam", "-i", old, "-o", path, "--delete", (char *)NULL);
        _exit(127);
    }
    return bad_wait(process, 30.0) == 0 && remove(old) == 0;
}

static bool copy_master(const struct bad_place *place, const char *name, const char *path)
{
    char from[BAD_PATH];
    return bad_copy(bad_join(from, place->masters, name), path);
}

static bool put(const struct bad_place *place, enum stranger what, const char *path)
{
    char target[BAD_PATH];
    switch (what) {
    case NEWER:
        return make_newer(path, place);
    case HDF5:
        return make_foreign(path);
    case BACKBONE:
        return copy_master(place, "own.h5", path);
    case INDEX:
        return copy_master(place, "whole/run.h5", path);
    case INSIDE:
        return copy_master(place, "inside/resume.h5", path);
    case EARLIER:
        return copy_master(place, "whole/task_00.h5", path);
    case DIRECTORY:
        return mkdir(path, 0777) == 0;
    case PIPE:
        return mkfifo(path, 0666) == 0;
    case DANGLING:
        return symlink("/nowhere/there.h5", path) == 0;
    case CIRCLE:
        return symlink(path, path) == 0;
    case DEVICE:
        return symlink("/dev/zero", path) == 0;
    case LINK:
        return symlink(bad_join(target, place->masters, "whole/task_02.h5"), path) == 0;
    case EMPTY:
        return bad_write(path, "", 0);
    case TEXT:
        return bad_write(path, "an h5 file\n", 11);
    case UNSEALED:
        return make_unsealed(path);
    }
    return false;
}

static bool make_stranger(const struct bad_place *place, const void *with)
{
    const struct place *stranger = with;
    char path[BAD_PATH];
    bad_join(path, place->run, stranger->file);
    if (stranger->what != UNSEALED) remove(path);
    return put(place, stranger->what, path) || bad_tell("make", path);
}

static const struct place strangers[] = {
    {"a newer format", "task_02.h5", "newer version", NEWER, BAD_REFUSED},
    {"a newer format inside a task", "resume.h5", "newer version", NEWER, BAD_REFUSED},
    {"foreign HDF5", "task_02.h5", "no lae-checkpoint file", HDF5, BAD_REFUSED},
    {"foreign HDF5 inside a task", "resume.h5", "no lae-checkpoint file", HDF5, BAD_REFUSED},
    {"a backbone", "task_02.h5", "is a lae-weights file", BACKBONE, BAD_REFUSED},
    {"the index", "task_02.h5", "run", INDEX, BAD_REFUSED},
    {"a state inside a task", "task_02.h5", "holds task", INSIDE, BAD_REFUSED},
    {"an earlier task", "task_02.h5", "holds task 0", EARLIER, BAD_REFUSED},
    {"a directory", "task_02.h5", "not a regular file", DIRECTORY, BAD_REFUSED},
    {"a directory inside a task", "resume.h5", "not a regular file", DIRECTORY, BAD_REFUSED},
    {"a directory before that", "resume-previous.h5", "not a regular file", DIRECTORY, BAD_REFUSED},
    {"a named pipe", "task_02.h5", "not a regular file", PIPE, BAD_REFUSED},
    {"a named pipe inside a task", "resume.h5", "not a regular file", PIPE, BAD_REFUSED},
    {"a link to nothing", "task_02.h5", "is a link", DANGLING, BAD_REFUSED},
    {"a link to nothing inside a task", "resume.h5", "is a link", DANGLING, BAD_REFUSED},
    {"a link to itself", "task_02.h5", "is a link", CIRCLE, BAD_REFUSED},
    {"a link to a device", "task_02.h5", "is a link", DEVICE, BAD_REFUSED},
    {"a link to a good file", "task_02.h5", "is a link", LINK, BAD_REFUSED},
    {"a link to a good file inside a task", "resume.h5", "is a link", LINK, BAD_REFUSED},
    {"an empty file", "task_02.h5", "is empty; going back", EMPTY, BAD_WARNED},
    {"a text", "task_02.h5", "not an HDF5 file", TEXT, BAD_WARNED},
    {"an empty file inside a task", "resume.h5", "is empty; going back", EMPTY, BAD_WARNED},
    {"a task far away", "task_99998.h5", "task_99998.h5", EARLIER, BAD_REFUSED},
    {"a file without its digest", "task_02.h5", "has no digest", UNSEALED, BAD_WARNED},
};

static void add_strangers(struct bad_list *list)
{
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        const struct place *stranger = &strangers[i];
        bool warned = stranger->end == BAD_WARNED;
        bad_add(list, &(struct bad_case){
                          .name = bad_text(list, "%s for %s", stranger->name, stranger->file),
                          .end = stranger->end,
                          .run = "whole",
                          .changes = warned,
                          .make = make_stranger,
                          .after = warned ? compare_whole : NULL,
                          .with = stranger,
                          .word = stranger->word,
                          .also = "{run}",
                      });
    }
}

/* ---- run.resume=PATH */

struct resume {
    const char *name, *word;
    enum stranger what;
};

static const struct resume resumes[] = {
    {"a newer format", "newer version", NEWER},
    {"foreign HDF5", "no lae-checkpoint file", HDF5},
    {"a backbone", "is a lae-weights file", BACKBONE},
    {"a directory", "has no good task_NN.h5", DIRECTORY},
    {"a named pipe", "not a regular file", PIPE},
    {"a link to nothing", "No such file", DANGLING},
    {"a link to itself", "oo many levels", CIRCLE},
    {"a device", "not a regular file", DEVICE},
    {"an empty file", "is empty", EMPTY},
    {"a text", "not an HDF5 file", TEXT},
};

static bool make_resume(const struct bad_place *place, const void *with)
{
    const struct resume *resume = with;
    return put(place, resume->what, place->file) || bad_tell("make", place->file);
}

static bool make_damaged_resume(const struct bad_place *place, const void *with)
{
    (void)with;
    struct bad_bytes bytes;
    if (!copy_master(place, "whole/task_01.h5", place->file) || !bad_read(place->file, &bytes))
        return false;
    bytes.data[bytes.size / 2] ^= 4;
    bool written = bad_write(place->file, bytes.data, bytes.size);
    free(bytes.data);
    return written;
}

static void add_resumes(struct bad_list *list)
{
    for (size_t i = 0; i < sizeof resumes / sizeof *resumes; i++)
        bad_add(list, &(struct bad_case){
                          .name = bad_text(list, "run.resume: %s", resumes[i].name),
                          .args = {"run.resume={file}"},
                          .file = "from.h5",
                          .make = make_resume,
                          .with = &resumes[i],
                          .word = resumes[i].word,
                          .also = "run.resume: {file}",
                      });
    static const struct bad_case cases[] = {
        {.name = "run.resume: a damaged file",
         .args = {"run.resume={file}"},
         .file = "from.h5",
         .make = make_damaged_resume,
         .word = "damaged",
         .also = "run.resume: {file}"},
        {.name = "run.resume: nothing there",
         .args = {"run.resume=/nowhere/task_01.h5"},
         .word = "run.resume: /nowhere/task_01.h5"},
        {.name = "run.resume: another configuration",
         .args = {"run.resume={masters}/whole/task_01.h5", "pet.attn.type=lora"},
         .word = "pet.attn.type: adapter there, lora now"},
        {.name = "run.resume: another seed",
         .args = {"run.resume={masters}/whole/task_01.h5", "run.seed=2"},
         .word = "run.seed"},
        {.name = "run.resume: other data",
         .args = {"run.resume={masters}/photos/task_00.h5"},
         .word = "data.dataset"},
        {.name = "run.resume: other weights",
         .args = {"run.resume={masters}/whole/task_01.h5",
                  "model.weights={source}/tests/reference/weights/timm-bf16.safetensors"},
         .word = "model.weights"},
        {.name = "run.resume: never, and a run is there",
         .args = {"run.resume=never"},
         .run = "base",
         .word = "run.resume is never"},
        {.name = "run.resume: a word", .args = {"run.resume=yes"}, .word = "run.resume"},
        {.name = "another key of a run inside a task",
         .args = {"train.epochs=41"},
         .run = "inside",
         .word = "train.epochs: 40 there, 41 now"},
        {.name = "a run inside a task, undisturbed",
         .end = BAD_FINE,
         .args = {LONG_RUN},
         .run = "inside",
         .changes = true,
         .after = compare_long},
        {.name = "a run of one task, undisturbed",
         .end = BAD_FINE,
         .run = "base",
         .changes = true,
         .after = compare_whole},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        bad_add(list, &cases[i]);
}

void bad_checkpoints(struct bad_list *list)
{
    add_damages(list);
    add_wrongs(list);
    add_strangers(list);
    add_resumes(list);
}
