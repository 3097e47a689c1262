/* What goes over the socket between a process that wants to know what is in an HDF5 file and the
 * one that reads it (lae/store/reader.h): a question, then an answer and its bytes. Both are of one
 * program, forked. */
#ifndef LAE_STORE_HDF5_WIRE_H
#define LAE_STORE_HDF5_WIRE_H

#include "hdf5_file.h"

#include <limits.h>

#ifndef PATH_MAX
#define PATH_MAX 4096
#endif

enum lae_hdf5_topic {
    HDF5_HAS,
    HDF5_HAS_ATTRIBUTE,
    HDF5_EXTENTS,
    HDF5_SHAPE,
    HDF5_READ,     /* sizes: count */
    HDF5_TRIANGLE, /* sizes: size, rows */
    HDF5_ROWS,     /* sizes: rows, columns, known */
    HDF5_TEXT,
    HDF5_TEXT_ATTRIBUTE,
    HDF5_INT,
    HDF5_DOUBLE,
    HDF5_IS_TEXT,
    HDF5_WALK,
    HDF5_WALK_ATTRIBUTES,
};

struct lae_hdf5_question {
    enum lae_hdf5_topic topic;
    enum lae_hdf5_type type;
    uint64_t sizes[3];
    char name[LAE_HDF5_NAME], attribute[LAE_HDF5_NAME];
};

struct lae_hdf5_answer {
    int32_t code; /* 0, or that of an error, whose message the bytes are */
    int32_t rank, whole;
    bool yes;
    double number;
    uint64_t shape[LAE_MAX_RANK];
    uint64_t bytes; /* that follow: values, a text, or of each thing visited '+' (a group) or '-',
                     * its name and a zero */
};

/* What is to be read; a file and an end of a socket come with it. */
struct lae_hdf5_request {
    char path[PATH_MAX]; /* for messages */
};

/* All of it, or false. */
bool lae_hdf5_send(int channel, const void *data, size_t size);
bool lae_hdf5_receive(int channel, void *data, size_t size);

/* Answers questions about the file until nobody asks any more. */
void lae_hdf5_answer_questions(int channel, struct lae_hdf5 *file);

/* An answer that is an error; frees the status. */
bool lae_hdf5_answer_error(int channel, lae_status status);

/* A socket to the process that reads the file open as `file`, whose path is for messages. */
lae_status lae_hdf5_reader_open(int file, const char *path, int *channel) LAE_MUST_CHECK;

/* Whether this process reads files itself (lae_reader_forgo). */
bool lae_hdf5_reader_is_here(void);

#endif
