/* Symmetric positive definite systems of equations, in double, by BLAS's Cholesky factorization. */
#ifndef LAE_NN_CHOLESKY_H
#define LAE_NN_CHOLESKY_H

#include <stdbool.h>
#include <stddef.h>

/* a = U^T U, U upper triangular: of a [n, n], symmetric and row-major, the upper triangle is read
 * (a[j, k], k >= j) and becomes U; the rest is left alone. n up to 2^31 - 1.
 *
 * false: `a` is not positive definite in double: it holds what is not finite, or a pivot is not
 * positive or below n * 2^-52 of the largest. `a` then holds nothing of use.
 *
 * The same bits for the same numbers on one kind of processor: one thread, no blocking over count
 * that depends on anything but the shapes. */
bool lae_cholesky_factor(double *a, size_t n);

/* Solves U^T U x = b for each row b of rows[count, n], which becomes x. */
void lae_cholesky_solve(const double *u, size_t n, double *rows, size_t count);

/* The two halves of it: U^T y = b, and U x = y. */
void lae_cholesky_forward(const double *u, size_t n, double *rows, size_t count);
void lae_cholesky_backward(const double *u, size_t n, double *rows, size_t count);

#endif
