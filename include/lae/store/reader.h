/* The process that reads HDF5 files for this one.
 *
 * HDF5 crashes on files made for that, or worse. So this process gives it none: another one, begun
 * early and small, begins one more for each file, which gives up everything but the file's bytes
 * and its end of a socket (system calls where there is seccomp; files, processes, memory and time
 * in any case), and only then lets HDF5 see the file. What it is asked for comes over the socket
 * and is checked; that it dies is a message like others.
 */
#ifndef LAE_STORE_READER_H
#define LAE_STORE_READER_H

#include "lae/base/status.h"

/* To be called before MPI and threads begin, as a process is forked; else it is done when a file is
 * opened for the first time. Once is enough. */
lae_status lae_reader_start(void) LAE_MUST_CHECK;

/* Ends it. */
void lae_reader_stop(void);

/* From now on this process reads files itself: for fuzzers, which want to see what it does. */
void lae_reader_forgo(void);

#endif
