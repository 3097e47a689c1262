/* In the place of event_file.c where protobuf-c is not there: nothing is written. */
#include "lae/report/event_file.h"

const char *lae_event_file_library(void)
{
    return NULL;
}

lae_status lae_event_file_open(struct lae_event_file *events, const char *directory, int64_t step)
{
    (void)directory;
    (void)step;
    *events = (struct lae_event_file){0};
    return NULL;
}

void lae_event_file_close(struct lae_event_file *events)
{
    (void)events;
}

lae_status lae_event_file_add(struct lae_event_file *events, int64_t step,
                              const struct lae_event_value *values, size_t count)
{
    (void)events;
    (void)step;
    (void)values;
    (void)count;
    return NULL;
}
