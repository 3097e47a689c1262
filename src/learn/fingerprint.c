#include "lae/learn/job.h"
#include "lae/nn/linear.h"

#include <gnu/libc-version.h>
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

char *lae_fingerprint(const struct lae_kernels *kernels, struct lae_arithmetic arithmetic)
{
    char backend[256], onednn[64] = "";
    bool uses = lae_arithmetic_uses_onednn(arithmetic);
    size_t size = 512;
    char *text = malloc(size);
    if (text == NULL) return NULL;
    snprintf(text, size, "lae_mpi %s; %s; %s; %s%sglibc %s; kernels %s", LAE_VERSION, COMPILER,
             lae_linear_backend(backend, sizeof backend),
             uses ? lae_onednn_version(onednn, sizeof onednn) : "", uses ? "; " : "",
             gnu_get_libc_version(), kernels->name);
    return text;
}
