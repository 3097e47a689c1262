/* Heads from class statistics (stats.h): classifiers that need no image. As statistics of old
 * classes stay what they are, such a head forgets nothing.
 *
 * A head is a row of one table. To add one: write its functions in a file of its own and add the
 * row in head.c. With n_c, mu_c, S from the statistics, N images of C classes known, D features:
 *
 *     ncm     score_c = mu_c.phi / (|mu_c| |phi|)                the nearest class mean, by angle
 *     lda     Sigma = S / max(1, N - C);  Sigma' = (1 - a) Sigma + a tr(Sigma)/D I, a = shrink
 *             score_c = w_c.phi - w_c.mu_c / 2,  w_c = Sigma'^-1 mu_c           (equal priors)
 *             Without any scatter (one image a class) Sigma' is I: the nearest mean by distance.
 *     ridge   of random features h = relu(P phi), see lift.h, and their statistics:
 *             G = sum h h^T = S + sum_c n_c mu_c mu_c^T,  q_c = n_c mu_c (sum of h over class c)
 *             score_c = w_c.h,  w_c = (G + lambda I)^-1 q_c
 *             (G's diagonal is some N |phi|^2 / 2: a grid for lambda should reach that far up)
 *     aligned score_c = l_c / (0.1 |l|), l_c = w_c.phi + b_c: the linear heads, trained again on
 *             features drawn from Gaussian classes, means mu_c, covariance Sigma'; see aligned.c
 *
 * The first three are computed in one go, in double, from the statistics' floats, and rounded to
 * float at the end; aligned trains in float. One thread; the same bits for the same statistics and
 * heads to begin with on one kind of processor. Scores are in float.
 *
 * Memory for a fit, beside the statistics: 8 D (D + C) bytes (lda), 8 M (M + C) bytes (ridge),
 * 8 D (D + C) + 4 C (8 D + C) bytes (aligned).
 * Ridge with M = 2000 takes 16 MB of sums, 16 MB of statistics, 32 MB to fit, and M = 10000, which
 * the paper uses, 400 MB, 400 MB and 800 MB; time to fit grows as M^3 / 3.
 */
#ifndef LAE_HEADS_HEAD_H
#define LAE_HEADS_HEAD_H

#include "lae/base/status.h"
#include "lae/heads/lift.h"
#include "lae/heads/stats.h"

#include <stdbool.h>
#include <stddef.h>

struct lae_head_method;

struct lae_align_options {
    const float *weight, *bias; /* [C, D], [C]: the linear heads to begin with; not owned */
    uint64_t seed;
    uint32_t task; /* tasks draw features of their own */
    int draws;     /* of each class, one a step */
    double lr;     /* > 0: of weights of mean square 1; at the start: it falls to 0 as a cosine */
};

enum { LAE_MAX_STRENGTHS = 32 };

struct lae_ridge_options {
    int features;                        /* random ones, M */
    double strengths[LAE_MAX_STRENGTHS]; /* [strength_count] for lambda to be chosen from; 0: powers
                                            of ten */
    int strength_count;
    double held_out; /* share of a task's training images by which it is chosen */
};

/* The options of all heads; the configuration's keys heads.* fill them in but for those marked. */
struct lae_head_options {
    const struct lae_head_method *method; /* marked */
    double shrink;                        /* [0, 1]: lda's a, and aligned's */
    double lambda;                        /* marked; >= 0: ridge's */
    struct lae_align_options align;       /* draws and lr alone */
    struct lae_ridge_options ridge;
};

struct lae_head {
    const struct lae_head_method *method;
    const struct lae_lift *lift; /* not owned; NULL: the head takes features as they are */
    size_t classes, width;       /* C; D, or M of random features */
    float *weight;               /* [C, width], owned */
    float *bias;                 /* [C], owned; -infinity for a class without images */
};

struct lae_head_method {
    const char *name, *help;
    bool lifted; /* takes random features: statistics are of h, and a lift is needed */
    /* Fills weight and bias, which are 0, of the classes that have images. Errors: memory; a
     * matrix that cannot be inverted (LAE_BAD_INPUT). */
    lae_status (*fit)(const struct lae_head_options *options, const struct lae_stats *stats,
                      struct lae_head *head);
    void (*scores)(const struct lae_head *head, const float *phi, float *out);
};

enum { LAE_MAX_HEADS = 6 }; /* rows of the table, at most */

/* The table, ended by a row whose name is NULL. */
const struct lae_head_method *lae_head_methods(void);

/* The row of that name, or NULL. */
const struct lae_head_method *lae_head_find(const char *name);

/* A head for all classes of `stats`. `lift`: what stats' features were made by, for a lifted
 * method; else NULL; it must outlive the head. Errors: no images; as the method's fit; weights that
 * are not finite; what does not fit together. *head is then empty. */
lae_status lae_head_fit(const struct lae_head_options *options, const struct lae_stats *stats,
                        const struct lae_lift *lift, struct lae_head *head) LAE_MUST_CHECK;

/* A head of zeros, to be filled. Errors: memory. */
lae_status lae_head_create(const struct lae_head_method *method, const struct lae_lift *lift,
                           size_t classes, size_t width, struct lae_head *head) LAE_MUST_CHECK;
void lae_head_free(struct lae_head *head); /* zeroed: allowed */

/* out[C] = scores of one image's feature phi [D]; -infinity for a class without images, so that
 * softmax gives it 0. Any number of threads. */
void lae_head_scores(const struct lae_head *head, const float *phi, float *out);

/* Sum over held-out images of |y - score|^2, y being 1 for the image's class and else 0, from
 * their statistics alone. `head` is a ridge head; `held_out` has its classes and features. */
lae_status lae_ridge_error(const struct lae_head *head, const struct lae_stats *held_out,
                           double *error) LAE_MUST_CHECK;

/* Whether lambda has to be chosen; else it is options->strengths[0]. */
bool lae_ridge_chooses(const struct lae_ridge_options *options);

/* *lambda = the one of options->strengths whose ridge head, fitted to `fitted`, has the least such
 * error; of equals the first. Values that leave a matrix that cannot be inverted are passed over.
 * Errors: none is left; memory. */
lae_status lae_ridge_choose(const struct lae_ridge_options *options, const struct lae_stats *fitted,
                            const struct lae_stats *held_out, const struct lae_lift *lift,
                            double *lambda) LAE_MUST_CHECK;

#endif
