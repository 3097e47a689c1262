/* A case as a process, and the judgement: how it ended, what it said, what it left. */
#include "bad.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECONDS 60.0       /* a case that is refused takes a moment, but the machine may be busy */
#define MESSAGE_BYTES 6000 /* more than this nobody reads */
#define WORDS 64

static const char *const small[] = {
    "model.weights={tiny}",  "model.heads=2",         "data.image_size=16", "data.mean=0.5",
    "data.std=0.5",          "train.batch_size=11",   "train.epochs=3",     "train.freeze_epochs=1",
    "pet.blocks=0,1",        "compute.threads=1",     "merge.method=ties",  "run.root={runs}",
    "data.synthetic.test=5", "data.synthetic.train=7"};
static const char *const drawn[] = {"data.dataset=synthetic", "data.synthetic.classes=12",
                                    "data.classes_per_task=4"};
static const char *const cifar[] = {"data.dataset=cifar100", "data.path={masters}/images",
                                    "data.classes_per_task=50"};

/* ---- the command line */

struct words {
    char *items[WORDS + 1]; /* owned, up to NULL */
    size_t count;
};

/* The text with the words in braces replaced; free(). */
static char *fill(const struct bad_place *place, const char *text)
{
    char tiny[BAD_PATH];
    bad_join(tiny, place->source, "tests/reference/weights/timm-f32.safetensors");
    const struct {
        const char *word, *value;
    } names[] = {{"{dir}", place->dir},
                 {"{file}", place->file},
                 {"{runs}", place->runs},
                 {"{run}", place->run},
                 {"{source}", place->source},
                 {"{masters}", place->masters},
                 {"{tiny}", tiny},
                 {"{no_locks}", getenv("LAE_NO_LOCKS")}};
    size_t size = strlen(text) + 2 * BAD_PATH, used = 0;
    char *filled = calloc(size, 1);
    if (filled == NULL) abort();
    while (*text != '\0') {
        size_t i = 0, count = sizeof names / sizeof *names;
        while (i < count && strncmp(text, names[i].word, strlen(names[i].word)) != 0)
            i++;
        if (i < count) {
            used += (size_t)snprintf(filled + used, size - used, "%s", names[i].value);
            text += strlen(names[i].word);
        } else {
            filled[used++] = *text++;
        }
    }
    return filled;
}

static void push(struct words *words, const struct bad_place *place, const char *text)
{
    if (words->count == WORDS) abort();
    words->items[words->count++] = fill(place, text);
}

static void push_all(struct words *words, const struct bad_place *place, const char *const *texts,
                     size_t count)
{
    for (size_t i = 0; i < count; i++)
        push(words, place, texts[i]);
}

static void push_settings(struct words *words, const struct bad_place *place,
                          const struct bad_case *one)
{
    if (one->settings == BAD_BARE) return;
    push(words, place, "train");
    push_all(words, place, small, sizeof small / sizeof *small);
    if (one->settings == BAD_SMALL)
        push_all(words, place, drawn, sizeof drawn / sizeof *drawn);
    else
        push_all(words, place, cifar, sizeof cifar / sizeof *cifar);
    char name[BAD_PATH];
    snprintf(name, sizeof name, "run.name=%s", one->run != NULL ? one->run : "new");
    push(words, place, name);
}

static void make_command(struct words *words, const struct bad_place *place,
                         const struct bad_case *one)
{
    static const char *const launcher[] = {"mpirun", "--oversubscribe", "--bind-to", "none", "-np"};
    *words = (struct words){.count = 0};
    if (one->ranks > 0) {
        char ranks[16];
        snprintf(ranks, sizeof ranks, "%d", one->ranks);
        push_all(words, place, launcher, sizeof launcher / sizeof *launcher);
        push(words, place, ranks);
    }
    push(words, place, place->program);
    push_settings(words, place, one);
    for (size_t i = 0; i < BAD_ARGUMENTS && one->args[i] != NULL; i++)
        push(words, place, one->args[i]);
}

static void free_words(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->items[i]);
}

/* ---- the process */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void doze(void)
{
    struct timespec pause = {.tv_nsec = 2000000};
    nanosleep(&pause, NULL);
}

static void redirect(const struct bad_place *place, const char *name, const char *ending, int to)
{
    char path[2 * BAD_PATH];
    snprintf(path, sizeof path, "%s/%s.%s", place->dir, name, ending);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (file < 0 || dup2(file, to) < 0) _exit(126);
    close(file);
}

/* NAME=VALUE; the text is taken apart. */
static void set_variable(char *text)
{
    char *equals = strchr(text, '=');
    *equals = '\0';
    setenv(text, equals + 1, 1);
    free(text);
}

/* Does not return. */
static void become(const struct bad_place *place, const struct bad_case *one, const char *name)
{
    struct words words;
    make_command(&words, place, one);
    setpgid(0, 0);
    redirect(place, name, "out", STDOUT_FILENO);
    redirect(place, name, "err", STDERR_FILENO);
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0) dup2(nothing, STDIN_FILENO);
    if (one->ranks == 0) { /* a job of one needs no daemon, which is slow to start */
        setenv("OMPI_MCA_ess_singleton_isolated", "1", 1);
        setenv("OMPI_MCA_pml", "ob1", 1);
        setenv("OMPI_MCA_btl", "self", 1);
        setenv("OMPI_MCA_orte_tmpdir_base", place->dir, 1); /* such jobs have one name, all */
    }
    for (size_t i = 0; i < 2 && one->environment[i] != NULL; i++)
        set_variable(fill(place, one->environment[i]));
    execvp(words.items[0], words.items);
    _exit(127);
}

pid_t bad_start(const struct bad_place *place, const struct bad_case *one, const char *name)
{
    fflush(NULL);
    pid_t process = fork();
    if (process == 0) become(place, one, name);
    if (process > 0) setpgid(process, process); /* whoever is first */
    return process;
}

int bad_wait(pid_t process, double seconds)
{
    double until = now() + seconds;
    int state = 0;
    pid_t ended = 0;
    while ((ended = waitpid(process, &state, WNOHANG)) == 0 && now() < until)
        doze();
    if (ended == 0) {
        kill(-process, SIGTERM); /* mpirun ends its ranks */
        for (until = now() + 5.0; waitpid(process, &state, WNOHANG) == 0 && now() < until;)
            doze();
        kill(-process, SIGKILL);
        waitpid(process, &state, 0);
        fprintf(stderr, "it did not end within %.0f seconds\n", seconds);
        return -1;
    }
    if (ended < 0 || !WIFEXITED(state)) {
        fprintf(stderr, "signal %d ended it\n", ended < 0 ? 0 : WTERMSIG(state));
        return -1;
    }
    return WEXITSTATUS(state);
}

/* Whether the first was written after the second. */
static bool is_newer(const struct stat *a, const struct stat *b)
{
    if (a->st_mtim.tv_sec != b->st_mtim.tv_sec) return a->st_mtim.tv_sec > b->st_mtim.tv_sec;
    return a->st_mtim.tv_nsec > b->st_mtim.tv_nsec;
}

bool bad_wait_for(const char *path, const char *than, pid_t process)
{
    struct stat about, other;
    siginfo_t info;
    for (double until = now() + SECONDS; now() < until; doze()) {
        bool there = stat(path, &about) == 0;
        if (there && (than == NULL || (stat(than, &other) == 0 && is_newer(&about, &other))))
            return true;
        info.si_pid = 0;
        if (waitid(P_PID, (id_t)process, &info, WEXITED | WNOHANG | WNOWAIT) != 0) break;
        if (info.si_pid != 0) break;
    }
    fprintf(stderr, "%s did not appear\n", path);
    return false;
}

/* ---- the judgement */

static const char *const forbidden[] = {
    "MPI_ABORT",   "MPI_Abort",      "Sanitizer",          "runtime error:", "Assertion",
    "HDF5-DIAG",   "Segmentation",   "Process received",   "Backtrace",      "core dumped",
    "stack smash", "double free",    "glibc detected",     "malloc(): ",     "free(): ",
    "\nterminate", "Floating point", "unhandled exception"};

/* The lines that begin with `mark`; *last is the last of them. */
static int count_lines(const char *text, const char *mark, const char **last)
{
    int count = 0;
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, mark, strlen(mark)) != 0) continue;
        *last = line;
        count++;
    }
    return count;
}

static bool check_text(const char *text)
{
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        if (strstr(text, forbidden[i]) != NULL) {
            fprintf(stderr, "\"%s\" was said\n", forbidden[i]);
            return false;
        }
    for (const char *c = text; *c != '\0'; c++)
        if ((iscntrl((unsigned char)*c) && *c != '\n') || strncmp(c, "\xc2\x9b", 2) == 0) {
            fprintf(stderr, "byte 0x%02x was written to the terminal\n", (unsigned char)*c);
            return false;
        }
    return true;
}

/* Whether a line that begins with `mark` has the words; its message may go on below it. */
static bool check_words(const struct bad_place *place, const struct bad_case *one,
                        const char *message)
{
    const char *const wanted[] = {one->word, one->also};
    for (size_t i = 0; i < 2; i++) {
        if (wanted[i] == NULL) continue;
        char *word = fill(place, wanted[i]);
        bool found = strstr(message, word) != NULL;
        if (!found) fprintf(stderr, "the message lacks \"%s\"\n", word);
        free(word);
        if (!found) return false;
    }
    return true;
}

static bool check_message(const struct bad_place *place, const struct bad_case *one, char *text)
{
    const char *message = text;
    int said = count_lines(text, "lae_mpi: ", &message);
    int wanted = one->end == BAD_REFUSED || one->end == BAD_FAILED ? 1 : 0;
    if (said != wanted) {
        fprintf(stderr, "%d messages instead of %d\n", said, wanted);
        return false;
    }
    if (one->end == BAD_FINE) return true;
    if (one->end == BAD_WARNED && count_lines(text, "warning: ", &message) == 0) {
        fprintf(stderr, "nothing is warned of\n");
        return false;
    }
    /* What mpirun says of the exit code is none of ours. */
    char *launcher = wanted == 1 ? strstr(message, "\n-----") : NULL;
    if (launcher != NULL) *launcher = '\0';
    if (strlen(message) > MESSAGE_BYTES) {
        fprintf(stderr, "a message of %zu bytes\n", strlen(message));
        return false;
    }
    return check_words(place, one, wanted == 1 ? message : text);
}

static bool check_output(const struct bad_place *place, const struct bad_case *one)
{
    char path[BAD_PATH];
    struct bad_bytes bytes;
    if (!bad_read(bad_join(path, place->dir, "case.err"), &bytes)) return false;
    bytes.data[bytes.size] = '\0';
    char *text = (char *)bytes.data;
    bool right = strlen(text) == bytes.size;
    if (!right) fprintf(stderr, "a zero byte was written to the terminal\n");
    right = right && check_text(text) && check_message(place, one, text);
    free(bytes.data);
    return right;
}

static bool check_exit(const struct bad_case *one, int code)
{
    int wanted = one->end == BAD_REFUSED ? 2 : one->end == BAD_FAILED ? 1 : 0;
    if (code == wanted) return true;
    fprintf(stderr, "exit %d instead of %d\n", code, wanted);
    return false;
}

static bool check_untouched(const struct bad_place *place, const struct bad_case *one,
                            const char *before)
{
    if (one->run == NULL || one->changes) return true;
    char *after = bad_fingerprint(place->run);
    bool same = strcmp(before, after) == 0;
    if (!same) fprintf(stderr, "the run was touched; before:\n%safter:\n%s", before, after);
    free(after);
    return same;
}

/* ---- a case */

static void settle(const struct bad_list *list, const struct bad_case *one, const char *dir,
                   struct bad_place *place)
{
    *place = (struct bad_place){.program = getenv("LAE_MPI")};
    snprintf(place->dir, sizeof place->dir, "%s", dir);
    snprintf(place->source, sizeof place->source, "%s", list->source);
    snprintf(place->masters, sizeof place->masters, "%s", list->masters);
    bad_join(place->file, dir, one->file != NULL ? one->file : "file");
    bad_join(place->runs, dir, "runs");
    bad_join(place->run, place->runs, one->run != NULL ? one->run : "new");
}

static bool prepare(const struct bad_place *place, const struct bad_case *one)
{
    char master[BAD_PATH];
    if (mkdir(place->dir, 0777) != 0) return bad_tell("make", place->dir);
    if (one->run != NULL &&
        (mkdir(place->runs, 0777) != 0 ||
         !bad_copy_tree(bad_join(master, place->masters, one->run), place->run)))
        return bad_tell("prepare", place->run);
    return one->make == NULL || one->make(place, one->with);
}

static bool run_and_judge(struct bad_place *place, const struct bad_case *one)
{
    char *before = bad_fingerprint(place->run);
    place->process = bad_start(place, one, "case");
    bool right = place->process > 0;
    if (right && one->during != NULL) right = one->during(place, one->with);
    int code = place->process > 0 ? bad_wait(place->process, SECONDS) : -1;
    right = right && check_exit(one, code) && check_output(place, one) &&
            check_untouched(place, one, before);
    free(before);
    return right && (one->after == NULL || one->after(place, one->with));
}

/* Writes the file to standard output, what cannot be seen escaped. */
static void show(const char *path)
{
    struct bad_bytes bytes;
    if (access(path, R_OK) != 0 || !bad_read(path, &bytes)) return;
    for (size_t i = 0; i < bytes.size && i < MESSAGE_BYTES; i++) {
        unsigned char c = bytes.data[i];
        printf(isprint(c) || c == '\n' || c >= 0x80 ? "%c" : "\\x%02x", c);
    }
    free(bytes.data);
}

static void show_failure(const struct bad_place *place, const struct bad_case *one)
{
    char path[BAD_PATH];
    struct words words;
    printf("FAILED %s: %s\n  command:", one->topic, one->name);
    make_command(&words, place, one);
    for (size_t i = 0; i < words.count; i++)
        printf(" '%.300s'", words.items[i]);
    free_words(&words);
    printf("\n  why: ");
    show(bad_join(path, place->dir, "why"));
    printf("  its standard error:\n");
    show(bad_join(path, place->dir, "case.err"));
    printf("\n");
    fflush(stdout);
}

/* What is printed to standard error goes to the file; returns where it went before. */
static int divert_errors(const char *path)
{
    int before = dup(STDERR_FILENO), file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (file >= 0) {
        dup2(file, STDERR_FILENO);
        close(file);
    }
    return before;
}

enum bad_result bad_run(const struct bad_list *list, const struct bad_case *one, const char *dir)
{
    if (one->skip != NULL) return BAD_SKIPPED;
    if (one->reason != NULL) {
        printf("FAILED %s: %s: %s\n", one->topic, one->name, one->reason);
        return BAD_WRONG;
    }
    struct bad_place place;
    char why[BAD_PATH], kept[BAD_PATH];
    settle(list, one, dir, &place);
    snprintf(why, sizeof why, "%s.why", dir);
    int before = divert_errors(why);
    bool right = prepare(&place, one) && run_and_judge(&place, one);
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(before);
    if (!right) {
        bad_copy(why, bad_join(kept, dir, "why"));
        show_failure(&place, one);
    }
    if (one->clean != NULL) one->clean(&place, one->with);
    if (right || getenv("LAE_TEST_KEEP") == NULL) bad_remove(dir);
    remove(why);
    return right ? BAD_RIGHT : BAD_WRONG;
}

/* ---- what cases start from */

/* h5diff's exit code is 0, too, where it cannot compare two shapes, which it says then. */
bool bad_same(const char *a, const char *b)
{
    static const char compare[] = "said=$(h5diff --exclude-path /provenance \"$0\" \"$1\" 2>&1) && "
                                  "[ -z \"$said\" ] || { echo \"$said\"; exit 1; }";
    fflush(NULL);
    pid_t process = fork();
    if (process == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execlp("sh", "sh", "-c", compare, a, b, (char *)NULL);
        _exit(127);
    }
    if (bad_wait(process, SECONDS) == 0) return true;
    fprintf(stderr, "%s and %s differ\n", a, b);
    return false;
}

/* Runs to its end, or until it is asked to stop once a state and the one before are saved. */
static bool make_master(const struct bad_list *list, const struct bad_case *one, bool stop)
{
    struct bad_place place;
    char path[BAD_PATH], index[BAD_PATH];
    settle(list, one, list->masters, &place);
    snprintf(place.runs, sizeof place.runs, "%s", list->masters);
    pid_t process = bad_start(&place, one, one->name);
    snprintf(place.run, sizeof place.run, "%s/%s", list->masters, one->name);
    if (stop) {
        /* The first task's states are removed when run.h5 is there. */
        bad_join(index, place.run, "run.h5");
        if (!bad_wait_for(index, NULL, process) ||
            !bad_wait_for(bad_join(path, place.run, "resume-previous.h5"), index, process))
            return false;
        kill(process, SIGUSR1);
    }
    int code = bad_wait(process, 60.0);
    if (code == (stop ? 75 : 0)) return true;
    fprintf(stderr, "the run %s ended with %d\n", one->name, code);
    return false;
}

bool bad_make_masters(const struct bad_list *list)
{
    static const struct {
        struct bad_case one;
        bool stop;
    } masters[] = {
        {{.name = "base", .run = "base", .args = {"run.tasks=1"}}, false},
        {{.name = "whole", .run = "whole"}, false},
        {{.name = "long", .run = "long", .args = {"train.epochs=40"}}, false},
        {{.name = "inside",
          .run = "inside",
          .args = {"train.epochs=40", "checkpoint.every_steps=1"}},
         true},
        {{.name = "images",
          .settings = BAD_BARE,
          .args = {"synth", "{dir}/images", "data.synthetic.classes=100", "data.synthetic.train=1",
                   "data.synthetic.test=1"}},
         false},
        {{.name = "sealed", .settings = BAD_BARE, .args = {"convert", "{tiny}", "{dir}/own.h5"}},
         false},
        {{.name = "photos", .run = "photos", .settings = BAD_IMAGES, .args = {"run.tasks=1"}},
         false},
    };
    for (size_t i = 0; i < sizeof masters / sizeof *masters; i++)
        if (!make_master(list, &masters[i].one, masters[i].stop)) return false;
    return true;
}
