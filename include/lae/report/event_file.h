/* Event files, which TensorBoard shows: numbers under names, over steps.
 *
 * A file is records, each framed as TensorFlow's TFRecord and holding one protobuf message (by
 * protobuf-c, src/report/event.proto):
 *
 *     u64 length | u32 masked CRC-32C of the length | message | u32 masked CRC-32C of the message
 *
 * all little-endian. A record is written as a whole; one that a kill cut short is the last of its
 * file, and readers stop before it. Every start of a run begins a new file in the directory,
 * numbered after the newest there, with the step from which it replaces what the others hold.
 */
#ifndef LAE_REPORT_EVENT_FILE_H
#define LAE_REPORT_EVENT_FILE_H

#include "lae/base/status.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define LAE_EVENT_TAG 160 /* no tag is longer, its zero included */

struct lae_event_file {
    FILE *file; /* NULL: not open */
    char *path;
};

/* A number under a name; slashes make groups. */
struct lae_event_value {
    char tag[LAE_EVENT_TAG];
    double value; /* one that is not finite is left out */
};

/* "protobuf-c 1.4.1"; NULL: the program was built without it, and the functions below do nothing. */
const char *lae_event_file_library(void);

/* Makes the directory, and in it the next file, which holds from `step` on. Errors name the path.
 */
lae_status lae_event_file_open(struct lae_event_file *events, const char *directory,
                               int64_t step) LAE_MUST_CHECK;
void lae_event_file_close(struct lae_event_file *events);

/* One record: `values` [count] of step `step`. Errors (a full disk) name the path. */
lae_status lae_event_file_add(struct lae_event_file *events, int64_t step,
                              const struct lae_event_value *values, size_t count) LAE_MUST_CHECK;

/* CRC-32C (Castagnoli's polynomial, RFC 3720 appendix B.4). */
uint32_t lae_crc32c(const void *data, size_t size);

#endif
