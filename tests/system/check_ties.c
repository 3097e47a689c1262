/* check_ties RUN TASKS DENSITY: TIES-Merging recomputed from what a run stored: /init, the offline
 * module of the task before and the online module of the task; equal to the stored /offline to the
 * bit. Written on its own from the definition (sorting instead of selecting, one pass an entry),
 * for scope global, reduce mean, weighting equal, scale 1. */
#include "lae/run/state.h"
#include "lae/store/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void read_task(const char *run, int task, struct lae_checkpoint *checkpoint)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/task_%02d.h5", run, task);
    lae_status status = lae_checkpoint_read(path, &lae_run_layout, NULL, checkpoint);
    if (status == NULL) return;
    fprintf(stderr, "%s\n", lae_status_message(status));
    exit(1);
}

/* All values of a set, tensor after tensor. */
static float *flatten(const struct lae_set *set, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < set->count; i++)
        *count += set->items[i].count;
    float *out = malloc(*count * sizeof *out), *at = out;
    for (size_t i = 0; i < set->count; i++) {
        memcpy(at, set->items[i].data, set->items[i].count * sizeof *at);
        at += set->items[i].count;
    }
    return out;
}

static int descending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* Sets all but the k largest magnitudes of v to zero, keeping all equal to the k-th. */
static void trim(float *v, size_t n, double density)
{
    size_t k = (size_t)floor(density * (double)n);
    if (k == 0) k = 1;
    float *sorted = malloc(n * sizeof *sorted);
    for (size_t i = 0; i < n; i++)
        sorted[i] = fabsf(v[i]);
    qsort(sorted, n, sizeof *sorted, descending);
    for (size_t i = 0; i < n; i++)
        if (fabsf(v[i]) < sorted[k - 1]) v[i] = 0.0F;
    free(sorted);
}

static int sign(double v)
{
    return (v > 0.0) - (v < 0.0);
}

static float *merge(const float *base, const float *offline, const float *online, size_t n,
                    double density)
{
    float *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b), *out = malloc(n * sizeof *out);
    for (size_t i = 0; i < n; i++) {
        a[i] = offline[i] - base[i];
        b[i] = online[i] - base[i];
    }
    trim(a, n, density);
    trim(b, n, density);
    long balance = 0;
    for (size_t i = 0; i < n; i++)
        balance += sign((double)a[i] + (double)b[i]);
    for (size_t i = 0; i < n; i++) {
        int gamma = sign((double)a[i] + (double)b[i]);
        if (gamma == 0) gamma = sign((double)balance);
        double sum = 0.0;
        int kept = 0;
        if (a[i] != 0.0F && sign((double)a[i]) == gamma) sum += (double)a[i], kept++;
        if (b[i] != 0.0F && sign((double)b[i]) == gamma) sum += (double)b[i], kept++;
        float merged = kept > 0 ? (float)(sum / kept) : 0.0F;
        out[i] = (float)((double)base[i] + (double)merged);
    }
    free(a);
    free(b);
    return out;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: check_ties RUN TASKS DENSITY\n");
        return 2;
    }
    int tasks = atoi(argv[2]);
    for (int task = 1; task < tasks; task++) {
        struct lae_checkpoint before, now;
        size_t n, others;
        read_task(argv[1], task - 1, &before);
        read_task(argv[1], task, &now);
        float *base = flatten(&now.init, &n), *offline = flatten(&before.offline, &others);
        float *online = flatten(&now.online, &others), *stored = flatten(&now.offline, &others);
        float *merged = merge(base, offline, online, n, strtod(argv[3], NULL));
        size_t different = 0, moved = 0;
        for (size_t i = 0; i < n; i++) {
            different += memcmp(&merged[i], &stored[i], sizeof merged[i]) != 0;
            moved += stored[i] != base[i];
        }
        printf("task %d: %zu entries, %zu moved, %zu different\n", task, n, moved, different);
        if (different != 0 || moved == 0) return 1;
        free(base);
        free(offline);
        free(online);
        free(stored);
        free(merged);
        lae_checkpoint_free(&before);
        lae_checkpoint_free(&now);
    }
    return 0;
}
