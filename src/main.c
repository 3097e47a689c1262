/* Picks the command. Every rank parses the command line; what is wrong is said once, by rank 0. */
#include "lae/base/signals.h"
#include "lae/cmd/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether this is the rank that speaks, known before MPI begins from what launchers set. */
static bool speaks(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *rank = getenv(names[i]);
        if (rank != NULL) return strcmp(rank, "0") == 0;
    }
    return true;
}

static int finish(lae_status status, bool speak)
{
    int code = (int)lae_status_code(status);
    if (status != NULL && speak) fprintf(stderr, "lae_mpi: %s\n", lae_status_message(status));
    lae_status_free(status);
    return code;
}

static lae_status run(int argc, char **argv, const struct lae_arguments *arguments)
{
    struct lae_dist dist;
    lae_status status = lae_dist_start(&argc, &argv, &dist);
    struct lae_log log;
    lae_log_open(&log, dist.rank != 0);
    bool mine = !arguments->command->serial || dist.rank == 0;
    if (status == NULL && mine) status = arguments->command->run(arguments, &dist, &log);
    if (arguments->command->serial) status = lae_dist_agree(&dist, status);
    if (status != NULL) lae_log_note(&log, "ends: %s", lae_status_message(status));
    lae_log_close(&log);
    lae_dist_end(&dist);
    return status;
}

static int help(const struct lae_arguments *arguments)
{
    if (!speaks()) return 0;
    if (arguments->version)
        lae_print_version();
    else
        lae_print_help(arguments->named ? arguments->command : NULL);
    return 0;
}

int main(int argc, char **argv)
{
    struct lae_arguments arguments;
    lae_status status = lae_arguments_parse(argc, argv, &arguments);
    if (!arguments.command->serial) lae_signals_install();
    int code;
    if (status != NULL) {
        /* All ranks read the same command line: only another failure is this rank's own. */
        code = finish(status, speaks() || lae_status_code(status) != LAE_BAD_INPUT);
    } else if (arguments.help || arguments.version) {
        code = help(&arguments);
    } else {
        lae_environment_correct(argv, &arguments);
        code = finish(run(argc, argv, &arguments), speaks());
    }
    lae_arguments_free(&arguments);
    return code;
}
