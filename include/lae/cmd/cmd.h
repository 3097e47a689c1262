/* The commands of the program, one file each, and what they share. */
#ifndef LAE_CMD_CMD_H
#define LAE_CMD_CMD_H

#include "lae/base/log.h"
#include "lae/base/status.h"
#include "lae/config/config.h"
#include "lae/dist/dist.h"

#include <stdbool.h>

#define LAE_MAX_OPTIONS 16

struct lae_command;

/* The command line, taken apart; texts are argv's. */
struct lae_arguments {
    const struct lae_command *command;
    bool named;              /* the command was given, not taken by default */
    const char **positional; /* [positional_count] owned, the texts are not */
    int positional_count;
    const char *config; /* --config FILE, or NULL */
    char **settings;    /* [setting_count] KEY=VALUE; owned, the texts are not */
    int setting_count;
    const char *options[LAE_MAX_OPTIONS]; /* values of the command's own options; NULL: not given */
    bool help, version, print_config;
};

/* An option of one command, --NAME VALUE. */
struct lae_option {
    const char *name, *value,
        *help; /* value: what stands for it in the help; empty: it takes none */
};

struct lae_command {
    const char *name, *usage, *help, *example;
    int positional;                   /* how many are wanted */
    bool more;                        /* or more of them */
    const struct lae_option *options; /* ended by one without a name; NULL: none */
    bool configurable;                /* takes --config and KEY=VALUE */
    const char *keys;                 /* takes KEY=VALUE of these keys alone; NULL: see above */
    bool serial;                      /* done by rank 0 alone; `run` is called on no other */
    /* [collective] unless serial. Errors are the same on all ranks. */
    lae_status (*run)(const struct lae_arguments *arguments, const struct lae_dist *dist,
                      struct lae_log *log);
};

extern const struct lae_command lae_command_train;
extern const struct lae_command lae_command_evaluate;
extern const struct lae_command lae_command_merge;
extern const struct lae_command lae_command_predict;
extern const struct lae_command lae_command_inspect;
extern const struct lae_command lae_command_report;
extern const struct lae_command lae_command_convert;
extern const struct lae_command lae_command_synth;
extern const struct lae_command lae_command_bench;

/* The commands, ended by NULL; the first is the default. */
const struct lae_command *const *lae_commands(void);

/* Takes argv[1..] apart. Errors: an unknown command (the known are listed) or option, too few or
 * too many arguments. */
lae_status lae_arguments_parse(int argc, char **argv,
                               struct lae_arguments *arguments) LAE_MUST_CHECK;
void lae_arguments_free(struct lae_arguments *arguments);

/* Usage of one command, or of the program where `command` is NULL, to standard output. */
void lae_print_help(const struct lae_command *command);

/* Name, version and those of the libraries, to standard output. */
void lae_print_version(void);

/* The configuration that the arguments ask for: defaults, the file, the settings; without a file,
 * data and weights the built-in demonstration's. Not checked across keys. */
lae_status lae_configure(const struct lae_arguments *arguments,
                         struct lae_config *config) LAE_MUST_CHECK;

/* What --config FILE names into `config`: a path, or the name of one of the program's own
 * configurations, which a file of that name in the working directory comes before. */
lae_status lae_configure_from(const char *file, struct lae_config *config) LAE_MUST_CHECK;

/* The directory that holds configs/ and data/ of the program: beside the executable where it is
 * installed, else the source tree that it was built from; a new string, or NULL. LAE_HOME overrides.
 */
char *lae_home(void);

/* Paths "data/FILE" of data and weights become those of the files, where they are found (data_home.c).
 * Others stay. */
void lae_data_home_place(struct lae_config *config);

/* Errors: such a path of which there is no file; they say where it was looked for. */
lae_status lae_data_home_check(const struct lae_config *config) LAE_MUST_CHECK;

/* Starts the program anew, once, where the environment would make BLAS slow or keep threads of its
 * own (before MPI begins); returns where nothing needs to be changed. What was changed is told by
 * lae_environment_news. */
void lae_environment_correct(char **argv, const struct lae_arguments *arguments);

/* What lae_environment_correct changed that a user should know, or NULL. */
const char *lae_environment_news(void);

/* Tells the script that launched the ranks, where LAE_OUTCOME names a file of its, that this rank
 * has begun, and that it ended with this exit code: the last that it does. */
void lae_outcome_begin(void);
void lae_outcome_reach(int code); /* before MPI ends */
void lae_outcome_end(int code);

#endif
