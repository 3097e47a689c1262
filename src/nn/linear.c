/* Everything here ends in one cblas_sgemm, also for a single row: OpenBLAS's gemv would round
 * differently, and gemm is as quick at these sizes. */
#include "lae/nn/linear.h"

#include <cblas.h>
#include <stdio.h>
#include <string.h>

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
    lae_gemm(false, true, rows, out, in, 1.0f, x, in, w, in, b != NULL ? 1.0f : 0.0f, y, ldy);
}

void lae_linear_backward_input(float *dx, const float *dy, size_t ldy, const float *w, size_t rows,
                               size_t in, size_t out, float keep)
{
    lae_gemm(false, false, rows, in, out, 1.0f, dy, ldy, w, in, keep, dx, in);
}

void lae_linear_backward_params(float *dw, float *db, const float *dy, size_t ldy, const float *x,
                                size_t rows, size_t in, size_t out)
{
    lae_gemm(true, false, out, in, rows, 1.0f, dy, ldy, x, in, 0.0f, dw, in);
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
