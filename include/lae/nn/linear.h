/* Linear maps: the one place that calls BLAS. Single-threaded; one image's rows at a time.
 * Weights are [out, in], as PyTorch stores them. */
#ifndef LAE_NN_LINEAR_H
#define LAE_NN_LINEAR_H

#include "lae/base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* C[m, n] = alpha * op(A) op(B) + beta * C; op transposes where asked. Row strides lda, ldb, ldc;
 * any extent may be 0. */
typedef void lae_gemm_function(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k,
                               float alpha, const float *a, size_t lda, const float *b, size_t ldb,
                               float beta, float *c, size_t ldc);

/* By BLAS. */
void lae_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, float alpha,
              const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
              size_t ldc);

/* y[rows, out] (row stride ldy >= out) = x[rows, in] w[out, in]^T + b[out]; b NULL: none. */
void lae_linear(float *y, size_t ldy, const float *x, const float *w, const float *b, size_t rows,
                size_t in, size_t out);

/* dx[rows, in] = dy[rows, out] (row stride ldy) w[out, in] + keep * dx; keep is 0 or 1. */
void lae_linear_backward_input(float *dx, const float *dy, size_t ldy, const float *w, size_t rows,
                               size_t in, size_t out, float keep);

/* dw[out, in] = dy^T x and db[out] = column sums of dy; db NULL: none. dy has row stride ldy. */
void lae_linear_backward_params(float *dw, float *db, const float *dy, size_t ldy, const float *x,
                                size_t rows, size_t in, size_t out);

/* What computes: "OpenBLAS 0.3.21 ... SkylakeX", for the fingerprint and the log. */
const char *lae_linear_backend(char *text, size_t size);

/* Whether several threads may compute at once: not with OpenBLAS's serial build, whose buffers are
 * shared without a lock (its results are then silently wrong). */
bool lae_linear_is_reentrant(void);

/* Takes the memory that BLAS needs for `threads` threads that compute at once; later it would try for
 * ever and say nothing where there is none. Errors: a limit on memory (ulimit -v). */
lae_status lae_linear_reserve(int threads) LAE_MUST_CHECK;

/* The core type that BLAS chose its kernels for: "SkylakeX", "Haswell", ... */
const char *lae_linear_core(void);

#endif
