/* What the processor's own multiply-add instructions can do at most: loops of the widest of them on
 * registers (or, of the matrix unit, on tiles that are loaded from the first cache), with nothing
 * to wait for. No program is faster; what a library's products reach is another matter.
 */
#ifndef LAE_NN_LIMIT_H
#define LAE_NN_LIMIT_H

#include "lae/nn/product.h"

#include <stddef.h>

struct lae_limit {
    const char *name; /* "AVX-512 multiply-add", ... */
    /* Goes round the loop; returns the floating-point operations done (two a multiply-add). What it
     * computed is added to *sink, so that it cannot be left out. */
    double (*run)(size_t rounds, float *sink);
};

/* The fastest for operands of that precision (sums are fp32) that this processor and this build
 * have. NULL: bf16 without instructions for it. */
const struct lae_limit *lae_limit_of(enum lae_precision precision);

#endif
