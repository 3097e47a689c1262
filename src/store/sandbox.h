/* Giving up what reading bytes in memory does not need. */
#ifndef LAE_STORE_SANDBOX_H
#define LAE_STORE_SANDBOX_H

#include <stddef.h>

/* From now on this process can open, write and begin nothing, has a bounded time of the processor
 * and bounded memory, more for a file of more bytes. There is no way back. What the system does not
 * offer is left out. */
void lae_sandbox_enter(size_t bytes);

#endif
