/* What is about to be computed, by what, and what it will take. */
#ifndef LAE_REPORT_INTRODUCTION_H
#define LAE_REPORT_INTRODUCTION_H

#include "lae/sweep/setup.h"

/* Describes the setup in setup->log, whose run lies in the directory `place`. [collective] */
void lae_introduce(const struct lae_setup *setup, const char *place);

/* Numbers to tune by must not be taken for results: says so where images were held out. */
void lae_tell_evaluated(const struct lae_config *config, struct lae_log *log);

#endif
