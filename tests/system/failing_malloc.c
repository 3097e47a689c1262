/* Preloaded, makes one of the program's own allocations fail: the LAE_FAIL_AT-th (from 1) at rank
 * LAE_FAIL_RANK. The libraries' allocations are left alone, for MPI and BLAS end the program when
 * one of theirs fails. With LAE_FAIL_COUNT=FILE the number of allocations goes into the file. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

struct text {
    uintptr_t begin, end;
};

static struct text program;
static atomic_long seen;
static long fail_at; /* 0: none */

/* The first object is the program itself. */
static int find_program(struct dl_phdr_info *info, size_t size, void *context)
{
    struct text *text = context;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0) continue;
        text->begin = info->dlpi_addr + part->p_vaddr;
        text->end = text->begin + part->p_memsz;
    }
    return 1;
}

static void write_count(void)
{
    const char *path = getenv("LAE_FAIL_COUNT");
    FILE *file = path == NULL ? NULL : fopen(path, "w");
    if (file == NULL) return;
    fprintf(file, "%ld\n", atomic_load(&seen));
    fclose(file);
}

__attribute__((constructor)) static void begin(void)
{
    const char *rank = getenv("OMPI_COMM_WORLD_RANK"), *wanted = getenv("LAE_FAIL_RANK");
    const char *at = getenv("LAE_FAIL_AT");
    if (rank == NULL || wanted == NULL || strcmp(rank, wanted) != 0) return;
    dl_iterate_phdr(find_program, &program);
    fail_at = at == NULL ? 0 : strtol(at, NULL, 10);
    atexit(write_count);
}

static bool fails(const void *caller)
{
    uintptr_t address = (uintptr_t)caller;
    if (address < program.begin || address >= program.end) return false;
    bool chosen = atomic_fetch_add(&seen, 1) + 1 == fail_at;
    if (chosen) errno = ENOMEM;
    return chosen;
}

void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    void *block = fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
    if (block == NULL) return ENOMEM;
    *memory = block;
    return 0;
}

/* These allocate inside the C library, on the program's behalf. */
char *strndup(const char *text, size_t longest)
{
    size_t length = strnlen(text, longest);
    char *copy = fails(__builtin_return_address(0)) ? NULL : __libc_malloc(length + 1);
    if (copy == NULL) return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *strdup(const char *text)
{
    size_t length = strlen(text);
    char *copy = fails(__builtin_return_address(0)) ? NULL : __libc_malloc(length + 1);
    if (copy == NULL) return NULL;
    return memcpy(copy, text, length + 1);
}
