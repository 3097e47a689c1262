/* bad_inputs DIRECTORY [TOPIC ...]: hundreds of bad inputs, each a run of the program LAE_MPI.
 *
 * Some processes take the cases from one counter, as a case spends most of its time waiting. What
 * each makes of its cases is counted in memory that they share.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "bad.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 2
#define REPEAT_EVERY 20 /* so many cases to one that is run by mpirun, too */

static const struct topic {
    const char *name;
    void (*add)(struct bad_list *list);
} topics[] = {
    {"keys", bad_keys},     {"yaml", bad_yaml},       {"usage", bad_usage},
    {"images", bad_images}, {"weights", bad_weights}, {"checkpoints", bad_checkpoints},
    {"places", bad_places},
};
enum { TOPICS = sizeof topics / sizeof *topics };

struct score {
    atomic_size_t next; /* case */
    atomic_int results[TOPICS][3];
};

static void *grow(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) return items;
    *capacity = *capacity == 0 ? 64 : 2 * *capacity;
    items = realloc(items, *capacity * size);
    if (items == NULL) abort();
    return items;
}

static void *own(struct bad_list *list, void *data)
{
    list->texts = grow(list->texts, list->text_count, &list->text_capacity, sizeof *list->texts);
    if (data == NULL) abort();
    return list->texts[list->text_count++] = data;
}

const char *bad_text(struct bad_list *list, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    size_t size = (size_t)vsnprintf(NULL, 0, format, again) + 1;
    va_end(again);
    char *text = own(list, malloc(size));
    vsnprintf(text, size, format, args);
    va_end(args);
    return text;
}

const void *bad_keep(struct bad_list *list, const void *data, size_t size)
{
    return memcpy(own(list, malloc(size)), data, size);
}

void bad_add(struct bad_list *list, const struct bad_case *one)
{
    list->cases = grow(list->cases, list->count, &list->capacity, sizeof *list->cases);
    list->cases[list->count] = *one;
    list->cases[list->count].topic = list->topic;
    list->count++;
}

/* Some of each topic's cases once more, as two or three ranks. */
static void repeat_some(struct bad_list *list, size_t first)
{
    size_t end = list->count;
    for (size_t i = first; i < end; i++) {
        struct bad_case again = list->cases[i];
        if (again.alone || again.ranks > 0 || (i - first) % REPEAT_EVERY != REPEAT_EVERY / 2)
            continue;
        again.ranks = 2 + (int)(i / REPEAT_EVERY % 2);
        again.name = bad_text(list, "%s, %d ranks", again.name, again.ranks);
        bad_add(list, &again);
    }
}

static bool is_wanted(const char *topic, char *const *names)
{
    if (names[0] == NULL) return true;
    while (*names != NULL && strcmp(*names, topic) != 0)
        names++;
    return *names != NULL;
}

static void collect(struct bad_list *list, char *const *names)
{
    for (size_t i = 0; i < TOPICS; i++) {
        size_t first = list->count;
        if (!is_wanted(topics[i].name, names)) continue;
        list->topic = topics[i].name;
        topics[i].add(list);
        repeat_some(list, first);
    }
}

static size_t topic_of(const struct bad_case *one)
{
    size_t i = 0;
    while (strcmp(topics[i].name, one->topic) != 0)
        i++;
    return i;
}

static void work(const struct bad_list *list, struct score *score)
{
    for (;;) {
        size_t i = atomic_fetch_add(&score->next, 1);
        if (i >= list->count) return;
        char dir[BAD_PATH];
        snprintf(dir, sizeof dir, "%s/case-%zu", list->masters, i);
        enum bad_result result = bad_run(list, &list->cases[i], dir);
        atomic_fetch_add(&score->results[topic_of(&list->cases[i])][result], 1);
    }
}

/* Open MPI 4's launchers share a directory by the machine's name, and one that ends removes it as
 * another begins. */
static void keep_launchers_apart(const struct bad_list *list, int worker)
{
    char dir[BAD_PATH];
    snprintf(dir, sizeof dir, "%s/mpi-%d", list->masters, worker);
    setenv("OMPI_MCA_orte_tmpdir_base", dir, 1);
}

static void run_all(const struct bad_list *list, struct score *score)
{
    fflush(NULL);
    for (int i = 0; i < WORKERS; i++) {
        if (fork() != 0) continue;
        keep_launchers_apart(list, i);
        work(list, score);
        fflush(NULL);
        _exit(0);
    }
    while (wait(NULL) > 0)
        continue;
}

/* Every reason once. */
static void tell_skipped(const struct bad_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *reason = list->cases[i].skip;
        bool told = reason == NULL;
        for (size_t before = 0; before < i && !told; before++)
            told =
                list->cases[before].skip != NULL && strcmp(list->cases[before].skip, reason) == 0;
        if (!told) printf("skipped: %s\n", reason);
    }
}

static bool tell_score(const struct bad_list *list, struct score *score)
{
    int right = 0, wrong = 0, skipped = 0;
    for (size_t i = 0; i < TOPICS; i++) {
        int counts[3];
        for (int result = 0; result < 3; result++)
            counts[result] = atomic_load(&score->results[i][result]);
        if (counts[0] + counts[1] + counts[2] == 0) continue;
        printf("%-12s %4d right, %d wrong, %d skipped\n", topics[i].name, counts[BAD_RIGHT],
               counts[BAD_WRONG], counts[BAD_SKIPPED]);
        right += counts[BAD_RIGHT];
        wrong += counts[BAD_WRONG];
        skipped += counts[BAD_SKIPPED];
    }
    printf("%zu bad inputs: %d right, %d wrong, %d skipped\n", list->count, right, wrong, skipped);
    return wrong == 0 && (size_t)(right + skipped) == list->count && right > 0;
}

static void free_list(struct bad_list *list)
{
    for (size_t i = 0; i < list->text_count; i++)
        free(list->texts[i]);
    free(list->texts);
    free(list->cases);
}

int main(int argc, char **argv)
{
    struct bad_list list = {.source = getenv("LAE_TEST_SOURCE"),
                            .masters = argc > 1 ? argv[1] : NULL};
    if (list.masters == NULL || list.source == NULL || getenv("LAE_MPI") == NULL) {
        fprintf(stderr,
                "usage: LAE_MPI=... LAE_TEST_SOURCE=... bad_inputs DIRECTORY [TOPIC ...]\n");
        return 2;
    }
    struct score *score =
        mmap(NULL, sizeof *score, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (score == MAP_FAILED || !bad_make_masters(&list)) return 1;
    collect(&list, argv + 2);
    run_all(&list, score);
    tell_skipped(&list);
    bool good = tell_score(&list, score);
    free_list(&list);
    munmap(score, sizeof *score);
    return good ? 0 : 1;
}
