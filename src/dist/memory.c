/* How much memory a host has left for this job. */
#include "memory.h"

#include "lae/dist/dist.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

/* A number at the beginning of a file, or `otherwise`: "max", or no such file. */
static double read_number(const char *directory, const char *name, double otherwise)
{
    char path[4600];
    double number;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "re");
    if (file == NULL) return otherwise;
    if (fscanf(file, "%lf", &number) != 1) number = otherwise;
    fclose(file);
    return number;
}

/* Where one version of control groups keeps memory's numbers. */
struct hierarchy {
    const char *mount; /* below root */
    const char *limit, *used;
};

/* What a group, and those that it is in, still allow (batch systems limit jobs by them). Version 1
 * says "no limit" by a number larger than any memory. */
static double left_by_group(const char *root, const struct hierarchy *kind, char *group,
                            double most)
{
    char directory[4400];
    for (;;) {
        snprintf(directory, sizeof directory, "%s%s%s", root, kind->mount, group);
        double limit = read_number(directory, kind->limit, -1.0);
        double left = limit - read_number(directory, kind->used, 0.0);
        if (limit >= 0.0 && left < most) most = left > 0.0 ? left : 0.0;
        char *end = strrchr(group, '/');
        if (end == NULL) return most;
        *end = '\0';
    }
}

/* Whether a line "ID:CONTROLLERS:GROUP" is of memory, and of which version: "0::GROUP", or with
 * memory among version 1's comma-separated controllers. */
static const struct hierarchy *kind_of(const char *controllers)
{
    static const struct hierarchy v1 = {"/memory", "memory.limit_in_bytes",
                                        "memory.usage_in_bytes"};
    static const struct hierarchy v2 = {"", "memory.max", "memory.current"};
    if (controllers[0] == '\0') return &v2;
    for (const char *at = controllers; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        size_t length = strcspn(at, ",");
        if (length == strlen("memory") && strncmp(at, "memory", length) == 0) return &v1;
    }
    return NULL;
}

double lae_memory_left_by_groups(const char *list, const char *root, double most)
{
    char line[4352];
    FILE *file = fopen(list, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (group == NULL) continue;
        *group++ = '\0';
        const struct hierarchy *kind = kind_of(controllers + 1);
        if (kind != NULL) most = left_by_group(root, kind, group, most);
    }
    if (file != NULL) fclose(file);
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
    double most =
        lae_memory_left_by_groups("/proc/self/cgroup", "/sys/fs/cgroup", 1024.0 * kilobytes);
    struct statvfs shared; /* where MPI puts what several ranks share */
    if (dist->node_size > 1 && statvfs("/dev/shm", &shared) == 0) {
        double left = (double)shared.f_bavail * (double)shared.f_frsize;
        if (left < most) most = left;
    }
    return most;
}
