/* The configuration: one struct, filled from YAML files and KEY=VALUE texts.
 *
 * One table (src/config/keys.c) holds a row a key: name, type, default, range, help, whether it can
 * change the result, and its place in the struct. Reading, checking, --help and the printed
 * configuration all come from it.
 *
 *     struct lae_config config;
 *     LAE_TRY(lae_config_defaults(&config, "configs"));
 *     status = lae_config_load_file(&config, path);   what the file names; the rest stays
 *     status = lae_config_set(&config, "merge.method=ties");   likewise; the last word counts
 *     status = lae_config_validate(&config, log);   keys that do not go together
 *     lae_config_free(&config);   whatever happened
 *
 * All errors but memory are LAE_BAD_INPUT and say where: "FILE:LINE:COLUMN: ..." or
 * "command line: KEY=VALUE: ...". After an error the configuration may hold a part of the input; it
 * can be freed. Relative paths are as given: the working directory is where they start.
 */
#ifndef LAE_CONFIG_CONFIG_H
#define LAE_CONFIG_CONFIG_H

#include "lae/base/log.h"
#include "lae/base/status.h"
#include "lae/data/dataset.h"
#include "lae/heads/head.h"
#include "lae/merge/merge.h"
#include "lae/nn/product.h"
#include "lae/optim/adam.h"
#include "lae/pet/pet.h"

#include <stddef.h>
#include <stdint.h>

enum lae_eval_every { LAE_EVAL_TASK, LAE_EVAL_EPOCH };
enum lae_decode { LAE_DECODE_AUTO, LAE_DECODE_ONCE, LAE_DECODE_EACH_TIME };
enum lae_start_from { LAE_START_ONLINE, LAE_START_OFFLINE };

/* The vectors of all modules' parameters through which an image can be seen: their initial values
 * (which, but for prefixes, leave the backbone as it is), what was learned last, what was
 * accumulated. */
enum lae_view { LAE_VIEW_INIT, LAE_VIEW_ONLINE, LAE_VIEW_OFFLINE, LAE_VIEWS };

#define LAE_LINEAR_HEADS 1U /* of eval.heads: the tasks' own classifiers */

/* Texts are owned by the configuration, data.path and data.class_order too. */
struct lae_config {
    struct {
        char *name, *root; /* the run directory is root/name */
        char *resume;      /* "auto", "never", or the path of a task file to go on from */
        uint64_t seed;
        int tasks; /* stop after so many; 0: all */
    } run;
    struct lae_data_options data; /* path NULL: not given */
    bool pixels_given;            /* data.mean or data.std is not just the default */
    struct {
        char *weights; /* NULL: not given */
        int heads;     /* 0: as the weight file, or what is beside it, says */
        enum lae_precision precision;
    } model;
    struct lae_pet_options pet;
    struct {
        int epochs, freeze_epochs, batch_size; /* batch_size: images a step over all ranks */
        enum lae_start_from start_from;        /* which module the next task's online begins as */
    } train;
    struct lae_optim_options optim; /* train.lr, .weight_decay, .schedule, .clip_norm */
    struct lae_merge_options merge;
    struct {
        enum lae_eval_every every;
        unsigned heads; /* LAE_LINEAR_HEADS, and 2 << n for row n of lae_head_methods() */
    } eval;
    struct lae_head_options heads;
    struct {
        unsigned views; /* 1 << enum lae_view each: class statistics are gathered through them */
    } stats;
    struct {
        double every_seconds; /* state saved inside a task; 0: not by time */
        int every_steps;      /* 0: not by steps */
    } checkpoint;
    struct {
        int every_steps; /* training steps taken together in metrics.jsonl and event files; 0: none
                          */
    } report;
    struct {
        int threads; /* of a rank; 0: auto */
        enum lae_backend backend;
        char *blas_core;         /* for OPENBLAS_CORETYPE; NULL: what OpenBLAS chooses */
        enum lae_decode decode;  /* when image files are */
        double watchdog_seconds; /* a host silent for so long ends the job; 0: never */
    } compute;

    /* Where a data.class_order given by name is looked up, in class_orders.yaml. */
    char *directory; /* of the file loaded last; NULL: none was */
    char *configs;   /* the program's own; NULL: none */
};

/* METHOD's defaults. `configs`: the directory of the program's own configurations, or NULL.
 * Errors: memory; the struct is then empty and can be freed. */
lae_status lae_config_defaults(struct lae_config *config, const char *configs) LAE_MUST_CHECK;
/* What multiplies, as compute.backend and model.precision say. */
struct lae_arithmetic lae_config_arithmetic(const struct lae_config *config);

/* The names that stats.modules (views) and eval.heads take, by the number of their bit; NULL: there
 * are no more. */
const char *lae_view_name(size_t number);
const char *lae_config_head_name(size_t number);

void lae_config_free(struct lae_config *config);

/* Takes over what a YAML file names. At most 1 MiB of UTF-8, one document, no anchors, aliases or
 * tags; a key may not be given twice. Keys nest (merge: {density: 0.1}) or are dotted. */
lae_status lae_config_load_file(struct lae_config *config, const char *path) LAE_MUST_CHECK;

/* The same from memory; `name` stands for the file's in messages. */
lae_status lae_config_load_text(struct lae_config *config, const char *name, const char *text,
                                size_t size) LAE_MUST_CHECK;

/* Takes over one "KEY=VALUE". The value is plain text, no YAML: nothing, null and ~ are null, lists
 * are [0, 1, 2] or 0,1,2, and quotes belong to a text. */
lae_status lae_config_set(struct lae_config *config, const char *assignment) LAE_MUST_CHECK;

/* The same of the table's key `name`; messages do not speak of a command line. */
lae_status lae_config_set_key(struct lae_config *config, const char *name,
                              const char *text) LAE_MUST_CHECK;

/* Checks what one key alone cannot tell. The error names the keys. What is legal but hardly meant
 * is a warning to `log` (may be NULL). */
lae_status lae_config_validate(const struct lae_config *config, struct lae_log *log) LAE_MUST_CHECK;

/* Every key as YAML, into *text; free(). Loading it gives the same configuration (class orders are
 * printed as lists), so that one rank can read and send it to the others. Errors: memory. */
lae_status lae_config_print(const struct lae_config *config, char **text) LAE_MUST_CHECK;

/* The same of the keys alone that can change the result: no paths (files are compared by digest),
 * no limits on how far to run, nothing about how and where it is computed. */
lae_status lae_config_print_result(const struct lae_config *config, char **text) LAE_MUST_CHECK;

/* The value of the table's key `name` as printed, a new string; free(). Errors: memory. */
lae_status lae_config_value(const struct lae_config *config, const char *name,
                            char **text) LAE_MUST_CHECK;

/* The name that the configuration's class order has in class_orders.yaml, beside its file or in the
 * program's own directory, as a new string; free(). NULL: it has none. Errors: memory, a file of
 * that name that is no YAML. */
lae_status lae_config_order_name(const struct lae_config *config, char **name) LAE_MUST_CHECK;

/* A key that two configurations disagree on; the values as printed, long ones shortened. */
struct lae_config_difference {
    const char *key; /* of the table */
    bool later;      /* it may change between tasks */
    char *a, *b;
};

struct lae_config_differences {
    struct lae_config_difference *items;
    size_t count;
};

/* Compares two texts of lae_config_print_result. A key that a text lacks has its default there:
 * older programs knew fewer. Errors: memory, a text that is damaged or has unknown keys; they name
 * the text by name_a or name_b. */
lae_status lae_config_differences(const char *name_a, const char *text_a, const char *name_b,
                                  const char *text_b,
                                  struct lae_config_differences *differences) LAE_MUST_CHECK;
void lae_config_differences_free(struct lae_config_differences *differences);

/* A row of the table for pages and shells. */
struct lae_config_key {
    const char *name, *initial, *help; /* name NULL: there is no such row */
    bool result;                       /* can change the result */
    bool path;                         /* the value is a path */
    char *wanted;                      /* "a whole number from 1 to 9" */
    char *words;                       /* "ema, ties, ...": words it can be; may be empty */
};

/* Row number `row`, from 0 on. Errors: memory. */
lae_status lae_config_key_describe(size_t row, struct lae_config_key *key) LAE_MUST_CHECK;
void lae_config_key_free(struct lae_config_key *key);

/* The table of all keys for people, by section: name, default, meaning and range; then the names
 * that pet.*.type and merge.method take. 100 columns; free(). Errors: memory. */
lae_status lae_config_help(char **text) LAE_MUST_CHECK;

#endif
