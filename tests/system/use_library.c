/* A program of somebody else's on the installed library: install.sh compiles it with what pkg-config
 * says. Prints each scorer's scores of one picture, as C's hexadecimal floats, after the checks that
 * need no more than one model. */
#include <lae/lae.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

static void expect(int holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "use_library: %s\n", what);
    failures++;
}

/* An error of that code whose message has these words. */
static void refuses(lae_status status, enum lae_code code, const char *words)
{
    expect(lae_status_code(status) == code, words);
    expect(strstr(lae_status_message(status), words) != NULL, lae_status_message(status));
    lae_status_free(status);
}

static void print(const struct lae_model *model, const float *scores)
{
    size_t classes = lae_model_classes(model);
    for (size_t s = 0; s < lae_model_scorers(model); s++)
        for (size_t c = 0; c < classes; c++)
            printf("%s %d %s %a\n", lae_model_scorer_name(model, s),
                   lae_model_class_label(model, c),
                   lae_model_class_name(model, c) != NULL ? "named" : "-",
                   (double)scores[s * classes + c]);
}

static lae_status use(struct lae_model *model, const char *picture)
{
    static const uint8_t dots[2 * 3 * 3] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 8, 7};
    size_t count = lae_model_scorers(model) * lae_model_classes(model);
    float *scores = malloc(3 * count * sizeof *scores);
    if (scores == NULL) return lae_out_of_memory(3 * count * sizeof *scores, "scores");
    float *again = scores + count, *other = again + count;
    lae_status status = lae_model_score_file(model, picture, scores);
    if (status == NULL) status = lae_model_score(model, dots, 3, 2, other);
    if (status == NULL) status = lae_model_score_file(model, picture, again);
    if (status == NULL) {
        expect(memcmp(scores, again, count * sizeof *scores) == 0, "the second time is another");
        expect(memcmp(scores, other, count * sizeof *scores) != 0, "another image is the same");
        print(model, scores);
    }
    refuses(lae_model_score(model, dots, 0, 2, other), LAE_BAD_INPUT, "0x2 pixels");
    refuses(lae_model_score_file(model, "/dev/null", other), LAE_BAD_INPUT, "/dev/null");
    free(scores);
    return status;
}

/* use_library RUN PICTURE: ranks open the model together, and each one once more by itself. */
int main(int argc, char **argv)
{
    int provided;
    const char *const settings[] = {"heads.shrink=0.2"}, *const bad[] = {"run.seed=2"};
    struct lae_model *model = NULL, *own = NULL, *none;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    if (argc != 3) MPI_Abort(MPI_COMM_WORLD, 2);
    expect(strcmp(lae_version(), "") != 0 && LAE_API == 1, "no version");
    refuses(lae_model_open("/nowhere", NULL, 0, MPI_COMM_WORLD, &none), LAE_BAD_INPUT, "/nowhere");
    expect(none == NULL, "a model of nothing");
    refuses(lae_model_open(argv[1], bad, 1, MPI_COMM_SELF, &none), LAE_BAD_INPUT, "run.seed");
    lae_status status = lae_model_open(argv[1], NULL, 0, MPI_COMM_WORLD, &model);
    if (status == NULL) status = lae_model_open(argv[1], settings, 1, MPI_COMM_SELF, &own);
    if (status == NULL) expect(lae_model_classes(own) == lae_model_classes(model), "classes");
    if (status == NULL) status = use(model, argv[2]);
    expect(status == NULL, lae_status_message(status));
    lae_status_free(status);
    lae_model_close(own);
    lae_model_close(model);
    MPI_Finalize();
    return failures == 0 ? 0 : 1;
}
