/* Memory of the ranks, as the kernel tells it. */
#ifndef LAE_SRC_BENCH_RESIDENT_H
#define LAE_SRC_BENCH_RESIDENT_H

#include "lae/dist/dist.h"

/* Proportional set sizes in MB (10^6 bytes), in which a page that n processes share counts as an
 * n-th: the mean over ranks, and that over nodes of the sums of their ranks. 0 where the kernel
 * does not tell. [collective] */
void lae_memory_of(const struct lae_dist *dist, double *rank_mb, double *node_mb);

#endif
