/* A program of somebody else's that uses the installed library: install.sh compiles it with what
 * pkg-config says. */
#include <lae/config/config.h>
#include <lae/dist/dist.h>
#include <lae/nn/kernels.h>

#include <stdio.h>

/* Some of a room on each floor: a kernel, the configuration with its tables, MPI. */
static lae_status use(const struct lae_dist *dist, struct lae_config *config)
{
    float y[2];
    const float x[2] = {0.0F, 1.0F};
    lae_kernels_best()->gelu(y, x, 2);
    lae_status status = lae_config_set(config, "merge.method=mean");
    LAE_TRY(lae_dist_agree(dist, status));
    if (dist->rank == 0)
        printf("%d rank, %s, %.4f %.4f\n", dist->size, config->merge.method->name, (double)y[0],
               (double)y[1]);
    return NULL;
}

int main(int argc, char **argv)
{
    struct lae_config config = {0};
    struct lae_dist dist;
    lae_status status = lae_dist_start(&argc, &argv, &dist);
    if (status == NULL) status = lae_config_defaults(&config, NULL);
    if (status == NULL) status = use(&dist, &config);
    if (status != NULL) fprintf(stderr, "%s\n", lae_status_message(status));
    int code = (int)lae_status_code(status);
    lae_status_free(status);
    lae_config_free(&config);
    lae_dist_end(&dist);
    return code;
}
