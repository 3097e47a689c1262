/* Tables of text for people. */
#ifndef LAE_REPORT_TABLES_H
#define LAE_REPORT_TABLES_H

#include "lae/learn/metrics.h"

#include <stdio.h>

/* The closing table of a run after `finished` >= 1 tasks: accuracy over all seen classes after each
 * task, then last and average accuracy, forgetting and backward transfer; a column a module. */
void lae_tables_run(FILE *out, const struct lae_metrics *metrics, int finished);

#endif
