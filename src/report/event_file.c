#include "lae/report/event_file.h"

#include "lae/files/map.h"

#include "event.pb-c.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAME "events.out.tfevents." /* what TensorBoard knows its files by */
#define VERSION "brain.Event:2"     /* of the format */
#define FRAME 12                    /* bytes before a message: its length and that one's checksum */

const char *lae_event_file_library(void)
{
    return "protobuf-c " PROTOBUF_C_VERSION;
}

static double seconds_since_1970(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void put_little_endian(unsigned char *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

/* A checksum as TFRecord stores it, so that one over bytes that hold checksums is still a good one.
 */
static uint32_t masked(uint32_t crc)
{
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static lae_status write_record(struct lae_event_file *events, const Lae__Event *event)
{
    size_t length = lae__event__get_packed_size(event), size = FRAME + length + 4;
    unsigned char *record = malloc(size);
    if (record == NULL) return lae_out_of_memory(size, "a record of an event file");
    put_little_endian(record, length, 8);
    put_little_endian(record + 8, masked(lae_crc32c(record, 8)), 4);
    lae__event__pack(event, record + FRAME);
    put_little_endian(record + FRAME + length, masked(lae_crc32c(record + FRAME, length)), 4);
    errno = 0;
    bool written = fwrite(record, 1, size, events->file) == size && fflush(events->file) == 0;
    free(record);
    if (written) return NULL;
    return lae_failed("%s: cannot write: %s", events->path, strerror(errno));
}

static lae_status write_beginning(struct lae_event_file *events, int64_t step)
{
    Lae__Event version = LAE__EVENT__INIT;
    version.wall_time = seconds_since_1970();
    version.what_case = LAE__EVENT__WHAT_FILE_VERSION;
    version.file_version = (char[]){VERSION};
    LAE_TRY(write_record(events, &version));
    Lae__SessionLog start = LAE__SESSION_LOG__INIT;
    start.status = LAE__SESSION_LOG__STATUS__START;
    Lae__Event event = LAE__EVENT__INIT;
    event.wall_time = version.wall_time;
    event.step = step;
    event.what_case = LAE__EVENT__WHAT_SESSION_LOG;
    event.session_log = &start;
    return write_record(events, &event);
}

/* One more than the highest number of a file in the directory. */
static lae_status next_number(const char *directory, int *number)
{
    *number = 0;
    DIR *stream = opendir(directory);
    if (stream == NULL)
        return lae_bad_input("%s: cannot be listed: %s", directory, strerror(errno));
    struct dirent *entry;
    while (errno = 0, (entry = readdir(stream)) != NULL) {
        int found;
        if (sscanf(entry->d_name, NAME "%8d", &found) == 1 && found >= *number) *number = found + 1;
    }
    int error = errno;
    closedir(stream);
    if (error != 0) return lae_bad_input("%s: cannot be listed: %s", directory, strerror(error));
    return NULL;
}

static lae_status create(struct lae_event_file *events, const char *directory)
{
    int number;
    char name[64];
    LAE_TRY(lae_path_make_directories(directory));
    LAE_TRY(next_number(directory, &number));
    snprintf(name, sizeof name, NAME "%06d.lae_mpi", number); /* in the order of their names */
    events->path = lae_path_join(directory, name);
    if (events->path == NULL) return lae_out_of_memory(strlen(directory), "a path");
    events->file = fopen(events->path, "wbxe");
    if (events->file == NULL)
        return lae_bad_input("%s: cannot be written: %s", events->path, strerror(errno));
    return NULL;
}

lae_status lae_event_file_open(struct lae_event_file *events, const char *directory, int64_t step)
{
    *events = (struct lae_event_file){0};
    lae_status status = create(events, directory);
    if (status == NULL) status = write_beginning(events, step);
    if (status != NULL) lae_event_file_close(events);
    return status;
}

void lae_event_file_close(struct lae_event_file *events)
{
    if (events->file != NULL) fclose(events->file);
    free(events->path);
    *events = (struct lae_event_file){0};
}

/* Fills items [count] and points to them; returns how many are finite. */
static size_t fill(const struct lae_event_value *values, size_t count, Lae__Summary__Value *items,
                   Lae__Summary__Value **pointers)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i].value)) continue;
        Lae__Summary__Value *item = &items[used];
        lae__summary__value__init(item);
        item->tag = (char *)values[i].tag;
        item->value_case = LAE__SUMMARY__VALUE__VALUE_SIMPLE_VALUE;
        item->simple_value = (float)values[i].value;
        pointers[used++] = item;
    }
    return used;
}

lae_status lae_event_file_add(struct lae_event_file *events, int64_t step,
                              const struct lae_event_value *values, size_t count)
{
    Lae__Summary__Value *items = malloc((count + 1) * sizeof *items);
    Lae__Summary__Value **pointers = malloc((count + 1) * sizeof *pointers);
    lae_status status = NULL;
    if (items == NULL || pointers == NULL) {
        status = lae_out_of_memory(count * sizeof *items, "a record of an event file");
    } else {
        Lae__Summary summary = LAE__SUMMARY__INIT;
        summary.value = pointers;
        summary.n_value = fill(values, count, items, pointers);
        Lae__Event event = LAE__EVENT__INIT;
        event.wall_time = seconds_since_1970();
        event.step = step;
        event.what_case = LAE__EVENT__WHAT_SUMMARY;
        event.summary = &summary;
        if (summary.n_value > 0) status = write_record(events, &event);
    }
    free(items);
    free(pointers);
    return status;
}
