/* What a file says it is. */
#ifndef LAE_STORE_KIND_H
#define LAE_STORE_KIND_H

#include "lae/base/status.h"

#define LAE_KIND_TEXT 32

/* The format that a file of this program names, "lae-checkpoint" for one, in its seal or, where
 * other tools took that off, in its root attribute; "" where it names none (weights of others).
 * Nothing is checked: its reader will do that. Errors: no such file, not a regular one. */
lae_status lae_kind_of(const char *path, char kind[LAE_KIND_TEXT]) LAE_MUST_CHECK;

/* Whether an output can be written there, as lae_atomic_check; a run's own files (a task's, a state
 * inside one, the index) are refused: they are what it learned. */
lae_status lae_output_check(const char *path) LAE_MUST_CHECK;

#endif
