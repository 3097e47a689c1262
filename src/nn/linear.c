/* Everything here ends in one cblas_sgemm, also for a single row: OpenBLAS's gemv would round
 * differently, and gemm is as quick at these sizes. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "lae/nn/linear.h"

#include <cblas.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* BLAS asks for strides of at least 1, also where a matrix is empty. */
static blasint stride_of(size_t stride)
{
    return (blasint)(stride > 0 ? stride : 1);
}

void lae_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, float alpha,
              const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
              size_t ldc)
{
    if (m == 0 || n == 0) return;
    cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
                transpose_b ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, alpha,
                a, stride_of(lda), b, stride_of(ldb), beta, c, stride_of(ldc));
}

void lae_linear(float *y, size_t ldy, const float *x, const float *w, const float *b, size_t rows,
                size_t in, size_t out)
{
    if (b != NULL) {
        for (size_t i = 0; i < rows; i++)
            memcpy(y + i * ldy, b, out * sizeof *y);
    }
    lae_gemm(false, true, rows, out, in, 1.0F, x, in, w, in, b != NULL ? 1.0F : 0.0F, y, ldy);
}

void lae_linear_backward_input(float *dx, const float *dy, size_t ldy, const float *w, size_t rows,
                               size_t in, size_t out, float keep)
{
    lae_gemm(false, false, rows, in, out, 1.0F, dy, ldy, w, in, keep, dx, in);
}

void lae_linear_backward_params(float *dw, float *db, const float *dy, size_t ldy, const float *x,
                                size_t rows, size_t in, size_t out)
{
    lae_gemm(true, false, out, in, rows, 1.0F, dy, ldy, x, in, 0.0F, dw, in);
    if (db == NULL) return;
    memset(db, 0, out * sizeof *db);
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < out; j++)
            db[j] += dy[i * ldy + j];
    }
}

const char *lae_linear_backend(char *text, size_t size)
{
    const char *config = openblas_get_config(), *core = openblas_get_corename();
    bool named = strstr(config, core) != NULL; /* builds for several cores name the one in use */
    snprintf(text, size, "%s%s%s", config, named ? "" : " ", named ? "" : core);
    for (size_t end = strlen(text); end > 0 && text[end - 1] == ' '; end--)
        text[end - 1] = '\0';
    return text;
}

const char *lae_linear_core(void)
{
    return openblas_get_corename();
}

bool lae_linear_is_reentrant(void)
{
    return openblas_get_parallel() != 0; /* 0: the serial build */
}

#define BUFFER ((size_t)32 << 22) /* bytes that OpenBLAS maps for each thread inside a product */
#define SPARE                                                                                      \
    ((size_t)128 << 20) /* for what is allocated later: heaps of threads, code of oneDNN */

enum { MOST = 48 }; /* buffers: every build of OpenBLAS has as many */

/* Not in cblas.h, and not in every library: where they are missing, nothing is taken beforehand. */
extern void *blas_memory_alloc(int position) __attribute__((weak));
extern void blas_memory_free(void *buffer) __attribute__((weak));

static void *map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* For how many of `wanted` buffers there is room. Nothing is touched, so that only address space is
 * asked for, and given back. */
static int count_room(int wanted)
{
    void *buffers[MOST], *spare = map(SPARE);
    int mapped = 0;
    while (spare != NULL && mapped < wanted && (buffers[mapped] = map(BUFFER)) != NULL)
        mapped++;
    for (int i = 0; i < mapped; i++)
        munmap(buffers[i], BUFFER);
    if (spare != NULL) munmap(spare, SPARE);
    return mapped;
}

/* OpenBLAS keeps what it has mapped once: that much is safe from what is allocated later. */
static void take_buffers(int count)
{
    void *buffers[MOST];
    if (blas_memory_alloc == NULL || blas_memory_free == NULL) return;
    for (int i = 0; i < count; i++)
        buffers[i] = blas_memory_alloc(1);
    for (int i = 0; i < count; i++)
        blas_memory_free(buffers[i]);
}

lae_status lae_linear_reserve(int threads)
{
    int wanted = threads < MOST ? threads : MOST, room = count_room(wanted);
    if (room < wanted)
        return lae_failed("out of memory: OpenBLAS takes %zu MB of address space for each of %d "
                          "threads, and finds it for %d; raise the limit (ulimit -v), or lower "
                          "compute.threads",
                          BUFFER >> 20, threads, room);
    take_buffers(wanted);
    return NULL;
}
