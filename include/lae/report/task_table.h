/* The compact table after a task: a row for each scorer with its accuracy over all seen classes,
 * the average and the forgetting so far, and its accuracy on each task's images.
 *
 *     task 4/10  learned in 17 s; 40 classes seen; in task_03.h5
 *     accuracy, %    seen  average  forgetting  t0  t1  t2  t3
 *     online        54.25    70.27       29.00  61  44  52  60
 *     ...
 *
 * On a screen that is too narrow for all tasks those in the middle are left out.
 */
#ifndef LAE_REPORT_TASK_TABLE_H
#define LAE_REPORT_TASK_TABLE_H

#include "lae/base/terminal.h"
#include "lae/run/metrics.h"

#include <stdio.h>

struct lae_task_table {
    const struct lae_metrics *metrics;
    int task;       /* the one that has just been learned, from 0 */
    int tasks;      /* where the run stops */
    int classes;    /* seen */
    double seconds; /* that it took; NaN: not known */
};

/* A lae_log_writer; `table` is a struct lae_task_table. */
void lae_task_table_write(FILE *out, int width, const struct lae_paint *paint, const void *table);

#endif
