/* What must be right before the libraries load. Each thread of ours calls BLAS by itself, so BLAS
 * must not start threads of its own; and a kernel chosen for a lesser processor, by an environment
 * made for other programs, would halve the speed. Both are read by the libraries' constructors, so
 * the program starts itself again with the environment corrected. */
#include "lae/base/signals.h"
#include "lae/cmd/cmd.h"
#include "lae/nn/kernels.h"
#include "lae/nn/linear.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define RESTARTED "LAE_RESTARTED" /* set in the program started again: what was changed */

const char *lae_environment_news(void)
{
    const char *news = getenv(RESTARTED);
    return news != NULL && news[0] != '\0' ? news : NULL;
}

static bool is_set_to(const char *name, const char *value)
{
    const char *now = getenv(name);
    return now != NULL && strcmp(now, value) == 0;
}

/* How wide a core's vectors are: 0 baseline, 1 AVX2, 2 AVX-512. Cores that are not known count as
 * widest: they are never corrected. */
static int core_width(const char *core)
{
    static const char *const avx2[] = {"Haswell", "Zen", "Excavator"};
    static const char *const lesser[] = {"Prescott",  "Core2",       "Penryn",     "Dunnington",
                                         "Nehalem",   "Sandybridge", "Atom",       "Bobcat",
                                         "Barcelona", "Bulldozer",   "Piledriver", "Steamroller",
                                         "Nano",      "Opteron"};
    for (size_t i = 0; i < sizeof avx2 / sizeof avx2[0]; i++)
        if (strcasecmp(core, avx2[i]) == 0) return 1;
    for (size_t i = 0; i < sizeof lesser / sizeof lesser[0]; i++)
        if (strcasecmp(core, lesser[i]) == 0) return 0;
    return 2;
}

static int processor_width(void)
{
    const char *name = lae_kernels_best()->name;
    return strcmp(name, "avx512") == 0 ? 2 : strcmp(name, "avx2") == 0 ? 1 : 0;
}

/* The core that compute.blas_core forces, or NULL; a new string. A configuration that cannot be
 * read forces nothing here: training will say what is wrong with it. */
static char *forced_core(const struct lae_arguments *arguments)
{
    if (!arguments->command->configurable && arguments->command->keys == NULL) return NULL;
    struct lae_config config;
    lae_status status = lae_configure(arguments, &config);
    char *core = status == NULL && config.compute.blas_core != NULL
                     ? strdup(config.compute.blas_core)
                     : NULL;
    lae_status_free(status);
    lae_config_free(&config);
    return core;
}

static void choose_core(const char *forced, bool *change, char *news, size_t size)
{
    const char *asked = getenv("OPENBLAS_CORETYPE");
    if (forced != NULL) {
        if (is_set_to("OPENBLAS_CORETYPE", forced)) return;
        setenv("OPENBLAS_CORETYPE", forced, 1);
        *change = true;
        return;
    }
    if (asked == NULL || core_width(lae_linear_core()) >= processor_width()) return;
    snprintf(news, size,
             "OPENBLAS_CORETYPE=%s in the environment asks for less than this processor "
             "can; it is ignored (compute.blas_core forces a core)",
             asked);
    unsetenv("OPENBLAS_CORETYPE");
    unsetenv("OPENBLAS_L2_SIZE");
    *change = true;
}

static long number_of(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? strtol(text, NULL, 10) : 0;
}

/* More ranks on a node than cores: waiting ranks must give their core away. */
static void yield_when_crowded(void)
{
    if (number_of("OMPI_COMM_WORLD_LOCAL_SIZE") > sysconf(_SC_NPROCESSORS_ONLN))
        setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0);
}

/* Open MPI 5 asks the kernel how ranks of one host reach each other by TCP, which they never use,
 * and complains, once for each pair, that the way does not lead through the network card. */
static void hush_one_host(void)
{
    long ranks = number_of("OMPI_COMM_WORLD_SIZE");
    if (ranks > 0 && ranks == number_of("OMPI_COMM_WORLD_LOCAL_SIZE"))
        setenv("OMPI_MCA_reachable", "weighted", 0);
}

void lae_environment_correct(char **argv, const struct lae_arguments *arguments)
{
    yield_when_crowded();
    hush_one_host();
    if (getenv(RESTARTED) != NULL) return;
    bool change = false;
    char news[256] = "";
    if (!is_set_to("OPENBLAS_NUM_THREADS", "1") || !is_set_to("OMP_NUM_THREADS", "1")) {
        setenv("OPENBLAS_NUM_THREADS", "1", 1);
        setenv("OMP_NUM_THREADS", "1", 1);
        change = true;
    }
    char *forced = forced_core(arguments);
    choose_core(forced, &change, news, sizeof news);
    free(forced);
    if (!change) return;
    setenv(RESTARTED, news, 1);
    char executable[4096];
    ssize_t length = readlink("/proc/self/exe", executable, sizeof executable - 1);
    if (length <= 0) return;
    executable[length] = '\0';
    lae_signals_hold();
    execv(executable, argv);
    lae_signals_install();
    /* Where that cannot be done, the program goes on as it is: slower, not wrong. */
}
