/* check_predictions PREDICTIONS TASK-FILE: whether predictions and the accuracies of the task file
 * that they were made with belong together. By HDF5 alone, without this program's readers:
 *
 *   /index counts from 0; /labels are output indices that were seen, or -1
 *   rows of /online and /offline add up to 1, those of /ensemble are their maxima, to the bit
 *   the share of images whose label has the (first) largest score is /metrics/.../seen, also of
 *   heads made from class statistics, of which there are those that the task file has metrics of
 *   /features/VIEW, where they are: their cosines to the class means of /stats are /ncm_VIEW */
#include <hdf5.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static void *read_dataset(hid_t file, const char *name, hid_t type, size_t size, hsize_t shape[2])
{
    hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    if (dataset < 0) return NULL;
    hid_t space = H5Dget_space(dataset);
    shape[1] = 1;
    H5Sget_simple_extent_dims(space, shape, NULL);
    void *values = malloc((size_t)(shape[0] * shape[1]) * size);
    if (H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) exit(1);
    H5Sclose(space);
    H5Dclose(dataset);
    return values;
}

static int read_attribute(hid_t file, const char *name)
{
    int value = -1;
    hid_t attribute = H5Aopen(file, name, H5P_DEFAULT);
    if (attribute < 0 || H5Aread(attribute, H5T_NATIVE_INT, &value) < 0) exit(1);
    H5Aclose(attribute);
    return value;
}

static const char *const names[] = {
    "online",       "offline",       "ensemble",     "ncm_init",       "ncm_online",
    "ncm_offline",  "lda_init",      "lda_online",   "lda_offline",    "ridge_init",
    "ridge_online", "ridge_offline", "aligned_init", "aligned_online", "aligned_offline"};
enum { SCORERS = sizeof names / sizeof names[0] };

struct predictions {
    float *p[SCORERS]; /* [n, c] or NULL */
    int *labels;       /* [n] */
    size_t n, c;
};

static int wrong(const char *what, size_t image)
{
    printf("image %zu: %s\n", image, what);
    return 1;
}

static int read_predictions(hid_t file, struct predictions *out)
{
    hsize_t shape[2], list[2];
    out->labels = read_dataset(file, "labels", H5T_NATIVE_INT, sizeof(int), list);
    int *index = read_dataset(file, "index", H5T_NATIVE_INT, sizeof(int), list);
    out->n = (size_t)list[0];
    for (int m = 0; m < SCORERS; m++) {
        out->p[m] = read_dataset(file, names[m], H5T_NATIVE_FLOAT, sizeof(float), shape);
        if (out->p[m] != NULL && shape[0] != list[0]) return wrong("shapes differ", 0);
    }
    if (out->labels == NULL || index == NULL || out->p[0] == NULL) return wrong("datasets lack", 0);
    for (size_t i = 0; i < out->n; i++)
        if (index[i] != (int)i) return wrong("another number in /index", i);
    free(index);
    shape[1] = 0;
    free(read_dataset(file, "online", H5T_NATIVE_FLOAT, sizeof(float), shape));
    out->c = (size_t)shape[1];
    return 0;
}

static int check_rows(const struct predictions *x)
{
    for (size_t i = 0; i < x->n; i++) {
        double sums[2] = {0.0, 0.0};
        if (x->labels[i] < -1 || x->labels[i] >= (int)x->c) return wrong("its label", i);
        for (size_t k = i * x->c; k < (i + 1) * x->c; k++) {
            for (int m = 0; m < 2; m++)
                sums[m] += x->p[m] != NULL ? (double)x->p[m][k] : 1.0 / (double)x->c;
            if (x->p[2] != NULL && x->p[2][k] != fmaxf(x->p[0][k], x->p[1][k]))
                return wrong("the ensemble is not the maximum", i);
        }
        if (fabs(sums[0] - 1.0) > 1e-5 || fabs(sums[1] - 1.0) > 1e-5)
            return wrong("probabilities do not add up to 1", i);
    }
    return 0;
}

static double accuracy(const struct predictions *x, const float *p)
{
    size_t right = 0, seen = 0;
    for (size_t i = 0; i < x->n; i++) {
        size_t best = 0;
        for (size_t k = 1; k < x->c; k++)
            if (p[i * x->c + k] > p[i * x->c + best]) best = k;
        seen += x->labels[i] >= 0;
        right += x->labels[i] == (int)best;
    }
    return 100.0 * (double)right / (double)seen;
}

/* Whether row [c] is the cosines of feature [d] to means [c, d]; classes without a mean are not
 * looked at. */
static bool are_cosines(const float *row, const float *feature, const float *means, size_t c,
                        size_t d)
{
    for (size_t k = 0; k < c; k++) {
        double product = 0.0, mean = 0.0, length = 0.0;
        for (size_t j = 0; j < d; j++) {
            double m = means[k * d + j], x = feature[j];
            product += m * x;
            mean += m * m;
            length += x * x;
        }
        if (mean > 0.0 && fabs(product / sqrt(mean * length) - (double)row[k]) > 1e-5) return false;
    }
    return true;
}

/* How many views' features there are and are right; -1: some are not. */
static int check_features(hid_t file, hid_t task, const struct predictions *x)
{
    static const char *const views[] = {"init", "online", "offline"};
    int found = 0;
    for (int v = 0; v < 3; v++) {
        char name[3][64];
        hsize_t shape[2], stored[2], rows[2];
        snprintf(name[0], sizeof name[0], "/features/%s", views[v]);
        snprintf(name[1], sizeof name[1], "/stats/%s/mean", views[v]);
        snprintf(name[2], sizeof name[2], "/ncm_%s", views[v]);
        float *features = read_dataset(file, name[0], H5T_NATIVE_FLOAT, sizeof(float), shape);
        float *means = read_dataset(task, name[1], H5T_NATIVE_FLOAT, sizeof(float), stored);
        float *ncm = read_dataset(file, name[2], H5T_NATIVE_FLOAT, sizeof(float), rows);
        bool known = features != NULL && means != NULL && ncm != NULL;
        if (features != NULL && shape[0] != x->n) return -1;
        if (known && shape[1] != stored[1]) return -1;
        for (size_t i = 0; known && i < x->n; i++)
            if (!are_cosines(ncm + i * x->c, features + i * shape[1], means, x->c, shape[1]))
                return -1;
        found += known;
        free(features);
        free(means);
        free(ncm);
    }
    return found;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: check_predictions PREDICTIONS TASK-FILE\n");
        return 2;
    }
    struct predictions x = {.n = 0};
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* what is not there is found out here */
    hid_t file = H5Fopen(argv[1], H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t task = H5Fopen(argv[2], H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0 || task < 0 || read_predictions(file, &x) != 0 || check_rows(&x) != 0) return 1;
    int number = read_attribute(task, "task");
    bool good =
        number == read_attribute(file, "task") && (int)x.c == read_attribute(task, "classes_seen");
    for (int m = 0; m < SCORERS; m++) {
        char name[64];
        hsize_t shape[2];
        snprintf(name, sizeof name, "/metrics/%s/seen", names[m]);
        double *stored = read_dataset(task, name, H5T_NATIVE_DOUBLE, sizeof(double), shape);
        good = good && (stored == NULL) == (x.p[m] == NULL);
        if (stored == NULL || x.p[m] == NULL) continue;
        double found = accuracy(&x, x.p[m]);
        printf("%s: %.4f from scores, %.4f stored\n", names[m], found, stored[number]);
        good = good && fabs(found - stored[number]) < 1e-9;
        free(stored);
        free(x.p[m]);
    }
    int features = check_features(file, task, &x);
    printf("features of %d views agree with /ncm_VIEW\n", features);
    good = good && features >= 0;
    free(x.labels);
    H5Fclose(file);
    H5Fclose(task);
    return good ? 0 : 1;
}
