/* The smallest files of this program's own kinds, for seeds.c and checkpoint.c. */
#ifndef LAE_TEST_FUZZ_SAMPLES_H
#define LAE_TEST_FUZZ_SAMPLES_H

#include "lae/run/state.h"
#include "lae/store/checkpoint.h"
#include "lae/weights/weights.h"

/* As little as a checkpoint can have; `full`: and something of everything besides. */
void lae_sample_checkpoint(bool full, struct lae_checkpoint *checkpoint);

/* Names of the two files that a model's tensors are shared out to, the first half to the first. */
extern const char *const lae_sample_shards[2];

/* A Vision Transformer of one block. */
void lae_sample_weights(struct lae_weights *weights);

#endif
