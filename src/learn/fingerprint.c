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

char *lae_fingerprint(const struct lae_kernels *kernels)
{
    char backend[256];
    size_t size = 512;
    char *text = malloc(size);
    if (text == NULL) return NULL;
    snprintf(text, size, "lae_mpi %s; %s; %s; glibc %s; kernels %s", LAE_VERSION, COMPILER,
             lae_linear_backend(backend, sizeof backend), gnu_get_libc_version(), kernels->name);
    return text;
}
