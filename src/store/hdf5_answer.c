/* The other side of hdf5_ask.c, in the process that has the file open. */
#include "hdf5_local.h"
#include "hdf5_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

bool lae_hdf5_send(int channel, const void *data, size_t size)
{
    const unsigned char *at = data;
    while (size > 0) {
        ssize_t sent = send(channel, at, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return false;
        at += sent;
        size -= (size_t)sent;
    }
    return true;
}

bool lae_hdf5_receive(int channel, void *data, size_t size)
{
    unsigned char *at = data;
    while (size > 0) {
        ssize_t received = recv(channel, at, size, 0);
        if (received < 0 && errno == EINTR) continue;
        if (received <= 0) return false;
        at += received;
        size -= (size_t)received;
    }
    return true;
}

bool lae_hdf5_answer_error(int channel, lae_status status)
{
    const char *message = lae_status_message(status);
    struct lae_hdf5_answer answer = {.code = (int32_t)lae_status_code(status),
                                     .bytes = strlen(message)};
    bool sent = lae_hdf5_send(channel, &answer, sizeof answer) &&
                lae_hdf5_send(channel, message, (size_t)answer.bytes);
    lae_status_free(status);
    return sent;
}

/* An answer in the making, and the bytes that follow it. */
struct reply {
    struct lae_hdf5_answer answer;
    char *bytes;
    size_t room; /* of bytes, where they grow */
};

static lae_status make_room(struct reply *reply, const char *name, size_t count, size_t size)
{
    if (count > (SIZE_MAX - 1) / size) return lae_out_of_memory(SIZE_MAX, name);
    reply->bytes = malloc(count * size + 1);
    if (reply->bytes == NULL) return lae_out_of_memory(count * size, name);
    reply->answer.bytes = count * size;
    return NULL;
}

static lae_status give_shape(struct lae_hdf5 *file, const struct lae_hdf5_question *q,
                             struct reply *reply)
{
    int rank = 0;
    size_t shape[LAE_MAX_RANK] = {0};
    LAE_TRY(q->topic == HDF5_SHAPE ? lae_hdf5_local_shape(file, q->name, q->type, &rank, shape)
                                   : lae_hdf5_local_extents(file, q->name, q->type, &rank, shape));
    reply->answer.rank = rank;
    for (int i = 0; i < rank; i++)
        reply->answer.shape[i] = shape[i];
    return NULL;
}

static lae_status give_values(struct lae_hdf5 *file, const struct lae_hdf5_question *q,
                              struct reply *reply)
{
    const uint64_t *n = q->sizes;
    switch (q->topic) {
    case HDF5_READ:
        LAE_TRY(make_room(reply, q->name, n[0], q->type == LAE_HDF5_DOUBLE ? 8 : 4));
        return lae_hdf5_local_read(file, q->name, q->type, n[0], reply->bytes);
    case HDF5_TRIANGLE:
        LAE_TRY(make_room(reply, q->name, n[1] * (n[1] + 1) / 2, sizeof(double)));
        return lae_hdf5_local_read_triangle(file, q->name, n[0], n[1],
                                            (double *)(void *)reply->bytes);
    default:
        LAE_TRY(make_room(reply, q->name, n[1] * n[2], sizeof(float)));
        return lae_hdf5_local_read_rows(file, q->name, n[0], n[1], n[2],
                                        (float *)(void *)reply->bytes);
    }
}

static lae_status give_text(struct lae_hdf5 *file, const struct lae_hdf5_question *q,
                            struct reply *reply)
{
    LAE_TRY(q->topic == HDF5_TEXT
                ? lae_hdf5_local_read_text(file, q->name, &reply->bytes)
                : lae_hdf5_local_get_text(file, q->name, q->attribute, &reply->bytes));
    reply->answer.bytes = strlen(reply->bytes);
    return NULL;
}

static lae_status give_number(struct lae_hdf5 *file, const struct lae_hdf5_question *q,
                              struct lae_hdf5_answer *answer)
{
    if (q->topic == HDF5_INT)
        return lae_hdf5_local_get_int(file, q->name, q->attribute, &answer->whole);
    if (q->topic == HDF5_DOUBLE)
        return lae_hdf5_local_get_double(file, q->name, q->attribute, &answer->number);
    return lae_hdf5_local_attribute_is_text(file, q->name, q->attribute, &answer->yes);
}

static lae_status note_visit(struct lae_hdf5 *file, const char *name, bool is_group, void *context)
{
    struct reply *reply = context;
    size_t used = (size_t)reply->answer.bytes, more = strlen(name) + 2;
    (void)file;
    if (used + more > reply->room) {
        size_t room = 2 * (used + more);
        char *grown = realloc(reply->bytes, room);
        if (grown == NULL) return lae_out_of_memory(room, name);
        reply->bytes = grown;
        reply->room = room;
    }
    reply->bytes[used] = is_group ? '+' : '-';
    memcpy(reply->bytes + used + 1, name, more - 1);
    reply->answer.bytes += more;
    return NULL;
}

static lae_status answer_one(struct lae_hdf5 *file, const struct lae_hdf5_question *q,
                             struct reply *reply)
{
    switch (q->topic) {
    case HDF5_HAS:
        reply->answer.yes = lae_hdf5_local_has(file, q->name);
        return NULL;
    case HDF5_HAS_ATTRIBUTE:
        reply->answer.yes = lae_hdf5_local_has_attribute(file, q->name, q->attribute);
        return NULL;
    case HDF5_EXTENTS:
    case HDF5_SHAPE:
        return give_shape(file, q, reply);
    case HDF5_READ:
    case HDF5_TRIANGLE:
    case HDF5_ROWS:
        return give_values(file, q, reply);
    case HDF5_TEXT:
    case HDF5_TEXT_ATTRIBUTE:
        return give_text(file, q, reply);
    case HDF5_WALK:
        return lae_hdf5_local_walk(file, q->name, note_visit, reply);
    case HDF5_WALK_ATTRIBUTES:
        return lae_hdf5_local_walk_attributes(file, q->name, note_visit, reply);
    default:
        return give_number(file, q, &reply->answer);
    }
}

void lae_hdf5_answer_questions(int channel, struct lae_hdf5 *file)
{
    struct lae_hdf5_question question;
    bool heard = true;
    while (heard && lae_hdf5_receive(channel, &question, sizeof question)) {
        struct reply reply = {.bytes = NULL};
        lae_status status = answer_one(file, &question, &reply);
        if (status != NULL)
            heard = lae_hdf5_answer_error(channel, status);
        else
            heard = lae_hdf5_send(channel, &reply.answer, sizeof reply.answer) &&
                    lae_hdf5_send(channel, reply.bytes, (size_t)reply.answer.bytes);
        free(reply.bytes);
    }
}
