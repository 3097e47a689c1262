/* How much memory a host has left for this job. */
#include "lae/dist/dist.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

/* A number at the beginning of a file, or `otherwise`: "max", or no such file. */
static double read_number(const char *directory, const char *name, double otherwise)
{
    char path[4400];
    double number;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "re");
    if (file == NULL) return otherwise;
    if (fscanf(file, "%lf", &number) != 1) number = otherwise;
    fclose(file);
    return number;
}

/* What this process's control group, and those that it is in, still allow (batch systems limit jobs
 * by them). */
static double left_by_groups(double most)
{
    char group[4096] = "", directory[4200];
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (file == NULL) return most;
    if (fscanf(file, "0::%4000[^\n]", group) != 1) group[0] = '\0';
    fclose(file);
    for (char *end = group + strlen(group); end > group; end = strrchr(group, '/')) {
        *end = '\0';
        snprintf(directory, sizeof directory, "/sys/fs/cgroup%s", group);
        double limit = read_number(directory, "memory.max", -1.0);
        double left = limit - read_number(directory, "memory.current", 0.0);
        if (limit >= 0.0 && left < most) most = left;
    }
    return most;
}

double lae_dist_free_memory(const struct lae_dist *dist)
{
    char line[128];
    double kilobytes = 0.0;
    FILE *file = fopen("/proc/meminfo", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "MemAvailable: %lf kB", &kilobytes) == 1) break;
    if (file != NULL) fclose(file);
    double most = left_by_groups(1024.0 * kilobytes);
    struct statvfs shared; /* where MPI puts what several ranks share */
    if (dist->node_size > 1 && statvfs("/dev/shm", &shared) == 0) {
        double left = (double)shared.f_bavail * (double)shared.f_frsize;
        if (left < most) most = left;
    }
    return most;
}
