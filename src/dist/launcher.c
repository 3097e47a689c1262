/* When a rank exits, mpirun has its daemons end the other ranks, and waits for the daemons'
 * answers. That of a lost host never comes, and mpirun then stays until TCP gives up, which keeps
 * the nodes of a batch job for a quarter of an hour. It ends at once, however, when it is asked
 * again: Open MPI 4's by a second SIGTERM within five seconds of the first, that of 5 (PRRTE's
 * prterun) by a third. Daemons that lose it end their ranks. (A first SIGTERM when a rank has
 * exited already makes that of 4 crash: that is why ranks do not simply exit.) As it kills its
 * ranks in between, none of them can send them all: a process in a session of its own does. */
#define _GNU_SOURCE /* POSIX_SPAWN_SETSID */
#include "launcher.h"

#include "lae/base/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

/* $1: the process; it is asked only while it bears the name $2. */
static const char script[] =
    "there() { read -r name </proc/$1/comm && [ \"$name\" = \"$2\" ]; } 2>/dev/null\n"
    "there \"$@\" && kill -TERM $1\n"
    "for second in 1 2 3; do there \"$@\" && sleep 1; done\n"
    "for time in 2 3; do there \"$@\" && kill -TERM $1 && sleep 0.5; done\n";

/* Starts the script with nothing of ours: no open file that others would wait to see closed, no
 * blocked signals, and no terminal. */
static bool start_script(char *process, char *name)
{
    char *argv[] = {
        (char[]){"sh"}, (char[]){"-c"}, (char *)script, (char[]){"sh"}, process, name, NULL};
    char *environment[] = {(char[]){"PATH=/usr/bin:/bin"}, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    for (int file = 0; file < 3; file++)
        posix_spawn_file_actions_addopen(&files, file, "/dev/null", O_RDWR, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    pid_t started;
    int error = posix_spawn(&started, "/bin/sh", &files, &attributes, argv, environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return error == 0;
}

bool lae_launcher_end(void)
{
    char name[LAE_LAUNCHER_NAME], process[32];
    long launcher = lae_launcher_find(name);
    if (launcher < 0) return false;
    snprintf(process, sizeof process, "%ld", launcher);
    return start_script(process, name);
}
