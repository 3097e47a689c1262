/* What hdf5_file.h offers for reading: asked of the process that has the file open, or done here
 * where that is this one. Answers are believed no more than a file is: HDF5 may have been led to
 * run what somebody wrote into it. */
#include "hdf5_local.h"
#include "hdf5_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_TEXT ((uint64_t)1 << 30)
#define MOST_MESSAGE 8192

/* ---- asking ---- */

static lae_status broken(const struct lae_hdf5 *file)
{
    return lae_bad_input("%s: HDF5 breaks down on it: it is damaged, or made to do harm; get it "
                         "anew from who wrote it",
                         file->path);
}

static lae_status receive_error(const struct lae_hdf5 *file, const struct lae_hdf5_answer *answer)
{
    char message[MOST_MESSAGE];
    if (answer->bytes >= sizeof message ||
        !lae_hdf5_receive(file->channel, message, (size_t)answer->bytes))
        return broken(file);
    message[answer->bytes] = '\0';
    return lae_status_new(answer->code == LAE_BAD_INPUT ? LAE_BAD_INPUT : LAE_FAILED, "%s",
                          message);
}

lae_status lae_hdf5_hear(struct lae_hdf5 *file)
{
    struct lae_hdf5_answer answer;
    if (!lae_hdf5_receive(file->channel, &answer, sizeof answer)) return broken(file);
    return answer.code == LAE_OK ? NULL : receive_error(file, &answer);
}

static lae_status fill(char field[LAE_HDF5_NAME], const struct lae_hdf5 *file, const char *name)
{
    int length = snprintf(field, LAE_HDF5_NAME, "%s", name);
    if (length >= 0 && length < LAE_HDF5_NAME) return NULL;
    return lae_bad_input("%s: the name %.64s... is longer than %d characters", file->path, name,
                         LAE_HDF5_NAME - 1);
}

/* Sends the question; the answer's bytes are yet to be received. */
static lae_status ask(struct lae_hdf5 *file, struct lae_hdf5_question *question, const char *name,
                      const char *attribute, struct lae_hdf5_answer *answer)
{
    LAE_TRY(fill(question->name, file, name));
    LAE_TRY(fill(question->attribute, file, attribute));
    if (!lae_hdf5_send(file->channel, question, sizeof *question) ||
        !lae_hdf5_receive(file->channel, answer, sizeof *answer))
        return broken(file);
    return answer->code == LAE_OK ? NULL : receive_error(file, answer);
}

static lae_status ask_about(struct lae_hdf5 *file, enum lae_hdf5_topic topic, const char *name,
                            const char *attribute, struct lae_hdf5_answer *answer)
{
    struct lae_hdf5_question question = {.topic = topic};
    return ask(file, &question, name, attribute, answer);
}

/* Takes bytes from those that a file of this size can be unpacked to. */
static lae_status claim(struct lae_hdf5 *file, const char *name, uint64_t bytes)
{
    if (bytes > file->unread)
        return lae_bad_input("%s: /%s: claims %llu bytes; no more than %llu can come of the file",
                             file->path, name, (unsigned long long)bytes,
                             (unsigned long long)file->unread);
    file->unread -= bytes;
    return NULL;
}

/* Bytes that are a text, as a new string. */
static lae_status receive_text(struct lae_hdf5 *file, const char *name,
                               const struct lae_hdf5_answer *answer, char **text)
{
    *text = NULL;
    if (answer->bytes > MOST_TEXT) return broken(file);
    LAE_TRY(claim(file, name, answer->bytes));
    *text = malloc((size_t)answer->bytes + 1);
    if (*text == NULL) return lae_out_of_memory(answer->bytes, name);
    (*text)[answer->bytes] = '\0';
    if (lae_hdf5_receive(file->channel, *text, (size_t)answer->bytes)) return NULL;
    free(*text);
    *text = NULL;
    return broken(file);
}

static lae_status receive_values(struct lae_hdf5 *file, const char *name,
                                 const struct lae_hdf5_answer *answer, size_t bytes, void *values)
{
    if (answer->bytes != bytes) return broken(file);
    LAE_TRY(claim(file, name, bytes));
    return lae_hdf5_receive(file->channel, values, bytes) ? NULL : broken(file);
}

/* ---- what is there ---- */

static bool is_there(struct lae_hdf5 *file, enum lae_hdf5_topic topic, const char *name,
                     const char *attribute)
{
    struct lae_hdf5_answer answer = {.yes = false};
    lae_status status = ask_about(file, topic, name, attribute, &answer);
    bool yes = status == NULL && answer.yes;
    lae_status_free(status); /* what is asked next fails alike */
    return yes;
}

bool lae_hdf5_has(struct lae_hdf5 *file, const char *name)
{
    if (file->channel < 0) return lae_hdf5_local_has(file, name);
    return is_there(file, HDF5_HAS, name, "");
}

bool lae_hdf5_has_attribute(struct lae_hdf5 *file, const char *object, const char *attribute)
{
    if (file->channel < 0) return lae_hdf5_local_has_attribute(file, object, attribute);
    return is_there(file, HDF5_HAS_ATTRIBUTE, object, attribute);
}

static lae_status ask_shape(struct lae_hdf5 *file, enum lae_hdf5_topic topic, const char *name,
                            enum lae_hdf5_type type, int *rank, size_t shape[LAE_MAX_RANK])
{
    struct lae_hdf5_question question = {.topic = topic, .type = type};
    struct lae_hdf5_answer answer;
    LAE_TRY(ask(file, &question, name, "", &answer));
    if (answer.rank < 0 || answer.rank > LAE_MAX_RANK) return broken(file);
    *rank = answer.rank;
    for (int i = 0; i < answer.rank; i++)
        shape[i] = (size_t)answer.shape[i];
    size_t count = lae_shape_count(*rank, shape), size = type == LAE_HDF5_DOUBLE ? 8 : 4;
    if (topic == HDF5_EXTENTS || (count > 0 && count <= file->unread / size)) return NULL;
    return broken(file);
}

lae_status lae_hdf5_shape(struct lae_hdf5 *file, const char *name, enum lae_hdf5_type type,
                          int *rank, size_t shape[LAE_MAX_RANK])
{
    if (file->channel < 0) return lae_hdf5_local_shape(file, name, type, rank, shape);
    return ask_shape(file, HDF5_SHAPE, name, type, rank, shape);
}

lae_status lae_hdf5_extents(struct lae_hdf5 *file, const char *name, enum lae_hdf5_type type,
                            int *rank, size_t shape[LAE_MAX_RANK])
{
    if (file->channel < 0) return lae_hdf5_local_extents(file, name, type, rank, shape);
    return ask_shape(file, HDF5_EXTENTS, name, type, rank, shape);
}

/* ---- values ---- */

lae_status lae_hdf5_read(struct lae_hdf5 *file, const char *name, enum lae_hdf5_type type,
                         size_t count, void *values)
{
    if (file->channel < 0) return lae_hdf5_local_read(file, name, type, count, values);
    struct lae_hdf5_question question = {.topic = HDF5_READ, .type = type, .sizes = {count}};
    struct lae_hdf5_answer answer;
    LAE_TRY(ask(file, &question, name, "", &answer));
    return receive_values(file, name, &answer, count * (type == LAE_HDF5_DOUBLE ? 8 : 4), values);
}

lae_status lae_hdf5_read_triangle(struct lae_hdf5 *file, const char *name, size_t size, size_t rows,
                                  double *values)
{
    if (file->channel < 0) return lae_hdf5_local_read_triangle(file, name, size, rows, values);
    struct lae_hdf5_question question = {.topic = HDF5_TRIANGLE, .sizes = {size, rows}};
    struct lae_hdf5_answer answer;
    LAE_TRY(ask(file, &question, name, "", &answer));
    return receive_values(file, name, &answer, rows * (rows + 1) / 2 * sizeof *values, values);
}

lae_status lae_hdf5_read_rows(struct lae_hdf5 *file, const char *name, size_t rows, size_t columns,
                              size_t known, float *values)
{
    if (file->channel < 0)
        return lae_hdf5_local_read_rows(file, name, rows, columns, known, values);
    struct lae_hdf5_question question = {.topic = HDF5_ROWS, .sizes = {rows, columns, known}};
    struct lae_hdf5_answer answer;
    LAE_TRY(ask(file, &question, name, "", &answer));
    return receive_values(file, name, &answer, known * columns * sizeof *values, values);
}

lae_status lae_hdf5_read_text(struct lae_hdf5 *file, const char *name, char **text)
{
    struct lae_hdf5_answer answer;
    if (file->channel < 0) return lae_hdf5_local_read_text(file, name, text);
    LAE_TRY(ask_about(file, HDF5_TEXT, name, "", &answer));
    return receive_text(file, name, &answer, text);
}

lae_status lae_hdf5_get_text(struct lae_hdf5 *file, const char *object, const char *attribute,
                             char **value)
{
    struct lae_hdf5_answer answer;
    if (file->channel < 0) return lae_hdf5_local_get_text(file, object, attribute, value);
    LAE_TRY(ask_about(file, HDF5_TEXT_ATTRIBUTE, object, attribute, &answer));
    return receive_text(file, object, &answer, value);
}

lae_status lae_hdf5_get_int(struct lae_hdf5 *file, const char *object, const char *attribute,
                            int32_t *value)
{
    struct lae_hdf5_answer answer;
    if (file->channel < 0) return lae_hdf5_local_get_int(file, object, attribute, value);
    LAE_TRY(ask_about(file, HDF5_INT, object, attribute, &answer));
    *value = answer.whole;
    return NULL;
}

lae_status lae_hdf5_get_double(struct lae_hdf5 *file, const char *object, const char *attribute,
                               double *value)
{
    struct lae_hdf5_answer answer;
    if (file->channel < 0) return lae_hdf5_local_get_double(file, object, attribute, value);
    LAE_TRY(ask_about(file, HDF5_DOUBLE, object, attribute, &answer));
    *value = answer.number;
    return NULL;
}

lae_status lae_hdf5_attribute_is_text(struct lae_hdf5 *file, const char *object,
                                      const char *attribute, bool *text)
{
    struct lae_hdf5_answer answer;
    if (file->channel < 0) return lae_hdf5_local_attribute_is_text(file, object, attribute, text);
    LAE_TRY(ask_about(file, HDF5_IS_TEXT, object, attribute, &answer));
    *text = answer.yes;
    return NULL;
}

/* ---- walks ---- */

/* Whether a name lies below the group, so that visitors may look behind the group's name. */
static bool is_below(const char *name, const char *group)
{
    size_t length = strlen(group);
    return strlen(name) < LAE_HDF5_NAME && name[0] != '\0' &&
           (length == 0 ||
            (strncmp(name, group, length) == 0 && name[length] == '/' && name[length + 1] != '\0'));
}

/* list: of each thing '+' or '-', its name, a zero. */
static lae_status visit_list(struct lae_hdf5 *file, const char *list, size_t size,
                             const char *group, lae_hdf5_visit *visit, void *context)
{
    for (const char *at = list; at < list + size; at += strlen(at) + 1) {
        if ((at[0] != '+' && at[0] != '-') || !is_below(at + 1, group)) return broken(file);
        LAE_TRY(visit(file, at + 1, at[0] == '+', context));
    }
    return NULL;
}

static lae_status walk(struct lae_hdf5 *file, enum lae_hdf5_topic topic, const char *object,
                       const char *group, lae_hdf5_visit *visit, void *context)
{
    struct lae_hdf5_answer answer;
    char *list;
    LAE_TRY(ask_about(file, topic, object, "", &answer));
    LAE_TRY(receive_text(file, object, &answer, &list));
    lae_status status = visit_list(file, list, (size_t)answer.bytes, group, visit, context);
    free(list);
    return status;
}

lae_status lae_hdf5_walk(struct lae_hdf5 *file, const char *group, lae_hdf5_visit *visit,
                         void *context)
{
    if (file->channel < 0) return lae_hdf5_local_walk(file, group, visit, context);
    return walk(file, HDF5_WALK, group, group, visit, context);
}

lae_status lae_hdf5_walk_attributes(struct lae_hdf5 *file, const char *object,
                                    lae_hdf5_visit *visit, void *context)
{
    if (file->channel < 0) return lae_hdf5_local_walk_attributes(file, object, visit, context);
    return walk(file, HDF5_WALK_ATTRIBUTES, object, "", visit, context);
}

/* ---- sets ---- */

struct filling {
    struct lae_set *set;
    size_t prefix; /* characters of a path before the tensor's name */
};

static lae_status read_tensor(struct lae_hdf5 *file, const char *name, bool is_group, void *context)
{
    if (is_group) return NULL;
    struct filling *filling = context;
    int rank;
    size_t shape[LAE_MAX_RANK];
    struct lae_named *item;
    LAE_TRY(lae_hdf5_shape(file, name, LAE_HDF5_FLOAT, &rank, shape));
    LAE_TRY(lae_status_prefix(lae_set_add(filling->set, name + filling->prefix, rank, shape, &item),
                              "%s", file->path));
    return lae_hdf5_read(file, name, LAE_HDF5_FLOAT, item->count, item->data);
}

lae_status lae_hdf5_read_set(struct lae_hdf5 *file, const char *group, struct lae_set *set)
{
    struct filling filling = {set, group[0] == '\0' ? 0 : strlen(group) + 1};
    return lae_hdf5_walk(file, group, read_tensor, &filling);
}
