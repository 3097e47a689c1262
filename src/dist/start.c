/* How the program was started: what MPI would not survive, or would take for a job of one. */
#include "start.h"

#include <limits.h>
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PATIENCE 900 /* seconds for all ranks to come; thousands on slow disks take minutes */
#define MPI_FILE (4UL << 20) /* bytes: the largest of the files that Open MPI makes for itself */

lae_status lae_dist_check_limits(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur >= MPI_FILE) return NULL;
    return lae_failed(
        "the limit of a file's size (ulimit -f) is %.0f kB, and MPI itself makes files "
        "of %.0f kB; raise it",
        (double)limit.rlim_cur / 1024.0, (double)MPI_FILE / 1024.0);
}

static void give_up(int number)
{
    static const char text[] =
        "lae_mpi: MPI has not begun after 15 minutes: a rank has not come, or is gone; nothing was "
        "begun, "
        "start the same command again, and look at the hosts and the network if that ends alike\n";
    (void)number;
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written; /* there is nobody to tell */
    _exit(LAE_FAILED);
}

void lae_start_waiting(void)
{
    signal(SIGALRM, give_up);
    alarm(PATIENCE);
}

void lae_start_done(void)
{
    alarm(0);
    signal(SIGALRM, SIG_DFL);
}

void lae_dist_library(char name[LAE_LIBRARY_TEXT])
{
    char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(text, &length);
    snprintf(name, LAE_LIBRARY_TEXT, "%.*s", (int)strcspn(text, ",\n"), text);
}

int lae_start_announced(const char **by)
{
    /* Open MPI's (of another version, perhaps), MPICH's and Intel's, MVAPICH2's, SLURM's srun,
     * jsrun, Flux. Where Open MPI's own has started one, its word counts. */
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE",
                                        "MV2_COMM_WORLD_SIZE",  "SLURM_STEP_NUM_TASKS",
                                        "JSM_NAMESPACE_SIZE",   "FLUX_JOB_SIZE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *ranks = getenv(*by = names[i]);
        long number = ranks != NULL ? strtol(ranks, NULL, 10) : 0;
        if (ranks != NULL) return number > 0 && number < INT_MAX ? (int)number : 0;
    }
    return 0;
}

lae_status lae_dist_check_launcher(const struct lae_dist *dist)
{
    if (dist->size > 1 || dist->announced <= 1) return NULL;
    char library[LAE_LIBRARY_TEXT];
    lae_dist_library(library);
    return lae_bad_input("%s is %d, but %s has one rank: started by another launcher, each of them "
                         "would train alone; start them with the mpirun of that library (srun: "
                         "--mpi=pmix), or, to run one process, unset %s",
                         dist->announced_by, dist->announced, library, dist->announced_by);
}
