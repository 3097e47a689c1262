/* Picks the command. Every rank parses the command line; what is wrong is said once, by rank 0. */
#include "lae/base/signals.h"
#include "lae/cmd/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* This rank's number, known before MPI begins from what launchers set, or NULL: no launcher. */
static const char *launched_rank(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID"};
    const char *rank = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && rank == NULL; i++)
        rank = getenv(names[i]);
    return rank;
}

/* Whether this is the rank that speaks. */
static bool speaks(void)
{
    const char *rank = launched_rank();
    return rank == NULL || strcmp(rank, "0") == 0;
}

/* To be called before MPI ends, where all ranks wait for each other: a launcher kills the others as
 * soon as one exits with an error, and among them may be the one that has to say why. */
static void say(lae_status status, bool speak)
{
    if (status != NULL && speak) fprintf(stderr, "lae_mpi: %s\n", lae_status_message(status));
}

/* The command line is wrong; all ranks read the same one, so that only another failure is this
 * rank's own. MPI is begun for nothing but to be ended together. */
static void refuse(int argc, char **argv, lae_status status)
{
    struct lae_dist dist;
    bool common = lae_status_code(status) == LAE_BAD_INPUT;
    bool together = common && launched_rank() != NULL;
    if (together) lae_status_free(lae_dist_start(&argc, &argv, &dist));
    say(status, speaks() || !common);
    if (together) lae_dist_end(&dist);
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
    say(status, speaks());
    lae_dist_end(&dist);
    return status;
}

static void help(const struct lae_arguments *arguments)
{
    if (!speaks()) return;
    if (arguments->version)
        lae_print_version();
    else
        lae_print_help(arguments->named ? arguments->command : NULL);
}

int main(int argc, char **argv)
{
    struct lae_arguments arguments;
    lae_status status = lae_arguments_parse(argc, argv, &arguments);
    if (!arguments.command->serial) lae_signals_install();
    if (status != NULL) {
        refuse(argc, argv, status);
    } else if (arguments.help || arguments.version) {
        help(&arguments);
    } else {
        lae_environment_correct(argv, &arguments);
        status = run(argc, argv, &arguments);
    }
    int code = (int)lae_status_code(status);
    lae_status_free(status);
    lae_arguments_free(&arguments);
    return code;
}
