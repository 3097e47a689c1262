/* files/: every test works in a directory of its own, which is removed afterwards. */
#define _GNU_SOURCE /* nftw flags, RLIMIT_FSIZE */
#include "lae/files/archive.h"
#include "lae/files/atomic.h"
#include "lae/files/digest.h"
#include "lae/files/lock.h"
#include "lae/files/map.h"
#include "lae/files/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "place.h"

enum { PATH_SIZE = PLACE_SIZE };

/* ---- A directory for each test ----------------------------------------------------------------
 */

/* PLACE/NAME, in one of a few buffers used in turn. */
static const char *at(void **state, const char *name)
{
    static char buffers[8][2 * PATH_SIZE];
    static unsigned turn;
    char *buffer = buffers[turn++ % 8];
    snprintf(buffer, sizeof buffers[0], "%s/%s", (const char *)*state, name);
    return buffer;
}

static void put(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* The file's bytes and a zero; NULL when it cannot be read. */
static unsigned char *get(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) return NULL;
    unsigned char *data = malloc(1 << 20);
    assert_non_null(data);
    *size = fread(data, 1, (1 << 20) - 1, file);
    data[*size] = 0;
    fclose(file);
    return data;
}

static void assert_holds(const char *path, const char *text)
{
    size_t size = 0;
    unsigned char *data = get(path, &size);
    assert_non_null(data);
    assert_string_equal((char *)data, text);
    free(data);
}

static void assert_ok(lae_status status)
{
    if (status != NULL) fail_msg("unexpected error: %s", lae_status_message(status));
}

/* An error of that code whose message holds all the words (NULL ends them). */
static void assert_error(lae_status status, enum lae_code code, ...)
{
    assert_non_null(status);
    assert_int_equal(lae_status_code(status), code);
    va_list words;
    va_start(words, code);
    for (const char *word = va_arg(words, const char *); word != NULL;
         word = va_arg(words, const char *))
        if (strstr(lae_status_message(status), word) == NULL)
            fail_msg("\"%s\" is not in: %s", word, lae_status_message(status));
    va_end(words);
    lae_status_free(status);
}

/* ---- map --------------------------------------------------------------------------------------
 */

static void map_gives_the_bytes(void **state)
{
    struct lae_map map;
    put(at(state, "file"), "some bytes", 10);
    assert_ok(lae_map_open(at(state, "file"), &map));
    assert_int_equal(map.size, 10);
    assert_memory_equal(map.data, "some bytes", 10);
    lae_map_close(&map);
    assert_null(map.data);
    lae_map_close(&map);
}

static void map_of_an_empty_file_is_empty(void **state)
{
    struct lae_map map = {.data = (const unsigned char *)"x", .size = 1};
    put(at(state, "empty"), "", 0);
    assert_ok(lae_map_open(at(state, "empty"), &map));
    assert_null(map.data);
    assert_int_equal(map.size, 0);
    lae_map_close(&map);
}

static void a_copy_is_not_the_file(void **state)
{
    struct lae_map map;
    put(at(state, "file"), "some bytes", 10);
    assert_ok(lae_map_read(at(state, "file"), &map));
    put(at(state, "file"), "OTHER", 5);
    assert_int_equal(map.size, 10);
    assert_memory_equal(map.data, "some bytes", 10);
    lae_map_close(&map);
    assert_null(map.data);
    put(at(state, "empty"), "", 0);
    assert_ok(lae_map_read(at(state, "empty"), &map));
    assert_int_equal(map.size, 0);
    lae_map_close(&map);
    assert_error(lae_map_read(at(state, "none"), &map), LAE_BAD_INPUT, "none: cannot be opened",
                 NULL);
    assert_error(lae_map_read(at(state, "."), &map), LAE_BAD_INPUT, "is a directory", NULL);
}

/* Cut off while it is mapped: the end has the file's name and exit code 2. */
static void a_fault_has_the_files_name(void **state)
{
    char said[512] = "";
    int ends[2], result = 0;
    put(at(state, "cut"), "some bytes", 10);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct lae_map map;
        dup2(ends[1], STDERR_FILENO);
        lae_map_name_faults();
        if (lae_map_open(at(state, "cut"), &map) != NULL) _exit(50);
        if (truncate(at(state, "cut"), 0) != 0) _exit(51);
        _exit(map.data[3] == 'e' ? 52 : 53);
    }
    close(ends[1]);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(read(ends[0], said, sizeof said - 1) > 0);
    close(ends[0]);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 2);
    assert_non_null(strstr(said, "/cut: was cut off while it was read"));
}

static void map_refuses_what_is_no_file(void **state)
{
    struct lae_map map;
    const char *pipe = at(state, "pipe");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_error(lae_map_open(at(state, "none"), &map), LAE_BAD_INPUT, at(state, "none"),
                 strerror(ENOENT), NULL);
    assert_error(lae_map_open(at(state, ""), &map), LAE_BAD_INPUT, "directory", NULL);
    assert_error(lae_map_open(pipe, &map), LAE_BAD_INPUT, pipe, "regular", NULL);
    assert_null(map.data);
}

static void paths_are_joined_and_asked(void **state)
{
    static const char *const cases[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"/", "b", "/b"}, {"", "b", "b"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = lae_path_join(cases[i][0], cases[i][1]);
        assert_string_equal(path, cases[i][2]);
        free(path);
    }
    put(at(state, "file"), "", 0);
    assert_true(lae_path_exists(at(state, "file")));
    assert_true(lae_path_exists(at(state, "")));
    assert_false(lae_path_exists(at(state, "none")));
    assert_true(lae_path_is_directory(at(state, "")));
    assert_false(lae_path_is_directory(at(state, "file")));
    assert_false(lae_path_is_directory(at(state, "none")));
}

static void directories_are_made_with_their_parents(void **state)
{
    assert_ok(lae_path_make_directories(at(state, "a/b//c/")));
    assert_true(lae_path_is_directory(at(state, "a/b/c")));
    assert_ok(lae_path_make_directories(at(state, "a/b/c")));
    assert_ok(lae_path_make_directories("/"));
    put(at(state, "file"), "", 0);
    assert_error(lae_path_make_directories(at(state, "file")), LAE_BAD_INPUT, at(state, "file"),
                 NULL);
    assert_error(lae_path_make_directories(at(state, "file/d")), LAE_BAD_INPUT, at(state, "file"),
                 NULL);
    assert_error(lae_path_make_directories(""), LAE_BAD_INPUT, "empty", NULL);
}

/* ---- atomic -----------------------------------------------------------------------------------
 */

/* The directory's files whose names begin with a dot and end in ".tmp". */
static int count_temporary(const char *directory)
{
    int count = 0;
    DIR *stream = opendir(directory);
    assert_non_null(stream);
    for (struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
        size_t length = strlen(entry->d_name);
        bool hidden = entry->d_name[0] == '.' && length > 4;
        if (hidden && strcmp(entry->d_name + length - 4, ".tmp") == 0) count++;
    }
    closedir(stream);
    return count;
}

static void atomic_write_makes_and_replaces(void **state)
{
    const char *path = at(state, "file");
    assert_ok(lae_atomic_write(path, "one", 3));
    assert_holds(path, "one");
    assert_ok(lae_atomic_write(path, "another", 7));
    assert_holds(path, "another");
    assert_ok(lae_atomic_write(path, NULL, 0));
    assert_holds(path, "");
    assert_int_equal(count_temporary(*state), 0);
}

static void atomic_write_works_in_the_current_directory(void **state)
{
    int before = open(".", O_RDONLY | O_DIRECTORY);
    assert_true(before >= 0);
    assert_int_equal(chdir(*state), 0);
    lae_status status = lae_atomic_write("plain", "here", 4);
    assert_int_equal(fchdir(before), 0);
    close(before);
    assert_ok(status);
    assert_holds(at(state, "plain"), "here");
}

static void nothing_is_seen_before_the_commit(void **state)
{
    struct lae_atomic file;
    const char *path = at(state, "file");
    put(path, "old", 3);
    assert_ok(lae_atomic_begin(&file, path));
    assert_true(lae_path_exists(file.temporary));
    FILE *stream = lae_atomic_stream(&file);
    assert_non_null(stream);
    assert_true(fputs("new", stream) >= 0);
    assert_int_equal(fclose(stream), 0);
    assert_holds(path, "old");
    assert_ok(lae_atomic_commit(&file));
    assert_null(file.path);
    assert_holds(path, "new");
    assert_int_equal(count_temporary(*state), 0);
}

static void abandoning_leaves_the_old_file(void **state)
{
    struct lae_atomic file;
    put(at(state, "file"), "old", 3);
    assert_ok(lae_atomic_begin(&file, at(state, "file")));
    lae_atomic_abandon(&file);
    lae_atomic_abandon(&file);
    assert_holds(at(state, "file"), "old");
    assert_int_equal(count_temporary(*state), 0);
}

/* Killed while it writes, a process leaves its temporary file; one that lives keeps it. */
static void what_the_killed_left_is_removed(void **state)
{
    struct lae_atomic living, file;
    const char *path = at(state, "file"), *left = at(state, ".file-0123abcd.tmp");
    const char *others[] = {at(state, ".file-0123abcd.tmp.kept"), at(state, ".file-0123abcX.tmp"),
                            at(state, ".fil-0123abcd.tmp"), at(state, "victim")};
    put(left, "left", 4);
    for (size_t i = 0; i < 4; i++)
        put(others[i], "kept", 4);
    assert_int_equal(symlink(others[3], at(state, ".file-89abcdef.tmp")), 0);
    assert_ok(lae_atomic_begin(&living, path));
    assert_false(lae_path_exists(left));
    assert_ok(lae_atomic_begin(&file, path));
    assert_string_not_equal(living.temporary, file.temporary);
    assert_true(lae_path_exists(living.temporary));
    for (size_t i = 0; i < 4; i++)
        assert_holds(others[i], "kept");
    assert_ok(lae_atomic_commit(&living));
    assert_ok(lae_atomic_commit(&file));
}

static void many_may_write_one_file(void **state)
{
    enum { WRITERS = 6, ROUNDS = 40, SIZE = 5000 };
    const char *path = at(state, "file");
    for (int writer = 0; writer < WRITERS; writer++) {
        if (fork() != 0) continue;
        char data[SIZE];
        memset(data, 'a' + writer, sizeof data);
        lae_status status = NULL;
        for (int i = 0; i < ROUNDS && status == NULL; i++)
            status = lae_atomic_write(path, data, sizeof data);
        if (status != NULL) fprintf(stderr, "%s\n", lae_status_message(status));
        _exit(status != NULL);
    }
    int how, failed = 0;
    while (wait(&how) > 0)
        failed += how != 0;
    assert_int_equal(failed, 0);
    struct lae_map map;
    assert_ok(lae_map_open(path, &map));
    assert_int_equal(map.size, SIZE);
    for (size_t i = 0; i < map.size; i++)
        assert_int_equal(map.data[i], map.data[0]);
    lae_map_close(&map);
    assert_int_equal(count_temporary(*state), 0);
}

static void long_names_can_be_written(void **state)
{
    char name[256] = "";
    memset(name, 'n', 255);
    assert_ok(lae_atomic_write(at(state, name), "long", 4));
    assert_holds(at(state, name), "long");
}

static void atomic_refuses_impossible_places(void **state)
{
    struct lae_atomic file;
    const char *inside = at(state, "none/file");
    assert_error(lae_atomic_begin(&file, inside), LAE_BAD_INPUT, inside, "no directory", NULL);
    assert_error(lae_atomic_begin(&file, *state), LAE_BAD_INPUT, *state, "directory", NULL);
    assert_error(lae_atomic_begin(&file, ""), LAE_BAD_INPUT, "name", NULL);
    assert_error(lae_atomic_begin(&file, at(state, "d/")), LAE_BAD_INPUT, "name", NULL);
    assert_null(file.path);
    assert_ok(lae_atomic_check(at(state, "file")));
    assert_int_equal(count_temporary(*state), 0);
}

/* The kernel answers EFBIG where a full disk answers ENOSPC; the way through the code is one. */
static void a_full_disk_leaves_the_old_file(void **state)
{
    const char *path = at(state, "file");
    size_t size = 1 << 16;
    char *data = calloc(1, size);
    struct rlimit before, small;
    assert_non_null(data);
    assert_ok(lae_atomic_write(path, "old", 3));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 4096;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    lae_status status = lae_atomic_write(path, data, size);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    free(data);
    assert_error(status, LAE_FAILED, path, strerror(EFBIG), NULL);
    assert_holds(path, "old");
    assert_int_equal(count_temporary(*state), 0);
}

static void commit_names_what_went_wrong(void **state)
{
    struct lae_atomic file;
    const char *path = at(state, "file");
    assert_ok(lae_atomic_begin(&file, path));
    assert_int_equal(unlink(file.temporary), 0);
    assert_error(lae_atomic_commit(&file), LAE_FAILED, path, strerror(ENOENT), NULL);
    assert_null(file.temporary);

    assert_ok(lae_atomic_begin(&file, path));
    assert_int_equal(mkdir(path, 0700), 0); /* comes into the way after begin */
    assert_error(lae_atomic_commit(&file), LAE_FAILED, path, strerror(EISDIR), NULL);
    assert_int_equal(count_temporary(*state), 0);
}

/* ---- own --------------------------------------------------------------------------------------
 */

/* What others may have put where a run has a file. */
static void own_files_are_not_opened_through_links(void **state)
{
    const char *victim = at(state, "victim"), *link = at(state, "link"), *hard = at(state, "hard");
    int file;
    FILE *stream;
    put(victim, "mine", 4);
    assert_int_equal(symlink(victim, link), 0);
    assert_error(lae_own_check(link, LAE_OWN_FILE), LAE_BAD_INPUT, link, "is a link", NULL);
    assert_error(lae_own_check(link, LAE_OWN_DIRECTORY), LAE_BAD_INPUT, link, "is a link", NULL);
    assert_error(lae_own_open(link, O_RDWR, &file), LAE_BAD_INPUT, link, "is a link", NULL);
    assert_error(lae_own_append(link, &stream), LAE_BAD_INPUT, link, "is a link", NULL);
    assert_int_equal(symlink(at(state, "nothing"), at(state, "dangling")), 0);
    assert_error(lae_own_append(at(state, "dangling"), &stream), LAE_BAD_INPUT, "is a link", NULL);
    assert_false(lae_path_exists(at(state, "nothing")));
    /* A second name is none while the file is only read or replaced as a whole. */
    assert_int_equal(linkat(AT_FDCWD, victim, AT_FDCWD, hard, 0), 0);
    assert_ok(lae_own_check(hard, LAE_OWN_FILE));
    assert_error(lae_own_append(hard, &stream), LAE_BAD_INPUT, hard, "2 names", NULL);
    assert_holds(victim, "mine");
}

static void own_files_are_appended_to(void **state)
{
    const char *path = at(state, "own");
    FILE *stream;
    for (int i = 0; i < 2; i++) {
        assert_ok(lae_own_append(path, &stream));
        assert_true(fputs("line\n", stream) >= 0);
        assert_int_equal(fclose(stream), 0);
    }
    assert_holds(path, "line\nline\n");
    assert_error(lae_own_check(path, LAE_OWN_DIRECTORY), LAE_BAD_INPUT, "not a directory", NULL);
    assert_ok(lae_own_check(at(state, "none"), LAE_OWN_WRITTEN));
}

/* ---- digest -----------------------------------------------------------------------------------
 */

#define SHA256_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SHA256_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SHA256_MILLION_A "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

/* The vectors of FIPS 180-4's example document. */
static void digests_are_sha256(void **state)
{
    char text[LAE_DIGEST_TEXT];
    assert_ok(lae_digest_memory("", 0, text));
    assert_string_equal(text, SHA256_EMPTY);
    assert_ok(lae_digest_memory(NULL, 0, text));
    assert_string_equal(text, SHA256_EMPTY);
    assert_ok(lae_digest_memory("abc", 3, text));
    assert_string_equal(text, SHA256_ABC);

    const char *path = at(state, "file");
    put(path, "headerabc", 9);
    assert_ok(lae_digest_file(path, 6, text));
    assert_string_equal(text, SHA256_ABC);
    assert_ok(lae_digest_file(path, 9, text));
    assert_string_equal(text, SHA256_EMPTY);

    char *many = malloc(1000000);
    assert_non_null(many);
    memset(many, 'a', 1000000);
    put(path, many, 1000000);
    free(many);
    assert_ok(lae_digest_file(path, 0, text));
    assert_string_equal(text, SHA256_MILLION_A);
}

static void digest_errors_name_the_file(void **state)
{
    char text[LAE_DIGEST_TEXT];
    put(at(state, "file"), "abc", 3);
    assert_error(lae_digest_file(at(state, "file"), 4, text), LAE_BAD_INPUT, at(state, "file"),
                 "short", NULL);
    assert_error(lae_digest_file(at(state, "none"), 0, text), LAE_BAD_INPUT, at(state, "none"),
                 strerror(ENOENT), NULL);
    assert_error(lae_digest_file(*state, 0, text), LAE_BAD_INPUT, "directory", NULL);
}

/* ---- lock -------------------------------------------------------------------------------------
 */

static void a_lock_is_held_once(void **state)
{
    struct lae_lock lock, second;
    bool supported = false;
    char process[32];
    snprintf(process, sizeof process, "process %ld ", (long)getpid());
    assert_ok(lae_lock_take(&lock, *state, &supported));
    if (!supported) skip();
    assert_error(lae_lock_take(&second, *state, &supported), LAE_BAD_INPUT, *state, process, "host",
                 "since", "run.name", NULL);
    assert_true(supported);
    lae_lock_release(&second);
    lae_lock_release(&lock);
    assert_true(lae_path_exists(at(state, "lock")));
    assert_ok(lae_lock_take(&lock, *state, &supported));
    lae_lock_release(&lock);
    lae_lock_release(&lock);
    int input = fcntl(0, F_GETFD);
    lae_lock_release(&(struct lae_lock){0}); /* must not close descriptor 0 */
    assert_int_equal(fcntl(0, F_GETFD), input);
}

/* Takes the lock, says so, and waits to be killed. */
static void hold_lock(const char *directory, int ready)
{
    struct lae_lock lock;
    bool supported = false;
    lae_status status = lae_lock_take(&lock, directory, &supported);
    char word = status == NULL && supported ? 'y' : 'n';
    if (write(ready, &word, 1) != 1) _exit(1);
    for (;;)
        pause();
}

static void a_killed_holder_leaves_no_lock(void **state)
{
    int ready[2];
    char word = 0, process[32];
    bool supported = false;
    struct lae_lock lock;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) hold_lock(*state, ready[1]);
    assert_int_equal(read(ready[0], &word, 1), 1);
    snprintf(process, sizeof process, "process %ld ", (long)child);
    lae_status status = word == 'y' ? lae_lock_take(&lock, *state, &supported) : NULL;
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ready[0]);
    close(ready[1]);
    if (word == 'n') skip();
    assert_error(status, LAE_BAD_INPUT, *state, process, NULL);
    assert_ok(lae_lock_take(&lock, *state, &supported));
    assert_true(supported);
    lae_lock_release(&lock);
}

static void the_lock_file_says_who(void **state)
{
    struct lae_lock lock;
    bool supported = false;
    size_t size = 0;
    char host[65] = "", found[65], since[65];
    long process = 0;
    put(at(state, "lock"), "a much longer line that an earlier holder has left in this file\n", 64);
    assert_ok(lae_lock_take(&lock, *state, &supported));
    unsigned char *line = get(at(state, "lock"), &size);
    lae_lock_release(&lock);
    assert_non_null(line);
    gethostname(host, sizeof host - 1);
    assert_int_equal(sscanf((char *)line, "%64s %ld %64s", found, &process, since), 3);
    assert_ptr_equal(strchr((char *)line, '\n'), line + size - 1);
    free(line);
    assert_string_equal(found, host);
    assert_int_equal(process, getpid());
    assert_int_equal(since[10], 'T');
}

/* Whatever is in the file, only plain words of it reach the message. */
static void a_spoilt_lock_file_is_no_harm(void **state)
{
    static const char *const lines[] = {"", "one two", "host \033[31m 2024", "\xff\xfe 1 2\n"};
    struct lae_lock lock, second;
    bool supported = false;
    assert_ok(lae_lock_take(&lock, *state, &supported));
    if (!supported) skip();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        put(at(state, "lock"), lines[i], strlen(lines[i]));
        assert_error(lae_lock_take(&second, *state, &supported), LAE_BAD_INPUT,
                     "in use by another process;", NULL);
    }
    lae_lock_release(&lock);
}

static void lock_errors_name_the_file(void **state)
{
    struct lae_lock lock;
    bool supported = false;
    assert_error(lae_lock_take(&lock, at(state, "none"), &supported), LAE_BAD_INPUT,
                 at(state, "none/lock"), strerror(ENOENT), NULL);
    assert_int_equal(mkdir(at(state, "lock"), 0700), 0);
    assert_error(lae_lock_take(&lock, *state, &supported), LAE_BAD_INPUT, at(state, "lock"), NULL);
    assert_int_equal(lock.file, -1);
}

/* ---- archive ----------------------------------------------------------------------------------
 */

enum { LARGE = 70000 };

/* Bytes that neither compress to nothing nor stay as they are. */
static void fill(unsigned char *data, size_t size)
{
    uint32_t x = 1;
    for (size_t i = 0; i < size; i++) {
        x = x * 1664525u + 1013904223u;
        data[i] = (unsigned char)(x >> 28);
    }
}

static void add_entry(struct archive *writer, unsigned kind, const char *name, const char *target,
                      const void *data, size_t size)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, kind);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_mtime(entry, 1700000000, 0);
    archive_entry_set_size(entry, (la_int64_t)size);
    if (kind == AE_IFLNK) archive_entry_set_symlink(entry, target);
    if (kind == AE_IFREG && target != NULL) archive_entry_set_hardlink(entry, target);
    assert_int_equal(archive_write_header(writer, entry), ARCHIVE_OK);
    if (size > 0) assert_int_equal(archive_write_data(writer, data, size), size);
    archive_entry_free(entry);
}

/* d/ (directory), d/small "small", link -> d/small, empty, large [large_size]; in tars also a hard
 * link. */
static void write_archive(const char *path, bool zip, int filter, const char *options,
                          size_t large_size)
{
    static unsigned char large[LARGE];
    fill(large, sizeof large);
    struct archive *writer = archive_write_new();
    assert_non_null(writer);
    if (zip)
        archive_write_set_format_zip(writer);
    else
        archive_write_set_format_pax_restricted(writer);
    assert_true(archive_write_add_filter(writer, filter) >= ARCHIVE_WARN);
    archive_write_set_bytes_in_last_block(writer, 1);
    if (options != NULL) assert_int_equal(archive_write_set_options(writer, options), ARCHIVE_OK);
    assert_int_equal(archive_write_open_filename(writer, path), ARCHIVE_OK);
    add_entry(writer, AE_IFDIR, "d/", NULL, NULL, 0);
    add_entry(writer, AE_IFREG, "d/small", NULL, "small", 5);
    add_entry(writer, AE_IFLNK, "link", "d/small", NULL, 0);
    add_entry(writer, AE_IFREG, "empty", NULL, NULL, 0);
    if (!zip) add_entry(writer, AE_IFREG, "hard", "d/small", NULL, 0);
    add_entry(writer, AE_IFREG, "large", NULL, large, large_size);
    assert_int_equal(archive_write_close(writer), ARCHIVE_OK);
    archive_write_free(writer);
}

static const struct kind {
    const char *name;
    bool zip;
    int filter;
    const char *options;
} kinds[] = {
    {"stored.zip", true, ARCHIVE_FILTER_NONE, "compression=store"},
    {"deflated.zip", true, ARCHIVE_FILTER_NONE, "compression=deflate"},
    {"plain.tar", false, ARCHIVE_FILTER_NONE, NULL},
    {"a.tar.gz", false, ARCHIVE_FILTER_GZIP, NULL},
    {"a.tar.bz2", false, ARCHIVE_FILTER_BZIP2, NULL},
    {"a.tar.xz", false, ARCHIVE_FILTER_XZ, NULL},
    {"a.tar.zst", false, ARCHIVE_FILTER_ZSTD, NULL},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void take_entry(struct lae_archive *archive, const char *wanted, const void *wanted_data,
                       size_t wanted_size)
{
    const char *name = NULL;
    unsigned char *data = NULL;
    size_t size = 0;
    assert_ok(lae_archive_next(archive, &name));
    assert_non_null(name);
    assert_string_equal(name, wanted);
    assert_ok(lae_archive_read(archive, wanted_size, &data, &size));
    assert_int_equal(size, wanted_size);
    if (size > 0) assert_memory_equal(data, wanted_data, size);
    assert_int_equal(data[size], 0);
    free(data);
}

static void archives_give_their_regular_files(void **state)
{
    unsigned char large[LARGE];
    fill(large, sizeof large);
    for (size_t i = 0; i < KINDS; i++) {
        struct lae_archive *archive = NULL;
        const char *path = at(state, kinds[i].name), *name = "";
        write_archive(path, kinds[i].zip, kinds[i].filter, kinds[i].options, sizeof large);
        assert_ok(lae_archive_open(path, &archive));
        take_entry(archive, "d/small", "small", 5);
        take_entry(archive, "empty", "", 0);
        take_entry(archive, "large", large, sizeof large);
        assert_ok(lae_archive_next(archive, &name));
        assert_null(name);
        lae_archive_close(archive);
    }
    lae_archive_close(NULL);
}

static void entries_may_be_passed_over(void **state)
{
    for (size_t i = 0; i < KINDS; i++) {
        struct lae_archive *archive = NULL;
        const char *path = at(state, kinds[i].name), *name = "";
        write_archive(path, kinds[i].zip, kinds[i].filter, kinds[i].options, LARGE);
        assert_ok(lae_archive_open(path, &archive));
        for (int entries = 0; entries < 3; entries++)
            assert_ok(lae_archive_next(archive, &name));
        assert_string_equal(name, "large");
        assert_ok(lae_archive_next(archive, &name));
        assert_null(name);
        lae_archive_close(archive);
    }
}

static void entries_are_limited_and_read_once(void **state)
{
    struct lae_archive *archive = NULL;
    const char *path = at(state, "a.zip"), *name = NULL;
    unsigned char *data = NULL;
    size_t size = 0;
    write_archive(path, true, ARCHIVE_FILTER_NONE, NULL, 1000);
    assert_ok(lae_archive_open(path, &archive));
    assert_error(lae_archive_read(archive, 9, &data, &size), LAE_FAILED, path, NULL);
    assert_ok(lae_archive_next(archive, &name));
    assert_error(lae_archive_read(archive, 4, &data, &size), LAE_BAD_INPUT, path, "d/small",
                 "4 bytes", NULL);
    assert_null(data);
    assert_ok(lae_archive_read(archive, SIZE_MAX, &data, &size));
    assert_string_equal((char *)data, "small");
    free(data);
    assert_error(lae_archive_read(archive, 5, &data, &size), LAE_FAILED, path, NULL);
    lae_archive_close(archive);
}

/* In the C locale libarchive has no name for it, as for one that other tools spoilt. */
static void foreign_names_do_not_stop_the_reading(void **state)
{
    struct lae_archive *archive = NULL;
    const char *path = at(state, "a.zip"), *name = NULL;
    struct archive *writer = archive_write_new();
    assert_non_null(writer);
    archive_write_set_format_zip(writer);
    assert_int_equal(archive_write_open_filename(writer, path), ARCHIVE_OK);
    add_entry(writer, AE_IFREG, "caf?", NULL, "bytes", 5);
    add_entry(writer, AE_IFREG, "plain", NULL, "bytes", 5);
    assert_int_equal(archive_write_close(writer), ARCHIVE_OK);
    archive_write_free(writer);

    size_t total = 0;
    unsigned char *bytes = get(path, &total);
    assert_non_null(bytes);
    for (size_t i = 0; i + 46 < total; i++) { /* set the flag "names are UTF-8" (bit 11) */
        if (memcmp(bytes + i, "PK\3\4", 4) == 0) bytes[i + 7] |= 8;
        if (memcmp(bytes + i, "PK\1\2", 4) == 0) bytes[i + 9] |= 8;
        if (memcmp(bytes + i, "caf?", 4) == 0) memcpy(bytes + i + 2, "\xc3\xa9", 2);
    }
    put(path, bytes, total);
    free(bytes);
    assert_ok(lae_archive_open(path, &archive));
    take_entry(archive, "(a name not of this locale)", "bytes", 5);
    take_entry(archive, "plain", "bytes", 5);
    assert_ok(lae_archive_next(archive, &name));
    assert_null(name);
    lae_archive_close(archive);
}

/* Longer than the memory that is taken on trust at first (16 MiB). */
static void long_entries_grow_their_memory(void **state)
{
    enum { PART = 1 << 20, PARTS = 17 };
    struct lae_archive *archive = NULL;
    const char *path = at(state, "a.zip"), *name = NULL;
    unsigned char *data = NULL, *part = malloc(PART);
    size_t size = 0;
    assert_non_null(part);
    struct archive *writer = archive_write_new();
    archive_write_set_format_zip(writer);
    assert_int_equal(archive_write_open_filename(writer, path), ARCHIVE_OK);
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, "long");
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_size(entry, (la_int64_t)PART * PARTS);
    assert_int_equal(archive_write_header(writer, entry), ARCHIVE_OK);
    for (int i = 0; i < PARTS; i++) {
        memset(part, i + 1, PART);
        assert_int_equal(archive_write_data(writer, part, PART), PART);
    }
    archive_entry_free(entry);
    assert_int_equal(archive_write_close(writer), ARCHIVE_OK);
    archive_write_free(writer);
    assert_ok(lae_archive_open(path, &archive));
    assert_ok(lae_archive_next(archive, &name));
    assert_ok(lae_archive_read(archive, SIZE_MAX, &data, &size));
    lae_archive_close(archive);
    assert_int_equal(size, (size_t)PART * PARTS);
    for (int i = 0; i < PARTS; i++) {
        memset(part, i + 1, PART);
        assert_memory_equal(data + (size_t)i * PART, part, PART);
    }
    free(part);
    free(data);
}

/* Writes `value` over each little-endian 32-bit 1000 = 0x3e8 there: the sizes of `large`. */
static size_t lie(unsigned char *bytes, size_t total, uint32_t value)
{
    size_t found = 0;
    for (size_t i = 0; i + 4 <= total; i++) {
        if (memcmp(bytes + i, "\xe8\x03\0\0", 4) != 0) continue;
        for (unsigned b = 0; b < 4; b++)
            bytes[i + b] = (unsigned char)(value >> 8 * b);
        found++;
    }
    return found;
}

/* A header that promises less than comes must not overrun, one that promises more is found out. */
static void lying_sizes_are_found_out(void **state)
{
    static const uint32_t lies[] = {1, 999, 1001, 1u << 19, 0x7fffffff};
    const char *path = at(state, "a.zip");
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct lae_archive *archive = NULL;
        const char *name = NULL;
        unsigned char *data = NULL;
        size_t size = 0, total = 0;
        write_archive(path, true, ARCHIVE_FILTER_NONE, "compression=deflate", 1000);
        unsigned char *bytes = get(path, &total);
        assert_non_null(bytes);
        assert_true(lie(bytes, total, lies[i]) >= 2);
        put(path, bytes, total);
        free(bytes);
        assert_ok(lae_archive_open(path, &archive));
        for (int entries = 0; entries < 3; entries++)
            assert_ok(lae_archive_next(archive, &name));
        assert_error(lae_archive_read(archive, 1 << 20, &data, &size), LAE_BAD_INPUT, path, "large",
                     NULL);
        lae_archive_close(archive);
    }
}

static void what_is_no_archive_is_refused(void **state)
{
    struct lae_archive *archive = NULL;
    const char *text = at(state, "text");
    char line[2000];
    memset(line, 'x', sizeof line);
    put(text, line, sizeof line);
    assert_error(lae_archive_open(text, &archive), LAE_BAD_INPUT, text, "not a zip or tar", NULL);
    assert_null(archive);
    line[0] = '\x1f';
    line[1] = '\x8b';
    put(text, line, sizeof line);
    assert_error(lae_archive_open(text, &archive), LAE_BAD_INPUT, text, "not a zip or tar", NULL);
    put(text, "", 0);
    assert_error(lae_archive_open(text, &archive), LAE_BAD_INPUT, text, "empty", NULL);
    assert_null(archive);
    assert_error(lae_archive_open(*state, &archive), LAE_BAD_INPUT, *state, "directory", NULL);
    assert_error(lae_archive_open(at(state, "none"), &archive), LAE_BAD_INPUT, strerror(ENOENT),
                 NULL);
}

/* Reads everything. Returns an error, or the number of entries whose bytes are the right ones;
 * wrong bytes without an error fail the test unless `unguarded`. */
static lae_status read_through(const char *path, const unsigned char *large, size_t large_size,
                               bool unguarded, int *right)
{
    struct lae_archive *archive = NULL;
    lae_status status = lae_archive_open(path, &archive);
    *right = 0;
    bool wrong = false;
    while (status == NULL) {
        const char *name = NULL;
        unsigned char *data = NULL;
        size_t size = 0;
        status = lae_archive_next(archive, &name);
        if (status != NULL || name == NULL) break;
        status = lae_archive_read(archive, 1 << 20, &data, &size);
        if (status == NULL) {
            bool same = size == 0 || (size == 5 && memcmp(data, "small", 5) == 0) ||
                        (size == large_size && memcmp(data, large, size) == 0);
            /* A flip in the directory can make a file of the link, which holds its target. */
            same |= size == 7 && memcmp(data, "d/small", 7) == 0;
            *right += same;
            wrong |= !same;
        }
        free(data);
    }
    lae_archive_close(archive);
    if (status == NULL && wrong && !unguarded) fail_msg("%s: wrong bytes, no error", path);
    return status;
}

static void cut_archives_are_errors(void **state)
{
    unsigned char large[3000];
    fill(large, sizeof large);
    for (size_t i = 0; i < KINDS; i++) {
        const char *whole = at(state, "whole"), *cut = at(state, kinds[i].name);
        size_t total = 0;
        int right = 0;
        write_archive(whole, kinds[i].zip, kinds[i].filter, kinds[i].options, sizeof large);
        unsigned char *bytes = get(whole, &total);
        assert_non_null(bytes);
        assert_ok(read_through(whole, large, sizeof large, false, &right));
        assert_int_equal(right, 3);
        bool plain = !kinds[i].zip && kinds[i].filter == ARCHIVE_FILTER_NONE;
        for (size_t size = 0; size < total; size += size < 16 || total - size < 16 ? 1 : 197) {
            put(cut, bytes, size);
            lae_status status = read_through(cut, large, sizeof large, false, &right);
            /* A tar without its end marker is whole to libarchive, and one cut between two entries
             * lacks the later ones; those are seen by who looks for them. */
            if (status == NULL && !(plain && (size % 512 == 0 || right == 3)))
                fail_msg("%s cut to %zu of %zu bytes: no error", kinds[i].name, size, total);
            lae_status_free(status);
        }
        free(bytes);
    }
}

static void flipped_bits_are_errors_or_harmless(void **state)
{
    unsigned char large[3000];
    fill(large, sizeof large);
    for (size_t i = 0; i < KINDS; i++) {
        const char *path = at(state, kinds[i].name);
        size_t total = 0;
        int right = 0, errors = 0, tries = 0;
        write_archive(path, kinds[i].zip, kinds[i].filter, kinds[i].options, sizeof large);
        unsigned char *bytes = get(path, &total);
        assert_non_null(bytes);
        bool unguarded = kinds[i].filter == ARCHIVE_FILTER_ZSTD ||
                         (!kinds[i].zip && kinds[i].filter == ARCHIVE_FILTER_NONE);
        for (size_t bit = i; bit < 8 * total; bit += 499, tries++) {
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            put(path, bytes, total);
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            lae_status status = read_through(path, large, sizeof large, unguarded, &right);
            errors += status != NULL;
            lae_status_free(status);
        }
        free(bytes);
        /* Most bits are the compressed bytes of `large`. */
        if (!unguarded && 2 * errors < tries)
            fail_msg("%s: %d errors in %d flips", kinds[i].name, errors, tries);
    }
}

/* Reads the one entry, whole in any case; then the end, or an error with that word. */
static void check_end(const char *path, const char *word)
{
    struct lae_archive *archive = NULL;
    const char *name = NULL;
    assert_ok(lae_archive_open(path, &archive));
    take_entry(archive, "small", "small", 5);
    if (word == NULL)
        assert_ok(lae_archive_next(archive, &name));
    else
        assert_error(lae_archive_next(archive, &name), LAE_BAD_INPUT, path, word, NULL);
    assert_null(name);
    lae_archive_close(archive);
}

/* A tar ends with zeros, up to a full block of the tape; gzip's checksum comes after them, where a
 * reader of entries has no need to go. */
static void the_checksum_behind_the_padding_is_read(void **state)
{
    const char *path = at(state, "a.tar.gz");
    static unsigned char zeros[1 << 16];
    size_t total = 0;
    struct archive *writer = archive_write_new();
    assert_non_null(writer);
    archive_write_set_format_ustar(writer);
    assert_int_equal(archive_write_add_filter_none(writer), ARCHIVE_OK);
    assert_int_equal(archive_write_open_filename(writer, at(state, "a.tar")), ARCHIVE_OK);
    add_entry(writer, AE_IFREG, "small", NULL, "small", 5);
    assert_int_equal(archive_write_close(writer), ARCHIVE_OK);
    archive_write_free(writer);

    unsigned char *tar = get(at(state, "a.tar"), &total);
    assert_non_null(tar);
    gzFile gzip = gzopen(path, "wb");
    assert_non_null(gzip);
    assert_int_equal(gzwrite(gzip, tar, (unsigned)total), total);
    for (int i = 0; i < 16; i++)
        assert_int_equal(gzwrite(gzip, zeros, sizeof zeros), sizeof zeros);
    assert_int_equal(gzclose(gzip), Z_OK);
    free(tar);
    unsigned char *bytes = get(path, &total);
    assert_non_null(bytes);
    check_end(path, NULL);
    put(path, bytes, total - 9); /* the last bits of the padding and the trailer */
    check_end(path, "damaged");
    bytes[total - 6] ^= 1; /* of the CRC */
    put(path, bytes, total);
    check_end(path, "damaged");
    free(bytes);
}

static void damage_names_the_entry(void **state)
{
    static const char *const names[] = {"stored.zip", "deflated.zip"};
    for (size_t i = 0; i < 2; i++) {
        struct lae_archive *archive = NULL;
        const char *path = at(state, names[i]), *name = NULL;
        unsigned char *data = NULL;
        size_t total = 0;
        write_archive(path, true, ARCHIVE_FILTER_NONE, kinds[i].options, LARGE);
        unsigned char *bytes = get(path, &total);
        assert_non_null(bytes);
        bytes[total / 2] ^= 0x10; /* inside `large` */
        put(path, bytes, total);
        free(bytes);
        assert_ok(lae_archive_open(path, &archive));
        take_entry(archive, "d/small", "small", 5);
        for (int entries = 0; entries < 2; entries++)
            assert_ok(lae_archive_next(archive, &name));
        assert_error(lae_archive_read(archive, LARGE, &data, &total), LAE_BAD_INPUT, path,
                     "entry large is damaged", NULL);
        assert_null(data);
        lae_archive_close(archive);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(map_gives_the_bytes),
        TEST(map_of_an_empty_file_is_empty),
        TEST(a_copy_is_not_the_file),
        TEST(a_fault_has_the_files_name),
        TEST(map_refuses_what_is_no_file),
        TEST(paths_are_joined_and_asked),
        TEST(directories_are_made_with_their_parents),
        TEST(atomic_write_makes_and_replaces),
        TEST(atomic_write_works_in_the_current_directory),
        TEST(nothing_is_seen_before_the_commit),
        TEST(abandoning_leaves_the_old_file),
        TEST(what_the_killed_left_is_removed),
        TEST(many_may_write_one_file),
        TEST(long_names_can_be_written),
        TEST(atomic_refuses_impossible_places),
        TEST(a_full_disk_leaves_the_old_file),
        TEST(commit_names_what_went_wrong),
        TEST(own_files_are_not_opened_through_links),
        TEST(own_files_are_appended_to),
        TEST(digests_are_sha256),
        TEST(digest_errors_name_the_file),
        TEST(a_lock_is_held_once),
        TEST(a_killed_holder_leaves_no_lock),
        TEST(the_lock_file_says_who),
        TEST(a_spoilt_lock_file_is_no_harm),
        TEST(lock_errors_name_the_file),
        TEST(archives_give_their_regular_files),
        TEST(entries_may_be_passed_over),
        TEST(entries_are_limited_and_read_once),
        TEST(foreign_names_do_not_stop_the_reading),
        TEST(long_entries_grow_their_memory),
        TEST(lying_sizes_are_found_out),
        TEST(what_is_no_archive_is_refused),
        TEST(cut_archives_are_errors),
        TEST(flipped_bits_are_errors_or_harmless),
        TEST(the_checksum_behind_the_padding_is_read),
        TEST(damage_names_the_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
