/* Where results go: no directory, no permission, no space, no locks; taken by something else or by
 * another job; gone in the middle. */
#define _GNU_SOURCE /* unshare, MNT_DETACH */
#include "bad.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* So slow that something can happen to it: a state is saved at every step. */
#define SLOW "train.epochs=40", "checkpoint.every_steps=1"

/* ---- something else where a file of the run goes */

enum thing {
    DIRECTORY,
    FULL_DIRECTORY,
    PIPE,
    DANGLING,
    CIRCLE,
    DEVICE,
    LINK,
    LINKED_DIRECTORY,
    HARD
};

struct way {
    const char *file, *word;
    enum thing thing;
    enum bad_end end;
};

static const struct way ways[] = {
    {"config.yaml", "config.yaml", DIRECTORY, BAD_REFUSED},
    {"metrics.jsonl", "metrics.jsonl", DIRECTORY, BAD_REFUSED},
    {"log.txt", "log.txt", DIRECTORY, BAD_REFUSED},
    {"lock", "lock", DIRECTORY, BAD_REFUSED},
    {"run.h5", "run.h5", DIRECTORY, BAD_REFUSED},
    {"resume-coming.h5", "resume-coming.h5", DIRECTORY, BAD_REFUSED},
    {"config.yaml", "config.yaml", FULL_DIRECTORY, BAD_REFUSED},
    {"run.h5", "run.h5", FULL_DIRECTORY, BAD_REFUSED},
    {"config.yaml", "config.yaml", PIPE, BAD_REFUSED},
    {"metrics.jsonl", "metrics.jsonl", PIPE, BAD_REFUSED},
    {"log.txt", "log.txt", PIPE, BAD_REFUSED},
    {"lock", "lock", PIPE, BAD_REFUSED},
    {"run.h5", "run.h5", PIPE, BAD_REFUSED},
    {"metrics.jsonl", "metrics.jsonl", DEVICE, BAD_REFUSED},
    {"log.txt", "log.txt", DEVICE, BAD_REFUSED},
    {"lock", "lock", DEVICE, BAD_REFUSED},
    {"metrics.jsonl", "metrics.jsonl", DANGLING, BAD_REFUSED},
    {"log.txt", "log.txt", DANGLING, BAD_REFUSED},
    {"lock", "lock", DANGLING, BAD_REFUSED},
    {"metrics.jsonl", "metrics.jsonl", CIRCLE, BAD_REFUSED},
    {"log.txt", "log.txt", CIRCLE, BAD_REFUSED},
    {"lock", "lock", CIRCLE, BAD_REFUSED},
    {"lock", "lock: is a link", LINK, BAD_REFUSED},
    {"log.txt", "log.txt: is a link", LINK, BAD_REFUSED},
    {"metrics.jsonl", "metrics.jsonl: is a link", LINK, BAD_REFUSED},
    {"config.yaml", "config.yaml: is a link", LINK, BAD_REFUSED},
    {"run.h5", "run.h5: is a link", LINK, BAD_REFUSED},
    {"task_00.h5", "task_00.h5: is a link", LINK, BAD_REFUSED},
    {"task_01.h5", "task_01.h5: is a link", LINK, BAD_REFUSED},
    {"resume.h5", "resume.h5: is a link", LINK, BAD_REFUSED},
    {"resume-previous.h5", "resume-previous.h5: is a link", LINK, BAD_REFUSED},
    {"resume-coming.h5", "resume-coming.h5: is a link", LINK, BAD_REFUSED},
    {"events", "events: is a link", LINKED_DIRECTORY, BAD_REFUSED},
    {"lock", "lock: has 2 names", HARD, BAD_REFUSED},
    {"log.txt", "log.txt: has 2 names", HARD, BAD_REFUSED},
    {"metrics.jsonl", "metrics.jsonl: has 2 names", HARD, BAD_REFUSED},
    {"events", "events", PIPE, BAD_REFUSED},
    {"events", "events", DANGLING, BAD_REFUSED},
    {"events", "events", CIRCLE, BAD_REFUSED},
};

/* What a link leads to: somebody else's. */
#define VICTIM "mine\n"

static bool put(const struct bad_place *place, const char *path, enum thing thing)
{
    char inner[BAD_PATH], victim[BAD_PATH], directory[BAD_PATH];
    bad_remove(path);
    if (!bad_write(bad_join(victim, place->dir, "victim"), VICTIM, strlen(VICTIM)) ||
        mkdir(bad_join(directory, place->dir, "directory"), 0777) != 0)
        return false;
    switch (thing) {
    case DIRECTORY:
        return mkdir(path, 0777) == 0;
    case FULL_DIRECTORY:
        return mkdir(path, 0777) == 0 && bad_write(bad_join(inner, path, "file"), "a", 1);
    case PIPE:
        return mkfifo(path, 0666) == 0;
    case DANGLING:
        return symlink("/nowhere/there", path) == 0;
    case CIRCLE:
        return symlink(path, path) == 0;
    case DEVICE:
        return symlink("/dev/full", path) == 0;
    case LINK:
        return symlink(victim, path) == 0;
    case LINKED_DIRECTORY:
        return symlink(directory, path) == 0;
    case HARD:
        return link(victim, path) == 0;
    }
    return false;
}

static bool put_in_the_way(const struct bad_place *place, const void *with)
{
    const struct way *way = with;
    char path[BAD_PATH];
    return put(place, bad_join(path, place->run, way->file), way->thing) || bad_tell("make", path);
}

static bool victim_is_whole(const struct bad_place *place, const void *with)
{
    (void)with;
    char path[BAD_PATH], directory[BAD_PATH];
    struct bad_bytes bytes;
    if (!bad_read(bad_join(path, place->dir, "victim"), &bytes)) return false;
    bool whole = bytes.size == strlen(VICTIM) && memcmp(bytes.data, VICTIM, bytes.size) == 0;
    free(bytes.data);
    if (whole && rmdir(bad_join(directory, place->dir, "directory")) == 0) return true;
    fprintf(stderr, "what the link led to was changed\n");
    return false;
}

static void add_ways(struct bad_list *list)
{
    static const char *const things[] = {
        [DIRECTORY] = "a directory",   [FULL_DIRECTORY] = "a directory with a file",
        [PIPE] = "a named pipe",       [DANGLING] = "a link to nothing",
        [CIRCLE] = "a link to itself", [DEVICE] = "a full device",
        [LINK] = "a link to a file",   [LINKED_DIRECTORY] = "a link to a directory",
        [HARD] = "a second name"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        bad_add(list, &(struct bad_case){
                          .name = bad_text(list, "%s for %s", things[ways[i].thing], ways[i].file),
                          .end = ways[i].end,
                          .run = "base",
                          .make = put_in_the_way,
                          .after = victim_is_whole,
                          .with = &ways[i],
                          .word = ways[i].word,
                      });
}

/* ---- something else where a directory is to be */

static bool make_file(const struct bad_place *place, const void *with)
{
    (void)with;
    return bad_write(place->file, "a file\n", 7);
}

static bool make_link(const struct bad_place *place, const void *with)
{
    const char *target = with;
    return symlink(target[0] == '\0' ? place->file : target, place->file) == 0;
}

static bool make_pipe(const struct bad_place *place, const void *with)
{
    (void)with;
    return mkfifo(place->file, 0666) == 0;
}

static const struct bad_case directories[] = {
    {.name = "run.root is a file",
     .make = make_file,
     .args = {"run.root={file}"},
     .word = "not a directory"},
    {.name = "run.root is below a file",
     .make = make_file,
     .args = {"run.root={file}/a/b"},
     .word = "not a directory"},
    {.name = "the run is a file",
     .make = make_file,
     .args = {"run.root={dir}", "run.name=file"},
     .word = "not a directory"},
    {.name = "the run is a named pipe",
     .make = make_pipe,
     .args = {"run.root={dir}", "run.name=file"},
     .word = "not a directory"},
    {.name = "the run is a link to nothing",
     .make = make_link,
     .with = "/nowhere/there",
     .args = {"run.root={dir}", "run.name=file"},
     .word = "{file}"},
    {.name = "the run is a link to itself",
     .make = make_link,
     .with = "",
     .args = {"run.root={dir}", "run.name=file"},
     .word = "{file}"},
    {.name = "run.root is a device", .args = {"run.root=/dev/null"}, .word = "not a directory"},
    {.name = "run.root in /proc", .args = {"run.root=/proc/runs"}, .word = "/proc/runs"},
};

/* ---- permissions: not for root, who has all of them */

static bool forbid(const struct bad_place *place, const void *with)
{
    (void)with;
    return mkdir(place->file, 0777) == 0 && chmod(place->file, 0555) == 0;
}

static bool forbid_run(const struct bad_place *place, const void *with)
{
    (void)with;
    return chmod(place->run, 0555) == 0;
}

static bool allow_run(const struct bad_place *place, const void *with)
{
    (void)with;
    chmod(place->file, 0777);
    chmod(place->run, 0777);
    return true;
}

static const struct bad_case permissions[] = {
    {.name = "run.root without permission to write",
     .make = forbid,
     .clean = allow_run,
     .args = {"run.root={file}"},
     .word = "ermission denied"},
    {.name = "a run without permission to write",
     .run = "base",
     .make = forbid_run,
     .clean = allow_run,
     .word = "ermission denied"},
};

/* ---- file systems of our own, in a name space of our own */

static bool mount_small(const char *path, const char *options)
{
    static const unsigned long own = MS_REC | MS_PRIVATE;
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, own, NULL) == 0 &&
           mount("none", path, "tmpfs", 0, options) == 0;
}

/* Whether we may mount; tried in a process of its own. */
static bool may_mount(void)
{
    int state = 1;
    pid_t process = fork();
    if (process == 0) _exit(mount_small("/tmp", "size=16k") ? 0 : 1);
    return process > 0 && waitpid(process, &state, 0) == process && state == 0;
}

/* `with`: the size, as tmpfs has it. */
static bool make_small(const struct bad_place *place, const void *with)
{
    char options[64];
    snprintf(options, sizeof options, "size=%s", (const char *)with);
    return (mkdir(place->runs, 0777) == 0 && mount_small(place->runs, options)) ||
           bad_tell("mount", place->runs);
}

static bool make_read_only(const struct bad_place *place, const void *with)
{
    char master[BAD_PATH];
    const char *run = with;
    if (!make_small(place, "4m")) return false;
    if (run[0] != '\0' && !bad_copy_tree(bad_join(master, place->masters, run), place->run))
        return false;
    return mount(NULL, place->runs, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0 ||
           bad_tell("remount", place->runs);
}

/* Images and weights that can only be read, as on a cluster's shared file system. */
static bool make_read_only_inputs(const struct bad_place *place, const void *with)
{
    (void)with;
    char from[BAD_PATH], to[BAD_PATH];
    bad_join(from, place->source, "tests/reference/weights/timm-f32.safetensors");
    if (mkdir(place->file, 0777) != 0 || !mount_small(place->file, "size=4m") ||
        !bad_copy(from, bad_join(to, place->file, "w.safetensors")) ||
        !bad_copy_tree(bad_join(from, place->masters, "images"),
                       bad_join(to, place->file, "images")))
        return bad_tell("mount", place->file);
    return mount(NULL, place->file, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0;
}

static bool unmount(const struct bad_place *place, const void *with)
{
    (void)with;
    umount2(place->runs, MNT_DETACH);
    umount2(place->file, MNT_DETACH);
    return true;
}

/* With more space the same command goes on, and nothing of what happened is left to be seen. */
static bool go_on(const struct bad_place *place, const void *with)
{
    (void)with;
    static const char *const files[] = {"task_00.h5", "task_01.h5", "task_02.h5"};
    char master[BAD_PATH], a[BAD_PATH], b[BAD_PATH];
    if (mount(NULL, place->runs, NULL, MS_REMOUNT, "size=8m") != 0)
        return bad_tell("remount", place->runs);
    if (bad_wait(bad_start(place, &(struct bad_case){.name = "again"}, "again"), 30.0) != 0) {
        fprintf(stderr, "it cannot go on with more space\n");
        return false;
    }
    bad_join(master, place->masters, "whole");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!bad_same(bad_join(a, master, files[i]), bad_join(b, place->run, files[i])))
            return false;
    return true;
}

static const struct bad_case mounted[] = {
    {.name = "a read-only file system for runs",
     .make = make_read_only,
     .with = "",
     .clean = unmount,
     .word = "Read-only file system"},
    {.name = "a run on a read-only file system",
     .make = make_read_only,
     .with = "base",
     .clean = unmount,
     .word = "Read-only file system"},
    {.name = "images and weights on a read-only file system",
     .end = BAD_FINE,
     .settings = BAD_IMAGES,
     .make = make_read_only_inputs,
     .clean = unmount,
     .args = {"data.path={file}/images", "model.weights={file}/w.safetensors", "run.tasks=1"}},
    {.name = "convert onto a read-only file system",
     .end = BAD_FAILED,
     .settings = BAD_BARE,
     .make = make_read_only,
     .with = "",
     .clean = unmount,
     .args = {"convert", "{tiny}", "{runs}/o.h5"},
     .word = "Read-only file system"},
    {.name = "synth onto a read-only file system",
     .settings = BAD_BARE,
     .make = make_read_only,
     .with = "",
     .clean = unmount,
     .args = {"synth", "{runs}/s"},
     .word = "Read-only file system"},
    {.name = "convert onto a full file system",
     .end = BAD_FAILED,
     .settings = BAD_BARE,
     .make = make_small,
     .with = "8k",
     .clean = unmount,
     .args = {"convert", "{tiny}", "{runs}/o.h5"},
     .word = "No space left"},
    {.name = "convert to .safetensors onto a full file system",
     .end = BAD_FAILED,
     .settings = BAD_BARE,
     .make = make_small,
     .with = "8k",
     .clean = unmount,
     .args = {"convert", "{tiny}", "{runs}/o.safetensors"},
     .word = "No space left"},
    {.name = "synth onto a full file system",
     .end = BAD_FAILED,
     .settings = BAD_BARE,
     .make = make_small,
     .with = "64k",
     .clean = unmount,
     .args = {"synth", "{runs}/s"},
     .word = "No space left"},
};

/* A run with all its files needs more than 208 KiB; it ends earlier and earlier. */
static const char *const sizes[] = {"4k",   "8k",   "12k",  "16k",  "32k",  "40k",
                                    "48k",  "56k",  "64k",  "72k",  "80k",  "96k",
                                    "112k", "128k", "144k", "160k", "176k", "208k"};

static void add_mounted(struct bad_list *list)
{
    const char *skip =
        may_mount() ? NULL : "full and read-only file systems: mounting is not allowed here";
    for (size_t i = 0; i < sizeof mounted / sizeof *mounted; i++) {
        struct bad_case one = mounted[i];
        one.skip = skip;
        bad_add(list, &one);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        bad_add(list, &(struct bad_case){
                          .name = bad_text(list, "a file system of %s", sizes[i]),
                          .end = BAD_FAILED,
                          .args = {"checkpoint.every_steps=2"},
                          .make = make_small,
                          .after = go_on,
                          .clean = unmount,
                          .with = sizes[i],
                          .word = "No space left on device",
                          .also = "{run}",
                          .skip = skip,
                      });
}

/* ---- file locks */

static const struct {
    const char *name, *error, *word;
    enum bad_end end;
} locks[] = {
    {"ENOLCK", "37", "has no locks", BAD_WARNED},
    {"ENOSYS", "38", "has no locks", BAD_WARNED},
    {"EOPNOTSUPP", "95", "has no locks", BAD_WARNED},
    {"EINVAL", "22", "has no locks", BAD_WARNED},
    {"EIO", "5", "lock: cannot be locked", BAD_FAILED},
    {"EAGAIN", "11", "is in use by", BAD_REFUSED},
    {"EACCES", "13", "is in use by", BAD_REFUSED},
};

static void add_locks(struct bad_list *list)
{
    for (size_t i = 0; i < sizeof locks / sizeof *locks; i++)
        bad_add(list, &(struct bad_case){
                          .name = bad_text(list, "locks fail with %s", locks[i].name),
                          .end = locks[i].end,
                          .environment = {"LD_PRELOAD={no_locks}",
                                          bad_text(list, "LAE_LOCK_ERROR=%s", locks[i].error)},
                          .run = "base",
                          .changes = locks[i].end == BAD_WARNED,
                          .word = locks[i].word,
                          .also = "{run}",
                      });
}

/* ---- while it runs */

static bool second_job(const struct bad_place *place, const void *with)
{
    (void)with;
    char path[BAD_PATH];
    struct bad_bytes said = {0};
    if (!bad_wait_for(bad_join(path, place->run, "task_00.h5"), NULL, place->process)) return false;
    int code = bad_wait(bad_start(place, &(struct bad_case){.name = "second"}, "second"), 30.0);
    bool right = bad_read(bad_join(path, place->dir, "second.err"), &said);
    if (right) said.data[said.size] = '\0';
    right = right && code == 2 && strstr((char *)said.data, "is in use by process") != NULL;
    if (!right) fprintf(stderr, "the second job: exit %d, %s\n", code, (char *)said.data);
    free(said.data);
    return right;
}

static bool move_run(const struct bad_place *place, const void *with)
{
    (void)with;
    char path[BAD_PATH], away[BAD_PATH];
    return bad_wait_for(bad_join(path, place->run, "task_00.h5"), NULL, place->process) &&
           rename(place->run, bad_join(away, place->dir, "away")) == 0;
}

/* The program may be writing at this moment: what it writes is removed again. */
static bool remove_run(const struct bad_place *place, const void *with)
{
    (void)with;
    char path[BAD_PATH];
    if (!bad_wait_for(bad_join(path, place->run, "task_00.h5"), NULL, place->process)) return false;
    for (int i = 0; i < 100 && access(place->run, F_OK) == 0; i++)
        bad_remove(place->run);
    return true;
}

static bool remove_root(const struct bad_place *place, const void *with)
{
    bool removed = remove_run(place, with);
    bad_remove(place->runs);
    return removed;
}

static bool file_for_run(const struct bad_place *place, const void *with)
{
    return move_run(place, with) && bad_write(place->run, "a file\n", 7);
}

static const struct bad_case meanwhile[] = {
    {.name = "a second job in the directory",
     .end = BAD_FINE,
     .args = {SLOW},
     .during = second_job,
     .alone = true},
    {.name = "the run is moved away",
     .end = BAD_FAILED,
     .args = {SLOW},
     .during = move_run,
     .word = "{run}",
     .alone = true},
    {.name = "the run is removed",
     .end = BAD_FAILED,
     .args = {SLOW},
     .during = remove_run,
     .word = "{run}",
     .alone = true},
    {.name = "run.root is removed",
     .end = BAD_FAILED,
     .args = {SLOW},
     .during = remove_root,
     .word = "{run}",
     .alone = true},
    {.name = "a file takes the run's place",
     .end = BAD_FAILED,
     .args = {SLOW},
     .during = file_for_run,
     .word = "{run}",
     .alone = true},
};

void bad_places(struct bad_list *list)
{
    static const char *const root = "directories without permission to write: root may write";
    add_ways(list);
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
        bad_add(list, &directories[i]);
    for (size_t i = 0; i < sizeof permissions / sizeof *permissions; i++) {
        struct bad_case one = permissions[i];
        one.skip = geteuid() == 0 ? root : NULL;
        bad_add(list, &one);
    }
    add_mounted(list);
    add_locks(list);
    for (size_t i = 0; i < sizeof meanwhile / sizeof *meanwhile; i++)
        bad_add(list, &meanwhile[i]);
}
