/* A program on liblae: says which class each picture is of.
 *
 *     cc -std=c17 -o classify classify.c $(pkg-config --cflags --libs lae)
 *     mpirun -np 2 ./classify runs/demo cat.png dog.jpg
 *
 * Ranks deal the pictures among them. Each line: the picture, then the class that each scorer finds
 * likeliest. */
#include <lae/lae.h>

#include <stdio.h>
#include <stdlib.h>

static size_t highest(const float *scores, size_t classes)
{
    size_t best = 0;
    for (size_t c = 1; c < classes; c++)
        if (scores[c] > scores[best]) best = c;
    return best;
}

static void print(const struct lae_model *model, const char *picture, const float *scores)
{
    size_t classes = lae_model_classes(model);
    char line[4096];
    int used = snprintf(line, sizeof line, "%s", picture);
    for (size_t s = 0; s < lae_model_scorers(model) && used < (int)sizeof line; s++) {
        size_t c = highest(scores + s * classes, classes);
        const char *name = lae_model_class_name(model, c);
        used += snprintf(line + used, sizeof line - (size_t)used, "  %s %s%s%d",
                         lae_model_scorer_name(model, s), name != NULL ? name : "",
                         name != NULL ? "=" : "", lae_model_class_label(model, c));
    }
    puts(line);
}

static lae_status classify(struct lae_model *model, char **pictures, int count, int rank, int ranks)
{
    size_t size = lae_model_scorers(model) * lae_model_classes(model) * sizeof(float);
    float *scores = malloc(size);
    lae_status status = scores == NULL ? lae_out_of_memory(size, "scores") : NULL;
    for (int i = rank; i < count && status == NULL; i += ranks) {
        status = lae_model_score_file(model, pictures[i], scores);
        if (status == NULL) print(model, pictures[i], scores);
    }
    free(scores);
    return status;
}

int main(int argc, char **argv)
{
    int provided, rank, ranks;
    struct lae_model *model = NULL;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    lae_status status = argc < 3 ? lae_bad_input("classify RUN PICTURE ...")
                                 : lae_model_open(argv[1], NULL, 0, MPI_COMM_WORLD, &model);
    int opened = status == NULL;
    if (opened) status = classify(model, argv + 2, argc - 2, rank, ranks);
    int code = (int)lae_status_code(status);
    if (status != NULL && (opened || rank == 0))
        fprintf(stderr, "classify: %s\n", lae_status_message(status));
    lae_status_free(status);
    lae_model_close(model);
    MPI_Finalize();
    return code;
}
