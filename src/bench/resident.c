#include "resident.h"

#include <stdio.h>

static int64_t own_kilobytes(void)
{
    char line[128];
    long long kilobytes = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "Pss: %lld kB", &kilobytes) == 1) break;
    if (file != NULL) fclose(file);
    return kilobytes;
}

void lae_memory_of(const struct lae_dist *dist, double *rank_mb, double *node_mb)
{
    int64_t all = own_kilobytes();
    lae_dist_sum(dist, &all, 1);
    *rank_mb = 1.024e-3 * (double)all / dist->size;
    *node_mb = 1.024e-3 * (double)all / dist->nodes;
}
