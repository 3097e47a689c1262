/* What a task file, a run or a weight file holds, beyond what h5ls shows: for people as text, for
 * programs as one JSON object.
 *
 *     {"path", "kind": "checkpoint", "task", "task_count", "classes_seen", "inside": {...} or null,
 *      "class_order": [...], "config": {KEY: VALUE, ...} (those that are not at their defaults,
 *      long values shortened), "provenance": {...},
 *      "accuracy": {SCORER: ..., ...},
 *      "statistics": {MODULE: {"images", "classes", "features", "lambda"}, ...},
 *      "tensors": [{"name", "shape", "norm", "from_init", "relative", "from_last", "cosine",
 *                   "kept_online", "kept_offline", "conflict"}, ..., the last of all together],
 *      "opposite": [[...], ...] (of a run), "diff": {...} (with another file)}
 *     {"path", "kind": "weights", "format", "depth", "width", ..., "tensors": [...], "diff"}
 *
 * What is not known is null, and "-" in the text.
 */
#ifndef LAE_REPORT_INSPECTION_H
#define LAE_REPORT_INSPECTION_H

#include "lae/config/config.h"
#include "lae/report/differences.h"
#include "lae/store/checkpoint.h"
#include "lae/weights/weights.h"

#include <stdio.h>

/* A tensor of the modules; norms are Euclidean. NaN: not known, or a division by 0. */
struct lae_tensor_facts {
    const char *name; /* of the checkpoint; "all" for the last, which is all of them together */
    int rank;
    const size_t *shape;
    size_t count;
    double norm;                                /* of online */
    double from_init;                           /* |online - init| */
    double relative;                            /* the same over |init| */
    double from_last;                           /* |online - online of the task before| */
    double cosine;                              /* between online - init and offline - init */
    double kept_online, kept_offline, conflict; /* shares, of the task's merge */
};

struct lae_inspection {
    const char *path;
    const struct lae_checkpoint *checkpoint; /* this one, or */
    const struct lae_weights *weights;       /* that */
    struct lae_tensor_facts *tensors;        /* [tensor_count] of a checkpoint */
    size_t tensor_count;
    /* [tasks, tasks] of a run: of the entries that both tasks moved, the share which they moved in
     * opposite directions. NaN on the diagonal and where a file is missing. NULL: not a run. */
    double *opposite;
    int tasks;
    const char *other; /* the file compared with; NULL: none */
    struct lae_differences differences;
};

/* Measures a checkpoint; `before` is that of the task before, or NULL. Errors: memory; tensors of
 * init, online and offline that do not fit together. */
lae_status lae_inspection_measure(struct lae_inspection *inspection,
                                  const struct lae_checkpoint *checkpoint,
                                  const struct lae_checkpoint *before) LAE_MUST_CHECK;

/* The matrix, of changes [tasks], each [count] floats or NULL. Errors: memory. */
lae_status lae_inspection_compare_tasks(struct lae_inspection *inspection, float *const *changes,
                                        int tasks, size_t count) LAE_MUST_CHECK;

void lae_inspection_free(struct lae_inspection *inspection); /* what it owns */

/* The keys of a /config that are not at their defaults; a: the default, b: there. Errors: memory; a
 * damaged /config. */
lae_status lae_inspection_config(const char *config,
                                 struct lae_config_differences *keys) LAE_MUST_CHECK;

/* What class statistics know. */
struct lae_statistics_facts {
    int64_t images;
    size_t classes; /* that have images */
};
struct lae_statistics_facts lae_statistics_facts_of(const struct lae_kept_stats *stats);

/* What a backbone's tensors say of its shapes. */
struct lae_backbone_facts {
    size_t depth, width, hidden, patch, image, parameters;
    size_t prefix_rows; /* tokens before the patches */
};
struct lae_backbone_facts lae_backbone_facts_of(const struct lae_weights *weights);

/* Errors: memory; a damaged /config. */
lae_status lae_inspection_print(FILE *out, const struct lae_inspection *inspection) LAE_MUST_CHECK;

/* The JSON object, atomically. Errors name the path. */
lae_status lae_inspection_write(const char *path,
                                const struct lae_inspection *inspection) LAE_MUST_CHECK;

/* The name of the class with that output index, [*length] without a zero; NULL: not known. */
const char *lae_inspection_class_name(const struct lae_checkpoint *checkpoint, int output,
                                      int *length);

#endif
