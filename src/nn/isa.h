/* The kernel tables that kernels_isa.c defines, one a build of it; for kernels.c alone. */
#ifndef LAE_NN_ISA_H
#define LAE_NN_ISA_H

#include "lae/nn/kernels.h"

extern const struct lae_kernels lae_kernels_baseline;
extern const struct lae_kernels lae_kernels_avx2;
extern const struct lae_kernels lae_kernels_avx512;

#endif
