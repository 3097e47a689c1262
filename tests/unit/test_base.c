/* base/: status, arena, random numbers, the thread team, the log. */
#define _GNU_SOURCE /* syscall */
#include "lae/base/arena.h"
#include "lae/base/log.h"
#include "lae/base/random.h"
#include "lae/base/rounding.h"
#include "lae/base/signals.h"
#include "lae/base/status.h"
#include "lae/base/team.h"
#include "lae/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fenv.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined __SSE__
#include <xmmintrin.h>
#endif

/* ---- status -----------------------------------------------------------------------------------
 */

static void no_error_is_ok(void **state)
{
    (void)state;
    assert_int_equal(lae_status_code(NULL), LAE_OK);
    assert_string_equal(lae_status_message(NULL), "ok");
    assert_null(lae_status_prefix(NULL, "never seen"));
    assert_null(lae_status_first(NULL, NULL));
    lae_status_free(NULL);
}

static void errors_carry_code_and_message(void **state)
{
    (void)state;
    lae_status status = lae_bad_input("%s: entry %d", "file", 7);
    assert_int_equal(lae_status_code(status), LAE_BAD_INPUT);
    assert_string_equal(lae_status_message(status), "file: entry 7");
    lae_status_free(status);
    status = lae_out_of_memory(3 << 19, "a list");
    assert_int_equal(lae_status_code(status), LAE_FAILED);
    assert_string_equal(lae_status_message(status), "out of memory: 1.5 MiB for a list");
    lae_status_free(status);
    status = lae_status_new(LAE_STOPPED, "%s", "");
    assert_int_equal(lae_status_code(status), LAE_STOPPED);
    assert_string_equal(lae_status_message(status), "");
    lae_status_free(status);
}

static void prefixes_pile_up(void **state)
{
    (void)state;
    lae_status status = lae_failed("100%% full");
    status = lae_status_prefix(status, "tensor %d", 3);
    status = lae_status_prefix(status, "%s", "50% done");
    assert_string_equal(lae_status_message(status), "50% done: tensor 3: 100% full");
    assert_int_equal(lae_status_code(status), LAE_FAILED);
    lae_status_free(status);
}

static void messages_may_be_long(void **state)
{
    (void)state;
    char name[5000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    lae_status status = lae_status_prefix(lae_failed("%s", name), "%s", name);
    assert_int_equal(strlen(lae_status_message(status)), 2 * (sizeof name - 1) + 2);
    lae_status_free(status);
}

static void the_first_error_is_kept(void **state)
{
    (void)state;
    lae_status one = lae_failed("one"), two = lae_failed("two");
    assert_ptr_equal(lae_status_first(NULL, two), two);
    assert_ptr_equal(lae_status_first(one, NULL), one);
    assert_ptr_equal(lae_status_first(one, two), one); /* frees two */
    lae_status_free(one);
}

static lae_status try_it(bool fail, int *reached)
{
    LAE_TRY(fail ? lae_failed("stop here") : NULL);
    ++*reached;
    return NULL;
}

static void try_returns_early(void **state)
{
    (void)state;
    int reached = 0;
    assert_null(try_it(false, &reached));
    lae_status status = try_it(true, &reached);
    assert_string_equal(lae_status_message(status), "stop here");
    assert_int_equal(reached, 1);
    lae_status_free(status);
}

/* ---- arena ------------------------------------------------------------------------------------
 */

enum { PIECES = 7 };

struct layout {
    void *pieces[PIECES];
};

static const size_t piece_bytes[PIECES] = {1, 64, 63, 0, 65, 4096, 4};

static void place(struct lae_arena *arena, struct layout *layout)
{
    for (int i = 0; i < PIECES; i++)
        layout->pieces[i] = lae_arena_take(arena, piece_bytes[i]);
}

static void measuring_and_placing_agree(void **state)
{
    (void)state;
    struct lae_arena arena = {0};
    struct layout layout;
    place(&arena, &layout);
    for (int i = 0; i < PIECES; i++)
        assert_null(layout.pieces[i]);
    size_t measured = arena.used;
    assert_null(lae_arena_allocate(&arena, "pieces"));
    assert_int_equal(arena.used, 0);
    place(&arena, &layout);
    assert_int_equal(arena.used, measured);
    assert_true(arena.size >= measured);
    for (int i = 0; i < PIECES; i++) {
        assert_int_equal((uintptr_t)layout.pieces[i] % LAE_ALIGNMENT, 0);
        memset(layout.pieces[i], i + 1, piece_bytes[i]);
    }
    for (int i = 0; i < PIECES; i++) /* no two overlap */
        for (size_t j = 0; j < piece_bytes[i]; j++)
            assert_int_equal(((unsigned char *)layout.pieces[i])[j], i + 1);
    lae_arena_free(&arena);
    assert_null(arena.base);
    assert_int_equal(arena.used, 0);
    lae_arena_free(&arena);
}

static void floats_are_counted_as_bytes(void **state)
{
    (void)state;
    struct lae_arena arena = {0};
    assert_null(lae_arena_floats(&arena, 100));
    assert_int_equal(arena.used, 400);
    assert_null(lae_arena_allocate(&arena, "floats"));
    float *floats = lae_arena_floats(&arena, 100);
    floats[0] = floats[99] = 1.0f;
    lae_arena_free(&arena);
}

static void nothing_measured_is_no_error(void **state)
{
    (void)state;
    struct lae_arena arena = {0};
    assert_null(lae_arena_allocate(&arena, "nothing"));
    assert_non_null(arena.base);
    assert_non_null(lae_arena_take(&arena, 0));
    lae_arena_free(&arena);
}

static void placing_more_than_measured_aborts(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct lae_arena arena = {0};
        signal(SIGABRT, SIG_DFL); /* cmocka's and a sanitizer's own handlers would talk */
        lae_arena_take(&arena, 100);
        if (lae_arena_allocate(&arena, "too little") != NULL) _exit(2);
        lae_arena_take(&arena, 1000);
        _exit(1);
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGABRT);
}

static void aligned_memory_is_zero_and_checked(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 63, 64, 65, 1000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *memory = lae_aligned_calloc(sizes[i], 3);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % LAE_ALIGNMENT, 0);
        for (size_t j = 0; j < 3 * sizes[i]; j++)
            assert_int_equal(memory[j], 0);
        free(memory);
    }
    assert_null(lae_aligned_calloc(SIZE_MAX / 2, 3));
    assert_null(lae_aligned_calloc(SIZE_MAX, 1));
    assert_null(lae_aligned_calloc(3, SIZE_MAX / 2));
}

/* ---- random -----------------------------------------------------------------------------------
 */

static void assert_philox(const uint32_t counter[4], uint64_t seed, const uint32_t wanted[4])
{
    struct lae_random stream = lae_random_stream(
        seed, (enum lae_purpose)counter[3], counter[2] >> 16, counter[2] & 0xffffu, counter[1]);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(lae_random_bits(&stream, (uint64_t)counter[0] * 4 + i), wanted[i]);
}

/* The known answers for philox4x32-10 that Random123 is published with (kat_vectors). */
static void bits_are_philox(void **state)
{
    (void)state;
    assert_philox((const uint32_t[]){0, 0, 0, 0}, 0,
                  (const uint32_t[]){0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    assert_philox((const uint32_t[]){0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, UINT64_MAX,
                  (const uint32_t[]){0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    assert_philox((const uint32_t[]){0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                  0x299f31d0a4093822,
                  (const uint32_t[]){0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

/* Every part of a stream's name matters, and parts that could be mistaken for each other are not.
 */
static void streams_differ_in_every_part(void **state)
{
    (void)state;
    const struct lae_random streams[] = {
        lae_random_stream(1, LAE_RANDOM_INIT, 0, 0, 0),
        lae_random_stream(2, LAE_RANDOM_INIT, 0, 0, 0),
        lae_random_stream(1 + (UINT64_C(1) << 32), LAE_RANDOM_INIT, 0, 0, 0),
        lae_random_stream(1, LAE_RANDOM_HEAD, 0, 0, 0),
        lae_random_stream(1, LAE_RANDOM_INIT, 1, 0, 0),
        lae_random_stream(1, LAE_RANDOM_INIT, 0, 1, 0),
        lae_random_stream(1, LAE_RANDOM_INIT, 0, 0, 1),
    };
    enum { STREAMS = sizeof streams / sizeof *streams };
    for (size_t a = 0; a < STREAMS; a++)
        for (size_t b = a + 1; b < STREAMS; b++) {
            int equal = 0;
            for (uint64_t i = 0; i < 16; i++)
                equal += lae_random_bits(&streams[a], i) == lae_random_bits(&streams[b], i);
            assert_int_equal(equal, 0);
        }
}

static void uniforms_fill_the_unit_interval(void **state)
{
    (void)state;
    enum { DRAWS = 64000, BINS = 64 };
    struct lae_random stream = lae_random_stream(3, LAE_RANDOM_BENCH, 1, 2, 3);
    int bins[BINS] = {0};
    double chi2 = 0.0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        double u = lae_random_uniform(&stream, i);
        assert_true(u >= 0.0 && u < 1.0);
        assert_true(u * 0x1p32 == floor(u * 0x1p32));
        bins[(int)(u * (double)BINS)]++;
    }
    for (int b = 0; b < BINS; b++)
        chi2 += (bins[b] - DRAWS / BINS) * (bins[b] - DRAWS / BINS) / (double)(DRAWS / BINS);
    assert_true(chi2 > 25.0 && chi2 < 125.0); /* 63 degrees of freedom: 1e-6 beyond either end */
}

static void integers_stay_below(void **state)
{
    (void)state;
    static const uint32_t limits[] = {1, 2, 7, 1000, UINT32_MAX};
    struct lae_random stream = lae_random_stream(4, LAE_RANDOM_SHUFFLE, 0, 0, 0);
    for (size_t l = 0; l < sizeof limits / sizeof *limits; l++)
        for (uint64_t i = 0; i < 1000; i++)
            assert_true(lae_random_below(&stream, i, limits[l]) < limits[l]);
    int seen[7] = {0};
    for (uint64_t i = 0; i < 7000; i++)
        seen[lae_random_below(&stream, i, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_true(seen[i] > 850 && seen[i] < 1150); /* 1000 +- 5 standard deviations of 29 */
}

/* Bounds are 5 standard deviations of each estimate from 100 000 draws. */
static void normals_have_their_moments(void **state)
{
    (void)state;
    enum { DRAWS = 100000 };
    struct lae_random stream = lae_random_stream(5, LAE_RANDOM_HEAD, 0, 0, 0);
    double sums[5] = {0}, neighbours = 0.0, before = 0.0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        double x = lae_random_normal(&stream, i), power = 1.0;
        assert_true(isfinite(x) && fabs(x) < 6.7); /* sqrt(-2 log 2^-32) */
        for (int p = 0; p < 5; p++, power *= x)
            sums[p] += power;
        neighbours += x * before;
        before = x;
    }
    assert_true(fabs(sums[1] / (double)DRAWS) < 0.016);
    assert_true(fabs(sums[2] / (double)DRAWS - 1.0) < 0.023);
    assert_true(fabs(sums[3] / (double)DRAWS) < 0.062);
    assert_true(fabs(sums[4] / (double)DRAWS - 3.0) < 0.156);
    assert_true(fabs(neighbours / (double)DRAWS) < 0.016);
}

/* ---- team -------------------------------------------------------------------------------------
 */

enum { MAX_ITEMS = 97, MAX_THREADS = 4 };

/* Plain integers on purpose: a thread sanitizer sees it if two workers had the same item, or if run
 * returned before its items were visible. */
struct tally {
    int threads;
    int items[MAX_ITEMS];
    int by_worker[MAX_THREADS];
};

static void count_item(void *context, int worker, size_t item)
{
    struct tally *tally = context;
    if (worker < 0 || worker >= tally->threads || item >= MAX_ITEMS) abort();
    tally->items[item]++;
    tally->by_worker[worker]++;
}

static void every_item_is_done_once(void **state)
{
    (void)state;
    for (int threads = 1; threads <= MAX_THREADS; threads++) {
        struct lae_team *team = NULL;
        assert_null(lae_team_create(threads, &team));
        assert_int_equal(lae_team_threads(team), threads);
        for (size_t job = 0; job < 300; job++) {
            struct tally tally = {.threads = threads};
            size_t count = job % (MAX_ITEMS + 1), done = 0;
            lae_team_run(team, count, count_item, &tally);
            for (size_t i = 0; i < MAX_ITEMS; i++)
                assert_int_equal(tally.items[i], i < count);
            for (int w = 0; w < threads; w++)
                done += (size_t)tally.by_worker[w];
            assert_int_equal(done, count);
        }
        lae_team_free(team);
    }
}

struct roll {
    int calls[MAX_THREADS];
    bool right_item[MAX_THREADS], signals_blocked[MAX_THREADS];
    pthread_t thread[MAX_THREADS];
};

static void call_roll(void *context, int worker, size_t item)
{
    struct roll *roll = context;
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    roll->calls[worker]++;
    roll->right_item[worker] = item == (size_t)worker;
    roll->signals_blocked[worker] =
        sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGUSR1);
    roll->thread[worker] = pthread_self();
}

static void each_worker_is_called_once(void **state)
{
    (void)state;
    for (int threads = 1; threads <= MAX_THREADS; threads++) {
        struct lae_team *team = NULL;
        assert_null(lae_team_create(threads, &team));
        for (int again = 0; again < 50; again++) {
            struct roll roll = {0};
            lae_team_each(team, call_roll, &roll);
            for (int w = 0; w < threads; w++) {
                assert_int_equal(roll.calls[w], 1);
                assert_true(roll.right_item[w]);
                assert_true(roll.signals_blocked[w]);
                assert_false(pthread_equal(roll.thread[w], pthread_self()));
                for (int other = 0; other < w; other++)
                    assert_false(pthread_equal(roll.thread[w], roll.thread[other]));
            }
        }
        lae_team_free(team);
    }
}

/* A later job reads what other workers wrote in an earlier one. */
struct relay {
    long values[2][MAX_ITEMS];
    int from;
};

static void pass_on(void *context, int worker, size_t item)
{
    struct relay *relay = context;
    (void)worker;
    size_t other = (item + 1) % MAX_ITEMS;
    relay->values[1 - relay->from][item] = relay->values[relay->from][other] + 1;
}

struct slow {
    atomic_int done;
    int asked;
};

static void take_a_while(void *context, int worker, size_t item)
{
    (void)worker;
    (void)item;
    struct slow *slow = context;
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    atomic_fetch_add(&slow->done, 1);
}

static bool after_some_looks(void *context)
{
    struct slow *slow = context;
    return ++slow->asked >= 3;
}

static bool never(void *context)
{
    (void)context;
    return false;
}

static void a_job_can_be_interrupted(void **state)
{
    (void)state;
    for (int threads = 1; threads <= MAX_THREADS; threads++) {
        struct lae_team *team = NULL;
        struct slow slow = {.asked = 0};
        assert_null(lae_team_create(threads, &team));
        assert_true(lae_team_run_unless(team, 20, take_a_while, &slow, never, NULL));
        assert_int_equal(atomic_load(&slow.done), 20);
        assert_false(
            lae_team_run_unless(team, 100000, take_a_while, &slow, after_some_looks, &slow));
        lae_team_drain(team);
        int done = atomic_load(&slow.done);
        assert_in_range(done, 21, 5000); /* dropped, but for those begun */
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        assert_int_equal(atomic_load(&slow.done), done);
        lae_team_free(team);
    }
}

static void signals_are_noted_and_the_second_ends(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        lae_signals_hold();
        raise(SIGUSR1); /* held back until the handlers are there */
        if (lae_signals_request() != LAE_REQUEST_NONE) _exit(10);
        lae_signals_install();
        if (lae_signals_request() != LAE_REQUEST_STEP) _exit(11);
        raise(SIGTERM);
        if (lae_signals_request() != LAE_REQUEST_NOW) _exit(12);
        raise(SIGUSR1);
        if (lae_signals_request() != LAE_REQUEST_NOW) _exit(13);
        raise(SIGINT); /* the first of its kind is noted, too */
        raise(SIGINT);
        _exit(14);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status)) fail_msg("the child exited with %d", WEXITSTATUS(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
}

/* A child whose handlers stand takes the signals, each after the pause in seconds before it; how it
 * ended. It exits with 20 and the request after them. */
static int end_of(const int *signals, const double *pauses, size_t count)
{
    pid_t child = fork();
    if (child == 0) {
        lae_signals_install();
        for (size_t i = 0; i < count; i++) {
            struct timespec pause = {.tv_sec = (time_t)pauses[i],
                                     .tv_nsec = (long)(fmod(pauses[i], 1.0) * 1e9)};
            nanosleep(&pause, NULL);
            raise(signals[i]);
        }
        _exit(20 + (int)lae_signals_request());
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    return how;
}

static void every_request_is_noted(void **state)
{
    (void)state;
    static const struct {
        int number, request;
    } cases[] = {{SIGUSR1, LAE_REQUEST_STEP}, {SIGUSR2, LAE_REQUEST_STEP},
                 {SIGINT, LAE_REQUEST_NOW},   {SIGTERM, LAE_REQUEST_NOW},
                 {SIGHUP, LAE_REQUEST_NOW},   {SIGXCPU, LAE_REQUEST_NOW}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int how = end_of(&cases[i].number, (double[]){0.0}, 1);
        assert_true(WIFEXITED(how));
        assert_int_equal(WEXITSTATUS(how), 20 + cases[i].request);
    }
}

/* A launcher repeats SIGTERM at once; who sends it a while later wants the end, also of a program
 * that looks at no request any more. */
static void asked_again_later_it_ends(void **state)
{
    (void)state;
    static const int again[][2] = {
        {SIGTERM, SIGTERM}, {SIGHUP, SIGHUP}, {SIGHUP, SIGTERM}, {SIGINT, SIGTERM}};
    for (size_t i = 0; i < sizeof again / sizeof *again; i++) {
        int how = end_of(again[i], (double[]){0.0, 0.1}, 2);
        assert_true(WIFEXITED(how));
        how = end_of(again[i], (double[]){0.0, 1.3}, 2);
        assert_true(WIFSIGNALED(how));
        assert_int_equal(WTERMSIG(how), again[i][1]);
    }
    int how = end_of((int[]){SIGUSR1, SIGTERM}, (double[]){0.0, 1.3}, 2);
    assert_true(WIFEXITED(how));
}

static void what_nohup_ignores_stays_ignored(void **state)
{
    (void)state;
    void (*before)(int) = signal(SIGHUP, SIG_IGN);
    int how = end_of((int[]){SIGHUP, SIGHUP}, (double[]){0.0, 1.3}, 2);
    signal(SIGHUP, before);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 20 + LAE_REQUEST_NONE);
}

static void writing_fails_without_a_signal(void **state)
{
    (void)state;
    int how = 0;
    pid_t child = fork();
    if (child == 0) {
        int ends[2];
        lae_signals_leave_writing();
        if (pipe(ends) != 0 || close(ends[0]) != 0) _exit(1);
        if (write(ends[1], "a", 1) != -1 || errno != EPIPE) _exit(2);
        FILE *file = tmpfile();
        struct rlimit limit = {.rlim_cur = 4, .rlim_max = RLIM_INFINITY};
        if (file == NULL || setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(3);
        if (write(fileno(file), "12345678", 8) != 4) _exit(4);
        _exit(write(fileno(file), "9", 1) != -1 || errno != EFBIG);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 0);
}

/* The clock on the wall is set back by an hour after each look. */
static atomic_bool clock_is_set;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (clock == CLOCK_REALTIME && atomic_load(&clock_is_set)) now->tv_sec += 3600;
    return result;
}

static bool at_once(void *context)
{
    (void)context;
    return true;
}

static void the_wall_clock_may_be_set(void **state)
{
    (void)state;
    struct lae_team *team = NULL;
    struct slow slow = {.asked = 0};
    assert_null(lae_team_create(1, &team));
    atomic_store(&clock_is_set, true);
    bool done = lae_team_run_unless(team, 400, take_a_while, &slow, at_once, NULL);
    atomic_store(&clock_is_set, false);
    lae_team_drain(team);
    assert_false(done); /* two seconds of work, asked every fiftieth of a second */
    lae_team_free(team);
}

/* ---- rules of arithmetic ---- */

static void look_at_rules(void *context, int worker, size_t item)
{
    (void)item;
    bool *right = context;
    volatile float tiny = 0x1p-126f, one = 1.0f, small = 0x1p-30f;
    right[worker] = tiny * 0.5f > 0.0f && one + small == 1.0f && fegetround() == FE_TONEAREST;
}

#if defined __SSE__
static void flush_to_zero(void)
{
    _mm_setcsr(_mm_getcsr() | 0x8040);
}
#else
static void flush_to_zero(void)
{
}
#endif

static void threads_round_as_ieee_has_it(void **state)
{
    (void)state;
    bool right[2] = {false, false};
    struct lae_team *team = NULL;
    flush_to_zero();
    assert_int_equal(fesetround(FE_UPWARD), 0);
    lae_status status = lae_team_create(2, &team);
    if (status == NULL) lae_team_each(team, look_at_rules, right);
    bool workers = right[0] && right[1];
    look_at_rules(right, 0, 0);
    bool before = right[0];
    lae_rounding_reset();
    look_at_rules(right, 0, 0);
    assert_null(status);
    assert_true(workers);
    assert_false(before);
    assert_true(right[0]);
    lae_team_free(team);
}

/* What a test and a copy of it both see. */
struct seen {
    atomic_int process, session, done;
};

static struct seen *share(void)
{
    struct seen *seen =
        mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(seen, MAP_FAILED);
    return seen;
}

static bool work_slowly(void *context)
{
    struct seen *seen = context;
    struct timespec pause = {.tv_nsec = 300000000};
    atomic_store(&seen->process, (int)getpid());
    atomic_store(&seen->session, (int)getsid(0));
    kill(getpid(), SIGTERM);
    nanosleep(&pause, NULL);
    atomic_store(&seen->done, 1);
    return true;
}

static bool refuse_work(void *context)
{
    (void)context;
    return false;
}

static bool crash(void *context)
{
    (void)context;
    abort();
}

static void work_is_done_by_a_copy(void **state)
{
    (void)state;
    struct seen *seen = share();
    assert_true(lae_outlive(work_slowly, seen));
    assert_int_equal(seen->done, 1);
    assert_int_not_equal(seen->process, getpid());
    assert_int_equal(seen->session, seen->process);
    assert_false(lae_outlive(refuse_work, NULL));
    assert_false(lae_outlive(crash, NULL));
    munmap(seen, sizeof *seen);
}

/* As a launcher kills its ranks: all of their group. */
static void work_outlives_who_asked_for_it(void **state)
{
    (void)state;
    struct seen *seen = share();
    struct timespec pause = {.tv_nsec = 10000000};
    pid_t rank = fork();
    if (rank == 0) {
        setpgid(0, 0);
        lae_outlive(work_slowly, seen);
        _exit(0);
    }
    while (atomic_load(&seen->session) == 0)
        nanosleep(&pause, NULL);
    kill(-rank, SIGKILL);
    assert_int_equal(waitpid(rank, NULL, 0), rank);
    for (int tries = 0; tries < 1000 && atomic_load(&seen->done) == 0; tries++)
        nanosleep(&pause, NULL);
    assert_int_equal(seen->done, 1);
    munmap(seen, sizeof *seen);
}

static void jobs_see_the_jobs_before(void **state)
{
    (void)state;
    struct lae_team *team = NULL;
    struct relay relay = {0};
    assert_null(lae_team_create(3, &team));
    for (int job = 0; job < 200; job++) {
        lae_team_run(team, MAX_ITEMS, pass_on, &relay);
        relay.from = 1 - relay.from;
    }
    for (size_t i = 0; i < MAX_ITEMS; i++)
        assert_int_equal(relay.values[relay.from][i], 200);
    lae_team_free(team);
}

static void teams_come_and_go(void **state)
{
    (void)state;
    lae_team_free(NULL);
    for (int i = 0; i < 50; i++) { /* also without a job, when workers may not have started yet */
        struct lae_team *team = NULL;
        struct tally tally = {.threads = 3};
        assert_null(lae_team_create(3, &team));
        if (i % 2 == 1) lae_team_run(team, 5, count_item, &tally);
        lae_team_free(team);
    }
}

/* ---- log --------------------------------------------------------------------------------------
 */

static size_t text_of(FILE *file, char *text, size_t size)
{
    rewind(file);
    size_t length = fread(text, 1, size - 1, file);
    text[length] = '\0';
    return length;
}

static void lines_go_to_screen_and_file(void **state)
{
    (void)state;
    char path[] = "/tmp/lae-test-log-XXXXXX", text[1000];
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    FILE *screen = tmpfile();
    assert_non_null(screen);

    struct lae_log log;
    lae_log_open(&log, true);
    log.screen = screen;
    lae_log_add_file(&log, fopen(path, "a"));
    lae_log_info(&log, "task %d", 3);
    lae_log_warn(&log, "%s", "50% left");
    lae_log_note(&log, "file only");
    lae_log_live(&log, "not a terminal");
    text_of(screen, text, sizeof text);
    assert_string_equal(text, "task 3\nwarning: 50% left\n");
    lae_log_close(&log);
    fclose(screen);

    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text_of(file, text, sizeof text);
    fclose(file);
    unlink(path);
    char *line = text;
    static const char *const wanted[] = {" task 3\n", " warning: 50% left\n", " file only\n"};
    for (int i = 0; i < 3; i++) {
        int year = 0, second = -1, length = 0;
        assert_int_equal(sscanf(line, "%4d-%*2d-%*2dT%*2d:%*2d:%2d%n", &year, &second, &length), 2);
        assert_true(year >= 2024 && second >= 0 && length == 19);
        assert_int_equal(strncmp(line + length, wanted[i], strlen(wanted[i])), 0);
        line += (size_t)length + strlen(wanted[i]);
    }
    assert_string_equal(line, "");
}

static void the_live_line_is_cleared(void **state)
{
    (void)state;
    char text[1000], longest[600];
    struct lae_log log = {.screen = tmpfile(), .terminal = true};
    FILE *screen = log.screen;
    assert_non_null(screen);
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    lae_log_live(&log, "step %d", 1);
    lae_log_info(&log, "done");
    lae_log_live(&log, "%s", longest);
    text_of(screen, text, sizeof text);
    assert_int_equal(strncmp(text, "\r\033[Kstep 1\r\033[Kdone\n\r\033[Kxxx", 26), 0);
    assert_true(strlen(text) < 120); /* cut to the screen's width */
    assert_true(log.live);
    lae_log_close(&log);
    assert_false(log.live);
    fclose(screen);
}

/* Names of files come into messages; what a terminal would act on does not come out. */
static void what_is_shown_is_tame(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"plain, \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
         "plain, \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"two\nlines", "two\nlines"},
        {"\033[2J\a\b\t\r\x7f", "?[2J?????"},
        {"\xc2\x9b"
         "2J \xc2\x80\xc2\x9f\xc2\xa0",
         "?2J ??\xc2\xa0"}, /* C1 as UTF-8 */
        {"\x9b"
         "2J caf\xe9",
         "?2J caf?"}, /* as bytes */
        {"\xe2\x80\xae"
         "a\xe2\x81\xa6\xe2\x80\xa8",
         "?a??"},                                         /* direction, line */
        {"\xc0\x9b\xed\xa0\x80\xf5\xe2\x82", "????????"}, /* no UTF-8 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s", cases[i].text);
        lae_text_tame(text);
        assert_string_equal(text, cases[i].shown);
        lae_status status = lae_bad_input("%s", cases[i].text);
        assert_string_equal(lae_status_message(status), cases[i].shown);
        lae_status_free(status);
    }
    char shown[100];
    struct lae_log log = {.screen = tmpfile()};
    FILE *screen = log.screen;
    lae_log_info(&log, "results in %s", "a\033]0;b\xc2\x9b");
    lae_log_item(&log, "data", "%s", "\033[2J");
    text_of(screen, shown, sizeof shown);
    assert_string_equal(shown, "results in a?]0;b?\ndata      ?[2J\n");
    fclose(screen);
}

static void no_log_drops_everything(void **state)
{
    (void)state;
    lae_log_info(NULL, "%d", 1);
    lae_log_warn(NULL, "%d", 2);
    lae_log_note(NULL, "%d", 3);
    lae_log_live(NULL, "%d", 4);
    lae_log_close(NULL);
    struct lae_log log;
    lae_log_open(&log, true);
    lae_log_info(&log, "%d", 5);
    lae_log_close(&log);
}

/* What moves a cursor, ends a line, turns a text around or is no UTF-8 becomes "?", byte by byte.
 */
static void texts_of_others_are_shown_as_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"plain \xc3\xa4 \xe6\x97\xa5 \xf0\x9f\x98\x80",
         "plain \xc3\xa4 \xe6\x97\xa5 \xf0\x9f\x98\x80"},
        {"\x1b[2J\r\x07\x7f\t", "?[2J????"},
        {"a\nb", "a\nb"},
        {"\xc2\x9b|\x9b|\xc2\x80|\xc2\x9f|\xc2\xa0", "??|?|??|??|\xc2\xa0"},
        {"\xe2\x80\xa8|\xe2\x80\xae|\xe2\x81\xa6|\xef\xbb\xbf", "???|???|???|???"},
        {"\xc0\x80|\xed\xa0\x80|\xf4\x90\x80\x80|\xc3", "??|???|????|?"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        assert_non_null(out);
        lae_text_print(out, cases[i].text);
        assert_int_equal(fclose(out), 0);
        assert_string_equal(text, cases[i].shown);
        free(text);
    }
}

int main(void)
{
    signal(SIGHUP, SIG_DFL); /* who runs the tests may ignore it, as nohup(1) does */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_others_are_shown_as_text),
        cmocka_unit_test(no_error_is_ok),
        cmocka_unit_test(errors_carry_code_and_message),
        cmocka_unit_test(prefixes_pile_up),
        cmocka_unit_test(messages_may_be_long),
        cmocka_unit_test(the_first_error_is_kept),
        cmocka_unit_test(try_returns_early),
        cmocka_unit_test(measuring_and_placing_agree),
        cmocka_unit_test(floats_are_counted_as_bytes),
        cmocka_unit_test(nothing_measured_is_no_error),
        cmocka_unit_test(placing_more_than_measured_aborts),
        cmocka_unit_test(aligned_memory_is_zero_and_checked),
        cmocka_unit_test(bits_are_philox),
        cmocka_unit_test(streams_differ_in_every_part),
        cmocka_unit_test(uniforms_fill_the_unit_interval),
        cmocka_unit_test(integers_stay_below),
        cmocka_unit_test(normals_have_their_moments),
        cmocka_unit_test(every_item_is_done_once),
        cmocka_unit_test(each_worker_is_called_once),
        cmocka_unit_test(a_job_can_be_interrupted),
        cmocka_unit_test(signals_are_noted_and_the_second_ends),
        cmocka_unit_test(every_request_is_noted),
        cmocka_unit_test(asked_again_later_it_ends),
        cmocka_unit_test(what_nohup_ignores_stays_ignored),
        cmocka_unit_test(writing_fails_without_a_signal),
        cmocka_unit_test(the_wall_clock_may_be_set),
        cmocka_unit_test(threads_round_as_ieee_has_it),
        cmocka_unit_test(work_is_done_by_a_copy),
        cmocka_unit_test(work_outlives_who_asked_for_it),
        cmocka_unit_test(jobs_see_the_jobs_before),
        cmocka_unit_test(teams_come_and_go),
        cmocka_unit_test(lines_go_to_screen_and_file),
        cmocka_unit_test(the_live_line_is_cleared),
        cmocka_unit_test(what_is_shown_is_tame),
        cmocka_unit_test(no_log_drops_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
