/* Ridge regression from random features to classes. Targets are 1 for an image's class and 0 for
 * the others, so the sum of h y^T that the solution needs is the sum of h over each class, and the
 * sum of h h^T follows from means and scatter: class statistics hold all there is to know.
 *
 * The squared error on other images does, too. With S', n'_k, mu'_k of theirs:
 *
 *     sum |y - W h|^2 = sum over c of ( w_c^T S' w_c + sum over k of n'_k (w_c.mu'_k - [k = c])^2 )
 *
 * where no term is negative, so nothing cancels.
 */
#include "lae/base/arena.h"
#include "lae/nn/cholesky.h"
#include "lae/nn/linear.h"

#include "methods.h"

#include <math.h>
#include <stdlib.h>

enum { BLOCK = 256 }; /* random features at a time: 1 KB of stack instead of memory of a thread */

/* gram [M, M] = the upper triangle of S + sum of n_c mu_c mu_c^T + lambda I */
static void add_up_gram(const struct lae_stats *stats, double lambda, double *gram)
{
    size_t width = stats->width;
    for (size_t j = 0; j < width; j++) {
        double *row = gram + j * width;
        for (size_t k = j; k < width; k++)
            row[k] = (double)stats->scatter[j * width + k];
        for (size_t c = 0; c < stats->classes; c++) {
            const float *mean = stats->mean + c * width;
            double share = (double)stats->count[c] * (double)mean[j];
            for (size_t k = j; k < width; k++)
                row[k] += share * (double)mean[k];
        }
        row[j] += lambda;
    }
}

static lae_status singular(const struct lae_head_options *options, const struct lae_stats *stats)
{
    return lae_bad_input("heads.ridge %g: the products of %zu random features over %lld images "
                         "cannot be inverted; raise it",
                         options->lambda, stats->width, (long long)lae_stats_images(stats));
}

lae_status lae_head_ridge_fit(const struct lae_head_options *options, const struct lae_stats *stats,
                              struct lae_head *head)
{
    double *gram, *w;
    size_t entries = stats->classes * stats->width;
    if (options->lambda == 0.0 && lae_stats_images(stats) < (int64_t)stats->width)
        return singular(options, stats); /* see covariance.c */
    LAE_TRY(lae_head_new_system(stats->width, stats->classes, "the products of random features",
                                &gram, &w));
    add_up_gram(stats, options->lambda, gram);
    for (size_t i = 0; i < entries; i++) {
        size_t class = i / stats->width;
        w[i] = (double)stats->count[class] * (double)stats->mean[i];
    }
    bool factored = lae_cholesky_factor(gram, stats->width);
    if (factored) lae_cholesky_solve(gram, stats->width, w, stats->classes);
    for (size_t i = 0; factored && i < entries; i++)
        head->weight[i] = (float)w[i];
    free(gram);
    return factored ? NULL : singular(options, stats);
}

void lae_head_ridge_scores(const struct lae_head *head, const float *phi, float *out)
{
    float h[BLOCK];
    for (size_t c = 0; c < head->classes; c++)
        out[c] = head->bias[c];
    for (size_t first = 0; first < head->width; first += BLOCK) {
        size_t count = head->width - first < BLOCK ? head->width - first : BLOCK;
        lae_lift_apply(head->lift, phi, first, count, h);
        lae_gemm(false, true, 1, head->classes, count, 1.0F, h, count, head->weight + first,
                 head->width, 1.0F, out, head->classes);
    }
}

/* ---- The choice of lambda ------------------------------------------------------------------ */

static double dot(const float *x, const float *y, size_t count)
{
    double sum = 0.0;
    for (size_t k = 0; k < count; k++)
        sum += (double)x[k] * (double)y[k];
    return sum;
}

/* Class c's term; `product` [M] is S' w_c. */
static double error_of_class(const struct lae_head *head, const struct lae_stats *held_out,
                             size_t c, const float *product)
{
    size_t width = head->width;
    const float *w = head->weight + c * width;
    double error = dot(w, product, width);
    for (size_t k = 0; k < held_out->classes; k++) {
        double miss = dot(w, held_out->mean + k * width, width) - (k == c ? 1.0 : 0.0);
        error += (double)held_out->count[k] * miss * miss;
    }
    return error;
}

lae_status lae_ridge_error(const struct lae_head *head, const struct lae_stats *held_out,
                           double *error)
{
    if (head->classes != held_out->classes || head->width != held_out->width)
        return lae_failed("held-out images have %zu classes of %zu features, the head %zu of %zu",
                          held_out->classes, held_out->width, head->classes, head->width);
    float *products = lae_aligned_calloc(head->classes * head->width, sizeof *products);
    if (products == NULL)
        return lae_out_of_memory(head->classes * head->width * sizeof *products,
                                 "the error on held-out images");
    lae_gemm(false, false, head->classes, head->width, head->width, 1.0F, head->weight, head->width,
             held_out->scatter, head->width, 0.0F, products, head->width);
    *error = 0.0;
    for (size_t c = 0; c < head->classes; c++)
        *error += error_of_class(head, held_out, c, products + c * head->width);
    free(products);
    return NULL;
}

/* The held-out error with options->lambda; infinite where its matrix cannot be inverted. */
static lae_status try_lambda(const struct lae_head_options *options, const struct lae_stats *fitted,
                             const struct lae_stats *held_out, const struct lae_lift *lift,
                             double *error)
{
    struct lae_head head;
    *error = INFINITY;
    lae_status status = lae_head_fit(options, fitted, lift, &head);
    if (lae_status_code(status) == LAE_BAD_INPUT) {
        lae_status_free(status);
        return NULL;
    }
    if (status == NULL) status = lae_ridge_error(&head, held_out, error);
    lae_head_free(&head);
    return status;
}

bool lae_ridge_chooses(const struct lae_ridge_options *options)
{
    return options->strength_count != 1;
}

/* Powers of ten reach from hardly any to more than the diagonal of a million images' Gram. */
static int list_strengths(const struct lae_ridge_options *options,
                          double strengths[LAE_MAX_STRENGTHS])
{
    enum { POWERS = 10 };
    for (int i = 0; i < options->strength_count; i++)
        strengths[i] = options->strengths[i];
    if (options->strength_count > 0) return options->strength_count;
    for (int i = 0; i < POWERS; i++)
        strengths[i] = pow(10.0, i);
    return POWERS;
}

lae_status lae_ridge_choose(const struct lae_ridge_options *options, const struct lae_stats *fitted,
                            const struct lae_stats *held_out, const struct lae_lift *lift,
                            double *lambda)
{
    double strengths[LAE_MAX_STRENGTHS], least = INFINITY;
    struct lae_head_options tried = {.method = lae_head_find("ridge")};
    int count = list_strengths(options, strengths);
    for (int i = 0; i < count; i++) {
        double error;
        tried.lambda = strengths[i];
        LAE_TRY(try_lambda(&tried, fitted, held_out, lift, &error));
        if (!(error < least)) continue;
        least = error;
        *lambda = strengths[i];
    }
    if (isinf(least)) return lae_failed("none of the %d values for heads.ridge will do", count);
    return NULL;
}
