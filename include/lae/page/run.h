/* What a run's directory tells, read into memory for the page: of a run that is whole, or that is
 * still under way. Nothing is written there and no lock is taken. */
#ifndef LAE_PAGE_RUN_H
#define LAE_PAGE_RUN_H

#include "lae/base/log.h"
#include "lae/page/curve.h"
#include "lae/report/blocks.h"
#include "lae/store/checkpoint.h"

/* How a scorer did: online, offline, ensemble, or any other that has its group below /metrics. */
struct lae_score {
    char *name;
    double *accuracy; /* a row for each finished task (lae/run/metrics.h); NaN: not known */
    double *seen;     /* [T] */
};

struct lae_run {
    char *place, *name;          /* as given; the directory's own name */
    char *config;                /* the keys that can change the result, as YAML */
    struct lae_earlier *earlier; /* [earlier_count] of a run that branched: see checkpoint.h */
    size_t earlier_count;
    char *keys;                     /* config.yaml, every key; NULL: not there */
    bool validation;                /* evaluated on training images that were held out */
    char *weights_path, *data_path; /* of config.yaml; NULL: not known */
    int tasks;                      /* T; 0: not known, as no task is finished */
    int finished;
    struct lae_score *scorers; /* in the order of lae_scorers_all */
    size_t scorer_count;
    struct lae_block_merges *merges; /* [finished]; empty where there was none, or its file is
                                      * missing */
    struct lae_curve epochs, steps;  /* of training */
    struct lae_fact *facts;          /* of /provenance */
    size_t fact_count;
};

/* Errors: `place` is not the directory of a run that was begun, a damaged or newer file, memory;
 * damaged files of earlier tasks are a warning. */
lae_status lae_run_read(const char *place, struct lae_log *log, struct lae_run *run) LAE_MUST_CHECK;
void lae_run_free(struct lae_run *run);

/* What the scorer of that name did, or NULL. */
const struct lae_score *lae_run_score(const struct lae_run *run, const char *name);

#endif
