/* What the fuzzing targets share.
 *
 * A target is a function that reads any bytes the way the program would read a file of its kind,
 * and aborts where a promise of the readers is broken: that what is refused is bad input with a
 * message, and that what is accepted is what the header in include/lae/ says.
 *
 *     TARGET.c     + libFuzzer, sanitizers   fuzz_TARGET: makes up inputs (tests/fuzz/run.sh)
 *     TARGET.c     + replay.c                replay_TARGET: every known input once (meson test)
 *     seeds.c                                the small valid files to begin with
 *     corpus/TARGET, finds/TARGET            inputs worth keeping; what once went wrong
 *
 * Checksums keep made-up bytes from getting past a file's front. So targets put them right first:
 * whoever forges a file would.
 */
#ifndef LAE_TEST_FUZZ_H
#define LAE_TEST_FUZZ_H

#include "lae/base/status.h"
#include "lae/weights/weights.h"

#include "../../src/weights/raw.h"

#include <stddef.h>
#include <stdint.h>

/* The target, by the name that libFuzzer wants. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* DIRECTORY/NAME with these bytes, in a directory of the process's own ($TMPDIR) that is removed at
 * exit; the path is valid until then, the content until the next call. A real file: HDF5 opens no
 * memfd. */
const char *lae_fuzz_file(const char *name, const void *data, size_t size);
const char *lae_fuzz_directory(void);
void lae_fuzz_remove(const char *name); /* a file that lae_fuzz_file made */

/* A copy of the input that may be changed; free(). */
unsigned char *lae_fuzz_copy(const uint8_t *data, size_t size);

/* Aborts unless the condition holds. */
#define LAE_FUZZ_CHECK(condition) lae_fuzz_check((condition), #condition, __FILE__, __LINE__)
void lae_fuzz_check(int fine, const char *condition, const char *file, int line);

/* Frees an error, which must be bad input and say so of `path` (NULL: of anything). NULL is fine.
 */
void lae_fuzz_end(lae_status status, const char *path);

/* How many errors have come to their end. */
size_t lae_fuzz_refusals(void);

/* Reads the file as weights, checks what comes, and gives it back. */
void lae_fuzz_weights(const char *path);

/* The same as a checkpoint. */
void lae_fuzz_checkpoint(const char *path);

/* Decodes every tensor of a file as it was read, known or not, and gives the file back. */
void lae_fuzz_raw(struct lae_raw_file *file);

/* Puts the CRC-32 of a zip's stored and deflated entries right, as far as they can be found. */
void lae_fuzz_repair_zip(unsigned char *data, size_t size);

/* Puts the checksums of a tar's headers right, one after the other as their sizes say. */
void lae_fuzz_repair_tar(unsigned char *data, size_t size);

/* Puts the checksums of a PNG's chunks right. */
void lae_fuzz_repair_png(unsigned char *data, size_t size);

#endif
