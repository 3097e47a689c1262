/* When a rank exits, mpirun has its daemons end the other ranks, and waits for the daemons'
 * answers. That of a lost host never comes, and mpirun (Open MPI 4) then stays until TCP gives up,
 * which keeps the nodes of a batch job for a quarter of an hour. It ends at once, however, by a
 * second SIGTERM within five seconds of the first; daemons that lose it end their ranks. (A first
 * SIGTERM when a rank has exited already makes it crash: that is why ranks do not simply exit.) As
 * it kills its ranks in between, none of them can send both: a process in a session of its own
 * does. */
#define _GNU_SOURCE /* POSIX_SPAWN_SETSID */
#include "launcher.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* $1: the process; it is asked only while it bears the name $2. */
static const char script[] =
    "there() { read -r name </proc/$1/comm && [ \"$name\" = \"$2\" ]; } 2>/dev/null\n"
    "there \"$@\" && kill -TERM $1\n"
    "for second in 1 2 3; do there \"$@\" && sleep 1; done\n"
    "there \"$@\" && kill -TERM $1\n";

/* The name of a process, as the kernel has it. */
static bool read_name(pid_t process, char name[32])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/comm", (long)process);
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    bool read = fgets(name, 32, file) != NULL;
    fclose(file);
    if (read) name[strcspn(name, "\n")] = '\0';
    return read;
}

static bool is_mpirun(const char *name)
{
    static const char *const names[] = {"mpirun", "mpiexec", "orterun"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

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

bool launcher_end(void)
{
    char name[32], process[32];
    pid_t launcher = getppid();
    if (!read_name(launcher, name) || !is_mpirun(name)) return false;
    snprintf(process, sizeof process, "%ld", (long)launcher);
    return start_script(process, name);
}
