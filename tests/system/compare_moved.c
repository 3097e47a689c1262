/* compare_moved RUN REFERENCE TASKS TOLERANCE: whether a run's parameters followed the reference's.
 *
 * For each task, and for online, offline and the classifier: the distance between run and reference
 * over the distance that the reference moved from its initial values. REFERENCE is an output of
 * tests/reference/make_follow.py. Exit 1 where one is above the tolerance or not a number. */
#include "lae/run/state.h"
#include "lae/store/checkpoint.h"

#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double *read_reference(hid_t file, const char *path, size_t wanted)
{
    hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
    if (dataset < 0) {
        fprintf(stderr, "the reference lacks %s\n", path);
        exit(1);
    }
    hid_t space = H5Dget_space(dataset);
    size_t count = (size_t)H5Sget_simple_extent_npoints(space);
    double *values = malloc(count * sizeof *values);
    if (count != wanted ||
        H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) {
        fprintf(stderr, "%s: %zu values in the reference, %zu in the run\n", path, count, wanted);
        exit(1);
    }
    H5Sclose(space);
    H5Dclose(dataset);
    return values;
}

/* The relative distance over all tensors of a set; `prefix` is where the reference has them. */
static double compare(hid_t file, const char *prefix, const char *initial,
                      const struct lae_set *set)
{
    double apart = 0.0, moved = 0.0;
    for (size_t i = 0; i < set->count; i++) {
        const struct lae_named *item = &set->items[i];
        char path[2048];
        snprintf(path, sizeof path, "%s/%s", prefix, item->name);
        double *reference = read_reference(file, path, item->count);
        snprintf(path, sizeof path, "%s/%s", initial, item->name);
        double *start = read_reference(file, path, item->count);
        for (size_t j = 0; j < item->count; j++) {
            apart += pow((double)item->data[j] - reference[j], 2);
            moved += pow(reference[j] - start[j], 2);
        }
        free(reference);
        free(start);
    }
    return sqrt(apart) / sqrt(moved);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: compare_moved RUN REFERENCE TASKS TOLERANCE\n");
        return 2;
    }
    hid_t file = H5Fopen(argv[2], H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0) return 2;
    double tolerance = strtod(argv[4], NULL);
    int tasks = atoi(argv[3]), failed = 0;
    for (int task = 0; task < tasks; task++) {
        struct lae_checkpoint checkpoint;
        char path[1024];
        snprintf(path, sizeof path, "%s/task_%02d.h5", argv[1], task);
        lae_status status = lae_checkpoint_read(path, &lae_run_layout, NULL, &checkpoint);
        if (status != NULL) {
            fprintf(stderr, "%s\n", lae_status_message(status));
            return 1;
        }
        struct {
            const char *name, *initial;
            const struct lae_set *set;
        } parts[] = {{"online", "/init", &checkpoint.online},
                     {"offline", "/init", &checkpoint.offline},
                     {"head", "/head_init", &checkpoint.head}};
        for (int i = 0; i < 3; i++) {
            if (parts[i].set->count == 0) continue;
            snprintf(path, sizeof path, "/task_%02d/%s", task, parts[i].name);
            double distance = compare(file, path, parts[i].initial, parts[i].set);
            int good = distance <= tolerance; /* false for NaN */
            printf("task %d %-8s %.2e%s\n", task, parts[i].name, distance, good ? "" : "  TOO FAR");
            failed |= !good;
        }
        lae_checkpoint_free(&checkpoint);
    }
    H5Fclose(file);
    return failed;
}
