#include "lae/base/random.h"
#include "lae/files/digest.h"
#include "lae/nn/linear.h"
#include "lae/sweep/setup.h"

#include <gnu/libc-version.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

const char *lae_compiler(void)
{
    return COMPILER;
}

enum { PROBES = 512, RESULTS = 6 };

/* What the mathematical library makes of numbers of all sizes, with the thread's rules of rounding:
 * the same release computes otherwise on other processors, or when another one is loaded before. */
static const char *probe_arithmetic(char digest[LAE_DIGEST_TEXT])
{
    static const struct lae_random stream; /* numbers of any kind */
    double results[PROBES][RESULTS];
    for (size_t i = 0; i < PROBES; i++) {
        double x = 40.0 * lae_random_uniform(&stream, i) + 1e-3;
        volatile float tiny = 0x1p-126f,
                       third = (float)x / 3.0f; /* computed when the program runs */
        results[i][0] = exp(x - 20.0);
        results[i][1] = log(x);
        results[i][2] = cos(x);
        results[i][3] = pow(0.999, x);
        results[i][4] = tiny * (float)(x / 80.0);
        results[i][5] = third;
    }
    lae_status status = lae_digest_memory(results, sizeof results, digest);
    if (status != NULL) snprintf(digest, LAE_DIGEST_TEXT, "unknown");
    lae_status_free(status);
    digest[8] = '\0';
    return digest;
}

char *lae_fingerprint(const struct lae_kernels *kernels, struct lae_arithmetic arithmetic)
{
    char backend[256], onednn[64] = "", digest[LAE_DIGEST_TEXT];
    bool uses = lae_arithmetic_uses_onednn(arithmetic);
    size_t size = 512;
    char *text = malloc(size);
    if (text == NULL) return NULL;
    snprintf(text, size, "lae_mpi %s; %s; %s; %s%sglibc %s, arithmetic %s; kernels %s", LAE_VERSION,
             COMPILER, lae_linear_backend(backend, sizeof backend),
             uses ? lae_onednn_version(onednn, sizeof onednn) : "", uses ? "; " : "",
             gnu_get_libc_version(), probe_arithmetic(digest), kernels->name);
    return text;
}
