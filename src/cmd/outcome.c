/* A launcher's exit code is no proof that its ranks ended well: that of Open MPI 5 is 0 where it
 * loses a host. So each rank that finds the file which the launching script made (launch/start.sh;
 * it has the name in the environment) adds a line when it begins, one when its work is done and MPI
 * is to end, and one when it ends. That one is missing of ranks that were ended; where it was the
 * launcher that crashed while MPI ended, the line before says how the work went.
 */
#include "lae/cmd/cmd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int outcome_file = -1; /* no script, or one on another host */

static void add_line(const char *line, int length)
{
    ssize_t written = write(outcome_file, line, (size_t)length);
    (void)written; /* Without the last line the run counts as lost, which is the safe side. */
}

void lae_outcome_begin(void)
{
    static const char line[] = "begun\n";
    const char *path = getenv("LAE_OUTCOME");
    if (path == NULL) return;
    outcome_file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (outcome_file >= 0) add_line(line, (int)sizeof line - 1);
}

static void add_code(const char *word, int code)
{
    char line[32];
    int length = snprintf(line, sizeof line, "%s %d\n", word, code);
    if (outcome_file >= 0) add_line(line, length);
}

void lae_outcome_reach(int code)
{
    add_code("reached", code);
}

void lae_outcome_end(int code)
{
    add_code("ended", code);
}
