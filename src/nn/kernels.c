/* Picks among the builds of kernels_isa.c. The build defines LAE_HAVE_X86_ISA where it compiled all
 * three; elsewhere there is one, with the compiler's own flags. */
#include "lae/nn/kernels.h"

#include "isa.h"

#include <stdlib.h>
#include <string.h>

#ifdef LAE_HAVE_X86_ISA

/* Tables from the narrowest to the widest, ended by NULL; a prefix of it is what older CPUs run. */
static const struct lae_kernels *const all_avx512[] = {&lae_kernels_baseline, &lae_kernels_avx2,
                                                       &lae_kernels_avx512, NULL};
static const struct lae_kernels *const all_avx2[] = {&lae_kernels_baseline, &lae_kernels_avx2,
                                                     NULL};
static const struct lae_kernels *const all_baseline[] = {&lae_kernels_baseline, NULL};

const struct lae_kernels *const *lae_kernels_all(void)
{
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return all_baseline;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl"))
        return all_avx2;
    return all_avx512;
}

#else

static const struct lae_kernels *const all_baseline[] = {&lae_kernels_baseline, NULL};

const struct lae_kernels *const *lae_kernels_all(void)
{
    return all_baseline;
}

#endif

const struct lae_kernels *lae_kernels_best(void)
{
    const char *wanted = getenv("LAE_ISA");
    const struct lae_kernels *const *all = lae_kernels_all();
    const struct lae_kernels *best = NULL;
    for (; *all != NULL; all++) {
        best = *all;
        if (wanted != NULL && strcmp(best->name, wanted) == 0) return best;
    }
    return best;
}
