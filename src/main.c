/* Picks the command. Every rank parses the command line; what is wrong is said once, by rank 0. */
#include "lae/base/rounding.h"
#include "lae/base/signals.h"
#include "lae/cmd/cmd.h"
#include "lae/files/map.h"
#include "lae/store/reader.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* This rank's number, known before MPI begins from what launchers set, or NULL: no launcher. */
static const char *launched_rank(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK",
                                        "MV2_COMM_WORLD_RANK", "SLURM_PROCID"};
    const char *rank = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && rank == NULL; i++)
        rank = getenv(names[i]);
    return rank;
}

/* Whether this is the rank that speaks. To be asked before MPI begins, which gives a process that
 * was started alone a number of its own. */
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
static void refuse(int argc, char **argv, lae_status status, bool speak)
{
    struct lae_dist dist;
    bool common = lae_status_code(status) == LAE_BAD_INPUT;
    bool together = common && launched_rank() != NULL;
    if (together) lae_status_free(lae_dist_start(&argc, &argv, &dist));
    say(status, speak || !common);
    if (together) lae_dist_end(&dist);
}

static lae_status run(int argc, char **argv, const struct lae_arguments *arguments, bool speak)
{
    struct lae_dist dist;
    struct lae_log log;
    lae_status status = lae_dist_start(&argc, &argv, &dist);
    if (status != NULL) {
        say(status, true);
        lae_dist_end(&dist);
        return status;
    }
    lae_log_open(&log, dist.rank != 0);
    bool serial = arguments->command->serial, mine = !serial || dist.rank == 0;
    if (!serial) status = lae_dist_check_launcher(&dist);
    if (status == NULL && mine) status = arguments->command->run(arguments, &dist, &log);
    if (serial) status = lae_dist_agree(&dist, status);
    if (status != NULL) lae_log_note(&log, "ends: %s", lae_status_message(status));
    lae_log_close(&log);
    lae_outcome_reach((int)lae_status_code(status));
    say(status, speak);
    lae_dist_end(&dist);
    return status;
}

static lae_status begin(int argc, char **argv, const struct lae_arguments *arguments, bool speak)
{
    lae_status status = lae_dist_check_limits();
    if (status == NULL && speak) status = lae_reader_start(); /* a fork: before MPI begins */
    if (status == NULL)
        status = run(argc, argv, arguments, speak);
    else
        say(status, speak);
    lae_reader_stop();
    return status;
}

static void help(const struct lae_arguments *arguments)
{
    if (arguments->version)
        lae_print_version();
    else
        lae_print_help(arguments->named ? arguments->command : NULL);
}

/* Whether standard output is a pipe whose reader has gone, as `| head` does when it has enough. */
static bool reader_has_gone(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

/* Results that were not written are no success, unless nobody wants them. */
static lae_status flush_results(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && ferror(stdout) == 0) return NULL;
    if (errno == EPIPE || reader_has_gone()) return NULL;
    return lae_failed("standard output: cannot be written: %s",
                      errno != 0 ? strerror(errno) : "an error before its end");
}

int main(int argc, char **argv)
{
    lae_signals_leave_writing();
    lae_map_name_faults();
    lae_rounding_reset();
    bool speak = speaks();
    struct lae_arguments arguments;
    lae_status status = lae_arguments_parse(argc, argv, &arguments);
    bool works = status == NULL && !arguments.help && !arguments.version;
    if (!arguments.command->serial) lae_signals_install();
    if (works) lae_environment_correct(argv, &arguments);
    lae_outcome_begin();
    if (works)
        status = begin(argc, argv, &arguments, speak);
    else if (status != NULL)
        refuse(argc, argv, status, speak);
    else if (speak)
        help(&arguments);
    lae_status results = flush_results();
    say(results, speak);
    status = lae_status_first(status, results);
    int code = (int)lae_status_code(status);
    lae_status_free(status);
    lae_arguments_free(&arguments);
    lae_outcome_end(code);
    return code;
}
