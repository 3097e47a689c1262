/* a = U^T U, then U^T y = b and U x = y.
 *
 * LAPACK counts columns first: the upper triangle of a row-major matrix is its lower one, and rows
 * of right-hand sides are its columns. Of LAPACK dpotrf alone is called, which OpenBLAS writes
 * itself and exports also where it is built without LAPACK. */
#include "lae/nn/cholesky.h"

#include <cblas.h>
#include <float.h>
#include <math.h>

/* In no header of OpenBLAS. The last argument is the length of `uplo`, as Fortran passes it. */
void dpotrf_(const char *uplo, const blasint *n, double *a, const blasint *lda, blasint *info,
             size_t uplo_length);

/* Not every dpotrf refuses a NaN, and none a matrix that rounding alone made definite. */
static bool pivots_are_sound(const double *a, size_t n)
{
    double least = INFINITY, most = 0.0;
    for (size_t i = 0; i < n; i++) {
        double pivot = a[i * n + i] * a[i * n + i];
        if (!(pivot > 0.0 && isfinite(pivot))) return false;
        if (pivot < least) least = pivot;
        if (pivot > most) most = pivot;
    }
    return least >= (double)n * DBL_EPSILON * most;
}

bool lae_cholesky_factor(double *a, size_t n)
{
    if (n == 0) return true;
    blasint order = (blasint)n, info = 0;
    dpotrf_("L", &order, a, &order, &info, 1);
    return info == 0 && pivots_are_sound(a, n);
}

static void solve(CBLAS_TRANSPOSE transpose, const double *u, size_t n, double *rows, size_t count)
{
    blasint order = (blasint)n;
    if (n == 0 || count == 0) return;
    cblas_dtrsm(CblasColMajor, CblasLeft, CblasLower, transpose, CblasNonUnit, order,
                (blasint)count, 1.0, u, order, rows, order);
}

void lae_cholesky_forward(const double *u, size_t n, double *rows, size_t count)
{
    solve(CblasNoTrans, u, n, rows, count);
}

void lae_cholesky_backward(const double *u, size_t n, double *rows, size_t count)
{
    solve(CblasTrans, u, n, rows, count);
}

void lae_cholesky_solve(const double *u, size_t n, double *rows, size_t count)
{
    lae_cholesky_forward(u, n, rows, count);
    lae_cholesky_backward(u, n, rows, count);
}
